//! The ledger's promises, on real files: one holder, one row a tick, final states once, durable
//! answers, and words for every file that is none.

use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use funcron::domain::attempt::{CallRecord, StoredBody};
use funcron::domain::job::{DefinitionHash, JobName};
use funcron::domain::outcome::Outcome;
use funcron::domain::run::{NewRun, Reason, RunId, RunState, Trigger};
use funcron::domain::workspace::{KeyId, WorkspaceName};
use funcron::store::{
    After, CloseAttempt, Closed, Held, Ledger, LedgerLock, OpenAttempt, Opened, Plan, Reader,
    Release, Settle, StoreError, StoreErrorKind, VersionChange,
};
use futures_util::FutureExt;
use futures_util::future::join_all;
use jiff::Timestamp;
use sqlx::Connection;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use uuid::Uuid;

struct Place {
    dir: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        Self {
            dir: tempfile::tempdir().unwrap(),
        }
    }

    fn path(&self) -> PathBuf {
        self.dir.path().join("funcron.db")
    }

    async fn open(&self) -> (Ledger, Held) {
        Ledger::open(&self.path(), at(0)).await.unwrap()
    }

    async fn connect(&self) -> SqliteConnection {
        let options = SqliteConnectOptions::new().filename(self.path());
        SqliteConnection::connect_with(&options).await.unwrap()
    }
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_790_000_000 + second).unwrap()
}

fn hash() -> DefinitionHash {
    DefinitionHash(Arc::from("d".repeat(64)))
}

fn waiting(job: &str, tick: i64) -> NewRun {
    NewRun {
        not_before: None,
        id: RunId(Uuid::now_v7()),
        job: JobName::parse(job).unwrap(),
        trigger: Trigger::Schedule,
        scheduled_at: at(tick),
        due_at: at(tick),
        state: RunState::Waiting,
        reason: Some(Reason::InFlight),
        definition_hash: hash(),
        workspace: WorkspaceName(Arc::from("prod")),
        func_id: Arc::from("a__b.c"),
    }
}

fn plan(runs: Vec<NewRun>) -> Plan {
    Plan {
        runs,
        ..Plan::nothing(at(100), at(100))
    }
}

fn open(run: RunId, attempt: u32) -> OpenAttempt {
    OpenAttempt {
        run,
        attempt,
        at: at(101),
        workspace: WorkspaceName(Arc::from("prod")),
        origin: Arc::from("https://openapi.example"),
        key: KeyId(Arc::from("0123abcd")),
        func_id: Arc::from("a__b.c"),
        request: StoredBody {
            text: "{}".into(),
            bytes: 2,
            sha256: "e".repeat(64).into(),
        },
    }
}

fn close(run: RunId, attempt: u32, outcome: Outcome, after: After) -> CloseAttempt {
    let unknown = (outcome == Outcome::Unknown).then_some(Reason::NoReply);
    CloseAttempt {
        run,
        attempt,
        at: at(102),
        written_at: Some(at(101)),
        counts_from: None,
        call: CallRecord::without_reply(outcome, unknown, "a test said so"),
        after,
    }
}

const SUCCESS: After = After {
    state: RunState::Success,
    reason: None,
    not_before: None,
};

async fn count(place: &Place, sql: &'static str) -> i64 {
    let mut connection = place.connect().await;
    sqlx::query_scalar(sql)
        .fetch_one(&mut connection)
        .await
        .unwrap()
}

#[tokio::test]
async fn planning_the_same_tick_again_changes_nothing() {
    let place = Place::new();
    let (ledger, _held) = place.open().await;
    let first = waiting("a", 1);
    assert_eq!(ledger.plan(plan(vec![first.clone()])).await.unwrap(), []);
    let again = waiting("a", 1);
    let other = waiting("a", 2);
    let taken = ledger.plan(plan(vec![again.clone(), other])).await.unwrap();
    assert_eq!(taken, [again.id]);
    assert_eq!(count(&place, "SELECT count(*) FROM runs").await, 2);
}

