//! No key and no workspace sends more than its quota in any minute, whatever happens to the daemon;
//! and what must wait waits in the right order.

use std::time::Duration;

use crate::support::house::{House, KEYS, at, job};
use crate::support::remote::Reply;

const BRIEF: Duration = Duration::from_secs(5);

fn jobs(count: usize, more: &str) -> Vec<String> {
    (0..count)
        .map(|n| job(&format!("j{n:02}"), "1 0 * * *", more))
        .collect()
}

/// The most requests that the ledger saw written within any 60 s.
fn most_written_in_a_minute(house: &House) -> usize {
    let written = house.texts("SELECT CAST(written_us AS TEXT) FROM attempts WHERE written_us IS NOT NULL ORDER BY written_us");
    let written: Vec<i64> = written.iter().map(|us| us.parse().unwrap()).collect();
    let in_minute = |first: usize| {
        written[first..]
            .iter()
            .take_while(|us| **us - written[first] < 60_000_000)
            .count()
    };
    (0..written.len()).map(in_minute).max().unwrap_or(0)
}

#[test]
fn thirty_jobs_at_one_minute_all_run_in_order_within_the_documented_quota() {
    let mut house = House::new(&jobs(30, ""));
    house.run_until("00:01:30");
    assert_eq!(house.tally().get("success"), Some(&20));
    assert_eq!(house.tally().get("waiting/quota"), Some(&10));
    house.run_until("00:04");
    assert_eq!(house.tally().get("success"), Some(&30));
    let order =
        house.texts("SELECT r.job FROM attempts a JOIN runs r ON r.id = a.run_id ORDER BY a.id");
    let mut sorted = order.clone();
    sorted.sort();
    assert_eq!(order, sorted, "the lines are by due time, and here by name");
    assert_eq!(house.most_in_a_minute(None), 20);
    assert_eq!(most_written_in_a_minute(&house), 20);
}

#[test]
fn several_keys_share_the_load() {
    let place = "prod: { base_url: \"$REMOTE\", api_keys: [{ file: key-1 }, { file: key-2 }] }";
    let mut house = House::with(place, &jobs(30, ""));
    house.run_until("00:01");
    assert_eq!(house.tally().get("success"), Some(&30));
    assert_eq!(KEYS.map(|key| house.most_in_a_minute(Some(key))), [15, 15]);
}

#[test]
fn a_restart_does_not_open_the_window() {
    let mut house = House::new(&jobs(30, ""));
    house.run_until("00:01:30");
    house.restart();
    house.run_until("00:04");
    assert_eq!(house.tally().get("success"), Some(&30));
    assert_eq!(house.most_in_a_minute(None), 20);
    assert_eq!(
        house.remote.calls()[20].at.as_second(),
        at("00:02:01").as_second()
    );
}

#[test]
fn a_crash_does_not_open_the_window() {
    let mut house = House::new(&jobs(40, ""));
    house.remote.answer("j03", [Reply::Held, Reply::success()]);
    house.run_until("00:01:30");
    house.crash();
    house.open();
    house.run_until("00:06");
    assert_eq!(house.tally().get("success"), Some(&39));
    assert_eq!(house.runs("j03"), ["00:01:00 unknown/daemon_died"]);
    assert_eq!(house.most_in_a_minute(None), 20);
    let calls = house.remote.calls();
    let seconds: Vec<_> = calls[20..].iter().map(|call| call.at.as_second()).collect();
    let known = at("00:02:01").as_second();
    assert_eq!(
        seconds[..19],
        [known; 19],
        "one for each whose writing is known"
    );
    assert_eq!(
        seconds[19..],
        [at("00:02:31").as_second()],
        "nobody knows when j03 was written, so its slot is held until 61 s after its closing"
    );
}

#[test]
fn two_workspaces_with_one_key_share_its_quota() {
    let place = "prod: { base_url: \"$REMOTE\", api_key: { file: key-1 } }\n  \
                 test: { base_url: \"$REMOTE\", api_key: { file: key-1 } }";
    let of_test = (0..12).map(|n| job(&format!("t{n:02}"), "1 0 * * *", "workspace: test"));
    let all: Vec<_> = jobs(12, "").into_iter().chain(of_test).collect();
    let mut house = House::with(place, &all);
    house.run_until("00:03");
    assert_eq!(house.tally().get("success"), Some(&24));
    assert_eq!(house.most_in_a_minute(Some(KEYS[0])), 20);
}

#[test]
fn a_workspace_has_a_quota_over_all_its_keys() {
    let place = "prod: { base_url: \"$REMOTE\", api_keys: [{ file: key-1 }, { file: key-2 }], quota: { per_key: 20/min, per_workspace: 5/min } }";
    let mut house = House::with(place, &jobs(12, ""));
    house.run_until("00:02:30");
    assert_eq!(house.tally().get("success"), Some(&10));
    house.restart();
    house.run_until("00:04");
    assert_eq!(house.tally().get("success"), Some(&12));
    assert_eq!(house.most_in_a_minute(None), 5);
}

