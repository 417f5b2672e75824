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
        "1 job, 2 ticks, 2 runs, 2 attempts\nfrom 2026-11-24T00:30:00.000Z to 2026-11-24T02:00:00.000Z\nok: every tick is accounted for, once\n"
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

#[tokio::test]
async fn what_is_still_to_be_planned_is_told_beside_the_verdict() {
    let place = Place::new();
    hourly(&place, &["2026-11-24T01:00:00Z", "2026-11-24T03:00:00Z"]).await;
    let gap = "INSERT INTO gaps (job, definition_hash, from_us, until_us, cause, superseded)
               SELECT name, definition_hash, unixepoch('2026-11-24 01:30') * 1000000,
                      unixepoch('2026-11-24 02:30') * 1000000, 'daemon_down', 0 FROM jobs";
    place.change(gap).await;
    let page = place.read(&["audit", "verify"]).ok();
    assert!(
        page.ends_with(
            "\n1 span is still to be planned; ticks in there were not looked for\nok: every planned tick is accounted for, once\n"
        ),
        "{page}"
    );
    let report = place.read(&["audit", "verify", "-o", "json"]).json();
    assert_eq!(report["unplanned_spans"], 1);
}

#[tokio::test]
async fn lines_list_every_finding_and_a_page_says_so() {
    let place = Place::new();
    hourly(&place, &["2026-11-24T01:00:00Z", "2027-01-24T01:00:00Z"]).await;
    let holes = 61 * 24 - 1;
    let page = place.read(&["audit", "verify"]).out;
    let more = format!("  … and {} more; -o jsonl lists them all\n", holes - 20);
    assert!(page.contains(&more), "{page}");
    let lines = place.read(&["audit", "verify", "-o", "jsonl"]);
    assert_eq!((lines.code, lines.out.lines().count()), (1, holes));
    let csv = place.read(&["audit", "verify", "-o", "csv"]);
    assert_eq!((csv.code, csv.out.lines().count()), (1, holes + 1));
    let report = place.read(&["audit", "verify", "-o", "json"]);
    let report: serde_json::Value = serde_json::from_str(&report.out).unwrap();
    assert_eq!(report["totals"]["holes"], holes);
    assert_eq!(report["holes"].as_array().unwrap().len(), 1000);
}
