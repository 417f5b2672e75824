//! Starts by hand.

use funcron::domain::json::Json;
use funcron::engine::{Command, CommandError, TriggerOrder};

use super::{events, name, order, pause_job, trigger};
use crate::support::house::{House, job};
use crate::support::remote::Reply as Remote;

fn with(house: &mut House, kwarg: &str, value: Json) -> Result<(), CommandError> {
    let command = Command::Trigger(TriggerOrder {
        job: name("a"),
        kwargs: vec![(kwarg.to_owned(), value)],
    });
    order(house, command).map(drop)
}

#[test]
fn a_job_starts_at_the_instant_of_the_request_beside_its_ticks() {
    let mut house = House::new(&[job("a", "* * * * *", "")]);
    house.remote.answer("a", [Remote::Held]);
    house.run_until("00:01");
    house.advance_to("00:01:10");
    let started = trigger(&mut house, "a");
    assert!(started.is_enabled && !started.is_paused);
    house.quiesce();
    assert_eq!(
        house.runs("a"),
        ["00:01:00 running", "00:01:10 manual running"]
    );
    house.remote.release("a");
    house.quiesce();
    assert_eq!(
        house.runs("a"),
        ["00:01:00 success", "00:01:10 manual success"]
    );
    assert_eq!(events(&house, "trigger"), [r#"a test a {"kwargs":[]}"#]);
}

#[test]
fn a_disabled_and_a_paused_job_start_too_and_say_so() {
    let mut house = House::new(&[
        job("a", "* * * * *", "enabled: false"),
        job("b", "* * * * *", ""),
    ]);
    pause_job(&mut house, "b");
    assert!(!trigger(&mut house, "a").is_enabled);
    assert!(trigger(&mut house, "b").is_paused);
    house.restart();
    house.run_until("00:01");
    assert_eq!(house.runs("a"), ["00:00:00 manual success"]);
    assert_eq!(
        house.runs("b"),
        ["00:00:00 manual success", "00:01:00 skipped/paused"]
    );
}

#[test]
fn it_obeys_the_quota_and_has_no_start_deadline() {
    let place =
        "prod: { base_url: \"$REMOTE\", api_key: { file: key-1 }, quota: { per_key: 1/min } }";
    let mut house = House::with(place, &[job("a", "0 5 * * *", "start_deadline: 1s")]);
    for _ in 0..3 {
        trigger(&mut house, "a");
    }
    house.run_until("00:05");
    assert_eq!(house.runs("a"), ["00:00:00 manual success"; 3]);
    assert_eq!(house.most_in_a_minute(None), 1);
}

#[test]
fn arguments_go_over_the_jobs_own_and_survive_a_crash() {
    let mut house = House::new(&[job("a", "@manual", "")]);
    with(&mut house, "extra", Json::String("at {{ job }}".to_owned())).unwrap();
    house.crash();
    house.open();
    house.quiesce();
    let requests = house.texts("SELECT request FROM attempts");
    assert!(requests[0].contains(r#""extra":"at a""#), "{requests:?}");
    assert!(requests[0].contains(r#""attempt":1"#), "{requests:?}");
    assert_eq!(
        house.texts("SELECT kwargs FROM runs"),
        [r#"{"extra":"at {{ job }}"}"#]
    );
}

#[test]
fn an_argument_that_holds_a_secret_starts_nothing() {
    let secret = "secret_kwargs: { token: { file: token } }";
    let mut house = House::with_secrets(
        "prod: { base_url: \"$REMOTE\", api_key: { file: key-1 } }",
        &[job("a", "@manual", secret)],
        &[("token", "hunter22hunter22")],
    );
    let copied = Json::String("my hunter22hunter22".to_owned());
    for (kwarg, value) in [("token", Json::Null), ("copy", copied)] {
        let refused = with(&mut house, kwarg, value);
        assert!(matches!(refused, Err(CommandError::Invalid(_))), "{kwarg}");
    }
    let broken = Json::String("{{ nonsense }}".to_owned());
    let refused = with(&mut house, "x", broken);
    assert!(matches!(refused, Err(CommandError::Invalid(_))));
    house.quiesce();
    assert!(house.runs("a").is_empty());
}
