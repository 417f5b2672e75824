//! The calls of a stretch of days, by hour of a zone's wall clock.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::calls::{Caller, Calls, Span};
use super::pool::pools;
use super::{Demand, WORK};
use crate::domain::workspace::{Workspace, WorkspaceName};

/// An hour of the wall clock. One that the clocks repeat is two of these, one that they skip is none,
/// one that they cut is shorter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hour {
    /// The day it is of.
    pub date: Date,
    /// 0 to 23.
    pub hour: i8,
    /// When it is.
    pub span: Span,
}

/// What falls due in an hour.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Load {
    /// Calls; `None` where too much would have to be computed to say.
    pub calls: Option<u64>,
    /// Calls that the hour may hold, of all workspaces together; `None` where one of them has no limit.
    pub limit: Option<u64>,
    /// The share of its limit that the busiest workspace uses; `None` where none has one.
    pub share: Option<f64>,
}

/// The hours of the days from `first` until before `end`.
pub fn hours(first: Date, end: Date, zone: &TimeZone) -> Vec<Hour> {
    let midnight = |date: Date| {
        let midnight = zone.to_ambiguous_timestamp(date.at(0, 0, 0, 0));
        midnight.compatible().unwrap_or(Timestamp::MAX)
    };
    let (mut at, until) = (midnight(first), midnight(end));
    let mut hours: Vec<Hour> = Vec::new();
    let mut offset = None;
    while at < until {
        let local = at.to_zoned_datetime(zone.clone());
        let into_hour = i64::from(local.minute()) * 60 + i64::from(local.second());
        let next_hour = Timestamp::from_second(at.as_second() + 3_600 - into_hour);
        let change = zone.following(at).next().map(|change| change.timestamp());
        let next = next_hour
            .ok()
            .into_iter()
            .chain(change)
            .chain([until])
            .min()
            .unwrap_or(until);
        match hours.last_mut() {
            // A change that does not move the clocks, only what they are called.
            Some(last)
                if (last.date, last.hour, offset)
                    == (local.date(), local.hour(), Some(local.offset())) =>
            {
                last.span.until = next;
            }
            _ => hours.push(Hour {
                date: local.date(),
                hour: local.hour(),
                span: Span {
                    from: at,
                    until: next,
                },
            }),
        }
        offset = Some(local.offset());
        at = next;
    }
    hours
}

/// What falls due in each of these hours, which follow one another.
pub fn loads<'a>(
    jobs: &'a [Demand<'a>],
    workspaces: &BTreeMap<WorkspaceName, Workspace>,
    hours: &[Hour],
) -> Vec<Load> {
    let (Some(first), Some(last)) = (hours.first(), hours.last()) else {
        return Vec::new();
    };
    let pools = pools(jobs, workspaces);
    let limits: Vec<Option<u64>> = pools
        .iter()
        .map(|pool| Some(pool.limit?.get().into()))
        .collect();
    let mut callers: Vec<Caller<'_>> = Vec::new();
    let mut pool_of: Vec<usize> = Vec::new();
    for (index, pool) in pools.iter().enumerate() {
        callers.extend(pool.jobs.iter().map(|job| job.caller()));
        pool_of.resize(callers.len(), index);
    }
    let span = Span {
        from: first.span.from,
        until: last.span.until,
    };
    let mut calls = Calls::new(&callers, span, WORK);
    let mut next = calls.next();
    let mut loads = Vec::with_capacity(hours.len());
    for hour in hours {
        let end = hour.span.until.as_microsecond();
        let mut counts = vec![0_u64; pools.len()];
        while let Some(call) = next.filter(|call| call.due_us < end) {
            counts[pool_of[call.caller]] += 1;
            next = calls.next();
        }
        loads.push(load(&counts, &limits, hour.span));
    }
    if let Some(cut) = calls.cut() {
        let unknown = hours.partition_point(|hour| hour.span.until <= cut);
        for load in &mut loads[unknown..] {
            load.calls = None;
            load.share = None;
        }
    }
    loads
}

