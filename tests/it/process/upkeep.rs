//! A daemon at work, and what is asked of its ledger meanwhile.

use serde_json::Value;

use super::{UNLIMITED, open_house};
use crate::support::daemon::Folder;
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
    let daemon = crate::support::daemon::Daemon::ready(command).await;
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
