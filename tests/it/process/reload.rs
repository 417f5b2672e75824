//! SIGHUP: a good file takes over, a bad one changes nothing.

use serde_json::{Value, json};

use super::{UNLIMITED, open_house};
use crate::support::daemon::{Folder, KEY, eventually};
use funcron::sandbox::{Options, Sandbox};

fn job(name: &str, word: &str, schedule: &str) -> String {
    format!(
        "  - {{ name: {name}, func_id: sandbox__ok.echo, kwargs: {{ word: {word} }}, schedule: \"{schedule}\" }}\n"
    )
}

fn jobs(jobs: &[String]) -> String {
    format!(
        "defaults: {{ workspace: sandbox }}\njobs:\n{}",
        jobs.concat()
    )
}

async fn has_said(sandbox: &Sandbox, word: &str) {
    eventually(word, async || {
        let log = sandbox.log();
        log.iter()
            .any(|call| call.body.contains(word))
            .then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_good_file_takes_over_and_the_ledger_says_what_changed() {
    let sandbox = open_house().await;
    let folder = Folder::new();
    let every_second = "* * * * * *";
    let before = [
        job("edited", "edited-before", every_second),
        job("removed", "removed-before", every_second),
        job("rescheduled", "rescheduled-before", "0 0 1 1 *"),
        job("same", "same", every_second),
    ];
    folder.configure(&sandbox.base_url(), UNLIMITED, &jobs(&before));
    let daemon = folder.start().await;
    has_said(&sandbox, "edited-before").await;
    has_said(&sandbox, "removed-before").await;

    let after = [
        job("edited", "edited-after", every_second),
        job("rescheduled", "rescheduled-after", every_second),
        job("same", "same", every_second),
        job("added", "added-after", every_second),
    ];
    folder.configure(&sandbox.base_url(), UNLIMITED, &jobs(&after));
    daemon.signal("HUP");
    let events: Vec<(String, i64)> = folder
        .until("SELECT detail, at_us FROM events WHERE kind = 'reload'")
        .await;
    let (detail, at) = &events[0];
    let detail: Value = serde_json::from_str(detail).unwrap();
    let changes = json!({ "added": "added", "edited": "edited", "removed": "removed", "rescheduled": "rescheduled" });
    assert_eq!(detail, json!({ "jobs": 4, "changes": changes }));
    for word in ["edited-after", "rescheduled-after", "added-after"] {
        has_said(&sandbox, word).await;
    }
    let log = daemon.stop().await;
    assert!(
        log.contains("added added, edited edited, removed removed, rescheduled rescheduled"),
        "{log}"
    );

    let ticks_of_removed = folder
        .count(&format!(
            "SELECT count(*) FROM runs WHERE job = 'removed' AND scheduled_us > {at}"
        ))
        .await;
    assert_eq!(ticks_of_removed, 0);
    let old_words = folder
        .count(&format!(
            "SELECT count(*) FROM executions WHERE scheduled_us > {at} AND request LIKE '%-before%'"
        ))
        .await;
    assert_eq!(old_words, 0, "a tick after the reload ran by the old file");
    folder.audit();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bad_file_changes_nothing_and_every_error_of_it_is_said() {
    let sandbox = open_house().await;
    let folder = Folder::new();
    let good = jobs(&[job("steady", "steady", "* * * * * *")]);
    folder.configure(&sandbox.base_url(), UNLIMITED, &good);
    let daemon = folder.start().await;
    has_said(&sandbox, "steady").await;

    let bad = "defaults: { workspace: sandbox, timezone: Asia/Shanghia }\njobs:\n  - { name: steady, func_id: sandbox__ok.echo, schedule: \"61 * * * *\", timeout: 60 }\n";
    folder.configure(&sandbox.base_url(), UNLIMITED, bad);
    daemon.signal("HUP");
    refused(&folder, 1).await;
    for error in [
        "jobs.yaml:5:43: defaults.timezone: there is no such time zone; did you mean `Asia/Shanghai`?",
        "jobs.yaml:7:59: jobs.steady.schedule: minute field `61`",
        "jobs.yaml:7:81: jobs.steady.timeout: ",
    ] {
        assert!(daemon.log().contains(error), "{error}");
    }
    let refusals: Vec<(String,)> = folder
        .rows("SELECT detail FROM events WHERE kind = 'reload_failed'")
        .await;
    let detail: Value = serde_json::from_str(&refusals[0].0).unwrap();
    assert_eq!(detail["errors"], 3, "{detail}");
    let first = detail["first"][0].as_str().unwrap();
    assert!(
        first.contains("jobs.yaml:5:43: defaults.timezone: there is no such"),
        "{detail}"
    );
    // Nothing of it is taken over, whatever is wrong with it.
    for (round, text) in [
        (2, ""),
        (3, "version: 1\njobs: []\n\u{0}"),
        (4, "- a list\n"),
    ] {
        folder.write("jobs.yaml", text);
        daemon.signal("HUP");
        refused(&folder, round).await;
    }
    std::fs::remove_file(folder.path("jobs.yaml")).unwrap();
    daemon.signal("HUP");
    refused(&folder, 5).await;
    // The key of a file that is right is gone.
    folder.configure(&sandbox.base_url(), UNLIMITED, &good);
    folder.write("api.key", "two\nlines-of-a-key");
    daemon.signal("HUP");
    refused(&folder, 6).await;
    let log = daemon.log();
    assert!(log.contains("workspaces.sandbox.api_key: "), "{log}");
    assert!(!log.contains("lines-of-a-key"), "{log}");

    let calls = sandbox.counters().executed;
    eventually("it goes on calling", async || {
        (sandbox.counters().executed > calls + 1).then_some(())
    })
    .await;
    daemon.stop().await;
    let reloads = folder
        .count("SELECT count(*) FROM events WHERE kind = 'reload'")
        .await;
    assert_eq!(reloads, 0);
    folder.audit();
}

async fn refused(folder: &Folder, times: i64) {
    folder
        .until::<(i64,)>(&format!(
            "SELECT count(*) FROM events WHERE kind = 'reload_failed' HAVING count(*) = {times}"
        ))
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_key_in_a_file_is_read_again() {
    let next_key = "another-key-of-the-tests";
    let sandbox = Sandbox::start(Options {
        api_keys: vec![KEY.to_owned(), next_key.to_owned()],
        per_key: None,
        per_workspace: None,
        ..Options::default()
    })
    .await
    .unwrap();
    let folder = Folder::new();
    let good = jobs(&[job("steady", "steady", "* * * * * *")]);
    folder.configure(&sandbox.base_url(), UNLIMITED, &good);
    let daemon = folder.start().await;
    has_said(&sandbox, "steady").await;
    let key_of = |call: &funcron::sandbox::Received| call.key.clone().unwrap();
    let first = key_of(&sandbox.log()[0]);

    folder.write("api.key", format!("{next_key}\n"));
    let before_reload = sandbox.log().len();
    daemon.signal("HUP");
    let second = eventually("the other key is used", async || {
        let log = sandbox.log();
        log.iter().map(key_of).find(|key| *key != first)
    })
    .await;
    let stopped = daemon.stop().await;
    let keys: Vec<String> = sandbox.log().iter().map(key_of).collect();
    let switch = keys.iter().position(|key| *key == second).unwrap();
    assert!(switch >= before_reload, "the key changed before the reload");
    assert!(
        keys[switch..].iter().all(|key| *key == second),
        "{keys:?}\n{stopped}"
    );
    let recorded: Vec<(String,)> = folder
        .rows("SELECT DISTINCT key_id FROM attempts ORDER BY id")
        .await;
    assert_eq!(recorded, [(first,), (second,)]);
}
