use super::*;

/// `message; hint` of every error of one expression.
fn errors(expression: &str) -> Vec<String> {
    match parse_in(&[expression], "UTC", Dst::default()) {
        Ok(_) => vec![format!("`{expression}` parses")],
        Err(errors) => errors.iter().map(ToString::to_string).collect(),
    }
}

/// The first ticks after 2026-01-01T00:00:00Z (a Thursday), as `month-day hour:minute:second`.
fn utc(expression: &str, n: usize) -> Vec<String> {
    next(&schedule(expression, "UTC"), "2026-01-01T00:00:00Z", n)
        .into_iter()
        .map(|tick| match tick.strip_prefix("2026-") {
            Some(rest) => rest.replace('T', " ").replace("+00:00", ""),
            None => tick.replace("+00:00", ""),
        })
        .collect()
}

#[test]
fn fields_mean_what_they_mean_to_debians_cron() {
    for (expression, ticks) in [
        (
            "* * * * *",
            ["01-01 00:01:00", "01-01 00:02:00", "01-01 00:03:00"],
        ),
        (
            "*/25 * * * *",
            ["01-01 00:25:00", "01-01 00:50:00", "01-01 01:00:00"],
        ),
        (
            "10-20/5 1 * * *",
            ["01-01 01:10:00", "01-01 01:15:00", "01-01 01:20:00"],
        ),
        (
            "0 1,3 * * *",
            ["01-01 01:00:00", "01-01 03:00:00", "01-02 01:00:00"],
        ),
        (
            "0 0 * * 0",
            ["01-04 00:00:00", "01-11 00:00:00", "01-18 00:00:00"],
        ),
        (
            "0 0 * * 7",
            ["01-04 00:00:00", "01-11 00:00:00", "01-18 00:00:00"],
        ),
        (
            "0 0 * * 5-7",
            ["01-02 00:00:00", "01-03 00:00:00", "01-04 00:00:00"],
        ),
        (
            "0 0 * * 1-5",
            ["01-02 00:00:00", "01-05 00:00:00", "01-06 00:00:00"],
        ),
        (
            "0 0 * * Mon-FRI",
            ["01-02 00:00:00", "01-05 00:00:00", "01-06 00:00:00"],
        ),
        (
            "0 0 * * monday",
            ["01-05 00:00:00", "01-12 00:00:00", "01-19 00:00:00"],
        ),
        (
            "0 0 1 mar-APR,dec *",
            ["03-01 00:00:00", "04-01 00:00:00", "12-01 00:00:00"],
        ),
        (
            "  0\t0  * * *\n",
            ["01-02 00:00:00", "01-03 00:00:00", "01-04 00:00:00"],
        ),
        (
            "007 08 * * *",
            ["01-01 08:07:00", "01-02 08:07:00", "01-03 08:07:00"],
        ),
        // A step of the whole field is once per round, as in crontabs that say `*/24`.
        (
            "0 */24 * * *",
            ["01-02 00:00:00", "01-03 00:00:00", "01-04 00:00:00"],
        ),
        (
            "*/60 * * * *",
            ["01-01 01:00:00", "01-01 02:00:00", "01-01 03:00:00"],
        ),
    ] {
        assert_eq!(utc(expression, 3), ticks, "{expression}");
    }
}

#[test]
fn six_fields_begin_with_seconds_and_seven_end_with_a_year() {
    assert_eq!(
        utc("*/40 0 0 * * *", 3),
        ["01-01 00:00:40", "01-02 00:00:00", "01-02 00:00:40"]
    );
    assert_eq!(
        utc("5 4 3 2 1 * 2028,2030-2031", 4),
        [
            "2028-01-02T03:04:05",
            "2030-01-02T03:04:05",
            "2031-01-02T03:04:05",
            "none"
        ]
    );
    assert_eq!(
        utc("0 0 0 29 2 * *", 2),
        ["2028-02-29T00:00:00", "2032-02-29T00:00:00"]
    );
}

