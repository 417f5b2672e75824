//! Warnings: what is legal and probably not meant.

use std::time::Duration;

use super::error::{Problem, Report};
use super::raw::Job;
use super::read::At;
use super::words::{CatchupWord, ReturnTypeWord};

/// How long the engine itself holds a call open by default (functions get 35 s, the reply 10 more).
const ENGINE_WAIT: Duration = Duration::from_secs(45);

/// Looks at a function's id that is legal otherwise.
pub(super) fn func_id(At { value, at }: &At<String>, path: String, report: &mut Report) {
    if !follows_grammar(value) {
        let problem = Problem::new("does not look like set__script.function")
            .hint("compare it with the output of `funcron functions`");
        report.warning(*at, path, problem);
    }
}

/// Looks over one job. `path` names a key, in `defaults` or in the job itself.
pub(super) fn job(job: &Job, path: impl Fn(&str, bool) -> String, report: &mut Report) {
    if let Some(At { value, at }) = job.return_type.given()
        && matches!(value, ReturnTypeWord::All | ReturnTypeWord::Repr)
    {
        report.warning(
            *at,
            path("return_type", at.in_defaults),
            Problem::new(
                "engines from 3.0 on refuse ALL and repr, though the API document has them",
            )
            .hint("leave return_type out"),
        );
    }
    timeouts(job, &path, report);
    if let Some(At { at, .. }) = job.max_catchup.given()
        && !at.in_defaults
        && job.catchup.value() != Some(&CatchupWord::All)
    {
        report.warning(
            *at,
            path("max_catchup", at.in_defaults),
            Problem::new("counts under `catchup: all` alone").hint("add that, or remove it"),
        );
    }
    for At { value, at } in job.schedule.value().iter().flat_map(|texts| &texts.0) {
        if restricts_both_days(&value.text) {
            report.warning(
                *at,
                path("schedule", at.in_defaults),
                Problem::new("day-of-month and day-of-week are both given: either one matches")
                    .hint("make one of them `*`, unless that is meant"),
            );
        }
    }
}

fn timeouts(job: &Job, path: impl Fn(&str, bool) -> String, report: &mut Report) {
    let Some(At { value: timeout, at }) = job.timeout.given() else {
        return;
    };
    if timeout.0 < ENGINE_WAIT {
        report.warning(
            *at,
            path("timeout", at.in_defaults),
            Problem::new(
                "the engine answers after up to 45s; a shorter timeout makes slow calls `unknown`",
            )
            .hint("use 60s, unless the function's own time limit is shorter"),
        );
    }
    if let Some(At {
        value: deadline,
        at,
    }) = job.deadline.given()
        && deadline.0 < timeout.0
    {
        report.warning(
            *at,
            path("deadline", at.in_defaults),
            Problem::new("is shorter than timeout, which then never counts")
                .hint("make it longer, or shorten timeout"),
        );
    }
}

/// The id's grammar as the engine's route has it. Only a warning: Python's names may be any
/// letters, and the API document's own example breaks it.
fn follows_grammar(func_id: &str) -> bool {
    let word = |text: &str| {
        text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
    };
    func_id
        .split_once('.')
        .and_then(|(script, function)| {
            let (set, script) = script.split_once("__")?;
            Some((set, script, function))
        })
        .is_some_and(|(set, script, function)| {
            word(set)
                && !script.is_empty()
                && script
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b == b'_')
                && word(function)
        })
}

fn restricts_both_days(expression: &str) -> bool {
    let fields: Vec<&str> = expression.split_whitespace().collect();
    let (dom, dow) = match fields[..] {
        [first, ..] if first.starts_with('@') => return false,
        [_, _, dom, _, dow] => (dom, dow),
        [_, _, _, dom, _, dow] | [_, _, _, dom, _, dow, _] => (dom, dow),
        _ => return false,
    };
    let restricted = |field: &str| !field.starts_with(['*', '?']);
    restricted(dom) && restricted(dow)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_of_set_script_and_function_follows_the_grammar() {
        for good in ["guance__openapi.test", "demo__test__more.hello", "_a__1.b"] {
            assert!(follows_grammar(good), "{good}");
        }
        for odd in [
            "hello_world_msg",
            "a_b.c",
            "a__b",
            "1a__b.c",
            "a__b.c.d",
            "a__.c",
            "",
            ".",
        ] {
            assert!(!follows_grammar(odd), "{odd}");
        }
    }

    #[test]
    fn both_days_are_restricted_only_where_neither_begins_with_a_star_or_question_mark() {
        for (expression, both) in [
            ("0 0 1 * mon", true),
            ("0 0 0 1 * mon", true),
            ("0 0 0 1 * mon 2027", true),
            ("0 0 * * mon", false),
            ("0 0 1 * *", false),
            ("0 0 */2 * mon", false),
            ("0 0 ? * mon", false),
            ("@at 2026-12-24T18:00:00+08:00", false),
            ("@every 1 2 3 4", false),
        ] {
            assert_eq!(restricts_both_days(expression), both, "{expression}");
        }
    }
}
