//! `funcron prune`: what is older than `retention` says, shown or deleted now. The running daemon does
//! it, as it does every hour; without one the command takes the ledger for itself.

use std::path::Path;

use indicatif::ProgressBar;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::daemon::{self, Daemon, LOOK, number, text};
use super::exit::{Exit, Failure};
use super::global::Global;
use super::moment::{shown, shown_us};
use super::output::{Format, Printer, counted};
use super::progress::{self, Unit};
use super::table::{Cell, Column, Table};
use crate::clock::Clock;
use crate::domain::retention::{Bytes, Horizons};
use crate::engine::prune_at_once;
use crate::store::{Ledger, LedgerLock, Old, Prune, Reader, Removed};

/// Who deletes where no daemon runs.
const ACTOR: &str = "funcron prune";

/// The keys of a kind of what is old, in their order.
const KEYS: [&str; 8] = [
    "what", "state", "before", "count", "attempts", "bytes", "oldest", "newest",
];

/// The arguments of `prune`.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Only say what would go
    #[arg(long)]
    dry_run: bool,
}

/// Shows or deletes what is old. The configuration is read in any case: to delete by other rules than
/// the daemon's would be a loss.
pub(super) async fn execute(arguments: &Arguments, global: &Global) -> Result<Exit, Failure> {
    let config = global.load()?.config;
    let path = global.ledger_of(Some(&config.database))?;
    let now = Clock::system().now();
    let horizons = config.retention.horizons(now);
    let mut printer = global.printer();
    let bar = progress::bar(Unit::Things, 0).filter(|_| !arguments.dry_run);
    let reader = Reader::open(&path).await?;
    // To count it is to look at all of it, which nobody waits for who does not see the number.
    let old = if arguments.dry_run || bar.is_some() {
        reader.old(horizons).await?
    } else {
        Vec::new()
    };
    reader.close().await;
    if arguments.dry_run {
        would(&old, &mut printer)?;
        return Ok(Exit::Done);
    }
    if let Some(bar) = &bar {
        bar.set_length(old.iter().map(|old| old.count).sum());
    }
    let removed = if LedgerLock::holder(&path).is_some() {
        by_the_daemon(&Daemon::of(global)?, bar.as_ref()).await?
    } else {
        by_itself(&path, now, horizons, bar.as_ref()).await?
    };
    if let Some(bar) = bar {
        bar.finish_and_clear();
    }
    daemon::print(&mut printer, &removed, &words(&removed))?;
    Ok(Exit::Done)
}

async fn by_the_daemon(daemon: &Daemon, bar: Option<&ProgressBar>) -> Result<Value, Failure> {
    let asked = daemon.get("status").await?;
    let begun = daemon.post("prune", &json!({})).await?;
    let wanted = number(&begun, "passes") + 1;
    loop {
        let status = daemon.get("status").await?;
        if status["started_at"] != asked["started_at"] {
            let words = "the daemon was restarted meanwhile; what is old goes with its next pass, within minutes";
            return Err(Failure::new(Exit::Failed, words));
        }
        let pruning = &status["pruning"];
        if let Some(bar) = bar {
            bar.set_position(number(pruning, "runs") + number(pruning, "bodies"));
        }
        if number(pruning, "passes") >= wanted {
            return Ok(numbers(
                ["runs", "attempts", "bodies", "bytes"].map(|key| number(pruning, key)),
            ));
        }
        if pruning["failure"].is_string() {
            let words = format!(
                "the daemon could not go on: {}; it tries again by itself",
                text(pruning, "failure")
            );
            return Err(Failure::new(Exit::Failed, words));
        }
        tokio::time::sleep(LOOK).await;
    }
}

async fn by_itself(
    path: &Path,
    now: Timestamp,
    horizons: Horizons,
    bar: Option<&ProgressBar>,
) -> Result<Value, Failure> {
    let (ledger, held) = Ledger::open(path, now).await?;
    let heard = |removed: Removed| {
        if let Some(bar) = bar {
            bar.set_position(removed.runs + removed.bodies);
        }
    };
    let pruned = prune_at_once(&ledger, Prune::new(now, ACTOR, horizons), heard).await;
    held.release(ledger).await;
    let removed = pruned?;
    Ok(numbers([
        removed.runs,
        removed.attempts,
        removed.bodies,
        removed.bytes,
    ]))
}

fn numbers([runs, attempts, bodies, bytes]: [u64; 4]) -> Value {
    json!({ "runs": runs, "attempts": attempts, "bodies": bodies, "bytes": bytes })
}

fn words(removed: &Value) -> String {
    let (runs, bodies) = (number(removed, "runs"), number(removed, "bodies"));
    if runs + bodies == 0 {
        return "nothing was old enough".to_owned();
    }
    format!(
        "deleted {} with {}, and the bodies of {}: {} of bodies in all",
        counted(runs, "run"),
        counted(number(removed, "attempts"), "attempt"),
        counted(bodies, "further attempt"),
        Bytes(number(removed, "bytes"))
    )
}

/// What would go, kind by kind.
fn would(old: &[Old], printer: &mut Printer) -> Result<(), Failure> {
    let found: Vec<&Old> = old.iter().filter(|old| old.count > 0).collect();
    match printer.format() {
        Format::Table if found.is_empty() => printer.note("nothing is old enough"),
        Format::Table => printer.table(&table(&found))?,
        Format::Json | Format::Jsonl | Format::Csv => {
            printer.all_records(&KEYS, found.iter().map(|old| record(old)))?;
        }
    }
    printer.flush()?;
    Ok(())
}

fn record(old: &Old) -> Value {
    json!({
        "what": what(old),
        "state": old.state.map(|state| state.as_str()),
        "before": shown(old.before),
        "count": old.count,
        "attempts": old.attempts,
        "bytes": old.bytes,
        "oldest": old.span_us.map(|(first, _)| shown_us(first)),
        "newest": old.span_us.map(|(_, last)| shown_us(last)),
    })
}

fn what(old: &Old) -> &'static str {
    if old.state.is_some() {
        "runs"
    } else {
        "bodies"
    }
}

fn table(old: &[&Old]) -> Table {
    let mut table = Table::new([
        Column::new("WHAT", 0),
        Column::new("STATE", 0),
        Column::new("OLDER THAN", 1),
        Column::new("COUNT", 0).right(),
        Column::new("ATTEMPTS", 3).right(),
        Column::new("BODIES", 0).right(),
        Column::new("OLDEST", 2),
        Column::new("NEWEST", 4),
    ]);
    for old in old {
        table.row([
            Cell::new(what(old)),
            Cell::maybe(old.state.map(|state| state.as_str())),
            Cell::new(shown(old.before)),
            Cell::new(old.count.to_string()),
            Cell::maybe(old.state.map(|_| old.attempts.to_string())),
            Cell::new(Bytes(old.bytes).to_string()),
            Cell::maybe(old.span_us.map(|(first, _)| shown_us(first))),
            Cell::maybe(old.span_us.map(|(_, last)| shown_us(last))),
        ]);
    }
    table
}
