//! SIGKILL within a burst of two hundred calls due at one instant: guarantees G1, G2 and G3.
//!
//! Every round has a ledger and a server of its own, so that each proves by itself what it proves.

use std::time::Duration;

use jiff::{Timestamp, ToSpan, Unit};

use super::kill::{Chance, seed};
use super::{UNLIMITED, every_request_has_its_attempt, marks};
use crate::support::daemon::{Daemon, Folder, eventually};
use funcron::sandbox::{Options, Sandbox};

/// Rounds where `FUNCRON_KILL_ROUNDS` says nothing else.
const ROUNDS: u64 = 20;

/// Jobs due at one instant.
const BURST: u64 = 200;

/// The kill comes at most so long after the request it waits for.
const MICROSECONDS: u64 = 15_000;

fn rounds() -> u64 {
    std::env::var("FUNCRON_KILL_ROUNDS").map_or(ROUNDS, |rounds| {
        rounds.parse().expect("FUNCRON_KILL_ROUNDS is a number")
    })
}

/// None of them may be repeated, and each says in its request whose it is.
fn jobs(due: Timestamp) -> String {
    let kwargs = r#"{ run: "{{ run_id }}", attempt: "{{ attempt }}" }"#;
    let mut text = format!(
        "defaults: {{ workspace: sandbox, func_id: sandbox__ok.echo, kwargs: {kwargs} }}\njobs:\n"
    );
    for n in 0..BURST {
        text.push_str(&format!(
            "  - {{ name: burst-{n}, schedule: \"@at {due}\" }}\n"
        ));
    }
    text
}

/// What a round came to.
struct Seen {
    /// Requests received before the kill.
    before: usize,
    /// Attempts that were under way then.
    cut_off: i64,
}

async fn round(chance: &mut Chance) -> Seen {
    let sandbox = Sandbox::start(Options {
        per_key: None,
        per_workspace: None,
        latency: Duration::from_millis(chance.below(40)),
        ..Options::default()
    })
    .await
    .unwrap();
    let folder = Folder::new();
    // Enough for a start, or else the tick lies before it and is no part of the test.
    let due = (Timestamp::now() + 600.milliseconds())
        .round(
            jiff::TimestampRound::new()
                .smallest(Unit::Second)
                .mode(jiff::RoundMode::Ceil),
        )
        .unwrap();
    folder.configure(
        &sandbox.base_url(),
        &format!("{UNLIMITED}, max_in_flight: {}", 8 + chance.below(200)),
        &jobs(due),
    );
    let daemon = folder.start().await;
    kill_within_the_burst(daemon, &sandbox, chance).await;
    let before = marks(&sandbox).len();
    every_request_has_its_attempt(&folder, &sandbox).await;
    let open = "SELECT count(*) FROM attempts WHERE outcome IS NULL";
    let cut_off = folder.count(open).await;

    let daemon = folder.start().await;
    let settled = format!(
        "SELECT count(*) FROM runs WHERE state NOT IN ('waiting', 'running') HAVING count(*) = {BURST}"
    );
    folder.until::<(i64,)>(&settled).await;
    daemon.kill();
    every_request_has_its_attempt(&folder, &sandbox).await;
    every_tick_ended(&folder, cut_off).await;
    folder.audit();
    Seen { before, cut_off }
}

async fn kill_within_the_burst(daemon: Daemon, sandbox: &Sandbox, chance: &mut Chance) {
    let more = chance.below(BURST);
    eventually("the burst begins", async || {
        (sandbox.counters().requests >= more).then_some(())
    })
    .await;
    tokio::time::sleep(Duration::from_micros(chance.below(MICROSECONDS))).await;
    daemon.kill();
}

/// Each job has one run of one attempt: a success, or a call of which nobody knows what it came to.
async fn every_tick_ended(folder: &Folder, cut_off: i64) {
    let one_each = "SELECT count(DISTINCT job) FROM runs WHERE attempts = 1";
    assert_eq!(folder.count(one_each).await, BURST as i64);
    let ends: Vec<(String, String, i64)> = folder
        .rows("SELECT state, coalesce(reason, ''), count(*) FROM runs GROUP BY 1, 2 ORDER BY 1")
        .await;
    let mut expected = vec![("success".to_owned(), String::new(), BURST as i64 - cut_off)];
    expected.push(("unknown".to_owned(), "daemon_died".to_owned(), cut_off));
    expected.retain(|(.., count)| *count > 0);
    assert_eq!(ends, expected);
}

/// Every other round, each by a seed of its own: two at once, since they wait for their tick most of
/// the time.
async fn lane(seed: u64, numbers: impl Iterator<Item = u64>) -> Vec<Seen> {
    let mut seen = Vec::new();
    for number in numbers {
        println!("round {number}");
        seen.push(round(&mut Chance(seed.wrapping_add(number))).await);
    }
    seen
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_daemon_killed_within_a_burst_of_two_hundred_records_each_call_and_repeats_none() {
    let (seed, rounds) = (seed(), rounds());
    println!("KILL_SEED={seed} FUNCRON_KILL_ROUNDS={rounds}");
    let (mut seen, others) = tokio::join!(
        lane(seed, (0..rounds).step_by(2)),
        lane(seed, (1..rounds).step_by(2))
    );
    seen.extend(others);
    let within = seen
        .iter()
        .filter(|seen| (1..BURST as usize).contains(&seen.before))
        .count();
    let cut_off: i64 = seen.iter().map(|seen| seen.cut_off).sum();
    println!("{within} of {rounds} kills came within the burst; {cut_off} calls were cut off");
    assert!(within > 0, "every kill came too late to show anything");
    assert!(cut_off > 0, "no kill met a call");
}
