//! `funcron doctor`: one line a check, and what to do where it fails. It reads only.

use std::path::Path;

use serde_json::{Value, json};

use super::daemon::{Daemon, number};
use super::exit::{Exit, Failure};
use super::global::Global;
use super::moment::shown;
use super::output::{Format, Printer, counted};
use super::terminal::{self, Tone};
use crate::clock::Clock;
use crate::store::{Care, LARGE_JOURNAL, LedgerLock, Look, Reader, Surroundings};

/// Below this a day of a busy daemon may not fit.
const LITTLE_ROOM: u64 = 256 << 20;

/// The keys of a check as a record, in their order.
const KEYS: [&str; 4] = ["check", "ok", "found", "advice"];

/// What was looked at, and what was found.
struct Check {
    name: &'static str,
    found: String,
    /// What to do, where something is wrong.
    advice: Option<String>,
}

impl Check {
    fn fine(name: &'static str, found: impl Into<String>) -> Self {
        let found = found.into();
        Self {
            name,
            found,
            advice: None,
        }
    }

    fn wrong(name: &'static str, found: impl Into<String>, advice: impl Into<String>) -> Self {
        let (found, advice) = (found.into(), Some(advice.into()));
        Self {
            name,
            found,
            advice,
        }
    }

    fn record(&self) -> Value {
        json!({
            "check": self.name,
            "ok": self.advice.is_none(),
            "found": self.found,
            "advice": self.advice,
        })
    }
}

/// Makes every check that can be made.
pub(super) async fn execute(global: &Global) -> Result<Exit, Failure> {
    let mut checks = vec![configuration(global)];
    // Where the configuration is wrong, it has been said.
    if let Ok(ledger) = global.ledger() {
        of_the_ledger(&ledger, &mut checks).await;
        of_the_daemon(global, &ledger, &mut checks).await;
    }
    let mut printer = global.printer();
    match printer.format() {
        Format::Table => page(&checks, &mut printer)?,
        _ => printer.all_records(&KEYS, checks.iter().map(Check::record))?,
    }
    printer.flush()?;
    Ok(match checks.iter().any(|check| check.advice.is_some()) {
        true => Exit::Failed,
        false => Exit::Done,
    })
}

fn page(checks: &[Check], printer: &mut Printer) -> std::io::Result<()> {
    for check in checks {
        let (word, tone) = match check.advice {
            None => ("ok", Tone::Good),
            Some(_) => ("WRONG", Tone::Bad),
        };
        let word = printer.paint(tone, &format!("{word:<6}"));
        let advice = check.advice.iter().map(|advice| format!("; {advice}"));
        let words = format!("{}{}", check.found, advice.collect::<String>());
        printer.line(&format!(
            "{word}{:<14}{}",
            check.name,
            terminal::line(&words)
        ))?;
    }
    Ok(())
}

fn configuration(global: &Global) -> Check {
    let name = "configuration";
    if global.is_ledger_alone() {
        return Check::fine(name, "not looked at: --database names the ledger");
    }
    match global.load() {
        Ok(loaded) => {
            let jobs = counted(loaded.config.jobs.len() as u64, "job");
            Check::fine(
                name,
                match loaded.warnings.len() as u64 {
                    0 => jobs,
                    warnings => format!("{jobs}, {}", counted(warnings, "warning")),
                },
            )
        }
        Err(failure) => Check::wrong(
            name,
            failure.to_string(),
            "`funcron validate` tells the same with positions; a running daemon keeps what it has loaded",
        ),
    }
}

