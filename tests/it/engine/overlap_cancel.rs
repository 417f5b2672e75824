//! `cancel_running`: a newer tick takes the place of what is not final.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::support::house::{House, job};
use crate::support::remote::Reply;

const BRIEF: Duration = Duration::from_secs(5);
const ONE_A_MINUTE: &str =
    "prod: { base_url: \"$REMOTE\", api_key: { file: key-1 }, quota: { per_key: 1/min } }";

/// Lets the house see a call end that the daemon gave up: no answer tells of it.
fn see_the_cut(house: &mut House) {
    house.until("the call to be cut off", |remote| remote.held() == 0);
    house.quiesce();
}

#[test]
fn the_running_call_is_cut_off_and_nobody_knows_its_end() {
    for more in ["", ", idempotent: true"] {
        let more = format!("overlap: cancel_running{more}");
        let mut house = House::new(&[job("a", "* * * * *", &more)]);
        house.remote.answer("a", [Reply::Held, Reply::success()]);
        house.run_until("00:01:30");
        assert_eq!(house.runs("a"), ["00:01:00 running"]);
        house.run_until("00:02");
        see_the_cut(&mut house);
        assert_eq!(
            house.runs("a"),
            ["00:01:00 unknown/replaced", "00:02:00 success"],
            "it is not retried, though it might be if it had ended by itself"
        );
        assert_eq!(
            house.attempts("a"),
            ["00:01:00 1 unknown", "00:02:00 1 success"]
        );
        assert_eq!(
            house.texts("SELECT unknown_reason FROM attempts WHERE outcome = 'unknown'"),
            ["replaced"]
        );
    }
}

/// The record of the call's end is the run's end: no edit of the policy that comes next revives it.
#[test]
fn a_run_whose_call_was_cut_off_is_over_with_it() {
    let a = |policy: &str| {
        job(
            "a",
            "* * * * *",
            &format!("overlap: {policy}, idempotent: true"),
        )
    };
    let mut house = House::new(&[a("cancel_running")]);
    house.remote.answer("a", [Reply::Held, Reply::success()]);
    house.run_until("00:02");
    house.until("the call to be cut off", |remote| remote.held() == 0);
    house.settle();
    assert_eq!(house.runs("a")[0], "00:01:00 unknown/replaced");
    house.reload(&[a("allow")]);
    house.run_until("00:02:30");
    assert_eq!(
        house.runs("a"),
        ["00:01:00 unknown/replaced", "00:02:00 success"]
    );
}

#[test]
fn a_run_that_waits_with_nothing_sent_is_cancelled() {
    let jobs = [
        job("b", "1 0 * * *", ""),
        job("a", "@every 20s", "overlap: cancel_running"),
    ];
    let mut house = House::with(ONE_A_MINUTE, &jobs);
    house.run_until("00:01:10");
    assert_eq!(
        house.runs("a"),
        [
            "00:00:20 success",
            "00:00:40 cancelled/replaced",
            "00:01:00 waiting/quota"
        ]
    );
    assert_eq!(house.attempts("a").len(), 1);
}

#[test]
fn a_run_that_waits_for_its_retry_ends_by_its_attempts() {
    for (reply, idempotent, end) in [
        (Reply::throttled(Some(200)), false, "failed/throttled"),
        (Reply::Gone, true, "unknown/no_reply"),
    ] {
        let more = format!(
            "overlap: cancel_running, idempotent: {idempotent}, retry: {{ initial_delay: 200s, into_next_tick: true }}"
        );
        let mut house = House::new(&[job("a", "* * * * *", &more)]);
        house.remote.answer("a", [reply, Reply::success()]);
        house.run_until("00:01:30");
        assert_eq!(house.runs("a"), ["00:01:00 waiting/retry"]);
        house.run_until("00:02");
        assert_eq!(
            house.runs("a"),
            [format!("00:01:00 {end}"), "00:02:00 success".to_owned()]
        );
    }
}

#[test]
fn of_ticks_that_come_at_once_the_newest_runs() {
    let mut house = House::new(&[job("a", "@every 2s", "overlap: cancel_running")]);
    house.quiesce();
    house.advance_to("00:00:08");
    house.quiesce();
    assert_eq!(
        house.runs("a"),
        [
            "00:00:02 cancelled/replaced",
            "00:00:04 cancelled/replaced",
            "00:00:06 cancelled/replaced",
            "00:00:08 success"
        ]
    );
}

