//! A key that the server calls invalid is held: its runs wait, and nobody knocks on.

use crate::support::daemon::{Folder, KEY, eventually};
use funcron::sandbox::{Options, Sandbox};

const JOBS: &str = "defaults: { workspace: sandbox }\njobs:\n  - { name: a, func_id: sandbox__ok.echo, schedule: \"* * * * * *\" }\n";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_invalid_key_is_held_across_a_restart_until_a_reload_brings_the_right_one() {
    // An address of its own: on the one that all tests share another takes the port, now and then, in the
    // moment in which nobody listens there.
    let open_house = |listen, keys| {
        Sandbox::start(Options {
            listen,
            api_keys: keys,
            per_key: None,
            per_workspace: None,
            ..Options::default()
        })
    };
    let listen = "127.77.0.1:0".parse().unwrap();
    let keys = Options::default().api_keys;
    let sandbox = open_house(listen, keys).await.unwrap();
    let listen = sandbox.addr();
    let folder = Folder::new();
    folder.configure(
        &sandbox.base_url(),
        "api_key: { file: api.key }, quota: none",
        JOBS,
    );
    let daemon = folder.start().await;
    folder
        .until::<(String,)>("SELECT id FROM runs WHERE state = 'success'")
        .await;

    // The key is changed at the server, and nobody told us.
    sandbox.stop().await;
    let rotated = "the-key-that-is-right-now";
    let keys = vec![rotated.to_owned()];
    let sandbox = open_house(listen, keys).await.unwrap();
    let failed: Vec<(String, String)> = folder
        .until(
            "SELECT reason, error_code FROM executions WHERE state = 'failed' AND reason = 'auth_failed'",
        )
        .await;
    assert_eq!(
        failed,
        [("auth_failed".to_owned(), "ft.InvalidAPIKey".to_owned())]
    );
    let held = "SELECT id FROM runs WHERE state = 'waiting' AND reason = 'key_held'";
    let waiting: Vec<(String,)> = folder.until(held).await;
    let log = daemon.stop().await;
    assert!(
        log.contains("the server calls the API key invalid"),
        "{log}"
    );

    // A restart alone knows that, from the ledger, and does not ask.
    let daemon = folder.start().await;
    let ticks = folder.count("SELECT count(*) FROM runs").await;
    folder
        .until::<(i64,)>(&format!(
            "SELECT count(*) FROM runs HAVING count(*) > {}",
            ticks + 1
        ))
        .await;
    assert_eq!(folder.rows::<(String,)>(held).await, waiting);
    assert_eq!(sandbox.counters().bad_key, 1);

    folder.write("api.key", rotated);
    daemon.signal("HUP");
    let (run,) = &waiting[0];
    folder
        .until::<(String,)>(&format!(
            "SELECT id FROM runs WHERE id = '{run}' AND state = 'success'"
        ))
        .await;
    let log = daemon.stop().await;
    assert!(!log.contains(rotated) && !log.contains(KEY), "{log}");
    assert_eq!(sandbox.counters().bad_key, 1);
    folder.audit();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reload_lets_a_held_key_try_once_more() {
    let sandbox = Sandbox::start(Options {
        api_keys: vec!["not-the-one-in-the-file".to_owned()],
        ..Options::default()
    })
    .await
    .unwrap();
    let folder = Folder::new();
    folder.configure(&sandbox.base_url(), "api_key: { file: api.key }", JOBS);
    let daemon = folder.start().await;
    for tries in 1..=3 {
        folder
            .until::<(i64,)>(&format!(
                "SELECT count(*) FROM runs WHERE reason = 'auth_failed' HAVING count(*) = {tries}"
            ))
            .await;
        folder
            .until::<(String,)>(
                "SELECT id FROM runs WHERE state = 'waiting' AND reason = 'key_held'",
            )
            .await;
        assert_eq!(sandbox.counters().bad_key, tries);
        daemon.signal("HUP");
    }
    eventually("the last reload was heard", async || {
        (sandbox.counters().bad_key == 4).then_some(())
    })
    .await;
    daemon.stop().await;
    folder.audit();
}
