//! What falls due is written a moment before, in a transaction that is kept open until then: nothing of it
//! is durable or sent before its instant, and nothing is left of it where something comes between.

use std::future::pending;
use std::path::{Path, PathBuf};
use std::time::Duration;

use funcron::engine::Driver;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions, Connection};
use tokio_util::sync::CancellationToken;

use crate::support::house::{House, at, job};
use crate::support::remote::Reply;

const PLACE: &str =
    "prod: { base_url: \"$REMOTE\", api_key: { file: key-1 }, max_in_flight: 16, quota: none }";

/// Their lead is 6.5 ms long.
const JOBS: usize = 30;

const A_MOMENT: Duration = Duration::from_millis(4);

/// Thirty jobs of which each is due at 00:01 and then every hour, four milliseconds before.
fn a_house_a_moment_before() -> House {
    let jobs: Vec<_> = (0..JOBS)
        .map(|n| job(&format!("j{n:02}"), "1 * * * *", ""))
        .collect();
    let mut house = House::with(PLACE, &jobs);
    house.quiesce();
    house.advance_to("2026-05-01T00:00:59.996Z");
    house
}

async fn connect(ledger: &Path) -> SqliteConnection {
    let options = SqliteConnectOptions::new().filename(ledger);
    options
        .busy_timeout(Duration::ZERO)
        .connect()
        .await
        .unwrap()
}

/// Until somebody has a transaction open on the ledger.
async fn until_written(ledger: PathBuf) {
    let mut other = connect(&ledger).await;
    while sqlx::query("BEGIN IMMEDIATE")
        .execute(&mut other)
        .await
        .is_ok()
    {
        sqlx::query("ROLLBACK").execute(&mut other).await.unwrap();
        tokio::task::yield_now().await;
    }
    other.close().await.unwrap();
}

async fn runs(ledger: &Path) -> i64 {
    let mut other = connect(ledger).await;
    let runs = sqlx::query_scalar("SELECT count(*) FROM runs");
    runs.fetch_one(&mut other).await.unwrap()
}

#[test]
fn what_is_due_is_written_before_its_instant_and_durable_and_sent_at_it() {
    let mut house = a_house_a_moment_before();
    let (clock, remote, ledger) = (
        house.clock.clone(),
        house.remote.clone(),
        house.ledger_path(),
    );
    house.run(async move |engine| {
        let the_instant = async {
            until_written(ledger.clone()).await;
            assert_eq!(runs(&ledger).await, 0);
            assert_eq!(remote.calls().len(), 0);
            clock.advance(A_MOMENT);
        };
        let (came, ()) = tokio::join!(engine.take_lead(pending()), the_instant);
        assert!(came);
    });
    // No step was taken, so what is called was opened before.
    house.until("as many calls as may be at once", |remote| {
        remote.calls().len() == 16
    });
    let calls = house.remote.calls();
    assert!(calls.iter().all(|call| call.at >= at("00:01")));
    let opened = "SELECT DISTINCT CAST(a.opened_us - r.scheduled_us AS TEXT) FROM attempts a JOIN runs r ON r.id = a.run_id";
    assert_eq!(house.texts(opened), ["0"]);
    house.run_until("00:02");
    assert_eq!(house.tally()["success"], JOBS);
}

#[test]
fn where_it_is_interrupted_nothing_is_left_and_the_next_step_plans_the_instant() {
    let mut house = a_house_a_moment_before();
    let interrupted = until_written(house.ledger_path());
    let came = house.run(async move |engine| engine.take_lead(interrupted).await);
    assert!(!came);
    let step = house.quiesce();
    assert_eq!((step.in_flight, step.waiting), (0, 0));
    assert_eq!(house.texts("SELECT id FROM runs"), [""; 0]);
    house.advance_to("00:01");
    // Not a second later either, as after a failure.
    house.quiesce();
    assert_eq!(house.tally()["success"], JOBS);
    assert_eq!(house.remote.calls().len(), JOBS);
}

