//! Whether a job's ticks were dealt with by its policies: live in time, caught up by the rules, skipped
//! where they met a run, begun before the deadline.
//!
//! The ledger tells instants of the wall clock, which may have been set in between, and what the engine
//! knew only by them. So each rule is such that no whole ledger breaks it, and says less than the
//! planner's own where the ledger cannot tell: that nothing was skipped *without* a cause is not
//! among them, since an end that a failing disk kept back bears the instant at which it came about.

use super::past::Past;
use super::policy::CatchUp;
use super::report::timestamp;
use super::timeline::Interval;
use crate::domain::run::{Reason, RunState, Trigger};
use crate::store::audit::{AuditedRun, Word};

/// A tick that is planned later than this, in microseconds, is not live (contract, section 4). Between a
/// decision and the instant that the ledger bears for it may lie as much again.
const LATE_US: i64 = 10_000_000;

/// A fault of a run: the run's tick and identity, and what is wrong.
pub(super) type Fault = (i64, String, String);

/// What is remembered of a job's ticks up to some instant.
#[derive(Default)]
pub(super) struct Conduct {
    /// A tick that gave way to a newer one, which has not come yet.
    gave_way: Option<GaveWay>,
    caught_up: CaughtUp,
    /// The live run that was over last: when it was planned, when it was over, and which.
    occupied: Option<(i64, i64, String)>,
}

struct GaveWay {
    scheduled_us: i64,
    created_us: i64,
    id: String,
    /// Where its definition's rule begins: what it gave way to is of the same.
    interval_us: i64,
}

/// Ticks caught up one after another, of one planning.
#[derive(Default)]
struct CaughtUp {
    created_us: i64,
    first_us: i64,
    count: u64,
}

impl Conduct {
    /// Goes on to the run of the next tick.
    pub(super) fn run(
        &mut self,
        run: &AuditedRun,
        interval: &Interval<'_>,
        past: &Past,
    ) -> Vec<Fault> {
        let mut faults = Vec::new();
        let Some(definition) = &interval.definition else {
            return faults;
        };
        let policy = definition.policy;
        faults.extend(self.follow_up(run, interval, past));
        let mut of_run = |what: Option<String>| {
            faults.extend(what.map(|what| (run.scheduled_us, run.id.clone(), what)));
        };
        of_run(time_fault(run));
        if let Some(catch_up) = policy.catch_up {
            of_run(catch_up_fault(run, interval, catch_up));
            of_run(self.number_fault(run, catch_up, &past.starts));
        }
        if let Some(deadline_us) = policy.start_deadline_us {
            of_run(deadline_fault(run, deadline_us));
        }
        of_run(self.overlap_fault(run, policy.skips, past));
        faults
    }

    /// A tick has no run, or is still to be planned: what comes of it is not known.
    pub(super) fn unknown(&mut self) {
        self.gave_way = None;
        self.caught_up.count = 0;
    }

    /// No tick is left.
    pub(super) fn end(&mut self) -> Option<Fault> {
        self.gave_way.take().map(GaveWay::fault)
    }

    /// Of an outage the newest are caught up: a tick that gave way is followed by one that did not. What
    /// it gave way to may never have come, where a clock that was ahead decided so.
    fn follow_up(
        &mut self,
        run: &AuditedRun,
        interval: &Interval<'_>,
        past: &Past,
    ) -> Option<Fault> {
        if was_taken_away(run) {
            return None;
        }
        let before = self.gave_way.take();
        let is_next = is(run, RunState::Missed, Reason::Catchup);
        if is_next && !past.came_twice(run.created_us) {
            self.gave_way = Some(GaveWay {
                scheduled_us: run.scheduled_us,
                created_us: run.created_us,
                id: run.id.clone(),
                interval_us: interval.after_us,
            });
        }
        let before = before?;
        // A part that was planned later may have come too late.
        let is_later_part = is_lost(run) && run.created_us > before.created_us;
        let follows = is_next || is_trigger(run, Trigger::Catchup) || is_later_part;
        let fits = follows && before.interval_us == interval.after_us;
        (!fits).then(|| before.fault())
    }

    /// How many were caught up in one go. Outages that were planned together stand side by side: one for
    /// each start in between, and one that a failing ledger may have left behind.
    fn number_fault(
        &mut self,
        run: &AuditedRun,
        catch_up: CatchUp,
        starts: &[i64],
    ) -> Option<String> {
        if was_taken_away(run) {
            return None;
        }
        if !is_trigger(run, Trigger::Catchup) || is(run, RunState::Missed, Reason::Catchup) {
            self.caught_up.count = 0;
            return None;
        }
        let group = &mut self.caught_up;
        if group.count == 0 || group.created_us != run.created_us {
            *group = CaughtUp {
                created_us: run.created_us,
                first_us: run.scheduled_us,
                count: 0,
            };
        }
        group.count += 1;
        let starts_before = |us: i64| starts.partition_point(|start| *start <= us);
        let starts = starts_before(run.scheduled_us) - starts_before(group.first_us);
        let outages = 2 + starts as u64;
        // That none is wanted has been said.
        let most = catch_up.most.max(1).saturating_mul(outages);
        (group.count > most).then(|| {
            format!(
                "it is number {} of one outage that is caught up, and {} may be",
                group.count, catch_up.most
            )
        })
    }

