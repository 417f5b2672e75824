//! Measures funcron beside its floor, in the same run and on the same machine.
//!
//! `cargo bench` runs what takes minutes; `cargo bench --bench measure -- burst 10000` one part of it.
//! What takes longer, or tens of gigabytes, is run by its own name alone:
//!
//! ```sh
//! cargo bench --bench measure -- ledger 10000 100000 1000000 10000000   # a ledger of so many runs
//! cargo bench --bench measure -- ledger 1000000 in FOLDER               # one that is kept there
//! cargo bench --bench measure -- soak 30                                # minutes
//! cargo bench --bench measure -- bodies                                 # replies of 1 KB to 1 MB
//! cargo bench --bench measure -- audit 1000000 [PATH [JOBS]]            # proving a ledger
//! ```
//!
//! The remote is a bare server in a process of its own, the product is the release binary, and the
//! floor is what the same work costs without a product around it: the same calls by a bare HTTP
//! client, the same statements by bare SQL. Figures of one machine mean nothing on another, ratios do.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a measurement that cannot be made ends, and what it measures is printed"
)]

mod audit;
mod bodies;
mod burst;
mod commits;
mod daemon;
mod figures;
mod idle;
mod ledger;
mod maker;
mod posts;
mod reads;
mod remote;
mod seconds;
mod soak;

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

/// Everything, in the order of the README's table.
const ALL: [&str; 10] = [
    "burst 10000",
    "burst 10000 10",
    "burst 100000",
    "seconds 200",
    "seconds 2000",
    "seconds 2000 1s",
    "idle 100",
    "idle 1000",
    "idle 10000",
    "idle 100000",
];

fn main() -> ExitCode {
    let mut words: Vec<String> = std::env::args().skip(1).collect();
    // What cargo itself adds.
    words.retain(|word| word != "--bench");
    if words.first().is_some_and(|word| word == "serve") {
        let or_none = |index| words.get(index).map_or(0, |word: &String| number(word));
        remote::serve(or_none(1), or_none(2));
        return ExitCode::SUCCESS;
    }
    let runtime = tokio::runtime::Runtime::new().unwrap();
    if words.is_empty() {
        for part in ALL {
            runtime.block_on(measure(&part.split(' ').collect::<Vec<_>>()));
        }
    } else {
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        runtime.block_on(measure(&words));
    }
    ExitCode::SUCCESS
}

fn number(word: &str) -> usize {
    word.parse().expect("a number")
}

async fn measure(words: &[&str]) {
    match words {
        ["burst", runs, delay @ ..] => {
            let delay = delay.first().map_or(0, |milliseconds| number(milliseconds));
            burst::measure(number(runs), Duration::from_millis(delay as u64)).await;
        }
        ["seconds", jobs, spread @ ..] => {
            seconds::measure(number(jobs), spread.first().copied()).await
        }
        ["ledger", runs, "in", folder] => {
            ledger::measure(number(runs), Path::new(folder)).await;
        }
        ["ledger", sizes @ ..] => ledger::curve(sizes).await,
        ["soak", minutes] => soak::measure(number(minutes)).await,
        ["bodies"] => bodies::measure().await,
        ["audit", runs] => audit::measure(number(runs), None, 100).await,
        ["audit", runs, path, jobs @ ..] => {
            let jobs = jobs.first().map_or(100, |jobs| number(jobs));
            audit::measure(number(runs), Some(path), jobs).await;
        }
        ["idle", jobs] => idle::measure(number(jobs)).await,
        other => println!("no such measurement: {other:?}"),
    }
}
