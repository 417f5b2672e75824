//! `funcron history`: the view `executions`, newest first.
//!
//! A row is an attempt, or a run that made none; `-n` counts rows. Machines get every column as the
//! view has it, streamed; people get a line a row, its columns by the width of their terminal.

use clap::builder::PossibleValuesParser;
use futures_util::TryStreamExt;
use indicatif::ProgressBar;
use jiff::Timestamp;

use super::exit::{Exit, Failure};
use super::global::Global;
use super::jobs;
use super::moment::{self, Moment};
use super::output::{Format, Printer};
use super::table::{Cell, Column, Table};
use super::terminal::Tone;
use crate::clock::Clock;
use crate::domain::run::{Reason, RunState, Trigger};
use crate::store::{Execution, HistoryFilter, HistoryLine, Reader};

/// Rows of a table, at most: a table is laid out as a whole, in memory.
const MOST_LINES: u32 = 10_000;

/// The arguments of `history`.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Only this job
    job: Option<String>,

    /// Only ticks since then: how long ago (24h, 7d), or an instant (2026-12-24T18:00:00+08:00)
    #[arg(long, value_name = "TIME", value_parser = Moment::parse)]
    since: Option<Moment>,

    /// Only ticks before then
    #[arg(long, value_name = "TIME", value_parser = Moment::parse)]
    until: Option<Moment>,

    /// Only runs in this state
    #[arg(long, value_parser = PossibleValuesParser::new(RunState::ALL.map(RunState::as_str)))]
    state: Option<String>,

    /// Only runs with this reason
    #[arg(long, value_parser = PossibleValuesParser::new(Reason::names()), hide_possible_values = true)]
    reason: Option<String>,

    /// Only calls of this function
    #[arg(long, value_name = "FUNCTION")]
    func_id: Option<String>,

    /// Only attempts with this trace: the envelope's traceId, the function's, or the task
    #[arg(long, value_name = "ID")]
    trace_id: Option<String>,

    /// Only jobs that have this label now; several must all be there
    #[arg(long, value_name = "KEY=VALUE", value_parser = jobs::label)]
    label: Vec<(String, String)>,

    /// Only runs started so
    #[arg(long, value_parser = PossibleValuesParser::new(Trigger::ALL.map(Trigger::as_str)))]
    trigger: Option<String>,

    /// Rows at most: attempts, not runs
    #[arg(short = 'n', long = "number", value_name = "ROWS", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..))]
    number: u32,
}

/// Prints the history.
pub(super) async fn execute(arguments: &Arguments, global: &Global) -> Result<Exit, Failure> {
    let reader = global.reader().await?;
    let mut printer = global.printer();
    let filter = arguments.filter(&reader, Clock::system().now()).await?;
    let rows = match printer.format() {
        Format::Table => people(&reader, filter.clone(), &mut printer).await?,
        Format::Json | Format::Jsonl | Format::Csv => {
            machines(&reader, &filter, &mut printer, None).await?
        }
    };
    printer.flush()?;
    if rows == 0 {
        if let Some(job) = &arguments.job {
            jobs::known(&reader, job).await?;
        }
        printer.note("no runs match");
    }
    Ok(Exit::Done)
}

impl Arguments {
    async fn filter(&self, reader: &Reader, now: Timestamp) -> Result<HistoryFilter, Failure> {
        let resolve = |moment: Option<Moment>| moment.map(|moment| moment.resolve(now));
        let jobs = if self.label.is_empty() {
            None
        } else {
            Some(jobs::with_labels(reader, &self.label).await?)
        };
        Ok(HistoryFilter {
            job: self.job.clone(),
            jobs,
            since: resolve(self.since),
            until: resolve(self.until),
            state: self.state.as_deref().and_then(RunState::parse),
            reason: self.reason.clone(),
            func_id: self.func_id.clone(),
            trace_id: self.trace_id.clone(),
            trigger: self.trigger.as_deref().and_then(Trigger::parse),
            oldest_first: false,
            limit: self.number,
        })
    }
}

