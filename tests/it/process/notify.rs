//! What systemd is told, by its own protocol: a datagram socket in the environment.

use std::os::unix::net::UnixDatagram;
use std::process::Command;
use std::time::Duration;

use super::{UNLIMITED, open_house};
use crate::support::daemon::{Daemon, Folder, PATIENCE};

/// The manager's end of the socket.
pub(super) struct Manager(tokio::net::UnixDatagram);

impl Manager {
    /// Listens in the folder, at `notify`.
    pub(super) fn listen(folder: &Folder) -> Self {
        let socket = UnixDatagram::bind(folder.path("notify")).unwrap();
        socket.set_nonblocking(true).unwrap();
        Self(tokio::net::UnixDatagram::from_std(socket).unwrap())
    }

    /// Waits for a status with these words.
    pub(super) async fn hears_status(&self, words: &str) {
        while !self.hears("STATUS=").await.concat().contains(words) {}
    }

    /// The next message that has this line, past others; its lines.
    pub(super) async fn hears(&self, line: &str) -> Vec<String> {
        let mut others = Vec::new();
        let heard = tokio::time::timeout(PATIENCE, async {
            loop {
                let mut message = [0; 4096];
                let length = self.0.recv(&mut message).await.unwrap();
                let text = String::from_utf8(message[..length].to_vec()).unwrap();
                let lines: Vec<String> = text.lines().map(str::to_owned).collect();
                if lines.iter().any(|said| said.starts_with(line)) {
                    return lines;
                }
                others.push(lines);
            }
        });
        let found = heard.await.ok();
        found.unwrap_or_else(|| panic!("waited in vain for {line}; heard {others:?}"))
    }
}

fn value<'l>(lines: &'l [String], name: &str) -> &'l str {
    lines
        .iter()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix('='))
        .unwrap_or_else(|| panic!("no {name} in {lines:?}"))
}

/// Now, by the clock that MONOTONIC_USEC is of.
fn uptime() -> Duration {
    let uptime = std::fs::read_to_string("/proc/uptime").unwrap();
    let seconds: f64 = uptime.split_whitespace().next().unwrap().parse().unwrap();
    Duration::from_secs_f64(seconds)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn systemd_hears_of_readiness_status_progress_reloading_and_stopping() {
    let sandbox = open_house().await;
    let folder = Folder::new();
    let jobs = |seconds: u32| {
        format!(
            "defaults: {{ workspace: sandbox }}\njobs:\n  - {{ name: a, func_id: sandbox__slow.sleep, kwargs: {{ seconds: {seconds} }}, schedule: \"* * * * * *\" }}\n"
        )
    };
    folder.configure(&sandbox.base_url(), UNLIMITED, &jobs(2));
    let manager = Manager::listen(&folder);

    // The watchdog is asked for by the process's own number, which only it knows beforehand.
    let mut command = Command::new("sh");
    command.args([
        "-c",
        "WATCHDOG_PID=$$ exec \"$0\" run --no-watch",
        env!("CARGO_BIN_EXE_funcron"),
    ]);
    folder.at_home(&mut command);
    command
        .env("NOTIFY_SOCKET", folder.path("notify"))
        .env("WATCHDOG_USEC", "120000000");
    let daemon = Daemon::spawn(command);

    manager.hears("READY=1").await;
    daemon.said("ready: scheduling").await;
    manager.hears("WATCHDOG=1").await;
    manager.hears("STATUS=1 calls under way, ").await;

    daemon.signal("HUP");
    let reloading = manager.hears("RELOADING=1").await;
    let stated = Duration::from_micros(value(&reloading, "MONOTONIC_USEC").parse().unwrap());
    let now = uptime();
    assert!(
        now.abs_diff(stated) < Duration::from_secs(10),
        "{stated:?}, now {now:?}"
    );
    manager.hears("READY=1").await;
    // A bad file ends a reload as well: systemd would else wait for it.
    folder.write("jobs.yaml", "nonsense");
    daemon.signal("HUP");
    manager.hears("RELOADING=1").await;
    manager.hears("READY=1").await;
    manager.hears("WATCHDOG=1").await;

    daemon.signal("TERM");
    manager.hears("STOPPING=1").await;
    let (code, log) = daemon.ended().await;
    assert_eq!(code, 0, "{log}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_manager_that_is_gone_stops_nothing() {
    let sandbox = open_house().await;
    let folder = Folder::new();
    let jobs = "defaults: { workspace: sandbox }\njobs:\n  - { name: a, func_id: sandbox__ok.echo, schedule: \"* * * * * *\" }\n";
    folder.configure(&sandbox.base_url(), UNLIMITED, jobs);
    let mut command = folder.command(&["run"]);
    command
        .env("NOTIFY_SOCKET", folder.path("nobody-listens"))
        .env("WATCHDOG_USEC", "not a number");
    let daemon = Daemon::spawn(command);
    daemon.said("ready: scheduling").await;
    folder
        .until::<(String,)>("SELECT id FROM runs WHERE state = 'success'")
        .await;
    daemon.stop().await;
}
