//! Golden tables. The instants were taken from the zones' published transitions and a calendar,
//! never from the scanner.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use jiff::Timestamp;
use jiff::tz::TimeZone;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::{TickKind, ticks};
use crate::audit::Definition;

fn definition(schedule: &[&str], zone: &str, gap: &str, overlap: &str) -> Value {
    json!({
        "name": "nightly-report",
        "enabled": true,
        "schedule": schedule,
        "timezone": zone,
        "dst": { "gap": gap, "overlap": overlap },
    })
}

fn micros(instant: &str) -> i64 {
    instant.parse::<Timestamp>().unwrap().as_microsecond()
}

/// The ticks in `(after, through]`; those skipped in a gap are marked.
fn scan(definition: &Value, after: &str, through: &str) -> Vec<String> {
    let definition = Definition::read(&definition.to_string()).unwrap();
    ticks(&definition, micros(after), micros(through))
        .map(|tick| {
            let at = Timestamp::from_microsecond(tick.at_us).unwrap();
            match tick.kind {
                TickKind::Fire => at.to_string(),
                TickKind::SkippedByGap => format!("{at} skipped"),
                TickKind::Excluded => format!("{at} excluded"),
            }
        })
        .collect()
}

fn in_utc(expression: &str, after: &str, through: &str) -> Vec<String> {
    scan(
        &definition(&[expression], "UTC", "run_after", "first"),
        after,
        through,
    )
}

/// The days of 2026 that an expression names.
fn days_of_2026(expression: &str) -> Vec<String> {
    let year = in_utc(expression, "2025-12-31T23:59:59Z", "2026-12-31T23:59:59Z");
    year.iter().map(|at| at[5..10].to_owned()).collect()
}

#[test]
fn a_span_excludes_its_beginning_and_includes_its_end() {
    let hours = in_utc("0 * * * *", "2026-05-01T10:00:00Z", "2026-05-01T12:00:00Z");
    assert_eq!(hours, ["2026-05-01T11:00:00Z", "2026-05-01T12:00:00Z"]);
    let between = in_utc(
        "* * * * *",
        "2026-05-01T10:00:00.000001Z",
        "2026-05-01T10:00:59.999999Z",
    );
    assert!(between.is_empty(), "{between:?}");
    let just_before = in_utc(
        "* * * * *",
        "2026-05-01T09:59:59.999999Z",
        "2026-05-01T10:00:00Z",
    );
    assert_eq!(just_before, ["2026-05-01T10:00:00Z"]);
}

#[test]
fn fields_take_lists_ranges_steps_and_names() {
    let noon = |expression| in_utc(expression, "2026-05-01T11:59:59Z", "2026-05-01T13:00:00Z");
    assert_eq!(
        noon("5-20/5,7 12 * MAY friday"),
        [
            "2026-05-01T12:05:00Z",
            "2026-05-01T12:07:00Z",
            "2026-05-01T12:10:00Z",
            "2026-05-01T12:15:00Z",
            "2026-05-01T12:20:00Z"
        ]
    );
    assert_eq!(
        noon("*/20 12 * * *"),
        [
            "2026-05-01T12:00:00Z",
            "2026-05-01T12:20:00Z",
            "2026-05-01T12:40:00Z"
        ]
    );
    assert!(noon("0 12 * june *").is_empty());
}

#[test]
fn six_fields_begin_with_seconds_and_seven_end_with_a_year() {
    let minute = |expression| in_utc(expression, "2026-05-01T12:00:00Z", "2026-05-01T12:01:00Z");
    assert_eq!(
        minute("*/25 * * * * *"),
        [
            "2026-05-01T12:00:25Z",
            "2026-05-01T12:00:50Z",
            "2026-05-01T12:01:00Z"
        ]
    );
    assert_eq!(minute("7 0 12 * * * 2024-2030/2"), ["2026-05-01T12:00:07Z"]);
    assert!(minute("7 0 12 * * * 2025,2027").is_empty());
    // 2100 is no leap year, and the last one.
    assert_eq!(
        in_utc(
            "0 0 0 29 2 * *",
            "2092-03-01T00:00:00Z",
            "2199-01-01T00:00:00Z"
        ),
        ["2096-02-29T00:00:00Z"]
    );
}

