//! An attempt: one HTTP call made for a run, and everything that is known of it afterwards.

use std::time::Duration;

use super::outcome::Outcome;
use super::run::Reason;

/// A body as the ledger keeps it: redacted, then cut to a limit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StoredBody {
    /// The head of the redacted body, up to the limit, cut between characters.
    pub text: String,
    /// Length of the whole redacted body in bytes.
    pub bytes: u64,
    /// SHA-256 of the whole redacted body, in hex.
    pub sha256: String,
}

/// What a call came to. Every text in it is redacted.
#[derive(Clone, Debug)]
pub struct CallRecord {
    /// The verdict.
    pub outcome: Outcome,
    /// Why nobody can tell, of an `unknown`.
    pub unknown_reason: Option<Reason>,
    /// What decided, in words.
    pub decided_by: String,
    /// From the call's start until the request's last byte was handed to the connection; `None`
    /// where that never happened or nobody saw it.
    pub written_after: Option<Duration>,
    /// From the request's leaving (the start, where that is not known) to the reply's last byte.
    pub duration: Option<Duration>,
    /// From the call's start to its end, whatever came of it.
    pub took: Duration,
    /// The reply's status.
    pub http_status: Option<u16>,
    /// The reply's body.
    pub response: Option<StoredBody>,
    /// The envelope's `traceId`, as text.
    pub trace_id: Option<String>,
    /// The content's `traceId`, as text.
    pub func_trace_id: Option<String>,
    /// The engine's task.
    pub task_id: Option<String>,
    /// The engine's `reqCost`, in milliseconds.
    pub cost_ms: Option<i64>,
    /// The envelope's `errorCode`.
    pub error_code: Option<String>,
    /// The content's `reason`, whole.
    pub engine_reason: Option<String>,
    /// The content's `error`, in its own digits.
    pub engine_error: Option<String>,
    /// The content's message, else the envelope's.
    pub message: Option<String>,
    /// How long the server asks to wait, clamped (contract, section 4).
    pub retry_after: Option<Duration>,
    /// The server called the key invalid: its runs wait (contract, section 4).
    pub holds_key: bool,
}

impl CallRecord {
    /// A record of a call that was not made, or of whose end nothing is known but `outcome`.
    pub fn without_reply(
        outcome: Outcome,
        unknown_reason: Option<Reason>,
        decided_by: impl Into<String>,
    ) -> Self {
        Self {
            outcome,
            unknown_reason,
            decided_by: decided_by.into(),
            written_after: None,
            duration: None,
            took: Duration::ZERO,
            http_status: None,
            response: None,
            trace_id: None,
            func_trace_id: None,
            task_id: None,
            cost_ms: None,
            error_code: None,
            engine_reason: None,
            engine_error: None,
            message: None,
            retry_after: None,
            holds_key: false,
        }
    }
}
