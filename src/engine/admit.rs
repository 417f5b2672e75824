//! The admission step: who may call now, and who has waited too long.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use jiff::Timestamp;

use super::Engine;
use super::calls::{Ended, Over, Told};
use super::cut::Cut;
use super::driver::TRY_AGAIN;
use super::execute::{self, Context};
use super::permits::{Permit, Refusal, Returned};
use super::run::{Run, later};
use crate::domain::run::{Reason, RunId, RunState, Trigger};
use crate::domain::workspace::WorkspaceName;
use crate::store::{After, Settle, StoreError};

/// Rows whose reason to wait is put right in one step, at most: a long line must not hold up calls.
const REASONS: usize = 256;

/// A run that waits, and how it ends.
pub(super) type End = (Run, RunState, Reason);

/// The rows of such ends.
pub(super) fn settles(ends: &[End], now: Timestamp) -> Vec<Settle> {
    let settle = |(run, state, reason): &End| Settle {
        run: run.id,
        after: After {
            state: *state,
            reason: Some(*reason),
            not_before: None,
        },
        at: now,
    };
    ends.iter().map(settle).collect()
}

impl Engine {
    /// Ends the runs that have waited too long.
    pub(super) async fn end_expired(&mut self, now: Timestamp) -> Result<(), StoreError> {
        let mut ends = Vec::new();
        for (run, reason) in self.lines.expired(now) {
            let held = run.attempts == 0 && self.permits.is_held(&run.job.workspace);
            let reason = if held { Reason::KeyHeld } else { reason };
            let (state, reason) = run.end(reason, RunState::Missed);
            ends.push((run, state, reason));
        }
        self.end_waiting(ends, now).await
    }

    /// Ends the waiting runs of jobs that are no longer loaded, disabled or paused, and those that
    /// somebody cancelled.
    pub(super) async fn end_stray(&mut self, now: Timestamp) -> Result<(), StoreError> {
        if !self.stray {
            return Ok(());
        }
        let ends: Vec<_> = self
            .lines
            .all()
            .filter_map(|run| {
                let (state, reason) = self.end_of_stray(run, now)?;
                let (state, reason) = run.end(reason, state);
                Some((run.clone(), state, reason))
            })
            .collect();
        self.end_waiting(ends, now).await?;
        self.stray = false;
        Ok(())
    }

    /// How a run ends that waits for nothing any more, if it is one. What a person starts while the
    /// job is disabled or paused runs all the same; a backfill does not outlive the beginning of a
    /// pause.
    fn end_of_stray(&self, run: &Run, now: Timestamp) -> Option<(RunState, Reason)> {
        let is_unpausable = run.trigger.is_by_hand() && run.trigger != Trigger::Backfill;
        let job = self.jobs.jobs.get(&run.job.name);
        match job {
            _ if run.state != RunState::Waiting => None,
            _ if run.cancelled => Some((RunState::Cancelled, Reason::Operator)),
            None => Some((RunState::Skipped, Reason::Disabled)),
            Some(job) if !job.enabled && !run.trigger.is_by_hand() => {
                Some((RunState::Skipped, Reason::Disabled))
            }
            Some(job) if !is_unpausable && self.pauses.current(&job.name, now).is_some() => {
                Some((RunState::Skipped, Reason::Paused))
            }
            Some(_) => None,
        }
    }

    /// Writes final states of runs that wait, and takes the runs out of the lines.
    pub(super) async fn end_waiting(
        &mut self,
        ends: Vec<End>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        if ends.is_empty() {
            return Ok(());
        }
        let not_waiting = self.ledger.settle(settles(&ends, now)).await?;
        self.let_go(&ends, &not_waiting);
        Ok(())
    }

    /// Takes runs out of the lines whose end is durable.
    pub(super) fn let_go(&mut self, ends: &[End], not_waiting: &[RunId]) {
        self.give_up(not_waiting);
        for (run, state, reason) in ends {
            if not_waiting.contains(&run.id) {
                continue;
            }
            tracing::warn!(job = %run.job.name, run_id = %run.id, attempt = run.attempts, state = state.as_str(), reason = reason.as_str(), "a run ended without its call");
            self.lines.remove(run.id);
        }
    }

