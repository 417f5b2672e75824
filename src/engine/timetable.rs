//! When which job is due next: a heap of instants, derived from schedules and never stored.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;

use jiff::Timestamp;

use super::run::later;
use crate::domain::job::{Job, JobName};

/// The next tick of every enabled job that has one.
#[derive(Debug, Default)]
pub(super) struct Timetable {
    heap: BinaryHeap<Reverse<Entry>>,
}

/// A job's next tick. Ordered by tick and then by when its run is due: of thousands with a spread, which
/// take many transactions to plan, those that are to go first are planned first.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Entry {
    pub(super) tick: Timestamp,
    pub(super) due: Timestamp,
    pub(super) job: JobName,
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
            self.heap.push(Reverse(Entry {
                tick: tick.at,
                due: later(tick.at, job.delay(tick.at)),
                job: job.name.clone(),
            }));
        }
    }

    /// Puts back what [`Self::pop_due`] took out.
    pub(super) fn restore(&mut self, due: impl IntoIterator<Item = Entry>) {
        self.heap.extend(due.into_iter().map(Reverse));
    }

    /// Takes the earliest entry out whose tick has come by `now`, if it is `wanted`.
    pub(super) fn pop_due(
        &mut self,
        now: Timestamp,
        wanted: impl FnOnce(&Entry) -> bool,
    ) -> Option<Entry> {
        let Reverse(next) = self.heap.peek()?;
        (next.tick <= now && wanted(next)).then_some(())?;
        self.heap.pop().map(|Reverse(entry)| entry)
    }

    /// The earliest instant.
    pub(super) fn next(&self) -> Option<Timestamp> {
        self.heap.peek().map(|Reverse(entry)| entry.tick)
    }
}
