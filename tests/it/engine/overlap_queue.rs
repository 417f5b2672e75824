//! `queue_one`, `queue_all`, `allow`: who waits for whom, for how long, and by which definition.

use std::time::Duration;

use crate::support::house::{House, job};
use crate::support::remote::Reply;

const BRIEF: Duration = Duration::from_secs(5);
const PLACE: &str = "prod: { base_url: \"$REMOTE\", api_key: { file: key-1 } }";
const ONE_A_MINUTE: &str =
    "prod: { base_url: \"$REMOTE\", api_key: { file: key-1 }, quota: { per_key: 1/min } }";

/// A job of every minute whose first call is held from 00:01 on, at this instant.
fn held_until(instant: &str, more: &str) -> House {
    let mut house = House::new(&[job("a", "* * * * *", more)]);
    house.remote.answer("a", [Reply::Held, Reply::success()]);
    house.run_until(instant);
    house
}

#[test]
fn a_queue_for_one_keeps_the_first_that_waits_and_skips_the_later_ones() {
    let mut house = held_until("00:04", "overlap: queue_one");
    assert_eq!(
        house.runs("a"),
        [
            "00:01:00 running",
            "00:02:00 waiting/overlap",
            "00:03:00 skipped/overlap",
            "00:04:00 skipped/overlap"
        ]
    );
    house.advance_to("00:04:30");
    house.remote.release("a");
    house.run_until("00:05");
    assert_eq!(
        house.runs("a"),
        [
            "00:01:00 success",
            "00:02:00 success",
            "00:03:00 skipped/overlap",
            "00:04:00 skipped/overlap",
            "00:05:00 success"
        ]
    );
    assert_eq!(
        house.attempts("a")[1],
        "00:04:30 1 success",
        "its turn comes when the one before it ends"
    );
}

#[test]
fn a_queue_for_all_is_worked_off_one_after_another_in_the_order_of_its_ticks() {
    let mut house = House::new(&[job("a", "* * * * *", "overlap: queue_all")]);
    house.remote.answer("a", [Reply::Held]);
    house.run_until("00:04:30");
    let waiting = |from: usize| (from..5).map(|minute| format!("00:0{minute}:00 waiting/overlap"));
    assert_eq!(house.runs("a")[0], "00:01:00 running");
    assert_eq!(house.runs("a")[1..], waiting(2).collect::<Vec<_>>());
    for next in 2..=4 {
        house.remote.release("a");
        house.quiesce();
        assert_eq!(house.remote.held(), 1, "never two at once");
        assert_eq!(house.remote.calls().len(), next);
        assert_eq!(house.runs("a")[next - 1], format!("00:0{next}:00 running"));
    }
    house.remote.release("a");
    house.quiesce();
    assert_eq!(house.tally()["success"], 4);
}

#[test]
fn a_run_in_the_queue_is_missed_when_its_start_deadline_passes() {
    let mut house = held_until("00:03:40", "overlap: queue_all, start_deadline: 90s");
    assert_eq!(
        house.runs("a"),
        [
            "00:01:00 running",
            "00:02:00 missed/deadline",
            "00:03:00 waiting/overlap"
        ]
    );
    house.remote.release("a");
    house.run_until("00:04");
    assert_eq!(
        house.runs("a")[2..],
        ["00:03:00 success", "00:04:00 success"]
    );
}

#[test]
fn a_queue_for_all_holds_a_thousand_and_skips_what_comes_after() {
    let more = "overlap: queue_all, start_deadline: 7d, timeout: 1h, deadline: 1h";
    let mut house = House::new(&[job("a", "@every 1s", more)]);
    house.remote.answer("a", [Reply::Held, Reply::success()]);
    house.quiesce();
    // In strides that the live planning still takes in one, or the test would take a thousand steps.
    for second in (0..=1_010).step_by(10) {
        house.advance_to(&format!("00:{:02}:{:02}", second / 60, second % 60));
        house.quiesce();
    }
    let tally = house.tally();
    assert_eq!(tally["running"], 1);
    assert_eq!(tally["waiting/overlap"], 1_000);
    assert_eq!(tally["skipped/overlap"], 9);
    let last_in_the_queue = house.texts(
        "SELECT CAST(max(scheduled_us) / 1000000 % 3600 AS TEXT) FROM runs WHERE state = 'waiting'",
    );
    assert_eq!(
        last_in_the_queue,
        ["1001"],
        "the first that came have the places"
    );
    house.crash();
    house.frozen_until("the call is gone", |remote| remote.held() == 0);
    house.open();
    house.quiesce();
    // The call that the crash cut off is one of the minute's twenty.
    let tally = house.tally();
    assert_eq!(tally["success"], 19);
    assert_eq!((tally["waiting/quota"], tally["waiting/overlap"]), (1, 980));
}

#[test]
fn runs_that_may_overlap_run_beside_each_other() {
    let mut house = House::new(&[job("a", "* * * * *", "overlap: allow")]);
    house.remote.answer("a", [Reply::Held]);
    house.run_until("00:03");
    assert_eq!(
        house.runs("a"),
        ["00:01:00 running", "00:02:00 running", "00:03:00 running"]
    );
    house.remote.release("a");
    house.quiesce();
    assert_eq!(house.tally()["success"], 3);
}

#[test]
fn a_live_tick_that_may_overlap_does_not_wait_for_a_catch_up_run_either() {
    let mut house = House::new(&[job("a", "* * * * *", "overlap: allow")]);
    house.quiesce();
    house.stop(BRIEF);
    house.advance_to("00:05:30");
    house.remote.answer("a", [Reply::Held, Reply::success()]);
    house.open();
    house.run_until("00:06");
    assert_eq!(
        house.runs("a")[4..],
        ["00:05:00 catchup running", "00:06:00 success"]
    );
    house.remote.release("a");
    house.quiesce();
    assert_eq!(house.runs("a")[4], "00:05:00 catchup success");
}

