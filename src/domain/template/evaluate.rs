//! Expressions at work: the names they see, their values, and what those become in JSON.

use std::sync::LazyLock;

use jiff::Timestamp;
use minijinja::value::ValueKind;
use minijinja::{Environment, Error, ErrorKind, Expression, UndefinedBehavior, Value};

use super::filters::{Instant, date, shift, tz};
use super::{Node, Piece, Problem, TemplateContext, TemplateError, below};
use crate::domain::json::Json;

/// Steps of one expression; an honest one takes a dozen.
const FUEL: u64 = 10_000;

/// Longest string one template may make, in bytes.
const MAX_RENDERED: usize = 1 << 20;

pub(super) static ENVIRONMENT: LazyLock<Environment<'static>> = LazyLock::new(|| {
    let mut env = Environment::empty();
    env.set_undefined_behavior(UndefinedBehavior::Strict);
    env.set_fuel(Some(FUEL));
    env.set_recursion_limit(32);
    // Debug output would quote the context: run ids and names of no use to the reader.
    env.set_debug(false);
    env.add_filter("date", date);
    env.add_filter("shift", shift);
    env.add_filter("tz", tz);
    env
});

/// An expression that was tried when it was read. Its text is kept and compiled again each time: that
/// takes microseconds, once a call, and what minijinja makes of the shortest text takes ten kilobytes,
/// for as long as the job is loaded.
#[derive(Debug)]
pub(super) struct Source {
    pub(super) text: Box<str>,
    /// Whether it speaks of the previous success.
    pub(super) uses_previous_success: bool,
}

impl Source {
    fn evaluate(&self, context: &Value) -> Result<Value, Error> {
        evaluate(&ENVIRONMENT.compile_expression(&self.text)?, context)
    }
}

pub(super) fn evaluate(expression: &Expression<'_, '_>, context: &Value) -> Result<Value, Error> {
    let value = expression.eval(context.clone())?;
    if value.is_undefined() {
        return Err(Error::new(
            ErrorKind::UndefinedError,
            "the value is undefined",
        ));
    }
    Ok(value)
}

pub(super) fn words(error: &Error) -> String {
    match (error.kind(), error.detail()) {
        (ErrorKind::OutOfFuel, _) => "the expression takes too many steps".to_owned(),
        (_, Some(detail)) => detail.to_owned(),
        (kind, None) => kind.to_string(),
    }
}

pub(super) fn render(
    node: &Node,
    context: &Value,
    path: &mut String,
) -> Result<Json, TemplateError> {
    match node {
        Node::Plain(json) => Ok(json.clone()),
        Node::Value(expression) => expression
            .evaluate(context)
            .map_err(|error| words(&error))
            .and_then(|value| to_json(&value))
            .map_err(|why| Problem::new(why, None).at(path)),
        Node::Text(pieces) => render_text(pieces, context)
            .map(Json::String)
            .map_err(|why| Problem::new(why, None).at(path)),
        Node::Array(items) => items
            .iter()
            .enumerate()
            .map(|(index, item)| {
                below(path, &format!("[{index}]"), |path| {
                    render(item, context, path)
                })
            })
            .collect::<Result<_, _>>()
            .map(Json::Array),
        Node::Object(entries) => entries
            .iter()
            .map(|(key, value)| {
                let value = below(path, key, |path| render(value, context, path))?;
                Ok((key.clone(), value))
            })
            .collect::<Result<_, _>>()
            .map(Json::Object),
    }
}

fn render_text(pieces: &[Piece], context: &Value) -> Result<String, String> {
    let mut text = String::new();
    for piece in pieces {
        match piece {
            Piece::Literal(literal) => text.push_str(literal),
            Piece::Expression(expression) => {
                let value = expression
                    .evaluate(context)
                    .map_err(|error| words(&error))?;
                // JSON's spelling, not Jinja's `none`: the text is read by no template.
                if value.is_none() {
                    text.push_str("null");
                } else {
                    text.push_str(&value.to_string());
                }
            }
        }
        if text.len() > MAX_RENDERED {
            return Err(format!("the text is longer than {MAX_RENDERED} bytes"));
        }
    }
    Ok(text)
}

pub(super) fn values(context: &TemplateContext) -> Value {
    let instant =
        |at: Timestamp| Value::from_object(Instant(at.to_zoned_datetime(context.zone.clone())));
    Value::from_pairs([
        ("scheduled_at", instant(context.scheduled_at)),
        ("run_id", Value::from(context.run_id.as_str())),
        ("job", Value::from(context.job.as_str())),
        ("attempt", Value::from(context.attempt)),
        ("trigger", Value::from(context.trigger)),
        (
            "previous_success_at",
            context
                .previous_success_at
                .map_or_else(|| Value::from(()), instant),
        ),
    ])
}

pub(super) fn to_json(value: &Value) -> Result<Json, String> {
    match value.kind() {
        ValueKind::None => Ok(Json::Null),
        ValueKind::Bool => Ok(Json::Bool(value.is_true())),
        ValueKind::Number => number(value),
        ValueKind::String => match value.as_str() {
            Some(text) if text.len() <= MAX_RENDERED => Ok(Json::String(text.to_owned())),
            _ => Err(format!("is a text longer than {MAX_RENDERED} bytes")),
        },
        ValueKind::Seq => value
            .try_iter()
            .map_err(|error| words(&error))?
            .map(|item| to_json(&item))
            .collect::<Result<_, _>>()
            .map(Json::Array),
        ValueKind::Map => value
            .try_iter()
            .map_err(|error| words(&error))?
            .map(|key| {
                let member = value.get_item(&key).map_err(|error| words(&error))?;
                Ok((key.to_string(), to_json(&member)?))
            })
            .collect::<Result<_, String>>()
            .map(Json::Object),
        _ => match value.downcast_object_ref::<Instant>() {
            Some(instant) => Ok(Json::String(instant.to_string())),
            None => Err("is no value that JSON can hold".to_owned()),
        },
    }
}

fn number(value: &Value) -> Result<Json, String> {
    if !value.is_integer() {
        return match f64::try_from(value.clone()) {
            Ok(float) if float.is_finite() => Ok(Json::Float(float)),
            _ => Err("is no finite number".to_owned()),
        };
    }
    i64::try_from(value.clone())
        .map(Json::Int)
        .or_else(|_| u64::try_from(value.clone()).map(Json::UInt))
        .map_err(|_| "is an integer of more than 64 bits".to_owned())
}
