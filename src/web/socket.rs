//! The daemon's Unix socket: made with its mode from the beginning, a stale one replaced, a live one
//! left alone.

use std::fs;
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use tokio::net::{UnixListener, UnixStream};

/// Mode of the socket: the group `funcron` may use it (contract, section 6).
const MODE: u32 = 0o660;

/// A socket that listens.
#[derive(Debug)]
pub struct Socket {
    pub(super) listener: UnixListener,
    path: PathBuf,
    /// Device and inode: what lies at the path later may be another's.
    identity: (u64, u64),
}

/// Why there is no socket.
#[derive(Debug, thiserror::Error)]
pub enum SocketError {
    /// Another daemon answers there.
    #[error("another daemon answers at {}; give this one a socket of its own with --socket", .0.display())]
    Live(PathBuf),
    /// Something else lies there.
    #[error("{} is there and is no socket; move it away, or name another place with --socket", .0.display())]
    Foreign(PathBuf),
    /// The operating system refuses it.
    #[error("making the socket {}", path.display())]
    Io {
        /// Where.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl Socket {
    /// Listens at `path`.
    ///
    /// # Errors
    /// See [`SocketError`]; what lies there is then as it was.
    pub async fn bind(path: &Path) -> Result<Self, SocketError> {
        let failed = |source| SocketError::Io {
            path: path.to_owned(),
            source,
        };
        match fs::symlink_metadata(path) {
            Ok(found) if !found.file_type().is_socket() => {
                return Err(SocketError::Foreign(path.to_owned()));
            }
            Ok(_) if UnixStream::connect(path).await.is_ok() => {
                return Err(SocketError::Live(path.to_owned()));
            }
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(failed(error)),
        }
        // Made aside and moved into its place: at no instant is it there with another mode, and a
        // stale one gives way without a moment of nothing.
        let mut aside = path.as_os_str().to_owned();
        aside.push(format!(".{}", std::process::id()));
        let aside = PathBuf::from(aside);
        let _ = fs::remove_file(&aside);
        let made = UnixListener::bind(&aside).and_then(|listener| {
            fs::set_permissions(&aside, fs::Permissions::from_mode(MODE))?;
            fs::rename(&aside, path)?;
            let found = fs::symlink_metadata(path)?;
            Ok(Self {
                listener,
                path: path.to_owned(),
                identity: (found.dev(), found.ino()),
            })
        });
        made.map_err(|error| {
            let _ = fs::remove_file(&aside);
            failed(error)
        })
    }

    /// Where it listens.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        let is_ours = fs::symlink_metadata(&self.path)
            .is_ok_and(|found| (found.dev(), found.ino()) == self.identity);
        if is_ours {
            let _ = fs::remove_file(&self.path);
        }
    }
}
