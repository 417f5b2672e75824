//! What must hold within one run and its attempts, whatever started it (contract, section 4).
//!
//! The tables CHECK some of this as rows are written; a file that was edited with the checks off
//! is not spared by that, so it is all looked at again.

use crate::domain::outcome::Outcome;
use crate::domain::run::{Reason, RunState};
use crate::store::audit::{AuditedAttempt, AuditedRun, Word};

/// Everything that is wrong with a run, in words. Bodies of attempts that were opened before
/// `bodies_before_us` may have been taken.
pub(super) fn faults(run: &AuditedRun, bodies_before_us: i64) -> Vec<String> {
    let mut faults = Vec::new();
    numbers(run, &mut faults);
    newest_fault(run, &mut faults);
    for attempt in &run.rows {
        attempt_faults(attempt, bodies_before_us, &mut faults);
    }
    if let Word::Foreign(word) = &run.trigger {
        faults.push(format!("its trigger is `{word}`, which is none"));
    }
    match &run.state {
        Word::Foreign(word) => faults.push(format!("its state is `{word}`, which is none")),
        Word::Known(state) => {
            reason_fault(*state, run.reason.as_ref(), &mut faults);
            state_faults(*state, run, &mut faults);
        }
    }
    faults
}

/// The run's counts against the rows.
fn numbers(run: &AuditedRun, faults: &mut Vec<String>) {
    let rows = run.rows.len();
    if usize::try_from(run.attempts) != Ok(rows) {
        faults.push(format!(
            "it counts {} attempts and has {rows}",
            run.attempts
        ));
    }
    if !(1..)
        .zip(&run.rows)
        .all(|(number, row)| row.attempt == number)
    {
        let numbers: Vec<_> = run.rows.iter().map(|row| row.attempt.to_string()).collect();
        faults.push(format!(
            "its attempts are numbered {}, not 1 to {rows}",
            numbers.join(", ")
        ));
    }
    let not_throttled = run
        .rows
        .iter()
        .filter(|row| outcome(row) != Some(Outcome::Throttled))
        .count();
    let closed = run.rows.iter().all(|row| row.outcome.is_some());
    if closed && usize::try_from(run.counted) != Ok(not_throttled) {
        faults.push(format!(
            "it counts {} attempts that were not throttled and has {not_throttled}",
            run.counted
        ));
    }
}

/// What the run says of its newest attempt that has ended, against that one. A run that says nothing is one
/// that an earlier release recorded, or the attempt had nothing to say.
fn newest_fault(run: &AuditedRun, faults: &mut Vec<String>) {
    let ended = run.rows.iter().rev().find(|row| row.outcome.is_some());
    let says = ended.map(|row| row.measured).unwrap_or_default();
    let differs = |said: Option<i64>, says: Option<i64>| said.is_some() && said != says;
    if differs(run.newest.cost_ms, says.cost_ms)
        || differs(run.newest.duration_us, says.duration_us)
    {
        faults.push(
            "what it says of its newest attempt's cost and duration, that does not".to_owned(),
        );
    }
}

fn attempt_faults(attempt: &AuditedAttempt, bodies_before_us: i64, faults: &mut Vec<String>) {
    let number = attempt.attempt;
    if !attempt.has_request && attempt.opened_us >= bodies_before_us {
        faults.push(format!("attempt {number} has no request"));
    }
    if attempt.finished != attempt.outcome.is_some() {
        faults.push(format!(
            "attempt {number} has an end without an outcome, or an outcome without an end"
        ));
    }
    if let Some(Word::Foreign(word)) = &attempt.outcome {
        faults.push(format!(
            "attempt {number}'s outcome is `{word}`, which is none"
        ));
    }
    let is_unknown = outcome(attempt) == Some(Outcome::Unknown);
    if is_unknown != attempt.unknown_reason.is_some() {
        faults.push(format!(
            "attempt {number} is `unknown` without a reason, or has one without being it"
        ));
    }
}

