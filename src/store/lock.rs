//! One daemon per ledger, by a lock of the kernel: it falls with the process, however that ends.
//!
//! The lock sits on a file beside the database, never on the database itself: SQLite closes all of a
//! process's POSIX locks on a file with any handle to it, and a lock there would not survive that.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use jiff::Timestamp;

use super::error::{StoreError, StoreErrorKind};

/// Mode of every file the ledger makes: the group `funcron` reads (contract, section 8).
pub(super) const FILE_MODE: u32 = 0o640;

/// The held lock; dropping it lets the ledger go.
#[derive(Debug)]
pub struct LedgerLock {
    _file: File,
}

impl LedgerLock {
    /// Takes the lock of the ledger at `database`, and writes into its file who holds it.
    ///
    /// # Errors
    /// [`StoreErrorKind::Locked`] with the holder's own words; `Missing` or `Denied` where the file
    /// cannot be made.
    pub fn take(database: &Path, now: Timestamp) -> Result<Self, StoreError> {
        let path = lock_path(database);
        let doing = || format!("locking the ledger {}", database.display());
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(FILE_MODE)
            .open(&path)
            .map_err(|error| StoreError::new(doing(), io_kind(&error)))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let holder = read_holder(&mut file);
                return Err(StoreError::new(doing(), StoreErrorKind::Locked { holder }));
            }
            Err(TryLockError::Error(error)) => {
                return Err(StoreError::new(doing(), io_kind(&error)));
            }
        }
        let holder = format!("process {}, since {now:.0}", std::process::id());
        // The words are for people; a disk too full for them does not break the lock.
        let _ = file
            .set_len(0)
            .and_then(|()| file.write_all(holder.as_bytes()));
        Ok(Self { _file: file })
    }

    /// Whether a daemon holds the ledger at `database` now. A ledger without a lock file, or with
    /// one that may not be opened, is held by nobody that can be named.
    pub fn holder(database: &Path) -> Option<String> {
        let mut file = File::open(lock_path(database)).ok()?;
        match file.try_lock_shared() {
            Err(TryLockError::WouldBlock) => Some(read_holder(&mut file)),
            _ => None,
        }
    }
}

fn lock_path(database: &Path) -> PathBuf {
    let mut path = database.as_os_str().to_owned();
    path.push(".lock");
    PathBuf::from(path)
}

fn read_holder(file: &mut File) -> String {
    let mut text = String::new();
    let read = file
        .seek(SeekFrom::Start(0))
        .and_then(|_| file.take(200).read_to_string(&mut text));
    match read {
        Ok(_) if !text.trim().is_empty() => text.trim().to_owned(),
        _ => "it has not said who it is".to_owned(),
    }
}

/// What an error of the file system means for a ledger.
pub(super) fn io_kind(error: &std::io::Error) -> StoreErrorKind {
    use std::io::ErrorKind as Io;
    match error.kind() {
        Io::NotFound | Io::NotADirectory => StoreErrorKind::Missing,
        Io::PermissionDenied | Io::ReadOnlyFilesystem => StoreErrorKind::Denied,
        Io::StorageFull | Io::QuotaExceeded => StoreErrorKind::Full,
        Io::IsADirectory => StoreErrorKind::NotALedger,
        _ => StoreErrorKind::Io,
    }
}
