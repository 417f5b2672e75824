//! Time: the only reader of the wall clock.
//!
//! A struct over an enum, no trait: the system's clock, and one that tests move by hand. Everything
//! above is given instants. Wall time is truncated to microseconds, the ledger's resolution, so that
//! an instant read back from the ledger equals the one that was written.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use rustix::time::{ClockId, clock_gettime};
use tokio::sync::watch;

/// Longest single sleep. A clock step or a suspend is seen no later than this (architecture,
/// invariant 11).
pub const MAX_SLEEP: Duration = Duration::from_secs(30);

/// What the runtime's timer may be late by.
const TIMER: Duration = Duration::from_millis(3);

/// What a clock's monotonic time begins at. Not zero, so that instants shortly before the process's
/// start, which the quota's window needs, can be expressed on it.
const MONOTONIC_BEGINNING: Duration = Duration::from_secs(24 * 60 * 60);

/// A source of wall time and of monotonic time. Cheap to clone; clones tell the same time.
#[derive(Clone, Debug)]
pub struct Clock(Arc<Source>);

#[derive(Debug)]
enum Source {
    System { origin: Instant, boot: Option<i64> },
    Manual(Manual),
}

/// An instant by the machine's own count since it was booted. It outlives a process, a suspend counts,
/// and no step of the wall clock touches it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Uptime {
    /// Which boot: no two of a machine have the same number.
    pub boot: i64,
    /// The time since then.
    pub since: Duration,
}

#[derive(Debug)]
struct Manual {
    reading: watch::Sender<Reading>,
    sleepers: watch::Sender<Sleepers>,
}

/// The monotonic instants that [`Clock::sleep`] sleeps until, each with a number of its own.
#[derive(Debug, Default)]
struct Sleepers {
    number: u64,
    until: BTreeSet<(Duration, u64)>,
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
            boot: boot(),
        }))
    }

    /// A clock that stands at `wall` until it is moved.
    pub fn manual(wall: Timestamp) -> Self {
        let reading = Reading {
            wall: truncate(wall),
            monotonic: Duration::ZERO,
        };
        Self(Arc::new(Source::Manual(Manual {
            reading: watch::Sender::new(reading),
            sleepers: watch::Sender::default(),
        })))
    }

    /// The wall time, in whole microseconds.
    pub fn now(&self) -> Timestamp {
        match &*self.0 {
            Source::System { .. } => truncate(Timestamp::now()),
            Source::Manual(manual) => manual.reading.borrow().wall,
        }
    }

    /// Time that no step of the wall clock touches; one day when the clock is made.
    pub fn monotonic(&self) -> Duration {
        match &*self.0 {
            Source::System { origin, .. } => MONOTONIC_BEGINNING + origin.elapsed(),
            Source::Manual(manual) => manual.reading.borrow().monotonic,
        }
    }

    /// The time since the machine's boot; `None` where it cannot be told.
    pub fn uptime(&self) -> Option<Uptime> {
        match &*self.0 {
            Source::System { boot, .. } => {
                let since = clock_gettime(ClockId::Boottime);
                Some(Uptime {
                    boot: (*boot)?,
                    since: Duration::try_from(since).ok()?,
                })
            }
            Source::Manual(manual) => Some(Uptime {
                boot: 0,
                since: manual.reading.borrow().monotonic,
            }),
        }
    }

    /// Sleeps until the wall clock shows `wake`, or for [`MAX_SLEEP`] if that is sooner; the caller
    /// looks at the clock again either way.
    pub async fn sleep_towards(&self, wake: Timestamp) {
        match &*self.0 {
            Source::System { .. } => tokio::time::sleep(self.left_until(wake)).await,
            Source::Manual(manual) => {
                let mut reading = manual.reading.subscribe();
                // The sender lives as long as `self`, so waiting cannot fail.
                let _ = reading.wait_for(|reading| reading.wall >= wake).await;
            }
        }
    }

    /// As [`Self::sleep_towards`], and to a tenth of a millisecond: the runtime's timer counts in whole ones
    /// and is up to two late. It takes a thread for its last moments.
    pub async fn sleep_exactly_towards(&self, wake: Timestamp) {
        if let Source::Manual(_) = &*self.0 {
            return self.sleep_towards(wake).await;
        }
        if let Some(left) = self.left_until(wake).checked_sub(TIMER) {
            tokio::time::sleep(left).await;
        }
        let left = self.left_until(wake);
        // It fails only where the runtime is being shut down.
        let _ = tokio::task::spawn_blocking(move || std::thread::sleep(left)).await;
    }

    /// How long to sleep for `wake`.
    fn left_until(&self, wake: Timestamp) -> Duration {
        let left = Duration::try_from(wake.duration_since(self.now()));
        left.unwrap_or(Duration::ZERO).min(MAX_SLEEP)
    }

    /// Sleeps for so long by the monotonic clock, whatever the wall clock does meanwhile.
    pub async fn sleep(&self, length: Duration) {
        match &*self.0 {
            Source::System { .. } => tokio::time::sleep(length).await,
            Source::Manual(manual) => {
                let until = manual.reading.borrow().monotonic.saturating_add(length);
                let _asleep = Asleep::new(&manual.sleepers, until);
                let mut reading = manual.reading.subscribe();
                let _ = reading.wait_for(|reading| reading.monotonic >= until).await;
            }
        }
    }

    /// The first instant of monotonic time at which somebody wakes who [`sleep`](Self::sleep)s on a
    /// manual clock. `None` of the system's clock.
    pub fn next_waking(&self) -> Option<Duration> {
        let Source::Manual(manual) = &*self.0 else {
            return None;
        };
        let now = manual.reading.borrow().monotonic;
        let sleepers = manual.sleepers.borrow();
        sleepers.after(now).next()
    }

    /// Waits until so many [`sleep`](Self::sleep) on a manual clock: whoever moves it wants to know
    /// that nothing else will happen before. On the system's clock it waits for ever.
    pub async fn until_asleep(&self, sleepers: usize) {
        let Source::Manual(manual) = &*self.0 else {
            return std::future::pending().await;
        };
        let mut changed = manual.sleepers.subscribe();
        let reached = |found: &Sleepers| {
            let now = manual.reading.borrow().monotonic;
            found.after(now).count() >= sleepers
        };
        let _ = changed.wait_for(reached).await;
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
        if let Source::Manual(manual) = &*self.0 {
            manual.reading.send_modify(change);
        }
    }
}

