//! The runs with their attempts, many at a time.
//!
//! A million runs in seconds: SQLite packs a part of them into one JSON text, since a row of its own
//! for each costs more than reading it (every value is copied and locked by the driver, and crosses a
//! thread). A part ends at a place that the next one begins behind, so nothing is sorted, and the pages
//! of the file are read in their order.

use std::borrow::Cow;

use serde::Deserialize;
use sqlx::SqliteConnection;

use super::{AuditReader, END_OF_NAMES, ReadError, Word, reading};
use crate::domain::outcome::Outcome;
use crate::domain::run::{Ahead, Reason, RunState, Trigger};

/// Runs that are read at once: some 60 kB, which an allocator keeps and need not map anew each time.
const PART: u32 = 256;

/// A part of the runs, in one text. Its order is put right by who reads it: SQLite promises none within
/// an aggregate.
const QUERY: &str = "\
SELECT json_group_array(json_array(
    p.place, p.id, p.job, p.trigger, p.scheduled_us, p.due_us, p.created_us, p.opened_us, p.finished_us,
    p.state, p.reason, p.definition_hash, p.attempts, p.counted, p.backfill, p.ahead, p.cost_ms, p.duration_us,
    a.attempt, a.opened_us, a.outcome, a.unknown_reason, a.cost_ms, a.duration_us, a.finished_us IS NOT NULL,
    coalesce(a.request <> '' AND a.request_bytes > 0, 0)))
FROM (
    SELECT rowid AS place, id, job, trigger, scheduled_us, due_us, created_us, opened_us, finished_us,
           state, reason, definition_hash, attempts, counted, backfill, ahead, cost_ms, duration_us
    FROM runs INDEXED BY runs_by_time
    WHERE job >= $1 AND job < $2 AND (scheduled_us, rowid) > ($3, $4)
    ORDER BY scheduled_us, rowid LIMIT $5
) p LEFT JOIN attempts a ON a.run_id = p.id";

/// A row of `runs` with its attempts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditedRun {
    /// Its identity.
    pub id: String,
    /// Whose.
    pub job: String,
    /// What started it.
    pub trigger: Word<Trigger>,
    /// Its tick, in microseconds since the epoch.
    pub scheduled_us: i64,
    /// When it should start, in microseconds since the epoch.
    pub due_us: i64,
    /// When it was planned, in microseconds since the epoch.
    pub created_us: i64,
    /// When its first attempt was opened, in microseconds since the epoch.
    pub opened_us: Option<i64>,
    /// When it was over, in microseconds since the epoch.
    pub finished_us: Option<i64>,
    /// The backfill that it is of.
    pub backfill: Option<String>,
    /// What the row is worth that a clock which was ahead had planned.
    pub ahead: Option<Word<Ahead>>,
    /// Where it stands.
    pub state: Word<RunState>,
    /// Why.
    pub reason: Option<Word<Reason>>,
    /// The definition it was planned with.
    pub definition_hash: String,
    /// Attempts opened, by the run's own count.
    pub attempts: i64,
    /// Those that were not throttled, by the run's own count.
    pub counted: i64,
    /// What its newest attempt that has ended cost and took, if the run says so.
    pub newest: Measured,
    /// The rows of `attempts`, by number.
    pub rows: Vec<AuditedAttempt>,
}

/// What a call cost and took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Measured {
    /// The reply's `reqCost`, in milliseconds.
    pub cost_ms: Option<i64>,
    /// From sending to the last byte, in microseconds.
    pub duration_us: Option<i64>,
}

/// A row of `attempts`, without its bodies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditedAttempt {
    /// Its number.
    pub attempt: i64,
    /// When it was opened, in microseconds since the epoch.
    pub opened_us: i64,
    /// What became of it; `None` while it is open.
    pub outcome: Option<Word<Outcome>>,
    /// Why an `unknown` is one.
    pub unknown_reason: Option<Word<Reason>>,
    /// What it cost and took.
    pub measured: Measured,
    /// Whether it has an end.
    pub finished: bool,
    /// Whether the request's text is there.
    pub has_request: bool,
}

/// The runs of a range of jobs, side by side, by their instants and in the order of their writing.
pub struct AuditedRuns<'r> {
    connection: &'r mut SqliteConnection,
    first: &'r str,
    end: &'r str,
    /// Instant and place of the last run that was read.
    read: (i64, i64),
}

