#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::BTreeMap;

use jiff::ToSpan;
use jiff::civil::{Weekday, date};
use proptest::prelude::*;

use super::*;

/// Every day of the covered years.
fn covered() -> impl Iterator<Item = Date> {
    COVERED
        .start()
        .series(1.day())
        .take_while(|day| day <= COVERED.end())
}

/// What another list says of the days that are not as their weekday says.
fn others_list() -> BTreeMap<Date, &'static str> {
    include_str!("../../../tests/fixtures/calendar/china.csv")
        .lines()
        .skip(1)
        .map(|row| row.split_once(',').unwrap())
        .map(|(day, kind)| (day.parse().unwrap(), kind))
        .collect()
}

fn is_monday_to_friday(day: Date) -> bool {
    !matches!(day.weekday(), Weekday::Saturday | Weekday::Sunday)
}

#[test]
fn holidays_and_worked_weekends_are_those_of_another_list_for_every_day_of_every_year() {
    let (holidays, workdays) = (
        built_in("holidays-cn").unwrap(),
        built_in("workdays-cn").unwrap(),
    );
    let list = others_list();
    let mut compared = 0;
    for day in covered() {
        let kind = list.get(&day).copied();
        assert_eq!(holidays.contains(day), kind == Some("off"), "{day}");
        let is_worked = match kind {
            Some("off") => false,
            Some("work") => true,
            _ => is_monday_to_friday(day),
        };
        assert_eq!(workdays.contains(day), is_worked, "{day}");
        compared += usize::from(kind.is_some());
    }
    assert_eq!(compared, list.len());
    assert_eq!(list.len(), 108);
}

/// What the notices themselves count: 共8天, 共3天 and so on.
#[test]
fn a_notice_names_as_many_days_off_as_it_counts() {
    let holidays = built_in("holidays-cn").unwrap();
    let off = |year: i16| {
        let mut days: Vec<Date> = covered().filter(|day| holidays.contains(*day)).collect();
        days.retain(|day| day.year() == year);
        days
    };
    assert_eq!(off(2024).len(), 1 + 8 + 3 + 5 + 1 + 3 + 7);
    assert_eq!(off(2025).len(), 1 + 8 + 3 + 5 + 3 + 8);
    assert_eq!(off(2026).len(), 3 + 9 + 3 + 5 + 3 + 3 + 7);
}

#[test]
fn what_is_worked_in_exchange_is_a_saturday_or_a_sunday() {
    let workdays = built_in("workdays-cn").unwrap();
    for range in workdays.dates.iter() {
        assert_eq!(range.first(), range.last());
        assert!(!is_monday_to_friday(range.first()), "{range}");
        assert!(COVERED.contains(&range.first()), "{range}");
    }
}

#[test]
fn a_year_without_a_notice_goes_by_its_weekdays() {
    let (holidays, workdays) = (
        built_in("holidays-cn").unwrap(),
        built_in("workdays-cn").unwrap(),
    );
    for day in [
        date(2023, 10, 2),
        date(2027, 1, 1),
        date(2027, 10, 1),
        date(2031, 5, 3),
    ] {
        assert!(!holidays.contains(day), "{day}");
        assert_eq!(workdays.contains(day), is_monday_to_friday(day), "{day}");
    }
}

#[test]
fn every_built_in_calendar_is_there_and_no_other() {
    for name in BUILT_IN {
        assert!(
            built_in(name).is_some_and(|calendar| calendar.ranges() > 10),
            "{name}"
        );
        assert_eq!(Item::parse(name), Ok(Item::Calendar(name.into())));
    }
    assert_eq!(built_in("holidays-us"), None);
}

fn item(text: &str) -> Item {
    Item::parse(text).unwrap()
}

fn rules(except: &[&str], only_on: Option<&[&str]>) -> DayRules {
    let list = |texts: &[&str]| {
        let items: Vec<Item> = texts.iter().map(|text| item(text)).collect();
        DayList::new(&items, built_in).unwrap()
    };
    DayRules {
        except: list(except),
        only_on: only_on.map(list),
    }
}

#[test]
fn an_item_is_a_date_a_range_a_weekday_or_a_name() {
    assert_eq!(item("2026-10-01"), Item::Dates(date(2026, 10, 1).into()));
    let range = DateRange::new(date(2026, 10, 1), date(2026, 10, 7)).unwrap();
    assert_eq!(item("2026-10-01/2026-10-07"), Item::Dates(range));
    assert_eq!(range.to_string(), "2026-10-01/2026-10-07");
    let week = |text: &str| match item(text) {
        Item::Weekdays(days) => days.names().collect::<Vec<_>>().join(" "),
        other => panic!("{other:?}"),
    };
    assert_eq!(week("sat"), "sat");
    assert_eq!(week("Monday"), "mon");
    assert_eq!(week("mon-fri"), "mon tue wed thu fri");
    assert_eq!(week("SAT-SUN"), "sat sun");
    assert_eq!(week("fri-mon"), "mon fri sat sun");
    assert_eq!(week("tue-tue"), "tue");
    assert_eq!(item("company"), Item::Calendar("company".into()));
    assert_eq!(item("mon-team"), Item::Calendar("mon-team".into()));
}

