//! `funcron next`: when jobs will fire, strictly after an instant; or a bare expression, for which no
//! configuration is read.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::exit::{Exit, Failure};
use super::global::Global;
use super::jobs::{self, Listed};
use super::moment::{self, apart, shown, shown_in};
use super::output::Format;
use super::table::{Cell, Column, Table};
use super::terminal::{self, Tone};
use crate::clock::Clock;
use crate::domain::job::JobName;
use crate::domain::schedule::{Dst, Schedule, ScheduleError, ScheduleSpec, Tick, TickKind};

/// The keys of a record, in their order.
const KEYS: [&str; 3] = ["job", "scheduled_at", "local"];

/// Fires of one schedule that are shown where no number is given, and of all jobs together.
const FIRES: usize = 5;
const FIRES_OF_ALL: usize = 20;

/// The arguments of `next`.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Only this job; with --expr, the name that an `H` goes by
    job: Option<String>,

    /// A schedule expression instead of a job's; several are one schedule
    #[arg(long, value_name = "EXPRESSION", allow_hyphen_values = true)]
    expr: Vec<String>,

    /// The time zone of --expr [default: UTC]
    #[arg(long, value_name = "ZONE", requires = "expr")]
    timezone: Option<String>,

    /// Fires strictly after this instant [default: now]
    #[arg(long, value_name = "TIME", value_parser = moment::instant)]
    from: Option<Timestamp>,

    /// How many fires [default: 5 of one schedule, 20 of all jobs together]
    #[arg(short = 'n', long = "number", value_name = "FIRES", value_parser = clap::value_parser!(u16).range(1..=10_000))]
    number: Option<u16>,
}

/// A schedule and whose it is.
struct Source {
    job: Option<String>,
    schedule: Schedule,
}

/// Prints the next fires.
pub(super) async fn execute(arguments: &Arguments, global: &Global) -> Result<Exit, Failure> {
    let sources = if arguments.expr.is_empty() {
        of_jobs(arguments, global).await?
    } else {
        vec![of_expressions(arguments)?]
    };
    let mut printer = global.printer();
    if let ([source], false) = (sources.as_slice(), arguments.expr.is_empty())
        && source.schedule.is_by_name()
    {
        printer.note(&by_name(arguments.job.as_deref()));
    }
    let is_one = arguments.job.is_some() || !arguments.expr.is_empty();
    let from = arguments.from.unwrap_or_else(|| Clock::system().now());
    let count = arguments
        .number
        .map_or(if is_one { FIRES } else { FIRES_OF_ALL }, usize::from);
    let fires = fires(&sources, from, count);
    match printer.format() {
        Format::Table => {
            if !fires.is_empty() {
                printer.table(&table(&fires, from))?;
            }
        }
        Format::Json | Format::Jsonl | Format::Csv => {
            let fired = fires.iter().filter(|(_, tick)| tick.kind == TickKind::Fire);
            printer.all_records(&KEYS, fired.map(|(source, tick)| record(source, tick)))?;
        }
    }
    printer.flush()?;
    if fires.is_empty() {
        printer.note(&nothing(&sources, from));
    }
    Ok(Exit::Done)
}

/// The schedules of the job that is asked for, or of all.
async fn of_jobs(arguments: &Arguments, global: &Global) -> Result<Vec<Source>, Failure> {
    let jobs = jobs::listed(global).await?;
    let wanted: Vec<&Listed> = match &arguments.job {
        None => jobs.iter().filter(|job| job.enabled).collect(),
        Some(name) => {
            let found = jobs.iter().find(|job| job.name == *name);
            let known = jobs.iter().map(|job| job.name.as_str());
            vec![found.ok_or_else(|| jobs::no_such_job(name, known))?]
        }
    };
    if let ([job], Some(_)) = (wanted.as_slice(), &arguments.job)
        && !job.enabled
    {
        global.printer().note(&format!(
            "`{}` is disabled: these are the ticks it would have",
            job.name
        ));
    }
    let source = |job: &Listed| {
        let schedule = job.schedule.clone()?;
        let job = Some(job.name.clone());
        Some(Source { job, schedule })
    };
    Ok(wanted.into_iter().filter_map(source).collect())
}

/// `H` in a bare expression.
fn by_name(job: Option<&str>) -> String {
    match job {
        Some(job) => format!("`H` depends on the job's name; these are the fires of a job named `{job}`"),
        None => "`H` depends on the job's name, and these are the fires of a job without one; `funcron next JOB --expr …` shows those of a job of that name".to_owned(),
    }
}

fn of_expressions(arguments: &Arguments) -> Result<Source, Failure> {
    let name = arguments.job.as_deref().unwrap_or_default();
    if !name.is_empty() && JobName::parse(name).is_none() {
        let words = format!("`{name}` is no name of a job: those are of [a-z0-9._-]");
        return Err(Failure::new(Exit::Usage, words));
    }
    let schedule = Schedule::parse(&ScheduleSpec {
        expressions: &arguments.expr,
        timezone: arguments.timezone.as_deref().unwrap_or("UTC"),
        dst: Dst::default(),
        starts_at: None,
        ends_at: None,
        job: name,
    });
    let schedule = schedule.map_err(|errors| {
        let told: Vec<String> = errors
            .iter()
            .map(|error| pointed(error, &arguments.expr))
            .collect();
        Failure::new(Exit::Usage, told.join("\n"))
    })?;
    Ok(Source {
        job: arguments.job.clone(),
        schedule,
    })
}

