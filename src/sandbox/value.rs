//! JSON values as the engine's two languages see and write them.
//!
//! A call passes through JavaScript (the engine's server), Python (the function) and JavaScript
//! again. Each step leaves marks that a client sees: `1.0` comes back as `1`, integers above 2^53
//! lose digits, and `0`, `""` and `false` come back as `null`.

use std::fmt::Write as _;

use serde_json::{Number, Value};

/// Longest `bodyDump`, in UTF-16 units, before it is cut.
const MAX_DUMP: usize = 1000;

/// A value after `JSON.parse` and `JSON.stringify`: every number is a double, and a whole one is
/// written without a fraction.
pub(super) fn through_javascript(value: Value) -> Value {
    match value {
        Value::Number(number) => Value::Number(double(&number)),
        Value::Array(items) => items.into_iter().map(through_javascript).collect(),
        Value::Object(fields) => fields
            .into_iter()
            .map(|(name, value)| (name, through_javascript(value)))
            .collect(),
        other => other,
    }
}

/// Rust and JavaScript both write the shortest digits that read back as the same double, padded
/// with zeros, so the text of the one is the text of the other as far as 64 bits reach.
fn double(number: &Number) -> Number {
    let Some(float) = number.as_f64() else {
        return number.clone();
    };
    let digits = float.to_string();
    if let Ok(whole) = digits.parse::<i64>() {
        return Number::from(whole);
    }
    if let Ok(whole) = digits.parse::<u64>() {
        return Number::from(whole);
    }
    Number::from_f64(float).unwrap_or_else(|| number.clone())
}

/// `value || null`, which the engine's server applies to what a function returned.
pub(super) fn or_null(value: Value) -> Value {
    let falsy = match &value {
        Value::Bool(truth) => !truth,
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::String(text) => text.is_empty(),
        _ => false,
    };
    if falsy { Value::Null } else { value }
}

/// The body as `reqDump.bodyDump` shows it: pretty, and cut at 1000 UTF-16 units with its length
/// behind. A cut through a surrogate pair, which JavaScript would make, leaves the half out.
pub(super) fn body_dump(body: &Value) -> String {
    let pretty = format!("{body:#}");
    let length = pretty.encode_utf16().count();
    if length <= MAX_DUMP {
        return pretty;
    }
    let mut dump = String::new();
    let mut room = MAX_DUMP - 3;
    for character in pretty.chars() {
        match room.checked_sub(character.len_utf16()) {
            Some(left) => room = left,
            None => break,
        }
        dump.push(character);
    }
    let _ = write!(dump, "...\n <Length: {length}>");
    dump
}

/// What Python's `type(value).__name__` says.
pub(super) fn python_type(value: &Value) -> &'static str {
    match value {
        Value::Null => "NoneType",
        Value::Bool(_) => "bool",
        Value::Number(number) if number.is_f64() => "float",
        Value::Number(_) => "int",
        Value::String(_) => "str",
        Value::Array(_) => "list",
        Value::Object(_) => "dict",
    }
}

/// `pprint.saferepr`, which the older engine calls `repr`: the keys of a dict are sorted.
pub(super) fn python_repr(value: &Value) -> String {
    match value {
        Value::Null => "None".to_owned(),
        Value::Bool(true) => "True".to_owned(),
        Value::Bool(false) => "False".to_owned(),
        Value::Number(number) => number.to_string(),
        Value::String(text) => python_quoted(text),
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(python_repr).collect();
            format!("[{}]", items.join(", "))
        }
        Value::Object(fields) => {
            let mut fields: Vec<(&String, &Value)> = fields.iter().collect();
            fields.sort_by_key(|(name, _)| *name);
            let fields: Vec<String> = fields
                .into_iter()
                .map(|(name, value)| format!("{}: {}", python_quoted(name), python_repr(value)))
                .collect();
            format!("{{{}}}", fields.join(", "))
        }
    }
}

