//! The minutes in which more falls due than the quota lets through, and what becomes of their calls.
//!
//! The quota's own window ([`Window`]) decides who waits and for how long, so the forecast and the
//! daemon cannot differ in it. A call takes no time here, and nothing fails: retries, slow replies and
//! a full in-flight limit come on top of what is told.
//!
//! A minute is *crowded* where some call of it makes the last 60 s hold more calls than the limit; or
//! the last [`HOLD`], unless that is because the minute before is crowded. If no minute is, no call
//! waits. Calls that wait in another minute, in the wake of a crowd, count as that crowd's: they show
//! its cost, and would not wait without it.

use std::collections::VecDeque;
use std::num::NonZeroU32;
use std::time::Duration;

use super::calls::Call;
use crate::domain::quota::{HOLD, Room, Window};

const MINUTE: i64 = 60_000_000;

/// What becomes of a caller's calls that have to wait.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patience {
    /// One that cannot start within this time is missed.
    pub(super) start_deadline: Duration,
    /// One that meets another that still waits is skipped.
    pub(super) skips: bool,
}

/// A crowded minute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Minute {
    /// Its first instant, in microseconds since the epoch.
    pub(super) starts_us: i64,
    /// Calls that fall due within 60 s, at most.
    pub(super) calls: usize,
    /// Who falls due in it, and in the 60 s before its first call too many. In order, each once.
    pub(super) callers: Vec<usize>,
    /// By how much the last of its calls starts late.
    pub(super) latest: Duration,
    /// Whose calls start too late for their deadline and are missed; each as often as it happens.
    pub(super) missed: Vec<usize>,
    /// Calls that are skipped since another of their job still waits.
    pub(super) skipped: u64,
}

/// The crowded minutes among these calls, in the order of time.
pub(super) fn crowded(
    calls: impl Iterator<Item = Call>,
    limit: NonZeroU32,
    patience: &[Patience],
) -> Vec<Minute> {
    let mut queue = Queue {
        patience,
        window: Window::new(Some(limit)),
        now: i64::MIN,
        waiting: VecDeque::new(),
        waits_since: vec![None; patience.len()],
        minutes: Vec::new(),
    };
    let mut recent = Recent::default();
    for call in calls {
        queue.admit(call.due_us);
        recent.add(call);
        let limit = limit.get() as usize;
        let is_full = recent.of_minute().len() > limit;
        if is_full || recent.held() > limit && !queue.is_right_after_a_crowd(call, limit) {
            queue.note(&recent, call);
        }
        queue.take(call);
    }
    queue.admit(i64::MAX);
    for minute in &mut queue.minutes {
        minute.callers.sort_unstable();
        minute.callers.dedup();
    }
    queue.minutes
}

/// Whether no minute of these calls is crowded.
pub(super) fn fits(calls: impl Iterator<Item = Call>, limit: NonZeroU32) -> bool {
    let mut recent = Recent::default();
    for call in calls {
        recent.add(call);
        if recent.held() > limit.get() as usize {
            return false;
        }
    }
    true
}

/// The calls of the last [`HOLD`] by their due times.
#[derive(Debug, Default)]
struct Recent {
    calls: VecDeque<Call>,
    /// Of them, those of more than 60 s ago.
    older: usize,
}

impl Recent {
    fn add(&mut self, call: Call) {
        let since = |span: i64| call.due_us - span;
        let hold = i64::try_from(HOLD.as_micros()).unwrap_or(i64::MAX);
        while self
            .calls
            .front()
            .is_some_and(|old| old.due_us <= since(hold))
        {
            self.calls.pop_front();
            self.older = self.older.saturating_sub(1);
        }
        self.calls.push_back(call);
        while self.calls[self.older].due_us <= since(MINUTE) {
            self.older += 1;
        }
    }

    /// Calls whose slots would be held now, had each started when it was due.
    fn held(&self) -> usize {
        self.calls.len()
    }

    /// Those of the last 60 s.
    fn of_minute(&self) -> impl ExactSizeIterator<Item = &Call> {
        self.calls.range(self.older..)
    }
}

/// A call that waits, and the crowd that it is counted in.
#[derive(Debug)]
struct Waiting {
    call: Call,
    minute: usize,
}

#[derive(Debug)]
struct Queue<'a> {
    patience: &'a [Patience],
    window: Window,
    /// The last instant that was looked at.
    now: i64,
    waiting: VecDeque<Waiting>,
    /// The due time of each caller's newest call that waits.
    waits_since: Vec<Option<i64>>,
    minutes: Vec<Minute>,
}

