//! Opening a ledger: the daemon's end, which writes.

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Arc;

use jiff::Timestamp;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use super::checkpoint::Checkpoints;
use super::claim::{OpenAttempt, Opened};
use super::dialect;
use super::disk::Disk;
use super::error::{StoreError, StoreErrorKind};
use super::finish::{CloseAttempt, Closed, Settle};
use super::ground::{File, Ground, LARGE_JOURNAL};
use super::lock::{self, LedgerLock};
use super::operation::{Answer, Operation, Pending};
use super::orders::{Order, Ordered};
use super::plan::Plan;
use super::prune::Prune;
use super::reader::Reader;
use super::rewind::{Rewind, Rewound};
use super::schema;
use super::size::{Shrink, Size};
use super::versions::Event;
use super::writer;
use crate::domain::run::RunId;

/// A ledger held by this process. Cheap to clone; every clone writes through the one writer.
#[derive(Clone, Debug)]
pub struct Ledger {
    queue: mpsc::Sender<Pending>,
    reader: Reader,
    file: File,
}

/// What must be kept until the ledger is to be let go.
#[derive(Debug)]
pub struct Held {
    _lock: LedgerLock,
    writer: JoinHandle<()>,
    reader: Reader,
}

impl Ledger {
    /// Takes the lock, makes the file where it is missing, brings its schema up to date (after
    /// copying it aside), and starts the writer.
    ///
    /// # Errors
    /// See [`StoreErrorKind`]: locked by another daemon, no ledger, a newer one, or the file system.
    pub async fn open(path: &Path, now: Timestamp) -> Result<(Self, Held), StoreError> {
        Self::open_on(Disk::default(), path, now).await
    }

    /// Like [`Self::open`], on a disk that may be another than the machine's.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub async fn open_on(
        disk: Disk,
        path: &Path,
        now: Timestamp,
    ) -> Result<(Self, Held), StoreError> {
        let lock = LedgerLock::take(path, now)?;
        create(path)?;
        let mut connection = connect(path).await?;
        prepare(&mut connection, &disk, path, now).await?;
        let reader = Reader::open(path).await?;
        let (queue, receiver) = mpsc::channel(writer::QUEUE);
        let file = File::of(path).map_err(|kind| StoreError::new(doing(path), kind))?;
        let ground = Ground::new(file.clone(), disk);
        let checkpoints = Checkpoints::new(path.to_owned());
        let writer = tokio::spawn(writer::run(connection, ground, checkpoints, receiver));
        let held = Held {
            _lock: lock,
            writer,
            reader: reader.clone(),
        };
        let ledger = Self {
            queue,
            reader,
            file,
        };
        Ok((ledger, held))
    }

    /// The read-only side.
    pub fn reader(&self) -> &Reader {
        &self.reader
    }

    /// Has every write fail from now on, since the file is damaged: what was found is what they say.
    pub fn condemn(&self, found: String) {
        self.file.condemn(found);
    }

    /// Whether it is known, without trying, that nothing can be written: the file is damaged, or no
    /// longer where it was.
    pub fn is_lost(&self) -> bool {
        self.file.holds().is_err()
    }

    /// Writes a plan; answers the runs that were left out because their tick had a row already.
    ///
    /// # Errors
    /// Where nothing of it was kept.
    pub async fn plan(&self, plan: Plan) -> Result<Vec<RunId>, StoreError> {
        self.submit_plan(plan).await?.durable().await
    }

    /// Hands a plan to the writer and does not wait for it. What is handed over later, by whomever, is
    /// written in the same transaction or in a later one: an attempt of a run of this plan is never
    /// durable without it.
    ///
    /// # Errors
    /// Where there is no writer any more.
    pub async fn submit_plan(&self, plan: Plan) -> Result<SubmittedPlan, StoreError> {
        let answer = self.submit(Operation::Plan(Box::new(plan))).await?;
        Ok(SubmittedPlan(answer))
    }

    /// Opens an attempt. When this answers `Opened`, the row is durable (guarantee G1).
    pub async fn open_attempt(&self, attempt: OpenAttempt) -> Result<Opened, StoreError> {
        match self.write(Operation::Open(Box::new(attempt))).await? {
            Answer::Opened(opened) => Ok(opened),
            _ => Err(unexpected()),
        }
    }

    /// Closes an attempt and moves its run on. Shared, so that whoever has to try again keeps it without
    /// a copy of its texts.
    pub async fn close_attempt(&self, attempt: Arc<CloseAttempt>) -> Result<Closed, StoreError> {
        match self.write(Operation::Close(attempt)).await? {
            Answer::Closed(closed) => Ok(closed),
            _ => Err(unexpected()),
        }
    }

    /// Writes decisions on runs that wait; answers the runs that did not, of which nothing was
    /// changed.
    pub async fn settle(&self, decisions: Vec<Settle>) -> Result<Vec<RunId>, StoreError> {
        match self.write(Operation::Settle(decisions)).await? {
            Answer::Settled(not_waiting) => Ok(not_waiting),
            _ => Err(unexpected()),
        }
    }

    /// Writes an order with its events, all of it or nothing.
    pub async fn order(&self, order: Order) -> Result<Ordered, StoreError> {
        match self.write(Operation::Order(Box::new(order))).await? {
            Answer::Ordered(ordered) => Ok(ordered),
            _ => Err(unexpected()),
        }
    }

    /// Takes the planning back to an instant that it had passed, or a part of the way.
    pub async fn rewind(&self, rewind: Rewind) -> Result<Rewound, StoreError> {
        match self.write(Operation::Rewind(Box::new(rewind))).await? {
            Answer::Rewound(rewound) => Ok(rewound),
            _ => Err(unexpected()),
        }
    }

    /// Takes the next batch of what is old away; answers the pass as it is then.
    pub async fn prune(&self, pass: Prune) -> Result<Prune, StoreError> {
        match self.write(Operation::Prune(Box::new(pass))).await? {
            Answer::Pruned(pass) => Ok(*pass),
            _ => Err(unexpected()),
        }
    }

    /// Gives a piece of what is free back to the file system; answers the file's size after it.
    pub async fn shrink(&self, shrink: Shrink) -> Result<Size, StoreError> {
        match self.write(Operation::Shrink(shrink)).await? {
            Answer::Size(size) => Ok(size),
            _ => Err(unexpected()),
        }
    }

    /// Writes an event.
    pub async fn record(&self, event: Event) -> Result<(), StoreError> {
        self.write(Operation::Record(Box::new(event)))
            .await
            .map(drop)
    }

    /// Tries whether the ledger can be written, by a transaction that changes nothing and is fsynced like
    /// any other.
    pub async fn probe(&self) -> Result<(), StoreError> {
        self.write(Operation::Probe).await.map(drop)
    }

    async fn write(&self, operation: Operation) -> Result<Answer, StoreError> {
        let answer = self.submit(operation).await?;
        answer.await.map_err(|_| gone())?
    }

    /// The answer comes after the commit.
    async fn submit(&self, operation: Operation) -> Result<Submitted, StoreError> {
        let (answer, answered) = oneshot::channel();
        let pending = Pending { operation, answer };
        self.queue.send(pending).await.map_err(|_| gone())?;
        Ok(answered)
    }
}

