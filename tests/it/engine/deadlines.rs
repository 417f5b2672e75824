//! How long a run may wait for its first attempt, and how long its attempts may take together.

use std::time::Duration;

use crate::support::house::{House, job};
use crate::support::remote::Reply;

const ONE_A_MINUTE: &str =
    "prod: { base_url: \"$REMOTE\", api_key: { file: key-1 }, quota: { per_key: 1/min } }";

#[test]
fn a_run_that_the_quota_holds_back_beyond_its_start_deadline_is_missed() {
    let jobs = [
        job("a", "1 0 * * *", ""),
        job("b", "1 0 * * *", "start_deadline: 30s"),
    ];
    let mut house = House::with(ONE_A_MINUTE, &jobs);
    house.run_until("00:01:29");
    assert_eq!(house.runs("b"), ["00:01:00 waiting/quota"]);
    house.run_until("00:03");
    assert_eq!(house.runs("b"), ["00:01:00 missed/deadline"]);
    assert_eq!(house.remote.calls().len(), 1);
}

#[test]
fn a_run_that_others_in_flight_hold_back_beyond_its_start_deadline_is_missed() {
    let place = "prod: { base_url: \"$REMOTE\", api_key: { file: key-1 }, max_in_flight: 1 }";
    let jobs = [
        job("a", "1 0 * * *", ""),
        job("b", "1 0 * * *", "start_deadline: 30s"),
    ];
    let mut house = House::with(place, &jobs);
    house.remote.answer("a", [Reply::Held]);
    house.run_until("00:02");
    assert_eq!(house.runs("b"), ["00:01:00 missed/deadline"]);
    house.remote.release("a");
}

#[test]
fn a_run_that_its_own_catch_up_holds_back_beyond_its_start_deadline_is_missed() {
    let mut house = House::new(&[job("a", "*/5 * * * *", "start_deadline: 30s")]);
    house.stop(Duration::ZERO);
    house.advance_to("00:07");
    house.open();
    house.remote.answer("a", [Reply::Held, Reply::success()]);
    house.run_until("00:11");
    assert_eq!(
        house.runs("a"),
        ["00:05:00 catchup running", "00:10:00 missed/deadline"]
    );
    house.remote.release("a");
    house.run_until("00:15");
    assert_eq!(house.runs("a")[2], "00:15:00 success");
}

#[test]
fn the_start_deadline_says_nothing_about_retries() {
    let mut house = House::new(&[job("a", "1 0 * * *", "start_deadline: 10s")]);
    house
        .remote
        .answer("a", [Reply::throttled(Some(60)), Reply::success()]);
    house.run_until("00:03");
    assert_eq!(
        house.attempts("a"),
        ["00:01:00 1 throttled", "00:02:00 2 success"]
    );
}

#[test]
fn retries_end_at_the_runs_deadline() {
    let retry = "idempotent: true, deadline: 60s, retry: { max_attempts: 10, initial_delay: 20s, multiplier: 1 }";
    let mut house = House::new(&[job("a", "1 0 * * *", retry)]);
    house
        .remote
        .answer("a", [Reply::refused(500, "ft.InternalError")]);
    house.run_until("00:05");
    assert_eq!(
        house.attempts("a"),
        [
            "00:01:00 1 server_error",
            "00:01:20 2 server_error",
            "00:01:40 3 server_error"
        ]
    );
    assert_eq!(house.runs("a"), ["00:01:00 failed/deadline"]);
}

#[test]
fn a_retry_that_the_quota_holds_back_beyond_the_deadline_is_not_made() {
    let jobs = [job("a", "1 0 * * *", "deadline: 40s")];
    let mut house = House::with(ONE_A_MINUTE, &jobs);
    house
        .remote
        .answer("a", [Reply::throttled(Some(10)), Reply::success()]);
    house.run_until("00:01:39");
    assert_eq!(house.runs("a"), ["00:01:00 waiting/quota"]);
    house.run_until("00:03");
    assert_eq!(house.runs("a"), ["00:01:00 failed/deadline"]);
    assert_eq!(house.attempts("a"), ["00:01:00 1 throttled"]);
}

#[test]
fn an_attempt_gets_no_more_time_than_is_left_of_the_deadline() {
    let retry = "idempotent: true, timeout: 30s, deadline: 20s, retry: { initial_delay: 19700ms }";
    let mut house = House::new(&[job("a", "1 0 * * *", retry)]);
    house.remote.answer(
        "a",
        [Reply::refused(500, "ft.InternalError"), Reply::Silence],
    );
    house.run_until("00:02");
    assert_eq!(house.runs("a"), ["00:01:00 unknown/no_reply"]);
    let decided = house.texts("SELECT decided_by FROM attempts WHERE attempt = 2");
    assert!(decided[0].contains("300ms"), "{decided:?}");
}

/// Ten seconds late is live still, and five are too late for this run.
#[test]
fn a_run_that_is_planned_after_its_start_deadline_is_not_opened() {
    let mut house = House::new(&[job("a", "1 0 * * *", "start_deadline: 5s")]);
    house.quiesce();
    house.advance_to("00:01:06");
    house.run_until("00:01:30");
    assert_eq!(house.runs("a"), ["00:01:00 missed/deadline"]);
    assert_eq!(house.remote.calls().len(), 0);
}
