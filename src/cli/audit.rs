//! `funcron audit verify`: recomputes every tick from the ledger alone, and names what is missing,
//! too much, or contradicts itself.

use std::path::Path;

use clap::Subcommand;
use serde_json::json;

use super::exit::{Exit, Failure};
use super::global::Global;
use super::moment::shown;
use super::output::{Format, Printer, counted};
use super::terminal::{self, Tone};
use crate::audit::{self, Circumstances, Finding, List, Report};
use crate::store::audit::{AuditReader, ReadError};
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
    let is_held = || LedgerLock::holder(&path).is_some();
    let (mut reader, daemon_alive) = snapshot(&path, is_held)
        .await
        .map_err(|error| failed(&error))?;
    let zone_data = crate::config::zone_data();
    let circumstances = Circumstances {
        daemon_alive,
        zone_data_now: &zone_data,
    };
    let mut printer = global.printer();
    let report = match printer.format() {
        Format::Table | Format::Json => audit::verify(&mut reader, circumstances)
            .await
            .map_err(|error| failed(&error))?,
        Format::Jsonl | Format::Csv => records(&mut reader, circumstances, &mut printer).await?,
    };
    match printer.format() {
        Format::Table => page(&report, &mut printer)?,
        Format::Json => printer.document(&report.to_json())?,
        Format::Jsonl | Format::Csv => {}
    }
    printer.flush()?;
    Ok(if report.is_ok() {
        Exit::Done
    } else {
        Exit::Failed
    })
}

fn failed(error: &dyn std::error::Error) -> Failure {
    Failure::because(Exit::Failed, error)
}

/// The ledger as it stands at one moment, and whether a daemon had it then. That is looked at before
/// and after the moment: a daemon that stops or starts in between may have a run under way in what is
/// read, and only its life explains it.
async fn snapshot(
    path: &Path,
    is_held: impl Fn() -> bool,
) -> Result<(AuditReader, bool), ReadError> {
    let before = is_held();
    let reader = AuditReader::open(path).await?;
    Ok((reader, before || is_held()))
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
    printer.line(&looked_at.join(", "))?;
    printer.line(&span)?;
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
                "  … and {} more; -o jsonl lists them all",
                findings.total - shown
            ))?;
        }
    }
    let unplanned = report.unplanned_spans;
    if unplanned > 0 {
        let (spans, are) = (
            counted(unplanned, "span"),
            if unplanned == 1 { "is" } else { "are" },
        );
        let words =
            format!("{spans} {are} still to be planned; ticks in there were not looked for");
        printer.line("")?;
        printer.line(&printer.paint(Tone::Doubtful, &words))?;
    }
    let verdict = match (report.is_ok(), unplanned) {
        (true, 0) => printer.paint(Tone::Good, "ok: every tick is accounted for, once"),
        (true, _) => printer.paint(Tone::Good, "ok: every planned tick is accounted for, once"),
        (false, _) => printer.paint(Tone::Bad, "not ok"),
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

/// Prints every finding as a record, as it is made: they are as many as the ledger has faults.
async fn records(
    reader: &mut AuditReader,
    circumstances: Circumstances<'_>,
    printer: &mut Printer,
) -> Result<Report, Failure> {
    let mut records = printer.records(&KEYS)?;
    let mut printed = Ok(());
    let mut print = |list: List, finding: &Finding| {
        if printed.is_ok() {
            printed = records.add(&json!({
                "list": list.as_str(),
                "job": finding.job,
                "scheduled_at": finding.scheduled_at.map(shown),
                "run_id": finding.run_id,
                "what": finding.what,
            }));
        }
    };
    let report = audit::verify_aloud(reader, circumstances, &mut print)
        .await
        .map_err(|error| failed(&error))?;
    printed?;
    records.end()?;
    Ok(report)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;
    use std::cell::Cell;

    #[tokio::test]
    async fn a_daemon_that_comes_or_goes_around_the_snapshot_counts_as_there() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("funcron.db");
        for (before, after) in [(false, false), (false, true), (true, false)] {
            std::fs::write(&path, "").unwrap();
            let looks = Cell::new(0);
            let is_held = || {
                looks.set(looks.get() + 1);
                if looks.get() == 1 { before } else { after }
            };
            let (_, alive) = snapshot(&path, is_held).await.unwrap();
            assert_eq!(alive, before || after, "{before} {after}");
        }
        // The second look comes after the snapshot: without one there is none.
        std::fs::remove_file(&path).unwrap();
        let looks = Cell::new(0);
        let is_held = || {
            looks.set(looks.get() + 1);
            false
        };
        assert!(snapshot(&path, is_held).await.is_err());
        assert_eq!(looks.get(), 1);
    }
}
