//! Many jobs due in one second: runs durably recorded per second, beside the floor.

use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;

use crate::daemon::{self, Daemon, Jobs, Ledger};
use crate::figures::median;
use crate::remote::Remote;
use crate::{commits, posts};

/// Each is measured so often, in turns.
const ROUNDS: usize = 3;

struct Round {
    posts: f64,
    commits: f64,
    floor: f64,
    ours: f64,
    peak: f64,
    cpu: f64,
    first: f64,
}

/// Prints the rounds and their median, of a remote that answers after `delay`.
///
/// Of one that answers at once the floor is both halves one after another, since both take the
/// processor. Where it takes its time a bare client waits, and whoever records can do so meanwhile:
/// the floor is the calls alone.
pub(crate) async fn measure(runs: usize, delay: Duration) {
    println!(
        "\n## {runs} jobs due in the same second, {} in flight (1/s)\n",
        posts::IN_FLIGHT
    );
    println!(
        "The remote answers after {} ms; floor = 1/(1/A + 1/B), or A of a remote that takes its time.\n",
        delay.as_millis()
    );
    println!(
        "| A: bare POSTs | B: bare commits | floor | ours | ratio | first call after | CPU | peak RSS |"
    );
    println!("|--:|--:|--:|--:|--:|--:|--:|--:|");
    let mut ratios = Vec::new();
    for _ in 0..ROUNDS {
        let round = round(runs, delay).await;
        let ratio = round.ours / round.floor;
        println!(
            "| {:.0} | {:.0} | {:.0} | {:.0} | {ratio:.2} | {:.0} ms | {:.2} s | {:.0} MiB |",
            round.posts, round.commits, round.floor, round.ours, round.first, round.cpu, round.peak
        );
        ratios.push(ratio);
    }
    println!("\nmedian ratio {:.2}", median(&ratios));
}

async fn round(runs: usize, delay: Duration) -> Round {
    let remote = Remote::start(delay, 0);
    let per_second = |took: Duration| runs as f64 / took.as_secs_f64();
    let posts = per_second(posts::measure(&remote.url(), runs).await);
    let folder = daemon::folder("burst");
    let commits = per_second(commits::measure(&folder.join("floor.db"), runs).await);
    remote.arrivals().await;

    let burst = Burst::run(&folder, &remote, runs).await;
    let arrivals = remote.arrivals().await;
    assert_eq!(arrivals.len(), runs, "calls");
    Round {
        posts,
        commits,
        floor: if delay.is_zero() {
            1.0 / (1.0 / posts + 1.0 / commits)
        } else {
            posts
        },
        ours: per_second(burst.took),
        peak: burst.peak,
        cpu: burst.cpu,
        first: (arrivals[0] - burst.due.as_microsecond()) as f64 / 1e3,
    }
}

/// What a daemon made of runs that were due in one second.
pub(crate) struct Burst {
    /// Still at work; dropped, it is killed.
    pub(crate) daemon: Daemon,
    pub(crate) due: Timestamp,
    /// From then until all were recorded.
    pub(crate) took: Duration,
    /// The seconds it computed for meanwhile.
    pub(crate) cpu: f64,
    /// In MiB.
    pub(crate) peak: f64,
}

impl Burst {
    pub(crate) async fn run(folder: &Path, remote: &Remote, runs: usize) -> Self {
        // Time to read and schedule them all before they are due.
        let due = daemon::second_after(Duration::from_secs(3 + runs as u64 / 5_000));
        daemon::configure(folder, &remote.origin, &Jobs::on(&daemon::at(due), runs));
        let daemon = Daemon::start(folder).await;
        let mut ledger = Ledger::open(folder).await;
        // Whoever looks on has read the schema before there is anything to see.
        assert!(!ledger.is_at_rest().await, "nothing was done yet");
        let cpu = daemon.cpu();
        daemon::sleep_until(due).await;
        let done = ledger.until_recorded(runs).await;
        Self {
            due,
            took: Duration::try_from(done.duration_since(due)).unwrap(),
            cpu: daemon.cpu() - cpu,
            peak: daemon.memory("VmHWM"),
            daemon,
        }
    }
}
