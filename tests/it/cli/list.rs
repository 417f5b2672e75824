//! `list`: jobs of the configuration, or of a ledger alone.

use super::{JOBS, Place, sample};

#[test]
fn without_a_ledger_the_jobs_have_no_last_run_and_that_is_said() {
    let place = Place::new();
    place.write("jobs.yaml", JOBS);
    let listed = place.run(&["list"]);
    assert!(
        listed.err.starts_with("no run yet: there is no ledger at "),
        "{}",
        listed.err
    );
    let table = listed.ok();
    let nightly = table
        .lines()
        .find(|line| line.starts_with("nightly-report"))
        .unwrap();
    for word in ["0 2 * * *", "02:00:00 +08:00", "team=sre", "Asia/Shanghai"] {
        assert!(nightly.contains(word), "{nightly}");
    }
    let paused = table
        .lines()
        .find(|line| line.starts_with("paused-sync"))
        .unwrap();
    assert!(paused.contains("disabled"), "{paused}");
}

#[tokio::test]
async fn last_runs_come_from_the_ledger_that_the_configuration_names() {
    let place = Place::new();
    place.write("jobs.yaml", JOBS);
    sample(&place).await;
    let jobs = place.run(&["list", "-o", "json"]).json();
    assert_eq!(jobs[0]["job"], "nightly-report");
    assert_eq!(jobs[0]["last_state"], "skipped");
    assert_eq!(jobs[0]["last_reason"], "overlap");
    assert_eq!(jobs[0]["last_at"], "2026-11-24T05:30:00.000Z");
    assert_eq!(jobs[1]["enabled"], false);
    assert_eq!(jobs[1]["next_at"], serde_json::Value::Null);
    assert_eq!(jobs[1]["last_state"], serde_json::Value::Null);
}

#[tokio::test]
async fn a_ledger_alone_lists_the_jobs_it_last_had() {
    let place = Place::new();
    place.write("jobs.yaml", "jobs: [");
    sample(&place).await;
    let jobs = place.read(&["list", "-o", "json"]).json();
    let names: Vec<&str> = jobs
        .as_array()
        .unwrap()
        .iter()
        .map(|job| job["job"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["nightly-report", "sync-users"]);
    assert_eq!(jobs[0]["description"], "每日报表");
    assert_eq!(jobs[0]["schedule"], serde_json::json!(["0 2 * * *"]));
    assert_eq!(jobs[1]["last_state"], "running");
    let labelled = place
        .read(&["list", "--label", "team=data", "-o", "json"])
        .json();
    assert_eq!(labelled.as_array().unwrap().len(), 1);
}
