//! Many minutes in few words: `every hour at :00`, `mon-fri at 09:00`.
//!
//! Words are true of the span that was looked at, and claim nothing of a day that is not in it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use jiff::civil::{Date, Time, Weekday};
use jiff::tz::{AmbiguousOffset, TimeZone};
use jiff::{Span as Step, Timestamp};

use super::calls::Span;

/// In a span of this many days each weekday comes often enough to call it a habit.
const HABIT_DAYS: i64 = 14;

/// Minutes of an hour, and times of a day, that are named one by one.
const NAMED: usize = 4;

/// More times of a day than this are a count.
const MANY: usize = 24;

/// The days and times of these minutes (their first instants) in a zone's wall clock: one text for all
/// times of day that have their days in common, with the minutes it tells of (indices into `minutes`).
pub(super) fn described(
    minutes: &[Timestamp],
    span: Span,
    zone: &TimeZone,
) -> Vec<(String, Vec<usize>)> {
    let mut by_time: BTreeMap<Time, (BTreeSet<Date>, Vec<usize>)> = BTreeMap::new();
    for (index, minute) in minutes.iter().enumerate() {
        let local = minute.to_zoned_datetime(zone.clone()).datetime();
        let (dates, indices) = by_time.entry(local.time()).or_default();
        dates.insert(local.date());
        indices.push(index);
    }
    let mut by_days: BTreeMap<Days, (Vec<Time>, Vec<usize>)> = BTreeMap::new();
    for (time, (dates, indices)) in by_time {
        let days = Days::of(dates, time, span, zone);
        let (times, all) = by_days.entry(days).or_default();
        times.push(time);
        all.extend(indices);
    }
    by_days
        .into_iter()
        .map(|(days, (times, mut indices))| {
            indices.sort_unstable();
            (words(&days, &times), indices)
        })
        .collect()
}

/// The days on which something happens at a time of day.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Days {
    /// Each of the span.
    Every,
    /// Each of the span that is one of these, Monday first.
    Weekdays(Vec<i8>),
    /// In no such order.
    Dates(BTreeSet<Date>),
}

impl Days {
    fn of(dates: BTreeSet<Date>, time: Time, span: Span, zone: &TimeZone) -> Self {
        let long = span.until.as_second() - span.from.as_second() >= HABIT_DAYS * 86_400;
        // One date is no habit, and most times of a busy configuration have but one.
        if !long || dates.len() == 1 {
            return Self::Dates(dates);
        }
        let weekdays: BTreeSet<i8> = dates.iter().map(|date| number(date.weekday())).collect();
        let could_be = possible(time, span, zone);
        let of_weekdays = could_be.filter(|date| weekdays.contains(&number(date.weekday())));
        match weekdays.len() {
            _ if !of_weekdays.eq(dates.iter().copied()) => Self::Dates(dates),
            7 => Self::Every,
            _ => Self::Weekdays(weekdays.into_iter().collect()),
        }
    }
}

fn number(weekday: Weekday) -> i8 {
    weekday.to_monday_zero_offset()
}

/// The dates on which the wall clock shows the time within the span.
fn possible(time: Time, span: Span, zone: &TimeZone) -> impl Iterator<Item = Date> {
    let first = span.from.to_zoned_datetime(zone.clone()).date();
    let dates = first.series(Step::new().days(1));
    let last = span.until.to_zoned_datetime(zone.clone()).date();
    let is_within = move |date: &Date| {
        let at = zone.to_ambiguous_timestamp(date.to_datetime(time));
        let exists = !matches!(at.offset(), AmbiguousOffset::Gap { .. });
        exists
            && at
                .compatible()
                .is_ok_and(|at| span.from <= at && at < span.until)
    };
    dates
        .take_while(move |date| *date <= last)
        .filter(is_within)
}

fn words(days: &Days, times: &[Time]) -> String {
    let (times, stands_alone) = at(times);
    match days {
        Days::Every if stands_alone => times,
        Days::Every => format!("every day {times}"),
        Days::Weekdays(days) => format!("{}{} {times}", weekdays(days), comma(stands_alone)),
        Days::Dates(dates) => format!("{}{} {times}", self::dates(dates), comma(stands_alone)),
    }
}

fn comma(wanted: bool) -> &'static str {
    if wanted { "," } else { "" }
}

fn weekdays(days: &[i8]) -> String {
    const NAMES: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
    let name = |day: &i8| NAMES[usize::try_from(*day).unwrap_or(0) % 7];
    match days {
        [first, .., last]
            if days.len() > 2 && usize::from(last.abs_diff(*first)) + 1 == days.len() =>
        {
            format!("{}-{}", name(first), name(last))
        }
        _ => days.iter().map(name).collect::<Vec<_>>().join(","),
    }
}

fn dates(dates: &BTreeSet<Date>) -> String {
    let (Some(first), Some(last)) = (dates.first(), dates.last()) else {
        return String::new();
    };
    let days = last.duration_since(*first).as_hours() / 24 + 1;
    match dates.len() {
        1 => format!("on {first}"),
        2 => format!("on {first} and {last}"),
        count if usize::try_from(days) == Ok(count) => {
            format!("every day from {first} to {last}")
        }
        count => format!("on {count} days from {first} to {last}"),
    }
}

