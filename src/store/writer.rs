//! The one writer: group commit.
//!
//! Whatever has queued up when a transaction ends goes into the next one, so that an fsync is shared
//! by all who wait for it. Answers leave after the commit. A transaction that fails because of the
//! disk fails for all its operations; one that fails because of an operation is taken apart, so that
//! a bad one cannot drag others down.

use std::time::Duration;

use sqlx::Connection;
use sqlx::sqlite::SqliteConnection;
use tokio::sync::mpsc;

use super::checkpoint::Checkpoints;
use super::claim::{self, Opened};
use super::company::{self, Company};
use super::dialect;
use super::disk::Moment;
use super::error::{StoreError, StoreErrorKind};
use super::finish::{self, Closed};
use super::ground::Ground;
use super::operation::{Answer, Operation, Pending, operations};
use super::orders;
use super::plan;
use super::prune;
use super::rewind;
use super::rows;
use super::size;
use super::versions;

/// Operations that a transaction begins with, at most: what one statement takes in. In a burst those who
/// are answered call while the next are written; with more in one transaction all would call, then all be
/// written, and one of two processors would rest. What the further fsyncs cost is less (of 0.7 ms each, and
/// 2 cores; tried anew with twice as many on 2026-11-28: no faster).
const BATCH: usize = rows::MOST;

/// Operations that may wait before their senders do.
pub(super) const QUEUE: usize = 4096;

/// How often leaving WAL mode is tried, and the pause in between: three seconds, which the unit's
/// TimeoutStopSec has to spare.
const LEAVING_TRIES: u32 = 31;
const LEAVING_PAUSE: Duration = Duration::from_millis(100);

/// Commits until every sender is gone, then leaves the file readable for everyone.
pub(super) async fn run(
    mut connection: SqliteConnection,
    mut ground: Ground,
    mut checkpoints: Checkpoints,
    mut queue: mpsc::Receiver<Pending>,
) {
    let mut batch = Vec::with_capacity(BATCH);
    loop {
        let came = tokio::select! {
            biased;
            // First: the more is written meanwhile, the more is left to do.
            () = checkpoints.copied() => {
                checkpoints.finish(&mut connection).await;
                continue;
            }
            came = queue.recv_many(&mut batch, BATCH) => came,
        };
        if came == 0 {
            break;
        }
        if ground.disk.is_scripted() {
            company::gather(&mut queue, &mut batch, BATCH).await;
        }
        let company = Company::of(&ground, &batch, &mut queue);
        let operations = commit(
            &mut connection,
            &mut ground,
            std::mem::take(&mut batch),
            company,
        )
        .await;
        if !ground.disk.is_scripted() {
            checkpoints.note(operations);
        }
    }
    checkpoints.close().await;
    leave_wal(&mut connection).await;
    let _ = connection.close().await;
}

/// Leaves the file readable for those who may not write its directory (guarantee G8). SQLite does it
/// only when nobody else has the file open, and does not wait for that: a `funcron history` or a
/// `sqlite3` that is just being used is soon done, so it is tried again for a while. The stop does not
/// wait for a shell that is left open; the file is whole either way.
async fn leave_wal(connection: &mut SqliteConnection) {
    for tries_left in (0..LEAVING_TRIES).rev() {
        match sqlx::query(dialect::LEAVE_WAL)
            .execute(&mut *connection)
            .await
        {
            Ok(_) => return,
            Err(error) if tries_left == 0 => {
                tracing::warn!(%error, "another program keeps the ledger open, so it stays in WAL mode: until the next daemon has stopped, only who may write its directory can read it");
            }
            Err(_) => tokio::time::sleep(LEAVING_PAUSE).await,
        }
    }
}

/// Answers how many operations there were.
async fn commit(
    connection: &mut SqliteConnection,
    ground: &mut Ground,
    mut batch: Vec<Pending>,
    mut company: Option<Company<'_>>,
) -> usize {
    let done = transaction(connection, ground, &operations(&batch), company.as_mut()).await;
    batch.extend(company.into_iter().flat_map(Company::into_joined));
    let operations = batch.len();
    match done {
        Ok(answers) => {
            for (pending, answer) in batch.into_iter().zip(answers) {
                // A sender that no longer listens has been stopped; the row is durable all the same.
                let _ = pending.answer.send(Ok(answer));
            }
        }
        Err(failure) => take_apart(connection, ground, batch, failure).await,
    }
    operations
}

/// Answers every operation of a failed transaction: with the failure, where it was the disk's, or
/// else by doing each in a transaction of its own.
async fn take_apart(
    connection: &mut SqliteConnection,
    ground: &mut Ground,
    mut batch: Vec<Pending>,
    failure: Failure,
) {
    if let Some(kind) = failure.of_the_disk() {
        for pending in batch {
            let error = StoreError::new(pending.operation.doing(), kind.clone());
            let _ = pending.answer.send(Err(error));
        }
        return;
    }
    if batch.len() == 1 {
        if let Some(pending) = batch.pop() {
            let _ = pending.answer.send(failure.answer(&pending.operation));
        }
        return;
    }
    for pending in batch {
        let outcome = match transaction(connection, ground, &[&pending.operation], None).await {
            Ok(mut answers) => Ok(answers.pop().unwrap_or(Answer::Done)),
            Err(failure) => failure.answer(&pending.operation),
        };
        let _ = pending.answer.send(outcome);
    }
}

enum Failure {
    Database(sqlx::Error),
    Disk(StoreErrorKind),
    /// Some row was not in the state that the operation needs; nothing was kept.
    Mismatch,
    /// What a plan waited for will not come; nothing was kept.
    Withdrawn,
}

impl From<sqlx::Error> for Failure {
    fn from(error: sqlx::Error) -> Self {
        Self::Database(error)
    }
}

