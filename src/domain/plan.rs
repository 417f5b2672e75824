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

/// Whether an instant lies in a span in which the job is paused: then its tick is `skipped/paused`,
/// whatever else could be said of it.
pub type IsPaused<'p> = &'p dyn Fn(Timestamp) -> bool;

/// Plans the live ticks in `(after, now]`. `occupied`: an earlier live run of the job is not final.
/// `gate` is what a new run of the job waits for.
pub fn live(
    schedule: &Schedule,
    overlap: Overlap,
    after: Timestamp,
    now: Timestamp,
    mut occupied: bool,
    gate: Reason,
    is_paused: IsPaused<'_>,
) -> Vec<Planned> {
    schedule
        .ticks(after, now)
        .map(|tick| match (tick.kind, overlap) {
            _ if is_paused(tick.at) => Planned::skipped(tick.at, Reason::Paused),
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
    is_paused: IsPaused<'_>,
) -> (Vec<Planned>, Timestamp) {
    let mut planned = Vec::new();
    let mut ticks = schedule.ticks(span.from, span.until).peekable();
    while let Some(tick) = ticks.next() {
        // A later tick that a change of the clocks or a pause took away runs nothing, and takes
        // nobody's place.
        let superseded = || {
            let mut later = schedule.ticks(tick.at, span.until);
            later.any(|later| later.kind == TickKind::Fire && !is_paused(later.at))
        };
        let within = Duration::try_from(now.duration_since(tick.at)).is_ok_and(|age| age <= window);
        planned.push(match (tick.kind, catchup) {
            _ if is_paused(tick.at) => Planned::skipped(tick.at, Reason::Paused),
            (TickKind::SkippedByGap, _) => Planned::skipped(tick.at, Reason::DstGap),
            (TickKind::Fire, Catchup::Latest) if within && !superseded() => {
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

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::super::schedule::{Dst, DstGap, DstOverlap, ScheduleSpec};
    use super::*;

    fn schedule(expression: &str, timezone: &str) -> Schedule {
        Schedule::parse(&ScheduleSpec {
            expressions: &[expression.to_owned()],
            timezone,
            dst: Dst {
                gap: DstGap::Skip,
                overlap: DstOverlap::First,
            },
            starts_at: None,
            ends_at: None,
            job: "a",
        })
        .unwrap()
    }

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn a_tick_that_the_clocks_jumped_over_does_not_supersede_the_one_before_it() {
        let span = Late {
            from: at("2026-03-27T12:00:00Z"),
            until: at("2026-03-29T12:00:00Z"),
            cause: Reason::DaemonDown,
        };
        let days = Duration::from_secs(3 * 86_400);
        let daily = schedule("30 2 * * *", "Europe/Berlin");
        let (planned, reached) = late(
            &daily,
            Catchup::Latest,
            days,
            span,
            span.until,
            100,
            &|_| false,
        );
        let whats: Vec<_> = planned
            .iter()
            .map(|tick| (tick.state, tick.reason))
            .collect();
        assert_eq!(
            whats,
            [
                (RunState::Waiting, Reason::InFlight),
                (RunState::Skipped, Reason::DstGap)
            ]
        );
        assert_eq!(reached, span.until);
    }

    #[test]
    fn a_late_span_is_planned_in_parts_that_add_up_to_the_whole() {
        let span = Late {
            from: at("2026-03-01T00:00:00Z"),
            until: at("2026-03-01T01:00:30Z"),
            cause: Reason::Clock,
        };
        let minutely = schedule("* * * * *", "UTC");
        let window = Duration::from_secs(600);
        let plan = |span, limit| {
            late(
                &minutely,
                Catchup::Latest,
                window,
                span,
                span.until,
                limit,
                &|_| false,
            )
        };
        let (whole, _) = plan(span, usize::MAX);
        let (mut parts, mut from) = (Vec::new(), span.from);
        while from < span.until {
            let (part, reached) = plan(Late { from, ..span }, 7);
            assert!(part.len() <= 7 && reached > from);
            parts.extend(part);
            from = reached;
        }
        assert_eq!(parts, whole);
        assert_eq!(whole.len(), 60);
        assert_eq!(whole[59].trigger, Trigger::Catchup);
        assert_eq!(whole[58].reason, Reason::Catchup);
        assert_eq!(whole[0].reason, Reason::Clock);
    }

    #[test]
    fn of_live_ticks_planned_together_the_first_runs() {
        let schedule = schedule("* * * * * *", "UTC");
        let (after, now) = (at("2026-03-01T00:00:00Z"), at("2026-03-01T00:00:03Z"));
        let plan = |occupied| {
            live(
                &schedule,
                Overlap::Skip,
                after,
                now,
                occupied,
                Reason::Quota,
                &|_| false,
            )
        };
        let reasons =
            |planned: Vec<Planned>| planned.iter().map(|tick| tick.reason).collect::<Vec<_>>();
        assert_eq!(
            reasons(plan(false)),
            [Reason::Quota, Reason::Overlap, Reason::Overlap]
        );
        assert_eq!(reasons(plan(true)), [Reason::Overlap; 3]);
    }

    #[test]
    fn a_tick_in_a_pause_is_skipped_and_takes_nobodys_place() {
        let minutely = schedule("* * * * *", "UTC");
        let span = Late {
            from: at("2026-03-01T00:00:00Z"),
            until: at("2026-03-01T00:04:00Z"),
            cause: Reason::DaemonDown,
        };
        let paused = |tick| tick >= at("2026-03-01T00:03:00Z");
        let window = Duration::from_secs(600);
        let reasons =
            |planned: Vec<Planned>| planned.iter().map(|tick| tick.reason).collect::<Vec<_>>();
        let (late, _) = late(
            &minutely,
            Catchup::Latest,
            window,
            span,
            span.until,
            9,
            &paused,
        );
        assert_eq!(late[1].state, RunState::Waiting);
        assert_eq!(late[3].state, RunState::Skipped);
        assert_eq!(
            reasons(late),
            [
                Reason::Catchup,
                Reason::InFlight,
                Reason::Paused,
                Reason::Paused
            ]
        );
        let live = live(
            &minutely,
            Overlap::Skip,
            at("2026-03-01T00:01:00Z"),
            span.until,
            false,
            Reason::InFlight,
            &paused,
        );
        assert_eq!(
            reasons(live),
            [Reason::InFlight, Reason::Paused, Reason::Paused]
        );
    }
}