#[test]
fn an_earlier_run_counts_while_it_waits_for_its_retry() {
    let more = "overlap: queue_one, retry: { into_next_tick: true }";
    let mut house = House::new(&[job("a", "* * * * *", more)]);
    house
        .remote
        .answer("a", [Reply::throttled(Some(150)), Reply::success()]);
    house.run_until("00:03:20");
    assert_eq!(
        house.runs("a"),
        [
            "00:01:00 waiting/retry",
            "00:02:00 waiting/overlap",
            "00:03:00 skipped/overlap"
        ]
    );
    house.run_until("00:03:30");
    assert_eq!(
        house.attempts("a"),
        [
            "00:01:00 1 throttled",
            "00:03:30 2 success",
            "00:03:30 1 success"
        ]
    );
}

#[test]
fn an_earlier_run_counts_while_it_waits_for_the_quota() {
    let jobs = [
        job("a", "1 0 * * *", ""),
        job("b", "* * * * *", "overlap: queue_one"),
    ];
    let mut house = House::with(ONE_A_MINUTE, &jobs);
    house.run_until("00:02");
    assert_eq!(
        house.runs("b"),
        ["00:01:00 waiting/quota", "00:02:00 waiting/overlap"]
    );
    house.run_until("00:02:30");
    assert_eq!(
        house.runs("b"),
        ["00:01:00 success", "00:02:00 waiting/quota"]
    );
}

/// What is edited while runs wait rules them, though all else of theirs stays as it was planned.
#[test]
fn a_policy_that_is_edited_rules_the_runs_that_wait_already() {
    let queued = ["00:02:00", "00:03:00", "00:04:00"];
    for (edited, ends) in [
        ("skip", ["skipped/overlap"; 3]),
        (
            "queue_one",
            ["waiting/overlap", "skipped/overlap", "skipped/overlap"],
        ),
        ("queue_all", ["waiting/overlap"; 3]),
        ("allow", ["success"; 3]),
    ] {
        for by_reload in [true, false] {
            let mut house = held_until("00:04:10", "overlap: queue_all");
            let next = [job("a", "* * * * *", &format!("overlap: {edited}"))
                .replace("test__it.a", "test__it.edited")];
            if by_reload {
                house.reload(&next);
                house.quiesce();
                assert_eq!(house.runs("a")[0], "00:01:00 running");
            } else {
                house.crash();
                house.frozen_until("the call is gone", |remote| remote.held() == 0);
                house.rewrite(&next);
                house.open();
                house.step();
                assert_eq!(house.runs("a")[0], "00:01:00 unknown/daemon_died");
            }
            let expected: Vec<_> = queued
                .iter()
                .zip(ends)
                .map(|(tick, end)| format!("{tick} {end}"))
                .collect();
            if by_reload {
                assert_eq!(house.runs("a")[1..], expected, "{edited}");
                house.remote.release("a");
            }
            house.run_until("00:05");
            let calls = house.remote.calls();
            let of_old = calls.iter().filter(|call| call.func == "a").count();
            let of_new = calls.iter().filter(|call| call.func == "edited").count();
            let waited = match (edited, by_reload) {
                ("skip", true) => 0,
                // The head was gone when the new policy first looked: the oldest is the head.
                ("skip", false) | ("queue_one", true) => 1,
                ("queue_one", false) => 2,
                _ => 3,
            };
            assert_eq!(
                (of_old, of_new),
                (1 + waited, 1),
                "{edited}, by reload {by_reload}"
            );
        }
    }
}

/// Runs that began beside each other end as they began, and no two wait for each other.
#[test]
fn runs_that_were_allowed_beside_each_other_stay_so_under_a_stricter_policy() {
    let mut house = House::new(&[job("a", "* * * * *", "overlap: allow")]);
    house
        .remote
        .answer("a", [Reply::Held, Reply::Held, Reply::success()]);
    house.run_until("00:02:10");
    house.reload(&[job("a", "* * * * *", "overlap: queue_one")]);
    house.run_until("00:03");
    assert_eq!(
        house.runs("a"),
        [
            "00:01:00 running",
            "00:02:00 running",
            "00:03:00 waiting/overlap"
        ]
    );
    house.remote.release("a");
    house.quiesce();
    assert_eq!(house.tally()["success"], 3);
}

/// A restart between any two steps tells the same story, under every policy.
#[test]
fn a_restart_between_any_two_steps_changes_nothing() {
    for policy in ["queue_one", "queue_all", "allow", "cancel_running"] {
        let story = |restless: bool| {
            let jobs = [
                job(
                    "a",
                    "* * * * *",
                    &format!("overlap: {policy}, retry: {{ into_next_tick: true }}"),
                ),
                job(
                    "b",
                    "*/2 * * * *",
                    &format!("overlap: {policy}, catchup: all"),
                ),
            ];
            let mut house = House::restless(PLACE, &jobs, restless);
            house.remote.answer(
                "a",
                [
                    Reply::throttled(Some(150)),
                    Reply::throttled(Some(70)),
                    Reply::success(),
                ],
            );
            house.run_until("00:03:30");
            house.stop(BRIEF);
            house.advance_to("00:09:30");
            house.open();
            house.run_until("00:12:30");
            assert_eq!(house.restarts > 5, restless);
            house.story()
        };
        assert_eq!(story(true), story(false), "{policy}");
    }
}
