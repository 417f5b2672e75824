//! The schema: its number, and the way of an older ledger to it.
//!
//! - Landed migrations are never edited: the next number is added.
//! - A ledger is copied aside before a migration changes it, and only a daemon that starts does so: a
//!   reader refuses what is older.
//! - What a release does not know, since it is newer, nobody opens.

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use sqlx::migrate::Migrator;
use sqlx::sqlite::SqliteConnection;

use super::dialect;
use super::error::{StoreError, StoreErrorKind};
use super::lock::FILE_MODE;
use super::open::doing;

pub(super) static MIGRATOR: Migrator = sqlx::migrate!("migrations/sqlite");

/// The number of the schema that this release writes.
pub(super) fn newest() -> i64 {
    MIGRATOR
        .iter()
        .map(|migration| migration.version)
        .max()
        .unwrap_or(0)
}

/// The schema's number: 0 of an empty file.
///
/// # Errors
/// `NotALedger` of a file that holds anything else, `Newer` of a ledger from a later release.
pub(super) async fn version(
    connection: &mut SqliteConnection,
    path: &Path,
) -> Result<i64, StoreError> {
    let failed = |error| StoreError::from_sqlx(doing(path), error);
    let tables: i64 = sqlx::query_scalar("SELECT count(*) FROM sqlite_schema")
        .fetch_one(&mut *connection)
        .await
        .map_err(failed)?;
    if tables == 0 {
        return Ok(0);
    }
    let application: i64 = sqlx::query_scalar("PRAGMA application_id")
        .fetch_one(&mut *connection)
        .await
        .map_err(failed)?;
    if application != dialect::APPLICATION_ID {
        return Err(StoreError::new(doing(path), StoreErrorKind::NotALedger));
    }
    let found: Option<i64> =
        sqlx::query_scalar("SELECT max(version) FROM _sqlx_migrations WHERE success")
            .fetch_one(&mut *connection)
            .await
            .map_err(failed)?;
    let (found, known) = (found.unwrap_or(0), newest());
    if found > known {
        return Err(StoreError::new(
            doing(path),
            StoreErrorKind::Newer { found, known },
        ));
    }
    Ok(found)
}

