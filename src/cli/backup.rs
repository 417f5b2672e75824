//! `funcron backup`: a copy of the ledger as it stands, while the daemon goes on.

use std::path::PathBuf;

use super::exit::{Exit, Failure};
use super::global::Global;
use super::progress::{self, Unit};
use super::sandbox::interrupted;
use crate::domain::retention::Bytes;
use crate::store::{Reader, backup};

/// The arguments of `backup`.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Where the copy goes; nothing that is there is overwritten
    file: PathBuf,
}

/// Copies the ledger.
pub(super) async fn execute(arguments: &Arguments, global: &Global) -> Result<Exit, Failure> {
    let ledger = global.ledger()?;
    // It says what is wrong with a file that is no ledger.
    Reader::open(&ledger).await?.close().await;
    let target = &arguments.file;
    let bar = progress::bar(Unit::Bytes, 0);
    let heard = |bytes: u64, all: u64| {
        if let Some(bar) = &bar {
            bar.set_length(all.max(bytes));
            bar.set_position(bytes);
        }
    };
    let copied = tokio::select! {
        copied = backup(&ledger, target, heard) => copied,
        stopped = interrupted() => {
            stopped?;
            return Err(Failure::new(Exit::Failed, "interrupted; there is no copy"));
        }
    };
    let bytes = copied.map_err(|error| Failure::because(Exit::Failed, &error))?;
    if let Some(bar) = &bar {
        bar.finish_and_clear();
    }
    let mut printer = global.printer();
    let answer = serde_json::json!({ "file": target.display().to_string(), "bytes": bytes });
    let words = format!(
        "{} in {}; `funcron audit verify --database sqlite://FILE` proves it",
        Bytes(bytes),
        target.display()
    );
    super::daemon::print(&mut printer, &answer, &words)?;
    Ok(Exit::Done)
}
