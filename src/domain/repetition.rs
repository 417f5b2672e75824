//! Lists that an expression would repeat.
//!
//! minijinja makes `[1] * 100000000` without work, and has no fuel to charge for it; whoever then goes
//! through the list pays in seconds and gigabytes, and no fuel ends that. There is no honest use for
//! it, so an expression that multiplies and writes a list is refused when it is read. A list that
//! comes from elsewhere is as long as a reply may be, and is not looked for.

/// Words after which `[` begins a list, not an index.
const OPERATORS: [&str; 7] = ["in", "and", "or", "not", "if", "else", "is"];

/// What is said of such an expression.
pub(super) const REFUSAL: &str = "a list cannot be multiplied, nor anything beside one";

/// Whether an expression multiplies and writes a list, each anywhere in it.
pub(super) fn may_repeat_a_list(source: &str) -> bool {
    let (mut multiplies, mut lists) = (false, false);
    let mut signs = source.char_indices();
    while let Some((at, sign)) = signs.next() {
        match sign {
            '\'' | '"' => skip_text(sign, &mut signs),
            '*' => multiplies = true,
            '[' => lists |= !is_index(&source[..at]),
            _ => {}
        }
    }
    multiplies && (lists || source.contains("range"))
}

fn skip_text(quote: char, signs: &mut std::str::CharIndices<'_>) {
    while let Some((_, sign)) = signs.next() {
        if sign == '\\' {
            signs.next();
        } else if sign == quote {
            return;
        }
    }
}

/// Whether a `[` after this looks something up in a value.
fn is_index(before: &str) -> bool {
    let before = before.trim_end();
    let is_of_a_word = |sign: char| sign.is_alphanumeric() || sign == '_';
    let word = before.rsplit(|sign| !is_of_a_word(sign)).next();
    match word {
        Some(word) if !word.is_empty() => !OPERATORS.contains(&word),
        _ => before.ends_with([')', ']', '}', '\'', '"']),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_that_is_written_beside_a_multiplication_is_found() {
        for source in [
            "[1] * 100000000",
            "100000000*[1]",
            "x in [1] * 9",
            "('a' if b else [1]) * 9",
            "(((['a'])) * 9) ~ 'x'",
            "range(100000) * 1000",
        ] {
            assert!(may_repeat_a_list(source), "{source}");
        }
    }

    #[test]
    fn honest_expressions_are_left_alone() {
        for source in [
            "result.items[0] * 5",
            "(result)[1]['a'] * 2 < 7",
            "result in ['a', 'b']",
            "'[' * 3",
            r"'it\'s *' in [1]",
            "\"*\" ~ [1][0]",
            "attempt * 2",
        ] {
            assert!(!may_repeat_a_list(source), "{source}");
        }
    }
}
