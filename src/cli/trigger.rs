//! `funcron trigger`: a job now, whatever its schedule says.

use serde_json::{Map, Value, json};

use super::daemon::{self, Daemon, LOOK, text};
use super::exit::{Exit, Failure};
use super::global::Global;
use super::output::Printer;
use crate::config;

/// The arguments of `trigger`.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The job; a disabled or paused one starts too
    job: String,

    /// An argument over the job's own, its value a YAML scalar: 5 is a number, '"5"' a text
    #[arg(long, value_name = "KEY=VALUE", value_parser = kwarg)]
    kwarg: Vec<(String, Value)>,

    /// Wait until the run has ended; exit 1 if it did not succeed
    #[arg(long)]
    wait: bool,
}

fn kwarg(text: &str) -> Result<(String, Value), String> {
    let (name, value) = text
        .split_once('=')
        .filter(|(name, _)| !name.is_empty())
        .ok_or("write it as KEY=VALUE")?;
    let value = config::json_text(&config::kwarg(value)?);
    let value = serde_json::from_str(&value).map_err(|error| error.to_string())?;
    Ok((name.to_owned(), value))
}

/// Starts the job.
pub(super) async fn execute(arguments: &Arguments, global: &Global) -> Result<Exit, Failure> {
    let mut kwargs = Map::new();
    for (name, value) in &arguments.kwarg {
        if kwargs.insert(name.clone(), value.clone()).is_some() {
            let words = format!("--kwarg {name} is given twice");
            return Err(Failure::new(Exit::Usage, words));
        }
    }
    let daemon = Daemon::of(global)?;
    let order = json!({ "job": arguments.job, "kwargs": kwargs });
    let started = daemon.post("trigger", &order).await?;
    follow(&daemon, &started, arguments.wait, global).await
}

/// Says what was started and, where that is wanted, what became of it.
pub(super) async fn follow(
    daemon: &Daemon,
    started: &Value,
    wait: bool,
    global: &Global,
) -> Result<Exit, Failure> {
    let mut printer = global.printer();
    let (run, job) = (text(started, "run_id"), text(started, "job"));
    remark(started, &mut printer);
    if !wait {
        daemon::print(&mut printer, started, &format!("started {job}: run {run}"))?;
        return Ok(Exit::Done);
    }
    printer.note(&format!("started {job}: run {run}; waiting for its end"));
    let ended = end_of(daemon, run).await?;
    let state = text(&ended, "state");
    let words = match ended["reason"].as_str() {
        Some(reason) => format!("run {run}: {state}/{reason}"),
        None => format!("run {run}: {state}"),
    };
    daemon::print(&mut printer, &ended, &words)?;
    if state == "success" {
        return Ok(Exit::Done);
    }
    printer.note(&format!("`funcron show {run}` says why"));
    Ok(Exit::Failed)
}

/// A start beside a schedule that does not fire may surprise.
fn remark(started: &Value, printer: &mut Printer) {
    let job = text(started, "job");
    if started["enabled"] == false {
        printer.note(&format!(
            "{job} is disabled; this run starts all the same, its ticks do not"
        ));
    }
    if started["paused"] == true {
        printer.note(&format!(
            "{job} is paused; this run starts all the same, its ticks do not"
        ));
    }
}

async fn end_of(daemon: &Daemon, run: &str) -> Result<Value, Failure> {
    loop {
        let found = daemon.get(&format!("runs/{run}")).await?;
        if !matches!(text(&found, "state"), "waiting" | "running") {
            return Ok(found);
        }
        tokio::time::sleep(LOOK).await;
    }
}
