//! `funcron show`: one run whole, found by its id or by any id of its replies.
//!
//! For people a page ([`page`]); for machines one object with `attempts`. Where several runs match,
//! they are listed: as a table, or as one object with `matches`.

mod page;

use serde_json::{Value, json};

use super::exit::{Exit, Failure};
use super::global::Global;
use super::moment::shown_us;
use super::output::{Format, Printer};
use super::table::{Cell, Column, Table, uncut};
use super::terminal::Tone;
use crate::domain::attempt::StoredBody;
use crate::store::{AttemptDetail, FoundRun, MATCHES, RunDetail, RunEvent};

/// The arguments of `show`.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// A run's id or its first 8 digits or more; a traceId of the envelope or of the function; or a
    /// task's id
    #[arg(value_name = "RUN_ID|TRACE_ID", value_parser = uncut)]
    id: String,
}

/// The keys of a match, in their order.
const MATCH: [&str; 6] = [
    "run_id",
    "job",
    "trigger",
    "scheduled_at",
    "state",
    "reason",
];

/// Prints the run, or the runs that match.
pub(super) async fn execute(arguments: &Arguments, global: &Global) -> Result<Exit, Failure> {
    let reader = global.reader().await?;
    let mut printer = global.printer();
    let found = reader.find(&arguments.id).await?;
    match found.as_slice() {
        [] => return Err(none(&arguments.id)),
        [one] => {
            let run = reader.run(&one.run_id).await?;
            let run = run.ok_or_else(|| none(&arguments.id))?;
            one_run(&run, &mut printer, global.verbose > 0)?;
        }
        several => matches(several, &mut printer)?,
    }
    printer.flush()?;
    Ok(Exit::Done)
}

fn none(id: &str) -> Failure {
    let message = format!("no run has the id `{id}`, and no reply");
    Failure::new(Exit::NotFound, message)
        .hint("give a run's id or its first 8 digits or more, or a whole traceId; `funcron history` lists them")
}

fn one_run(run: &RunDetail, printer: &mut Printer, is_verbose: bool) -> Result<(), Failure> {
    match printer.format() {
        Format::Table => page::print(run, printer, is_verbose)?,
        Format::Json | Format::Jsonl | Format::Csv => printer.one_record(&object(run))?,
    }
    Ok(())
}

fn matches(found: &[FoundRun], printer: &mut Printer) -> Result<(), Failure> {
    let object = |run: &FoundRun| {
        json!({
            "run_id": run.run_id,
            "job": run.job,
            "trigger": run.trigger,
            "scheduled_at": shown_us(run.scheduled_us),
            "state": run.state,
            "reason": run.reason,
        })
    };
    match printer.format() {
        Format::Table => {
            let mut table = Table::new([
                Column::new("RUN", 0),
                Column::new("JOB", 1).cut_to(10, 24),
                Column::new("TICK", 2),
                Column::new("STATE", 1),
                Column::new("WHY", 1).cut_to(14, 24),
                Column::new("TRIGGER", 4),
            ]);
            for run in found {
                let tone = Tone::of_state(&run.state);
                table.row([
                    Cell::new(&run.run_id),
                    Cell::new(&run.job),
                    Cell::new(shown_us(run.scheduled_us)),
                    Cell::new(&run.state).tone(tone),
                    Cell::maybe(run.reason.as_ref()).tone(tone),
                    Cell::new(&run.trigger),
                ]);
            }
            printer.table(&table)?;
        }
        Format::Json => {
            let found: Vec<Value> = found.iter().map(object).collect();
            printer.document(&json!({ "matches": found }))?;
        }
        Format::Jsonl | Format::Csv => printer.all_records(&MATCH, found.iter().map(object))?,
    }
    let count = match found.len() {
        many if many == MATCHES as usize => format!("{many} runs match, and perhaps more"),
        many => format!("{many} runs match"),
    };
    printer.note(&format!("{count}; show one by its run id"));
    Ok(())
}

/// The run as `-o json` prints it.
fn object(run: &RunDetail) -> Value {
    let attempts: Vec<Value> = run.attempts.iter().map(attempt).collect();
    let definition = run.definition.as_deref();
    json!({
        "run_id": run.id,
        "job": run.job,
        "trigger": run.trigger,
        "scheduled_at": shown_us(run.scheduled_us),
        "due_at": shown_us(run.due_us),
        "state": run.state,
        "reason": run.reason,
        "created_at": shown_us(run.created_us),
        "not_before": run.not_before_us.map(shown_us),
        "opened_at": run.opened_us.map(shown_us),
        "finished_at": run.finished_us.map(shown_us),
        "workspace": run.workspace,
        "func_id": run.func_id,
        "kwargs": run.kwargs.as_deref().map(json_or_text),
        "replay_of": run.replay_of,
        "backfill": run.backfill,
        "definition_hash": run.definition_hash,
        "definition": definition.map(json_or_text),
        "attempts": attempts,
        "events": run.events.iter().map(event).collect::<Vec<Value>>(),
    })
}

/// What somebody did to the run.
fn event(event: &RunEvent) -> Value {
    json!({
        "at": shown_us(event.at_us),
        "kind": event.kind,
        "actor": event.actor,
        "detail": json_or_text(&event.detail),
    })
}

/// A text of the ledger that should be JSON.
fn json_or_text(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|_| Value::from(text))
}

/// An attempt: the columns of `executions` under their names, and what only `show` tells.
fn attempt(attempt: &AttemptDetail) -> Value {
    let text = |body: &StoredBody| (!body.is_pruned()).then(|| body.text.clone());
    let body = |body: &StoredBody| json!({ "bytes": body.bytes, "sha256": body.sha256, "truncated": is_cut(body) });
    json!({
        "attempt": attempt.attempt,
        "opened_at": shown_us(attempt.opened_us),
        "sent_at": shown_us(attempt.written_us.unwrap_or(attempt.opened_us)),
        "written_at": attempt.written_us.map(shown_us),
        "finished_at": attempt.finished_us.map(shown_us),
        "workspace": attempt.workspace,
        "origin": attempt.origin,
        "key_id": attempt.key_id,
        "func_id": attempt.func_id,
        "request": text(&attempt.request),
        "request_body": body(&attempt.request),
        "http_status": attempt.http_status,
        "response": attempt.response.as_ref().and_then(text),
        "response_body": attempt.response.as_ref().map(body),
        "trace_id": attempt.trace_id,
        "func_trace_id": attempt.func_trace_id,
        "task_id": attempt.task_id,
        "cost_ms": attempt.cost_ms,
        "duration_ms": attempt.duration_us.map(milliseconds),
        "outcome": attempt.outcome,
        "unknown_reason": attempt.unknown_reason,
        "decided_by": attempt.decided_by,
        "error_code": attempt.error_code,
        "engine_reason": attempt.engine_reason,
        "engine_error": attempt.engine_error,
        "message": attempt.message,
    })
}

/// Rounded as the view rounds.
fn milliseconds(us: i64) -> i64 {
    us.saturating_add(500) / 1_000
}

/// Whether the ledger keeps only the head of a body.
fn is_cut(body: &StoredBody) -> bool {
    body.bytes > body.text.len() as u64
}
