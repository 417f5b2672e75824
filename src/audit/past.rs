//! What is the same for all jobs: what a prune took, when daemons started, where planning went back.

use jiff::Timestamp;
use serde_json::Value;

/// The part of the ledger's story that no job has to itself. Instants in microseconds since the epoch.
pub(super) struct Past {
    pub(super) pruned: Pruned,
    /// The daemon's starts, ascending.
    pub(super) starts: Vec<i64>,
    /// From where to where planning went back.
    pub(super) rewinds: Vec<(i64, i64)>,
}

/// What prunes may have taken, by their events.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Pruned {
    /// Runs of ticks before it.
    pub(super) horizon_us: Option<i64>,
    /// Bodies of attempts that were opened before it.
    pub(super) bodies_before_us: Option<i64>,
}

impl Pruned {
    /// Takes a prune's event in. Answers whether it says before when runs were taken.
    pub(super) fn take_in(&mut self, detail: &str) -> bool {
        let detail = serde_json::from_str::<Value>(detail).unwrap_or_default();
        let before = detail["before_us"].as_i64();
        self.horizon_us = self.horizon_us.max(before);
        // What takes a run takes its bodies.
        let bodies = before.max(detail["bodies_before_us"].as_i64());
        self.bodies_before_us = self.bodies_before_us.max(bodies);
        before.is_some()
    }
}

impl Past {
    pub(super) fn is_pruned(&self, us: i64) -> bool {
        self.pruned.horizon_us.is_some_and(|horizon| us < horizon)
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
