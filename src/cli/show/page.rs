//! A run as a page for people: what it was, then each attempt with what decided its verdict, what
//! was sent and what came back.

use std::io;

use super::{is_cut, milliseconds};
use crate::cli::moment::{shown_us, took};
use crate::cli::output::Printer;
use crate::cli::reindent::reindent;
use crate::cli::terminal::{self, Tone};
use crate::domain::attempt::StoredBody;
use crate::store::{AttemptDetail, RunDetail, RunEvent};

/// Width of the names before the values.
const NAMES: usize = 12;

/// Prints the page; with `is_verbose` the definition too.
pub(super) fn print(run: &RunDetail, printer: &mut Printer, is_verbose: bool) -> io::Result<()> {
    let mut page = Page { printer };
    page.run(run)?;
    if is_verbose && let Some(definition) = &run.definition {
        page.line("definition")?;
        page.block(definition)?;
    }
    for attempt in &run.attempts {
        page.attempt(attempt, run.attempts.len())?;
    }
    Ok(())
}

struct Page<'p> {
    printer: &'p mut Printer,
}

impl Page<'_> {
    fn run(&mut self, run: &RunDetail) -> io::Result<()> {
        let state = match &run.reason {
            Some(reason) => format!("{}: {reason}", run.state),
            None => run.state.clone(),
        };
        self.value("run", &run.id)?;
        self.toned("job", Tone::Strong, &run.job)?;
        self.toned("state", Tone::of_state(&run.state), &state)?;
        self.value(
            "tick",
            &format!("{} ({})", shown_us(run.scheduled_us), run.trigger),
        )?;
        if run.due_us != run.scheduled_us {
            self.value("due", &shown_us(run.due_us))?;
        }
        self.value("planned", &shown_us(run.created_us))?;
        if let Some(at) = run.not_before_us {
            self.value("waits until", &shown_us(at))?;
        }
        if let Some(at) = run.finished_us {
            self.value("ended", &shown_us(at))?;
        }
        self.value(
            "function",
            &format!("{} in workspace {}", run.func_id, run.workspace),
        )?;
        self.value("definition", &run.definition_hash)?;
        self.given(run)?;
        for event in &run.events {
            self.event(event)?;
        }
        if run.attempts.is_empty() {
            self.value("attempts", "none: nothing was sent")?;
        }
        Ok(())
    }

    /// What a person gave to a run that was started by hand.
    fn given(&mut self, run: &RunDetail) -> io::Result<()> {
        for (name, value) in [
            ("kwargs", &run.kwargs),
            ("replay of", &run.replay_of),
            ("backfill", &run.backfill),
        ] {
            if let Some(value) = value {
                self.value(name, value)?;
            }
        }
        Ok(())
    }

    fn event(&mut self, event: &RunEvent) -> io::Result<()> {
        let words = format!(
            "{} by {} {}",
            shown_us(event.at_us),
            event.actor,
            event.detail
        );
        self.value(&event.kind, words.trim_end_matches(" {}"))
    }

    fn attempt(&mut self, attempt: &AttemptDetail, of: usize) -> io::Result<()> {
        let (outcome, tone) = match (&attempt.outcome, &attempt.unknown_reason) {
            (Some(outcome), Some(reason)) => {
                (format!("{outcome}: {reason}"), Tone::of_state(outcome))
            }
            (Some(outcome), None) => (outcome.clone(), Tone::of_state(outcome)),
            (None, _) => ("under way".to_owned(), Tone::Open),
        };
        let title = format!("Attempt {} of {of}", attempt.attempt);
        let title = self.printer.paint(Tone::Strong, &title);
        let outcome = self.printer.paint(tone, &terminal::line(&outcome));
        self.line("")?;
        self.line(&format!("{title}  {outcome}"))?;
        if let Some(decided_by) = &attempt.decided_by {
            self.toned("decided by", Tone::Strong, decided_by)?;
        }
        self.call(attempt)?;
        self.reply(attempt)?;
        self.body("request", Some(&attempt.request))?;
        self.body("reply", attempt.response.as_ref())
    }

    fn call(&mut self, attempt: &AttemptDetail) -> io::Result<()> {
        let sent = match (attempt.written_us, attempt.finished_us) {
            (Some(at), _) => shown_us(at),
            (None, None) => format!("opened {}", shown_us(attempt.opened_us)),
            (None, Some(_)) => format!(
                "opened {}; whether it was sent is not known",
                shown_us(attempt.opened_us)
            ),
        };
        self.value("sent", &sent)?;
        self.value(
            "to",
            &format!("{} with key {}", attempt.origin, attempt.key_id),
        )?;
        if let Some(at) = attempt.finished_us {
            self.value("ended", &shown_us(at))?;
        }
        let duration = attempt.duration_us.map(milliseconds).map(took);
        match (duration, attempt.cost_ms.map(took)) {
            (Some(duration), Some(cost)) => {
                self.value("took", &format!("{duration}, of which the engine {cost}"))
            }
            (Some(duration), None) => self.value("took", &duration),
            (None, Some(cost)) => self.value("cost", &cost),
            (None, None) => Ok(()),
        }
    }

    fn reply(&mut self, attempt: &AttemptDetail) -> io::Result<()> {
        let engine = match (&attempt.engine_reason, &attempt.engine_error) {
            (Some(reason), Some(error)) => Some(format!("{reason} (error {error})")),
            (reason, error) => reason.clone().or_else(|| error.clone()),
        };
        let is_other = attempt.func_trace_id != attempt.trace_id;
        for (name, value) in [
            ("http", attempt.http_status.map(|status| status.to_string())),
            (
                "error code",
                attempt.error_code.clone().filter(|code| !code.is_empty()),
            ),
            ("engine", engine),
            (
                "message",
                attempt
                    .message
                    .clone()
                    .filter(|message| !message.is_empty()),
            ),
            ("trace", attempt.trace_id.clone()),
            (
                "func trace",
                attempt.func_trace_id.clone().filter(|_| is_other),
            ),
            ("task", attempt.task_id.clone()),
        ] {
            if let Some(value) = value {
                self.value(name, &value)?;
            }
        }
        Ok(())
    }

    fn body(&mut self, name: &str, body: Option<&StoredBody>) -> io::Result<()> {
        let Some(body) = body else {
            return self.value(name, "none");
        };
        let size = if body.is_pruned() {
            format!(
                "{} bytes, deleted by `retention.bodies`; SHA-256 {}",
                body.bytes, body.sha256
            )
        } else if is_cut(body) {
            format!(
                "{} bytes, of which the ledger keeps the first {}; SHA-256 of the whole {}",
                body.bytes,
                body.text.len(),
                body.sha256
            )
        } else {
            format!("{} bytes", body.bytes)
        };
        self.value(name, &size)?;
        self.block(&body.text)
    }

    /// A text of several lines, indented; its JSON, if it is some, by its structure.
    fn block(&mut self, text: &str) -> io::Result<()> {
        for line in terminal::lines(&reindent(text)).lines() {
            self.line(&format!("    {line}"))?;
        }
        Ok(())
    }

    fn value(&mut self, name: &str, value: &str) -> io::Result<()> {
        self.toned(name, Tone::Plain, value)
    }

    fn toned(&mut self, name: &str, tone: Tone, value: &str) -> io::Result<()> {
        let name = self.printer.paint(Tone::Quiet, &format!("{name:NAMES$}"));
        let value = self.printer.paint(tone, &terminal::line(value));
        self.line(&format!("{name}{value}"))
    }

    fn line(&mut self, line: &str) -> io::Result<()> {
        self.printer.line(line)
    }
}