#[tokio::test]
async fn a_tick_has_one_row_whether_live_or_caught_up_and_manual_starts_do_not_count() {
    let place = Place::new();
    let (ledger, _held) = place.open().await;
    let live = waiting("a", 1);
    let late = NewRun {
        trigger: Trigger::Catchup,
        ..waiting("a", 1)
    };
    let manual = NewRun {
        trigger: Trigger::Manual,
        ..waiting("a", 1)
    };
    ledger.plan(plan(vec![live])).await.unwrap();
    assert_eq!(
        ledger.plan(plan(vec![late.clone(), manual])).await.unwrap(),
        [late.id]
    );
}

#[tokio::test]
async fn an_attempt_is_opened_once_and_closed_once() {
    let place = Place::new();
    let (ledger, _held) = place.open().await;
    let run = waiting("a", 1);
    ledger.plan(plan(vec![run.clone()])).await.unwrap();
    assert_eq!(
        ledger.open_attempt(open(run.id, 1)).await.unwrap(),
        Opened::Opened
    );
    assert_eq!(
        ledger.open_attempt(open(run.id, 1)).await.unwrap(),
        Opened::NotWaiting
    );
    assert_eq!(
        ledger.open_attempt(open(run.id, 2)).await.unwrap(),
        Opened::NotWaiting
    );
    let done = close(run.id, 1, Outcome::Success, SUCCESS);
    assert_eq!(
        ledger.close_attempt(Arc::new(done.clone())).await.unwrap(),
        Closed::Closed
    );
    let other = close(run.id, 1, Outcome::FuncFailed, SUCCESS);
    assert_eq!(
        ledger.close_attempt(Arc::new(other)).await.unwrap(),
        Closed::AlreadyClosed
    );
    assert_eq!(
        count(
            &place,
            "SELECT count(*) FROM executions WHERE outcome = 'success'"
        )
        .await,
        1
    );
}

#[tokio::test]
async fn a_throttled_attempt_has_its_number_and_does_not_count() {
    let place = Place::new();
    let (ledger, _held) = place.open().await;
    let run = waiting("a", 1);
    ledger.plan(plan(vec![run.clone()])).await.unwrap();
    ledger.open_attempt(open(run.id, 1)).await.unwrap();
    let again = After {
        state: RunState::Waiting,
        reason: Some(Reason::Retry),
        not_before: Some(at(200)),
    };
    ledger
        .close_attempt(Arc::new(close(run.id, 1, Outcome::Throttled, again)))
        .await
        .unwrap();
    let unfinished = ledger.reader().unfinished_runs().await.unwrap();
    let run = unfinished.first().unwrap();
    assert_eq!((run.attempts, run.counted), (1, 0));
    assert_eq!(run.not_before, Some(at(200)));
    assert_eq!(run.last_outcome, Some(Outcome::Throttled));
}

#[tokio::test]
async fn a_bad_operation_does_not_drag_others_down_with_it() {
    let place = Place::new();
    let (ledger, _held) = place.open().await;
    let runs: Vec<NewRun> = (0..50).map(|tick| waiting("a", tick)).collect();
    ledger.plan(plan(runs.clone())).await.unwrap();
    // A final state that the schema forbids for a run without an attempt, queued amid good ones.
    let bad = Settle {
        run: runs[0].id,
        after: After {
            state: RunState::Success,
            reason: None,
            not_before: None,
        },
        at: at(101),
    };
    let opens = runs[1..].iter().map(|run| {
        let (ledger, open) = (ledger.clone(), open(run.id, 1));
        tokio::spawn(async move { ledger.open_attempt(open).await })
    });
    let opens: Vec<_> = opens.collect();
    let refused = ledger.settle(vec![bad]).await.unwrap_err();
    assert_eq!(*refused.kind(), StoreErrorKind::Bug);
    for open in opens {
        assert_eq!(open.await.unwrap().unwrap(), Opened::Opened);
    }
    assert_eq!(count(&place, "SELECT count(*) FROM attempts").await, 49);
}

