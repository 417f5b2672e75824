//! The wall clock steps: nothing floods, nothing fires twice, nothing is decided by a clock that may
//! be wrong.

use std::time::Duration;

use crate::support::house::{House, at, job};
use crate::support::remote::Reply;

#[test]
fn a_small_jump_ahead_is_caught_up_at_once() {
    let mut house = House::new(&[
        job("a", "*/5 * * * *", "catchup: none"),
        job("b", "*/5 * * * *", ""),
    ]);
    house.quiesce();
    house.step_wall_to("00:17");
    house.quiesce();
    assert_eq!(
        house.runs("a"),
        [
            "00:05:00 missed/clock",
            "00:10:00 missed/clock",
            "00:15:00 missed/clock"
        ]
    );
    assert_eq!(house.runs("b")[2], "00:15:00 catchup success");
}

#[test]
fn nothing_fires_twice_when_the_clock_is_set_back() {
    let mut house = House::new(&[job("a", "* * * * *", "")]);
    house.run_until("00:10");
    house.step_wall_to("00:05");
    house.run_until("00:07");
    assert_eq!(house.runs("a").len(), 10);
    house.restart();
    house.run_until("00:09");
    house.crash();
    house.open();
    house.run_until("00:12");
    let runs = house.runs("a");
    assert_eq!(runs.len(), 12);
    assert!(runs.iter().all(|run| run.ends_with(" success")), "{runs:?}");
    assert_eq!(house.remote.calls().len(), 12);
}

#[test]
fn the_quota_knows_no_wall_clock() {
    let place =
        "prod: { base_url: \"$REMOTE\", api_key: { file: key-1 }, quota: { per_key: 1/min } }";
    let mut house = House::with(
        place,
        &[
            job("a", "1 0 * * *", ""),
            job("b", "1 0 * * *", "start_deadline: 2h"),
        ],
    );
    house.remote.answer("a", [Reply::success()]);
    house.run_until("00:01");
    let before = house.clock.monotonic();
    house.step_wall_to("00:50");
    house.quiesce();
    assert_eq!(house.runs("b"), ["00:01:00 waiting/quota"]);
    house.run_until("00:52");
    assert_eq!(house.attempts("b"), ["00:51:01 1 success"]);
    assert!(house.clock.monotonic() - before >= Duration::from_secs(61));
}

#[test]
fn a_doubted_clock_that_is_nudged_back_a_little_stays_doubted() {
    let mut house = House::new(&[job("a", "0 * * * *", "catchup: none")]);
    house.quiesce();
    house.step_wall_to("05:00:30");
    house.quiesce();
    house.clock.advance(Duration::from_secs(30));
    house.step_wall_to("05:00:40");
    house.quiesce();
    assert_eq!(house.runs("a"), [""; 0], "it has not stood for a minute");
    house.clock.advance(Duration::from_secs(60));
    house.quiesce();
    assert_eq!(house.tally().get("missed/clock"), Some(&5));
}

#[test]
fn a_large_jump_ahead_is_believed_after_a_minute_and_then_caught_up() {
    let mut house = House::new(&[
        job("a", "* * * * *", ""),
        job("b", "0 * * * *", "catchup: none"),
    ]);
    house.run_until("00:01");
    house.step_wall_to("03:00:30");
    let step = house.quiesce();
    assert_eq!(
        step.wake,
        Some(at("03:01:30")),
        "it is looked at again when the minute is over"
    );
    house.run_until("03:01:29");
    assert_eq!(house.runs("a"), ["00:01:00 success"], "planning is held");
    house.run_until("03:01:30");
    let runs = house.runs("a");
    assert_eq!(runs[1], "00:02:00 missed/clock");
    assert_eq!(runs.len(), 181);
    assert_eq!(runs.last().unwrap(), "03:01:00 catchup success");
    assert!(
        house
            .runs("b")
            .iter()
            .all(|run| run.ends_with("missed/clock"))
    );
    house.run_until("03:02");
    assert_eq!(house.runs("a").last().unwrap(), "03:02:00 success");
}

#[test]
fn a_large_jump_that_is_put_right_leaves_no_trace() {
    let jobs = [
        job("a", "* * * * *", ""),
        job("b", "1 0 * * *", "start_deadline: 5m"),
    ];
    let place =
        "prod: { base_url: \"$REMOTE\", api_key: { file: key-1 }, quota: { per_key: 1/min } }";
    let mut house = House::with(place, &jobs);
    house.run_until("00:01");
    assert_eq!(house.runs("b"), ["00:01:00 waiting/quota"]);
    house.step_wall_to("09:00");
    house.quiesce();
    house.clock.advance(Duration::from_secs(20));
    house.quiesce();
    assert_eq!(
        house.runs("b"),
        ["00:01:00 waiting/quota"],
        "nobody's patience ends by a clock that may be wrong"
    );
    house.step_wall_to("00:01:20");
    house.run_until("00:03:05");
    assert_eq!(house.runs("b"), ["00:01:00 success"]);
    assert_eq!(house.runs("a").len(), 3);
    assert!(
        !house.tally().keys().any(|what| what.contains("missed")),
        "{:?}",
        house.tally()
    );
}

#[test]
fn a_step_of_the_clock_is_told_once_with_its_size() {
    let mut house = House::new(&[job("a", "* * * * *", "")]);
    house.run_until("00:01");
    house.step_wall_to("00:31");
    house.run_until("00:40");
    house.step_wall_to("00:35");
    house.run_until("00:42");
    let steps = "SELECT (detail ->> 'seconds') || ' in ' || (detail ->> 'steps') FROM events WHERE kind = 'clock_jump' ORDER BY id";
    assert_eq!(house.texts(steps), ["1800 in 1", "-300 in 1"]);
}
