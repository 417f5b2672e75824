//! Functions as Python binds and runs them: names, defaults, and what happens when the arguments
//! do not fit.
//!
//! Arguments that do not fit raise, and so look like a failure of the function itself. That is how
//! the engine is, and why a mistyped kwarg is found only by reading the message.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde_json::{Map, Value};

use super::failure::{Exception, Failure, Failures};
use super::gateway::Refusal;
use super::value::{python_repr, python_type};
use super::wire::Wire;

/// Names of unreliable calls that are remembered.
const MAX_FLAKY: usize = 10_000;

/// A function that may be called.
#[derive(Debug)]
pub(super) struct Function {
    /// `<set>__<script>.<function>`.
    pub(super) id: &'static str,
    /// For the list.
    pub(super) title: &'static str,
    /// For the list.
    pub(super) description: &'static str,
    /// Its arguments.
    pub(super) params: Params,
    /// Its body.
    pub(super) body: fn(&Invocation<'_>) -> Result<Act, Failure>,
}

/// What a function takes.
#[derive(Debug)]
pub(super) enum Params {
    /// `**kwargs`.
    Any,
    /// These, by name.
    Named(&'static [Param]),
}

/// One argument.
#[derive(Debug)]
pub(super) struct Param {
    /// Its name.
    pub(super) name: &'static str,
    /// Its default as JSON; without one it must be given.
    pub(super) default: Option<&'static str>,
}

impl Param {
    /// The default as a value.
    pub(super) fn default(&self) -> Option<Value> {
        let text = self.default?;
        Some(serde_json::from_str(text).unwrap_or(Value::Null))
    }
}

impl Function {
    /// `guance__openapi` of `guance__openapi.test`.
    pub(super) fn script(&self) -> &'static str {
        self.id.split_once('.').map_or("", |(script, _)| script)
    }

    /// `test` of `guance__openapi.test`.
    pub(super) fn name(&self) -> &'static str {
        self.id.split_once('.').map_or("", |(_, name)| name)
    }

    /// The signature as Python shows it.
    pub(super) fn definition(&self) -> String {
        let params = match &self.params {
            Params::Any => vec!["**kwargs".to_owned()],
            Params::Named(params) => params
                .iter()
                .map(|param| match param.default() {
                    Some(default) => format!("{}={}", param.name, python_repr(&default)),
                    None => param.name.to_owned(),
                })
                .collect(),
        };
        format!("{}({})", self.name(), params.join(", "))
    }
}

/// What a function does.
#[derive(Debug)]
pub(super) enum Act {
    /// It returns.
    Return(Value),
    /// It ends as a failure of the engine.
    Fail(Failure),
    /// It takes its time first.
    Sleep(Duration, Box<Act>),
    /// It returns `None`, and the reply is spoilt on its way.
    Spoil(Wire),
    /// The gateway answers in its place.
    Refuse(Refusal),
}

/// A function with its arguments.
#[derive(Debug)]
pub(super) struct Invocation<'a> {
    /// Which.
    pub(super) function: &'static Function,
    /// As given.
    pub(super) kwargs: Map<String, Value>,
    /// The words of the engine's generation.
    pub(super) failures: Failures<'a>,
    /// For functions that fail at first only.
    pub(super) flaky: &'a Flaky,
}

impl Invocation<'_> {
    /// Binds the arguments and runs the body.
    pub(super) fn run(&self) -> Act {
        self.bind()
            .and_then(|()| (self.function.body)(self))
            .unwrap_or_else(Act::Fail)
    }

    fn bind(&self) -> Result<(), Failure> {
        let Params::Named(params) = self.function.params else {
            return Ok(());
        };
        let name = self.function.name();
        let known = |given: &str| params.iter().any(|param| param.name == given);
        if let Some(stranger) = self.kwargs.keys().find(|given| !known(given)) {
            let what = format!("{name}() got an unexpected keyword argument '{stranger}'");
            return Err(self.raise("TypeError", what, None));
        }
        let missing: Vec<String> = params
            .iter()
            .filter(|param| param.default.is_none() && !self.kwargs.contains_key(param.name))
            .map(|param| format!("'{}'", param.name))
            .collect();
        let listed = match missing.as_slice() {
            [] => return Ok(()),
            [one] => one.clone(),
            [one, two] => format!("{one} and {two}"),
            [first @ .., last] => format!("{}, and {last}", first.join(", ")),
        };
        let count = missing.len();
        let plural = if count == 1 { "" } else { "s" };
        let what =
            format!("{name}() missing {count} required positional argument{plural}: {listed}");
        Err(self.raise("TypeError", what, None))
    }

    /// The failure that an exception becomes.
    pub(super) fn raise(
        &self,
        class: &'static str,
        message: String,
        line: Option<(u32, &'static str)>,
    ) -> Failure {
        let exception = Exception {
            class,
            message,
            line,
        };
        self.failures.raised(self.function.id, &exception)
    }

    /// An argument, or its default.
    pub(super) fn value(&self, name: &str) -> Value {
        if let Some(given) = self.kwargs.get(name) {
            return given.clone();
        }
        match self.function.params {
            Params::Any => Value::Null,
            Params::Named(params) => params
                .iter()
                .find(|param| param.name == name)
                .and_then(Param::default)
                .unwrap_or(Value::Null),
        }
    }

    /// An argument that must be a string.
    pub(super) fn text(&self, name: &str) -> Result<String, Failure> {
        match self.value(name) {
            Value::String(text) => Ok(text),
            other => Err(self.mistyped(name, "str", &other)),
        }
    }

    /// An argument that must be a number from 0 to `most`.
    pub(super) fn number(&self, name: &str, most: f64) -> Result<f64, Failure> {
        let value = self.value(name);
        let number = value
            .as_f64()
            .ok_or_else(|| self.mistyped(name, "a number", &value))?;
        if (0.0..=most).contains(&number) {
            Ok(number)
        } else {
            let what = format!("{name} must be from 0 to {most}, not {number}");
            Err(self.raise("ValueError", what, None))
        }
    }

    /// An argument that must be a whole number from 0 to `most`.
    pub(super) fn count(&self, name: &str, most: u32) -> Result<u32, Failure> {
        let value = self.value(name);
        let number = value
            .as_i64()
            .ok_or_else(|| self.mistyped(name, "int", &value))?;
        match u32::try_from(number) {
            Ok(count) if count <= most => Ok(count),
            _ => {
                let what = format!("{name} must be from 0 to {most}, not {number}");
                Err(self.raise("ValueError", what, None))
            }
        }
    }

    /// An argument in seconds, at most an hour: nothing in the sandbox waits longer.
    pub(super) fn seconds(&self, name: &str) -> Result<Duration, Failure> {
        self.number(name, 3600.0).map(Duration::from_secs_f64)
    }

    fn mistyped(&self, name: &str, wanted: &str, got: &Value) -> Failure {
        let what = format!("{name} must be {wanted}, not {}", python_type(got));
        self.raise("TypeError", what, None)
    }
}

/// How often an unreliable function has been called, by function and the caller's `id`.
#[derive(Debug, Default)]
pub(super) struct Flaky {
    calls: Mutex<HashMap<(&'static str, String), u32>>,
}

impl Flaky {
    /// Counts a call and says whether it is among the first `n` of its name. When too many names
    /// have been seen, all are forgotten.
    pub(super) fn is_among_first(&self, function: &'static str, id: String, n: u32) -> bool {
        let mut calls = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
        if calls.len() >= MAX_FLAKY {
            calls.clear();
        }
        let seen = calls.entry((function, id)).or_default();
        *seen = seen.saturating_add(1);
        *seen <= n
    }
}
