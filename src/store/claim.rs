//! Opening an attempt: durable before its request leaves (guarantee G1).

use std::sync::Arc;

use jiff::Timestamp;
use sqlx::sqlite::SqliteConnection;

use super::rows::{Bound, Part, RowsStatement, id};
use crate::domain::attempt::StoredBody;
use crate::domain::run::RunId;
use crate::domain::workspace::{KeyId, WorkspaceName};

/// An attempt about to be made.
#[derive(Clone, Debug)]
pub struct OpenAttempt {
    /// Its run.
    pub run: RunId,
    /// Its number, from 1.
    pub attempt: u32,
    /// When it is opened.
    pub at: Timestamp,
    /// Where the call goes.
    pub workspace: WorkspaceName,
    /// Scheme, host and port.
    pub origin: Arc<str>,
    /// With which key.
    pub key: KeyId,
    /// The function.
    pub func_id: Arc<str>,
    /// The redacted body.
    pub request: StoredBody,
}

/// What became of the wish to open an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opened {
    /// The row is durable; the request may leave.
    Opened,
    /// The run does not wait for this attempt, or there is none; nothing may be sent.
    NotWaiting,
}

static OPEN: RowsStatement<2> = RowsStatement::new([
    Part {
        head: "WITH v (id, attempt, at) AS ",
        columns: 3,
        tail: " UPDATE OR FAIL runs SET state = 'running', reason = NULL, not_before_us = NULL, attempts = v.attempt, \
         counted = counted + 1, opened_us = coalesce(opened_us, v.at) \
         FROM v WHERE runs.id = v.id AND runs.state = 'waiting' AND runs.attempts = v.attempt - 1",
    },
    Part {
        head: "INSERT INTO attempts (run_id, attempt, opened_us, workspace, origin, key_id, func_id, request, request_bytes, request_sha256) SELECT * FROM ",
        columns: 10,
        tail: " WHERE column1 IS NOT NULL ON CONFLICT DO NOTHING",
    },
]);

/// Opens all of them, or, where the answer is `false`, not exactly all: then nothing may be kept of
/// the transaction.
pub(super) async fn open_all(
    connection: &mut SqliteConnection,
    attempts: &[&OpenAttempt],
) -> Result<bool, sqlx::Error> {
    let changed = OPEN
        .execute(connection, attempts, [&bind_run, &bind_attempt])
        .await?;
    Ok(changed == 2 * attempts.len() as u64)
}

fn bind_run<'q>(query: Bound<'q>, open: &&OpenAttempt) -> Bound<'q> {
    query
        .bind(id(open.run))
        .bind(i64::from(open.attempt))
        .bind(open.at.as_microsecond())
}

fn bind_attempt<'q>(query: Bound<'q>, open: &&OpenAttempt) -> Bound<'q> {
    query
        .bind(id(open.run))
        .bind(i64::from(open.attempt))
        .bind(open.at.as_microsecond())
        .bind(open.workspace.0.clone())
        .bind(open.origin.clone())
        .bind(open.key.0.clone())
        .bind(open.func_id.clone())
        .bind(open.request.text.clone())
        .bind(i64::try_from(open.request.bytes).unwrap_or(i64::MAX))
        .bind(open.request.sha256.clone())
}
