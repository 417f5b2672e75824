//! Ledgers as a broken planner would leave them: a real engine drives a job by one definition, and the
//! ledger says that it had another; where no definition makes the fault, rows are changed. The audit
//! names job and tick of each.

use std::time::Duration;

use super::copy::Copy;
use crate::support::house::{House, job};
use crate::support::remote::Reply;

const UNLIMITED: &str = "prod: { base_url: \"$REMOTE\", api_key: { file: key-1 }, quota: none }";

/// What the audit says of the ledger that `story` leaves, driven by `ran`, if the job had been `said`.
fn after(schedule: &str, ran: &str, said: &str, story: impl FnOnce(&mut House)) -> Vec<String> {
    let mut house = House::with(UNLIMITED, &[job("a", schedule, ran)]);
    story(&mut house);
    let copy = Copy::of(&mut house);
    copy.had_been(&house, &job("a", schedule, said));
    copy.findings()
}

/// Down from 00:00 until this instant, and on for a minute.
fn down_until(instant: &'static str) -> impl FnOnce(&mut House) {
    move |house| {
        house.quiesce();
        house.stop(Duration::from_secs(5));
        house.advance_to(instant);
        house.open();
        house.quiesce();
    }
}

fn until(instant: &'static str) -> impl FnOnce(&mut House) {
    move |house| house.run_until(instant)
}

#[track_caller]
fn assert_found(found: &[String], expected: &[&str]) {
    assert_eq!(found.len(), expected.len(), "{found:#?}");
    for (found, expected) in found.iter().zip(expected) {
        assert!(found.contains(expected), "{found} is not: {expected}");
    }
}

#[test]
fn a_repeated_hour_that_fired_twice_is_a_stray() {
    let zone = "timezone: Europe/Berlin, dst: ";
    let found = after(
        "30 2 * * *",
        &format!("{zone} {{ overlap: both }}"),
        &format!("{zone} {{ overlap: first }}"),
        |house| {
            down_until("2026-10-24T12:00:00Z")(house);
            house.run_until("2026-10-25T06:00:00Z");
        },
    );
    assert_found(
        &found,
        &["strays a 2026-10-25T01:30:00Z #: its schedule has no tick at this instant"],
    );
}

#[test]
fn a_tick_that_was_dropped_where_the_clocks_jumped_is_named() {
    let zone = "timezone: Europe/Berlin, dst: ";
    let mut house = House::with(
        UNLIMITED,
        &[job("a", "30 2 * * *", &format!("{zone} {{ gap: skip }}"))],
    );
    down_until("2027-03-27T12:00:00Z")(&mut house);
    house.run_until("2027-03-28T06:00:00Z");
    let copy = Copy::of(&mut house);
    copy.had_been(
        &house,
        &job("a", "30 2 * * *", &format!("{zone} {{ gap: run_after }}")),
    );
    let tick = "a 2027-03-28T01:00:00Z";
    let excused = format!("inconsistent {tick} #: it is `skipped/dst_gap`, and no jump");
    assert_found(&copy.findings(), &[&excused]);
    copy.execute("DELETE FROM runs WHERE reason = 'dst_gap'");
    assert_found(
        &copy.findings(),
        &[&format!("holes {tick}: the tick has no run")],
    );
}

#[test]
fn a_catch_up_of_ticks_older_than_the_window_is_named() {
    let found = after(
        "*/10 * * * *",
        "catchup: all, catchup_window: 1h",
        "catchup: all, catchup_window: 25m",
        down_until("01:00:30"),
    );
    let older =
        ["00:10", "00:20", "00:30"].map(|tick| format!("inconsistent a {tick}:00Z #: it was "));
    assert_found(&found, &older.each_ref().map(String::as_str));
    assert!(
        found[0].ends_with("3030 s old when it was planned, and `catchup_window` is 1500 s"),
        "{found:?}"
    );
}

