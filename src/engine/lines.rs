//! The lines that waiting runs stand in: two for each workspace, by due time (guarantee G5), and
//! beside them those whose time has not come and those that another run of their job holds back.
//!
//! A mirror of the ledger's `waiting` and `running` rows, rebuilt from them at a start.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use jiff::Timestamp;

use super::run::{Place, Run};
use crate::domain::job::JobName;
use crate::domain::run::{Reason, RunId, RunState};
use crate::domain::workspace::WorkspaceName;

#[derive(Debug, Default)]
pub(super) struct Lines {
    runs: HashMap<RunId, Run>,
    of_job: HashMap<JobName, BTreeSet<Place>>,
    /// Jobs with more than one run: only there can one run hold another back.
    crowded: BTreeSet<JobName>,
    ready: BTreeMap<WorkspaceName, Line>,
    /// Runs whose next attempt's time has not come.
    delayed: BTreeSet<Place>,
    /// When waiting any longer ends a run.
    expiries: BTreeSet<Place>,
}

/// The runs of a workspace that only a permit is missing for.
#[derive(Debug)]
struct Line {
    /// Live, manual and replay runs first; catch-up and backfill behind.
    places: [BTreeSet<Place>; 2],
    /// What the line waits for.
    gate: Reason,
    /// Runs in it whose row says something else.
    odd: BTreeSet<Place>,
}

impl Line {
    fn new() -> Self {
        Self {
            places: Default::default(),
            gate: Reason::InFlight,
            odd: BTreeSet::new(),
        }
    }

    fn insert(&mut self, run: &Run) {
        self.places[usize::from(!run.trigger.is_first_line())].insert(run.place());
        if run.reason != Some(self.gate) {
            self.odd.insert(run.place());
        }
    }

    fn remove(&mut self, place: &Place) {
        for line in &mut self.places {
            line.remove(place);
        }
        self.odd.remove(place);
    }

    fn in_order(&self) -> impl Iterator<Item = &Place> {
        self.places.iter().flatten()
    }
}

impl Lines {
    pub(super) fn get(&self, id: RunId) -> Option<&Run> {
        self.runs.get(&id)
    }

    pub(super) fn len(&self) -> usize {
        self.runs.len()
    }

