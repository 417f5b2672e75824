//! Copying the journal into the ledger's file: most of it beside the writer, whose transactions go on, and
//! only what has come meanwhile between two of them. SQLite by itself has the commit do all of it that fills
//! the journal: one of a few dozen under load, which then takes ten times as long as the others.
//!
//! What is copied is synced on both sides as SQLite does it, and the journal begins anew once all of it is.
//!
//! Two connections that copy and write at once want SQLite 3.51.3 or later: before, a page could be lost
//! that way (<https://sqlite.org/wal.html#walresetbug>). A test asks the one that is built in.

use std::path::PathBuf;

use sqlx::Connection;
use sqlx::sqlite::SqliteConnection;
use tokio::task::JoinHandle;

use super::dialect;
use super::open;

/// Pages of the journal at which it is copied, about: SQLite's own default.
const PAGES: usize = 1_000;

/// What a transaction writes whatever is in it, and what each of its operations adds, in pages and about:
/// the last leaf of each table and index, and a leaf for each job and each trace id.
const EACH_TRANSACTION: usize = 10;
const EACH_OPERATION: usize = 3;

/// Where the journal is copied to, and how far that is.
#[derive(Debug)]
pub(super) struct Checkpoints {
    path: PathBuf,
    /// Pages written since it was last copied, about.
    pages: usize,
    /// Its own connection; none before it is first needed.
    connection: Option<SqliteConnection>,
    under_way: Option<JoinHandle<Option<SqliteConnection>>>,
}

impl Checkpoints {
    pub(super) fn new(path: PathBuf) -> Self {
        Self {
            path,
            pages: 0,
            connection: None,
            under_way: None,
        }
    }

    /// A transaction of so many operations was committed: copies the journal if it is time.
    pub(super) fn note(&mut self, operations: usize) {
        self.pages += EACH_TRANSACTION + EACH_OPERATION * operations;
        if self.pages < PAGES || self.under_way.is_some() {
            return;
        }
        let (connection, path) = (self.connection.take(), self.path.clone());
        self.under_way = Some(tokio::spawn(async move {
            let mut connection = match connection {
                Some(connection) => connection,
                None => open::connect_to_copy(&path).await.ok()?,
            };
            copy(&mut connection).await.ok().map(|()| connection)
        }));
    }

    /// Waits until the copying that is under way has ended; for ever where there is none.
    pub(super) async fn copied(&mut self) {
        let Some(under_way) = &mut self.under_way else {
            return std::future::pending().await;
        };
        // What failed is tried again with a new connection when as much has been written again; until then,
        // and if it fails for good, SQLite copies by itself.
        self.connection = under_way.await.ok().flatten();
        self.under_way = None;
    }

    /// Copies what the writer has written meanwhile. After it the journal begins anew, where no reader
    /// needs it.
    pub(super) async fn finish(&mut self, writer: &mut SqliteConnection) {
        self.pages = 0;
        if let Err(error) = copy(writer).await {
            tracing::debug!(%error, "the journal cannot be copied yet");
        }
    }

    /// Lets go of the ledger.
    pub(super) async fn close(mut self) {
        if self.under_way.is_some() {
            self.copied().await;
        }
        if let Some(connection) = self.connection {
            let _ = connection.close().await;
        }
    }
}

/// Copies all that no reader stands before; waits for nobody.
async fn copy(connection: &mut SqliteConnection) -> Result<(), sqlx::Error> {
    sqlx::query(dialect::COPY_JOURNAL)
        .execute(connection)
        .await
        .map(drop)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use sqlx::Row;

    use super::*;

    #[tokio::test]
    async fn it_is_copied_beside_the_writer_and_what_came_meanwhile_after_it() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("a.db");
        std::fs::File::create(&path).unwrap();
        let mut writer = open::connect_to_copy(&path).await.unwrap();
        let made = "PRAGMA wal_autocheckpoint = 0; CREATE TABLE t (x TEXT)";
        sqlx::raw_sql(made).execute(&mut writer).await.unwrap();
        let mut checkpoints = Checkpoints::new(path);

        checkpoints.note(1);
        assert!(checkpoints.under_way.is_none(), "it is not time");
        for _ in 0..2 {
            write(&mut writer).await;
            checkpoints.note(PAGES);
            assert!(checkpoints.under_way.is_some());
            checkpoints.copied().await;
            let [written, copied] = journal(&mut writer).await;
            assert!(written > 0 && written == copied, "{copied} of {written}");

            write(&mut writer).await;
            checkpoints.finish(&mut writer).await;
            let [written, copied] = journal(&mut writer).await;
            assert!(written > 0 && written == copied, "{copied} of {written}");
        }
        checkpoints.close().await;
        writer.close().await.unwrap();
    }

    async fn write(connection: &mut SqliteConnection) {
        let row = sqlx::query("INSERT INTO t VALUES (hex(randomblob(100000)))");
        row.execute(connection).await.unwrap();
    }

    /// Pages in the journal, and how many of them have been copied.
    async fn journal(connection: &mut SqliteConnection) -> [i64; 2] {
        let row = sqlx::query("PRAGMA wal_checkpoint(NOOP)");
        let row = row.fetch_one(connection).await.unwrap();
        [row.get(1), row.get(2)]
    }

    #[tokio::test]
    async fn the_sqlite_that_is_built_in_loses_no_page_where_two_copy_and_write() {
        let mut memory = SqliteConnection::connect("sqlite::memory:").await.unwrap();
        let version: String = sqlx::query_scalar("SELECT sqlite_version()")
            .fetch_one(&mut memory)
            .await
            .unwrap();
        let parts: Vec<u32> = version.split('.').map(|n| n.parse().unwrap()).collect();
        assert!(parts >= vec![3, 51, 3], "{version}");
    }
}
