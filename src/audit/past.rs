//! What is the same for all jobs: what a prune took, when daemons started, when the clock was set back.

use jiff::Timestamp;
use serde_json::Value;

/// The wall clock lies behind what is planned for so long before planning goes back to it, in
/// microseconds; and as much again for what the daemon's own steps take.
const PROBATION_US: i64 = 2 * 60_000_000;

/// The part of the ledger's story that no job has to itself. Instants in microseconds since the epoch.
pub(super) struct Past {
    pub(super) pruned: Pruned,
    /// The daemon's starts, ascending.
    pub(super) starts: Vec<i64>,
    /// Spans that the wall clock went through more than once.
    pub(super) set_back: Vec<(i64, i64)>,
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

    /// Whether the wall clock showed this instant more than once: what happened at it has no order
    /// with what happened around it, and may be of a time that had not come.
    pub(super) fn came_twice(&self, us: i64) -> bool {
        let mut spans = self.set_back.iter();
        spans.any(|(from, until)| (*from..=*until).contains(&us))
    }
}

/// The spans that the wall clock went through more than once, by what the daemon told of it. An event
/// that does not tell it excuses nothing.
pub(super) fn set_back(told: &[(i64, String)]) -> Vec<(i64, i64)> {
    told.iter()
        .filter_map(|(at_us, detail)| span(*at_us, &serde_json::from_str(detail).ok()?))
        .collect()
}

fn span(at_us: i64, detail: &Value) -> Option<(i64, i64)> {
    if let Some(seconds) = detail["seconds"].as_i64() {
        // Told in whole seconds.
        let by_us = (1 - seconds).saturating_mul(1_000_000);
        return (seconds < 0).then(|| (at_us, at_us.saturating_add(by_us)));
    }
    let was: Timestamp = detail["from"].as_str()?.parse().ok()?;
    // Told in whole milliseconds.
    let was_us = was.as_microsecond().saturating_add(1_000);
    Some((at_us.saturating_sub(PROBATION_US), was_us))
}
