//! `prune`: what would go, and going, with a daemon and without.

use funcron::domain::run::{Reason, RunState};
use serde_json::{Value, json};

use super::{JOBS, Place};
use crate::support::ledger::{Attempt, NIGHTLY, Past, Run};

/// A ledger of long ago: two successes, a failure, a tick that was missed, and a success a year and a
/// half younger than the rest; and a configuration that keeps little.
async fn of_long_ago() -> Place {
    let place = Place::new();
    let retention = "retention: { runs: 30d, failures: 2000d, bodies: 10d }\n";
    place.write("jobs.yaml", format!("{JOBS}{retention}"));
    let mut past = Past::begin(&place.ledger()).await;
    let hash = past
        .load("nightly-report", NIGHTLY, "2024-01-01T12:00:00Z")
        .await;
    let missed = Run::nothing_sent(
        "nightly-report",
        "2024-01-04T18:00:00Z",
        RunState::Missed,
        Reason::DaemonDown,
    );
    for run in [
        Run::success("nightly-report", "2024-01-01T18:00:00Z"),
        Run::success("nightly-report", "2024-01-02T18:00:00Z"),
        Run::failed(
            "nightly-report",
            "2024-01-03T18:00:00Z",
            vec![Attempt::func_failed()],
        ),
        missed,
        Run::success("nightly-report", "2024-01-05T18:00:00Z"),
    ] {
        past.tell(run, &hash).await;
    }
    past.end().await;
    place
}

fn told(place: &Place) -> Value {
    place.run(&["history", "-n", "100", "-o", "json"]).json()
}

#[tokio::test]
async fn a_dry_run_says_what_would_go_and_changes_nothing() {
    let place = of_long_ago().await;
    let before = told(&place);
    let mut old = place.run(&["prune", "--dry-run", "-o", "json"]).json();
    for kind in old.as_array_mut().unwrap() {
        let kind = kind.as_object_mut().unwrap();
        assert!(kind.remove("before").unwrap().is_string());
        assert!(kind.remove("bytes").unwrap().as_u64().unwrap() > 100);
    }
    assert_eq!(
        old,
        json!([
            {
                "what": "runs", "state": "success", "count": 2, "attempts": 2,
                "oldest": "2024-01-01T18:00:00.000Z", "newest": "2024-01-02T18:00:00.000Z",
            },
            {
                "what": "bodies", "state": null, "count": 2, "attempts": 0,
                "oldest": "2024-01-03T18:00:00.031Z", "newest": "2024-01-05T18:00:00.031Z",
            },
        ])
    );
    let table = place.run(&["prune", "--dry-run"]).ok();
    assert!(
        table.contains("OLDER THAN") && table.contains("bodies"),
        "{table}"
    );
    assert_eq!(told(&place), before);
}

#[tokio::test]
async fn without_a_daemon_it_takes_the_ledger_and_does_it_itself() {
    let place = of_long_ago().await;
    let removed = place.run(&["prune", "-o", "json"]).json();
    assert_eq!(
        (&removed["runs"], &removed["attempts"]),
        (&json!(2), &json!(2))
    );
    assert_eq!(removed["bodies"], 2);
    let left = told(&place);
    let ticks: Vec<&Value> = left
        .as_array()
        .unwrap()
        .iter()
        .map(|row| &row["state"])
        .collect();
    assert_eq!(ticks, ["success", "missed", "failed"]);
    assert_eq!(
        (&left[0]["request"], &left[0]["response"]),
        (&Value::Null, &Value::Null)
    );
    let id = left[0]["run_id"].as_str().unwrap();
    let page = place.run(&["show", id]).ok();
    assert!(page.contains("deleted by `retention.bodies`"), "{page}");
    let shown = place.run(&["show", id, "-o", "json"]).json();
    let attempt = &shown["attempts"][0];
    assert_eq!(
        (&attempt["request"], &attempt["response"]),
        (&Value::Null, &Value::Null)
    );
    assert!(attempt["response_body"]["bytes"].as_u64().unwrap() > 0);
    assert_eq!(
        place.run(&["audit", "verify", "-o", "json"]).json()["ok"],
        true
    );
    let again = place.run(&["prune"]).ok();
    assert!(again.contains("nothing was old enough"), "{again}");
    assert!(place.run(&["prune", "--dry-run"]).ok().is_empty());
}

#[tokio::test]
async fn the_retention_is_the_configurations_and_a_ledger_must_be_there() {
    let place = of_long_ago().await;
    std::fs::remove_file(place.path("jobs.yaml")).unwrap();
    let said = place.read(&["prune"]).refused(2);
    assert!(said.contains("jobs.yaml"), "{said}");
    place.write("jobs.yaml", JOBS.replace("funcron.db", "none.db"));
    let said = place.run(&["prune"]).refused(1);
    assert!(said.contains("none.db: no such file"), "{said}");
    assert!(!place.path("none.db").exists());
}
