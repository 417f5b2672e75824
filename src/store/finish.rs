//! Closing an attempt, and settling a run that waits.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use sqlx::sqlite::SqliteConnection;

use super::rows::{Bound, Part, RowsStatement, id, text, word};
use crate::clock::Uptime;
use crate::domain::attempt::CallRecord;
use crate::domain::outcome::Outcome;
use crate::domain::run::{Reason, RunId, RunState};

/// An attempt that has ended, and what its run is afterwards.
#[derive(Clone, Debug)]
pub struct CloseAttempt {
    /// Its run.
    pub run: RunId,
    /// Its number.
    pub attempt: u32,
    /// When it ended.
    pub at: Timestamp,
    /// When the request's last byte was handed to the connection, if that is known.
    pub written_at: Option<Timestamp>,
    /// The instant from which its slot in the quota is counted, where the machine can tell: that
    /// writing, else the attempt's end.
    pub counts_from: Option<Uptime>,
    /// What the call came to.
    pub call: CallRecord,
    /// What the run is now.
    pub after: After,
}

/// A run's state after an attempt or after a decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct After {
    /// `Waiting`, or a final state.
    pub state: RunState,
    /// Why.
    pub reason: Option<Reason>,
    /// Of a waiting run: no attempt opens before it.
    pub not_before: Option<Timestamp>,
}

/// What became of the wish to close an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Closed {
    /// The attempt's end and the run's state are durable.
    Closed,
    /// Somebody closed it before; the ledger keeps the first word.
    AlreadyClosed,
}

/// A decision on a run that waits: another reason to wait, or a final state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settle {
    /// The run.
    pub run: RunId,
    /// What it is now.
    pub after: After,
    /// When that was decided.
    pub at: Timestamp,
}

static CLOSE: RowsStatement<2> = RowsStatement::new([
    Part {
        head: "WITH v (run_id, attempt, written_us, finished_us, boot, uptime_us, http_status, response, response_bytes, response_sha256, trace_id, func_trace_id, task_id, \
         cost_ms, duration_us, outcome, unknown_reason, decided_by, error_code, engine_reason, engine_error, message) AS ",
        columns: 22,
        tail: " UPDATE OR FAIL attempts SET written_us = v.written_us, finished_us = v.finished_us, boot = v.boot, uptime_us = v.uptime_us, http_status = v.http_status, response = v.response, \
         response_bytes = v.response_bytes, response_sha256 = v.response_sha256, trace_id = v.trace_id, func_trace_id = v.func_trace_id, \
         task_id = v.task_id, cost_ms = v.cost_ms, duration_us = v.duration_us, outcome = v.outcome, unknown_reason = v.unknown_reason, \
         decided_by = v.decided_by, error_code = v.error_code, engine_reason = v.engine_reason, engine_error = v.engine_error, message = v.message \
         FROM v WHERE attempts.run_id = v.run_id AND attempts.attempt = v.attempt AND attempts.outcome IS NULL",
    },
    Part {
        head: "WITH v (id, attempt, state, reason, not_before_us, finished_us, uncount, cost_ms, duration_us) AS ",
        columns: 9,
        tail: " UPDATE OR FAIL runs SET state = v.state, reason = v.reason, not_before_us = v.not_before_us, finished_us = v.finished_us, \
         counted = counted - v.uncount, cost_ms = v.cost_ms, duration_us = v.duration_us \
         FROM v WHERE runs.id = v.id AND runs.state = 'running' AND runs.attempts = v.attempt",
    },
]);

static SETTLE_RUNS: RowsStatement<1> = RowsStatement::new([Part {
    head: "WITH v (id, state, reason, not_before_us, finished_us) AS ",
    columns: 5,
    tail: " UPDATE runs SET state = v.state, reason = v.reason, not_before_us = v.not_before_us, finished_us = v.finished_us \
     FROM v WHERE runs.id = v.id AND runs.state = 'waiting'",
}]);

fn micros(at: Option<Timestamp>) -> Option<i64> {
    at.map(Timestamp::as_microsecond)
}