impl Queue<'_> {
    /// Lets go who may start before or at `until`.
    fn admit(&mut self, until: i64) {
        while let Some(first) = self.waiting.front() {
            let Call { due_us, caller } = first.call;
            let start = match self.window.room(since_epoch(self.now)) {
                Room::Free => self.now,
                Room::Full(Some(end)) => microseconds(end),
                // Nothing is ever open here: a call takes no time.
                Room::Full(None) => return,
            };
            if start > until {
                return;
            }
            self.now = start;
            let late = Duration::from_micros(start.abs_diff(due_us));
            let minute = &mut self.minutes[first.minute];
            if late > self.patience[caller].start_deadline {
                minute.missed.push(caller);
            } else {
                minute.latest = minute.latest.max(late);
                self.window.hold(since_epoch(start));
            }
            if self.waits_since[caller] == Some(due_us) {
                self.waits_since[caller] = None;
            }
            self.waiting.pop_front();
        }
        self.now = self.now.max(until);
    }

    fn is_full(&mut self) -> bool {
        self.window.room(since_epoch(self.now)) != Room::Free
    }

    /// Whether the minute before this call's holds more than the limit.
    fn is_right_after_a_crowd(&self, call: Call, limit: usize) -> bool {
        let before = minute_of(call.due_us) - MINUTE;
        let mut last = self.minutes.iter().rev();
        last.next()
            .is_some_and(|minute| minute.starts_us == before && minute.calls > limit)
    }

    /// Notes a call that crowds its minute.
    fn note(&mut self, recent: &Recent, call: Call) {
        let starts_us = minute_of(call.due_us);
        let calls = recent.of_minute();
        match self.minutes.last_mut() {
            Some(minute) if minute.starts_us == starts_us => {
                minute.calls = minute.calls.max(calls.len());
                minute.callers.push(call.caller);
            }
            _ => self.minutes.push(Minute {
                starts_us,
                calls: calls.len(),
                callers: calls.map(|call| call.caller).collect(),
                latest: Duration::ZERO,
                missed: Vec::new(),
                skipped: 0,
            }),
        }
    }

    /// Takes in a call that is due now.
    fn take(&mut self, call: Call) {
        let Call { due_us, caller } = call;
        let patience = self.patience[caller];
        let still_waits =
            |since: i64| Duration::from_micros(due_us.abs_diff(since)) <= patience.start_deadline;
        if patience.skips && self.waits_since[caller].is_some_and(still_waits) {
            if let Some(minute) = self.minutes.last_mut() {
                minute.skipped += 1;
            }
        } else if self.waiting.is_empty() && !self.is_full() {
            self.window.hold(since_epoch(due_us));
        // Before the first crowd the window has room for all, so there is one to count this in.
        } else if let Some(minute) = self.minutes.len().checked_sub(1) {
            self.waits_since[caller] = Some(due_us);
            self.waiting.push_back(Waiting { call, minute });
        }
    }
}

/// The first instant of its minute.
fn minute_of(us: i64) -> i64 {
    us.div_euclid(MINUTE) * MINUTE
}

/// The window counts from some instant; any will do that no call is before.
fn since_epoch(us: i64) -> Duration {
    Duration::from_micros(u64::try_from(us).unwrap_or(0))
}

