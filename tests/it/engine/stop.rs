//! SIGTERM: what is under way may end, what waits stays for the next start.

use std::time::Duration;

use crate::support::house::{House, job};
use crate::support::remote::Reply;

const BRIEF: Duration = Duration::from_secs(10);

#[test]
fn a_stop_waits_for_the_calls_under_way() {
    let mut house = House::new(&[job("a", "1 0 * * *", "")]);
    house.remote.answer("a", [Reply::Held]);
    house.run_until("00:01");
    house.remote.release("a");
    house.stop(BRIEF);
    assert_eq!(house.runs("a"), ["00:01:00 success"]);
}

#[test]
fn a_call_cut_off_is_unknown_and_an_idempotent_run_waits_for_the_next_start() {
    let mut house = House::new(&[
        job("a", "1 0 * * *", ""),
        job("b", "1 0 * * *", "idempotent: true"),
    ]);
    for name in ["a", "b"] {
        house.remote.answer(name, [Reply::Held, Reply::success()]);
    }
    house.run_until("00:01");
    house.stop(Duration::ZERO);
    assert_eq!(house.runs("a"), ["00:01:00 unknown/shutdown"]);
    assert_eq!(house.runs("b"), ["00:01:00 waiting/retry"]);
    assert_eq!(
        house.texts("SELECT unknown_reason FROM attempts"),
        ["shutdown", "shutdown"]
    );
    house.open();
    house.run_until("00:02");
    assert_eq!(house.runs("b"), ["00:01:00 success"]);
    assert_eq!(
        house.attempts("b"),
        ["00:01:00 1 unknown", "00:01:05 2 success"]
    );
}

#[test]
fn runs_that_wait_stay_waiting_and_the_next_start_takes_them_up() {
    let place = "prod: { base_url: \"$REMOTE\", api_key: { file: key-1 }, max_in_flight: 1, quota: { per_key: 2/min } }";
    let names = ["a", "b", "c", "d"];
    let mut house = House::with(place, &names.map(|name| job(name, "1 0 * * *", "")));
    house.remote.answer("a", [Reply::Held]);
    house.run_until("00:01");
    house.stop(Duration::ZERO);
    assert_eq!(house.tally().get("waiting/in_flight"), Some(&3));
    house.advance_to("00:03");
    house.open();
    house.run_until("00:05");
    for name in ["b", "c", "d"] {
        assert_eq!(house.runs(name), ["00:01:00 success"]);
    }
}

#[test]
fn a_stop_makes_no_call_for_ticks_that_pass_while_it_drains() {
    let mut house = House::new(&[job("a", "* * * * *", "catchup: none")]);
    house.remote.answer("a", [Reply::Held]);
    house.run_until("00:01");
    house.advance_to("00:03");
    house.remote.release("a");
    house.stop(BRIEF);
    assert_eq!(house.runs("a"), ["00:01:00 success"]);
    house.open();
    house.quiesce();
    assert_eq!(
        house.runs("a")[1..],
        ["00:02:00 missed/daemon_down", "00:03:00 missed/daemon_down"]
    );
}
