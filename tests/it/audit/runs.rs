//! Runs against their attempts, and against what a run may be.

use funcron::audit::Circumstances;

use super::ledger::{Ledger, ZONE_DATA, findings, id};

/// What the auditor finds after a change to run 3 of a whole ledger, without the run's name.
async fn after(run: &str, attempts: &str) -> Vec<String> {
    let mut ledger = Ledger::whole().await;
    ledger.execute("PRAGMA ignore_check_constraints = ON").await;
    if !run.is_empty() {
        ledger.set(3, run).await;
    }
    if !attempts.is_empty() {
        ledger.set_attempts(3, attempts).await;
    }
    faults(&ledger).await
}

async fn faults(ledger: &Ledger) -> Vec<String> {
    findings(&ledger.audit().await)
        .into_iter()
        .map(|line| {
            line.strip_prefix("inconsistent report 00:15 #3: ")
                .map_or(line.clone(), str::to_owned)
        })
        .collect()
}

#[tokio::test]
async fn an_attempt_without_its_run_is_named() {
    let mut ledger = Ledger::whole().await;
    ledger
        .execute(&format!("DELETE FROM runs WHERE id = '{}'", id(3)))
        .await;
    let report = ledger.audit().await;
    assert_eq!(
        findings(&report),
        [
            "holes report 00:15: the tick has no run",
            "inconsistent - 00:15 #3: attempt 1 called guance__openapi.test, and its run is not there",
        ]
    );
    assert_eq!((report.runs, report.attempts), (11, 12));
}

#[tokio::test]
async fn counts_and_numbers_must_fit_the_rows() {
    assert_eq!(
        after("attempts = 2", "").await,
        ["it counts 2 attempts and has 1"]
    );
    assert_eq!(
        after("", "attempt = 2").await,
        ["its attempts are numbered 2, not 1 to 1"]
    );
    assert_eq!(
        after("counted = 0", "").await,
        ["it counts 0 attempts that were not throttled and has 1"]
    );
}

#[tokio::test]
async fn what_a_run_says_of_its_newest_attempt_is_what_that_says() {
    let unlike = ["what it says of its newest attempt's cost and duration, that does not"];
    let said = "cost_ms = 41, duration_us = 9000";
    assert_eq!(
        after(said, "cost_ms = 40, duration_us = 9000").await,
        unlike
    );
    assert_eq!(
        after(said, "cost_ms = 41, duration_us = 9001").await,
        unlike
    );
    assert_eq!(
        after(said, "cost_ms = NULL, duration_us = NULL").await,
        unlike
    );

    let mut ledger = Ledger::whole().await;
    ledger.set(3, said).await;
    ledger.set_attempts(3, said).await;
    // An earlier release's run says nothing.
    ledger.set_attempts(4, said).await;
    let report = ledger.audit().await;
    assert!(report.is_ok(), "{report:?}");
}

#[tokio::test]
async fn throttled_attempts_have_numbers_and_are_not_counted() {
    let mut ledger = Ledger::whole().await;
    ledger.set_attempts(3, "outcome = 'throttled'").await;
    ledger.attempt(3, 2, "network_error").await;
    ledger.attempt(3, 3, "success").await;
    ledger.set(3, "attempts = 3, counted = 2").await;
    let report = ledger.audit().await;
    assert!(report.is_ok(), "{report:?}");
    assert_eq!(report.attempts, 14);
}

#[tokio::test]
async fn nothing_final_is_open() {
    let open = "outcome = NULL, finished_us = NULL, decided_by = NULL";
    assert_eq!(
        after("", open).await,
        [
            "it is `success` with 1 attempts open",
            "it is `success`, its last attempt is not"
        ]
    );
    assert_eq!(
        after(
            "state = 'waiting', reason = 'retry', finished_us = NULL",
            open
        )
        .await,
        ["it is `waiting` with 1 attempts open"]
    );
}

#[tokio::test]
async fn a_run_under_way_is_a_fault_only_where_no_daemon_lives() {
    let mut ledger = Ledger::whole().await;
    ledger.set(3, "state = 'running', finished_us = NULL").await;
    ledger
        .set_attempts(3, "outcome = NULL, finished_us = NULL, decided_by = NULL")
        .await;
    let under_way = Circumstances {
        daemon_alive: true,
        zone_data_now: ZONE_DATA,
    };
    let report = ledger.audit_with(under_way).await;
    assert!(report.is_ok(), "{report:?}");
    assert_eq!(
        findings(&ledger.audit().await),
        ["unfinished report 00:15 #3: it is `running`, and no daemon lives to end it"]
    );
    // Without an open attempt it is nothing that any daemon would leave.
    ledger
        .set_attempts(
            3,
            "outcome = 'throttled', finished_us = 1, decided_by = 'x'",
        )
        .await;
    ledger.set(3, "counted = 0").await;
    assert_eq!(
        findings(&ledger.audit_with(under_way).await),
        ["inconsistent report 00:15 #3: it is `running` with 0 open attempts, not with the last"]
    );
}

