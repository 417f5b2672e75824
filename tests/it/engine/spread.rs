//! A run is due a little later than its tick, by a delay of its job's own.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::support::house::{House, at, job};
use crate::support::remote::Reply;

/// The delay of a job in a window, as the auditor and the ledger of any other year compute it:
/// SHA-256("spread" 0x00 name), its first eight bytes, modulo the window in microseconds.
fn delay(name: &str, window: Duration) -> SignedDuration {
    use sha2::{Digest, Sha256};
    let digest = Sha256::digest(format!("spread\0{name}"));
    let head = u64::from_be_bytes(digest[..8].try_into().unwrap());
    let micros = head % u64::try_from(window.as_micros()).unwrap();
    SignedDuration::from_micros(micros.try_into().unwrap())
}

const TEN_MINUTES: Duration = Duration::from_secs(600);

fn due_of(house: &House, job: &str) -> Vec<Timestamp> {
    let us = house.texts(&format!(
        "SELECT CAST(due_us AS TEXT) FROM runs WHERE job = '{job}' ORDER BY scheduled_us"
    ));
    us.iter()
        .map(|us| Timestamp::from_microsecond(us.parse().unwrap()).unwrap())
        .collect()
}

#[test]
fn those_that_have_time_are_planned_in_small_parts_and_those_due_first_before_the_others() {
    let names: Vec<_> = (0..72).map(|n| format!("j{n:02}")).collect();
    let jobs: Vec<_> = names
        .iter()
        .map(|name| job(name, "0 * * * *", "spread: 10m"))
        .collect();
    let mut by_delay = names.clone();
    by_delay.sort_by_key(|name| delay(name, TEN_MINUTES));
    let mut house = House::new(&jobs);
    house.advance_to("01:00");
    // In the second step the planning rests.
    for planned in [64, 64, 72] {
        house.step();
        house.clock.advance(Duration::from_millis(12));
        let mut first = by_delay[..planned].to_vec();
        first.sort();
        assert_eq!(house.texts("SELECT job FROM runs ORDER BY job"), first);
    }
    house.run_until("01:10");
    assert_eq!(house.tally()["success"], 72);
}

#[test]
fn what_was_planned_of_an_instant_stays_the_old_definitions_when_the_daemon_dies_before_the_rest() {
    let jobs = |more: &str| -> Vec<String> {
        let more = format!("spread: 10m, {more}");
        let names = (0..72).map(|n| format!("j{n:02}"));
        names.map(|name| job(&name, "0 * * * *", &more)).collect()
    };
    let mut house = House::new(&jobs("timeout: 10s"));
    house.advance_to("01:00");
    house.step();
    house.crash();
    house.rewrite(&jobs("timeout: 20s"));
    house.open();
    house.run_until("01:15");
    let by_definition = "SELECT iif(v.until_us IS NULL, 'new ', 'old ') || count(*) FROM runs r JOIN job_versions v ON v.definition_hash = r.definition_hash WHERE r.state = 'success' GROUP BY v.until_us IS NULL ORDER BY 1";
    assert_eq!(house.texts(by_definition), ["new 8", "old 64"]);
}

#[test]
fn a_run_waits_for_its_jobs_own_delay_and_keeps_its_nominal_tick() {
    let jobs: Vec<_> = ["a", "b", "c", "d"]
        .map(|name| job(name, "0 * * * *", "spread: 10m"))
        .into();
    let mut house = House::new(&jobs);
    house.run_until("01:00");
    assert_eq!(house.tally()["waiting/spread"], 4);
    assert_eq!(house.remote.calls().len(), 0);
    house.run_until("01:10");
    for name in ["a", "b", "c", "d"] {
        let due = at("01:00") + delay(name, TEN_MINUTES);
        assert_eq!(house.runs(name), ["01:00:00 success"]);
        assert_eq!(due_of(&house, name), [due]);
        let calls = house.remote.calls();
        let called = calls.iter().find(|call| call.func == name).unwrap().at;
        assert!(called >= due, "{name}: {called} before {due}");
        assert!(
            called.duration_since(due) < SignedDuration::from_secs(1),
            "{name}: {called}, due {due}"
        );
    }
    house.run_until("02:10");
    assert_eq!(
        due_of(&house, "a")[1],
        at("02:00") + delay("a", TEN_MINUTES)
    );
}

#[test]
fn a_delay_never_reaches_the_next_tick_and_fills_what_is_before_it() {
    let names: Vec<String> = (0..8).map(|n| format!("j{n}")).collect();
    let jobs: Vec<_> = names
        .iter()
        .map(|name| job(name, "* * * * *", "spread: 10m"))
        .collect();
    let mut house = House::with(
        "prod: { base_url: \"$REMOTE\", api_key: { file: key-1 }, quota: none }",
        &jobs,
    );
    house.run_until("00:03");
    let minute = Duration::from_secs(60);
    let mut seconds: Vec<i64> = Vec::new();
    for name in &names {
        let due = due_of(&house, name);
        assert_eq!(due[0], at("00:01") + delay(name, minute), "{name}");
        assert_eq!(due[1], at("00:02") + delay(name, minute), "{name}");
        seconds.push(delay(name, minute).as_secs());
    }
    seconds.sort_unstable();
    assert!(seconds[0] < 20 && seconds[7] > 40, "{seconds:?}");
}