#[test]
fn day_fields_are_either_or_unless_one_begins_with_a_star() {
    for (expression, ticks) in [
        // Both restricted: the 13th, or a Friday.
        ("0 0 13 * 5", ["01-02", "01-09", "01-13", "01-16"]),
        ("0 0 13 * *", ["01-13", "02-13", "03-13", "04-13"]),
        // `*/2` begins with a star: odd days that are Mondays.
        ("0 0 */2 * 1", ["01-05", "01-19", "02-09", "02-23"]),
        // Thursdays and Sundays, and only of the first week.
        ("0 0 1-7 * */4", ["01-04", "02-01", "02-05", "03-01"]),
        // A star that does not stand first restricts nothing, and yet counts as restricted.
        ("0 0 13,1-31 * 5", ["01-02", "01-03", "01-04", "01-05"]),
        ("0 0 ? * 5", ["01-02", "01-09", "01-16", "01-23"]),
        ("0 0 13 * ?", ["01-13", "02-13", "03-13", "04-13"]),
        ("0 0 ? * ?", ["01-02", "01-03", "01-04", "01-05"]),
    ] {
        let ticks = ticks.map(|day| format!("{day} 00:00:00"));
        assert_eq!(utc(expression, 4), ticks, "{expression}");
    }
}

#[test]
fn l_w_and_hash_name_days_that_numbers_cannot() {
    for (expression, ticks) in [
        ("0 0 L * *", ["01-31", "02-28", "03-31", "04-30"]),
        ("0 0 L-3 * *", ["01-28", "02-25", "03-28", "04-27"]),
        // 30 days before the last is a day of long months alone.
        ("0 0 L-30 * *", ["03-01", "05-01", "07-01", "08-01"]),
        // January ends on a Saturday, February too, May on a Sunday.
        ("0 0 LW 1,2,5,8 *", ["01-30", "02-27", "05-29", "08-31"]),
        // The 15th is a Thursday, then two Sundays, then a Wednesday.
        ("0 0 15W * *", ["01-15", "02-16", "03-16", "04-15"]),
        // 1 February 2026 is a Sunday, 1 August a Saturday: not over the month's edge.
        (
            "0 0 1W 2,8 *",
            ["02-02", "08-03", "2027-02-01", "2027-08-02"],
        ),
        // The 31st of May is a Sunday; February and April have none.
        ("0 0 31W 1-5 *", ["01-30", "03-31", "05-29", "2027-01-29"]),
        ("0 0 * * 5L", ["01-30", "02-27", "03-27", "04-24"]),
        ("0 0 * * friL", ["01-30", "02-27", "03-27", "04-24"]),
        ("0 0 * * 7L", ["01-25", "02-22", "03-29", "04-26"]),
        ("0 0 * * 5#2", ["01-09", "02-13", "03-13", "04-10"]),
        ("0 0 * * Fri#5", ["01-30", "05-29", "07-31", "10-30"]),
        ("0 0 1,L * *", ["01-31", "02-01", "02-28", "03-01"]),
        ("0 0 * * mon#1,friL", ["01-05", "01-30", "02-02", "02-27"]),
        // Either of two rules. Then both, as a field begins with a star: of the first Mondays
        // 2 Feb, 2 Mar, 6 Apr, 4 May and 6 Jul are left out.
        ("0 0 L * mon#1", ["01-05", "01-31", "02-02", "02-28"]),
        ("0 0 */2 * mon#1", ["01-05", "06-01", "08-03", "09-07"]),
    ] {
        let ticks = ticks.map(|day| match day.len() {
            5 => format!("{day} 00:00:00"),
            _ => format!("{day}T00:00:00"),
        });
        assert_eq!(utc(expression, 4), ticks, "{expression}");
    }
}

