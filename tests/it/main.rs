//! The one integration binary: it links once.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

mod audit;
mod cli;
mod config;
mod control;
mod engine;
mod forecast;
mod fuzz;
mod ledger;
mod process;
mod readme;
mod sandbox;
mod schedule_oracle;
mod simulation;
mod support;
mod systemd;
mod tidy;
mod wire;
