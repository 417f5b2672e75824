//! Striking secrets out of what is stored or shown.
//!
//! A failed reply echoes the request: `reqDump.bodyDump` is the JSON body, itself a string of a
//! JSON reply, cut off after 997 characters and `...`. So a secret is found raw, JSON-escaped
//! once or twice in any of JSON's spellings (`"`, `\"`, `\u0022`, `\\u0022`), and where 6 or more
//! of its first characters stand before such a cut, or before the end of the text. A third layer
//! is taken off, too: Guance's own sample of a reply has one more than the engine makes.
//!
//! The search decodes while it compares; no table of spellings could be complete, since every
//! character may be written as `\uXXXX`.

use std::borrow::Cow;

use crate::domain::secret::{MIN_SECRET_BYTES, REDACTED, Secret};

/// Fewer characters than this of a secret's beginning say too little to be struck out.
const MIN_PREFIX: usize = 6;

/// Layers of JSON's escapes that are taken off.
const LAYERS: u8 = 3;

/// What the engine puts where it cuts a dump off.
const CUT: &str = "...";

/// The secrets of one call.
pub struct Redactor {
    secrets: Vec<Secret>,
    /// Bytes a match can begin with.
    begins: [bool; 256],
}

impl std::fmt::Debug for Redactor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Redactor({} secrets)", self.secrets.len())
    }
}

impl Redactor {
    /// A redactor for these secrets; an empty one is ignored. Of a secret of several lines, each line
    /// is one, too: the engine shows the last line of an exception by itself.
    pub fn new<'a>(secrets: impl IntoIterator<Item = &'a Secret>) -> Self {
        let secrets: Vec<_> = secrets
            .into_iter()
            .filter(|secret| !secret.expose().is_empty())
            .flat_map(|secret| {
                let is_telling = |line: &&str| line.len() >= MIN_SECRET_BYTES;
                let lines = secret.expose().lines().filter(is_telling);
                let lines = lines.filter(|line| line.len() < secret.expose().len());
                let lines = lines.map(|line| Secret::new(line.to_owned()));
                std::iter::once(secret.clone()).chain(lines)
            })
            .collect();
        let mut begins = [false; 256];
        for secret in &secrets {
            for byte in [secret.expose().as_bytes()[0], b'\\'] {
                begins[usize::from(byte)] = true;
            }
        }
        Self { secrets, begins }
    }

    /// The text with [`REDACTED`] in the place of every secret.
    pub fn redact<'t>(&self, text: &'t str) -> Cow<'t, str> {
        let mut clean = String::new();
        let mut copied = 0;
        // The struck span under way; secrets that overlap are struck out as one.
        let mut struck: Option<(usize, usize)> = None;
        for (at, byte) in text.bytes().enumerate() {
            if !self.begins[usize::from(byte)] || !self.may_follow(text, at) {
                continue;
            }
            let Some(end) = self.longest(text, at) else {
                continue;
            };
            struck = match struck {
                Some((from, until)) if at < until => Some((from, until.max(end))),
                Some((from, until)) => {
                    clean.push_str(&text[copied..from]);
                    clean.push_str(REDACTED);
                    copied = until;
                    Some((at, end))
                }
                None => Some((at, end)),
            };
        }
        let Some((from, until)) = struck else {
            return Cow::Borrowed(text);
        };
        clean.push_str(&text[copied..from]);
        clean.push_str(REDACTED);
        clean.push_str(&text[until..]);
        Cow::Owned(clean)
    }

    /// Whether what follows the byte at `at` can be a secret's second byte, in any spelling. Nearly every
    /// byte that a secret could begin with begins none, which is told here without decoding anything.
    fn may_follow(&self, text: &str, at: usize) -> bool {
        let bytes = text.as_bytes();
        let (first, second) = (bytes[at], bytes.get(at + 1));
        if first == b'\\' || second == Some(&b'\\') {
            return true;
        }
        let mut secrets = self.secrets.iter().map(|secret| secret.expose().as_bytes());
        secrets.any(|secret| {
            secret[0] == first && (secret.get(1).is_none() || secret.get(1) == second)
        })
    }

    /// Where the longest secret ends that begins at `at`.
    fn longest(&self, text: &str, at: usize) -> Option<usize> {
        let rest = text.get(at..)?;
        let mut longest = None;
        for level in 0..=LAYERS {
            // Decoded once for all secrets: a reply may be megabytes of backslashes.
            let Some((first, _)) = next_char(rest, 0, level) else {
                continue;
            };
            let found = self
                .secrets
                .iter()
                .map(Secret::expose)
                .filter(|secret| secret.starts_with(first))
                .filter_map(|secret| matched(rest, secret, level))
                .max();
            longest = longest.max(found);
        }
        longest.map(|length| at + length)
    }
}

