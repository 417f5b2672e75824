//! SIGKILL at any moment: guarantee G1, and nothing sent twice.

use std::collections::BTreeSet;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::{MARKED, Mark, UNLIMITED, WELL, every_request_has_its_attempt, marks};
use crate::support::daemon::{Daemon, Folder, eventually};
use funcron::sandbox::{Options, Sandbox};

const ROUNDS: u32 = 20;

/// A small generator, good enough for moments (Vigna's splitmix64).
pub(super) struct Chance(pub(super) u64);

impl Chance {
    pub(super) fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % limit
    }
}

/// `KILL_SEED` of the environment, or the time.
pub(super) fn seed() -> u64 {
    match std::env::var("KILL_SEED") {
        Ok(seed) => seed.parse().expect("KILL_SEED is a number"),
        Err(_) => {
            let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
            u64::from(now.subsec_nanos())
        }
    }
}

/// Thirty jobs every second: half of them may be repeated.
fn jobs() -> String {
    let mut text =
        format!("defaults: {{ workspace: sandbox, func_id: sandbox__ok.echo, {MARKED} }}\njobs:\n");
    for n in 0..15 {
        text.push_str(&format!(
            "  - {{ name: once-{n}, schedule: \"* * * * * *\" }}\n  - {{ name: again-{n}, schedule: \"* * * * * *\", idempotent: true, retry: {{ into_next_tick: true, initial_delay: 100ms }} }}\n"
        ));
    }
    text
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_request_is_without_its_row_and_none_is_sent_twice_however_often_the_daemon_is_killed() {
    let seed = seed();
    println!("KILL_SEED={seed}");
    let mut chance = Chance(seed);
    let sandbox = Sandbox::start(Options {
        per_key: None,
        per_workspace: None,
        // Calls are under way for a good part of each second.
        latency: Duration::from_millis(60),
        ..Options::default()
    })
    .await
    .unwrap();
    let folder = Folder::new();
    folder.configure(&sandbox.base_url(), UNLIMITED, &jobs());
    let mut died: BTreeSet<Mark> = BTreeSet::new();
    for round in 0..ROUNDS {
        kill_at_some_moment(&folder, &sandbox, &mut chance, round).await;
        every_request_has_its_attempt(&folder, &sandbox).await;
        let open: Vec<Mark> = folder
            .rows("SELECT run_id, attempt FROM attempts WHERE outcome IS NULL")
            .await;
        died.extend(open);
    }
    let daemon = folder.start().await;
    let settled = "SELECT 1 WHERE NOT EXISTS (SELECT 1 FROM runs WHERE state = 'waiting' AND reason = 'retry') \
                   AND NOT EXISTS (SELECT 1 FROM gaps)";
    folder.until::<(i64,)>(settled).await;
    daemon.stop().await;

    every_request_has_its_attempt(&folder, &sandbox).await;
    let said_so: BTreeSet<Mark> = folder
        .rows("SELECT run_id, attempt FROM attempts WHERE unknown_reason = 'daemon_died'")
        .await
        .into_iter()
        .collect();
    assert_eq!(said_so, died, "seed {seed}");
    let otherwise = folder
        .count(&format!(
            "SELECT count(*) FROM attempts WHERE NOT {WELL} AND unknown_reason IS NOT 'daemon_died'"
        ))
        .await;
    assert_eq!(otherwise, 0, "seed {seed}");
    println!(
        "{} requests, {} calls under way when it was killed",
        marks(&sandbox).len(),
        died.len()
    );
    assert!(!died.is_empty(), "no kill met a call, seed {seed}");
    folder.audit();
}

/// Most rounds die in the middle of a burst, some while the daemon starts.
async fn kill_at_some_moment(folder: &Folder, sandbox: &Sandbox, chance: &mut Chance, round: u32) {
    // The first round has to make the ledger.
    if round > 0 && chance.below(5) == 0 {
        let daemon = Daemon::spawn(folder.command(&["run"]));
        tokio::time::sleep(Duration::from_millis(chance.below(150))).await;
        daemon.kill();
        return;
    }
    let daemon = folder.start().await;
    let before = sandbox.counters().requests;
    let more = chance.below(70);
    eventually("requests arrive", async || {
        (sandbox.counters().requests >= before + more).then_some(())
    })
    .await;
    tokio::time::sleep(Duration::from_micros(chance.below(80_000))).await;
    daemon.kill();
}
