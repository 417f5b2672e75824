//! For tests of queries: an empty ledger in memory, and how SQLite goes about a query in it.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use sqlx::sqlite::SqlitePoolOptions;
use sqlx::{AssertSqlSafe, Row, SqlitePool};

use super::schema::MIGRATOR;

/// A ledger of the newest schema without a row. Its one connection is the ledger.
pub(super) async fn empty_ledger() -> SqlitePool {
    let pool = SqlitePoolOptions::new().max_connections(1);
    let pool = pool.connect("sqlite::memory:").await.unwrap();
    MIGRATOR.run(&pool).await.unwrap();
    pool
}

/// The steps of a query, whose parameters need no values for that.
pub(super) async fn steps(query: &str) -> Vec<String> {
    let explain = AssertSqlSafe(format!("EXPLAIN QUERY PLAN {query}"));
    let rows = sqlx::query(explain).fetch_all(&empty_ledger().await).await;
    rows.unwrap().iter().map(|row| row.get("detail")).collect()
}