#[test]
fn who_pokes_or_stops_a_driver_does_not_wait_for_the_instant() {
    for stops in [false, true] {
        let mut house = a_house_a_moment_before();
        let ledger = house.ledger_path();
        house.run(async move |engine| {
            let (driver, stop) = (Driver::default(), CancellationToken::new());
            let meanwhile = async {
                until_written(ledger.clone()).await;
                match stops {
                    true => stop.cancel(),
                    false => driver.poke.poke(),
                }
            };
            let steps = |_: &Result<_, _>| panic!("it was called away before its first step");
            tokio::join!(driver.drive(engine, &stop, steps), meanwhile);
            assert_eq!(runs(&ledger).await, 0);
        });
        house.run_until("00:02");
        assert_eq!(house.tally()["success"], JOBS);
    }
}

#[test]
fn a_crash_before_the_instant_leaves_nothing_in_doubt() {
    let mut house = a_house_a_moment_before();
    let ledger = house.ledger_path();
    house.run(async move |engine| {
        tokio::select! {
            _ = engine.take_lead(pending()) => panic!("the instant has not come"),
            () = until_written(ledger) => {}
        }
    });
    house.crash();
    house.open();
    house.run_until("00:02");
    assert_eq!(house.tally()["success"], JOBS);
    assert_eq!(house.remote.calls().len(), JOBS);
}

#[test]
fn none_is_taken_where_a_job_that_is_due_has_a_run() {
    let jobs = [
        job("slow", "* * * * *", "overlap: skip"),
        job("other", "2 * * * *", ""),
    ];
    let mut house = House::with(PLACE, &jobs);
    house.remote.answer("slow", [Reply::Held, Reply::success()]);
    house.run_until("00:01");
    house.advance_to("2026-05-01T00:01:59.996Z");
    assert!(house.run(async |engine| engine.take_lead(pending()).await));
    // Had the instant been decided already, the tick would have met a run that was under way.
    house.remote.release("slow");
    house.until_recorded("SELECT count(*) FROM runs WHERE state = 'success'");
    house.run_until("00:02");
    assert_eq!(house.runs("slow"), ["00:01:00 success", "00:02:00 success"]);
    assert_eq!(house.runs("other"), ["00:02:00 success"]);
}

#[test]
fn none_is_taken_long_before_nor_twice_nor_where_something_else_falls_due_before() {
    let jobs = [job("only", "1 0 * * *", "")];
    let mut house = House::with(PLACE, &jobs);
    house.quiesce();
    let at_once = |house: &mut House| house.run(async |engine| engine.take_lead(pending()).await);
    house.advance_to("2026-05-01T00:00:59Z");
    assert!(at_once(&mut house));
    house.advance_to("2026-05-01T00:00:59.996Z");
    let interrupted = until_written(house.ledger_path());
    assert!(!house.run(async move |engine| engine.take_lead(interrupted).await));
    assert!(at_once(&mut house));
    house.run_until("00:02");
    assert_eq!(house.runs("only"), ["00:01:00 success"]);

    // A retry comes due a millisecond before the next tick.
    let jobs = [
        job(
            "failing",
            "1 0 * * *",
            "retry: { initial_delay: 59999ms, jitter: 0, on: [func_failed] }",
        ),
        job("next", "2 0 * * *", ""),
    ];
    let mut house = House::with(PLACE, &jobs);
    house
        .remote
        .answer("failing", [Reply::failed("EFuncFailed.TaskFailed")]);
    house.run_until("00:01");
    house.advance_to("2026-05-01T00:01:59.998Z");
    assert!(at_once(&mut house));
    assert_eq!(house.texts("SELECT job FROM runs"), ["failing"]);
    house.run_until("00:02:30");
}

#[test]
fn a_ledger_that_is_gone_when_the_instant_comes_keeps_everything_back() {
    let mut house = a_house_a_moment_before();
    let (clock, ledger) = (house.clock.clone(), house.ledger_path());
    let away = ledger.with_extension("away");
    let moved = away.clone();
    house.run(async move |engine| {
        let the_instant = async {
            until_written(ledger.clone()).await;
            std::fs::rename(&ledger, &moved).unwrap();
            clock.advance(A_MOMENT);
        };
        tokio::join!(engine.take_lead(pending()), the_instant);
    });
    assert!(house.try_step().is_err());
    assert_eq!(house.remote.calls().len(), 0);
    std::fs::rename(&away, house.ledger_path()).unwrap();
    house.clock.advance(Duration::from_secs(2));
    house.run_until("00:02");
    assert_eq!(house.tally()["success"], JOBS);
}
