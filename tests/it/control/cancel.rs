//! Ending a run by hand, and what a person finds out about an unknown one.

use funcron::domain::outcome::Outcome;
use funcron::domain::run::{Reason, RunState};
use funcron::engine::{Cancelled, Command, CommandError, Reply};

use super::{events, newest, order, trigger};
use crate::support::house::{House, KEYS, job};
use crate::support::remote::Reply as Remote;

pub(crate) fn cancel(house: &mut House, job: &str) -> Cancelled {
    let run = newest(house, job);
    match order(house, Command::Cancel(run)) {
        Ok(Reply::Cancelled(how)) => how,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_run_that_waits_is_cancelled_and_one_with_an_attempt_ends_by_it() {
    let mut house = House::with(
        "prod: { base_url: \"$REMOTE\", api_key: { file: key-1 }, max_in_flight: 1 }",
        &[job("a", "1 0 * * *", ""), job("b", "@manual", "")],
    );
    house.remote.answer("a", [Remote::throttled(Some(60))]);
    house.run_until("00:01");
    house.remote.answer("b", [Remote::Held]);
    trigger(&mut house, "b");
    house.quiesce();
    trigger(&mut house, "b");
    house.quiesce();
    assert_eq!(
        cancel(&mut house, "b"),
        Cancelled::Ended(RunState::Cancelled, Reason::Operator)
    );
    assert_eq!(
        cancel(&mut house, "a"),
        Cancelled::Ended(RunState::Failed, Reason::Outcome(Outcome::Throttled))
    );
    house.remote.release("b");
    house.run_until("00:10");
    assert_eq!(house.runs("a"), ["00:01:00 failed/throttled"]);
    assert_eq!(
        house.runs("b"),
        [
            "00:01:00 manual success",
            "00:01:00 manual cancelled/operator"
        ]
    );
    let over = newest(&house, "a");
    let refused = order(&mut house, Command::Cancel(over));
    assert!(matches!(refused, Err(CommandError::Refused(_))));
}

#[test]
fn a_call_under_way_is_given_up_and_not_made_again_though_it_might_be() {
    let mut house = House::new(&[job("a", "1 0 * * *", "idempotent: true")]);
    house.remote.answer("a", [Remote::Held]);
    house.run_until("00:01");
    assert_eq!(cancel(&mut house, "a"), Cancelled::GivenUp);
    house.settle();
    house.run_until("00:10");
    assert_eq!(house.runs("a"), ["00:01:00 unknown/operator"]);
    assert_eq!(house.attempts("a").len(), 1);
    assert_eq!(events(&house, "cancel"), [r#"a test a {"was":"running"}"#]);
}

#[test]
fn a_call_that_was_to_be_given_up_when_the_daemon_died_is_not_made_again() {
    let mut house = House::new(&[job("a", "1 0 * * *", "idempotent: true")]);
    house.remote.answer("a", [Remote::Held]);
    house.run_until("00:01");
    cancel(&mut house, "a");
    house.crash();
    house.open();
    house.run_until("00:10");
    assert_eq!(house.runs("a"), ["00:01:00 unknown/operator"]);
    assert_eq!(house.attempts("a").len(), 1);
}

#[test]
fn what_a_person_finds_out_stands_beside_the_state_and_without_a_secret() {
    let mut house = House::new(&[job("a", "1 0 * * *", ""), job("b", "1 0 * * *", "")]);
    house.remote.answer("a", [Remote::Gone]);
    house.run_until("00:02");
    let resolve = |run| Command::Resolve {
        run,
        succeeded: true,
        note: format!("the report is there, and {} works", KEYS[0]),
    };
    let (a, b) = (newest(&house, "a"), newest(&house, "b"));
    assert_eq!(order(&mut house, resolve(a)).unwrap(), Reply::Resolved);
    let refused = order(&mut house, resolve(b));
    assert!(matches!(refused, Err(CommandError::Refused(_))));
    assert_eq!(house.runs("a"), ["00:01:00 unknown/no_reply"]);
    assert_eq!(
        events(&house, "resolve"),
        [r#"a test a {"as":"success","note":"the report is there, and *** works"}"#]
    );
}