/// Prints the rows in a machine's format as they are read; the bar counts their runs.
pub(super) async fn machines(
    reader: &Reader,
    filter: &HistoryFilter,
    printer: &mut Printer,
    bar: Option<&ProgressBar>,
) -> Result<u64, Failure> {
    let mut stream = reader.executions(filter);
    let mut records = printer.records(&Execution::COLUMNS)?;
    let mut rows = 0;
    let mut run = String::new();
    while let Some(execution) = stream.try_next().await? {
        rows += 1;
        records.add(&execution)?;
        if let Some(bar) = bar.filter(|_| run != execution.run_id) {
            bar.inc(1);
            run = execution.run_id;
        }
        if records.is_closed() {
            break;
        }
    }
    records.end()?;
    Ok(rows)
}

async fn people(
    reader: &Reader,
    mut filter: HistoryFilter,
    printer: &mut Printer,
) -> Result<u64, Failure> {
    let wanted = filter.limit.min(MOST_LINES);
    // One more, to know whether there is more.
    filter.limit = wanted + 1;
    let mut lines = reader.history(&filter).await?;
    let is_more = lines.len() > wanted as usize;
    lines.truncate(wanted as usize);
    if !lines.is_empty() {
        printer.table(&table(&lines))?;
    }
    if is_more && filter.limit > MOST_LINES {
        printer.note(&format!(
            "the newest {wanted} rows; -o jsonl prints any number"
        ));
    } else if is_more {
        printer.note(&format!(
            "the newest {wanted} rows; -n {} shows more",
            u64::from(wanted) * 5
        ));
    }
    Ok(lines.len() as u64)
}

/// The columns, the indispensable ones with rank 0: at 60 columns a row still says when, what, how it
/// went and why; at 80 also which run to `show`, by as much of its id as there is room for.
fn table(lines: &[HistoryLine]) -> Table {
    let mut table = Table::new([
        Column::new("TICK (UTC)", 0),
        Column::new("JOB", 0).cut_to(10, 24),
        Column::new("STATE", 0),
        Column::new("WHY", 0).cut_to(14, 24),
        Column::new("TRY", 2).right(),
        Column::new("HTTP", 4).right(),
        Column::new("TOOK", 3).right(),
        Column::new("COST", 6).right(),
        Column::new("TRIGGER", 7),
        Column::new("MESSAGE", 5).cut_to(20, 32),
        Column::new("TRACE", 8),
        Column::new("RUN", 1).cut_to(14, 36),
    ]);
    for line in lines {
        table.row(row(line));
    }
    table
}

fn row(line: &HistoryLine) -> Vec<Cell> {
    let tone = Tone::of_state(&line.state);
    vec![
        Cell::new(tick(line.scheduled_us)),
        Cell::new(&line.job),
        Cell::new(&line.state).tone(tone),
        Cell::maybe(why(line)).tone(match &line.outcome {
            Some(outcome) if !is_last(line) => Tone::of_state(outcome),
            _ => tone,
        }),
        Cell::maybe(line.attempt.map(|attempt| match line.attempts {
            1 => "1".to_owned(),
            all => format!("{attempt}/{all}"),
        })),
        Cell::maybe(line.http_status.map(|status| status.to_string())),
        Cell::maybe(line.duration_ms.map(moment::took)),
        Cell::maybe(line.cost_ms.map(moment::took)),
        Cell::new(&line.trigger),
        Cell::maybe(message(line)),
        Cell::maybe(line.trace_id.as_ref()),
        Cell::new(&line.run_id),
    ]
}

fn is_last(line: &HistoryLine) -> bool {
    line.attempt.is_none_or(|attempt| attempt == line.attempts)
}

/// Why the run is in its state, of its last attempt; what came of it, of an earlier one. Where the
/// run ended for another cause than its last attempt's outcome, both.
fn why(line: &HistoryLine) -> Option<String> {
    let outcome = line
        .outcome
        .as_deref()
        .filter(|outcome| *outcome != "success");
    if !is_last(line) {
        return outcome.map(str::to_owned);
    }
    match (line.reason.as_deref(), outcome) {
        (Some(reason), Some(outcome)) if reason != outcome && outcome != "unknown" => {
            Some(format!("{reason} ({outcome})"))
        }
        (Some(reason), _) => Some(reason.to_owned()),
        (None, outcome) => outcome.map(str::to_owned),
    }
}