fn microseconds(since: Duration) -> i64 {
    i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const LENIENT: Patience = Patience {
        start_deadline: Duration::from_secs(86_400),
        skips: false,
    };

    /// Calls at these seconds, each of a caller of its own.
    fn calls(seconds: impl IntoIterator<Item = i64>) -> Vec<Call> {
        let made = seconds.into_iter().enumerate();
        made.map(|(caller, second)| Call {
            due_us: second * 1_000_000,
            caller,
        })
        .collect()
    }

    fn limit(limit: u32) -> NonZeroU32 {
        NonZeroU32::new(limit).unwrap_or(NonZeroU32::MIN)
    }

    fn found(calls: &[Call], most: u32, patience: Patience) -> Vec<Minute> {
        let patience = vec![patience; calls.len()];
        crowded(calls.iter().copied(), limit(most), &patience)
    }

    #[test]
    fn sixty_calls_at_once_start_in_three_lots_of_twenty() {
        let minutes = found(&calls(vec![3_600; 60]), 20, LENIENT);
        assert_eq!(
            minutes,
            [Minute {
                starts_us: 3_600_000_000,
                calls: 60,
                callers: (0..60).collect(),
                latest: Duration::from_secs(122),
                missed: vec![],
                skipped: 0,
            }]
        );
    }

    #[test]
    fn calls_in_the_wake_of_a_crowd_are_counted_in_it() {
        let mut seconds = vec![3_600; 60];
        // One behind the line, and one that finds the line empty and the window full.
        seconds.extend([3_661, 3_730]);
        let minutes = found(&calls(seconds), 20, LENIENT);
        assert_eq!(minutes.len(), 1);
        assert_eq!((minutes[0].calls, minutes[0].callers.len()), (60, 60));
        // 20 each at 0, 61 and 122 s; then those of 61 and 130 s, at 183 s.
        assert_eq!(minutes[0].latest, Duration::from_secs(122));
    }

    #[test]
    fn a_call_a_minute_after_a_crowd_is_in_its_wake_though_the_slots_are_held_still() {
        let seconds = [vec![3_600; 21], vec![3_660]].concat();
        let minutes = found(&calls(seconds), 20, LENIENT);
        assert_eq!(minutes.len(), 1);
        assert_eq!((minutes[0].calls, minutes[0].callers.len()), (21, 21));
    }

    #[test]
    fn a_minute_is_sliding_and_so_the_last_of_the_one_before_crowd_it_too() {
        let seconds = [vec![3_590; 15], vec![3_600; 10]].concat();
        let minutes = found(&calls(seconds), 20, LENIENT);
        assert_eq!(minutes.len(), 1);
        assert_eq!(minutes[0].starts_us, 3_600_000_000);
        assert_eq!(minutes[0].calls, 25);
        assert_eq!(minutes[0].callers.len(), 25);
        assert_eq!(minutes[0].latest, Duration::from_secs(51));
    }

    #[test]
    fn a_limit_used_up_every_minute_does_not_fit_since_a_slot_is_held_a_second_longer() {
        let seconds = (0..3).flat_map(|minute| vec![3_600 + minute * 60; 20]);
        let minutes = found(&calls(seconds), 20, LENIENT);
        let told: Vec<_> = minutes
            .iter()
            .map(|minute| (minute.calls, minute.latest.as_secs()))
            .collect();
        assert_eq!(told, [(20, 1), (20, 2)]);
    }

    #[test]
    fn who_cannot_start_before_its_deadline_is_missed_and_takes_no_slot() {
        let mut patience = vec![LENIENT; 60];
        for impatient in &mut patience[20..40] {
            impatient.start_deadline = Duration::from_secs(60);
        }
        let calls = calls(vec![3_600; 60]);
        let minutes = crowded(calls.into_iter(), limit(20), &patience);
        assert_eq!(minutes[0].missed, (20..40).collect::<Vec<_>>());
        assert_eq!(minutes[0].latest, Duration::from_secs(61));
    }

    #[test]
    fn a_tick_that_meets_its_jobs_waiting_run_is_skipped_where_the_job_says_so() {
        // Three jobs each minute, one call a minute fits.
        let seconds = (0..3).flat_map(|minute| vec![3_600 + minute * 60; 3]);
        let calls: Vec<Call> = seconds
            .enumerate()
            .map(|(index, second)| Call {
                due_us: second * 1_000_000,
                caller: index % 3,
            })
            .collect();
        let skipped = |skips| {
            let patience = [Patience { skips, ..LENIENT }; 3];
            let minutes = crowded(calls.iter().copied(), limit(1), &patience);
            minutes.iter().map(|minute| minute.skipped).sum::<u64>()
        };
        // One starts at once, two wait; a minute later these two are skipped, and again two.
        assert_eq!(skipped(true), 4);
        assert_eq!(skipped(false), 0);
    }

    proptest! {
        /// No crowded minute and no late call go together, and `fits` knows it beforehand.
        #[test]
        fn calls_wait_where_a_minute_is_crowded_and_only_there(
            mut seconds in prop::collection::vec(1_000i64..1_600, 1..60),
            most in 1u32..8,
        ) {
            seconds.sort_unstable();
            let calls = calls(seconds.iter().copied());
            let minutes = found(&calls, most, LENIENT);
            let is_crowded = seconds.iter().any(|second| {
                let held = seconds.iter().filter(|other| (second - 61 + 1..=*second).contains(other));
                held.count() > most as usize
            });
            prop_assert_eq!(!minutes.is_empty(), is_crowded);
            prop_assert_eq!(fits(calls.iter().copied(), limit(most)), !is_crowded);
            prop_assert_eq!(minutes.iter().any(|minute| minute.latest > Duration::ZERO), is_crowded);
            prop_assert!(minutes.iter().all(|minute| minute.calls > 0 && !minute.callers.is_empty()));
        }
    }
}
