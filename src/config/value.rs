//! The values that stand behind keys: what they look like, which are legal, what the schema says.

use std::borrow::Cow;
use std::num::NonZeroU32;
use std::time::Duration;

use jiff::Timestamp;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use super::error::{Position, Problem};
use super::quantity::{format_duration, format_size, parse_duration, parse_size, unitless};
use super::read::{At, Context, Key, List, Read, found, text};
use super::scalar::Scalar;
use super::tree::{Kind, Node, NodeId};

/// A schema without a definition of its own.
macro_rules! inline_schema {
    ($name:literal, $schema:expr) => {
        fn inline_schema() -> bool {
            true
        }
        fn schema_name() -> Cow<'static, str> {
            $name.into()
        }
        fn json_schema(_: &mut SchemaGenerator) -> Schema {
            $schema
        }
    };
}

pub(super) use inline_schema;

/// Any text.
impl Read for String {
    fn read(node: Node<'_>, cx: &mut Context<'_>) -> Option<Self> {
        text(node, "a text", cx).map(str::to_owned)
    }
}

/// `true` or `false`; YAML 1.1's `yes` and `on` are texts.
impl Read for bool {
    fn read(node: Node<'_>, cx: &mut Context<'_>) -> Option<Self> {
        let problem = match Scalar::of(node) {
            Some(Scalar::Bool(value)) => return Some(value),
            Some(Scalar::Text(word)) => {
                let problem = Problem::new("wants true or false, not a text");
                match word.to_ascii_lowercase().as_str() {
                    "yes" | "on" | "y" | "true" => problem.hint("write true, without quotes"),
                    "no" | "off" | "n" | "false" => problem.hint("write false, without quotes"),
                    _ => problem,
                }
            }
            _ => Problem::new(format!("wants true or false, not {}", found(node))),
        };
        cx.error(node, problem);
        None
    }
}

/// A whole number from `MIN` to `MAX`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Whole<const MIN: u32, const MAX: u32>(pub(super) u32);

impl<const MIN: u32, const MAX: u32> Read for Whole<MIN, MAX> {
    fn read(node: Node<'_>, cx: &mut Context<'_>) -> Option<Self> {
        if let Some(Scalar::Int(value)) = Scalar::of(node)
            && let Ok(value) = u32::try_from(value)
            && (MIN..=MAX).contains(&value)
        {
            return Some(Self(value));
        }
        let wanted = if MIN == MAX {
            format!("wants the number {MIN}")
        } else {
            format!("wants a whole number from {MIN} to {MAX}")
        };
        cx.error(node, Problem::new(format!("{wanted}, not {}", found(node))));
        None
    }
}

impl<const MIN: u32, const MAX: u32> JsonSchema for Whole<MIN, MAX> {
    inline_schema!(
        "Whole",
        json_schema!({ "type": "integer", "minimum": MIN, "maximum": MAX })
    );
}

/// A number from `MIN` to `MAX`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Real<const MIN: u32, const MAX: u32>(pub(super) f64);

impl<const MIN: u32, const MAX: u32> Read for Real<MIN, MAX> {
    fn read(node: Node<'_>, cx: &mut Context<'_>) -> Option<Self> {
        let value = match Scalar::of(node) {
            // Out of range long before the conversion could round.
            Some(Scalar::Int(value)) => i32::try_from(value).ok().map(f64::from),
            Some(Scalar::Float(value)) => Some(value),
            _ => None,
        };
        if let Some(value) = value
            && (f64::from(MIN)..=f64::from(MAX)).contains(&value)
        {
            return Some(Self(value));
        }
        let problem = format!("wants a number from {MIN} to {MAX}, not {}", found(node));
        cx.error(node, Problem::new(problem));
        None
    }
}

impl<const MIN: u32, const MAX: u32> JsonSchema for Real<MIN, MAX> {
    inline_schema!(
        "Real",
        json_schema!({ "type": "number", "minimum": MIN, "maximum": MAX })
    );
}

/// A duration from `MIN` to `MAX` milliseconds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Span<const MIN: u64, const MAX: u64>(pub(super) Duration);

impl<const MIN: u64, const MAX: u64> Span<MIN, MAX> {
    fn range() -> String {
        format!(
            "{} to {}",
            format_duration(Duration::from_millis(MIN)),
            format_duration(Duration::from_millis(MAX))
        )
    }
}

impl<const MIN: u64, const MAX: u64> Read for Span<MIN, MAX> {
    fn read(node: Node<'_>, cx: &mut Context<'_>) -> Option<Self> {
        let parsed = match (node.kind(), Scalar::of(node)) {
            (_, Some(Scalar::Text(text))) => parse_duration(text),
            (Kind::Scalar(number, _), Some(Scalar::Int(_))) => Err(unitless(number)),
            _ => Err(
                Problem::new(format!("wants a duration, not {}", found(node)))
                    .hint("write one such as 300ms, 90s, 15m, 2h, 7d"),
            ),
        };
        match parsed {
            Ok(duration)
                if (Duration::from_millis(MIN)..=Duration::from_millis(MAX))
                    .contains(&duration) =>
            {
                return Some(Self(duration));
            }
            Ok(_) => cx.error(
                node,
                Problem::new("this duration is out of range")
                    .hint(format!("it may be {}", Self::range())),
            ),
            Err(problem) => cx.error(node, problem),
        }
        None
    }
}

impl<const MIN: u64, const MAX: u64> JsonSchema for Span<MIN, MAX> {
    inline_schema!(
        "Duration",
        json_schema!({
            "type": "string",
            "pattern": "^[0-9]+(ms|s|m|h|d)$",
            "$comment": Self::range(),
        })
    );
}