/// Whether the reason is one that the state can have.
fn reason_fault(state: RunState, reason: Option<&Word<Reason>>, faults: &mut Vec<String>) {
    use Reason as R;
    let Some(reason) = reason else {
        if !matches!(state, RunState::Running | RunState::Success) {
            faults.push(format!("it is `{state}` without a reason"));
        }
        return;
    };
    let fits = reason.known().is_some_and(|reason| match state {
        RunState::Running | RunState::Success => false,
        RunState::Waiting => matches!(
            reason,
            R::Quota | R::InFlight | R::Overlap | R::Retry | R::KeyHeld | R::Spread
        ),
        RunState::Failed => match reason {
            R::Outcome(outcome) => !matches!(outcome, Outcome::Success | Outcome::Unknown),
            _ => matches!(reason, R::Deadline | R::NextTick),
        },
        RunState::Unknown => matches!(
            reason,
            R::NoReply
                | R::Engine
                | R::BadReply
                | R::Redirect
                | R::DaemonDied
                | R::Shutdown
                | R::Operator
                | R::Replaced
        ),
        RunState::Skipped => matches!(
            reason,
            R::Overlap | R::Paused | R::Disabled | R::Excluded | R::DstGap
        ),
        RunState::Missed => matches!(
            reason,
            R::DaemonDown | R::Deadline | R::Catchup | R::LedgerUnavailable | R::KeyHeld | R::Clock
        ),
        RunState::Cancelled => matches!(reason, R::Operator | R::Replaced),
    });
    if !fits {
        faults.push(match reason {
            Word::Known(reason) => format!("it is `{state}` with the reason `{reason}`"),
            Word::Foreign(word) => format!("its reason is `{word}`, which is none"),
        });
    }
}

/// The state against what the attempts say.
fn state_faults(state: RunState, run: &AuditedRun, faults: &mut Vec<String>) {
    let rows = &run.rows;
    let open = rows.iter().filter(|row| row.outcome.is_none()).count();
    let last = rows.last();
    let last_is_open = last.is_some_and(|row| row.outcome.is_none());
    match state {
        RunState::Running if !last_is_open || open != 1 => {
            faults.push(format!(
                "it is `running` with {open} open attempts, not with the last"
            ));
        }
        RunState::Running => {}
        _ if open > 0 => faults.push(format!("it is `{state}` with {open} attempts open")),
        _ => {}
    }
    let followed = rows
        .iter()
        .rev()
        .skip(usize::from(state == RunState::Success));
    for row in followed.filter(|row| outcome(row) == Some(Outcome::Success)) {
        faults.push(format!(
            "attempt {} succeeded, and yet the run went on or is `{state}`",
            row.attempt
        ));
    }
    match state {
        RunState::Success if last.and_then(outcome) != Some(Outcome::Success) => {
            faults.push("it is `success`, its last attempt is not".to_owned());
        }
        RunState::Failed => failed_faults(run, faults),
        RunState::Unknown => unknown_fault(run, faults),
        RunState::Skipped | RunState::Missed | RunState::Cancelled if !rows.is_empty() => {
            faults.push(format!("it is `{state}`, though a call was made for it"));
        }
        _ => {}
    }
}

/// A failed run knows that nothing took effect, and its reason is the last attempt's.
fn failed_faults(run: &AuditedRun, faults: &mut Vec<String>) {
    if run
        .rows
        .iter()
        .any(|row| outcome(row) == Some(Outcome::Unknown))
    {
        faults.push("it is `failed`, though an attempt of it is `unknown`".to_owned());
    }
    match (run.rows.last(), run.reason.as_ref().and_then(Word::known)) {
        (None, _) => faults.push("it is `failed` without an attempt".to_owned()),
        (Some(last), Some(Reason::Outcome(reason))) if outcome(last) != Some(reason) => {
            faults.push(format!("it is `failed/{reason}`, its last attempt is not"));
        }
        _ => {}
    }
}

/// An unknown run has its reason from an attempt of its own.
fn unknown_fault(run: &AuditedRun, faults: &mut Vec<String>) {
    let from_an_attempt = run
        .rows
        .iter()
        .any(|row| row.unknown_reason.is_some() && row.unknown_reason == run.reason);
    if !from_an_attempt {
        faults.push("it is `unknown` for a reason that no attempt of it has".to_owned());
    }
}

fn outcome(attempt: &AuditedAttempt) -> Option<Outcome> {
    attempt.outcome.as_ref().and_then(Word::known)
}
