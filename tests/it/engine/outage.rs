//! The ledger cannot be written: nothing is sent, everything is accounted for, and it heals by
//! itself.
//!
//! Most outages here are triggers that refuse a statement: they fail at once, where a lock would
//! take SQLite's five seconds.

use funcron::store::StoreErrorKind;

use crate::support::house::{House, at, job};

const NO_ATTEMPTS: &str =
    "CREATE TRIGGER outage BEFORE INSERT ON attempts BEGIN SELECT RAISE(ABORT, 'an outage'); END";
const NO_PLANS: &str =
    "CREATE TRIGGER outage BEFORE UPDATE ON planner BEGIN SELECT RAISE(ABORT, 'an outage'); END";
const OVER: &str = "DROP TRIGGER outage";

/// As the driver: a second's pause after an error. Answers the errors.
fn endure_until(house: &mut House, instant: &str) -> usize {
    let mut errors = 0;
    while house.clock.now() < at(instant) {
        match house.try_step() {
            Ok(step) if step.in_flight > 0 => house.settle(),
            Ok(step) => {
                let wake = step.wake.unwrap_or(at(instant)).min(at(instant));
                let by = wake.duration_since(house.clock.now());
                house
                    .clock
                    .advance(by.try_into().expect("no step is wanted in the past"));
            }
            Err(_) => {
                errors += 1;
                house.clock.advance(std::time::Duration::from_secs(1));
            }
        }
        assert!(house.steps < 1_000, "a hot loop");
    }
    errors
}

#[test]
fn ticks_of_an_outage_are_accounted_for_afterwards() {
    let mut house = House::new(&[
        job("a", "* * * * *", "catchup: none"),
        job("b", "* * * * *", ""),
    ]);
    house.run_until("00:01");
    house.connect().execute(NO_PLANS);
    let errors = endure_until(&mut house, "00:05:05");
    assert!(errors > 100, "{errors}");
    assert_eq!(house.remote.calls().len(), 2);
    house.connect().execute(OVER);
    house.run_until("00:06");
    let lost = [
        "00:02:00 missed/ledger_unavailable",
        "00:03:00 missed/ledger_unavailable",
        "00:04:00 missed/ledger_unavailable",
    ];
    assert_eq!(house.runs("a")[1..4], lost);
    assert_eq!(
        house.runs("a")[4..],
        ["00:05:00 success", "00:06:00 success"],
        "five seconds late is live"
    );
    assert_eq!(house.runs("b")[3], "00:04:00 catchup success");
}

/// The one that takes SQLite's busy timeout: somebody else holds the ledger.
#[test]
fn while_somebody_else_holds_the_ledger_nothing_is_sent_and_afterwards_everything_is() {
    let mut house = House::new(&[job("a", "1 0 * * *", "")]);
    house.quiesce();
    house.advance_to("00:01");
    let mut elsewhere = house.connect();
    elsewhere.execute("BEGIN IMMEDIATE");
    let error = house.try_step().unwrap_err();
    assert_eq!(*error.kind(), StoreErrorKind::Busy, "{error}");
    house.settle();
    let calls = house.remote.calls().len();
    assert_eq!(calls, 0, "the attempt could not be recorded");
    elsewhere.execute("COMMIT");
    house.run_until("00:01:05");
    assert_eq!(house.runs("a"), ["00:01:00 success"]);
    assert_eq!(house.remote.calls().len(), 1);
}

#[test]
fn every_part_of_a_backlog_names_the_outage_as_its_cause() {
    let jobs: Vec<_> = (0..300)
        .map(|n| {
            job(
                &format!("j{n:03}"),
                "@every 1s",
                "catchup: none, start_deadline: 1h",
            )
        })
        .collect();
    let place =
        "prod: { base_url: \"$REMOTE\", api_key: { file: key-1 }, quota: { per_key: 1/min } }";
    let mut house = House::with(place, &jobs);
    house.quiesce();
    house.connect().execute(NO_PLANS);
    house.advance_to("00:00:31");
    assert!(house.try_step().is_err());
    house.settle();
    house.connect().execute(OVER);
    house.quiesce();
    let reasons = house.texts("SELECT DISTINCT reason FROM runs WHERE state = 'missed'");
    assert_eq!(reasons, ["ledger_unavailable"]);
    assert_eq!(house.tally()["missed/ledger_unavailable"], 300 * 20);
}

#[test]
fn an_attempt_that_cannot_be_recorded_is_not_made_and_not_tried_in_a_hot_loop() {
    let mut house = House::new(&[job("a", "1 0 * * *", "")]);
    house.quiesce();
    house.connect().execute(NO_ATTEMPTS);
    let steps = house.steps;
    endure_until(&mut house, "00:01:10");
    let steps = house.steps - steps;
    assert!(steps < 60, "{steps} steps in ten seconds");
    assert_eq!(house.remote.calls().len(), 0);
    assert_eq!(house.runs("a"), ["00:01:00 waiting/in_flight"]);
    house.connect().execute(OVER);
    house.run_until("00:01:15");
    assert_eq!(house.runs("a"), ["00:01:00 success"]);
}

/// What the engine holds mirrors rows; where the two differ, the ledger has the last word and the
/// scheduling goes on.
#[test]
fn a_run_that_ended_behind_the_engines_back_is_let_go() {
    let place =
        "prod: { base_url: \"$REMOTE\", api_key: { file: key-1 }, quota: { per_key: 1/min } }";
    let mut house = House::with(
        place,
        &[
            job("a", "1 0 * * *", ""),
            job("b", "1 0 * * *", "start_deadline: 30s"),
            job("c", "1 0 * * *", ""),
        ],
    );
    house.run_until("00:01:10");
    let ended = "UPDATE runs SET state = 'cancelled', reason = 'operator', finished_us = due_us WHERE job <> 'a'";
    house.connect().execute(ended);
    house.run_until("00:03");
    assert_eq!(house.runs("b"), ["00:01:00 cancelled/operator"]);
    assert_eq!(house.runs("c"), ["00:01:00 cancelled/operator"]);
    assert_eq!(house.remote.calls().len(), 1);
    assert_eq!(house.quiesce().waiting, 0);
}

/// A success whose tick no clock can show: reading it fails, and nothing else does.
const UNREADABLE: &str = "INSERT INTO runs (id, job, trigger, scheduled_us, due_us, state, definition_hash, workspace, func_id, created_us, opened_us, finished_us, attempts, counted) \
    VALUES ('00000000-0000-0000-0000-000000000000', 'a', 'manual', -400000000000000000, 0, 'success', '', 'prod', '', 0, 0, 0, 1, 1)";

#[test]
fn a_run_whose_templates_need_what_cannot_be_read_is_tried_again() {
    let since = "kwargs: { run: \"{{ run_id }}\", attempt: \"{{ attempt }}\", since: \"{{ previous_success_at }}\" }";
    let asks = job("a", "1 0 * * *", "").replace(
        "kwargs: { run: \"{{ run_id }}\", attempt: \"{{ attempt }}\" }",
        since,
    );
    let mut house = House::new(&[asks]);
    house.quiesce();
    house.connect().execute(UNREADABLE);
    endure_until(&mut house, "00:01:05");
    assert_eq!(house.runs("a")[1..], ["00:01:00 waiting/in_flight"]);
    let delete = "DELETE FROM runs WHERE trigger = 'manual'";
    house.connect().execute(delete);
    house.run_until("00:01:10");
    assert_eq!(house.runs("a"), ["00:01:00 success"]);
}
