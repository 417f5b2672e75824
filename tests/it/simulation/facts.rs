//! What the ledger says, through connections that are not the daemon's.

use std::path::Path;
use std::sync::mpsc::{Receiver, Sender};

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{Connection, FromRow};

/// A run's row.
#[derive(Clone, Debug, FromRow)]
pub(crate) struct RunRow {
    pub(crate) id: String,
    pub(crate) job: String,
    pub(crate) trigger: String,
    pub(crate) scheduled_us: i64,
    pub(crate) due_us: i64,
    pub(crate) state: String,
    pub(crate) reason: Option<String>,
    pub(crate) definition_hash: String,
    pub(crate) created_us: i64,
    pub(crate) opened_us: Option<i64>,
    pub(crate) finished_us: Option<i64>,
    pub(crate) counted: i64,
}

/// An attempt's row.
#[derive(Clone, Debug, FromRow)]
pub(crate) struct AttemptRow {
    pub(crate) run_id: String,
    pub(crate) attempt: u32,
    pub(crate) opened_us: i64,
    pub(crate) finished_us: Option<i64>,
    pub(crate) outcome: Option<String>,
    pub(crate) unknown_reason: Option<String>,
}

/// The whole story.
pub(crate) struct Facts {
    pub(crate) runs: Vec<RunRow>,
    pub(crate) attempts: Vec<AttemptRow>,
    /// Spans that are still to be planned.
    pub(crate) gaps: i64,
}

async fn connect(path: &Path) -> SqliteConnection {
    let options = SqliteConnectOptions::new().filename(path);
    SqliteConnection::connect_with(&options).await.unwrap()
}

/// Everything, in an order that does not depend on random ids.
pub(crate) async fn read(path: &Path) -> Facts {
    let mut connection = connect(path).await;
    let runs = sqlx::query_as(
        "SELECT * FROM runs WHERE ahead IS NOT 'void' ORDER BY scheduled_us, job, trigger",
    );
    let runs = runs.fetch_all(&mut connection).await.unwrap();
    let attempts = sqlx::query_as("SELECT * FROM attempts ORDER BY opened_us, run_id, attempt");
    let attempts = attempts.fetch_all(&mut connection).await.unwrap();
    let gaps = sqlx::query_scalar("SELECT count(*) FROM gaps");
    let gaps = gaps.fetch_one(&mut connection).await.unwrap();
    connection.close().await.unwrap();
    Facts {
        runs,
        attempts,
        gaps,
    }
}

/// Keeps a ledger for whoever wants to look at it.
pub(crate) async fn copy(path: &Path, kept: &str) {
    let mut connection = connect(path).await;
    let copy = sqlx::query("VACUUM INTO $1").bind(kept);
    copy.execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
}

/// The attempts that are open.
pub(crate) async fn open_attempts(path: &Path) -> Vec<(String, u32)> {
    let mut connection = connect(path).await;
    let open = sqlx::query_as("SELECT run_id, attempt FROM attempts WHERE outcome IS NULL");
    let open = open.fetch_all(&mut connection).await.unwrap();
    connection.close().await.unwrap();
    open
}

/// Answers whether attempts have a row, until nobody asks any more.
pub(super) async fn answer(path: &Path, questions: Receiver<(String, u32, Sender<bool>)>) {
    let mut connection = None;
    for (run, attempt, answer) in questions {
        let connection = match &mut connection {
            Some(connection) => connection,
            none => none.insert(connect(path).await),
        };
        let row: Option<i64> =
            sqlx::query_scalar("SELECT 1 FROM attempts WHERE run_id = $1 AND attempt = $2")
                .bind(run)
                .bind(attempt)
                .fetch_optional(connection)
                .await
                .unwrap();
        let _ = answer.send(row.is_some());
    }
}
