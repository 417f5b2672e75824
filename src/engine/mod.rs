//! The engine: plan → admit → open → call → judge → close, as idempotent steps.
//!
//! [`Engine::step`] does everything that is due and says when it wants to be called again; a driver
//! ([`driver`]) calls it when that time comes, when a call ends, or when it is poked. Its only inputs
//! are the ledger, the loaded jobs and the clock.
//!
//! Invariants
//! - Nothing that decides a send lives in memory alone: an engine dropped between two steps and
//!   opened anew goes on as if nothing had happened. What it holds mirrors rows.
//! - A permit is taken before a call's task is spawned and belongs to it until the call is over.
//! - While the ledger cannot be written, nothing is sent: what could not be recorded is not made.
//! - A tick is planned once: the unique index makes planning it again a no-op.

mod admit;
mod backfill;
mod calls;
mod cancel;
mod clockwatch;
mod command;
mod cut;
mod driver;
mod execute;
mod gate;
mod given;
mod jobset;
mod lead;
mod lines;
mod news;
mod overlap;
mod pause;
mod pauses;
mod permits;
mod places;
mod plan;
mod prepare;
mod recover;
mod reload;
mod replay;
mod rewind;
mod run;
mod send;
mod siblings;
mod status;
mod timetable;
mod trigger;
mod upkeep;
mod versions;

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;

use crate::clock::Clock;
use crate::domain::job::{DefinitionHash, Job, JobName};
use crate::domain::retention::Oversize;
use crate::domain::run::RunId;
use crate::guance::{Client, ClientError};
use crate::store::{Act, Backfill, Gap, GapCause, Ledger, StoreError};

use calls::Calls;
use clockwatch::ClockWatch;
use lead::Lead;
use lines::Lines;
use pauses::Pauses;
use permits::Permits;
use timetable::Timetable;
use upkeep::Upkeep;

pub use backfill::{BackfillAnswer, BackfillOrder};
pub use cancel::Cancelled;
pub use command::{Command, CommandError, Reply};
pub use driver::{Driver, Poke};
pub use jobset::JobSet;
pub use pause::{PauseAnswer, PauseOrder, ResumeOrder, Selection};
pub use reload::Difference;
pub use rewind::ClockDoubt;
pub use status::{PausedJob, RunningBackfill, Status};
pub use trigger::{Started, TriggerOrder};
pub use upkeep::{Pruning, prune_at_once};

/// What went wrong beyond a job.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The ledger failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The HTTP client could not be built from the workspaces.
    #[error(transparent)]
    Client(#[from] ClientError),
}

/// The scheduler of one daemon.
#[derive(Debug)]
pub struct Engine {
    ledger: Ledger,
    clock: Clock,
    client: Arc<Client>,
    jobs: Arc<JobSet>,
    /// Definitions that are no longer loaded and that runs or gaps still need.
    old_definitions: HashMap<DefinitionHash, Arc<Job>>,
    started_at: Timestamp,
    planned_through: Timestamp,
    timetable: Timetable,
    /// When ticks were planned last whose runs wait for their place in a spread.
    spread_at: Option<Timestamp>,
    lead: Lead,
    gaps: VecDeque<Gap>,
    pauses: Pauses,
    /// Those that have not ended, in the order in which they were given.
    backfills: Vec<Backfill>,
    lines: Lines,
    permits: Permits,
    watch: ClockWatch,
    /// Since which monotonic instant the wall clock lies behind what is planned.
    behind_since: Option<Duration>,
    /// Events that are to be written.
    news: Vec<Act>,
    ids: RunIds,
    /// The ledger failed since the last planning.
    outage: bool,
    /// In which words, where the last step failed.
    fault: Option<String>,
    /// Why what is due was not planned in time, for as long as that is not caught up.
    late_cause: Option<GapCause>,
    /// No attempt is opened before this monotonic instant: one could not be recorded.
    rest_until: Duration,
    /// Runs may wait whose job is no longer loaded, or disabled.
    stray: bool,
    upkeep: Upkeep,
    calls: Calls,
}

/// What a step did, and when the next one is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// The next instant at which something changes by itself; `None`: only a call's end or a reload
    /// can change anything.
    pub wake: Option<Timestamp>,
    /// Calls under way.
    pub in_flight: usize,
    /// Runs that wait.
    pub waiting: usize,
    /// What is wrong with the wall clock.
    pub doubt: Option<ClockDoubt>,
    /// What is wrong with the ledger's size.
    pub oversize: Option<Oversize>,
}

impl Engine {
    /// Does everything that is due now. Calling it again at once changes nothing.
    ///
    /// # Errors
    /// Where the ledger cannot be written: nothing that was not recorded has been sent, and the same
    /// step is to be tried again.
    pub async fn step(&mut self) -> Result<Step, StoreError> {
        let result = self.try_step().await;
        self.outage = result.is_err();
        self.fault = result.as_ref().err().map(ToString::to_string);
        result
    }

