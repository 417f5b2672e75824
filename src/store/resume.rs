//! What a starting engine reads: nothing that decides a send lives in memory alone.

use std::collections::HashMap;
use std::sync::Arc;

use futures_util::TryStreamExt;
use jiff::Timestamp;
use sqlx::sqlite::SqliteRow;
use sqlx::{QueryBuilder, Row, Sqlite, SqlitePool};
use uuid::Uuid;

use super::plan::{Gap, GapCause};
use super::versions::{LoadedVersion, loaded_version};
use crate::domain::job::{DefinitionHash, JobName};
use crate::domain::outcome::Outcome;
use crate::domain::run::{Reason, RunId, RunState, Trigger};
use crate::domain::verdict::holds_key;
use crate::domain::workspace::{KeyId, WorkspaceName};

/// A run that is not final.
#[derive(Clone, Debug)]
pub struct UnfinishedRun {
    /// Its identity.
    pub id: RunId,
    /// Whose.
    pub job: JobName,
    /// What started it.
    pub trigger: Trigger,
    /// Its tick.
    pub scheduled_at: Timestamp,
    /// When it should start.
    pub due_at: Timestamp,
    /// `Waiting` or `Running`.
    pub state: RunState,
    /// Why it waits.
    pub reason: Option<Reason>,
    /// Where its calls go.
    pub workspace: WorkspaceName,
    /// The definition it runs with.
    pub definition_hash: DefinitionHash,
    /// No attempt opens before it.
    pub not_before: Option<Timestamp>,
    /// The first attempt's opening.
    pub opened_at: Option<Timestamp>,
    /// Attempts opened so far.
    pub attempts: u32,
    /// Those that count in `max_attempts`.
    pub counted: u32,
    /// The last closed attempt's end.
    pub last_finished: Option<Timestamp>,
    /// The last closed attempt's outcome.
    pub last_outcome: Option<Outcome>,
    /// Why the newest unknown attempt is one, if there is one.
    pub unknown: Option<Reason>,
    /// A manual start's arguments beside the job's own: a JSON object.
    pub kwargs: Option<String>,
    /// The recorded request that a replay sends again.
    pub request: Option<String>,
    /// The backfill that it is part of.
    pub backfill: Option<String>,
    /// Somebody ordered it to be cancelled.
    pub cancelled: bool,
}

/// An attempt that was open when the daemon ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InterruptedAttempt {
    /// Its run.
    pub run: RunId,
    /// Its number.
    pub attempt: u32,
}

const UNFINISHED: &str = "\
SELECT r.id, r.job, r.trigger, r.scheduled_us, r.due_us, r.state, r.reason, r.definition_hash, r.not_before_us, r.opened_us, r.attempts, r.counted, r.workspace, r.kwargs, r.request, r.backfill, \
  EXISTS (SELECT 1 FROM events e WHERE e.run_id = r.id AND e.kind = 'cancel') AS cancelled, \
  (SELECT a.finished_us FROM attempts a WHERE a.run_id = r.id AND a.outcome IS NOT NULL ORDER BY a.attempt DESC LIMIT 1) AS last_finished_us, \
  (SELECT a.outcome FROM attempts a WHERE a.run_id = r.id AND a.outcome IS NOT NULL ORDER BY a.attempt DESC LIMIT 1) AS last_outcome, \
  (SELECT a.unknown_reason FROM attempts a WHERE a.run_id = r.id AND a.outcome = 'unknown' ORDER BY a.attempt DESC LIMIT 1) AS unknown_reason \
FROM runs r WHERE r.finished_us IS NULL ORDER BY r.due_us, r.id";

pub(super) async fn unfinished_runs(pool: &SqlitePool) -> Result<Vec<UnfinishedRun>, sqlx::Error> {
    sqlx::query(UNFINISHED)
        .fetch_all(pool)
        .await?
        .iter()
        .map(unfinished_run)
        .collect()
}

