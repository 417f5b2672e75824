//! `export`: every execution, oldest first, as history tells it.

use serde_json::Value;

use super::{Place, sample};

fn lines(text: &str) -> Vec<Value> {
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[tokio::test]
async fn an_export_is_the_history_from_its_beginning() {
    let place = Place::new();
    sample(&place).await;
    let mut history = lines(&place.read(&["history", "-n", "1000", "-o", "jsonl"]).ok());
    history.reverse();
    assert_eq!(history.len(), 8);
    let exported = place.read(&["export"]);
    assert_eq!(exported.err, "", "no bar where nobody looks");
    let exported = exported.ok();
    assert_eq!(lines(&exported), history);
    assert_eq!(
        place
            .read(&["export", "--format", "jsonl", "-o", "csv"])
            .ok(),
        exported
    );
    let csv = place.read(&["export", "--format", "csv"]).ok();
    assert!(csv.starts_with("run_id,job,trigger,"), "{csv}");
    assert_eq!(place.read(&["export", "-o", "csv"]).ok(), csv);
    let json = place.read(&["export", "-o", "json"]).json();
    assert_eq!(json, Value::from(history));
}

#[tokio::test]
async fn a_span_is_from_since_to_before_until() {
    let place = Place::new();
    sample(&place).await;
    let span = [
        "export",
        "--since",
        "2026-11-24T02:00:00Z",
        "--until",
        "2026-11-24T04:00:00Z",
    ];
    let ticks: Vec<Value> = lines(&place.read(&span).ok())
        .iter()
        .map(|row| row["scheduled_at"].clone())
        .collect();
    assert_eq!(
        ticks,
        [
            "2026-11-24T02:00:00.000Z",
            "2026-11-24T02:00:00.000Z",
            "2026-11-24T03:00:00.000Z"
        ]
    );
    let none = ["export", "--since", "2030-01-01T00:00:00Z"];
    assert_eq!(place.read(&none).ok(), "");
}
