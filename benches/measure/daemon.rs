//! The product: its release binary on a configuration made for the measurement, seen from outside.

use std::fmt::Write as _;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{AssertSqlSafe, Connection};

use crate::posts::IN_FLIGHT;

/// Between two looks.
const LOOK: Duration = Duration::from_millis(10);

/// An empty folder on the disk that the build is on: a ledger in memory would cost no commit.
pub(crate) fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"))
        .join("measure")
        .join(name);
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

/// Jobs that are alike but for their number.
pub(crate) struct Jobs<'j> {
    pub(crate) count: usize,
    pub(crate) schedule: &'j str,
    pub(crate) spread: Option<&'j str>,
    /// Calls of theirs at once, at most.
    pub(crate) in_flight: usize,
}

impl<'j> Jobs<'j> {
    /// So many on a schedule, without a spread.
    pub(crate) fn on(schedule: &'j str, count: usize) -> Self {
        Self {
            count,
            schedule,
            spread: None,
            in_flight: IN_FLIGHT,
        }
    }
}

/// Writes a configuration of jobs that all call `origin`.
pub(crate) fn configure(folder: &Path, origin: &str, jobs: &Jobs<'_>) {
    let Jobs {
        count,
        schedule,
        spread,
        in_flight,
    } = jobs;
    let mut text = format!(
        "version: 1\ndatabase: sqlite://{}\nworkspaces:\n  bench: {{ base_url: \"{origin}\", api_key: {{ env: BENCH_KEY }}, quota: none, max_in_flight: {in_flight} }}\n\
         defaults:\n  workspace: bench\n  timezone: UTC\njobs:\n",
        folder.join("funcron.db").display()
    );
    let spread = spread
        .map(|spread| format!(", spread: {spread}"))
        .unwrap_or_default();
    for number in 0..*count {
        writeln!(
            text,
            "  - {{ name: job-{number}, schedule: \"{schedule}\", func_id: bench__f{number}.run, kwargs: {{ n: {number}, note: a note of some length }}{spread} }}"
        )
        .unwrap();
    }
    std::fs::write(folder.join("jobs.yaml"), text).unwrap();
}

/// Has everything be kept for so long.
pub(crate) fn retain(folder: &Path, long: &str) {
    let file = folder.join("jobs.yaml");
    let mut text = std::fs::read_to_string(&file).unwrap();
    writeln!(
        text,
        "retention: {{ runs: {long}, failures: {long}, bodies: {long}, max_size: 1024GiB }}"
    )
    .unwrap();
    std::fs::write(file, text).unwrap();
}

/// The schedule whose only tick is this second.
pub(crate) fn at(instant: Timestamp) -> String {
    instant.strftime("%-S %-M %-H %-d %-m * %Y").to_string()
}

/// The binary, as it is used in a folder with a configuration.
pub(crate) fn command(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_funcron"));
    command
        .current_dir(folder)
        .env("BENCH_KEY", "a-key-of-the-bench")
        .env("FUNCRON_SOCKET", folder.join("socket"));
    command
}

/// A running daemon; dropped, it is killed.
pub(crate) struct Daemon {
    child: Child,
    folder: PathBuf,
    /// From its start until it scheduled.
    pub(crate) ready_after: Duration,
}

impl Daemon {
    /// Starts it and waits until it schedules.
    pub(crate) async fn start(folder: &Path) -> Self {
        let log = folder.join("log");
        let start = Instant::now();
        let child = command(folder)
            .arg("run")
            .env("FUNCRON_LOG", "info")
            .env_remove("JOURNAL_STREAM")
            .stdout(Stdio::null())
            .stderr(File::create(&log).unwrap())
            .spawn()
            .unwrap();
        let mut daemon = Self {
            child,
            folder: folder.to_owned(),
            ready_after: Duration::ZERO,
        };
        loop {
            let said = std::fs::read_to_string(&log).unwrap();
            if said.contains("ready: scheduling") {
                daemon.ready_after = start.elapsed();
                return daemon;
            }
            let ended = daemon.child.try_wait().unwrap();
            assert!(ended.is_none(), "the daemon ended: {said}");
            tokio::time::sleep(LOOK / 10).await;
        }
    }

