//! One daemon per ledger, by a lock of the kernel: it falls with the process, however that ends.
//!
//! The lock sits on a file beside the database, never on the database itself: SQLite closes all of a
//! process's POSIX locks on a file with any handle to it, and a lock there would not survive that.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;

use super::error::{StoreError, StoreErrorKind};

/// Mode of every file the ledger makes: the group `funcron` reads (contract, section 8).
pub(super) const FILE_MODE: u32 = 0o640;

/// How often a lock is tried again that only glances hold, and how long after each other: for a second.
const TRIES: u32 = 200;
const PAUSE: Duration = Duration::from_millis(5);

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
        match lock_exclusively(&file) {
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

/// Takes the lock for a daemon. [`LedgerLock::holder`] shares it for a moment; a daemon that starts in
/// that moment would take a reader for another daemon, and exit with the code after which systemd does
/// not start it again.
fn lock_exclusively(file: &File) -> Result<(), TryLockError> {
    for _ in 0..TRIES {
        match file.try_lock() {
            // No daemon shares it.
            Err(TryLockError::WouldBlock) if file.try_lock_shared().is_ok() => {
                file.unlock().map_err(TryLockError::Error)?;
                std::thread::sleep(PAUSE);
            }
            decided => return decided,
        }
    }
    file.try_lock()
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

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::thread;

    use super::*;

    #[test]
    fn whoever_only_looks_keeps_no_daemon_from_its_ledger() {
        let place = tempfile::tempdir().unwrap();
        let database = place.path().join("funcron.db");
        let take = || LedgerLock::take(&database, Timestamp::UNIX_EPOCH);
        take().unwrap();
        let enough = AtomicBool::new(false);
        let refused = thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    while !enough.load(Ordering::Relaxed) {
                        LedgerLock::holder(&database);
                    }
                });
            }
            let refused: Vec<_> = (0..50).filter_map(|_| take().err()).collect();
            enough.store(true, Ordering::Relaxed);
            refused
        });
        assert!(refused.is_empty(), "{refused:?}");
    }

    #[test]
    fn a_second_daemon_is_told_at_once_who_the_first_is() {
        let place = tempfile::tempdir().unwrap();
        let database = place.path().join("funcron.db");
        let _first = LedgerLock::take(&database, Timestamp::UNIX_EPOCH).unwrap();
        let refused = LedgerLock::take(&database, Timestamp::UNIX_EPOCH).unwrap_err();
        let holder = format!("process {}, since 1970-01-01T00:00:00Z", std::process::id());
        assert_eq!(refused.kind(), &StoreErrorKind::Locked { holder });
    }
}
