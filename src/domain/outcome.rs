//! What became of one attempt (contract, section 4). A closed set: no text of a reply ever becomes
//! an outcome.

use std::fmt;

/// The outcome of one attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Outcome {
    /// 2xx, a JSON envelope with no error, `content.ok` not false, and `expect` holds.
    Success,
    /// The function raised, or a reason in no row of the table.
    FuncFailed,
    /// The engine killed the function at its time limit.
    FuncTimeout,
    /// The function ran and its result does not satisfy `expect`, or could not be encoded.
    ResultInvalid,
    /// The server refused the call for its rate; nothing ran.
    Throttled,
    /// The key or the user was refused; nothing ran.
    AuthFailed,
    /// The request was refused; nothing ran.
    Rejected,
    /// The server says that it is broken.
    ServerError,
    /// No byte of the request was handed to a connection.
    NetworkError,
    /// It may have run; nobody can tell from what came back.
    Unknown,
}

impl Outcome {
    /// Every outcome, in the order of the documentation.
    pub const ALL: [Self; 10] = [
        Self::Success,
        Self::FuncFailed,
        Self::FuncTimeout,
        Self::ResultInvalid,
        Self::Throttled,
        Self::AuthFailed,
        Self::Rejected,
        Self::ServerError,
        Self::NetworkError,
        Self::Unknown,
    ];

    /// The name in the ledger, the configuration and on every page.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::FuncFailed => "func_failed",
            Self::FuncTimeout => "func_timeout",
            Self::ResultInvalid => "result_invalid",
            Self::Throttled => "throttled",
            Self::AuthFailed => "auth_failed",
            Self::Rejected => "rejected",
            Self::ServerError => "server_error",
            Self::NetworkError => "network_error",
            Self::Unknown => "unknown",
        }
    }

    /// The reverse of [`Self::as_str`].
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|outcome| outcome.as_str() == text)
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
