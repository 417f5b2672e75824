//! `funcron resolve`: what an unknown run came to, once somebody has looked.

use clap::ValueEnum;
use serde_json::json;

use super::daemon::{self, Daemon};
use super::exit::{Exit, Failure};
use super::global::Global;
use super::table::uncut;

/// The arguments of `resolve`.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The run, by its id or its first 8 digits or more
    #[arg(value_name = "RUN", value_parser = uncut)]
    run: String,

    /// What it came to
    #[arg(long = "as", value_enum, value_name = "WHAT")]
    found: Found,

    /// How that is known
    #[arg(long, value_name = "TEXT")]
    note: String,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Found {
    /// The function did what it was to do
    Success,
    /// It did not
    Failed,
}

/// Notes it beside the run, whose state stays what the ledger saw.
pub(super) async fn execute(arguments: &Arguments, global: &Global) -> Result<Exit, Failure> {
    let found = match arguments.found {
        Found::Success => "success",
        Found::Failed => "failed",
    };
    let order = json!({ "run": arguments.run, "as": found, "note": arguments.note });
    let resolved = Daemon::of(global)?.post("resolve", &order).await?;
    let words = format!(
        "run {}: resolved as {found}; its state stays unknown, `funcron show` tells both",
        arguments.run
    );
    daemon::print(&mut global.printer(), &resolved, &words)?;
    Ok(Exit::Done)
}
