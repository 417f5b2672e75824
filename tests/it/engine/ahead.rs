//! Where calls come to an end fast, the attempts of those that follow are opened before there is a place
//! for them: they are open in the ledger, and the server has never more calls than it is to have.

use std::time::Duration;

use crate::support::house::{House, KEYS, job};
use crate::support::remote::Reply;

/// Two more than a workspace that opens nothing ahead: four may be.
const PLACES: usize = 18;
const PLACE: &str =
    "prod: { base_url: \"$REMOTE\", api_key: { file: key-1 }, max_in_flight: 18, quota: none }";

const OPEN: &str = "SELECT r.job FROM attempts a JOIN runs r ON r.id = a.run_id WHERE a.outcome IS NULL ORDER BY r.job";

/// Thirty jobs due at once, of which the first four are answered at once and the others held: afterwards
/// the server has 18 calls, and four more attempts, of `j22` to `j25`, are open.
fn a_house_that_has_opened_ahead(more: &str) -> House {
    let jobs: Vec<_> = (0..30)
        .map(|n| job(&format!("j{n:02}"), "1 0 * * *", more))
        .collect();
    let mut house = House::with(PLACE, &jobs);
    for n in 4..30 {
        house.remote.answer(&format!("j{n:02}"), [Reply::Held]);
    }
    house.advance_to("00:01");
    house.step();
    house.until("the first calls", |remote| remote.held() == PLACES - 4);
    house.until_recorded("SELECT count(*) = 4 FROM runs WHERE state = 'success'");
    house.step();
    house.until("the server to have its fill", |remote| {
        remote.held() == PLACES
    });
    house.until_recorded("SELECT count(*) = 22 FROM attempts WHERE outcome IS NULL");
    house.step();
    house
}

#[test]
fn the_server_never_has_more_calls_than_the_workspace_allows() {
    let mut house = a_house_that_has_opened_ahead("deadline: 5m");
    assert_eq!(house.remote.calls().len(), PLACES + 4);
    assert_eq!(house.texts(OPEN).last().map(String::as_str), Some("j25"));
    assert_eq!(house.tally().get("waiting/in_flight"), Some(&4));

    house.remote.release("j04");
    house.until("the next in line to be called", |remote| {
        remote.calls().len() == PLACES + 5
    });
    let last = house.remote.calls().pop().map(|call| call.func);
    assert_eq!(last.as_deref(), Some("j22"));
    assert_eq!(house.remote.held(), PLACES);
    house.stop(Duration::ZERO);
}

#[test]
fn what_is_cancelled_before_it_had_a_place_was_never_sent_and_is_not_in_doubt() {
    let mut house = a_house_that_has_opened_ahead("deadline: 5m");
    crate::control::cancel::cancel(&mut house, "j23");
    house.until_recorded("SELECT count(*) FROM runs WHERE job = 'j23' AND state = 'failed'");
    assert_eq!(house.runs("j23"), ["00:01:00 failed/network_error"]);
    assert_eq!(
        house.texts(
            "SELECT decided_by FROM attempts a JOIN runs r ON r.id = a.run_id WHERE r.job = 'j23'"
        ),
        ["somebody cancelled the run before its call was sent"]
    );
    assert!(house.remote.calls().iter().all(|call| call.func != "j23"));
    house.stop(Duration::ZERO);
}

#[test]
fn what_found_no_place_before_its_deadline_was_never_sent() {
    let mut house = a_house_that_has_opened_ahead("deadline: 5m");
    house.advance_to("00:06:01");
    house.until_recorded("SELECT count(*) = 4 FROM attempts WHERE outcome = 'network_error'");
    assert_eq!(house.runs("j25"), ["00:01:00 failed/deadline"]);
    assert!(house.remote.calls().iter().all(|call| call.func != "j25"));
    house.stop(Duration::ZERO);
}

#[test]
fn what_a_stop_finds_without_a_place_is_sent_after_the_next_start() {
    // Its policy allows no retry, and this is none.
    let mut house = a_house_that_has_opened_ahead("retry: { max_attempts: 1 }");
    house.stop(Duration::ZERO);
    assert_eq!(house.remote.calls().len(), PLACES + 4);
    assert_eq!(house.runs("j05"), ["00:01:00 unknown/shutdown"]);
    assert_eq!(house.runs("j25"), ["00:01:00 waiting/retry"]);
    for n in 22..30 {
        house.remote.answer(&format!("j{n:02}"), [Reply::success()]);
    }
    house.open();
    house.run_until("00:01:01");
    assert_eq!(
        house.attempts("j25"),
        ["00:01:00 1 network_error", "00:01:00 2 success"]
    );
}

#[test]
fn a_key_that_is_called_invalid_is_not_used_by_those_that_wait() {
    let mut house = a_house_that_has_opened_ahead("retry: { max_attempts: 1 }");
    house.remote.refuse(KEYS[0]);
    house.remote.release("j04");
    house.until_recorded("SELECT count(*) = 3 FROM runs WHERE reason = 'key_held'");
    assert_eq!(house.runs("j22"), ["00:01:00 failed/auth_failed"]);
    assert_eq!(house.runs("j23"), ["00:01:00 waiting/key_held"]);
    assert_eq!(house.remote.calls().len(), PLACES + 5);
    house.stop(Duration::ZERO);
}

#[test]
fn a_crash_leaves_in_doubt_what_was_open_and_calls_nothing_twice() {
    let mut house = a_house_that_has_opened_ahead("deadline: 5m");
    house.crash();
    for n in 26..30 {
        house.remote.answer(&format!("j{n:02}"), [Reply::success()]);
    }
    house.open();
    house.run_until("00:02");
    assert_eq!(house.tally().get("success"), Some(&8));
    assert_eq!(house.tally().get("unknown/daemon_died"), Some(&22));
    assert_eq!(house.remote.calls().len(), PLACES + 4 + 4);
}
