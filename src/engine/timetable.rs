//! When which job is due next: a heap of instants, derived from schedules and never stored.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;
use std::sync::Arc;

use jiff::Timestamp;

use super::run::later;
use crate::domain::job::Job;

/// The next tick of every enabled job that has one. Whoever loads other jobs makes another timetable:
/// what it names is what is loaded.
#[derive(Debug, Default)]
pub(super) struct Timetable {
    heap: BinaryHeap<Reverse<Entry>>,
}

/// A job's next tick. Ordered by tick and then by when its run is due: of thousands with a spread, which
/// take many transactions to plan, those that are to go first are planned first. Jobs that are due at once
/// go in the order of their names.
///
/// It holds the job, and the job's place among the names in place of the name: to look ten thousand of them
/// up when they fall due, or to compare their names, is to read memory that nobody has touched for hours.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) tick: Timestamp,
    pub(super) due: Timestamp,
    place: usize,
    pub(super) job: Arc<Job>,
}

impl Entry {
    /// The job's next tick after `after`, if it is to have one.
    fn next(place: usize, job: Arc<Job>, after: Timestamp) -> Option<Self> {
        let tick = job.enabled.then(|| job.schedule.next_after(after))??.at;
        Some(Self {
            tick,
            due: later(tick, job.delay(tick)),
            place,
            job,
        })
    }

    const fn key(&self) -> (Timestamp, Timestamp, usize) {
        (self.tick, self.due, self.place)
    }
}

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl Eq for Entry {}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Entry {
    fn cmp(&self, other: &Self) -> Ordering {
        self.key().cmp(&other.key())
    }
}

impl Timetable {
    /// The next ticks of jobs in the order of their names, strictly after `after`.
    pub(super) fn new<'j>(
        jobs: impl ExactSizeIterator<Item = &'j Arc<Job>>,
        after: Timestamp,
    ) -> Self {
        // Grown by doubling, it would leave its smaller selves behind in memory.
        let mut heap = BinaryHeap::with_capacity(jobs.len());
        for (place, job) in jobs.enumerate() {
            heap.extend(Entry::next(place, job.clone(), after).map(Reverse));
        }
        Self { heap }
    }

    /// Puts the next ticks after `after` in of those whose ticks were taken out.
    pub(super) fn reschedule(&mut self, due: impl IntoIterator<Item = Entry>, after: Timestamp) {
        let next = due
            .into_iter()
            .filter_map(|entry| Entry::next(entry.place, entry.job, after));
        self.heap.extend(next.map(Reverse));
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

    /// How many jobs are due at the earliest instant, counted no further than `most`.
    pub(super) fn crowd(&self, most: usize) -> usize {
        let entries = self.heap.as_slice();
        let Some(Reverse(first)) = entries.first() else {
            return 0;
        };
        // None of a heap is earlier than the one it hangs from, so those of the first instant hang together.
        let mut crowd = vec![0];
        let mut seen = 0;
        while let Some(at) = crowd.get(seen).copied().filter(|_| crowd.len() < most) {
            let below = [2 * at + 1, 2 * at + 2].into_iter();
            crowd.extend(below.filter(|at| {
                let entry = entries.get(*at);
                entry.is_some_and(|Reverse(entry)| entry.tick == first.tick)
            }));
            seen += 1;
        }
        crowd.len().min(most)
    }

    /// Which one is planned next.
    pub(super) fn peek(&self) -> Option<&Entry> {
        self.heap.peek().map(|Reverse(entry)| entry)
    }

    /// The earliest instant.
    pub(super) fn next(&self) -> Option<Timestamp> {
        self.peek().map(|entry| entry.tick)
    }
}
