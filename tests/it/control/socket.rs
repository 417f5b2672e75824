//! The real binary: a daemon in a directory of its own, and commands that reach it over its socket.

use std::io::{BufRead, BufReader};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use funcron::sandbox::{Options, Sandbox};
use serde_json::Value;
use tempfile::TempDir;

use crate::support::house::OUTSIDE;

/// A configuration, a sandbox that it calls, and perhaps a daemon.
struct Place {
    dir: TempDir,
    sandbox: Sandbox,
    daemon: Option<Child>,
}

struct Ended {
    code: i32,
    out: String,
    err: String,
}

const JOBS: &str = "
  - { name: echo, func_id: sandbox__ok.echo, schedule: \"@manual\", kwargs: { a: 1 } }
  - { name: fails, func_id: sandbox__fail.raise, schedule: \"@manual\" }
  - { name: hangs, func_id: sandbox__http.hang, schedule: \"@manual\" }
  - { name: hangs-hourly, func_id: sandbox__http.hang, schedule: \"0 * * * *\", enabled: false }
  - { name: hourly, func_id: sandbox__ok.null, schedule: \"0 * * * *\", enabled: false }
";

impl Place {
    fn new() -> Self {
        let options = Options {
            per_key: None,
            per_workspace: None,
            ..Options::default()
        };
        let place = Self {
            dir: tempfile::tempdir().unwrap(),
            sandbox: OUTSIDE.block_on(Sandbox::start(options)).unwrap(),
            daemon: None,
        };
        std::fs::write(place.path("key"), "a-key-of-a-test").unwrap();
        place.configure(JOBS);
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn configure(&self, jobs: &str) {
        let text = format!(
            "version: 1\ndatabase: sqlite://funcron.db\nworkspaces:\n  sandbox: {{ base_url: \"{}\", api_key: {{ file: key }}, quota: {{ per_key: none, per_workspace: none }} }}\ndefaults: {{ workspace: sandbox }}\njobs:{jobs}",
            self.sandbox.base_url()
        );
        std::fs::write(self.path("jobs.yaml"), text).unwrap();
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(assert_cmd::cargo::cargo_bin!("funcron"));
        command.current_dir(self.dir.path()).args(arguments);
        for name in ["FUNCRON_CONFIG", "FUNCRON_DATABASE", "FUNCRON_LOG"] {
            command.env_remove(name);
        }
        command.env("FUNCRON_SOCKET", self.path("funcron.sock"));
        command
    }

    fn run(&self, arguments: &[&str]) -> Ended {
        let output = self.command(arguments).output().unwrap();
        Ended {
            code: output.status.code().expect("it was not killed"),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// Starts a daemon and answers what it said until it was ready.
    fn start(&mut self) -> String {
        let daemon = self
            .command(&["run", "--no-watch"])
            .stderr(Stdio::piped())
            .spawn();
        let daemon = self.daemon.insert(daemon.unwrap());
        let mut lines = BufReader::new(daemon.stderr.take().unwrap()).lines();
        let mut said = String::new();
        while let Some(Ok(line)) = lines.next() {
            said.push_str(&line);
            said.push('\n');
            if line.contains("ready") {
                // What follows is read, so that the daemon never waits for a reader.
                std::thread::spawn(move || lines.for_each(drop));
                return said;
            }
        }
        panic!("the daemon is not ready: {said}");
    }

    fn signal(&mut self, signal: &str) {
        let id = self.daemon.as_ref().unwrap().id().to_string();
        let sent = Command::new("kill").args([signal, &id]).status().unwrap();
        assert!(sent.success());
        self.daemon.take().unwrap().wait().unwrap();
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(mut daemon) = self.daemon.take() {
            let _ = daemon.kill();
            let _ = daemon.wait();
        }
    }
}

impl Ended {
    fn ok(self) -> String {
        assert_eq!(self.code, 0, "{}{}", self.out, self.err);
        self.out
    }

    fn json(self) -> Value {
        serde_json::from_str(&self.ok()).unwrap()
    }

    fn refused(self, code: i32) -> String {
        assert_eq!(self.code, code, "{}{}", self.out, self.err);
        self.err
    }
}

#[test]
fn a_job_is_started_by_hand_and_waited_for_and_its_run_says_who_did_it() {
    let mut place = Place::new();
    place.start();
    let waited = place.run(&[
        "trigger", "echo", "--kwarg", "a='5'", "--kwarg", "b=5", "--wait", "-o", "json",
    ]);
    let waited = waited.json();
    assert_eq!(waited["state"], "success");
    let id = waited["run_id"].as_str().unwrap();
    let shown = place.run(&["show", id, "-o", "json"]).json();
    assert_eq!(shown["trigger"], "manual");
    assert_eq!(shown["kwargs"].to_string(), r#"{"a":"5","b":5}"#);
    assert_eq!(shown["events"][0]["kind"], "trigger");
    let actor = shown["events"][0]["actor"].as_str().unwrap();
    assert!(actor.contains("uid"), "{actor}");
    assert!(
        shown["attempts"][0]["request"]
            .as_str()
            .unwrap()
            .contains(r#""a":"5","b":5"#)
    );
    let page = place.run(&["show", id]).ok();
    assert!(page.contains("trigger     20"), "{page}");

    let failed = place.run(&["trigger", "fails", "--wait"]);
    assert!(failed.out.contains("failed/func_failed"), "{}", failed.out);
    failed.refused(1);
    let history = place
        .run(&["history", "--trigger", "manual", "-o", "json"])
        .json();
    assert_eq!(history.as_array().unwrap().len(), 2);
    let misspelt = place.run(&["trigger", "ehco"]).refused(3);
    assert!(misspelt.contains("did you mean `echo`"), "{misspelt}");
    let disabled = place.run(&["trigger", "hourly"]);
    assert!(
        disabled.err.contains("hourly is disabled"),
        "{}",
        disabled.err
    );
    place
        .run(&["trigger", "echo", "--kwarg", "a=[1]"])
        .refused(2);
}

#[test]
fn a_hanging_call_is_given_up_resolved_and_replayed() {
    let mut place = Place::new();
    place.start();
    let started = place.run(&["trigger", "hangs", "-o", "json"]).json();
    let id = started["run_id"].as_str().unwrap().to_owned();
    while place.sandbox.log().is_empty() {
        std::thread::yield_now();
    }
    let words = place.run(&["cancel", &id]).ok();
    assert!(words.contains("given up"), "{words}");
    let state = || place.run(&["show", &id, "-o", "json"]).json();
    while state()["state"] == "running" {
        std::thread::yield_now();
    }
    assert_eq!(state()["reason"], "operator");
    place
        .run(&["resolve", &id, "--as", "failed", "--note", "nothing there"])
        .ok();
    let page = place.run(&["show", &id]).ok();
    assert!(page.contains("nothing there"), "{page}");
    place.run(&["cancel", &id]).refused(1);
    place.run(&["replay", &id]).ok();
    while place.sandbox.log().len() < 2 {
        std::thread::yield_now();
    }
    let calls = place.sandbox.log();
    assert_eq!(calls[0].body, calls[1].body);
}

#[test]
fn pauses_show_in_the_status_and_outlive_a_kill() {
    let mut place = Place::new();
    place.start();
    let words = place
        .run(&["pause", "--all", "--reason", "the move", "--until", "2h"])
        .ok();
    assert!(
        words.starts_with("paused echo, fails, hangs, hangs-hourly, hourly until 20"),
        "{words}"
    );
    place.signal("-KILL");
    // The list tells of them from the ledger, with a daemon or without.
    let listed = place.run(&["list", "-o", "json"]).json();
    for job in listed.as_array().unwrap() {
        assert_eq!(job["paused"]["reason"], "the move", "{job}");
        for key in ["since", "until", "actor"] {
            assert!(job["paused"][key].is_string(), "{job}");
        }
        let next = job["next_at"].as_str();
        assert!(next.is_none_or(|next| Some(next) > job["paused"]["until"].as_str()));
    }
    let table = place.run(&["list"]).ok();
    assert!(
        table.contains("PAUSED") && table.contains(" left: the move ["),
        "{table}"
    );
    place.start();
    let status = place.run(&["status", "-o", "json"]).json();
    assert_eq!(status["running"], true);
    assert_eq!(status["paused"].as_array().unwrap().len(), 5);
    assert_eq!(status["paused"][0]["reason"], "the move");
    let page = place.run(&["status"]).ok();
    assert!(
        page.contains("echo since 20") && page.contains("the move"),
        "{page}"
    );
    let done = ["resume", "--workspace", "sandbox", "--reason", "moved"];
    place.run(&done).ok();
    let status = place.run(&["status", "-o", "json"]).json();
    assert_eq!(status["paused"], serde_json::json!([]));
    assert_eq!(place.run(&["resume", "echo"]).ok(), "nothing was paused\n");
    for wrong in [&["pause"][..], &["pause", "echo", "--all"]] {
        place.run(wrong).refused(2);
    }
}

#[test]
fn a_backfill_is_watched_to_its_end_and_told_in_advance() {
    let mut place = Place::new();
    place.start();
    let range = [
        "--from",
        "2026-05-01T00:00:00Z",
        "--to",
        "2026-05-01T09:00:00Z",
    ];
    let with = |more: &[&str]| {
        let mut all = vec!["backfill", "hourly"];
        all.extend(range);
        all.extend(more);
        place.run(&all)
    };
    let words = with(&["--dry-run"]).ok();
    assert!(words.contains("would start 10 runs of hourly"), "{words}");
    let ended = with(&[]);
    assert!(
        ended.out.contains("(done): 10 success"),
        "{}{}",
        ended.out,
        ended.err
    );
    ended.ok();
    let words = with(&[]).ok();
    assert!(
        words.contains("nothing to run; 10 ticks left out"),
        "{words}"
    );
    place
        .run(&["backfill", "hourly", "--from", "1h", "--to", "2h"])
        .refused(2);
}

#[test]
fn a_backfill_goes_on_when_its_command_is_interrupted_and_says_so() {
    let mut place = Place::new();
    place.start();
    let watching = place
        .command(&["backfill", "hangs-hourly", "--from", "5h", "--to", "1h"])
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    while place.sandbox.log().is_empty() {
        std::thread::yield_now();
    }
    let id = watching.id().to_string();
    let sent = Command::new("kill").args(["-INT", &id]).status().unwrap();
    assert!(sent.success());
    let ended = watching.wait_with_output().unwrap();
    assert_eq!(ended.status.code(), Some(0));
    let words = String::from_utf8(ended.stderr).unwrap();
    assert!(words.contains("the daemon goes on"), "{words}");
    let status = place.run(&["status", "-o", "json"]).json();
    assert_eq!(status["backfills"][0]["job"], "hangs-hourly");
}

#[test]
fn a_reload_by_command_goes_the_way_of_the_signal_and_a_bad_file_changes_nothing() {
    let mut place = Place::new();
    place.start();
    place.configure("\n  - { name: other, func_id: sandbox__ok.null, schedule: \"@manual\" }\n");
    let reloaded = place.run(&["reload", "-o", "json"]).json();
    assert_eq!(reloaded["changes"]["other"], "added");
    assert_eq!(reloaded["changes"]["echo"], "removed");
    std::fs::write(place.path("bad.yaml"), "version: 1\njobs: 5\n").unwrap();
    std::fs::copy(place.path("jobs.yaml"), place.path("good.yaml")).unwrap();
    std::fs::rename(place.path("bad.yaml"), place.path("jobs.yaml")).unwrap();
    let url = format!("sqlite://{}", place.path("funcron.db").display());
    let refused = place.run(&["reload", "--database", &url]).refused(2);
    assert!(
        refused.contains("the running configuration stays"),
        "{refused}"
    );
    assert!(refused.contains("jobs.yaml:2:7"), "{refused}");
    let started = place
        .run(&["trigger", "other", "--wait", "--database", &url])
        .ok();
    assert!(started.contains("success"), "{started}");
}

/// A daemon whose locks on the ledger are lost keeps writing into a journal that is deleted.
#[test]
fn a_program_that_reads_the_ledger_leaves_the_daemons_journal_alone() {
    let mut place = Place::new();
    place.start();
    place.run(&["trigger", "echo", "--wait"]).ok();
    let journal = || {
        let path = place.path("funcron.db-wal");
        std::fs::metadata(path).map(|found| found.ino()).unwrap()
    };
    let before = journal();
    for _ in 0..2 {
        let counted = Command::new("sqlite3")
            .arg(place.path("funcron.db"))
            .arg("SELECT count(*) FROM runs WHERE state = 'success'")
            .output()
            .unwrap();
        assert_eq!(String::from_utf8_lossy(&counted.stdout), "1\n");
        assert_eq!(journal(), before);
    }
}

#[test]
fn the_socket_is_the_groups_a_stale_one_is_replaced_and_a_live_one_left_alone() {
    let mut place = Place::new();
    let socket = place.path("funcron.sock");
    drop(UnixListener::bind(&socket).unwrap());
    place.start();
    let mode = std::fs::metadata(&socket).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o660);

    let mut other = Place::new();
    let status = other
        .command(&["status", "--socket"])
        .arg(&socket)
        .output()
        .unwrap();
    assert_eq!(status.status.code(), Some(4));
    let words = String::from_utf8(status.stderr).unwrap();
    assert!(words.contains("keeps the ledger"), "{words}");

    std::fs::remove_file(other.path("funcron.sock")).ok();
    std::os::unix::fs::symlink(&socket, other.path("funcron.sock")).unwrap();
    let said = other.start();
    assert!(said.contains("cannot reach this daemon"), "{said}");
    place.run(&["status"]).ok();

    place.signal("-TERM");
    assert!(!socket.exists());
    let none = place.run(&["status"]);
    assert!(none.out.contains("no daemon is running"), "{}", none.out);
    none.refused(4);
    let words = place.run(&["trigger", "echo"]).refused(4);
    assert!(words.contains("funcron run"), "{words}");
}
