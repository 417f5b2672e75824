//! Zone data that changes under a daemon.

use std::fs;
use std::path::{Path, PathBuf};

use funcron::sandbox::Sandbox;
use jiff::Timestamp;
use serde_json::Value;

use super::{UNLIMITED, open_house};
use crate::support::daemon::{Daemon, Ended, Folder};

const SYSTEM: &str = "/usr/share/zoneinfo";
const ZONE: &str = "America/New_York";

/// A directory for `$TZDIR` in which New York goes by the rules of `rules`.
fn zones(directory: &Path, release: &str, rules: &str) {
    fs::create_dir_all(directory.join("America")).unwrap();
    // As a package is unpacked: the file that is read is never half of it.
    fs::copy(Path::new(SYSTEM).join(rules), directory.join("new")).unwrap();
    fs::rename(directory.join("new"), directory.join(ZONE)).unwrap();
    fs::write(
        directory.join("tzdata.zi"),
        format!("# version {release}\n"),
    )
    .unwrap();
}

struct Place {
    folder: Folder,
    zones: PathBuf,
    /// Serves until the test ends.
    _sandbox: Sandbox,
}

impl Place {
    fn end(&self, arguments: &[&str]) -> Ended {
        let mut command = self.folder.command(arguments);
        command.env("TZDIR", &self.zones);
        command.env("FUNCRON_SOCKET", self.folder.path("funcron.sock"));
        self.folder.end(command)
    }

    async fn daemon(&self, arguments: &[&str]) -> Daemon {
        let mut command = self.folder.command(arguments);
        command.env("TZDIR", &self.zones);
        command.env("FUNCRON_SOCKET", self.folder.path("funcron.sock"));
        Daemon::ready(command).await
    }

    fn next_tick(&self) -> Timestamp {
        let status = self.end(&["status", "-o", "json"]);
        let status: Value = serde_json::from_str(&status.out).unwrap();
        status["next_tick"].as_str().unwrap().parse().unwrap()
    }

    fn next_tick_is_hours_after(&self, soon: Timestamp) {
        let later = self.next_tick();
        let apart = later.duration_since(soon);
        assert!(apart.as_hours() >= 1, "{soon}, then {later}");
    }

    /// What the audit finds wrong.
    fn findings(&self) -> Vec<String> {
        let report = self.end(&["audit", "verify", "-o", "json"]);
        let report: Value = serde_json::from_str(&report.out).unwrap();
        let lists = report.as_object().unwrap().values();
        lists
            .filter_map(Value::as_array)
            .flatten()
            .map(|finding| finding["what"].as_str().unwrap().to_owned())
            .collect()
    }

    async fn changes(&self, times: usize) -> String {
        let sql = format!(
            "SELECT detail FROM events WHERE kind = 'reload' ORDER BY id LIMIT 1 OFFSET {}",
            times - 1
        );
        let details: Vec<(String,)> = self.folder.until(&sql).await;
        details[0].0.clone()
    }
}

/// Ticks every second by New York's clock as it is, and at no time near by that of Tokyo.
fn jobs() -> String {
    let now = Timestamp::now().in_tz(ZONE).unwrap();
    // A test that begins at an hour's end may end in the next.
    let hours = format!("{},{}", now.hour(), (now.hour() + 1) % 24);
    format!(
        "defaults: {{ workspace: sandbox }}\njobs:\n  - {{ name: a, func_id: sandbox__ok.echo, schedule: \"* * {hours} * * *\", timezone: {ZONE} }}\n"
    )
}

async fn place() -> Place {
    let sandbox = open_house().await;
    let folder = Folder::new();
    folder.configure(&sandbox.base_url(), UNLIMITED, &jobs());
    let place = Place {
        zones: folder.path("zones"),
        folder,
        _sandbox: sandbox,
    };
    zones(&place.zones, "2099a", ZONE);
    place
}

const SUCCESS: &str = "SELECT id FROM runs WHERE state = 'success'";

/// A vendor's patch: other rules by the same release.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reload_takes_over_new_zone_data_and_the_audit_names_it_where_it_differs() {
    let place = place().await;
    let daemon = place.daemon(&["run", "--no-watch"]).await;
    place.folder.until::<(String,)>(SUCCESS).await;
    let soon = place.next_tick();
    zones(&place.zones, "2099a", "Asia/Tokyo");
    let reloaded = place.end(&["reload"]);
    assert!(reloaded.out.contains("a: zone_data"), "{reloaded:?}");
    assert_eq!(
        place.changes(1).await,
        r#"{"jobs":1,"changes":{"a":"zone_data"}}"#
    );
    place.next_tick_is_hours_after(soon);
    // The same again changes nothing.
    place.end(&["reload"]);
    assert_eq!(place.changes(2).await, r#"{"jobs":1,"changes":{}}"#);
    daemon.stop().await;

    let versions: Vec<(String, bool)> = place
        .folder
        .rows("SELECT zone_data, until_us IS NULL FROM job_versions ORDER BY id")
        .await;
    let [(old, false), (new, true)] = &versions[..] else {
        panic!("{versions:?}");
    };
    assert!(
        old.starts_with("2099a (") && new.starts_with("2099a ("),
        "{versions:?}"
    );
    assert_ne!(old, new);
    // The ticks of before are none by the rules of today, which is told as what it is.
    let findings = place.findings();
    assert!(!findings.is_empty());
    let note = format!(
        "; it was planned with zone data {old} and recomputed with {new}, which may differ here"
    );
    for finding in &findings {
        assert!(finding.ends_with(&note), "{finding}");
    }
    // By the rules of then they are what they should be; of today's none has come yet.
    zones(&place.zones, "2099a", ZONE);
    let findings = place.findings();
    let note = format!(
        "; it was planned with zone data {new} and recomputed with {old}, which may differ here"
    );
    for finding in &findings {
        assert!(finding.ends_with(&note), "{finding}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_release_is_noticed_without_a_word() {
    let place = place().await;
    let daemon = place.daemon(&["run"]).await;
    place.folder.until::<(String,)>(SUCCESS).await;
    let soon = place.next_tick();
    zones(&place.zones, "2099b", "Asia/Tokyo");
    assert_eq!(
        place.changes(1).await,
        r#"{"jobs":1,"changes":{"a":"zone_data"}}"#
    );
    place.next_tick_is_hours_after(soon);
    daemon.stop().await;
}
