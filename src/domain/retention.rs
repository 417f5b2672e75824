//! How long the ledger keeps what.
//!
//! A run is as old as the later of its tick and its end: what was run again yesterday is of yesterday,
//! whatever its tick. What went badly (`failed`, `unknown`, `missed`) is kept for `failures`, everything
//! else (`success`, `skipped`, `cancelled`) for `runs`.

use std::fmt;
use std::time::Duration;

use jiff::Timestamp;

use super::run::RunState;

const DAY: Duration = Duration::from_secs(86_400);

/// How long what is kept, and how large the ledger may be without a word about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// Runs that went as they were meant to.
    pub runs: Duration,
    /// Runs that did not.
    pub failures: Duration,
    /// The texts of requests and replies, of whatever run; their lengths and hashes stay.
    pub bodies: Duration,
    /// The ledger's file, in bytes. Beyond it an alarm is raised, and nothing more is deleted.
    pub max_size: u64,
}

impl Default for Retention {
    fn default() -> Self {
        Self {
            runs: DAY * 90,
            failures: DAY * 365,
            bodies: DAY * 30,
            max_size: 2 << 30,
        }
    }
}

impl Retention {
    /// Before which instants, seen from `now`, what is no longer kept.
    pub fn horizons(&self, now: Timestamp) -> Horizons {
        let before = |kept: Duration| now.checked_sub(kept).unwrap_or(Timestamp::MIN);
        Horizons {
            runs: before(self.runs),
            failures: before(self.failures),
            bodies: before(self.bodies),
        }
    }

    /// What is to be said of a ledger of so many bytes, where it is too large.
    pub fn oversize(&self, bytes: u64) -> Option<Oversize> {
        (bytes > self.max_size).then_some(Oversize {
            bytes,
            limit: self.max_size,
        })
    }
}

/// Whether runs in a final state are kept for `failures`, not for `runs`.
pub const fn went_badly(state: RunState) -> bool {
    matches!(
        state,
        RunState::Failed | RunState::Unknown | RunState::Missed
    )
}

/// Before which instants what is no longer kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Horizons {
    /// Runs that went as they were meant to.
    pub runs: Timestamp,
    /// Runs that did not.
    pub failures: Timestamp,
    /// Texts of requests and replies.
    pub bodies: Timestamp,
}

impl Horizons {
    /// The horizon of runs in a final state.
    pub const fn of(&self, state: RunState) -> Timestamp {
        if went_badly(state) {
            self.failures
        } else {
            self.runs
        }
    }

    /// The instant before which a tick may have no run any more.
    pub fn ticks(&self) -> Timestamp {
        self.runs.max(self.failures)
    }
}

/// A ledger that is larger than it should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Oversize {
    /// Its file, in bytes.
    pub bytes: u64,
    /// `max_size`, in bytes.
    pub limit: u64,
}

impl Oversize {
    /// What to tell people.
    pub fn explain(self) -> String {
        format!(
            "the ledger has {}, more than its max_size of {}: nothing is deleted for that; keep less by `retention`, or allow more",
            Bytes(self.bytes),
            Bytes(self.limit)
        )
    }
}

/// A number of bytes, as people read it: `1.9 GiB`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bytes(pub u64);

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const UNITS: [(&str, u32); 4] = [("TiB", 40), ("GiB", 30), ("MiB", 20), ("KiB", 10)];
        let Some((unit, shift)) = UNITS.into_iter().find(|(_, shift)| self.0 >> shift > 0) else {
            return write!(f, "{} B", self.0);
        };
        // In tenths, rounded down: a limit is not said to be reached before it is.
        let tenths = (u128::from(self.0) * 10) >> shift;
        match tenths % 10 {
            0 => write!(f, "{} {unit}", tenths / 10),
            tenth => write!(f, "{}.{tenth} {unit}", tenths / 10),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_went_badly_is_kept_by_its_own_horizon() {
        let now = Timestamp::UNIX_EPOCH;
        let horizons = Retention::default().horizons(now);
        let days = |state| now.duration_since(horizons.of(state)).as_hours() / 24;
        for state in [RunState::Failed, RunState::Unknown, RunState::Missed] {
            assert_eq!(days(state), 365, "{state}");
        }
        for state in [RunState::Success, RunState::Skipped, RunState::Cancelled] {
            assert_eq!(days(state), 90, "{state}");
        }
        assert_eq!(horizons.ticks(), horizons.runs);
    }

    #[test]
    fn bytes_are_read_with_one_decimal_and_never_rounded_up() {
        for (bytes, said) in [
            (0, "0 B"),
            (1023, "1023 B"),
            (1024, "1 KiB"),
            (2 << 30, "2 GiB"),
            ((2 << 30) - 1, "1.9 GiB"),
            (3 << 29, "1.5 GiB"),
            (u64::MAX, "16777215.9 TiB"),
        ] {
            assert_eq!(Bytes(bytes).to_string(), said);
        }
    }
}
