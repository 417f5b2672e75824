//! What the writer stands on, looked at before each transaction: files that are still where they were
//! opened, and pages that nobody has found damaged.
//!
//! A file that was deleted or replaced can be written to for ever, and nobody will read it: a call
//! would go out whose record nobody can find (guarantee G1).

use std::ffi::OsString;
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use super::disk::Disk;
use super::error::StoreErrorKind;
use super::lock::io_kind;

/// From this size on the journal is told of. SQLite keeps it at four MiB unless something reads an old
/// state of the ledger meanwhile, and what it had grown to is given back down to this.
pub const LARGE_JOURNAL: u64 = 64 << 20;

/// The ledger's file as it was opened, and what was found wrong with it. Cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct File(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    path: PathBuf,
    opened: Identity,
    damage: OnceLock<String>,
}

impl File {
    /// Of a ledger that is open.
    pub(super) fn of(path: &Path) -> Result<Self, StoreErrorKind> {
        let metadata = std::fs::metadata(path).map_err(|error| io_kind(&error))?;
        Ok(Self(Arc::new(Inner {
            path: path.to_owned(),
            opened: identity(&metadata),
            damage: OnceLock::new(),
        })))
    }

    /// It is damaged. The first finding stands.
    pub(super) fn condemn(&self, found: String) {
        let _ = self.0.damage.set(found);
    }

    /// Whether it is worth writing to: not damaged, and still where people look for it.
    pub(super) fn holds(&self) -> Result<(), StoreErrorKind> {
        if let Some(found) = self.0.damage.get() {
            let found = found.clone();
            return Err(StoreErrorKind::Damaged { found });
        }
        still_there(&self.0.path, Some(self.0.opened)).map(drop)
    }
}

/// Looks for a file that was opened as this one, if it was.
fn still_there(path: &Path, opened: Option<Identity>) -> Result<Option<Metadata>, StoreErrorKind> {
    let gone = StoreErrorKind::Gone {
        path: path.display().to_string(),
    };
    match (std::fs::metadata(path), opened) {
        (Ok(metadata), Some(opened)) if identity(&metadata) != opened => Err(gone),
        (Ok(metadata), _) => Ok(Some(metadata)),
        (Err(error), opened) => match (io_kind(&error), opened) {
            (StoreErrorKind::Missing, None) => Ok(None),
            (StoreErrorKind::Missing, Some(_)) => Err(gone),
            // It may be there: a directory on the way may not be searched any more, for one.
            (other, _) => Err(other),
        },
    }
}

/// The disk, the files on it, and what is known of them.
pub(super) struct Ground {
    pub(super) disk: Disk,
    file: File,
    journal: PathBuf,
    /// The journal's, once there was one.
    journal_opened: Option<Identity>,
    journal_is_large: bool,
}

/// A file, whatever its name: its device and inode.
type Identity = (u64, u64);

fn identity(metadata: &Metadata) -> Identity {
    (metadata.dev(), metadata.ino())
}

/// Where SQLite keeps what is not in the ledger yet.
pub fn journal_of(ledger: &Path) -> PathBuf {
    let mut path = OsString::from(ledger);
    path.push("-wal");
    PathBuf::from(path)
}

impl Ground {
    pub(super) fn new(file: File, disk: Disk) -> Self {
        Self {
            disk,
            journal: journal_of(&file.0.path),
            file,
            journal_opened: None,
            journal_is_large: false,
        }
    }

    /// Whether a transaction would be kept where people look for it.
    pub(super) fn holds(&mut self) -> Result<(), StoreErrorKind> {
        self.file.holds()?;
        // SQLite makes it with the first transaction.
        if let Some(metadata) = still_there(&self.journal, self.journal_opened)? {
            self.journal_opened = Some(identity(&metadata));
            self.tell_of_the_journal(metadata.len());
        }
        Ok(())
    }

    /// Once when it becomes large, and once when it is small again.
    fn tell_of_the_journal(&mut self, bytes: u64) {
        let is_large = bytes > LARGE_JOURNAL;
        if is_large && !self.journal_is_large {
            tracing::warn!(
                journal = %self.journal.display(),
                mebibytes = bytes >> 20,
                "the ledger's journal grows: another program has been reading the ledger all the time, such as a sqlite3 shell in a transaction; end it, and the journal shrinks"
            );
        } else if self.journal_is_large && !is_large {
            tracing::info!(mebibytes = bytes >> 20, "the ledger's journal has shrunk");
        }
        self.journal_is_large = is_large;
    }
}
