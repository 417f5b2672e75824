//! SIGTERM: calls under way are waited for, as long as was promised and no longer.

use std::time::Instant;

use super::{MARKED, UNLIMITED, marks, open_house};
use crate::support::daemon::{Folder, eventually};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_waits_for_calls_under_way_and_leaves_one_whole_file() {
    let sandbox = open_house().await;
    let folder = Folder::new();
    folder.configure(
        &sandbox.base_url(),
        UNLIMITED,
        r#"
defaults: { workspace: sandbox }
jobs:
  - { name: slow, func_id: sandbox__slow.sleep, kwargs: { seconds: 3 }, schedule: "* * * * * *" }
"#,
    );
    let daemon = folder.start().await;
    eventually("a call is under way", async || {
        sandbox
            .log()
            .last()
            .filter(|call| call.answer.is_none())
            .map(drop)
    })
    .await;
    let log = daemon.stop().await;

    assert!(log.contains("stopping: no new calls"), "{log}");
    let attempts: Vec<(String, String)> = folder
        .rows("SELECT state, outcome FROM executions WHERE attempt IS NOT NULL")
        .await;
    assert_eq!(attempts.len(), sandbox.log().len());
    for (state, outcome) in attempts {
        assert_eq!((state.as_str(), outcome.as_str()), ("success", "success"));
    }
    let events: Vec<(String,)> = folder.rows("SELECT kind FROM events ORDER BY id").await;
    assert_eq!(events, [("start".to_owned(),), ("stop".to_owned(),)]);
    for left in ["funcron.db-wal", "funcron.db-shm", "funcron.db-journal"] {
        assert!(!folder.path(left).exists(), "{left}");
    }
    folder.audit();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_that_outlasts_the_drain_is_cut_off_and_its_end_is_unknown() {
    let sandbox = open_house().await;
    let folder = Folder::new();
    folder.configure(
        &sandbox.base_url(),
        UNLIMITED,
        r#"
drain_timeout: 1s
defaults: { workspace: sandbox, func_id: sandbox__slow.sleep }
jobs:
  - { name: fragile, kwargs: { seconds: 9 }, schedule: "* * * * * *" }
  - name: sturdy
    schedule: "* * * * * *"
    idempotent: true
    retry: { into_next_tick: true, initial_delay: 1s }
    kwargs: { seconds: "{{ 9 if attempt == 1 else 0 }}" }
"#,
    );
    let daemon = folder.start().await;
    eventually("both calls are under way", async || {
        (sandbox.log().len() == 2).then_some(())
    })
    .await;
    let asked = Instant::now();
    let log = daemon.stop().await;
    let took = asked.elapsed();

    // The calls would have lasted for nine seconds; the machine may be busy.
    assert!((1..7).contains(&took.as_secs()), "{took:?}");
    assert!(log.contains("the drain's time is over"), "{log}");
    let ends: Vec<(String, String, String, String)> = folder
        .rows(
            "SELECT r.job, r.state, r.reason, a.unknown_reason FROM runs r \
             JOIN attempts a ON a.run_id = r.id ORDER BY r.job",
        )
        .await;
    let end = |job: &str, state: &str, reason: &str| {
        (job.into(), state.into(), reason.into(), "shutdown".into())
    };
    assert_eq!(
        ends,
        [
            end("fragile", "unknown", "shutdown"),
            end("sturdy", "waiting", "retry")
        ]
    );
    folder.audit();

    // The next start takes up what waits, and nothing else of it.
    let daemon = folder.start().await;
    folder
        .until::<(i64,)>(
            "SELECT a.id FROM runs r JOIN attempts a ON a.run_id = r.id \
             WHERE r.job = 'sturdy' AND r.state = 'success' AND a.attempt = 2",
        )
        .await;
    drop(daemon);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_interrupt_stops_like_a_termination_and_waiting_runs_stay() {
    let sandbox = open_house().await;
    let folder = Folder::new();
    folder.configure(
        &sandbox.base_url(),
        "api_key: { file: api.key }, quota: none, max_in_flight: 1",
        &format!(
            r#"
defaults: {{ workspace: sandbox }}
jobs:
  - {{ name: first, func_id: sandbox__slow.sleep, kwargs: {{ seconds: 2 }}, schedule: "* * * * * *" }}
  - {{ name: second, func_id: sandbox__ok.echo, {MARKED}, schedule: "* * * * * *" }}
"#
        ),
    );
    let daemon = folder.start().await;
    let waits = "SELECT id FROM runs WHERE state = 'waiting' AND reason = 'in_flight' \
                 AND EXISTS (SELECT 1 FROM runs WHERE state = 'running')";
    folder.until::<(String,)>(waits).await;
    let before = marks(&sandbox).len();
    daemon.signal("INT");
    let (code, log) = daemon.ended().await;
    assert_eq!(code, 0, "{log}");
    // A call may have begun in the moment between the look and the signal, but none after it.
    assert!(marks(&sandbox).len() <= before + 1);
    let waiting = folder
        .count("SELECT count(*) FROM runs WHERE state = 'waiting'")
        .await;
    let running = folder
        .count("SELECT count(*) FROM runs WHERE state = 'running'")
        .await;
    assert!(waiting >= 1, "{log}");
    assert_eq!(running, 0);
    folder.audit();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_signal_gives_up_the_calls_that_the_first_waits_for() {
    let sandbox = open_house().await;
    let folder = Folder::new();
    folder.configure(
        &sandbox.base_url(),
        UNLIMITED,
        r#"
drain_timeout: 10m
defaults: { workspace: sandbox, timeout: 10m }
jobs:
  - { name: hangs, func_id: sandbox__http.hang, schedule: "* * * * * *" }
"#,
    );
    let daemon = folder.start().await;
    eventually("the call is under way", async || {
        (sandbox.log().len() == 1).then_some(())
    })
    .await;
    daemon.signal("INT");
    daemon
        .said("a second signal (Ctrl-C, SIGTERM) stops at once")
        .await;
    let log = daemon.stop_at_once().await;
    assert!(log.contains("told to stop at once"), "{log}");
    assert!(log.contains("calls under way are cut off"), "{log}");
    let ends: Vec<(String, String)> = folder
        .rows("SELECT state, reason FROM runs WHERE attempts = 1")
        .await;
    assert_eq!(ends, [("unknown".to_owned(), "shutdown".to_owned())]);
    let stops = folder
        .count("SELECT count(*) FROM events WHERE kind = 'stop'")
        .await;
    assert_eq!(stops, 1);
    folder.audit();
}
