//! What the YAML parser says, in words that name the usual cause.
//!
//! The parser knows that an alias has no name; the person has written `schedule: * * * * *`. The
//! guess is made from the line, and the line's content is never quoted.

use super::error::Problem;

/// Puts the parser's complaint and the likely remedy into words. `line` counts from 1.
pub(super) fn explain(info: &str, text: &str, line: usize) -> Problem {
    if info.contains("recursion limit") {
        return Problem::new("nested deeper than hundreds of levels").hint("flatten it");
    }
    let problem = Problem::new(format!("not valid YAML: {}", one_line(info)));
    match remedy(text, line) {
        Some(hint) if info.contains("unknown anchor") => problem.hint(format!(
            "{hint}; or, if an alias is meant, define its anchor above"
        )),
        Some(hint) => problem.hint(hint),
        None => problem,
    }
}

fn one_line(info: &str) -> String {
    info.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Looks at the line of the error and the one before it: the parser often notices a line late.
fn remedy(text: &str, line: usize) -> Option<String> {
    const LONGEST: usize = 4096;
    let around: Vec<&str> = text
        .lines()
        .skip(line.saturating_sub(2))
        .take(if line > 1 { 2 } else { 1 })
        .filter(|line| line.len() <= LONGEST)
        .collect();
    for line in around.iter().rev() {
        if line.trim_start_matches(' ').starts_with('\t') {
            return Some("indent with spaces, not tabs".to_owned());
        }
        if let Some(start) = unquoted_start(line) {
            return Some(format!(
                "quote it: a value that begins with `{start}` needs \"…\" around it"
            ));
        }
    }
    None
}

/// The sign that begins a value of this line and that YAML keeps for itself.
fn unquoted_start(line: &str) -> Option<&'static str> {
    let values = line
        .match_indices([':', '-', ',', '['])
        .filter_map(|(at, found)| {
            let rest = &line[at + found.len()..];
            let value = rest.trim_start();
            (found == "[" || value.len() < rest.len()).then_some(value)
        });
    for value in values.chain([line.trim_start()]) {
        for start in ["*", "@", "{{", "%", "`"] {
            if value.starts_with(start) {
                return Some(start);
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unquoted_sign_is_found_wherever_a_value_may_begin() {
        for (line, start) in [
            ("schedule: * * * * *", Some("*")),
            ("  - @daily", Some("@")),
            ("schedule: [\"0 0 * * *\", @daily]", Some("@")),
            ("title: {{ run_id }}", Some("{{")),
            ("schedule: [*/5 * * * *]", Some("*")),
            ("schedule: \"* * * * *\"", None),
            ("description: five * five", None),
        ] {
            assert_eq!(unquoted_start(line), start, "{line}");
        }
    }
}
