//! `expect`: what a job demands of a successful reply.
//!
//! Expressions of minijinja over `result` (the function's value), `content` (the whole of the
//! envelope's content), `cost_ms` and `duration_ms`, with minijinja's own filters and tests. One
//! holds if its value is true in Jinja's sense; false, undefined and an error do not.
//!
//! Absence must never pass for success, and Jinja lets it: to it `undefined < 5` is true. So a
//! look-up that finds nothing is an error here, unless the expression speaks of absence itself
//! (`defined`, `undefined`, `default`): `result.lag is defined and result.lag < 5`. Null is a value
//! and compares as Jinja has it, below every number: the engine turns `0`, `""` and `false` into
//! null, so `result < 5` holds for a function that returned 0.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock};

use minijinja::value::{Enumerator, Object, ObjectRepr, ValueKind};
use minijinja::{Environment, Error, ErrorKind, UndefinedBehavior, Value};

use super::json::Json;
use super::nearest::nearest;
use super::repetition::{REFUSAL, may_repeat_a_list};

/// The names an expectation can use.
pub const NAMES: [&str; 4] = ["result", "content", "cost_ms", "duration_ms"];

/// Steps of one expression, loops over a reply's lists included. A repeated text pays for its length,
/// about a step for every hundred bytes: this bounds the memory, too.
const FUEL: u64 = 1_000_000;

static ENVIRONMENT: LazyLock<Environment<'static>> = LazyLock::new(|| {
    let mut env = Environment::new();
    env.set_undefined_behavior(UndefinedBehavior::Strict);
    env.set_fuel(Some(FUEL));
    env.set_recursion_limit(32);
    // Debug output would quote the reply, secrets and all.
    env.set_debug(false);
    env
});

/// For expressions that do not speak of absence. What a filter or the index of a text did not find is
/// no look-up that could fail, and to Jinja it `is not none`.
static OF_WHAT_IS_THERE: LazyLock<Environment<'static>> = LazyLock::new(|| {
    let mut env = ENVIRONMENT.clone();
    env.add_test("none", |value: &Value| match value.is_undefined() {
        true => Err(Error::new(
            ErrorKind::UndefinedError,
            "the value before `is` is not there",
        )),
        false => Ok(value.is_none()),
    });
    env
});

/// One `expect` expression, tried. Cheap to clone. Compiled again for each reply: what minijinja makes
/// of the shortest text takes ten kilobytes, for as long as the job is loaded.
#[derive(Clone)]
pub struct Expectation(Arc<Inner>);

struct Inner {
    source: String,
    /// It deals with absence itself.
    knows_absence: bool,
    /// The dotted paths it reads.
    paths: Vec<String>,
}

impl fmt::Debug for Expectation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Expectation({:?})", self.0.source)
    }
}

/// Why an expression cannot be an expectation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExpectError {
    /// What is wrong.
    pub message: String,
    /// What to do, where that is known.
    pub hint: Option<String>,
}