    /// Spawns the attempts that may be made now. Answers when a permit comes free by itself.
    pub(super) async fn admit(&mut self, now: Timestamp) -> Result<Option<Timestamp>, StoreError> {
        let monotonic = self.clock.monotonic();
        if monotonic < self.rest_until {
            return Ok(Some(later(now, self.rest_until - monotonic)));
        }
        let mut wake: Option<Duration> = None;
        let mut decisions = Vec::new();
        for workspace in self.lines.workspaces() {
            let Some(refusal) = self.admit_workspace(&workspace, monotonic, None) else {
                continue;
            };
            let (gate, until) = match refusal {
                Refusal::InFlight => (Reason::InFlight, None),
                Refusal::Quota(until) => (Reason::Quota, until),
                Refusal::KeyHeld(until) => (Reason::KeyHeld, until),
                Refusal::NoWorkspace => {
                    self.end_stranded(&workspace, now).await?;
                    continue;
                }
            };
            wake = wake.into_iter().chain(until).min();
            let stale = self.lines.waiting_otherwise(&workspace, gate, REASONS);
            decisions.extend(stale.into_iter().map(|run| (run, gate)));
        }
        let held_back = self.lines.overlapping(REASONS).into_iter();
        decisions.extend(held_back.map(|run| (run, Reason::Overlap)));
        self.put_reasons_right(decisions, now).await?;
        Ok(wake.map(|at| later(now, at.saturating_sub(monotonic))))
    }

    /// Spawns attempts until a permit is refused. `held_until`: nothing becomes durable before.
    pub(super) fn admit_workspace(
        &mut self,
        workspace: &WorkspaceName,
        monotonic: Duration,
        held_until: Option<Timestamp>,
    ) -> Option<Refusal> {
        // Not the step's own present: a slow disk may have held the planning up, and what expired
        // meanwhile, or was planned too late already, may not be opened any more.
        let now = self.clock.now();
        while let Some(run) = self.lines.next(workspace, now) {
            match self
                .permits
                .take(workspace, held_until.is_some(), monotonic)
            {
                Ok(permit) => self.spawn(run, permit, held_until),
                Err(refusal) => return Some(refusal),
            }
        }
        None
    }

    fn spawn(&mut self, run: Run, permit: Permit, held_until: Option<Timestamp>) {
        let permit = Arc::new(permit);
        let context = Context {
            ledger: self.ledger.clone(),
            client: self.client.clone(),
            clock: self.clock.clone(),
            jobs: self.jobs.clone(),
            stopping: self.calls.stopping.clone(),
            abort: self.calls.abort.clone(),
            cut: Cut::default(),
            told: self.calls.sender.clone(),
            held_until,
        };
        self.calls
            .begin(run.id, context.cut.clone(), permit.clone());
        let mirror = Run {
            state: RunState::Running,
            reason: None,
            not_before: None,
            ..run.clone()
        };
        self.lines.put(mirror, self.clock.now());
        self.calls.tasks.spawn(async move {
            let left = (context.clone(), run.clone(), permit.clone());
            // Some kilobytes, which would be moved several times on the way to where the task lies.
            let attempt = Box::pin(execute::attempt(context, run, permit));
            // Nothing of what the attempt held is looked at again, so it may be left as it was.
            let attempt = AssertUnwindSafe(attempt);
            let ended = match attempt.catch_unwind().await {
                Ok(ended) => ended,
                Err(_) => execute::after_panic(left.0.clone(), left.1, left.2).await,
            };
            left.0.tell(Told::Ended(ended));
        });
    }

    /// Runs of a workspace that is no longer in the configuration cannot be sent anywhere.
    async fn end_stranded(
        &mut self,
        workspace: &WorkspaceName,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let stranded = self
            .lines
            .waiting_otherwise(workspace, Reason::Disabled, usize::MAX);
        let ends = stranded.into_iter().map(|run| {
            let (state, reason) = run.end(Reason::Disabled, RunState::Skipped);
            (run, state, reason)
        });
        self.end_waiting(ends.collect(), now).await
    }

