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

/// A job's next tick. Ordered by tick and then by when its run is due, so that of thousands with a
/// spread none has to go before the last of them is planned.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Entry {
    pub(super) tick: Timestamp,
    due: Timestamp,
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

    /// Takes the earliest entry that is due at `now`.
    pub(super) fn pop_due(&mut self, now: Timestamp) -> Option<Entry> {
        self.next().filter(|next| *next <= now)?;
        self.heap.pop().map(|Reverse(entry)| entry)
    }

    /// The earliest instant.
    pub(super) fn next(&self) -> Option<Timestamp> {
        self.heap.peek().map(|Reverse(entry)| entry.tick)
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use std::time::Duration;

    use super::*;

    fn job(name: &str, spread: Duration) -> Arc<Job> {
        let text = r#"{"name":"a","labels":{},"enabled":true,"workspace":"prod","func_id":"a__b.c","kwargs":{},"secret_kwargs":{},"schedule":["@hourly"],"timezone":"UTC","dst":{"gap":"run_after","overlap":"first"},"overlap":"skip","catchup":"latest","catchup_window":"1h","start_deadline":"5m","timeout":"1m","deadline":"15m","idempotent":false,"retry":{"max_attempts":3,"initial_delay":"5s","multiplier":2.0,"max_delay":"5m","jitter":0.2,"on":["throttled"],"into_next_tick":true},"expect":[]}"#;
        let job = crate::config::definition::read(text).unwrap();
        let name = JobName::parse(name).unwrap();
        Arc::new(Job {
            name,
            spread,
            ..job
        })
    }

    #[test]
    fn of_one_tick_those_come_first_that_are_due_first() {
        let hour = Duration::from_secs(3_600);
        let spread = (0..50).map(|number| job(&format!("spread-{number}"), hour));
        let jobs: Vec<_> = spread.chain([job("sharp", Duration::ZERO)]).collect();
        let mut timetable = Timetable::new(jobs.iter(), Timestamp::UNIX_EPOCH);
        let tick = timetable.next().unwrap();
        let mut order = Vec::new();
        while let Some(entry) = timetable.pop_due(tick) {
            order.extend(jobs.iter().find(|job| job.name == entry.job));
        }
        assert_eq!(order.len(), jobs.len());
        assert_eq!(order[0].name.as_str(), "sharp");
        assert!(order.is_sorted_by_key(|job| job.delay(tick)));
    }
}