impl Sleepers {
    fn after(&self, now: Duration) -> impl Iterator<Item = Duration> {
        let awake = (now, u64::MAX);
        self.until.range(awake..).map(|(until, _)| *until)
    }
}

/// A place among the sleepers, for as long as the sleep is not over or given up.
struct Asleep<'c> {
    sleepers: &'c watch::Sender<Sleepers>,
    place: (Duration, u64),
}

impl<'c> Asleep<'c> {
    fn new(sleepers: &'c watch::Sender<Sleepers>, until: Duration) -> Self {
        let mut place = (until, 0);
        sleepers.send_modify(|sleepers| {
            sleepers.number += 1;
            place.1 = sleepers.number;
            sleepers.until.insert(place);
        });
        Self { sleepers, place }
    }
}

impl Drop for Asleep<'_> {
    fn drop(&mut self) {
        self.sleepers.send_modify(|sleepers| {
            sleepers.until.remove(&self.place);
        });
    }
}

/// The kernel's random number of this boot.
fn boot() -> Option<i64> {
    let text = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    let (high, _) = uuid::Uuid::try_parse(text.trim()).ok()?.as_u64_pair();
    Some(high.cast_signed())
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
    fn the_machine_counts_the_time_since_its_boot() {
        let clock = Clock::system();
        let (first, second) = (clock.uptime(), Clock::system().uptime());
        let (first, second) = (first.expect("a boot"), second.expect("a boot"));
        assert_eq!(first.boot, second.boot, "one boot, whoever asks");
        assert!(Duration::ZERO < first.since && first.since <= second.since);
    }

    #[test]
    fn wall_time_has_no_more_than_the_ledgers_resolution() {
        assert_eq!(Clock::system().now().as_nanosecond() % 1_000, 0);
    }

    #[tokio::test]
    async fn a_sleep_lasts_by_the_monotonic_clock_and_can_be_seen() {
        let clock = Clock::manual(Timestamp::UNIX_EPOCH);
        let sleeper = tokio::spawn({
            let clock = clock.clone();
            async move { clock.sleep(Duration::from_secs(60)).await }
        });
        clock.until_asleep(1).await;
        let wakes = clock.monotonic() + Duration::from_secs(60);
        clock.step_wall(SignedDuration::from_hours(1));
        assert_eq!(clock.next_waking(), Some(wakes));
        assert!(!sleeper.is_finished());
        clock.step_wall(SignedDuration::from_hours(-2));
        clock.advance(Duration::from_secs(60));
        sleeper.await.expect("the sleeper ends");
        assert_eq!(clock.next_waking(), None);
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