impl fmt::Display for ExpectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        match &self.hint {
            Some(hint) => write!(f, "; {hint}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for ExpectError {}

impl Expectation {
    /// Compiles an expression.
    ///
    /// # Errors
    ///
    /// Bad syntax, or a name that is not one of [`NAMES`].
    pub fn parse(source: &str) -> Result<Self, ExpectError> {
        if source.contains("{{") || source.contains("{%") {
            return Err(ExpectError {
                message: format!("`{source}` is a template, not an expression"),
                hint: Some("write the expression alone, such as `result.count > 0`".to_owned()),
            });
        }
        if may_repeat_a_list(source) {
            return Err(ExpectError {
                message: format!("`{source}`: {REFUSAL}"),
                hint: Some("write two expectations".to_owned()),
            });
        }
        let knows_absence = source
            .split(|c: char| !c.is_alphanumeric() && c != '_')
            .any(|word| matches!(word, "defined" | "undefined" | "default"));
        let expression = environment(knows_absence)
            .compile_expression(source)
            .map_err(|error| ExpectError {
                message: format!("`{source}`: {}", words(&error)),
                hint: None,
            })?;
        let mut undefined: Vec<_> = expression
            .undeclared_variables(false)
            .into_iter()
            .filter(|name| !NAMES.contains(&name.as_str()) && !is_function(name))
            .collect();
        undefined.sort();
        if let Some(name) = undefined.first() {
            return Err(ExpectError {
                message: format!("`{name}` is not defined"),
                hint: Some(match nearest(name, NAMES) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => format!("defined are {}", NAMES.join(", ")),
                }),
            });
        }
        // A filter or test that does not exist shows when it is reached, whatever the reply.
        let trial = ExpectContext::new(Json::Null, None, 0);
        if let Err(error) = expression.eval(trial.names)
            && matches!(
                error.kind(),
                ErrorKind::UnknownFilter | ErrorKind::UnknownTest | ErrorKind::UnknownFunction
            )
        {
            return Err(ExpectError {
                message: format!("`{source}`: {}", words(&error)),
                hint: None,
            });
        }
        let paths = expression.undeclared_variables(true).into_iter().collect();
        Ok(Self(Arc::new(Inner {
            source: source.to_owned(),
            knows_absence,
            paths,
        })))
    }

    /// The expression as it was written.
    pub fn source(&self) -> &str {
        &self.0.source
    }

    /// Whether a reply satisfies it.
    ///
    /// # Errors
    ///
    /// The expression, and why it does not hold: it is false, undefined, or cannot be worked out.
    pub fn check(&self, context: &ExpectContext) -> Result<(), String> {
        let inner = &*self.0;
        let fails = |why: &str| Err(format!("expect `{}`: {why}", inner.source));
        context
            .strict
            .store(!inner.knows_absence, Ordering::Relaxed);
        let value = environment(inner.knows_absence)
            .compile_expression(&inner.source)
            .and_then(|expression| expression.eval(context.names.clone()));
        let value = match value {
            Ok(value) => value,
            Err(error) => return fails(&words(&error)),
        };
        if value.is_undefined() {
            return fails("it is undefined");
        }
        if !value.is_true() {
            return fails(match value.kind() {
                ValueKind::Bool => "it is false",
                ValueKind::None => "it is null",
                _ => "it is empty or zero",
            });
        }
        // Maps and lists say themselves that a member is not there; null, texts and numbers
        // have no members, and no voice.
        if !inner.knows_absence
            && let Some(path) = inner.paths.iter().find(|path| context.lacks(path))
        {
            return fails(&format!("`{path}` is not there"));
        }
        Ok(())
    }
}

fn environment(knows_absence: bool) -> &'static Environment<'static> {
    match knows_absence {
        true => &ENVIRONMENT,
        false => &OF_WHAT_IS_THERE,
    }
}

/// What the expectations of a job see of one reply.
#[derive(Debug)]
pub struct ExpectContext {
    names: Value,
    strict: Arc<AtomicBool>,
}

impl ExpectContext {
    /// `content` is the envelope's content, or the whole of a bare engine reply. `result` is
    /// `content.data.result` where the content is an engine's reply (it has `ok` or `data`), and
    /// null where such a reply has no result; content of any other shape is its own result.
    pub fn new(content: Json, cost_ms: Option<i64>, duration_ms: u64) -> Self {
        let strict = Arc::new(AtomicBool::new(false));
        let of_engine = matches!(&content, Json::Object(entries)
            if entries.iter().any(|(key, _)| key == "ok" || key == "data"));
        let content = to_value(content, &strict);
        let result = if of_engine {
            let member = |value: &Value, name| match value.get_attr(name) {
                Ok(value) if !value.is_undefined() => value,
                _ => Value::from(()),
            };
            member(&member(&content, "data"), "result")
        } else {
            content.clone()
        };
        let names = Value::from_pairs([
            ("result", result),
            ("content", content),
            ("cost_ms", Value::from(cost_ms)),
            ("duration_ms", Value::from(duration_ms)),
        ]);
        Self { names, strict }
    }

