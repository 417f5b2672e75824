//! What becomes of the ticks of a span: live ones by the overlap policy, late ones by the catch-up
//! policy (contract, sections 3 and 4). Every tick of the span gets exactly one [`Planned`].

use std::collections::VecDeque;
use std::time::Duration;

use jiff::Timestamp;

use super::job::Overlap;
use super::overlap::{Joining, Queue};
use super::run::{Reason, RunState, Trigger};
use super::schedule::{Schedule, Tick, TickKind};

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

/// Plans the live ticks in `(after, now]`. `queue`: the job's live runs that are not final. `gate` is
/// what a new run of the job waits for that no other holds back.
pub fn live(
    schedule: &Schedule,
    overlap: Overlap,
    after: Timestamp,
    now: Timestamp,
    mut queue: Queue,
    gate: Reason,
    is_paused: IsPaused<'_>,
) -> Vec<Planned> {
    schedule
        .ticks(after, now)
        .map(|tick| match tick.kind {
            _ if is_paused(tick.at) => Planned::skipped(tick.at, Reason::Paused),
            TickKind::SkippedByGap => Planned::skipped(tick.at, Reason::DstGap),
            TickKind::Excluded => Planned::skipped(tick.at, Reason::Excluded),
            TickKind::Fire => match queue.join(overlap) {
                Joining::Free => Planned::waiting(tick.at, Trigger::Schedule, gate),
                Joining::Behind => Planned::waiting(tick.at, Trigger::Schedule, Reason::Overlap),
                Joining::Refused => Planned::skipped(tick.at, Reason::Overlap),
            },
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

/// What of a late span may be caught up.
#[derive(Clone, Copy, Debug)]
pub struct CatchUp {
    /// How many ticks at most, the newest of the span.
    pub newest: usize,
    /// How old a tick may be when it is planned.
    pub window: Duration,
}

/// Plans at most `limit` ticks of a late span, the oldest first, and says up to where it came:
/// `until` where the span is done.
///
/// Which ticks are the newest is counted from the span's end, which planning a part of it does not
/// move: so a span that is planned in parts, with a crash between any two, is caught up like one
/// that is planned at once. Only the window may have passed over more of it meanwhile.
pub fn late(
    schedule: &Schedule,
    catch_up: CatchUp,
    span: Late,
    now: Timestamp,
    limit: usize,
    is_paused: IsPaused<'_>,
) -> (Vec<Planned>, Timestamp) {
    let superseded_through = superseded_through(schedule, span, catch_up.newest, is_paused);
    // Several go one after another; the first is let into line as soon as it is planned.
    let gate = if catch_up.newest > 1 {
        Reason::Overlap
    } else {
        Reason::InFlight
    };
    let mut planned = Vec::new();
    let mut ticks = schedule.ticks(span.from, span.until).peekable();
    while let Some(tick) = ticks.next() {
        let age = Duration::try_from(now.duration_since(tick.at));
        let within = catch_up.newest > 0 && age.is_ok_and(|age| age <= catch_up.window);
        planned.push(match tick.kind {
            _ if is_paused(tick.at) => Planned::skipped(tick.at, Reason::Paused),
            TickKind::SkippedByGap => Planned::skipped(tick.at, Reason::DstGap),
            TickKind::Excluded => Planned::skipped(tick.at, Reason::Excluded),
            TickKind::Fire if !within => Planned::missed(tick.at, span.cause),
            TickKind::Fire if tick.at <= superseded_through => {
                Planned::missed(tick.at, Reason::Catchup)
            }
            TickKind::Fire => Planned::waiting(tick.at, Trigger::Catchup, gate),
        });
        if planned.len() >= limit && ticks.peek().is_some() {
            return (planned, tick.at);
        }
    }
    (planned, span.until)
}

/// The youngest instant at or before which no tick of the span is among its `newest`. A tick that a
/// change of the clocks or a pause took away runs nothing, and takes nobody's place.
///
/// Schedules are searched forwards only, so it looks back from the end over times that double until
/// they hold enough: that costs by what is caught up, not by how long the span is.
fn superseded_through(
    schedule: &Schedule,
    span: Late,
    newest: usize,
    is_paused: IsPaused<'_>,
) -> Timestamp {
    let mut back = Duration::from_secs(60);
    loop {
        let from = span.until.checked_sub(back).unwrap_or(Timestamp::MIN);
        let from = from.max(span.from);
        let mut kept = VecDeque::with_capacity(newest.min(64) + 1);
        let ticks = schedule.ticks(from, span.until);
        let fires = |tick: &Tick| tick.kind == TickKind::Fire && !is_paused(tick.at);
        for tick in ticks.filter(fires) {
            kept.push_back(tick.at);
            if kept.len() > newest + 1 {
                kept.pop_front();
            }
        }
        match kept.front() {
            Some(first) if kept.len() > newest => return *first,
            _ if from <= span.from => return span.from,
            _ => back = back.saturating_mul(2),
        }
    }
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
        let latest = CatchUp {
            newest: 1,
            window: Duration::from_secs(3 * 86_400),
        };
        let daily = schedule("30 2 * * *", "Europe/Berlin");
        let (planned, reached) = late(&daily, latest, span, span.until, 100, &|_| false);
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

    /// An hour and a half minute, planned in parts of `limit` ticks.
    fn in_parts(newest: usize, limit: usize) -> Vec<Planned> {
        let mut span = Late {
            from: at("2026-03-01T00:00:00Z"),
            until: at("2026-03-01T01:00:30Z"),
            cause: Reason::Clock,
        };
        let minutely = schedule("* * * * *", "UTC");
        let window = Duration::from_secs(600);
        let mut planned = Vec::new();
        while span.from < span.until {
            let catch_up = CatchUp { newest, window };
            let (part, reached) = late(&minutely, catch_up, span, span.until, limit, &|_| false);
            assert!(part.len() <= limit && reached > span.from);
            planned.extend(part);
            span.from = reached;
        }
        planned
    }

    #[test]
    fn a_late_span_is_planned_in_parts_that_add_up_to_the_whole() {
        for newest in [0, 1, 4, 5, 100] {
            let whole = in_parts(newest, usize::MAX);
            assert_eq!(in_parts(newest, 7), whole);
            assert_eq!(in_parts(newest, 1), whole);
            assert_eq!(whole.len(), 60);
        }
    }

    #[test]
    fn the_newest_within_the_window_are_caught_up_and_the_others_missed() {
        for (newest, caught_up, superseded) in [(0, 0, 0), (1, 1, 9), (4, 4, 6), (100, 10, 0)] {
            let planned = in_parts(newest, usize::MAX);
            let (lost, within) = planned.split_at(60 - caught_up - superseded);
            let (others, kept) = within.split_at(superseded);
            assert!(lost.iter().all(|tick| tick.reason == Reason::Clock));
            assert!(others.iter().all(|tick| tick.reason == Reason::Catchup));
            let is_kept = |tick: &Planned| {
                (tick.state, tick.trigger) == (RunState::Waiting, Trigger::Catchup)
            };
            assert!(kept.iter().all(is_kept), "{newest}: {kept:?}");
        }
    }

    #[test]
    fn the_newest_are_found_in_a_long_span_and_among_irregular_ticks() {
        let span = Late {
            from: at("2024-01-01T00:00:00Z"),
            until: at("2026-03-01T00:00:00Z"),
            cause: Reason::DaemonDown,
        };
        let through = |expression, newest| {
            superseded_through(&schedule(expression, "UTC"), span, newest, &|_| false).to_string()
        };
        assert_eq!(through("* * * * * *", 90), "2026-02-28T23:58:30Z");
        assert_eq!(through("* 0 1 1 *", 60), "2025-01-01T00:59:00Z");
        assert_eq!(through("* 0 1 1 *", 61), "2025-01-01T00:58:00Z");
        assert_eq!(through("0 0 29 2 *", 1), "2024-01-01T00:00:00Z");
        assert_eq!(through("0 0 29 2 *", 0), "2024-02-29T00:00:00Z");
    }

    #[test]
    fn of_live_ticks_planned_together_the_first_runs() {
        let schedule = schedule("* * * * * *", "UTC");
        let (after, now) = (at("2026-03-01T00:00:00Z"), at("2026-03-01T00:00:03Z"));
        let plan = |begun| {
            let queue = Queue { begun, waiting: 0 };
            live(
                &schedule,
                Overlap::Skip,
                after,
                now,
                queue,
                Reason::Quota,
                &|_| false,
            )
        };
        let reasons =
            |planned: Vec<Planned>| planned.iter().map(|tick| tick.reason).collect::<Vec<_>>();
        assert_eq!(
            reasons(plan(0)),
            [Reason::Quota, Reason::Overlap, Reason::Overlap]
        );
        assert_eq!(reasons(plan(1)), [Reason::Overlap; 3]);
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
        let latest = CatchUp { newest: 1, window };
        let (late, _) = late(&minutely, latest, span, span.until, 9, &paused);
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
            Queue::default(),
            Reason::InFlight,
            &paused,
        );
        assert_eq!(
            reasons(live),
            [Reason::InFlight, Reason::Paused, Reason::Paused]
        );
    }
}