fn python_quoted(text: &str) -> String {
    let quote = if text.contains('\'') && !text.contains('"') {
        '"'
    } else {
        '\''
    };
    let mut quoted = String::from(quote);
    for character in text.chars() {
        match character {
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            c if c == quote => quoted.extend(['\\', c]),
            c if c.is_control() => {
                let _ = write!(quoted, "\\x{:02x}", u32::from(c));
            }
            c => quoted.push(c),
        }
    }
    quoted.push(quote);
    quoted
}

/// `json.dumps` of the older engine: compact, and everything beyond ASCII escaped.
pub(super) fn python_dumps(value: &Value) -> String {
    let mut dumped = String::new();
    // Beyond ASCII nothing but the inside of a string can hold a character.
    for character in value.to_string().chars() {
        if character.is_ascii() {
            dumped.push(character);
        } else {
            for unit in character.encode_utf16(&mut [0; 2]) {
                let _ = write!(dumped, "\\u{unit:04x}");
            }
        }
    }
    dumped
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use serde_json::json;

    use super::*;

    fn javascript(text: &str) -> String {
        through_javascript(serde_json::from_str(text).unwrap()).to_string()
    }

    #[test]
    fn numbers_come_back_as_javascript_writes_them() {
        for (sent, back) in [
            ("1.0", "1"),
            ("2.5", "2.5"),
            ("-0", "0"),
            ("9007199254740993", "9007199254740992"),
            ("1152921504606846977", "1152921504606847000"),
            ("-1152921504606846977", "-1152921504606847000"),
            ("18446744073709551615", "1.8446744073709552e+19"),
            (r#"{"a":[1.0,{"b":3.0}]}"#, r#"{"a":[1,{"b":3}]}"#),
        ] {
            assert_eq!(javascript(sent), back, "{sent}");
        }
    }

    #[test]
    fn falsy_values_are_lost_and_empty_containers_are_not() {
        for lost in [json!(0), json!(0.0), json!(""), json!(false), json!(null)] {
            assert_eq!(or_null(lost.clone()), Value::Null, "{lost}");
        }
        for kept in [json!({}), json!([]), json!("0"), json!(true), json!(-1)] {
            assert_eq!(or_null(kept.clone()), kept);
        }
    }

    #[test]
    fn a_dump_is_cut_at_a_thousand_utf_16_units() {
        // `"`, 998 characters, `"`: a thousand, and whole.
        let whole = json!("x".repeat(998));
        assert_eq!(body_dump(&whole), format!("\"{}\"", "x".repeat(998)));
        let cut = json!("x".repeat(999));
        let expected = format!("\"{}...\n <Length: 1001>", "x".repeat(996));
        assert_eq!(body_dump(&cut), expected);
        // 996 units after the quote hold 498 pairs.
        let pairs = json!("𝄞".repeat(600));
        let expected = format!("\"{}...\n <Length: 1202>", "𝄞".repeat(498));
        assert_eq!(body_dump(&pairs), expected);
        let split = json!(format!("y{}", "𝄞".repeat(600)));
        let expected = format!("\"y{}...\n <Length: 1203>", "𝄞".repeat(497));
        assert_eq!(body_dump(&split), expected);
    }

    #[test]
    fn python_quotes_as_its_repr_does() {
        for (text, repr) in [
            ("plain", "'plain'"),
            ("it's", "\"it's\""),
            ("both ' and \"", "'both \\' and \"'"),
            ("a\\b\n\t\u{1}", "'a\\\\b\\n\\t\\x01'"),
            ("中文", "'中文'"),
        ] {
            assert_eq!(python_repr(&json!(text)), repr);
        }
    }

    #[test]
    fn python_dumps_escape_pairs_as_two_units() {
        assert_eq!(python_dumps(&json!("值𝄞")), r#""\u503c\ud834\udd1e""#);
    }
}
