//! What a newcomer does first: `funcron demo`, and `funcron sandbox` with a `jobs.yaml` of one's own.

use std::process::Command;
use std::time::{Duration, Instant};

use crate::support::daemon::{Daemon, Folder, eventually};

/// What the demo promises to show within ten seconds of its start.
fn has_shown_it_all(printed: &str) -> bool {
    let line = |words: &[&str]| {
        printed
            .lines()
            .any(|line| words.iter().all(|word| line.contains(word)))
    };
    line(&["hello", "#1", "success"])
        && line(&[
            "sample-from-the-document",
            "#1",
            "func_failed",
            "EFuncFailed",
        ])
        && line(&["throttled-and-retried", "#1", "throttled"])
        && line(&["throttled-and-retried", "#2", "success"])
        && line(&["slow", "skipped", "overlap"])
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_demo_shows_it_all_within_ten_seconds_and_leaves_commands_that_work() {
    let folder = Folder::new();
    let started = Instant::now();
    let demo = Daemon::spawn(folder.command(&["demo", "--seconds", "11", "--folder", "stage"]));
    eventually("the demo shows it all", async || {
        has_shown_it_all(&demo.printed()).then_some(())
    })
    .await;
    let took = started.elapsed();
    assert!(
        took < Duration::from_secs(10),
        "{took:?}\n{}",
        demo.printed()
    );
    demo.prints("audit verify").await;
    let printed = demo.printed();
    let (code, said) = demo.ended().await;
    assert_eq!((code, said.as_str()), (0, ""), "{printed}");

    let commands: Vec<&str> = printed
        .split("The ledger stays. Ask it:")
        .nth(1)
        .expect("it says what to do next")
        .lines()
        .filter_map(|line| line.strip_prefix("  "))
        .collect();
    let answers: Vec<String> = commands
        .iter()
        .map(|command| {
            let mut shell = Command::new("sh");
            shell.args(["-c", command]);
            folder.at_home(&mut shell);
            let ended = folder.end(shell);
            assert_eq!(ended.code, 0, "{command}: {}{}", ended.out, ended.err);
            ended.out
        })
        .collect();
    let [history, show, audit] = answers.as_slice() else {
        panic!("three commands: {commands:?}");
    };
    assert!(history.contains("throttled-and-retried"), "{history}");
    assert!(show.contains("EFuncFailed"), "{show}");
    assert!(!audit.is_empty());
    // The secrets of the demo are secrets, too.
    for secret in ["demo-key-one", "demo-key-two", "demo-workspace-token"] {
        assert!(
            !printed.contains(secret) && !show.contains(secret),
            "{secret}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_interrupted_demo_says_the_same() {
    let folder = Folder::new();
    let demo = Daemon::spawn(folder.command(&["demo", "--folder", "a stage"]));
    demo.prints("hello").await;
    demo.signal("INT");
    demo.prints("audit verify").await;
    let printed = demo.printed();
    let (code, said) = demo.ended().await;
    assert_eq!((code, said.as_str()), (0, ""), "{printed}");
    for command in printed.lines().filter_map(|line| line.strip_prefix("  ")) {
        let mut shell = Command::new("sh");
        shell.args(["-c", command]);
        folder.at_home(&mut shell);
        let ended = folder.end(shell);
        assert_eq!(ended.code, 0, "{command}: {}{}", ended.out, ended.err);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_sandboxs_line_makes_a_jobs_file_that_validates_and_runs() {
    let folder = Folder::new();
    let sandbox = Daemon::spawn(folder.command(&["sandbox", "--listen", "127.0.0.1:0"]));
    sandbox.said("ready: ").await;
    let printed = sandbox.printed();
    assert!(printed.starts_with("workspaces: "), "{printed}");
    folder.write(
        "jobs.yaml",
        format!(
            "version: 1\ndatabase: sqlite://funcron.db\n{printed}jobs:\n  - {{ name: a, workspace: sandbox, func_id: sandbox__ok.echo, schedule: \"*/5 * * * * *\" }}\n"
        ),
    );
    let key = ("DF_API_KEY", "any-key-will-do");
    let mut validate = folder.command(&["validate", "--strict"]);
    validate.env(key.0, key.1);
    let ended = folder.end(validate);
    assert_eq!(ended.code, 0, "{}{}", ended.out, ended.err);

    let mut run = folder.command(&["run"]);
    run.env(key.0, key.1);
    let daemon = Daemon::spawn(run);
    daemon.said("ready: scheduling").await;
    folder
        .until::<(String,)>("SELECT id FROM runs WHERE state = 'success'")
        .await;
    daemon.stop().await;
    let log = sandbox.stop().await;
    assert!(log.contains(" requests, "), "{log}");
}
