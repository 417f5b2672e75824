//! `funcron`: argv in, exit code out.

use std::process::ExitCode;

fn main() -> ExitCode {
    funcron::cli::run()
}
