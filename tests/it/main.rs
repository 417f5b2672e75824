//! The one integration binary: it links once.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

mod audit;
mod ledger;
mod sandbox;
mod schedule_oracle;
mod systemd;
mod tidy;
