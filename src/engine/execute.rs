//! One attempt, in a task of its own: render → open → send → judge → close.
//!
//! The permit was taken before the task was spawned. The attempt's row is durable before its request
//! leaves; the recording of its end is tried until it is written, since the call cannot be unmade.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use sha2::{Digest, Sha256};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::calls::{Ended, Over, Told};
use super::cut::Cut;
use super::jobset::JobSet;
use super::permits::{Permit, Returned};
use super::prepare::{Refused, prepare};
use super::run::{Run, later};
use super::send::{Instants, Made, send};
use crate::clock::{Clock, Uptime};
use crate::domain::attempt::CallRecord;
use crate::domain::outcome::Outcome;
use crate::domain::retry::{self, Decision, Situation};
use crate::domain::run::{Reason, RunState};
use crate::guance::{Client, Request};
use crate::store::{After, CloseAttempt, Closed, Ledger, OpenAttempt, Opened};

/// Between two tries to record an attempt's end.
const RECORD_AGAIN: Duration = Duration::from_millis(500);

/// What an attempt's task needs; all of it shared.
#[derive(Clone, Debug)]
pub(super) struct Context {
    pub(super) ledger: Ledger,
    pub(super) client: Arc<Client>,
    pub(super) clock: Clock,
    pub(super) jobs: Arc<JobSet>,
    /// Set when no further call is to be sent.
    pub(super) stopping: CancellationToken,
    /// Set when a stop waits no longer for those that were.
    pub(super) abort: CancellationToken,
    /// Set when this call alone is to end.
    pub(super) cut: Cut,
    /// Where the engine listens.
    pub(super) told: mpsc::UnboundedSender<Told>,
    /// The attempt is prepared before its run is due, and does not become durable before this instant.
    pub(super) held_until: Option<Timestamp>,
}

impl Context {
    /// Tells the engine.
    pub(super) fn tell(&self, told: Told) {
        // The engine is gone only when the process is about to be.
        let _ = self.told.send(told);
    }
}

/// Makes the next attempt of `run`.
pub(super) async fn attempt(context: Context, run: Run, permit: Arc<Permit>) -> Ended {
    let number = run.attempts + 1;
    let request = match prepare(&context, &run, &permit, number).await {
        Ok(request) => request,
        Err(error) => {
            return Ended::NotOpened { run: run.id, error };
        }
    };
    if context.cut.reason().is_some() {
        return Ended::Withdrawn { run: run.id };
    }
    make(context, run, permit, request).await
}

/// Opens the attempt, makes its call if it has one to make, and closes it.
async fn make(
    context: Context,
    run: Run,
    permit: Arc<Permit>,
    request: Result<Request, Box<Refused>>,
) -> Ended {
    let number = run.attempts + 1;
    let now = context.clock.now();
    let opened_at = context.held_until.map_or(now, |due| due.max(now));
    let row = OpenAttempt {
        run: run.id,
        attempt: number,
        at: opened_at,
        workspace: permit.workspace.name.clone(),
        origin: permit.origin.clone(),
        key: permit.key.id.clone(),
        func_id: run.job.func_id.clone(),
        request: match &request {
            Ok(request) => request.redacted.clone(),
            Err(refused) => refused.stored.clone(),
        },
    };
    match context.ledger.open_attempt(row).await {
        Ok(Opened::Opened) => {}
        Ok(Opened::NotWaiting) => {
            return Ended::NotWaiting { run: run.id };
        }
        Err(error) => {
            return Ended::NotOpened { run: run.id, error };
        }
    }
    let first_opened = run.opened_at.unwrap_or(opened_at);
    let made = match request {
        Ok(request) => {
            let deadline = later(first_opened, run.job.deadline);
            send(&context, &run.job, &permit, request, deadline).await
        }
        Err(refused) => Made {
            sent: Instants::now(&context.clock),
            record: refused.record,
            taken_back: None,
        },
    };
    let run = Run {
        attempts: number,
        opened_at: Some(first_opened),
        ..run
    };
    close(&context, run, &permit, made).await
}

