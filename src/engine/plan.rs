//! The planning step: ticks become rows, and the cursor moves, in one transaction.
//!
//! What is due now is handed to the ledger and called without waiting for the commit: an attempt that
//! is opened in the same step goes into the plan's own transaction, or into a later one. So it is never
//! durable without its run, and is being prepared while the plan is written. The step ends when the plan
//! is durable; where it is not, all is as before and the same ticks are planned again.

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::Engine;
use super::run::{Run, later};
use super::timetable::Entry;
use crate::domain::job::{Catchup, Job};
use crate::domain::plan::{self, CatchUp, LATE, Late, Planned};
use crate::domain::run::{NewRun, Reason, RunId, RunState, Trigger};
use crate::store::{Gap, GapCause, Plan, Release, StoreError, SubmittedPlan};

/// Ticks of one planning transaction that are due now, about: a burst of ten thousand is called while
/// the rest of it is written. With half as many the second half of a few hundred waits for a transaction
/// more; with twice as many the first calls leave later, and nothing is recorded sooner.
pub(super) const DUE: usize = 256;

/// The same of ticks whose runs wait for their place in a spread: in small parts with a rest after each, so
/// that those whose place has come are not held up by the planning of those that have time. Without the rest
/// the processors have more to do than they can, and every tenth of those waits for milliseconds. With half
/// as many and a quarter of the rest, over in half a second, the calls of that half wait longer: of two
/// thousand spread over every second one in a hundred for 5.2 to 5.7 ms, not 4.2 to 4.5.
const SPREAD: usize = 64;
const SPREAD_REST: Duration = Duration::from_millis(24);

/// How long they are planned so, by the clock and not by the step's present: two thousand take most of it. Of
/// a hundred thousand, or on a slow disk, the rest is planned like any other.
const SPREAD_FOR: Duration = Duration::from_millis(900);

/// The same of a backlog that is half way to being late: a hundred thousand are planned before they are,
/// though not called.
const DUE_LONG_AGO: usize = 512;

/// Ticks of one planning transaction that nobody was there for, about.
const LATE_TICKS: usize = 2_048;

const MICROSECOND: SignedDuration = SignedDuration::from_micros(1);

/// Decisions on what is due, for one transaction.
#[derive(Debug, Default)]
pub(super) struct Due {
    /// What was taken out of the timetable.
    pub(super) entries: Vec<Entry>,
    /// The rows, and the runs that wait.
    runs: Vec<(NewRun, Option<Run>)>,
    opened: Vec<Gap>,
}

/// A plan that the ledger has and that may not be durable yet.
#[derive(Debug)]
pub(super) struct Submitted {
    plan: SubmittedPlan,
    /// Its runs that stand in line already.
    runs: Vec<RunId>,
    /// What it took out of the timetable.
    due: Vec<Entry>,
    opened: Vec<Gap>,
    /// Where the cursor stands with it.
    through: Timestamp,
    /// When what it leaves was due.
    more: Option<Timestamp>,
}

impl Engine {
    /// Plans all the ticks that have come since the last step.
    pub(super) async fn plan_all_due(&mut self, now: Timestamp) -> Result<(), StoreError> {
        loop {
            // Whoever wants all of them does not want to rest in between.
            self.spread_at = None;
            let submitted = self.submit_due(now).await?;
            if self.confirm(submitted, now).await?.is_none() {
                return Ok(());
            }
        }
    }

    /// The first half: hands the plan to the ledger, if anything is due, and lets its runs stand in
    /// line.
    pub(super) async fn submit_due(
        &mut self,
        now: Timestamp,
    ) -> Result<Option<Submitted>, StoreError> {
        let cause = self.cause_of_lateness();
        let present = self.clock.now();
        let mut due = Due::default();
        let rests = self.rests_until().is_some_and(|until| present < until);
        let mut haste = Haste::Due;
        while let Some(entry) = self.timetable.pop_due(now, |entry| {
            haste = Haste::of(entry, now, present);
            due.runs.len() < haste.part() && !(rests && haste == Haste::HasTime)
        }) {
            if haste == Haste::HasTime {
                self.spread_at = Some(present);
            }
            self.decide(entry, cause, now, &mut due);
        }
        if due.entries.is_empty() {
            self.late_cause = None;
            return Ok(None);
        }
        self.submit(due, None, now).await.map(Some)
    }

    /// What becomes of an entry's ticks by `now`.
    pub(super) fn decide(&self, entry: Entry, cause: GapCause, now: Timestamp, due: &mut Due) {
        // Exclusive, and exactly `LATE` is not too late.
        let live_from = earlier(now, LATE + Duration::from_micros(1)).max(self.started_at);
        let job = &entry.job;
        let before = entry.tick - MICROSECOND;
        if entry.tick <= live_from {
            due.opened
                .extend(split(job, gap(job, before, live_from, cause)));
        }
        let ticks = self.join_queue(job, before.max(live_from), now);
        due.runs
            .extend(ticks.into_iter().map(|tick| self.mirrored(job, tick, now)));
        due.entries.push(entry);
    }

