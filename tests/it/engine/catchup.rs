//! What becomes of ticks that nobody was there for.

use std::time::Duration;

use crate::support::house::{House, job};
use crate::support::remote::Reply;

const BRIEF: Duration = Duration::from_secs(5);

/// A house whose daemon was down from 00:00 to this instant.
fn down_until(instant: &str, jobs: &[String]) -> House {
    let mut house = House::new(jobs);
    house.quiesce();
    house.stop(BRIEF);
    house.advance_to(instant);
    house.open();
    house
}

fn tally<const N: usize>(
    expected: [(&str, usize); N],
) -> std::collections::BTreeMap<String, usize> {
    expected
        .map(|(what, count)| (what.to_owned(), count))
        .into()
}

#[test]
fn the_policy_none_makes_the_past_missed() {
    let mut house = down_until("00:05:30", &[job("a", "* * * * *", "catchup: none")]);
    house.run_until("00:06");
    assert_eq!(
        house.tally(),
        tally([("missed/daemon_down", 5), ("success", 1)])
    );
}

#[test]
fn the_policy_latest_runs_the_newest_tick_within_the_window() {
    let mut house = down_until("03:00:30", &[job("a", "* * * * *", "catchup_window: 1h")]);
    house.quiesce();
    assert_eq!(
        house.tally(),
        tally([
            ("missed/daemon_down", 120),
            ("missed/catchup", 59),
            ("catchup success", 1)
        ])
    );
    assert_eq!(house.runs("a").last().unwrap(), "03:00:00 catchup success");
}

#[test]
fn a_tick_outside_the_window_is_missed_though_it_is_the_latest() {
    let mut house = down_until("02:30", &[job("a", "0 * * * *", "catchup_window: 20m")]);
    house.quiesce();
    assert_eq!(house.tally(), tally([("missed/daemon_down", 2)]));
}

#[test]
fn a_daemon_that_dies_as_it_starts_does_not_catch_up_anew_with_each_try() {
    let mut house = down_until("00:05:30", &[job("a", "* * * * *", "")]);
    // Between the first two no tick is.
    for instant in ["00:05:40", "00:06:10", "00:08:30"] {
        house.crash();
        house.advance_to(instant);
        house.open();
    }
    house.quiesce();
    assert_eq!(
        house.tally(),
        tally([("missed/catchup", 7), ("catchup success", 1)])
    );
    assert_eq!(house.runs("a").last().unwrap(), "00:08:00 catchup success");
}

#[test]
fn a_month_is_caught_up_in_chunks_and_live_ticks_go_first() {
    let mut house = down_until("2026-05-31T00:00:00Z", &[job("a", "* * * * *", "")]);
    house.advance_to("2026-05-31T00:01:00Z");
    let steps = house.steps;
    house.step();
    let planned = house.runs("a");
    let live = planned.last().unwrap();
    assert!(
        ["00:01:00 waiting/in_flight", "00:01:00 running"].contains(&live.as_str()),
        "{live}"
    );
    assert!(planned.len() < 43_000, "{} of the month", planned.len());
    house.quiesce();
    assert_eq!(
        house.tally(),
        tally([
            ("missed/daemon_down", 43_140),
            ("missed/catchup", 59),
            ("catchup success", 1),
            ("success", 1)
        ])
    );
    assert!(house.steps - steps < 40, "{} steps", house.steps - steps);
}

#[test]
fn a_gap_that_a_crash_interrupts_is_taken_up_where_it_was() {
    let mut house = down_until("2026-05-11T00:00:00Z", &[job("a", "* * * * *", "")]);
    for _ in 0..3 {
        house.step();
        house.crash();
        house.open();
    }
    let planned: usize = house.tally().values().sum();
    assert!((2_000..14_400).contains(&planned), "{planned}");
    house.quiesce();
    assert_eq!(house.tally().values().sum::<usize>(), 14_400);
    assert_eq!(house.runs("a").last().unwrap(), "00:00:00 catchup success");
}

#[test]
fn catching_up_is_bounded_by_its_window_and_not_by_the_start_deadline() {
    let mut house = House::with(
        "prod: { base_url: \"$REMOTE\", api_key: { file: key-1 }, quota: { per_key: 1/min } }",
        &[
            job("a", "*/30 * * * *", ""),
            job("b", "*/30 * * * *", "start_deadline: 10s"),
        ],
    );
    house.stop(BRIEF);
    house.advance_to("00:40");
    house.open();
    house.run_until("00:42");
    assert_eq!(house.runs("b"), ["00:30:00 catchup success"]);
    assert_eq!(house.attempts("b"), ["00:41:01 1 success"]);
}

#[test]
fn a_catch_up_run_has_no_next_tick_that_ends_its_retries() {
    let mut house = House::new(&[job("a", "*/5 * * * *", "")]);
    house.stop(BRIEF);
    house.advance_to("00:09:50");
    house
        .remote
        .answer("a", [Reply::throttled(Some(30)), Reply::success()]);
    house.open();
    house.run_until("00:11");
    assert_eq!(
        house.runs("a"),
        ["00:05:00 catchup success", "00:10:00 success"]
    );
}

#[test]
fn a_tick_at_most_ten_seconds_late_is_live() {
    let mut house = House::new(&[
        job("a", "* * * * *", ""),
        job("b", "* * * * *", "catchup: none"),
    ]);
    house.quiesce();
    house.advance_to("00:01:10");
    house.quiesce();
    assert_eq!(house.runs("a"), ["00:01:00 success"]);
    house.advance_to("00:02:11");
    house.quiesce();
    assert_eq!(house.runs("a")[1], "00:02:00 catchup success");
    assert_eq!(house.runs("b")[1], "00:02:00 missed/daemon_down");
}

#[test]
fn what_can_be_caught_up_goes_before_what_is_lost() {
    let jobs = ["a", "b", "c"].map(|name| job(name, "* * * * *", ""));
    let mut house = down_until("2026-05-31T00:00:30Z", &jobs);
    house.step();
    let caught_up = house.texts("SELECT job FROM runs WHERE trigger = 'catchup' ORDER BY id");
    assert_eq!(caught_up, ["a", "b", "c"]);
    house.crash();
    house.open();
    house.quiesce();
    assert_eq!(
        house.tally(),
        tally([
            ("missed/daemon_down", 3 * 43_140),
            ("missed/catchup", 3 * 59),
            ("catchup success", 3)
        ])
    );
}