/// How much of the beginning of `text` is the secret, escaped `level` times, or a cut-off prefix.
fn matched(text: &str, secret: &str, level: u8) -> Option<usize> {
    let mut at = 0;
    for (count, expected) in secret.chars().enumerate() {
        match next_char(text, at, level) {
            Some((found, next)) if found == expected => at = next,
            _ if count >= MIN_PREFIX => return cut_off(text, at),
            _ => return None,
        }
    }
    Some(at)
}

/// Where a prefix that ends at `at` was cut off: the end of what is left of it, if it was. The cut
/// may lie within an escape, whose stump goes with it.
fn cut_off(text: &str, at: usize) -> Option<usize> {
    let rest = &text[at..];
    let stump = match rest.starts_with('\\') {
        true => rest
            .bytes()
            .take_while(|byte| byte.is_ascii_hexdigit() || matches!(byte, b'\\' | b'u'))
            .count(),
        false => 0,
    };
    let after = &rest[stump..];
    let ended = after
        .trim_start_matches(char::REPLACEMENT_CHARACTER)
        .is_empty();
    (ended || after.starts_with(CUT)).then_some(at + stump)
}

/// The character at `at`, with `level` layers of JSON's escapes taken off, and where the next one
/// begins. `None` at the end, and where an escape is none.
fn next_char(text: &str, at: usize, level: u8) -> Option<(char, usize)> {
    let Some(below) = level.checked_sub(1) else {
        let found = text.get(at..)?.chars().next()?;
        return Some((found, at + found.len_utf8()));
    };
    let (found, at) = next_char(text, at, below)?;
    if found != '\\' {
        return Some((found, at));
    }
    let (escape, at) = next_char(text, at, below)?;
    let meant = match escape {
        '"' | '\\' | '/' => escape,
        'b' => '\u{8}',
        'f' => '\u{c}',
        'n' => '\n',
        'r' => '\r',
        't' => '\t',
        'u' => return unicode_escape(text, at, below),
        _ => return None,
    };
    Some((meant, at))
}

/// What follows `\u`: four digits, or two halves of a pair. Half a pair reads as U+FFFD.
fn unicode_escape(text: &str, at: usize, level: u8) -> Option<(char, usize)> {
    let (unit, at) = hex4(text, at, level)?;
    if let Some(found) = char::from_u32(unit) {
        return Some((found, at));
    }
    let pair = || {
        let (backslash, at) = next_char(text, at, level)?;
        let (letter, at) = next_char(text, at, level)?;
        let (low, at) = hex4(text, at, level)?;
        let both = (0xD800..0xDC00).contains(&unit)
            && (0xDC00..0xE000).contains(&low)
            && (backslash, letter) == ('\\', 'u');
        let code = 0x1_0000 + ((unit & 0x3FF) << 10) + (low & 0x3FF);
        char::from_u32(code)
            .filter(|_| both)
            .map(|found| (found, at))
    };
    Some(pair().unwrap_or((char::REPLACEMENT_CHARACTER, at)))
}

