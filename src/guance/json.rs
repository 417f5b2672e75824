//! JSON at the edge: bounds first, then only the members that are asked for.
//!
//! A reply is never parsed into a tree: 8 MiB of `[0,0,…]` would become hundreds. One pass over the
//! bytes checks encoding and depth, and repairs lone surrogates; the members of interest are then
//! read as slices of the text, so that a number keeps its own spelling. Where a key comes twice,
//! the last one wins, as in JavaScript and Python.

use std::borrow::Cow;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::value::RawValue;

use crate::domain::json::Json;

/// Levels of lists and objects a reply may have (contract, section 4).
pub(super) const MAX_DEPTH: usize = 128;

/// A reply whose encoding and depth are within bounds. It may still not be JSON.
#[derive(Debug)]
pub(super) struct Scanned<'a> {
    /// The text, lone surrogate escapes read as U+FFFD.
    pub(super) text: Cow<'a, str>,
    /// No fewer than there are values in it.
    pub(super) values: usize,
}

/// Checks the bounds of a reply.
///
/// # Errors
///
/// Which one it breaks, in words.
pub(super) fn scan(bytes: &[u8]) -> Result<Scanned<'_>, String> {
    let text = std::str::from_utf8(bytes)
        .map_err(|error| format!("not UTF-8 from byte {} on", error.valid_up_to()))?;
    let mut repaired = String::new();
    let mut copied = 0;
    let (mut depth, mut values, mut in_string, mut at) = (0, 1, false, 0);
    while at < bytes.len() {
        match bytes[at] {
            b'"' => in_string = !in_string,
            b'\\' if in_string => {
                let (length, lone) = escape(&bytes[at..]);
                if lone {
                    repaired.push_str(&text[copied..at]);
                    repaired.push_str("\\ufffd");
                    copied = at + length;
                }
                at += length;
                continue;
            }
            b'[' | b'{' if !in_string => {
                depth += 1;
                values += 1;
                if depth > MAX_DEPTH {
                    return Err(format!("JSON of more than {MAX_DEPTH} levels"));
                }
            }
            b']' | b'}' if !in_string => depth = depth.saturating_sub(1),
            b',' if !in_string => values += 1,
            _ => {}
        }
        at += 1;
    }
    let text = if copied == 0 {
        Cow::Borrowed(text)
    } else {
        repaired.push_str(&text[copied..]);
        Cow::Owned(repaired)
    };
    Ok(Scanned { text, values })
}

/// The length of the escape that `bytes` begin with, and whether it is half a surrogate pair. What
/// is no escape at all has a length too; the parser will say so.
fn escape(bytes: &[u8]) -> (usize, bool) {
    let unit = |at: usize| {
        let digits = bytes.get(at..at + 6)?.strip_prefix(b"\\u")?;
        digits.iter().try_fold(0u32, |value, digit| {
            Some(value * 16 + char::from(*digit).to_digit(16)?)
        })
    };
    match (unit(0), unit(6)) {
        (Some(0xD800..0xDC00), Some(0xDC00..0xE000)) => (12, false),
        (Some(0xD800..0xE000), _) => (6, true),
        (Some(_), _) => (6, false),
        // a backslash and one character, whose own bytes hold no quote and no backslash
        (None, _) => (2, false),
    }
}

/// The named members of an object; `None` where the text is JSON of another kind.
///
/// # Errors
///
/// The text is not JSON.
pub(super) fn members<'a, const N: usize>(
    text: &'a str,
    names: [&str; N],
) -> Result<Option<[Option<&'a RawValue>; N]>, serde_json::Error> {
    let mut parser = serde_json::Deserializer::from_str(text);
    // the depth is bounded already, and by one level more than serde_json would allow
    parser.disable_recursion_limit();
    let found = if is_object(text) {
        Some(parser.deserialize_map(Members(names))?)
    } else {
        parser.deserialize_ignored_any(IgnoredAny)?;
        None
    };
    parser.end()?;
    Ok(found)
}

/// Whether the text of a value can only be an object's.
pub(super) fn is_object(text: &str) -> bool {
    text.trim_start().starts_with('{')
}

struct Members<'n, const N: usize>([&'n str; N]);

