//! `audit verify`: the recomputed ticks of every job, joined with the runs of the ledger.
//!
//! Both come in the order of time, so one pass over each finds every hole, stray and double. The
//! pass holds a part of the runs, and the definitions and a tick of each of [`JOBS_AT_ONCE`] jobs. All of these
//! go side by side: that is the order in which the rows lie in the file. Job by job each page would
//! be read as many times as there are jobs with a row in it, a thousand times for most.

use std::collections::BTreeMap;
use std::iter::Peekable;

use jiff::Timestamp;

use super::backfills::{self, Order, Pass};
use super::conduct::{Conduct, Fault};
use super::past::{self, Past, Pruned};
use super::report::{Finding, Hear, List, Noted, Report, timestamp};
use super::run_rules;
use super::scanner::{Tick, TickKind};
use super::timeline::{Interval, Timeline, short};
use crate::domain::run::{Ahead, Reason, RunState, Trigger};
use crate::store::audit::{AuditReader, AuditedRun, JobHistory, ReadError, Word};

/// How many jobs are audited in one pass over the runs: each holds some kilobytes.
const JOBS_AT_ONCE: u32 = 5_000;

/// What the auditor cannot learn from the ledger.
#[derive(Clone, Copy, Debug)]
pub struct Circumstances<'a> {
    /// Whether a daemon holds the ledger: only then may a run be `running`.
    pub daemon_alive: bool,
    /// The version of the zone data that ticks are recomputed with.
    pub zone_data_now: &'a str,
}

/// The audit could not be made.
#[derive(Debug, thiserror::Error)]
#[error("auditing the ledger")]
pub struct AuditError(#[from] ReadError);

/// Recomputes every tick of every job and compares it with the ledger; changes nothing.
pub async fn verify(
    reader: &mut AuditReader,
    circumstances: Circumstances<'_>,
) -> Result<Report, AuditError> {
    audit(reader, circumstances, Noted::new(None)).await
}

/// The same, and `hear` is told every finding as it is made, those beyond
/// [`LISTED`](super::LISTED) too.
pub async fn verify_aloud<'h>(
    reader: &mut AuditReader,
    circumstances: Circumstances<'_>,
    hear: &'h mut Hear<'h>,
) -> Result<Report, AuditError> {
    audit(reader, circumstances, Noted::new(Some(hear))).await
}

async fn audit(
    reader: &mut AuditReader,
    circumstances: Circumstances<'_>,
    mut noted: Noted<'_>,
) -> Result<Report, AuditError> {
    let pruned = pruned(&reader.prunes().await?, &mut noted);
    noted.report.pruned_before = pruned.horizon_us.map(timestamp);
    noted.report.unplanned_spans = reader.unplanned_spans().await?;
    let past = Past {
        pruned,
        starts: reader.starts().await?,
        set_back: past::set_back(&reader.clocks_set_back().await?),
    };
    let mut first = String::new();
    loop {
        let mut names = reader.names(&first, JOBS_AT_ONCE + 1).await?;
        let beyond = names.split_off(names.len().min(JOBS_AT_ONCE as usize));
        let end = beyond.into_iter().next();
        jobs(
            reader,
            &names,
            end.as_deref(),
            &past,
            circumstances,
            &mut noted,
        )
        .await?;
        match end {
            Some(end) => first = end,
            None => break,
        }
    }
    orphans(reader, &mut noted).await?;
    noted.report.sort();
    Ok(noted.report)
}

