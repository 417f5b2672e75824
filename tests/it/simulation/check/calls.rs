//! The calls: each has its row (G1), the row tells the truth (G4), and there are not too many (G5).

use std::collections::HashMap;
use std::time::Duration;

use super::{AttemptRow, Faults, Seen, Story};
use crate::simulation::world::ROUNDING;

pub(super) fn check(story: &Story<'_>, faults: &mut Faults) {
    faults.unless(story.seen_as.len() == story.seen.len(), "G1", || {
        "one attempt was called twice".to_owned()
    });
    for call in story.seen {
        faults.unless(call.recorded, "G1", || {
            format!("a call was made before its row was durable: {call:?}")
        });
        faults.unless(story.row_of(call).is_some(), "G1", || {
            format!("a call without a row: {call:?}")
        });
        faults.unless(!story.is_early(call), "due", || {
            format!("sent before the instant that it was opened for: {call:?}")
        });
        faults.unless(call.ended <= call.begun + call.timeout, "timeout", || {
            format!("{call:?}")
        });
    }
    for attempt in &story.facts.attempts {
        let seen = story
            .seen_as
            .get(&(attempt.run_id.as_str(), attempt.attempt));
        the_verdict_is_true(story, attempt, seen.copied(), faults);
    }
    let by_key = |seen: &Seen| (seen.key.clone(), seen.limits.per_key);
    let by_workspace = |seen: &Seen| (seen.workspace.clone(), seen.limits.per_workspace);
    quota(story, by_key, faults);
    quota(story, by_workspace, faults);
    in_flight(story, faults);
}

/// What an attempt says of its end.
fn says(attempt: &AttemptRow) -> (Option<&str>, Option<&str>) {
    (
        attempt.outcome.as_deref(),
        attempt.unknown_reason.as_deref(),
    )
}

/// Somebody had it end, or a newer run did.
fn was_cut(attempt: &AttemptRow) -> bool {
    matches!(
        says(attempt),
        (Some("unknown"), Some("operator" | "replaced"))
    )
}

impl Story<'_> {
    /// The monotonic instant at which an attempt was closed that was open then.
    fn closed(&self, attempt: &AttemptRow, after: Duration) -> Option<Duration> {
        self.world.clocks.monotonic(attempt.finished_us?, after)
    }

    /// When a call ended: by its reply or its timeout, or because it was cut off before.
    pub(super) fn end_of(&self, seen: &Seen) -> Duration {
        let row = self.row_of(seen).filter(|row| was_cut(row));
        let cut = row.and_then(|row| self.closed(row, seen.begun));
        cut.map_or(seen.ended, |cut| cut.min(seen.ended))
    }

    /// Whether the call was made before the clock first showed what its attempt calls its opening: of one
    /// that was written a moment before its tick, the tick.
    fn is_early(&self, call: &Seen) -> bool {
        let row = self.row_of(call);
        let opened = row.and_then(|row| {
            let clocks = &self.world.clocks;
            clocks.monotonic(row.opened_us, Duration::ZERO)
        });
        opened.is_some_and(|opened| opened > call.begun + ROUNDING)
    }

    /// Whether something was there to cut the attempt off for this reason.
    fn may_be_cut(&self, attempt: &AttemptRow, reason: &str) -> bool {
        let run = attempt.run_id.as_str();
        match reason {
            "operator" => self.is_cancelled(run),
            "replaced" => {
                let run = self.runs[run];
                run.trigger == "schedule" && self.ever_had(&run.job, "cancel_running")
            }
            _ => false,
        }
    }

    /// Whether something was there to end the attempt between its opening and its call, as it says.
    fn may_be_unsent(&self, attempt: &AttemptRow) -> bool {
        let words = attempt.decided_by.as_deref().unwrap_or_default();
        if words.starts_with("somebody cancelled the run before") {
            self.may_be_cut(attempt, "operator")
        } else if words.starts_with("a newer run took its place before") {
            self.may_be_cut(attempt, "replaced")
        } else {
            words.starts_with("the daemon was stopped before") && self.was_closed_in_a_stop(attempt)
        }
    }

    fn was_closed_in_a_stop(&self, attempt: &AttemptRow) -> bool {
        self.world.stops.iter().any(|(from, to)| {
            let closed = self.closed(attempt, *from);
            closed.is_some_and(|closed| closed <= *to + ROUNDING)
        })
    }
}

