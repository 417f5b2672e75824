//! Ticks against runs: holes, strays, doubles, and what is none of these.

use funcron::audit::{Circumstances, LISTED, verify};
use funcron::store::audit::AuditReader;
use serde_json::json;

use super::ledger::{Ledger, ZONE_DATA, definition, findings, id, sha256, us};

#[tokio::test]
async fn a_whole_ledger_is_ok_and_the_report_says_what_was_looked_at() {
    let report = Ledger::whole().await.audit().await;
    assert!(report.is_ok());
    assert_eq!(
        report.to_json(),
        json!({
            "ok": true,
            "jobs": 1,
            "ticks": 12,
            "runs": 12,
            "attempts": 12,
            "from": "2026-05-01T00:00:00.000Z",
            "until": "2026-05-01T01:00:00.000Z",
            "pruned_before": null,
            "unplanned_spans": 0,
            "holes": [],
            "strays": [],
            "doubles": [],
            "unfinished": [],
            "inconsistent": [],
            "totals": { "holes": 0, "strays": 0, "doubles": 0, "unfinished": 0, "inconsistent": 0 },
        })
    );
}

#[tokio::test]
async fn an_empty_ledger_is_ok() {
    let report = Ledger::empty().await.audit().await;
    assert!(report.is_ok());
    assert_eq!((report.jobs, report.ticks, report.span), (0, 0, None));
}

#[tokio::test]
async fn a_deleted_run_is_a_hole() {
    let mut ledger = Ledger::whole().await;
    ledger
        .execute(&format!(
            "DELETE FROM attempts WHERE run_id IN ('{0}', '{1}'); DELETE FROM runs WHERE id IN ('{0}', '{1}')",
            id(3),
            id(12)
        ))
        .await;
    let report = ledger.audit().await;
    assert!(!report.is_ok());
    assert_eq!(
        findings(&report),
        [
            "holes report 00:15: the tick has no run",
            "holes report 01:00: the tick has no run"
        ]
    );
    assert_eq!(report.ticks, 12);
    assert_eq!(
        report.to_json()["holes"][0],
        json!({"job": "report", "scheduled_at": "2026-05-01T00:15:00.000Z", "run_id": null, "what": "the tick has no run"})
    );
}

#[tokio::test]
async fn an_added_run_is_a_stray() {
    let mut ledger = Ledger::whole().await;
    let text = definition("report", "*/5 * * * *", "UTC", "run_after");
    ledger.run(13, "report", &text, us("00:07")).await;
    ledger.run(14, "report", &text, us("01:05")).await;
    ledger.run(15, "report", &text, us("00:00")).await;
    assert_eq!(
        findings(&ledger.audit().await),
        [
            "strays report 00:00 #15: no definition ruled the job then, or it is not planned yet",
            "strays report 00:07 #13: its schedule has no tick at this instant",
            "strays report 01:05 #14: no definition ruled the job then, or it is not planned yet",
        ]
    );
}

#[tokio::test]
async fn a_moved_run_is_a_hole_and_a_stray() {
    let mut ledger = Ledger::whole().await;
    ledger
        .set(4, "scheduled_us = scheduled_us + 1, due_us = due_us + 1")
        .await;
    assert_eq!(
        findings(&ledger.audit().await),
        [
            "holes report 00:20: the tick has no run",
            "strays report 00:20:00.000001Z #4: its schedule has no tick at this instant",
        ]
    );
}

#[tokio::test]
async fn a_second_run_of_a_tick_is_a_double_whichever_of_the_two_triggers_it_has() {
    let mut ledger = Ledger::whole().await;
    let text = definition("report", "*/5 * * * *", "UTC", "run_after");
    ledger.execute("DROP INDEX runs_tick").await;
    ledger.run(13, "report", &text, us("00:20")).await;
    ledger.set(13, "trigger = 'catchup'").await;
    ledger.run(14, "report", &text, us("00:07")).await;
    ledger.run(15, "report", &text, us("00:07")).await;
    assert_eq!(
        findings(&ledger.audit().await),
        [
            "strays report 00:07 #14: its schedule has no tick at this instant",
            "doubles report 00:07 #15: the tick has a run already, #14",
            "doubles report 00:20 #13: the tick has a run already, #4",
        ]
    );
}

#[tokio::test]
async fn runs_of_people_need_no_tick_and_fill_no_hole() {
    let mut ledger = Ledger::whole().await;
    let text = definition("report", "*/5 * * * *", "UTC", "run_after");
    for (number, trigger) in [(13, "manual"), (14, "backfill"), (15, "replay")] {
        ledger.run(number, "report", &text, us("00:07")).await;
        ledger.set(number, &format!("trigger = '{trigger}'")).await;
    }
    let whose = "inconsistent report 00:07 #14: it is a backfill's run, and does not say whose";
    assert_eq!(findings(&ledger.audit().await), [whose]);
    ledger.set(14, "trigger = 'manual'").await;
    assert!(ledger.audit().await.is_ok());
    ledger.set(4, "trigger = 'manual'").await;
    assert_eq!(
        findings(&ledger.audit().await),
        ["holes report 00:20: the tick has no run"]
    );
}

