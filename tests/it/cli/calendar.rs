//! `calendar`: a month of calls, by hour of a zone.

use serde_json::{Value, json};

use super::Place;

/// Sixty jobs, all at the full hour.
const FULL_HOUR: &str = include_str!("../../fixtures/forecast/full-hour.yaml");

fn place() -> Place {
    let place = Place::new();
    place.write("jobs.yaml", FULL_HOUR);
    place
}

#[test]
fn a_month_is_a_line_a_day_with_its_sum_and_what_it_means() {
    let ended = place().run(&["calendar", "--month", "2026-02"]);
    assert_eq!(
        ended.err,
        "672 minutes of this month hold more calls than fit into a minute; `funcron validate` names those of the next 31 days\n"
    );
    let map = ended.ok();
    let lines: Vec<&str> = map.lines().collect();
    let hours = " 60".repeat(24);
    assert_eq!(lines[0], "2026-02, UTC: 40320 calls");
    assert_eq!(lines[3], format!("Sun  1{hours}  1440"));
    assert_eq!(lines[30], format!("Sat 28{hours}  1440"));
    assert_eq!(
        lines[31..],
        ["", "Calls an hour; the quota lets 1200 through."]
    );
}

#[test]
fn days_on_which_the_clocks_change_have_their_own_number_of_hours() {
    let rows = |month: &str, day: &str| -> Vec<Value> {
        let arguments = [
            "calendar",
            "--month",
            month,
            "--timezone",
            "europe/berlin",
            "-o",
            "json",
        ];
        let all = place().run(&arguments).json();
        let rows = all.as_array().unwrap().iter();
        rows.filter(|row| row["date"] == day).cloned().collect()
    };
    let spring = rows("2026-03", "2026-03-29");
    assert_eq!(spring.len(), 23);
    assert_eq!(
        spring[1..3],
        [
            json!({"date": "2026-03-29", "hour": 1, "starts_at": "2026-03-29T00:00:00.000Z", "calls": 60, "limit": 1200}),
            json!({"date": "2026-03-29", "hour": 3, "starts_at": "2026-03-29T01:00:00.000Z", "calls": 60, "limit": 1200}),
        ]
    );
    let autumn = rows("2026-10", "2026-10-25");
    assert_eq!(autumn.len(), 25);
    let hours: Vec<&Value> = autumn[1..5].iter().map(|row| &row["hour"]).collect();
    assert_eq!(hours, [1, 2, 2, 3]);
    assert_eq!(autumn[2]["starts_at"], "2026-10-25T00:00:00.000Z");
    assert_eq!(autumn[3]["starts_at"], "2026-10-25T01:00:00.000Z");
}

#[test]
fn lines_and_fields_are_for_machines() {
    let read = |format: &str| {
        let all = place()
            .run(&["calendar", "--month", "2026-12", "-o", format])
            .ok();
        all.lines().take(2).map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(
        read("csv"),
        [
            "date,hour,starts_at,calls,limit",
            "2026-12-01,0,2026-12-01T00:00:00.000Z,60,1200"
        ]
    );
    assert_eq!(
        read("jsonl")[0],
        r#"{"date":"2026-12-01","hour":0,"starts_at":"2026-12-01T00:00:00.000Z","calls":60,"limit":1200}"#
    );
}

#[test]
fn a_job_that_is_named_is_counted_alone_and_the_zone_is_its_own() {
    let place = Place::new();
    place.write("jobs.yaml", super::JOBS);
    let rows = |jobs: &[&str]| {
        let mut arguments = vec!["calendar", "--month", "2026-12", "-o", "json"];
        arguments.extend(jobs);
        place.run(&arguments)
    };
    let all = rows(&[]).json();
    let due: Vec<&Value> = all
        .as_array()
        .unwrap()
        .iter()
        .filter(|row| row["calls"] != 0)
        .collect();
    assert_eq!(due.len(), 31);
    assert!(due.iter().all(|row| row["hour"] == 2 && row["calls"] == 1));
    assert_eq!(due[0]["starts_at"], "2026-11-30T18:00:00.000Z");
    let disabled = rows(&["paused-sync"]);
    assert_eq!(
        disabled.err,
        "`paused-sync` is disabled: these are the calls it would make\n"
    );
    assert_eq!(disabled.json()[0]["calls"], 120);
    assert_eq!(
        rows(&["nightly-reprot"]).refused(3),
        "error: there is no job `nightly-reprot`; did you mean `nightly-report`?\n"
    );
}

#[test]
fn a_month_or_a_zone_that_is_none_is_a_usage_error_with_a_way_out() {
    let place = place();
    let month = place.run(&["calendar", "--month", "2026-13"]).refused(2);
    assert!(month.contains("write a month like 2026-12"), "{month}");
    let zone = place
        .run(&["calendar", "--timezone", "Asia/Shanghia"])
        .refused(2);
    assert_eq!(
        zone,
        "error: --timezone: the time zone `Asia/Shanghia` is unknown; did you mean `Asia/Shanghai`?\n"
    );
}
