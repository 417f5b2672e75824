//! When which job is due next: a heap of instants, derived from schedules and never stored.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;

use jiff::Timestamp;

use crate::domain::job::{Job, JobName};

/// The next tick of every enabled job that has one.
#[derive(Debug, Default)]
pub(super) struct Timetable {
    heap: BinaryHeap<Reverse<(Timestamp, JobName)>>,
}

impl Timetable {
    /// The next ticks strictly after `after`.
    pub(super) fn new<'j>(
        jobs: impl ExactSizeIterator<Item = &'j Arc<Job>>,
        after: Timestamp,
    ) -> Self {
        // Grown by doubling, it would leave its smaller selves behind in memory.
        let mut timetable = Self {
            heap: BinaryHeap::with_capacity(jobs.len()),
        };
        for job in jobs {
            timetable.schedule(job, after);
        }
        timetable
    }

    /// Puts a job's next tick after `after` in, if there is one.
    pub(super) fn schedule(&mut self, job: &Job, after: Timestamp) {
        if !job.enabled {
            return;
        }
        if let Some(tick) = job.schedule.next_after(after) {
            self.heap.push(Reverse((tick.at, job.name.clone())));
        }
    }

    /// Puts back what [`Self::pop_due`] took out.
    pub(super) fn restore(&mut self, due: impl IntoIterator<Item = (Timestamp, JobName)>) {
        self.heap.extend(due.into_iter().map(Reverse));
    }

    /// Takes the earliest entry that is due at `now`.
    pub(super) fn pop_due(&mut self, now: Timestamp) -> Option<(Timestamp, JobName)> {
        self.next().filter(|next| *next <= now)?;
        self.heap.pop().map(|Reverse(entry)| entry)
    }

    /// The earliest instant.
    pub(super) fn next(&self) -> Option<Timestamp> {
        self.heap.peek().map(|Reverse((at, _))| *at)
    }
}
