//! What a configuration will ask of the quota: the calls to come, the minutes that do not fit, and the
//! spread that would make them fit.
//!
//! A proof, not a guess: the ticks are the planner's, the window is the dispatcher's. What no
//! configuration tells is left out: how long calls take (and so `timeout`, `max_in_flight`, and runs of
//! one job that wait for one another), which of them fail and are tried again, and who is started by
//! hand or caught up. All of that comes on top: a minute that is named does not fit, whatever happens;
//! one that is not named fits, where nothing else happens. It is the plan, not the worst case, and
//! the output says so. The worst case would be `max_attempts` times the plan, would fail nearly every
//! configuration, and would so be switched off.

mod calls;
mod crowd;
mod hours;
mod own;
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
use super::spread::Spread;
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
    /// What a tick does that meets runs of its job which still wait.
    pub overlap: Overlap,
}

impl<'a> From<&'a Job> for Demand<'a> {
    fn from(job: &'a Job) -> Self {
        Self {
            name: &job.name,
            workspace: &job.workspace,
            schedule: &job.schedule,
            spread: job.spread,
            start_deadline: job.start_deadline,
            overlap: job.overlap,
        }
    }
}

impl<'a> Demand<'a> {
    fn caller(&self) -> Caller<'a> {
        Caller {
            schedule: self.schedule,
            spread: Spread::new(self.name.as_str(), self.spread),
        }
    }

    fn patience(&self) -> Patience {
        Patience {
            start_deadline: self.start_deadline,
            overlap: self.overlap,
        }
    }
}

#[cfg(test)]
mod tests;
