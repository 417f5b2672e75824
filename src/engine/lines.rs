//! The lines that waiting runs stand in: two for each workspace, by due time (guarantee G5), and
//! beside them those whose time has not come and those that another run of their job holds back.
//!
//! A mirror of the ledger's `waiting` and `running` rows, rebuilt from them at a start.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use jiff::Timestamp;

use super::jobset::JobSet;
use super::run::{Place, Run};
use super::siblings::Siblings;
use crate::domain::job::{JobName, Overlap};
use crate::domain::overlap::Queue;
use crate::domain::run::{Reason, RunId, RunState};
use crate::domain::workspace::WorkspaceName;

#[derive(Debug, Default)]
pub(super) struct Lines {
    runs: HashMap<RunId, Run>,
    of_job: HashMap<JobName, Siblings>,
    /// What is loaded: whose `overlap` is in force.
    jobs: Arc<JobSet>,
    /// Jobs whose queue of live runs may not be as their policy wants it.
    contested: BTreeSet<JobName>,
    /// Runs that another of their job holds back, and whose row says something else.
    mislabelled: BTreeSet<Place>,
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

    /// The loaded jobs have changed, and with them the policies; every queue is looked at again.
    pub(super) fn configure(&mut self, jobs: Arc<JobSet>) {
        self.jobs = jobs;
        let names: Vec<JobName> = self.of_job.keys().cloned().collect();
        for name in names {
            self.look_again_at(&name);
            self.note_contested(&name);
        }
    }

    /// Runs of the job that are not final.
    pub(super) fn of_job<'l>(&'l self, job: &JobName) -> impl Iterator<Item = &'l Run> + use<'l> {
        let places = self.of_job.get(job).map(Siblings::all);
        places
            .into_iter()
            .flatten()
            .filter_map(|(_, id)| self.runs.get(id))
    }

    /// The queue of the job's live runs that are not final.
    pub(super) fn queue(&self, job: &JobName) -> Queue {
        self.of_job
            .get(job)
            .map_or_else(Queue::default, Siblings::queue)
    }

    /// The policy in force: the loaded definition's. A run whose job is gone is about to end.
    fn overlap(&self, job: &JobName) -> Overlap {
        let job = self.jobs.jobs.get(job);
        job.map_or(Overlap::Skip, |job| job.overlap)
    }

    /// The queues that have changed and may be out of order: their policy and their live runs, those
    /// that have begun first, each part the oldest first.
    pub(super) fn contested(&self) -> Vec<(Overlap, Vec<Run>)> {
        let queues = self.contested.iter().filter_map(|job| {
            let siblings = self.of_job.get(job)?;
            let places = siblings.begun().iter().chain(siblings.unsent());
            let runs = places.filter_map(|(_, id)| self.runs.get(id)).cloned();
            Some((self.overlap(job), runs.collect()))
        });
        queues.collect()
    }

    /// Whether [`Self::contested`] names any.
    pub(super) fn are_contested(&self) -> bool {
        !self.contested.is_empty()
    }

    /// Every queue that [`Self::contested`] named has been brought into order.
    pub(super) fn queues_are_in_order(&mut self) {
        self.contested.clear();
    }

    fn note_contested(&mut self, job: &JobName) {
        let queue = self.queue(job);
        if queue.begun + queue.waiting > 1 && self.overlap(job) != Overlap::Allow {
            self.contested.insert(job.clone());
        }
    }

    /// Takes a run in, or takes over its new state.
    pub(super) fn put(&mut self, run: Run, now: Timestamp) {
        self.leave_lines(run.id);
        let job = run.job.name.clone();
        self.of_job.entry(job.clone()).or_default().insert(&run);
        if run.state == RunState::Waiting {
            if let Some((at, _)) = run.expiry() {
                self.expiries.insert((at, run.id));
            }
            match run.not_before.filter(|not_before| *not_before > now) {
                Some(not_before) => _ = self.delayed.insert((not_before, run.id)),
                None => self.stand_in_line_or_wait(&run),
            }
        }
        let is_live = run.is_live();
        self.runs.insert(run.id, run);
        // One that is alone holds nobody back, and stands where it belongs.
        if self
            .of_job
            .get(&job)
            .is_some_and(|siblings| siblings.all().len() > 1)
        {
            self.look_again_at(&job);
            if is_live {
                self.note_contested(&job);
            }
        }
    }

    /// Takes a run out that is final; what it held back may go on.
    pub(super) fn remove(&mut self, id: RunId) {
        self.leave_lines(id);
        let Some(run) = self.runs.remove(&id) else {
            return;
        };
        if let Some(siblings) = self.of_job.get_mut(&run.job.name) {
            siblings.remove(&run.place());
            if siblings.all.is_empty() {
                self.of_job.remove(&run.job.name);
            }
        }
        self.look_again_at(&run.job.name);
    }

    /// After a change among the job's runs: lets into line what nothing holds back any more, and takes
    /// out of it what something does.
    fn look_again_at(&mut self, job: &JobName) {
        let Some(siblings) = self.of_job.get(job) else {
            return;
        };
        let overlap = self.overlap(job);
        let mut places = siblings.may_be_free(overlap);
        places.extend(siblings.may_be_held(overlap));
        for (_, id) in places {
            if let Some(run) = self.runs.get(&id).cloned() {
                self.stand_in_line_or_wait(&run);
            }
        }
    }

    /// Whether another run of its job holds it back.
    fn held_back_by_its_job(&self, run: &Run) -> bool {
        let siblings = self.of_job.get(&run.job.name);
        siblings.is_some_and(|siblings| siblings.hold_back(run, self.overlap(&run.job.name)))
    }

    /// Puts a run whose time has come where it belongs.
    fn stand_in_line_or_wait(&mut self, run: &Run) {
        let held = self.held_back_by_its_job(run);
        let line = self
            .ready
            .entry(run.job.workspace.clone())
            .or_insert_with(Line::new);
        let siblings = self.of_job.entry(run.job.name.clone()).or_default();
        if held {
            line.remove(&run.place());
            siblings.note_held(run);
            if run.reason != Some(Reason::Overlap) {
                self.mislabelled.insert(run.place());
            }
        } else {
            line.insert(run);
            siblings.note_in_line(run);
            self.mislabelled.remove(&run.place());
        }
    }

    fn leave_lines(&mut self, id: RunId) {
        let Some(run) = self.runs.get(&id) else {
            return;
        };
        if let Some(line) = self.ready.get_mut(&run.job.workspace) {
            line.remove(&run.place());
        }
        self.mislabelled.remove(&run.place());
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
            self.stand_in_line_or_wait(&run);
            self.note_contested(&run.job.name);
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

    /// The run that is next in the workspace's lines. One that has waited too long is passed over, and
    /// the next step ends it.
    pub(super) fn next(&self, workspace: &WorkspaceName, now: Timestamp) -> Option<Run> {
        let mut line = self.ready.get(workspace)?.in_order();
        let (_, id) = line.find(|place| !self.is_over(place, now))?;
        self.runs.get(id).cloned()
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
        let runs = self.mislabelled.iter();
        runs.filter_map(|(_, id)| self.runs.get(id))
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

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests;
