//! Files that change under a daemon that nobody tells: taken over once they have rested, and a bad one
//! refused once.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use serde_json::{Value, json};

use super::{UNLIMITED, open_house};
use crate::support::daemon::{Daemon, Folder, eventually};
use funcron::sandbox::Sandbox;

/// A house with a daemon that watches, and a job `steady` by whose ticks it can be seen to live on.
struct Watched {
    folder: Folder,
    sandbox: Sandbox,
    daemon: Daemon,
}

const STEADY: &str = "  - { name: steady, func_id: sandbox__ok.echo, schedule: \"* * * * * *\" }\n";

fn manual(name: &str) -> String {
    format!("  - {{ name: {name}, func_id: sandbox__ok.echo, schedule: \"@manual\" }}\n")
}

/// The main file's text with these jobs besides.
fn text(folder: &Folder, sandbox: &Sandbox, top: &str, jobs: &str) -> String {
    let rest = format!("defaults: {{ workspace: sandbox }}\n{top}jobs:\n{STEADY}{jobs}");
    folder.configure(&sandbox.base_url(), UNLIMITED, &rest);
    let path = folder.path("jobs.yaml");
    let text = fs::read_to_string(&path).unwrap();
    fs::remove_file(path).unwrap();
    text
}

impl Watched {
    /// `prepare` writes what the main file's text, with `top` in it, needs beside itself, and the
    /// main file.
    async fn new(top: &str, jobs: &str, prepare: impl FnOnce(&Folder, &str)) -> Self {
        let sandbox = open_house().await;
        let folder = Folder::new();
        let text = text(&folder, &sandbox, top, jobs);
        prepare(&folder, &text);
        let daemon = Daemon::ready(folder.command(&["run"])).await;
        Self {
            folder,
            sandbox,
            daemon,
        }
    }

    /// The main file's text with this job besides, for a daemon that runs.
    fn text_with(&self, job: &str) -> String {
        let aside = Folder::with_ledger(self.folder.ledger());
        text(&aside, &self.sandbox, "", &manual(job))
    }

    /// Waits for so many reloads, and answers the last one's changes.
    async fn reloads(&self, times: usize) -> Value {
        let details: Vec<(String, String)> = eventually("a reload", async || {
            let sql = "SELECT actor, detail FROM events WHERE kind = 'reload' ORDER BY id";
            Some(self.folder.rows(sql).await).filter(|rows| rows.len() >= times)
        })
        .await;
        assert_eq!(details.len(), times, "{details:?}");
        let (actor, detail) = &details[times - 1];
        assert_eq!(actor, "file change");
        let detail: Value = serde_json::from_str(detail).unwrap();
        detail["changes"].clone()
    }

    /// Waits for so many refusals.
    async fn refusals(&self, times: i64) {
        let sql = "SELECT count(*) FROM events WHERE kind = 'reload_failed'";
        eventually("a refusal", async || {
            (self.folder.count(sql).await == times).then_some(())
        })
        .await;
    }

    /// Until the daemon has called so many times more, which is once a second: it would have looked at
    /// its files as often.
    async fn lives_on(&self, calls: u64) {
        let before = self.sandbox.counters().executed;
        eventually("calls", async || {
            (self.sandbox.counters().executed >= before + calls).then_some(())
        })
        .await;
    }

    async fn end(self) {
        self.daemon.stop().await;
        self.folder.audit();
    }
}

