//! `funcron calendar`: a month as a heat map of calls per hour, against what the quota lets through.
//!
//! What the schedules will ask for, or would have: retries, catch-up and starts by hand are not in it,
//! and a past month is told by today's configuration, not from the ledger.

mod heat;

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::civil::{Date, date};
use jiff::tz::TimeZone;
use jiff::{Span as Step, Timestamp};
use serde_json::{Value, json};

use super::exit::{Exit, Failure};
use super::global::Global;
use super::jobs;
use super::moment::shown;
use super::output::{Format, Printer, counted};
use crate::clock::Clock;
use crate::config::Config;
use crate::domain::forecast::{self, Demand, Hour, Load, Span};
use crate::domain::job::Job;
use crate::domain::schedule::{Dst, Schedule, ScheduleSpec};
use heat::Month;

/// The keys of a record, in their order. `starts_at` tells the two passes of a repeated hour apart.
const KEYS: [&str; 5] = ["date", "hour", "starts_at", "calls", "limit"];

/// The arguments of `calendar`.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Only these jobs [default: all that are enabled]
    #[arg(value_name = "JOB")]
    jobs: Vec<String>,

    /// The month, such as 2026-12 [default: this one]
    #[arg(long, value_name = "YYYY-MM", value_parser = month)]
    month: Option<Date>,

    /// The time zone of its days and hours [default: the jobs' where they share one, else UTC]
    #[arg(long, value_name = "ZONE")]
    timezone: Option<String>,
}

/// Prints the month.
pub(super) fn execute(arguments: &Arguments, global: &Global) -> Result<Exit, Failure> {
    let loaded = global.load()?;
    let mut printer = global.printer();
    let jobs = wanted(&loaded.config, arguments, &mut printer)?;
    let (zone_name, zone) = match &arguments.timezone {
        Some(name) => named_zone(name)?,
        None => common_zone(&jobs),
    };
    let first = arguments
        .month
        .unwrap_or_else(|| this_month(&zone, Clock::system().now()));
    let end = first.saturating_add(Step::new().months(1));
    let hours = forecast::hours(first, end, &zone);
    let demands: Vec<Demand<'_>> = jobs.iter().map(|job| Demand::from(job.as_ref())).collect();
    let loads = forecast::loads(&demands, &loaded.config.workspaces, &hours);
    let month = Month {
        first,
        timezone: zone_name,
        hours: hours.into_iter().zip(loads).collect(),
    };
    match printer.format() {
        Format::Table => {
            for line in month.render(printer.width(), printer.is_colored()) {
                printer.line(&line)?;
            }
        }
        Format::Json | Format::Jsonl | Format::Csv => {
            printer.all_records(&KEYS, month.hours.iter().map(record))?;
        }
    }
    printer.flush()?;
    if jobs.is_empty() {
        printer.note("no job is enabled");
    }
    // An hour may have room that its fullest minute has not.
    if arguments.jobs.is_empty()
        && printer.format() == Format::Table
        && let (Some((first, _)), Some((last, _))) = (month.hours.first(), month.hours.last())
    {
        let span = Span {
            from: first.span.from,
            until: last.span.until,
        };
        let proofs = forecast::prove(&demands, &loaded.config.workspaces, span);
        let crowds = proofs.iter().flat_map(|proof| &proof.crowds);
        let minutes: usize = crowds.map(|crowd| crowd.minutes).sum();
        if minutes > 0 {
            printer.note(&format!(
                "{} of this month hold more calls than fit into a minute; `funcron validate` names those of the next 31 days",
                counted(minutes as u64, "minute")
            ));
        }
    }
    if let Some(unknown) = month.hours.iter().find(|(_, load)| load.calls.is_none()) {
        let from = shown(unknown.0.span.from);
        printer.note(&format!(
            "too many calls to count a whole month: nothing is known from {from} on; name some jobs to see theirs"
        ));
    }
    Ok(Exit::Done)
}

