//! `funcron audit verify`: recomputes every tick from the ledger alone, and names what is missing,
//! too much, or contradicts itself.

use clap::Subcommand;
use serde_json::json;

use super::exit::{Exit, Failure};
use super::global::Global;
use super::moment::shown;
use super::output::{Format, Printer, counted};
use super::terminal::{self, Tone};
use crate::audit::{self, Circumstances, Finding, Report};
use crate::store::audit::AuditReader;
use crate::store::{LedgerLock, Reader};

/// Findings of each list that a page for people shows.
const SHOWN: usize = 20;

/// The keys of a finding as a record, in their order.
const KEYS: [&str; 5] = ["list", "job", "scheduled_at", "run_id", "what"];

/// What to audit.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Recompute every tick and compare it with the ledger; exits 1 where they differ
    Verify,
}

/// Audits the ledger.
pub(super) async fn execute(command: Command, global: &Global) -> Result<Exit, Failure> {
    let Command::Verify = command;
    let path = global.ledger()?;
    // The reader says what is wrong with a file that is no ledger; the auditor expects one.
    Reader::open(&path).await?.close().await;
    let holder = LedgerLock::holder(&path);
    let zone_data = crate::config::zone_data();
    let circumstances = Circumstances {
        daemon_alive: holder.is_some(),
        zone_data_now: &zone_data,
    };
    let failed = |error: &dyn std::error::Error| Failure::because(Exit::Failed, error);
    let mut reader = AuditReader::open(&path)
        .await
        .map_err(|error| failed(&error))?;
    let report = audit::verify(&mut reader, circumstances)
        .await
        .map_err(|error| failed(&error))?;
    let mut printer = global.printer();
    match printer.format() {
        Format::Table => page(&report, &mut printer)?,
        Format::Json => printer.document(&report.to_json())?,
        Format::Jsonl | Format::Csv => findings(&report, &mut printer)?,
    }
    printer.flush()?;
    Ok(if report.is_ok() {
        Exit::Done
    } else {
        Exit::Failed
    })
}

/// The report for people: what was looked at, then each finding.
fn page(report: &Report, printer: &mut Printer) -> std::io::Result<()> {
    let span = report.span.map_or_else(
        || "no definition has ruled any time yet".to_owned(),
        |(from, until)| format!("from {} to {}", shown(from), shown(until)),
    );
    let looked_at = [
        counted(report.jobs, "job"),
        counted(report.ticks, "tick"),
        counted(report.runs, "run"),
        counted(report.attempts, "attempt"),
    ];
    printer.line(&format!("{}; {span}", looked_at.join(", ")))?;
    if let Some(before) = report.pruned_before {
        printer.line(&format!(
            "ticks before {} may have been pruned and were not looked for",
            shown(before)
        ))?;
    }
    for (name, findings) in report.lists() {
        if findings.total == 0 {
            continue;
        }
        let title = printer.paint(Tone::Bad, &format!("{name}: {}", findings.total));
        printer.line("")?;
        printer.line(&title)?;
        for finding in findings.first.iter().take(SHOWN) {
            printer.line(&format!("  {}", terminal::line(&told(finding))))?;
        }
        let shown = findings.first.len().min(SHOWN) as u64;
        if findings.total > shown {
            printer.line(&format!(
                "  … and {} more; -o json lists them",
                findings.total - shown
            ))?;
        }
    }
    let verdict = if report.is_ok() {
        printer.paint(Tone::Good, "ok: every tick is accounted for, once")
    } else {
        printer.paint(Tone::Bad, "not ok")
    };
    printer.line(&verdict)
}

/// A finding as a line: whose, when, which run, what.
fn told(finding: &Finding) -> String {
    let when = finding.scheduled_at.map(shown);
    let parts = [
        finding.job.as_deref(),
        when.as_deref(),
        finding.run_id.as_deref(),
    ];
    let place: Vec<&str> = parts.into_iter().flatten().collect();
    format!("{}  {}", place.join("  "), finding.what)
}

/// Every finding as a record.
fn findings(report: &Report, printer: &mut Printer) -> std::io::Result<()> {
    let mut records = printer.records(&KEYS)?;
    for (name, findings) in report.lists() {
        for finding in &findings.first {
            records.add(&json!({
                "list": name,
                "job": finding.job,
                "scheduled_at": finding.scheduled_at.map(shown),
                "run_id": finding.run_id,
                "what": finding.what,
            }))?;
        }
    }
    records.end()
}
