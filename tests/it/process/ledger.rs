//! What befalls a ledger under its daemon: deleted, replaced, damaged, locked, read for too long.
//! Nothing is called that could not be recorded, the operator is told, and it heals where it can.

use std::os::unix::fs::FileExt;

use sqlx::Connection;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};

use super::{every_request_has_its_attempt, open_house, secondly};
use crate::support::daemon::{Folder, eventually};
use funcron::sandbox::Sandbox;

const A_SUCCESS: &str = "SELECT id FROM runs WHERE state = 'success' LIMIT 1";

/// Waits until requests arrive that were not there before.
async fn calls_again(sandbox: &Sandbox) {
    let before = sandbox.counters().requests;
    eventually("calls are made again", async || {
        (sandbox.counters().requests > before).then_some(())
    })
    .await;
}

/// The words of `funcron status`.
fn status(folder: &Folder) -> String {
    let socket = folder.path("socket");
    let ended = folder.run(&["status", "--socket", &socket.display().to_string()]);
    assert_eq!(ended.code, 0, "{}", ended.err);
    ended.out
}

async fn writer(folder: &Folder) -> SqliteConnection {
    let options = SqliteConnectOptions::new().filename(folder.ledger());
    SqliteConnection::connect_with(&options).await.unwrap()
}

