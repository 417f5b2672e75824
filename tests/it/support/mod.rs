//! What several test modules build on.

pub(crate) mod daemon;
pub(crate) mod house;
pub(crate) mod ledger;
pub(crate) mod lines;
pub(crate) mod raw_server;
pub(crate) mod remote;
