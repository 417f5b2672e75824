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
use super::own::Own;
use crate::domain::job::Overlap;
use crate::domain::overlap;
use crate::domain::quota::{HOLD, Room, Window};

const MINUTE: i64 = 60_000_000;

/// How late calls may start that fit into the minute and not into the slots' 61 s.
const TOLERATED: Duration = Duration::from_secs(5);

/// What becomes of a caller's calls that have to wait.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patience {
    /// One that cannot start within this time is missed.
    pub(super) start_deadline: Duration,
    /// What one does that meets others of its job which still wait.
    pub(super) overlap: Overlap,
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
    /// Ticks that are skipped since others of their job still wait.
    pub(super) skipped: u64,
    /// Calls that still wait when a newer one of their job takes their place.
    pub(super) replaced: u64,
}

impl Minute {
    /// Fifteen calls every minute, where twenty fit, start up to 2 s late, since a slot is held a
    /// second longer than the minute. That is no fault of the configuration, as long as it does not
    /// add up.
    pub(super) fn is_tolerable(&self, limit: NonZeroU32) -> bool {
        self.calls <= limit.get() as usize
            && self.latest <= TOLERATED
            && self.missed.is_empty()
            && self.skipped == 0
            && self.replaced == 0
    }
}

/// The crowded minutes among these calls, in the order of time.
pub(super) fn crowded(
    calls: impl Iterator<Item = Call>,
    limit: NonZeroU32,
    patience: &[Patience],
) -> Vec<Minute> {
    let mut queue = Queue::new(limit, patience, i64::MIN);
    for call in calls {
        queue.see(call);
    }
    queue.admit(i64::MAX);
    for minute in &mut queue.minutes {
        minute.callers.sort_unstable();
        minute.callers.dedup();
    }
    queue.minutes
}

/// Whether no minute of these calls from `judged_us` on is more than tolerable.
pub(super) fn fits(
    calls: impl Iterator<Item = Call>,
    limit: NonZeroU32,
    patience: &[Patience],
    judged_us: i64,
) -> bool {
    let mut queue = Queue::new(limit, patience, judged_us);
    for call in calls {
        queue.see(call);
        if queue.is_bad {
            return false;
        }
    }
    queue.admit(i64::MAX);
    !queue.is_bad
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
#[derive(Clone, Copy, Debug)]
struct Waiting {
    call: Call,
    minute: usize,
}

#[derive(Debug)]
struct Queue<'a> {
    limit: NonZeroU32,
    patience: &'a [Patience],
    window: Window,
    recent: Recent,
    /// The last instant that was looked at.
    now: i64,
    waiting: VecDeque<Waiting>,
    /// Each caller's calls that wait, or did until lately.
    own: Vec<Own>,
    minutes: Vec<Minute>,
    judged_us: i64,
    /// Whether a minute from `judged_us` on is more than tolerable.
    is_bad: bool,
}

impl<'a> Queue<'a> {
    fn new(limit: NonZeroU32, patience: &'a [Patience], judged_us: i64) -> Self {
        Self {
            limit,
            patience,
            window: Window::new(Some(limit)),
            recent: Recent::default(),
            now: i64::MIN,
            waiting: VecDeque::new(),
            own: patience.iter().map(|_| Own::default()).collect(),
            minutes: Vec::new(),
            judged_us,
            is_bad: false,
        }
    }

    /// Goes on to a call that falls due.
    fn see(&mut self, call: Call) {
        self.admit(call.due_us);
        self.recent.add(call);
        let limit = self.limit.get() as usize;
        let is_full = self.recent.of_minute().len() > limit;
        if is_full || self.recent.held() > limit && !self.is_right_after_a_crowd(call, limit) {
            self.note(call);
        }
        self.take(call);
    }

    /// Lets go who may start before or at `until`.
    fn admit(&mut self, until: i64) {
        while let Some(first) = self.waiting.front() {
            let Waiting { call, minute } = *first;
            let Call { due_us, caller, .. } = call;
            if !self.own[caller].holds(due_us) {
                // A newer one has taken its place.
                self.waiting.pop_front();
                continue;
            }
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
            if late >= self.patience[caller].start_deadline {
                self.own[caller].miss(due_us);
                self.tell(minute, |minute| minute.missed.push(caller));
            } else {
                self.own[caller].start(due_us, start);
                self.tell(minute, |minute| minute.latest = minute.latest.max(late));
                self.window.hold(since_epoch(start));
            }
            self.waiting.pop_front();
        }
        self.now = self.now.max(until);
    }

