//! `audit verify` on real files: ledgers that are whole, and ledgers that someone has been at.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod backfills;
mod broken;
mod copy;
mod days;
mod ledger;
mod past;
mod runs;
mod ticks;
