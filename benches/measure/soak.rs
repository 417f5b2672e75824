//! A daemon at work for long, with a ledger that loses as much as it gains: memory and file stay as
//! they are, or do not.
//!
//! Nothing younger than a day can be deleted (the least that `retention` takes), and a pass is due once
//! an hour, so that a soak of half an hour would see neither. Therefore
//! - the ledger begins with the runs that become a day old meanwhile, as many a second as the daemon
//!   adds, of the same jobs and with bodies of the same size;
//! - `funcron prune` has a pass begin every minute. It takes what a minute has made old, by the code and
//!   at the pace of the hourly pass; a real one is sixty times as long.
//!
//! What it is not: the 43 million runs of a whole day at this rate.

use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};

use crate::daemon::{self, Daemon, Jobs, Ledger};
use crate::figures::{self, quantile};
use crate::maker::{self, History};
use crate::remote::Remote;

/// On every second.
const JOBS: usize = 500;

/// From a look to the next, and from a pass to the next.
const SAMPLE: Duration = Duration::from_secs(10);
const PRUNE: Duration = Duration::from_secs(60);

/// What is old already when it begins, and what stays young beyond its end, in seconds.
const SLACK: u64 = 120;

const MIB: f64 = (1 << 20) as f64;

/// Rows of the table.
const SHOWN: usize = 10;

/// Prints how memory and file go on for so many minutes, what that costs, and how late calls start.
pub(crate) async fn measure(minutes: usize) {
    let folder = daemon::folder("soak");
    let path = folder.join("funcron.db");
    let seconds = minutes as u64 * 60;
    let until = Timestamp::now() - SignedDuration::from_hours(24)
        + SignedDuration::from_secs((seconds + SLACK) as i64);
    let history = History {
        runs: JOBS as u64 * (seconds + 2 * SLACK),
        jobs: JOBS as u64,
        schedule: "* * * * * *",
        every: Duration::from_secs(1),
        until,
        bodies: (70, 420),
    };
    maker::make(&path, &history).await;
    let remote = Remote::start(Duration::from_millis(10), 0);
    daemon::configure(&folder, &remote.origin, &Jobs::on("* * * * * *", JOBS));
    daemon::retain(&folder, "1d");
    let daemon = Daemon::start(&folder).await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    remote.arrivals().await;

    let mut soak = Soak {
        daemon,
        samples: Vec::new(),
        arrivals: Vec::new(),
        passes: Vec::new(),
    };
    let (begun, cpu) = (Instant::now(), soak.daemon.cpu());
    soak.live(&folder, &remote, Duration::from_secs(seconds))
        .await;
    let cpu = (soak.daemon.cpu() - cpu) / begun.elapsed().as_secs_f64();
    let peak = soak.daemon.memory("VmHWM");
    soak.print(minutes);
    let mut ledger = Ledger::open(&folder).await;
    let rows = ledger.number("SELECT count(*) FROM runs").await;
    let removed = ledger
        .number("SELECT sum(json_extract(detail, '$.runs')) FROM events WHERE kind = 'prune'")
        .await;
    println!(
        "\nCPU {:.1} %, peak RSS {peak:.0} MiB; {removed} runs deleted in {} passes, {rows} left",
        cpu * 100.0,
        soak.passes.len()
    );
    soak.daemon.stop();
    drop(ledger);
    crate::audit::verify(&path);
}

struct Sample {
    seconds: f64,
    memory: f64,
    file: f64,
}

struct Soak {
    daemon: Daemon,
    samples: Vec<Sample>,
    /// In µs since the epoch.
    arrivals: Vec<i64>,
    /// When each pass was under way.
    passes: Vec<(i64, i64)>,
}