#[test]
fn zero_and_seven_are_sunday() {
    let sundays = ["02-01", "02-08", "02-15", "02-22"];
    for sunday in ["0", "7", "sun", "SUNDAY", "7-7"] {
        assert_eq!(
            days_of_2026(&format!("0 0 * 2 {sunday}")),
            sundays,
            "{sunday}"
        );
    }
    // 1 February is a Sunday.
    let weekend = ["02-01", "02-06", "02-07", "02-08"];
    for days in ["5-7", "fri-sun"] {
        assert_eq!(
            days_of_2026(&format!("0 0 * 2 {days}"))[..4],
            weekend,
            "{days}"
        );
    }
}

#[test]
fn either_day_field_matches_where_both_are_restricted_and_both_must_where_one_begins_with_a_star() {
    // Fridays in May 2026: 1, 8, 15, 22, 29.
    assert_eq!(
        days_of_2026("0 0 13 5 fri"),
        ["05-01", "05-08", "05-13", "05-15", "05-22", "05-29"]
    );
    assert_eq!(
        days_of_2026("0 0 */7 5 fri"),
        ["05-01", "05-08", "05-15", "05-22", "05-29"]
    );
    assert_eq!(days_of_2026("0 0 */2 5 1"), ["05-11", "05-25"]);
    assert_eq!(days_of_2026("0 0 1-7 5 */5"), ["05-01", "05-03"]);
    assert_eq!(days_of_2026("0 0 13 5 ?"), ["05-13"]);
    assert_eq!(
        days_of_2026("0 0 ? 5 mon"),
        ["05-04", "05-11", "05-18", "05-25"]
    );
    // `H` is restricted: 28 is its day for this name, and Mondays are not left out.
    assert_eq!(
        days_of_2026("0 0 H 5 mon"),
        ["05-04", "05-11", "05-18", "05-25", "05-28"]
    );
}

#[test]
fn l_counts_from_the_end_of_the_month() {
    assert_eq!(
        days_of_2026("0 0 L 1-4 *"),
        ["01-31", "02-28", "03-31", "04-30"]
    );
    assert_eq!(days_of_2026("0 0 L-2 1,2 *"), ["01-29", "02-26"]);
    assert_eq!(days_of_2026("0 0 L-30 1,2,3 *"), ["01-01", "03-01"]);
    assert_eq!(days_of_2026("0 0 1,L 2 *"), ["02-01", "02-28"]);
    // 31 January 2026 is a Saturday, 28 February too, 31 May a Sunday.
    assert_eq!(
        days_of_2026("0 0 LW 1,2,5,6 *"),
        ["01-30", "02-27", "05-29", "06-30"]
    );
    assert_eq!(days_of_2026("0 0 * 5 FRIL"), ["05-29"]);
    assert_eq!(days_of_2026("0 0 * 5 0L,5l"), ["05-29", "05-31"]);
    assert_eq!(days_of_2026("0 0 ? 2 7L"), ["02-22"]);
}

#[test]
fn w_is_the_nearest_workday_within_the_month() {
    // 1 February 2026 is a Sunday, 1 August a Saturday, 15 August too, 31 May a Sunday.
    assert_eq!(days_of_2026("0 0 1W 2 *"), ["02-02"]);
    assert_eq!(days_of_2026("0 0 1W 8 *"), ["08-03"]);
    assert_eq!(days_of_2026("0 0 15W 8 *"), ["08-14"]);
    assert_eq!(days_of_2026("0 0 16w 8 *"), ["08-17"]);
    assert_eq!(days_of_2026("0 0 31W 5 *"), ["05-29"]);
    assert_eq!(days_of_2026("0 0 13W 5 *"), ["05-13"]);
    // No 31st, no day near it.
    assert!(days_of_2026("0 0 31W 6 *").is_empty());
}

#[test]
fn a_hash_mark_counts_weekdays() {
    assert_eq!(days_of_2026("0 0 * 5 FRI#2"), ["05-08"]);
    assert_eq!(days_of_2026("0 0 * 5 1#1,7#5"), ["05-04", "05-31"]);
    assert!(days_of_2026("0 0 * 2 1#5").is_empty());
}