fn load(counts: &[u64], limits: &[Option<u64>], span: Span) -> Load {
    let seconds = span.until.as_second().abs_diff(span.from.as_second());
    let of_hour = |limit: u64| limit * seconds / 60;
    let sum = limits
        .iter()
        .try_fold(0, |sum, limit| Some(sum + of_hour((*limit)?)));
    let shares = counts.iter().zip(limits).filter_map(|(count, limit)| {
        let limit = of_hour((*limit)?).max(1);
        Some(*count as f64 / limit as f64)
    });
    Load {
        calls: Some(counts.iter().sum()),
        limit: sum,
        share: shares.reduce(f64::max),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::forecast::tests::{Fixture, at, workspaces};

    fn day(date: &str, zone: &str) -> Vec<Hour> {
        let zone = TimeZone::get(zone).unwrap_or(TimeZone::UTC);
        let date: Date = date.parse().unwrap_or(Date::ZERO);
        hours(date, date.tomorrow().unwrap_or(date), &zone)
    }

    fn told(hours: &[Hour]) -> Vec<(i8, u64)> {
        let minutes =
            |span: Span| (span.until.as_second() - span.from.as_second()).unsigned_abs() / 60;
        hours
            .iter()
            .map(|hour| (hour.hour, minutes(hour.span)))
            .collect()
    }

    #[test]
    fn a_day_has_twenty_four_hours_but_where_the_clocks_change() {
        let plain: Vec<(i8, u64)> = (0..24).map(|hour| (hour, 60)).collect();
        for zone in ["UTC", "Asia/Shanghai", "Asia/Kolkata", "Asia/Kathmandu"] {
            assert_eq!(told(&day("2026-03-29", zone)), plain, "{zone}");
        }
        let spring = told(&day("2026-03-29", "Europe/Berlin"));
        assert_eq!(spring.len(), 23);
        assert_eq!(spring[1..3], [(1, 60), (3, 60)]);
        let autumn = told(&day("2026-10-25", "Europe/Berlin"));
        assert_eq!(autumn.len(), 25);
        assert_eq!(autumn[1..5], [(1, 60), (2, 60), (2, 60), (3, 60)]);
        // Half an hour forth on 2026-10-04, and back on 2026-04-05.
        assert_eq!(told(&day("2026-10-04", "Australia/Lord_Howe"))[2], (2, 30));
        let back = told(&day("2026-04-05", "Australia/Lord_Howe"));
        assert_eq!(back[1..4], [(1, 60), (1, 30), (2, 60)]);
    }

    #[test]
    fn a_day_that_has_no_midnight_begins_with_its_first_instant() {
        // Beirut's clocks jump from 00:00 to 01:00.
        let day = day("2026-03-29", "Asia/Beirut");
        assert_eq!(told(&day).first(), Some(&(1, 60)));
        assert_eq!(day[0].span.from, at("2026-03-28T22:00:00Z"));
    }

    #[test]
    fn hours_hold_their_calls_and_as_much_of_the_limit_as_they_have_minutes() {
        let fixtures = [
            Fixture::new("a", "0 * * * *"),
            Fixture::new("b", "*/10 9 * * *").of("other"),
        ];
        let jobs = fixtures.each_ref().map(Fixture::demand);
        let workspaces = workspaces(&[
            ("prod", &["A"], Some(20), Some(200)),
            ("other", &["B"], Some(1), Some(200)),
        ]);
        let hours = day("2026-10-04", "Australia/Lord_Howe");
        let loads = loads(&jobs, &workspaces, &hours);
        let told = |at: usize| (loads[at].calls, loads[at].limit, loads[at].share);
        // The hour that begins at 13:30Z holds the tick of 14:00Z.
        assert_eq!(told(0), (Some(1), Some(1_260), Some(1.0 / 1_200.0)));
        // The day has 23 h and a half.
        let calls = loads.iter().filter_map(|load| load.calls);
        assert_eq!(calls.sum::<u64>(), 23 + 6);
        assert_eq!(loads[2].limit, Some(630));
    }

    #[test]
    fn a_workspace_without_a_limit_makes_the_sum_unknown_and_the_share_that_of_the_others() {
        let fixtures = [
            Fixture::new("a", "*/2 * * * *"),
            Fixture::new("b", "* * * * *").of("free"),
        ];
        let jobs = fixtures.each_ref().map(Fixture::demand);
        let workspaces = workspaces(&[
            ("prod", &["A"], Some(1), None),
            ("free", &["B"], None, None),
        ]);
        let loads = loads(&jobs, &workspaces, &day("2026-11-24", "UTC"));
        let whole = Load {
            calls: Some(90),
            limit: None,
            share: Some(0.5),
        };
        assert_eq!(loads, [whole; 24]);
    }
}
