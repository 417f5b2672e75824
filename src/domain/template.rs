//! `{{ … }}` in kwargs: values that are known only when the request is made.
//!
//! Only strings hold templates, and a template holds expressions, never statements: this module
//! cuts a string into literal text and expressions, and minijinja sees the expressions alone. So
//! `{% … %}` can be refused, there is no loop, no include, and nothing to bound but one
//! expression's work (fuel) and the length of what it makes.
//!
//! Everything that can be wrong is said when the configuration is read: names are looked up, and
//! each expression is rendered once without and once with a previous success, which finds unknown
//! filters, bad formats, bad shifts and unknown zones.
//!
//! Names: `scheduled_at`, `run_id`, `job`, `attempt`, `trigger`, `previous_success_at`. Filters:
//! `date(format)` (strftime), `shift(by)` (`-1d`, `+90m`; units `ms s m h d`, where `d` is calendar
//! days in the value's zone and the others are elapsed time), `tz(zone)`. Null passes through all
//! three.

mod filters;

use std::fmt;
use std::sync::{Arc, LazyLock};

use jiff::Timestamp;
use jiff::tz::TimeZone;
use minijinja::value::ValueKind;
use minijinja::{Environment, Error, ErrorKind, Expression, UndefinedBehavior, Value};

use self::filters::{Instant, date, shift, tz};
use super::json::Json;
use super::nearest::nearest;

/// The names a template can use.
pub const NAMES: [&str; 6] = [
    "scheduled_at",
    "run_id",
    "job",
    "attempt",
    "trigger",
    "previous_success_at",
];

const FILTERS: [&str; 3] = ["date", "shift", "tz"];

/// Steps of one expression; an honest one takes a dozen.
const FUEL: u64 = 10_000;

/// Longest string one template may make, in bytes.
const MAX_RENDERED: usize = 1 << 20;

static ENVIRONMENT: LazyLock<Environment<'static>> = LazyLock::new(|| {
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

/// The kwargs of a job with their templates compiled. Cheap to clone.
#[derive(Clone, Debug)]
pub struct KwargsTemplate {
    source: Arc<Json>,
    node: Arc<Node>,
}

/// What is wrong with a template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TemplateError {
    /// Where below `kwargs`: `data.title`, `items[2]`; empty for the whole.
    pub path: String,
    /// What is wrong.
    pub message: String,
    /// What to do, where that is known.
    pub hint: Option<String>,
}

impl fmt::Display for TemplateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.path.is_empty() {
            write!(f, "{}: ", self.path)?;
        }
        f.write_str(&self.message)?;
        match &self.hint {
            Some(hint) => write!(f, "; {hint}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for TemplateError {}

/// What a template can see.
#[derive(Clone, Debug)]
pub struct TemplateContext {
    /// The nominal tick, or the instant of the manual request.
    pub scheduled_at: Timestamp,
    /// The job's zone.
    pub zone: TimeZone,
    /// The run's id.
    pub run_id: String,
    /// The job's name.
    pub job: String,
    /// The attempt's number, from 1.
    pub attempt: u32,
    /// What started the run.
    pub trigger: &'static str,
    /// The `scheduled_at` of the last run that succeeded, if there is one.
    pub previous_success_at: Option<Timestamp>,
}

/// A value with its templates compiled. A subtree without any is kept as it is, so that the
/// ordinary job pays a clone and no more.
#[derive(Debug)]
enum Node {
    Plain(Json),
    /// A string that is exactly one expression: the value keeps its type.
    Value(Compiled),
    /// Text and expressions, which make a string.
    Text(Vec<Piece>),
    Array(Vec<Node>),
    Object(Vec<(String, Node)>),
}

#[derive(Debug)]
enum Piece {
    Literal(String),
    Expression(Compiled),
}

struct Compiled(Expression<'static, 'static>);

impl fmt::Debug for Compiled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("{{ … }}")
    }
}

impl KwargsTemplate {
    /// Compiles the templates in `kwargs`.
    ///
    /// # Errors
    ///
    /// All that is wrong, in the order of the text: statements, syntax, undefined names, unknown
    /// filters, and formats, shifts and zones that cannot be used.
    pub fn parse(kwargs: &Json) -> Result<Self, Vec<TemplateError>> {
        let mut errors = Vec::new();
        let node = compile(kwargs, &mut String::new(), &mut errors);
        if !errors.is_empty() {
            return Err(errors);
        }
        Ok(Self {
            source: Arc::new(kwargs.clone()),
            node: Arc::new(node),
        })
    }