/// An error with the place in its expression pointed at.
fn pointed(error: &ScheduleError, expressions: &[String]) -> String {
    let expression = error.expression.and_then(|index| expressions.get(index));
    let Some(expression) = expression else {
        return format!("--timezone: {error}");
    };
    let mut told = format!("--expr: {error}\n  {}", terminal::line(expression));
    if let Some(span) = &error.span {
        let before = expression.get(..span.start).unwrap_or_default();
        let within = expression.get(span.clone()).unwrap_or_default();
        let blanks = terminal::width(&terminal::line(before));
        let carets = terminal::width(&terminal::line(within)).max(1);
        told.push_str(&format!("\n  {}{}", " ".repeat(blanks), "^".repeat(carets)));
    }
    told
}

/// The soonest `count` fires of all sources, in the order of time. Ticks that a change of the clocks
/// swallows are among them and do not count; those that a calendar excludes are not.
fn fires(sources: &[Source], from: Timestamp, count: usize) -> Vec<(&Source, Tick)> {
    // Of each source only its next tick is in the heap; ties go by the order of the sources.
    let mut heap: BinaryHeap<Reverse<(Timestamp, usize)>> = BinaryHeap::new();
    let mut pending: Vec<Option<Tick>> = Vec::with_capacity(sources.len());
    for (index, source) in sources.iter().enumerate() {
        let tick = source.schedule.next_kept_after(from);
        heap.extend(tick.map(|tick| Reverse((tick.at, index))));
        pending.push(tick);
    }
    let mut fires = Vec::new();
    let mut counted = 0;
    while counted < count
        && let Some(Reverse((at, index))) = heap.pop()
    {
        let source = &sources[index];
        let next = source.schedule.next_kept_after(at);
        heap.extend(next.map(|tick| Reverse((tick.at, index))));
        if let Some(tick) = std::mem::replace(&mut pending[index], next) {
            counted += usize::from(tick.kind == TickKind::Fire);
            fires.push((source, tick));
        }
    }
    fires
}

fn record(source: &Source, tick: &Tick) -> Value {
    json!({
        "job": source.job,
        "scheduled_at": shown(tick.at),
        "local": shown_in(tick.at, source.schedule.timezone()),
    })
}

fn table(fires: &[(&Source, Tick)], from: Timestamp) -> Table {
    let mut table = Table::new([
        Column::new("JOB", 0).cut_to(10, 24),
        Column::new("LOCAL", 0),
        Column::new("ZONE", 2),
        Column::new("IN", 1).right(),
        Column::new("UTC", 3),
        Column::new("NOTE", 0).cut_to(16, 40),
    ])
    .wrapped();
    for (source, tick) in fires {
        let zone = source.schedule.timezone();
        let is_fire = tick.kind == TickKind::Fire;
        table.row([
            Cell::maybe(source.job.as_ref()),
            Cell::new(moment::local(&tick.at.to_zoned_datetime(zone.clone()))).tone(if is_fire {
                Tone::Plain
            } else {
                Tone::Quiet
            }),
            Cell::new(source.schedule.timezone_name()),
            Cell::new(apart(from, tick.at)),
            Cell::new(shown(tick.at)),
            Cell::maybe(source.schedule.explain(tick)).tone(Tone::Doubtful),
        ]);
    }
    table
}

/// Why there is nothing to show.
fn nothing(sources: &[Source], from: Timestamp) -> String {
    match sources {
        [] => "no job is enabled".to_owned(),
        [one] if one.schedule.is_manual() => {
            "never: @manual fires only when it is triggered".to_owned()
        }
        _ => format!("no fires after {}", shown(from)),
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    fn source(job: &str, expression: &str) -> Source {
        let schedule = Schedule::parse(&ScheduleSpec {
            expressions: &[expression.to_owned()],
            timezone: "UTC",
            dst: Dst::default(),
            starts_at: None,
            ends_at: None,
            job,
        });
        let job = Some(job.to_owned());
        Source {
            job,
            schedule: schedule.unwrap(),
        }
    }

    #[test]
    fn fires_of_several_jobs_come_in_the_order_of_time_and_each_once() {
        let sources = [
            source("a", "*/20 * * * *"),
            source("b", "*/30 * * * *"),
            source("c", "@manual"),
        ];
        let told: Vec<String> = fires(&sources, Timestamp::UNIX_EPOCH, 5)
            .iter()
            .map(|(source, tick)| {
                format!(
                    "{} {}",
                    source.job.as_deref().unwrap(),
                    tick.at.as_second() / 60
                )
            })
            .collect();
        assert_eq!(told, ["a 20", "b 30", "a 40", "a 60", "b 60"]);
    }

    #[test]
    fn an_error_is_pointed_at_under_text_of_any_width() {
        let expression = "报 61 * * *".to_owned();
        let error = ScheduleError {
            expression: Some(0),
            span: Some(4..6),
            message: "61 is above 23".to_owned(),
            hint: None,
        };
        assert_eq!(
            pointed(&error, &[expression]),
            "--expr: 61 is above 23\n  报 61 * * *\n     ^^"
        );
    }
}