    /// Runs of the job that are not final.
    pub(super) fn of_job<'l>(&'l self, job: &JobName) -> impl Iterator<Item = &'l Run> + use<'l> {
        let places = self.of_job.get(job);
        places
            .into_iter()
            .flatten()
            .filter_map(|(_, id)| self.runs.get(id))
    }

    /// Whether an earlier live run of the job is not final.
    pub(super) fn is_occupied(&self, job: &JobName) -> bool {
        self.of_job(job).any(Run::is_live)
    }

    /// Takes a run in, or takes over its new state.
    pub(super) fn put(&mut self, run: Run, now: Timestamp) {
        self.leave_lines(run.id);
        if run.state == RunState::Waiting {
            if let Some((at, _)) = run.expiry() {
                self.expiries.insert((at, run.id));
            }
            match run.not_before.filter(|not_before| *not_before > now) {
                Some(not_before) => _ = self.delayed.insert((not_before, run.id)),
                None if self.held_back_by_its_job(&run) => {}
                None => self.stand_in_line(&run),
            }
        }
        let job = run.job.name.clone();
        let runs_of_job = self.of_job.entry(job.clone()).or_default();
        runs_of_job.insert(run.place());
        let crowded = runs_of_job.len() > 1;
        self.runs.insert(run.id, run);
        if crowded {
            self.look_again_at(&job);
            self.crowded.insert(job);
        }
    }

    /// Takes a run out that is final; what it held back may go on.
    pub(super) fn remove(&mut self, id: RunId) {
        self.leave_lines(id);
        let Some(run) = self.runs.remove(&id) else {
            return;
        };
        if let Some(places) = self.of_job.get_mut(&run.job.name) {
            places.remove(&run.place());
            if places.len() <= 1 {
                self.crowded.remove(&run.job.name);
            }
            if places.is_empty() {
                self.of_job.remove(&run.job.name);
            }
        }
        self.look_again_at(&run.job.name);
    }

    /// Lets runs of the job into line that nothing holds back any more.
    fn look_again_at(&mut self, job: &JobName) {
        let free: Vec<Run> = self
            .of_job(job)
            .filter(|run| run.state == RunState::Waiting && !self.is_delayed(run))
            .filter(|run| !self.held_back_by_its_job(run))
            .cloned()
            .collect();
        for run in &free {
            self.stand_in_line(run);
        }
    }

    fn is_delayed(&self, run: &Run) -> bool {
        run.not_before
            .is_some_and(|not_before| self.delayed.contains(&(not_before, run.id)))
    }

    /// A catch-up run waits for the live runs of its job and for those like it that are ahead; a live
    /// run only for a catch-up run that is open (contract, section 3). The order among catch-up runs
    /// is total, so that no two can wait for each other: the one that has begun, then the older.
    pub(super) fn held_back_by_its_job(&self, run: &Run) -> bool {
        let rank = |run: &Run| {
            (
                run.attempts == 0 && run.state == RunState::Waiting,
                run.place(),
            )
        };
        self.of_job(&run.job.name)
            .filter(|other| other.id != run.id)
            .any(|other| {
                if run.goes_behind() {
                    other.is_live() || (other.goes_behind() && rank(other) < rank(run))
                } else {
                    run.is_live() && other.goes_behind() && other.state == RunState::Running
                }
            })
    }

    fn stand_in_line(&mut self, run: &Run) {
        self.ready
            .entry(run.job.workspace.clone())
            .or_insert_with(Line::new)
            .insert(run);
    }

    fn leave_lines(&mut self, id: RunId) {
        let Some(run) = self.runs.get(&id) else {
            return;
        };
        if let Some(line) = self.ready.get_mut(&run.job.workspace) {
            line.remove(&run.place());
        }
        if let Some(not_before) = run.not_before {
            self.delayed.remove(&(not_before, id));
        }
        if let Some((at, _)) = run.expiry() {
            self.expiries.remove(&(at, id));
        }
    }

    /// Lets runs into line whose time has come.
    pub(super) fn wake(&mut self, now: Timestamp) {
        while let Some(place) = self.delayed.first().copied().filter(|(at, _)| *at <= now) {
            self.delayed.remove(&place);
            let Some(run) = self.runs.get(&place.1).cloned() else {
                continue;
            };
            if !self.held_back_by_its_job(&run) {
                self.stand_in_line(&run);
            }
        }
    }

    /// Waiting runs that ended by waiting, with the reason.
    pub(super) fn expired(&self, now: Timestamp) -> Vec<(Run, Reason)> {
        self.expiries
            .iter()
            .take_while(|(at, _)| *at <= now)
            .filter_map(|(_, id)| self.runs.get(id))
            .filter_map(|run| run.expiry().map(|(_, reason)| (run.clone(), reason)))
            .collect()
    }

    /// Workspaces with runs in line.
    pub(super) fn workspaces(&self) -> Vec<WorkspaceName> {
        let waiting = self
            .ready
            .iter()
            .filter(|(_, line)| line.in_order().next().is_some());
        waiting.map(|(name, _)| name.clone()).collect()
    }

    /// The run that is next in the workspace's lines. One that its job holds back by now leaves the
    /// line until that run ends; one that has waited too long is passed over, and the next step ends
    /// it.
    pub(super) fn next(&mut self, workspace: &WorkspaceName, now: Timestamp) -> Option<Run> {
        loop {
            let line = self.ready.get(workspace)?;
            let place = line
                .in_order()
                .find(|place| !self.is_over(place, now))
                .copied()?;
            let run = self.runs.get(&place.1).cloned();
            match run {
                Some(run) if !self.held_back_by_its_job(&run) => return Some(run),
                _ => self.ready.get_mut(workspace)?.remove(&place),
            }
        }
    }

    fn is_over(&self, place: &Place, now: Timestamp) -> bool {
        let expiry = self.runs.get(&place.1).and_then(Run::expiry);
        expiry.is_some_and(|(at, _)| at <= now)
    }

    /// Up to `limit` runs that stand in the workspace's lines with another reason than `gate`.
    pub(super) fn waiting_otherwise(
        &mut self,
        workspace: &WorkspaceName,
        gate: Reason,
        limit: usize,
    ) -> Vec<Run> {
        let Some(line) = self.ready.get_mut(workspace) else {
            return Vec::new();
        };
        if line.gate != gate {
            line.gate = gate;
            let says_otherwise = |place: &&Place| {
                self.runs
                    .get(&place.1)
                    .is_some_and(|run| run.reason != Some(gate))
            };
            line.odd = line
                .places
                .iter()
                .flatten()
                .filter(says_otherwise)
                .copied()
                .collect();
        }
        let odd = line.odd.iter().filter_map(|(_, id)| self.runs.get(id));
        odd.take(limit).cloned().collect()
    }

    /// Up to `limit` runs held back by their job whose row says something else.
    pub(super) fn overlapping(&self, limit: usize) -> Vec<Run> {
        let runs = self.crowded.iter().flat_map(|job| self.of_job(job));
        runs.filter(|run| run.state == RunState::Waiting && run.reason != Some(Reason::Overlap))
            .filter(|run| !self.is_delayed(run) && self.held_back_by_its_job(run))
            .take(limit)
            .cloned()
            .collect()
    }

    /// When something changes by itself next: a delay or a run's patience ends.
    pub(super) fn next_wake(&self) -> Option<Timestamp> {
        let delayed = self.delayed.first().map(|(at, _)| *at);
        let expiry = self.expiries.first().map(|(at, _)| *at);
        delayed.into_iter().chain(expiry).min()
    }

    /// All runs that are not final.
    pub(super) fn all(&self) -> impl Iterator<Item = &Run> {
        self.runs.values()
    }
}
