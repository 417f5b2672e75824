//! `funcron status`: how the daemon is; without one, that none runs.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::daemon::{Daemon, number, text};
use super::exit::{Exit, Failure};
use super::global::Global;
use super::moment::{apart, shown};
use super::output::{Format, Printer, counted};
use super::terminal;
use crate::store::{LedgerLock, Reader};

/// Asks the daemon. That none runs is an answer too, from the ledger, and exit 4 for scripts.
pub(super) async fn execute(global: &Global) -> Result<Exit, Failure> {
    let daemon = Daemon::of(global)?;
    let mut printer = global.printer();
    let status = match daemon.get("status").await {
        Ok(status) => status,
        Err(failure) if failure.exit == Exit::Unreachable => {
            without_a_daemon(&daemon, &mut printer).await?;
            return Err(failure);
        }
        Err(failure) => return Err(failure),
    };
    if printer.format() == Format::Table {
        page(&status, &mut printer)?;
    } else {
        printer.one_record(&running(status))?;
    }
    printer.flush()?;
    Ok(Exit::Done)
}

/// What the ledger says of a daemon that cannot be asked.
async fn without_a_daemon(daemon: &Daemon, printer: &mut Printer) -> Result<(), Failure> {
    let ledger = daemon.ledger();
    let holder = ledger.and_then(LedgerLock::holder);
    let planned = match ledger {
        Some(path) if path.exists() => Reader::open(path).await?.planned_through().await?,
        _ => None,
    };
    let planned = planned.map(shown);
    if printer.format() == Format::Table {
        printer.line(match &holder {
            Some(_) => "a daemon is running, and cannot be asked",
            None => "no daemon is running",
        })?;
        if let Some(holder) = &holder {
            printer.line(&format!("{:<12}{}", "holder", terminal::line(holder)))?;
        }
        if let (Some(ledger), Some(planned)) = (ledger, &planned) {
            printer.line(&format!("{:<12}{}", "ledger", ledger.display()))?;
            printer.line(&format!("{:<12}through {planned}", "planned"))?;
        }
    } else {
        printer.one_record(&json!({
            "running": holder.is_some(),
            "holder": holder,
            "ledger": ledger.map(|path| path.display().to_string()),
            "planned_through": planned,
        }))?;
    }
    printer.flush()?;
    Ok(())
}

fn running(status: Value) -> Value {
    let mut running = json!({ "running": true });
    if let (Value::Object(running), Value::Object(status)) = (&mut running, status) {
        running.extend(status);
    }
    running
}

fn page(status: &Value, printer: &mut Printer) -> Result<(), Failure> {
    let now = instant(status, "now");
    let mut line =
        |name: &str, value: String| printer.line(&format!("{name:<12}{}", terminal::line(&value)));
    line(
        "daemon",
        format!(
            "funcron {}, process {}, up {}",
            text(status, "version"),
            number(status, "pid"),
            apart(instant(status, "started_at"), now)
        ),
    )?;
    line("config", text(status, "config").to_owned())?;
    line("ledger", text(status, "ledger").to_owned())?;
    if status["ledger_failing"] == true {
        let fault = status["ledger_warning"].as_str().unwrap_or_default();
        line(
            "",
            format!("nothing is fired while the ledger fails: {fault}"),
        )?;
    }
    if let Some(warning) = status["clock_warning"].as_str() {
        line("clock", warning.to_owned())?;
    }
    if let Some(warning) = status["size_warning"].as_str() {
        line("size", warning.to_owned())?;
    }
    let disabled = match number(status, "disabled") {
        0 => String::new(),
        disabled => format!(", {disabled} disabled"),
    };
    line(
        "jobs",
        format!("{}{disabled}", counted(number(status, "jobs"), "job")),
    )?;
    line("next tick", next(status, now))?;
    line(
        "calls",
        format!("{} under way", number(status, "in_flight")),
    )?;
    line("waiting", waiting(&status["waiting"]))?;
    if number(status, "unplanned_spans") > 0 {
        let spans = counted(number(status, "unplanned_spans"), "span");
        line("catching up", format!("{spans} of the past"))?;
    }
    for held in list(status, "held_workspaces") {
        let name = held.as_str().unwrap_or_default();
        line(
            "key held",
            format!("workspace {name}: the server calls its key invalid"),
        )?;
    }
    for pause in list(status, "paused") {
        line("paused", paused(pause))?;
    }
    for backfill in list(status, "backfills") {
        let (job, id) = (text(backfill, "job"), text(backfill, "id"));
        line(
            "backfill",
            format!(
                "{job}: {} ({id})",
                counted(number(backfill, "ticks"), "run")
            ),
        )?;
    }
    Ok(())
}

fn list<'v>(status: &'v Value, key: &str) -> impl Iterator<Item = &'v Value> {
    status[key].as_array().into_iter().flatten()
}

fn instant(status: &Value, key: &str) -> Timestamp {
    text(status, key).parse().unwrap_or_default()
}

fn next(status: &Value, now: Timestamp) -> String {
    match status["next_tick"].as_str() {
        None => "none".to_owned(),
        Some(at) => format!("{at}, in {}", apart(now, instant(status, "next_tick"))),
    }
}

fn waiting(waiting: &Value) -> String {
    let reasons: Vec<String> = waiting
        .as_object()
        .into_iter()
        .flatten()
        .map(|(reason, runs)| format!("{runs} {reason}"))
        .collect();
    if reasons.is_empty() {
        "nothing".to_owned()
    } else {
        reasons.join(", ")
    }
}

fn paused(pause: &Value) -> String {
    let mut words = format!(
        "{} since {} by {}",
        text(pause, "job"),
        text(pause, "since"),
        text(pause, "actor")
    );
    if let Some(until) = pause["until"].as_str() {
        words.push_str(&format!(", until {until}"));
    }
    if let Some(reason) = pause["reason"].as_str() {
        words.push_str(&format!(": {reason}"));
    }
    words
}
