//! The auditor: recomputes what the ledger should hold, and says where it does not.
//!
//! Its worth is its independence. It reads the ledger alone, and works out every tick of every
//! definition by a scanner of its own ([`scanner`]); it shares no code with the planner
//! (`domain::schedule`, `domain::plan`), so that a fault there cannot hide itself here. What the
//! two have in common is the contract's text, the names of states in `domain::run`, and jiff's
//! zone data.
//!
//! Memory does not grow with the ledger: runs arrive in the order of their instants and are joined
//! with the recomputed ticks as they come ([`verify()`]); of each list of faults only the first are
//! kept, the rest are counted ([`Findings`]).

mod backfills;
mod calendar;
mod conduct;
mod days;
mod definition;
mod expression;
mod field;
mod past;
mod policy;
mod report;
mod run_rules;
pub mod scanner;
mod timeline;
mod verify;
mod zone;

pub use definition::{Definition, Unreadable};
pub use report::{Finding, Findings, Hear, LISTED, List, Report};
pub use verify::{AuditError, Circumstances, verify, verify_aloud};