    /// Whether a dotted path leads through a value that has no members.
    fn lacks(&self, path: &str) -> bool {
        let mut at = self.names.clone();
        for name in path.split('.') {
            if !matches!(at.kind(), ValueKind::Map | ValueKind::Seq) {
                return true;
            }
            match at.get_attr(name) {
                Ok(value) if value.kind() != ValueKind::Invalid && !value.is_undefined() => {
                    at = value;
                }
                // A member that is not there: the look-up has spoken if it was made.
                _ => return false,
            }
        }
        false
    }
}

/// An object of the reply. Where a key comes twice, the last one wins, as in JavaScript.
#[derive(Debug)]
struct Map {
    members: BTreeMap<String, Value>,
    strict: Arc<AtomicBool>,
}

impl Object for Map {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Map
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        let name = key.as_str();
        match name.and_then(|name| self.members.get(name)) {
            Some(value) => Some(value.clone()),
            None => absent(&self.strict, key),
        }
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Values(self.members.keys().map(Value::from).collect())
    }
}

/// A list of the reply.
#[derive(Debug)]
struct List {
    items: Vec<Value>,
    strict: Arc<AtomicBool>,
}

impl Object for List {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Seq
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        match key.as_usize().and_then(|index| self.items.get(index)) {
            Some(value) => Some(value.clone()),
            None => absent(&self.strict, key),
        }
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Seq(self.items.len())
    }
}

/// A value that fails the expression as soon as it is used, or plain absence.
fn absent(strict: &AtomicBool, key: &Value) -> Option<Value> {
    strict.load(Ordering::Relaxed).then(|| {
        Value::from(Error::new(
            ErrorKind::UndefinedError,
            format!("`{key}` is not there"),
        ))
    })
}

/// Consumes the tree, so that a large reply is not held twice.
fn to_value(json: Json, strict: &Arc<AtomicBool>) -> Value {
    match json {
        Json::Null => Value::from(()),
        Json::Bool(value) => Value::from(value),
        Json::Int(value) => Value::from(value),
        Json::UInt(value) => Value::from(value),
        Json::Float(value) => Value::from(value),
        Json::String(value) => Value::from(value),
        Json::Array(items) => Value::from_object(List {
            items: items
                .into_iter()
                .map(|item| to_value(item, strict))
                .collect(),
            strict: Arc::clone(strict),
        }),
        Json::Object(entries) => Value::from_object(Map {
            members: entries
                .into_iter()
                .map(|(key, value)| (key, to_value(value, strict)))
                .collect(),
            strict: Arc::clone(strict),
        }),
    }
}

fn is_function(name: &str) -> bool {
    ENVIRONMENT.globals().any(|(known, _)| known == name)
}

