//! A daemon at work, and what is asked of its ledger meanwhile.

use serde_json::Value;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection};

use super::notify::Manager;
use super::{UNLIMITED, open_house};
use crate::support::daemon::{Daemon, Folder, PATIENCE};
use crate::support::ledger::{NIGHTLY, Past, Run};

const REST: &str = "retention: { runs: 30d }\n\
    defaults: { workspace: sandbox }\n\
    jobs:\n  - { name: steady, func_id: sandbox__ok.echo, schedule: \"* * * * * *\" }\n";

#[tokio::test]
async fn a_running_daemon_prunes_when_told_and_is_copied_while_it_calls() {
    let sandbox = open_house().await;
    let folder = Folder::new();
    folder.configure(&sandbox.base_url(), UNLIMITED, REST);
    let mut past = Past::begin(folder.ledger()).await;
    let hash = past
        .load("nightly-report", NIGHTLY, "2024-01-01T12:00:00Z")
        .await;
    for tick in [
        "2024-01-01T18:00:00Z",
        "2024-01-02T18:00:00Z",
        "2024-01-03T18:00:00Z",
    ] {
        past.tell(Run::success("nightly-report", tick), &hash).await;
    }
    past.end().await;
    let socket = folder.path("funcron.sock").display().to_string();
    let mut command = folder.command(&["run", "--no-watch"]);
    command.args(["--socket", &socket]);
    let daemon = Daemon::ready(command).await;
    folder
        .until::<(String,)>("SELECT id FROM runs WHERE job = 'steady' AND state = 'success'")
        .await;

    let ended = folder.run(&["prune", "--socket", &socket, "-o", "json"]);
    assert_eq!(ended.code, 0, "{}", ended.err);
    let removed: Value = serde_json::from_str(&ended.out).unwrap();
    assert_eq!(
        (removed["runs"].as_u64(), removed["attempts"].as_u64()),
        (Some(2), Some(2))
    );
    let by: Vec<(String,)> = folder
        .rows("SELECT actor FROM events WHERE kind = 'prune'")
        .await;
    assert!(by[0].0.contains("uid"), "{by:?}");
    assert_eq!(
        folder
            .count("SELECT count(*) FROM runs WHERE job = 'nightly-report' AND state = 'success'")
            .await,
        1
    );
    folder.audit();

    let copy = folder.path("copy.db");
    let ended = folder.run(&["backup", &copy.display().to_string()]);
    assert_eq!(ended.code, 0, "{}", ended.err);
    daemon.stop().await;
    folder.audit();
    let copied = Folder::with_ledger(&copy);
    assert!(
        copied
            .count("SELECT count(*) FROM runs WHERE job = 'steady'")
            .await
            > 0
    );
}

/// The ledger as an early release made it, a third of it free: it cannot shrink, and is too large.
async fn spoil(folder: &Folder) {
    let options = SqliteConnectOptions::new().filename(folder.ledger());
    let mut connection = options.connect().await.unwrap();
    let early = "PRAGMA auto_vacuum = NONE; VACUUM;
        WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 30)
        INSERT INTO events (at_us, kind, actor, detail) SELECT i, 'trigger', 'a test', hex(randomblob(100000)) FROM n;
        DELETE FROM events WHERE at_us <= 10 AND kind = 'trigger';";
    sqlx::raw_sql(early).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
}

#[tokio::test]
async fn a_ledger_that_is_too_large_and_cannot_shrink_is_told_of_in_log_and_status() {
    let sandbox = open_house().await;
    let folder = Folder::new();
    let rest = REST.replace("30d", "30d, max_size: 1MiB");
    folder.configure(&sandbox.base_url(), UNLIMITED, &rest);
    Past::begin(folder.ledger()).await.end().await;
    spoil(&folder).await;
    let socket = folder.path("funcron.sock").display().to_string();
    let mut command = folder.command(&["run", "--no-watch"]);
    command
        .args(["--socket", &socket])
        .env("NOTIFY_SOCKET", folder.path("notify"));
    let manager = Manager::listen(&folder);
    let daemon = Daemon::ready(command).await;
    let ended = folder.run(&["prune", "--socket", &socket]);
    assert_eq!(ended.code, 0, "{}", ended.err);
    assert!(
        ended.out.contains("nothing was old enough"),
        "{}",
        ended.out
    );
    let patience = tokio::time::timeout(
        PATIENCE,
        manager.hears_status("more than its max_size of 1 MiB"),
    );
    patience.await.unwrap();
    daemon.said("more than its max_size of 1 MiB").await;
    daemon
        .said("PRAGMA auto_vacuum = INCREMENTAL; VACUUM;")
        .await;
    let status = folder.run(&["status", "--socket", &socket]);
    let line = status.out.lines().find(|line| line.starts_with("size "));
    assert!(
        line.is_some_and(|line| line.contains("more than its max_size of 1 MiB")),
        "{}",
        status.out
    );
    let told = folder
        .until::<(String,)>("SELECT detail FROM events WHERE kind = 'max_size'")
        .await;
    assert!(told[0].0.contains("1048576"), "{told:?}");
    daemon.stop().await;
}