impl Failure {
    /// The kind of a failure that no operation of the transaction is to blame for.
    fn of_the_disk(&self) -> Option<StoreErrorKind> {
        match self {
            Self::Database(error) => {
                Some(StoreError::kind_of(error)).filter(|kind| !matches!(kind, StoreErrorKind::Bug))
            }
            Self::Disk(kind) => Some(kind.clone()),
            Self::Mismatch | Self::Withdrawn => None,
        }
    }

    /// The answer to an operation that failed in a transaction of its own.
    fn answer(self, operation: &Operation) -> Result<Answer, StoreError> {
        match (self, operation) {
            // There is no such run: its plan failed, or was withdrawn.
            (Self::Database(error), Operation::Open(_)) if names_no_run(&error) => {
                Ok(Answer::Opened(Opened::NotWaiting))
            }
            (Self::Database(error), operation) => {
                Err(StoreError::from_sqlx(operation.doing(), error))
            }
            (Self::Disk(kind), operation) => Err(StoreError::new(operation.doing(), kind)),
            (Self::Withdrawn, operation) => {
                let kind = StoreErrorKind::Withdrawn;
                Err(StoreError::new(operation.doing(), kind))
            }
            (Self::Mismatch, Operation::Open(_)) => Ok(Answer::Opened(Opened::NotWaiting)),
            (Self::Mismatch, Operation::Close(_)) => Ok(Answer::Closed(Closed::AlreadyClosed)),
            (Self::Mismatch, operation) => Err(StoreError::new(
                format!(
                    "{}: a run is not in the state it was believed to be in",
                    operation.doing()
                ),
                StoreErrorKind::Bug,
            )),
        }
    }
}

fn names_no_run(error: &sqlx::Error) -> bool {
    error
        .as_database_error()
        .is_some_and(|error| error.is_foreign_key_violation())
}

/// All of it or nothing, by statements of our own: when the disk is full or fails, SQLite rolls back by
/// itself (<https://sqlite.org/lang_transaction.html>, section 3), and sqlx's own transaction, whose
/// `ROLLBACK` then fails, takes it for open ever after and lets no other begin.
async fn transaction(
    connection: &mut SqliteConnection,
    ground: &mut Ground,
    operations: &[&Operation],
    company: Option<&mut Company<'_>>,
) -> Result<Vec<Answer>, Failure> {
    let result = begin_to_commit(connection, ground, operations, company).await;
    if result.is_err() {
        // Its only failure is that there is nothing to roll back any more.
        let _ = sqlx::query("ROLLBACK").execute(connection).await;
    }
    result
}

async fn begin_to_commit(
    connection: &mut SqliteConnection,
    ground: &mut Ground,
    operations: &[&Operation],
    company: Option<&mut Company<'_>>,
) -> Result<Vec<Answer>, Failure> {
    let releases: Vec<_> = operations
        .iter()
        .filter_map(|operation| operation.release())
        .collect();
    if releases.iter().any(|release| release.is_withdrawn()) {
        return Err(Failure::Withdrawn);
    }
    ground.holds().map_err(Failure::Disk)?;
    sqlx::query(dialect::BEGIN_WRITE)
        .execute(&mut *connection)
        .await?;
    let mut answers = perform(connection, operations).await?;
    if let Some(company) = company {
        for release in &releases {
            while company.comes_before(release).await {
                answers.extend(perform(connection, &company.let_in()).await?);
            }
        }
        answers.extend(perform(connection, &company.let_in()).await?);
    }
    for release in &releases {
        if !release.has_come().await {
            return Err(Failure::Withdrawn);
        }
        // It may have gone while that was waited for.
        ground.holds().map_err(Failure::Disk)?;
    }
    let passed = ground.disk.pass(Moment::BeforeCommit).await;
    passed.map_err(Failure::Disk)?;
    sqlx::query("COMMIT").execute(connection).await?;
    // What is kept is kept: a failure that comes now would be a lie.
    let _ = ground.disk.pass(Moment::AfterCommit).await;
    Ok(answers)
}

async fn perform(
    connection: &mut SqliteConnection,
    operations: &[&Operation],
) -> Result<Vec<Answer>, Failure> {
    let mut answers = Vec::with_capacity(operations.len());
    let mut opens = Vec::new();
    let mut closes = Vec::new();
    for operation in operations {
        answers.push(match operation {
            Operation::Plan(plan) => Answer::Planned(plan::write(connection, plan).await?),
            Operation::Settle(decisions) => {
                Answer::Settled(finish::settle_all(connection, decisions).await?)
            }
            Operation::Record(event) => {
                versions::record(connection, event).await?;
                Answer::Done
            }
            Operation::Probe => {
                plan::probe(connection).await?;
                Answer::Done
            }
            Operation::Rewind(rewind) => Answer::Rewound(rewind::write(connection, rewind).await?),
            Operation::Prune(pass) => {
                Answer::Pruned(Box::new(prune::write(connection, pass).await?))
            }
            Operation::Shrink(shrink) => Answer::Size(size::shrink(connection, *shrink).await?),
            Operation::Order(order) => Answer::Ordered(orders::write(connection, order).await?),
            // What is opened was planned by an operation that was queued before, and whoever closes has
            // been told that its attempt is open. So these may go last, the opening ones first.
            Operation::Open(open) => {
                opens.push(open.as_ref());
                Answer::Opened(Opened::Opened)
            }
            Operation::Close(close) => {
                closes.push(close.as_ref());
                Answer::Closed(Closed::Closed)
            }
        });
    }
    if !claim::open_all(connection, &opens).await?
        || !finish::close_all(connection, &closes).await?
    {
        return Err(Failure::Mismatch);
    }
    Ok(answers)
}