/// The answers to attempts that come while the plan of their runs is in its transaction, which waits for
/// another program's to end; with the plan durable.
async fn joined<'l>(
    place: &Place,
    ledger: &'l Ledger,
    runs: &[NewRun],
    opens: &[RunId],
) -> Vec<Pin<Box<impl Future<Output = Result<Opened, StoreError>> + use<'l>>>> {
    let mut other = place.connect().await;
    let begin = sqlx::query("BEGIN IMMEDIATE");
    begin.execute(&mut other).await.unwrap();
    let plan = ledger.submit_plan(plan(runs.to_vec())).await.unwrap();
    // The writer takes it.
    tokio::task::yield_now().await;
    let opens = opens.iter().map(|run| open(*run, 1));
    let mut answers: Vec<_> = opens
        .map(|open| Box::pin(ledger.open_attempt(open)))
        .collect();
    for answer in &mut answers {
        assert!(answer.now_or_never().is_none());
    }
    let end = sqlx::query("ROLLBACK");
    end.execute(&mut other).await.unwrap();
    assert_eq!(plan.durable().await.unwrap(), []);
    answers
}

#[tokio::test]
async fn an_attempt_that_comes_while_its_run_is_planned_is_durable_with_it() {
    let place = Place::new();
    let (ledger, _held) = place.open().await;
    let runs: Vec<NewRun> = (0..3).map(|tick| waiting("a", tick)).collect();
    for answer in joined(&place, &ledger, &runs, &[runs[1].id, runs[2].id]).await {
        assert_eq!(answer.now_or_never().unwrap().unwrap(), Opened::Opened);
    }
}

#[tokio::test]
async fn a_plan_that_is_withdrawn_leaves_nothing_but_what_others_wrote_meanwhile() {
    let place = Place::new();
    let (ledger, held) = place.open().await;
    let (begun, planned) = (waiting("j", 60), waiting("k", 120));
    let (begun_id, planned_id) = (begun.id, planned.id);
    ledger.plan(plan(vec![begun])).await.unwrap();
    ledger.open_attempt(open(begun_id, 1)).await.unwrap();

    for comes in [false, true] {
        let (releaser, release) = Release::new();
        let written = Plan {
            release: Some(release),
            ..plan(vec![planned.clone()])
        };
        let submitted = ledger.submit_plan(written).await.unwrap();
        let end = close(begun_id, 1, Outcome::Success, SUCCESS);
        let opened = ledger.open_attempt(open(planned_id, 1));
        let closed = ledger.close_attempt(Arc::new(end));
        let instant = async {
            assert_eq!(count(&place, "SELECT count(*) FROM runs").await, 1);
            match comes {
                true => releaser.release(),
                false => drop(releaser),
            }
        };
        let (opened, closed, ()) = tokio::join!(opened, closed, instant);
        let planned = submitted.durable().await;
        if comes {
            assert_eq!(planned.unwrap(), []);
            assert_eq!(opened.unwrap(), Opened::Opened);
            assert_eq!(closed.unwrap(), Closed::AlreadyClosed);
        } else {
            let kind = planned.unwrap_err();
            assert_eq!(*kind.kind(), StoreErrorKind::Withdrawn);
            assert_eq!(opened.unwrap(), Opened::NotWaiting);
            assert_eq!(closed.unwrap(), Closed::Closed);
        }
    }
    assert_eq!(count(&place, "SELECT count(*) FROM attempts").await, 2);
    held.release(ledger).await;
}

#[tokio::test]
async fn a_bad_attempt_that_joins_a_plan_drags_neither_it_nor_others_down_with_it() {
    let place = Place::new();
    let (ledger, _held) = place.open().await;
    let runs: Vec<NewRun> = (0..3).map(|tick| waiting("a", tick)).collect();
    let opens = [runs[0].id, RunId(Uuid::now_v7()), runs[2].id];
    let answers = joined(&place, &ledger, &runs, &opens).await;
    let [first, strange, last] = join_all(answers).await.try_into().unwrap();
    assert_eq!(first.unwrap(), Opened::Opened);
    assert_eq!(strange.unwrap(), Opened::NotWaiting);
    assert_eq!(last.unwrap(), Opened::Opened);
    assert_eq!(count(&place, "SELECT count(*) FROM runs").await, 3);
    assert_eq!(count(&place, "SELECT count(*) FROM attempts").await, 2);
}