#[tokio::test]
async fn what_is_still_to_be_planned_is_no_hole() {
    let mut ledger = Ledger::whole().await;
    let gap = |from, until| {
        format!(
            "INSERT INTO gaps VALUES ('report', 'x', {}, {}, 'daemon_down', 0)",
            us(from),
            us(until)
        )
    };
    ledger
        .execute("DELETE FROM attempts; DELETE FROM runs WHERE scheduled_us % 600000000 = 0")
        .await;
    ledger.execute("UPDATE runs SET state = 'missed', reason = 'clock', opened_us = NULL, attempts = 0, counted = 0").await;
    ledger.execute(&gap("00:10", "00:30")).await;
    ledger.execute(&gap("00:40", "01:00")).await;
    let report = ledger.audit().await;
    // 00:15 and 00:25 have runs, 00:20 and 00:30 lie in the gap; its beginning does not.
    assert_eq!(
        findings(&report),
        [
            "holes report 00:10: the tick has no run",
            "holes report 00:40: the tick has no run"
        ]
    );
    assert_eq!(report.ticks, 8);
    assert_eq!(report.unplanned_spans, 2);
}

#[tokio::test]
async fn nothing_is_asked_of_what_was_pruned() {
    let mut ledger = Ledger::whole().await;
    ledger.execute(&format!(
        "DELETE FROM attempts WHERE run_id <= '{0}'; DELETE FROM runs WHERE id <= '{0}' AND id <> '{1}'",
        id(5), id(2)
    )).await;
    ledger.set(2, "state = 'missed', reason = 'clock', opened_us = NULL, attempts = 0, counted = 0, definition_hash = 'gone'").await;
    assert_eq!(ledger.audit().await.holes.total, 4);
    let prune = |before: &str| {
        format!(
            "INSERT INTO events (at_us, kind, actor, detail) VALUES (1, 'prune', 'ops', '{}')",
            json!({ "before_us": us(before) })
        )
    };
    ledger.execute(&prune("00:25")).await;
    let report = ledger.audit().await;
    assert_eq!(
        findings(&report),
        ["holes report 00:25: the tick has no run"]
    );
    ledger.execute(&prune("00:30")).await;
    ledger.execute(&prune("00:10")).await;
    let report = ledger.audit().await;
    assert!(report.is_ok(), "{report:?}");
    assert_eq!(report.ticks, 7);
    assert_eq!(
        report.to_json()["pruned_before"],
        "2026-05-01T00:30:00.000Z"
    );
    ledger.execute("INSERT INTO events (at_us, kind, actor, detail) VALUES (1, 'prune', 'ops', '{\"before\": 1}')").await;
    assert_eq!(
        findings(&ledger.audit().await),
        [
            "inconsistent - -: a prune's event does not say before when it took runs: {\"before\": 1}"
        ]
    );
}

#[tokio::test]
async fn each_interval_has_the_ticks_of_its_own_definition() {
    let mut ledger = Ledger::empty().await;
    let five = definition("a", "*/5 * * * *", "UTC", "run_after");
    let ten = definition("a", "*/10 * * * *", "UTC", "run_after");
    ledger.version("a", &five, "00:00", Some("00:10")).await;
    ledger.job("a", &ten, "00:10", "00:30").await;
    ledger.run(1, "a", &five, us("00:05")).await;
    ledger.run(2, "a", &five, us("00:10")).await;
    ledger.run(3, "a", &ten, us("00:20")).await;
    ledger.run(4, "a", &ten, us("00:30")).await;
    let report = ledger.audit().await;
    assert!(report.is_ok(), "{report:?}");
    assert_eq!(report.ticks, 4);
    ledger
        .set(2, &format!("definition_hash = '{}'", sha256(&ten)))
        .await;
    ledger.set(3, "definition_hash = 'deadbeef'").await;
    assert_eq!(
        findings(&ledger.audit().await),
        [
            format!(
                "inconsistent a 00:10 #2: it was planned with definition {}, and {} ruled then",
                &sha256(&ten)[..12],
                &sha256(&five)[..12]
            ),
            "inconsistent a 00:20 #3: its definition deadbeef is none that the job ever had"
                .to_owned(),
            format!(
                "inconsistent a 00:20 #3: it was planned with definition deadbeef, and {} ruled then",
                &sha256(&ten)[..12]
            ),
        ]
    );
}