    /// Hands decisions to the ledger, not to be committed before `release` has come, and lets their runs
    /// stand in line.
    pub(super) async fn submit(
        &mut self,
        due: Due,
        release: Option<Release>,
        now: Timestamp,
    ) -> Result<Submitted, StoreError> {
        let more = self.timetable.next().filter(|next| *next <= now);
        let through = more.map_or(now, |next| next - MICROSECOND);
        let (rows, waiting): (Vec<_>, Vec<_>) = due.runs.into_iter().unzip();
        let plan = Plan {
            runs: rows,
            opened: due.opened.clone(),
            release,
            ..Plan::nothing(now, through)
        };
        let plan = match self.ledger.submit_plan(plan).await {
            Ok(plan) => plan,
            Err(error) => {
                self.timetable.restore(due.entries);
                return Err(error);
            }
        };
        let waiting: Vec<Run> = waiting.into_iter().flatten().collect();
        let runs = waiting.iter().map(|run| run.id).collect();
        for run in waiting {
            self.wait_on(run, now);
        }
        Ok(Submitted {
            plan,
            runs,
            due: due.entries,
            opened: due.opened,
            through,
            more,
        })
    }

    /// The second half: waits until the plan is durable. Answers, where there is more to plan, when: an
    /// instant that is already past, or the end of a rest.
    pub(super) async fn confirm(
        &mut self,
        submitted: Option<Submitted>,
        now: Timestamp,
    ) -> Result<Option<Timestamp>, StoreError> {
        let Some(submitted) = submitted else {
            return Ok(None);
        };
        match submitted.plan.durable().await {
            Ok(taken) => taken.into_iter().for_each(|run| self.lines.remove(run)),
            Err(error) => {
                // An attempt of one of them can be no more durable than the plan is.
                let runs = submitted.runs.into_iter();
                runs.for_each(|run| self.lines.remove(run));
                self.timetable.restore(submitted.due);
                return Err(error);
            }
        }
        self.planned_through = self.planned_through.max(submitted.through);
        let past = (!submitted.opened.is_empty()).then_some(now);
        self.queue_gaps(submitted.opened);
        self.timetable.reschedule(submitted.due, now);
        if submitted.more.is_none() {
            self.late_cause = None;
        }
        let more = submitted.more.and(self.planning_due(now));
        Ok(more.or(past))
    }

    /// When the next part of what is due, or the next tick, is to be planned.
    pub(super) fn planning_due(&self, now: Timestamp) -> Option<Timestamp> {
        let next = self.timetable.peek()?;
        let has_time = Haste::of(next, now, self.clock.now()) == Haste::HasTime;
        let rests = self.rests_until().filter(|_| has_time && next.tick <= now);
        Some(rests.map_or(next.tick, |until| until.max(next.tick)))
    }

    /// Until when the planning of those that have time rests, or rested last; not by an instant of before
    /// the clock was set back.
    fn rests_until(&self) -> Option<Timestamp> {
        let at = self.spread_at.filter(|at| *at <= self.clock.now());
        at.map(|at| later(at, SPREAD_REST))
    }

    /// Plans the next part of the past that nobody was there for. Answers with an instant that is
    /// already past where there is more.
    pub(super) async fn plan_late(
        &mut self,
        now: Timestamp,
    ) -> Result<Option<Timestamp>, StoreError> {
        let mut runs = Vec::new();
        let mut advanced: Vec<Gap> = Vec::new();
        while let Some(gap) = self.gaps.get(advanced.len()).cloned() {
            let Some(job) = self.definition(&gap.job, &gap.definition_hash).await? else {
                // It stays in the ledger, where the audit shows it; a later release may read it.
                self.gaps.remove(advanced.len());
                continue;
            };
            let catch_up = CatchUp {
                newest: if gap.superseded {
                    0
                } else {
                    job.ticks_caught_up()
                },
                window: job.catchup_window,
            };
            let span = Late {
                from: gap.from,
                until: gap.until,
                cause: reason(gap.cause),
            };
            let room = LATE_TICKS - runs.len();
            let pauses = self.pauses.of(&gap.job);
            let is_paused = |tick| pauses.iter().any(|pause| pause.covers(tick));
            let (ticks, reached) = plan::late(&job.schedule, catch_up, span, now, room, &is_paused);
            runs.extend(ticks.into_iter().map(|tick| self.mirrored(&job, tick, now)));
            advanced.push(Gap {
                from: reached,
                ..gap
            });
            if runs.len() >= LATE_TICKS {
                break;
            }
        }
        if advanced.is_empty() {
            return Ok(None);
        }
        let plan = Plan {
            runs: runs.iter().map(|(new, _)| new.clone()).collect(),
            advanced: advanced.clone(),
            ..Plan::nothing(now, self.planned_through)
        };
        self.write_plan(plan, runs, now).await?;
        // Those that were advanced are the first of the queue, and only the last may not be done.
        let unfinished = advanced.last().filter(|gap| gap.from < gap.until).cloned();
        self.gaps.drain(..advanced.len());
        if let Some(gap) = unfinished {
            self.gaps.push_front(gap);
        }
        Ok((!self.gaps.is_empty()).then_some(now))
    }

