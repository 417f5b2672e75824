//! `jobs.yaml`: what is accepted, what it comes to, and every word that is said of what is not.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use funcron::config::{self, ConfigErrors, Loaded};

mod accepted;
mod behaviour;
mod days;
mod golden;
mod hostile;
mod include;
mod meanings;
mod policies;
mod schema;
mod secrets;
mod shared;

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/config")
}

/// Everything told of a configuration, one line each.
fn told(result: &Result<Loaded, ConfigErrors>) -> String {
    let (errors, warnings) = match result {
        Ok(loaded) => (&[][..], &loaded.warnings),
        Err(refused) => (&refused.errors[..], &refused.warnings),
    };
    let mut out = String::new();
    for error in errors {
        writeln!(out, "error: {error}").unwrap();
    }
    for warning in warnings {
        writeln!(out, "warning: {warning}").unwrap();
    }
    out
}

/// A workspace and defaults that name it, for configurations that are about something else.
const HEAD: &str = "\
workspaces: { prod: { site: cn1, api_key: { env: DF_API_KEY } } }
defaults: { workspace: prod }
";

fn parse(text: &str) -> Result<Loaded, ConfigErrors> {
    config::parse(text, Path::new("/etc/funcron/jobs.yaml"))
}

/// A configuration of `HEAD` and these jobs.
fn jobs(text: &str) -> Result<Loaded, ConfigErrors> {
    parse(&format!("{HEAD}jobs:\n{text}"))
}

fn accept(result: Result<Loaded, ConfigErrors>) -> Loaded {
    result.unwrap_or_else(|refused| panic!("refused:\n{refused}"))
}

fn refusal(result: Result<Loaded, ConfigErrors>) -> String {
    result.expect_err("accepted").to_string()
}