    /// A live tick meets an earlier live run that is not over.
    fn overlap_fault(&mut self, run: &AuditedRun, skips: bool, past: &Past) -> Option<String> {
        if !was_live(run) {
            return None;
        }
        let met = self.occupied.as_ref().filter(|(created_us, over_us, _)| {
            *created_us <= run.created_us
                && *over_us > run.created_us.saturating_add(LATE_US)
                && !past.came_twice(*over_us)
        });
        let is_skipped = is(run, RunState::Skipped, Reason::Overlap);
        let fault = met
            .filter(|_| skips && !is_skipped)
            .map(|(_, over_us, id)| {
                let until = match *over_us {
                    i64::MAX => "is not over yet".to_owned(),
                    over_us => format!("was over at {:.3} only", timestamp(over_us)),
                };
                format!("it met the run {id}, which {until}, and it is not `skipped/overlap`")
            });
        let over_us = run.finished_us.unwrap_or(i64::MAX);
        let is_last = self
            .occupied
            .as_ref()
            .is_none_or(|(_, other, _)| over_us > *other);
        if !is_skipped && is_last {
            self.occupied = Some((run.created_us, over_us, run.id.clone()));
        }
        fault
    }
}

impl GaveWay {
    fn fault(self) -> Fault {
        let what =
            "it is `missed/catchup`, and no newer tick of the outage was caught up".to_owned();
        (self.scheduled_us, self.id, what)
    }
}

/// A live tick is planned when its instant has come, and no later than that it is live still. What was
/// late may bear an instant before its tick: the clock was set back before it was planned.
fn time_fault(run: &AuditedRun) -> Option<String> {
    let age_us = run.created_us - run.scheduled_us;
    if !was_live(run) || (0..=LATE_US).contains(&age_us) {
        return None;
    }
    Some(if age_us < 0 {
        format!(
            "it was planned at {:.3}, before its time had come",
            timestamp(run.created_us)
        )
    } else {
        format!(
            "it was planned {} s after its tick, and is neither caught up nor `missed`",
            age_us / 1_000_000
        )
    })
}

/// What is caught up and what is not, by policy and window.
fn catch_up_fault(run: &AuditedRun, interval: &Interval<'_>, catch_up: CatchUp) -> Option<String> {
    let age_us = run.created_us - run.scheduled_us;
    let is_within = (0..=catch_up.window_us).contains(&age_us);
    let gave_way = is(run, RunState::Missed, Reason::Catchup);
    let is_caught_up = is_trigger(run, Trigger::Catchup);
    if (is_caught_up || gave_way) && catch_up.most == 0 {
        return Some("it takes part in a catch-up, and `catchup` is `none`".to_owned());
    }
    if (is_caught_up || gave_way) && !is_within {
        return Some(format!(
            "it was {} s old when it was planned, and `catchup_window` is {} s",
            age_us / 1_000_000,
            catch_up.window_us / 1_000_000
        ));
    }
    // Of a definition that is not in force any more nothing is caught up.
    let in_force = interval
        .version
        .until_us
        .is_none_or(|until| run.created_us < until);
    let is_lost = is_lost(run) && catch_up.most > 0 && is_within && in_force;
    is_lost.then(|| {
        format!(
            "it is `missed` as lost, and was {} s old, within its `catchup_window`",
            age_us / 1_000_000
        )
    })
}

/// A live run begins within its deadline, and is not given up before.
fn deadline_fault(run: &AuditedRun, deadline_us: i64) -> Option<String> {
    if !is_trigger(run, Trigger::Schedule) {
        return None;
    }
    let latest_us = run.due_us.saturating_add(deadline_us);
    if let Some(opened_us) = run.opened_us.filter(|us| *us > latest_us + LATE_US) {
        return Some(format!(
            "its first attempt was opened at {:.3}, and its `start_deadline` was over at {:.3}",
            timestamp(opened_us),
            timestamp(latest_us)
        ));
    }
    let is_given_up =
        is(run, RunState::Missed, Reason::Deadline) || is(run, RunState::Missed, Reason::KeyHeld);
    let early = run.finished_us.filter(|us| is_given_up && *us < latest_us);
    early.map(|us| {
        format!(
            "it was given up at {:.3}, before its `start_deadline` was over at {:.3}",
            timestamp(us),
            timestamp(latest_us)
        )
    })
}

fn is(run: &AuditedRun, state: RunState, reason: Reason) -> bool {
    run.state == Word::Known(state) && run.reason == Some(Word::Known(reason))
}

fn is_trigger(run: &AuditedRun, trigger: Trigger) -> bool {
    run.trigger == Word::Known(trigger)
}

/// Whether the tick was lost with what kept the planner from it.
fn is_lost(run: &AuditedRun) -> bool {
    let causes = [Reason::DaemonDown, Reason::LedgerUnavailable, Reason::Clock];
    causes
        .into_iter()
        .any(|cause| is(run, RunState::Missed, cause))
}

/// Whether the clocks, a calendar or a pause took the tick; a pause takes what waits, too.
fn was_taken_away(run: &AuditedRun) -> bool {
    let takers = [Reason::DstGap, Reason::Excluded, Reason::Paused];
    let is_taken = takers
        .into_iter()
        .any(|taker| is(run, RunState::Skipped, taker));
    is_taken && !is_trigger(run, Trigger::Catchup)
}

/// Whether it was planned as a live run.
fn was_live(run: &AuditedRun) -> bool {
    is_trigger(run, Trigger::Schedule)
        && !was_taken_away(run)
        && !is_lost(run)
        && !is(run, RunState::Missed, Reason::Catchup)
}
