//! `funcron validate`: everything that is wrong with a configuration, in one go; and where nothing
//! is, each job with its next three fires, for a look at whether they are the ones that were meant, and
//! the minutes of the next 31 days that do not fit into the quota.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::exit::{Exit, Failure};
use super::global::Global;
use super::jobs;
use super::moment::{self, shown};
use super::output::{Format, Printer, counted};
use super::proof;
use super::table::{Cell, Column, Table};
use crate::clock::Clock;
use crate::config::{self, ConfigErrors, Diagnostic, Severity, Unresolved};
use crate::domain::job::Job;

/// Fires of each job that are shown.
const FIRES: usize = 3;

/// The keys of a record, in their order.
const KEYS: [&str; 4] = ["job", "enabled", "timezone", "next"];

/// The arguments of `validate`.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Let warnings fail too, and secrets that cannot be read here
    #[arg(long)]
    strict: bool,
}

/// Checks the configuration.
pub(super) fn execute(arguments: &Arguments, global: &Global) -> Result<Exit, Failure> {
    let file = global.config_file()?;
    let mut printer = global.printer();
    let loaded = match config::load(&file) {
        Ok(loaded) => loaded,
        Err(errors) => return refused(&errors, &mut printer),
    };
    let now = Clock::system().now();
    let mut warnings = loaded.warnings.clone();
    warnings.extend(loaded.exhausted(now));
    warnings.extend(loaded.uncovered(now));
    let proofs = proof::prove(&loaded.config, now);
    warnings.extend(proof::warnings(&proofs, &file));
    let severity = if arguments.strict { "error" } else { "warning" };
    let unresolved = unresolved(&loaded.config);
    let missing = unresolved.iter().map(|secret| missing(secret, &file));
    warnings.extend(missing);
    for words in warnings.iter().map(|warning| warned(warning, severity)) {
        match arguments.strict {
            true => printer.complain(&words),
            false => printer.note(&words),
        }
    }
    for note in proof::notes(&proofs) {
        printer.note(&note);
    }
    let is_ok = !arguments.strict || warnings.is_empty();
    let quota = proof::data(&proofs);
    print(
        &loaded.config.jobs,
        &warnings,
        quota,
        is_ok,
        now,
        &mut printer,
    )?;
    printer.flush()?;
    printer.note(&summary(&loaded, warnings.len(), severity));
    Ok(if is_ok { Exit::Done } else { Exit::Usage })
}

fn refused(errors: &ConfigErrors, printer: &mut Printer) -> Result<Exit, Failure> {
    for warning in &errors.warnings {
        printer.note(&warned(warning, "warning"));
    }
    printer.complain(&errors.to_string());
    if printer.format() == Format::Json {
        let told = errors.errors.iter().chain(&errors.warnings).map(diagnostic);
        let told: Vec<Value> = told.collect();
        printer.document(&json!({ "ok": false, "diagnostics": told, "jobs": [] }))?;
    }
    printer.flush()?;
    Ok(Exit::Usage)
}

/// Secrets that cannot be had here, each once: a variable that fifty jobs want is one thing to set.
fn unresolved(config: &config::Config) -> Vec<Unresolved> {
    let mut told: Vec<Unresolved> = config::resolve(config).err().unwrap_or_default();
    let mut seen = BTreeSet::new();
    told.retain(|secret| seen.insert(secret.source.clone()));
    told
}

/// A secret that cannot be had here, as a warning of the file as a whole: a reference is read long
/// after the file, and has no place in it any more.
fn missing(secret: &Unresolved, file: &Path) -> Diagnostic {
    Diagnostic {
        file: file.to_owned(),
        line: 0,
        column: 0,
        path: secret.path.clone(),
        message: format!("{}: {}", secret.source, secret.message),
        hint: Some(secret.hint.clone()),
        severity: Severity::Warning,
    }
}

