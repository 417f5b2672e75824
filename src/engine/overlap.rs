//! The queues that `overlap` makes of live runs: ticks join them when they are planned, and what a
//! queue has no place for, or what a newer run replaces, ends here.
//!
//! The policy is the loaded definition's at this moment, not that of the definition that a run was
//! planned with (contract, section 3): a policy that is changed while runs wait rules them from the
//! next step on.

use std::sync::Arc;

use jiff::Timestamp;

use super::Engine;
use super::run::Run;
use crate::domain::job::{Job, Overlap};
use crate::domain::overlap::Queue;
use crate::domain::plan::{self, Planned};
use crate::domain::run::{Reason, RunId, RunState};
use crate::store::StoreError;

impl Engine {
    /// What becomes of the job's ticks in `(after, now]`, each of which joins its queue.
    pub(super) fn join_queue(
        &self,
        job: &Arc<Job>,
        after: Timestamp,
        now: Timestamp,
    ) -> Vec<Planned> {
        let queue = self.lines.queue(&job.name);
        let pauses = self.pauses.of(&job.name);
        let ticks = plan::live(
            &job.schedule,
            job.overlap,
            after,
            now,
            queue,
            Reason::InFlight,
            &|tick| pauses.iter().any(|pause| pause.covers(tick)),
        );
        let refused = |tick: &&Planned| tick.reason == Reason::Overlap && tick.state.is_final();
        let refused = ticks.iter().filter(refused).count();
        if refused > 0 && job.overlap == Overlap::QueueAll {
            tracing::warn!(job = %job.name, waiting = queue.waiting, skipped = refused, "the job's queue is full, ticks are skipped; its runs take longer than its schedule allows for");
        }
        ticks
    }

    /// Brings the queues that have changed into the order of their policies.
    pub(super) async fn order_queues(&mut self, now: Timestamp) -> Result<(), StoreError> {
        let contested = self.lines.contested();
        let mut ends = Vec::new();
        let mut replaced = Vec::new();
        for (overlap, runs) in &contested {
            match overlap {
                Overlap::CancelRunning => replace(runs, now, &mut ends, &mut replaced),
                _ => ends.extend(without_a_place(runs, *overlap)),
            }
        }
        // Written first: where that fails, nothing is cut off, and the next step finds the same queues.
        self.end_waiting(ends, now).await?;
        for run in replaced {
            self.calls.cut(run, Reason::Replaced);
        }
        self.lines.queues_are_in_order();
        Ok(())
    }
}

/// A run's end: which, and how.
type End = (Run, RunState, Reason);

/// Ends every run that is older than the newest one whose time has come; where its call is under
/// way, that is to be cut off. What has begun comes first in `runs`, so all of it is older.
fn replace(runs: &[Run], now: Timestamp, ends: &mut Vec<End>, cut: &mut Vec<RunId>) {
    let is_new = |run: &Run| !run.has_begun() && run.not_before.is_none_or(|at| at <= now);
    let Some(newest) = runs.iter().rposition(is_new) else {
        return;
    };
    for run in &runs[..newest] {
        if run.state == RunState::Running {
            cut.push(run.id);
        } else {
            let (state, reason) = run.end(Reason::Replaced, RunState::Cancelled);
            ends.push((run.clone(), state, reason));
        }
    }
}

/// The runs that the policy has no place for: the newest of those for which nothing has been sent.
fn without_a_place(runs: &[Run], overlap: Overlap) -> Vec<End> {
    let mut queue = Queue::default();
    for run in runs {
        if run.has_begun() {
            queue.begun += 1;
        } else {
            queue.waiting += 1;
        }
    }
    let unsent = runs.iter().filter(|run| !run.has_begun());
    unsent
        .skip(queue.places(overlap))
        .map(|run| (run.clone(), RunState::Skipped, Reason::Overlap))
        .collect()
}
