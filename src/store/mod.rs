//! The ledger: everything SQL, and nothing else.
//!
//! Invariants
//! - One daemon per ledger, by a lock of the kernel ([`lock`]).
//! - Every write goes through one task, which commits what has queued up as one transaction with
//!   `synchronous=FULL` and answers only after the commit ([`writer`]). An answer means durable.
//! - No transaction spans anything but SQL: not the network, not a sleep, not a channel.
//! - Final states are written once, by compare-and-set; the answers are enums, not booleans.
//! - Readers open the file read-only and see only committed rows ([`reader`]).
//! - Bodies arrive redacted; this module could not redact them, it knows no secret.

pub mod audit;
mod backfills;
mod backup;
mod checkpoint;
mod claim;
mod company;
mod detail;
mod dialect;
mod disk;
mod error;
#[cfg(test)]
mod explain;
mod finish;
mod ground;
mod holds;
mod inspect;
mod lock;
mod old;
mod open;
mod operation;
mod orders;
mod pauses;
mod plan;
mod prune;
mod query;
mod reader;
mod release;
mod resume;
mod rewind;
mod rows;
mod schema;
mod size;
mod stats;
mod surroundings;
mod versions;
mod writer;

pub use backfills::{Advance, Backfill, BackfillProgress, Ending};
pub use backup::{BackupError, backup};
pub use claim::{OpenAttempt, Opened};
pub use detail::{AttemptDetail, FoundRun, MATCHES, RunDetail, RunEvent};
pub use disk::{Disk, Mishap, Moment};
pub use error::{StoreError, StoreErrorKind};
pub use finish::{After, CloseAttempt, Closed, Settle};
pub use ground::{LARGE_JOURNAL, journal_of};
pub use holds::Hold;
pub use inspect::{Care, Look};
pub use lock::LedgerLock;
pub use old::Old;
pub use open::{Held, Ledger, SubmittedPlan};
pub use orders::{Act, Order, Ordered, Start};
pub use pauses::Pause;
pub use plan::{Gap, GapCause, Plan};
pub use prune::{Prune, Removed};
pub use query::{Execution, HistoryFilter, HistoryLine, KnownJob, LastRun};
pub use reader::Reader;
pub use release::{Release, Releaser};
pub use resume::{InterruptedAttempt, UnfinishedRun};
pub use rewind::{Rewind, Rewound};
pub use size::{Shrink, Size};
pub use stats::{Stats, StatsBy};
pub use surroundings::Surroundings;
pub use versions::{Event, LoadedVersion, VersionChange};
