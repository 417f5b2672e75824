//! What the ledger says, through connections that are not the daemon's.

use std::path::Path;
use std::sync::mpsc::Receiver;

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{Connection, FromRow};

use super::server::Question;

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
    /// Its tick was planned by a clock that was ahead and set back since.
    pub(crate) ahead: Option<String>,
    pub(crate) backfill: Option<String>,
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
    pub(crate) decided_by: Option<String>,
}

/// An event's row.
#[derive(Clone, Debug, FromRow)]
pub(crate) struct EventRow {
    pub(crate) at_us: i64,
    pub(crate) kind: String,
    pub(crate) actor: String,
    pub(crate) job: Option<String>,
    pub(crate) run_id: Option<String>,
    pub(crate) detail: String,
}

/// A backfill's row.
#[derive(Clone, Debug, FromRow)]
pub(crate) struct BackfillRow {
    pub(crate) id: String,
    pub(crate) job: String,
    pub(crate) definition_hash: String,
    pub(crate) from_us: i64,
    pub(crate) until_us: i64,
    pub(crate) every: bool,
    pub(crate) ticks: i64,
    pub(crate) ordered_us: i64,
    pub(crate) ended_us: Option<i64>,
    pub(crate) ending: Option<String>,
}

/// An attempt that is open, and its run.
#[derive(Clone, Debug, FromRow)]
pub(crate) struct Open {
    #[sqlx(rename = "run_id")]
    pub(crate) run: String,
    pub(crate) attempt: u32,
    pub(crate) job: String,
    pub(crate) trigger: String,
    pub(crate) scheduled_us: i64,
}

impl Open {
    /// What a call says of itself that no row tells of.
    pub(crate) fn told_by(body: &str) -> Self {
        let body: serde_json::Value = serde_json::from_str(body).unwrap();
        let kwargs = &body["funcBody"]["kwargs"];
        let text = |name: &str| kwargs[name].as_str().unwrap().to_owned();
        let attempt = kwargs["attempt"].to_string();
        Self {
            run: text("run"),
            attempt: attempt.trim_matches('"').parse().unwrap(),
            job: text("job"),
            trigger: text("trigger"),
            scheduled_us: 0,
        }
    }
}

/// The whole story.
pub(crate) struct Facts {
    pub(crate) runs: Vec<RunRow>,
    pub(crate) attempts: Vec<AttemptRow>,
    /// In the order of their writing.
    pub(crate) events: Vec<EventRow>,
    pub(crate) backfills: Vec<BackfillRow>,
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
        "SELECT * FROM runs WHERE ahead IS NOT 'void' ORDER BY scheduled_us, job, trigger, created_us",
    );
    let runs = runs.fetch_all(&mut connection).await.unwrap();
    let attempts = sqlx::query_as("SELECT * FROM attempts ORDER BY opened_us, run_id, attempt");
    let attempts = attempts.fetch_all(&mut connection).await.unwrap();
    let events = sqlx::query_as("SELECT * FROM events ORDER BY id");
    let events = events.fetch_all(&mut connection).await.unwrap();
    let backfills = sqlx::query_as("SELECT * FROM backfills ORDER BY ordered_us, job");
    let backfills = backfills.fetch_all(&mut connection).await.unwrap();
    let gaps = sqlx::query_scalar("SELECT count(*) FROM gaps");
    let gaps = gaps.fetch_one(&mut connection).await.unwrap();
    connection.close().await.unwrap();
    Facts {
        runs,
        attempts,
        events,
        backfills,
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

/// A run of which `what` holds, a condition in SQL: one of the last few, the `choice`-th.
pub(crate) async fn some_run(path: &Path, what: &str, choice: u64) -> Option<String> {
    let mut connection = connect(path).await;
    let runs = sqlx::AssertSqlSafe(format!(
        "SELECT id FROM runs WHERE {what} ORDER BY scheduled_us DESC, job, trigger, created_us LIMIT 12"
    ));
    let runs: Vec<String> = sqlx::query_scalar(runs)
        .fetch_all(&mut connection)
        .await
        .unwrap();
    connection.close().await.unwrap();
    let at = choice as usize % runs.len().max(1);
    runs.into_iter().nth(at)
}

/// Answers which attempts are open, until nobody asks any more.
pub(super) async fn answer(path: &Path, questions: Receiver<Question>) {
    let mut connection = None;
    for (body, answer) in questions {
        let Some(body) = body else {
            if let Some(open) = connection.take() {
                SqliteConnection::close(open).await.unwrap();
            }
            let _ = answer.send(Vec::new());
            continue;
        };
        let connection = match &mut connection {
            Some(connection) => connection,
            none => none.insert(connect(path).await),
        };
        // In the order of their opening, in which they are called.
        let open: Vec<Open> = sqlx::query_as(
            "SELECT run_id, attempt, r.job, trigger, scheduled_us FROM attempts a \
             JOIN runs r ON r.id = a.run_id WHERE outcome IS NULL AND a.request = $1 ORDER BY a.id",
        )
        .bind(body)
        .fetch_all(connection)
        .await
        .unwrap();
        let _ = answer.send(open);
    }
}
