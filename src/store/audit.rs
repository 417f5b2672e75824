//! What `audit verify` reads: the whole ledger, in the order in which it can be joined.
//!
//! All reads happen in one transaction of a read-only connection, so that a daemon that goes on
//! planning cannot look like a hole. Nothing is held in memory but a batch of definitions and a part of
//! the runs. Words that are not in the contract's sets are handed on ([`Word::Foreign`]) and
//! not refused: the auditor is there to name them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use futures_util::StreamExt;
use sqlx::sqlite::{SqliteConnectOptions, SqliteRow};
use sqlx::{ConnectOptions, Row, SqliteConnection};

mod runs;

pub use runs::{AuditedAttempt, AuditedRun, AuditedRuns, Measured};

/// No name of a job sorts after it.
const END_OF_NAMES: &str = "\u{10FFFF}";

/// The ledger could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// Not at all.
    #[error("cannot open the ledger {} for reading", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// What SQLite says.
        source: sqlx::Error,
    },
    /// Not to its end: it is damaged, or another program is in the way.
    #[error("cannot read the ledger's table `{table}`")]
    Table {
        /// The table.
        table: &'static str,
        /// What SQLite says.
        source: sqlx::Error,
    },
    /// What it answers with is not what was asked for.
    #[error("cannot understand the rows of the ledger's table `{table}`")]
    Rows {
        /// The table.
        table: &'static str,
        /// What is wrong with them.
        source: serde_json::Error,
    },
}

/// A word of a closed set, or one that is in no version of it known here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Word<T> {
    /// One of the set.
    Known(T),
    /// Another.
    Foreign(String),
}

impl<T: Copy> Word<T> {
    fn read(text: &str, parse: impl Fn(&str) -> Option<T>) -> Self {
        parse(text).map_or_else(|| Self::Foreign(text.to_owned()), Self::Known)
    }

    /// The word, if it is known.
    pub fn known(&self) -> Option<T> {
        match self {
            Self::Known(word) => Some(*word),
            Self::Foreign(_) => None,
        }
    }
}

/// What the ledger says about the time of one job: the rows of `jobs`, `job_versions`, `gaps` and
/// `pauses`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobHistory {
    /// The job's name.
    pub job: String,
    /// Its row of `jobs`.
    pub cursor: Option<Cursor>,
    /// Its rows of `job_versions`, by their beginning.
    pub versions: Vec<Version>,
    /// Its rows of `gaps`: spans (from, until] that are still to be planned.
    pub gaps: Vec<(i64, i64)>,
    /// Its rows of `pauses`, by their beginning: spans (from, end] in which ticks are skipped.
    pub pauses: Vec<(i64, Option<i64>)>,
    /// Its rows of `backfills`.
    pub backfills: Vec<AuditedBackfill>,
}

/// A row of `jobs`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor {
    /// The definition in force.
    pub definition_hash: String,
    /// Whether the job is in the configuration.
    pub loaded: bool,
    /// Up to where its ticks may have runs, in microseconds since the epoch.
    pub planned_us: i64,
}

/// A row of `job_versions`: a definition and the interval (from, until] that it rules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version {
    /// The SHA-256 that the definition should have.
    pub definition_hash: String,
    /// Its JSON text.
    pub definition: String,
    /// The zone data it was planned with.
    pub zone_data: String,
    /// Microseconds since the epoch, exclusive.
    pub from_us: i64,
    /// Microseconds since the epoch, inclusive; `None` while the interval is open.
    pub until_us: Option<i64>,
}

/// A row of `backfills`. Instants are microseconds since the epoch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditedBackfill {
    /// Its identity.
    pub id: String,
    /// The definition whose ticks it runs.
    pub definition_hash: String,
    /// The range's first instant.
    pub from_us: i64,
    /// Its last.
    pub until_us: i64,
    /// Whether ticks are run again that have a success.
    pub every: bool,
    /// Up to where its ticks have been looked at.
    pub planned_us: i64,
    /// When it was ordered.
    pub ordered_us: i64,
    /// Whether it came to its end.
    pub is_done: bool,
}

/// An attempt whose run is not there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Orphan {
    /// The run it says it belongs to.
    pub run_id: String,
    /// Its number.
    pub attempt: i64,
    /// What it called.
    pub func_id: String,
    /// When, in microseconds since the epoch.
    pub opened_us: i64,
}

/// Reads a ledger as it stood when the reader was opened.
#[derive(Debug)]
pub struct AuditReader {
    connection: SqliteConnection,
}

impl AuditReader {
    /// Opens the ledger at `path` read-only. The transaction ends with the reader.
    pub async fn open(path: &Path) -> Result<Self, ReadError> {
        let opening = |source| ReadError::Open {
            path: path.to_owned(),
            source,
        };
        let mut connection = SqliteConnectOptions::new()
            .filename(path)
            .read_only(true)
            .connect()
            .await
            .map_err(opening)?;
        // The snapshot is taken by the first read within the transaction.
        sqlx::query("BEGIN")
            .execute(&mut connection)
            .await
            .map_err(opening)?;
        sqlx::query("SELECT count(*) FROM sqlite_schema")
            .execute(&mut connection)
            .await
            .map_err(opening)?;
        Ok(Self { connection })
    }

