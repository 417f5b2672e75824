//! `audit verify`: its exit code and its words; what it finds is the auditor's own affair.

use super::Place;
use crate::support::ledger::{Past, Run, SYNC};

/// A ledger of an hourly job, with these of its ticks told and planned to the last one.
async fn hourly(place: &Place, ticks: &[&'static str]) {
    let mut past = Past::begin(&place.ledger()).await;
    let hash = past.load("sync-users", SYNC, "2026-11-24T00:30:00Z").await;
    for tick in ticks {
        past.tell(Run::success("sync-users", tick), &hash).await;
    }
    past.end().await;
}

#[tokio::test]
async fn a_whole_ledger_is_ok() {
    let place = Place::new();
    hourly(&place, &["2026-11-24T01:00:00Z", "2026-11-24T02:00:00Z"]).await;
    let page = place.read(&["audit", "verify"]).ok();
    assert_eq!(
        page,
        "1 job, 2 ticks, 2 runs, 2 attempts; from 2026-11-24T00:30:00.000Z to 2026-11-24T02:00:00.000Z\nok: every tick is accounted for, once\n"
    );
    let report = place.read(&["audit", "verify", "-o", "json"]).json();
    assert_eq!(report["ok"], true);
    for list in ["holes", "strays", "doubles", "unfinished"] {
        assert_eq!(report[list], serde_json::json!([]), "{list}");
    }
    assert_eq!(
        (report["ticks"].as_i64(), report["runs"].as_i64()),
        (Some(2), Some(2))
    );
}

#[tokio::test]
async fn a_hole_is_named_and_fails() {
    let place = Place::new();
    hourly(&place, &["2026-11-24T01:00:00Z", "2026-11-24T03:00:00Z"]).await;
    let broken = place.read(&["audit", "verify"]);
    assert_eq!((broken.code, broken.err.as_str()), (1, ""));
    assert!(
        broken
            .out
            .contains("holes: 1\n  sync-users  2026-11-24T02:00:00.000Z  "),
        "{}",
        broken.out
    );
    assert!(broken.out.ends_with("not ok\n"), "{}", broken.out);
    let report = place.read(&["audit", "verify", "-o", "json"]);
    assert_eq!(report.code, 1);
    let report: serde_json::Value = serde_json::from_str(&report.out).unwrap();
    assert_eq!(report["holes"][0]["job"], "sync-users");
    assert_eq!(
        report["holes"][0]["scheduled_at"],
        "2026-11-24T02:00:00.000Z"
    );
    let csv = place.read(&["audit", "verify", "-o", "csv"]).out;
    assert!(
        csv.starts_with(
            "list,job,scheduled_at,run_id,what\r\nholes,sync-users,2026-11-24T02:00:00.000Z,,"
        ),
        "{csv}"
    );
}
