//! An attempt: one HTTP call made for a run, and everything that is known of it afterwards. All of
//! it is redacted.

use std::sync::Arc;
use std::time::Duration;

use sha2::{Digest, Sha256};

use super::outcome::Outcome;
use super::run::Reason;

/// How much of a body is kept, in bytes.
pub const BODY_LIMIT: usize = 256 * 1024;

/// A body as the ledger keeps it: whole up to a limit, beyond it the head.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredBody {
    /// The text, cut at a character's boundary. Bytes that are no UTF-8 read as U+FFFD.
    pub text: Arc<str>,
    /// The length of the whole redacted text. A reply longer than `max_reply`, or broken off, is
    /// whole as far as it was read.
    pub bytes: u64,
    /// The SHA-256 of the whole redacted text, in hex.
    pub sha256: Arc<str>,
}

impl StoredBody {
    /// Whether the text was deleted for its age: nothing but its length and its hash is left.
    pub fn is_pruned(&self) -> bool {
        self.text.is_empty() && self.bytes > 0
    }

    /// Keeps `redacted` up to `limit` bytes.
    pub fn new(redacted: &str, limit: usize) -> Self {
        Self {
            text: head(redacted, limit).into(),
            bytes: redacted.len() as u64,
            sha256: hex(&Sha256::digest(redacted.as_bytes())).into(),
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let nibbles = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    nibbles
        .map(|nibble| char::from(DIGITS[usize::from(nibble)]))
        .collect()
}

/// The longest beginning of `text` that has at most `limit` bytes.
pub(crate) fn head(text: &str, limit: usize) -> &str {
    &text[..text.floor_char_boundary(limit)]
}

/// What became of one call: an attempt's columns.
#[derive(Clone, Debug, PartialEq)]
pub struct CallRecord {
    /// The verdict.
    pub outcome: Outcome,
    /// Why, where that is `unknown`.
    pub unknown_reason: Option<Reason>,
    /// What decided, in words.
    pub decided_by: String,
    /// From the call's start until the request's last byte was handed to the connection; `None`
    /// where that was never known to happen.
    pub written_after: Option<Duration>,
    /// From the sending (the writing, or the start where that is not known) to the last byte of
    /// the reply; `None` where there was no whole reply.
    pub duration: Option<Duration>,
    /// The whole call, however it ended.
    pub took: Duration,
    /// The status, where a head arrived.
    pub http_status: Option<u16>,
    /// The reply, as far as it arrived.
    pub response: Option<StoredBody>,
    /// The envelope's `traceId`.
    pub trace_id: Option<String>,
    /// The content's `traceId`, or a bare engine reply's.
    pub func_trace_id: Option<String>,
    /// The engine's task, where the reply names it.
    pub task_id: Option<String>,
    /// The engine's `reqCost`, in milliseconds.
    pub cost_ms: Option<i64>,
    /// The envelope's `errorCode`.
    pub error_code: Option<String>,
    /// The engine's `reason`.
    pub engine_reason: Option<String>,
    /// The engine's `error`, as it was spelt.
    pub engine_error: Option<String>,
    /// The content's `message`, else the envelope's.
    pub message: Option<String>,
    /// How long the server asked to wait: `waitSeconds`, else `Retry-After`. Not yet clamped.
    pub retry_after: Option<Duration>,
    /// The server called the key invalid.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_is_cut_between_characters_and_measured_whole() {
        let stored = StoredBody::new("密密密", 7);
        assert_eq!(&*stored.text, "密密");
        assert_eq!(stored.bytes, 9);
        assert_eq!(stored.sha256, StoredBody::new("密密密", 9).sha256);
        assert_eq!(&*StoredBody::new("密", 2).text, "");
        assert_eq!(
            &*StoredBody::new("abc", 100).sha256,
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
    }
}
