//! The real binary with real signals, hostile replies and hostile files: what no test inside a
//! process can show.

#![expect(
    clippy::print_stdout,
    reason = "a seed and a measure belong into the test's output"
)]

use std::collections::{BTreeMap, BTreeSet};

use funcron::sandbox::{Options, Sandbox};

use crate::support::daemon::Folder;

mod burst;
mod demo;
mod disk;
mod hostile;
mod key;
mod kill;
mod ledger;
mod lock;
mod log;
mod memory;
mod notify;
mod quota;
mod read_only;
mod refusals;
mod reload;
mod secrets;
mod stop;
mod tls;
mod upkeep;
mod watch;
mod zones;

/// The workspace's keys where no limit is wanted.
const UNLIMITED: &str = "api_key: { file: api.key }, quota: none";

/// A sandbox that refuses nobody.
async fn open_house() -> Sandbox {
    Sandbox::start(Options {
        per_key: None,
        per_workspace: None,
        ..Options::default()
    })
    .await
    .unwrap()
}

/// Kwargs by which a request says whose it is.
const MARKED: &str = r#"kwargs: { run: "{{ run_id }}", attempt: "{{ attempt }}" }"#;

/// A job a second, in a folder of its own.
fn secondly(sandbox: &Sandbox) -> Folder {
    let folder = Folder::new();
    folder.configure(
        &sandbox.base_url(),
        UNLIMITED,
        &format!(
            "defaults: {{ workspace: sandbox }}\njobs:\n  - {{ name: a, func_id: sandbox__ok.echo, {MARKED}, schedule: \"* * * * * *\" }}\n"
        ),
    );
    folder
}

/// An attempt that came to a success, or that the last stop met between its row and its call, whose run still
/// waits for the next: of these the latter is none of a test's faults, only rare.
const WELL: &str = "(outcome IS 'success' \
    OR decided_by IS 'the daemon was stopped before the call was sent' \
    AND run_id IN (SELECT id FROM runs WHERE state = 'waiting' AND reason = 'retry'))";

/// A run and an attempt's number.
type Mark = (String, i64);

/// Whose the requests are that the sandbox has received, in order of arrival.
fn marks(sandbox: &Sandbox) -> Vec<Mark> {
    assert_eq!(sandbox.counters().forgotten, 0, "the sandbox remembers all");
    let marked = |body: &str| {
        let body: serde_json::Value = serde_json::from_str(body).unwrap();
        let kwargs = &body["funcBody"]["kwargs"];
        let run = kwargs["run"].as_str()?.to_owned();
        Some((run, kwargs["attempt"].as_i64()?))
    };
    sandbox
        .log()
        .iter()
        .filter_map(|received| marked(&received.body))
        .collect()
}

/// Guarantee G1, seen from the server: every request has the row of an attempt, none came twice, and none
/// of which the ledger says that it was never sent.
async fn every_request_has_its_attempt(folder: &Folder, sandbox: &Sandbox) {
    // First what arrived, then the rows: a row is there before its request.
    let arrived = marks(sandbox);
    let attempts: BTreeMap<Mark, bool> = folder
        .rows::<(String, i64, bool)>(
            "SELECT run_id, attempt, outcome IS 'network_error' FROM attempts",
        )
        .await
        .into_iter()
        .map(|(run, attempt, never_sent)| ((run, attempt), never_sent))
        .collect();
    let mut seen = BTreeSet::new();
    for mark in arrived {
        let never_sent = attempts.get(&mark);
        assert!(never_sent.is_some(), "{mark:?} has no row");
        assert_ne!(never_sent, Some(&true), "{mark:?} was never sent, it says");
        assert!(seen.insert(mark.clone()), "{mark:?} arrived twice");
    }
}