/// A size from `MIN` to `MAX` bytes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Size<const MIN: u64, const MAX: u64>(pub(super) u64);

impl<const MIN: u64, const MAX: u64> Read for Size<MIN, MAX> {
    fn read(node: Node<'_>, cx: &mut Context<'_>) -> Option<Self> {
        let parsed = match (node.kind(), Scalar::of(node)) {
            (_, Some(Scalar::Text(text))) => parse_size(text),
            (Kind::Scalar(number, true), Some(Scalar::Int(_))) => parse_size(number),
            _ => Err(Problem::new(format!("wants a size, not {}", found(node)))
                .hint("write one such as 512KiB, 8MiB, 2GiB")),
        };
        match parsed {
            Ok(bytes) if (MIN..=MAX).contains(&bytes) => return Some(Self(bytes)),
            Ok(_) => cx.error(
                node,
                Problem::new("this size is out of range").hint(format!(
                    "it may be {} to {}",
                    format_size(MIN),
                    format_size(MAX)
                )),
            ),
            Err(problem) => cx.error(node, problem),
        }
        None
    }
}

impl<const MIN: u64, const MAX: u64> JsonSchema for Size<MIN, MAX> {
    inline_schema!(
        "Size",
        json_schema!({ "type": "string", "pattern": "^[0-9]+(B|KiB|MiB|GiB)$" })
    );
}

/// Calls per minute: `20/min`, or `none`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rate(pub(super) Option<NonZeroU32>);

/// Far above anything a gateway allows; a larger one is a slip.
const MAX_RATE: u32 = 100_000;

impl Read for Rate {
    fn read(node: Node<'_>, cx: &mut Context<'_>) -> Option<Self> {
        if let Some(Scalar::Text(text)) = Scalar::of(node) {
            if text == "none" {
                return Some(Self(None));
            }
            if let Some(calls) = text.strip_suffix("/min")
                && calls.bytes().all(|b| b.is_ascii_digit())
                && let Ok(calls) = calls.parse::<NonZeroU32>()
                && calls.get() <= MAX_RATE
            {
                return Some(Self(Some(calls)));
            }
        }
        cx.error(
            node,
            Problem::new(format!("wants a rate of 1 to {MAX_RATE} calls a minute"))
                .hint("write one such as 20/min, or none for no limit"),
        );
        None
    }
}

impl JsonSchema for Rate {
    inline_schema!(
        "Rate",
        json_schema!({ "type": "string", "pattern": "^([1-9][0-9]*/min|none)$" })
    );
}

/// An instant in RFC 3339.
#[derive(Clone, Copy, Debug)]
pub(super) struct Instant(pub(super) Timestamp);

impl Read for Instant {
    fn read(node: Node<'_>, cx: &mut Context<'_>) -> Option<Self> {
        let written = text(node, "an instant", cx)?;
        match written.parse() {
            Ok(instant) => Some(Self(instant)),
            Err(_) => {
                cx.error(
                    node,
                    Problem::new("wants an instant with its offset")
                        .hint("write one such as 2026-12-24T18:00:00+08:00"),
                );
                None
            }
        }
    }
}

impl JsonSchema for Instant {
    inline_schema!(
        "Instant",
        json_schema!({ "type": "string", "format": "date-time" })
    );
}

/// A schedule's expression, and how far from its place its text begins: behind a quote, or
/// unknown where it is a block.
#[derive(Clone, Debug)]
pub(super) struct Expression {
    pub(super) text: String,
    pub(super) offset: Option<u32>,
}

impl Read for Expression {
    fn read(node: Node<'_>, cx: &mut Context<'_>) -> Option<Self> {
        let text = text(node, "a text or a list of texts", cx)?.to_owned();
        let offset = node.text_offset();
        Some(Self { text, offset })
    }
}

/// One expression, or a list of them.
#[derive(Clone, Debug)]
pub(super) struct OneOrMany(pub(super) Vec<At<Expression>>);

impl Read for OneOrMany {
    fn read(node: Node<'_>, cx: &mut Context<'_>) -> Option<Self> {
        if matches!(node.kind(), Kind::List) {
            return List::read(node, cx).map(|List(expressions)| Self(expressions));
        }
        let value = Expression::read(node, cx)?;
        let at = cx.at(node);
        Some(Self(vec![At { value, at }]))
    }
}

impl JsonSchema for OneOrMany {
    inline_schema!(
        "OneOrMany",
        json_schema!({
            "anyOf": [
                { "type": "string" },
                { "type": "array", "items": { "type": "string" }, "minItems": 1 },
            ],
        })
    );
}

/// A part of the file that is kept as it is, to be looked at later.
#[derive(Clone, Copy, Debug)]
pub(super) struct Subtree {
    /// The file's number in the report.
    pub(super) file: u16,
    /// The node in that file's tree.
    pub(super) id: NodeId,
}

impl Read for Subtree {
    fn read(node: Node<'_>, cx: &mut Context<'_>) -> Option<Self> {
        if !matches!(node.kind(), Kind::Map) {
            let problem = Problem::new(format!("wants a map, not {}", found(node)));
            cx.error(node, problem);
            return None;
        }
        Some(Self {
            file: node.at().file,
            id: node.id(),
        })
    }
}

impl JsonSchema for Subtree {
    inline_schema!("Object", json_schema!({ "type": "object" }));
}

/// Where a key's value stands; the whole file where it is absent.
pub(super) fn place<T>(key: &Key<T>, otherwise: Position) -> Position {
    key.given().map_or(otherwise, |given| given.at)
}
