//! Which days a cron expression names: month, day of month, day of week and year together.

use jiff::civil::Date;

use super::definition::Unreadable;
use super::field::{DAY_OF_MONTH, DAY_OF_WEEK, MONTH, YEAR};

/// The day fields of one expression.
#[derive(Debug)]
pub(super) struct Days {
    /// Bit n is month n.
    months: u32,
    in_month: Vec<DayOfMonth>,
    in_week: Vec<DayOfWeek>,
    /// Whether a day must satisfy both day fields; else either one is enough.
    both: bool,
    /// `None`: every year.
    years: Option<Vec<u32>>,
}

/// An item of the day-of-month field.
#[derive(Debug)]
enum DayOfMonth {
    /// Bit n is day n.
    Days(u32),
    /// `L-n`: n days before the last; `L` is `L-0`.
    BeforeLast(u32),
    /// `LW`: the last day from Monday to Friday.
    LastWorkday,
    /// `nW`: the day from Monday to Friday nearest to n, within the month.
    NearestWorkday(u32),
}

/// An item of the day-of-week field; Sunday is 0.
#[derive(Debug)]
enum DayOfWeek {
    /// Bit n is weekday n.
    Days(u32),
    /// `5L`: the last of its kind in the month.
    Last(u32),
    /// `5#2`: the weekday and its count in the month.
    Nth(u32, u32),
}

impl Days {
    /// Reads the four fields; `year` is absent from expressions of five and six.
    pub(super) fn read(
        day_of_month: &str,
        month: &str,
        day_of_week: &str,
        year: Option<&str>,
        job: &str,
    ) -> Result<Self, Unreadable> {
        let open = |text: &str| text.starts_with('*') || text == "?";
        Ok(Self {
            months: mask(MONTH.list(month, job)?),
            in_month: days_of_month(day_of_month, job)?,
            in_week: days_of_week(day_of_week, job)?,
            both: open(day_of_month) || open(day_of_week),
            years: year
                .filter(|year| *year != "*")
                .map(|year| YEAR.list(year, job))
                .transpose()?,
        })
    }

    /// Whether the expression names this day.
    pub(super) fn name(&self, date: Date) -> bool {
        let in_year = match &self.years {
            None => true,
            Some(years) => years
                .iter()
                .any(|year| i64::from(*year) == i64::from(date.year())),
        };
        if !in_year || !has(self.months, date.month()) {
            return false;
        }
        let in_month = self.in_month.iter().any(|item| item.names(date));
        let in_week = self.in_week.iter().any(|item| item.names(date));
        if self.both {
            in_month && in_week
        } else {
            in_month || in_week
        }
    }
}

impl DayOfMonth {
    fn names(&self, date: Date) -> bool {
        let day = u32::from(date.day().unsigned_abs());
        let last = u32::from(date.days_in_month().unsigned_abs());
        match *self {
            Self::Days(days) => has(days, date.day()),
            Self::BeforeLast(before) => day + before == last,
            Self::LastWorkday => day == nearest_workday(last, date),
            Self::NearestWorkday(wanted) => wanted <= last && day == nearest_workday(wanted, date),
        }
    }
}

impl DayOfWeek {
    fn names(&self, date: Date) -> bool {
        let weekday = weekday(date);
        let day = u32::from(date.day().unsigned_abs());
        let last = u32::from(date.days_in_month().unsigned_abs());
        match *self {
            Self::Days(days) => days >> weekday & 1 == 1,
            Self::Last(wanted) => weekday == wanted && day + 7 > last,
            Self::Nth(wanted, count) => weekday == wanted && (day - 1) / 7 + 1 == count,
        }
    }
}

/// The day from Monday to Friday nearest to `day` of `date`'s month, without leaving the month.
fn nearest_workday(day: u32, date: Date) -> u32 {
    let last = u32::from(date.days_in_month().unsigned_abs());
    let today = u32::from(date.day().unsigned_abs());
    match (weekday(date) + 35 + day - today) % 7 {
        6 if day == 1 => 3,
        6 => day - 1,
        0 if day == last => day - 2,
        0 => day + 1,
        _ => day,
    }
}

fn weekday(date: Date) -> u32 {
    u32::from(date.weekday().to_sunday_zero_offset().unsigned_abs())
}

fn days_of_month(text: &str, job: &str) -> Result<Vec<DayOfMonth>, Unreadable> {
    if text == "?" {
        return Ok(vec![DayOfMonth::Days(u32::MAX)]);
    }
    text.split(',')
        .map(|item| {
            let upper = item.to_ascii_uppercase();
            if upper == "L" {
                Ok(DayOfMonth::BeforeLast(0))
            } else if upper == "LW" {
                Ok(DayOfMonth::LastWorkday)
            } else if let Some(before) = upper.strip_prefix("L-") {
                DAY_OF_MONTH.number(before).map(DayOfMonth::BeforeLast)
            } else if let Some(day) = upper.strip_suffix('W') {
                DAY_OF_MONTH.number(day).map(DayOfMonth::NearestWorkday)
            } else {
                DAY_OF_MONTH
                    .item(item, job)
                    .map(|days| DayOfMonth::Days(mask(days)))
            }
        })
        .collect()
}

fn days_of_week(text: &str, job: &str) -> Result<Vec<DayOfWeek>, Unreadable> {
    if text == "?" {
        return Ok(vec![DayOfWeek::Days(u32::MAX)]);
    }
    text.split(',')
        .map(|item| {
            if let Some(day) = item.strip_suffix(['L', 'l']) {
                Ok(DayOfWeek::Last(DAY_OF_WEEK.number(day)? % 7))
            } else if let Some((day, count)) = item.split_once('#') {
                let count = match count {
                    "1" | "2" | "3" | "4" | "5" => u32::from(count.as_bytes()[0] - b'0'),
                    _ => return Err(DAY_OF_WEEK.cannot_read(item)),
                };
                Ok(DayOfWeek::Nth(DAY_OF_WEEK.number(day)? % 7, count))
            } else {
                let days = DAY_OF_WEEK.item(item, job)?;
                Ok(DayOfWeek::Days(mask(days.into_iter().map(|day| day % 7))))
            }
        })
        .collect()
}

/// A bit for each number; every field but the year fits.
fn mask(numbers: impl IntoIterator<Item = u32>) -> u32 {
    numbers
        .into_iter()
        .fold(0, |mask, number| mask | 1 << number)
}

fn has(mask: u32, number: i8) -> bool {
    mask >> number & 1 == 1
}