/// The engine's reason and the message, of what did not succeed.
fn message(line: &HistoryLine) -> Option<String> {
    let is_success = line.outcome.as_deref() == Some("success");
    let parts = [line.engine_reason.as_deref(), line.message.as_deref()];
    let said: Vec<&str> = parts
        .into_iter()
        .flatten()
        .filter(|text| !text.is_empty())
        .collect();
    (!is_success && !said.is_empty()).then(|| said.join(": "))
}

/// A tick in a table: to the second, since that is what ticks have.
fn tick(us: i64) -> String {
    Timestamp::from_microsecond(us).map_or_else(
        |_| moment::shown_us(us),
        |at| at.strftime("%Y-%m-%d %H:%M:%S").to_string(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(
        state: &str,
        reason: Option<&str>,
        attempt: i64,
        attempts: i64,
        outcome: Option<&str>,
    ) -> HistoryLine {
        HistoryLine {
            run_id: "0199e3b2-7c1f-7a3b-8def-0123456789ab".into(),
            job: "nightly".into(),
            trigger: "schedule".into(),
            scheduled_us: 1_795_514_400_000_000,
            state: state.into(),
            reason: reason.map(Into::into),
            attempt: (attempt > 0).then_some(attempt),
            attempts,
            http_status: None,
            trace_id: None,
            cost_ms: None,
            duration_ms: None,
            outcome: outcome.map(Into::into),
            engine_reason: None,
            message: None,
        }
    }

    #[test]
    fn an_earlier_attempt_says_what_came_of_it_and_the_last_one_why_the_run_ended() {
        for (line, said) in [
            (
                line("success", None, 1, 2, Some("throttled")),
                Some("throttled"),
            ),
            (line("success", None, 2, 2, Some("success")), None),
            (
                line("failed", Some("func_failed"), 1, 1, Some("func_failed")),
                Some("func_failed"),
            ),
            (
                line("failed", Some("deadline"), 2, 2, Some("network_error")),
                Some("deadline (network_error)"),
            ),
            (
                line("unknown", Some("no_reply"), 1, 1, Some("unknown")),
                Some("no_reply"),
            ),
            (
                line("waiting", Some("retry"), 1, 1, Some("throttled")),
                Some("retry (throttled)"),
            ),
            (line("running", None, 1, 1, None), None),
            (
                line("missed", Some("daemon_down"), 0, 0, None),
                Some("daemon_down"),
            ),
        ] {
            assert_eq!(why(&line).as_deref(), said, "{line:?}");
        }
    }

    #[test]
    fn sixty_columns_hold_when_what_how_it_went_and_why_and_eighty_also_which_run() {
        let mut failed = line("failed", Some("func_failed"), 1, 1, Some("func_failed"));
        failed.job = "a-job-with-quite-a-long-name".into();
        failed.message = Some("数据库连接失败：请检查配置 and more".into());
        let mut missed = line("cancelled", Some("ledger_unavailable"), 0, 0, None);
        missed.job = "一个名字".into();
        let table = table(&[failed, missed]);
        let common = [
            "2026-11-24 10:00:00",
            "a-job-wit",
            "failed",
            "func_failed",
            "ledger_unavai",
            "一个名字",
        ];
        for (width, more) in [
            (60, ""),
            (80, "0199e3b2-7c1f"),
            (120, "0199e3b2-7c1f-7a3b-8def-0123456789ab"),
        ] {
            let text = table.render(Some(width), false);
            for word in common.iter().chain([&more]) {
                assert!(text.contains(word), "{width}: {word} in\n{text}");
            }
            for line in text.lines() {
                assert!(
                    crate::cli::terminal::width(line) <= width.into(),
                    "{width}: {line}"
                );
            }
        }
    }
}
