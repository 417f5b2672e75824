//! What people tell a running engine. A command is carried out between two steps, by whoever drives
//! the engine; each is one durable order with its event, and answers only when it is.

use jiff::Timestamp;
use serde_json::Value;

use super::backfill::{BackfillAnswer, BackfillOrder};
use super::cancel::Cancelled;
use super::pause::{PauseAnswer, PauseOrder, ResumeOrder};
use super::status::Status;
use super::trigger::{Started, TriggerOrder};
use super::upkeep::Pruning;
use super::{Engine, Gap};
use crate::domain::job::{Job, JobName};
use crate::domain::nearest::nearest;
use crate::domain::run::RunId;
use crate::guance::Redactor;
use crate::store::{Act, Event, StoreError};

/// A command.
#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    /// How the engine is.
    Status,
    /// Start a job now.
    Trigger(TriggerOrder),
    /// Skip the ticks of jobs from now on.
    Pause(PauseOrder),
    /// Fire the ticks of jobs again, from now on.
    Resume(ResumeOrder),
    /// End a run.
    Cancel(RunId),
    /// Note what a person found out about an `unknown` run.
    Resolve {
        /// The run.
        run: RunId,
        /// What it came to: `true` is success.
        succeeded: bool,
        /// How that is known.
        note: String,
    },
    /// Run the ticks of a range of the past.
    Backfill(BackfillOrder),
    /// Send a run's recorded request again.
    Replay(RunId),
    /// Delete what is old.
    Prune,
}

/// A command's answer.
#[derive(Clone, Debug, PartialEq)]
pub enum Reply {
    /// To `Status`.
    Status(Box<Status>),
    /// To `Trigger` and `Replay`.
    Started(Started),
    /// To `Pause` and `Resume`.
    Pauses(PauseAnswer),
    /// To `Cancel`.
    Cancelled(Cancelled),
    /// To `Resolve`.
    Resolved,
    /// To `Backfill`.
    Backfill(BackfillAnswer),
    /// To `Prune`.
    Pruning(Pruning),
}

/// Why a command was not carried out; nothing of it was.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// There is no such job or run.
    #[error("{0}")]
    NotFound(String),
    /// It is no command that could ever be carried out.
    #[error("{0}")]
    Invalid(String),
    /// The state of things forbids it.
    #[error("{0}")]
    Refused(String),
    /// The ledger failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Engine {
    /// Carries out a command of `actor`'s.
    ///
    /// # Errors
    /// See [`CommandError`].
    pub async fn command(&mut self, command: Command, actor: &str) -> Result<Reply, CommandError> {
        self.take_in_told();
        match command {
            Command::Status => Ok(Reply::Status(Box::new(self.status()))),
            Command::Trigger(order) => self.trigger(order, actor).await.map(Reply::Started),
            Command::Pause(order) => self.pause(order, actor).await.map(Reply::Pauses),
            Command::Resume(order) => self.resume(order, actor).await.map(Reply::Pauses),
            Command::Cancel(run) => self.cancel(run, actor).await.map(Reply::Cancelled),
            Command::Resolve {
                run,
                succeeded,
                note,
            } => self
                .resolve(run, succeeded, &note, actor)
                .await
                .map(|()| Reply::Resolved),
            Command::Backfill(order) => self.backfill(order, actor).await.map(Reply::Backfill),
            Command::Prune => self.prune(actor).map(Reply::Pruning),
            Command::Replay(run) => self.replay(run, actor).await.map(Reply::Started),
        }
    }

    /// The instant of a command, with every tick up to it planned: what the command changes begins
    /// after it.
    pub(super) async fn instant_of_command(&mut self) -> Result<Timestamp, StoreError> {
        let now = self.believed_now().max(self.planned_through);
        self.plan_all_due(now).await?;
        Ok(now)
    }

    /// Knows every secret of the configuration: what people write may hold one by mistake, and it is
    /// stored.
    pub(super) fn redactor(&self) -> Redactor {
        let keys = self.jobs.keys.values().flatten().map(|key| &key.secret);
        Redactor::new(self.jobs.secrets.values().chain(keys))
    }

    /// A loaded job by its name.
    pub(super) fn loaded(&self, name: &JobName) -> Result<std::sync::Arc<Job>, CommandError> {
        self.jobs.jobs.get(name).cloned().ok_or_else(|| {
            let near = nearest(name.as_str(), self.jobs.jobs.keys().map(JobName::as_str));
            CommandError::NotFound(match near {
                Some(near) => format!("no job `{name}` is loaded; did you mean `{near}`?"),
                None => format!("no job `{name}` is loaded; `funcron list` names those that are"),
            })
        })
    }

    /// Everything up to and including it is planned, of every job.
    pub(super) fn oldest_unplanned(&self, cursor: Timestamp) -> Timestamp {
        let gaps = self.gaps.iter().map(|gap: &Gap| gap.from);
        gaps.min().unwrap_or(cursor).min(cursor)
    }
}

/// The event of a command.
pub(super) fn act(
    at: Timestamp,
    kind: &'static str,
    actor: &str,
    job: Option<&JobName>,
    run: Option<RunId>,
    detail: &Value,
) -> Act {
    Act {
        event: Event {
            at,
            kind,
            actor: actor.to_owned(),
            detail: detail.to_string(),
        },
        job: job.cloned(),
        run,
    }
}
