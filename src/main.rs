//! `funcron`: argv in, exit code out.

use std::process::ExitCode;

use mimalloc::MiMalloc;

/// The whole process allocates by it, C as well: `Cargo.toml` says why.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    funcron::cli::run()
}
