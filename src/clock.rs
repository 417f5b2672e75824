//! Time: the only reader of the wall clock.
//!
//! A struct over an enum, no trait: the system's clock, and one that tests move by hand. Everything
//! above is given instants. Wall time is truncated to microseconds, the ledger's resolution, so that
//! an instant read back from the ledger equals the one that was written.

use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use tokio::sync::watch;

/// Longest single sleep. A clock step or a suspend is seen no later than this (architecture,
/// invariant 11).
pub const MAX_SLEEP: Duration = Duration::from_secs(30);

/// What a clock's monotonic time begins at. Not zero, so that instants shortly before the process's
/// start, which the quota's window needs, can be expressed on it.
const MONOTONIC_BEGINNING: Duration = Duration::from_secs(24 * 60 * 60);

/// A source of wall time and of monotonic time. Cheap to clone; clones tell the same time.
#[derive(Clone, Debug)]
pub struct Clock(Arc<Source>);

#[derive(Debug)]
enum Source {
    System { origin: Instant },
    Manual(watch::Sender<Reading>),
}

#[derive(Clone, Copy, Debug)]
struct Reading {
    wall: Timestamp,
    monotonic: Duration,
}

impl Clock {
    /// The machine's clocks.
    pub fn system() -> Self {
        Self(Arc::new(Source::System {
            origin: Instant::now(),
        }))
    }

    /// A clock that stands at `wall` until it is moved.
    pub fn manual(wall: Timestamp) -> Self {
        let reading = Reading {
            wall: truncate(wall),
            monotonic: Duration::ZERO,
        };
        Self(Arc::new(Source::Manual(watch::Sender::new(reading))))
    }

    /// The wall time, in whole microseconds.
    pub fn now(&self) -> Timestamp {
        match &*self.0 {
            Source::System { .. } => truncate(Timestamp::now()),
            Source::Manual(reading) => reading.borrow().wall,
        }
    }

    /// Time that no step of the wall clock touches; one day when the clock is made.
    pub fn monotonic(&self) -> Duration {
        match &*self.0 {
            Source::System { origin } => MONOTONIC_BEGINNING + origin.elapsed(),
            Source::Manual(reading) => reading.borrow().monotonic,
        }
    }

    /// Sleeps until the wall clock shows `wake`, or for [`MAX_SLEEP`] if that is sooner; the caller
    /// looks at the clock again either way.
    pub async fn sleep_towards(&self, wake: Timestamp) {
        match &*self.0 {
            Source::System { .. } => {
                let left = wake.duration_since(self.now());
                let left = Duration::try_from(left).unwrap_or(Duration::ZERO);
                tokio::time::sleep(left.min(MAX_SLEEP)).await;
            }
            Source::Manual(reading) => {
                let mut reading = reading.subscribe();
                // The sender lives as long as `self`, so waiting cannot fail.
                let _ = reading.wait_for(|reading| reading.wall >= wake).await;
            }
        }
    }

    /// Moves a manual clock: wall and monotonic time together. Does nothing to the system's.
    pub fn advance(&self, by: Duration) {
        self.adjust(|reading| {
            reading.monotonic += by;
            reading.wall = shift(reading.wall, SignedDuration::try_from(by).ok());
        });
    }

    /// Steps a manual clock's wall time alone, as an administrator or NTP does.
    pub fn step_wall(&self, by: SignedDuration) {
        self.adjust(|reading| reading.wall = shift(reading.wall, Some(by)));
    }

    fn adjust(&self, change: impl FnOnce(&mut Reading)) {
        if let Source::Manual(reading) = &*self.0 {
            reading.send_modify(change);
        }
    }
}

fn truncate(at: Timestamp) -> Timestamp {
    Timestamp::from_microsecond(at.as_microsecond()).unwrap_or(at)
}

fn shift(at: Timestamp, by: Option<SignedDuration>) -> Timestamp {
    by.and_then(|by| at.checked_add(by).ok())
        .map_or(Timestamp::MAX, truncate)
}

#[cfg(test)]
#[expect(clippy::expect_used, reason = "a test may panic")]
mod tests {
    use super::*;

    #[test]
    fn a_manual_clock_moves_only_by_hand() {
        let clock = Clock::manual(Timestamp::UNIX_EPOCH);
        let monotonic = clock.monotonic();
        clock.advance(Duration::from_millis(1500));
        assert_eq!(clock.now().as_microsecond(), 1_500_000);
        assert_eq!(clock.monotonic() - monotonic, Duration::from_millis(1500));
        clock.step_wall(SignedDuration::from_secs(-1));
        assert_eq!(clock.now().as_microsecond(), 500_000);
        assert_eq!(clock.monotonic() - monotonic, Duration::from_millis(1500));
    }

    #[test]
    fn wall_time_has_no_more_than_the_ledgers_resolution() {
        assert_eq!(Clock::system().now().as_nanosecond() % 1_000, 0);
    }

    #[tokio::test]
    async fn a_sleeper_wakes_when_the_manual_clock_gets_there() {
        let clock = Clock::manual(Timestamp::UNIX_EPOCH);
        let wake = Timestamp::from_second(60).expect("in range");
        let sleeper = tokio::spawn({
            let clock = clock.clone();
            async move { clock.sleep_towards(wake).await }
        });
        clock.advance(Duration::from_secs(61));
        sleeper.await.expect("the sleeper ends");
    }
}
