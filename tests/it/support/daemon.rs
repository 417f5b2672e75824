//! The built binary in a folder of its own: as a daemon that is sent signals, and as commands that
//! look at what it left.
//!
//! Everything waits on a level (a line of the log, a row, a request received) with a bound. A daemon
//! that is dropped is killed, and says what it logged where the test failed.

#![expect(clippy::print_stderr, reason = "a failed test shows the log")]

use std::io::{PipeWriter, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use sqlx::Connection;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteRow};
use tokio::sync::watch;

/// How long a test waits for what must come: far more than it takes, since machines are shared.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Between two looks at something that cannot be waited for.
const LOOK: Duration = Duration::from_millis(20);

/// What a daemon says once it schedules.
const READY: &str = "ready: scheduling";

/// Variables of the test's own environment that the binary must not see.
const FOREIGN: [&str; 10] = [
    "FUNCRON_CONFIG",
    "FUNCRON_DATABASE",
    "FUNCRON_SOCKET",
    "FUNCRON_LOG",
    "NO_COLOR",
    "DF_API_KEY",
    "NOTIFY_SOCKET",
    "JOURNAL_STREAM",
    "CREDENTIALS_DIRECTORY",
    "TZDIR",
];

/// The key in `api.key` of every folder.
pub(crate) const KEY: &str = "a-key-of-the-tests";

/// Looks until there is something to see.
pub(crate) async fn eventually<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(seen) = look().await {
            return seen;
        }
        assert!(start.elapsed() < PATIENCE, "waited in vain: {what}");
        tokio::time::sleep(LOOK).await;
    }
}

/// How a command ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

/// A folder with a configuration, a key and a ledger.
pub(crate) struct Folder {
    dir: tempfile::TempDir,
    ledger: PathBuf,
}