/// The window is the spread where the gap is long and the gap where it is short.
#[test]
fn where_gaps_differ_each_tick_has_its_own_window() {
    let mut house = House::new(&[job("a", "0,5 * * * *", "spread: 30m")]);
    house.run_until("02:00");
    let short = at("01:00") + delay("a", Duration::from_secs(300));
    let long = at("00:05") + delay("a", Duration::from_secs(1800));
    assert_eq!(due_of(&house, "a")[..2], [long, short]);
}

#[test]
fn a_restart_between_any_two_steps_changes_no_delay() {
    let life = |restless| {
        let jobs = ["a", "b"].map(|name| job(name, "*/5 * * * *", "spread: 4m"));
        let workspace = "prod: { base_url: \"$REMOTE\", api_key: { file: key-1 } }";
        let mut house = House::restless(workspace, &jobs, restless);
        house.run_until("00:21");
        (house.story(), house.restarts)
    };
    let ((steady, none), (restless, many)) = (life(false), life(true));
    assert!(none == 0 && many > 10, "{many} restarts");
    assert_eq!(steady, restless);
}

#[test]
fn a_crash_leaves_a_run_waiting_for_its_delay() {
    let mut house = House::new(&[job("a", "0 * * * *", "spread: 10m")]);
    house.run_until("01:00");
    house.crash();
    house.open();
    house.quiesce();
    assert_eq!(house.runs("a"), ["01:00:00 waiting/spread"]);
    house.run_until("01:10");
    assert_eq!(house.runs("a"), ["01:00:00 success"]);
}

#[test]
fn the_start_deadline_counts_from_the_due_time() {
    let place = "prod: { base_url: \"$REMOTE\", api_key: { file: key-1 }, max_in_flight: 1 }";
    let jobs = [
        job("a", "0 1 * * *", "spread: 10m, start_deadline: 5s"),
        job("slow", "0 1 * * *", ""),
    ];
    let mut house = House::with(place, &jobs);
    house.remote.answer("slow", [Reply::Held]);
    let due = at("01:00") + delay("a", TEN_MINUTES);
    assert!(due > at("01:00:20"), "another name would test more: {due}");
    house.run_until(&(due + SignedDuration::from_secs(4)).to_string());
    assert_eq!(house.runs("a"), ["01:00:00 waiting/in_flight"]);
    house.run_until(&(due + SignedDuration::from_secs(6)).to_string());
    assert_eq!(house.runs("a"), ["01:00:00 missed/deadline"]);
    house.remote.release("slow");
}

#[test]
fn a_run_that_waits_for_its_delay_is_not_final_for_overlap() {
    // Two ticks in one step, and the first still waits: the second overlaps it.
    let mut house = House::new(&[job("a", "0,1 * * * *", "spread: 59s")]);
    house.run_until("01:00");
    assert_eq!(house.tally()["waiting/spread"], 1);
    house.advance_to("01:01:05");
    house.quiesce();
    assert_eq!(house.runs("a")[..1], ["00:01:00 success"]);
    assert_eq!(house.runs("a")[2], "01:01:00 skipped/overlap");
}

#[test]
fn catching_up_goes_up_a_ramp() {
    let names = ["a", "b", "c", "d"];
    let jobs = names.map(|name| job(name, "0 * * * *", "spread: 10m"));
    let mut house = House::new(&jobs);
    house.stop(Duration::from_secs(5));
    house.advance_to("01:30");
    house.open();
    house.quiesce();
    assert_eq!(house.tally()["catchup waiting/spread"], 4);
    house.run_until("01:40");
    for name in names {
        assert_eq!(house.runs(name), ["01:00:00 catchup success"]);
        let due = at("01:00") + delay(name, TEN_MINUTES);
        assert_eq!(due_of(&house, name), [due], "the due time stays the tick's");
        let calls = house.remote.calls();
        let called = calls.iter().find(|call| call.func == name).unwrap().at;
        let earliest = at("01:30") + delay(name, TEN_MINUTES);
        assert!(called >= earliest, "{name}: {called} before {earliest}");
    }
}

#[test]
fn a_change_of_spread_closes_the_past_and_waiting_runs_keep_theirs() {
    let mut house = House::new(&[job("a", "0 * * * *", "spread: 10m")]);
    house.run_until("01:00");
    let difference = house.reload(&[job("a", "0 * * * *", "spread: 20m")]);
    let changes: Vec<_> = difference.changes().map(|(_, change)| change).collect();
    assert_eq!(changes, ["rescheduled"]);
    house.run_until("02:20");
    assert_eq!(house.runs("a"), ["01:00:00 success", "02:00:00 success"]);
    let due = due_of(&house, "a");
    assert_eq!(due[0], at("01:00") + delay("a", TEN_MINUTES));
    assert_eq!(due[1], at("02:00") + delay("a", 2 * TEN_MINUTES));
}