    /// Changes what is told of a minute.
    fn tell(&mut self, minute: usize, change: impl FnOnce(&mut Minute)) {
        if let Some(minute) = self.minutes.get_mut(minute) {
            change(minute);
            let is_judged = minute.starts_us >= self.judged_us;
            self.is_bad |= is_judged && !minute.is_tolerable(self.limit);
        }
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
    fn note(&mut self, call: Call) {
        let starts_us = minute_of(call.due_us);
        let count = self.recent.of_minute().len();
        let last = self.minutes.last();
        if last.is_none_or(|minute| minute.starts_us != starts_us) {
            self.minutes.push(Minute {
                starts_us,
                calls: count,
                callers: self.recent.of_minute().map(|call| call.caller).collect(),
                latest: Duration::ZERO,
                missed: Vec::new(),
                skipped: 0,
                replaced: 0,
            });
        }
        self.tell(self.minutes.len() - 1, |minute| {
            minute.calls = minute.calls.max(count);
            minute.callers.push(call.caller);
        });
    }

    /// Takes in a call that is due now.
    fn take(&mut self, call: Call) {
        let Call {
            tick_us,
            due_us,
            caller,
        } = call;
        let Patience {
            start_deadline,
            overlap,
        } = self.patience[caller];
        // Before the first crowd the window has room for all, so there is one to count this in.
        let minute = self.minutes.len().saturating_sub(1);
        let mut queue = overlap::Queue {
            begun: 0,
            waiting: self.own[caller].waiting_at(tick_us, start_deadline),
        };
        if queue.join(overlap) == overlap::Joining::Refused {
            self.tell(minute, |minute| minute.skipped += 1);
            return;
        }
        if overlap == Overlap::CancelRunning {
            let replaced = self.own[caller].replace(due_us, start_deadline);
            if replaced > 0 {
                self.tell(minute, |minute| minute.replaced += replaced);
                // They may have been all that stood before this one.
                self.admit(due_us);
            }
        }
        if self.waiting.is_empty() && !self.is_full() {
            self.window.hold(since_epoch(due_us));
        } else {
            self.own[caller].wait(due_us);
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
        overlap: Overlap::Allow,
    };

    fn call(second: i64, caller: usize) -> Call {
        Call {
            tick_us: second * 1_000_000,
            due_us: second * 1_000_000,
            caller,
        }
    }

    /// Calls at these seconds, each of a caller of its own.
    fn calls(seconds: impl IntoIterator<Item = i64>) -> Vec<Call> {
        let made = seconds.into_iter().enumerate();
        made.map(|(caller, second)| call(second, caller)).collect()
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
                replaced: 0,
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

    /// Three jobs each minute for so many minutes, of which one call fits: ticks skipped and runs
    /// replaced.
    fn three_where_one_fits(minutes: i64, overlap: Overlap) -> (u64, u64) {
        let seconds = (0..minutes).flat_map(|minute| vec![3_600 + minute * 60; 3]);
        let calls = seconds
            .enumerate()
            .map(|(index, second)| call(second, index % 3));
        let patience = [Patience { overlap, ..LENIENT }; 3];
        let minutes = crowded(calls, limit(1), &patience);
        let skipped = minutes.iter().map(|minute| minute.skipped).sum();
        (skipped, minutes.iter().map(|minute| minute.replaced).sum())
    }

    #[test]
    fn a_tick_that_meets_waiting_runs_of_its_job_does_what_its_overlap_says() {
        // One starts at once, two wait; a minute later these two are skipped, and again two.
        assert_eq!(three_where_one_fits(3, Overlap::Skip), (4, 0));
        // Two of a job may wait: at 120 s one has two in line, at 180 s two have.
        assert_eq!(three_where_one_fits(2, Overlap::QueueOne), (0, 0));
        assert_eq!(three_where_one_fits(3, Overlap::QueueOne), (1, 0));
        assert_eq!(three_where_one_fits(4, Overlap::QueueOne), (3, 0));
        assert_eq!(three_where_one_fits(9, Overlap::QueueAll), (0, 0));
        assert_eq!(three_where_one_fits(9, Overlap::Allow), (0, 0));
        assert_eq!(three_where_one_fits(3, Overlap::CancelRunning), (0, 4));
    }

    #[test]
    fn what_waited_at_the_tick_counts_though_it_has_started_when_the_call_falls_due() {
        let late = Call {
            tick_us: 3_630_000_000,
            ..call(3_680, 1)
        };
        let calls = [call(3_600, 0), call(3_601, 1), late];
        let skipped = |overlap| {
            let patience = [LENIENT, Patience { overlap, ..LENIENT }];
            let minutes = crowded(calls.into_iter(), limit(1), &patience);
            minutes.iter().map(|minute| minute.skipped).sum::<u64>()
        };
        assert_eq!(skipped(Overlap::Skip), 1);
        assert_eq!(skipped(Overlap::QueueOne), 0);
    }

    #[test]
    fn a_run_that_was_missed_keeps_no_place() {
        let calls = [call(3_600, 0), call(3_601, 1), call(3_640, 1)];
        let patience = Patience {
            start_deadline: Duration::from_secs(30),
            overlap: Overlap::Skip,
        };
        let minutes = crowded(calls.into_iter(), limit(1), &[LENIENT, patience]);
        assert_eq!(minutes[0].missed, [1]);
        assert_eq!(minutes[0].skipped, 0);
        assert_eq!(minutes[0].latest, Duration::from_secs(21));
    }

    proptest! {
        /// No crowded minute and no late call go together, and `fits` knows what is tolerable.
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
            let patience = vec![LENIENT; calls.len()];
            for judged_us in [i64::MIN, 1_200_000_000] {
                let judged = minutes.iter().filter(|minute| minute.starts_us >= judged_us);
                let is_tolerable = judged.clone().all(|minute| minute.is_tolerable(limit(most)));
                prop_assert_eq!(fits(calls.iter().copied(), limit(most), &patience, judged_us), is_tolerable);
            }
            prop_assert_eq!(minutes.iter().any(|minute| minute.latest > Duration::ZERO), is_crowded);
            prop_assert!(minutes.iter().all(|minute| minute.calls > 0 && !minute.callers.is_empty()));
        }
    }
}
