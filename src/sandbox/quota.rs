//! The documented limits: calls in any sliding minute, per key and over the whole workspace.
//!
//! The window is exact: an accepted call counts for sixty seconds from its arrival and not a
//! moment longer. A refused call counts for nothing, since the document does not say that it does
//! and a limit that punishes asking would never open again for a client that polls.

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

/// How long an accepted call counts.
const MINUTE: Duration = Duration::from_secs(60);

/// Keys remembered before those with an empty window are dropped.
const KEYS_BEFORE_SWEEP: usize = 1024;

/// Whose limit a call met.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Full {
    /// The key's own.
    Key,
    /// That of all keys together.
    Workspace,
}

/// The calls of the last minute.
#[derive(Debug)]
pub(super) struct Quota {
    per_key: Option<u32>,
    per_workspace: Option<u32>,
    keys: HashMap<String, Window>,
    workspace: Window,
}

impl Quota {
    /// Empty windows with these limits; `None` is no limit.
    pub(super) fn new(per_key: Option<u32>, per_workspace: Option<u32>) -> Self {
        Self {
            per_key,
            per_workspace,
            keys: HashMap::new(),
            workspace: Window::default(),
        }
    }

    /// Counts a call that arrived `now`, unless a limit is met. The key's limit is looked at first
    /// (the document gives no order), and both must have room before either is charged.
    pub(super) fn admit(&mut self, key: &str, now: Instant) -> Result<(), Full> {
        if self.keys.len() >= KEYS_BEFORE_SWEEP {
            self.keys.retain(|_, window| window.count(now) > 0);
        }
        let window = self.keys.entry(key.to_owned()).or_default();
        if !window.has_room(self.per_key, now) {
            return Err(Full::Key);
        }
        if !self.workspace.has_room(self.per_workspace, now) {
            return Err(Full::Workspace);
        }
        // Without a limit nothing is kept, so that an unlimited sandbox needs no memory.
        if self.per_key.is_some() {
            window.accepted.push_back(now);
        }
        if self.per_workspace.is_some() {
            self.workspace.accepted.push_back(now);
        }
        Ok(())
    }
}

/// Arrivals of accepted calls, oldest first; never longer than its limit.
#[derive(Debug, Default)]
struct Window {
    accepted: VecDeque<Instant>,
}

impl Window {
    fn has_room(&mut self, limit: Option<u32>, now: Instant) -> bool {
        limit.is_none_or(|limit| self.count(now) < limit as usize)
    }

    fn count(&mut self, now: Instant) -> usize {
        let gone = |at: &Instant| now.saturating_duration_since(*at) >= MINUTE;
        while self.accepted.front().is_some_and(gone) {
            self.accepted.pop_front();
        }
        self.accepted.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(n: u64) -> Duration {
        Duration::from_secs(n)
    }

    #[test]
    fn a_key_has_room_again_exactly_a_minute_after_its_oldest_call() {
        let start = Instant::now();
        let mut quota = Quota::new(Some(2), None);
        assert_eq!(quota.admit("a", start), Ok(()));
        assert_eq!(quota.admit("a", start + seconds(30)), Ok(()));
        let last_moment = start + MINUTE - Duration::from_nanos(1);
        assert_eq!(quota.admit("a", last_moment), Err(Full::Key));
        assert_eq!(quota.admit("a", start + MINUTE), Ok(()));
        assert_eq!(quota.admit("a", start + seconds(89)), Err(Full::Key));
        assert_eq!(quota.admit("a", start + seconds(90)), Ok(()));
    }

    #[test]
    fn a_refused_call_does_not_count() {
        let start = Instant::now();
        let mut quota = Quota::new(Some(1), None);
        assert_eq!(quota.admit("a", start), Ok(()));
        for second in 1..60 {
            let polled = quota.admit("a", start + seconds(second));
            assert_eq!(polled, Err(Full::Key));
        }
        assert_eq!(quota.admit("a", start + seconds(60)), Ok(()));
    }

    #[test]
    fn keys_are_counted_apart_and_the_workspace_over_all() {
        let start = Instant::now();
        let mut quota = Quota::new(Some(2), Some(3));
        assert_eq!(quota.admit("a", start), Ok(()));
        assert_eq!(quota.admit("a", start), Ok(()));
        assert_eq!(quota.admit("a", start), Err(Full::Key));
        assert_eq!(quota.admit("b", start), Ok(()));
        assert_eq!(quota.admit("b", start), Err(Full::Workspace));
        assert_eq!(quota.admit("c", start), Err(Full::Workspace));
    }

    #[test]
    fn a_call_the_workspace_refuses_is_not_charged_to_its_key() {
        let start = Instant::now();
        let mut quota = Quota::new(Some(1), Some(1));
        assert_eq!(quota.admit("a", start), Ok(()));
        assert_eq!(quota.admit("b", start + seconds(59)), Err(Full::Workspace));
        assert_eq!(quota.admit("b", start + seconds(60)), Ok(()));
    }

    #[test]
    fn no_limit_refuses_nothing_and_keeps_nothing() {
        let start = Instant::now();
        let mut quota = Quota::new(None, None);
        for n in 0..10_000 {
            assert_eq!(quota.admit(&format!("key-{n}"), start), Ok(()));
        }
        assert!(quota.keys.len() <= KEYS_BEFORE_SWEEP);
        assert!(quota.workspace.accepted.is_empty());
    }
}