    async fn put_reasons_right(
        &mut self,
        decisions: Vec<(Run, Reason)>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        if decisions.is_empty() {
            return Ok(());
        }
        let rows = decisions.iter().map(|(run, reason)| Settle {
            run: run.id,
            after: After {
                state: RunState::Waiting,
                reason: Some(*reason),
                not_before: run.not_before,
            },
            at: now,
        });
        let not_waiting = self.ledger.settle(rows.collect()).await?;
        self.give_up(&not_waiting);
        for (run, reason) in decisions {
            if not_waiting.contains(&run.id) {
                continue;
            }
            self.lines.put(
                Run {
                    reason: Some(reason),
                    ..run
                },
                now,
            );
        }
        Ok(())
    }

    /// Lets go of runs that were believed to wait and do not: the ledger has the last word.
    fn give_up(&mut self, not_waiting: &[RunId]) {
        for run in not_waiting {
            // One that was never planned, because the ledger failed, has been let go of already.
            if self.lines.get(*run).is_some() {
                tracing::error!(run_id = %run, "the ledger says that this run does not wait any more");
                self.lines.remove(*run);
            }
        }
    }

    /// Takes in what the calls have told since the last step.
    pub(super) fn take_in_told(&mut self) {
        while let Ok(told) = self.calls.told.try_recv() {
            self.take_in(told);
        }
    }

    pub(super) fn take_in(&mut self, told: Told) {
        match told {
            Told::Over(over) => self.take_in_over(&over),
            Told::Ended(ended) => self.take_in_ended(ended),
        }
    }

    fn take_in_over(&mut self, over: &Over) {
        let Some(permit) = self.calls.take_permit(over.run) else {
            return;
        };
        let now = self.clock.monotonic();
        self.permits.give_back(&permit, over.returned, now);
        let (key, workspace) = (&permit.key.id, &permit.workspace.name);
        if over.holds_key {
            if self.permits.hold_key(&permit.origin, key, now) {
                tracing::error!(%workspace, %key, "the server calls the API key invalid; its runs wait, and one tries again every 10 minutes (mind that a key has an id and a secret: give the one that the console calls the credential)");
                self.note_held(workspace, key);
            }
        } else if over.replied && self.permits.free_key(&permit.origin, key) {
            tracing::info!(%workspace, %key, "the server takes the API key again");
            self.note_freed(workspace, key, "the server takes it");
        }
    }

    fn take_in_ended(&mut self, ended: Ended) {
        let now = self.clock.now();
        // Of a call that was made it has come back already.
        if let Some(permit) = self.calls.end(ended.run()) {
            let now = self.clock.monotonic();
            self.permits.give_back(&permit, Returned::Unopened, now);
        }
        match ended {
            Ended::NotOpened { run, error } => {
                tracing::error!(run_id = %run, %error, "the ledger fails, so an attempt is not made");
                self.outage = true;
                // A ledger that takes other writes would have it tried again at once, for ever.
                self.rest_until = self.clock.monotonic() + TRY_AGAIN;
                self.take_back(run, now);
            }
            Ended::Withdrawn { run } => self.take_back(run, now),
            Ended::NotWaiting { run } => self.give_up(&[run]),
            Ended::Abandoned { run } => self.lines.remove(run),
            Ended::Closed(run) if run.state.is_final() => self.lines.remove(run.id),
            Ended::Closed(run) => {
                // The task took the run before somebody cancelled it.
                let cancelled = self.lines.get(run.id).is_some_and(|run| run.cancelled);
                self.wait_on(Run { cancelled, ..*run }, now);
            }
        }
    }

    /// Lets a run wait again whose attempt was not opened.
    fn take_back(&mut self, run: RunId, now: Timestamp) {
        if let Some(run) = self.lines.get(run).cloned() {
            let waiting = Run {
                state: RunState::Waiting,
                reason: None,
                ..run
            };
            self.wait_on(waiting, now);
        }
    }

    /// Lets a run wait; its job may have gone meanwhile.
    pub(super) fn wait_on(&mut self, run: Run, now: Timestamp) {
        self.stray |= self.end_of_stray(&run, now).is_some();
        self.lines.put(run, now);
    }
}
