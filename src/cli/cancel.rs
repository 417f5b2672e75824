//! `funcron cancel`: the end of a run, by hand.

use serde_json::json;

use super::daemon::{self, Daemon, text};
use super::exit::{Exit, Failure};
use super::global::Global;
use super::table::uncut;

/// The arguments of `cancel`.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The run, by its id or its first 8 digits or more
    #[arg(value_name = "RUN", value_parser = uncut)]
    run: String,
}

/// Ends the run.
pub(super) async fn execute(arguments: &Arguments, global: &Global) -> Result<Exit, Failure> {
    let daemon = Daemon::of(global)?;
    let cancelled = daemon
        .post("cancel", &json!({ "run": arguments.run }))
        .await?;
    let words = if text(&cancelled, "was") == "waiting" {
        let (state, reason) = (text(&cancelled, "state"), text(&cancelled, "reason"));
        format!("run {}: {state}/{reason}", arguments.run)
    } else {
        format!(
            "run {}: its call was under way and is given up (unknown/operator, unless it has just ended); the function may go on, Guance offers no way to stop it",
            arguments.run
        )
    };
    daemon::print(&mut global.printer(), &cancelled, &words)?;
    Ok(Exit::Done)
}
