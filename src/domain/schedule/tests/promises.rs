//! What holds for every schedule and every instant.

use std::cell::Cell;
use std::time::Duration;

use proptest::prelude::*;

use super::super::{Tick, strictly_later};
use super::*;

const ZONES: [&str; 6] = [
    "UTC",
    "America/New_York",
    "Australia/Lord_Howe",
    "America/Santiago",
    "Pacific/Apia",
    "Africa/Monrovia",
];

const EXPRESSIONS: [&str; 12] = [
    "* * * * *",
    "*/7 * * * * *",
    "* 30 2 * * *",
    "30 1,2 * * *",
    "0 0 29 2 *",
    "15 0 LW * 5#2",
    "0 0 31W * ?",
    "H H H * *",
    "@every 7m",
    "@at 2026-11-01T06:00:00Z",
    "0 0 0 1 1 * 2030",
    "59 23 L-30 * *",
];

fn any_dst() -> impl Strategy<Value = Dst> {
    let gap = prop_oneof![Just(DstGap::RunAfter), Just(DstGap::Skip)];
    let overlap = prop_oneof![
        Just(DstOverlap::First),
        Just(DstOverlap::Last),
        Just(DstOverlap::Both)
    ];
    (gap, overlap).prop_map(|(gap, overlap)| Dst { gap, overlap })
}

fn any_schedule() -> impl Strategy<Value = Schedule> {
    let list = prop::sample::subsequence(EXPRESSIONS.to_vec(), 1..=3);
    (list, prop::sample::select(ZONES.to_vec()), any_dst())
        .prop_map(|(list, zone, dst)| parse_in(&list, zone, dst).unwrap())
}

/// Any instant at all, and often one of the epoch's years, to the nanosecond.
fn any_instant() -> impl Strategy<Value = Timestamp> {
    let (low, high) = (Timestamp::MIN.as_second(), Timestamp::MAX.as_second());
    let second = prop_oneof![4 => 0i64..4_200_000_000, 1 => low + 1..high];
    (second, -999_999_999i32..1_000_000_000).prop_map(|(s, ns)| Timestamp::new(s, ns).unwrap())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn the_next_tick_is_later_and_a_whole_second(s in any_schedule(), t in any_instant()) {
        if let Some(tick) = s.next_after(t) {
            prop_assert!(tick.at > t);
            prop_assert_eq!(tick.at.subsec_nanosecond(), 0);
            // Nothing lies between: asked from just before it, the answer is the same.
            let before = tick.at.checked_sub(Duration::from_nanos(1)).unwrap();
            prop_assert_eq!(s.next_after(before), Some(tick));
        }
    }

    #[test]
    fn ticks_are_the_chain_of_next_ticks_within_their_bounds(
        s in any_schedule(), t in any_instant(), span in 0u64..200_000,
    ) {
        let through = t.checked_add(Duration::from_secs(span)).unwrap_or(t);
        let mut chain = Vec::new();
        let mut from = t;
        while let Some(tick) = s.next_after(from).filter(|tick| tick.at <= through) {
            chain.push(tick);
            from = tick.at;
            if chain.len() == 300 {
                break;
            }
        }
        prop_assert_eq!(s.ticks(t, through).take(300).collect::<Vec<_>>(), chain);
    }

    #[test]
    fn no_text_makes_the_parser_panic(text in ".{0,80}") {
        let _ = parse_in(&[&text], "UTC", Dst::default());
    }

    #[test]
    fn no_text_of_the_languages_own_letters_makes_the_parser_panic(
        text in "[-0-9*/,LWH#?()@ a-fé~]{0,40}", zone in "[A-Za-z/._-]{0,12}",
    ) {
        let five = format!("{text} {text} * * *");
        for text in [&text, &five] {
            match parse_in(&[text], "UTC", Dst::default()) {
                Ok(schedule) => drop(schedule.next_after(at("2026-01-01T00:00:00Z"))),
                // A span is always a part of the text that can be shown.
                Err(errors) => for span in errors.into_iter().filter_map(|e| e.span) {
                    prop_assert!(text.get(span).is_some());
                }
            }
        }
        let _ = parse_in(&["@daily"], &zone, Dst::default());
    }
}

