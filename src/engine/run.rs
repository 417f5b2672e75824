//! A run that is not final, as the engine holds it: a mirror of its row, never more than that.

use std::sync::Arc;

use jiff::Timestamp;

use crate::domain::job::Job;
use crate::domain::outcome::Outcome;
use crate::domain::run::{NewRun, Reason, RunId, RunState, Trigger};
use crate::store::UnfinishedRun;

/// A run that waits or has an attempt open.
#[derive(Clone, Debug)]
pub(super) struct Run {
    pub(super) id: RunId,
    /// The definition it was planned with.
    pub(super) job: Arc<Job>,
    pub(super) trigger: Trigger,
    pub(super) scheduled_at: Timestamp,
    pub(super) due_at: Timestamp,
    /// `Waiting` or `Running`.
    pub(super) state: RunState,
    /// Why it waits, by its row.
    pub(super) reason: Option<Reason>,
    /// No attempt opens before it.
    pub(super) not_before: Option<Timestamp>,
    /// The first attempt's opening.
    pub(super) opened_at: Option<Timestamp>,
    pub(super) attempts: u32,
    pub(super) counted: u32,
    pub(super) last_outcome: Option<Outcome>,
    pub(super) last_finished: Option<Timestamp>,
    /// Why an attempt of it was unknown, if one was.
    pub(super) unknown: Option<Reason>,
    /// The backfill that it is part of.
    pub(super) backfill: Option<Arc<str>>,
    /// Somebody ordered it to be cancelled with its call under way: it waits no more.
    pub(super) cancelled: bool,
}

/// A place in a line.
pub(super) type Place = (Timestamp, RunId);

impl Run {
    /// A run as just planned.
    pub(super) fn planned(job: Arc<Job>, new: &NewRun) -> Self {
        Self {
            id: new.id,
            job,
            trigger: new.trigger,
            scheduled_at: new.scheduled_at,
            due_at: new.due_at,
            state: new.state,
            reason: new.reason,
            not_before: new.not_before,
            opened_at: None,
            attempts: 0,
            counted: 0,
            last_outcome: None,
            last_finished: None,
            unknown: None,
            backfill: None,
            cancelled: false,
        }
    }

    /// A run as its row says.
    pub(super) fn resumed(job: Arc<Job>, row: &UnfinishedRun) -> Self {
        Self {
            id: row.id,
            job,
            trigger: row.trigger,
            scheduled_at: row.scheduled_at,
            due_at: row.due_at,
            state: row.state,
            reason: row.reason,
            not_before: row.not_before,
            opened_at: row.opened_at,
            attempts: row.attempts,
            counted: row.counted,
            last_outcome: row.last_outcome,
            last_finished: row.last_finished,
            unknown: row.unknown,
            backfill: row.backfill.as_deref().map(Arc::from),
            cancelled: row.cancelled,
        }
    }

    pub(super) fn place(&self) -> Place {
        (self.due_at, self.id)
    }

    /// Whether it is a live run: one that `overlap` counts and `next_tick` bounds.
    pub(super) fn is_live(&self) -> bool {
        self.trigger == Trigger::Schedule
    }

    /// Whether it has had an attempt, or has one open.
    pub(super) fn has_begun(&self) -> bool {
        self.attempts > 0 || self.state == RunState::Running
    }

    /// Whether it goes behind the live runs of its job, one after another.
    pub(super) fn goes_behind(&self) -> bool {
        matches!(self.trigger, Trigger::Catchup | Trigger::Backfill)
    }

    /// The first tick after the last attempt's end that no calendar excludes: no retry opens at or
    /// after it.
    pub(super) fn retry_bound(&self) -> Option<Timestamp> {
        if !self.is_live() || self.job.retry.into_next_tick {
            return None;
        }
        let tick = self.job.schedule.next_kept_after(self.last_finished?)?;
        Some(tick.at)
    }

    /// When waiting any longer ends it, and how: `start_deadline` before the first attempt of a live
    /// run, `deadline` and the next tick after it.
    pub(super) fn expiry(&self) -> Option<(Timestamp, Reason)> {
        match self.opened_at {
            None if self.is_live() => Some((
                later(self.due_at, self.job.start_deadline),
                Reason::Deadline,
            )),
            None => None,
            Some(opened) => {
                let deadline = (later(opened, self.job.deadline), Reason::Deadline);
                let next = self.retry_bound().map(|tick| (tick, Reason::NextTick));
                Some(next.filter(|next| next.0 < deadline.0).unwrap_or(deadline))
            }
        }
    }

    /// Its final state when it ends for `reason` and not by an attempt's success: `missed` or
    /// `skipped` (`unsent`) where nothing was sent, else what its attempts came to.
    pub(super) fn end(&self, reason: Reason, unsent: RunState) -> (RunState, Reason) {
        match (self.attempts, self.unknown) {
            (0, _) => (unsent, reason),
            (_, Some(unknown)) => (RunState::Unknown, unknown),
            (_, None) if matches!(reason, Reason::Deadline | Reason::NextTick) => {
                (RunState::Failed, reason)
            }
            (_, None) => {
                let outcome = self.last_outcome.unwrap_or(Outcome::NetworkError);
                (RunState::Failed, Reason::Outcome(outcome))
            }
        }
    }
}

/// `at + by`, saturating at the end of time.
pub(super) fn later(at: Timestamp, by: std::time::Duration) -> Timestamp {
    at.checked_add(by).unwrap_or(Timestamp::MAX)
}
