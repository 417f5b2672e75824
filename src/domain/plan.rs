//! What becomes of the ticks of a span: live ones by the overlap policy, late ones by the catch-up
//! policy (contract, sections 3 and 4). Every tick of the span gets exactly one [`Planned`].

use std::time::Duration;

use jiff::Timestamp;

use super::job::{Catchup, Overlap};
use super::run::{Reason, RunState, Trigger};
use super::schedule::{Schedule, TickKind};

/// A tick that is planned this much after its instant is caught up, not live.
pub const LATE: Duration = Duration::from_secs(10);

/// A tick with its decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Planned {
    /// The tick.
    pub scheduled_at: Timestamp,
    /// Whether it runs at its time or later.
    pub trigger: Trigger,
    /// `Waiting`, `Skipped` or `Missed`.
    pub state: RunState,
    /// Why.
    pub reason: Reason,
}

impl Planned {
    fn waiting(scheduled_at: Timestamp, trigger: Trigger, reason: Reason) -> Self {
        Self {
            scheduled_at,
            trigger,
            state: RunState::Waiting,
            reason,
        }
    }

    fn skipped(scheduled_at: Timestamp, reason: Reason) -> Self {
        Self {
            scheduled_at,
            trigger: Trigger::Schedule,
            state: RunState::Skipped,
            reason,
        }
    }

    fn missed(scheduled_at: Timestamp, reason: Reason) -> Self {
        Self {
            scheduled_at,
            trigger: Trigger::Schedule,
            state: RunState::Missed,
            reason,
        }
    }
}

/// Plans the live ticks in `(after, now]`. `occupied`: an earlier live run of the job is not final.
/// `gate` is what a new run of the job waits for.
pub fn live(
    schedule: &Schedule,
    overlap: Overlap,
    after: Timestamp,
    now: Timestamp,
    mut occupied: bool,
    gate: Reason,
) -> Vec<Planned> {
    schedule
        .ticks(after, now)
        .map(|tick| match (tick.kind, overlap) {
            (TickKind::SkippedByGap, _) => Planned::skipped(tick.at, Reason::DstGap),
            (TickKind::Fire, Overlap::Skip) if occupied => {
                Planned::skipped(tick.at, Reason::Overlap)
            }
            (TickKind::Fire, Overlap::Skip) => {
                occupied = true;
                Planned::waiting(tick.at, Trigger::Schedule, gate)
            }
        })
        .collect()
}

/// A span `(from, until]` nobody planned in time.
#[derive(Clone, Copy, Debug)]
pub struct Late {
    /// Everything up to and including it is planned.
    pub from: Timestamp,
    /// The span's last instant.
    pub until: Timestamp,
    /// Why nobody was there: `DaemonDown`, `LedgerUnavailable` or `Clock`.
    pub cause: Reason,
}

/// Plans at most `limit` ticks of a late span, the oldest first, and says up to where it came:
/// `until` where the span is done.
pub fn late(
    schedule: &Schedule,
    catchup: Catchup,
    window: Duration,
    span: Late,
    now: Timestamp,
    limit: usize,
) -> (Vec<Planned>, Timestamp) {
    let mut planned = Vec::new();
    let mut ticks = schedule.ticks(span.from, span.until).peekable();
    while let Some(tick) = ticks.next() {
        let newest = ticks.peek().is_none_or(|later| later.at > span.until);
        let within = Duration::try_from(now.duration_since(tick.at)).is_ok_and(|age| age <= window);
        planned.push(match (tick.kind, catchup) {
            (TickKind::SkippedByGap, _) => Planned::skipped(tick.at, Reason::DstGap),
            (TickKind::Fire, Catchup::Latest) if within && newest => {
                Planned::waiting(tick.at, Trigger::Catchup, Reason::InFlight)
            }
            (TickKind::Fire, Catchup::Latest) if within => {
                Planned::missed(tick.at, Reason::Catchup)
            }
            (TickKind::Fire, Catchup::Latest | Catchup::None) => {
                Planned::missed(tick.at, span.cause)
            }
        });
        if planned.len() >= limit && ticks.peek().is_some() {
            return (planned, tick.at);
        }
    }
    (planned, span.until)
}
