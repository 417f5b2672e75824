//! `funcron demo`: sandbox, daemon and a ready `jobs.yaml` in one process. Runs appear on the terminal
//! as they end; Ctrl-C leaves a ledger to query and says how.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::exit::{Exit, Failure};
use super::global::Global;
use super::output::Printer;
use super::sandbox::interrupted;
use super::terminal::Tone;
use crate::app::{Daemon, Options, Stop};
use crate::clock::Clock;
use crate::config::Environment;
use crate::sandbox::{self, DemoFiles, Sandbox, demo_config};
use crate::store::{HistoryFilter, HistoryLine, Reader};
use crate::telemetry::{self, Settings};

/// How often the ledger is looked at for new rows.
const LOOK: Duration = Duration::from_millis(200);

/// Rows of one look, at most; the demo makes about two a second.
const ROWS: u32 = 200;

/// The arguments of `demo`.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Where to put configuration and ledger [default: a new folder below /tmp]
    #[arg(long, value_name = "FOLDER")]
    folder: Option<PathBuf>,

    /// Stop after so many seconds
    #[arg(long, value_name = "SECONDS")]
    seconds: Option<u64>,
}

/// Shows it all until it is interrupted.
pub(super) async fn execute(arguments: Arguments, global: &Global) -> Result<Exit, Failure> {
    // The runs are the show; only what goes wrong with the daemon itself is said beside them.
    let quiet = Settings {
        filter: Some("error".to_owned()),
        ..Settings::default()
    };
    telemetry::init(&quiet);
    let stage = Stage::set(arguments.folder).await?;
    let mut printer = global.printer();
    stage.introduce(&mut printer)?;

    let clock = Clock::system();
    let options = Options {
        config: stage.config.clone(),
        database: Some(stage.database_url()),
        socket: Some(stage.socket()),
        watch: true,
    };
    let daemon = Daemon::start(options, clock.clone())
        .await
        .map_err(|error| Failure::because(Exit::Failed, &error))?;
    let stop = Stop::default();
    let mut serving = tokio::spawn({
        let stop = stop.clone();
        async move { daemon.serve(&stop).await }
    });
    let reader = Reader::open(&stage.database).await?;
    let mut seen = Seen::default();
    let end = end_of_the_show(arguments.seconds);
    tokio::pin!(end);
    loop {
        tokio::select! {
            ended = &mut end => {
                ended?;
                break;
            }
            () = tokio::time::sleep(LOOK) => seen.print_new(&reader, &mut printer).await?,
        }
    }
    printer.line("\nstopping: calls under way are waited for; Ctrl-C again stops at once …")?;
    printer.flush()?;
    // The daemon leaves the ledger in one file only where nobody else has it open.
    reader.close().await;
    stop.ask(&clock);
    let served = loop {
        tokio::select! {
            served = &mut serving => break served,
            again = interrupted() => {
                again?;
                stop.ask(&clock);
            }
        }
    };
    served.map_err(|error| Failure::new(Exit::Failed, format!("the demo's daemon: {error}")))?;
    let reader = Reader::open(&stage.database).await?;
    seen.print_new(&reader, &mut printer).await?;
    reader.close().await;
    stage.say_goodbye(&seen, &mut printer)?;
    stage.sandbox.stop().await;
    Ok(Exit::Done)
}

async fn end_of_the_show(seconds: Option<u64>) -> Result<(), Failure> {
    match seconds {
        None => interrupted().await,
        Some(seconds) => tokio::select! {
            ended = interrupted() => ended,
            () = tokio::time::sleep(Duration::from_secs(seconds)) => Ok(()),
        },
    }
}

/// The sandbox and the files of a demo.
struct Stage {
    sandbox: Sandbox,
    config: PathBuf,
    database: PathBuf,
    program: String,
}

impl Stage {
    async fn set(folder: Option<PathBuf>) -> Result<Self, Failure> {
        let environment = Environment::process();
        let folder = folder.unwrap_or_else(|| {
            let parent = environment
                .get("TMPDIR")
                .map_or_else(|| PathBuf::from("/tmp"), PathBuf::from);
            parent.join(format!("funcron-demo-{}", std::process::id()))
        });
        let failed = |path: &Path, error: std::io::Error| {
            Failure::new(Exit::Failed, format!("writing {}: {error}", path.display()))
        };
        // The configuration's paths count from its own folder, not from where the demo was started.
        let folder = std::path::absolute(&folder).map_err(|error| failed(&folder, error))?;
        fs::create_dir_all(&folder).map_err(|error| failed(&folder, error))?;
        let write = |name: &str, text: &str| {
            let path = folder.join(name);
            private_file(&path, text)
                .map_err(|error| failed(&path, error))
                .map(|()| path)
        };
        let keys = ["demo-key-one", "demo-key-two"];
        let first = write("first.key", keys[0])?;
        let second = write("second.key", keys[1])?;
        let token = write("workspace.token", "demo-workspace-token")?;
        let options = sandbox::Options {
            api_keys: keys.map(str::to_owned).to_vec(),
            ..sandbox::Options::default()
        };
        let sandbox = Sandbox::start(options).await.map_err(|error| {
            Failure::new(Exit::Failed, format!("starting the sandbox: {error}"))
        })?;
        let database = folder.join("funcron.db");
        let files = DemoFiles {
            database: &database,
            api_keys: [&first, &second],
            workspace_token: &token,
        };
        let config = write("jobs.yaml", &demo_config(&sandbox.base_url(), &files))?;
        Ok(Self {
            sandbox,
            config,
            database,
            program: environment.program(),
        })
    }

