//! Backfills: ranges of the past that somebody ordered, planned part by part.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;
use sqlx::Row;
use sqlx::sqlite::{SqliteConnection, SqliteRow};

use super::error::StoreError;
use super::reader::Reader;
use super::resume::{job_name, timestamp};
use crate::domain::job::{DefinitionHash, JobName};

/// An order to run the ticks of a range again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Backfill {
    /// Its identity, a UUIDv7.
    pub id: String,
    /// Whose ticks.
    pub job: JobName,
    /// By which definition.
    pub definition_hash: DefinitionHash,
    /// The first instant, inclusive.
    pub from: Timestamp,
    /// The last instant, inclusive.
    pub until: Timestamp,
    /// Whether ticks that have a success run again, too.
    pub every: bool,
    /// How many runs it was to be when it was ordered.
    pub ticks: u64,
    /// Everything up to and including it has been looked at.
    pub planned: Timestamp,
    /// Who ordered it.
    pub actor: String,
}

/// Why a backfill ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// All its runs are final.
    Done,
    /// Its job was paused.
    Paused,
    /// Its job is no longer loaded.
    Removed,
}

impl Ending {
    /// The name in the ledger.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Paused => "paused",
            Self::Removed => "removed",
        }
    }
}

/// How far a backfill has come.
#[derive(Clone, Debug)]
pub struct Advance {
    /// Which.
    pub id: String,
    /// Everything up to and including it has been looked at.
    pub planned: Timestamp,
    /// Whether it has ended, and why.
    pub ending: Option<Ending>,
}

/// A backfill as somebody who waits for it sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BackfillProgress {
    /// Whose ticks.
    pub job: String,
    /// How many runs it was to be when it was ordered.
    pub ticks: u64,
    /// Its runs so far, by state.
    pub states: BTreeMap<String, u64>,
    /// Why it ended, if it has.
    pub ending: Option<String>,
}

pub(super) async fn begin(
    connection: &mut SqliteConnection,
    backfill: &Backfill,
    at: Timestamp,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO backfills (id, job, definition_hash, from_us, until_us, every, ticks, planned_us, ordered_us, actor) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
    )
    .bind(backfill.id.as_str())
    .bind(backfill.job.as_str())
    .bind(backfill.definition_hash.0.to_string())
    .bind(backfill.from.as_microsecond())
    .bind(backfill.until.as_microsecond())
    .bind(backfill.every)
    .bind(i64::try_from(backfill.ticks).unwrap_or(i64::MAX))
    .bind(backfill.planned.as_microsecond())
    .bind(at.as_microsecond())
    .bind(backfill.actor.as_str())
    .execute(connection)
    .await?;
    Ok(())
}

pub(super) async fn advance(
    connection: &mut SqliteConnection,
    advance: &Advance,
    at: Timestamp,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "UPDATE backfills SET planned_us = max(planned_us, $2), ending = $3, ended_us = $4 \
         WHERE id = $1 AND ended_us IS NULL",
    )
    .bind(advance.id.as_str())
    .bind(advance.planned.as_microsecond())
    .bind(advance.ending.map(Ending::as_str))
    .bind(advance.ending.map(|_| at.as_microsecond()))
    .execute(connection)
    .await?;
    Ok(())
}

fn read(row: &SqliteRow) -> Result<Backfill, sqlx::Error> {
    Ok(Backfill {
        id: row.try_get("id")?,
        job: job_name(row, "job")?,
        definition_hash: DefinitionHash(Arc::from(row.try_get::<&str, _>("definition_hash")?)),
        from: timestamp(row, "from_us")?,
        until: timestamp(row, "until_us")?,
        every: row.try_get("every")?,
        ticks: u64::try_from(row.try_get::<i64, _>("ticks")?).unwrap_or(0),
        planned: timestamp(row, "planned_us")?,
        actor: row.try_get("actor")?,
    })
}

/// Ticks of a range that a backfill leaves out: those with a success, and those that are not over.
const LEFT_OUT: &str = "\
SELECT scheduled_us FROM runs WHERE job = $1 AND scheduled_us BETWEEN $2 AND $3 \
AND trigger IN ('schedule', 'catchup', 'backfill') AND state IN ('success', 'waiting', 'running')";

impl Reader {
    /// Backfills that have not ended, in the order in which they were given.
    ///
    /// # Errors
    /// Where the ledger cannot be read.
    pub async fn open_backfills(&self) -> Result<Vec<Backfill>, StoreError> {
        sqlx::query(
            "SELECT id, job, definition_hash, from_us, until_us, every, ticks, planned_us, actor \
             FROM backfills WHERE ended_us IS NULL ORDER BY ordered_us, id",
        )
        .fetch_all(self.pool())
        .await
        .and_then(|rows| rows.iter().map(read).collect())
        .map_err(|error| StoreError::from_sqlx("reading the backfills", error))
    }

    /// The ticks in `[from, until]` that have a success or a run that is not final.
    ///
    /// # Errors
    /// Where the ledger cannot be read.
    pub async fn ticks_in_no_need(
        &self,
        job: &JobName,
        from: Timestamp,
        until: Timestamp,
    ) -> Result<BTreeSet<Timestamp>, StoreError> {
        sqlx::query(LEFT_OUT)
            .bind(job.as_str())
            .bind(from.as_microsecond())
            .bind(until.as_microsecond())
            .fetch_all(self.pool())
            .await
            .and_then(|rows| {
                rows.iter()
                    .map(|row| timestamp(row, "scheduled_us"))
                    .collect()
            })
            .map_err(|error| StoreError::from_sqlx("reading what needs no backfill", error))
    }

    /// How far a backfill has come; `None`: there is none of this id.
    ///
    /// # Errors
    /// Where the ledger cannot be read.
    pub async fn backfill(&self, id: &str) -> Result<Option<BackfillProgress>, StoreError> {
        let failed = |error| StoreError::from_sqlx("reading a backfill", error);
        let row = sqlx::query("SELECT job, ticks, ending FROM backfills WHERE id = $1")
            .bind(id)
            .fetch_optional(self.pool())
            .await
            .map_err(failed)?;
        let Some(row) = row else { return Ok(None) };
        let states: Vec<(String, i64)> =
            sqlx::query_as("SELECT state, count(*) FROM runs WHERE backfill = $1 GROUP BY state")
                .bind(id)
                .fetch_all(self.pool())
                .await
                .map_err(failed)?;
        let count = |count: i64| u64::try_from(count).unwrap_or(0);
        let progress = |row: &SqliteRow| -> Result<BackfillProgress, sqlx::Error> {
            Ok(BackfillProgress {
                job: row.try_get("job")?,
                ticks: count(row.try_get("ticks")?),
                states: states
                    .iter()
                    .map(|(state, runs)| (state.clone(), count(*runs)))
                    .collect(),
                ending: row.try_get("ending")?,
            })
        };
        progress(&row).map(Some).map_err(failed)
    }
}
