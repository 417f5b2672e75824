//! `stats`: counts by job, function and day, of the ticks since some instant.

use serde_json::json;

use super::{Place, sample};

const ALL: &str = "2026-11-24T00:00:00Z";

#[tokio::test]
async fn runs_are_counted_by_state_with_what_they_cost() {
    let place = Place::new();
    sample(&place).await;
    let stats = place.read(&["stats", "--since", ALL, "-o", "json"]).json();
    assert_eq!(
        stats,
        json!([
            {
                "job": "nightly-report", "runs": 2, "waiting": 0, "running": 0, "success": 1, "failed": 0,
                "unknown": 0, "skipped": 1, "missed": 0, "cancelled": 0, "success_rate": 1.0, "attempts": 2,
                "cost_ms": 41, "p50_ms": 12, "p95_ms": 112, "max_ms": 112,
            },
            {
                "job": "sync-users", "runs": 5, "waiting": 0, "running": 1, "success": 0, "failed": 2,
                "unknown": 1, "skipped": 0, "missed": 1, "cancelled": 0, "success_rate": 0.0, "attempts": 4,
                "cost_ms": 41, "p50_ms": 96, "p95_ms": 60000, "max_ms": 60000,
            },
        ])
    );
    let csv = place.read(&["stats", "--since", ALL, "-o", "csv"]).ok();
    assert!(
        csv.starts_with("job,runs,waiting,running,success,failed,unknown,skipped,missed,cancelled,success_rate,attempts,cost_ms,p50_ms,p95_ms,max_ms\r\n"),
        "{csv}"
    );
    assert_eq!(csv.lines().count(), 3);
    let table = place.read(&["stats", "--since", ALL]).ok();
    for word in ["nightly-report", "100.0%", "0.0%", "1m 00s", "41ms"] {
        assert!(table.contains(word), "{word} in {table}");
    }
}

#[tokio::test]
async fn by_function_by_day_and_since_when() {
    let place = Place::new();
    sample(&place).await;
    let of = |arguments: &[&str]| {
        let mut all = vec!["stats", "-o", "json", "--since"];
        all.extend(arguments);
        let records = place.read(&all).json();
        let records = records.as_array().unwrap().clone();
        let text = |record: &serde_json::Value| {
            let key = record.as_object().unwrap().values().next().unwrap();
            format!("{} {}", key.as_str().unwrap(), record["runs"])
        };
        records.iter().map(text).collect::<Vec<_>>()
    };
    assert_eq!(of(&[ALL, "--by", "func"]), ["guance__openapi.test 7"]);
    assert_eq!(of(&[ALL, "--by", "day"]), ["2026-11-24 7"]);
    assert_eq!(
        of(&["2026-11-24T05:00:00Z"]),
        ["nightly-report 1", "sync-users 2"]
    );
    assert_eq!(of(&["2030-01-01T00:00:00Z"]), [""; 0]);
}

#[tokio::test]
async fn a_run_tells_of_its_only_attempt_itself_and_of_others_the_attempts_are_asked() {
    let place = Place::new();
    sample(&place).await;
    let stats = || place.read(&["stats", "--since", ALL, "-o", "json"]).json();
    let before = stats();

    let silent = "UPDATE runs SET cost_ms = NULL, duration_us = NULL";
    place.change(silent).await;
    assert_eq!(stats(), before, "as an earlier release recorded them");

    place
        .change(
            "UPDATE runs SET cost_ms = a.cost_ms, duration_us = a.duration_us FROM attempts a WHERE a.run_id = runs.id;
             UPDATE attempts SET cost_ms = 7, duration_us = 7
             WHERE run_id IN (SELECT id FROM runs WHERE attempts = 1 AND duration_us IS NOT NULL)",
        )
        .await;
    assert_eq!(stats(), before, "the attempt is not looked at");
    place.change(silent).await;
    assert_ne!(stats(), before, "but where the run says nothing");
}

#[tokio::test]
async fn a_row_that_stands_for_nothing_does_not_count() {
    let place = Place::new();
    sample(&place).await;
    place
        .change("UPDATE runs SET ahead = 'void' WHERE state IN ('missed', 'skipped')")
        .await;
    let stats = place.read(&["stats", "--since", ALL, "-o", "json"]).json();
    let runs = [&stats[0]["runs"], &stats[1]["runs"]];
    assert_eq!(runs, [&json!(1), &json!(4)]);
}