    /// The kwargs for one attempt.
    ///
    /// # Errors
    ///
    /// What only the real values can show: a shift out of the calendar, a string too long.
    pub fn render(&self, context: &TemplateContext) -> Result<Json, TemplateError> {
        match &*self.node {
            Node::Plain(json) => Ok(json.clone()),
            node => render(node, &values(context), &mut String::new()),
        }
    }

    /// Whether `previous_success_at` occurs: only then is the ledger asked for it.
    pub fn uses_previous_success(&self) -> bool {
        self.node.mentions("previous_success_at")
    }

    /// The kwargs as they were written.
    pub fn source(&self) -> &Json {
        &self.source
    }
}

impl Node {
    fn mentions(&self, name: &str) -> bool {
        match self {
            Self::Plain(_) => false,
            Self::Value(expression) => expression.mentions(name),
            Self::Text(pieces) => pieces.iter().any(|piece| match piece {
                Piece::Literal(_) => false,
                Piece::Expression(expression) => expression.mentions(name),
            }),
            Self::Array(nodes) => nodes.iter().any(|node| node.mentions(name)),
            Self::Object(nodes) => nodes.iter().any(|(_, node)| node.mentions(name)),
        }
    }
}

impl Compiled {
    fn mentions(&self, name: &str) -> bool {
        self.0.undeclared_variables(false).contains(name)
    }
}

fn compile(json: &Json, path: &mut String, errors: &mut Vec<TemplateError>) -> Node {
    match json {
        Json::String(text) if text.contains("{{") || text.contains("{%") => {
            match compile_text(text) {
                Ok(node) => node,
                Err(problem) => {
                    errors.push(problem.at(path));
                    Node::Plain(Json::Null)
                }
            }
        }
        Json::Array(items) => {
            let nodes: Vec<_> = items
                .iter()
                .enumerate()
                .map(|(index, item)| {
                    below(path, &format!("[{index}]"), |path| {
                        compile(item, path, errors)
                    })
                })
                .collect();
            if nodes.iter().all(|node| matches!(node, Node::Plain(_))) {
                return Node::Plain(json.clone());
            }
            Node::Array(nodes)
        }
        Json::Object(entries) => {
            let nodes: Vec<_> = entries
                .iter()
                .map(|(key, value)| {
                    let node = below(path, key, |path| compile(value, path, errors));
                    (key.clone(), node)
                })
                .collect();
            if nodes.iter().all(|(_, node)| matches!(node, Node::Plain(_))) {
                return Node::Plain(json.clone());
            }
            Node::Object(nodes)
        }
        plain => Node::Plain(plain.clone()),
    }
}

/// Runs `work` with `path` one step longer.
fn below<T>(path: &mut String, step: &str, work: impl FnOnce(&mut String) -> T) -> T {
    let length = path.len();
    if !path.is_empty() && !step.starts_with('[') {
        path.push('.');
    }
    path.push_str(step);
    let made = work(path);
    path.truncate(length);
    made
}

/// An error whose place is known to the caller only.
struct Problem {
    message: String,
    hint: Option<String>,
}

impl Problem {
    fn new(message: impl Into<String>, hint: Option<String>) -> Self {
        Self {
            message: message.into(),
            hint,
        }
    }

    fn at(self, path: &str) -> TemplateError {
        TemplateError {
            path: path.to_owned(),
            message: self.message,
            hint: self.hint,
        }
    }
}

fn compile_text(text: &str) -> Result<Node, Problem> {
    let mut pieces = Vec::new();
    let mut rest = text;
    loop {
        let open = rest.find("{{");
        let literal = &rest[..open.unwrap_or(rest.len())];
        if literal.contains("{%") {
            return Err(Problem::new(
                "statements (`{% … %}`) are not supported, only expressions (`{{ … }}`)",
                Some("to send the characters themselves, write `{{ '{%' }}`".to_owned()),
            ));
        }
        if !literal.is_empty() {
            pieces.push(Piece::Literal(literal.to_owned()));
        }
        let Some(open) = open else { break };
        let inside = &rest[open + 2..];
        let Some(close) = end_of_expression(inside) else {
            return Err(Problem::new(
                "`{{` without its `}}`",
                Some("to send the characters themselves, write `{{ '{{' }}`".to_owned()),
            ));
        };
        pieces.push(Piece::Expression(compile_expression(&inside[..close])?));
        rest = &inside[close + 2..];
    }
    Ok(match <[Piece; 1]>::try_from(pieces) {
        Ok([Piece::Expression(only)]) => Node::Value(only),
        Ok(pieces) => Node::Text(pieces.into()),
        Err(pieces) => Node::Text(pieces),
    })
}

