//! What an unquoted word is: number, boolean, null or text.
//!
//! Decided as `serde_yaml` decides it (YAML 1.2: `no`, `on`, `017` and `1_000` are texts), number
//! by number through its own parser; a test holds the two against each other. Stricter in one
//! point: what looks like a number and fits into none is [`Scalar::TooBig`], not silently a text.

use super::tree::{Kind, Node};

/// A scalar's value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Scalar<'t> {
    /// Nothing, `~` or `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// An integer of 64 signed bits.
    Int(i64),
    /// An integer above `i64::MAX`.
    UInt(u64),
    /// A float; `.inf` and `.nan` are among them.
    Float(f64),
    /// A number that fits into neither.
    TooBig,
    /// Anything else, and whatever is quoted.
    Text(&'t str),
}

impl<'t> Scalar<'t> {
    /// The value of a scalar node; `None` for lists and maps.
    pub(super) fn of(node: Node<'t>) -> Option<Self> {
        match node.kind() {
            Kind::Scalar(text, true) => Some(Self::plain(text)),
            Kind::Scalar(text, false) => Some(Self::Text(text)),
            Kind::List | Kind::Map => None,
        }
    }

    fn plain(text: &'t str) -> Self {
        match text {
            "" | "~" | "null" | "Null" | "NULL" => Self::Null,
            "true" | "True" | "TRUE" => Self::Bool(true),
            "false" | "False" | "FALSE" => Self::Bool(false),
            _ if text.starts_with(|c: char| c.is_ascii_digit() || "+-.".contains(c)) => {
                Self::number(text)
            }
            _ => Self::Text(text),
        }
    }

    fn number(text: &'t str) -> Self {
        match text.parse::<serde_yaml::Number>() {
            Ok(number) => match (number.as_i64(), number.as_u64(), number.as_f64()) {
                (Some(int), _, _) => Self::Int(int),
                (_, Some(int), _) => Self::UInt(int),
                // A row of digits means an integer; as a float it would be another number.
                (_, _, Some(_)) if is_digits(text) => Self::TooBig,
                (_, _, Some(float)) => Self::Float(float),
                _ => Self::TooBig,
            },
            Err(_) if overflows(text) => Self::TooBig,
            Err(_) => Self::Text(text),
        }
    }
}

/// Whether it is spelled as a number and only its size keeps it from being one. A leading zero
/// makes a text of digits (`017`), and Rust's own words for infinity are texts in YAML.
fn overflows(text: &str) -> bool {
    let digits = text.trim_start_matches(['+', '-']);
    for (prefix, radix) in [("0x", 16), ("0o", 8), ("0b", 2)] {
        if let Some(rest) = digits.strip_prefix(prefix) {
            return !rest.is_empty() && rest.chars().all(|c| c.is_digit(radix));
        }
    }
    let is_octal = digits.len() > 1 && digits.starts_with('0') && is_digits(digits);
    !is_octal
        && digits.starts_with(|c: char| c.is_ascii_digit() || c == '.')
        && text.len() - digits.len() <= 1
        && (is_digits(digits) || digits.parse::<f64>().is_ok_and(f64::is_infinite))
}

/// Whether it is an integer's sign and digits alone.
fn is_digits(text: &str) -> bool {
    text.trim_start_matches(['+', '-'])
        .bytes()
        .all(|b| b.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use serde_yaml::Value;

    use super::*;

    #[test]
    fn words_are_read_as_serde_yaml_reads_them() {
        for word in [
            "",
            "~",
            "null",
            "Null",
            "nil",
            "true",
            "True",
            "tRue",
            "yes",
            "no",
            "on",
            "off",
            "y",
            "0",
            "-0",
            "7",
            "+7",
            "-7",
            "017",
            "0o17",
            "0x1F",
            "0b11",
            "1_000",
            "12:30:45",
            "1e3",
            "1.5",
            ".5",
            "5.",
            "-.5",
            ".inf",
            "-.inf",
            ".nan",
            "inf",
            "nan",
            "+",
            ".",
            "1.2.3",
            "9223372036854775807",
            "9223372036854775808",
            "18446744073709551615",
            "0xZZ",
            "-0x1F",
            "2026-01-01",
            "60s",
            "20/min",
            "--5",
            "+-5",
        ] {
            let theirs: Value = serde_yaml::from_str::<serde_yaml::Mapping>(&format!("x: {word}"))
                .ok()
                .and_then(|map| map.get("x").cloned())
                .unwrap_or_else(|| panic!("{word}"));
            let ours = match Scalar::plain(word) {
                Scalar::Null => Value::Null,
                Scalar::Bool(b) => Value::from(b),
                Scalar::Int(i) => Value::from(i),
                Scalar::UInt(u) => Value::from(u),
                Scalar::Float(f) => Value::from(f),
                Scalar::Text(text) => Value::from(text),
                Scalar::TooBig => panic!("{word} is too big"),
            };
            assert_eq!(ours, theirs, "{word}");
        }
    }

    #[test]
    fn a_number_that_fits_nowhere_is_neither_rounded_nor_a_text() {
        for word in [
            "18446744073709551616",
            "-9223372036854775809",
            "1e400",
            "-1e400",
            "0xFFFFFFFFFFFFFFFFF",
            "0o7777777777777777777777777",
            "999999999999999999999999999999999999999999",
        ] {
            assert_eq!(Scalar::plain(word), Scalar::TooBig, "{word}");
        }
    }
}
