//! The arguments of a function: YAML in, the JSON that will be sent out.
//!
//! Whatever JSON cannot carry unchanged is refused here, not mended: a key that is no text, `.nan`
//! and `.inf`, a number beyond 64 bits.

use std::collections::{HashMap, HashSet};

use super::error::{Position, Problem, Report};
use super::scalar::Scalar;
use super::tree::{Kind, Node};
use crate::domain::json::Json;

/// The largest integer that JavaScript, which the engine's front reads with, keeps exact.
const MAX_EXACT: u64 = 1 << 53;

/// Makes JSON of a map. `path` names it in messages; `None` where something was refused.
pub(super) fn read(node: Node<'_>, path: &str, report: &mut Report) -> Option<Json> {
    let in_defaults = path.starts_with("defaults.");
    let mut reader = Reader {
        report,
        path: path.to_owned(),
        in_defaults,
    };
    reader.value(node)
}

struct Reader<'r> {
    report: &'r mut Report,
    path: String,
    in_defaults: bool,
}

impl Reader<'_> {
    fn at(&self, node: Node<'_>) -> Position {
        Position {
            in_defaults: self.in_defaults,
            ..node.at()
        }
    }

    fn refuse(&mut self, node: Node<'_>, problem: Problem) {
        let at = self.at(node);
        self.report.error(at, self.path.clone(), problem);
    }

    fn below(&mut self, segment: &str, node: Node<'_>) -> Option<Json> {
        let len = self.path.len();
        self.path.push_str(segment);
        let json = self.value(node);
        self.path.truncate(len);
        json
    }

    fn value(&mut self, node: Node<'_>) -> Option<Json> {
        match node.kind() {
            Kind::Scalar(..) => self.scalar(node),
            Kind::List => {
                let mut items = Vec::with_capacity(node.items().len());
                let mut whole = true;
                for (index, item) in node.items().enumerate() {
                    match self.below(&format!("[{index}]"), item) {
                        Some(json) => items.push(json),
                        None => whole = false,
                    }
                }
                whole.then_some(Json::Array(items))
            }
            Kind::Map => self.map(node),
        }
    }

    fn map(&mut self, node: Node<'_>) -> Option<Json> {
        let mut entries = Vec::with_capacity(node.items().len() / 2);
        let mut whole = true;
        for (key, value) in node.entries() {
            let Some(Scalar::Text(name)) = Scalar::of(key) else {
                self.refuse(
                    key,
                    Problem::new("a key must be a text")
                        .hint("quote it: a number, true or null as a key is not JSON"),
                );
                whole = false;
                continue;
            };
            match self.below(&format!(".{name}"), value) {
                Some(json) => {
                    self.warn_of_secret(name, &json, value);
                    entries.push((name.to_owned(), json));
                }
                None => whole = false,
            }
        }
        whole.then_some(Json::Object(entries))
    }

    fn scalar(&mut self, node: Node<'_>) -> Option<Json> {
        match Scalar::of(node)? {
            Scalar::Null => Some(Json::Null),
            Scalar::Bool(value) => Some(Json::Bool(value)),
            Scalar::Int(value) => {
                self.warn_of_size(value.unsigned_abs(), node);
                Some(Json::Int(value))
            }
            Scalar::UInt(value) => {
                self.warn_of_size(value, node);
                Some(Json::UInt(value))
            }
            Scalar::Float(value) if value.is_finite() => Some(Json::Float(value)),
            Scalar::Float(_) => {
                self.refuse(
                    node,
                    Problem::new("JSON has no infinity and no NaN").hint("use null or a text"),
                );
                None
            }
            Scalar::TooBig => {
                self.refuse(
                    node,
                    Problem::new("this number fits into neither 64 bits nor a float")
                        .hint("quote it, if the function takes a text"),
                );
                None
            }
            Scalar::Text(text) => Some(Json::String(text.to_owned())),
        }
    }

    fn warn_of_size(&mut self, magnitude: u64, node: Node<'_>) {
        if magnitude > MAX_EXACT {
            let at = self.at(node);
            self.report.warning(
                at,
                self.path.clone(),
                Problem::new("the engine reads integers beyond 2^53 inexactly")
                    .hint("quote it, if the function takes a text"),
            );
        }
    }

    fn warn_of_secret(&mut self, name: &str, json: &Json, node: Node<'_>) {
        const NAMES: [&str; 6] = [
            "token",
            "secret",
            "password",
            "api_key",
            "access_key",
            "private_key",
        ];
        let name_tells = NAMES
            .iter()
            .any(|suffix| name.to_ascii_lowercase().ends_with(suffix));
        let is_literal =
            matches!(json, Json::String(text) if !text.is_empty() && !text.contains("{{"));
        if name_tells && is_literal {
            let at = self.at(node);
            self.report.warning(
                at,
                format!("{}.{name}", self.path),
                Problem::new("looks like a secret, and what is in kwargs is stored and shown")
                    .hint(format!(
                        "move it to secret_kwargs: {{ {name}: {{ env: NAME }} }}"
                    )),
            );
        }
    }
}

/// Merges by key: the defaults' order first, the job's own value where both have one.
pub(super) fn merge(own: Json, defaults: Json) -> Json {
    match (own, defaults) {
        (Json::Object(own), Json::Object(mut merged)) => {
            let places: HashMap<String, usize> = merged
                .iter()
                .enumerate()
                .map(|(place, (key, _))| (key.clone(), place))
                .collect();
            for (key, value) in own {
                match places.get(&key).and_then(|place| merged.get_mut(*place)) {
                    Some((_, slot)) => *slot = value,
                    None => merged.push((key, value)),
                }
            }
            Json::Object(merged)
        }
        (own, _) => own,
    }
}

/// The names of the arguments.
pub(super) fn names(kwargs: &Json) -> HashSet<&str> {
    match kwargs {
        Json::Object(entries) => entries.iter().map(|(name, _)| name.as_str()).collect(),
        _ => HashSet::new(),
    }
}

/// How many texts hold a template.
pub(super) fn count_templates(json: &Json) -> usize {
    match json {
        Json::String(text) => usize::from(text.contains("{{")),
        Json::Array(items) => items.iter().map(count_templates).sum(),
        Json::Object(entries) => entries.iter().map(|(_, json)| count_templates(json)).sum(),
        _ => 0,
    }
}

/// Finds the value that a path such as `kwargs.data.items[2].title` names. Keys may hold dots, so
/// paths are built and compared, not taken apart.
pub(super) fn find<'t>(node: Node<'t>, path: &str) -> Option<Node<'t>> {
    descend(node, path.strip_prefix("kwargs")?)
}

fn descend<'t>(node: Node<'t>, rest: &str) -> Option<Node<'t>> {
    if rest.is_empty() {
        return Some(node);
    }
    match node.kind() {
        Kind::Scalar(..) => None,
        Kind::List => {
            let (index, tail) = rest.strip_prefix('[')?.split_once(']')?;
            descend(node.items().nth(index.parse().ok()?)?, tail)
        }
        Kind::Map => node.entries().find_map(|(key, value)| {
            let Kind::Scalar(name, _) = key.kind() else {
                return None;
            };
            descend(value, rest.strip_prefix('.')?.strip_prefix(name)?)
        }),
    }
}
