//! What a ledger lies in: room on its disk, who may read it, its journal. Looked at, never opened.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use super::error::{StoreError, StoreErrorKind};
use super::ground::journal_of;
use super::lock::io_kind;

/// The surroundings of a ledger's file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Surroundings {
    /// Bytes that a daemon may still write to the disk.
    pub free: u64,
    /// The file's permissions, such as `0o640`.
    pub mode: u32,
    /// Bytes of what is not in the ledger yet.
    pub journal: u64,
}

impl Surroundings {
    /// Of the ledger at `path`.
    ///
    /// # Errors
    /// `Missing` or `Denied`, where the file cannot be looked at.
    pub fn of(path: &Path) -> Result<Self, StoreError> {
        let failed = |kind: StoreErrorKind| {
            StoreError::new(format!("looking at the ledger {}", path.display()), kind)
        };
        let file = std::fs::metadata(path).map_err(|error| failed(io_kind(&error)))?;
        let disk = rustix::fs::statvfs(path).map_err(|error| failed(io_kind(&error.into())))?;
        Ok(Self {
            free: disk.f_bavail.saturating_mul(disk.f_frsize),
            mode: file.permissions().mode() & 0o777,
            journal: std::fs::metadata(journal_of(path)).map_or(0, |journal| journal.len()),
        })
    }
}
