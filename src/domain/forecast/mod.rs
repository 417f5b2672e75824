//! What a configuration will ask of the quota: the calls to come, the minutes that do not fit, and the
//! spread that would make them fit.
//!
//! A proof, not a guess: the ticks are the planner's, the window is the dispatcher's. What no
//! configuration tells is left out: how long calls take, which of them fail and are tried again, and
//! who is started by hand or caught up. So a minute that is named does not fit, whatever happens; and
//! one that is not named fits, where nothing else happens.

mod calls;
mod crowd;
mod hours;
mod pool;
mod proof;
mod remedy;
mod when;

use std::time::Duration;

pub use calls::Span;
pub use hours::{Hour, Load, hours, loads};
pub use proof::{Crowd, Proof, prove};
pub use remedy::{Remedy, SPREADS};

use calls::Caller;
use crowd::Patience;

use super::job::{Job, JobName, Overlap};
use super::schedule::Schedule;
use super::spread::within;
use super::workspace::WorkspaceName;

/// Work that one forecast may cost ([`calls::Calls::new`]): some seconds, whatever the configuration.
pub const WORK: u64 = 5_000_000;

/// What a job asks for.
#[derive(Clone, Copy, Debug)]
pub struct Demand<'a> {
    /// Whose.
    pub name: &'a JobName,
    /// Where its calls go.
    pub workspace: &'a WorkspaceName,
    /// When it ticks.
    pub schedule: &'a Schedule,
    /// How far its calls are spread behind their ticks.
    pub spread: Duration,
    /// How late a call may start.
    pub start_deadline: Duration,
    /// Whether a tick is skipped that meets a run which still waits. Where not, it is taken to wait as
    /// well.
    pub skips: bool,
}

impl<'a> From<&'a Job> for Demand<'a> {
    fn from(job: &'a Job) -> Self {
        Self {
            name: &job.name,
            workspace: &job.workspace,
            schedule: &job.schedule,
            spread: job.spread,
            start_deadline: job.start_deadline,
            skips: job.overlap == Overlap::Skip,
        }
    }
}

impl<'a> Demand<'a> {
    fn caller(&self) -> Caller<'a> {
        Caller {
            schedule: self.schedule,
            offset: within(self.name.as_str(), self.spread),
        }
    }

    fn patience(&self) -> Patience {
        Patience {
            start_deadline: self.start_deadline,
            skips: self.skips,
        }
    }
}

#[cfg(test)]
mod tests;