impl<'de, const N: usize> Visitor<'de> for Members<'_, N> {
    type Value = [Option<&'de RawValue>; N];

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut found = [None; N];
        while let Some(index) = map.next_key_seed(Index(&self.0))? {
            match index {
                Some(index) => found[index] = Some(map.next_value()?),
                None => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(found)
    }
}

/// Reads a key as its index among the wanted names, without a copy of the others.
struct Index<'n>(&'n [&'n str]);

impl<'de> DeserializeSeed<'de> for Index<'_> {
    type Value = Option<usize>;

    fn deserialize<D: Deserializer<'de>>(self, key: D) -> Result<Self::Value, D::Error> {
        key.deserialize_str(self)
    }
}

impl Visitor<'_> for Index<'_> {
    type Value = Option<usize>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E>(self, key: &str) -> Result<Self::Value, E> {
        Ok(self.0.iter().position(|name| *name == key))
    }
}

/// A scalar as text: a string's content, or a number's or boolean's own spelling. `None` for null,
/// lists, objects and the empty string, which all say nothing.
pub(super) fn scalar(raw: Option<&RawValue>) -> Option<String> {
    let text = raw?.get();
    match text.as_bytes().first()? {
        b'"' => serde_json::from_str(text)
            .ok()
            .filter(|text: &String| !text.is_empty()),
        b'{' | b'[' | b'n' => None,
        _ => Some(text.to_owned()),
    }
}

/// A boolean.
pub(super) fn boolean(raw: Option<&RawValue>) -> Option<bool> {
    match raw?.get() {
        "true" => Some(true),
        "false" => Some(false),
        _ => None,
    }
}

/// A number, or a string that holds one.
pub(super) fn number(raw: Option<&RawValue>) -> Option<f64> {
    let number: f64 = scalar(raw)?.parse().ok()?;
    number.is_finite().then_some(number)
}

/// A number without its fraction.
pub(super) fn integer(raw: Option<&RawValue>) -> Option<i64> {
    let text = scalar(raw)?;
    text.parse().ok().or_else(|| {
        // saturates, which keeps a wild number on its side of every threshold
        #[expect(
            clippy::cast_possible_truncation,
            reason = "the saturation is what is wanted"
        )]
        number(raw).map(|number| number.trunc() as i64)
    })
}

/// The whole of a text as a tree. The caller bounds its size.
///
/// # Errors
///
/// The text is not JSON, or holds a number that no float can.
pub(super) fn tree(text: &str) -> Result<Json, serde_json::Error> {
    let mut parser = serde_json::Deserializer::from_str(text);
    parser.disable_recursion_limit();
    let tree = Tree.deserialize(&mut parser)?;
    parser.end()?;
    Ok(tree)
}

struct Tree;

impl<'de> DeserializeSeed<'de> for Tree {
    type Value = Json;