/// Copies the ledger to `FILE.schema-N.TIME` before a migration changes it. A gigabyte takes some
/// seconds; of one that does not fit on the disk nothing is left.
pub(super) async fn copy_aside(
    connection: &mut SqliteConnection,
    path: &Path,
    found: i64,
    now: Timestamp,
) -> Result<PathBuf, sqlx::Error> {
    let copy = PathBuf::from(format!(
        "{}.schema-{found}.{}",
        path.display(),
        now.as_second()
    ));
    tracing::info!(copy = %copy.display(), "the ledger is of an earlier release: it is copied aside, and then brought up to date");
    // VACUUM takes an empty file, and would make its own for everybody to read.
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).mode(FILE_MODE);
    options.open(&copy)?;
    let copied = sqlx::query("VACUUM INTO $1").bind(copy.display().to_string());
    if let Err(error) = copied.execute(connection).await {
        // The service manager starts the daemon again, and the next copy has another name.
        let _ = std::fs::remove_file(&copy);
        return Err(error);
    }
    tracing::info!("the ledger has been copied aside");
    Ok(copy)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use sqlx::{AssertSqlSafe, Connection, SqliteExecutor};

    use super::super::explain::empty_ledger;
    use super::super::open::{Ledger, connect};
    use super::super::plan::Plan;
    use super::super::reader::Reader;
    use super::*;
    use crate::domain::outcome::Outcome;
    use crate::domain::run::{Reason, RunState, Trigger};

    /// The way to the schema `version`.
    fn migrator(version: i64) -> Migrator {
        let known = MIGRATOR
            .iter()
            .filter(|migration| migration.version <= version);
        Migrator {
            migrations: known.cloned().collect(),
            ..Migrator::DEFAULT
        }
    }

    async fn texts(ledger: impl SqliteExecutor<'_>, query: &'static str) -> Vec<String> {
        sqlx::query_scalar(query).fetch_all(ledger).await.unwrap()
    }

    #[tokio::test]
    async fn the_copy_of_before_a_migration_is_whole_and_no_more_readable_than_the_ledger() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("funcron.db");
        let at = Timestamp::UNIX_EPOCH;
        let (ledger, held) = Ledger::open(&path, at).await.unwrap();
        ledger
            .plan(Plan::nothing(at, Timestamp::from_second(7).unwrap()))
            .await
            .unwrap();
        held.release(ledger).await;

        let mut connection = connect(&path).await.unwrap();
        let copy = copy_aside(&mut connection, &path, 1, at).await.unwrap();
        assert_eq!(copy, place.path().join("funcron.db.schema-1.0"));
        let mode = std::fs::metadata(&copy).unwrap().permissions().mode();
        assert_eq!(mode & 0o777 & !FILE_MODE, 0, "{mode:o}");
        let reader = Reader::open(&copy).await.unwrap();
        let planned = reader.planned_through().await.unwrap();
        assert_eq!(planned, Timestamp::from_second(7).ok());
    }

    #[tokio::test]
    async fn of_a_copy_that_fails_nothing_is_left_and_a_good_one_stays() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("funcron.db");
        let at = Timestamp::UNIX_EPOCH;
        let (ledger, held) = Ledger::open(&path, at).await.unwrap();
        held.release(ledger).await;
        let mut connection = connect(&path).await.unwrap();
        let copy = copy_aside(&mut connection, &path, 1, at).await.unwrap();
        copy_aside(&mut connection, &path, 1, at).await.unwrap_err();
        assert!(copy.metadata().unwrap().len() > 0);
        // Nothing can be copied from within a transaction.
        let begin = sqlx::query("BEGIN").execute(&mut connection);
        begin.await.unwrap();
        copy_aside(&mut connection, &path, 2, at).await.unwrap_err();
        assert!(!place.path().join("funcron.db.schema-2.0").exists());
    }

    #[tokio::test]
    async fn a_ledger_of_the_first_schema_is_copied_aside_and_keeps_what_it_has() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("funcron.db");
        std::fs::File::create(&path).unwrap();
        let mut connection = connect(&path).await.unwrap();
        migrator(1).run(&mut connection).await.unwrap();
        let rows = format!(
            "PRAGMA application_id = {};
             INSERT INTO events (id, at_us, kind, actor, job, run_id, detail) VALUES (7, 1, 'trigger', 'ops', 'a', 'r', '{{}}');
             INSERT INTO runs (id, job, trigger, scheduled_us, due_us, state, definition_hash, workspace, func_id, created_us, opened_us, finished_us, attempts, counted)
             VALUES ('018f0000-0000-7000-8000-000000000001', 'a', 'schedule', 1, 1, 'success', 'h', 'w', 'f', 1, 2, 3, 1, 1);
             INSERT INTO attempts (run_id, attempt, opened_us, finished_us, workspace, origin, key_id, func_id, request, request_bytes, request_sha256, trace_id, outcome, decided_by)
             VALUES ('018f0000-0000-7000-8000-000000000001', 1, 2, 3, 'w', 'o', 'k', 'f', 'asked', 5, 's', 'TRACE-1', 'success', 'words');",
            dialect::APPLICATION_ID
        );
        let rows = sqlx::raw_sql(AssertSqlSafe(rows));
        rows.execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();
        let refused = Reader::open(&path).await.unwrap_err();
        let too_old = StoreErrorKind::Older {
            found: 1,
            known: newest(),
        };
        assert_eq!(
            *refused.kind(),
            too_old,
            "a reader brings nothing up to date"
        );

        let (ledger, held) = Ledger::open(&path, Timestamp::UNIX_EPOCH).await.unwrap();
        assert!(place.path().join("funcron.db.schema-1.0").exists());
        let size = ledger.reader().size().await.unwrap();
        assert!(!size.can_shrink, "its pages stay where they are");
        held.release(ledger).await;
        let mut connection = connect(&path).await.unwrap();
        let execution = "SELECT concat_ws(' ', job, state, attempt, request, trace_id, outcome) FROM executions";
        let execution = texts(&mut connection, execution).await;
        assert_eq!(execution, ["a success 1 asked TRACE-1 success"]);
        let event =
            "SELECT concat_ws(' ', id, at_us, kind, actor, job, run_id, detail) FROM events";
        let event = texts(&mut connection, event).await;
        assert_eq!(event, ["7 1 trigger ops a r {}"]);
    }

    /// A column of a product: words, one that is none, and NULL.
    fn words<'w>(words: impl Iterator<Item = &'w str>) -> String {
        let words = words.chain(["nonsense"]).map(|word| format!("('{word}'),"));
        format!("(VALUES {} (NULL))", words.collect::<String>())
    }

    /// Of all combinations that `rows` makes, those that the checks of the schema `version` let in.
    async fn let_in(version: i64, rows: &str, read: &'static str) -> Vec<String> {
        let mut ledger = SqliteConnection::connect("sqlite::memory:").await.unwrap();
        migrator(version).run(&mut ledger).await.unwrap();
        let rows = format!("PRAGMA foreign_keys = OFF; INSERT OR IGNORE INTO {rows}");
        let rows = sqlx::raw_sql(AssertSqlSafe(rows));
        rows.execute(&mut ledger).await.unwrap();
        texts(&mut ledger, read).await
    }

    #[tokio::test]
    async fn the_third_schema_lets_in_what_the_second_does() {
        let outcomes = words(Outcome::ALL.iter().map(|outcome| outcome.as_str()));
        let reasons = words(Reason::names());
        let runs = format!(
            "runs (id, job, trigger, scheduled_us, due_us, state, reason, definition_hash, workspace, func_id, created_us, opened_us, attempts, finished_us, ahead)
             SELECT printf('%036d', row_number() OVER ()), 'a', t.column1, row_number() OVER (), 1 << 40, s.column1, r.column1, 'h', 'w', 'f', 1, nullif(n.column1, 0), n.column1, f.column1, a.column1
             FROM {} t, {} s, {reasons} r, (VALUES (0), (1)) n, (VALUES (NULL), (1)) f, (VALUES (NULL), ('void'), ('kept')) a",
            words(Trigger::ALL.iter().map(|trigger| trigger.as_str())),
            words(RunState::ALL.iter().map(|state| state.as_str())),
        );
        let attempts = format!(
            "attempts (run_id, attempt, opened_us, workspace, origin, key_id, func_id, request, request_bytes, request_sha256, outcome, unknown_reason, finished_us, decided_by)
             SELECT row_number() OVER (), 1, 1, 'w', 'o', 'k', 'f', '{{}}', 2, 's', o.column1, r.column1, f.column1, d.column1
             FROM {outcomes} o, {reasons} r, (VALUES (NULL), (1)) f, (VALUES (NULL), ('words')) d",
        );
        for (rows, read, least) in [
            (
                runs,
                "SELECT concat_ws(' ', id, trigger, state, reason, attempts, finished_us, ahead) FROM runs ORDER BY id",
                100,
            ),
            (
                attempts,
                "SELECT concat_ws(' ', run_id, outcome, unknown_reason, finished_us, decided_by) FROM attempts ORDER BY id",
                10,
            ),
        ] {
            let before = let_in(2, &rows, read).await;
            assert!(before.len() > least, "{} let in", before.len());
            assert_eq!(let_in(3, &rows, read).await, before);
        }
    }

    #[tokio::test]
    async fn the_fourth_schema_refuses_a_second_run_of_a_tick_as_the_third_does() {
        let triggers = words(Trigger::ALL.iter().map(|trigger| trigger.as_str()));
        // At each instant two runs, of all pairs of triggers and of what became of those that were ahead.
        let ahead = "(VALUES (NULL), ('void'), ('kept'))";
        let runs = format!(
            "runs (id, job, trigger, scheduled_us, due_us, state, reason, definition_hash, workspace, func_id, created_us, finished_us, ahead)
             SELECT printf('%036d', row_number() OVER ()), 'a', iif(side.column1, t1, t2), pair, 1 << 40, 'missed', 'daemon_down', 'h', 'w', 'f', 1, 1, iif(side.column1, a1, a2)
             FROM (SELECT row_number() OVER () AS pair, t.column1 AS t1, u.column1 AS t2, a.column1 AS a1, b.column1 AS a2
                   FROM {triggers} t, {triggers} u, {ahead} a, {ahead} b), (VALUES (0), (1)) side",
        );
        let read = "SELECT id FROM runs ORDER BY id";
        let before = let_in(3, &runs, read).await;
        assert!(before.len() > 300, "{} let in", before.len());
        assert_eq!(let_in(4, &runs, read).await, before);
    }

    #[tokio::test]
    async fn no_check_of_what_a_run_writes_has_a_list_to_build() {
        let tables = "SELECT sql FROM sqlite_schema WHERE name IN ('runs', 'attempts')";
        let tables = texts(&empty_ledger().await, tables).await;
        assert_eq!(tables.len(), 2);
        for list in tables.iter().flat_map(|sql| sql.split(" IN (").skip(1)) {
            let list = list.split(')').next().unwrap();
            assert!(list.matches(',').count() < 2, "{list}");
        }
    }
}