/// The values are Python's: `int.from_bytes(sha256(b"cron:minute\0nightly-report").digest()[:8])`.
#[test]
fn h_is_a_stable_value_of_the_jobs_own() {
    for (expression, ticks) in [
        ("H H * * *", ["01-01 19:32:00", "01-02 19:32:00"]),
        ("H * * * *", ["01-01 00:32:00", "01-01 01:32:00"]),
        ("H/15 * * * *", ["01-01 00:02:00", "01-01 00:17:00"]),
        ("H(10-19) * * * *", ["01-01 00:12:00", "01-01 01:12:00"]),
        ("H(10-29)/7 * * * *", ["01-01 00:12:00", "01-01 00:19:00"]),
        ("0 0 H * *", ["01-28 00:00:00", "02-28 00:00:00"]),
        ("0 0 H/10 * *", ["01-02 00:00:00", "01-12 00:00:00"]),
        ("0 0 1 H *", ["03-01 00:00:00", "2027-03-01T00:00:00"]),
        ("0 0 * * H", ["01-05 00:00:00", "01-12 00:00:00"]),
        ("H 0 0 * * *", ["01-01 00:00:41", "01-02 00:00:41"]),
        ("0,H 0 * * *", ["01-01 00:32:00", "01-02 00:00:00"]),
        // H is restricted: the 28th, or a Monday.
        ("0 0 H * H", ["01-05 00:00:00", "01-12 00:00:00"]),
    ] {
        assert_eq!(utc(expression, 2), ticks, "{expression}");
    }
}

#[test]
fn macros_stand_for_their_fields() {
    for (name, fields) in [
        ("@yearly", "0 0 1 1 *"),
        ("@annually", "0 0 1 1 *"),
        ("@monthly", "0 0 1 * *"),
        ("@weekly", "0 0 * * sun"),
        ("@daily", "0 0 * * *"),
        ("@midnight", "0 0 * * *"),
        ("@hourly", "0 * * * *"),
        (" @daily ", "0 0 * * *"),
    ] {
        assert_eq!(utc(name, 5), utc(fields, 5), "{name}");
    }
}

#[test]
fn every_ticks_at_the_multiples_of_its_interval() {
    assert_eq!(utc("@every 90s", 2), ["01-01 00:01:30", "01-01 00:03:00"]);
    assert_eq!(utc("@every 1d", 1), ["01-02 00:00:00"]);
    // 2026-01-01 is day 20454 of the epoch; 7 * 2923 = 20461.
    assert_eq!(utc("@every 7d", 1), ["01-08 00:00:00"]);
    let odd = schedule("@every 7m", "Asia/Kolkata");
    for tick in odd.ticks(at("1969-12-31T23:00:00Z"), at("1970-01-01T01:00:00Z")) {
        assert_eq!(tick.at.as_second() % 420, 0);
    }
    assert_eq!(
        odd.ticks(at("1969-12-31T23:59:59Z"), at("1970-01-01T00:07:00Z"))
            .count(),
        2
    );
}

#[test]
fn at_ticks_once_and_manual_never() {
    let once = schedule("@at 2026-12-24T18:00:00+08:00", "UTC");
    assert_eq!(
        next(&once, "2026-12-24T09:59:59.999Z", 2),
        ["2026-12-24T10:00:00+00:00", "none"]
    );
    assert!(once.is_exhausted_at(at("2026-12-24T10:00:00Z")));
    assert!(!once.is_exhausted_at(at("2026-12-24T09:59:59Z")));
    let manual = schedule("@manual", "UTC");
    assert!(manual.is_manual() && !once.is_manual());
    assert_eq!(next(&manual, "2026-01-01T00:00:00Z", 1), ["none"]);
    assert!(!manual.is_exhausted_at(at("2026-01-01T00:00:00Z")));
}

