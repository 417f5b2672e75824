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
use crate::store::{Gap, GapCause, Plan, StoreError, SubmittedPlan};

/// Ticks of one planning transaction that are due now, about: a burst of ten thousand is called while
/// the rest of it is written. With half as many the second half of a few hundred waits for a transaction
/// more; with twice as many the first calls leave later, and nothing is recorded sooner.
const DUE: usize = 256;

/// The same of ticks whose runs wait for their place in a spread: in small parts, so that those whose place
/// has come are not held up by the planning of those that have time.
const SPREAD: usize = 16;

/// How long they are planned so, by the clock and not by the step's present: two thousand take a third of
/// it. Of a hundred thousand, or on a slow disk, the rest is planned like any other.
const SPREAD_FOR: Duration = Duration::from_millis(500);

/// The same of a backlog that is half way to being late: a hundred thousand are planned before they are,
/// though not called.
const DUE_LONG_AGO: usize = 512;

/// Ticks of one planning transaction that nobody was there for, about.
const LATE_TICKS: usize = 2_048;

const MICROSECOND: SignedDuration = SignedDuration::from_micros(1);

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
    /// Plans the ticks that have come since the last step. Answers with an instant that is already
    /// past where there is more to plan.
    pub(super) async fn plan_due(
        &mut self,
        now: Timestamp,
    ) -> Result<Option<Timestamp>, StoreError> {
        let submitted = self.submit_due(now).await?;
        self.confirm(submitted, now).await
    }

    /// The first half: hands the plan to the ledger, if anything is due, and lets its runs stand in
    /// line.
    pub(super) async fn submit_due(
        &mut self,
        now: Timestamp,
    ) -> Result<Option<Submitted>, StoreError> {
        // Exclusive, and exactly `LATE` is not too late.
        let live_from = earlier(now, LATE + Duration::from_micros(1)).max(self.started_at);
        let cause = self.cause_of_lateness();
        let mut due = Vec::new();
        let mut runs = Vec::new();
        let mut opened = Vec::new();
        let present = self.clock.now();
        while let Some(entry) = self
            .timetable
            .pop_due(now, |entry| runs.len() < part(entry, now, present))
        {
            let job = &entry.job;
            let before = entry.tick - MICROSECOND;
            if entry.tick <= live_from {
                opened.extend(split(job, gap(job, before, live_from, cause)));
            }
            let ticks = self.join_queue(job, before.max(live_from), now);
            runs.extend(ticks.into_iter().map(|tick| self.mirrored(job, tick, now)));
            due.push(entry);
        }
        if due.is_empty() {
            self.late_cause = None;
            return Ok(None);
        }
        let more = self.timetable.next().filter(|next| *next <= now);
        let through = more.map_or(now, |next| next - MICROSECOND);
        let (rows, waiting): (Vec<_>, Vec<_>) = runs.into_iter().unzip();
        let plan = Plan {
            runs: rows,
            opened: opened.clone(),
            ..Plan::nothing(now, through)
        };
        let plan = match self.ledger.submit_plan(plan).await {
            Ok(plan) => plan,
            Err(error) => {
                self.timetable.restore(due);
                return Err(error);
            }
        };
        let waiting: Vec<Run> = waiting.into_iter().flatten().collect();
        let runs = waiting.iter().map(|run| run.id).collect();
        for run in waiting {
            self.wait_on(run, now);
        }
        Ok(Some(Submitted {
            plan,
            runs,
            due,
            opened,
            through,
            more,
        }))
    }

    /// The second half: waits until the plan is durable. Answers with an instant that is already past
    /// where there is more to plan.
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
        Ok(submitted.more.or(past))
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

/// How many ticks one planning transaction takes in before this one, which has come by `now`, is left for
/// the next.
fn part(entry: &Entry, now: Timestamp, present: Timestamp) -> usize {
    if entry.tick < earlier(present, LATE / 2) {
        DUE_LONG_AGO
    } else if entry.due > now && entry.tick > earlier(present, SPREAD_FOR) {
        SPREAD
    } else {
        DUE
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