/// Audits the jobs of these names, which are all from the first of them until before `end`.
async fn jobs(
    reader: &mut AuditReader,
    names: &[String],
    end: Option<&str>,
    past: &Past,
    circumstances: Circumstances<'_>,
    noted: &mut Noted<'_>,
) -> Result<(), ReadError> {
    let Some(first) = names.first() else {
        return Ok(());
    };
    let mut known = reader.histories(first, end).await?;
    let histories: Vec<JobHistory> = names
        .iter()
        .map(|name| {
            known
                .remove(name)
                .unwrap_or_else(|| JobHistory::unknown(name))
        })
        .collect();
    let laid_out: Vec<(Timeline<'_>, Vec<Order<'_>>)> = histories
        .iter()
        .map(|history| {
            let timeline = Timeline::new(history, past.pruned.horizon_us, noted);
            (timeline, backfills::orders(history, noted))
        })
        .collect();
    let mut audits: BTreeMap<&str, (JobAudit<'_, '_>, Pass<'_>)> = BTreeMap::new();
    for (name, (timeline, orders)) in names.iter().zip(&laid_out) {
        noted.report.jobs += 1;
        widen(&mut noted.report.span, timeline.span());
        let audit = JobAudit::new(name, timeline, past, circumstances);
        let ordered = Pass::new(name, orders, past);
        audits.insert(name, (audit, ordered));
    }
    let mut runs = reader.runs(first, end);
    let mut part = runs.part().await?;
    while !part.is_empty() {
        // The next part is read while this one is looked at.
        let look = async {
            for run in part {
                if let Some((audit, ordered)) = audits.get_mut(run.job.as_str()) {
                    audit.run(&run, noted);
                    if !past.is_pruned(run.scheduled_us) {
                        ordered.run(&run, noted);
                    }
                }
            }
        };
        let (next, ()) = tokio::join!(runs.part(), look);
        part = next?;
    }
    for (audit, ordered) in audits.into_values() {
        audit.finish(noted);
        ordered.finish(noted);
    }
    Ok(())
}

/// What prunes may have taken; one whose event does not say it is reported.
fn pruned(prunes: &[String], noted: &mut Noted<'_>) -> Pruned {
    let mut pruned = Pruned::default();
    for detail in prunes {
        if !pruned.take_in(detail) {
            noted.add(List::Inconsistent, || Finding {
                job: None,
                scheduled_at: None,
                run_id: None,
                what: format!("a prune's event does not say before when it took runs: {detail}"),
            });
        }
    }
    pruned
}

fn widen(span: &mut Option<(Timestamp, Timestamp)>, by: Option<(i64, i64)>) {
    if let Some((from, until)) = by.map(|(from, until)| (timestamp(from), timestamp(until))) {
        *span = Some(span.map_or((from, until), |(f, u)| (f.min(from), u.max(until))));
    }
}

async fn orphans(reader: &mut AuditReader, noted: &mut Noted<'_>) -> Result<(), ReadError> {
    // Each is looked for only where some are not among those of the runs.
    if reader.attempts().await? == noted.report.attempts {
        return Ok(());
    }
    reader
        .orphans(|orphan| {
            noted.report.attempts += 1;
            noted.add(List::Inconsistent, || Finding {
                job: None,
                scheduled_at: Some(timestamp(orphan.opened_us)),
                what: format!(
                    "attempt {} called {}, and its run is not there",
                    orphan.attempt, orphan.func_id
                ),
                run_id: Some(orphan.run_id),
            });
        })
        .await
}

/// The join of one job's ticks with its runs.
struct JobAudit<'t, 'h> {
    job: &'t str,
    timeline: &'t Timeline<'h>,
    past: &'t Past,
    circumstances: Circumstances<'t>,
    conduct: Conduct,
    ticks: Peekable<Box<dyn Iterator<Item = (Tick, &'t Interval<'h>)> + Send + 't>>,
    /// The first tick that is not behind the runs seen so far, and whether it has its run.
    current: Option<(Tick, &'t Interval<'h>)>,
    met: bool,
    /// The last run that says it has a tick: where, and which.
    last: Option<(i64, String)>,
}

impl<'t, 'h> JobAudit<'t, 'h> {
    fn new(
        job: &'t str,
        timeline: &'t Timeline<'h>,
        past: &'t Past,
        circumstances: Circumstances<'t>,
    ) -> Self {
        let mut ticks = timeline.ticks().peekable();
        Self {
            job,
            timeline,
            past,
            circumstances,
            conduct: Conduct::default(),
            current: ticks.next(),
            ticks,
            met: false,
            last: None,
        }
    }

    fn run(&mut self, run: &AuditedRun, noted: &mut Noted<'_>) {
        noted.report.runs += 1;
        noted.report.attempts += run.rows.len() as u64;
        let pruned = self.past.is_pruned(run.scheduled_us);
        let bodies_before_us = self.past.pruned.bodies_before_us.unwrap_or(i64::MIN);
        for what in run_rules::faults(run, bodies_before_us) {
            noted.add(List::Inconsistent, || self.finding(run, what));
        }
        if run.state == Word::Known(RunState::Running) && !self.circumstances.daemon_alive {
            let what = "it is `running`, and no daemon lives to end it".to_owned();
            noted.add(List::Unfinished, || self.finding(run, what));
        }
        if !pruned && !self.timeline.knows(&run.definition_hash) {
            let hash = short(&run.definition_hash);
            let what = format!("its definition {hash} is none that the job ever had");
            noted.add(List::Inconsistent, || self.finding(run, what));
        }
        let has_tick = matches!(
            run.trigger,
            Word::Known(Trigger::Schedule | Trigger::Catchup)
        );
        if has_tick && !pruned && ahead(run) != Some(Ahead::Void) {
            self.place(run, noted);
        }
    }

    /// Finds the tick of a run that says it has one.
    fn place(&mut self, run: &AuditedRun, noted: &mut Noted<'_>) {
        if let Some((_, first)) = self.last.as_ref().filter(|(us, _)| *us == run.scheduled_us) {
            let what = format!("the tick has a run already, {first}");
            noted.add(List::Doubles, || self.finding(run, what));
            return;
        }
        self.last = Some((run.scheduled_us, run.id.clone()));
        while self
            .current
            .is_some_and(|(tick, _)| tick.at_us < run.scheduled_us)
        {
            self.pass(noted);
        }
        match self.current {
            Some((tick, interval)) if tick.at_us == run.scheduled_us => {
                self.met = true;
                if ahead(run) == Some(Ahead::Kept) {
                    self.conduct.unknown();
                    return;
                }
                let fault = tick_fault(tick, interval, run);
                for what in fault
                    .or_else(|| self.pause_fault(run))
                    .into_iter()
                    .chain(self.due_fault(tick, interval, run))
                {
                    noted.add(List::Inconsistent, || self.finding(run, what));
                }
                for fault in self.conduct.run(run, interval, self.past) {
                    self.misconduct(fault, noted);
                }
            }
            // Planned before its time, it may be of another definition than the one that ruled then.
            _ if ahead(run) == Some(Ahead::Kept) => {}
            _ => {
                if let Some(what) = self.stray(run.scheduled_us) {
                    noted.add(List::Strays, || self.finding(run, what));
                }
            }
        }
    }

    /// What is wrong with the instant at which a tick's run is due.
    fn due_fault(
        &mut self,
        tick: Tick,
        interval: &Interval<'_>,
        run: &AuditedRun,
    ) -> Option<String> {
        let definition = interval.definition.as_ref()?;
        let next = self.ticks.peek();
        let next = next.filter(|(_, other)| std::ptr::eq(*other, interval));
        let delay_us = definition.delay_us(tick.at_us, next.map(|(next, _)| next.at_us));
        let due_us = tick.at_us + delay_us;
        (run.due_us != due_us).then(|| {
            format!(
                "it is due at {:.3}, and by the job's spread it should be at {:.3}",
                timestamp(run.due_us),
                timestamp(due_us)
            )
        })
    }

    /// What is wrong with the run of a tick by the job's pauses.
    fn pause_fault(&self, run: &AuditedRun) -> Option<String> {
        let is_paused = self.timeline.is_paused(run.scheduled_us);
        if is_paused && !is_skipped(run, Reason::Paused) {
            return Some("the job was paused then, and it is not `skipped/paused`".to_owned());
        }
        let is_unfounded =
            is_skipped(run, Reason::Paused) && !self.timeline.is_paused_from(run.scheduled_us);
        is_unfounded.then(|| "it is `skipped/paused`, and no pause was there to skip it".to_owned())
    }

    /// Leaves the current tick behind: with its run, in a gap, or as a hole.
    fn pass(&mut self, noted: &mut Noted<'_>) {
        if let Some((tick, interval)) = self.current {
            let is_due = self.met || !self.timeline.is_in_gap(tick.at_us);
            if !self.met {
                self.conduct.unknown();
            }
            noted.report.ticks += u64::from(is_due);
            if is_due && !self.met {
                noted.add(List::Holes, || Finding {
                    job: Some(self.job.to_owned()),
                    scheduled_at: Some(timestamp(tick.at_us)),
                    run_id: None,
                    what: format!("the tick has no run{}", self.zone_note(interval)),
                });
            }
        }
        self.current = self.ticks.next();
        self.met = false;
    }

    fn finish(mut self, noted: &mut Noted<'_>) {
        while self.current.is_some() {
            self.pass(noted);
        }
        if let Some(fault) = self.conduct.end() {
            self.misconduct(fault, noted);
        }
    }

    fn misconduct(&self, (scheduled_us, id, what): Fault, noted: &mut Noted<'_>) {
        noted.add(List::Inconsistent, || Finding {
            job: Some(self.job.to_owned()),
            scheduled_at: Some(timestamp(scheduled_us)),
            run_id: Some(id),
            what,
        });
    }

    /// Why there is no tick at an instant; `None` where that cannot be known.
    fn stray(&self, us: i64) -> Option<String> {
        let Some(interval) = self.timeline.at(us) else {
            return Some("no definition ruled the job then, or it is not planned yet".to_owned());
        };
        let definition = interval.definition.as_ref()?;
        Some(if definition.enabled {
            let note = self.zone_note(interval);
            format!("its schedule has no tick at this instant{note}")
        } else {
            "the job was disabled then".to_owned()
        })
    }

    /// What to say where other zone data may be why a tick is not where it was.
    fn zone_note(&self, interval: &Interval<'_>) -> String {
        let now = self.circumstances.zone_data_now;
        let then = &interval.version.zone_data;
        let depends = interval
            .definition
            .as_ref()
            .is_some_and(|definition| definition.depends_on_zone_data());
        if depends && then != now {
            format!(
                "; it was planned with zone data {then} and recomputed with {now}, \
                 which may differ here"
            )
        } else {
            String::new()
        }
    }

    fn finding(&self, run: &AuditedRun, what: String) -> Finding {
        Finding::of_run(self.job, run, what)
    }
}

fn ahead(run: &AuditedRun) -> Option<Ahead> {
    run.ahead.as_ref().and_then(Word::known)
}

fn is_skipped(run: &AuditedRun, reason: Reason) -> bool {
    run.state == Word::Known(RunState::Skipped) && run.reason == Some(Word::Known(reason))
}

/// What is wrong with the run of a tick as that tick's.
fn tick_fault(tick: Tick, interval: &Interval<'_>, run: &AuditedRun) -> Option<String> {
    let ruling = &interval.version.definition_hash;
    if run.definition_hash != *ruling {
        return Some(format!(
            "it was planned with definition {}, and {} ruled then",
            short(&run.definition_hash),
            short(ruling)
        ));
    }
    let is_dst_gap = is_skipped(run, Reason::DstGap);
    let is_excluded = is_skipped(run, Reason::Excluded);
    match tick.kind {
        // A pause takes every tick, those too that the clock or a calendar would have taken.
        _ if is_skipped(run, Reason::Paused) => None,
        TickKind::Excluded if !is_excluded => {
            Some("its day is excluded, and it is not `skipped/excluded`".to_owned())
        }
        TickKind::Fire | TickKind::SkippedByGap if is_excluded => {
            Some("it is `skipped/excluded`, and its day is not".to_owned())
        }
        TickKind::SkippedByGap if !is_dst_gap => {
            Some("the wall clock jumped over its tick, and it is not `skipped/dst_gap`".to_owned())
        }
        TickKind::Fire if is_dst_gap => {
            Some("it is `skipped/dst_gap`, and no jump of the wall clock took its tick".to_owned())
        }
        _ => None,
    }
}
