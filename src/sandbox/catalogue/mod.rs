//! Every function that the sandbox knows, and what each does.
//!
//! The table in the documentation of [`super`] names them; a test holds the two together.

use hyper::StatusCode;

use super::failure::Failure;
use super::functions::{Act, Function, Invocation, Param, Params};

mod demand;
mod guance;
mod http;

/// All, in the order of the list.
pub(super) fn functions() -> impl Iterator<Item = &'static Function> {
    [guance::FUNCTIONS, demand::FUNCTIONS, http::FUNCTIONS]
        .into_iter()
        .flatten()
}

/// The function of that name.
pub(super) fn find(id: &str) -> Option<&'static Function> {
    functions().find(|function| function.id == id)
}

type Body = fn(&Invocation<'_>) -> Result<Act, Failure>;

const fn function(
    id: &'static str,
    title: &'static str,
    description: &'static str,
    params: &'static [Param],
    body: Body,
) -> Function {
    Function {
        id,
        title,
        description,
        params: Params::Named(params),
        body,
    }
}

const fn given(name: &'static str) -> Param {
    Param {
        name,
        default: None,
    }
}

const fn optional(name: &'static str, default: &'static str) -> Param {
    Param {
        name,
        default: Some(default),
    }
}

/// An argument that must be a status of HTTP that ends an exchange.
fn status(call: &Invocation<'_>, name: &str) -> Result<StatusCode, Failure> {
    let code = call.count(name, 999)?;
    u16::try_from(code)
        .ok()
        .filter(|code| *code >= 200)
        .and_then(|code| StatusCode::from_u16(code).ok())
        .ok_or_else(|| {
            let what = format!("{name} must be from 200 to 999, not {code}");
            call.raise("ValueError", what, None)
        })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::sandbox::Generation;
    use crate::sandbox::failure::Failures;
    use crate::sandbox::functions::Flaky;
    use crate::sandbox::ids::Ids;

    /// Runs a function and gives back the `einfoTEXT` of its failure, or `ok`.
    fn outcome(id: &str, kwargs: Value) -> String {
        let (ids, flaky) = (Ids::default(), Flaky::default());
        let generation = Generation::V1;
        let failures = Failures {
            generation,
            ids: &ids,
        };
        let (Some(function), Value::Object(kwargs)) = (find(id), kwargs) else {
            panic!("no function {id}, or kwargs that are no object");
        };
        let invocation = Invocation {
            function,
            kwargs,
            failures,
            flaky: &flaky,
        };
        match invocation.run() {
            Act::Fail(failure) => (*failure.detail.unwrap_or_default())["einfoTEXT"]
                .as_str()
                .unwrap_or(&failure.reason)
                .to_owned(),
            _ => "ok".to_owned(),
        }
    }

    #[test]
    fn arguments_are_bound_as_python_binds_them() {
        let test = "guance__openapi.test";
        for (kwargs, expected) in [
            (
                json!({}),
                "TypeError: test() missing 2 required positional arguments: \
                 'workspace_uuid' and 'workspace_token'",
            ),
            (
                json!({ "workspace_uuid": "u" }),
                "TypeError: test() missing 1 required positional argument: 'workspace_token'",
            ),
            (
                json!({ "workspace_uuid": "u", "workspace_token": "t", "x": 1 }),
                "TypeError: test() got an unexpected keyword argument 'x'",
            ),
            (
                json!({ "workspace_uuid": {}, "workspace_token": "t" }),
                "ok",
            ),
            (
                json!({ "workspace_uuid": "u", "workspace_token": null }),
                "redis.exceptions.DataError: Invalid input of type: 'NoneType'. \
                 Convert to a bytes, string, int or float first.",
            ),
        ] {
            assert_eq!(outcome(test, kwargs), expected);
        }
        assert_eq!(
            outcome("guance__openapi.report_event", json!({})),
            "TypeError: report_event() missing 3 required positional arguments: \
             'workspace_uuid', 'workspace_token', and 'data'"
        );
    }

    #[test]
    fn a_demand_out_of_bounds_raises_and_does_not_panic() {
        for (id, kwargs) in [
            ("sandbox__ok.big", json!({ "bytes": 1_u64 << 40 })),
            ("sandbox__ok.big", json!({ "bytes": -1 })),
            ("sandbox__slow.sleep", json!({ "seconds": 1e300 })),
            ("sandbox__slow.sleep", json!({ "seconds": -0.5 })),
            ("sandbox__http.status", json!({ "code": 100 })),
            ("sandbox__http.status", json!({ "code": 70000 })),
            ("sandbox__http.gzip_bomb", json!({ "megabytes": 5000 })),
        ] {
            let raised = outcome(id, kwargs);
            assert!(raised.starts_with("ValueError: "), "{id}: {raised}");
        }
        let raised = outcome("sandbox__slow.sleep", json!({ "seconds": "3" }));
        assert_eq!(raised, "TypeError: seconds must be a number, not str");
    }

    #[test]
    fn every_default_is_json_and_every_function_runs_on_its_defaults() {
        for function in functions() {
            let Params::Named(params) = &function.params else {
                continue;
            };
            for param in *params {
                if let Some(text) = param.default {
                    let parsed: Result<Value, _> = serde_json::from_str(text);
                    assert!(parsed.is_ok(), "{} {}", function.id, param.name);
                }
            }
            if params.iter().all(|param| param.default.is_some()) {
                let end = outcome(function.id, json!({}));
                assert!(!end.starts_with("TypeError"), "{}: {end}", function.id);
                assert!(!end.starts_with("ValueError"), "{}: {end}", function.id);
            }
        }
    }

    #[test]
    fn the_module_documentation_lists_every_function() {
        let documentation = include_str!("../mod.rs");
        for function in functions() {
            let row = format!("//! | `{}` |", function.definition_in_full());
            assert!(documentation.contains(&row), "no row: {row}");
        }
        let rows = documentation.matches("//! | `").count();
        assert_eq!(rows, functions().count(), "a row of no function");
    }

    impl Function {
        fn definition_in_full(&self) -> String {
            format!("{}.{}", self.script(), self.definition())
        }
    }
}
