//! May this key send now? An exact sliding window, per key and per workspace (guarantee G5).
//!
//! A call holds its slot from the attempt's opening until [`HOLD`] after its request was written: the
//! server counts the request at some instant between the two, plus the network's delay, so no minute
//! *as the server sees it* can hold more than the limit. A call that never left gives its slot back;
//! one whose writing nobody saw holds it until [`HOLD`] after its closing (contract, section 3).
//! Time here is monotonic: no step of the wall clock opens or shuts the window.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::num::NonZeroU32;
use std::time::Duration;

/// The server's minute and a second for the network.
pub const HOLD: Duration = Duration::from_secs(61);

/// One limit's window. Instants are time since the process's clock was made.
#[derive(Debug)]
pub struct Window {
    limit: Option<NonZeroU32>,
    open: usize,
    ends: BinaryHeap<Reverse<Duration>>,
}

/// Whether there is room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Room {
    /// For one call at least.
    Free,
    /// Not before this instant; `None`: not before some open call ends.
    Full(Option<Duration>),
}

impl Window {
    /// A window that nothing was sent in yet. Without a limit it is never full.
    pub fn new(limit: Option<NonZeroU32>) -> Self {
        Self {
            limit,
            open: 0,
            ends: BinaryHeap::new(),
        }
    }

    /// The limit may change with a reload; what was sent stays.
    pub fn set_limit(&mut self, limit: Option<NonZeroU32>) {
        self.limit = limit;
    }

    /// Whether a call may be opened at `now`.
    pub fn room(&mut self, now: Duration) -> Room {
        self.forget(now);
        match self.limit {
            Some(limit) if self.load() >= limit.get() as usize => {
                Room::Full(self.ends.peek().map(|Reverse(end)| *end))
            }
            _ => Room::Free,
        }
    }

    /// Slots that are taken, as of the last look at the [`Self::room`].
    pub fn load(&self) -> usize {
        self.open + self.ends.len()
    }

    /// Takes a slot.
    pub fn open(&mut self) {
        self.open += 1;
    }

    /// Turns an open call's slot into one that is held until [`HOLD`] after `since`.
    pub fn close(&mut self, since: Duration) {
        self.open = self.open.saturating_sub(1);
        self.hold(since);
    }

    /// Gives an open call's slot back: nothing was sent.
    pub fn release(&mut self) {
        self.open = self.open.saturating_sub(1);
    }

    /// Holds a slot for a call of before: the ledger's, at a start. Without a limit it is held, too,
    /// since a reload may bring one.
    pub fn hold(&mut self, since: Duration) {
        self.forget(since);
        self.ends.push(Reverse(since.saturating_add(HOLD)));
    }

    fn forget(&mut self, now: Duration) {
        while self.ends.peek().is_some_and(|Reverse(end)| *end <= now) {
            self.ends.pop();
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn the_window_slides_and_open_calls_hold_their_slot() {
        let mut window = Window::new(NonZeroU32::new(2));
        assert_eq!(window.room(seconds(0)), Room::Free);
        window.open();
        window.open();
        assert_eq!(window.room(seconds(500)), Room::Full(None));
        window.close(seconds(500));
        assert_eq!(window.room(seconds(501)), Room::Full(Some(seconds(561))));
        window.release();
        assert_eq!(window.room(seconds(501)), Room::Free);
        window.open();
        assert_eq!(window.room(seconds(561)), Room::Free);
    }

    #[test]
    fn no_limit_is_never_full_and_keeps_a_minute_for_the_limit_that_may_come() {
        let mut window = Window::new(None);
        for second in 0..10_000 {
            window.open();
            window.close(seconds(second));
        }
        assert_eq!(window.room(seconds(9_999)), Room::Free);
        assert_eq!(window.load(), 61);
        window.set_limit(NonZeroU32::new(61));
        assert_eq!(
            window.room(seconds(9_999)),
            Room::Full(Some(seconds(10_000)))
        );
    }

    proptest! {
        /// Whatever the durations of calls and the network's delays below a second, the server never
        /// counts more than the limit in any window of 60 s.
        #[test]
        fn the_server_never_sees_more_than_the_limit_in_a_minute(
            limit in 1u32..5,
            calls in prop::collection::vec((0u64..20_000, 0u64..3_000, 0u64..1_000), 1..60),
        ) {
            let mut window = Window::new(NonZeroU32::new(limit));
            let mut now = Duration::ZERO;
            let mut open: Vec<(Duration, Duration)> = Vec::new();
            let mut arrivals: Vec<Duration> = Vec::new();
            for (pause, until_written, network) in calls {
                now += Duration::from_millis(pause);
                open.retain(|(end, written)| {
                    if *end <= now { window.close(*written); false } else { true }
                });
                if matches!(window.room(now), Room::Free) {
                    window.open();
                    let written = now + Duration::from_millis(until_written);
                    open.push((written + seconds(1), written));
                    arrivals.push(written + Duration::from_millis(network));
                }
            }
            arrivals.sort_unstable();
            for (at, first) in arrivals.iter().enumerate() {
                let in_minute = arrivals[at..].iter().take_while(|t| **t < *first + seconds(60)).count();
                prop_assert!(in_minute <= limit as usize);
            }
        }
    }
}