#[test]
fn a_catch_up_run_is_not_cut_off_by_a_live_tick() {
    let mut house = House::new(&[job("a", "* * * * *", "overlap: cancel_running")]);
    house.quiesce();
    house.stop(BRIEF);
    house.advance_to("00:01:30");
    house.remote.answer("a", [Reply::Held, Reply::success()]);
    house.open();
    house.run_until("00:02");
    assert_eq!(
        house.runs("a"),
        ["00:01:00 catchup running", "00:02:00 waiting/overlap"]
    );
    house.remote.release("a");
    house.quiesce();
    assert_eq!(
        house.runs("a"),
        ["00:01:00 catchup success", "00:02:00 success"]
    );
}

#[test]
fn a_call_that_is_cut_off_keeps_its_place_in_the_quota() {
    let mut house = House::with(
        &ONE_A_MINUTE.replace("1/min", "2/min"),
        &[job("a", "@every 10s", "overlap: cancel_running")],
    );
    house.remote.answer("a", [Reply::Held]);
    house.run_until("00:03");
    assert!(house.most_in_a_minute(None) <= 2);
    assert!(house.remote.calls().len() >= 5);
}

/// An edit to `cancel_running` while a queue waits: the newest of the queue goes, all else is replaced.
#[test]
fn a_queue_that_waits_already_is_replaced_by_its_newest() {
    let mut house = House::new(&[job("a", "* * * * *", "overlap: queue_all")]);
    house.remote.answer("a", [Reply::Held, Reply::success()]);
    house.run_until("00:03:10");
    house.reload(&[job("a", "* * * * *", "overlap: cancel_running")]);
    house.quiesce();
    see_the_cut(&mut house);
    assert_eq!(
        house.runs("a"),
        [
            "00:01:00 unknown/replaced",
            "00:02:00 cancelled/replaced",
            "00:03:00 success"
        ]
    );
}

/// Wherever the daemon dies: the newer run is made once, the older one is never called success for
/// having been cut off, and nothing is made twice that was not to be (the house sees to that).
#[test]
fn a_crash_at_any_point_of_the_replacement_loses_and_doubles_nothing() {
    let ends = [
        // Dead before the tick was planned: it is caught up, after the retry of the live run.
        "00:01:00 success, 00:02:00 catchup success",
        // Dead between the plan and the end of the call that was cut off.
        "00:01:00 unknown/daemon_died, 00:02:00 success",
        "00:01:00 unknown/replaced, 00:02:00 success",
    ];
    let ends = BTreeSet::from(ends.map(str::to_owned));
    let mut seen = BTreeSet::new();
    // How many turns a commit takes is the machine's affair, and one pass may step over it.
    for first in 1..=10 {
        die_at_every_point_from(first, &mut seen);
        if seen.is_superset(&ends) {
            break;
        }
    }
    assert_eq!(seen, ends);
}

/// Collects the ends of what a daemon had begun that died after ever more turns.
fn die_at_every_point_from(first: usize, seen: &mut BTreeSet<String>) {
    let mut turns = first;
    loop {
        let more = "overlap: cancel_running, idempotent: true";
        let mut house = House::new(&[job("a", "1,2 0 * * *", more)]);
        house.remote.answer("a", [Reply::Held, Reply::success()]);
        house.run_until("00:01:30");
        house.advance_to("00:02");
        let finished = house.crash_within(turns);
        house.frozen_until("the call is gone", |remote| remote.held() == 0);
        house.open();
        house.run_until("00:03");
        seen.insert(house.runs("a").join(", "));
        if finished {
            return;
        }
        turns += 1 + turns / 8;
    }
}

#[test]
fn a_reply_that_comes_before_the_cut_is_the_verdict() {
    let mut house = House::new(&[job("a", "1,2 0 * * *", "overlap: cancel_running")]);
    house.remote.answer("a", [Reply::Held, Reply::success()]);
    house.run_until("00:01:30");
    house.remote.release("a");
    house.frozen_until("the answer", |remote| remote.answered() == 1);
    house.run_until("00:02");
    assert_eq!(house.runs("a"), ["00:01:00 success", "00:02:00 success"]);
}
