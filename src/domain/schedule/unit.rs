//! What the fields of an expression are: names, ranges, values.

use std::fmt;

/// Which field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unit {
    Second,
    Minute,
    Hour,
    DayOfMonth,
    Month,
    DayOfWeek,
    Year,
}

impl Unit {
    /// First and last value.
    pub(super) const fn range(self) -> (u16, u16) {
        match self {
            Self::Second | Self::Minute => (0, 59),
            Self::Hour => (0, 23),
            Self::DayOfMonth => (1, 31),
            Self::Month => (1, 12),
            Self::DayOfWeek => (0, 6),
            Self::Year => (1970, 2100),
        }
    }

    /// Last value that may be written: Sunday is 7, too.
    pub(super) const fn last_written(self) -> u16 {
        match self {
            Self::DayOfWeek => 7,
            _ => self.range().1,
        }
    }

    /// Names of the values, from the first on; the first three letters do as well.
    pub(super) const fn names(self) -> &'static [&'static str] {
        match self {
            Self::Month => &[
                "january",
                "february",
                "march",
                "april",
                "may",
                "june",
                "july",
                "august",
                "september",
                "october",
                "november",
                "december",
            ],
            Self::DayOfWeek => &[
                "sunday",
                "monday",
                "tuesday",
                "wednesday",
                "thursday",
                "friday",
                "saturday",
            ],
            _ => &[],
        }
    }

    /// What [`super::hash::stable`] is given, and the range that `H` alone spans. `None`: no `H` here.
    pub(super) const fn hashed(self) -> Option<(&'static str, (u16, u16))> {
        Some(match self {
            Self::Second => ("cron:second", self.range()),
            Self::Minute => ("cron:minute", self.range()),
            Self::Hour => ("cron:hour", self.range()),
            Self::DayOfMonth => ("cron:day_of_month", (1, 28)),
            Self::Month => ("cron:month", self.range()),
            Self::DayOfWeek => ("cron:day_of_week", self.range()),
            Self::Year => return None,
        })
    }

    /// The unit of `@every` that a step of this field is often meant as.
    pub(super) const fn every(self) -> Option<char> {
        match self {
            Self::Second => Some('s'),
            Self::Minute => Some('m'),
            Self::Hour => Some('h'),
            Self::DayOfMonth => Some('d'),
            _ => None,
        }
    }
}

impl fmt::Display for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Second => "second",
            Self::Minute => "minute",
            Self::Hour => "hour",
            Self::DayOfMonth => "day-of-month",
            Self::Month => "month",
            Self::DayOfWeek => "day-of-week",
            Self::Year => "year",
        })
    }
}