#[test]
fn h_is_a_stable_hash_of_the_field_and_the_name() {
    // SHA-256("cron:minute\0nightly-report") begins with 0ad52c665a3e1758: 32 modulo 60, 2 modulo
    // 15 and 10. "cron:hour…": b2fe40eb481306d3: 19 modulo 24. "cron:second…": 41 modulo 60.
    let day = |expression| in_utc(expression, "2026-03-27T23:59:59Z", "2026-03-28T23:59:59Z");
    assert_eq!(day("H H * * *"), ["2026-03-28T19:32:00Z"]);
    assert_eq!(day("H 5 4 * * *"), ["2026-03-28T04:05:41Z"]);
    assert_eq!(
        day("H/15 3 * * *"),
        [
            "2026-03-28T03:02:00Z",
            "2026-03-28T03:17:00Z",
            "2026-03-28T03:32:00Z",
            "2026-03-28T03:47:00Z"
        ]
    );
    assert_eq!(day("H(10-19) 3 * * *"), ["2026-03-28T03:12:00Z"]);
    assert_eq!(
        day("H(30-50)/10 3 * * *"),
        ["2026-03-28T03:32:00Z", "2026-03-28T03:42:00Z"]
    );
    // Day of month: 27 modulo 28, 6 modulo 7; month: 2 modulo 12; day of week: 1 modulo 7.
    assert_eq!(days_of_2026("0 0 H H *"), ["03-28"]);
    assert_eq!(
        days_of_2026("0 0 H/7 6 *"),
        ["06-07", "06-14", "06-21", "06-28"]
    );
    assert_eq!(
        days_of_2026("0 0 * 6 H"),
        ["06-01", "06-08", "06-15", "06-22", "06-29"]
    );
}

#[test]
fn macros_intervals_and_instants() {
    let year =
        |expression| in_utc(expression, "2025-12-31T23:59:59Z", "2026-12-31T23:00:00Z").len();
    assert_eq!(
        [
            "@yearly",
            "@annually",
            "@monthly",
            "@weekly",
            "@daily",
            "@midnight",
            "@hourly"
        ]
        .map(year),
        [1, 1, 12, 52, 365, 365, 8_760]
    );
    assert_eq!(year("@manual"), 0);
    // The phase is the epoch's, not the span's.
    assert_eq!(
        in_utc("@every 7m", "1970-01-01T00:01:00Z", "1970-01-01T00:21:00Z"),
        [
            "1970-01-01T00:07:00Z",
            "1970-01-01T00:14:00Z",
            "1970-01-01T00:21:00Z"
        ]
    );
    assert_eq!(
        in_utc(
            "@every 1500ms",
            "2026-01-01T00:00:00Z",
            "2026-01-01T00:00:03Z"
        ),
        ["2026-01-01T00:00:01.5Z", "2026-01-01T00:00:03Z"]
    );
    let at = "@at 2026-12-24T18:00:00+08:00";
    assert_eq!(
        in_utc(at, "2026-01-01T00:00:00Z", "2026-12-24T10:00:00Z"),
        ["2026-12-24T10:00:00Z"]
    );
    assert!(in_utc(at, "2026-12-24T10:00:00Z", "2027-01-01T00:00:00Z").is_empty());
}

#[test]
fn bounds_are_inclusive_and_a_disabled_job_has_no_ticks() {
    let mut job = definition(&["0 * * * *"], "Asia/Shanghai", "run_after", "first");
    job["starts_at"] = json!("2026-05-01T10:00:00Z");
    job["ends_at"] = json!("2026-05-01T20:00:00+08:00");
    let day = ("2026-05-01T00:00:00Z", "2026-05-02T00:00:00Z");
    assert_eq!(
        scan(&job, day.0, day.1),
        [
            "2026-05-01T10:00:00Z",
            "2026-05-01T11:00:00Z",
            "2026-05-01T12:00:00Z"
        ]
    );
    job["enabled"] = json!(false);
    assert!(scan(&job, day.0, day.1).is_empty());
}

