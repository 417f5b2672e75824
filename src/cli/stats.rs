//! `funcron stats`: how runs went, counted by job, function or day.

use std::time::Duration;

use clap::ValueEnum;
use serde_json::{Value, json};

use super::exit::{Exit, Failure};
use super::global::Global;
use super::moment::{Moment, shown, took};
use super::output::Format;
use super::table::{Cell, Column, Table};
use super::terminal::Tone;
use crate::clock::Clock;
use crate::domain::run::RunState;
use crate::store::{Stats, StatsBy};

const DAY: Duration = Duration::from_secs(86_400);

/// What runs are counted by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum By {
    /// Their job
    Job,
    /// Their function
    Func,
    /// The day of their tick, in UTC
    Day,
}

/// The arguments of `stats`.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// What runs are counted by
    #[arg(long, value_enum, default_value = "job", value_name = "WHAT")]
    by: By,

    /// Only ticks since then: how long ago (24h, 7d), or an instant [default: 24h; by day, 7d]
    #[arg(long, value_name = "TIME", value_parser = Moment::parse)]
    since: Option<Moment>,
}

impl By {
    const fn stats(self) -> StatsBy {
        match self {
            Self::Job => StatsBy::Job,
            Self::Func => StatsBy::Func,
            Self::Day => StatsBy::Day,
        }
    }

    /// The key of what is counted by, in records.
    const fn key(self) -> &'static str {
        match self {
            Self::Job => "job",
            Self::Func => "func_id",
            Self::Day => "day",
        }
    }

    const fn title(self) -> &'static str {
        match self {
            Self::Job => "JOB",
            Self::Func => "FUNCTION",
            Self::Day => "DAY (UTC)",
        }
    }

    const fn since(self) -> Duration {
        match self {
            Self::Job | Self::Func => DAY,
            Self::Day => Duration::from_secs(7 * 86_400),
        }
    }
}

/// Prints the counts.
pub(super) async fn execute(arguments: &Arguments, global: &Global) -> Result<Exit, Failure> {
    let reader = global.reader().await?;
    let by = arguments.by;
    let since = arguments.since.unwrap_or(Moment::Ago(by.since()));
    let since = since.resolve(Clock::system().now());
    let stats = reader.stats(by.stats(), since).await?;
    let mut printer = global.printer();
    match printer.format() {
        Format::Table if stats.is_empty() => {
            printer.note(&format!("no tick since {}", shown(since)));
        }
        Format::Table => {
            let mut table = table(by);
            for (key, stats) in &stats {
                table.row(row(key, stats));
            }
            printer.table(&table)?;
        }
        Format::Json | Format::Jsonl | Format::Csv => {
            let records: Vec<Value> = stats
                .iter()
                .map(|(key, stats)| record(by, key, stats))
                .collect();
            printer.all_records(&keys(by), records)?;
        }
    }
    printer.flush()?;
    Ok(Exit::Done)
}

fn count(stats: &Stats, state: RunState) -> u64 {
    stats.states.get(state.as_str()).copied().unwrap_or(0)
}

/// The share of successes among the runs that are over and should have been one; what a policy or a person
/// called off is no failure.
fn success_rate(stats: &Stats) -> Option<f64> {
    let success = count(stats, RunState::Success);
    let others = [RunState::Failed, RunState::Unknown, RunState::Missed];
    let all = success
        + others
            .into_iter()
            .map(|state| count(stats, state))
            .sum::<u64>();
    // In ten-thousandths, rounded down: 1 means all of them.
    let share = (success * 10_000).checked_div(all)?;
    u32::try_from(share)
        .ok()
        .map(|share| f64::from(share) / 10_000.0)
}

fn keys(by: By) -> Vec<&'static str> {
    let mut keys = vec![by.key(), "runs"];
    keys.extend(RunState::ALL.map(RunState::as_str));
    keys.extend([
        "success_rate",
        "attempts",
        "cost_ms",
        "p50_ms",
        "p95_ms",
        "max_ms",
    ]);
    keys
}

fn record(by: By, key: &str, stats: &Stats) -> Value {
    let mut record = json!({ by.key(): key, "runs": stats.runs() });
    for state in RunState::ALL {
        record[state.as_str()] = count(stats, state).into();
    }
    record["success_rate"] = success_rate(stats).into();
    record["attempts"] = stats.attempts.into();
    record["cost_ms"] = stats.cost_ms.into();
    for (name, percent) in [("p50_ms", 50), ("p95_ms", 95), ("max_ms", 100)] {
        record[name] = stats.percentile_ms(percent).into();
    }
    record
}

fn table(by: By) -> Table {
    Table::new([
        Column::new(by.title(), 0).cut_to(12, 40),
        Column::new("RUNS", 0).right(),
        Column::new("OK", 1).right(),
        Column::new("RATE", 0).right(),
        Column::new("FAILED", 0).right(),
        Column::new("UNKNOWN", 0).right(),
        Column::new("MISSED", 1).right(),
        Column::new("SKIPPED", 4).right(),
        Column::new("CANCELLED", 6).right(),
        Column::new("OPEN", 5).right(),
        Column::new("TRIES", 4).right(),
        Column::new("COST", 3).right(),
        Column::new("P50", 3).right(),
        Column::new("P95", 2).right(),
        Column::new("MAX", 5).right(),
    ])
}

fn row(key: &str, stats: &Stats) -> Vec<Cell> {
    let cell = |count: u64| Cell::maybe((count > 0).then(|| count.to_string()));
    let of = |state: RunState| cell(count(stats, state)).tone(Tone::of_state(state.as_str()));
    let time = |percent| {
        let ms = stats.percentile_ms(percent);
        Cell::maybe(ms.map(|ms| took(i64::from(ms))))
    };
    let rate = success_rate(stats).map(|rate| {
        // A single failure among many is not rounded away.
        format!("{:.1}%", (rate * 1_000.0).floor() / 10.0)
    });
    vec![
        Cell::new(key),
        Cell::new(stats.runs().to_string()),
        of(RunState::Success),
        Cell::maybe(rate),
        of(RunState::Failed),
        of(RunState::Unknown),
        of(RunState::Missed),
        of(RunState::Skipped),
        of(RunState::Cancelled),
        cell(count(stats, RunState::Waiting) + count(stats, RunState::Running)),
        cell(stats.attempts),
        Cell::maybe(stats.cost_ms.map(took)),
        time(50),
        time(95),
        time(100),
    ]
}