#[tokio::test]
async fn a_disabled_or_removed_job_has_no_ticks() {
    let mut ledger = Ledger::empty().await;
    let on = definition("a", "*/5 * * * *", "UTC", "run_after");
    let off = on.replace("\"enabled\":true", "\"enabled\":false");
    ledger.version("a", &on, "00:00", Some("00:10")).await;
    ledger.version("a", &off, "00:10", Some("00:20")).await;
    // Removed from 00:20 to 00:30, then added again.
    ledger.job("a", &on, "00:30", "00:35").await;
    for (number, text, at) in [(1, &on, "00:05"), (2, &on, "00:10"), (3, &on, "00:35")] {
        ledger.run(number, "a", text, us(at)).await;
    }
    let report = ledger.audit().await;
    assert!(report.is_ok(), "{report:?}");
    assert_eq!(report.ticks, 3);
    ledger.run(4, "a", &off, us("00:15")).await;
    ledger.run(5, "a", &off, us("00:25")).await;
    assert_eq!(
        findings(&ledger.audit().await),
        [
            "strays a 00:15 #4: the job was disabled then",
            "strays a 00:25 #5: no definition ruled the job then, or it is not planned yet",
        ]
    );
}

#[tokio::test]
async fn a_tick_in_a_gap_of_the_wall_clock_is_skipped_for_it_and_no_other_is() {
    let mut ledger = Ledger::empty().await;
    let text = definition("a", "30 2 * * *", "America/New_York", "skip");
    ledger
        .job("a", &text, "2026-03-07T00:00:00Z", "2026-03-10T00:00:00Z")
        .await;
    ledger.run(1, "a", &text, us("2026-03-07T07:30:00Z")).await;
    ledger.run(2, "a", &text, us("2026-03-08T07:00:00Z")).await;
    ledger.run(3, "a", &text, us("2026-03-09T06:30:00Z")).await;
    ledger.set(2, "state = 'skipped', reason = 'dst_gap'").await;
    let report = ledger.audit().await;
    assert!(report.is_ok(), "{report:?}");
    ledger.set(2, "reason = 'overlap'").await;
    ledger.set(3, "state = 'skipped', reason = 'dst_gap'").await;
    assert_eq!(
        findings(&ledger.audit().await),
        [
            "inconsistent a 2026-03-08T07:00 #2: the wall clock jumped over its tick, and it is not `skipped/dst_gap`",
            "inconsistent a 2026-03-09T06:30 #3: it is `skipped/dst_gap`, and no jump of the wall clock took its tick",
        ]
    );
}

#[tokio::test]
async fn other_zone_data_is_named_where_it_may_be_the_cause() {
    let mut ledger = Ledger::empty().await;
    let moving = definition("a", "30 2 * * *", "America/New_York", "skip");
    let fixed = definition("b", "30 2 * * *", "UTC", "skip");
    ledger
        .job("a", &moving, "2026-03-07T00:00:00Z", "2026-03-08T00:00:00Z")
        .await;
    ledger
        .job("b", &fixed, "2026-03-07T00:00:00Z", "2026-03-08T00:00:00Z")
        .await;
    let report = ledger
        .audit_with(Circumstances {
            daemon_alive: false,
            zone_data_now: "2027a",
        })
        .await;
    assert_eq!(
        findings(&report),
        [
            "holes a 2026-03-07T07:30: the tick has no run; it was planned with zone data 2026f and recomputed with 2027a, which may differ here",
            "holes b 2026-03-07T02:30: the tick has no run",
        ]
    );
}

#[tokio::test]
async fn a_changed_definition_is_named_and_its_ticks_are_those_of_the_text_that_is_there() {
    let mut ledger = Ledger::whole().await;
    ledger
        .execute("UPDATE job_versions SET definition = replace(definition, '*/5 * * * *', '*/30 * * * *')")
        .await;
    let report = ledger.audit().await;
    let hash = sha256(&definition("report", "*/5 * * * *", "UTC", "run_after"));
    let now = sha256(&definition("report", "*/30 * * * *", "UTC", "run_after"));
    assert_eq!(report.strays.total, 10);
    assert_eq!(
        findings(&report).last(),
        Some(&format!(
            "inconsistent report 00:00: definition {} was changed: the SHA-256 of its text is {now}",
            &hash[..12]
        ))
    );
    ledger
        .execute("UPDATE job_versions SET definition = '{'")
        .await;
    let report = ledger.audit().await;
    assert_eq!(
        (report.ticks, report.strays.total),
        (0, 0),
        "nothing is known of its ticks"
    );
    assert!(
        findings(&report)[1]
            .contains("cannot be read, its ticks were not recomputed: its text is no JSON")
    );
}