    async fn try_step(&mut self) -> Result<Step, StoreError> {
        self.take_in_told();
        let now = self.clock.now();
        // One that is lost is told when that is seen, not when something falls due.
        if self.outage || self.ledger.is_lost() {
            // While it fails the step does, and nothing else is tried.
            self.ledger.probe().await?;
        }
        let doubted = self.watch.look(now, self.clock.monotonic());
        self.tell_news(now).await?;
        // By a clock that may be wrong nothing is planned, woken, opened or ended: most of that
        // could not be taken back when it is put right.
        if let Some(left) = doubted {
            self.upkeep.put_off(self.clock.monotonic());
            return Ok(self.rest([run::later(now, left)]));
        }
        let rewind_at = self.rewind_if_behind(now).await?;
        self.lines.wake(now);
        self.end_stray(now).await?;
        self.end_expired(now).await?;
        let mut due = self.submit_due(now).await?;
        let mut planned = None;
        if self.lines.are_contested() {
            // A call is cut off, and a run replaced, only for one that is durable.
            planned = self.confirm(due.take(), now).await?;
        }
        let acted = self.act(now).await;
        // Whatever else has failed: what was planned is so, or is to be planned again.
        let planned = planned.or(self.confirm(due, now).await?);
        let wakes = [
            rewind_at,
            planned,
            self.planning_due(now),
            // What expired during the step is in the past, and ended by the next one.
            self.lines.next_wake(),
            // Last: whatever is due goes before it.
            self.keep_house(now).await,
        ];
        Ok(self.rest(acted?.into_iter().chain(wakes).flatten()))
    }

    /// Everything that follows the planning of what is due. Answers when parts of it want to go on.
    async fn act(&mut self, now: Timestamp) -> Result<[Option<Timestamp>; 3], StoreError> {
        let late = self.plan_late(now).await?;
        // What was planned late may be of before a pause that goes on.
        self.end_stray(now).await?;
        self.order_queues(now).await?;
        let backfills = self.plan_backfills(now).await?;
        Ok([late, backfills, self.admit(now).await?])
    }

    fn rest(&self, wakes: impl IntoIterator<Item = Timestamp>) -> Step {
        let in_flight = self.calls.len();
        Step {
            wake: wakes.into_iter().min(),
            in_flight,
            waiting: self.lines.len().saturating_sub(in_flight),
            doubt: self.clock_doubt(),
            oversize: self.upkeep.oversize(),
        }
    }

    /// What is loaded.
    pub fn jobs(&self) -> &JobSet {
        &self.jobs
    }

    /// Waits until a call has ended or `wake` has come.
    pub async fn idle(&mut self, wake: Option<Timestamp>) {
        let clock = self.clock.clone();
        let wake = wake.unwrap_or(Timestamp::MAX);
        tokio::select! {
            Some(told) = self.calls.told.recv() => {
                self.take_in(told);
                // In a burst others are about to tell something too: a step for all of them, not for each,
                // is a tenth less for the daemon to compute.
                tokio::task::yield_now().await;
            }
            () = clock.sleep_towards(wake) => {}
        }
    }

    /// Waits until every call under way has ended, and takes their ends in. For tests and for a stop.
    pub async fn settle(&mut self) {
        while self.calls.len() > 0 {
            match self.calls.told.recv().await {
                Some(told) => self.take_in(told),
                None => return,
            }
        }
    }

    /// Stops: no new calls; waits until `patience` ends for those under way, then cuts them off, which
    /// their attempts say. Runs that wait stay `waiting` for the next start.
    pub async fn stop(&mut self, patience: impl Future<Output = ()>) {
        self.calls.tasks.close();
        self.calls.stopping.cancel();
        tokio::select! {
            biased;
            () = self.calls.tasks.wait() => {}
            () = patience => {
                tracing::warn!(
                    in_flight = self.calls.tasks.len(),
                    "calls under way are cut off"
                );
                self.calls.abort.cancel();
                self.calls.tasks.wait().await;
            }
        }
        self.take_in_told();
        if let Err(error) = self.tell_news(self.clock.now()).await {
            tracing::warn!(%error, "the last events cannot be recorded");
        }
    }

    /// The job that a definition's hash stands for: the loaded one, or one of the past.
    async fn definition(
        &mut self,
        name: &JobName,
        hash: &DefinitionHash,
    ) -> Result<Option<Arc<Job>>, StoreError> {
        if let Some(job) = self.jobs.jobs.get(name).filter(|job| job.hash == *hash) {
            return Ok(Some(job.clone()));
        }
        if let Some(job) = self.old_definitions.get(hash) {
            return Ok(Some(job.clone()));
        }
        let mut texts = self.ledger.reader().definitions(&[hash]).await?;
        let Some(text) = texts.remove(hash) else {
            return Ok(None);
        };
        match crate::config::definition::read(&text) {
            Ok(job) => {
                let job = Arc::new(job);
                self.old_definitions.insert(hash.clone(), job.clone());
                Ok(Some(job))
            }
            Err(error) => {
                tracing::error!(%hash, %error, "a definition in the ledger cannot be read");
                Ok(None)
            }
        }
    }
}

/// Makes run ids: UUIDv7, in order even within a millisecond.
#[derive(Debug, Default)]
struct RunIds {
    // Its counter is a cell; the lock makes it shareable and is never waited for.
    context: Mutex<uuid::ContextV7>,
}

impl RunIds {
    fn make(&self, now: Timestamp) -> RunId {
        let seconds = u64::try_from(now.as_second()).unwrap_or(0);
        let nanos = u32::try_from(now.subsec_nanosecond()).unwrap_or(0);
        let context = self.context.lock().unwrap_or_else(PoisonError::into_inner);
        RunId(uuid::Uuid::new_v7(uuid::Timestamp::from_unix(
            &*context, seconds, nanos,
        )))
    }
}
