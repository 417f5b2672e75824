//! The one integration binary.

#[path = "support/raw_server.rs"]
mod raw_server;
mod wire;