async fn of_the_ledger(path: &Path, checks: &mut Vec<Check>) {
    let name = "ledger";
    if !path.exists() && path.parent().is_some_and(Path::is_dir) {
        let found = format!(
            "{} is not there yet; `funcron run` makes it",
            path.display()
        );
        checks.push(Check::fine(name, found));
        return;
    }
    let reader = match Reader::open(path).await {
        Ok(reader) => reader,
        Err(error) => {
            let failure = Failure::because(Exit::Failed, &error);
            let advice = "mend that first; the other checks of the ledger were left out";
            checks.push(Check::wrong(name, failure.to_string(), advice));
            return;
        }
    };
    checks.push(Check::fine(name, path.display().to_string()));
    checks.push(integrity(&reader).await);
    checks.push(clock(&reader).await);
    reader.close().await;
    match Surroundings::of(path) {
        Ok(surroundings) => checks.extend(of_the_disk(surroundings)),
        Err(error) => checks.push(Check::wrong(
            "disk",
            error.to_string(),
            "look at it as root",
        )),
    }
}

async fn integrity(reader: &Reader) -> Check {
    let name = "integrity";
    match reader.damage(Care::Thorough, Default::default()).await {
        Ok(Look::Whole) => Check::fine(name, "every page and index is whole"),
        Ok(Look::BrokenOff) => Check::wrong(name, "the look was broken off", "try again"),
        Ok(Look::Damaged(found)) => Check::wrong(
            name,
            format!("the file is damaged: {found}"),
            "stop the daemon, then restore a backup, or recover it with `sqlite3 FILE .recover`",
        ),
        Err(error) => Check::wrong(name, error.to_string(), "try again"),
    }
}

/// By the ledger: a daemon plans up to now and no further.
async fn clock(reader: &Reader) -> Check {
    let name = "clock";
    let now = Clock::system().now();
    match reader.planned_through().await {
        Ok(Some(planned)) if planned > now => Check::wrong(
            name,
            format!(
                "it shows {}, and the ledger is planned up to {}",
                shown(now),
                shown(planned)
            ),
            "set it right: it is behind, or was ahead when that was planned",
        ),
        Ok(_) => Check::fine(name, shown(now)),
        Err(error) => Check::wrong(name, error.to_string(), "see `integrity`"),
    }
}

fn of_the_disk(surroundings: Surroundings) -> [Check; 3] {
    let Surroundings {
        free,
        mode,
        journal,
    } = surroundings;
    let mebibytes = |bytes: u64| format!("{} MiB", bytes >> 20);
    let room = match free < LITTLE_ROOM {
        false => Check::fine("disk", format!("{} free", mebibytes(free))),
        true => Check::wrong(
            "disk",
            format!("{} free", mebibytes(free)),
            "make room: a call that cannot be recorded is not made",
        ),
    };
    let permissions = match mode & 0o007 {
        0 => Check::fine("permissions", format!("mode {mode:04o}")),
        _ => Check::wrong(
            "permissions",
            format!("mode {mode:04o}: everybody on this machine may open the ledger"),
            "`chmod o= FILE`",
        ),
    };
    let journal = match journal > LARGE_JOURNAL {
        false => Check::fine("journal", mebibytes(journal)),
        true => Check::wrong(
            "journal",
            format!("{} that are not in the ledger yet", mebibytes(journal)),
            "end the program that keeps reading it, such as a sqlite3 shell in a transaction",
        ),
    };
    [room, permissions, journal]
}

async fn of_the_daemon(global: &Global, ledger: &Path, checks: &mut Vec<Check>) {
    let name = "daemon";
    let Some(holder) = LedgerLock::holder(ledger) else {
        checks.push(Check::fine(name, "none is running"));
        return;
    };
    checks.push(Check::fine(name, format!("one is running ({holder})")));
    let asked = match Daemon::of(global) {
        Ok(daemon) => daemon.get("status").await,
        Err(failure) => Err(failure),
    };
    let status = match asked {
        Ok(status) => status,
        Err(failure) => {
            let advice = "commands cannot reach it; name its socket with --socket";
            checks.push(Check::wrong("socket", failure.to_string(), advice));
            return;
        }
    };
    let found = format!("process {} answers", number(&status, "pid"));
    checks.push(Check::fine("socket", found));
    for (key, advice) in [
        ("ledger_warning", "nothing is fired until then"),
        ("clock_warning", "see `clock`"),
    ] {
        if let Some(warning) = status[key].as_str() {
            checks.push(Check::wrong("firing", warning, advice));
        }
    }
}
