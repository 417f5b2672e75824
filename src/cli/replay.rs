//! `funcron replay`: a recorded request once more.

use serde_json::json;

use super::daemon::Daemon;
use super::exit::{Exit, Failure};
use super::global::Global;
use super::table::uncut;
use super::trigger::follow;

/// The arguments of `replay`.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The run, by its id or its first 8 digits or more, or by an id of a reply
    #[arg(value_name = "RUN", value_parser = uncut)]
    run: String,

    /// Wait until the new run has ended; exit 1 if it did not succeed
    #[arg(long)]
    wait: bool,
}

/// Sends the request again.
pub(super) async fn execute(arguments: &Arguments, global: &Global) -> Result<Exit, Failure> {
    let daemon = Daemon::of(global)?;
    let started = daemon
        .post("replay", &json!({ "run": arguments.run }))
        .await?;
    follow(&daemon, &started, arguments.wait, global).await
}