fn print(
    jobs: &[Arc<Job>],
    warnings: &[Diagnostic],
    quota: Value,
    is_ok: bool,
    now: Timestamp,
    printer: &mut Printer,
) -> Result<(), Failure> {
    let records = jobs.iter().map(|job| record(job, now));
    match printer.format() {
        Format::Table if jobs.is_empty() => Ok(()),
        Format::Table => printer.table(&table(jobs, now)),
        Format::Json => {
            let told: Vec<Value> = warnings.iter().map(diagnostic).collect();
            let jobs: Vec<Value> = records.collect();
            printer.document(
                &json!({ "ok": is_ok, "diagnostics": told, "quota": quota, "jobs": jobs }),
            )
        }
        Format::Jsonl | Format::Csv => printer.all_records(&KEYS, records),
    }?;
    Ok(())
}

/// `file:line:col: warning: path: what; what to do`: editors find the place, people the weight.
fn warned(diagnostic: &Diagnostic, severity: &str) -> String {
    let text = diagnostic.to_string();
    let place = if diagnostic.line > 0 {
        format!(
            "{}:{}:{}: ",
            diagnostic.file.display(),
            diagnostic.line,
            diagnostic.column
        )
    } else {
        format!("{}: ", diagnostic.file.display())
    };
    match text.strip_prefix(&place) {
        Some(rest) => format!("{place}{severity}: {rest}"),
        None => format!("{severity}: {text}"),
    }
}

fn summary(loaded: &config::Loaded, faults: usize, severity: &str) -> String {
    let mut summary = counted(loaded.config.jobs.len() as u64, "job");
    let disabled = loaded.config.jobs.iter().filter(|job| !job.enabled).count();
    if disabled > 0 {
        summary.push_str(&format!(", {disabled} of them disabled"));
    }
    match faults {
        0 => summary.push_str("; no errors, no warnings"),
        _ => summary.push_str(&format!("; {}", counted(faults as u64, severity))),
    }
    summary
}

/// The next fires of an enabled job.
fn fires(job: &Job, now: Timestamp) -> Vec<Timestamp> {
    let fires = job.enabled.then(|| jobs::fires(&job.schedule, now));
    fires.into_iter().flatten().take(FIRES).collect()
}

fn record(job: &Arc<Job>, now: Timestamp) -> Value {
    json!({
        "job": job.name.as_str(),
        "enabled": job.enabled,
        "timezone": job.schedule.timezone_name(),
        "next": fires(job, now).into_iter().map(shown).collect::<Vec<_>>(),
    })
}

fn diagnostic(told: &Diagnostic) -> Value {
    json!({
        "severity": match told.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        },
        "file": told.file.display().to_string(),
        "line": told.line,
        "column": told.column,
        "path": told.path,
        "message": told.message,
        "hint": told.hint,
    })
}

fn table(jobs: &[Arc<Job>], now: Timestamp) -> Table {
    let mut table = Table::new([
        Column::new("JOB", 0).cut_to(10, 24),
        Column::new("SCHEDULE", 1).cut_to(10, 20),
        Column::new("NEXT", 0),
        Column::new("THEN", 2),
        Column::new("AND THEN", 3),
        Column::new("ZONE", 4),
    ]);
    for job in jobs {
        let zone = job.schedule.timezone();
        let mut next = fires(job, now)
            .into_iter()
            .map(|at| moment::local(&at.to_zoned_datetime(zone.clone())));
        let first = next.next().unwrap_or_else(|| {
            let never = match (job.enabled, job.schedule.is_manual()) {
                (false, _) => "disabled",
                (true, true) => "when triggered",
                (true, false) => "never again",
            };
            never.to_owned()
        });
        table.row([
            Cell::new(job.name.as_str()),
            Cell::new(job.schedule.expressions().join(" | ")),
            Cell::new(first),
            Cell::maybe(next.next()),
            Cell::maybe(next.next()),
            Cell::new(job.schedule.timezone_name()),
        ]);
    }
    table
}
