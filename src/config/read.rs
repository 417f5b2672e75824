//! Reading values out of a [`Node`], each fault reported in its place and the reading gone on with.
//!
//! [`section!`] writes a map's shape once: its struct, its reader and its part of the JSON Schema
//! come from the same list of keys, so that they cannot differ.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use super::error::{Position, Problem, Report, quoted};
use super::peers;
use super::raw::{Config, Included};
use super::scalar::Scalar;
use super::tree::{Kind, Node};
use crate::domain::nearest::nearest;

/// A value and where it stands.
#[derive(Clone, Debug)]
pub(super) struct At<T> {
    pub(super) value: T,
    pub(super) at: Position,
}

/// What a file says of one key.
#[derive(Clone, Debug, Default)]
pub(super) enum Key<T> {
    /// Nothing.
    #[default]
    Absent,
    /// Something that was reported: not to be told of a second time as missing.
    Bad,
    /// This.
    Given(At<T>),
}

impl<T> Key<T> {
    /// The value, where there is a good one.
    pub(super) const fn given(&self) -> Option<&At<T>> {
        match self {
            Self::Given(at) => Some(at),
            Self::Absent | Self::Bad => None,
        }
    }

    /// Whether the file does not mention it.
    pub(super) const fn is_absent(&self) -> bool {
        matches!(self, Self::Absent)
    }

    /// The value alone.
    pub(super) fn value(&self) -> Option<&T> {
        self.given().map(|given| &given.value)
    }
}

impl<T: Clone> Key<T> {
    /// Takes the other's value, good or bad, where this one is absent.
    pub(super) fn inherit(&mut self, other: &Self) {
        if self.is_absent() {
            self.clone_from(other);
        }
    }
}

/// What the readers share: where they are, and where faults go.
pub(super) struct Context<'r> {
    pub(super) report: &'r mut Report,
    path: String,
    in_defaults: bool,
}

impl<'r> Context<'r> {
    /// At the top of a file.
    pub(super) fn new(report: &'r mut Report) -> Self {
        Self {
            report,
            path: String::new(),
            in_defaults: false,
        }
    }

    /// Reads below `segment`, such as `.jobs` or `[3]`.
    pub(super) fn below<T>(&mut self, segment: &str, read: impl FnOnce(&mut Self) -> T) -> T {
        let (len, in_defaults) = (self.path.len(), self.in_defaults);
        let segment = if len == 0 {
            segment.trim_start_matches('.')
        } else {
            segment
        };
        self.path.push_str(segment);
        self.in_defaults = in_defaults || self.path == "defaults";
        let value = read(self);
        self.path.truncate(len);
        self.in_defaults = in_defaults;
        value
    }

    /// Where a node stands, and whether that is in `defaults`.
    pub(super) fn at(&self, node: Node<'_>) -> Position {
        Position {
            in_defaults: self.in_defaults,
            ..node.at()
        }
    }

    /// Reports a fault of a node.
    pub(super) fn error(&mut self, node: Node<'_>, problem: Problem) {
        let at = self.at(node);
        self.report.error(at, self.path.clone(), problem);
    }

    /// Reads a value, keeps its place.
    pub(super) fn key<T: Read>(&mut self, node: Node<'_>) -> Key<T> {
        if matches!(Scalar::of(node), Some(Scalar::Null)) && !T::TAKES_NULL {
            let problem = Problem::new("there is no value").hint("give one, or remove the key");
            self.error(node, problem);
            return Key::Bad;
        }
        match T::read(node, self) {
            Some(value) => Key::Given(At {
                value,
                at: self.at(node),
            }),
            None => Key::Bad,
        }
    }

    /// Reports a key that the section does not have, and returns the one that was probably meant.
    pub(super) fn unknown_key<'k>(
        &mut self,
        key: Node<'_>,
        section: &str,
        known: &[&'k str],
    ) -> Option<&'k str> {
        let Kind::Scalar(name, _) = key.kind() else {
            return None;
        };
        if self.report.is_full() {
            // Only counted: half a million of them are not compared with every key.
            self.error(key, Problem::new("unknown key"));
            return None;
        }
        let (meant, hint) = if let Some(ours) = peers::spelling(section, name) {
            let meant = known.iter().find(|key| Some(**key) == peers::key_of(ours));
            (meant.copied(), format!("write {ours}"))
        } else if section == Included::TITLE && Config::KEYS.contains(&name) {
            (None, "only the main file has it".to_owned())
        } else if let Some(near) = nearest(name, known.iter().copied()) {
            (Some(near), format!("did you mean `{near}`?"))
        } else if known.len() > 12 {
            (None, "`funcron schema` lists the keys".to_owned())
        } else {
            (None, format!("known here: {}", known.join(", ")))
        };
        let problem = Problem::new(format!("unknown key {}", quoted(name)));
        self.error(key, problem.hint(hint));
        meant
    }
}

