//! The spread that would make a pool's calls fit.

use std::num::NonZeroU32;
use std::time::Duration;

use super::Demand;
use super::calls::{Caller, Calls, Span};
use super::crowd;
use crate::domain::job::JobName;
use crate::domain::spread::within;

/// What may be suggested, the smallest first.
pub const SPREADS: [Duration; 11] = [
    minutes(1),
    minutes(2),
    minutes(5),
    minutes(10),
    minutes(15),
    minutes(30),
    minutes(60),
    minutes(120),
    minutes(180),
    minutes(360),
    minutes(720),
];

const fn minutes(minutes: u64) -> Duration {
    Duration::from_secs(60 * minutes)
}

/// What to do about a pool's crowded minutes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Remedy {
    /// With this spread on these jobs, none is left.
    Spread {
        /// The smallest of [`SPREADS`] that does.
        spread: Duration,
        /// The jobs of the crowded minutes, but those that tick more often than that: their spread is
        /// cut at the next tick and would only crowd them there.
        jobs: Vec<JobName>,
    },
    /// No spread does.
    None,
    /// Too much would have to be computed to say.
    Unknown,
}

/// Looks for it. `crowded` are the jobs of the crowded minutes, by their index, each with the shortest
/// time between its ticks in microseconds.
pub(super) fn seek(
    jobs: &[&Demand<'_>],
    crowded: &[(usize, i64)],
    limit: NonZeroU32,
    span: Span,
    mut work: u64,
) -> Remedy {
    for spread in SPREADS {
        let shortest = i64::try_from(spread.as_micros()).unwrap_or(i64::MAX);
        let moved: Vec<usize> = crowded
            .iter()
            .filter(|(_, gap)| *gap >= shortest)
            .map(|(job, _)| *job)
            .collect();
        if moved.is_empty() {
            return Remedy::None;
        }
        let mut callers: Vec<Caller<'_>> = jobs.iter().map(|job| job.caller()).collect();
        for job in &moved {
            let wider = spread.max(jobs[*job].spread);
            callers[*job].offset = within(jobs[*job].name.as_str(), wider);
        }
        let mut calls = Calls::new(&callers, span, work);
        let fits = crowd::fits(&mut calls, limit);
        work = calls.left();
        if fits && calls.cut().is_some() || work == 0 {
            return Remedy::Unknown;
        }
        if fits {
            let jobs = moved.into_iter().map(|job| jobs[job].name.clone());
            return Remedy::Spread {
                spread,
                jobs: jobs.collect(),
            };
        }
    }
    Remedy::None
}
