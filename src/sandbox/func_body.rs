//! The body of a call, as the engine's schema checks it.
//!
//! Each generation takes other options. A field that is not in its schema, or has another type, is
//! `EClientBadRequest`, in the words that the engines' checker uses.

use serde_json::{Map, Value};

use super::Generation;

/// How the result is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ReturnType {
    /// Every form at once; only the older generation.
    All,
    /// As JSON, the default.
    Raw,
    /// As Python's `repr`; only the older generation.
    Repr,
    /// As text that holds JSON.
    JsonDumps,
}

/// What the engine does beside running the function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Options {
    /// The form of the result.
    pub(super) return_type: ReturnType,
    /// Answer at once.
    pub(super) detached: bool,
    /// Keep the result for fetching; only the older generation does.
    pub(super) save_result: bool,
}

/// A body that passed.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct FuncBody {
    /// The arguments.
    pub(super) kwargs: Map<String, Value>,
    /// Everything else.
    pub(super) options: Options,
}

impl FuncBody {
    /// Checks a body. The error is what `detail.message` says.
    pub(super) fn check(body: &Value, generation: Generation) -> Result<Self, String> {
        let fields = body
            .as_object()
            .ok_or_else(|| invalid("body", body, "type", "\"json\""))?;
        let mut kwargs = Map::new();
        let mut options = Options {
            return_type: ReturnType::Raw,
            detached: false,
            save_result: false,
        };
        for (name, value) in fields {
            match name.as_str() {
                // The engine takes `null` here; the gateway does not let it through.
                "kwargs" if value.is_null() => {}
                "kwargs" => kwargs = object("kwargs", value)?,
                "options" => {
                    for (name, value) in object("options", value)? {
                        options.take(&name, &value, generation)?;
                    }
                }
                _ => return Err(unexpected(name)),
            }
        }
        Ok(Self { kwargs, options })
    }
}

impl Options {
    fn take(&mut self, name: &str, value: &Value, generation: Generation) -> Result<(), String> {
        match (name, generation) {
            ("returnType", _) => self.return_type = return_type(value, generation)?,
            ("execMode", Generation::V1) => {
                self.detached = one_of(name, value, &["sync", "async"])? == "async";
            }
            ("saveResult", Generation::V1) => self.save_result = boolean(name, value)?,
            ("async", Generation::V5) => self.detached = boolean(name, value)?,
            // Known to the schema, without an effect that a caller of the gateway could see.
            ("apiTimeout", _)
            | ("eta" | "unfold", Generation::V1)
            | ("execMode" | "saveResult" | "unbox" | "eta" | "delay", Generation::V5) => {}
            _ => return Err(unexpected(name)),
        }
        Ok(())
    }
}

fn return_type(value: &Value, generation: Generation) -> Result<ReturnType, String> {
    let known: &[&str] = match generation {
        Generation::V1 => &["ALL", "raw", "repr", "jsonDumps"],
        Generation::V5 => &["raw", "jsonDumps"],
    };
    Ok(match one_of("returnType", value, known)? {
        "ALL" => ReturnType::All,
        "repr" => ReturnType::Repr,
        "jsonDumps" => ReturnType::JsonDumps,
        _ => ReturnType::Raw,
    })
}

/// An object, or a string that holds one.
fn object(name: &str, value: &Value) -> Result<Map<String, Value>, String> {
    let parsed = match value {
        Value::String(text) => serde_json::from_str(text).unwrap_or(Value::Null),
        other => other.clone(),
    };
    match parsed {
        Value::Object(fields) => Ok(fields),
        _ => Err(invalid(name, value, "type", "\"json\"")),
    }
}

fn boolean(name: &str, value: &Value) -> Result<bool, String> {
    value
        .as_bool()
        .ok_or_else(|| invalid(name, value, "type", "\"boolean\""))
}

fn one_of<'a>(name: &str, value: &Value, known: &[&'a str]) -> Result<&'a str, String> {
    known
        .iter()
        .find(|known| value.as_str() == Some(**known))
        .copied()
        .ok_or_else(|| invalid(name, value, "in", &Value::from(known).to_string()))
}

fn invalid(name: &str, value: &Value, rule: &str, wanted: &str) -> String {
    format!("Field `{name}` value `{value}` is not valid. ({rule} = {wanted})")
}

fn unexpected(name: &str) -> String {
    format!("Found unexpected field `{name}`")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn refusal(body: &Value, generation: Generation) -> Option<String> {
        FuncBody::check(body, generation).err()
    }

    #[test]
    fn the_generations_differ_in_the_return_types_they_take() {
        for (name, v1, v5) in [
            ("raw", true, true),
            ("jsonDumps", true, true),
            ("ALL", true, false),
            ("repr", true, false),
            ("xml", false, false),
        ] {
            let body = json!({ "options": { "returnType": name } });
            assert_eq!(refusal(&body, Generation::V1).is_none(), v1, "{name}");
            assert_eq!(refusal(&body, Generation::V5).is_none(), v5, "{name}");
        }
    }

    #[test]
    fn kwargs_may_be_a_string_that_holds_an_object_and_nothing_else() {
        let body = json!({ "kwargs": "{\"a\": 1}" });
        let kwargs = FuncBody::check(&body, Generation::V5).map(|body| body.kwargs);
        assert_eq!(kwargs.map(Value::Object), Ok(json!({ "a": 1 })));
        let body = json!({ "kwargs": "[1]" });
        assert_eq!(
            refusal(&body, Generation::V5).as_deref(),
            Some("Field `kwargs` value `\"[1]\"` is not valid. (type = \"json\")")
        );
    }

    #[test]
    fn a_field_of_no_schema_is_named() {
        for body in [
            json!({ "timeout": 5 }),
            json!({ "options": { "timeout": 5 } }),
        ] {
            for generation in [Generation::V1, Generation::V5] {
                assert_eq!(
                    refusal(&body, generation).as_deref(),
                    Some("Found unexpected field `timeout`")
                );
            }
        }
        let of_v5 = json!({ "options": { "async": true } });
        assert!(refusal(&of_v5, Generation::V1).is_some());
        assert!(refusal(&of_v5, Generation::V5).is_none());
    }
}
