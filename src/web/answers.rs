//! What a daemon answers, as JSON.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::desk::{Answer, Reloaded};
use crate::domain::job::JobName;
use crate::domain::retention::Oversize;
use crate::engine::{
    BackfillAnswer, Cancelled, ClockDoubt, PauseAnswer, Pruning, Reply, Started, Status,
};
use crate::store::{BackfillProgress, RunDetail};

/// RFC 3339 with milliseconds, in UTC.
fn shown(at: Timestamp) -> String {
    format!("{at:.3}")
}

fn names(jobs: &[JobName]) -> Vec<&str> {
    jobs.iter().map(JobName::as_str).collect()
}

pub(super) fn answer(answer: &Answer) -> Value {
    match answer {
        Answer::Reloaded(reloaded) => self::reloaded(reloaded),
        Answer::Engine(Reply::Status(status)) => self::status(status),
        Answer::Engine(Reply::Started(started)) => self::started(started),
        Answer::Engine(Reply::Pauses(pauses)) => self::pauses(pauses),
        Answer::Engine(Reply::Cancelled(cancelled)) => self::cancelled(*cancelled),
        Answer::Engine(Reply::Resolved) => json!({}),
        Answer::Engine(Reply::Backfill(backfill)) => self::backfill(backfill),
        Answer::Engine(Reply::Pruning(pruning)) => self::pruning(pruning),
    }
}

fn reloaded(reloaded: &Reloaded) -> Value {
    let changes: serde_json::Map<String, Value> = reloaded
        .changes
        .iter()
        .map(|(job, change)| (job.clone(), Value::from(*change)))
        .collect();
    json!({ "jobs": reloaded.jobs, "changes": changes, "at_next_start": reloaded.at_next_start })
}

fn status(status: &Status) -> Value {
    let paused: Vec<Value> = status
        .paused
        .iter()
        .map(|pause| {
            json!({
                "job": pause.job.as_str(),
                "since": shown(pause.since),
                "until": pause.until.map(shown),
                "actor": pause.actor,
                "reason": pause.reason,
            })
        })
        .collect();
    let backfills: Vec<Value> = status
        .backfills
        .iter()
        .map(|backfill| json!({ "id": backfill.id, "job": backfill.job.as_str(), "ticks": backfill.ticks }))
        .collect();
    let held: Vec<&str> = status.held.iter().map(|name| &*name.0).collect();
    json!({
        "now": shown(status.now),
        "started_at": shown(status.started_at),
        "planned_through": shown(status.planned_through),
        "next_tick": status.next_tick.map(shown),
        "jobs": status.jobs,
        "disabled": status.disabled,
        "paused": paused,
        "in_flight": status.in_flight,
        "waiting": status.waiting,
        "unplanned_spans": status.unplanned_spans,
        "held_workspaces": held,
        "backfills": backfills,
        "clock_doubt": status.clock_doubt.map(ClockDoubt::as_str),
        "clock_warning": status.clock_doubt.map(ClockDoubt::explain),
        "pruning": pruning(&status.pruning),
        "size_warning": status.oversize.map(Oversize::explain),
        "ledger_failing": status.is_ledger_failing,
        "ledger_warning": status.ledger_fault,
    })
}

fn pruning(pruning: &Pruning) -> Value {
    let removed = pruning.removed;
    json!({
        "passes": pruning.passes,
        "under_way": pruning.is_under_way,
        "runs": removed.runs,
        "attempts": removed.attempts,
        "bodies": removed.bodies,
        "bytes": removed.bytes,
        "failure": pruning.failure,
    })
}

fn started(started: &Started) -> Value {
    json!({
        "run_id": started.run.to_string(),
        "job": started.job.as_str(),
        "enabled": started.is_enabled,
        "paused": started.is_paused,
    })
}

fn pauses(pauses: &PauseAnswer) -> Value {
    json!({
        "jobs": names(&pauses.jobs),
        "already": names(&pauses.already),
        "ended_runs": pauses.ended_runs,
        "in_flight": pauses.in_flight,
    })
}

fn cancelled(cancelled: Cancelled) -> Value {
    match cancelled {
        Cancelled::Ended(state, reason) => {
            json!({ "was": "waiting", "state": state.as_str(), "reason": reason.as_str() })
        }
        Cancelled::GivenUp => json!({ "was": "running", "state": null, "reason": null }),
    }
}

fn backfill(backfill: &BackfillAnswer) -> Value {
    json!({
        "backfill": backfill.id,
        "ticks": backfill.ticks,
        "left_out": backfill.left_out,
        "first": backfill.span.map(|(first, _)| shown(first)),
        "last": backfill.span.map(|(_, last)| shown(last)),
    })
}

pub(super) fn progress(progress: &BackfillProgress) -> Value {
    json!({
        "job": progress.job,
        "ticks": progress.ticks,
        "states": progress.states,
        "ending": progress.ending,
    })
}

pub(super) fn run(run: &RunDetail) -> Value {
    json!({
        "run_id": run.id,
        "job": run.job,
        "state": run.state,
        "reason": run.reason,
        "attempts": run.attempts.len(),
    })
}
