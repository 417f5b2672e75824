//! `funcron list`: the jobs with their next fire, last run and pause. Of the configuration; with `--database`
//! alone, those that the ledger's last daemon had loaded.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::exit::{Exit, Failure};
use super::global::Global;
use super::jobs::{self, Listed};
use super::moment::{apart, local, shown, shown_us};
use super::output::Format;
use super::table::{Cell, Column, Table};
use super::terminal::Tone;
use crate::clock::Clock;
use crate::store::Pause;

/// The arguments of `list`.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Only jobs that have this label; several must all be there
    #[arg(long, value_name = "KEY=VALUE", value_parser = jobs::label)]
    label: Vec<(String, String)>,
}

/// The keys of a record, in their order.
const KEYS: [&str; 13] = [
    "job",
    "enabled",
    "schedule",
    "timezone",
    "next_at",
    "paused",
    "last_at",
    "last_state",
    "last_reason",
    "workspace",
    "func_id",
    "labels",
    "description",
];

/// Prints the jobs.
pub(super) async fn execute(arguments: &Arguments, global: &Global) -> Result<Exit, Failure> {
    let mut printer = global.printer();
    let mut jobs = jobs::listed(global).await?;
    let now = Clock::system().now();
    if let Some(reader) = jobs::recorded(global, &mut printer).await? {
        if !global.is_ledger_alone() {
            jobs::add_last_runs(&mut jobs, &reader).await?;
        }
        jobs::add_pauses(&mut jobs, &reader, now).await?;
    }
    let wanted = |job: &&Listed| {
        let has = |(key, value): &(String, String)| job.labels.get(key) == Some(value);
        arguments.label.iter().all(has)
    };
    let jobs: Vec<&Listed> = jobs.iter().filter(wanted).collect();
    match printer.format() {
        Format::Table if jobs.is_empty() => {}
        Format::Table => printer.table(&table(&jobs, now))?,
        Format::Json | Format::Jsonl | Format::Csv => {
            printer.all_records(&KEYS, jobs.iter().map(|job| record(job, now)))?;
        }
    }
    printer.flush()?;
    if jobs.is_empty() {
        printer.note("no jobs match");
    }
    Ok(Exit::Done)
}

/// The next fire of an enabled job, after its pause if it is in one.
fn next(job: &Listed, now: Timestamp) -> Option<Timestamp> {
    let schedule = job.schedule.as_ref().filter(|_| job.enabled)?;
    let from = match &job.pause {
        Some(pause) => pause.end()?,
        None => now,
    };
    jobs::fires(schedule, from).next()
}

fn pause_record(pause: &Pause) -> Value {
    json!({
        "since": shown(pause.from),
        "until": pause.until.map(shown),
        "actor": pause.actor,
        "reason": pause.reason,
    })
}

/// `for 2h 05m, 55m 00s left: the move [ops (uid 1000)]`.
fn pause_words(pause: &Pause, now: Timestamp) -> String {
    let mut words = format!("for {}", apart(pause.from, now));
    if let Some(until) = pause.until {
        words.push_str(&format!(", {} left", apart(now, until)));
    }
    if let Some(reason) = &pause.reason {
        words.push_str(&format!(": {reason}"));
    }
    words.push_str(&format!(" [{}]", pause.actor));
    words
}

fn record(job: &Listed, now: Timestamp) -> Value {
    json!({
        "job": job.name,
        "enabled": job.enabled,
        "schedule": job.schedule.as_ref().map(|schedule| schedule.expressions()),
        "timezone": job.schedule.as_ref().map(|schedule| schedule.timezone_name()),
        "next_at": next(job, now).map(shown),
        "paused": job.pause.as_ref().map(pause_record),
        "last_at": job.last.last_us.map(shown_us),
        "last_state": job.last.last_state,
        "last_reason": job.last.last_reason,
        "workspace": job.workspace,
        "func_id": job.func_id,
        "labels": job.labels,
        "description": job.description,
    })
}

fn table(jobs: &[&Listed], now: Timestamp) -> Table {
    let mut table = Table::new([
        Column::new("JOB", 0).cut_to(10, 24),
        Column::new("SCHEDULE", 2).cut_to(10, 20),
        Column::new("NEXT", 3),
        Column::new("IN", 0).right(),
        Column::new("PAUSED", 0).cut_to(12, 36),
        Column::new("LAST", 0).cut_to(19, 24),
        Column::new("WHEN", 4),
        Column::new("FUNCTION", 5).cut_to(16, 32),
        Column::new("ZONE", 6),
        Column::new("LABELS", 7).cut_to(8, 24),
        Column::new("WORKSPACE", 8),
        Column::new("DESCRIPTION", 9).cut_to(16, 24),
    ]);
    for job in jobs {
        let schedule = job.schedule.as_ref();
        let next = next(job, now);
        let local_next = next
            .zip(schedule)
            .map(|(at, schedule)| local(&at.to_zoned_datetime(schedule.timezone().clone())));
        let labels: Vec<String> = job
            .labels
            .iter()
            .map(|(key, value)| format!("{key}={value}"))
            .collect();
        table.row([
            Cell::new(&job.name),
            Cell::new(job.schedule_text()),
            Cell::maybe(local_next),
            Cell::new(next.map_or_else(|| without_next(job).to_owned(), |at| apart(now, at))),
            Cell::maybe(job.pause.as_ref().map(|pause| pause_words(pause, now)))
                .tone(Tone::Doubtful),
            Cell::maybe(last(job)).tone(Tone::of_state(
                job.last.last_state.as_deref().unwrap_or_default(),
            )),
            Cell::maybe(job.last.last_us.map(|us| ago(us, now))),
            Cell::new(&job.func_id),
            Cell::maybe(schedule.map(|schedule| schedule.timezone_name())),
            Cell::new(labels.join(" ")),
            Cell::new(&job.workspace),
            Cell::maybe(job.description.as_ref()),
        ]);
    }
    table
}

/// Why there is none, in a word.
fn without_next(job: &Listed) -> &'static str {
    match &job.schedule {
        _ if !job.enabled => "disabled",
        _ if job
            .pause
            .as_ref()
            .is_some_and(|pause| pause.end().is_none()) =>
        {
            "paused"
        }
        None => "unreadable",
        Some(schedule) if schedule.is_manual() => "manual",
        Some(_) => "never",
    }
}

fn last(job: &Listed) -> Option<String> {
    let state = job.last.last_state.as_ref()?;
    Some(match &job.last.last_reason {
        Some(reason) => format!("{state}: {reason}"),
        None => state.clone(),
    })
}

fn ago(us: i64, now: Timestamp) -> String {
    Timestamp::from_microsecond(us).map_or_else(
        |_| shown_us(us),
        |at| {
            let apart = apart(at, now);
            if at > now {
                format!("in {apart}")
            } else {
                format!("{apart} ago")
            }
        },
    )
}
