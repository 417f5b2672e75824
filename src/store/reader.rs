//! The read-only side of a ledger: for the engine's start, and for every command that only looks.

use std::collections::HashMap;
use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;
use sqlx::SqlitePool;
use sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions};

use super::error::{StoreError, StoreErrorKind};
use super::holds::{self, Hold};
use super::lock;
use super::plan::Gap;
use super::resume::{self, InterruptedAttempt, UnfinishedRun};
use super::schema;
use super::versions::LoadedVersion;
use crate::clock::Uptime;
use crate::domain::job::{DefinitionHash, JobName};
use crate::domain::workspace::KeyId;

/// Connections that read at once, at most.
const CONNECTIONS: u32 = 4;

/// A small pool of read-only connections. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Reader {
    pool: SqlitePool,
}

impl Reader {
    /// Opens an existing ledger for reading, whether a daemon runs or not.
    ///
    /// # Errors
    /// `Missing`, `Denied`, `NotALedger`, `Newer`, `Older`; an empty file is no ledger to a reader.
    pub async fn open(path: &Path) -> Result<Self, StoreError> {
        let doing = || format!("reading the ledger {}", path.display());
        // Looked at, not opened: closing any handle to the file drops all locks that SQLite holds on
        // it in this process, the daemon's own among them, and the next program that reads the
        // ledger would take itself for the last one and delete the daemon's journal.
        match std::fs::metadata(path) {
            Err(error) => return Err(StoreError::new(doing(), lock::io_kind(&error))),
            Ok(metadata) if !metadata.is_file() => {
                return Err(StoreError::new(doing(), StoreErrorKind::NotALedger));
            }
            Ok(_) => {}
        }
        let options = SqliteConnectOptions::new()
            .filename(path)
            .read_only(true)
            .busy_timeout(Duration::from_secs(5));
        let pool = SqlitePoolOptions::new()
            .max_connections(CONNECTIONS)
            .acquire_timeout(Duration::from_secs(10))
            .connect_with(options)
            .await
            .map_err(|error| StoreError::from_sqlx(doing(), error))?;
        let mut connection = pool
            .acquire()
            .await
            .map_err(|error| StoreError::from_sqlx(doing(), error))?;
        let known = schema::newest();
        match schema::version(&mut connection, path).await? {
            0 => return Err(StoreError::new(doing(), StoreErrorKind::NotALedger)),
            found if found < known => {
                let kind = StoreErrorKind::Older { found, known };
                return Err(StoreError::new(doing(), kind));
            }
            _ => {}
        }
        drop(connection);
        Ok(Self { pool })
    }

    /// The pool, for the queries of this module's siblings.
    pub(super) fn pool(&self) -> &SqlitePool {
        &self.pool
    }

    /// Ends its connections; a clean stop needs the writer to be alone.
    pub async fn close(&self) {
        self.pool.close().await;
    }

    /// Runs that are not final, by due time.
    pub async fn unfinished_runs(&self) -> Result<Vec<UnfinishedRun>, StoreError> {
        let runs = resume::unfinished_runs(&self.pool).await;
        runs.map_err(|error| StoreError::from_sqlx("reading the unfinished runs", error))
    }

    /// Attempts that were open when the last daemon ended.
    pub async fn interrupted(&self) -> Result<Vec<InterruptedAttempt>, StoreError> {
        let attempts = resume::interrupted(&self.pool).await;
        attempts.map_err(|error| StoreError::from_sqlx("reading the interrupted attempts", error))
    }

    /// Quota slots of closed attempts that began to run out less than `window` ago: by the machine's own
    /// count where the attempt is of this boot, else by the wall clock, which shows `now`.
    pub async fn holds(
        &self,
        window: Duration,
        now: Timestamp,
        uptime: Option<Uptime>,
    ) -> Result<Vec<Hold>, StoreError> {
        let since = now.checked_sub(window).unwrap_or(Timestamp::MIN);
        let holds = holds::holds(&self.pool, since, uptime, window).await;
        holds.map_err(|error| StoreError::from_sqlx("reading the quota's use", error))
    }

    /// Spans still to be planned, the newest end first.
    pub async fn gaps(&self) -> Result<Vec<Gap>, StoreError> {
        let gaps = resume::gaps(&self.pool).await;
        gaps.map_err(|error| StoreError::from_sqlx("reading the unplanned spans", error))
    }

    /// What the ledger believes to be loaded, by name: of the names behind `after`, `limit` at most.
    pub async fn loaded_versions(
        &self,
        after: Option<&JobName>,
        limit: u32,
    ) -> Result<Vec<LoadedVersion>, StoreError> {
        let versions = resume::versions(&self.pool, after, limit).await;
        versions.map_err(|error| StoreError::from_sqlx("reading the loaded definitions", error))
    }

    /// The canonical texts of definitions, by their hashes; those that the ledger does not have are
    /// left out.
    pub async fn definitions(
        &self,
        hashes: &[&DefinitionHash],
    ) -> Result<HashMap<DefinitionHash, String>, StoreError> {
        let texts = resume::definitions(&self.pool, hashes).await;
        texts.map_err(|error| StoreError::from_sqlx("reading definitions", error))
    }

    /// The planner's cursor; `None` before the first planning.
    pub async fn planned_through(&self) -> Result<Option<Timestamp>, StoreError> {
        let through = resume::planned_through(&self.pool).await;
        through.map_err(|error| StoreError::from_sqlx("reading the planner's cursor", error))
    }

    /// The newest tick of each job that has one beyond the cursor: an instant of many ticks is planned in
    /// parts, and the cursor reaches it with the last.
    pub async fn planned_beyond(
        &self,
        cursor: Timestamp,
    ) -> Result<HashMap<JobName, Timestamp>, StoreError> {
        let planned = resume::planned_beyond(&self.pool, cursor).await;
        planned.map_err(|error| StoreError::from_sqlx("reading what is planned already", error))
    }

    /// When the server called the key invalid, if that still holds.
    pub async fn key_held_since(
        &self,
        origin: &str,
        key: &KeyId,
    ) -> Result<Option<Timestamp>, StoreError> {
        let held = resume::key_held_since(&self.pool, origin, key).await;
        held.map_err(|error| StoreError::from_sqlx("reading whether a key is held", error))
    }

    /// The tick of the job's newest success before `before`.
    pub async fn previous_success(
        &self,
        job: &JobName,
        before: Timestamp,
    ) -> Result<Option<Timestamp>, StoreError> {
        let tick = resume::previous_success(&self.pool, job, before).await;
        tick.map_err(|error| StoreError::from_sqlx("reading the previous success", error))
    }
}