#[tokio::test]
async fn waiting_is_no_fault() {
    let mut ledger = Ledger::whole().await;
    ledger.set_attempts(3, "outcome = 'network_error'").await;
    ledger
        .set(3, "state = 'waiting', reason = 'retry', finished_us = NULL")
        .await;
    let report = ledger.audit().await;
    assert!(report.is_ok(), "{report:?}");
}

#[tokio::test]
async fn the_verdict_must_follow_from_the_attempts() {
    assert_eq!(
        after("", "outcome = 'func_failed'").await,
        ["it is `success`, its last attempt is not"]
    );
    assert_eq!(
        after(
            "state = 'failed', reason = 'func_failed'",
            "outcome = 'rejected'"
        )
        .await,
        ["it is `failed/func_failed`, its last attempt is not"]
    );
    assert_eq!(
        after("state = 'failed', reason = 'func_failed'", "").await,
        [
            "attempt 1 succeeded, and yet the run went on or is `failed`",
            "it is `failed/func_failed`, its last attempt is not"
        ]
    );
    let unknown = "outcome = 'unknown', unknown_reason = 'no_reply'";
    assert_eq!(
        after("state = 'failed', reason = 'deadline'", unknown).await,
        ["it is `failed`, though an attempt of it is `unknown`"]
    );
    assert_eq!(
        after("state = 'unknown', reason = 'engine'", unknown).await,
        ["it is `unknown` for a reason that no attempt of it has"]
    );
    for (run, attempt) in [
        (
            "state = 'failed', reason = 'func_failed'",
            "outcome = 'func_failed'",
        ),
        (
            "state = 'failed', reason = 'next_tick'",
            "outcome = 'network_error'",
        ),
        ("state = 'unknown', reason = 'no_reply'", unknown),
    ] {
        assert!(after(run, attempt).await.is_empty(), "{run}");
    }
}

#[tokio::test]
async fn an_unknown_attempt_makes_the_run_unknown_even_where_a_later_one_failed() {
    let mut ledger = Ledger::whole().await;
    ledger
        .set_attempts(3, "outcome = 'unknown', unknown_reason = 'engine'")
        .await;
    ledger.attempt(3, 2, "func_failed").await;
    ledger
        .set(
            3,
            "state = 'unknown', reason = 'engine', attempts = 2, counted = 2",
        )
        .await;
    assert!(faults(&ledger).await.is_empty());
    ledger
        .set(3, "state = 'failed', reason = 'func_failed'")
        .await;
    assert_eq!(
        faults(&ledger).await,
        ["it is `failed`, though an attempt of it is `unknown`"]
    );
}

#[tokio::test]
async fn a_run_with_a_call_is_not_skipped_missed_or_cancelled() {
    for (state, reason) in [
        ("skipped", "overlap"),
        ("missed", "deadline"),
        ("cancelled", "operator"),
    ] {
        let run = format!("state = '{state}', reason = '{reason}'");
        assert_eq!(
            after(&run, "outcome = 'network_error'").await,
            [format!("it is `{state}`, though a call was made for it")]
        );
    }
}

#[tokio::test]
async fn every_attempt_has_its_request() {
    assert_eq!(
        after("", "request = ''").await,
        ["attempt 1 has no request"]
    );
    assert_eq!(
        after("", "request_bytes = 0").await,
        ["attempt 1 has no request"]
    );
}

#[tokio::test]
async fn words_and_pairs_that_the_contract_does_not_know_are_named() {
    assert_eq!(
        after("state = 'done'", "").await,
        ["its state is `done`, which is none"]
    );
    assert_eq!(
        after("trigger = 'moon'", "").await,
        [
            "holes report 00:15: the tick has no run",
            "its trigger is `moon`, which is none"
        ]
    );
    assert_eq!(
        after(
            "state = 'failed', reason = 'weather'",
            "outcome = 'rejected'"
        )
        .await,
        ["its reason is `weather`, which is none"]
    );
    assert_eq!(
        after("reason = 'quota'", "").await,
        ["it is `success` with the reason `quota`"]
    );
    assert_eq!(
        after("state = 'failed'", "outcome = 'rejected'").await,
        ["it is `failed` without a reason"]
    );
    assert_eq!(
        after("", "outcome = 'fine'").await,
        [
            "attempt 1's outcome is `fine`, which is none",
            "it is `success`, its last attempt is not"
        ]
    );
    assert_eq!(
        after("", "finished_us = NULL").await,
        ["attempt 1 has an end without an outcome, or an outcome without an end"]
    );
    assert_eq!(
        after("", "unknown_reason = 'engine'").await,
        ["attempt 1 is `unknown` without a reason, or has one without being it"]
    );
}
