//! `next`: fires of an expression, of a job, of all jobs.

use serde_json::json;

use super::{JOBS, Place};

#[test]
fn a_bare_expression_needs_no_configuration_and_ignores_a_broken_one() {
    let place = Place::new();
    place.write("jobs.yaml", "jobs: [");
    let fires = place
        .run(&[
            "next",
            "--expr",
            "0 9 * * mon-fri",
            "--timezone",
            "Asia/Shanghai",
            "--from",
            "2026-11-27T01:00:00Z",
            "-n",
            "2",
            "-o",
            "json",
        ])
        .json();
    assert_eq!(
        fires,
        json!([
            {"job": null, "scheduled_at": "2026-11-30T01:00:00.000Z", "local": "2026-11-30T09:00:00.000+08:00"},
            {"job": null, "scheduled_at": "2026-12-01T01:00:00.000Z", "local": "2026-12-01T09:00:00.000+08:00"},
        ])
    );
}

#[test]
fn a_fire_that_the_clocks_move_or_repeat_is_marked() {
    let place = Place::new();
    let next = |expression: &str, from: &str| {
        place
            .run(&[
                "next",
                "--expr",
                expression,
                "--timezone",
                "America/New_York",
                "--from",
                from,
                "-n",
                "2",
            ])
            .ok()
    };
    insta::assert_snapshot!(next("30 2 * * *", "2026-03-07T12:00:00Z"), @"
    LOCAL                           ZONE                   IN  UTC                       NOTE
    Sun 2026-03-08 03:00:00 -04:00  America/New_York  19h 00m  2026-03-08T07:00:00.000Z  02:30 does not exist, the clocks jump from 02:00 to 03:00: it is due right after
    Mon 2026-03-09 02:30:00 -04:00  America/New_York   1d 18h  2026-03-09T06:30:00.000Z
    ");
    let repeated = next("30 1 * * *", "2026-10-31T12:00:00Z");
    assert!(repeated.contains("01:30 happens twice"), "{repeated}");
}

#[test]
fn fires_are_strictly_after_the_instant_given() {
    let place = Place::new();
    let fires = place
        .run(&[
            "next",
            "--expr",
            "0 9 * * *",
            "--from",
            "2026-11-24T09:00:00Z",
            "-n",
            "1",
            "-o",
            "csv",
        ])
        .ok();
    assert_eq!(
        fires,
        "job,scheduled_at,local\r\n,2026-11-25T09:00:00.000Z,2026-11-25T09:00:00.000+00:00\r\n"
    );
}

#[test]
fn an_error_in_an_expression_is_pointed_at() {
    let place = Place::new();
    let words = place
        .run(&["next", "--expr", "0 9 * * *", "--expr", "0 25 * * *"])
        .refused(2);
    assert!(
        words.starts_with("error: --expr: hour field `25`: 25 is above 23"),
        "{words}"
    );
    assert!(words.ends_with("\n  0 25 * * *\n    ^^\n"), "{words}");
}

#[test]
fn jobs_come_from_the_configuration_and_disabled_ones_only_when_named() {
    let place = Place::new();
    place.write("jobs.yaml", JOBS);
    let names = |arguments: &[&str]| {
        let mut all = vec![
            "next",
            "-n",
            "3",
            "--from",
            "2026-11-24T00:00:00Z",
            "-o",
            "json",
        ];
        all.extend(arguments);
        let fires = place.run(&all).json();
        let fires: Vec<String> = fires
            .as_array()
            .unwrap()
            .iter()
            .map(|fire| {
                format!(
                    "{} {}",
                    fire["job"].as_str().unwrap(),
                    &fire["scheduled_at"].as_str().unwrap()[..19]
                )
            })
            .collect();
        fires.join(", ")
    };
    assert_eq!(
        names(&[]),
        "nightly-report 2026-11-24T18:00:00, nightly-report 2026-11-25T18:00:00, nightly-report 2026-11-26T18:00:00"
    );
    assert_eq!(
        names(&["paused-sync"]),
        "paused-sync 2026-11-24T00:00:30, paused-sync 2026-11-24T00:01:00, paused-sync 2026-11-24T00:01:30"
    );
    let told = place.run(&["next", "paused-sync"]).err;
    assert_eq!(
        told,
        "`paused-sync` is disabled: these are the ticks it would have\n"
    );
    let unknown = place.run(&["next", "nightly"]).refused(3);
    assert_eq!(
        unknown,
        "error: there is no job `nightly`; `funcron list` names the jobs\n"
    );
}

#[test]
fn a_schedule_without_fires_says_why() {
    let place = Place::new();
    for (expression, words) in [
        (
            "@manual",
            "never: @manual fires only when it is triggered\n",
        ),
        (
            "@at 2020-01-01T00:00:00Z",
            "no fires after 2026-11-24T00:00:00.000Z\n",
        ),
    ] {
        let ended = place.run(&[
            "next",
            "--expr",
            expression,
            "--from",
            "2026-11-24T00:00:00Z",
        ]);
        assert_eq!(
            (ended.code, ended.out.as_str(), ended.err.as_str()),
            (0, "", words)
        );
    }
}

#[test]
fn excluded_days_are_not_among_the_fires_and_a_schedule_without_any_says_so() {
    let place = Place::new();
    place.write(
        "jobs.yaml",
        "workspaces: { prod: { site: cn1, api_key: { env: DF_API_KEY } } }
defaults: { workspace: prod, func_id: a__b.c, timezone: Asia/Shanghai }
jobs:
  - { name: report, schedule: \"0 9 * * *\", only_on: [workdays-cn] }
  - { name: past, schedule: \"* * * * * *\", only_on: [2020-01-01] }
",
    );
    let next = |job: &str, format: &str| {
        let from = "2026-04-30T00:00:00Z";
        place.run(&["next", job, "--from", from, "-n", "5", "-o", format])
    };
    let fires = next("report", "json").json();
    let days: Vec<&str> = fires
        .as_array()
        .unwrap()
        .iter()
        .map(|fire| &fire["local"].as_str().unwrap()[..10])
        .collect();
    // 1 to 5 May are off, Saturday the 9th is worked.
    assert_eq!(
        days,
        [
            "2026-04-30",
            "2026-05-06",
            "2026-05-07",
            "2026-05-08",
            "2026-05-09"
        ]
    );
    let never = next("past", "table");
    assert!(never.err.contains("no fires after"), "{}", never.err);
}

#[test]
fn an_h_in_a_bare_expression_says_whose_name_it_goes_by() {
    let place = Place::new();
    place.write("jobs.yaml", "jobs: [");
    let from = ["--from", "2026-11-24T00:00:00Z", "-n", "1", "-o", "csv"];
    let next = |arguments: &[&str]| place.run(&[&["next"], arguments, &from].concat());
    let nameless = next(&["--expr", "H 2 * * *"]);
    assert!(
        nameless.err.starts_with(
            "`H` depends on the job's name, and these are the fires of a job without one"
        ),
        "{}",
        nameless.err
    );
    let named = next(&["nightly-report", "--expr", "H 2 * * *"]);
    assert!(
        named.err.ends_with("a job named `nightly-report`\n"),
        "{}",
        named.err
    );
    // 780578928530954072 % 60, see `domain::schedule::hash`.
    assert!(
        named
            .out
            .contains("nightly-report,2026-11-24T02:32:00.000Z"),
        "{}",
        named.out
    );
    assert!(!nameless.out.contains("02:32:00"), "{}", nameless.out);
    for plain in ["0 2 * * THU", "@every 1H"] {
        let said = next(&["--expr", plain]).err;
        assert!(!said.contains("`H`"), "{said}");
    }
}