impl Folder {
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let ledger = dir.path().join("funcron.db");
        let folder = Self { dir, ledger };
        folder.write("api.key", KEY);
        folder
    }

    /// The same with the ledger elsewhere.
    pub(crate) fn with_ledger(ledger: &Path) -> Self {
        Self {
            ledger: ledger.to_owned(),
            ..Self::new()
        }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, text: impl AsRef<[u8]>) {
        std::fs::write(self.path(name), text).unwrap();
    }

    pub(crate) fn ledger(&self) -> &Path {
        &self.ledger
    }

    fn ledger_url(&self) -> String {
        format!("sqlite://{}", self.ledger.display())
    }

    /// Writes `jobs.yaml`: one workspace at `remote`, with `workspace` among its keys, and `rest`,
    /// which holds the jobs.
    pub(crate) fn configure(&self, remote: &str, workspace: &str, rest: &str) {
        let database = self.ledger_url();
        let text = format!(
            "version: 1\n\
             database: {database}\n\
             workspaces:\n  sandbox: {{ base_url: \"{remote}\", {workspace} }}\n\
             {rest}"
        );
        self.write("jobs.yaml", text);
    }

    /// The binary, in this folder, with nothing of the test's own environment that it would read.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_funcron"));
        command.args(arguments);
        self.at_home(&mut command);
        command
    }

    /// Another program under the same conditions.
    pub(crate) fn at_home(&self, command: &mut Command) {
        command.current_dir(self.dir.path()).stdin(Stdio::null());
        for name in FOREIGN {
            command.env_remove(name);
        }
    }

    /// Runs a command to its end.
    pub(crate) fn run(&self, arguments: &[&str]) -> Ended {
        self.end(self.command(arguments))
    }

    /// Runs it to its end.
    pub(crate) fn end(&self, mut command: Command) -> Ended {
        let output = command.output().unwrap();
        Ended {
            code: output.status.code().expect("it was not killed"),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// A daemon that schedules. It reloads when it is told to: a test that takes its time between a
    /// change and a signal must not find the change taken over.
    pub(crate) async fn start(&self) -> Daemon {
        Daemon::ready(self.command(&["run", "--no-watch"])).await
    }

    /// Rows of the ledger, whether a daemon runs or not.
    pub(crate) async fn rows<T>(&self, sql: &str) -> Vec<T>
    where
        T: Send + Unpin + for<'r> sqlx::FromRow<'r, SqliteRow>,
    {
        let options = SqliteConnectOptions::new()
            .filename(&self.ledger)
            .read_only(true)
            .busy_timeout(PATIENCE);
        let mut connection = SqliteConnection::connect_with(&options).await.unwrap();
        let rows = sqlx::query_as(sqlx::AssertSqlSafe(sql.to_owned()))
            .fetch_all(&mut connection)
            .await
            .unwrap();
        // A reader left open would keep a stopping daemon from leaving WAL.
        connection.close().await.unwrap();
        rows
    }

    /// The first number that a query answers with.
    pub(crate) async fn count(&self, sql: &str) -> i64 {
        self.rows::<(i64,)>(sql).await[0].0
    }

    /// Waits until a query answers with rows.
    pub(crate) async fn until<T>(&self, sql: &str) -> Vec<T>
    where
        T: Send + Unpin + for<'r> sqlx::FromRow<'r, SqliteRow>,
    {
        eventually(sql, async || {
            Some(self.rows(sql).await).filter(|rows| !rows.is_empty())
        })
        .await
    }

    /// Has the ledger proven.
    pub(crate) fn audit(&self) {
        let ended = self.run(&["audit", "verify", "--database", &self.ledger_url()]);
        assert_eq!(ended.code, 0, "{}{}", ended.out, ended.err);
    }
}

/// A process under test.
pub(crate) struct Daemon {
    child: Child,
    err: watch::Receiver<String>,
    out: watch::Receiver<String>,
}

impl Daemon {
    pub(crate) fn spawn(mut command: Command) -> Self {
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let err = heard(child.stderr.take().unwrap());
        Self::of(child, err)
    }

    /// One whose log goes where nobody of the test reads it.
    pub(crate) fn spawn_unread(mut command: Command, stderr: PipeWriter) -> Self {
        let child = command
            .stdout(Stdio::piped())
            .stderr(stderr)
            .spawn()
            .unwrap();
        let (_, err) = watch::channel(String::new());
        Self::of(child, err)
    }

    fn of(mut child: Child, err: watch::Receiver<String>) -> Self {
        let out = heard(child.stdout.take().unwrap());
        Self { child, err, out }
    }

    /// One that schedules.
    pub(crate) async fn ready(command: Command) -> Self {
        let daemon = Self::spawn(command);
        daemon.said(READY).await;
        daemon
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What it has logged so far.
    pub(crate) fn log(&self) -> String {
        self.err.borrow().clone()
    }

    /// What it has printed so far.
    pub(crate) fn printed(&self) -> String {
        self.out.borrow().clone()
    }

    /// Waits until it has logged this.
    pub(crate) async fn said(&self, words: &str) {
        wait_for(self.err.clone(), words).await;
    }

    /// Waits until it has printed this.
    pub(crate) async fn prints(&self, words: &str) {
        wait_for(self.out.clone(), words).await;
    }

    pub(crate) fn signal(&self, name: &str) {
        let sent = Command::new("kill")
            .args(["-s", name, &self.pid().to_string()])
            .status()
            .unwrap();
        assert!(sent.success(), "kill -s {name}");
    }

    /// Kills it without a warning.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Waits for its end; answers with its exit code and its whole log.
    pub(crate) async fn ended(mut self) -> (i32, String) {
        let status: ExitStatus =
            eventually("the process ends", async || self.child.try_wait().unwrap()).await;
        let mut log = self.err.clone();
        // The sender goes at the end of the stream.
        while log.changed().await.is_ok() {}
        let log = log.borrow().clone();
        (status.code().expect("it was not killed"), log)
    }

    /// Stops it by SIGTERM; answers with its whole log.
    pub(crate) async fn stop(self) -> String {
        self.signal("TERM");
        let (code, log) = self.ended().await;
        assert_eq!(code, 0, "{log}");
        log
    }

    /// Stops it without patience for what is under way: by SIGTERM again and again, since one that comes
    /// soon after the first is taken for its echo. Answers with its whole log.
    pub(crate) async fn stop_at_once(mut self) -> String {
        eventually("the process ends at once", async || {
            self.signal("TERM");
            self.child.try_wait().unwrap()
        })
        .await;
        let (code, log) = self.ended().await;
        assert_eq!(code, 0, "{log}");
        log
    }

    /// The most memory that it has had at once, in MiB.
    pub(crate) fn peak_memory(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid())).unwrap();
        let line = status
            .lines()
            .find(|line| line.starts_with("VmHWM:"))
            .unwrap();
        let kib: u64 = line.split_whitespace().nth(1).unwrap().parse().unwrap();
        kib >> 10
    }

    /// The time that it has computed for so far.
    pub(crate) fn cpu_time(&self) -> Duration {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.pid())).unwrap();
        let fields = stat.rsplit_once(')').unwrap().1;
        let ticks = |field: usize| -> u64 {
            // The fields after the name begin with the third (proc_pid_stat(5)).
            let text = fields.split_whitespace().nth(field - 3).unwrap();
            text.parse().unwrap()
        };
        // Linux shows times in hundredths of a second to user space, on every architecture.
        Duration::from_millis(10 * (ticks(14) + ticks(15)))
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("the log of process {}:\n{}", self.pid(), self.log());
        }
    }
}

/// A stream's text as it grows; the sender goes at the stream's end.
fn heard(mut stream: impl Read + Send + 'static) -> watch::Receiver<String> {
    let (sender, receiver) = watch::channel(String::new());
    std::thread::spawn(move || {
        let mut piece = [0; 16 << 10];
        let mut whole = Vec::new();
        while let Ok(read) = stream.read(&mut piece) {
            if read == 0 {
                break;
            }
            whole.extend_from_slice(&piece[..read]);
            sender.send_replace(String::from_utf8_lossy(&whole).into_owned());
        }
    });
    receiver
}

async fn wait_for(mut text: watch::Receiver<String>, words: &str) {
    let found = tokio::time::timeout(PATIENCE, text.wait_for(|text| text.contains(words))).await;
    match found {
        Ok(Ok(_)) => {}
        Ok(Err(_)) => panic!("it ended without `{words}`"),
        Err(_) => panic!("waited in vain for `{words}`"),
    }
}