#[test]
fn a_catch_up_that_no_one_wanted_and_one_that_was_left_out_are_named() {
    let latest = "catchup: latest, catchup_window: 1h";
    let story = || down_until("00:30:30");
    let unwanted = after("*/10 * * * *", latest, "catchup: none", story());
    assert_found(
        &unwanted,
        &[
            "a 00:10:00Z #: it takes part in a catch-up, and `catchup` is `none`",
            "a 00:20:00Z #: it takes part in a catch-up, and `catchup` is `none`",
            "a 00:30:00Z #: it takes part in a catch-up, and `catchup` is `none`",
        ],
    );
    let left_out = after("*/10 * * * *", "catchup: none", latest, story());
    assert_found(
        &left_out,
        &[
            "a 00:10:00Z #: it is `missed` as lost, and was 1230 s old",
            "a 00:20:00Z #: it is `missed` as lost, and was 630 s old",
            "a 00:30:00Z #: it is `missed` as lost, and was 30 s old",
        ],
    );
}

#[test]
fn a_latest_that_was_the_oldest_is_named() {
    let mut house = House::with(
        UNLIMITED,
        &[job(
            "a",
            "*/10 * * * *",
            "catchup: latest, catchup_window: 1h",
        )],
    );
    down_until("00:30:30")(&mut house);
    house.run_until("00:40:30");
    let copy = Copy::of(&mut house);
    copy.execute(
        "UPDATE runs SET scheduled_us = scheduled_us + 1, due_us = due_us + 1 WHERE trigger = 'catchup';
         UPDATE runs SET scheduled_us = scheduled_us + 1200000000, due_us = due_us + 1200000000
             WHERE scheduled_us = 1777594200000000;
         UPDATE runs SET scheduled_us = 1777594200000000, due_us = 1777594200000000 WHERE trigger = 'catchup'",
    );
    assert_found(
        &copy.findings(),
        &[
            "inconsistent a 00:30:00Z #: it is `missed/catchup`, and no newer tick of the outage was caught up",
        ],
    );
}

#[test]
fn more_ticks_caught_up_than_may_be_are_named() {
    let most = |most| format!("catchup: all, catchup_window: 3h, max_catchup: {most}");
    let found = after("*/5 * * * *", &most(10), &most(2), down_until("01:00:30"));
    // Outages that were planned together cannot be told apart: an audit gives one the benefit.
    assert_eq!(found.len(), 6, "{found:#?}");
    assert_eq!(
        found[0],
        "inconsistent a 00:35:00Z #: it is number 5 of one outage that is caught up, and 2 may be"
    );
}

#[test]
fn a_tick_of_a_pause_that_ran_is_named() {
    let mut house = House::with(UNLIMITED, &[job("a", "*/10 * * * *", "")]);
    house.run_until("00:30:30");
    let copy = Copy::of(&mut house);
    copy.execute(
        "INSERT INTO pauses (job, from_us, until_us, resumed_us, actor)
         VALUES ('a', 1777594500000000, NULL, 1777595100000000, 'ops')",
    );
    assert_found(
        &copy.findings(),
        &["inconsistent a 00:20:00Z #: the job was paused then, and it is not `skipped/paused`"],
    );
}

#[test]
fn a_tick_of_an_excluded_day_and_one_outside_of_the_bounds_are_named() {
    let story = || until("00:25");
    assert_found(
        &after("*/20 * * * *", "", "except: [fri]", story()),
        &["inconsistent a 00:20:00Z #: its day is excluded, and it is not `skipped/excluded`"],
    );
    for bound in [
        "starts_at: 2026-05-01T00:21:00Z",
        "ends_at: 2026-05-01T00:19:00Z",
    ] {
        assert_found(
            &after("*/20 * * * *", "", bound, story()),
            &["strays a 00:20:00Z #: its schedule has no tick at this instant"],
        );
    }
}

