//! What things are and what follows from what: jobs, schedules, plans, quotas, verdicts, retries.
//!
//! Pure. Nothing here does I/O, reads a clock or the environment, draws a random number or knows
//! serde: `now` and a unit of jitter are parameters, and values arrive already parsed at the edge
//! ([`crate::config`], [`crate::guance`], [`crate::store`]) into types that cannot be wrong.

pub mod attempt;
pub mod calendar;
pub mod expect;
pub mod forecast;
pub mod job;
pub mod json;
pub(crate) mod nearest;
pub mod outcome;
pub mod overlap;
pub mod plan;
pub mod quota;
mod repetition;
pub mod retention;
pub mod retry;
pub mod run;
pub mod schedule;
pub mod secret;
pub mod site;
pub mod spread;
pub mod template;
pub mod verdict;
pub mod workspace;