fn hex4(text: &str, mut at: usize, level: u8) -> Option<(u32, usize)> {
    let mut value = 0;
    for _ in 0..4 {
        let (digit, next) = next_char(text, at, level)?;
        value = value * 16 + digit.to_digit(16)?;
        at = next;
    }
    Some((value, at))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn redactor(secrets: &[&str]) -> Redactor {
        let secrets: Vec<_> = secrets
            .iter()
            .map(|secret| Secret::new((*secret).to_owned()))
            .collect();
        Redactor::new(&secrets)
    }

    fn escaped(text: &str) -> String {
        let quoted = serde_json::to_string(text).unwrap();
        quoted[1..quoted.len() - 1].to_owned()
    }

    /// As Python's json.dumps and others write: nothing but ASCII.
    fn ascii_escaped(text: &str) -> String {
        let mut out = String::new();
        for unit in text.encode_utf16() {
            match u8::try_from(unit) {
                Ok(byte @ 0x20..0x7f) if byte != b'"' && byte != b'\\' => out.push(byte.into()),
                _ => out.push_str(&format!("\\u{unit:04X}")),
            }
        }
        out
    }

    #[test]
    fn a_text_without_secrets_is_not_copied() {
        let redactor = redactor(&["hunter22"]);
        let text = r#"{"a":"b\\c"}"#;
        assert!(matches!(redactor.redact(text), Cow::Borrowed(_)));
        assert_eq!(redactor.redact(""), "");
    }

    #[test]
    fn a_secret_is_struck_out_raw_and_escaped_up_to_three_times() {
        let secret = "p\"a/s\\s\n密码🔑";
        let redactor = redactor(&[secret]);
        for spelt in [
            secret.to_owned(),
            escaped(secret),
            escaped(&escaped(secret)),
            escaped(&escaped(&escaped(secret))),
            ascii_escaped(secret),
            escaped(&ascii_escaped(secret)),
            ascii_escaped(&ascii_escaped(secret)),
            r#"p\"a\/s\\s\n密码🔑"#.to_owned(),
        ] {
            assert_eq!(redactor.redact(&format!("<{spelt}>")), "<***>", "{spelt}");
        }
    }

    #[test]
    fn a_prefix_before_the_engines_cut_is_struck_out() {
        let redactor = redactor(&["tkn_0123456789"]);
        for (text, clean) in [
            (r"tkn_012...\n <Length: 3035>", r"***...\n <Length: 3035>"),
            ("tkn_01", "***"),
            ("tkn_012", "***"),
            ("tkn_0", "tkn_0"),
            ("tkn_0...", "tkn_0..."),
            ("tkn_012 and more", "tkn_012 and more"),
            ("tkn_012\u{fffd}", "***\u{fffd}"),
        ] {
            assert_eq!(redactor.redact(text), clean);
        }
    }

    #[test]
    fn a_cut_within_an_escape_takes_its_stump_along() {
        let redactor = redactor(&["abcdef\"ghi"]);
        assert_eq!(redactor.redact(r"abcdef\..."), "***...");
        assert_eq!(redactor.redact(r"abcdef\\..."), "***...");
        assert_eq!(redactor.redact(r"abcdef\u00..."), "***...");
        assert_eq!(redactor.redact(r"abcdef\"), "***");
    }

    #[test]
    fn secrets_that_overlap_are_struck_out_together() {
        let redactor = redactor(&["abcdef", "defghi", "abcdefgh"]);
        assert_eq!(redactor.redact("xabcdefghix"), "x***x");
        assert_eq!(redactor.redact("abcdefabcdef"), "******");
    }

    #[test]
    fn a_line_of_a_secret_is_struck_out_where_it_stands_alone() {
        let redactor = redactor(&["first line\nsecond line\r\nlast"]);
        assert_eq!(
            redactor.redact("first line | second line | last"),
            "*** | *** | last"
        );
        assert_eq!(redactor.redact("first line\nsecond line\r\nlast"), "***");
    }

    #[test]
    fn an_empty_secret_strikes_nothing_out() {
        assert_eq!(redactor(&[""]).redact("a\\b"), "a\\b");
    }

    proptest! {
        #[test]
        fn no_spelling_of_a_secret_survives(
            secret in "\\PC{6,40}", before in "\\PC{0,20}", after in "\\PC{0,20}", spelling in 0..5,
        ) {
            // A secret that is part of what surrounds it, or of the mark itself, proves nothing.
            prop_assume!(!before.contains(&secret) && !after.contains(&secret));
            let spelt = match spelling {
                0 => secret.clone(),
                1 => escaped(&secret),
                2 => escaped(&escaped(&secret)),
                3 => ascii_escaped(&secret),
                _ => escaped(&ascii_escaped(&secret)),
            };
            let clean = redactor(&[&secret]).redact(&format!("{before}{spelt}{after}")).into_owned();
            prop_assert!(clean.contains(REDACTED));
            prop_assert!(!clean.contains(&spelt), "{}", clean);
        }

        #[test]
        fn no_cut_leaves_six_characters(
            secret in "[a-zA-Z0-9\"\\\\密🔑]{8,60}", escapes in 0..3u8, at in 0usize..200,
        ) {
            let text = (0..escapes).fold(format!("[[{secret}"), |text, _| escaped(&text));
            let cut: String = text.chars().take(2 + at).collect();
            let first: String = (0..escapes)
                .fold(secret.chars().take(MIN_PREFIX).collect(), |text: String, _| escaped(&text));
            for ending in ["", "...\\n <Length: 3035>"] {
                let clean = redactor(&[&secret]).redact(&format!("{cut}{ending}")).into_owned();
                prop_assert!(!clean.contains(&first), "{}", clean);
            }
        }

        #[test]
        fn no_text_makes_it_panic(text in "[\\\\u0-9a-f\"密]{0,80}", secret in "[\\\\u0-9a\"密]{0,9}") {
            redactor(&[&secret]).redact(&text);
        }
    }
}