#[test]
fn what_is_wrong_is_said_by_field_and_what_to_do_about_it() {
    for (expression, wrong) in [
        ("61 * * * *", "minute field `61`: 61 is above 59"),
        ("* 24 * * *", "hour field `24`: 24 is above 23"),
        ("* * 0 * *", "day-of-month field `0`: 0 is below 1"),
        ("* * * 13 *", "month field `13`: 13 is above 12"),
        ("* * * * 8", "day-of-week field `8`: 8 is above 7"),
        ("60 * * * * *", "second field `60`: 60 is above 59"),
        ("0 0 0 1 1 * 2101", "year field `2101`: 2101 is above 2100"),
        (
            "99999999999999999999 * * * *",
            "minute field `99999999999999999999`: 99999999999999999999 is above 59",
        ),
        ("0-99 * * * *", "minute field `0-99`: 99 is above 59"),
        (
            "a * * * *",
            "minute field `a`: `a` is no minute; values are 0 to 59",
        ),
        (
            "-5 * * * *",
            "minute field `-5`: a value is missing; ranges are written without blanks, as in `1-5`",
        ),
        (
            "5- * * * *",
            "minute field `5-`: a value is missing; ranges are written without blanks, as in `1-5`",
        ),
        (
            "*5 * * * *",
            "minute field `*5`: `*` stands alone or with a step; write `*`, or `*/2` for every second value",
        ),
        (
            "*/0 * * * *",
            "minute field `*/0`: a step of 0 never moves; write 1 or more",
        ),
        ("*/ * * * *", "minute field `*/`: the step `` is no number"),
        (
            "*/-1 * * * *",
            "minute field `*/-1`: the step `-1` is no number",
        ),
        (
            "*/90 * * * *",
            "minute field `*/90`: a step of 90 never repeats, there are 60 values; for a plain interval write `@every 90m`",
        ),
        (
            "0 0 1 */13 *",
            "month field `*/13`: a step of 13 never repeats, there are 12 values",
        ),
        (
            "5/15 * * * *",
            "minute field `5/15`: a step wants a range, engines disagree on what it means here; write `5-59/15`",
        ),
        (
            "0 0 * * mon/2",
            "day-of-week field `mon/2`: a step wants a range, engines disagree on what it means here; write `mon-sat/2`",
        ),
        (
            "0 22-2 * * *",
            "hour field `22-2`: 22 is after 2; write `22-23,0-2`",
        ),
        (
            "0 23-0 * * *",
            "hour field `23-0`: 23 is after 0; write `23,0`",
        ),
        (
            "0 22-3/2 * * *",
            "hour field `22-3/2`: 22 is after 3; write `22,0,2`",
        ),
        (
            "0 0 * * fri-MON",
            "day-of-week field `fri-MON`: fri is after MON; write `fri-sat,sun-MON`",
        ),
        (
            "0 0 * * sat-sun",
            "day-of-week field `sat-sun`: sat is after sun; write `sat,sun`",
        ),
        (
            "0 0 * * 7-2",
            "day-of-week field `7-2`: 7 is after 2; write `0-2`",
        ),
        (
            "0 0 1 nov-feb *",
            "month field `nov-feb`: nov is after feb; write `nov-dec,jan-feb`",
        ),
        (
            "0 0 * * mondy",
            "day-of-week field `mondy`: `mondy` is no day-of-week; days are 0 to 7 or `sun` to `sat`, with Sunday 0 and 7",
        ),
        (
            "0 0 * foo *",
            "month field `foo`: `foo` is no month; months are 1 to 12 or `jan` to `dec`",
        ),
        (
            "1,,2 * * * *",
            "minute field `1,,2`: a comma with nothing beside it; lists are written without blanks, as in `1,2`",
        ),
        (
            "? * * * *",
            "minute field `?`: `?` is no minute; `?` stands alone, as the day-of-month or the day-of-week; elsewhere write `*`",
        ),
        (
            "0 0 ?,1 * *",
            "day-of-month field `?`: `?` is no day-of-month; `?` stands alone, as the day-of-month or the day-of-week; elsewhere write `*`",
        ),
        (
            "0 0 l * *",
            "day-of-month field `l`: `l` is no day-of-month; `L`, `W` and `H` are capitals",
        ),
        (
            "0~30 * * * *",
            "minute field `0~30`: `0~30` is no minute; for a stable value of the job's own write `H` or `H(a-b)`",
        ),
        (
            "0 0 W * *",
            "day-of-month field `W`: not a form of `L` or `W`; write `L` for the last day, `L-2` for the second before it, `LW` for the last weekday, `15W` for the weekday nearest to the 15th",
        ),
        (
            "0 0 L-31 * *",
            "day-of-month field `L-31`: `31` is no number of days before the last; write `L-1` to `L-30`",
        ),
        (
            "0 0 * * L",
            "day-of-week field `L`: `L` wants a day before it; write `5L` or `friL` for the month's last Friday, `5#2` or `fri#2` for its second",
        ),
        (
            "0 0 * * 5#6",
            "day-of-week field `5#6`: no month has a `#6` of a day; write `#1` to `#5`",
        ),
        (
            "0 0 * * #1",
            "day-of-week field `#1`: `#` wants a day before it; write `5L` or `friL` for the month's last Friday, `5#2` or `fri#2` for its second",
        ),
        (
            "H(5) * * * *",
            "minute field `H(5)`: not a form of `H`; write `H`, `H/n`, `H(a-b)` or `H(a-b)/n`",
        ),
        (
            "H(9-5) * * * *",
            "minute field `H(9-5)`: 9 is after 5; a range of `H` does not go over the end of the field",
        ),
        (
            "H(0-4)/6 * * * *",
            "minute field `H(0-4)/6`: a step of 6 never repeats, there are 5 values; for a plain interval write `@every 6m`",
        ),
        (
            "0 0 0 1 1 * H",
            "year field `H`: `H` does not work for years; name the years",
        ),
        (
            "* * * *",
            "the expression has 4 fields; write 5: minute hour day-of-month month day-of-week; or 6 with leading seconds, 7 with a trailing year",
        ),
        (
            "* * * * * * * *",
            "the expression has 8 fields; write 5: minute hour day-of-month month day-of-week; or 6 with leading seconds, 7 with a trailing year",
        ),
        (
            "1, 2, 3, 4 * * * *",
            "the expression has 8 fields; lists are written without blanks, as in `1,2`",
        ),
        (
            "",
            "the expression is empty; write 5: minute hour day-of-month month day-of-week; or 6 with leading seconds, 7 with a trailing year",
        ),
        (
            "0 0 30 2 *",
            "`0 0 30 2 *` can never match; no date from 1970 to 2100 has such a day, month, day of week and year",
        ),
        (
            "0 0 31W 4,6 *",
            "`0 0 31W 4,6 *` can never match; no date from 1970 to 2100 has such a day, month, day of week and year",
        ),
        (
            "0 0 0 29 2 ? 2025-2027",
            "`0 0 0 29 2 ? 2025-2027` can never match; no date from 1970 to 2100 has such a day, month, day of week and year",
        ),
        (
            "@reboot",
            "`@reboot` has no meaning here: a daemon's start is no tick; write `@manual`, and call `funcron trigger JOB` from a unit that runs at boot",
        ),
        ("@dayly", "`@dayly` is unknown; did you mean `@daily`?"),
        ("@Hourly", "`@Hourly` is unknown; did you mean `@hourly`?"),
        (
            "@fortnightly",
            "`@fortnightly` is unknown; there are @yearly @annually @monthly @weekly @daily @midnight @hourly, `@every 5m`, `@at 2026-12-24T18:00:00Z` and @manual",
        ),
        (
            "@daily 5",
            "`@daily` stands alone, `5` follows it; write `@daily`",
        ),
        (
            "@every",
            "`@every` wants an interval, not ``; write `@every 5m`",
        ),
        (
            "@every 30",
            "`@every` wants an interval, not `30`; a number wants its unit, `30s`",
        ),
        (
            "@every 0s",
            "`@every` wants an interval, not `0s`; the shortest interval is 1s",
        ),
        (
            "@every 300ms",
            "`@every` wants an interval, not `300ms`; the shortest interval is 1s",
        ),
        (
            "@every 1h30m",
            "`@every` wants an interval, not `1h30m`; write one number and one of s, m, h, d, as in `90m`",
        ),
        (
            "@every 9999999d",
            "`@every 9999999d` can never match: its first tick is beyond the year 9999",
        ),
        (
            "@every 99999999999999999999s",
            "`@every 99999999999999999999s` can never match: its first tick is beyond the year 9999",
        ),
        (
            "@at 2026-12-24T18:00:00",
            "`@at` wants an instant, not `2026-12-24T18:00:00`; write it with its offset, `@at 2026-12-24T18:00:00+08:00` or `…T10:00:00Z`",
        ),
        (
            "@at 2026-12-24T18:00:00+08:00[Asia/Shanghai]",
            "`@at` wants an instant, not `2026-12-24T18:00:00+08:00[Asia/Shanghai]`; write it with its offset, `@at 2026-12-24T18:00:00+08:00` or `…T10:00:00Z`",
        ),
        (
            "@at 2026-02-30T18:00:00Z",
            "`@at` wants an instant, not `2026-02-30T18:00:00Z`; there is no such date or time",
        ),
        (
            "@at 2026-02-20T18:00:00.5Z",
            "`@at` wants an instant, not `2026-02-20T18:00:00.5Z`; ticks are whole seconds, leave the fraction out",
        ),
    ] {
        assert_eq!(errors(expression), [wrong], "{expression}");
    }
}

