//! A large ledger: what commands wait for, and what a daemon that writes at full speed loses by them.
//!
//! Its history is that of two thousand jobs that tick every quarter of an hour, up to now: 192,000 runs
//! a day, so that ten million are 52 days of them and `stats --since 24h` counts what a day holds. At the
//! daemon's full speed a day alone would hold more than ten million, which is another question.
//!
//! The daemon's work is backfills of six hundred jobs at once over the ledger's own past, of ticks
//! that lie more than a day back: it lasts as long as is wanted, always has calls to make, and does not
//! change what is counted.

use std::path::Path;
use std::time::{Duration, Instant};

use jiff::Timestamp;

use crate::daemon::{self, Daemon, Jobs, Ledger};
use crate::figures::{ascending, median, quantile};
use crate::maker::{self, History};
use crate::reads::{OTHERS, PROMISED, Read, Reads, Seen, summary};
use crate::remote::Remote;

const JOBS: usize = 2_000;

/// The ticks of the jobs that the daemon has, between those of the history.
const SCHEDULE: &str = "7,22,37,52 * * * *";

/// Jobs whose past is run again, and from when to when.
const AT_WORK: usize = 600;
const HOURS_AGO: (i64, i64) = (14 * 24, 25);

/// Each command is timed so often beside a daemon at rest.
const TIMES: usize = 20;

/// How long a look at the daemon's speed is, and how many there are of each kind, in turns.
const WINDOW: Duration = Duration::from_secs(3);
const ROUNDS: usize = 8;

/// From one command to the next where they are not back to back: each once a second.
const PACE: Duration = Duration::from_millis(250);

/// Prints what ledgers of so many runs cost their readers and their writer, and how that grows.
pub(crate) async fn curve(sizes: &[&str]) {
    let mut lines = Vec::new();
    for size in sizes {
        let runs: usize = size.parse().expect("a number of runs");
        lines.push(measure(runs, &daemon::folder("ledger")).await);
    }
    println!("\n## By the ledger's runs: median, the daemon at rest\n");
    print!("| runs |");
    for read in &PROMISED {
        print!(" {} |", read.name);
    }
    println!(" calls recorded per second | CPU per call |");
    println!("|--:|{}--:|--:|", "--:|".repeat(PROMISED.len()));
    for line in lines {
        println!("{line}");
    }
}

/// Prints what a ledger of `runs` runs costs; one that is in the folder already is taken as it is.
/// Answers with a line for the curve.
pub(crate) async fn measure(runs: usize, folder: &Path) -> String {
    let path = folder.join("funcron.db");
    if !path.exists() {
        std::fs::create_dir_all(folder).unwrap();
        let history = History {
            runs: runs as u64,
            jobs: JOBS as u64,
            schedule: "*/15 * * * *",
            every: Duration::from_secs(900),
            until: Timestamp::now(),
            bodies: maker::USUAL,
        };
        maker::make(&path, &history).await;
    }
    let remote = Remote::start(Duration::ZERO, 0);
    daemon::configure(folder, &remote.origin, &Jobs::on(SCHEDULE, JOBS));
    daemon::retain(folder, "3650d");
    let daemon = Daemon::start(folder).await;
    let mut ledger = Ledger::open(folder).await;
    let mut reads = Reads::of(folder, &mut ledger, JOBS).await;
    println!(
        "\n## A ledger of {runs} runs, {} jobs (the daemon was ready after {:.0} ms)\n",
        JOBS,
        daemon.ready_after.as_secs_f64() * 1e3
    );
    let others = OTHERS.map(|read| at_rest(&mut reads, &read));
    let promised = PROMISED.map(|read| at_rest(&mut reads, &read));

    backfill(folder).await;
    // A throughput is that of a daemon that has got going.
    tokio::time::sleep(WINDOW).await;
    let mut work = Work {
        daemon,
        ledger,
        reads,
        alone: Kind::default(),
        paced: Kind::default(),
        tight: Kind::default(),
    };
    for _ in 0..ROUNDS {
        work.round().await;
    }
    println!(
        "| command (median / most) | target | daemon at rest | at work, each once a second | at work, back to back |"
    );
    println!("|--|--:|--:|--:|--:|");
    for (index, read) in PROMISED.iter().enumerate() {
        let target = read.target.map_or("-".into(), |ms| format!("{ms} ms"));
        println!(
            "| {} | {target} | {} | {} | {} |",
            read.name,
            summary(&promised[index]),
            work.paced.seen.of(index),
            work.tight.seen.of(index)
        );
    }
    for (read, took) in OTHERS.iter().zip(others) {
        println!("| {} | - | {} | - | - |", read.name, summary(&took));
    }
    work.print();
    let medians: String = promised
        .iter()
        .map(|times| format!(" {:.0} ms |", median(times)))
        .collect();
    format!(
        "| {runs} |{medians} {:.0} | {:.0} µs |",
        work.alone.rate(),
        work.alone.cpu()
    )
}

