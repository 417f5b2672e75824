//! What has become of a ledger since: pruned, its jobs gone or moved to another zone, its clock set
//! back, a daemon at work. None of that is a fault, and none hides one.

use funcron::domain::job::JobName;
use funcron::engine::{BackfillOrder, Command};

use super::copy::Copy;
use crate::support::house::{House, at, job};
use crate::support::remote::Reply;

const UNLIMITED: &str = "prod: { base_url: \"$REMOTE\", api_key: { file: key-1 }, quota: none }";

fn delete(copy: &Copy, which: &str) {
    copy.execute(&format!(
        "DELETE FROM attempts WHERE run_id IN (SELECT id FROM runs WHERE {which}); DELETE FROM runs WHERE {which}"
    ));
}

fn us(instant: &str) -> i64 {
    at(instant).as_microsecond()
}

/// Live runs of 00:10 to 00:50, all of which a backfill ran again.
fn backfilled() -> House {
    let mut house = House::with(UNLIMITED, &[job("a", "*/10 * * * *", "")]);
    house.run_until("00:55");
    let order = Command::Backfill(BackfillOrder {
        job: JobName::parse("a").unwrap(),
        from: at("00:10"),
        until: at("00:50"),
        every: true,
        dry_run: false,
    });
    let answer = house.run(async |engine| engine.command(order, "a test").await);
    assert!(answer.is_ok(), "{answer:?}");
    house.quiesce();
    house
}

#[test]
fn a_prune_took_live_runs_and_a_backfills_and_its_mark_says_so() {
    let copy = Copy::of(&mut backfilled());
    delete(&copy, &format!("scheduled_us < {}", us("00:30")));
    assert_eq!(copy.findings().len(), 4);
    copy.execute(&format!(
        "INSERT INTO events (at_us, kind, actor, detail) VALUES (1, 'prune', 'ops', '{{\"before_us\":{}}}')",
        us("00:30")
    ));
    assert_eq!(copy.findings(), [""; 0]);
    delete(
        &copy,
        &format!("scheduled_us = {} AND trigger = 'backfill'", us("00:40")),
    );
    let found = copy.findings();
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(
        found[0].starts_with("holes a 00:40:00Z: backfill "),
        "{found:?}"
    );
}

#[test]
fn bodies_that_no_prune_took_are_missed() {
    let mut house = House::with(UNLIMITED, &[job("a", "*/10 * * * *", "")]);
    house.run_until("00:45");
    let copy = Copy::of(&mut house);
    copy.execute("UPDATE attempts SET request = '', response = NULL");
    let missing = |copy: &Copy| copy.findings().len();
    assert_eq!(missing(&copy), 4);
    copy.execute(&format!(
        "INSERT INTO events (at_us, kind, actor, detail) VALUES (1, 'prune', 'ops', '{{\"before_us\":0,\"bodies_before_us\":{}}}')",
        us("00:30")
    ));
    let found = copy.findings();
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(
        found[0].starts_with("inconsistent a 00:30:00Z #: attempt 1 has no request"),
        "{found:?}"
    );
}

#[test]
fn a_removed_job_has_its_past_and_its_backfills() {
    let mut house = backfilled();
    house.reload(&[job("b", "*/10 * * * *", "")]);
    house.run_until("01:25");
    let copy = Copy::of(&mut house);
    delete(
        &copy,
        &format!("job = 'a' AND scheduled_us = {}", us("00:20")),
    );
    let found = copy.findings();
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(found[0].starts_with("holes a 00:20:00Z: "), "{found:?}");
}

#[test]
fn each_zone_that_a_job_had_rules_its_own_time() {
    let of = |zone: &str| job("a", "30 * * * *", &format!("timezone: {zone}"));
    let mut house = House::with(UNLIMITED, &[of("UTC")]);
    house.run_until("02:00");
    // Half past in Kathmandu is a quarter to in UTC.
    house.reload(&[of("Asia/Kathmandu")]);
    house.run_until("04:00");
    let ticks = house.runs("a");
    assert_eq!(ticks.len(), 4, "{ticks:?}");
    assert!(ticks[3].starts_with("03:45:00 "), "{ticks:?}");
    let copy = Copy::of(&mut house);
    delete(
        &copy,
        &format!("scheduled_us IN ({}, {})", us("00:30"), us("02:45")),
    );
    let found = copy.findings();
    assert_eq!(found.len(), 2, "{found:?}");
    assert_eq!(found[0], "holes a 00:30:00Z: the tick has no run");
    // The house does not plan by the zone data of the machine, which the audit reads: it says so.
    let of_a_zone = "holes a 02:45:00Z: the tick has no run; it was planned with zone data";
    assert!(found[1].starts_with(of_a_zone), "{found:?}");
}

#[test]
fn ticks_that_fired_by_a_clock_that_was_ahead_must_keep_their_rows() {
    let mut house = House::with(UNLIMITED, &[job("a", "*/10 * * * *", "")]);
    house.run_until("01:05");
    house.step_wall_to("00:15");
    house.run_until("00:45");
    assert_eq!(house.runs("a").len(), 6);
    assert_eq!(house.faults(), [""; 0]);
    let copy = Copy::of(&mut house);
    delete(&copy, &format!("scheduled_us = {}", us("00:30")));
    assert_eq!(copy.findings(), ["holes a 00:30:00Z: the tick has no run"]);
}

#[test]
fn what_a_living_daemon_is_about_is_no_fault() {
    let jobs = [
        job(
            "a",
            "*/10 * * * *",
            "overlap: queue_one, start_deadline: 1h",
        ),
        job("b", "*/10 * * * *", ""),
    ];
    let mut house = House::with(UNLIMITED, &jobs);
    house.remote.answer("a", [Reply::Held, Reply::success()]);
    house.remote.answer("b", [Reply::Held, Reply::success()]);
    house.run_until("00:25");
    assert_eq!(
        house.runs("a"),
        ["00:10:00 running", "00:20:00 waiting/overlap"]
    );
    assert_eq!(house.faults(), [""; 0]);
    house.remote.release("a");
    house.remote.release("b");
    house.quiesce();
}