    /// Spans that may hold something to catch up go before those that cannot: their time runs out,
    /// and a month of a thousand other jobs is not written in a moment.
    pub(super) fn queue_gaps(&mut self, gaps: Vec<Gap>) {
        self.gaps.extend(gaps);
        let newest_first = |a: &Gap, b: &Gap| b.until.cmp(&a.until).then_with(|| a.job.cmp(&b.job));
        self.gaps.make_contiguous().sort_by(newest_first);
    }

    /// Writes a plan; only afterwards its waiting runs stand in line.
    async fn write_plan(
        &mut self,
        plan: Plan,
        runs: Vec<(NewRun, Option<Run>)>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let taken = self.ledger.plan(plan).await?;
        for (_, run) in runs {
            if let Some(run) = run.filter(|run| !taken.contains(&run.id)) {
                // A tick of before a pause may be caught up only now.
                self.wait_on(run, now);
            }
        }
        Ok(())
    }

    /// A decision as its row, and as the run that waits, if it does.
    fn mirrored(&self, job: &Arc<Job>, tick: Planned, now: Timestamp) -> (NewRun, Option<Run>) {
        let due_at = later(tick.scheduled_at, job.delay(tick.scheduled_at));
        // What is caught up after an outage goes up a ramp: as if the tick were now.
        let earliest = match tick.trigger {
            Trigger::Catchup => later(now, job.delay(tick.scheduled_at)),
            _ => due_at,
        };
        let is_spread = tick.state == RunState::Waiting && earliest > now;
        let new = NewRun {
            id: self.ids.make(now),
            job: job.name.clone(),
            trigger: tick.trigger,
            scheduled_at: tick.scheduled_at,
            due_at,
            not_before: is_spread.then_some(earliest),
            state: tick.state,
            reason: Some(if is_spread {
                Reason::Spread
            } else {
                tick.reason
            }),
            definition_hash: job.hash.clone(),
            workspace: job.workspace.clone(),
            func_id: job.func_id.clone(),
        };
        let run = (tick.state == RunState::Waiting).then(|| Run::planned(job.clone(), &new));
        (new, run)
    }

    /// Why a tick that is planned late in a running daemon is late. It outlives the step that is the
    /// first to succeed: a backlog is planned in several.
    fn cause_of_lateness(&mut self) -> GapCause {
        if self.outage {
            self.late_cause = Some(GapCause::LedgerUnavailable);
        } else if self.watch.take_stepped() {
            self.late_cause = Some(GapCause::Clock);
        }
        self.late_cause.unwrap_or(GapCause::DaemonDown)
    }
}

/// A span of a job's past.
pub(super) fn gap(job: &Job, from: Timestamp, until: Timestamp, cause: GapCause) -> Gap {
    Gap {
        job: job.name.clone(),
        definition_hash: job.hash.clone(),
        from,
        until,
        cause,
        superseded: false,
    }
}

/// The span in two where only its end lies within the window of what can be caught up.
pub(super) fn split(job: &Job, gap: Gap) -> Vec<Gap> {
    // A tick that is just as old as the window is long is within it, and the end is inclusive.
    let edge = earlier(gap.until, job.catchup_window + Duration::from_micros(1));
    if gap.superseded || job.catchup == Catchup::None || edge <= gap.from {
        return vec![gap];
    }
    let beyond = Gap {
        until: edge,
        ..gap.clone()
    };
    vec![beyond, Gap { from: edge, ..gap }]
}

/// How soon a tick that has come wants to be planned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Haste {
    /// It is half way to being late.
    DueLongAgo,
    Due,
    /// Its run waits for its place in a spread.
    HasTime,
}

impl Haste {
    fn of(entry: &Entry, now: Timestamp, present: Timestamp) -> Self {
        if entry.tick < earlier(present, LATE / 2) {
            Self::DueLongAgo
        } else if entry.due > now && entry.tick > earlier(present, SPREAD_FOR) {
            Self::HasTime
        } else {
            Self::Due
        }
    }

    /// How many runs one planning transaction has, about, before such a tick is left for the next.
    const fn part(self) -> usize {
        match self {
            Self::DueLongAgo => DUE_LONG_AGO,
            Self::Due => DUE,
            Self::HasTime => SPREAD,
        }
    }
}

fn reason(cause: GapCause) -> Reason {
    match cause {
        GapCause::DaemonDown => Reason::DaemonDown,
        GapCause::LedgerUnavailable => Reason::LedgerUnavailable,
        GapCause::Clock => Reason::Clock,
    }
}

fn earlier(at: Timestamp, by: Duration) -> Timestamp {
    at.checked_sub(by).unwrap_or(Timestamp::MIN)
}