#[tokio::test]
async fn the_schema_refuses_states_that_contradict_their_fields() {
    let place = Place::new();
    let (_ledger, _held) = place.open().await;
    let mut connection = place.connect().await;
    let insert = |state: &str, reason: &str, finished: &str, attempts: u8| {
        let opened = if attempts == 0 { "NULL" } else { "1" };
        format!(
            "INSERT INTO runs (id, job, trigger, scheduled_us, due_us, state, reason, definition_hash, workspace, func_id, created_us, opened_us, finished_us, attempts, counted) \
             VALUES ('{}', 'j', 'manual', 1, 1, '{state}', {reason}, 'h', 'w', 'f', 1, {opened}, {finished}, {attempts}, {attempts})",
            Uuid::now_v7()
        )
    };
    let legal = [
        insert("waiting", "'quota'", "NULL", 0),
        insert("running", "NULL", "NULL", 1),
        insert("success", "NULL", "2", 1),
        insert("failed", "'throttled'", "2", 1),
        insert("missed", "'daemon_down'", "2", 0),
    ];
    for sql in legal {
        sqlx::query(sqlx::AssertSqlSafe(sql))
            .execute(&mut connection)
            .await
            .unwrap();
    }
    let illegal = [
        insert("waiting", "NULL", "NULL", 0),
        insert("waiting", "'daemon_down'", "NULL", 0),
        insert("success", "NULL", "NULL", 1),
        insert("success", "NULL", "2", 0),
        insert("missed", "'daemon_down'", "2", 1),
        insert("unknown", "'overlap'", "2", 1),
        insert("lost", "'quota'", "2", 0),
    ];
    for sql in illegal {
        let refused = sqlx::query(sqlx::AssertSqlSafe(sql.clone()))
            .execute(&mut connection)
            .await;
        assert!(refused.is_err(), "{sql}");
    }
}

#[tokio::test]
async fn a_second_daemon_is_told_who_holds_the_ledger() {
    let place = Place::new();
    let (ledger, held) = place.open().await;
    let refused = Ledger::open(&place.path(), at(0)).await.unwrap_err();
    assert!(matches!(refused.kind(), StoreErrorKind::Locked { .. }));
    assert!(
        refused
            .to_string()
            .contains(&format!("process {}", std::process::id())),
        "{refused}"
    );
    assert!(LedgerLock::holder(&place.path()).is_some());
    held.release(ledger).await;
    assert!(LedgerLock::holder(&place.path()).is_none());
    place.open().await;
}

/// A `sqlite3` or a `funcron history` that is just looking is soon gone.
#[tokio::test]
async fn a_stop_waits_a_moment_for_who_is_reading_before_it_leaves_wal_mode() {
    let place = Place::new();
    let (ledger, held) = place.open().await;
    ledger.plan(plan(vec![])).await.unwrap();
    let mut reader = place.connect().await;
    let runs: i64 = sqlx::query_scalar("SELECT count(*) FROM runs")
        .fetch_one(&mut reader)
        .await
        .unwrap();
    assert_eq!(runs, 0);
    let mut released = std::pin::pin!(held.release(ledger));
    let refused = tokio::time::timeout(Duration::from_millis(250), &mut released).await;
    assert!(
        refused.is_err(),
        "it tries while somebody has the file open"
    );
    reader.close().await.unwrap();
    released.await;
    assert_eq!(
        std::fs::read(place.path()).unwrap()[18],
        1,
        "a rollback journal"
    );
}

#[tokio::test]
async fn a_clean_stop_leaves_a_file_that_needs_no_journal() {
    let place = Place::new();
    let (ledger, held) = place.open().await;
    ledger.plan(plan(vec![waiting("a", 1)])).await.unwrap();
    assert_eq!(ledger.reader().unfinished_runs().await.unwrap().len(), 1);
    assert!(wal(&place.path()).exists(), "a running daemon writes ahead");
    held.release(ledger).await;
    assert!(!wal(&place.path()).exists());
    // Byte 18 of the header: 1 is a rollback journal, 2 is WAL (https://sqlite.org/fileformat.html).
    assert_eq!(std::fs::read(place.path()).unwrap()[18], 1);
}

fn wal(path: &Path) -> PathBuf {
    PathBuf::from(format!("{}-wal", path.display()))
}