impl Soak {
    async fn live(&mut self, folder: &Path, remote: &Remote, long: Duration) {
        let begun = Instant::now();
        let (mut next_sample, mut next_pass) = (Duration::ZERO, Duration::ZERO);
        let mut pass: Option<(i64, Child)> = None;
        while begun.elapsed() < long {
            if begun.elapsed() >= next_sample {
                self.sample(folder, begun.elapsed());
                self.arrivals.extend(remote.arrivals().await);
                next_sample += SAMPLE;
            }
            if begun.elapsed() >= next_pass && pass.is_none() {
                pass = Some((Timestamp::now().as_microsecond(), prune(folder)));
                next_pass += PRUNE;
            }
            if let Some((from, mut child)) = pass.take() {
                match child.try_wait().unwrap() {
                    Some(ended) => {
                        assert!(ended.success(), "a pass failed");
                        self.passes.push((from, Timestamp::now().as_microsecond()));
                    }
                    None => pass = Some((from, child)),
                }
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        self.sample(folder, begun.elapsed());
        self.arrivals.extend(remote.arrivals().await);
        if let Some((from, mut child)) = pass {
            assert!(child.wait().unwrap().success(), "a pass failed");
            self.passes.push((from, Timestamp::now().as_microsecond()));
        }
    }

    fn sample(&mut self, folder: &Path, at: Duration) {
        let size = |name| {
            let found = std::fs::metadata(folder.join(name));
            found.map_or(0, |found| found.len()) as f64 / MIB
        };
        self.samples.push(Sample {
            seconds: at.as_secs_f64(),
            memory: self.daemon.memory("VmRSS"),
            file: size("funcron.db") + size("funcron.db-wal"),
        });
    }

    fn print(&self, minutes: usize) {
        println!("\n## {JOBS} jobs on every second for {minutes} minutes, a day's retention\n");
        println!("| after | RSS | ledger and journal |");
        println!("|--:|--:|--:|");
        let last = self.samples.len() - 1;
        for row in 0..=SHOWN.min(last) {
            let sample = &self.samples[last * row / SHOWN.min(last)];
            println!(
                "| {:.0} s | {:.1} MiB | {:.1} MiB |",
                sample.seconds, sample.memory, sample.file
            );
        }
        let half = &self.samples[self.samples.len() / 2..];
        println!(
            "\nslope over the second half: RSS {:+.2} MiB/h, ledger {:+.1} MiB/h",
            slope(half, |sample| sample.memory),
            slope(half, |sample| sample.file)
        );
        let (during, else_) = self.lateness();
        println!("\n| calls | number | p50 | p99 | latest |");
        println!("|--|--:|--:|--:|--:|");
        for (name, late) in [("while a pass deletes", during), ("else", else_)] {
            if late.is_empty() {
                continue;
            }
            println!(
                "| {name} | {} | {:.1} ms | {:.1} ms | {:.1} ms |",
                late.len(),
                quantile(&late, 0.5),
                quantile(&late, 0.99),
                quantile(&late, 1.0)
            );
        }
    }

    /// How long after their second calls arrived, in ms, ascending: those of seconds in which a pass was
    /// under way, and the others.
    fn lateness(&self) -> (Vec<f64>, Vec<f64>) {
        let is_during = |at: &i64| {
            let second = at - at % 1_000_000;
            let mut passes = self.passes.iter();
            passes.any(|(from, until)| *from < second + 1_000_000 && second < *until)
        };
        let (during, others): (Vec<i64>, Vec<i64>) =
            self.arrivals.iter().partition(|at| is_during(at));
        (figures::lateness(&during), figures::lateness(&others))
    }
}

fn prune(folder: &Path) -> Child {
    daemon::command(folder)
        .arg("prune")
        .stdout(Stdio::null())
        .spawn()
        .unwrap()
}

/// By least squares, in units an hour.
fn slope(samples: &[Sample], of: impl Fn(&Sample) -> f64) -> f64 {
    let count = samples.len() as f64;
    let mean = |values: &dyn Fn(&Sample) -> f64| samples.iter().map(values).sum::<f64>() / count;
    let (x, y) = (mean(&|sample| sample.seconds), mean(&of));
    let above: f64 = samples.iter().map(|s| (s.seconds - x) * (of(s) - y)).sum();
    let below: f64 = samples.iter().map(|s| (s.seconds - x).powi(2)).sum();
    above / below * 3_600.0
}
