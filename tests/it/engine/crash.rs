//! SIGKILL at every point of a run's way: what the next daemon makes of the ledger it finds.

use std::time::Duration;

use tokio::net::TcpSocket;

use crate::support::house::{House, job};
use crate::support::remote::Reply;

const SENT_OR_NOT: [(&str, &str, usize); 2] = [
    ("", "00:01:00 unknown/daemon_died", 0),
    ("idempotent: true", "00:01:00 success", 1),
];

#[test]
fn after_the_planning_the_run_is_made() {
    let place =
        "prod: { base_url: \"$REMOTE\", api_key: { file: key-1 }, max_in_flight: 1, quota: none }";
    let mut house = House::with(
        place,
        &[job("a", "* * * * *", ""), job("b", "* * * * *", "")],
    );
    house.remote.answer("a", [Reply::Held]);
    house.quiesce();
    house.advance_to("00:01");
    house.step();
    house.until("the call of a is made", |remote| remote.held() == 1);
    house.crash();
    assert_eq!(house.runs("b"), ["00:01:00 waiting/in_flight"]);
    assert_eq!(house.attempts("b"), [""; 0]);
    house.open();
    house.run_until("00:01:05");
    assert_eq!(house.runs("b"), ["00:01:00 success"]);
    let calls = house.remote.calls();
    assert_eq!(calls.iter().filter(|call| call.func == "b").count(), 1);
}

/// A listener whose queue is full: a connection to it neither opens nor fails.
struct Wall {
    address: String,
    _kept: Vec<std::net::TcpStream>,
    _listener: tokio::net::TcpListener,
}

impl Wall {
    async fn build() -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let listener = socket.listen(1).unwrap();
        let address = listener.local_addr().unwrap();
        let mut kept = Vec::new();
        let moment = Duration::from_millis(200);
        while let Ok(stream) = std::net::TcpStream::connect_timeout(&address, moment) {
            kept.push(stream);
        }
        Self {
            address: address.to_string(),
            _kept: kept,
            _listener: listener,
        }
    }
}

#[tokio::test]
async fn with_the_attempt_open_and_nothing_sent_nobody_can_tell() {
    let wall = Wall::build().await;
    tokio::task::spawn_blocking(move || {
        for (more, end, calls) in SENT_OR_NOT {
            let beyond = format!(
                "prod: {{ base_url: \"http://{}\", api_key: {{ file: key-1 }} }}",
                wall.address
            );
            let mut house = House::with(&beyond, &[job("a", "1 0 * * *", more)]);
            house.quiesce();
            house.advance_to("00:01");
            house.step();
            house.until_recorded("SELECT count(*) FROM attempts");
            house.crash();
            assert_eq!(house.attempts("a"), ["00:01:00 1 open"]);
            house.move_to("prod: { base_url: \"$REMOTE\", api_key: { file: key-1 } }");
            house.rewrite(&[job("a", "1 0 * * *", more)]);
            house.open();
            house.run_until("00:01:30");
            assert_eq!(house.runs("a"), [end]);
            assert_eq!(house.remote.calls().len(), calls);
        }
    })
    .await
    .unwrap();
}

#[test]
fn with_the_request_sent_the_outcome_is_unknown_and_repeated_only_by_permission() {
    for (more, end, again) in SENT_OR_NOT {
        let mut house = House::new(&[job("a", "1 0 * * *", more)]);
        house.remote.answer("a", [Reply::Held, Reply::success()]);
        house.run_until("00:01");
        assert_eq!(house.remote.held(), 1);
        house.crash();
        house.open();
        house.run_until("00:02");
        assert_eq!(house.runs("a"), [end]);
        assert_eq!(house.attempts("a")[0], "00:01:00 1 unknown");
        assert_eq!(house.remote.calls().len(), 1 + again);
    }
}

#[test]
fn with_the_reply_there_and_not_recorded_the_outcome_is_unknown() {
    for (more, end, again) in SENT_OR_NOT {
        let mut house = House::new(&[job("a", "1 0 * * *", more)]);
        house.remote.answer("a", [Reply::Held, Reply::success()]);
        house.run_until("00:01");
        house.remote.release("a");
        house.frozen_until("the answer", |remote| remote.answered() == 1);
        house.crash();
        house.open();
        house.run_until("00:02");
        assert_eq!(house.runs("a"), [end]);
        assert_eq!(house.remote.calls().len(), 1 + again);
    }
}

#[test]
fn the_retries_of_a_run_go_on_where_they_were() {
    let retry = "idempotent: true, retry: { max_attempts: 3, initial_delay: 60s, multiplier: 1 }";
    let mut house = House::new(&[job("a", "1 0 * * *", retry)]);
    house
        .remote
        .answer("a", [Reply::refused(500, "ft.InternalError")]);
    for instant in ["00:01", "00:01:30", "00:02", "00:02:30"] {
        house.run_until(instant);
        house.crash();
        house.open();
    }
    house.run_until("00:10");
    assert_eq!(
        house.attempts("a"),
        [
            "00:01:00 1 server_error",
            "00:02:00 2 server_error",
            "00:03:00 3 server_error"
        ]
    );
    assert_eq!(house.runs("a"), ["00:01:00 failed/server_error"]);
}

/// Wherever it is killed: one run a tick, no call without a record (the house sees to that when it
/// falls down), and no call made twice that may not be.
#[test]
fn killed_after_any_number_of_turns_no_tick_is_lost_and_no_call_is_repeated() {
    let mut turns = 1;
    loop {
        let jobs = ["a", "b", "c"].map(|name| job(name, "* * * * *", ""));
        let mut house = House::new(&jobs);
        house
            .remote
            .answer("b", [Reply::throttled(Some(5)), Reply::success()]);
        house.quiesce();
        house.advance_to("00:01");
        let finished = house.crash_within(turns);
        house.open();
        // Killed between row and request, the first call of `b` leaves its refusal to the next tick,
        // whose retry is due five seconds later.
        house.run_until("00:02:30");
        let known = |run: &String| !run.contains("waiting") && !run.contains("running");
        for name in ["a", "b", "c"] {
            let runs = house.runs(name);
            assert_eq!(runs.len(), 2, "after {turns} turns: {runs:?}");
            assert!(runs.iter().all(known), "after {turns} turns: {runs:?}");
            let calls = house.remote.calls();
            let of_first = calls.iter().filter(|call| {
                call.func == name && call.at.as_second() < calls[0].at.as_second() + 60
            });
            let allowed = if name == "b" { 2 } else { 1 };
            assert!(of_first.count() <= allowed, "after {turns} turns");
        }
        if finished {
            break;
        }
        turns += 1 + turns / 2;
    }
    assert!(turns > 20, "the life was over after {turns} turns");
}