    /// The details of every `prune` event, in their order.
    pub async fn prunes(&mut self) -> Result<Vec<String>, ReadError> {
        sqlx::query_scalar("SELECT detail FROM events WHERE kind = 'prune' ORDER BY at_us, id")
            .fetch_all(&mut self.connection)
            .await
            .map_err(reading("events"))
    }

    /// How many spans of the past are still to be planned.
    pub async fn unplanned_spans(&mut self) -> Result<u64, ReadError> {
        let spans: i64 = sqlx::query_scalar("SELECT count(*) FROM gaps")
            .fetch_one(&mut self.connection)
            .await
            .map_err(reading("gaps"))?;
        Ok(spans.unsigned_abs())
    }

    /// The instants of the daemon's starts, ascending, in microseconds since the epoch.
    pub async fn starts(&mut self) -> Result<Vec<i64>, ReadError> {
        sqlx::query_scalar("SELECT at_us FROM events WHERE kind = 'start' ORDER BY at_us")
            .fetch_all(&mut self.connection)
            .await
            .map_err(reading("events"))
    }

    /// What was told of a wall clock that was set back: when, in microseconds since the epoch, and the
    /// event's detail, a JSON text.
    pub async fn clocks_set_back(&mut self) -> Result<Vec<(i64, String)>, ReadError> {
        sqlx::query_as(
            "SELECT at_us, detail FROM events WHERE kind IN ('rewind', 'clock_jump') ORDER BY at_us",
        )
        .fetch_all(&mut self.connection)
        .await
        .map_err(reading("events"))
    }

    /// Up to `limit` names of jobs from `first` on, in order, from all tables.
    pub async fn names(&mut self, first: &str, limit: u32) -> Result<Vec<String>, ReadError> {
        // The names among the runs are leapt through: one look into the index for each.
        sqlx::query_scalar(
            "WITH RECURSIVE run_job (job) AS (
                 SELECT min(job) FROM runs WHERE job >= $1
                 UNION ALL SELECT (SELECT min(job) FROM runs WHERE job > run_job.job) FROM run_job
                 WHERE run_job.job IS NOT NULL)
             SELECT job FROM run_job WHERE job IS NOT NULL
             UNION SELECT name FROM jobs WHERE name >= $1
             UNION SELECT job FROM job_versions WHERE job >= $1
             UNION SELECT job FROM gaps WHERE job >= $1
             UNION SELECT job FROM pauses WHERE job >= $1
             UNION SELECT job FROM backfills WHERE job >= $1
             ORDER BY 1 LIMIT $2",
        )
        .bind(first)
        .bind(limit)
        .fetch_all(&mut self.connection)
        .await
        .map_err(reading("jobs"))
    }

    /// The histories of the jobs whose names lie in `[first, end)`, by name, but those of which only
    /// `runs` has heard. No `end`: all.
    pub async fn histories(
        &mut self,
        first: &str,
        end: Option<&str>,
    ) -> Result<BTreeMap<String, JobHistory>, ReadError> {
        let end = end.unwrap_or(END_OF_NAMES);
        let cursors = sqlx::query(
            "SELECT name, definition_hash, loaded FROM jobs
             WHERE name >= $1 AND name < $2 ORDER BY name",
        );
        let versions = sqlx::query(
            "SELECT job, definition_hash, definition, zone_data, from_us, until_us
             FROM job_versions WHERE job >= $1 AND job < $2 ORDER BY job, from_us, id",
        );
        let gaps = sqlx::query(
            "SELECT job, from_us, until_us FROM gaps
             WHERE job >= $1 AND job < $2 ORDER BY job, until_us",
        );
        let pauses = sqlx::query(
            "SELECT job, from_us, CASE WHEN until_us IS NULL THEN resumed_us WHEN resumed_us IS NULL THEN until_us
                    ELSE min(until_us, resumed_us) END
             FROM pauses WHERE job >= $1 AND job < $2 ORDER BY job, from_us",
        );
        let backfills = sqlx::query(
            "SELECT job, id, definition_hash, from_us, until_us, every, planned_us, ordered_us,
                    coalesce(ending = 'done', 0)
             FROM backfills WHERE job >= $1 AND job < $2 ORDER BY job, from_us, id",
        );
        let mut histories = Histories::default();
        let (planned_us, reached_us) = self.reach().await?;
        let connection = &mut self.connection;
        let rows = cursors.bind(first).bind(end).fetch_all(&mut *connection);
        for row in rows.await.map_err(reading("jobs"))? {
            histories
                .cursor(&row, planned_us, reached_us)
                .map_err(reading("jobs"))?;
        }
        let rows = versions.bind(first).bind(end).fetch_all(&mut *connection);
        for row in rows.await.map_err(reading("job_versions"))? {
            histories.version(&row).map_err(reading("job_versions"))?;
        }
        let rows = gaps.bind(first).bind(end).fetch_all(&mut *connection);
        for row in rows.await.map_err(reading("gaps"))? {
            histories.gap(&row).map_err(reading("gaps"))?;
        }
        let rows = pauses.bind(first).bind(end).fetch_all(&mut *connection);
        for row in rows.await.map_err(reading("pauses"))? {
            histories.pause(&row).map_err(reading("pauses"))?;
        }
        let rows = backfills.bind(first).bind(end).fetch_all(&mut *connection);
        for row in rows.await.map_err(reading("backfills"))? {
            histories.backfill(&row).map_err(reading("backfills"))?;
        }
        Ok(histories.0)
    }

    /// The planner's cursor, and up to where ticks may have their runs ahead of it.
    async fn reach(&mut self) -> Result<(i64, i64), ReadError> {
        let row = sqlx::query("SELECT planned_us, reached_us FROM planner")
            .fetch_optional(&mut self.connection)
            .await
            .map_err(reading("planner"))?;
        let Some(row) = row else { return Ok((0, 0)) };
        let planned_us = row.try_get(0).map_err(reading("planner"))?;
        Ok((planned_us, row.try_get(1).map_err(reading("planner"))?))
    }

    /// How many attempts there are, of whatever run.
    pub async fn attempts(&mut self) -> Result<u64, ReadError> {
        let count: i64 = sqlx::query_scalar("SELECT count(*) FROM attempts")
            .fetch_one(&mut self.connection)
            .await
            .map_err(reading("attempts"))?;
        Ok(count.unsigned_abs())
    }

    /// Tells of every attempt whose run is not there.
    pub async fn orphans(&mut self, mut tell: impl FnMut(Orphan)) -> Result<(), ReadError> {
        let mut rows = sqlx::query(
            "SELECT a.run_id, a.attempt, a.func_id, a.opened_us FROM attempts a
             WHERE NOT EXISTS (SELECT 1 FROM runs r WHERE r.id = a.run_id)
             ORDER BY a.run_id, a.attempt",
        )
        .fetch(&mut self.connection);
        while let Some(row) = rows.next().await {
            let row = row.map_err(reading("attempts"))?;
            tell(orphan(&row).map_err(reading("attempts"))?);
        }
        Ok(())
    }
}

