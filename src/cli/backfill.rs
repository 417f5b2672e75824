//! `funcron backfill`: a range of the past, run again; the daemon does it, the command watches.

use serde_json::{Value, json};

use super::daemon::{self, Daemon, LOOK, number, text};
use super::exit::{Exit, Failure};
use super::global::Global;
use super::moment::Moment;
use super::output::{Printer, counted};
use super::progress::{self, Unit};
use super::sandbox::interrupted;
use crate::clock::Clock;

/// Looks between two lines where nobody sees a bar: ten seconds.
const LOOKS_PER_LINE: u32 = 50;

/// The arguments of `backfill`.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The job; its ticks are those of its definition of now
    job: String,

    /// The first instant, inclusive, or how long ago it is
    #[arg(long, value_name = "T", value_parser = Moment::parse)]
    from: Moment,

    /// The last instant, inclusive, or how long ago it is
    #[arg(long, value_name = "T", value_parser = Moment::parse)]
    to: Moment,

    /// Ticks that have a success, too
    #[arg(long)]
    all: bool,

    /// Only say what it would run
    #[arg(long)]
    dry_run: bool,
}

/// Orders the backfill and watches it.
pub(super) async fn execute(arguments: &Arguments, global: &Global) -> Result<Exit, Failure> {
    let now = Clock::system().now();
    let daemon = Daemon::of(global)?;
    let order = json!({
        "job": arguments.job,
        "from": arguments.from.resolve(now).to_string(),
        "to": arguments.to.resolve(now).to_string(),
        "all": arguments.all,
        "dry_run": arguments.dry_run,
    });
    let ordered = daemon.post("backfill", &order).await?;
    let mut printer = global.printer();
    let Some(id) = ordered["backfill"].as_str() else {
        daemon::print(&mut printer, &ordered, &would(&ordered, arguments))?;
        return Ok(Exit::Done);
    };
    printer.note(&format!(
        "backfill {id}: {} of {}{}",
        counted(number(&ordered, "ticks"), "run"),
        arguments.job,
        left_out(&ordered)
    ));
    let watched = tokio::select! {
        watched = watch(&daemon, id, &mut printer) => watched?,
        stopped = interrupted() => {
            stopped?;
            printer.note(&format!(
                "\nno longer watching; the daemon goes on with backfill {id} (`funcron status` shows it, `funcron pause {}` ends it)",
                arguments.job
            ));
            return Ok(Exit::Done);
        }
    };
    let words = format!(
        "backfill {id} has ended ({}): {}",
        text(&watched, "ending"),
        states(&watched)
    );
    daemon::print(&mut printer, &watched, &words)?;
    let succeeded = number(&watched["states"], "success");
    let all_did = text(&watched, "ending") == "done" && succeeded == over(&watched);
    Ok(if all_did { Exit::Done } else { Exit::Failed })
}

fn would(ordered: &Value, arguments: &Arguments) -> String {
    let left_out = left_out(ordered);
    match (number(ordered, "ticks"), arguments.dry_run) {
        (0, _) => format!("nothing to run{left_out}"),
        (ticks, _) => format!(
            "would start {} of {}, from {} to {}{left_out}",
            counted(ticks, "run"),
            arguments.job,
            text(ordered, "first"),
            text(ordered, "last")
        ),
    }
}

fn left_out(ordered: &Value) -> String {
    match number(ordered, "left_out") {
        0 => String::new(),
        ticks => format!(
            "; {} left out that have a success or a run under way (--all runs them too)",
            counted(ticks, "tick")
        ),
    }
}

/// Follows the backfill to its end: with a bar on a terminal, else with a line now and then.
async fn watch(daemon: &Daemon, id: &str, printer: &mut Printer) -> Result<Value, Failure> {
    let bar = progress::bar(Unit::Things, 0);
    let mut looks = 0;
    loop {
        let progress = daemon.get(&format!("backfills/{id}")).await;
        let progress = progress.map_err(|failure| match failure.exit {
            Exit::Unreachable => failure.hint("the backfill goes on where it stood once it runs"),
            _ => failure,
        })?;
        match &bar {
            Some(bar) => {
                bar.set_length(number(&progress, "ticks"));
                bar.set_position(over(&progress));
                bar.set_message(states(&progress));
            }
            None if looks % LOOKS_PER_LINE == 0 => printer.note(&format!(
                "{} of {}: {}",
                over(&progress),
                number(&progress, "ticks"),
                states(&progress)
            )),
            None => {}
        }
        if progress["ending"].is_string() {
            if let Some(bar) = bar {
                bar.finish_and_clear();
            }
            return Ok(progress);
        }
        looks += 1;
        tokio::time::sleep(LOOK).await;
    }
}

/// Runs that are final.
fn over(progress: &Value) -> u64 {
    let states = progress["states"].as_object().into_iter().flatten();
    states
        .filter(|(state, _)| !matches!(state.as_str(), "waiting" | "running"))
        .filter_map(|(_, runs)| runs.as_u64())
        .sum()
}

fn states(progress: &Value) -> String {
    let states: Vec<String> = progress["states"]
        .as_object()
        .into_iter()
        .flatten()
        .map(|(state, runs)| format!("{runs} {state}"))
        .collect();
    if states.is_empty() {
        "nothing yet".to_owned()
    } else {
        states.join(", ")
    }
}