fn the_verdict_is_true(
    story: &Story<'_>,
    attempt: &AttemptRow,
    seen: Option<&Seen>,
    faults: &mut Faults,
) {
    let world = story.world;
    let says = says(attempt);
    let cut = match says {
        (Some("unknown"), Some(reason)) => story.may_be_cut(attempt, reason),
        _ => false,
    };
    let id = (attempt.run_id.clone(), attempt.attempt);
    if world.cut_off.contains(&id) {
        let died = says == (Some("unknown"), Some("daemon_died"));
        let cancelled = cut && says.1 == Some("operator");
        faults.unless(died || cancelled, "G4", || {
            format!("cut off by a crash, and yet {says:?}: {attempt:?}")
        });
        return;
    }
    let Some(seen) = seen else {
        // Cut off by a stop, or somebody, before the call was begun; where it had no place yet that is known.
        let stopped = says == (Some("unknown"), Some("shutdown"));
        let unsent = says == (Some("network_error"), None) && story.may_be_unsent(attempt);
        faults.unless(stopped || cut || unsent, "G4", || {
            format!("no call was made, and yet {says:?}: {attempt:?}")
        });
        return;
    };
    let stopped = world
        .stops
        .iter()
        .any(|(from, to)| seen.begun <= *to && seen.ended >= *from);
    if stopped && says == (Some("unknown"), Some("shutdown")) {
        return;
    }
    if cut {
        let closed = story.closed(attempt, seen.begun);
        let before = closed.is_some_and(|closed| closed <= seen.ended + ROUNDING);
        faults.unless(before, "G4", || {
            format!("the ledger says {says:?}, and the reply was there: {attempt:?} of {seen:?}")
        });
        return;
    }
    faults.unless(says == (Some(seen.outcome), seen.unknown), "G4", || {
        format!("the ledger says {says:?} of {seen:?}")
    });
    faults.unless(story.closed(attempt, seen.ended).is_some(), "G4", || {
        format!("the ledger says {says:?}, and no reply was there yet: {attempt:?} of {seen:?}")
    });
}

/// No minute of arrivals holds more calls than the limit that stood when its last one was begun.
fn quota(story: &Story<'_>, whose: impl Fn(&Seen) -> (String, u64), faults: &mut Faults) {
    let minute = Duration::from_secs(60);
    let mut of: HashMap<String, Vec<Duration>> = HashMap::new();
    for (call, ended) in story.seen.iter().zip(&story.ends) {
        let (owner, limit) = whose(call);
        // What was cut off before it was written never arrives.
        let written = call.written.filter(|written| written <= ended);
        if let Some(arrived) = call.arrived.filter(|_| written.is_some()) {
            let earlier = of.entry(owner.clone()).or_default();
            let within = |at: &&Duration| **at + minute > arrived && **at <= arrived;
            let count = 1 + earlier.iter().rev().take(200).filter(within).count() as u64;
            earlier.push(arrived);
            faults.unless(count <= limit, "G5", || {
                format!("{count} calls of {owner} in a minute, {limit} are allowed: {call:?}")
            });
        }
    }
}

/// A workspace has no more calls at once than `max_in_flight` was when the last one was begun.
fn in_flight(story: &Story<'_>, faults: &mut Faults) {
    let mut open: HashMap<&str, Vec<Duration>> = HashMap::new();
    for (call, ended) in story.seen.iter().zip(&story.ends) {
        let open = open.entry(&call.workspace).or_default();
        open.retain(|end| *end > call.begun);
        open.push(*ended);
        let limit = call.limits.in_flight;
        faults.unless(open.len() as u64 <= limit, "max_in_flight", || {
            format!(
                "{} calls at once, {limit} are allowed: {call:?}",
                open.len()
            )
        });
    }
}
