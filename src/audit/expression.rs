//! One expression of a schedule, read for the auditor.
//!
//! Times of day are kept as a plain list of seconds since midnight, so that asking when an
//! expression is due on a day is reading that list.

use std::iter;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::Offset;

use super::calendar::Days;
use super::definition::Unreadable;
use super::field::{Field, HOUR, MINUTE, SECOND};

const DAY: i64 = 86_400;

/// What one expression says.
#[derive(Debug)]
pub(super) enum Expression {
    /// Five to seven fields, or a macro that stands for some.
    Cron(Cron),
    /// `@every D`: the multiples of D since the epoch, in microseconds.
    Every(i64),
    /// `@at T`: one instant, in microseconds since the epoch.
    At(i64),
    /// `@manual`: never.
    Manual,
}

/// Times on the wall clock.
#[derive(Debug)]
pub(super) struct Cron {
    days: Days,
    /// Ascending, as the minutes and seconds are.
    hours: Vec<i64>,
    minutes: Vec<i64>,
    seconds: Vec<i64>,
    /// Whether the minute or the hour field begins with `*`: such a job follows elapsed time where
    /// the wall clock jumps, the others follow the wall clock.
    pub(super) follows_elapsed_time: bool,
}

impl Expression {
    /// Reads one expression; `job` is what `H` hashes.
    pub(super) fn read(text: &str, job: &str) -> Result<Self, Unreadable> {
        let refused = |why: Unreadable| Unreadable(format!("schedule `{text}`: {why}"));
        let trimmed = text.trim_ascii();
        let (head, rest) = match trimmed.split_once(|c: char| c.is_ascii_whitespace()) {
            Some((head, rest)) => (head, rest.trim_ascii()),
            None => (trimmed, ""),
        };
        let fields = match (head.to_ascii_lowercase().as_str(), rest) {
            ("@manual", "") => return Ok(Self::Manual),
            ("@every", every) => return interval(every).map(Self::Every).map_err(refused),
            ("@at", at) => return instant(at).map(Self::At).map_err(refused),
            ("@yearly" | "@annually", "") => "0 0 1 1 *",
            ("@monthly", "") => "0 0 1 * *",
            ("@weekly", "") => "0 0 * * 0",
            ("@daily" | "@midnight", "") => "0 0 * * *",
            ("@hourly", "") => "0 * * * *",
            _ => trimmed,
        };
        Cron::read(fields, job).map(Self::Cron).map_err(refused)
    }
}

impl Cron {
    fn read(text: &str, job: &str) -> Result<Self, Unreadable> {
        let fields: Vec<&str> = text.split_ascii_whitespace().collect();
        let (second, minute, hour, day_of_month, month, day_of_week, year) = match fields[..] {
            [m, h, dom, mon, dow] => ("0", m, h, dom, mon, dow, None),
            [s, m, h, dom, mon, dow] => (s, m, h, dom, mon, dow, None),
            [s, m, h, dom, mon, dow, y] => (s, m, h, dom, mon, dow, Some(y)),
            _ => {
                return Err(Unreadable(format!(
                    "{} fields where 5, 6 or 7 belong",
                    fields.len()
                )));
            }
        };
        Ok(Self {
            days: Days::read(day_of_month, month, day_of_week, year, job)?,
            hours: sorted(&HOUR, hour, job)?,
            minutes: sorted(&MINUTE, minute, job)?,
            seconds: sorted(&SECOND, second, job)?,
            follows_elapsed_time: minute.starts_with('*') || hour.starts_with('*'),
        })
    }

    /// The times of a day, in seconds. Not kept: of every second they are 86,400, for each of thousands
    /// of jobs.
    fn times(&self) -> impl Iterator<Item = i64> + Send {
        self.hours.iter().flat_map(move |hour| {
            self.minutes.iter().flat_map(move |minute| {
                let minute = hour * 3_600 + minute * 60;
                self.seconds.iter().map(move |second| minute + second)
            })
        })
    }

    /// The local times in `[first, end)` that the expression names, ascending, counted in seconds
    /// as if the wall clock showed UTC.
    pub(super) fn local_times(&self, first: i64, end: i64) -> impl Iterator<Item = i64> + Send {
        let midnight = first.div_euclid(DAY) * DAY;
        let days = iter::successors(date(midnight), |date| date.tomorrow().ok());
        (midnight..end)
            .step_by(DAY as usize)
            .zip(days)
            .filter(|(_, date)| self.days.name(*date))
            .flat_map(|(midnight, _)| self.times().map(move |time| midnight + time))
            .skip_while(move |local| *local < first)
            .take_while(move |local| *local < end)
    }
}

fn date(local: i64) -> Option<Date> {
    let shown = Timestamp::from_second(local).ok()?;
    Some(Offset::UTC.to_datetime(shown).date())
}

fn sorted(field: &Field, text: &str, job: &str) -> Result<Vec<i64>, Unreadable> {
    let mut numbers = field.list(text, job)?;
    numbers.sort_unstable();
    numbers.dedup();
    Ok(numbers.into_iter().map(i64::from).collect())
}

/// A duration like `300ms`, `90s` or `1h30m`, in microseconds.
pub(super) fn interval(text: &str) -> Result<i64, Unreadable> {
    let refused = || Unreadable(format!("`{text}` is no duration"));
    let mut total: i64 = 0;
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let (number, tail) = rest.split_at(digits);
        let letters = tail.bytes().take_while(u8::is_ascii_alphabetic).count();
        let (unit, tail) = tail.split_at(letters);
        let micros: i64 = match unit {
            "ms" => 1_000,
            "s" => 1_000_000,
            "m" => 60_000_000,
            "h" => 3_600_000_000,
            "d" => 86_400_000_000,
            _ => return Err(refused()),
        };
        total = number
            .parse::<i64>()
            .ok()
            .and_then(|number| number.checked_mul(micros))
            .and_then(|part| total.checked_add(part))
            .ok_or_else(refused)?;
        rest = tail;
    }
    if total > 0 { Ok(total) } else { Err(refused()) }
}

/// An RFC 3339 instant, in microseconds since the epoch.
pub(super) fn instant(text: &str) -> Result<i64, Unreadable> {
    text.parse::<Timestamp>()
        .map(Timestamp::as_microsecond)
        .map_err(|_| Unreadable(format!("`{text}` is no RFC 3339 instant")))
}