/// Where an operation's answer comes.
type Submitted = oneshot::Receiver<Result<Answer, StoreError>>;

/// A plan that the writer has, and that may not be durable yet.
#[derive(Debug)]
pub struct SubmittedPlan(Submitted);

impl SubmittedPlan {
    /// Waits until the plan is durable; answers the runs that were left out because their tick had a
    /// row already.
    ///
    /// # Errors
    /// Where nothing of it was kept.
    pub async fn durable(self) -> Result<Vec<RunId>, StoreError> {
        match self.0.await.map_err(|_| gone())?? {
            Answer::Planned(taken) => Ok(taken),
            _ => Err(unexpected()),
        }
    }
}

impl Held {
    /// Lets the ledger go after everything queued is written. `last` must be the last clone: readers
    /// end first, then the writer, so that it is alone when it leaves WAL.
    pub async fn release(self, last: Ledger) {
        self.reader.close().await;
        drop(last);
        if let Err(error) = self.writer.await {
            tracing::error!(%error, "the ledger's writer ended badly");
        }
    }
}

fn gone() -> StoreError {
    StoreError::new(
        "writing to the ledger: its writer has ended",
        StoreErrorKind::Bug,
    )
}

fn unexpected() -> StoreError {
    StoreError::new(
        "writing to the ledger: an answer to another question",
        StoreErrorKind::Bug,
    )
}

pub(super) fn doing(path: &Path) -> String {
    format!("opening the ledger {}", path.display())
}

/// Makes the file with the ledger's mode before SQLite would make it with the process's.
fn create(path: &Path) -> Result<(), StoreError> {
    OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(lock::FILE_MODE)
        .open(path)
        .map(drop)
        .map_err(|error| StoreError::new(doing(path), lock::io_kind(&error)))
}

