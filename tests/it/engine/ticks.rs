//! A tick fires once, in order, and nothing happens twice: not by stepping again, not by starting
//! again between any two steps.

use std::time::Duration;

use funcron::engine::Driver;
use tokio_util::sync::CancellationToken;

use crate::support::house::{House, at, job};
use crate::support::remote::Reply;

#[test]
fn ticks_fire_once_and_in_order() {
    let mut house = House::new(&[job("a", "* * * * *", ""), job("b", "*/2 * * * *", "")]);
    house.run_until("00:04");
    assert_eq!(
        house.runs("a"),
        [
            "00:01:00 success",
            "00:02:00 success",
            "00:03:00 success",
            "00:04:00 success"
        ]
    );
    assert_eq!(house.runs("b"), ["00:02:00 success", "00:04:00 success"]);
    let calls = house.remote.calls();
    let of_a: Vec<_> = calls
        .iter()
        .filter(|call| call.func == "a")
        .map(|call| call.at)
        .collect();
    assert_eq!(of_a, [at("00:01"), at("00:02"), at("00:03"), at("00:04")]);
}

#[test]
fn a_second_step_at_the_same_instant_changes_nothing() {
    let jobs: Vec<_> = (0..40)
        .map(|n| job(&format!("j{n:02}"), "* * * * *", ""))
        .collect();
    let mut house = House::new(&jobs);
    for instant in ["00:01", "00:01:30", "00:02"] {
        house.run_until(instant);
        let before = (house.story(), house.remote.calls().len());
        let first = house.quiesce();
        let second = house.quiesce();
        assert_eq!(first, second);
        assert_eq!((house.story(), house.remote.calls().len()), before);
    }
}

#[test]
fn the_next_step_is_wanted_at_the_next_tick_and_not_before() {
    let mut house = House::new(&[job("a", "*/5 * * * *", "")]);
    assert_eq!(house.quiesce().wake, Some(at("00:05")));
    house.run_until("00:05");
    assert_eq!(house.quiesce().wake, Some(at("00:10")));
    let steps = house.steps;
    house.run_until("01:00");
    assert!(
        house.steps - steps <= 4 * 11,
        "{} steps for 11 ticks",
        house.steps - steps
    );
}

/// Thirteen minutes in which about everything happens, and all that the ledger knows of them.
fn eventful_life(restless: bool) -> (Vec<String>, usize) {
    let two_keys = "prod: { base_url: \"$REMOTE\", \
        api_keys: [{ file: key-1 }, { file: key-2 }], \
        quota: { per_key: 3/min, per_workspace: 4/min } }";
    let mut jobs = vec![
        job("busy", "* * * * *", ""),
        job("often", "@every 30s", "retry: { into_next_tick: true }"),
        job("crowd-a", "*/2 * * * *", ""),
        job("crowd-b", "*/2 * * * *", "start_deadline: 45s"),
        job("crowd-c", "*/2 * * * *", "idempotent: true"),
        job("rare", "*/3 * * * *", "retry: { initial_delay: 50s }"),
    ];
    let mut house = House::restless(two_keys, &jobs, restless);
    let slow = |seconds| Reply::throttled(Some(seconds));
    let well = Reply::success;
    let broken = Reply::refused(500, "ft.InternalError");
    let scripts = [
        ("busy", vec![well(), slow(70), well()]),
        ("often", vec![slow(40), well(), slow(40), well()]),
        ("crowd-c", vec![broken, well(), Reply::Gone]),
        (
            "rare",
            vec![Reply::throttled(None), Reply::failed("EFuncFailed"), well()],
        ),
    ];
    for (func, replies) in scripts {
        house.remote.answer(func, replies);
    }
    house.run_until("00:06:10");
    jobs[0] = job("busy", "*/2 * * * *", "");
    jobs[2] = job("new", "* * * * *", "");
    house.reload(&jobs);
    house.run_until("00:13");
    (house.story(), house.restarts)
}

/// Invariant 3 of the architecture: nothing that decides anything lives in memory alone.
#[test]
fn a_restart_between_any_two_steps_makes_no_difference() {
    let (steady, none) = eventful_life(false);
    let (restless, many) = eventful_life(true);
    assert!(none == 0 && many > 50, "{many} restarts");
    assert_eq!(steady, restless);
    let seen = steady.join("\n");
    for words in [
        "skipped overlap",
        "skipped disabled",
        "missed deadline",
        "failed next_tick",
        "failed func_failed",
        "unknown no_reply",
        "throttled",
    ] {
        assert!(seen.contains(words), "nothing is `{words}` in\n{seen}");
    }
}

#[test]
fn the_driver_steps_when_the_clock_gets_there_and_returns_when_it_is_poked() {
    let mut house =
        House::new(&[1, 2, 3].map(|n| job(&format!("j{n}"), &format!("{n} 0 * * *"), "")));
    let (clock, remote) = (house.clock.clone(), house.remote.clone());
    let mut arrived = remote.watch();
    house.run(async move |engine| {
        let (driver, stop) = (Driver::default(), CancellationToken::new());
        let poke = driver.poke.clone();
        let mut steps = 0;
        let meanwhile = async {
            for minutes in 1..=3 {
                clock.advance(Duration::from_secs(60));
                while remote.calls().len() < minutes {
                    arrived.changed().await.unwrap();
                }
            }
            poke.poke();
        };
        tokio::join!(driver.drive(engine, &stop, |_| steps += 1), meanwhile);
        assert!((4..20).contains(&steps), "{steps} steps for three calls");
        poke.poke();
        driver.drive(engine, &stop, |_| steps += 1).await;
        stop.cancel();
        driver
            .drive(engine, &stop, |_| panic!("it was told to stop"))
            .await;
    });
    house.run_until("00:03:05");
    assert_eq!(house.tally()["success"], 3);
}
