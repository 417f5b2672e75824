//! The documented limits, for real: the sandbox counts as the server does. Takes over a minute.

use std::collections::BTreeSet;

use funcron::sandbox::{Options, Sandbox};
use jiff::{Timestamp, ToSpan, Unit};

use super::{MARKED, marks};
use crate::support::daemon::{Folder, eventually};

const JOBS: usize = 30;
const PER_KEY: usize = 20;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn thirty_jobs_of_one_second_all_run_in_due_order_and_the_server_refuses_none() {
    let sandbox = Sandbox::start(Options::default()).await.unwrap();
    let folder = Folder::new();
    let due = Timestamp::now().round(Unit::Second).unwrap() + 8.seconds();
    let mut jobs =
        format!("defaults: {{ workspace: sandbox, func_id: sandbox__ok.echo, {MARKED} }}\njobs:\n");
    for n in 0..JOBS {
        jobs.push_str(&format!(
            "  - {{ name: job-{n:02}, schedule: \"@at {due}\" }}\n"
        ));
    }
    // The documented limits are the default.
    folder.configure(&sandbox.base_url(), "api_key: { file: api.key }", &jobs);
    let daemon = folder.start().await;
    assert!(
        Timestamp::now() < due,
        "the machine was too slow to be ready in time"
    );

    let waiting = "SELECT count(*) FROM runs WHERE state = 'waiting' AND reason = 'quota' HAVING count(*) = 10";
    folder.until::<(i64,)>(waiting).await;
    // That ten wait may be written before the last of the twenty has been sent.
    eventually("those that need not wait have been called", async || {
        (marks(&sandbox).len() >= PER_KEY).then_some(())
    })
    .await;
    assert_eq!(marks(&sandbox).len(), PER_KEY);
    // The last ten may leave 61 s after the first twenty; the patience of one wait is shorter.
    tokio::time::sleep(std::time::Duration::from_secs(50)).await;
    eventually("all have been called", async || {
        (marks(&sandbox).len() == JOBS).then_some(())
    })
    .await;
    daemon.stop().await;

    let counters = sandbox.counters();
    assert_eq!(
        (counters.throttled_by_key, counters.throttled_by_workspace),
        (0, 0)
    );
    let runs: Vec<(String, String, i64)> = folder
        .rows("SELECT id, state, attempts FROM runs ORDER BY due_us, id")
        .await;
    assert_eq!(runs.len(), JOBS);
    for (run, state, attempts) in &runs {
        assert_eq!((state.as_str(), *attempts), ("success", 1), "{run}");
    }
    // In order by due time, and by id within it; calls that leave together may overtake each other.
    let arrived: Vec<String> = marks(&sandbox).into_iter().map(|(run, _)| run).collect();
    let first: BTreeSet<&String> = arrived[..PER_KEY].iter().collect();
    let due_first: BTreeSet<&String> = runs[..PER_KEY].iter().map(|(run, ..)| run).collect();
    assert_eq!(first, due_first);
    folder.audit();
}
