//! What a ledger lies on.
//!
//! A struct over an enum, no trait: a disk, to which every commit is synced, and one that a
//! simulation speaks for.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;

use sqlx::sqlite::SqliteSynchronous;

use super::error::StoreErrorKind;

/// What a ledger lies on. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Disk(Kind);

#[derive(Clone, Default)]
enum Kind {
    #[default]
    Real,
    Scripted(Arc<Script>),
}

/// A point in a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Moment {
    /// Everything is written, nothing kept.
    BeforeCommit,
    /// Everything is kept, and nobody was told.
    AfterCommit,
}

/// What a script has done when its future is ready: it may take its time, fail, or never be ready,
/// as in a process that died there.
pub type Mishap = Pin<Box<dyn Future<Output = Result<(), StoreErrorKind>> + Send>>;

type Script = dyn Fn(Moment) -> Mishap + Send + Sync;

impl fmt::Debug for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Real => "Real",
            Self::Scripted(_) => "Scripted",
        })
    }
}

impl Disk {
    /// A disk that does as it is told at each [`Moment`] of each transaction. Nothing is synced: it
    /// is for files in memory.
    pub fn scripted(script: impl Fn(Moment) -> Mishap + Send + Sync + 'static) -> Self {
        Self(Kind::Scripted(Arc::new(script)))
    }

    /// Whether a script speaks for it.
    pub(super) const fn is_scripted(&self) -> bool {
        matches!(self.0, Kind::Scripted(_))
    }

    /// How far a commit is synced before it is believed.
    pub(super) const fn synchronous(&self) -> SqliteSynchronous {
        match self.0 {
            Kind::Real => SqliteSynchronous::Full,
            Kind::Scripted(_) => SqliteSynchronous::Off,
        }
    }

    /// Lets a transaction pass this moment, or not.
    pub(super) async fn pass(&self, moment: Moment) -> Result<(), StoreErrorKind> {
        match &self.0 {
            Kind::Real => Ok(()),
            Kind::Scripted(script) => script(moment).await,
        }
    }
}
