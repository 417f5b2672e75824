//! The days that `except` and `only_on` leave out, by brute force: every day from 1970 to 2100 is
//! looked at once, and marked.

use jiff::civil::Date;
use jiff::tz::Offset;
use serde_json::Value;

use super::definition::Unreadable;

/// The first day that has a mark, in days since the epoch: zones east of Greenwich begin the epoch's
/// day earlier, zones west of it late.
const FIRST: i64 = -2;

/// As many days as there are from there to 2 January 2101.
const DAYS: usize = 47_851;

/// The weekdays as an item may spell them. The epoch was a Thursday.
const WEEKDAYS: [&str; 7] = [
    "thursday",
    "friday",
    "saturday",
    "sunday",
    "monday",
    "tuesday",
    "wednesday",
];

/// A mark for each day.
#[derive(Debug, Clone)]
struct Marks(Vec<bool>);

/// Which days are left out.
#[derive(Debug)]
pub(super) struct ExcludedDays(Option<Marks>);

impl ExcludedDays {
    /// Reads the lists of a definition and the calendars that it carries.
    pub(super) fn read(definition: &Value) -> Result<Self, Unreadable> {
        let calendars = &definition["calendars"];
        let list = |key: &str| match &definition[key] {
            Value::Null => Ok(None),
            Value::Array(items) => marked(items, Some(calendars)).map(Some),
            _ => Err(Unreadable(format!("its `{key}` is no list"))),
        };
        let (except, only_on) = (list("except")?, list("only_on")?);
        if except.is_none() && only_on.is_none() {
            return Ok(Self(None));
        }
        let mut excluded = except.unwrap_or_else(Marks::none);
        if let Some(only_on) = only_on {
            for (excluded, kept) in excluded.0.iter_mut().zip(only_on.0) {
                *excluded |= !kept;
            }
        }
        Ok(Self(Some(excluded)))
    }

    /// Whether the day is left out that a local time is of, in seconds as if the wall clock showed
    /// UTC.
    pub(super) fn hold(&self, local: impl FnOnce() -> i64) -> bool {
        let Some(marks) = &self.0 else { return false };
        let index = usize::try_from(local().div_euclid(86_400) - FIRST);
        index.is_ok_and(|index| marks.0.get(index) == Some(&true))
    }
}

impl Marks {
    fn none() -> Self {
        Self(vec![false; DAYS])
    }

    /// Marks the days from the one to the other, counted from the epoch.
    fn mark(&mut self, first: i64, last: i64) {
        let index = |day: i64| usize::try_from(day - FIRST).unwrap_or(0).min(DAYS);
        if first <= last {
            self.0[index(first)..index(last + 1)].fill(true);
        }
    }

    fn mark_weekdays(&mut self, first: usize, last: usize) {
        let count = (last + 7 - first) % 7;
        for (day, mark) in (FIRST..).zip(&mut self.0) {
            let from_first = (day - first as i64).rem_euclid(7);
            *mark |= from_first <= count as i64;
        }
    }

    fn mark_all(&mut self, other: &Self) {
        for (mark, other) in self.0.iter_mut().zip(&other.0) {
            *mark |= other;
        }
    }
}

/// The days of the items; those of a calendar name none.
fn marked(items: &[Value], calendars: Option<&Value>) -> Result<Marks, Unreadable> {
    let mut marks = Marks::none();
    for item in items {
        let Some(text) = item.as_str() else {
            return Err(Unreadable("a day of its lists is no text".to_owned()));
        };
        let (first, last) = text.split_once('/').unwrap_or((text, text));
        if let (Some(first), Some(last)) = (day(first), day(last)) {
            marks.mark(first, last);
            continue;
        }
        let (first, last) = text.split_once('-').unwrap_or((text, text));
        if let (Some(first), Some(last)) = (weekday(first), weekday(last)) {
            marks.mark_weekdays(first, last);
            continue;
        }
        match calendars.map(|calendars| &calendars[text]) {
            Some(calendar @ Value::Object(_)) => marks.mark_all(&days_of(calendar)?),
            _ => return Err(Unreadable(format!("it has no calendar `{text}`"))),
        }
    }
    Ok(marks)
}

/// The days of a calendar: its weekdays, less `without`, and `dates`.
fn days_of(calendar: &Value) -> Result<Marks, Unreadable> {
    let list = |key: &str| match &calendar[key] {
        Value::Null => Ok(Marks::none()),
        Value::Array(items) => marked(items, None),
        _ => Err(Unreadable(format!("a calendar's `{key}` is no list"))),
    };
    let mut marks = list("weekdays")?;
    for (mark, without) in marks.0.iter_mut().zip(list("without")?.0) {
        *mark &= !without;
    }
    marks.mark_all(&list("dates")?);
    Ok(marks)
}

/// A date, in days since the epoch.
fn day(text: &str) -> Option<i64> {
    let date: Date = text.parse().ok().filter(|_| text.len() == 10)?;
    let midnight = Offset::UTC.to_timestamp(date.at(0, 0, 0, 0)).ok()?;
    Some(midnight.as_second() / 86_400)
}

fn weekday(text: &str) -> Option<usize> {
    let is_named = |name: &str| name.starts_with(text) && (text.len() == 3 || text == name);
    WEEKDAYS.iter().position(|name| is_named(name))
}
