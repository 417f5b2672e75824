//! One item of `except` or `only_on`, as it is written:
//!
//! | written | meaning |
//! |---|---|
//! | `2026-10-01` | that date |
//! | `2026-10-01/2026-10-07` | the dates from the one to the other, both included |
//! | `sat`, `mon-fri`, `fri-mon` | weekdays, three letters or whole, any case; a range may go over Sunday |
//! | `holidays-cn` | a calendar by its name: lower-case letters, digits, dots, dashes and underscores, a letter first |

use jiff::civil::{Date, Weekday};

use super::DateRange;

/// Longest name of a calendar, in bytes.
pub const MAX_NAME: usize = 64;

/// Dates are of these years, as schedules are.
pub const YEARS: std::ops::RangeInclusive<i16> = 1970..=2100;

/// An item of a list of days.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Item {
    /// A date or a range of dates.
    Dates(DateRange),
    /// A weekday or a range of weekdays.
    Weekdays(Weekdays),
    /// The days of a calendar.
    Calendar(Box<str>),
}

/// Why a text is no item. It does not quote the text, which may be a secret in a wrong place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ItemError {
    /// What is wrong.
    pub message: &'static str,
    /// What to do.
    pub hint: &'static str,
}

/// A set of weekdays.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
// Bit n is the n-th day from Monday = 0.
pub struct Weekdays(u8);

impl Weekdays {
    /// Whether the weekday is in it.
    pub fn contains(self, day: Weekday) -> bool {
        self.0 & bit(day) != 0
    }

    /// Whether none is in it.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The weekdays of either.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// From `first` on to `last`, over Sunday where need be.
    pub fn between(first: Weekday, last: Weekday) -> Self {
        let mut days = Self(bit(last));
        let mut day = first;
        while day != last {
            days.0 |= bit(day);
            day = day.next();
        }
        days
    }

    /// The short names of those in it, from Monday on.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        NAMES
            .iter()
            .filter(move |(day, _)| self.contains(*day))
            .map(|(_, name)| &name[..3])
    }
}

const NAMES: [(Weekday, &str); 7] = [
    (Weekday::Monday, "monday"),
    (Weekday::Tuesday, "tuesday"),
    (Weekday::Wednesday, "wednesday"),
    (Weekday::Thursday, "thursday"),
    (Weekday::Friday, "friday"),
    (Weekday::Saturday, "saturday"),
    (Weekday::Sunday, "sunday"),
];

fn bit(day: Weekday) -> u8 {
    1 << day.to_monday_zero_offset()
}

impl Item {
    /// Reads an item.
    ///
    /// # Errors
    /// Where the text is none of the forms; whether there is such a calendar is not looked at.
    pub fn parse(text: &str) -> Result<Self, ItemError> {
        if text.starts_with(|c: char| c.is_ascii_digit()) {
            return dates(text).map(Self::Dates);
        }
        let (first, last) = text.split_once('-').unwrap_or((text, text));
        if let (Some(first), Some(last)) = (weekday(first), weekday(last)) {
            return Ok(Self::Weekdays(Weekdays::between(first, last)));
        }
        let legal = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"._-".contains(&b);
        let is_name = text.len() <= MAX_NAME
            && text.starts_with(|c: char| c.is_ascii_lowercase())
            && text.bytes().all(legal);
        if is_name {
            return Ok(Self::Calendar(text.into()));
        }
        Err(ItemError {
            message: "is no date, range of dates, weekday or name of a calendar",
            hint: "write such as 2026-10-01, 2026-10-01/2026-10-07, sat, mon-fri, holidays-cn",
        })
    }
}

fn dates(text: &str) -> Result<DateRange, ItemError> {
    let (first, last) = text.split_once('/').unwrap_or((text, text));
    let (Some(first), Some(last)) = (date(first), date(last)) else {
        return Err(ItemError {
            message: "is no date",
            hint: "write such as 2026-10-01, or 2026-10-01/2026-10-07, in the years 1970 to 2100",
        });
    };
    DateRange::new(first, last).ok_or(ItemError {
        message: "the range ends before it begins",
        hint: "exchange the two dates",
    })
}

/// `YYYY-MM-DD` and nothing else: jiff itself reads many more forms, and one is enough to teach.
fn date(text: &str) -> Option<Date> {
    let parts = (text.get(..4)?, text.get(5..7)?, text.get(8..10)?);
    let digits = [parts.0, parts.1, parts.2].concat();
    let is_form = text.len() == 10
        && text.as_bytes()[4] == b'-'
        && text.as_bytes()[7] == b'-'
        && digits.bytes().all(|b| b.is_ascii_digit());
    if !is_form {
        return None;
    }
    let year = parts.0.parse().ok().filter(|year| YEARS.contains(year))?;
    Date::new(year, parts.1.parse().ok()?, parts.2.parse().ok()?).ok()
}

fn weekday(text: &str) -> Option<Weekday> {
    NAMES
        .iter()
        .find(|(_, name)| text.eq_ignore_ascii_case(name) || text.eq_ignore_ascii_case(&name[..3]))
        .map(|(day, _)| *day)
}
