//! What a request's body says, as the command it stands for.

use jiff::Timestamp;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::config;
use crate::domain::job::JobName;
use crate::domain::workspace::WorkspaceName;
use crate::engine::{BackfillOrder, Command, PauseOrder, ResumeOrder, Selection, TriggerOrder};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Trigger {
    job: String,
    /// By name; the values as JSON.
    #[serde(default)]
    kwargs: serde_json::Map<String, serde_json::Value>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Pause {
    job: Option<String>,
    workspace: Option<String>,
    #[serde(default)]
    all: bool,
    reason: Option<String>,
    until: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Resume {
    job: Option<String>,
    workspace: Option<String>,
    #[serde(default)]
    all: bool,
    reason: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Run {
    run: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Resolve {
    run: String,
    #[serde(rename = "as")]
    found: Found,
    note: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Found {
    Success,
    Failed,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Backfill {
    job: String,
    from: String,
    to: String,
    #[serde(default)]
    all: bool,
    #[serde(default)]
    dry_run: bool,
}

fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, String> {
    serde_json::from_slice(body).map_err(|error| format!("the request's body: {error}"))
}

fn job(name: &str) -> Result<JobName, String> {
    JobName::parse(name)
        .ok_or_else(|| format!("`{name}` is no name of a job: those are of [a-z0-9._-]"))
}

/// To the ledger's resolution.
fn instant(text: &str) -> Result<Timestamp, String> {
    let at: Timestamp = text
        .parse()
        .map_err(|error| format!("`{text}` is no instant of RFC 3339: {error}"))?;
    Ok(Timestamp::from_microsecond(at.as_microsecond()).unwrap_or(at))
}

fn selection(name: Option<&str>, workspace: Option<&str>, all: bool) -> Result<Selection, String> {
    match (name, workspace, all) {
        (Some(name), None, false) => job(name).map(Selection::Job),
        (None, Some(name), false) => Ok(Selection::Workspace(WorkspaceName(name.into()))),
        (None, None, true) => Ok(Selection::All),
        _ => Err("name exactly one of `job`, `workspace` and `all`".to_owned()),
    }
}

pub(super) fn trigger(body: &[u8]) -> Result<Command, String> {
    let trigger: Trigger = read(body)?;
    let kwargs = trigger.kwargs.into_iter().map(|(name, value)| {
        let value = config::json_value(&value.to_string()).map_err(|error| error.to_string())?;
        Ok((name, value))
    });
    Ok(Command::Trigger(TriggerOrder {
        job: job(&trigger.job)?,
        kwargs: kwargs.collect::<Result<_, String>>()?,
    }))
}

pub(super) fn pause(body: &[u8]) -> Result<Command, String> {
    let pause: Pause = read(body)?;
    Ok(Command::Pause(PauseOrder {
        jobs: selection(pause.job.as_deref(), pause.workspace.as_deref(), pause.all)?,
        reason: pause.reason,
        until: pause.until.as_deref().map(instant).transpose()?,
    }))
}

pub(super) fn resume(body: &[u8]) -> Result<Command, String> {
    let resume: Resume = read(body)?;
    Ok(Command::Resume(ResumeOrder {
        jobs: selection(
            resume.job.as_deref(),
            resume.workspace.as_deref(),
            resume.all,
        )?,
        reason: resume.reason,
    }))
}

pub(super) fn backfill(body: &[u8]) -> Result<Command, String> {
    let backfill: Backfill = read(body)?;
    Ok(Command::Backfill(BackfillOrder {
        job: job(&backfill.job)?,
        from: instant(&backfill.from)?,
        until: instant(&backfill.to)?,
        every: backfill.all,
        dry_run: backfill.dry_run,
    }))
}

/// The run's id as it was given.
pub(super) fn run(body: &[u8]) -> Result<String, String> {
    read(body).map(|run: Run| run.run)
}

/// The run's id as it was given, whether it succeeded, and how that is known.
pub(super) fn resolve(body: &[u8]) -> Result<(String, bool, String), String> {
    let resolve: Resolve = read(body)?;
    if resolve.note.trim().is_empty() {
        return Err("a note says how it is known; write one".to_owned());
    }
    let succeeded = matches!(resolve.found, Found::Success);
    Ok((resolve.run, succeeded, resolve.note))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_selection_is_exactly_one() {
        let is = |text: &str, wanted: Result<Selection, ()>| {
            let found = match resume(text.as_bytes()) {
                Ok(Command::Resume(order)) => Ok(order.jobs),
                _ => Err(()),
            };
            assert_eq!(found, wanted, "{text}");
        };
        is(r#"{"all":true}"#, Ok(Selection::All));
        is(
            r#"{"workspace":"prod"}"#,
            Ok(Selection::Workspace(WorkspaceName("prod".into()))),
        );
        for wrong in [
            "",
            "{}",
            r#"{"all":false}"#,
            r#"{"job":"A"}"#,
            r#"{"job":"a","all":true}"#,
            r#"{"jobs":"a"}"#,
        ] {
            is(wrong, Err(()));
        }
    }

    #[test]
    fn instants_are_cut_to_what_the_ledger_keeps() {
        let body = br#"{"job":"a","from":"2026-05-01T00:00:00.1234567Z","to":"2026-05-01T08:00:00+08:00"}"#;
        let Ok(Command::Backfill(order)) = backfill(body) else {
            panic!("it is a backfill");
        };
        assert_eq!(order.from.subsec_nanosecond(), 123_456_000);
        assert_eq!(order.until.to_string(), "2026-05-01T00:00:00Z");
        assert!(!order.every && !order.dry_run);
    }
}