#[tokio::test]
async fn files_that_are_no_ledger_are_refused_and_left_alone() {
    let place = Place::new();
    std::fs::write(
        place.path(),
        "not a database, whatever its name says; and long enough to be one",
    )
    .unwrap();
    let refused = Ledger::open(&place.path(), at(0)).await.unwrap_err();
    assert_eq!(*refused.kind(), StoreErrorKind::NotALedger, "{refused}");
    std::fs::remove_file(place.path()).unwrap();

    let options = SqliteConnectOptions::new()
        .filename(place.path())
        .create_if_missing(true);
    let mut other = SqliteConnection::connect_with(&options).await.unwrap();
    sqlx::query("CREATE TABLE somebody_elses (x)")
        .execute(&mut other)
        .await
        .unwrap();
    other.close().await.unwrap();
    let refused = Ledger::open(&place.path(), at(0)).await.unwrap_err();
    assert_eq!(*refused.kind(), StoreErrorKind::NotALedger, "{refused}");
    assert_eq!(count(&place, "SELECT count(*) FROM sqlite_schema").await, 1);

    let folder = place.dir.path().join("folder");
    std::fs::create_dir(&folder).unwrap();
    let refused = Ledger::open(&folder, at(0)).await.unwrap_err();
    assert_eq!(*refused.kind(), StoreErrorKind::NotALedger, "{refused}");
    let nowhere = place.dir.path().join("missing/funcron.db");
    let refused = Ledger::open(&nowhere, at(0)).await.unwrap_err();
    assert_eq!(*refused.kind(), StoreErrorKind::Missing, "{refused}");
}

#[tokio::test]
async fn a_ledger_of_a_later_release_is_refused_with_words() {
    let place = Place::new();
    let (ledger, held) = place.open().await;
    held.release(ledger).await;
    let mut connection = place.connect().await;
    sqlx::query("INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) VALUES (9000, 'later', 1, x'00', 1)")
        .execute(&mut connection)
        .await
        .unwrap();
    connection.close().await.unwrap();
    let refused = Ledger::open(&place.path(), at(0)).await.unwrap_err();
    assert_eq!(
        *refused.kind(),
        StoreErrorKind::Newer {
            found: 9000,
            known: 5
        }
    );
    assert!(refused.to_string().contains("a later release"), "{refused}");
    assert!(matches!(
        Reader::open(&place.path()).await.unwrap_err().kind(),
        StoreErrorKind::Newer { .. }
    ));
}

#[tokio::test]
async fn the_cursor_never_goes_back() {
    let place = Place::new();
    let (ledger, _held) = place.open().await;
    ledger.plan(Plan::nothing(at(10), at(10))).await.unwrap();
    ledger.plan(Plan::nothing(at(5), at(5))).await.unwrap();
    assert_eq!(
        ledger.reader().planned_through().await.unwrap(),
        Some(at(10))
    );
}

#[tokio::test]
async fn definitions_have_their_intervals() {
    let place = Place::new();
    let (ledger, _held) = place.open().await;
    let change = |loaded: Option<&str>, second: i64| VersionChange {
        job: JobName::parse("a").unwrap(),
        loaded: loaded.map(|hash| (DefinitionHash(Arc::from(hash)), "{}".into())),
        zone_data: "2026a".into(),
        at: at(second),
    };
    for (loaded, second) in [(Some("one"), 1), (Some("two"), 2), (None, 3)] {
        let plan = Plan {
            versions: vec![change(loaded, second)],
            ..Plan::nothing(at(second), at(second))
        };
        ledger.plan(plan).await.unwrap();
    }
    let loaded = ledger.reader().loaded_versions(None, 9).await.unwrap();
    assert_eq!(loaded, []);
    let closed = "SELECT count(*) FROM job_versions WHERE until_us - from_us = 1000000";
    assert_eq!(count(&place, closed).await, 2);
    assert_eq!(
        count(&place, "SELECT loaded FROM jobs WHERE name = 'a'").await,
        0
    );
}

#[tokio::test]
async fn readers_need_no_daemon_and_do_not_disturb_one() {
    let place = Place::new();
    let (ledger, held) = place.open().await;
    let reader = Reader::open(&place.path()).await.unwrap();
    ledger.plan(plan(vec![waiting("a", 1)])).await.unwrap();
    assert_eq!(reader.unfinished_runs().await.unwrap().len(), 1);
    reader.close().await;
    tokio::time::timeout(Duration::from_secs(30), held.release(ledger))
        .await
        .unwrap();
    let reader = Reader::open(&place.path()).await.unwrap();
    assert_eq!(reader.unfinished_runs().await.unwrap().len(), 1);
}