#[test]
fn new_york_a_fixed_time_in_the_gap_runs_at_its_end_and_several_run_once() {
    let spring = |schedule: &[&str], gap: &str| {
        scan(
            &definition(schedule, "America/New_York", gap, "first"),
            "2026-03-08T06:00:00Z",
            "2026-03-08T08:00:00Z",
        )
    };
    // 07:00Z is 03:00 EDT; 02:00 to 03:00 did not exist.
    assert_eq!(
        spring(&["30 2 * * *"], "run_after"),
        ["2026-03-08T07:00:00Z"]
    );
    assert_eq!(
        spring(&["0,30 2,3 * * *"], "run_after"),
        ["2026-03-08T07:00:00Z", "2026-03-08T07:30:00Z"]
    );
    assert_eq!(
        spring(&["30 2 * * *"], "skip"),
        ["2026-03-08T07:00:00Z skipped"]
    );
    // What fires at the same instant wins, from the same expression or another.
    assert_eq!(
        spring(&["0,30 2,3 * * *"], "skip"),
        ["2026-03-08T07:00:00Z", "2026-03-08T07:30:00Z"]
    );
    assert_eq!(
        spring(&["30 2 * * *", "0 3 * * *"], "skip"),
        ["2026-03-08T07:00:00Z"]
    );
    // Elapsed time makes nothing up.
    assert_eq!(
        spring(&["*/30 * * * *"], "skip"),
        [
            "2026-03-08T06:30:00Z",
            "2026-03-08T07:00:00Z",
            "2026-03-08T07:30:00Z",
            "2026-03-08T08:00:00Z"
        ]
    );
    assert!(spring(&["* 2 * * *"], "run_after").is_empty());
    assert!(
        spring(&["30 2 8-14 * mon"], "run_after").len() == 1,
        "the 8th is named by its number"
    );
    assert!(
        spring(&["30 2 */8 * mon"], "run_after").is_empty(),
        "the 8th is no Monday"
    );
}

#[test]
fn new_york_a_fixed_time_of_the_repeated_hour_runs_by_its_policy() {
    let autumn = |expression, overlap| {
        scan(
            &definition(&[expression], "America/New_York", "run_after", overlap),
            "2026-11-01T05:00:00Z",
            "2026-11-01T07:00:00Z",
        )
    };
    // 01:30 EDT is 05:30Z, 01:30 EST is 06:30Z.
    assert_eq!(autumn("30 1 * * *", "first"), ["2026-11-01T05:30:00Z"]);
    assert_eq!(autumn("30 1 * * *", "last"), ["2026-11-01T06:30:00Z"]);
    let both = ["2026-11-01T05:30:00Z", "2026-11-01T06:30:00Z"];
    assert_eq!(autumn("30 1 * * *", "both"), both);
    for overlap in ["first", "last"] {
        assert_eq!(autumn("30 * * * *", overlap), both);
        assert_eq!(autumn("*/60 2 * * *", overlap), ["2026-11-01T07:00:00Z"]);
    }
    // `H` is fixed, 32 here.
    assert_eq!(autumn("H 1 * * *", "first"), ["2026-11-01T05:32:00Z"]);
}

#[test]
fn lord_howe_shifts_by_half_an_hour() {
    let zone = |expression, overlap, after, through| {
        scan(
            &definition(&[expression], "Australia/Lord_Howe", "run_after", overlap),
            after,
            through,
        )
    };
    // 2 to 2:30 on 4 October did not exist; 15:30Z is 2:30 (+11).
    let spring = ("2026-10-03T14:00:00Z", "2026-10-03T16:00:00Z");
    assert_eq!(
        zone("15 2 * * *", "first", spring.0, spring.1),
        ["2026-10-03T15:30:00Z"]
    );
    assert_eq!(
        zone("45 2 * * *", "first", spring.0, spring.1),
        ["2026-10-03T15:45:00Z"]
    );
    // 1:30 to 2:00 on 5 April came twice: at 14:30Z (+11) and at 15:00Z (+10:30).
    let autumn = ("2026-04-04T14:00:00Z", "2026-04-04T16:00:00Z");
    assert_eq!(
        zone("45 1 * * *", "first", autumn.0, autumn.1),
        ["2026-04-04T14:45:00Z"]
    );
    assert_eq!(
        zone("45 1 * * *", "last", autumn.0, autumn.1),
        ["2026-04-04T15:15:00Z"]
    );
    assert_eq!(
        zone("15 1 * * *", "both", autumn.0, autumn.1),
        ["2026-04-04T14:15:00Z"]
    );
    assert_eq!(
        zone("*/30 1 * * *", "first", autumn.0, autumn.1),
        ["2026-04-04T14:30:00Z", "2026-04-04T15:00:00Z"]
    );
}