fn at_rest(reads: &mut Reads, read: &Read) -> Vec<f64> {
    (0..TIMES).map(|_| reads.time(read)).collect()
}

/// Orders more work than there will be time for, in a ledger that was measured before, too.
async fn backfill(folder: &Path) {
    let client = reqwest::Client::builder()
        .unix_socket(folder.join("socket"))
        .build()
        .unwrap();
    let ago = |hours: i64| Timestamp::now() - jiff::SignedDuration::from_hours(hours);
    for number in 0..AT_WORK {
        let order = format!(
            r#"{{"job":"job-{number}","from":"{}","to":"{}","all":true,"dry_run":false}}"#,
            ago(HOURS_AGO.0),
            ago(HOURS_AGO.1)
        );
        let request = client
            .post("http://funcron/api/v1/backfill")
            .header("content-type", "application/json")
            .body(order);
        let answer = request.send().await.unwrap();
        let status = answer.status();
        assert!(status.is_success(), "{}", answer.text().await.unwrap());
    }
}

/// What was seen in the windows of one kind.
#[derive(Default)]
struct Kind {
    calls: Vec<f64>,
    cpu: f64,
    seen: Seen,
}

impl Kind {
    /// Calls a second.
    fn rate(&self) -> f64 {
        self.calls.iter().sum::<f64>() / self.calls.len() as f64 / WINDOW.as_secs_f64()
    }

    /// The fewest and the most calls a second that a window had.
    fn range(&self) -> (f64, f64) {
        let rates = self.calls.iter().map(|calls| calls / WINDOW.as_secs_f64());
        let rates = ascending(rates);
        (quantile(&rates, 0.0), quantile(&rates, 1.0))
    }

    /// Microseconds that the daemon computes for a call.
    fn cpu(&self) -> f64 {
        self.cpu / self.calls.iter().sum::<f64>() * 1e6
    }
}

/// A daemon at work, and those who look.
struct Work {
    daemon: Daemon,
    ledger: Ledger,
    reads: Reads,
    alone: Kind,
    paced: Kind,
    tight: Kind,
}

impl Work {
    async fn round(&mut self) {
        let mut seen = std::mem::take(&mut self.paced.seen);
        let paced = self.window(|reads, until| reads.repeat(until, Some(PACE), &mut seen));
        let (calls, cpu) = paced.await;
        self.paced.seen = seen;
        self.paced.calls.push(calls);
        self.paced.cpu += cpu;
        let (calls, cpu) = self.window(|_, _| {}).await;
        self.alone.calls.push(calls);
        self.alone.cpu += cpu;
        let mut seen = std::mem::take(&mut self.tight.seen);
        let tight = self.window(|reads, until| reads.repeat(until, None, &mut seen));
        let (calls, cpu) = tight.await;
        self.tight.seen = seen;
        self.tight.calls.push(calls);
        self.tight.cpu += cpu;
    }

    /// The calls that are recorded in a window, and the seconds that the daemon computes in it.
    async fn window(&mut self, read: impl FnOnce(&mut Reads, Instant)) -> (f64, f64) {
        const RECORDED: &str = "SELECT max(id) FROM attempts";
        let (cpu, calls) = (self.daemon.cpu(), self.ledger.number(RECORDED).await);
        let begun = Instant::now();
        read(&mut self.reads, begun + WINDOW);
        tokio::time::sleep(WINDOW.saturating_sub(begun.elapsed())).await;
        // The last command may have taken longer than the window.
        let share = WINDOW.as_secs_f64() / begun.elapsed().as_secs_f64();
        let calls = (self.ledger.number(RECORDED).await - calls) as f64 * share;
        assert!(calls > 0.0, "the daemon has run out of work");
        (calls, (self.daemon.cpu() - cpu) * share)
    }

    fn print(&self) {
        println!(
            "\n| readers | calls recorded per second | in {ROUNDS} windows | of those alone | the daemon's CPU per call |"
        );
        println!("|--|--:|--:|--:|--:|");
        for (name, kind) in [
            ("none", &self.alone),
            ("each command once a second", &self.paced),
            ("commands back to back", &self.tight),
        ] {
            let (fewest, most) = kind.range();
            println!(
                "| {name} | {:.0} | {:.0} to {:.0} | {:.2} | {:.0} µs |",
                kind.rate(),
                fewest,
                most,
                kind.rate() / self.alone.rate(),
                kind.cpu()
            );
        }
    }
}
