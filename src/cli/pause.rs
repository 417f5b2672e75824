//! `funcron pause` and `funcron resume`: ticks are skipped for a while, and never fired afterwards.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::daemon::{self, Daemon, number};
use super::exit::{Exit, Failure};
use super::global::Global;
use super::moment::{Moment, shown};
use super::output::counted;
use crate::clock::Clock;

/// Which jobs.
#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
struct Jobs {
    /// The job
    job: Option<String>,

    /// All jobs that are loaded now
    #[arg(long)]
    all: bool,

    /// All jobs of a workspace
    #[arg(long, value_name = "NAME")]
    workspace: Option<String>,
}

/// The arguments of `pause`.
#[derive(Debug, clap::Args)]
pub(super) struct PauseArguments {
    #[command(flatten)]
    jobs: Jobs,

    /// Why, for whoever looks later
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,

    /// When it ends by itself: an instant, or a span from now such as 2h
    #[arg(long, value_name = "T", value_parser = Moment::parse)]
    until: Option<Moment>,
}

/// The arguments of `resume`.
#[derive(Debug, clap::Args)]
pub(super) struct ResumeArguments {
    #[command(flatten)]
    jobs: Jobs,

    /// Why, for whoever looks later
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
}

impl Jobs {
    fn order(&self) -> Value {
        match (&self.job, &self.workspace) {
            (Some(job), _) => json!({ "job": job }),
            (None, Some(workspace)) => json!({ "workspace": workspace }),
            (None, None) => json!({ "all": true }),
        }
    }
}

/// Pauses the jobs.
pub(super) async fn pause(arguments: &PauseArguments, global: &Global) -> Result<Exit, Failure> {
    let now = Clock::system().now();
    let until = arguments.until.map(|until| ahead(until, now));
    let mut order = arguments.jobs.order();
    order["reason"] = json!(arguments.reason);
    order["until"] = json!(until.map(|until| until.to_string()));
    let paused = Daemon::of(global)?.post("pause", &order).await?;
    let until = until.map_or_else(
        || "until `funcron resume`".to_owned(),
        |until| format!("until {}", shown(until)),
    );
    let mut printer = global.printer();
    let words = format!("paused {} {until}", listed(&paused["jobs"]));
    daemon::print(&mut printer, &paused, &words)?;
    if !is_empty(&paused["already"]) {
        let already = listed(&paused["already"]);
        printer.note(&format!(
            "{already} was paused already; this order replaces the earlier one"
        ));
    }
    if number(&paused, "ended_runs") > 0 {
        let runs = counted(number(&paused, "ended_runs"), "waiting run");
        printer.note(&format!("{runs} ended with it"));
    }
    if number(&paused, "in_flight") > 0 {
        let calls = counted(number(&paused, "in_flight"), "call");
        printer.note(&format!("under way, and going on: {calls}"));
    }
    Ok(Exit::Done)
}

/// Resumes the jobs.
pub(super) async fn resume(arguments: &ResumeArguments, global: &Global) -> Result<Exit, Failure> {
    let mut order = arguments.jobs.order();
    order["reason"] = json!(arguments.reason);
    let resumed = Daemon::of(global)?.post("resume", &order).await?;
    let mut printer = global.printer();
    let words = if is_empty(&resumed["jobs"]) {
        "nothing was paused".to_owned()
    } else {
        format!(
            "resumed {}; what was skipped stays skipped",
            listed(&resumed["jobs"])
        )
    };
    daemon::print(&mut printer, &resumed, &words)?;
    Ok(Exit::Done)
}

/// An instant, or a span from now on: a pause ends in the future.
fn ahead(until: Moment, now: Timestamp) -> Timestamp {
    match until {
        Moment::At(at) => at,
        Moment::Ago(span) => now.checked_add(span).unwrap_or(Timestamp::MAX),
    }
}

fn is_empty(jobs: &Value) -> bool {
    jobs.as_array().is_none_or(Vec::is_empty)
}

/// A few names, or how many they are.
fn listed(jobs: &Value) -> String {
    const FEW: usize = 5;
    let names: Vec<&str> = jobs
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    if names.len() > FEW {
        counted(names.len() as u64, "job")
    } else {
        names.join(", ")
    }
}
