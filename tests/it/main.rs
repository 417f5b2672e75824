//! The one integration binary.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

#[path = "support/raw_server.rs"]
mod raw_server;
mod wire;