pub(super) async fn connect(path: &Path) -> Result<SqliteConnection, StoreError> {
    let options = SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(false);
    // A slow one would be told with the whole text of its statement, thousands of characters long.
    let options = options.disable_statement_logging();
    SqliteConnection::connect_with(&options)
        .await
        .map_err(|error| StoreError::from_sqlx(doing(path), error))
}

/// A connection that copies the journal, and syncs what it copies.
pub(super) async fn connect_to_copy(path: &Path) -> Result<SqliteConnection, StoreError> {
    let mut connection = connect(path).await?;
    let (journal, synchronous) = (SqliteJournalMode::Wal, SqliteSynchronous::Full);
    set(&mut connection, journal, synchronous)
        .await
        .map_err(|error| StoreError::from_sqlx(doing(path), error))?;
    Ok(connection)
}

async fn prepare(
    connection: &mut SqliteConnection,
    disk: &Disk,
    path: &Path,
    now: Timestamp,
) -> Result<(), StoreError> {
    let failed = |error| StoreError::from_sqlx(doing(path), error);
    let found = schema::version(connection, path).await?;
    if found > 0 && found < schema::newest() {
        schema::copy_aside(connection, path, found, now)
            .await
            .map_err(failed)?;
    }
    if found == 0 {
        // Of a file that has a page already, it would take a whole VACUUM; WAL mode makes the first.
        sqlx::query(dialect::GIVE_PAGES_BACK)
            .execute(&mut *connection)
            .await
            .map_err(failed)?;
    }
    set(connection, SqliteJournalMode::Wal, disk.synchronous())
        .await
        .map_err(failed)?;
    if found == 0 {
        let mark = sqlx::AssertSqlSafe(format!(
            "PRAGMA application_id = {}",
            dialect::APPLICATION_ID
        ));
        sqlx::query(mark)
            .execute(&mut *connection)
            .await
            .map_err(failed)?;
    }
    schema::MIGRATOR
        .run(&mut *connection)
        .await
        .map_err(|error| failed(sqlx::Error::Migrate(Box::new(error))))?;
    if !disk.is_scripted() {
        sqlx::query(dialect::COPY_AT_LAST)
            .execute(&mut *connection)
            .await
            .map_err(failed)?;
    }
    // Only now: an index is built over a whole table, which would lie in memory too.
    sqlx::query(dialect::TAKE_BACK_IN_MEMORY)
        .execute(connection)
        .await
        .map(drop)
        .map_err(failed)
}

async fn set(
    connection: &mut SqliteConnection,
    journal: SqliteJournalMode,
    synchronous: SqliteSynchronous,
) -> Result<(), sqlx::Error> {
    let pragmas = format!(
        "PRAGMA journal_mode = {}; PRAGMA synchronous = {}; PRAGMA foreign_keys = ON; \
         PRAGMA journal_size_limit = {LARGE_JOURNAL};",
        match journal {
            SqliteJournalMode::Wal => "WAL",
            _ => "DELETE",
        },
        match synchronous {
            SqliteSynchronous::Full => "FULL",
            SqliteSynchronous::Off => "OFF",
            _ => "NORMAL",
        },
    );
    sqlx::raw_sql(sqlx::AssertSqlSafe(pragmas))
        .execute(connection)
        .await
        .map(drop)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_new_ledger_can_give_its_pages_back() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("funcron.db");
        let (ledger, held) = Ledger::open(&path, Timestamp::UNIX_EPOCH).await.unwrap();
        assert!(ledger.reader().size().await.unwrap().can_shrink);
        held.release(ledger).await;
    }

    async fn setting(disk: &Disk, pragma: &'static str) -> i64 {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("funcron.db");
        std::fs::File::create(&path).unwrap();
        let mut connection = connect(&path).await.unwrap();
        prepare(&mut connection, disk, &path, Timestamp::UNIX_EPOCH)
            .await
            .unwrap();
        sqlx::query_scalar(pragma)
            .fetch_one(&mut connection)
            .await
            .unwrap()
    }

    /// What no simulation on a disk in memory can see: that a commit waits for the disk.
    #[tokio::test]
    async fn every_commit_of_a_real_disk_is_synced() {
        for (disk, synchronous) in [
            (Disk::default(), 2),
            (Disk::scripted(|_| Box::pin(async { Ok(()) })), 0),
        ] {
            let found = setting(&disk, "PRAGMA synchronous").await;
            assert_eq!(found, synchronous, "{disk:?}");
        }
    }

    #[tokio::test]
    async fn what_a_statement_may_take_back_lies_in_memory() {
        const MEMORY: i64 = 2;
        let found = setting(&Disk::default(), "PRAGMA temp_store").await;
        assert_eq!(found, MEMORY);
    }
}