#[test]
fn what_is_no_item_is_refused_and_not_quoted() {
    for text in [
        "",
        "2026-10-1",
        "20261001",
        "2026-02-29",
        "2026-13-01",
        "1969-12-31",
        "2101-01-01",
        "2026-10-07/2026-10-01",
        "2026-10-01/",
        "2026-10-01/2026-10-07/2026-10-09",
        "2026/10/01",
        "2026-10-01T00:00:00Z",
        "Company",
        "holidays cn",
        "休",
        "２０２６-10-01",
        "-",
        "/",
        "+026-10-01",
        &"x".repeat(MAX_NAME + 1),
    ] {
        let error = Item::parse(text).unwrap_err();
        assert!(
            text.is_empty() || text.len() < 3 || !error.message.contains(text),
            "{text}"
        );
    }
}

#[test]
fn only_on_leaves_its_days_and_except_goes_before_it() {
    let workdays = rules(&["2026-05-06"], Some(&["workdays-cn"]));
    for (day, excluded) in [
        (date(2026, 4, 30), false),
        (date(2026, 5, 1), true),
        (date(2026, 5, 5), true),
        // A Wednesday that is worked, and excepted.
        (date(2026, 5, 6), true),
        (date(2026, 5, 7), false),
        // A Saturday that is worked.
        (date(2026, 5, 9), false),
        (date(2026, 5, 10), true),
    ] {
        assert_eq!(workdays.exclude(day), excluded, "{day}");
    }
    assert!(!rules(&[], None).exclude(date(2026, 5, 1)));
    assert!(rules(&[], None).is_empty() && !workdays.is_empty());
}

#[test]
fn a_name_that_is_none_is_named() {
    let items = [item("sat"), item("company")];
    assert_eq!(DayList::new(&items, built_in), Err("company"));
}

#[test]
fn where_no_day_is_left_none_is_found() {
    let from = date(1970, 1, 1);
    for (except, only_on) in [
        (&["mon-sun"][..], None),
        (&["1970-01-01/2100-12-31", "mon-sun"], None),
        (&["mon-fri"], Some(&["mon", "wed"][..])),
        (&["2026-10-01"], Some(&["2026-10-01"])),
    ] {
        assert_eq!(
            rules(except, only_on).first_open_day(from),
            None,
            "{except:?}"
        );
    }
    let last = rules(&["mon-sat", "2026-01-01/2026-12-31"], None);
    assert_eq!(
        last.first_open_day(date(2026, 1, 1)),
        Some(date(2027, 1, 3))
    );
    assert_eq!(last.first_open_day(Date::MAX), None);
}

fn any_day() -> impl Strategy<Value = Date> {
    (0..800_i64).prop_map(|days| date(2025, 1, 1).checked_add(days.days()).unwrap())
}

fn any_item() -> impl Strategy<Value = String> {
    let name = prop::sample::select(vec!["mon", "tue", "wed", "thu", "fri", "sat", "sun"]);
    prop_oneof![
        any_day().prop_map(|day| day.to_string()),
        (any_day(), 0..40_i64)
            .prop_map(|(day, days)| { format!("{day}/{}", day.checked_add(days.days()).unwrap()) }),
        (name.clone(), name).prop_map(|(first, last)| format!("{first}-{last}")),
        Just("holidays-cn".to_owned()),
        Just("workdays-cn".to_owned()),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_set_holds_the_dates_of_its_ranges_and_no_others(
        ranges in prop::collection::vec((any_day(), 0..20_i64), 0..12), day in any_day(),
    ) {
        let ranges: Vec<DateRange> = ranges
            .iter()
            .map(|(first, days)| DateRange::new(*first, first.checked_add(days.days()).unwrap()).unwrap())
            .collect();
        let set = Dates::new(ranges.clone());
        let held = ranges.iter().any(|range| range.first() <= day && day <= range.last());
        prop_assert_eq!(set.contains(day), held);
        prop_assert_eq!(set.last(), ranges.iter().map(DateRange::last).max());
        let mut days: Vec<DateRange> = ranges;
        days.reverse();
        prop_assert_eq!(Dates::new(days), set);
    }

    #[test]
    fn the_first_open_day_is_found_as_by_looking_at_each(
        except in prop::collection::vec(any_item(), 0..4),
        only_on in prop::option::of(prop::collection::vec(any_item(), 1..4)),
        from in any_day(),
    ) {
        let texts = |list: &Vec<String>| list.iter().map(|text| item(text)).collect::<Vec<_>>();
        let rules = DayRules {
            except: DayList::new(&texts(&except), built_in).unwrap(),
            only_on: only_on.map(|list| DayList::new(&texts(&list), built_in).unwrap()),
        };
        let looked_at = from.series(1.day()).take(1200).find(|day| !rules.exclude(*day));
        prop_assert_eq!(rules.first_open_day(from), looked_at);
    }
}