/// Where the `}}` lies that ends an expression: not in a string, and not of a map's own braces.
fn end_of_expression(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let mut quote = None;
    let mut braces = 0usize;
    let mut at = 0;
    while at < bytes.len() {
        match (quote, bytes[at]) {
            (Some(_), b'\\') => at += 1,
            (Some(open), byte) if byte == open => quote = None,
            (Some(_), _) => {}
            (None, byte @ (b'"' | b'\'')) => quote = Some(byte),
            (None, b'{') => braces += 1,
            (None, b'}') if braces > 0 => braces -= 1,
            (None, b'}') if bytes.get(at + 1) == Some(&b'}') => return Some(at),
            (None, _) => {}
        }
        at += 1;
    }
    None
}

fn compile_expression(source: &str) -> Result<Compiled, Problem> {
    if source.starts_with('-') || source.ends_with('-') {
        return Err(Problem::new(
            "`{{-` and `-}}` are not supported: a template leaves the text around it alone",
            Some("write `{{` and `}}`; for a negative number leave a blank".to_owned()),
        ));
    }
    let source = source.trim();
    let expression = ENVIRONMENT
        .compile_expression_owned(source.to_owned())
        .map_err(|error| Problem::new(format!("`{source}`: {}", words(&error)), None))?;
    let mut undefined: Vec<_> = expression
        .undeclared_variables(false)
        .into_iter()
        .filter(|name| !NAMES.contains(&name.as_str()))
        .collect();
    undefined.sort();
    if let Some(name) = undefined.first() {
        return Err(Problem::new(
            format!("`{name}` is not defined"),
            Some(match nearest(name, NAMES) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("defined are {}", NAMES.join(", ")),
            }),
        ));
    }
    let compiled = Compiled(expression);
    for previous_success_at in [None, Some(SAMPLE)] {
        let sample = TemplateContext {
            scheduled_at: SAMPLE,
            zone: TimeZone::UTC,
            run_id: "00000000-0000-7000-8000-000000000000".to_owned(),
            job: "job".to_owned(),
            attempt: 1,
            trigger: "schedule",
            previous_success_at,
        };
        let value = evaluate(&compiled, &values(&sample)).map_err(|error| {
            Problem::new(format!("`{source}`: {}", words(&error)), hint(&error))
        })?;
        to_json(&value).map_err(|why| Problem::new(format!("`{source}` {why}"), None))?;
    }
    Ok(compiled)
}

/// The instant of the trial: any will do, since shifts by years stay within the calendar.
const SAMPLE: Timestamp = Timestamp::UNIX_EPOCH;

fn evaluate(expression: &Compiled, context: &Value) -> Result<Value, Error> {
    let value = expression.0.eval(context.clone())?;
    if value.is_undefined() {
        return Err(Error::new(
            ErrorKind::UndefinedError,
            "the value is undefined",
        ));
    }
    Ok(value)
}

fn words(error: &Error) -> String {
    match (error.kind(), error.detail()) {
        (ErrorKind::OutOfFuel, _) => "the expression takes too many steps".to_owned(),
        (_, Some(detail)) => detail.to_owned(),
        (kind, None) => kind.to_string(),
    }
}

fn hint(error: &Error) -> Option<String> {
    if error.kind() != ErrorKind::UnknownFilter {
        return None;
    }
    // "filter dat is unknown"
    let name = error.detail()?.split_whitespace().nth(1)?;
    Some(match nearest(name, FILTERS) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("there are {}", FILTERS.join(", ")),
    })
}

fn render(node: &Node, context: &Value, path: &mut String) -> Result<Json, TemplateError> {
    match node {
        Node::Plain(json) => Ok(json.clone()),
        Node::Value(expression) => evaluate(expression, context)
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
                let value = evaluate(expression, context).map_err(|error| words(&error))?;
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

fn values(context: &TemplateContext) -> Value {
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

fn to_json(value: &Value) -> Result<Json, String> {
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

#[cfg(test)]
mod tests;
