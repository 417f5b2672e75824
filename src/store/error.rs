//! What can go wrong with the ledger, told apart by what the operator can do about it.

use thiserror::Error;

/// A failure of the ledger: what was being done, what kind of failure it is, and its cause.
#[derive(Debug, Error)]
#[error("{doing}{}", self.kind.explain())]
pub struct StoreError {
    doing: String,
    kind: StoreErrorKind,
    #[source]
    source: Option<sqlx::Error>,
}

/// Kinds of failure. `run` exits 78 for those that a restart cannot help.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoreErrorKind {
    /// Another daemon holds the ledger.
    Locked {
        /// What it wrote into the lock file: its process and since when.
        holder: String,
    },
    /// The file is something else.
    NotALedger,
    /// A later release of funcron wrote it.
    Newer {
        /// Its schema's number.
        found: i64,
        /// The highest number that this release knows.
        known: i64,
    },
    /// An earlier release of funcron wrote it, and no daemon of this one has had it yet.
    Older {
        /// Its schema's number.
        found: i64,
        /// The number that this release reads.
        known: i64,
    },
    /// The file or its directory does not exist.
    Missing,
    /// The file or its directory may not be written, or not be read.
    Denied,
    /// Another connection held the database for too long.
    Busy,
    /// The disk is full.
    Full,
    /// The file is damaged, or a row says what no row can say.
    Corrupt,
    /// A look through the file found damage; nothing is written to it any more.
    Damaged {
        /// What SQLite says of it.
        found: String,
    },
    /// The file was deleted, moved or replaced while it was open.
    Gone {
        /// Which one: the ledger or its journal.
        path: String,
    },
    /// The disk failed.
    Io,
    /// It was to be kept only after something that will not come.
    Withdrawn,
    /// funcron itself is wrong.
    Bug,
}

impl StoreErrorKind {
    fn explain(&self) -> String {
        match self {
            Self::Locked { holder } => {
                format!(": another daemon holds it ({holder}); stop that one, or give this one a ledger of its own")
            }
            Self::NotALedger => {
                ": the file is no funcron ledger; name another file, or move this one away".into()
            }
            Self::Newer { found, known } => format!(
                ": a later release of funcron wrote it (schema {found}, this release knows up to {known}); install that release again, or restore the copy that was made before the migration"
            ),
            Self::Older { found, known } => format!(
                ": an earlier release of funcron wrote it (schema {found}, this release reads {known}); start the daemon, which copies it aside and brings it up to date, or read it with that release"
            ),
            Self::Missing => ": no such file or directory; the daemon makes the file, but not its directory".into(),
            Self::Denied => ": permission denied or read-only; the daemon needs to write the file and its directory, a reader to read them".into(),
            Self::Busy => ": another process keeps the database locked".into(),
            Self::Full => ": the disk is full".into(),
            Self::Corrupt => ": the file is damaged; restore a backup, or recover it with `sqlite3 FILE .recover`".into(),
            Self::Damaged { found } => format!(
                ": the file is damaged ({found}); stop the daemon, then restore a backup, or recover it with `sqlite3 FILE .recover`"
            ),
            Self::Gone { path } => format!(
                ": {path} was deleted, moved or replaced under the daemon, and what it wrote now nobody could read; move the file back, or stop the daemon, restore a backup and start it again"
            ),
            Self::Io => ": the disk reported an error".into(),
            Self::Withdrawn => ": it was withdrawn before it was to be kept".into(),
            Self::Bug => String::new(),
        }
    }
}

impl StoreError {
    /// A failure with no cause below it.
    pub(super) fn new(doing: impl Into<String>, kind: StoreErrorKind) -> Self {
        Self {
            doing: doing.into(),
            kind,
            source: None,
        }
    }

    /// Sorts a database error into its kind.
    pub(super) fn from_sqlx(doing: impl Into<String>, source: sqlx::Error) -> Self {
        Self {
            doing: doing.into(),
            kind: classify(&source),
            source: Some(source),
        }
    }

    /// The kind of a bare database error.
    pub(super) fn kind_of(error: &sqlx::Error) -> StoreErrorKind {
        classify(error)
    }

    /// The database's own words.
    pub(super) fn cause(&self) -> Option<String> {
        self.source.as_ref().map(ToString::to_string)
    }

    /// What kind of failure it is.
    pub fn kind(&self) -> &StoreErrorKind {
        &self.kind
    }
}

/// Result codes of SQLite: <https://sqlite.org/rescode.html>. The low byte is the primary code.
fn classify(error: &sqlx::Error) -> StoreErrorKind {
    let code = match error {
        sqlx::Error::Database(database) => database
            .code()
            .and_then(|code| code.parse::<u32>().ok())
            .unwrap_or(0),
        sqlx::Error::Io(_) | sqlx::Error::WorkerCrashed => return StoreErrorKind::Io,
        sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_) => {
            return StoreErrorKind::Corrupt;
        }
        _ => return StoreErrorKind::Bug,
    };
    match code & 0xff {
        5 | 6 => StoreErrorKind::Busy,
        3 | 8 | 23 => StoreErrorKind::Denied,
        10 => StoreErrorKind::Io,
        11 => StoreErrorKind::Corrupt,
        13 => StoreErrorKind::Full,
        14 => StoreErrorKind::Denied,
        26 => StoreErrorKind::NotALedger,
        _ => StoreErrorKind::Bug,
    }
}