/// A value that can be read from a node.
pub(super) trait Read: Sized {
    /// Whether nothing at all is a value too.
    const TAKES_NULL: bool = false;

    /// Reads it; `None` where it cannot be used, which was then reported.
    fn read(node: Node<'_>, cx: &mut Context<'_>) -> Option<Self>;
}

/// What stands there instead, for a message. Numbers and booleans are quoted, texts never.
pub(super) fn found(node: Node<'_>) -> String {
    match (node.kind(), Scalar::of(node)) {
        (Kind::List, _) => "a list".to_owned(),
        (Kind::Map, _) => "a map".to_owned(),
        (Kind::Scalar(text, _), Some(Scalar::Int(_) | Scalar::Float(_))) if text.len() <= 12 => {
            format!("the number {text}")
        }
        (_, Some(Scalar::Bool(value))) => value.to_string(),
        (_, Some(Scalar::Null)) | (_, None) => "nothing".to_owned(),
        (_, Some(Scalar::Text(_))) => "a text".to_owned(),
        (_, Some(_)) => "a number".to_owned(),
    }
}

/// A text; what else stands there is told with a remedy.
pub(super) fn text<'t>(node: Node<'t>, wanted: &str, cx: &mut Context<'_>) -> Option<&'t str> {
    if let Some(Scalar::Text(text)) = Scalar::of(node) {
        return Some(text);
    }
    let problem = Problem::new(format!("wants {wanted}, not {}", found(node)));
    let problem = match node.kind() {
        Kind::Scalar(..) => problem.hint("quote it, if a text is meant"),
        Kind::Map if looks_like_template(node) => {
            problem.hint("quote it, if it is a template: \"{{ … }}\"")
        }
        Kind::List | Kind::Map => problem,
    };
    cx.error(node, problem);
    None
}

/// `{{ x }}` without quotes is a map whose key was left out of the tree.
fn looks_like_template(node: Node<'_>) -> bool {
    node.items().len() == 0
}

/// The entries of a map, or a report that there is none.
pub(super) fn map<'t>(
    node: Node<'t>,
    cx: &mut Context<'_>,
) -> Option<impl Iterator<Item = (&'t str, Node<'t>, Node<'t>)> + use<'t>> {
    if !matches!(node.kind(), Kind::Map) {
        let problem = Problem::new(format!("wants a map of keys, not {}", found(node)));
        cx.error(node, problem);
        return None;
    }
    Some(node.entries().filter_map(|(key, value)| match key.kind() {
        Kind::Scalar(name, _) => Some((name, key, value)),
        Kind::List | Kind::Map => None,
    }))
}

/// A list of values, each with its place.
#[derive(Clone, Debug)]
pub(super) struct List<T>(pub(super) Vec<At<T>>);

impl<T: Read> Read for List<T> {
    fn read(node: Node<'_>, cx: &mut Context<'_>) -> Option<Self> {
        if !matches!(node.kind(), Kind::List) {
            let problem = Problem::new(format!("wants a list, not {}", found(node)));
            let problem = match node.kind() {
                Kind::Scalar(..) => problem.hint("put it into brackets: [ … ]"),
                Kind::List | Kind::Map => problem,
            };
            cx.error(node, problem);
            return None;
        }
        let mut whole = true;
        let mut items = Vec::with_capacity(node.items().len());
        for (index, item) in node.items().enumerate() {
            match cx.below(&format!("[{index}]"), |cx| cx.key(item)) {
                Key::Given(at) => items.push(at),
                Key::Absent | Key::Bad => whole = false,
            }
        }
        whole.then_some(Self(items))
    }
}

/// A map from names of the person's own choosing, in the order of writing.
#[derive(Clone, Debug)]
pub(super) struct Named<T>(pub(super) Vec<(At<String>, Key<T>)>);

impl<T: Read> Read for Named<T> {
    fn read(node: Node<'_>, cx: &mut Context<'_>) -> Option<Self> {
        let mut entries = Vec::new();
        for (name, key, value) in map(node, cx)? {
            let value = cx.below(&format!(".{name}"), |cx| cx.key(value));
            let name = At {
                value: name.to_owned(),
                at: cx.at(key),
            };
            entries.push((name, value));
        }
        Some(Self(entries))
    }
}

impl<T: JsonSchema> JsonSchema for List<T> {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        format!("ListOf{}", T::schema_name()).into()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "array", "items": generator.subschema_for::<T>() })
    }
}