pub(super) fn duration_us(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

/// Closes all of them, or, where the answer is `false`, not exactly all: then nothing may be kept
/// of the transaction.
pub(super) async fn close_all(
    connection: &mut SqliteConnection,
    attempts: &[&CloseAttempt],
) -> Result<bool, sqlx::Error> {
    let changed = CLOSE
        .execute(connection, attempts, [&bind_attempt, &bind_run])
        .await?;
    Ok(changed == 2 * attempts.len() as u64)
}

fn bind_run<'q>(query: Bound<'q>, close: &&CloseAttempt) -> Bound<'q> {
    let after = close.after;
    query
        .bind(id(close.run))
        .bind(i64::from(close.attempt))
        .bind(word(after.state.as_str()))
        .bind(after.reason.map(|reason| word(reason.as_str())))
        .bind(micros(after.not_before))
        .bind(after.state.is_final().then(|| close.at.as_microsecond()))
        .bind(i64::from(close.call.outcome == Outcome::Throttled))
        .bind(close.call.cost_ms)
        .bind(close.call.duration.map(duration_us))
}

fn bind_attempt<'q>(query: Bound<'q>, close: &&CloseAttempt) -> Bound<'q> {
    let call = &close.call;
    let body = call.response.as_ref();
    query
        .bind(id(close.run))
        .bind(i64::from(close.attempt))
        .bind(micros(close.written_at))
        .bind(close.at.as_microsecond())
        .bind(close.counts_from.map(|uptime| uptime.boot))
        .bind(close.counts_from.map(|uptime| duration_us(uptime.since)))
        .bind(call.http_status.map(i64::from))
        .bind(body.map(|body| body.text.clone()))
        .bind(body.map(|body| i64::try_from(body.bytes).unwrap_or(i64::MAX)))
        .bind(body.map(|body| body.sha256.clone()))
        .bind(text(call.trace_id.as_ref()))
        .bind(text(call.func_trace_id.as_ref()))
        .bind(text(call.task_id.as_ref()))
        .bind(call.cost_ms)
        .bind(call.duration.map(duration_us))
        .bind(word(call.outcome.as_str()))
        .bind(call.unknown_reason.map(|reason| word(reason.as_str())))
        .bind(Arc::<str>::from(&*call.decided_by))
        .bind(text(call.error_code.as_ref()))
        .bind(text(call.engine_reason.as_ref()))
        .bind(text(call.engine_error.as_ref()))
        .bind(text(call.message.as_ref()))
}

/// Writes decisions on runs that wait; answers the runs that did not.
pub(super) async fn settle_all(
    connection: &mut SqliteConnection,
    decisions: &[Settle],
) -> Result<Vec<RunId>, sqlx::Error> {
    let settled = SETTLE_RUNS
        .execute(connection, decisions, [&bind_settle])
        .await?;
    if settled == decisions.len() as u64 {
        return Ok(Vec::new());
    }
    otherwise(connection, decisions).await
}

fn bind_settle<'q>(query: Bound<'q>, settle: &Settle) -> Bound<'q> {
    let after = settle.after;
    query
        .bind(id(settle.run))
        .bind(word(after.state.as_str()))
        .bind(after.reason.map(|reason| word(reason.as_str())))
        .bind(micros(after.not_before))
        .bind(after.state.is_final().then(|| settle.at.as_microsecond()))
}

/// The runs that are not as decided.
async fn otherwise(
    connection: &mut SqliteConnection,
    decisions: &[Settle],
) -> Result<Vec<RunId>, sqlx::Error> {
    let mut otherwise = Vec::new();
    for settle in decisions {
        let as_decided: Option<i64> =
            sqlx::query_scalar("SELECT 1 FROM runs WHERE id = $1 AND state = $2 AND reason = $3")
                .bind(settle.run.to_string())
                .bind(settle.after.state.as_str())
                .bind(settle.after.reason.map(|reason| reason.as_str()))
                .fetch_optional(&mut *connection)
                .await?;
        if as_decided.is_none() {
            otherwise.push(settle.run);
        }
    }
    Ok(otherwise)
}
