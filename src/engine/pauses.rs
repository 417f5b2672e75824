//! The pauses that can bear on a tick still to be planned: a mirror of the ledger's rows.

use std::collections::HashMap;

use jiff::Timestamp;

use crate::domain::job::JobName;
use crate::store::Pause;

#[derive(Debug, Default)]
pub(super) struct Pauses(HashMap<JobName, Vec<Pause>>);

impl Pauses {
    pub(super) fn new(rows: Vec<Pause>) -> Self {
        let mut pauses = Self::default();
        for pause in rows {
            pauses.0.entry(pause.job.clone()).or_default().push(pause);
        }
        pauses
    }

    /// The job's pauses, past and present.
    pub(super) fn of(&self, job: &JobName) -> &[Pause] {
        self.0.get(job).map_or(&[], Vec::as_slice)
    }

    /// The pause in which a tick of the job right after `now` would lie.
    pub(super) fn current(&self, job: &JobName, now: Timestamp) -> Option<&Pause> {
        self.of(job)
            .iter()
            .find(|pause| pause.from <= now && pause.end().is_none_or(|end| now < end))
    }

    /// Every job's current pause, by name.
    pub(super) fn all_current(&self, now: Timestamp) -> Vec<&Pause> {
        let mut current: Vec<&Pause> = self
            .0
            .keys()
            .filter_map(|job| self.current(job, now))
            .collect();
        current.sort_by(|a, b| a.job.cmp(&b.job));
        current
    }

    /// Takes in a pause that begins; what of the job was paused before ended there.
    pub(super) fn begin(&mut self, pause: Pause) {
        self.end(&pause.job, pause.from);
        self.0.entry(pause.job.clone()).or_default().push(pause);
    }

    /// Ends the job's pause at `at`.
    pub(super) fn end(&mut self, job: &JobName, at: Timestamp) {
        for pause in self.0.get_mut(job).into_iter().flatten() {
            if pause.resumed.is_none() {
                pause.resumed = Some(at.max(pause.from));
            }
        }
    }

    /// Lets pauses go that ended before everything that is still to be planned.
    pub(super) fn forget_before(&mut self, oldest: Timestamp) {
        self.0.retain(|_, pauses| {
            pauses.retain(|pause| pause.end().is_none_or(|end| end > oldest));
            !pauses.is_empty()
        });
    }
}