impl AuditReader {
    /// The runs of the jobs whose names lie in `[first, end)`.
    pub fn runs<'r>(&'r mut self, first: &'r str, end: Option<&'r str>) -> AuditedRuns<'r> {
        AuditedRuns {
            connection: &mut self.connection,
            first,
            end: end.unwrap_or(END_OF_NAMES),
            read: (i64::MIN, i64::MIN),
        }
    }
}

impl AuditedRuns<'_> {
    /// The next of them, each with all of its attempts; none where all have been read.
    pub async fn part(&mut self) -> Result<Vec<AuditedRun>, ReadError> {
        let text: String = sqlx::query_scalar(QUERY)
            .bind(self.first)
            .bind(self.end)
            .bind(self.read.0)
            .bind(self.read.1)
            .bind(PART)
            .fetch_one(&mut *self.connection)
            .await
            .map_err(reading("runs"))?;
        let mut rows: Vec<Row<'_>> =
            serde_json::from_str(&text).map_err(|source| ReadError::Rows {
                table: "runs",
                source,
            })?;
        rows.sort_by_key(|row| (row.scheduled_us, row.place, row.attempt));
        if let Some(last) = rows.last() {
            self.read = (last.scheduled_us, last.place);
        }
        let mut runs: Vec<AuditedRun> = Vec::with_capacity(PART as usize);
        let mut place = None;
        for row in rows {
            let attempt = row.attempt();
            if place.replace(row.place) != Some(row.place) {
                runs.push(row.run());
            }
            if let Some(run) = runs.last_mut() {
                run.rows.extend(attempt);
            }
        }
        Ok(runs)
    }
}

/// A run with one of its attempts, in the order of [`QUERY`].
#[derive(Deserialize)]
struct Row<'t> {
    place: i64,
    #[serde(borrow)]
    id: Cow<'t, str>,
    #[serde(borrow)]
    job: Cow<'t, str>,
    #[serde(borrow)]
    trigger: Cow<'t, str>,
    scheduled_us: i64,
    due_us: i64,
    created_us: i64,
    opened_us: Option<i64>,
    finished_us: Option<i64>,
    #[serde(borrow)]
    state: Cow<'t, str>,
    #[serde(borrow)]
    reason: Option<Cow<'t, str>>,
    #[serde(borrow)]
    definition_hash: Cow<'t, str>,
    attempts: i64,
    counted: i64,
    #[serde(borrow)]
    backfill: Option<Cow<'t, str>>,
    #[serde(borrow)]
    ahead: Option<Cow<'t, str>>,
    cost_ms: Option<i64>,
    duration_us: Option<i64>,
    attempt: Option<i64>,
    attempt_opened_us: Option<i64>,
    #[serde(borrow)]
    outcome: Option<Cow<'t, str>>,
    #[serde(borrow)]
    unknown_reason: Option<Cow<'t, str>>,
    attempt_cost_ms: Option<i64>,
    attempt_duration_us: Option<i64>,
    finished: u8,
    has_request: u8,
}

impl Row<'_> {
    fn run(self) -> AuditedRun {
        AuditedRun {
            id: self.id.into_owned(),
            job: self.job.into_owned(),
            trigger: Word::read(&self.trigger, Trigger::parse),
            scheduled_us: self.scheduled_us,
            due_us: self.due_us,
            created_us: self.created_us,
            opened_us: self.opened_us,
            finished_us: self.finished_us,
            backfill: self.backfill.map(Cow::into_owned),
            ahead: self.ahead.map(|ahead| Word::read(&ahead, Ahead::parse)),
            state: Word::read(&self.state, RunState::parse),
            reason: self.reason.map(|reason| Word::read(&reason, Reason::parse)),
            definition_hash: self.definition_hash.into_owned(),
            attempts: self.attempts,
            counted: self.counted,
            newest: Measured {
                cost_ms: self.cost_ms,
                duration_us: self.duration_us,
            },
            rows: Vec::new(),
        }
    }

    fn attempt(&self) -> Option<AuditedAttempt> {
        let outcome = self.outcome.as_deref();
        let unknown_reason = self.unknown_reason.as_deref();
        Some(AuditedAttempt {
            attempt: self.attempt?,
            opened_us: self.attempt_opened_us?,
            outcome: outcome.map(|outcome| Word::read(outcome, Outcome::parse)),
            unknown_reason: unknown_reason.map(|reason| Word::read(reason, Reason::parse)),
            measured: Measured {
                cost_ms: self.attempt_cost_ms,
                duration_us: self.attempt_duration_us,
            },
            finished: self.finished != 0,
            has_request: self.has_request != 0,
        })
    }
}
