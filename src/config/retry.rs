//! `retry`: which outcomes are followed by another attempt, and when.

use std::time::Duration;

use super::definition::{DurationText, RetryText};
use super::error::{Position, Problem, Report};
use super::raw::{self, Job};
use super::read::{At, Key, List};
use super::value::place;
use crate::domain::job::RetryPolicy;
use crate::domain::outcome::Outcome;
use crate::domain::retry::{NEEDS_IDEMPOTENT, default_on};

/// Takes over from the defaults, key by key.
pub(super) fn inherit(own: &mut raw::Retry, defaults: &raw::Retry) {
    own.max_attempts.inherit(&defaults.max_attempts);
    own.initial_delay.inherit(&defaults.initial_delay);
    own.multiplier.inherit(&defaults.multiplier);
    own.max_delay.inherit(&defaults.max_delay);
    own.jitter.inherit(&defaults.jitter);
    own.on.inherit(&defaults.on);
    own.not_on.inherit(&defaults.not_on);
    own.into_next_tick.inherit(&defaults.into_next_tick);
}

/// The policy of a job, defaults filled in. Faults are reported, and what is wrong left out.
pub(super) fn policy(
    job: &Job,
    path: impl Fn(&str, bool) -> String,
    report: &mut Report,
) -> RetryPolicy {
    let nothing = raw::Retry::default();
    let raw = job.retry.value().unwrap_or(&nothing);
    let initial_delay = raw
        .initial_delay
        .value()
        .map_or(Duration::from_secs(5), |span| span.0);
    let max_delay = raw
        .max_delay
        .value()
        .map_or(Duration::from_secs(300), |span| span.0);
    if max_delay < initial_delay {
        let (key, at, problem) = match (&raw.max_delay, &raw.initial_delay) {
            (Key::Given(max), _) => (
                "retry.max_delay",
                max.at,
                Problem::new("is shorter than initial_delay").hint("make it at least as long"),
            ),
            (_, initial) => (
                "retry.initial_delay",
                place(initial, Position::default()),
                Problem::new("is longer than max_delay, which is 5m by default")
                    .hint("set max_delay too"),
            ),
        };
        report.error(at, path(key, at.in_defaults), problem);
    }
    RetryPolicy {
        max_attempts: raw.max_attempts.value().map_or(3, |whole| whole.0),
        initial_delay,
        multiplier: raw.multiplier.value().map_or(2.0, |real| real.0),
        max_delay,
        jitter: raw.jitter.value().map_or(0.2, |real| real.0),
        on: outcomes(job, raw, path, report),
        into_next_tick: raw.into_next_tick.value().copied().unwrap_or(false),
    }
}

/// The list, in the order of the documentation.
fn outcomes(
    job: &Job,
    raw: &raw::Retry,
    path: impl Fn(&str, bool) -> String,
    report: &mut Report,
) -> Vec<Outcome> {
    let is_idempotent = job.idempotent.value().copied().unwrap_or(false);
    let knows_idempotent = !matches!(job.idempotent, Key::Bad);
    for (outcome, at) in written(&raw.on) {
        let problem = if outcome == Outcome::Success {
            Problem::new("a success is never retried").hint("remove it")
        } else if NEEDS_IDEMPOTENT.contains(&outcome) && !is_idempotent && knows_idempotent {
            Problem::new(format!(
                "after `{outcome}` the function may have run; only an idempotent job repeats it"
            ))
            .hint("set `idempotent: true` if running twice does no harm, or remove it")
        } else {
            continue;
        };
        report.error(at, path("retry.on", at.in_defaults), problem);
    }
    let listed: Vec<Outcome> = match raw.on.given() {
        Some(_) => written(&raw.on).map(|(outcome, _)| outcome).collect(),
        None => default_on(is_idempotent),
    };
    let excluded: Vec<Outcome> = written(&raw.not_on).map(|(outcome, _)| outcome).collect();
    Outcome::ALL
        .into_iter()
        .filter(|outcome| listed.contains(outcome) && !excluded.contains(outcome))
        .collect()
}

fn written(list: &Key<List<Outcome>>) -> impl Iterator<Item = (Outcome, Position)> {
    list.value()
        .into_iter()
        .flat_map(|list| &list.0)
        .map(|At { value, at }| (*value, *at))
}

/// The policy's part of a definition.
pub(super) fn text(policy: &RetryPolicy) -> RetryText {
    RetryText {
        max_attempts: policy.max_attempts,
        initial_delay: DurationText(policy.initial_delay),
        multiplier: policy.multiplier,
        max_delay: DurationText(policy.max_delay),
        jitter: policy.jitter,
        on: policy
            .on
            .iter()
            .map(|outcome| outcome.as_str().to_owned())
            .collect(),
        into_next_tick: policy.into_next_tick,
    }
}