/// The `cron` crate reads `1 - 5` as one field.
#[test]
fn a_blank_always_ends_a_field() {
    assert_eq!(
        errors("0 9 * * 1 - 5"),
        [
            "day-of-week field `-`: a value is missing; ranges are written without blanks, as in `1-5`",
            "year field `5`: 5 is below 1970"
        ]
    );
    assert_eq!(
        errors("1, 2 * * * *"),
        [
            "second field `1,`: a comma with nothing beside it; lists are written without blanks, as in `1,2`"
        ]
    );
}

#[test]
fn all_that_is_wrong_is_reported_at_once_each_with_its_place() {
    let expressions = [
        "61,62 * * * 9".to_owned(),
        "@daily".to_owned(),
        "é * * * *".to_owned(),
    ];
    let errors = Schedule::parse(&ScheduleSpec {
        expressions: &expressions,
        timezone: "Asia/Shangai",
        dst: Dst::default(),
        starts_at: Some(at("2026-02-01T00:00:00Z")),
        ends_at: Some(at("2026-01-01T00:00:00Z")),
        job: JOB,
    })
    .unwrap_err();
    let places: Vec<_> = errors
        .iter()
        .map(|e| {
            (
                e.expression,
                e.span
                    .clone()
                    .map(|s| &expressions[e.expression.unwrap()][s]),
            )
        })
        .collect();
    assert_eq!(
        places,
        [
            (Some(0), Some("61")),
            (Some(0), Some("62")),
            (Some(0), Some("9")),
            (Some(2), Some("é")),
            (None, None),
            (None, None),
        ]
    );
    assert_eq!(
        errors[4].to_string(),
        "the time zone `Asia/Shangai` is unknown; did you mean `Asia/Shanghai`?"
    );
    assert_eq!(
        errors[5].to_string(),
        "`starts_at` 2026-02-01T00:00:00Z is after `ends_at` 2026-01-01T00:00:00Z; exchange them"
    );
}

