//! How a command ends: its exit code (contract, section 6) and, where it failed, its words.

use std::fmt;
use std::process::ExitCode;

use crate::store::{StoreError, StoreErrorKind};

/// The exit codes, each with one meaning for every command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Done.
    Done = 0,
    /// The thing itself failed: a run, an audit, a ledger that cannot be read.
    Failed = 1,
    /// The command line or the configuration is wrong.
    Usage = 2,
    /// There is no such job or run.
    NotFound = 3,
    /// The daemon does not answer, or is another ledger's.
    Unreachable = 4,
    /// Another daemon holds the ledger.
    Held = 5,
    /// `run` cannot start, and a restart cannot help: the unit does not restart it.
    CannotStart = 78,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

impl Exit {
    /// What a failure of the ledger means to a command that reads it: it is unreadable, whatever the
    /// reason. No reader is ever locked out by a daemon.
    fn of_reader(kind: &StoreErrorKind) -> Self {
        match kind {
            StoreErrorKind::Locked { .. } => Self::Held,
            _ => Self::Failed,
        }
    }
}

/// Why a command ended badly, for the operator: what was being done, where, what to do next.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) exit: Exit,
    message: String,
}

impl Failure {
    pub(crate) fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self {
            exit,
            message: message.into(),
        }
    }

    /// An error with its causes.
    pub(crate) fn because(exit: Exit, error: &dyn std::error::Error) -> Self {
        let mut message = error.to_string();
        let mut cause = error.source();
        while let Some(error) = cause {
            let words = error.to_string();
            // Some errors say what their cause says.
            if !message.ends_with(&words) {
                message.push_str(": ");
                message.push_str(&words);
            }
            cause = error.source();
        }
        Self { exit, message }
    }

    /// The same with another exit code.
    pub(crate) fn with(self, exit: Exit) -> Self {
        Self { exit, ..self }
    }

    /// The same with another word on what to do.
    pub(crate) fn hint(mut self, hint: &str) -> Self {
        self.message.push_str("; ");
        self.message.push_str(hint);
        self
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        let exit = Exit::of_reader(error.kind());
        match error.kind() {
            // These say all there is to say; the database's own words would only repeat it.
            StoreErrorKind::Missing => Self::new(exit, error.to_string())
                .hint("--database names a ledger, --config a configuration with one"),
            StoreErrorKind::NotALedger
            | StoreErrorKind::Newer { .. }
            | StoreErrorKind::Older { .. }
            | StoreErrorKind::Denied
            | StoreErrorKind::Full
            | StoreErrorKind::Damaged { .. }
            | StoreErrorKind::Gone { .. }
            | StoreErrorKind::Locked { .. } => Self::new(exit, error.to_string()),
            StoreErrorKind::Busy
            | StoreErrorKind::Corrupt
            | StoreErrorKind::Io
            | StoreErrorKind::Withdrawn
            | StoreErrorKind::Bug => Self::because(exit, &error),
        }
    }
}

/// Standard output could not be written: a full disk, most likely.
impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self::new(Exit::Failed, format!("writing to standard output: {error}"))
    }
}
