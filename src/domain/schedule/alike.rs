//! Schedules that tick at the same instants: many jobs, few schedules.

use jiff::Timestamp;

use super::{Dst, Inner, Schedule};

/// What a schedule's ticks follow from. Two that are equal tick at the same instants.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TickSource<'a> {
    expressions: &'a [String],
    timezone: &'a str,
    dst: Dst,
    starts_at: Option<Timestamp>,
    ends_at: Option<Timestamp>,
}

impl Schedule {
    /// What the ticks follow from; `None` where the job's name may be part of it (`H`), or
    /// days are excluded.
    pub fn tick_source(&self) -> Option<TickSource<'_>> {
        // Named one by one: a field that is added must be thought about here.
        let Inner {
            expressions,
            rules: _,
            timezone_name,
            timezone: _,
            dst,
            starts_at,
            ends_at,
            days,
        } = &*self.0;
        // `THU` has an `H` too, and is taken for one: that costs time, never truth.
        let is_the_jobs_own = expressions.iter().any(|text| text.contains('H'));
        // Days would have to be compared whole, for the few jobs that have any.
        (!is_the_jobs_own && days.is_empty()).then_some(TickSource {
            expressions,
            timezone: timezone_name,
            dst: *dst,
            starts_at: *starts_at,
            ends_at: *ends_at,
        })
    }
}