/// What follows when the task of an attempt has panicked: funcron is wrong, and nobody knows how far it
/// had come. An attempt that is open ends as recovery would end it at a start; one that is not becomes
/// a refused one, since to try it again would only panic again.
///
/// The payload of the panic is not looked at: it may hold anything that the attempt held.
pub(super) async fn after_panic(context: Context, run: Run, permit: Arc<Permit>) -> Ended {
    tracing::error!(job = %run.job.name, run_id = %run.id, attempt = run.attempts + 1, "funcron itself failed in this attempt (a bug, please report it)");
    let now = context.clock.now();
    let words = "funcron itself failed with the call under way (a bug)";
    let why = (Reason::DaemonDied, words);
    let (closed, row) = interrupted(&run, run.attempts + 1, why, now, context.clock.uptime());
    context.tell(Told::Over(Over::unknown(run.id, context.clock.monotonic())));
    match write(&context, row).await {
        None => Ended::Abandoned { run: run.id },
        Some(Closed::Closed) => Ended::Closed(Box::new(closed)),
        Some(Closed::AlreadyClosed) => {
            let why = "funcron itself failed while it built the request (a bug)".to_owned();
            let refused = Refused::new(&run, &permit, why);
            make(context, run, permit, Err(refused)).await
        }
    }
}

/// The end of an attempt that nobody saw: what its run is then, and the row that says so.
pub(super) fn interrupted(
    run: &Run,
    attempt: u32,
    (reason, words): (Reason, &str),
    now: Timestamp,
    uptime: Option<Uptime>,
) -> (Run, CloseAttempt) {
    let record = CallRecord::without_reply(Outcome::Unknown, Some(reason), words);
    let mut run = Run {
        attempts: attempt,
        opened_at: run.opened_at.or(Some(now)),
        ..run.clone()
    };
    let mut after = judge(&run, &record, now);
    run.last_outcome = Some(Outcome::Unknown);
    run.last_finished = Some(now);
    run.unknown = Some(reason);
    if run.cancelled {
        after = cut_short(&run, Reason::Operator, after);
    }
    run.state = after.state;
    run.reason = after.reason;
    run.not_before = after.not_before;
    let row = CloseAttempt {
        run: run.id,
        attempt,
        at: now,
        written_at: None,
        counts_from: uptime,
        call: record,
        after,
    };
    (run, row)
}

async fn close(context: &Context, mut run: Run, permit: &Permit, made: Made) -> Ended {
    let Made {
        sent,
        record,
        taken_back,
    } = made;
    let now = context.clock.now();
    let written_at = record.written_after.map(|after| later(sent.wall, after));
    let unsent = record.written_after.is_none()
        && matches!(record.outcome, Outcome::NetworkError | Outcome::Rejected)
        && record.http_status.is_none();
    let counts_from = match record.written_after {
        Some(after) => sent.uptime.map(|uptime| Uptime {
            since: uptime.since + after,
            ..uptime
        }),
        None => context.clock.uptime(),
    };
    let returned = match record.written_after {
        _ if unsent => Returned::Unsent,
        Some(after) => Returned::Sent(sent.monotonic + after),
        None => Returned::Sent(context.clock.monotonic()),
    };
    // From here on there is only something to record.
    context.tell(Told::Over(Over {
        run: run.id,
        returned,
        holds_key: record.holds_key,
        replied: record.http_status.is_some(),
    }));
    run.counted += u32::from(record.outcome != Outcome::Throttled);
    let mut after = match taken_back {
        Some(reason) => After {
            state: RunState::Waiting,
            reason: Some(reason),
            not_before: (reason == Reason::Retry).then_some(now),
        },
        None => judge(&run, &record, now),
    };
    run.last_outcome = Some(record.outcome);
    run.last_finished = Some(now);
    run.unknown = record.unknown_reason.or(run.unknown);
    // Somebody wanted its run to end, and its call came to an end of its own, or had not been sent.
    if let Some(reason) = context.cut.reason() {
        after = cut_short(&run, reason, after);
    }
    log(&run, permit, &record, after);
    run.state = after.state;
    run.reason = after.reason;
    run.not_before = after.not_before;
    let row = CloseAttempt {
        run: run.id,
        attempt: run.attempts,
        at: now,
        written_at,
        counts_from,
        call: record,
        after,
    };
    match write(context, row).await {
        Some(_) => Ended::Closed(Box::new(run)),
        None => Ended::Abandoned { run: run.id },
    }
}

