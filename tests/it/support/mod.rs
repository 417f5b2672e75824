//! What several test modules build on.

pub(crate) mod daemon;
pub(crate) mod hostile;
pub(crate) mod house;
pub(crate) mod ledger;
pub(crate) mod lines;
pub(crate) mod proxy;
pub(crate) mod raw_server;
pub(crate) mod remote;
pub(crate) mod tls;
