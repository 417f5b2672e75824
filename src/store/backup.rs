//! A copy of a ledger as it stands at one moment, made while a daemon writes it.
//!
//! `VACUUM INTO` reads in one transaction, which in WAL mode holds nobody up, and leaves a whole database
//! with nothing beside it. The writer's journal grows meanwhile, and shrinks afterwards. The copy grows
//! under another name and gets its own when it is on the disk, so that half a copy is never taken for one.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use sqlx::Connection;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};

use super::lock;
use super::size::size;

/// Between two looks at how large the copy is.
const LOOK: Duration = Duration::from_millis(100);

/// Why there is no copy.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// Something is there.
    #[error("{} is there already, and no backup overwrites anything; name another file", .0.display())]
    Exists(PathBuf),
    /// The copy cannot be written.
    #[error("writing the backup {}", path.display())]
    Write {
        /// Where.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The ledger cannot be read to its end, or the disk of the copy is full.
    #[error("copying the ledger {} to {}", ledger.display(), path.display())]
    Copy {
        /// What was to be copied.
        ledger: PathBuf,
        /// Where to.
        path: PathBuf,
        /// What SQLite says.
        source: sqlx::Error,
    },
}

/// A file that grows until it gets its name; gone where it never does.
struct Partial {
    path: PathBuf,
}

impl Drop for Partial {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

impl Partial {
    /// Beside the file that it is to be: a link cannot lead to another disk.
    fn beside(target: &Path) -> io::Result<Self> {
        let mut path = target.as_os_str().to_owned();
        path.push(format!(".partial-{}", std::process::id()));
        let path = PathBuf::from(path);
        // Made before SQLite would make it, for everybody to read.
        OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(lock::FILE_MODE)
            .open(&path)?;
        Ok(Self { path })
    }

    /// Gives it its name once it is on the disk. A link fails where the name is taken; a renaming would not.
    fn publish(&self, target: &Path) -> io::Result<u64> {
        let file = File::open(&self.path)?;
        file.sync_all()?;
        std::fs::hard_link(&self.path, target)?;
        let folder = target.parent().filter(|path| !path.as_os_str().is_empty());
        File::open(folder.unwrap_or(Path::new(".")))?.sync_all()?;
        Ok(file.metadata()?.len())
    }
}

/// Copies the ledger to `target`, which must not be there; answers its bytes. `heard` is told the bytes
/// that are there, and those that there will be.
///
/// # Errors
/// See [`BackupError`]; nothing is left at `target` then.
pub async fn backup(
    ledger: &Path,
    target: &Path,
    mut heard: impl FnMut(u64, u64),
) -> Result<u64, BackupError> {
    if target.symlink_metadata().is_ok() {
        return Err(BackupError::Exists(target.to_owned()));
    }
    let failed = |source: io::Error| match source.kind() {
        io::ErrorKind::AlreadyExists => BackupError::Exists(target.to_owned()),
        _ => BackupError::Write {
            path: target.to_owned(),
            source,
        },
    };
    let partial = Partial::beside(target).map_err(failed)?;
    let copied = copy(ledger, &partial.path, &mut heard).await;
    copied.map_err(|source| BackupError::Copy {
        ledger: ledger.to_owned(),
        path: target.to_owned(),
        source,
    })?;
    partial.publish(target).map_err(failed)
}

async fn copy(
    ledger: &Path,
    copy: &Path,
    heard: &mut impl FnMut(u64, u64),
) -> Result<(), sqlx::Error> {
    let options = SqliteConnectOptions::new().filename(ledger).read_only(true);
    let mut connection = SqliteConnection::connect_with(&options).await?;
    let size = size(&mut connection).await?;
    let all = size.bytes() - size.free_bytes();
    let made = {
        let text = copy.display().to_string();
        let statement = sqlx::query("VACUUM INTO $1").bind(text);
        let mut made = std::pin::pin!(statement.execute(&mut connection));
        loop {
            tokio::select! {
                made = &mut made => break made,
                () = tokio::time::sleep(LOOK) => {
                    let bytes = std::fs::metadata(copy).map_or(0, |file| file.len());
                    heard(bytes, all);
                }
            }
        }
    };
    let closed = connection.close().await;
    made.map(drop).and(closed)
}