#[tokio::test]
async fn a_cursor_that_contradicts_the_definitions_is_named() {
    let mut ledger = Ledger::whole().await;
    let other = definition("other", "@manual", "UTC", "run_after");
    ledger.version("other", &other, "00:00", None).await;
    ledger
        .version("report", &other, "00:30", Some("00:40"))
        .await;
    ledger
        .job(
            "idle",
            &definition("idle", "@manual", "UTC", "skip"),
            "00:00",
            "01:00",
        )
        .await;
    ledger
        .execute("UPDATE job_versions SET until_us = from_us WHERE job = 'idle'")
        .await;
    ledger
        .execute("UPDATE jobs SET definition_hash = 'deadbeef' WHERE name = 'report'")
        .await;
    let report = ledger.audit().await;
    let report_hash = sha256(&definition("report", "*/5 * * * *", "UTC", "run_after"));
    assert_eq!(
        findings(&report),
        [
            "inconsistent idle 01:00: it is loaded, and no definition rules it".to_owned(),
            "inconsistent other -: a definition rules it still, though it is not loaded".to_owned(),
            format!(
                "inconsistent report 00:30: definition {} is one of the job `other`",
                &sha256(&other)[..12]
            ),
            format!(
                "inconsistent report 00:30: definition {} begins before the one ahead of it ends",
                &sha256(&other)[..12]
            ),
            format!(
                "inconsistent report 01:00: it is loaded with definition deadbeef, and {} rules it",
                &report_hash[..12]
            ),
        ]
    );
}

#[tokio::test]
async fn a_job_that_only_runs_speak_of_has_strays() {
    let mut ledger = Ledger::whole().await;
    for (number, job) in [(13, "a"), (14, "zzz")] {
        ledger.run(number, job, "no text", us("00:20")).await;
    }
    let report = ledger.audit().await;
    assert_eq!(report.jobs, 3);
    assert_eq!(report.strays.total, 2);
    assert_eq!(
        findings(&report)[0],
        "strays a 00:20 #13: no definition ruled the job then, or it is not planned yet"
    );
}

#[tokio::test]
async fn many_jobs_are_read_in_portions_without_losing_one() {
    let mut ledger = Ledger::empty().await;
    ledger.execute("BEGIN").await;
    for number in 0..5_003 {
        let job = format!("job-{number:04}");
        let text = definition(&job, "@hourly", "UTC", "run_after");
        ledger.job(&job, &text, "00:00", "01:00").await;
        if ![0, 4_999, 5_000, 5_001].contains(&number) {
            ledger.run(number, &job, &text, us("01:00")).await;
        }
    }
    ledger.execute("COMMIT").await;
    let report = ledger.audit().await;
    assert_eq!(
        (report.jobs, report.ticks, report.runs),
        (5_003, 5_003, 4_999)
    );
    assert_eq!(
        findings(&report),
        ["0000", "4999", "5000", "5001"]
            .map(|number| format!("holes job-{number} 01:00: the tick has no run"))
    );
}

#[tokio::test]
async fn of_many_findings_the_first_are_listed_and_all_are_counted() {
    let mut ledger = Ledger::empty().await;
    let text = definition("a", "* * * * *", "UTC", "run_after");
    ledger
        .job("a", &text, "00:00", "2026-05-02T06:00:00Z")
        .await;
    let report = ledger.audit().await;
    assert_eq!(report.holes.total, 1_800);
    assert_eq!(report.holes.first.len(), LISTED);
    assert_eq!(report.to_json()["totals"]["holes"], 1_800);
}

#[tokio::test]
async fn the_audit_sees_the_ledger_as_it_stood_when_it_was_opened() {
    let mut ledger = Ledger::whole().await;
    ledger.execute("PRAGMA journal_mode = WAL").await;
    let mut reader = AuditReader::open(&ledger.path()).await.unwrap();
    ledger
        .execute("DELETE FROM attempts; DELETE FROM runs")
        .await;
    let circumstances = Circumstances {
        daemon_alive: true,
        zone_data_now: ZONE_DATA,
    };
    let report = verify(&mut reader, circumstances).await.unwrap();
    assert!(report.is_ok(), "{report:?}");
    assert_eq!(ledger.audit().await.holes.total, 12);
}

#[tokio::test]
async fn a_file_that_is_no_ledger_is_an_error_and_is_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("ledger.db");
    assert!(AuditReader::open(&path).await.is_err());
    assert!(!path.exists(), "reading makes no file");
    std::fs::write(
        &path,
        "not a database, but long enough to be taken for one".repeat(99),
    )
    .unwrap();
    let error = AuditReader::open(&path).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        format!("cannot open the ledger {} for reading", path.display())
    );
}