#[test]
fn a_list_is_bounded_and_manual_stands_alone_in_it() {
    let said = |expressions: &[&str]| -> Vec<String> {
        let errors = parse_in(expressions, "UTC", Dst::default()).unwrap_err();
        errors.iter().map(ToString::to_string).collect()
    };
    assert_eq!(
        said(&[]),
        ["the schedule is empty; write `@manual` for a job that only people start"]
    );
    assert_eq!(
        said(&["@manual", "@daily"]),
        [
            "`@manual` stands alone, other expressions are beside it; leave it out, every job can be started by hand"
        ]
    );
    assert_eq!(
        said(&["@daily"; 65]),
        ["the schedule has 65 expressions, the limit is 64; split the job"]
    );
    let long = format!("{} * * * *", "1,".repeat(124) + "1");
    assert_eq!(long.len(), 257);
    assert_eq!(
        said(&[&long]),
        ["the expression has 257 bytes, the limit is 256; split it into a list of expressions"]
    );
    assert!(parse_in(&[&long[2..]], "UTC", Dst::default()).is_ok());
}

#[test]
fn zones_are_found_in_any_case_and_shown_in_their_own() {
    assert_eq!(
        schedule("@daily", "asia/shanghai").timezone_name(),
        "Asia/Shanghai"
    );
    assert_eq!(schedule("@daily", "utc").timezone_name(), "UTC");
    for (name, hint) in [
        ("Shanghai", "did you mean `Asia/Shanghai`?"),
        (
            "",
            "write a name of the IANA database, like `Asia/Shanghai`; `Etc/GMT-8` is 8 hours ahead of UTC",
        ),
        (
            "+08:00",
            "write a name of the IANA database, like `Asia/Shanghai`; `Etc/GMT-8` is 8 hours ahead of UTC",
        ),
        (
            "../../etc/passwd",
            "write a name of the IANA database, like `Asia/Shanghai`; `Etc/GMT-8` is 8 hours ahead of UTC",
        ),
    ] {
        let errors = parse_in(&["@daily"], name, Dst::default()).unwrap_err();
        assert_eq!(errors[0].hint.as_deref(), Some(hint), "{name}");
    }
}
