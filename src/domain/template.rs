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
//! three. Keys are never templates.
mod compile;
mod evaluate;
mod filters;

use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use self::compile::compile;
use self::evaluate::{Source, render, values};
use super::json::Json;

/// The names a template can use.
pub const NAMES: [&str; 6] = [
    "scheduled_at",
    "run_id",
    "job",
    "attempt",
    "trigger",
    PREVIOUS_SUCCESS,
];

/// The one name that must be looked up in the ledger.
const PREVIOUS_SUCCESS: &str = "previous_success_at";

/// The kwargs of a job with their templates, which were tried. Cheap to clone.
#[derive(Clone, Debug)]
pub struct KwargsTemplate {
    source: Arc<Json>,
    /// `None`: there is no template in it, and the source is what is sent.
    node: Option<Arc<Node>>,
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
    /// The tick of the job's last success, if there is one.
    pub previous_success_at: Option<Timestamp>,
}

/// A value with its templates taken apart. A subtree without any is kept as it is, so that the
/// ordinary job pays a clone and no more.
#[derive(Debug)]
enum Node {
    Plain(Json),
    /// A string that is exactly one expression: the value keeps its type.
    Value(Source),
    /// Text and expressions, which make a string.
    Text(Vec<Piece>),
    Array(Vec<Node>),
    Object(Vec<(String, Node)>),
}

#[derive(Debug)]
enum Piece {
    Literal(String),
    Expression(Source),
}

impl Node {
    fn uses_previous_success(&self) -> bool {
        match self {
            Self::Plain(_) => false,
            Self::Value(expression) => expression.uses_previous_success,
            Self::Text(pieces) => pieces.iter().any(|piece| match piece {
                Piece::Literal(_) => false,
                Piece::Expression(expression) => expression.uses_previous_success,
            }),
            Self::Array(nodes) => nodes.iter().any(Self::uses_previous_success),
            Self::Object(nodes) => nodes.iter().any(|(_, node)| node.uses_previous_success()),
        }
    }
}

impl KwargsTemplate {
    /// Takes the templates in `kwargs` apart and tries each expression.
    ///
    /// # Errors
    ///
    /// All that is wrong, in the order of the text: statements, syntax, undefined names, unknown
    /// filters, formats, shifts and zones that cannot be used; kwargs that are no map.
    pub fn parse(kwargs: &Json) -> Result<Self, Vec<TemplateError>> {
        if !matches!(kwargs, Json::Object(_)) {
            let problem = Problem::new("kwargs must be a map of names to values", None);
            return Err(vec![problem.at("")]);
        }
        let mut errors = Vec::new();
        let node = compile(kwargs, &mut String::new(), &mut errors);
        if !errors.is_empty() {
            return Err(errors);
        }
        Ok(Self {
            source: Arc::new(kwargs.clone()),
            node: (!matches!(node, Node::Plain(_))).then(|| Arc::new(node)),
        })
    }

    /// Kwargs that are sent as they are, whatever they look like: those of a recorded request.
    pub fn literal(kwargs: Json) -> Self {
        Self {
            source: Arc::new(kwargs),
            node: None,
        }
    }

    /// The kwargs for one attempt: always an object.
    ///
    /// # Errors
    ///
    /// What only the real values can show: a shift out of the calendar, a string too long.
    pub fn render(&self, context: &TemplateContext) -> Result<Json, TemplateError> {
        match &self.node {
            None => Ok(Json::clone(&self.source)),
            Some(node) => render(node, &values(context), &mut String::new()),
        }
    }

    /// Whether `previous_success_at` occurs: only then is the ledger asked for it.
    pub fn uses_previous_success(&self) -> bool {
        self.node
            .as_ref()
            .is_some_and(|node| node.uses_previous_success())
    }

    /// The kwargs as they were written.
    pub fn source(&self) -> &Json {
        &self.source
    }
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

#[cfg(test)]
mod tests;
