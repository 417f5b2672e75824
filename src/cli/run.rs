//! `funcron run`: not wired yet.

use super::exit::{Exit, Failure};
use super::global::Global;

/// The arguments of `run`.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {}

/// Says that the daemon is not wired yet.
pub(super) async fn execute(_: Arguments, _: &Global) -> Result<Exit, Failure> {
    Err(Failure::new(
        Exit::CannotStart,
        "the daemon is not wired yet",
    ))
}
