//! `funcron export`: the whole view `executions`, oldest first, streamed.

use clap::ValueEnum;

use super::exit::{Exit, Failure};
use super::global::Global;
use super::history;
use super::moment::Moment;
use super::output::Format;
use super::progress::{self, Unit};
use crate::clock::Clock;
use crate::store::HistoryFilter;

/// What an export can be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum As {
    /// One JSON object a line
    Jsonl,
    /// RFC 4180, with a header
    Csv,
}

/// The arguments of `export`.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// As what [default: what -o says, else jsonl]
    #[arg(long, value_enum, value_name = "FORMAT")]
    format: Option<As>,

    /// Only ticks since then: how long ago (24h, 7d), or an instant (2026-12-24T18:00:00+08:00)
    #[arg(long, value_name = "TIME", value_parser = Moment::parse)]
    since: Option<Moment>,

    /// Only ticks before then
    #[arg(long, value_name = "TIME", value_parser = Moment::parse)]
    until: Option<Moment>,
}

/// Prints every execution.
pub(super) async fn execute(arguments: &Arguments, global: &Global) -> Result<Exit, Failure> {
    let reader = global.reader().await?;
    let now = Clock::system().now();
    let resolve = |moment: Option<Moment>| moment.map(|moment| moment.resolve(now));
    let filter = HistoryFilter {
        since: resolve(arguments.since),
        until: resolve(arguments.until),
        oldest_first: true,
        limit: u32::MAX,
        ..HistoryFilter::default()
    };
    let output = match (arguments.format, global.output) {
        (Some(As::Csv), _) => Format::Csv,
        (Some(As::Jsonl), _) | (None, Format::Table) => Format::Jsonl,
        (None, asked) => asked,
    };
    let global = Global {
        output,
        ..global.clone()
    };
    let mut printer = global.printer();
    let bar = progress::bar(Unit::Things, 0);
    if let Some(bar) = &bar {
        bar.set_length(reader.runs_between(filter.since, filter.until).await?);
        bar.set_message("runs");
    }
    history::machines(&reader, &filter, &mut printer, bar.as_ref()).await?;
    printer.flush()?;
    if let Some(bar) = &bar {
        bar.finish_and_clear();
    }
    Ok(Exit::Done)
}
