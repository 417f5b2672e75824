//! Days that no list of numbers can name: `L`, `L-n`, `LW`, `nW`, `dL`, `d#k`.
//!
//! The `cron` crate knows none of them. Each has a *superset* that the crate can search (`L` lies
//! within 28 to 31), and a test that picks the right day out of it.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;

use chrono::{Datelike, NaiveDate};

/// A rule for a day of a month. Days of the week count from Sunday, 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum DayRule {
    /// `L-n`, and `L` as `L-0`.
    FromEnd(u8),
    /// `LW`.
    LastWeekday,
    /// `nW`.
    NearestWeekday(u8),
    /// `dL`.
    LastOf(u8),
    /// `d#k`.
    NthOf(u8, u8),
}

impl DayRule {
    /// The days of month of which it picks; for a day-of-week rule, all.
    pub(super) fn days(self) -> RangeInclusive<u16> {
        let span = |low: u8, high: u8| u16::from(low.max(1))..=u16::from(high.min(31));
        match self {
            Self::FromEnd(n) => span(28u8.saturating_sub(n), 31 - n),
            // Of a February that ends on a Sunday it is the 26th.
            Self::LastWeekday => span(26, 31),
            Self::NearestWeekday(n) => span(n.saturating_sub(2), n + 2),
            Self::LastOf(_) | Self::NthOf(..) => span(1, 31),
        }
    }

    /// The day of week it picks among, for a day-of-week rule.
    pub(super) fn weekday(self) -> Option<u16> {
        match self {
            Self::LastOf(weekday) | Self::NthOf(weekday, _) => Some(u16::from(weekday)),
            _ => None,
        }
    }

    fn matches(self, date: NaiveDate) -> bool {
        let (day, length) = (day_of(date), date.num_days_in_month());
        match self {
            Self::FromEnd(n) => day + n == length,
            Self::LastWeekday => nearest_weekday(date, length) == day,
            Self::NearestWeekday(n) => n <= length && nearest_weekday(date, n) == day,
            Self::LastOf(weekday) => weekday_of(date) == weekday && day + 7 > length,
            Self::NthOf(weekday, nth) => weekday_of(date) == weekday && day.div_ceil(7) == nth,
        }
    }
}

/// The day of `date`'s month that is the nearest Monday to Friday to its day `day`.
fn nearest_weekday(date: NaiveDate, day: u8) -> u8 {
    // Days are 1 to 31, so that the distance fits.
    let distance = i16::from(day) - i16::from(day_of(date));
    let weekday = (i16::from(weekday_of(date)) + distance).rem_euclid(7);
    match weekday {
        6 if day == 1 => 3,
        6 => day - 1,
        0 if day == date.num_days_in_month() => day - 2,
        0 => day + 1,
        _ => day,
    }
}

fn day_of(date: NaiveDate) -> u8 {
    u8::try_from(date.day()).unwrap_or(u8::MAX)
}

/// Sunday is 0.
fn weekday_of(date: NaiveDate) -> u8 {
    u8::try_from(date.weekday().num_days_from_sunday()).unwrap_or(u8::MAX)
}

/// What a day-of-month and a day-of-week field say together: both must match.
#[derive(Clone, Debug)]
pub(super) struct DayTest {
    of_month: DaySet,
    of_week: DaySet,
}

impl DayTest {
    pub(super) fn new(of_month: DaySet, of_week: DaySet) -> Self {
        Self { of_month, of_week }
    }

    pub(super) fn matches(&self, date: NaiveDate) -> bool {
        self.of_month.matches(u32::from(day_of(date)), date)
            && self.of_week.matches(u32::from(weekday_of(date)), date)
    }
}

/// Numbers and rules, one of which must match.
#[derive(Clone, Debug)]
pub(super) struct DaySet {
    /// Bit n is the number n.
    numbers: u32,
    rules: Box<[DayRule]>,
}

impl DaySet {
    pub(super) fn new(numbers: &BTreeSet<u16>, rules: &[DayRule]) -> Self {
        Self {
            numbers: numbers.iter().fold(0, |set, n| set | 1 << n),
            rules: rules.into(),
        }
    }

    fn matches(&self, number: u32, date: NaiveDate) -> bool {
        self.numbers >> number & 1 == 1 || self.rules.iter().any(|rule| rule.matches(date))
    }
}