#[test]
fn a_tick_of_a_disabled_job_is_named_and_so_is_one_that_an_enabled_one_lacks() {
    let story = || until("00:25");
    assert_found(
        &after("*/20 * * * *", "", "enabled: false", story()),
        &["strays a 00:20:00Z #: the job was disabled then"],
    );
    let other = job("b", "*/20 * * * *", "");
    let off = job("a", "*/20 * * * *", "enabled: false");
    let mut house = House::with(UNLIMITED, &[off, other]);
    house.run_until("00:25");
    let copy = Copy::of(&mut house);
    copy.had_been(&house, &job("a", "*/20 * * * *", ""));
    assert_found(
        &copy.findings(),
        &["holes a 00:20:00Z: the tick has no run"],
    );
}

#[test]
fn a_tick_of_another_zone_is_a_hole_and_a_stray() {
    assert_found(
        &after("20 0 * * *", "", "timezone: Asia/Kathmandu", until("00:25")),
        &["strays a 00:20:00Z #: its schedule has no tick at this instant"],
    );
}

#[test]
fn a_start_deadline_that_was_ignored_or_cut_short_is_named() {
    let limits =
        "prod: { base_url: \"$REMOTE\", api_key: { file: key-1 }, quota: { per_key: 1/min } }";
    let after = |ran: &str, said: &str| {
        let of = |name: &str, deadline: &str| {
            job(name, "1 0 * * *", &format!("start_deadline: {deadline}"))
        };
        let mut house = House::with(limits, &[of("a", ran), of("b", ran)]);
        house.run_until("00:05");
        let copy = Copy::of(&mut house);
        for name in ["a", "b"] {
            copy.had_been(&house, &of(name, said));
        }
        copy.findings()
    };
    // One of the two waits until 00:02:01.
    let late = after("1h", "20s");
    assert_found(
        &late,
        &["00:01:00Z #: its first attempt was opened at 2026-05-01T00:02:0"],
    );
    assert!(
        late[0].ends_with("its `start_deadline` was over at 2026-05-01T00:01:20.000Z"),
        "{late:?}"
    );
    assert_found(
        &after("20s", "1h"),
        &["00:01:00Z #: it was given up at 2026-05-01T00:01:20.000Z, before its `start_deadline`"],
    );
}

#[test]
fn a_run_beside_one_that_it_should_have_been_skipped_for_is_named() {
    let found = after("* * * * *", "overlap: allow", "overlap: skip", |house| {
        let replies = [Reply::Held, Reply::success(), Reply::success()];
        house.remote.answer("a", replies);
        house.run_until("00:03:30");
        house.remote.release("a");
        house.quiesce();
    });
    assert_found(
        &found,
        &[
            "inconsistent a 00:02:00Z #: it met the run ",
            "inconsistent a 00:03:00Z #: it met the run ",
        ],
    );
    assert!(
        found[0].ends_with(
            "which was over at 2026-05-01T00:03:30.000Z only, and it is not `skipped/overlap`"
        ),
        "{found:?}"
    );
}

#[test]
fn a_spread_other_than_the_jobs_is_named() {
    let found = after("*/20 * * * *", "spread: 7m", "spread: 1h", until("00:39"));
    assert_found(
        &found,
        &["inconsistent a 00:20:00Z #: it is due at 2026-05-01T00:2"],
    );
}

#[test]
fn a_tick_that_was_planned_too_late_or_too_early_is_named() {
    let mut house = House::with(UNLIMITED, &[job("a", "*/20 * * * *", "")]);
    house.run_until("00:25");
    let copy = Copy::of(&mut house);
    copy.execute("UPDATE runs SET created_us = scheduled_us + 12000000");
    assert_found(
        &copy.findings(),
        &[
            "inconsistent a 00:20:00Z #: it was planned 12 s after its tick, and is neither caught up nor `missed`",
        ],
    );
    copy.execute("UPDATE runs SET created_us = scheduled_us - 1");
    assert_found(
        &copy.findings(),
        &[
            "inconsistent a 00:20:00Z #: it was planned at 2026-05-01T00:19:59.999Z, before its time had come",
        ],
    );
}
