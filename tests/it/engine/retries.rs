//! Which outcomes are followed by another attempt, when, and what a run is in the end.

use crate::support::house::{House, job};
use crate::support::remote::Reply;

/// Nothing listens on port 1 of any machine that runs these tests.
const NOBODY: &str = "prod: { base_url: \"http://127.0.0.1:1\", api_key: { file: key-1 } }";

#[test]
fn attempts_are_counted_up_to_the_limit_and_their_delays_double() {
    let mut house = House::new(&[job("a", "1 0 * * *", "idempotent: true")]);
    house
        .remote
        .answer("a", [Reply::refused(500, "ft.InternalError")]);
    house.run_until("00:05");
    assert_eq!(
        house.attempts("a"),
        [
            "00:01:00 1 server_error",
            "00:01:05 2 server_error",
            "00:01:15 3 server_error"
        ]
    );
    assert_eq!(house.runs("a"), ["00:01:00 failed/server_error"]);
}

#[test]
fn a_connection_that_is_refused_is_tried_again_and_holds_no_quota() {
    let place = NOBODY.replace(" } }", " }, quota: { per_key: 1/min } }");
    let mut house = House::with(&place, &[job("a", "1 0 * * *", "")]);
    house.run_until("00:02");
    assert_eq!(
        house.attempts("a"),
        [
            "00:01:00 1 network_error",
            "00:01:05 2 network_error",
            "00:01:15 3 network_error"
        ]
    );
    assert_eq!(house.runs("a"), ["00:01:00 failed/network_error"]);
}

#[test]
fn throttled_attempts_are_made_up_for_and_not_counted() {
    let mut house = House::new(&[job("a", "1 0 * * *", "idempotent: true")]);
    let broken = Reply::refused(500, "ft.InternalError");
    let slow = Reply::throttled(Some(1));
    house.remote.answer(
        "a",
        [slow.clone(), slow.clone(), slow.clone(), slow, broken],
    );
    house.run_until("00:05");
    assert_eq!(house.attempts("a").len(), 7);
    assert_eq!(house.runs("a"), ["00:01:00 failed/server_error"]);
    assert_eq!(
        house.texts("SELECT attempts || ' ' || counted FROM runs"),
        ["7 3"]
    );
}

#[test]
fn a_throttled_reply_is_obeyed_within_bounds() {
    let mut house = House::new(&[job("a", "1 0 * * *", "")]);
    let replies = [Some(30), Some(3_000), Some(0), None];
    house.remote.answer(
        "a",
        replies
            .map(Reply::throttled)
            .into_iter()
            .chain([Reply::success()]),
    );
    house.run_until("00:10");
    assert_eq!(
        house.attempts("a"),
        [
            "00:01:00 1 throttled",
            "00:01:30 2 throttled",
            "00:06:30 3 throttled",
            "00:06:31 4 throttled",
            "00:07:11 5 success"
        ]
    );
}

#[test]
fn what_may_have_run_is_repeated_only_if_the_job_says_that_it_may() {
    let jobs = [
        job("a", "1 0 * * *", ""),
        job("b", "1 0 * * *", "idempotent: true"),
    ];
    for reply in [
        Reply::Gone,
        Reply::refused(502, "ft.InternalError"),
        Reply::failed("EFuncTimeout"),
        Reply::failed("EAPITimeout"),
    ] {
        let mut house = House::new(&jobs);
        house.remote.answer("a", [reply.clone(), Reply::success()]);
        house.remote.answer("b", [reply.clone(), Reply::success()]);
        house.run_until("00:02");
        assert_eq!(house.attempts("a").len(), 1, "{reply:?}");
        assert_eq!(house.attempts("b").len(), 2, "{reply:?}");
        assert_eq!(house.runs("b"), ["00:01:00 success"]);
    }
}

#[test]
fn a_run_with_an_unknown_attempt_is_never_called_failed() {
    let mut house = House::new(&[
        job("a", "1 0 * * *", "idempotent: true"),
        job(
            "b",
            "1 0 * * *",
            "idempotent: true, retry: { max_attempts: 2 }",
        ),
        job("c", "* * * * *", "idempotent: true"),
    ]);
    house
        .remote
        .answer("a", [Reply::Gone, Reply::failed("EFuncFailed")]);
    house
        .remote
        .answer("b", [Reply::failed("EWorkerNoResponse"), Reply::Gone]);
    house.remote.answer(
        "c",
        [Reply::Gone, Reply::throttled(Some(70)), Reply::success()],
    );
    house.run_until("00:02");
    assert_eq!(house.runs("a"), ["00:01:00 unknown/no_reply"]);
    assert_eq!(house.runs("b"), ["00:01:00 unknown/no_reply"]);
    assert_eq!(
        house.runs("c"),
        ["00:01:00 unknown/no_reply", "00:02:00 success"]
    );
}

#[test]
fn a_failed_function_is_not_called_again() {
    let mut house = House::new(&[job("a", "1 0 * * *", "idempotent: true")]);
    house
        .remote
        .answer("a", [Reply::failed("EFuncFailed"), Reply::success()]);
    house.run_until("00:02");
    assert_eq!(house.runs("a"), ["00:01:00 failed/func_failed"]);
    assert_eq!(house.remote.calls().len(), 1);
}

#[test]
fn a_retry_that_would_open_at_the_next_tick_is_not_made() {
    let mut house = House::new(&[job("a", "* * * * *", "")]);
    house
        .remote
        .answer("a", [Reply::throttled(Some(60)), Reply::success()]);
    house.run_until("00:02");
    assert_eq!(
        house.runs("a"),
        ["00:01:00 failed/next_tick", "00:02:00 success"]
    );

    let mut house = House::with(
        NOBODY,
        &[job("a", "* * * * *", "retry: { initial_delay: 61s }")],
    );
    house.run_until("00:01:30");
    assert_eq!(house.runs("a"), ["00:01:00 failed/next_tick"]);
}

#[test]
fn a_retry_that_the_quota_delays_to_the_next_tick_is_not_made() {
    let place =
        "prod: { base_url: \"$REMOTE\", api_key: { file: key-1 }, quota: { per_key: 1/min } }";
    let mut house = House::with(place, &[job("a", "* * * * *", "")]);
    house
        .remote
        .answer("a", [Reply::throttled(Some(10)), Reply::success()]);
    house.run_until("00:01:59");
    assert_eq!(house.runs("a"), ["00:01:00 waiting/quota"]);
    house.run_until("00:02:30");
    assert_eq!(
        house.runs("a"),
        ["00:01:00 failed/next_tick", "00:02:00 success"],
        "and the tick that ended it is not skipped for it"
    );
}

#[test]
fn a_job_may_let_its_retries_go_into_the_next_tick() {
    let mut house = House::new(&[job("a", "* * * * *", "retry: { into_next_tick: true }")]);
    house
        .remote
        .answer("a", [Reply::throttled(Some(100)), Reply::success()]);
    house.run_until("00:03");
    assert_eq!(
        house.attempts("a"),
        [
            "00:01:00 1 throttled",
            "00:02:40 2 success",
            "00:03:00 1 success"
        ]
    );
}