/// Parses `2026-12` as the first of that month.
fn month(text: &str) -> Result<Date, String> {
    let wrong = || "write a month like 2026-12, from 1970-01 to 2100-12".to_owned();
    let is_shaped = text.len() == 7 && text.bytes().all(|b| b.is_ascii_digit() || b == b'-');
    let first: Option<Date> = format!("{text}-01").parse().ok().filter(|_| is_shaped);
    first
        .filter(|first| (date(1970, 1, 1)..date(2101, 1, 1)).contains(first))
        .ok_or_else(wrong)
}

fn this_month(zone: &TimeZone, now: Timestamp) -> Date {
    now.to_zoned_datetime(zone.clone()).date().first_of_month()
}

/// The jobs that are asked for, or all that are enabled.
fn wanted(
    config: &Config,
    arguments: &Arguments,
    printer: &mut Printer,
) -> Result<Vec<Arc<Job>>, Failure> {
    let known = || config.jobs.iter().map(|job| job.name.as_str());
    let names: BTreeSet<&str> = arguments.jobs.iter().map(String::as_str).collect();
    for name in &names {
        if !known().any(|known| known == *name) {
            return Err(jobs::no_such_job(name, known()));
        }
    }
    let all = config.jobs.iter().cloned();
    if names.is_empty() {
        return Ok(all.filter(|job| job.enabled).collect());
    }
    let wanted: Vec<Arc<Job>> = all
        .filter(|job| names.contains(job.name.as_str()))
        .collect();
    for job in wanted.iter().filter(|job| !job.enabled) {
        printer.note(&format!(
            "`{}` is disabled: these are the calls it would make",
            job.name
        ));
    }
    Ok(wanted)
}

/// The zone that the jobs share, else UTC.
fn common_zone(jobs: &[Arc<Job>]) -> (String, TimeZone) {
    let mut schedules = jobs.iter().map(|job| &job.schedule);
    match schedules.next() {
        Some(first) if schedules.all(|s| s.timezone_name() == first.timezone_name()) => {
            (first.timezone_name().to_owned(), first.timezone().clone())
        }
        _ => ("UTC".to_owned(), TimeZone::UTC),
    }
}

/// The zone of that name. The schedules' parser looks it up: it knows what a misspelt one was meant
/// to be.
fn named_zone(name: &str) -> Result<(String, TimeZone), Failure> {
    let schedule = Schedule::parse(&ScheduleSpec {
        expressions: &["@manual".to_owned()],
        timezone: name,
        dst: Dst::default(),
        starts_at: None,
        ends_at: None,
        job: "",
    });
    match schedule {
        Ok(schedule) => Ok((
            schedule.timezone_name().to_owned(),
            schedule.timezone().clone(),
        )),
        Err(errors) => {
            let told = errors.iter().map(|error| format!("--timezone: {error}"));
            Err(Failure::new(
                Exit::Usage,
                told.collect::<Vec<_>>().join("\n"),
            ))
        }
    }
}

fn record((hour, load): &(Hour, Load)) -> Value {
    json!({
        "date": hour.date.to_string(),
        "hour": hour.hour,
        "starts_at": shown(hour.span.from),
        "calls": load.calls,
        "limit": load.limit,
    })
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    #[test]
    fn a_month_is_a_year_and_its_number() {
        assert_eq!(month("2026-12").unwrap(), date(2026, 12, 1));
        for bad in [
            "",
            "2026",
            "2026-13",
            "2026-1",
            "12-2026",
            "2026-12-01",
            "1969-12",
            "2101-01",
            "2026-+1",
        ] {
            assert!(month(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn this_month_is_that_of_the_zone() {
        let now: Timestamp = "2026-11-30T17:00:00Z".parse().unwrap();
        let shanghai = TimeZone::get("Asia/Shanghai").unwrap();
        assert_eq!(this_month(&TimeZone::UTC, now), date(2026, 11, 1));
        assert_eq!(this_month(&shanghai, now), date(2026, 12, 1));
    }
}