/// The times of day, and whether the words stand for themselves or want a day before them.
fn at(times: &[Time]) -> (String, bool) {
    let hours: BTreeSet<i8> = times.iter().map(|time| time.hour()).collect();
    let minutes: BTreeSet<i8> = times.iter().map(|time| time.minute()).collect();
    let (Some(first), Some(last)) = (times.first(), times.last()) else {
        return (String::new(), false);
    };
    let from_to = format!("from {} to {}", clock(*first), clock(*last));
    let is_product = hours.len() * minutes.len() == times.len();
    let hours_reach = usize::from(last.hour().abs_diff(first.hour())) + 1;
    let every_hour = || format!("every hour at {}", of_hour(&minutes));
    if times.len() == 24 * 60 {
        ("every minute".to_owned(), true)
    } else if times.len() > 2
        && number_of_minute(*last) - number_of_minute(*first) + 1 == times.len()
    {
        (format!("every minute {from_to}"), true)
    } else if is_product && hours.len() == 24 {
        (every_hour(), true)
    } else if is_product && hours.len() == hours_reach && hours.len() > 2 {
        (format!("{} {from_to}", every_hour()), true)
    } else if times.len() > MANY {
        (format!("at {} minutes {from_to}", times.len()), false)
    } else {
        let names = times.iter().map(|time| clock(*time));
        (format!("at {}", named(names)), false)
    }
}

/// Of the day, from 0 on.
fn number_of_minute(time: Time) -> usize {
    usize::from(time.hour().unsigned_abs()) * 60 + usize::from(time.minute().unsigned_abs())
}

fn of_hour(minutes: &BTreeSet<i8>) -> String {
    named(minutes.iter().map(|minute| format!(":{minute:02}")))
}

fn clock(time: Time) -> String {
    format!("{:02}:{:02}", time.hour(), time.minute())
}

/// A list, its tail counted where it is long.
fn named(names: impl ExactSizeIterator<Item = String>) -> String {
    let count = names.len();
    // To count a tail of one takes as long as to name it.
    let told = if count > NAMED + 1 { NAMED } else { count };
    let mut text = names.take(told).collect::<Vec<_>>().join(", ");
    if told < count {
        // Writing to a text cannot fail.
        let _ = write!(text, " and {} more", count - told);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::forecast::tests::{at, schedule};

    /// How the ticks of an expression in 31 days from a Tuesday noon on are told.
    fn told(expression: &str, zone: &str) -> Vec<String> {
        let from = at("2026-10-13T12:00:00Z");
        within(expression, zone, from, at("2026-11-13T12:00:00Z"))
    }

    fn within(expression: &str, zone: &str, from: Timestamp, until: Timestamp) -> Vec<String> {
        let schedule = schedule("job", expression, zone);
        let before = std::time::Duration::from_nanos(1);
        let ticks = schedule.ticks(from - before, until - before);
        let minutes: Vec<Timestamp> = ticks.map(|tick| tick.at).collect();
        let told = described(&minutes, Span { from, until }, schedule.timezone());
        let indices: usize = told.iter().map(|(_, indices)| indices.len()).sum();
        assert_eq!(indices, minutes.len());
        told.into_iter().map(|(text, _)| text).collect()
    }

    #[test]
    fn habits_are_told_as_habits() {
        for (expression, text) in [
            ("* * * * *", "every minute"),
            ("0 * * * *", "every hour at :00"),
            ("*/15 * * * *", "every hour at :00, :15, :30, :45"),
            (
                "*/10 * * * *",
                "every hour at :00, :10, :20, :30 and 2 more",
            ),
            ("0 9 * * *", "every day at 09:00"),
            (
                "0 8-17 * * mon-fri",
                "mon-fri, every hour at :00 from 08:00 to 17:00",
            ),
            ("* 9 * * *", "every minute from 09:00 to 09:59"),
            ("10-15 9 * * *", "every minute from 09:10 to 09:15"),
            ("0 9-11 * * *", "every hour at :00 from 09:00 to 11:00"),
            ("0 9,11,13 * * *", "every day at 09:00, 11:00, 13:00"),
            ("30 2,14 * * 1,4", "mon,thu at 02:30, 14:30"),
            ("0 9 * * 6,0", "sat,sun at 09:00"),
            (
                "0,2-40 9 * * *",
                "every day at 40 minutes from 09:00 to 09:40",
            ),
            ("0 0 1 * *", "on 2026-11-01 at 00:00"),
            ("0 0 1,2 11 *", "on 2026-11-01 and 2026-11-02 at 00:00"),
            (
                "0 0 1-5 11 *",
                "every day from 2026-11-01 to 2026-11-05 at 00:00",
            ),
            (
                "0 0 1,2,9 11 *",
                "on 3 days from 2026-11-01 to 2026-11-09 at 00:00",
            ),
        ] {
            assert_eq!(told(expression, "UTC"), [text], "{expression}");
        }
    }

    #[test]
    fn a_habit_survives_a_change_of_the_clocks() {
        for zone in ["Europe/Berlin", "Asia/Shanghai", "America/New_York"] {
            assert_eq!(told("30 2 * * *", zone), ["every day at 02:30"]);
            assert_eq!(told("30 * * * *", zone), ["every hour at :30"]);
        }
        let march = (at("2026-03-13T12:00:00Z"), at("2026-04-13T12:00:00Z"));
        let in_march = |expression| within(expression, "Europe/Berlin", march.0, march.1);
        assert_eq!(in_march("0 * * * *"), ["every hour at :00"]);
        // What the gap swallowed is due at its end.
        assert_eq!(
            in_march("30 2 * * *"),
            ["every day at 02:30", "on 2026-03-29 at 03:00"]
        );
    }

    #[test]
    fn a_short_span_makes_no_habit() {
        let (from, until) = (at("2026-10-13T12:00:00Z"), at("2026-10-14T12:00:00Z"));
        assert_eq!(
            within("0 9,13 * * *", "UTC", from, until),
            ["on 2026-10-13 at 13:00", "on 2026-10-14 at 09:00"]
        );
    }
}
