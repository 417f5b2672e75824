//! Days that a schedule leaves out: `except` and `only_on`.

use jiff::Timestamp;
use proptest::prelude::*;

use super::super::*;
use crate::domain::calendar::{DayList, DayRules, Item, built_in};

fn list(items: &[&str]) -> DayList {
    let items: Vec<Item> = items
        .iter()
        .map(|text| Item::parse(text).unwrap())
        .collect();
    DayList::new(&items, built_in).unwrap()
}

fn schedule(expression: &str, timezone: &str, dst: Dst, days: DayRules) -> Schedule {
    let spec = ScheduleSpec {
        expressions: &[expression.to_owned()],
        timezone,
        dst,
        starts_at: None,
        ends_at: None,
        job: "a",
    };
    Schedule::parse_on(&spec, days).unwrap()
}

fn except(items: &[&str]) -> DayRules {
    DayRules {
        except: list(items),
        only_on: None,
    }
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn kinds(schedule: &Schedule, after: &str, through: &str) -> Vec<(String, TickKind)> {
    schedule
        .ticks(at(after), at(through))
        .map(|tick| (tick.at.to_string(), tick.kind))
        .collect()
}

#[test]
fn a_tick_is_excluded_by_its_date_in_the_zone_of_the_job() {
    let days = || except(&["2026-10-01"]);
    let shanghai = schedule("0 */8 * * *", "Asia/Shanghai", Dst::default(), days());
    use TickKind::{Excluded, Fire};
    assert_eq!(
        kinds(&shanghai, "2026-09-30T07:00:00Z", "2026-10-01T17:00:00Z"),
        [
            ("2026-09-30T08:00:00Z".to_owned(), Fire),
            ("2026-09-30T16:00:00Z".to_owned(), Excluded),
            ("2026-10-01T00:00:00Z".to_owned(), Excluded),
            ("2026-10-01T08:00:00Z".to_owned(), Excluded),
            ("2026-10-01T16:00:00Z".to_owned(), Fire),
        ]
    );
    let note = shanghai.explain(&shanghai.next_after(at("2026-09-30T16:00:00Z")).unwrap());
    assert_eq!(
        note.as_deref(),
        Some("a day that except or only_on excludes")
    );
    let every = schedule("@every 12h", "Asia/Shanghai", Dst::default(), days());
    assert_eq!(
        kinds(&every, "2026-09-30T11:00:00Z", "2026-10-01T12:00:00Z"),
        [
            ("2026-09-30T12:00:00Z".to_owned(), Fire),
            ("2026-10-01T00:00:00Z".to_owned(), Excluded),
            ("2026-10-01T12:00:00Z".to_owned(), Excluded),
        ]
    );
}

#[test]
fn on_an_excluded_day_every_tick_is_excluded_whatever_the_clocks_did() {
    let sunday = || except(&["2026-03-29", "2026-10-25"]);
    for gap in [DstGap::RunAfter, DstGap::Skip] {
        let dst = Dst {
            gap,
            overlap: DstOverlap::Both,
        };
        let berlin = schedule("30 2 * * *", "Europe/Berlin", dst, sunday());
        let spring = kinds(&berlin, "2026-03-28T12:00:00Z", "2026-03-30T12:00:00Z");
        assert_eq!(
            spring[0],
            ("2026-03-29T01:00:00Z".to_owned(), TickKind::Excluded)
        );
        assert_eq!(
            spring[1],
            ("2026-03-30T00:30:00Z".to_owned(), TickKind::Fire)
        );
        let autumn = kinds(&berlin, "2026-10-24T12:00:00Z", "2026-10-25T12:00:00Z");
        assert_eq!(
            autumn,
            [
                ("2026-10-25T00:30:00Z".to_owned(), TickKind::Excluded),
                ("2026-10-25T01:30:00Z".to_owned(), TickKind::Excluded),
            ]
        );
    }
}

/// In Newfoundland the clocks went back at 00:01, to 23:01 of the day before: a day that had ended
/// went on.
#[test]
fn a_day_that_the_clocks_bring_back_is_found() {
    let newfoundland = schedule(
        "*/30 * * * *",
        "America/St_Johns",
        Dst::default(),
        except(&["2010-11-07"]),
    );
    assert_eq!(
        kinds(
            &newfoundland,
            "2010-11-07T01:59:00Z",
            "2010-11-07T03:30:00Z"
        ),
        [
            ("2010-11-07T02:00:00Z".to_owned(), TickKind::Fire),
            ("2010-11-07T02:30:00Z".to_owned(), TickKind::Excluded),
            ("2010-11-07T03:00:00Z".to_owned(), TickKind::Fire),
            ("2010-11-07T03:30:00Z".to_owned(), TickKind::Excluded),
        ]
    );
    let next = newfoundland.next_kept_after(at("2010-11-07T02:00:00Z"));
    assert_eq!(next.map(|tick| tick.at), Some(at("2010-11-07T03:00:00Z")));
}

#[test]
fn the_next_tick_that_is_kept_is_found_over_years_and_where_there_is_none() {
    let only = |items: &[&str]| DayRules {
        except: DayList::default(),
        only_on: Some(list(items)),
    };
    let far = schedule("* * * * * *", "UTC", Dst::default(), only(&["2099-12-31"]));
    let next = far.next_kept_after(at("2026-01-01T00:00:00Z")).unwrap();
    assert_eq!(next.at, at("2099-12-31T00:00:00Z"));
    assert_eq!(far.next_kept_after(at("2099-12-31T23:59:59Z")), None);
    let never = schedule("0 0 * * sun", "UTC", Dst::default(), only(&["sat"]));
    assert_eq!(never.next_kept_after(at("2026-01-01T00:00:00Z")), None);
    let fridays = schedule("0 0 13 * *", "UTC", Dst::default(), only(&["fri"]));
    let next = fridays.next_kept_after(at("2026-11-14T00:00:00Z")).unwrap();
    assert_eq!(next.at, at("2027-08-13T00:00:00Z"));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_next_kept_tick_is_the_first_of_all_that_is_not_excluded(
        expression in prop::sample::select(vec![
            "*/30 * * * *", "0 0 * * *", "30 23 * * *", "0 9 * * mon-fri", "@every 7h", "15 0,1,2 * * *",
        ]),
        zone in prop::sample::select(vec![
            "UTC", "Asia/Shanghai", "Europe/Berlin", "America/Asuncion", "America/Havana", "Australia/Lord_Howe",
        ]),
        except in prop::sample::subsequence(
            vec!["sat-sun", "2023-03-20/2023-04-02", "2023-10-29", "2023-03-26", "2023-11-05", "holidays-cn"], 0..4),
        only_on in prop::option::of(prop::sample::subsequence(
            vec!["mon-fri", "2023-03-25/2023-03-26", "2023-10-01/2023-11-30", "workdays-cn", "sun"], 1..4)),
        day in 0..365_i64, minute in 0..1440_i64,
    ) {
        let days = DayRules { except: list(&except), only_on: only_on.as_ref().map(|items| list(items)) };
        let schedule = schedule(expression, zone, Dst::default(), days);
        let from = at("2023-01-01T00:00:00Z") + std::time::Duration::from_secs((day * 86_400 + minute * 60).unsigned_abs());
        let until = from + std::time::Duration::from_secs(200 * 86_400);
        let plainly = schedule.ticks(from, until).find(|tick| tick.kind != TickKind::Excluded);
        let found = schedule.next_kept_after(from).filter(|tick| tick.at <= until);
        prop_assert_eq!(found, plainly);
    }
}
