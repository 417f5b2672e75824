//! When a job is due.

/// When a job is due.
#[derive(Clone, Debug)]
pub struct Schedule;
