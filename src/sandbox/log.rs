//! What the sandbox has received, for tests and for people who watch.
//!
//! The record is a ring, bounded in entries and in bytes of body text: the newest are kept, and a
//! counter says how many were forgotten. The counters themselves never forget.

use std::collections::VecDeque;
use std::fmt;
use std::time::Instant;

use jiff::Timestamp;

/// Requests kept at most.
pub const MAX_KEPT: usize = 10_000;

/// Bytes of body text kept at most, over all kept requests.
const MAX_KEPT_BYTES: usize = 32 << 20;

/// Bytes of one body kept at most.
const MAX_BODY: usize = 256 << 10;

/// One request, as it arrived, and how it was answered.
#[derive(Clone, Debug)]
pub struct Received {
    /// When the whole request had been read, for distances between requests.
    pub at: Instant,
    /// The same by the wall clock, for showing.
    pub wall: Timestamp,
    /// `GET` or `POST`, usually.
    pub method: String,
    /// Path and query.
    pub path: String,
    /// The first 8 hex digits of the SHA-256 of the `DF-API-KEY` header; `None` without one.
    pub key: Option<String>,
    /// `funcId` of the body; `None` where there is none.
    pub func_id: Option<String>,
    /// The body as text, its first 256 KiB; bytes that are not UTF-8 are replaced.
    pub body: String,
    /// The trace id it was given.
    pub trace_id: String,
    /// How it was answered; `None` while it is not, and for ever if the caller left before.
    pub answer: Option<Answer>,
}

/// How a request was answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// An envelope without an error; of a call, the function returned.
    Success,
    /// An envelope without an error around an engine's failure.
    Failure {
        /// The engine's `reason`.
        reason: String,
    },
    /// An envelope that reports an error; no function ran.
    Refused {
        /// The HTTP status, and the envelope's `code`.
        status: u16,
        /// The envelope's `errorCode`.
        error_code: String,
    },
    /// A reply that breaks a rule of HTTP, JSON or patience, or none at all, as was asked for.
    Misbehaved,
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Success => f.write_str("success"),
            Self::Failure { reason } => f.write_str(reason),
            Self::Refused { status, error_code } => write!(f, "{status} {error_code}"),
            Self::Misbehaved => f.write_str("misbehaved"),
        }
    }
}

/// Totals since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Connections accepted.
    pub connections: u64,
    /// Requests read whole.
    pub requests: u64,
    /// Calls handed to the engine, whatever came of them.
    pub executed: u64,
    /// Requests refused for their key.
    pub bad_key: u64,
    /// Requests refused by the limit of their key.
    pub throttled_by_key: u64,
    /// Requests refused by the limit of the workspace.
    pub throttled_by_workspace: u64,
    /// Requests that left the ring to make room.
    pub forgotten: u64,
}

/// The ring and the totals.
#[derive(Debug, Default)]
pub(super) struct Log {
    kept: VecDeque<Received>,
    kept_bytes: usize,
    pub(super) counters: Counters,
}

/// Which request an answer belongs to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry(u64);

impl Log {
    /// Adds a request and forgets the oldest where a bound is passed.
    pub(super) fn open(&mut self, mut received: Received) -> Entry {
        received
            .body
            .truncate(received.body.floor_char_boundary(MAX_BODY));
        received.body.shrink_to_fit();
        self.kept_bytes += received.body.len();
        self.kept.push_back(received);
        self.counters.requests += 1;
        while self.kept.len() > MAX_KEPT || self.kept_bytes > MAX_KEPT_BYTES {
            let Some(oldest) = self.kept.pop_front() else {
                break;
            };
            self.kept_bytes -= oldest.body.len();
            self.counters.forgotten += 1;
        }
        Entry(self.counters.requests - 1)
    }

    /// Records how it was answered, if it is still remembered.
    pub(super) fn close(&mut self, Entry(entry): Entry, answer: Answer) {
        let place = entry
            .checked_sub(self.counters.forgotten)
            .and_then(|place| usize::try_from(place).ok());
        if let Some(received) = place.and_then(|place| self.kept.get_mut(place)) {
            received.answer = Some(answer);
        }
    }

    /// What is remembered, oldest first.
    pub(super) fn kept(&self) -> Vec<Received> {
        self.kept.iter().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(path: String, body: String) -> Received {
        Received {
            at: Instant::now(),
            wall: Timestamp::UNIX_EPOCH,
            method: "POST".to_owned(),
            path,
            key: None,
            func_id: None,
            body,
            trace_id: String::new(),
            answer: None,
        }
    }

    #[test]
    fn the_newest_requests_are_kept_and_the_forgotten_are_counted() {
        let mut log = Log::default();
        let entries: Vec<Entry> = (0..MAX_KEPT + 5)
            .map(|n| log.open(request(format!("/{n}"), String::new())))
            .collect();
        log.close(entries[0], Answer::Misbehaved);
        log.close(entries[5], Answer::Success);
        log.close(entries[MAX_KEPT + 4], Answer::Misbehaved);
        let kept = log.kept();
        assert_eq!(kept.len(), MAX_KEPT);
        assert_eq!(log.counters.forgotten, 5);
        assert_eq!(log.counters.requests, MAX_KEPT as u64 + 5);
        assert_eq!(
            (kept[0].path.as_str(), &kept[0].answer),
            ("/5", &Some(Answer::Success))
        );
        assert_eq!(kept[1].answer, None);
        assert_eq!(kept[MAX_KEPT - 1].answer, Some(Answer::Misbehaved));
    }

    #[test]
    fn kept_bodies_are_bounded_in_bytes_and_cut_between_characters() {
        let mut log = Log::default();
        for n in 0..200 {
            log.open(request(format!("/{n}"), "中".repeat(MAX_BODY)));
        }
        let kept = log.kept();
        let bytes: usize = kept.iter().map(|received| received.body.len()).sum();
        assert!(bytes <= MAX_KEPT_BYTES, "{bytes}");
        assert!(kept.len() > 100, "{}", kept.len());
        assert_eq!(kept[0].body.len(), MAX_BODY / 3 * 3);
    }
}
