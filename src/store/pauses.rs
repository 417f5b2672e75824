//! Pauses: the spans in which a job's ticks are `skipped/paused`.

use jiff::Timestamp;
use sqlx::Row;
use sqlx::sqlite::{SqliteConnection, SqliteRow};

use super::error::StoreError;
use super::reader::Reader;
use super::resume::{job_name, optional_timestamp, timestamp};
use crate::domain::job::JobName;

/// A pause of one job: the span `(from, end]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pause {
    /// Whose.
    pub job: JobName,
    /// The instant of the order; the first tick that is skipped lies after it.
    pub from: Timestamp,
    /// When it ends by itself.
    pub until: Option<Timestamp>,
    /// When somebody ended it, or began another in its place.
    pub resumed: Option<Timestamp>,
    /// Who ordered it.
    pub actor: String,
    /// Why, in that person's words.
    pub reason: Option<String>,
}

impl Pause {
    /// The last instant that is paused; `None`: it goes on until somebody ends it.
    pub fn end(&self) -> Option<Timestamp> {
        self.until.into_iter().chain(self.resumed).min()
    }

    /// Whether an instant lies in it.
    pub fn covers(&self, at: Timestamp) -> bool {
        self.from < at && self.end().is_none_or(|end| at <= end)
    }
}

pub(super) async fn begin(
    connection: &mut SqliteConnection,
    pause: &Pause,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO pauses (job, from_us, until_us, actor, reason) VALUES ($1, $2, $3, $4, $5)",
    )
    .bind(pause.job.as_str())
    .bind(pause.from.as_microsecond())
    .bind(pause.until.map(Timestamp::as_microsecond))
    .bind(pause.actor.as_str())
    .bind(pause.reason.as_deref())
    .execute(connection)
    .await?;
    Ok(())
}

pub(super) async fn end(
    connection: &mut SqliteConnection,
    job: &JobName,
    at: Timestamp,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "UPDATE pauses SET resumed_us = max(from_us, $2) WHERE job = $1 AND resumed_us IS NULL",
    )
    .bind(job.as_str())
    .bind(at.as_microsecond())
    .execute(connection)
    .await?;
    Ok(())
}

fn read(row: &SqliteRow) -> Result<Pause, sqlx::Error> {
    Ok(Pause {
        job: job_name(row, "job")?,
        from: timestamp(row, "from_us")?,
        until: optional_timestamp(row, "until_us")?,
        resumed: optional_timestamp(row, "resumed_us")?,
        actor: row.try_get("actor")?,
        reason: row.try_get("reason")?,
    })
}

impl Reader {
    /// Pauses that reach beyond `since`: those that can bear on a tick after it.
    ///
    /// # Errors
    /// Where the ledger cannot be read.
    pub async fn pauses(&self, since: Timestamp) -> Result<Vec<Pause>, StoreError> {
        let failed = |error| StoreError::from_sqlx("reading the pauses", error);
        sqlx::query(
            "SELECT job, from_us, until_us, resumed_us, actor, reason FROM pauses \
             WHERE (until_us IS NULL OR until_us > $1) AND (resumed_us IS NULL OR resumed_us > $1) \
             ORDER BY job, from_us",
        )
        .bind(since.as_microsecond())
        .fetch_all(self.pool())
        .await
        .and_then(|rows| rows.iter().map(read).collect())
        .map_err(failed)
    }
}
