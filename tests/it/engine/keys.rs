//! A key that the server calls invalid is held, not hammered.

use crate::support::house::{House, KEYS, job};
use crate::support::remote::Reply;

/// One run a minute that is in no hurry, and one that is.
fn jobs() -> [String; 3] {
    [
        job("a", "1 0 * * *", ""),
        job(
            "b",
            "2,3,4 0 * * *",
            "start_deadline: 2h, retry: { into_next_tick: true }",
        ),
        job("c", "3 0 * * *", "start_deadline: 5m"),
    ]
}

fn times(house: &House) -> Vec<String> {
    let calls = house.remote.calls();
    calls
        .iter()
        .map(|call| format!("{} {:.0}", call.func, call.at))
        .collect()
}

#[test]
fn runs_of_a_key_that_is_called_invalid_wait_and_one_in_ten_minutes_probes() {
    let mut house = House::new(&jobs());
    house.remote.refuse(KEYS[0]);
    house.run_until("00:07");
    assert_eq!(
        house.runs("a"),
        ["00:01:00 failed/auth_failed"],
        "it is not retried"
    );
    assert_eq!(
        house.runs("b"),
        [
            "00:02:00 waiting/key_held",
            "00:03:00 skipped/overlap",
            "00:04:00 skipped/overlap"
        ]
    );
    assert_eq!(house.runs("c"), ["00:03:00 waiting/key_held"]);
    assert_eq!(house.remote.calls().len(), 1);
    house.run_until("00:08");
    assert_eq!(house.runs("c"), ["00:03:00 missed/key_held"]);
    house.run_until("00:11");
    assert_eq!(
        times(&house),
        ["a 2026-05-01T00:01:00Z", "b 2026-05-01T00:11:00Z"]
    );
    assert_eq!(house.runs("b")[0], "00:02:00 failed/auth_failed");
}

#[test]
fn a_good_reply_to_the_probe_frees_the_key_for_all_that_wait() {
    let names = ["b0", "b1", "b2"];
    let mut all = names
        .map(|name| job(name, "2 0 * * *", "start_deadline: 2h"))
        .to_vec();
    all.push(job("a", "1 0 * * *", ""));
    let mut house = House::new(&all);
    house.remote.refuse(KEYS[0]);
    house.run_until("00:10:59");
    house.remote.accept(KEYS[0]);
    assert_eq!(house.remote.calls().len(), 1);
    house.run_until("00:11");
    for name in names {
        assert_eq!(house.runs(name), ["00:02:00 success"]);
    }
}

#[test]
fn a_reload_frees_the_key() {
    let mut house = House::new(&jobs());
    house.remote.refuse(KEYS[0]);
    house.run_until("00:03:30");
    house.remote.accept(KEYS[0]);
    house.reload(&jobs());
    house.run_until("00:03:31");
    assert_eq!(house.runs("b")[0], "00:02:00 success");
    assert_eq!(house.runs("c"), ["00:03:00 success"]);
    house.restart();
    house.run_until("00:04");
    assert_eq!(
        house.runs("b")[2],
        "00:04:00 success",
        "and a restart remembers that"
    );
}

#[test]
fn a_held_key_is_held_after_a_restart_and_after_a_crash() {
    let mut house = House::new(&jobs());
    house.remote.refuse(KEYS[0]);
    house.run_until("00:02:30");
    house.restart();
    house.run_until("00:05");
    house.crash();
    house.open();
    house.run_until("00:10:59");
    assert_eq!(house.runs("b")[0], "00:02:00 waiting/key_held");
    assert_eq!(house.remote.calls().len(), 1);
    house.remote.accept(KEYS[0]);
    house.run_until("00:11");
    assert_eq!(house.runs("b")[0], "00:02:00 success");
}

#[test]
fn another_key_of_the_workspace_goes_on() {
    let place = "prod: { base_url: \"$REMOTE\", api_keys: [{ file: key-1 }, { file: key-2 }] }";
    let mut house = House::with(place, &[job("a", "* * * * *", "")]);
    house.remote.refuse(KEYS[0]);
    house.run_until("00:25");
    let runs = house.runs("a");
    assert_eq!(runs[0], "00:01:00 failed/auth_failed");
    assert!(
        runs[1..].iter().all(|run| run.ends_with(" success")),
        "no run probes while another key has room: {runs:?}"
    );
}

#[test]
fn the_reply_that_came_last_decides_whether_a_key_is_held_after_a_restart_too() {
    let mut house = House::new(&[
        job("a", "1 0 * * *", ""),
        job("b", "2 0 * * *", ""),
        job("c", "3 0 * * *", ""),
    ]);
    house.remote.answer("a", [Reply::Held]);
    house.run_until("00:01:30");
    house.remote.refuse(KEYS[0]);
    house.run_until("00:02:10");
    house.remote.accept(KEYS[0]);
    house.remote.release("a");
    house.run_until("00:02:20");
    house.restart();
    house.run_until("00:03");
    assert_eq!(house.runs("a"), ["00:01:00 success"]);
    assert_eq!(house.runs("b"), ["00:02:00 failed/auth_failed"]);
    assert_eq!(house.runs("c"), ["00:03:00 success"]);
}

#[test]
fn a_probe_that_cannot_be_recorded_costs_the_key_nothing() {
    let mut house = House::new(&jobs());
    house.remote.refuse(KEYS[0]);
    house.run_until("00:05");
    house.remote.accept(KEYS[0]);
    house.connect().execute(
        "CREATE TRIGGER outage BEFORE INSERT ON attempts BEGIN SELECT RAISE(ABORT, 'an outage'); END",
    );
    house.run_until("00:11");
    assert_eq!(house.remote.calls().len(), 1, "the probe was not made");
    house.connect().execute("DROP TRIGGER outage");
    house.run_until("00:11:05");
    assert_eq!(house.runs("b")[0], "00:02:00 success");
}

fn told(house: &House) -> Vec<String> {
    house.texts(
        "SELECT strftime('%H:%M:%S', at_us / 1000000, 'unixepoch') || ' ' || kind || ' ' || (detail ->> 'workspace') || ' ' || (detail ->> 'why')
         FROM events WHERE kind IN ('key_held', 'key_freed') ORDER BY id",
    )
}

#[test]
fn that_a_key_is_held_and_that_it_is_free_again_is_told_once() {
    let mut all = jobs().to_vec();
    all.push(job("d", "1,30,40 0 * * *", "start_deadline: 2h"));
    let mut house = House::new(&all);
    house.remote.refuse(KEYS[0]);
    house.run_until("00:23");
    let held = "00:01:00 key_held prod the server calls it invalid";
    assert_eq!(
        told(&house),
        [held],
        "two calls found out, and probes since"
    );
    house.remote.accept(KEYS[0]);
    house.run_until("00:39");
    house.remote.refuse(KEYS[0]);
    house.run_until("00:41");
    let events = told(&house);
    assert_eq!(events.len(), 3, "{events:?}");
    assert_eq!(events[1], "00:30:00 key_freed prod the server takes it");
    assert_eq!(
        events[2],
        "00:40:00 key_held prod the server calls it invalid"
    );
    house.reload(&all);
    house.restart();
    assert_eq!(told(&house)[3], "00:41:00 key_freed prod a reload");
    let key = house.texts("SELECT DISTINCT detail ->> 'key' FROM events WHERE kind = 'key_held'");
    assert_eq!(key, house.texts("SELECT DISTINCT key_id FROM attempts"));
}
