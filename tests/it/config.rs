//! `jobs.yaml`: what is accepted, what it comes to, and every word that is said of what is not.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use funcron::config::{self, ConfigErrors, Loaded};

mod golden;

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
