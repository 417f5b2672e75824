//! Sees the wall clock step, by holding it against the monotonic one.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

/// A difference that is no slewing and no rounding.
const STEP: SignedDuration = SignedDuration::from_secs(10);

/// A jump ahead by more than this may be a mistake that is about to be put right.
pub(super) const LARGE: SignedDuration = SignedDuration::from_hours(1);

/// How long a large jump must stand before it is believed (contract, section 3).
pub(super) const PROBATION: Duration = Duration::from_secs(60);

/// Between two tellings of steps: a clock that is stepped all the time is told once a minute.
const TELL_AGAIN: Duration = Duration::from_secs(60);

#[derive(Debug)]
pub(super) struct ClockWatch {
    last: (Timestamp, Duration),
    doubt: Option<Doubt>,
    stepped: bool,
    untold: Option<Steps>,
    /// The monotonic instant of the last telling.
    told: Option<Duration>,
}

/// Steps of the wall clock that the ledger has not been told of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Steps {
    /// All of them together; negative where the clock was set back.
    pub(super) by: SignedDuration,
    pub(super) number: u32,
}

/// A large jump ahead that has not stood for long enough.
#[derive(Debug)]
struct Doubt {
    /// The monotonic instant at which it is believed.
    until: Duration,
    /// How far the clock is ahead of where it would be without it; further steps add to it, so that
    /// a small correction does not pass for the truth.
    jump: SignedDuration,
}

impl ClockWatch {
    pub(super) fn new(now: Timestamp, monotonic: Duration) -> Self {
        Self {
            last: (now, monotonic),
            doubt: None,
            stepped: false,
            untold: None,
            told: None,
        }
    }

    /// Looks at both clocks. `Some`: the wall clock is not to be believed for that long.
    pub(super) fn look(&mut self, now: Timestamp, monotonic: Duration) -> Option<Duration> {
        let (last_wall, last_monotonic) = std::mem::replace(&mut self.last, (now, monotonic));
        let elapsed = monotonic.saturating_sub(last_monotonic);
        let step = now.duration_since(last_wall)
            - SignedDuration::try_from(elapsed).unwrap_or(SignedDuration::ZERO);
        if step.abs() > STEP {
            tracing::warn!(
                seconds = step.as_secs(),
                "the wall clock has been stepped, or the machine slept"
            );
            self.stepped = true;
            let untold = self.untold.take();
            self.untold = Some(Steps {
                by: untold.map_or(step, |untold| untold.by.saturating_add(step)),
                number: untold.map_or(1, |untold| untold.number.saturating_add(1)),
            });
            let before = self
                .doubt
                .take()
                .map_or(SignedDuration::ZERO, |doubt| doubt.jump);
            let jump = step.saturating_add(before);
            self.doubt = (jump > LARGE).then(|| Doubt {
                until: monotonic + PROBATION,
                jump,
            });
        }
        let left = self.doubt.as_ref()?.until.saturating_sub(monotonic);
        if left.is_zero() {
            self.doubt = None;
            return None;
        }
        Some(left)
    }

    /// What the wall clock would show without the jump that is in doubt.
    pub(super) fn believed(&self, now: Timestamp) -> Timestamp {
        let jump = self.doubt.as_ref().map(|doubt| doubt.jump);
        jump.and_then(|jump| now.checked_sub(jump).ok())
            .unwrap_or(now)
    }

    /// What is to be told now.
    pub(super) fn untold(&self, monotonic: Duration) -> Option<Steps> {
        let is_quiet = self
            .told
            .is_some_and(|told| monotonic < told.saturating_add(TELL_AGAIN));
        self.untold.filter(|_| !is_quiet)
    }

    /// What was untold is durable.
    pub(super) fn told(&mut self, monotonic: Duration) {
        self.untold = None;
        self.told = Some(monotonic);
    }

    /// Whether a jump ahead is in doubt.
    pub(super) fn doubts(&self) -> bool {
        self.doubt.is_some()
    }

    /// Whether the clock stepped since this was asked last.
    pub(super) fn take_stepped(&mut self) -> bool {
        std::mem::take(&mut self.stepped)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap_or(Timestamp::UNIX_EPOCH)
    }

    fn mono(second: u64) -> Duration {
        Duration::from_secs(second)
    }

    #[test]
    fn a_large_jump_ahead_is_believed_after_a_minute() {
        let mut watch = ClockWatch::new(at(0), mono(0));
        assert_eq!(watch.look(at(1), mono(1)), None);
        assert_eq!(watch.look(at(7_300), mono(2)), Some(mono(60)));
        assert_eq!(watch.look(at(7_330), mono(32)), Some(mono(30)));
        assert_eq!(watch.look(at(7_360), mono(62)), None);
        assert!(watch.take_stepped());
        assert!(!watch.take_stepped());
    }

    #[test]
    fn a_clock_that_is_stepped_all_the_time_is_told_once_a_minute() {
        let mut watch = ClockWatch::new(at(0), mono(0));
        let mut told = Vec::new();
        for second in 1..=100 {
            watch.look(at(i64::try_from(second).unwrap_or(0) * 20), mono(second));
            if let Some(steps) = watch.untold(mono(second)) {
                watch.told(mono(second));
                told.push((second, steps.number, steps.by.as_secs()));
            }
        }
        assert_eq!(told, [(1, 1, 19), (61, 60, 60 * 19)]);
    }

    #[test]
    fn a_jump_that_is_put_right_is_forgotten() {
        let mut watch = ClockWatch::new(at(0), mono(0));
        assert_eq!(watch.look(at(7_300), mono(1)), Some(mono(60)));
        assert_eq!(watch.look(at(20), mono(20)), None);
    }
}
