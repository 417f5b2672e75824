//! How the engine is, from what it holds in memory.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::{ClockDoubt, Engine, Pruning};
use crate::domain::job::JobName;
use crate::domain::retention::Oversize;
use crate::domain::run::RunState;
use crate::domain::workspace::WorkspaceName;

/// The state of an engine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// When it was asked.
    pub now: Timestamp,
    /// When the engine started.
    pub started_at: Timestamp,
    /// Every tick up to here has its row, or is among the spans still to be planned.
    pub planned_through: Timestamp,
    /// When the next job is due.
    pub next_tick: Option<Timestamp>,
    /// Loaded jobs.
    pub jobs: usize,
    /// Of these, disabled ones.
    pub disabled: usize,
    /// Jobs that are paused now, by name; those that are no longer loaded among them.
    pub paused: Vec<PausedJob>,
    /// Calls under way.
    pub in_flight: usize,
    /// Runs that wait, by what for.
    pub waiting: BTreeMap<&'static str, usize>,
    /// Spans of the past that are still to be planned.
    pub unplanned_spans: usize,
    /// Workspaces all of whose keys the server calls invalid.
    pub held: Vec<WorkspaceName>,
    /// Backfills that have not ended.
    pub backfills: Vec<RunningBackfill>,
    /// What is wrong with the wall clock.
    pub clock_doubt: Option<ClockDoubt>,
    /// How far the deleting of what is old has come.
    pub pruning: Pruning,
    /// What is wrong with the ledger's size.
    pub oversize: Option<Oversize>,
    /// The ledger failed in the last step: nothing is fired.
    pub is_ledger_failing: bool,
    /// In which words.
    pub ledger_fault: Option<String>,
}

/// A job that is paused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PausedJob {
    /// The job.
    pub job: JobName,
    /// Since when.
    pub since: Timestamp,
    /// When it ends by itself.
    pub until: Option<Timestamp>,
    /// Who ordered it.
    pub actor: String,
    /// Why.
    pub reason: Option<String>,
}

/// A backfill that has not ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunningBackfill {
    /// Its identity.
    pub id: String,
    /// Whose ticks.
    pub job: JobName,
    /// How many runs it was to be.
    pub ticks: u64,
}

impl Engine {
    pub(super) fn status(&self) -> Status {
        let now = self.clock.now();
        let mut waiting = BTreeMap::new();
        for run in self.lines.all() {
            if run.state == RunState::Waiting {
                let reason = run.reason.map_or("in_flight", |reason| reason.as_str());
                *waiting.entry(reason).or_default() += 1;
            }
        }
        let paused = self.pauses.all_current(now);
        let paused = paused.into_iter().map(|pause| PausedJob {
            job: pause.job.clone(),
            since: pause.from,
            until: pause.until,
            actor: pause.actor.clone(),
            reason: pause.reason.clone(),
        });
        let backfills = self.backfills.iter().map(|backfill| RunningBackfill {
            id: backfill.id.clone(),
            job: backfill.job.clone(),
            ticks: backfill.ticks,
        });
        let held = self.jobs.workspaces.keys();
        Status {
            now,
            started_at: self.started_at,
            planned_through: self.planned_through,
            next_tick: self.timetable.next(),
            jobs: self.jobs.jobs.len(),
            disabled: self.jobs.jobs.values().filter(|job| !job.enabled).count(),
            paused: paused.collect(),
            in_flight: self.calls.len(),
            waiting,
            unplanned_spans: self.gaps.len(),
            held: held
                .filter(|name| self.permits.is_held(name))
                .cloned()
                .collect(),
            backfills: backfills.collect(),
            clock_doubt: self.clock_doubt(),
            pruning: self.upkeep.pruning(),
            oversize: self.upkeep.oversize(),
            is_ledger_failing: self.outage,
            ledger_fault: self.fault.clone(),
        }
    }
}