    fn deserialize<D: Deserializer<'de>>(self, value: D) -> Result<Json, D::Error> {
        value.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Tree {
    type Value = Json;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Json, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Json, E> {
        Ok(Json::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Json, E> {
        Ok(Json::Int(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Json, E> {
        Ok(i64::try_from(value).map_or(Json::UInt(value), Json::Int))
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Json, E> {
        if value.is_finite() {
            Ok(Json::Float(value))
        } else {
            Err(E::custom("a number beyond every float"))
        }
    }

    fn visit_str<E>(self, value: &str) -> Result<Json, E> {
        Ok(Json::String(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Json, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = list.next_element_seed(Tree)? {
            items.push(item);
        }
        Ok(Json::Array(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Json, A::Error> {
        let mut entries = Vec::new();
        while let Some(key) = map.next_key::<String>()? {
            entries.push((key, map.next_value_seed(Tree)?));
        }
        Ok(Json::Object(entries))
    }
}

/// A tree, to be written. Keys keep their order, integers stay integers.
pub(super) struct Written<'a>(pub(super) &'a Json);

impl Serialize for Written<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Json::Null => to.serialize_unit(),
            Json::Bool(value) => to.serialize_bool(*value),
            Json::Int(value) => to.serialize_i64(*value),
            Json::UInt(value) => to.serialize_u64(*value),
            Json::Float(value) => to.serialize_f64(*value),
            Json::String(value) => to.serialize_str(value),
            Json::Array(items) => to.collect_seq(items.iter().map(Written)),
            Json::Object(entries) => {
                let mut map = to.serialize_map(Some(entries.len()))?;
                for (key, value) in entries {
                    map.serialize_entry(key, &Written(value))?;
                }
                map.end()
            }
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    fn nested(levels: usize) -> String {
        "[".repeat(levels) + &"]".repeat(levels)
    }

    #[test]
    fn depth_is_bounded_to_the_level() {
        for (levels, fine) in [(127, true), (128, true), (129, false), (1_000_000, false)] {
            assert_eq!(scan(nested(levels).as_bytes()).is_ok(), fine, "{levels}");
        }
        let deepest = nested(MAX_DEPTH);
        assert!(members(&deepest, [""]).unwrap().is_none());
        assert!(tree(&deepest).is_ok());
        // brackets in strings are no levels
        let text = format!("[\"{}\\\"{}\"]", "[".repeat(200), "{".repeat(200));
        assert_eq!(scan(text.as_bytes()).unwrap().values, 2);
    }

    #[test]
    fn half_a_surrogate_pair_reads_as_u_fffd_and_a_whole_one_as_itself() {
        for (text, expected) in [
            (r#""x\ud800y""#, "x\u{fffd}y"),
            (r#""\udc00""#, "\u{fffd}"),
            (r#""\ud800\ud800""#, "\u{fffd}\u{fffd}"),
            (r#""\ud83d\ude00""#, "😀"),
            (r#""\ud83d\n""#, "\u{fffd}\n"),
            (r#""\\ud800""#, "\\ud800"),
            (r#""密\ud800密""#, "密\u{fffd}密"),
        ] {
            let scanned = scan(text.as_bytes()).unwrap();
            let read: String = serde_json::from_str(&scanned.text).unwrap();
            assert_eq!(read, expected, "{text}");
        }
    }

    #[test]
    fn what_is_not_utf8_is_refused_with_its_place() {
        assert_eq!(
            scan(b"{\"a\":\xff}").unwrap_err(),
            "not UTF-8 from byte 5 on"
        );
    }

    #[test]
    fn members_are_read_as_they_are_spelt_and_the_last_of_two_wins() {
        let text = r#" {"b": 599.30, "a": 1, "x": {"b": 0}, "a": "t\u0077o", "\u0063": null} "#;
        let [a, b, c, d] = members(text, ["a", "b", "c", "d"]).unwrap().unwrap();
        assert_eq!(scalar(a).as_deref(), Some("two"));
        assert_eq!(scalar(b).as_deref(), Some("599.30"));
        assert!(c.is_some() && scalar(c).is_none());
        assert!(d.is_none());
    }

    #[test]
    fn what_is_not_json_is_an_error() {
        for text in [
            "",
            "{",
            "{\"a\":1}x",
            "nul",
            "<html>",
            "{\"a\":01}",
            "\u{feff}{}",
            "{'a':1}",
        ] {
            assert!(members(text, ["a"]).is_err(), "{text}");
        }
        for text in ["null", "1", "[]", "\"x\""] {
            assert!(members(text, ["a"]).unwrap().is_none(), "{text}");
        }
    }

    #[test]
    fn numbers_are_read_from_numbers_and_from_their_text() {
        let text = r#"{"a":200,"b":200.9,"c":"401","d":1e300,"e":true,"f":"x"}"#;
        let [a, b, c, d, e, f] = members(text, ["a", "b", "c", "d", "e", "f"])
            .unwrap()
            .unwrap();
        assert_eq!(integer(a), Some(200));
        assert_eq!(integer(b), Some(200));
        assert_eq!(integer(c), Some(401));
        assert_eq!(integer(d), Some(i64::MAX));
        assert_eq!(integer(e), None);
        assert_eq!(boolean(e), Some(true));
        assert_eq!(integer(f), None);
    }

    #[test]
    fn a_tree_is_written_as_it_was_read() {
        let text = r#"{"z":1,"a":[1.0,2.5,null,true,"密\n"],"big":18446744073709551615,"neg":-7}"#;
        let tree = tree(text).unwrap();
        assert_eq!(serde_json::to_string(&Written(&tree)).unwrap(), text);
        assert!(super::tree("1e999").is_err());
    }
}
