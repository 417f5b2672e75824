//! What a live tick does that meets another run of its job.

use std::time::Duration;

use crate::support::house::{House, job};
use crate::support::remote::Reply;

const BRIEF: Duration = Duration::from_secs(5);

#[test]
fn a_tick_is_skipped_while_an_earlier_live_run_is_in_flight() {
    let mut house = House::new(&[job("a", "* * * * *", "")]);
    house.remote.answer("a", [Reply::Held, Reply::success()]);
    house.run_until("00:03");
    assert_eq!(
        house.runs("a"),
        [
            "00:01:00 running",
            "00:02:00 skipped/overlap",
            "00:03:00 skipped/overlap"
        ]
    );
    house.remote.release("a");
    house.run_until("00:04");
    assert_eq!(house.runs("a")[0], "00:01:00 success");
    assert_eq!(house.runs("a")[3], "00:04:00 success");
}

#[test]
fn a_tick_is_skipped_while_an_earlier_live_run_waits_for_the_quota() {
    let place =
        "prod: { base_url: \"$REMOTE\", api_key: { file: key-1 }, quota: { per_key: 1/min } }";
    let mut house = House::with(
        place,
        &[job("a", "1 0 * * *", ""), job("b", "* * * * *", "")],
    );
    house.run_until("00:01:30");
    assert_eq!(house.runs("b"), ["00:01:00 waiting/quota"]);
    house.run_until("00:02:30");
    assert_eq!(
        house.runs("b"),
        ["00:01:00 success", "00:02:00 skipped/overlap"]
    );
    house.run_until("00:04");
    assert_eq!(
        house.runs("b")[2..],
        ["00:03:00 success", "00:04:00 waiting/quota"]
    );
}

#[test]
fn a_tick_is_skipped_while_an_earlier_live_run_waits_for_its_retry() {
    let mut house = House::new(&[job("a", "* * * * *", "retry: { into_next_tick: true }")]);
    house
        .remote
        .answer("a", [Reply::throttled(Some(90)), Reply::success()]);
    house.run_until("00:02");
    assert_eq!(
        house.runs("a"),
        ["00:01:00 waiting/retry", "00:02:00 skipped/overlap"]
    );
    house.run_until("00:03");
    assert_eq!(
        house.runs("a"),
        [
            "00:01:00 success",
            "00:02:00 skipped/overlap",
            "00:03:00 success"
        ]
    );
    assert_eq!(
        house.attempts("a"),
        [
            "00:01:00 1 throttled",
            "00:02:30 2 success",
            "00:03:00 1 success"
        ]
    );
}

#[test]
fn a_live_tick_that_meets_a_catch_up_run_in_flight_waits_and_runs_after_it() {
    let mut house = House::new(&[job("a", "* * * * *", "")]);
    house.quiesce();
    house.stop(BRIEF);
    house.advance_to("00:05:30");
    house.remote.answer("a", [Reply::Held, Reply::success()]);
    house.open();
    house.run_until("00:07");
    assert_eq!(
        house.runs("a")[4..],
        [
            "00:05:00 catchup running",
            "00:06:00 waiting/overlap",
            "00:07:00 skipped/overlap"
        ],
        "the earlier live run counts until it is final, whatever it waits for"
    );
    assert_eq!(house.remote.calls().len(), 1);
    house.remote.release("a");
    house.quiesce();
    assert_eq!(
        house.runs("a")[4..],
        [
            "00:05:00 catchup success",
            "00:06:00 success",
            "00:07:00 skipped/overlap"
        ]
    );
    house.run_until("00:08");
    assert_eq!(house.runs("a")[7], "00:08:00 success");
}

#[test]
fn a_catch_up_run_goes_after_the_live_ones_of_its_job() {
    let place =
        "prod: { base_url: \"$REMOTE\", api_key: { file: key-1 }, quota: { per_key: 1/min } }";
    let jobs = [job("a", "@every 10m", ""), job("b", "* * * * *", "")];
    let mut house = House::with(place, &jobs);
    house.stop(BRIEF);
    house.advance_to("00:10:30");
    house.open();
    // `a` takes the minute's only call; what `b` has to catch up waits with what comes live.
    house.run_until("00:11");
    assert_eq!(
        house.runs("b")[9..],
        ["00:10:00 catchup waiting/overlap", "00:11:00 waiting/quota"]
    );
    house.run_until("00:11:40");
    assert_eq!(
        house.runs("b")[9..],
        ["00:10:00 catchup waiting/quota", "00:11:00 success"]
    );
    house.run_until("00:15");
    let calls: Vec<_> = house.attempts("b");
    assert_eq!(calls[0], "00:11:31 1 success");
    assert!(
        house
            .runs("b")
            .contains(&"00:10:00 catchup waiting/overlap".to_owned())
            || house
                .runs("b")
                .contains(&"00:10:00 catchup waiting/quota".to_owned()),
        "live runs leave no room for it, and it waits: {:?}",
        house.runs("b")
    );
}

#[test]
fn a_catch_up_run_that_waits_for_its_retry_lets_live_ones_pass() {
    let mut house = House::new(&[job("a", "* * * * *", "retry: { initial_delay: 90s }")]);
    house.stop(BRIEF);
    house.advance_to("00:05:30");
    house.remote.answer(
        "a",
        [Reply::throttled(Some(30)), Reply::Held, Reply::success()],
    );
    house.open();
    house.run_until("00:06:10");
    assert_eq!(
        house.runs("a")[4..],
        ["00:05:00 catchup waiting/overlap", "00:06:00 running"],
        "its time has come, and it goes behind"
    );
    house.remote.release("a");
    house.run_until("00:06:20");
    assert_eq!(
        house.runs("a")[4..],
        ["00:05:00 catchup success", "00:06:00 success"]
    );
    assert_eq!(
        house.attempts("a"),
        [
            "00:05:30 1 throttled",
            "00:06:00 1 success",
            "00:06:10 2 success"
        ]
    );
}
