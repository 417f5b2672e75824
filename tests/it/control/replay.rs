//! Sending a recorded request again.

use funcron::engine::{Command, CommandError, Reply};

use super::{newest, order};
use crate::support::house::{House, job};

const PROD: &str = "prod: { base_url: \"$REMOTE\", api_key: { file: key-1 } }";

fn replay(house: &mut House, job: &str) -> Result<Reply, CommandError> {
    let run = newest(house, job);
    order(house, Command::Replay(run))
}

/// A job whose request names neither its run nor its attempt, which a replay repeats by design.
fn plain(kwargs: &str, more: &str) -> String {
    format!(
        "  - {{ name: a, func_id: test__it.a, schedule: \"1 0 * * *\", kwargs: {kwargs}{more} }}\n"
    )
}

fn requests(house: &House) -> Vec<String> {
    house.texts("SELECT request FROM attempts ORDER BY id")
}

#[test]
fn the_request_is_the_recorded_one_though_the_job_has_changed_and_the_daemon_died() {
    let mut house = House::with_secrets(
        PROD,
        &[plain(
            r#"{ z: 1, at: "{{ run_id }}", odd: "{{ '{{ job }}' }}", f: 1.0 }"#,
            ", secret_kwargs: { token: { file: token } }, return_type: raw",
        )],
        &[("token", "hunter22hunter22")],
    );
    house.run_until("00:02");
    house.reload(&[plain(
        "{ z: 2 }",
        ", secret_kwargs: { token: { file: token } }",
    )]);
    replay(&mut house, "a").unwrap();
    house.crash();
    house.open();
    house.run_until("00:03");
    let sent = requests(&house);
    assert_eq!(sent.len(), 2);
    assert_eq!(sent[0], sent[1]);
    assert!(sent[0].contains("***") && sent[0].contains("{{ job }}"));
    assert_eq!(
        house.runs("a"),
        ["00:01:00 success", "00:02:00 replay success"]
    );
    let linked = house.texts("SELECT s.trigger FROM runs r JOIN runs s ON s.id = r.replay_of");
    assert_eq!(linked, ["schedule"]);
    let calls = house.remote.calls();
    assert_eq!(calls[0].body, calls[1].body);
    assert!(calls[1].body.contains("hunter22hunter22"));
    house.remote.forget_calls();
}

#[test]
fn a_secret_that_the_job_no_longer_has_and_a_request_cut_off_are_refused() {
    let mut house = House::with_secrets(
        PROD,
        &[plain(
            "{ a: 1 }",
            ", secret_kwargs: { token: { file: token } }",
        )],
        &[("token", "hunter22hunter22")],
    );
    house.run_until("00:02");
    house.reload(&[plain("{ a: 1 }", "")]);
    match replay(&mut house, "a") {
        Err(CommandError::Refused(what)) => assert!(what.contains("token"), "{what}"),
        other => panic!("{other:?}"),
    }
    house
        .connect()
        .execute("UPDATE attempts SET request = substr(request, 1, 20)");
    match replay(&mut house, "a") {
        Err(CommandError::Refused(what)) => assert!(what.contains("first 20"), "{what}"),
        other => panic!("{other:?}"),
    }
    house.remote.forget_calls();
}

#[test]
fn a_run_that_sent_nothing_cannot_be_replayed() {
    let mut house = House::new(&[job("a", "* * * * *", "")]);
    super::pause_job(&mut house, "a");
    house.run_until("00:01");
    match replay(&mut house, "a") {
        Err(CommandError::Refused(what)) => assert!(what.contains("skipped/paused"), "{what}"),
        other => panic!("{other:?}"),
    }
}
