//! The commands that look into a ledger, timed as whole processes: what the one who types them waits for.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::daemon::{self, Ledger};
use crate::figures::median;

/// A command, and how long it may take.
#[derive(Clone, Copy)]
pub(crate) struct Read {
    pub(crate) name: &'static str,
    words: &'static [&'static str],
    /// In milliseconds; none where it was promised to nobody.
    pub(crate) target: Option<u32>,
}

const fn read(name: &'static str, words: &'static [&'static str], target: Option<u32>) -> Read {
    Read {
        name,
        words,
        target,
    }
}

/// Those that have a target, which are repeated beside a daemon at work.
pub(crate) const PROMISED: [Read; 4] = [
    read("history JOB -n 50", &["history", JOB, "-n", "50"], Some(50)),
    read("show TRACE", &["show", TRACE], Some(50)),
    read("history -n 50", &["history", "-n", "50"], Some(50)),
    read("stats --since 24h", &["stats", "--since", "24h"], Some(300)),
];

/// Others, of which some look for what is not there.
pub(crate) const OTHERS: [Read; 7] = [
    read(
        "stats --since 24h --by func",
        &["stats", "--since", "24h", "--by", "func"],
        None,
    ),
    read(
        "history --state failed -n 50",
        &["history", "--state", "failed", "-n", "50"],
        None,
    ),
    read(
        "history --state missed -n 50",
        &["history", "--state", "missed", "-n", "50"],
        None,
    ),
    read(
        "history --trace-id TRACE",
        &["history", "--trace-id", TRACE],
        None,
    ),
    read("list", &["list"], None),
    read("status", &["status"], None),
    read("list --help", &["list", "--help"], None),
];

/// Words that stand for one of the ledger's.
const JOB: &str = "JOB";
const TRACE: &str = "TRACE";

/// So many traces are drawn, from everywhere in the history.
const TRACES: usize = 64;

/// Has the binary read a ledger.
pub(crate) struct Reads {
    folder: PathBuf,
    jobs: usize,
    traces: Vec<String>,
    done: usize,
}

impl Reads {
    pub(crate) async fn of(folder: &Path, ledger: &mut Ledger, jobs: usize) -> Self {
        let mut traces = Vec::with_capacity(TRACES);
        for _ in 0..TRACES {
            let sql = "SELECT trace_id FROM attempts WHERE id >= abs(random() % (SELECT max(id) FROM attempts)) ORDER BY id LIMIT 1";
            traces.push(ledger.text(sql).await);
        }
        Self {
            folder: folder.to_owned(),
            jobs,
            traces,
            done: 0,
        }
    }

    /// How many milliseconds a command takes, from its start to its end.
    pub(crate) fn time(&mut self, read: &Read) -> f64 {
        self.done += 1;
        let job = format!("job-{}", self.done * 7 % self.jobs);
        let words = read.words.iter().map(|word| match *word {
            JOB => &job,
            TRACE => self.traces[self.done % TRACES].as_str(),
            word => word,
        });
        let mut command = daemon::command(&self.folder);
        command.args(words);
        let begun = Instant::now();
        let done = command.output().unwrap();
        let took = begun.elapsed();
        assert!(done.status.success(), "{done:?}");
        took.as_secs_f64() * 1e3
    }

    /// Repeats those that are promised, in turns, until an instant: back to back, or one at a time.
    pub(crate) fn repeat(&mut self, until: Instant, pace: Option<Duration>, seen: &mut Seen) {
        let mut next = Instant::now();
        for (index, read) in PROMISED.iter().enumerate().cycle() {
            std::thread::sleep(next.saturating_duration_since(Instant::now()));
            if Instant::now() >= until {
                return;
            }
            seen.0[index].push(self.time(read));
            next += pace.unwrap_or_default();
        }
    }
}

/// How long each of [`PROMISED`] took, in milliseconds.
#[derive(Default)]
pub(crate) struct Seen([Vec<f64>; PROMISED.len()]);

impl Seen {
    /// Median and most of one of them, and how many there are.
    pub(crate) fn of(&self, index: usize) -> String {
        summary(&self.0[index])
    }
}

/// Median and most.
pub(crate) fn summary(times: &[f64]) -> String {
    let most = times.iter().copied().fold(0.0, f64::max);
    match times {
        [] => "-".to_owned(),
        _ => format!("{:.0} / {most:.0} ms", median(times)),
    }
}
