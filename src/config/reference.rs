//! `{ env: NAME }`, `{ file: PATH }`, `{ credential: NAME }`: where a secret is found.
//!
//! Nothing that stands in such a place is ever quoted, keys neither: it may be the secret itself.

use std::borrow::Cow;
use std::path::{Path, PathBuf};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use super::error::Problem;
use super::read::{Context, Read, text};
use super::scalar::Scalar;
use super::tree::{Kind, Node};
use crate::domain::secret::SecretRef;

/// The three ways to give a secret.
pub(super) const WAYS: &str = "give { env: NAME }, { file: PATH } or { credential: NAME }";

impl Read for SecretRef {
    fn read(node: Node<'_>, cx: &mut Context<'_>) -> Option<Self> {
        let Kind::Map = node.kind() else {
            let what = match Scalar::of(node) {
                Some(Scalar::Bool(_) | Scalar::Null) | None => "wants where a secret is found",
                Some(_) => "a secret is never written here itself",
            };
            cx.error(node, Problem::new(what).hint(WAYS));
            return None;
        };
        let mut entries = node.entries();
        let (Some((key, value)), None) = (entries.next(), entries.next()) else {
            let problem = Problem::new("wants exactly one of `env`, `file` and `credential`");
            cx.error(node, problem.hint(WAYS));
            return None;
        };
        let Kind::Scalar(way @ ("env" | "file" | "credential"), _) = key.kind() else {
            let problem = Problem::new("knows only `env`, `file` and `credential`");
            cx.error(key, problem.hint(WAYS));
            return None;
        };
        cx.below(&format!(".{way}"), |cx| {
            let written = text(value, "a text", cx)?;
            let (reference, legal, wanted) = match way {
                "env" => (
                    Self::Env(written.to_owned()),
                    is_variable(written),
                    "a variable's name, of letters, digits and underscores",
                ),
                "file" => (
                    Self::File(beside(cx.report.file_of(node.at()), written)),
                    is_path(written),
                    "a file's path",
                ),
                _ => (
                    Self::Credential(written.to_owned()),
                    is_file_name(written),
                    "a credential's name, as in the unit's LoadCredential",
                ),
            };
            if !legal {
                cx.error(value, Problem::new(format!("wants {wanted}")).hint(WAYS));
            }
            legal.then_some(reference)
        })
    }
}

impl JsonSchema for SecretRef {
    fn schema_name() -> Cow<'static, str> {
        "Secret".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "object",
            "description": "Where a secret is found, never the secret itself.",
            "properties": {
                "env": { "type": "string", "description": "A variable of the daemon's environment." },
                "file": { "type": "string", "description": "A file, read again on reload." },
                "credential": { "type": "string", "description": "A credential of the systemd unit." },
            },
            "minProperties": 1,
            "maxProperties": 1,
            "additionalProperties": false,
        })
    }
}

fn is_variable(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= 255
        && !name.starts_with(|c: char| c.is_ascii_digit())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

fn is_path(path: &str) -> bool {
    !path.is_empty() && path.len() <= 4096 && !path.contains(|c: char| c.is_control())
}

fn is_file_name(name: &str) -> bool {
    is_path(name) && name.len() <= 255 && !name.contains('/') && name != "." && name != ".."
}

/// A path as the file that names it means it: from that file's own directory. Absolute, so that
/// it means the same wherever the daemon and its commands are started, and a definition's hash
/// does not depend on how the configuration was named on the command line.
pub(super) fn beside(file: &Path, path: &str) -> PathBuf {
    let joined = file.parent().unwrap_or(Path::new("")).join(path);
    std::path::absolute(&joined).unwrap_or(joined)
}