fn rename_over(folder: &Folder, name: &str, text: &str) {
    folder.write("written-aside", text);
    fs::rename(folder.path("written-aside"), folder.path(name)).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_edited_in_place_renamed_over_or_made_anew_is_taken_over_once() {
    let watched = Watched::new("", "", |folder, text| folder.write("jobs.yaml", text)).await;
    let folder = &watched.folder;
    folder.write("jobs.yaml", watched.text_with("in-place"));
    assert_eq!(watched.reloads(1).await, json!({ "in-place": "added" }));

    rename_over(folder, "jobs.yaml", &watched.text_with("renamed"));
    let changes = json!({ "in-place": "removed", "renamed": "added" });
    assert_eq!(watched.reloads(2).await, changes);

    fs::remove_file(folder.path("jobs.yaml")).unwrap();
    watched.refusals(1).await;
    watched.daemon.said("there is no such file").await;
    folder.write("jobs.yaml", watched.text_with("anew"));
    let changes = json!({ "renamed": "removed", "anew": "added" });
    assert_eq!(watched.reloads(3).await, changes);
    watched.lives_on(4).await;
    watched.reloads(3).await;
    watched.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bad_file_is_refused_once_and_a_corrected_one_taken_over() {
    let watched = Watched::new("", "", |folder, text| folder.write("jobs.yaml", text)).await;
    let folder = &watched.folder;
    let good = watched.text_with("corrected");
    folder.write(
        "jobs.yaml",
        good.replace("schedule: \"@manual\"", "schedul: \"@manual\""),
    );
    watched.refusals(1).await;
    watched.lives_on(5).await;
    let log = watched.daemon.log();
    assert_eq!(log.matches("the reload was refused").count(), 1, "{log}");
    assert!(log.contains("did you mean `schedule`?"), "{log}");
    watched.refusals(1).await;

    // Another fault is told again, and then the file is right.
    folder.write("jobs.yaml", "version: 2\n");
    watched.refusals(2).await;
    folder.write("jobs.yaml", &good);
    assert_eq!(watched.reloads(1).await, json!({ "corrected": "added" }));
    watched.end().await;
}

/// A volume of Kubernetes: `jobs.yaml` → `..data/jobs.yaml`, `..data` → a directory, which is swapped
/// by renaming another link over `..data`.
fn publish(volume: &Path, version: &str, text: &str) {
    fs::create_dir_all(volume.join(version)).unwrap();
    fs::write(volume.join(version).join("jobs.yaml"), text).unwrap();
    symlink(version, volume.join("..data_tmp")).unwrap();
    fs::rename(volume.join("..data_tmp"), volume.join("..data")).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_volume_that_kubernetes_swaps_is_taken_over() {
    let watched = Watched::new("", "", |folder, text| {
        publish(&folder.path("volume"), "..2026_05_01", text);
        symlink("..data/jobs.yaml", folder.path("volume/jobs.yaml")).unwrap();
        // Two links away, as it is for a file that is mounted below another directory.
        symlink("volume/jobs.yaml", folder.path("jobs.yaml")).unwrap();
    })
    .await;
    for (times, version) in [(1, "..2026_05_02"), (2, "..2026_05_03")] {
        let job = version.trim_start_matches('.');
        publish(
            &watched.folder.path("volume"),
            version,
            &watched.text_with(job),
        );
        assert_eq!(watched.reloads(times).await[job], "added");
        // Kubernetes takes the old directory away, with the file that was read.
        let old = if times == 1 {
            "..2026_05_01"
        } else {
            "..2026_05_02"
        };
        fs::remove_dir_all(watched.folder.path("volume").join(old)).unwrap();
    }
    watched.end().await;
}

const HOLIDAYS: &str = "BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:-//it//EN\nBEGIN:VEVENT\nUID:1\nDTSTAMP:20260101T000000Z\nDTSTART;VALUE=DATE:20990501\nEND:VEVENT\nEND:VCALENDAR\n";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn includes_calendars_and_files_of_keys_are_watched_as_well() {
    let top = "include: [jobs.d/*.yaml]\ncalendars: { company: { ics: days.ics } }\n";
    let on_days = "  - { name: on-days, func_id: sandbox__ok.echo, schedule: \"0 0 1 1 *\", except: [company] }\n";
    let watched = Watched::new(top, on_days, |folder, text| {
        folder.write("jobs.yaml", text);
        folder.write("days.ics", HOLIDAYS);
    })
    .await;
    let folder = &watched.folder;
    let included = |job: &str| format!("jobs:\n{}", manual(job));
    // The pattern's directory is not there yet.
    fs::create_dir(folder.path("jobs.d")).unwrap();
    folder.write("jobs.d/a.yaml", included("included"));
    assert_eq!(watched.reloads(1).await, json!({ "included": "added" }));
    folder.write("jobs.d/a.yaml", included("other"));
    let changes = json!({ "included": "removed", "other": "added" });
    assert_eq!(watched.reloads(2).await, changes);

    folder.write("days.ics", HOLIDAYS.replace("0501", "0502"));
    assert_eq!(
        watched.reloads(3).await,
        json!({ "on-days": "rescheduled" })
    );

    // What is added may be what is wrong: its correction is seen though it was never taken over.
    folder.write("jobs.d/b.yaml", "jobs: 5\n");
    watched.refusals(1).await;
    folder.write("jobs.d/b.yaml", included("late"));
    assert_eq!(watched.reloads(4).await, json!({ "late": "added" }));
    fs::remove_file(folder.path("jobs.d/b.yaml")).unwrap();
    assert_eq!(watched.reloads(5).await, json!({ "late": "removed" }));

    fs::remove_file(folder.path("api.key")).unwrap();
    watched.refusals(2).await;
    folder.write("api.key", "another-key-of-the-tests");
    assert_eq!(watched.reloads(6).await, json!({}));
    watched.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_changes_waits_for_the_next_start_and_is_said_to() {
    let sandbox = open_house().await;
    let folder = Folder::new();
    let text = text(&folder, &sandbox, "", "");
    folder.write("jobs.yaml", &text);
    let socket = folder.path("funcron.sock");
    let command = |arguments: &[&str]| {
        let mut command = folder.command(arguments);
        command.env("FUNCRON_SOCKET", &socket);
        command
    };
    let daemon = Daemon::ready(command(&["run", "--no-watch"])).await;
    let moved = text.replace("funcron.db", "elsewhere.db") + &manual("added");
    folder.write("jobs.yaml", moved);
    let url = format!("sqlite://{}", folder.ledger().display());
    let reloaded = folder.end(command(&["reload", "--database", &url]));
    assert_eq!(reloaded.code, 0, "{}", reloaded.err);
    let words = "`database` has changed, which takes effect at the next start";
    assert!(reloaded.out.contains(words), "{}", reloaded.out);
    assert!(daemon.log().contains(words), "{}", daemon.log());
    let details: Vec<(String,)> = folder
        .rows("SELECT detail FROM events WHERE kind = 'reload'")
        .await;
    assert_eq!(
        details,
        [(r#"{"jobs":2,"changes":{"added":"added"},"at_next_start":["database"]}"#.to_owned(),)]
    );
    assert!(!folder.path("elsewhere.db").exists());
    daemon.stop().await;
}
