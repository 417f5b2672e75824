//! The calls of one job that wait, as its `overlap` sees them.
//!
//! A tick meets what waits *at the tick*, though its own call may fall due only later, and be looked at
//! only then. So a call that left the line is kept until the ticks have passed that moment.

use std::collections::VecDeque;
use std::time::Duration;

/// Those of a job's calls that had to wait, in the order of their due times.
#[derive(Debug, Default)]
pub(super) struct Own(VecDeque<Kept>);

#[derive(Debug)]
struct Kept {
    due_us: i64,
    /// When it started; `None` while it waits.
    started_us: Option<i64>,
}

impl Kept {
    /// Whether it was neither started nor missed at an instant.
    fn waits_at(&self, us: i64, start_deadline: Duration) -> bool {
        let is_missed = us > self.due_us && since(us, self.due_us) >= start_deadline;
        self.started_us.map_or(!is_missed, |started| us < started)
    }
}

impl Own {
    /// How many waited at an instant; nobody asks of one before it any more.
    pub(super) fn waiting_at(&mut self, us: i64, start_deadline: Duration) -> usize {
        while self
            .0
            .front()
            .is_some_and(|kept| kept.started_us.is_some_and(|started| started <= us))
        {
            self.0.pop_front();
        }
        let waiting = self
            .0
            .iter()
            .filter(|kept| kept.waits_at(us, start_deadline));
        waiting.count()
    }

    /// Takes in a call that has to wait.
    pub(super) fn wait(&mut self, due_us: i64) {
        self.0.push_back(Kept {
            due_us,
            started_us: None,
        });
    }

    /// Whether a call still waits, or would if it were not too late.
    pub(super) fn holds(&self, due_us: i64) -> bool {
        self.0
            .iter()
            .any(|kept| kept.due_us == due_us && kept.started_us.is_none())
    }

    /// Notes that a call has started.
    pub(super) fn start(&mut self, due_us: i64, started_us: i64) {
        if let Some(kept) = self.0.iter_mut().find(|kept| kept.due_us == due_us) {
            kept.started_us = Some(started_us);
        }
    }

    /// Notes that a call was missed.
    pub(super) fn miss(&mut self, due_us: i64) {
        self.0.retain(|kept| kept.due_us != due_us);
    }

    /// Takes out those that wait, since a newer one takes their place, and counts them.
    pub(super) fn replace(&mut self, now_us: i64, start_deadline: Duration) -> u64 {
        let before = self.0.len();
        self.0
            .retain(|kept| kept.started_us.is_some() || !kept.waits_at(now_us, start_deadline));
        (before - self.0.len()) as u64
    }
}

fn since(us: i64, earlier_us: i64) -> Duration {
    Duration::from_micros(us.abs_diff(earlier_us))
}
