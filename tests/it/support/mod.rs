//! What several test modules build on.

pub(crate) mod ledger;
