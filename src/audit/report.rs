//! What the auditor looked at and what it found.

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::store::audit::AuditedRun;

/// How many findings of each list are kept; the others are counted.
pub const LISTED: usize = 1_000;

/// The result of an audit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Jobs with a definition, or with a run.
    pub jobs: u64,
    /// Ticks that must have a run.
    pub ticks: u64,
    /// Runs of every trigger.
    pub runs: u64,
    /// Attempts of these runs.
    pub attempts: u64,
    /// The time whose ticks were recomputed; `None` where no definition ruled any.
    pub span: Option<(Timestamp, Timestamp)>,
    /// The prune horizon: ticks before it may be gone, and were not looked for.
    pub pruned_before: Option<Timestamp>,
    /// Spans of the past that are still to be planned: what is due in them has no run yet, and is no
    /// hole.
    pub unplanned_spans: u64,
    /// Ticks that have no run.
    pub holes: Findings,
    /// Runs that say they have a tick, and have none.
    pub strays: Findings,
    /// Runs of a tick that has one already.
    pub doubles: Findings,
    /// Runs that are under way, though nobody is there to end them.
    pub unfinished: Findings,
    /// Rows that contradict each other.
    pub inconsistent: Findings,
}

/// The lists of findings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum List {
    /// [`Report::holes`]
    Holes,
    /// [`Report::strays`]
    Strays,
    /// [`Report::doubles`]
    Doubles,
    /// [`Report::unfinished`]
    Unfinished,
    /// [`Report::inconsistent`]
    Inconsistent,
}

impl List {
    /// As `-o json` spells it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Holes => "holes",
            Self::Strays => "strays",
            Self::Doubles => "doubles",
            Self::Unfinished => "unfinished",
            Self::Inconsistent => "inconsistent",
        }
    }
}

/// One list of findings.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Findings {
    /// How many there are.
    pub total: u64,
    /// The first of them, [`LISTED`] at most.
    pub first: Vec<Finding>,
}

/// Something that should not be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Whose; `None` where the row does not say.
    pub job: Option<String>,
    /// The tick, or the instant at which it came about.
    pub scheduled_at: Option<Timestamp>,
    /// The run.
    pub run_id: Option<String>,
    /// What is wrong, in words.
    pub what: String,
}

impl Finding {
    /// Of a run of `job`.
    pub(super) fn of_run(job: &str, run: &AuditedRun, what: String) -> Self {
        Self {
            job: Some(job.to_owned()),
            scheduled_at: Some(timestamp(run.scheduled_us)),
            run_id: Some(run.id.clone()),
            what,
        }
    }
}

/// Hears of every finding as it is made; a report keeps only the first of each list.
pub type Hear<'h> = dyn FnMut(List, &Finding) + Send + 'h;

/// A report in the making, and who hears of each finding.
pub(super) struct Noted<'h> {
    pub(super) report: Report,
    hear: Option<&'h mut Hear<'h>>,
}

impl<'h> Noted<'h> {
    pub(super) fn new(hear: Option<&'h mut Hear<'h>>) -> Self {
        let report = Report::default();
        Self { report, hear }
    }

    /// Counts a finding; it is put into words only where somebody will read them.
    pub(super) fn add(&mut self, list: List, finding: impl FnOnce() -> Finding) {
        let findings = self.report.list_mut(list);
        findings.total += 1;
        let is_kept = findings.first.len() < LISTED;
        if !is_kept && self.hear.is_none() {
            return;
        }
        let finding = finding();
        if let Some(hear) = &mut self.hear {
            hear(list, &finding);
        }
        if is_kept {
            findings.first.push(finding);
        }
    }
}

impl Findings {
    fn to_json(&self) -> Value {
        self.first.iter().map(Finding::to_json).collect()
    }
}

impl Finding {
    fn to_json(&self) -> Value {
        json!({
            "job": self.job,
            "scheduled_at": self.scheduled_at.map(shown),
            "run_id": self.run_id,
            "what": self.what,
        })
    }
}

impl Report {
    /// Whether nothing was found.
    pub fn is_ok(&self) -> bool {
        self.lists().iter().all(|(_, findings)| findings.total == 0)
    }

    /// Puts each list in the order of jobs and instants: they were found side by side.
    pub(super) fn sort(&mut self) {
        for findings in [
            &mut self.holes,
            &mut self.strays,
            &mut self.doubles,
            &mut self.unfinished,
            &mut self.inconsistent,
        ] {
            let key = |finding: &Finding| (finding.job.clone(), finding.scheduled_at);
            findings.first.sort_by_cached_key(key);
        }
    }

    /// Every list with its name, as `-o json` spells it.
    pub fn lists(&self) -> [(&'static str, &Findings); 5] {
        [
            (List::Holes.as_str(), &self.holes),
            (List::Strays.as_str(), &self.strays),
            (List::Doubles.as_str(), &self.doubles),
            (List::Unfinished.as_str(), &self.unfinished),
            (List::Inconsistent.as_str(), &self.inconsistent),
        ]
    }

    fn list_mut(&mut self, list: List) -> &mut Findings {
        match list {
            List::Holes => &mut self.holes,
            List::Strays => &mut self.strays,
            List::Doubles => &mut self.doubles,
            List::Unfinished => &mut self.unfinished,
            List::Inconsistent => &mut self.inconsistent,
        }
    }

    /// The object that `audit verify -o json` prints (contract, section 6): of each list the first
    /// [`LISTED`], and in `totals` how many there are.
    pub fn to_json(&self) -> Value {
        let mut object = json!({
            "ok": self.is_ok(),
            "jobs": self.jobs,
            "ticks": self.ticks,
            "runs": self.runs,
            "attempts": self.attempts,
            "from": self.span.map(|(from, _)| shown(from)),
            "until": self.span.map(|(_, until)| shown(until)),
            "pruned_before": self.pruned_before.map(shown),
            "unplanned_spans": self.unplanned_spans,
        });
        for (name, findings) in self.lists() {
            object[name] = findings.to_json();
        }
        object["totals"] = self
            .lists()
            .iter()
            .map(|(name, findings)| ((*name).to_owned(), Value::from(findings.total)))
            .collect();
        object
    }
}

/// RFC 3339 with milliseconds.
fn shown(instant: Timestamp) -> String {
    format!("{instant:.3}")
}

/// The instant of a number in the ledger. What lies outside of jiff's years, and was put there by
/// no daemon, is shown as their end.
pub(super) fn timestamp(us: i64) -> Timestamp {
    Timestamp::from_microsecond(us).unwrap_or(if us < 0 {
        Timestamp::MIN
    } else {
        Timestamp::MAX
    })
}
