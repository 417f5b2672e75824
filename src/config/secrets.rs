//! References → values, as late as possible.
//!
//! No message holds a value or a part of one. All references are tried, so that one look at the
//! errors is enough.

use std::collections::BTreeMap;
use std::fmt;
use std::io::Read as _;
use std::path::Path;

use sha2::{Digest, Sha256};

use super::Config;
use super::environment::Environment;
use super::reference::WAYS;
use crate::domain::secret::{MIN_SECRET_BYTES, Secret, SecretRef};
use crate::domain::workspace::{ApiKey, KeyId, WorkspaceName};

/// Longest secret. A key is 32 characters, a token a few hundred; a larger file is the wrong one.
const MAX_SECRET_BYTES: u64 = 64 << 10;

/// Every secret of a configuration, resolved.
#[derive(Clone, Debug, Default)]
pub struct Secrets {
    /// The API keys of each workspace, at least one; a value given twice counts once.
    pub keys: BTreeMap<WorkspaceName, Vec<ApiKey>>,
    /// The values of `secret_kwargs`.
    pub kwargs: BTreeMap<SecretRef, Secret>,
}

/// A secret that cannot be had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unresolved {
    /// Where it is wanted, such as `workspaces.prod.api_key`.
    pub path: String,
    /// Where it should have been found.
    pub source: SecretRef,
    /// What is wrong with it.
    pub message: String,
    /// What to do.
    pub hint: String,
}

impl fmt::Display for Unresolved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            path,
            source,
            message,
            hint,
        } = self;
        write!(f, "{path}: {source}: {message}; {hint}")
    }
}

impl std::error::Error for Unresolved {}

/// Resolves every secret by the process's environment.
///
/// # Errors
/// Those that cannot be had, in the order of the configuration.
pub fn resolve(config: &Config) -> Result<Secrets, Vec<Unresolved>> {
    resolve_in(config, &Environment::process())
}

/// Resolves every secret by the environment given.
///
/// # Errors
/// Those that cannot be had, in the order of the configuration.
pub fn resolve_in(config: &Config, env: &Environment) -> Result<Secrets, Vec<Unresolved>> {
    let mut secrets = Secrets::default();
    let mut missing = Vec::new();
    for (name, workspace) in &config.workspaces {
        let mut keys: Vec<ApiKey> = Vec::with_capacity(workspace.api_keys.len());
        for (index, source) in workspace.api_keys.iter().enumerate() {
            let path = match workspace.api_keys.len() {
                1 => format!("workspaces.{name}.api_key"),
                _ => format!("workspaces.{name}.api_keys[{index}]"),
            };
            match value(source, env).and_then(header_safe) {
                Ok(key) if keys.iter().all(|known| known.id != key.id) => keys.push(key),
                Ok(_) => {}
                Err(fault) => missing.push(fault.at(path, source)),
            }
        }
        secrets.keys.insert(name.clone(), keys);
    }
    let mut failed: BTreeMap<&SecretRef, Fault> = BTreeMap::new();
    for job in &config.jobs {
        for (name, source) in &job.secret_kwargs {
            if secrets.kwargs.contains_key(source) {
                continue;
            }
            let found = match failed.get(source) {
                Some(fault) => Err(fault.clone()),
                None => value(source, env),
            };
            match found {
                Ok(text) => {
                    secrets.kwargs.insert(source.clone(), Secret::new(text));
                }
                Err(fault) => {
                    let path = format!("jobs.{}.secret_kwargs.{name}", job.name);
                    missing.push(fault.clone().at(path, source));
                    failed.insert(source, fault);
                }
            }
        }
    }
    if missing.is_empty() {
        Ok(secrets)
    } else {
        Err(missing)
    }
}

#[derive(Clone, Debug)]
struct Fault {
    message: String,
    hint: String,
}

impl Fault {
    fn new(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            hint: hint.into(),
        }
    }

    fn at(self, path: String, source: &SecretRef) -> Unresolved {
        Unresolved {
            path,
            source: source.clone(),
            message: self.message,
            hint: self.hint,
        }
    }
}

fn value(source: &SecretRef, env: &Environment) -> Result<String, Fault> {
    let text = match source {
        SecretRef::Env(name) => env
            .get(name)
            .ok_or_else(|| {
                Fault::new(
                    "the variable is not set",
                    format!("set it in the daemon's environment, or {WAYS}"),
                )
            })?
            .into_string()
            .map_err(|_| Fault::new("the value is not UTF-8", "set it anew"))?,
        SecretRef::File(path) => from_file(path)?,
        SecretRef::Credential(name) => {
            let directory = env.credentials().ok_or_else(|| {
                Fault::new(
                    "there are no credentials: $CREDENTIALS_DIRECTORY is not set",
                    format!(
                        "start it as a systemd unit with LoadCredential={name}:PATH, or {WAYS}"
                    ),
                )
            })?;
            from_file(&directory.join(name))?
        }
    };
    if text.len() < MIN_SECRET_BYTES {
        return Err(Fault::new(
            format!("a secret under {MIN_SECRET_BYTES} bytes cannot be struck out of replies"),
            "use a longer one; this one may be cut off",
        ));
    }
    Ok(text)
}

/// A file's content without the line break that editors leave at its end.
fn from_file(path: &Path) -> Result<String, Fault> {
    let cannot = |error: std::io::Error| {
        Fault::new(
            format!("cannot be read: {}", error.kind()),
            format!("make it readable for the daemon's user, or {WAYS}"),
        )
    };
    let metadata = std::fs::metadata(path).map_err(cannot)?;
    if !metadata.is_file() {
        return Err(Fault::new(
            "is not a file",
            format!("name a file, or {WAYS}"),
        ));
    }
    let mut bytes = Vec::new();
    std::fs::File::open(path)
        .and_then(|file| file.take(MAX_SECRET_BYTES + 1).read_to_end(&mut bytes))
        .map_err(cannot)?;
    if bytes.len() as u64 > MAX_SECRET_BYTES {
        return Err(Fault::new(
            format!("is longer than {} KiB", MAX_SECRET_BYTES >> 10),
            "this is not the file of one secret",
        ));
    }
    let mut text = String::from_utf8(bytes)
        .map_err(|_| Fault::new("is not UTF-8", "this is not the file of one secret"))?;
    if text.ends_with('\n') {
        text.pop();
        if text.ends_with('\r') {
            text.pop();
        }
    }
    Ok(text)
}

/// A key travels in a header, where a line break would begin another one.
fn header_safe(text: String) -> Result<ApiKey, Fault> {
    if !text.bytes().all(|b| b.is_ascii_graphic()) {
        return Err(Fault::new(
            "an API key is of ASCII letters, digits and signs, without blanks and line breaks",
            "copy it anew, with nothing around it",
        ));
    }
    let digest = hex(&Sha256::digest(&text));
    let id = KeyId(digest.get(..8).unwrap_or_default().into());
    Ok(ApiKey {
        id,
        secret: Secret::new(text),
    })
}

/// Lower-case hex digits.
pub(super) fn hex(bytes: &[u8]) -> String {
    const DIGITS: [char; 16] = [
        '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f',
    ];
    let digit = |half: u8| DIGITS[usize::from(half)];
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 0xf]);
    digits.map(digit).collect()
}
