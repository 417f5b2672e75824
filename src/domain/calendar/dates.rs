//! Sets of dates.

use std::fmt;

use jiff::civil::Date;

/// A range of dates, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct DateRange {
    first: Date,
    last: Date,
}

impl DateRange {
    /// From `first` to `last`; `None` where that goes backwards.
    pub fn new(first: Date, last: Date) -> Option<Self> {
        (first <= last).then_some(Self { first, last })
    }

    /// Its first date.
    pub const fn first(&self) -> Date {
        self.first
    }

    /// Its last date.
    pub const fn last(&self) -> Date {
        self.last
    }
}

impl From<Date> for DateRange {
    fn from(date: Date) -> Self {
        Self {
            first: date,
            last: date,
        }
    }
}

/// As an item is written: `2026-10-01`, `2026-10-01/2026-10-07`.
impl fmt::Display for DateRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.first.fmt(f)?;
        if self.first == self.last {
            return Ok(());
        }
        write!(f, "/{}", self.last)
    }
}

/// A set of dates. Two that hold the same dates are equal, however they were written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
// Ascending, and between any two ranges lies a date of neither.
pub struct Dates(Box<[DateRange]>);

impl Dates {
    /// The union of ranges.
    pub fn new(mut ranges: Vec<DateRange>) -> Self {
        ranges.sort_unstable();
        let mut merged: Vec<DateRange> = Vec::with_capacity(ranges.len());
        for range in ranges {
            match merged.last_mut() {
                // At the end of time there is no tomorrow, and nothing can follow.
                Some(before) if before.last.tomorrow().is_ok_and(|end| end < range.first) => {
                    merged.push(range);
                }
                Some(before) => before.last = before.last.max(range.last),
                None => merged.push(range),
            }
        }
        Self(merged.into())
    }

    /// Whether the date is in it.
    pub fn contains(&self, date: Date) -> bool {
        let index = self.0.partition_point(|range| range.last < date);
        self.0.get(index).is_some_and(|range| range.first <= date)
    }

    /// The ranges it is made of, ascending and apart from each other.
    pub fn iter(&self) -> impl Iterator<Item = &DateRange> {
        self.0.iter()
    }

    /// How many ranges it is made of.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether no date is in it.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The last date.
    pub fn last(&self) -> Option<Date> {
        self.0.last().map(|range| range.last)
    }
}
