//! The spread that would make a pool's calls fit.

use std::collections::BTreeSet;
use std::num::NonZeroU32;
use std::time::Duration;

use super::calls::{Caller, Calls, Span};
use super::crowd::{self, Patience};
use super::pool::Pool;
use crate::domain::job::JobName;
use crate::domain::spread::Spread;

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
        /// The jobs of the crowded minutes, but those that have this spread or a longer one.
        jobs: Vec<JobName>,
    },
    /// No spread does.
    None,
    /// Too much would have to be computed to say.
    Unknown,
}

/// Looks for it. `crowded` are the jobs of the crowded minutes, by their index. All of `walked` is gone
/// through, and what lies in `judged` has to fit.
///
/// It is tried as it would be taken: by the same walk, the same line and the same measure as the proof.
pub(super) fn seek(
    pool: &Pool<'_>,
    crowded: &BTreeSet<usize>,
    limit: NonZeroU32,
    walked: Span,
    judged: Span,
    patience: &[Patience],
    mut work: u64,
) -> Remedy {
    for spread in SPREADS {
        let is_wider = |job: &usize| spread > pool.jobs[*job].spread;
        let moved: Vec<usize> = crowded.iter().copied().filter(is_wider).collect();
        if moved.is_empty() {
            continue;
        }
        let mut callers: Vec<Caller<'_>> = pool.jobs.iter().map(|job| job.caller()).collect();
        for job in &moved {
            callers[*job].spread = Spread::new(pool.jobs[*job].name.as_str(), spread);
        }
        let mut calls = Calls::new(&callers, walked, work);
        let judged_us = judged.from.as_microsecond();
        let fits = crowd::fits(&mut calls, limit, patience, judged_us);
        work = calls.left();
        if fits && calls.cut().is_some() || work == 0 {
            return Remedy::Unknown;
        }
        if fits {
            let jobs = moved.into_iter().map(|job| pool.jobs[job].name.clone());
            return Remedy::Spread {
                spread,
                jobs: jobs.collect(),
            };
        }
    }
    Remedy::None
}