fn unfinished_run(row: &SqliteRow) -> Result<UnfinishedRun, sqlx::Error> {
    Ok(UnfinishedRun {
        id: run_id(row, "id")?,
        job: job_name(row, "job")?,
        trigger: named(row, "trigger", Trigger::parse)?,
        scheduled_at: timestamp(row, "scheduled_us")?,
        due_at: timestamp(row, "due_us")?,
        state: named(row, "state", RunState::parse)?,
        reason: optional_named(row, "reason", Reason::parse)?,
        workspace: WorkspaceName(Arc::from(row.try_get::<&str, _>("workspace")?)),
        definition_hash: DefinitionHash(Arc::from(row.try_get::<&str, _>("definition_hash")?)),
        not_before: optional_timestamp(row, "not_before_us")?,
        opened_at: optional_timestamp(row, "opened_us")?,
        attempts: row.try_get("attempts")?,
        counted: row.try_get("counted")?,
        last_finished: optional_timestamp(row, "last_finished_us")?,
        last_outcome: optional_named(row, "last_outcome", Outcome::parse)?,
        unknown: optional_named(row, "unknown_reason", Reason::parse)?,
        kwargs: row.try_get("kwargs")?,
        request: row.try_get("request")?,
        backfill: row.try_get("backfill")?,
        cancelled: row.try_get("cancelled")?,
    })
}

/// `CROSS`, since SQLite keeps such a join's order and would else walk every attempt.
const INTERRUPTED: &str = "\
SELECT a.run_id, a.attempt FROM runs r CROSS JOIN attempts a ON a.run_id = r.id WHERE r.finished_us IS NULL AND a.outcome IS NULL";

pub(super) async fn interrupted(pool: &SqlitePool) -> Result<Vec<InterruptedAttempt>, sqlx::Error> {
    sqlx::query(INTERRUPTED)
        .fetch_all(pool)
        .await?
        .iter()
        .map(|row| {
            Ok(InterruptedAttempt {
                run: run_id(row, "run_id")?,
                attempt: row.try_get("attempt")?,
            })
        })
        .collect()
}

pub(super) async fn gaps(pool: &SqlitePool) -> Result<Vec<Gap>, sqlx::Error> {
    sqlx::query("SELECT job, definition_hash, from_us, until_us, cause, superseded FROM gaps ORDER BY until_us DESC, job")
        .fetch_all(pool)
        .await?
        .iter()
        .map(|row| {
            Ok(Gap {
                job: job_name(row, "job")?,
                definition_hash: DefinitionHash(Arc::from(row.try_get::<&str, _>("definition_hash")?)),
                from: timestamp(row, "from_us")?,
                until: timestamp(row, "until_us")?,
                cause: named(row, "cause", GapCause::parse)?,
                superseded: row.try_get("superseded")?,
            })
        })
        .collect()
}

pub(super) async fn versions(
    pool: &SqlitePool,
    after: Option<&JobName>,
    limit: u32,
) -> Result<Vec<LoadedVersion>, sqlx::Error> {
    sqlx::query(
        "SELECT job, definition_hash, zone_data, from_us FROM job_versions \
         WHERE until_us IS NULL AND job > $1 ORDER BY job LIMIT $2",
    )
    // Every name is behind the empty one.
    .bind(after.map_or("", JobName::as_str).to_owned())
    .bind(limit)
    .fetch_all(pool)
    .await?
    .iter()
    .map(loaded_version)
    .collect()
}

pub(super) async fn definitions(
    pool: &SqlitePool,
    hashes: &[&DefinitionHash],
) -> Result<HashMap<DefinitionHash, String>, sqlx::Error> {
    let mut query = QueryBuilder::<Sqlite>::new(
        "SELECT definition_hash, definition FROM job_versions WHERE definition_hash IN (",
    );
    let mut listed = query.separated(", ");
    for hash in hashes {
        listed.push_bind(hash.0.to_string());
    }
    query.push(")");
    let found = |row: SqliteRow| {
        let hash = DefinitionHash(Arc::from(row.try_get::<&str, _>("definition_hash")?));
        Ok((hash, row.try_get("definition")?))
    };
    query
        .build()
        .fetch(pool)
        .and_then(|row| std::future::ready(found(row)))
        .try_collect()
        .await
}

pub(super) async fn planned_through(pool: &SqlitePool) -> Result<Option<Timestamp>, sqlx::Error> {
    sqlx::query("SELECT planned_us FROM planner WHERE id = 1")
        .fetch_optional(pool)
        .await?
        .map(|row| timestamp(&row, "planned_us"))
        .transpose()
}

/// Each job's newest tick that was planned beyond the cursor.
pub(super) async fn planned_beyond(
    pool: &SqlitePool,
    cursor: Timestamp,
) -> Result<HashMap<JobName, Timestamp>, sqlx::Error> {
    let found = |row: SqliteRow| Ok((job_name(&row, "job")?, timestamp(&row, "planned_us")?));
    sqlx::query(
        "SELECT job, max(scheduled_us) AS planned_us FROM runs INDEXED BY runs_by_time \
         WHERE scheduled_us > $1 AND trigger = 'schedule' AND ahead IS NULL GROUP BY job",
    )
    .bind(cursor.as_microsecond())
    .fetch(pool)
    .and_then(|row| std::future::ready(found(row)))
    .try_collect()
    .await
}

