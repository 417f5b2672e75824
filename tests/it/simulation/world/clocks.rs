//! What the wall clock showed at each monotonic instant, and the other way round.

use std::time::Duration;

use funcron::clock::Clock;

/// The wall clock's lead, in microseconds, from each monotonic instant at which it changed.
pub(crate) struct Clocks(Vec<(i64, i64)>);

impl Clocks {
    pub(super) fn new(clock: &Clock) -> Self {
        let mut clocks = Self(Vec::new());
        clocks.note(clock);
        clocks
    }

    /// The wall clock has been set.
    pub(super) fn note(&mut self, clock: &Clock) {
        let monotonic = micros(clock.monotonic());
        let lead = clock.now().as_microsecond() - monotonic;
        self.0.push((monotonic, lead));
    }

    /// The first monotonic instant, not before `after` by more than a rounding, at which the wall
    /// clock showed this.
    pub(crate) fn monotonic(&self, wall_us: i64, after: Duration) -> Option<Duration> {
        let after = micros(after) - micros(ROUNDING);
        let ends = self.0.iter().skip(1).map(|(from, _)| *from);
        let spans = self.0.iter().zip(ends.chain([i64::MAX]));
        let mut instants = spans.filter_map(|((from, lead), end)| {
            let at = wall_us - lead;
            let within = *from - micros(ROUNDING) <= at && at <= end;
            (within && at >= after).then_some(at)
        });
        let at = instants.next()?;
        Some(Duration::from_micros(u64::try_from(at).unwrap_or(0)))
    }
}

/// The ledger knows whole microseconds, and each instant is cut to one.
pub(crate) const ROUNDING: Duration = Duration::from_micros(2);

fn micros(at: Duration) -> i64 {
    i64::try_from(at.as_micros()).unwrap()
}