#[test]
fn santiago_shifts_at_midnight() {
    let zone = |expression, after, through| {
        scan(
            &definition(&[expression], "America/Santiago", "run_after", "first"),
            after,
            through,
        )
    };
    // The midnight of 6 September did not exist; 04:00Z is 01:00.
    let spring = ("2026-09-05T12:00:00Z", "2026-09-07T12:00:00Z");
    assert_eq!(
        zone("0 0 * * *", spring.0, spring.1),
        ["2026-09-06T04:00:00Z", "2026-09-07T03:00:00Z"]
    );
    // 6 September is a Sunday.
    assert_eq!(
        zone("15 0 * * sun", spring.0, spring.1),
        ["2026-09-06T04:00:00Z"]
    );
    // 23:00 to 24:00 of 4 April came twice, from 02:00Z and from 03:00Z.
    let autumn = ("2026-04-04T12:00:00Z", "2026-04-05T12:00:00Z");
    assert_eq!(
        zone("30 23 * * *", autumn.0, autumn.1),
        ["2026-04-05T02:30:00Z"]
    );
    assert_eq!(
        zone("0 0 * * *", autumn.0, autumn.1),
        ["2026-04-05T04:00:00Z"]
    );
}

#[test]
fn apia_left_out_a_day() {
    let zone = |expression, gap| {
        scan(
            &definition(&[expression], "Pacific/Apia", gap, "first"),
            "2011-12-29T20:00:00Z",
            "2011-12-31T00:00:00Z",
        )
    };
    // 29 December ended at 10:00Z, and 31 December began. 22:00Z is noon on the 31st.
    assert_eq!(
        zone("0 12 * * *", "run_after"),
        [
            "2011-12-29T22:00:00Z",
            "2011-12-30T10:00:00Z",
            "2011-12-30T22:00:00Z"
        ]
    );
    assert_eq!(zone("0 12 30 12 *", "run_after"), ["2011-12-30T10:00:00Z"]);
    assert_eq!(
        zone("0 8,12 30 * *", "skip"),
        ["2011-12-30T10:00:00Z skipped"]
    );
    assert!(
        zone("0 * 30 12 *", "run_after").is_empty(),
        "elapsed time has no such day"
    );
}

#[test]
fn london_and_its_gap_at_one() {
    let zone = |expression, after, through| {
        scan(
            &definition(&[expression], "Europe/London", "run_after", "first"),
            after,
            through,
        )
    };
    assert_eq!(
        zone("30 1 * * *", "2026-03-28T00:00:00Z", "2026-03-30T12:00:00Z"),
        [
            "2026-03-28T01:30:00Z",
            "2026-03-29T01:00:00Z",
            "2026-03-30T00:30:00Z"
        ]
    );
    assert_eq!(
        zone("30 1 * * *", "2026-10-24T12:00:00Z", "2026-10-26T12:00:00Z"),
        ["2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"]
    );
}

#[test]
fn a_span_that_begins_or_ends_at_a_transition_sees_it_once() {
    let job = definition(&["30 2 * * *"], "America/New_York", "run_after", "first");
    assert_eq!(
        scan(&job, "2026-03-08T06:59:59Z", "2026-03-08T07:00:00Z"),
        ["2026-03-08T07:00:00Z"]
    );
    assert!(scan(&job, "2026-03-08T07:00:00Z", "2026-03-08T12:00:00Z").is_empty());
    // The second showing of 01:30 is known for one without having seen the first.
    let job = definition(&["30 1 * * *"], "America/New_York", "run_after", "first");
    assert!(scan(&job, "2026-11-01T06:00:00Z", "2026-11-01T08:00:00Z").is_empty());
    let job = definition(&["30 1 * * *"], "America/New_York", "run_after", "last");
    assert!(scan(&job, "2026-11-01T05:00:00Z", "2026-11-01T05:59:00Z").is_empty());
}

