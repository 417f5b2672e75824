//! funcron: cron for Guance functions, with a ledger you can audit.
//!
//! Layers, lowest first; a module imports only from layers below its own, never a sibling
//! (`tests/it/tidy.rs` holds the rule, ARCHITECTURE.md the drawing):
//!
//! | layer | modules |
//! |---|---|
//! | 0 | [`clock`], [`telemetry`] |
//! | 1 | [`domain`] |
//! | 2 | [`config`], [`guance`], [`store`] |
//! | 3 | [`engine`], [`audit`] |
//! | 4 | [`web`], [`sandbox`] |
//! | 5 | [`app`] |
//! | 6 | [`cli`] |

pub mod app;
pub mod audit;
pub mod cli;
pub mod clock;
pub mod config;
pub mod domain;
pub mod engine;
pub mod guance;
pub mod sandbox;
pub mod store;
pub mod telemetry;
pub mod web;