#[test]
fn a_throttled_call_counts_and_a_retry_takes_a_slot_of_its_own() {
    let place =
        "prod: { base_url: \"$REMOTE\", api_key: { file: key-1 }, quota: { per_key: 2/min } }";
    let mut house = House::with(place, &jobs(2, ""));
    house
        .remote
        .answer("j00", [Reply::throttled(Some(5)), Reply::success()]);
    house.run_until("00:03");
    assert_eq!(
        house.attempts("j00"),
        ["00:01:00 1 throttled", "00:02:01 2 success"]
    );
    assert_eq!(house.most_in_a_minute(None), 2);
}

#[test]
fn no_more_calls_are_in_flight_than_the_workspace_allows() {
    let place = "prod: { base_url: \"$REMOTE\", api_key: { file: key-1 }, max_in_flight: 2 }";
    let mut house = House::with(place, &jobs(5, ""));
    for n in 0..5 {
        house.remote.answer(&format!("j{n:02}"), [Reply::Held]);
    }
    house.run_until("00:01");
    assert_eq!(house.remote.held(), 2);
    assert_eq!(house.tally().get("waiting/in_flight"), Some(&3));
    house.remote.release("j01");
    assert_eq!(house.quiesce().in_flight, 2);
    assert_eq!(house.runs("j02"), ["00:01:00 running"], "the next in line");
    for name in ["j00", "j02"] {
        house.remote.release(name);
    }
    house.quiesce();
    for name in ["j03", "j04"] {
        house.remote.release(name);
    }
    house.quiesce();
    assert_eq!(house.tally().get("success"), Some(&5));
}

#[test]
fn what_is_due_now_goes_before_what_is_caught_up() {
    let place =
        "prod: { base_url: \"$REMOTE\", api_key: { file: key-1 }, quota: { per_key: 2/min } }";
    let past = (0..4).map(|n| job(&format!("past{n}"), "1 0 * * *", ""));
    let live = (0..3).map(|n| job(&format!("live{n}"), "11 0 * * *", ""));
    let mut house = House::with(place, &past.chain(live).collect::<Vec<_>>());
    house.stop(BRIEF);
    house.advance_to("00:10:30");
    house.open();
    house.run_until("00:20");
    let order: Vec<_> = house
        .remote
        .calls()
        .into_iter()
        .map(|call| call.func)
        .collect();
    let mut pairs: Vec<_> = order.chunks(2).map(<[String]>::to_vec).collect();
    pairs.iter_mut().for_each(|pair| pair.sort());
    assert_eq!(
        pairs,
        [
            vec!["past0", "past1"],
            vec!["live0", "live1"],
            vec!["live2", "past2"],
            vec!["past3"]
        ]
    );
    assert_eq!(house.most_in_a_minute(None), 2);
}

/// The writing is counted from when the row was durable, however long that took.
#[test]
fn a_slow_ledger_does_not_make_a_request_older_than_it_is() {
    let place =
        "prod: { base_url: \"$REMOTE\", api_key: { file: key-1 }, quota: { per_key: 1/min } }";
    let mut house = House::with(
        place,
        &[job("a", "1 0 * * *", ""), job("b", "2 0 * * *", "")],
    );
    house.quiesce();
    // A tick that is caught up is planned by a commit of its own, before its attempt is opened.
    house.stop(Duration::ZERO);
    house.advance_to("00:01");
    house.open();
    house.step();
    let mut elsewhere = house.connect();
    elsewhere.execute("BEGIN IMMEDIATE");
    house.give_turns(100);
    house.advance_to("00:01:20");
    elsewhere.execute("COMMIT");
    house.run_until("00:01:30");
    assert_eq!(house.attempts("a"), ["00:01:00 1 success"]);
    house.restart();
    house.run_until("00:04");
    assert_eq!(house.attempts("b"), ["00:02:21 1 success"]);
    let calls: Vec<_> = house
        .remote
        .calls()
        .iter()
        .map(|call| call.at.as_second())
        .collect();
    assert!(calls[1] - calls[0] >= 61, "{calls:?}");
}

#[test]
fn a_limit_that_a_reload_brings_counts_what_was_sent_before() {
    let free = "prod: { base_url: \"$REMOTE\", api_key: { file: key-1 }, quota: none }";
    let mut all = jobs(10, "");
    all.extend((0..5).map(|n| job(&format!("k{n}"), "10 1 0 * * *", "")));
    let mut house = House::with(free, &all);
    house.run_until("00:01:05");
    house.move_to(&free.replace("none", "{ per_key: 10/min }"));
    house.reload(&all);
    house.run_until("00:03");
    assert_eq!(house.tally().get("success"), Some(&15));
    assert_eq!(house.most_in_a_minute(None), 10);
}

/// How long ago the last calls were is known by the machine's own count, whatever the wall clock says.
#[test]
fn a_clock_that_is_set_ahead_before_a_restart_does_not_open_the_window() {
    let mut house = House::new(&jobs(30, "start_deadline: 1h"));
    house.run_until("00:01:30");
    house.settle();
    house.stop(BRIEF);
    house.step_wall_to("00:10");
    let restarted = house.clock.monotonic();
    house.open();
    house.run_until("00:10:29");
    assert_eq!(house.tally().get("success"), Some(&20));
    house.run_until("00:11");
    assert_eq!(house.tally().get("success"), Some(&30));
    assert!(house.clock.monotonic() - restarted <= Duration::from_secs(61));
}
