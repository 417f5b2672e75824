//! A wall clock that was ahead is set back: no silence until the time that it had shown, and nothing
//! fires twice.

use std::time::Duration;

use funcron::engine::{ClockDoubt, Command, PauseOrder, ResumeOrder, Selection};
use jiff::SignedDuration;

use crate::support::house::{House, at, job};
use crate::support::remote::Reply;

const BRIEF: Duration = Duration::from_secs(5);
const YEAR: SignedDuration = SignedDuration::from_hours(365 * 24);

/// The clock is a year ahead for `minutes`, and then right again.
fn live_in_the_future(house: &mut House, minutes: u64, mut then: impl FnMut(&mut House)) {
    house.quiesce();
    house.clock.step_wall(YEAR);
    for _ in 0..minutes {
        house.quiesce();
        house.clock.advance(Duration::from_secs(60));
    }
    house.quiesce();
    then(house);
    house.clock.step_wall(-YEAR);
}

fn of_2026(house: &House, job: &str) -> Vec<String> {
    house.texts(&format!(
        "SELECT strftime('%H:%M', scheduled_us / 1000000, 'unixepoch') || ' ' || trigger || ' ' || state || coalesce('/' || reason, '')
         FROM runs WHERE job = '{job}' AND ahead IS NULL ORDER BY scheduled_us"
    ))
}

#[test]
fn after_a_clock_that_was_a_year_ahead_jobs_fire_as_before() {
    let mut house = House::new(&[
        job("a", "*/10 * * * *", "catchup: none"),
        job("b", "30 * * * *", ""),
    ]);
    house.run_until("00:10");
    live_in_the_future(&mut house, 11, |_| {});
    assert_eq!(at("00:21"), house.clock.now());
    let step = house.quiesce();
    assert_eq!(step.doubt, Some(ClockDoubt::Behind));
    assert_eq!(step.wake, Some(at("00:22")), "it is looked at for a minute");
    house.run_until("00:22");
    assert_eq!(house.quiesce().doubt, None);
    house.run_until("01:00");
    let of_a = of_2026(&house, "a");
    assert_eq!(
        of_a,
        [
            "00:10 schedule success",
            "00:20 schedule missed/clock",
            "00:30 schedule success",
            "00:40 schedule success",
            "00:50 schedule success",
            "01:00 schedule success"
        ]
    );
    assert_eq!(of_2026(&house, "b"), ["00:30 schedule success"]);
    let told = house.texts("SELECT detail FROM events WHERE kind = 'rewind'");
    assert_eq!(
        told,
        [r#"{"from":"2027-05-01T00:20:00.000Z","to":"2026-05-01T00:22:00.000Z"}"#]
    );
    let shown = "SELECT count(*) || ' ' || max(attempt) FROM executions WHERE scheduled_at > '2026-05-01T02'";
    let sent = house.texts(shown);
    assert!(
        matches!(sent[0].as_str(), "2 1" | "3 1" | "4 1"),
        "history shows of the year to come what was sent, and no more: {sent:?}"
    );
}

#[test]
fn what_was_sent_by_a_clock_that_was_ahead_is_not_sent_again() {
    let mut house = House::new(&[job("a", "*/5 * * * *", "catchup: none")]);
    house.run_until("00:05");
    house.step_wall_to("00:59");
    house.quiesce();
    house.clock.advance(Duration::from_secs(60));
    house.quiesce();
    assert_eq!(house.runs("a").last().unwrap(), "01:00:00 success");
    house.step_wall_to("00:06");
    house.restart();
    house.run_until("01:30");
    let fired = house.remote.calls();
    let runs = of_2026(&house, "a");
    assert_eq!(
        runs.len(),
        1 + 10 + 6,
        "all but 01:00, which had come already: {runs:?}"
    );
    assert!(runs.iter().all(|run| run.ends_with("success")), "{runs:?}");
    assert_eq!(fired.len(), 18);
}

#[test]
fn a_machine_that_starts_hours_ahead_and_is_put_right_is_not_silent_for_hours() {
    let mut house = House::new(&[job("a", "0 * * * *", "")]);
    house.run_until("00:30");
    house.stop(BRIEF);
    house.step_wall_to("08:30:30");
    house.open();
    house.quiesce();
    house.step_wall_to("00:31");
    house.crash();
    house.open();
    house.run_until("00:32");
    house.crash();
    house.open();
    house.run_until("03:00");
    assert_eq!(
        of_2026(&house, "a"),
        [
            "01:00 schedule success",
            "02:00 schedule success",
            "03:00 schedule success"
        ]
    );
}

#[test]
fn a_retry_and_a_queue_do_not_wait_for_the_time_that_the_clock_had_shown() {
    let mut house = House::new(&[job(
        "a",
        "*/10 * * * *",
        "catchup: none, retry: { initial_delay: 2m, into_next_tick: true }, deadline: 1h",
    )]);
    house.run_until("00:01");
    house
        .remote
        .answer("a", [Reply::throttled(None), Reply::success()]);
    live_in_the_future(&mut house, 9, |house| {
        assert_eq!(house.tally().get("waiting/retry"), Some(&1));
    });
    house.run_until("00:30");
    assert_eq!(house.tally().get("waiting/retry"), None);
    assert_eq!(
        of_2026(&house, "a")[1..],
        ["00:20 schedule success", "00:30 schedule success"]
    );
}

#[test]
fn what_was_changed_and_paused_while_the_clock_was_ahead_holds_from_the_correction_on() {
    let jobs = |minutes: &str| {
        [
            job("a", minutes, "catchup: none"),
            job("b", "*/10 * * * *", "catchup: none"),
            job("c", "*/10 * * * *", "catchup: none"),
        ]
    };
    let selected = |name: &str| Selection::Job(funcron::domain::job::JobName::parse(name).unwrap());
    let pause = |house: &mut House, name: &str| {
        let order = PauseOrder {
            jobs: selected(name),
            reason: None,
            until: None,
        };
        house
            .run(async |engine| engine.command(Command::Pause(order), "test").await)
            .unwrap();
    };
    let mut house = House::new(&jobs("*/10 * * * *"));
    house.run_until("00:01");
    pause(&mut house, "c");
    live_in_the_future(&mut house, 5, |house| {
        house.reload(&jobs("5 * * * *"));
        pause(house, "b");
        let resume = Command::Resume(ResumeOrder {
            jobs: selected("c"),
            reason: None,
        });
        house
            .run(async |engine| engine.command(resume, "test").await)
            .unwrap();
    });
    house.run_until("01:10");
    assert_eq!(of_2026(&house, "a"), ["01:05 schedule success"]);
    let of_b = of_2026(&house, "b");
    assert!(
        of_b.iter().all(|run| run.ends_with("skipped/paused")),
        "{of_b:?}"
    );
    let of_c = of_2026(&house, "c");
    assert_eq!(of_c.len(), 7);
    assert!(of_c.iter().all(|run| run.ends_with("success")), "{of_c:?}");
}
