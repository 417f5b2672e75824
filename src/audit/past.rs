//! What is the same for all jobs: what a prune took, when daemons started, where planning went back.

use jiff::Timestamp;
use serde_json::Value;

/// The part of the ledger's story that no job has to itself. Instants in microseconds since the epoch.
pub(super) struct Past {
    /// Runs of ticks before it may have been pruned.
    pub(super) horizon_us: Option<i64>,
    /// The daemon's starts, ascending.
    pub(super) starts: Vec<i64>,
    /// From where to where planning went back.
    pub(super) rewinds: Vec<(i64, i64)>,
}

impl Past {
    pub(super) fn is_pruned(&self, us: i64) -> bool {
        self.horizon_us.is_some_and(|horizon| us < horizon)
    }

    /// Whether a tick may have been decided on by a clock that was ahead of the time. What was decided
    /// at the same instants when they came indeed cannot be told from it.
    pub(super) fn is_of_a_clock_ahead(&self, scheduled_us: i64, created_us: i64) -> bool {
        let mut rewinds = self.rewinds.iter();
        rewinds.any(|(from, to)| scheduled_us <= *to && *to < created_us && created_us <= *from)
    }
}

/// From where to where planning went back. An event that does not tell it excuses nothing.
pub(super) fn rewinds(details: &[String]) -> Vec<(i64, i64)> {
    let parsed = details.iter().filter_map(|detail| {
        let detail: Value = serde_json::from_str(detail).ok()?;
        let at = |key: &str| detail[key].as_str()?.parse::<Timestamp>().ok();
        // They are told in milliseconds.
        let from = at("from")?.as_microsecond().saturating_add(1_000);
        Some((from, at("to")?.as_microsecond()))
    });
    parsed.collect()
}
