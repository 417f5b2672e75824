//! The second half of the floor: the same rows by bare SQL, durably, on the product's own schema.
//!
//! Per run: its row, its attempt opened, both closed; in groups as large as there are calls in
//! flight, each group one durable transaction, as a daemon that never waits for anything would.

use std::path::Path;
use std::time::{Duration, Instant};

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqliteSynchronous};
use sqlx::{Connection, QueryBuilder, Sqlite};

use crate::posts::{IN_FLIGHT, body};

/// Runs planned in one transaction.
const PLANNED: usize = 2048;

/// Rows of one statement.
const ROWS: usize = 64;

/// How long the rows of `runs` runs take.
pub(crate) async fn measure(file: &Path, runs: usize) -> Duration {
    let options = SqliteConnectOptions::new()
        .filename(file)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true);
    let mut connection = SqliteConnection::connect_with(&options).await.unwrap();
    sqlx::migrate!("migrations/sqlite")
        .run(&mut connection)
        .await
        .unwrap();
    let ids: Vec<String> = (0..runs)
        .map(|_| uuid::Uuid::now_v7().to_string())
        .collect();
    let numbers: Vec<usize> = (0..runs).collect();
    let start = Instant::now();
    for group in numbers.chunks(PLANNED) {
        transaction(&mut connection, group, async |connection, rows| {
            plan(connection, &ids, rows).await
        })
        .await;
    }
    for group in numbers.chunks(IN_FLIGHT) {
        transaction(&mut connection, group, async |connection, rows| {
            open(connection, &ids, rows).await
        })
        .await;
        transaction(&mut connection, group, async |connection, rows| {
            close(connection, &ids, rows).await
        })
        .await;
    }
    let took = start.elapsed();
    connection.close().await.unwrap();
    took
}

async fn transaction(
    connection: &mut SqliteConnection,
    group: &[usize],
    write: impl AsyncFn(&mut SqliteConnection, &[usize]),
) {
    sqlx::query("BEGIN IMMEDIATE")
        .execute(&mut *connection)
        .await
        .unwrap();
    for rows in group.chunks(ROWS) {
        write(connection, rows).await;
    }
    sqlx::query("COMMIT").execute(connection).await.unwrap();
}

async fn execute(mut query: QueryBuilder<Sqlite>, connection: &mut SqliteConnection, rows: usize) {
    let done = query.build().execute(connection).await.unwrap();
    assert_eq!(done.rows_affected(), rows as u64);
}

const AT: i64 = 1_795_000_000_000_000;

async fn plan(connection: &mut SqliteConnection, ids: &[String], rows: &[usize]) {
    let mut query = QueryBuilder::new(
        "INSERT INTO runs (id, job, trigger, scheduled_us, due_us, state, reason, definition_hash, workspace, func_id, created_us) ",
    );
    query.push_values(rows, |mut row, &number| {
        row.push_bind(ids[number].as_str())
            .push_bind(format!("job-{number}"))
            .push_bind("schedule")
            .push_bind(AT)
            .push_bind(AT)
            .push_bind("waiting")
            .push_bind("quota")
            .push_bind(format!("{number:064x}"))
            .push_bind("bench")
            .push_bind(format!("bench__f{number}.run"))
            .push_bind(AT);
    });
    execute(query, connection, rows.len()).await;
}

async fn open(connection: &mut SqliteConnection, ids: &[String], rows: &[usize]) {
    let mut query = QueryBuilder::new("WITH v (id, at) AS (");
    query.push_values(rows, |mut row, &number| {
        row.push_bind(ids[number].as_str()).push_bind(AT);
    });
    query.push(") UPDATE runs SET state = 'running', reason = NULL, attempts = 1, counted = 1, opened_us = v.at FROM v WHERE runs.id = v.id AND state = 'waiting'");
    execute(query, connection, rows.len()).await;
    let mut query = QueryBuilder::new(
        "INSERT INTO attempts (run_id, attempt, opened_us, workspace, origin, key_id, func_id, request_bytes, request, request_sha256) ",
    );
    query.push_values(rows, |mut row, &number| {
        let request = body(number);
        row.push_bind(ids[number].as_str())
            .push_bind(1)
            .push_bind(AT)
            .push_bind("bench")
            .push_bind("http://127.0.0.1:8000")
            .push_bind("0123abcd")
            .push_bind(format!("bench__f{number}.run"))
            .push_bind(i64::try_from(request.len()).unwrap())
            .push_bind(request)
            .push_bind(format!("{number:064x}"));
    });
    execute(query, connection, rows.len()).await;
}

async fn close(connection: &mut SqliteConnection, ids: &[String], rows: &[usize]) {
    let mut query = QueryBuilder::new("WITH v (id, at, response, trace, func_trace) AS (");
    query.push_values(rows, |mut row, &number| {
        row.push_bind(ids[number].as_str())
            .push_bind(AT)
            .push_bind(format!("{number:0400x}"))
            .push_bind(format!("TRACE-{number}"))
            .push_bind(format!("FUNC-{number}"));
    });
    query.push(
        ") UPDATE attempts SET written_us = v.at, finished_us = v.at, http_status = 200, response = v.response, response_bytes = 400, \
         response_sha256 = v.trace, trace_id = v.trace, func_trace_id = v.func_trace, cost_ms = 41, duration_us = 12000, outcome = 'success', \
         decided_by = 'HTTP 200, content.ok is true' FROM v WHERE attempts.run_id = v.id AND attempts.attempt = 1 AND outcome IS NULL",
    );
    execute(query, connection, rows.len()).await;
    let mut query = QueryBuilder::new("WITH v (id, at) AS (");
    query.push_values(rows, |mut row, &number| {
        row.push_bind(ids[number].as_str()).push_bind(AT);
    });
    query.push(") UPDATE runs SET state = 'success', reason = NULL, finished_us = v.at, cost_ms = 41, duration_us = 12000 FROM v WHERE runs.id = v.id AND state = 'running' AND attempts = 1");
    execute(query, connection, rows.len()).await;
}
