//! `spread`: a job's own delay behind its ticks, so that many jobs of one minute do not all call at
//! its first second.
//!
//! A tick's delay is `h % w` microseconds, where `h` is the first 8 bytes, big-endian, of
//! SHA-256(`spread` ++ 0x00 ++ job name), and `w` is the job's `spread` or, where that is less, the
//! time to the job's next tick, excluded ones counted. So a delay never reaches the next tick.
//!
//! It is the window that is cut, not the delay (Temporal's rule): cut delays would all end at the
//! next tick and make the very burst that a spread is to prevent. Where every two ticks are at least
//! `spread` apart a job's delay is the same for all of its ticks. It can never change: the past
//! would look wrong to the auditor.

use std::time::Duration;

use jiff::Timestamp;

use super::job::Job;
use super::schedule::stable;

/// A job's own delay behind its ticks. It holds the hash of the job's name, so that asking again for
/// another tick costs nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spread {
    hash: u64,
    most: Duration,
}

impl Spread {
    /// That of the job with this name, and this `spread`.
    pub fn new(job: &str, most: Duration) -> Self {
        let hash = if most.is_zero() {
            0
        } else {
            stable("spread", job)
        };
        Self { hash, most }
    }

    /// What every delay is less than; zero: there is none.
    pub const fn most(self) -> Duration {
        self.most
    }

    /// How long after a tick the run is due, where the next tick follows after `gap`; `None`: none
    /// follows.
    pub fn delay(self, gap: Option<Duration>) -> Duration {
        let window = gap.map_or(self.most, |gap| gap.min(self.most));
        let micros = u64::try_from(window.as_micros()).unwrap_or(u64::MAX);
        Duration::from_micros(self.hash.checked_rem(micros).unwrap_or(0))
    }
}

impl Job {
    /// How long after a tick of the job its run is due: less than its spread, and less than the time
    /// to its next tick.
    pub fn delay(&self, tick: Timestamp) -> Duration {
        if self.spread.is_zero() {
            return Duration::ZERO;
        }
        let next = self.schedule.next_after(tick);
        let gap = next.and_then(|next| Duration::try_from(next.at.duration_since(tick)).ok());
        Spread::new(self.name.as_str(), self.spread).delay(gap)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn within(job: &str, window: Duration) -> Duration {
        let delay = Spread::new(job, window).delay(None);
        let cut = Spread::new(job, window + Duration::from_secs(1)).delay(Some(window));
        assert_eq!(delay, cut, "the window is cut, not the delay");
        delay
    }

    /// By Python: `int.from_bytes(sha256(b"spread\0" + job).digest()[:8]) % window`.
    #[test]
    fn the_delays_are_those_of_another_sha256() {
        for (job, seconds, micros) in PYTHON {
            let window = Duration::from_secs(seconds);
            assert_eq!(within(job, window), Duration::from_micros(micros), "{job}");
        }
    }

    const PYTHON: [(&str, u64, u64); 6] = [
        ("nightly-report", 600, 304_886_692),
        ("nightly-report", 60, 4_886_692),
        ("nightly-report", 0, 0),
        ("a", 86_400, 42_460_839_332),
        ("a", 60, 40_839_332),
        ("a", 1, 839_332),
    ];

    #[test]
    fn without_a_window_there_is_no_delay() {
        assert_eq!(within("a", Duration::ZERO), Duration::ZERO);
    }

    #[test]
    fn many_jobs_fill_their_window_evenly() {
        let window = Duration::from_secs(600);
        let mut minutes = [0_u32; 10];
        for n in 0..2000 {
            let delay = within(&format!("job-{n}"), window);
            assert!(delay < window);
            minutes[usize::try_from(delay.as_secs() / 60).unwrap_or(usize::MAX)] += 1;
        }
        assert!(
            minutes.iter().all(|jobs| (150..250).contains(jobs)),
            "{minutes:?}"
        );
    }
}