impl<T: JsonSchema> JsonSchema for Named<T> {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        format!("MapOf{}", T::schema_name()).into()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "object",
            "additionalProperties": generator.subschema_for::<T>(),
        })
    }
}

/// The description of a key, its doc comment's lines joined.
pub(super) fn describe(lines: &[&str]) -> String {
    lines
        .iter()
        .map(|line| line.trim())
        .collect::<Vec<_>>()
        .join(" ")
}

/// Adds a key to a section's schema. A `$ref` keeps its description beside it.
pub(super) fn add_property(section: &mut Schema, key: &str, docs: &str, mut value: Schema) {
    value.insert("description".to_owned(), docs.to_owned().into());
    if let Some(properties) = section
        .ensure_object()
        .entry("properties")
        .or_insert_with(|| serde_json::json!({}))
        .as_object_mut()
    {
        properties.insert(key.to_owned(), value.to_value());
    }
}

/// A map with known keys. Each key is a field; `| "alias"` is another spelling of it.
macro_rules! section {
    (
        $(#[doc = $doc:expr])+
        $(#[expect($($lint:tt)*)])?
        $name:ident($title:literal) {
            $(
                $(#[doc = $key_doc:expr])+
                $key:ident $(| $alias:literal)*: $type:ty
            ),+ $(,)?
        }
    ) => {
        $(#[doc = $doc])+
        $(#[expect($($lint)*)])?
        #[derive(Clone, Debug, Default)]
        pub(super) struct $name {
            $($(#[doc = $key_doc])+ pub(super) $key: $crate::config::read::Key<$type>,)+
        }

        impl $name {
            /// The section's name in the JSON Schema.
            pub(super) const TITLE: &'static str = $title;

            /// Every key, other spellings left out.
            pub(super) const KEYS: &'static [&'static str] = &[$(stringify!($key)),+];
        }

        impl $crate::config::read::Read for $name {
            fn read(
                node: $crate::config::tree::Node<'_>,
                cx: &mut $crate::config::read::Context<'_>,
            ) -> Option<Self> {
                let mut out = Self::default();
                for (name, key, value) in $crate::config::read::map(node, cx)? {
                    match name {
                        $(
                            stringify!($key) $(| $alias)* => {
                                if out.$key.given().is_none() {
                                    out.$key =
                                        cx.below(&format!(".{name}"), |cx| cx.key(value));
                                } else {
                                    let problem = $crate::config::error::Problem::new(format!(
                                        "`{name}` is another spelling of a key given above"
                                    ))
                                    .hint(concat!("keep `", stringify!($key), "`"));
                                    cx.error(key, problem);
                                }
                            }
                        )+
                        // What was meant is not to be told of as missing besides.
                        _ => match cx.unknown_key(key, Self::TITLE, Self::KEYS) {
                            $(
                                Some(stringify!($key)) if out.$key.is_absent() => {
                                    out.$key = $crate::config::read::Key::Bad;
                                }
                            )+
                            _ => {}
                        },
                    }
                }
                Some(out)
            }
        }

        impl schemars::JsonSchema for $name {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                $title.into()
            }

            fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
                use $crate::config::read::{add_property, describe};
                let mut section = schemars::json_schema!({
                    "type": "object",
                    "description": describe(&[$($doc),+]),
                    "properties": {},
                    "additionalProperties": false,
                });
                $(
                    let value = generator.subschema_for::<$type>();
                    let docs = describe(&[$($key_doc),+]);
                    $(
                        let also = format!("Another spelling of `{}`.", stringify!($key));
                        add_property(&mut section, $alias, &also, value.clone());
                    )*
                    add_property(&mut section, stringify!($key), &docs, value);
                )+
                section
            }
        }
    };
}
pub(super) use section;
