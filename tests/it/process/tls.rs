//! The binary and TLS: `ca_file` from the configuration to the wire, what cannot be trusted as a
//! row of the ledger, and an environment whose proxies are nobody's business.

use super::{every_request_has_its_attempt, open_house};
use crate::support::daemon::{Daemon, Folder};
use crate::support::proxy::{Manner, Proxy};
use crate::support::tls::{Authority, Holds, TlsFront};

/// Variables by which many programs are given a proxy.
const PROXIES: [&str; 6] = [
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "ALL_PROXY",
    "http_proxy",
    "https_proxy",
    "all_proxy",
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_behind_ca_file_is_called_and_one_that_is_not_is_retried_and_never_sent_to() {
    let sandbox = open_house().await;
    let authority = Authority::new();
    let trusted = authority.issue("127.0.0.1", Holds::Now);
    let front = TlsFront::start(&trusted, sandbox.addr()).await;
    let strange = authority.issue("127.0.0.1", Holds::Until2020);
    let expired = TlsFront::start(&strange, sandbox.addr()).await;

    let folder = Folder::new();
    folder.write("ca.pem", authority.pem());
    let workspace = |name: &str, url: &str, ca_file: &str| {
        format!(
            "  {name}: {{ base_url: \"{url}\", api_key: {{ file: api.key }}, quota: none{ca_file} }}\n"
        )
    };
    let marked = super::MARKED;
    let job = |name: &str, more: &str| {
        format!(
            "  - {{ name: {name}, workspace: {name}, func_id: sandbox__ok.echo, schedule: \"* * * * * *\", {marked}{more} }}\n"
        )
    };
    let twice =
        ", retry: { max_attempts: 2, initial_delay: 100ms, into_next_tick: true }, overlap: allow";
    let text = [
        format!(
            "version: 1\ndatabase: sqlite://{}\nworkspaces:\n",
            folder.ledger().display()
        ),
        workspace("trusted", &front.url(), ", ca_file: ca.pem"),
        workspace("unknown", &front.url(), ""),
        workspace("expired", &expired.url(), ", ca_file: ca.pem"),
        workspace("plain", &sandbox.base_url(), ""),
        "jobs:\n".to_owned(),
        job("trusted", ""),
        job("unknown", twice),
        job("expired", twice),
        job("plain", ""),
    ];
    folder.write("jobs.yaml", text.concat());

    let proxy = Proxy::start(Manner::Forwards).await;
    let mut command = folder.command(&["run"]);
    for name in PROXIES {
        command.env(name, proxy.url());
    }
    command.env_remove("NO_PROXY").env_remove("no_proxy");
    let daemon = Daemon::spawn(command);
    daemon.said("ready: scheduling").await;
    for job in ["trusted", "plain"] {
        folder
            .until::<(String,)>(&format!(
                "SELECT id FROM runs WHERE job = '{job}' AND state = 'success'"
            ))
            .await;
    }
    for (job, words) in [
        (
            "unknown",
            "unknown issuer; if the authority is your own, name its certificate as the workspace's ca_file",
        ),
        ("expired", "expired at 2020-01-02T00:00:00Z"),
    ] {
        folder
            .until::<(String,)>(&format!(
                "SELECT id FROM runs WHERE job = '{job}' AND state = 'failed' AND reason = 'network_error'"
            ))
            .await;
        // Both attempts of a run that has ended.
        let attempts: Vec<(i64, Option<i64>, String, String)> = folder
            .rows(&format!(
                "SELECT a.attempt, a.written_us, a.outcome, a.decided_by FROM attempts a \
                 WHERE a.run_id = (SELECT id FROM runs WHERE job = '{job}' AND state = 'failed' LIMIT 1) \
                 ORDER BY a.attempt"
            ))
            .await;
        assert_eq!(attempts.len(), 2, "{attempts:?}");
        for (_, written, outcome, decided_by) in attempts {
            assert_eq!((written, outcome.as_str()), (None, "network_error"));
            assert!(decided_by.contains(words), "{decided_by}");
        }
        let called = super::marks(&sandbox);
        let runs: Vec<(String,)> = folder
            .rows(&format!("SELECT id FROM runs WHERE job = '{job}'"))
            .await;
        assert!(
            called
                .iter()
                .all(|(run, _)| !runs.contains(&(run.clone(),)))
        );
    }
    every_request_has_its_attempt(&folder, &sandbox).await;
    let log = daemon.stop().await;
    assert!(!log.contains(crate::support::daemon::KEY), "{log}");
    assert_eq!(proxy.seen(), Vec::<String>::new());
    folder.audit();
}
