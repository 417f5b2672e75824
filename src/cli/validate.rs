//! `funcron validate`: everything that is wrong with a configuration, in one go; and where nothing
//! is, each job with its next three fires, for a look at whether they are the ones that were meant.

use serde_json::{Value, json};

use super::exit::{Exit, Failure};
use super::global::Global;
use super::moment::{self, shown};
use super::output::{Format, Printer};
use super::table::{Cell, Column, Table};
use crate::clock::Clock;
use crate::config::{self, Diagnostic};
use crate::domain::job::Job;
use jiff::Timestamp;

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
        Err(refused) => {
            for warning in &refused.warnings {
                printer.note(&warned(warning, "warning"));
            }
            printer.complain(&refused.to_string());
            if printer.format() == Format::Json {
                let told = refused.errors.iter().chain(&refused.warnings).map(diagnostic);
                printer.document(&json!({ "ok": false, "diagnostics": told.collect::<Vec<_>>(), "jobs": [] }))?;
            }
            printer.flush()?;
            return Ok(Exit::Usage);
        }
    };
    let now = Clock::system().now();
    let mut warnings = loaded.warnings.clone();
    warnings.extend(loaded.exhausted(now));
    let severity = if arguments.strict { "error" } else { "warning" };
    for warning in &warnings {
        printer.complain(&warned(warning, severity));
    }
    let unresolved = config::resolve(&loaded.config).err().unwrap_or_default();
    for secret in &unresolved {
        printer.complain(&format!("{}: {severity}: {secret}", file.display()));
    }
    let is_ok = !arguments.strict || (warnings.is_empty() && unresolved.is_empty());
    print(&loaded.config.jobs, &warnings, is_ok, now, &mut printer)?;
    printer.flush()?;
    let faults = warnings.len() + unresolved.len();
    printer.note(&summary(&loaded, faults));
    Ok(if is_ok { Exit::Done } else { Exit::Usage })
}

fn print(
    jobs: &[std::sync::Arc<Job>],
    warnings: &[Diagnostic],
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
            printer.document(&json!({ "ok": is_ok, "diagnostics": told, "jobs": jobs }))
        }
        Format::Jsonl | Format::Csv => printer.all_records(&KEYS, records),
    }?;
    Ok(())
}

/// `file:line:col: warning: path: what; what to do`: editors find the place, people the weight.
fn warned(diagnostic: &Diagnostic, severity: &str) -> String {
    let text = diagnostic.to_string();
    let place = if diagnostic.line > 0 {
        format!("{}:{}:{}: ", diagnostic.file.display(), diagnostic.line, diagnostic.column)
    } else {
        format!("{}: ", diagnostic.file.display())
    };
    match text.strip_prefix(&place) {
        Some(rest) => format!("{place}{severity}: {rest}"),
        None => format!("{severity}: {text}"),
    }
}

fn summary(loaded: &config::Loaded, faults: usize) -> String {
    let jobs = loaded.config.jobs.len();
    let disabled = loaded.config.jobs.iter().filter(|job| !job.enabled).count();
    let mut summary = match jobs {
        1 => "1 job".to_owned(),
        _ => format!("{jobs} jobs"),
    };
    if disabled > 0 {
        summary.push_str(&format!(", {disabled} of them disabled"));
    }
    match faults {
        0 => summary.push_str("; no errors, no warnings"),
        1 => summary.push_str("; 1 warning"),
        _ => summary.push_str(&format!("; {faults} warnings")),
    }
    summary
}

fn ticks(job: &Job, now: Timestamp) -> Vec<Timestamp> {
    let next = |at: Timestamp| job.schedule.next_after(at).map(|tick| tick.at);
    if job.enabled {
        std::iter::successors(next(now), |at| next(*at)).take(FIRES).collect()
    } else {
        Vec::new()
    }
}

fn record(job: &std::sync::Arc<Job>, now: Timestamp) -> Value {
    json!({
        "job": job.name.as_str(),
        "enabled": job.enabled,
        "timezone": job.schedule.timezone_name(),
        "next": ticks(job, now).into_iter().map(shown).collect::<Vec<_>>(),
    })
}

fn diagnostic(told: &Diagnostic) -> Value {
    json!({
        "severity": match told.severity {
            config::Severity::Error => "error",
            config::Severity::Warning => "warning",
        },
        "file": told.file.display().to_string(),
        "line": told.line,
        "column": told.column,
        "path": told.path,
        "message": told.message,
        "hint": told.hint,
    })
}

fn table(jobs: &[std::sync::Arc<Job>], now: Timestamp) -> Table {
    let mut table = Table::new([
        Column::new("JOB", 0).down_to(12),
        Column::new("SCHEDULE", 2).down_to(12),
        Column::new("NEXT", 0),
        Column::new("THEN", 1),
        Column::new("AND THEN", 3),
        Column::new("ZONE", 4),
    ]);
    for job in jobs {
        let zone = job.schedule.timezone();
        let mut next = ticks(job, now).into_iter().map(|at| moment::local(&at.to_zoned(zone.clone())));
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
