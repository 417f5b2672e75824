//! Pausing and resuming. A pause is a span of time in the ledger: ticks in it are `skipped/paused`,
//! whenever they are planned, and resuming never fires them.

use jiff::Timestamp;
use serde_json::json;

use super::Engine;
use super::admit::{End, settles};
use super::command::{CommandError, act};
use crate::domain::job::JobName;
use crate::domain::run::{Reason, RunState};
use crate::domain::workspace::WorkspaceName;
use crate::store::{Act, Advance, Ending, Order, Pause};

/// Which jobs a command is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Selection {
    /// One.
    Job(JobName),
    /// All of a workspace.
    Workspace(WorkspaceName),
    /// All that are loaded now; a job that a reload adds is not paused by it.
    All,
}

/// What `pause` does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PauseOrder {
    /// Which jobs.
    pub jobs: Selection,
    /// Why, in the person's words.
    pub reason: Option<String>,
    /// When it ends by itself.
    pub until: Option<Timestamp>,
}

/// What `resume` does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResumeOrder {
    /// Which jobs.
    pub jobs: Selection,
    /// Why, in the person's words.
    pub reason: Option<String>,
}

/// What `pause` or `resume` did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PauseAnswer {
    /// The jobs that are paused from now on, or no longer.
    pub jobs: Vec<JobName>,
    /// Of these, or in the place of these, the ones that were so already: paused by an earlier order,
    /// which this one replaces, or not paused.
    pub already: Vec<JobName>,
    /// Waiting runs that ended with it.
    pub ended_runs: usize,
    /// Calls of these jobs that are under way, and go on.
    pub in_flight: usize,
}

impl Engine {
    pub(super) async fn pause(
        &mut self,
        order: PauseOrder,
        actor: &str,
    ) -> Result<PauseAnswer, CommandError> {
        let jobs = self.selected(&order.jobs)?;
        let reason = self.redacted(order.reason);
        let now = self.instant_of_command().await?;
        if order.until.is_some_and(|until| until <= now) {
            return Err(CommandError::Invalid(format!(
                "--until lies in the past: it is {now:.3} now"
            )));
        }
        let already: Vec<JobName> = jobs
            .iter()
            .filter(|job| self.pauses.current(job, now).is_some())
            .cloned()
            .collect();
        let pauses: Vec<Pause> = jobs
            .iter()
            .map(|job| Pause {
                job: job.clone(),
                from: now,
                until: order.until,
                resumed: None,
                actor: actor.to_owned(),
                reason: reason.clone(),
            })
            .collect();
        let detail = json!({
            "reason": reason,
            "until": order.until.map(|until| format!("{until:.3}")),
        });
        let ends = self.waiting_of(&jobs);
        self.ledger
            .order(Order {
                ends: settles(&ends, now),
                paused: pauses.clone(),
                advances: self.ended_backfills(&jobs),
                acts: acts(now, "pause", actor, &jobs, &detail),
                ..Order::nothing(now)
            })
            .await
            .map(|ordered| self.let_go(&ends, &ordered.not_waiting))?;
        for pause in pauses {
            self.pauses.begin(pause);
        }
        self.pauses
            .forget_before(self.oldest_unplanned(self.planned_through));
        self.backfills
            .retain(|backfill| !jobs.contains(&backfill.job));
        tracing::info!(jobs = jobs.len(), actor, reason = reason.as_deref().unwrap_or("-"), until = ?order.until, "paused");
        Ok(PauseAnswer {
            in_flight: self.in_flight_of(&jobs),
            ended_runs: ends.len(),
            jobs,
            already,
        })
    }

    pub(super) async fn resume(
        &mut self,
        order: ResumeOrder,
        actor: &str,
    ) -> Result<PauseAnswer, CommandError> {
        let reason = self.redacted(order.reason);
        let now = self.instant_of_command().await?;
        let selected = match &order.jobs {
            // A job may be gone from the configuration with its pause still there.
            Selection::Job(job) if self.pauses.current(job, now).is_some() => vec![job.clone()],
            selection => self.selected(selection)?,
        };
        let (jobs, already): (Vec<JobName>, Vec<JobName>) = selected
            .into_iter()
            .partition(|job| self.pauses.current(job, now).is_some());
        if !jobs.is_empty() {
            self.ledger
                .order(Order {
                    resumed: jobs.clone(),
                    acts: acts(now, "resume", actor, &jobs, &json!({ "reason": reason })),
                    ..Order::nothing(now)
                })
                .await?;
        }
        for job in &jobs {
            self.pauses.end(job, now);
        }
        tracing::info!(
            jobs = jobs.len(),
            actor,
            reason = reason.as_deref().unwrap_or("-"),
            "resumed"
        );
        Ok(PauseAnswer {
            in_flight: self.in_flight_of(&jobs),
            ended_runs: 0,
            jobs,
            already,
        })
    }

    /// A person's words, without a secret that may have slipped into them.
    fn redacted(&self, reason: Option<String>) -> Option<String> {
        let redactor = self.redactor();
        reason.map(|reason| redactor.redact(&reason).into_owned())
    }

    fn selected(&self, selection: &Selection) -> Result<Vec<JobName>, CommandError> {
        match selection {
            Selection::Job(name) => self.loaded(name).map(|job| vec![job.name.clone()]),
            Selection::All => Ok(self.jobs.jobs.keys().cloned().collect()),
            Selection::Workspace(name) if !self.jobs.workspaces.contains_key(name) => {
                let known: Vec<&str> = self.jobs.workspaces.keys().map(|name| &*name.0).collect();
                Err(CommandError::NotFound(format!(
                    "there is no workspace `{name}`, only {}",
                    known.join(", ")
                )))
            }
            Selection::Workspace(name) => {
                let of_it = self.jobs.jobs.values().filter(|job| job.workspace == *name);
                Ok(of_it.map(|job| job.name.clone()).collect())
            }
        }
    }

    /// The ends of everything that waits of these jobs.
    fn waiting_of(&self, jobs: &[JobName]) -> Vec<End> {
        let runs = jobs.iter().flat_map(|job| self.lines.of_job(job));
        runs.filter(|run| run.state == RunState::Waiting)
            .map(|run| {
                let (state, reason) = run.end(Reason::Paused, RunState::Skipped);
                (run.clone(), state, reason)
            })
            .collect()
    }

    fn in_flight_of(&self, jobs: &[JobName]) -> usize {
        let runs = jobs.iter().flat_map(|job| self.lines.of_job(job));
        runs.filter(|run| run.state == RunState::Running).count()
    }

    fn ended_backfills(&self, jobs: &[JobName]) -> Vec<Advance> {
        let of_them = self.backfills.iter().filter(|b| jobs.contains(&b.job));
        of_them
            .map(|backfill| Advance {
                id: backfill.id.clone(),
                planned: backfill.planned,
                ending: Some(Ending::Paused),
            })
            .collect()
    }
}

fn acts(
    now: Timestamp,
    kind: &'static str,
    actor: &str,
    jobs: &[JobName],
    detail: &serde_json::Value,
) -> Vec<Act> {
    jobs.iter()
        .map(|job| act(now, kind, actor, Some(job), None, detail))
        .collect()
}