fn reading(table: &'static str) -> impl Fn(sqlx::Error) -> ReadError {
    move |source| ReadError::Table { table, source }
}

/// Histories under construction, by name.
#[derive(Default)]
struct Histories(BTreeMap<String, JobHistory>);

impl Histories {
    fn of(&mut self, job: &str) -> &mut JobHistory {
        self.0
            .entry(job.to_owned())
            .or_insert_with(|| JobHistory::unknown(job))
    }

    fn cursor(
        &mut self,
        row: &SqliteRow,
        planned_us: i64,
        reached_us: i64,
    ) -> Result<(), sqlx::Error> {
        let history = self.of(row.try_get(0)?);
        history.cursor = Some(Cursor {
            definition_hash: row.try_get(1)?,
            loaded: row.try_get(2)?,
            planned_us: reached_us,
        });
        if reached_us > planned_us {
            history.gaps.push((planned_us, reached_us));
        }
        Ok(())
    }

    fn version(&mut self, row: &SqliteRow) -> Result<(), sqlx::Error> {
        self.of(row.try_get(0)?).versions.push(Version {
            definition_hash: row.try_get(1)?,
            definition: row.try_get(2)?,
            zone_data: row.try_get(3)?,
            from_us: row.try_get(4)?,
            until_us: row.try_get(5)?,
        });
        Ok(())
    }

    fn gap(&mut self, row: &SqliteRow) -> Result<(), sqlx::Error> {
        let span = (row.try_get(1)?, row.try_get(2)?);
        self.of(row.try_get(0)?).gaps.push(span);
        Ok(())
    }

    fn pause(&mut self, row: &SqliteRow) -> Result<(), sqlx::Error> {
        let span = (row.try_get(1)?, row.try_get(2)?);
        self.of(row.try_get(0)?).pauses.push(span);
        Ok(())
    }

    fn backfill(&mut self, row: &SqliteRow) -> Result<(), sqlx::Error> {
        let backfill = AuditedBackfill {
            id: row.try_get(1)?,
            definition_hash: row.try_get(2)?,
            from_us: row.try_get(3)?,
            until_us: row.try_get(4)?,
            every: row.try_get(5)?,
            planned_us: row.try_get(6)?,
            ordered_us: row.try_get(7)?,
            is_done: row.try_get(8)?,
        };
        self.of(row.try_get(0)?).backfills.push(backfill);
        Ok(())
    }
}

impl JobHistory {
    /// The history of a job of which no table but `runs` has heard.
    pub fn unknown(job: &str) -> Self {
        Self {
            job: job.to_owned(),
            cursor: None,
            versions: Vec::new(),
            gaps: Vec::new(),
            pauses: Vec::new(),
            backfills: Vec::new(),
        }
    }
}

fn orphan(row: &SqliteRow) -> Result<Orphan, sqlx::Error> {
    Ok(Orphan {
        run_id: row.try_get(0)?,
        attempt: row.try_get(1)?,
        func_id: row.try_get(2)?,
        opened_us: row.try_get(3)?,
    })
}