#[test]
fn what_follows_elapsed_time_fires_at_every_real_minute_that_shows_it() {
    // Asked of jiff minute by minute, over both transitions of a year.
    for (name, year) in [
        ("Australia/Lord_Howe", 2026),
        ("America/Santiago", 2026),
        ("Pacific/Apia", 2011),
    ] {
        let zone = TimeZone::get(name).unwrap();
        let first: Timestamp = format!("{year}-01-01T00:00:00Z").parse().unwrap();
        let shown: Vec<i64> = (1..365 * 1_440)
            .map(|minute| first.as_second() + minute * 60)
            .filter(|second| {
                let local = zone.to_datetime(Timestamp::from_second(*second).unwrap());
                local.minute() % 7 == 0 && [0, 2, 23].contains(&local.hour())
            })
            .map(|second| second * 1_000_000)
            .collect();
        let job = definition(&["*/7 0,2,23 * * *"], name, "run_after", "first");
        let job = Definition::read(&job.to_string()).unwrap();
        let through = first.as_microsecond() + 365 * 86_400_000_000 - 1;
        let scanned: Vec<i64> = ticks(&job, first.as_microsecond(), through)
            .map(|tick| tick.at_us)
            .collect();
        assert_eq!(scanned, shown, "{name}");
    }
}

#[test]
fn what_cannot_be_read_is_named() {
    let refusal = |expression: &str| {
        let job = definition(&[expression], "UTC", "run_after", "first");
        Definition::read(&job.to_string()).unwrap_err().to_string()
    };
    for (expression, why) in [
        ("", "0 fields where 5, 6 or 7 belong"),
        ("* * * *", "4 fields where 5, 6 or 7 belong"),
        ("60 * * * *", "the minute field has `60`"),
        ("5/10 * * * *", "the minute field has `5/10`"),
        ("*/0 * * * *", "the minute field has `*/0`"),
        ("1,,2 * * * *", "the minute field has ``"),
        ("* 22-2 * * *", "the hour field has `22-2`"),
        ("* * 32W * *", "the day-of-month field has `32`"),
        ("* * * tues *", "the month field has `tues`"),
        ("* * * * 1#6", "the day-of-week field has `1#6`"),
        ("* * * * * * H", "the year field has `H`"),
        ("H(5-2) * * * *", "the minute field has `H(5-2)`"),
        ("Hx * * * *", "the minute field has `Hx`"),
        ("@every 5", "`5` is no duration"),
        ("@every 0s", "`0s` is no duration"),
        ("@at noon", "`noon` is no RFC 3339 instant"),
    ] {
        assert_eq!(
            refusal(expression),
            format!("schedule `{expression}`: {why}")
        );
    }
    let mut job = definition(&["* * * * *"], "Mars/Olympus", "run_after", "first");
    let reading = Definition::read(&job.to_string()).unwrap_err();
    assert_eq!(reading.to_string(), "no zone `Mars/Olympus` is known here");
    job["timezone"] = json!(["UTC"]);
    let reading = Definition::read(&job.to_string()).unwrap_err();
    assert_eq!(
        reading.to_string(),
        "its `timezone` is missing or of the wrong type"
    );
}

proptest! {
    #[test]
    fn no_text_and_no_span_makes_it_panic(
        expression in "[-*/,#?LWHwlh()0-9a-z@ é]{0,40}",
        after in any::<i64>(),
        length in 0..100_000_000_000_i64,
    ) {
        let job = definition(&[&expression, "0 0 L * 5#2"], "America/New_York", "skip", "last");
        if let Ok(job) = Definition::read(&job.to_string()) {
            let scanned: Vec<_> = ticks(&job, after, after.saturating_add(length)).take(1_000).collect();
            prop_assert!(scanned.is_sorted_by(|a, b| a.at_us < b.at_us));
        }
    }

    #[test]
    fn no_definition_makes_it_panic(text in ".{0,200}") {
        prop_assert!(Definition::read(&text).is_err());
    }
}
