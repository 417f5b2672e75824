//! `funcron demo`: not wired yet.

use super::exit::{Exit, Failure};
use super::global::Global;

/// The arguments of `demo`.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {}

/// Says that the demonstration is not wired yet.
pub(super) async fn execute(_: Arguments, _: &Global) -> Result<Exit, Failure> {
    Err(Failure::new(
        Exit::Failed,
        "the demonstration is not wired yet",
    ))
}