    fn database_url(&self) -> String {
        format!("sqlite://{}", self.database.display())
    }

    /// A path for a socket is at most some hundred bytes long; without one the demo goes on.
    fn socket(&self) -> PathBuf {
        self.config.with_file_name("funcron.sock")
    }

    fn introduce(&self, printer: &mut Printer) -> Result<(), Failure> {
        printer.line(&format!("jobs      {}", self.config.display()))?;
        printer.line(&format!("ledger    {}", self.database.display()))?;
        printer.line(&format!(
            "remote    {} (the sandbox, in this process)",
            self.sandbox.base_url()
        ))?;
        printer.line("Ctrl-C stops. Runs appear as they end:\n")?;
        printer.flush()?;
        Ok(())
    }

    fn say_goodbye(&self, seen: &Seen, printer: &mut Printer) -> Result<(), Failure> {
        let program = shell_word(&self.program);
        let ledger = format!("--database {}", shell_word(&self.database_url()));
        let run = seen
            .failed
            .as_deref()
            .or(seen.last.as_deref())
            .unwrap_or("RUN");
        printer.line("\nThe ledger stays. Ask it:\n")?;
        printer.line(&format!("  {program} history {ledger}"))?;
        printer.line(&format!("  {program} show {run} {ledger}"))?;
        printer.line(&format!("  {program} audit verify {ledger}"))?;
        printer.flush()?;
        Ok(())
    }
}

/// One word of a command that is to be copied into a shell.
fn shell_word(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._-:+=@%,".contains(c);
    if !text.is_empty() && text.chars().all(is_plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

fn private_file(path: &Path, text: &str) -> std::io::Result<()> {
    use std::io::Write;
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(text.as_bytes())
}

/// Rows that have been printed.
#[derive(Default)]
struct Seen {
    rows: BTreeSet<(String, Option<i64>)>,
    failed: Option<String>,
    last: Option<String>,
}

impl Seen {
    async fn print_new(&mut self, reader: &Reader, printer: &mut Printer) -> Result<(), Failure> {
        let filter = HistoryFilter {
            limit: ROWS,
            ..HistoryFilter::default()
        };
        let mut rows = reader.history(&filter).await?;
        rows.reverse();
        for row in rows {
            let ended = row.outcome.is_some() || row.attempt.is_none() && row.state != "waiting";
            if !ended || !self.rows.insert((row.run_id.clone(), row.attempt)) {
                continue;
            }
            if row.outcome.as_deref() == Some("func_failed") {
                self.failed.get_or_insert_with(|| row.run_id.clone());
            }
            self.last = Some(row.run_id.clone());
            print(&row, printer)?;
        }
        printer.flush()?;
        Ok(())
    }
}

fn print(row: &HistoryLine, printer: &mut Printer) -> Result<(), Failure> {
    let what = row.outcome.as_deref().unwrap_or(&row.state);
    let tone = match what {
        "success" => Tone::Good,
        "throttled" | "skipped" => Tone::Doubtful,
        _ => Tone::Bad,
    };
    let tick = jiff::Timestamp::from_microsecond(row.scheduled_us).unwrap_or_default();
    let why = match (&row.outcome, &row.engine_reason, &row.reason) {
        (Some(_), Some(reason), _) => format!("{reason}: {}", row.message.as_deref().unwrap_or("")),
        (Some(_), None, _) if what != "success" => row.message.clone().unwrap_or_default(),
        (Some(_), None, _) => String::new(),
        (None, _, reason) => reason.clone().unwrap_or_default(),
    };
    let attempt = row
        .attempt
        .map_or_else(String::new, |attempt| format!("#{attempt}"));
    let took = row
        .duration_ms
        .map_or_else(String::new, |ms| format!("{ms} ms"));
    let line = format!(
        "{}  {:<26} {attempt:<3} {} {took:>8}  {}",
        tick.strftime("%H:%M:%S"),
        row.job,
        printer.paint(tone, &format!("{what:<12}")),
        super::terminal::lines(&why)
    );
    printer.line(line.trim_end())?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shell_takes_whatever_a_path_holds_as_one_word() {
        assert_eq!(shell_word("/tmp/a-b_1.db"), "/tmp/a-b_1.db");
        assert_eq!(shell_word("/tmp/a b"), "'/tmp/a b'");
        assert_eq!(shell_word("it's $HOME"), r"'it'\''s $HOME'");
        assert_eq!(shell_word(""), "''");
    }
}