async fn execute(connection: &mut SqliteConnection, sql: &'static str) {
    sqlx::raw_sql(sql).execute(connection).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_ledger_deleted_under_the_daemon_stops_the_calls_until_it_is_back_or_started_anew() {
    let sandbox = open_house().await;
    let folder = secondly(&sandbox);
    let socket = folder.path("socket").display().to_string();
    let daemon =
        crate::support::daemon::Daemon::ready(folder.command(&["run", "--socket", &socket])).await;
    folder.until::<(String,)>(A_SUCCESS).await;

    let aside = folder.path("aside.db");
    std::fs::rename(folder.ledger(), &aside).unwrap();
    daemon
        .said("was deleted, moved or replaced under the daemon")
        .await;
    let shown = status(&folder);
    assert!(shown.contains("was deleted, moved or replaced"), "{shown}");
    // No call can follow: what is said was said instead of recording one.
    let sent = sandbox.counters().requests;
    std::fs::rename(&aside, folder.ledger()).unwrap();
    daemon.said("the ledger works again").await;
    calls_again(&sandbox).await;
    every_request_has_its_attempt(&folder, &sandbox).await;
    assert!(sandbox.counters().requests > sent);

    for end in ["", "-wal", "-shm"] {
        std::fs::remove_file(format!("{}{end}", folder.ledger().display())).unwrap();
    }
    let fault = "nothing is fired while the ledger fails";
    eventually("it is noticed again", async || {
        (daemon.log().matches(fault).count() >= 2).then_some(())
    })
    .await;
    let sent = sandbox.counters().requests;
    // Of a call that was under way just then the end is still to be recorded, for which a stop waits.
    daemon.stop_at_once().await;
    assert_eq!(sandbox.counters().requests, sent, "it went on calling");

    let daemon = folder.start().await;
    folder.until::<(String,)>(A_SUCCESS).await;
    daemon.stop().await;
    folder.audit();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_damaged_page_is_found_after_the_start_stops_the_calls_and_is_told() {
    let sandbox = open_house().await;
    let folder = secondly(&sandbox);
    let daemon = folder.start().await;
    folder.until::<(String,)>(A_SUCCESS).await;
    daemon.stop().await;
    damage(&folder).await;

    let socket = folder.path("socket").display().to_string();
    let daemon =
        crate::support::daemon::Daemon::ready(folder.command(&["run", "--socket", &socket])).await;
    daemon.said("the ledger is damaged: ").await;
    daemon
        .said("nothing is fired while the ledger fails: ")
        .await;
    let sent = sandbox.counters().requests;
    let shown = status(&folder);
    assert!(shown.contains("restore a backup"), "{shown}");
    let doctor = folder.run(&["doctor", "--socket", &socket]);
    assert_eq!(doctor.code, 1, "{}", doctor.err);
    for line in [
        "WRONG integrity",
        "ok    daemon",
        "ok    socket",
        "WRONG firing",
    ] {
        assert!(doctor.out.contains(line), "{line}: {}", doctor.out);
    }
    let log = daemon.stop().await;
    assert!(log.contains("`sqlite3 FILE .recover`"), "{log}");
    assert_eq!(sandbox.counters().requests, sent, "it went on calling");
}

/// Wipes a page that no start looks at: one of old events.
async fn damage(folder: &Folder) {
    let mut connection = writer(folder).await;
    execute(
        &mut connection,
        "INSERT INTO events (at_us, kind, actor, detail) \
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5000) \
         SELECT i, 'reload', 'a test', '{}' FROM n",
    )
    .await;
    let (root, size): (i64, i64) = sqlx::query_as(
        "SELECT rootpage, (SELECT page_size FROM pragma_page_size) FROM sqlite_schema WHERE name = 'events'",
    )
    .fetch_one(&mut connection)
    .await
    .unwrap();
    connection.close().await.unwrap();
    let file = std::fs::File::options()
        .read(true)
        .write(true)
        .open(folder.ledger())
        .unwrap();
    let mut page = vec![0; size as usize];
    let at = |page: u64| (page - 1) * size as u64;
    file.read_exact_at(&mut page, at(root as u64)).unwrap();
    assert_eq!(page[0], 5, "an interior page of a table");
    // Behind the header of 12 bytes comes where the first cell lies, which begins with a page's number
    // (<https://sqlite.org/fileformat2.html#b_tree_pages>).
    let cell = usize::from(u16::from_be_bytes([page[12], page[13]]));
    let child = u32::from_be_bytes(page[cell..cell + 4].try_into().unwrap());
    let zeros = vec![0; size as usize];
    file.write_all_at(&zeros, at(u64::from(child))).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_ledger_locked_by_another_program_stops_the_calls_until_it_is_let_go() {
    let sandbox = open_house().await;
    let folder = secondly(&sandbox);
    let daemon = folder.start().await;
    folder.until::<(String,)>(A_SUCCESS).await;

    let mut other = writer(&folder).await;
    execute(&mut other, "PRAGMA busy_timeout = 60000; BEGIN EXCLUSIVE").await;
    daemon
        .said("another process keeps the database locked")
        .await;
    let sent = sandbox.counters().requests;
    let computed = daemon.cpu_time();
    // What the daemon tries again and again is not to come through.
    tokio::time::sleep(std::time::Duration::from_secs(6)).await;
    assert_eq!(sandbox.counters().requests, sent, "it calls all the same");
    let computed = daemon.cpu_time() - computed;
    assert!(computed.as_secs() < 2, "it is busy: {computed:?}");

    execute(&mut other, "ROLLBACK").await;
    daemon.said("the ledger works again").await;
    calls_again(&sandbox).await;
    other.close().await.unwrap();
    daemon.stop().await;
    every_request_has_its_attempt(&folder, &sandbox).await;
    folder.audit();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_journal_that_a_stuck_reader_makes_grow_is_told_of_and_shrinks_when_it_has_gone() {
    let sandbox = open_house().await;
    let folder = secondly(&sandbox);
    let daemon = folder.start().await;
    folder.until::<(String,)>(A_SUCCESS).await;
    let mut reader = writer(&folder).await;
    execute(&mut reader, "BEGIN; SELECT count(*) FROM runs").await;

    // Events are the quickest way to write much.
    let mut other = writer(&folder).await;
    execute(
        &mut other,
        "PRAGMA busy_timeout = 60000; PRAGMA synchronous = OFF",
    )
    .await;
    for _ in 0..9 {
        execute(
            &mut other,
            "INSERT INTO events (at_us, kind, actor, detail) \
             VALUES (1, 'reload', 'a test', json_quote(hex(zeroblob(4000000))))",
        )
        .await;
    }
    daemon.said("the ledger's journal grows").await;
    calls_again(&sandbox).await;

    execute(&mut reader, "ROLLBACK").await;
    reader.close().await.unwrap();
    other.close().await.unwrap();
    daemon.said("the ledger's journal has shrunk").await;
    let log = daemon.stop().await;
    assert!(!log.contains("while the ledger fails"), "{log}");
    folder.audit();
}