    /// Stops it by SIGTERM and waits for its end.
    pub(crate) fn stop(mut self) {
        signal(self.child.id(), "TERM");
        assert!(self.child.wait().unwrap().success());
    }

    /// Has it reload, and answers how long that took.
    pub(crate) fn reload(&self) -> Duration {
        let start = Instant::now();
        let done = command(&self.folder).arg("reload").output().unwrap();
        assert!(done.status.success(), "{done:?}");
        start.elapsed()
    }

    /// The seconds it has computed for.
    pub(crate) fn cpu(&self) -> f64 {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id())).unwrap();
        let fields = stat.rsplit_once(')').unwrap().1;
        // utime and stime, the 14th and 15th field (proc_pid_stat(5)), in hundredths.
        let ticks: u64 = fields
            .split_whitespace()
            .skip(11)
            .take(2)
            .map(|field| field.parse::<u64>().unwrap())
            .sum();
        ticks as f64 / 100.0
    }

    /// `VmHWM` or `VmRSS`, in MiB.
    pub(crate) fn memory(&self, which: &str) -> f64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with(which)).unwrap();
        let kib: f64 = line.split_whitespace().nth(1).unwrap().parse().unwrap();
        kib / 1024.0
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn signal(pid: u32, name: &str) {
    let sent = Command::new("kill")
        .args(["-s", name, &pid.to_string()])
        .status()
        .unwrap();
    assert!(sent.success());
}

/// Looks into the ledger beside the daemon.
pub(crate) struct Ledger(SqliteConnection);

impl Ledger {
    pub(crate) async fn open(folder: &Path) -> Self {
        let options = SqliteConnectOptions::new()
            .filename(folder.join("funcron.db"))
            .read_only(true)
            .busy_timeout(Duration::from_secs(10));
        Self(SqliteConnection::connect_with(&options).await.unwrap())
    }

    /// The one number that a query answers with.
    pub(crate) async fn number(&mut self, sql: &str) -> i64 {
        sqlx::query_scalar(AssertSqlSafe(sql.to_owned()))
            .fetch_one(&mut self.0)
            .await
            .unwrap()
    }

    /// The one text that a query answers with.
    pub(crate) async fn text(&mut self, sql: &str) -> String {
        sqlx::query_scalar(AssertSqlSafe(sql.to_owned()))
            .fetch_one(&mut self.0)
            .await
            .unwrap()
    }

    /// Waits until all of `runs` are durably successful; answers with the instant that it was seen.
    pub(crate) async fn until_recorded(&mut self, runs: usize) -> Timestamp {
        loop {
            if self.is_at_rest().await {
                let seen = Timestamp::now();
                let done = self
                    .number("SELECT count(*) FROM runs WHERE state = 'success'")
                    .await;
                if done == i64::try_from(runs).unwrap() {
                    return seen;
                }
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Whether something was done, and nothing is under way. A question that costs nothing: to count what
    /// is, each time, would be work that the daemon waits for.
    pub(crate) async fn is_at_rest(&mut self) -> bool {
        self.number(
            "SELECT EXISTS (SELECT 1 FROM attempts) AND NOT EXISTS (SELECT 1 FROM runs WHERE finished_us IS NULL)",
        )
        .await
            == 1
    }
}

/// Sleeps until an instant.
pub(crate) async fn sleep_until(instant: Timestamp) {
    let left = instant.duration_since(Timestamp::now());
    tokio::time::sleep(Duration::try_from(left).unwrap_or_default()).await;
}

/// The whole second that is at least so far away.
pub(crate) fn second_after(wait: Duration) -> Timestamp {
    let at = Timestamp::now().checked_add(wait).unwrap();
    Timestamp::from_second(at.as_second() + 1).unwrap()
}