#[test]
fn an_instant_is_rounded_down_also_before_the_epoch() {
    let secondly = schedule("* * * * * *", "UTC");
    let every = schedule("@every 1s", "UTC");
    for s in [&secondly, &every] {
        for (t, tick) in [
            ("2026-01-01T00:00:00.999999999Z", "2026-01-01T00:00:01Z"),
            ("2026-01-01T00:00:01Z", "2026-01-01T00:00:02Z"),
        ] {
            assert_eq!(s.next_after(at(t)).unwrap().at, at(tick));
        }
    }
    assert_eq!(
        every.next_after(at("1969-12-31T23:59:58.5Z")).unwrap().at,
        at("1969-12-31T23:59:59Z")
    );
    // Calendars begin with 1970, on the zone's own wall clock.
    assert_eq!(
        secondly.next_after(Timestamp::MIN).unwrap().at,
        at("1970-01-01T00:00:00Z")
    );
    assert_eq!(
        schedule("@daily", "Asia/Shanghai")
            .next_after(Timestamp::MIN)
            .unwrap()
            .at,
        at("1969-12-31T16:00:00Z")
    );
    for s in [&secondly, &schedule("@daily", "America/New_York")] {
        assert_eq!(s.next_after(Timestamp::MAX), None);
    }
    assert_eq!(secondly.next_after(at("2100-12-31T23:59:59Z")), None);
}

#[test]
fn bounds_are_inclusive() {
    let expressions = [
        "0 * * * *".to_owned(),
        "@at 2027-01-01T00:00:00Z".to_owned(),
    ];
    let bounded = |from: &str, to: &str| {
        Schedule::parse(&ScheduleSpec {
            expressions: &expressions,
            timezone: "UTC",
            dst: Dst::default(),
            starts_at: Some(at(from)),
            ends_at: Some(at(to)),
            job: JOB,
        })
        .unwrap()
    };
    let s = bounded("2026-01-01T02:00:00Z", "2026-01-01T04:00:00Z");
    assert_eq!(
        next(&s, "2020-01-01T00:00:00Z", 4),
        [
            "2026-01-01T02:00:00+00:00",
            "2026-01-01T03:00:00+00:00",
            "2026-01-01T04:00:00+00:00",
            "none"
        ]
    );
    let s = bounded("2026-01-01T02:00:00.000001Z", "2026-01-01T03:59:59Z");
    assert_eq!(
        next(&s, "2020-01-01T00:00:00Z", 2),
        ["2026-01-01T03:00:00+00:00", "none"]
    );
    assert!(s.is_exhausted_at(at("2026-01-01T03:00:00Z")));
    assert_eq!(s.starts_at(), Some(at("2026-01-01T02:00:00.000001Z")));
    assert_eq!(s.ends_at(), Some(at("2026-01-01T03:59:59Z")));
}

#[test]
fn a_list_is_the_union_without_doubles() {
    let s = parse_in(
        &["0 3 * * *", "@every 3h", "0 3,4 * * *"],
        "UTC",
        Dst::default(),
    )
    .unwrap();
    let ticks: Vec<_> = s
        .ticks(at("2026-01-01T00:00:00Z"), at("2026-01-01T06:00:00Z"))
        .map(|tick| tick.at.to_string())
        .collect();
    assert_eq!(
        ticks,
        [
            "2026-01-01T03:00:00Z",
            "2026-01-01T04:00:00Z",
            "2026-01-01T06:00:00Z"
        ]
    );
    assert_eq!(s.expressions(), ["0 3 * * *", "@every 3h", "0 3,4 * * *"]);
}

#[test]
fn a_search_that_goes_back_in_time_neither_spins_nor_invents_a_tick() {
    let fire = |at| {
        Some(Tick {
            at,
            kind: TickKind::Fire,
        })
    };
    let t = at("2026-11-01T06:10:00Z");
    let past = at("2026-11-01T05:11:00Z");
    let asked = Cell::new(0);
    // The answer is late by an hour, as the `cron` crate's own iterator gives it.
    let stuck = |_| {
        asked.set(asked.get() + 1);
        fire(past)
    };
    assert_eq!(strictly_later(t, stuck), None);
    assert!(asked.get() <= 60);
    // It recovers as soon as the search does.
    let good = at("2026-11-01T06:13:00Z");
    let late = |from| {
        if from < at("2026-11-01T06:12:00Z") {
            fire(past)
        } else {
            fire(good)
        }
    };
    assert_eq!(strictly_later(t, late), fire(good));
    // Its own instant is no later one.
    assert_eq!(strictly_later(t, |_| fire(t)), None);
}

#[test]
fn a_schedule_is_one_pointer_to_share_between_threads() {
    fn shared<T: Send + Sync + Clone + 'static>() -> usize {
        size_of::<T>()
    }
    assert_eq!(shared::<Schedule>(), size_of::<usize>());
}

#[test]
fn debug_shows_what_was_written() {
    assert_eq!(
        format!("{:?}", schedule("@daily", "UTC")),
        "Schedule { expressions: [\"@daily\"], timezone: \"UTC\", dst: Dst { gap: RunAfter, overlap: First }, starts_at: None, ends_at: None, .. }"
    );
}
