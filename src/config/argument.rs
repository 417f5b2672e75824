//! Arguments beside a configuration: those of a manual start, and those of a recorded request.

use serde::Serialize as _;

use super::definition::{KwargsText, from_serde};
use crate::domain::json::Json;

/// Reads the value of `--kwarg NAME=VALUE`, a YAML scalar: `5` is a number, `'5'` a text.
///
/// # Errors
/// What is wrong with it, and how to write it.
pub fn kwarg(text: &str) -> Result<Json, String> {
    use serde_yaml::Value;
    let quote = || format!("quote it as YAML to give it as a text: '\"{text}\"'");
    let value: Value = serde_yaml::from_str(text)
        .map_err(|error| format!("`{text}` is no YAML value: {error}; {}", quote()))?;
    let number = |number: &serde_yaml::Number| {
        let int = number.as_i64().map(Json::Int);
        int.or_else(|| number.as_u64().map(Json::UInt))
            .or_else(|| number.as_f64().filter(|f| f.is_finite()).map(Json::Float))
            .ok_or_else(|| format!("JSON has no number `{text}`; {}", quote()))
    };
    match &value {
        Value::Null => Ok(Json::Null),
        Value::Bool(value) => Ok(Json::Bool(*value)),
        Value::Number(value) => number(value),
        Value::String(text) => Ok(Json::String(text.clone())),
        Value::Sequence(_) | Value::Mapping(_) | Value::Tagged(_) => Err(format!(
            "`{text}` is no YAML scalar, but a list, a map or a tag; {}",
            quote()
        )),
    }
}

/// A value as JSON text.
pub fn json_text(value: &Json) -> String {
    let mut text = Vec::new();
    // Fails for keys that are no texts, and for a writer that fails: neither is here.
    let written = KwargsText(value.clone()).serialize(&mut serde_json::Serializer::new(&mut text));
    match written {
        Ok(()) => String::from_utf8(text).unwrap_or_default(),
        Err(_) => String::new(),
    }
}

/// A value from its JSON text, integers as integers.
///
/// # Errors
/// Where the text is no JSON.
pub fn json_value(text: &str) -> Result<Json, serde_json::Error> {
    serde_json::from_str(text).map(|value| from_serde(&value))
}

/// `own` over `below`, by key; the order of `below` first.
pub fn merge_kwargs(own: Json, below: Json) -> Json {
    super::kwargs::merge(own, below)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    #[test]
    fn the_value_of_an_argument_is_what_yaml_says_it_is() {
        for (text, json) in [
            ("5", "5"),
            ("'5'", "\"5\""),
            ("1.5", "1.5"),
            ("true", "true"),
            ("no", "\"no\""),
            ("", "null"),
            ("~", "null"),
            ("夜 间", "\"夜 间\""),
            ("2026-11-14", "\"2026-11-14\""),
            ("18446744073709551615", "18446744073709551615"),
            ("{{ scheduled_at }}", ""),
        ] {
            match kwarg(text) {
                Ok(value) => assert_eq!(json_text(&value), json, "{text}"),
                Err(_) => assert_eq!(json, "", "{text}"),
            }
        }
        for text in ["[1]", "a: b", "!x y", "'", ".inf"] {
            assert!(kwarg(text).unwrap_err().contains("quote it"), "{text}");
        }
    }

    #[test]
    fn json_text_reads_back_as_it_was() {
        let text = r#"{"z":1,"a":1.0,"b":[null,true,18446744073709551615,"夜\""]}"#;
        assert_eq!(json_text(&json_value(text).unwrap()), text);
    }
}
