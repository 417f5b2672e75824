//! `validate`: everything wrong in one go, and the next fires where nothing is.

use serde_json::json;

use super::{JOBS, Place};

#[test]
fn a_good_configuration_shows_each_job_with_its_next_fires() {
    let place = Place::new();
    place.write("jobs.yaml", JOBS);
    let mut command = place.command(&["validate", "-o", "json"]);
    let ended: super::Ended = command
        .env("DF_API_KEY", "0123456789abcdef")
        .output()
        .unwrap()
        .into();
    assert_eq!(
        ended.err,
        "2 jobs, 1 of them disabled; no errors, no warnings\n"
    );
    let told = ended.json();
    assert_eq!(told["ok"], true);
    assert_eq!(told["jobs"][0]["job"], "nightly-report");
    let next: Vec<&str> = told["jobs"][0]["next"]
        .as_array()
        .unwrap()
        .iter()
        .map(|at| at.as_str().unwrap())
        .collect();
    assert_eq!(next.len(), 3);
    assert!(
        next.iter().all(|at| at.ends_with("T18:00:00.000Z")),
        "{next:?}"
    );
    assert_eq!(told["jobs"][1]["next"], json!([]));
}

#[test]
fn a_secret_that_cannot_be_read_here_warns_and_fails_only_when_strict() {
    let place = Place::new();
    place.write("jobs.yaml", JOBS);
    let lax = place.run(&["validate"]);
    assert!(
        lax.err.contains(
            "jobs.yaml: warning: workspaces.prod.api_key: env DF_API_KEY: the variable is not set"
        ),
        "{}",
        lax.err
    );
    assert!(lax.ok().contains("nightly-report"));
    assert_eq!(place.run(&["validate", "--quiet"]).err, "");
    let strict = place.run(&["validate", "--strict"]);
    assert_eq!(strict.code, 2);
    assert!(
        strict
            .err
            .contains("jobs.yaml: error: workspaces.prod.api_key"),
        "{}",
        strict.err
    );
    let told = place.run(&["validate", "--strict", "-o", "json"]);
    assert_eq!(told.code, 2);
    let told: serde_json::Value = serde_json::from_str(&told.out).unwrap();
    assert_eq!(told["ok"], false);
    assert_eq!(told["diagnostics"][0]["path"], "workspaces.prod.api_key");
}

#[test]
fn every_error_has_its_place_on_a_line_of_its_own() {
    let place = Place::new();
    let bad = JOBS
        .replace("0 2 * * *", "0 25 * * *")
        .replace("Asia/Shanghai", "Asia/Shanghia")
        .replace("enabled: false", "enabeld: false");
    place.write("jobs.yaml", bad);
    let words = place.run(&["validate"]).refused(2);
    insta::assert_snapshot!(words, @"
    jobs.yaml:9:18: jobs.nightly-report.schedule: hour field `25`: 25 is above 23
    jobs.yaml:10:15: jobs.nightly-report.timezone: there is no such time zone; did you mean `Asia/Shanghai`?
    jobs.yaml:13:5: jobs.paused-sync: unknown key `enabeld`; did you mean `enabled`?
    ");
    let told = place.run(&["validate", "-o", "json"]);
    assert_eq!(told.code, 2);
    let told: serde_json::Value = serde_json::from_str(&told.out).unwrap();
    assert_eq!(told["ok"], false);
    assert_eq!(told["diagnostics"][0]["line"], 9);
}

#[test]
fn a_warning_does_not_fail_unless_strict_and_is_marked_as_one() {
    let place = Place::new();
    place.write(
        "jobs.yaml",
        JOBS.replace("\"0 2 * * *\"", "\"@at 2020-01-01T00:00:00Z\""),
    );
    let lax = place.run(&["validate"]);
    assert_eq!(lax.code, 0);
    assert!(
        lax.err.contains(
            "jobs.yaml:9:15: warning: jobs.nightly-report.schedule: the schedule has no tick left"
        ),
        "{}",
        lax.err
    );
    assert!(lax.out.contains("never again"), "{}", lax.out);
    assert_eq!(place.run(&["validate", "--strict"]).code, 2);
}
