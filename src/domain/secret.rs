//! Secrets as a type that cannot be printed, and the references the configuration gives for them.

use std::fmt;
use std::path::PathBuf;

use secrecy::{ExposeSecret, SecretString};

/// Shortest secret that can be struck out of a reply without mangling it (contract, section 3).
pub const MIN_SECRET_BYTES: usize = 6;

/// What is stored and shown in the place of a secret.
pub const REDACTED: &str = "***";

/// Where a secret comes from. Safe to print, to hash and to store; the value is not part of it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SecretRef {
    /// `{ env: NAME }`: an environment variable of the daemon.
    Env(String),
    /// `{ file: PATH }`: a file's content, without its trailing line break.
    File(PathBuf),
    /// `{ credential: NAME }`: a file below systemd's `$CREDENTIALS_DIRECTORY`.
    Credential(String),
}

impl fmt::Display for SecretRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Env(name) => write!(f, "env {name}"),
            Self::File(path) => write!(f, "file {}", path.display()),
            Self::Credential(name) => write!(f, "credential {name}"),
        }
    }
}

/// A secret's value. No `Display`, no serialisation, and a `Debug` that says nothing; the memory
/// is wiped on drop.
#[derive(Clone)]
pub struct Secret(SecretString);

impl Secret {
    /// Wraps a value just read from its source.
    pub fn new(value: String) -> Self {
        Self(SecretString::from(value))
    }

    /// The value itself. Call this only where the value is sent or struck out.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(REDACTED)
    }
}
