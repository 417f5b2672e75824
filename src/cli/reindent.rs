//! JSON for people, without reading it: the text's own tokens on lines of their own.
//!
//! Parsing and printing again would change what an auditor looks at: long integers lose digits, a
//! key that stands twice loses one value, a body cut at the ledger's limit could not be shown at all.

/// Deepest indentation, in levels; a body of brackets alone would otherwise grow by its square.
const DEEPEST: usize = 32;

/// The text with its JSON structure as lines and indentation, by two blanks a level. Strings and
/// numbers stay as they are, byte by byte. What does not begin like an object or a list is left alone.
pub(super) fn reindent(text: &str) -> String {
    let text = text.trim();
    if !text.starts_with(['{', '[']) {
        return text.to_owned();
    }
    let mut out = String::with_capacity(text.len() * 2);
    let mut depth = 0_usize;
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '"' => {
                out.push(c);
                string(&mut rest, &mut out);
            }
            '{' | '[' => {
                out.push(c);
                skip_blanks(&mut rest);
                if let Some(end) = rest.next_if(|next| matches!(next, '}' | ']')) {
                    out.push(end);
                } else {
                    depth += 1;
                    new_line(&mut out, depth);
                }
            }
            '}' | ']' => {
                depth = depth.saturating_sub(1);
                new_line(&mut out, depth);
                out.push(c);
            }
            ',' => {
                out.push(c);
                new_line(&mut out, depth);
            }
            ':' => out.push_str(": "),
            c if c.is_ascii_whitespace() => {}
            c => out.push(c),
        }
    }
    out
}

type Rest<'t> = std::iter::Peekable<std::str::Chars<'t>>;

fn string(rest: &mut Rest<'_>, out: &mut String) {
    while let Some(c) = rest.next() {
        out.push(c);
        match c {
            '"' => return,
            '\\' => out.extend(rest.next()),
            _ => {}
        }
    }
}

fn skip_blanks(rest: &mut Rest<'_>) {
    while rest.next_if(char::is_ascii_whitespace).is_some() {}
}

fn new_line(out: &mut String, depth: usize) {
    out.push('\n');
    out.extend(std::iter::repeat_n("  ", depth.min(DEEPEST)));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn structure_becomes_lines_and_values_stay_as_they_are() {
        let text = r#"{"id":7390361544936022329123,"a":[1.10,{}],"a" : "x\",{",
            "e":[ ]}"#;
        let wanted = "{\n  \"id\": 7390361544936022329123,\n  \"a\": [\n    1.10,\n    {}\n  ],\n  \"a\": \"x\\\",{\",\n  \"e\": []\n}";
        assert_eq!(reindent(text), wanted);
    }

    #[test]
    fn a_text_cut_anywhere_is_shown_as_far_as_it_goes() {
        let text = r#"{"a":["b\"c",{"d":"e"}]}"#;
        for end in 0..=text.len() {
            let shown = reindent(&text[..end]);
            let bare = |text: &str| text.replace([' ', '\n'], "");
            assert_eq!(bare(&shown), bare(&text[..end]));
        }
    }

    #[test]
    fn what_is_no_json_is_left_alone_and_depth_does_not_multiply() {
        assert_eq!(reindent("<html>\n <b>, 502"), "<html>\n <b>, 502");
        let deep = "[".repeat(10_000);
        assert!(reindent(&deep).len() < 10_000 * (2 * DEEPEST + 3));
    }
}