/// Records the end, again and again until it is written. `None`: the daemon stops and the ledger
/// still cannot be written.
async fn write(context: &Context, row: CloseAttempt) -> Option<Closed> {
    let row = Arc::new(row);
    loop {
        match context.ledger.close_attempt(row.clone()).await {
            Ok(Closed::Closed) => return Some(Closed::Closed),
            Ok(Closed::AlreadyClosed) => {
                tracing::error!(run_id = %row.run, attempt = row.attempt, "there is no open attempt to close");
                return Some(Closed::AlreadyClosed);
            }
            Err(error) => {
                tracing::error!(run_id = %row.run, attempt = row.attempt, %error, "an attempt's end cannot be recorded yet");
            }
        }
        tokio::select! {
            () = context.clock.sleep(RECORD_AGAIN) => {}
            () = context.abort.cancelled() => return None,
        }
    }
}

/// What the run is after an attempt that ended like this.
pub(super) fn judge(run: &Run, record: &CallRecord, now: Timestamp) -> After {
    if let Some(reason @ (Reason::Replaced | Reason::Operator)) = record.unknown_reason {
        // Its run was to end; to try again would undo that.
        return After {
            state: RunState::Unknown,
            reason: Some(reason),
            not_before: None,
        };
    }
    let job = &run.job;
    let deadline = later(run.opened_at.unwrap_or(now), job.deadline);
    // Only a retry asks for it.
    let next_tick = (run.is_live() && record.outcome != Outcome::Success)
        .then(|| job.schedule.next_kept_after(now))
        .flatten()
        .map(|tick| tick.at);
    let situation = Situation {
        outcome: record.outcome,
        unknown_reason: record.unknown_reason,
        unknown_before: run.unknown,
        attempts: run.attempts,
        counted: run.counted,
        now,
        deadline,
        next_tick,
        retry_after: record.retry_after,
    };
    match retry::decide(&job.retry, &situation, jitter(run)) {
        Decision::Retry { not_before } => After {
            state: RunState::Waiting,
            reason: Some(Reason::Retry),
            not_before: Some(not_before),
        },
        Decision::Final { state, reason } => After {
            state,
            reason,
            not_before: None,
        },
    }
}

/// The same of a run that was to end while its call came to its own end: no attempt follows.
pub(super) fn cut_short(run: &Run, reason: Reason, after: After) -> After {
    if after.state.is_final() {
        return after;
    }
    let (state, reason) = run.end(reason, RunState::Cancelled);
    After {
        state,
        reason: Some(reason),
        not_before: None,
    }
}

/// The unit of jitter of a run's attempt: drawn from the run's own random id, so that it needs no
/// generator and the same ledger always gives the same delay.
fn jitter(run: &Run) -> f64 {
    let digest = Sha256::new()
        .chain_update(run.id.0.as_bytes())
        .chain_update(run.attempts.to_be_bytes())
        .finalize();
    let draw = u32::from_be_bytes([digest[0], digest[1], digest[2], digest[3]]);
    f64::from(draw) / (f64::from(u32::MAX) + 1.0)
}

/// One line for each attempt. A run that ends badly is a warning; an error is only what is wrong with
/// the daemon.
fn log(run: &Run, permit: &Permit, record: &CallRecord, after: After) {
    macro_rules! line {
        ($level:ident) => {
            tracing::$level!(
                job = %run.job.name,
                run_id = %run.id,
                attempt = run.attempts,
                trace_id = record.trace_id.as_deref().unwrap_or("-"),
                workspace = %permit.workspace.name,
                func_id = %run.job.func_id,
                outcome = record.outcome.as_str(),
                state = after.state.as_str(),
                reason = after.reason.map_or("-", |reason| reason.as_str()),
                took_ms = u64::try_from(record.took.as_millis()).unwrap_or(u64::MAX),
                "{}", record.decided_by
            )
        };
    }
    match after.state {
        RunState::Failed | RunState::Unknown => line!(warn),
        _ => line!(info),
    }
}
