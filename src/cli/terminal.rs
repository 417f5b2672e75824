//! What may reach a terminal: tones where colours are wanted, and no control characters but ours.
//!
//! Texts in a ledger come from servers. One with an escape sequence in it could paint, move or
//! rename the terminal of whoever looks at it, one with a bidirectional override could show an
//! innocent text in the place of another.

use std::borrow::Cow;

use comfy_table::{Attribute, Color};
use unicode_width::UnicodeWidthStr;

/// How a text is meant. Colours follow from it, never the reverse.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Tone {
    #[default]
    Plain,
    /// A heading.
    Strong,
    /// Went well.
    Good,
    /// Did not.
    Bad,
    /// Somebody should look.
    Doubtful,
    /// Not over yet.
    Open,
    /// Of less weight.
    Quiet,
}

impl Tone {
    /// The tone of a run's state or an attempt's outcome.
    pub(super) fn of_state(word: &str) -> Self {
        match word {
            "success" => Self::Good,
            "waiting" | "running" => Self::Open,
            "unknown" | "missed" => Self::Doubtful,
            "skipped" | "cancelled" => Self::Quiet,
            _ => Self::Bad,
        }
    }

    pub(super) const fn color(self) -> Option<Color> {
        match self {
            Self::Plain | Self::Strong | Self::Quiet => None,
            Self::Good => Some(Color::DarkGreen),
            Self::Bad => Some(Color::DarkRed),
            Self::Doubtful => Some(Color::DarkYellow),
            Self::Open => Some(Color::DarkCyan),
        }
    }

    pub(super) const fn attribute(self) -> Option<Attribute> {
        match self {
            Self::Strong => Some(Attribute::Bold),
            Self::Quiet => Some(Attribute::Dim),
            _ => None,
        }
    }

    /// The text between this tone's escape sequences, which must be wanted.
    pub(super) fn paint(self, text: &str) -> String {
        let code = match self {
            Self::Plain => return text.to_owned(),
            Self::Strong => "1",
            Self::Good => "32",
            Self::Bad => "31",
            Self::Doubtful => "33",
            Self::Open => "36",
            Self::Quiet => "2",
        };
        format!("\u{1b}[{code}m{text}\u{1b}[0m")
    }
}

/// The text on one line, with every character that acts on a terminal spelt out.
pub(super) fn line(text: &str) -> Cow<'_, str> {
    spelt_out(text, acts)
}

/// The text with its own lines, with every other character that acts on a terminal spelt out.
pub(super) fn lines(text: &str) -> Cow<'_, str> {
    spelt_out(text, |c| c != '\n' && acts(c))
}

/// Columns that a text takes; wide scripts take two a character.
pub(super) fn width(text: &str) -> usize {
    text.width()
}

fn spelt_out(text: &str, acts: impl Fn(char) -> bool) -> Cow<'_, str> {
    if !text.contains(&acts) {
        return Cow::Borrowed(text);
    }
    let mut safe = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if acts(c) {
            safe.extend(c.escape_default());
        } else {
            safe.push(c);
        }
    }
    Cow::Owned(safe)
}

/// Control characters, separators of lines, and what changes the direction of writing.
fn acts(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{2028}' | '\u{2029}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_acts_on_a_terminal_passes() {
        assert_eq!(
            line("a\u{1b}[31mb\u{7}\u{9b}2J\r\n\t"),
            "a\\u{1b}[31mb\\u{7}\\u{9b}2J\\r\\n\\t"
        );
        assert_eq!(line("evil\u{202e}gpj.exe"), "evil\\u{202e}gpj.exe");
        assert_eq!(lines("a\nb\r\u{1b}c"), "a\nb\\r\\u{1b}c");
    }

    #[test]
    fn text_of_any_script_passes_as_it_is() {
        for text in ["每日报表：失败", "עברית", "e\u{301}", "👩‍🔧", "\\u{1b}"] {
            assert_eq!(line(text), text);
        }
    }
}
