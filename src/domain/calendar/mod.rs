//! Which days a job runs on: `except`, `only_on` and the calendars that they name.
//!
//! A day here is a date on the wall clock of the job's zone. All of it is a function of the texts
//! and of the named calendars' days; both are in a job's definition, so that a ledger can be
//! audited without the files and the release that it was written with.

mod china;
mod dates;
mod item;
#[cfg(test)]
mod tests;

use jiff::civil::Date;

pub use china::{BUILT_IN, COVERED, built_in};
pub use dates::{DateRange, Dates};
pub use item::{Item, ItemError, MAX_NAME, Weekdays, YEARS};

/// A named calendar: a set of days.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Calendar {
    /// Days by their weekday.
    pub weekdays: Weekdays,
    /// Of those, the dates that are none of it all the same.
    pub without: Dates,
    /// Dates that are of it whatever their weekday; they win over `without`.
    pub dates: Dates,
}

impl Calendar {
    /// Whether the date is one of it.
    pub fn contains(&self, date: Date) -> bool {
        self.dates.contains(date)
            || (self.weekdays.contains(date.weekday()) && !self.without.contains(date))
    }

    /// How many ranges it is made of.
    pub fn ranges(&self) -> usize {
        self.without.len() + self.dates.len()
    }

    fn last_listed(&self) -> Option<Date> {
        self.without.last().max(self.dates.last())
    }
}

/// What one of the lists `except` and `only_on` comes to: the union of its items.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DayList {
    /// Its weekdays.
    pub weekdays: Weekdays,
    /// Its dates and ranges.
    pub dates: Dates,
    /// The calendars it names.
    pub calendars: Vec<Calendar>,
}

impl DayList {
    /// The union of items, where `named` finds a calendar by its name.
    ///
    /// # Errors
    /// The first name that is none of a calendar.
    pub fn new(items: &[Item], named: impl Fn(&str) -> Option<Calendar>) -> Result<Self, &str> {
        let mut list = Self::default();
        let mut ranges = Vec::new();
        for item in items {
            match item {
                Item::Dates(range) => ranges.push(*range),
                Item::Weekdays(days) => list.weekdays = list.weekdays.and(*days),
                Item::Calendar(name) => list.calendars.push(named(name).ok_or(&**name)?),
            }
        }
        list.dates = Dates::new(ranges);
        Ok(list)
    }

    fn contains(&self, date: Date) -> bool {
        self.weekdays.contains(date.weekday())
            || self.dates.contains(date)
            || self.calendars.iter().any(|named| named.contains(date))
    }

    fn last_listed(&self) -> Option<Date> {
        let named = self.calendars.iter().filter_map(Calendar::last_listed);
        named.chain(self.dates.last()).max()
    }
}

/// On which days a job's ticks are to run. Without rules: on all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DayRules {
    /// On none of these.
    pub except: DayList,
    /// On these alone, less the exceptions; `None`: on all days.
    pub only_on: Option<DayList>,
}

impl DayRules {
    /// Whether ticks on that date are excluded.
    pub fn exclude(&self, date: Date) -> bool {
        self.except.contains(date)
            || self
                .only_on
                .as_ref()
                .is_some_and(|list| !list.contains(date))
    }

    /// Whether no day is excluded, since nothing is listed.
    pub fn is_empty(&self) -> bool {
        self.only_on.is_none() && self.except == DayList::default()
    }

    /// The first date from `date` on that is not excluded; `None` where all are.
    ///
    /// Behind the last date that is listed anywhere the weekday alone decides, so that one more
    /// week tells whether anything is left.
    pub fn first_open_day(&self, date: Date) -> Option<Date> {
        let listed = self.only_on.as_ref().and_then(DayList::last_listed);
        let settled = listed.max(self.except.last_listed()).unwrap_or(date);
        let mut day = date;
        let mut left = 7;
        while left > 0 {
            if !self.exclude(day) {
                return Some(day);
            }
            left -= i32::from(day > settled);
            day = day.tomorrow().ok()?;
        }
        None
    }
}
