//! What several test modules stand on.

pub(crate) mod house;
pub(crate) mod raw_server;
pub(crate) mod remote;
