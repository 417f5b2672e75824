//! Measures funcron beside its floor, in the same run and on the same machine.
//!
//! `cargo bench` runs everything and prints one table; `cargo bench -- burst 10000` one part of it.
//! The remote is a bare server in a process of its own, the product is the release binary, and the
//! floor is what the same work costs without a product around it: the same calls by a bare HTTP
//! client, the same statements by bare SQL. Figures of one machine mean nothing on another, ratios do.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a measurement that cannot be made ends, and what it measures is printed"
)]

mod burst;
mod commits;
mod daemon;
mod idle;
mod posts;
mod remote;
mod seconds;

use std::process::ExitCode;

/// Everything, in the order of the README's table.
const ALL: [&str; 8] = [
    "burst 10000",
    "burst 100000",
    "seconds 200",
    "seconds 2000",
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
        remote::serve(words.get(1).map_or(0, |word| number(word)));
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
        ["burst", runs] => burst::measure(number(runs)).await,
        ["seconds", jobs, spread @ ..] => {
            seconds::measure(number(jobs), spread.first().copied()).await
        }
        ["idle", jobs] => idle::measure(number(jobs)).await,
        other => println!("no such measurement: {other:?}"),
    }
}