/// When the server called the key invalid, if that was its newest reply to it and no reload came
/// after it.
pub(super) async fn key_held_since(
    pool: &SqlitePool,
    origin: &str,
    key: &KeyId,
) -> Result<Option<Timestamp>, sqlx::Error> {
    let newest = sqlx::query(
        // Replies overtake each other; no more calls than this can have been in flight beside the
        // newest, and a whole history need not be sorted.
        "SELECT error_code, finished_us, \
           coalesce((SELECT max(at_us) FROM events WHERE kind = 'reload'), 0) AS reloaded_us \
         FROM (SELECT id, error_code, finished_us FROM attempts \
               WHERE origin = $1 AND key_id = $2 AND http_status IS NOT NULL ORDER BY opened_us DESC LIMIT 1000) AS newest \
         ORDER BY finished_us DESC, id DESC LIMIT 1",
    )
    .bind(origin)
    .bind(key.0.as_ref())
    .fetch_optional(pool)
    .await?;
    let Some(row) = newest else { return Ok(None) };
    let held = row
        .try_get::<Option<&str>, _>("error_code")?
        .is_some_and(holds_key);
    let finished = timestamp(&row, "finished_us")?;
    Ok((held && finished > timestamp(&row, "reloaded_us")?).then_some(finished))
}

pub(super) async fn previous_success(
    pool: &SqlitePool,
    job: &JobName,
    before: Timestamp,
) -> Result<Option<Timestamp>, sqlx::Error> {
    sqlx::query(
        "SELECT scheduled_us FROM runs WHERE job = $1 AND scheduled_us < $2 AND state = 'success' \
         ORDER BY scheduled_us DESC LIMIT 1",
    )
    .bind(job.as_str())
    .bind(before.as_microsecond())
    .fetch_optional(pool)
    .await?
    .map(|row| timestamp(&row, "scheduled_us"))
    .transpose()
}

pub(super) fn timestamp(row: &SqliteRow, column: &str) -> Result<Timestamp, sqlx::Error> {
    Timestamp::from_microsecond(row.try_get(column)?).map_err(|error| undecodable(column, error))
}

pub(super) fn optional_timestamp(
    row: &SqliteRow,
    column: &str,
) -> Result<Option<Timestamp>, sqlx::Error> {
    row.try_get::<Option<i64>, _>(column)?
        .map(|micros| {
            Timestamp::from_microsecond(micros).map_err(|error| undecodable(column, error))
        })
        .transpose()
}

pub(super) fn job_name(row: &SqliteRow, column: &str) -> Result<JobName, sqlx::Error> {
    named(row, column, JobName::parse)
}

fn run_id(row: &SqliteRow, column: &str) -> Result<RunId, sqlx::Error> {
    named(row, column, |text| Uuid::try_parse(text).ok().map(RunId))
}

fn named<T>(
    row: &SqliteRow,
    column: &str,
    parse: impl Fn(&str) -> Option<T>,
) -> Result<T, sqlx::Error> {
    let text: &str = row.try_get(column)?;
    parse(text).ok_or_else(|| undecodable(column, format!("`{text}` is no value of it")))
}

fn optional_named<T>(
    row: &SqliteRow,
    column: &str,
    parse: impl Fn(&str) -> Option<T>,
) -> Result<Option<T>, sqlx::Error> {
    row.try_get::<Option<&str>, _>(column)?
        .map(|text| {
            parse(text).ok_or_else(|| undecodable(column, format!("`{text}` is no value of it")))
        })
        .transpose()
}

fn undecodable(
    column: &str,
    source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
) -> sqlx::Error {
    sqlx::Error::ColumnDecode {
        index: column.to_owned(),
        source: source.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::explain::steps;
    use super::*;

    #[tokio::test]
    async fn what_was_left_open_is_found_without_a_look_at_what_is_over() {
        for query in [UNFINISHED, INTERRUPTED] {
            let plan = steps(query).await.join("\n");
            assert!(plan.contains("INDEX runs_open"), "{plan}");
            for table in ["SCAN a", "SCAN e"] {
                assert!(!plan.contains(table), "{plan}");
            }
        }
    }
}
