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
        "the planned calls of the next 31 days fit into the quota; retries, catch-up, starts by hand and the time that calls take come on top of the plan\n\
         2 jobs, 1 of them disabled; no errors, no warnings\n"
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

/// Sixty jobs, all at the full hour.
const FULL_HOUR: &str = include_str!("../../fixtures/forecast/full-hour.yaml");

fn with_key(place: &Place, arguments: &[&str]) -> super::Ended {
    let mut command = place.command(arguments);
    command.env("DF_API_KEY", "0123456789abcdef");
    command.output().unwrap().into()
}

/// The warnings among what is said: the summary is for people and follows them.
fn warnings(said: &str) -> String {
    let lines = said.lines().filter(|line| line.contains(": warning: "));
    lines.map(|line| format!("{line}\n")).collect()
}

#[test]
fn minutes_that_do_not_fit_into_the_quota_are_named_with_the_spread_that_would() {
    let place = Place::new();
    place.write("jobs.yaml", FULL_HOUR);
    let lax = with_key(&place, &["validate"]);
    assert_eq!(lax.code, 0);
    insta::assert_snapshot!(warnings(&lax.err), @"
    jobs.yaml: warning: workspaces.prod.quota: every hour at :00 (UTC): 60 calls in a minute, limit 20; the last starts 2m 02s late; jobs: job-01, job-02, job-03 and 57 more; `spread: 5m` on these jobs would fit
    ");
    let strict = with_key(&place, &["validate", "--strict"]);
    assert_eq!(strict.code, 2);
    assert!(
        strict
            .err
            .contains("jobs.yaml: error: workspaces.prod.quota: every hour at :00"),
        "{}",
        strict.err
    );
}

#[test]
fn the_quota_proof_is_data_too() {
    let place = Place::new();
    place.write("jobs.yaml", FULL_HOUR);
    let told = with_key(&place, &["validate", "-o", "json"]).json();
    assert_eq!(told["diagnostics"][0]["path"], "workspaces.prod.quota");
    let mut quota = told["quota"][0].clone();
    let names: Vec<String> = (1..=60).map(|number| format!("job-{number:02}")).collect();
    assert_eq!(quota["crowds"][0]["jobs"], json!(names));
    assert_eq!(quota["remedy"], json!({ "spread": "5m", "jobs": names }));
    let instant =
        |value: &serde_json::Value| -> jiff::Timestamp { value.as_str().unwrap().parse().unwrap() };
    let days = instant(&quota["until"]).duration_since(instant(&quota["from"]));
    assert_eq!(days.as_hours(), 31 * 24);
    let first = instant(&quota["crowds"][0]["first"]).as_second();
    assert_eq!(first % 3_600, 0);
    assert!((0..3_600).contains(&(first - instant(&quota["from"]).as_second())));
    for key in ["from", "until", "remedy"] {
        quota.as_object_mut().unwrap().remove(key);
    }
    let crowd = quota["crowds"][0].as_object_mut().unwrap();
    crowd.remove("first");
    crowd.remove("jobs");
    assert_eq!(
        quota,
        json!({
            "workspaces": ["prod"],
            "limit": 20,
            "cut": false,
            "crowds": [{
                "when": "every hour at :00",
                "timezone": "UTC",
                "minutes": 744,
                "calls": 60,
                "latest_ms": 122_000,
                "missed": 0,
                "skipped": 0,
                "replaced": 0,
                "missed_jobs": [],
            }],
            "more_crowds": 0,
        })
    );
}

#[test]
fn runs_that_the_quota_will_make_miss_are_told_as_such() {
    let place = Place::new();
    let hasty = FULL_HOUR.replace("workspace: prod,", "workspace: prod, start_deadline: 2m,");
    place.write("jobs.yaml", hasty);
    insta::assert_snapshot!(warnings(&with_key(&place, &["validate"]).err), @"
    jobs.yaml: warning: workspaces.prod.quota: runs will be missed: every hour at :00 (UTC): 60 calls in a minute, limit 20; in 31 days, 14880 runs could start only after the start_deadline (job-41, job-42, job-43 and 17 more), the last of the others starts 1m 01s late; jobs: job-01, job-02, job-03 and 57 more; `spread: 5m` on these jobs would fit
    ");
}

#[test]
fn twelve_rhythms_are_ten_lines_and_a_count() {
    let place = Place::new();
    let hours = (0..12).flat_map(|hour| {
        (0..21).map(move |job| {
            format!("  - {{ name: at-{hour}-{job}, schedule: \"0 {hour} * * *\" }}\n")
        })
    });
    let head = FULL_HOUR.split_once("jobs:\n").unwrap().0;
    place.write(
        "jobs.yaml",
        format!("{head}jobs:\n{}", hours.collect::<String>()),
    );
    let told = warnings(&with_key(&place, &["validate"]).err);
    assert_eq!(told.lines().count(), 11, "{told}");
    assert!(
        told.ends_with("jobs.yaml: warning: workspaces: and 2 more lines like these\n"),
        "{told}"
    );
    let hint = "`spread: 1m` on the jobs of all 12 lines of this workspace would fit\n";
    assert!(
        told.contains("21 calls in a minute, limit 20; the last starts 1m 01s late"),
        "{told}"
    );
    assert!(
        told.contains(hint) || told.contains(&hint.replace("1m", "2m")),
        "{told}"
    );
}

#[test]
fn a_workspace_without_a_quota_has_nothing_to_prove() {
    let place = Place::new();
    place.write(
        "jobs.yaml",
        FULL_HOUR.replace("site: cn1,", "site: cn1, quota: none,"),
    );
    let ended = with_key(&place, &["validate", "-o", "json"]);
    assert_eq!(ended.err, "60 jobs; no errors, no warnings\n");
    assert_eq!(ended.json()["quota"], json!([]));
}