fn words(error: &Error) -> String {
    match (error.kind(), error.detail()) {
        (ErrorKind::OutOfFuel, _) => "it takes too many steps".to_owned(),
        (_, Some(detail)) => detail.to_owned(),
        (kind, None) => kind.to_string(),
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    fn object(entries: &[(&str, Json)]) -> Json {
        Json::Object(
            entries
                .iter()
                .map(|(key, value)| ((*key).to_owned(), value.clone()))
                .collect(),
        )
    }

    fn reply(result: Json) -> ExpectContext {
        let content = object(&[
            ("ok", Json::Bool(true)),
            ("data", object(&[("result", result)])),
        ]);
        ExpectContext::new(content, Some(41), 57)
    }

    fn counted() -> ExpectContext {
        reply(object(&[
            ("count", Json::Int(3)),
            ("state", Json::String("done".to_owned())),
            ("items", Json::Array(vec![Json::Int(1), Json::Int(2)])),
            ("nothing", Json::Null),
        ]))
    }

    fn check(source: &str, context: &ExpectContext) -> Result<(), String> {
        Expectation::parse(source).unwrap().check(context)
    }

    #[test]
    fn a_true_expression_holds() {
        for source in [
            "result.count > 0",
            "result.count == 3 and result.state == 'done'",
            "result['count'] < 5",
            "result.items | length == 2",
            "result.items[0] == 1",
            "result.items[-1] == 2",
            "2 in result.items",
            "'count' in result",
            "result.items | max < 9",
            "content.ok",
            "cost_ms < 1000 and duration_ms < 60000",
            "result.nothing is none",
            "result.lag is undefined or result.lag < 5",
            "result.lag is none or result.lag is undefined",
            "result.lag | default(0) < 5",
        ] {
            assert_eq!(check(source, &counted()), Ok(()), "{source}");
        }
    }

    #[test]
    fn false_undefined_and_broken_expressions_do_not_hold_and_say_why() {
        for (source, why) in [
            ("result.count > 3", "it is false"),
            ("result.nothing", "it is null"),
            ("result.count - 3", "it is empty or zero"),
            ("result.lag", "`lag` is not there"),
            ("result.count / 0", "unable to calculate"),
            ("result.state | int > 0", "int"),
        ] {
            let said = check(source, &counted()).unwrap_err();
            assert!(said.contains(why), "{said}");
            assert!(said.contains(source), "{said}");
        }
    }

    #[test]
    fn absence_never_passes_for_success() {
        for source in [
            "result.lag < 5",
            "result['lag'] < 5",
            "result.lag != 'late'",
            "not result.lag",
            "result.items[7] < 5",
            "result.items[7] != 1",
            "result.nothing.lag < 5",
            "result.state.lag != 1",
            "result.count.lag < 5",
            "content.lag < 5",
            "result.lag is defined",
            "result.items | select('gt', 7) | first is not none",
            "result.state[99] is not none",
        ] {
            assert!(check(source, &counted()).is_err(), "{source}");
        }
        let null = reply(Json::Null);
        assert!(check("result.count < 5", &null).is_err());
        assert!(check("result is none", &null).is_ok());
    }

    #[test]
    fn what_is_not_reached_need_not_be_there() {
        assert_eq!(
            check("result.count == 3 or result.lag < 5", &counted()),
            Ok(())
        );
    }

    #[test]
    fn the_result_is_the_engines_or_the_content_itself() {
        let bare = ExpectContext::new(Json::Int(7), None, 0);
        assert_eq!(check("result == 7 and content == 7", &bare), Ok(()));
        assert_eq!(check("cost_ms is none", &bare), Ok(()));
        let no_data = ExpectContext::new(object(&[("ok", Json::Bool(true))]), None, 0);
        assert_eq!(check("result is none", &no_data), Ok(()));
        let other = ExpectContext::new(object(&[("x", Json::Int(1))]), None, 0);
        assert_eq!(check("result.x == 1", &other), Ok(()));
    }

    #[test]
    fn of_two_equal_keys_the_last_one_counts() {
        let twice = reply(Json::Object(vec![
            ("a".to_owned(), Json::Int(1)),
            ("a".to_owned(), Json::Int(2)),
        ]));
        assert_eq!(check("result.a == 2", &twice), Ok(()));
    }

    #[test]
    fn an_unknown_name_is_refused_with_the_nearest_one() {
        let error = Expectation::parse("reslt.count > 0").unwrap_err();
        assert_eq!(error.message, "`reslt` is not defined");
        assert_eq!(error.hint.as_deref(), Some("did you mean `result`?"));
        for unknown in ["result.items | lenght > 0", "result is evne"] {
            assert!(Expectation::parse(unknown).is_err(), "{unknown}");
        }
        assert!(Expectation::parse("result.count >").is_err());
        assert!(Expectation::parse("").is_err());
        assert!(Expectation::parse("{{ result }}").is_err());
    }

    #[test]
    fn a_text_that_would_take_the_memory_is_cut_off() {
        let error = check("'a' * 200000000 != 'a'", &counted()).unwrap_err();
        assert!(error.contains("too many steps"), "{error}");
    }

    #[test]
    fn an_expression_that_would_not_end_is_cut_off() {
        let long = reply(Json::Array(vec![Json::Int(1); 2_000]));
        let source = (0..40).fold("result".to_owned(), |source, _| format!("({source} * 9)"));
        assert!(check(&format!("{source} | length > 0"), &long).is_err());
    }
}
