//! A start by hand: now, whatever the schedule says. It takes a permit like everything else, in the
//! first line; `overlap` and the start deadline are rules for ticks and say nothing to it.

use jiff::Timestamp;
use serde_json::json;

use super::Engine;
use super::command::{CommandError, act};
use super::given;
use super::run::Run;
use crate::config;
use crate::domain::job::{Job, JobName};
use crate::domain::json::Json;
use crate::domain::run::{NewRun, Reason, RunId, RunState, Trigger};
use crate::store::{Order, Start};

/// What `trigger` starts.
#[derive(Clone, Debug, PartialEq)]
pub struct TriggerOrder {
    /// The job.
    pub job: JobName,
    /// Arguments over the job's own, by name.
    pub kwargs: Vec<(String, Json)>,
}

/// A run that was started by hand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Started {
    /// The run.
    pub run: RunId,
    /// Its job.
    pub job: JobName,
    /// Whether the job's ticks fire, too.
    pub is_enabled: bool,
    /// Whether the job is paused.
    pub is_paused: bool,
}

impl Engine {
    pub(super) async fn trigger(
        &mut self,
        order: TriggerOrder,
        actor: &str,
    ) -> Result<Started, CommandError> {
        let job = self.loaded(&order.job)?;
        let now = self.believed_now();
        let names: Vec<String> = order.kwargs.iter().map(|(name, _)| name.clone()).collect();
        let given = self.given_kwargs(&job, order.kwargs)?;
        let runs_as = match &given {
            Some(given) => given::with_kwargs(&job, given).map_err(|what| {
                CommandError::Invalid(format!("the arguments of {}: {what}", job.name))
            })?,
            None => job.clone(),
        };
        let new = self.started(&job, Trigger::Manual, now);
        let detail = json!({ "kwargs": names });
        let start = Start {
            run: new.clone(),
            kwargs: given,
            replay: None,
            backfill: None,
        };
        let events = vec![act(
            now,
            "trigger",
            actor,
            Some(&job.name),
            Some(new.id),
            &detail,
        )];
        self.ledger
            .order(Order {
                starts: vec![start],
                acts: events,
                ..Order::nothing(now)
            })
            .await?;
        self.lines.put(Run::planned(runs_as, &new), now);
        tracing::info!(job = %job.name, run_id = %new.id, actor, "started by hand");
        Ok(self.answer(&job, new.id, now))
    }

    pub(super) fn answer(&self, job: &Job, run: RunId, now: Timestamp) -> Started {
        Started {
            run,
            job: job.name.clone(),
            is_enabled: job.enabled,
            is_paused: self.pauses.current(&job.name, now).is_some(),
        }
    }

    /// A run that somebody starts at `now`.
    pub(super) fn started(&self, job: &Job, trigger: Trigger, now: Timestamp) -> NewRun {
        NewRun {
            id: self.ids.make(now),
            job: job.name.clone(),
            trigger,
            scheduled_at: now,
            due_at: now,
            state: RunState::Waiting,
            reason: Some(Reason::InFlight),
            not_before: None,
            definition_hash: job.hash.clone(),
            workspace: job.workspace.clone(),
            func_id: job.func_id.clone(),
        }
    }

    /// The arguments as they are stored. They have to be whole there, since a restart sends them, so
    /// they may hold no secret at all.
    fn given_kwargs(
        &self,
        job: &Job,
        kwargs: Vec<(String, Json)>,
    ) -> Result<Option<String>, CommandError> {
        if kwargs.is_empty() {
            return Ok(None);
        }
        let mut secrets = job.secret_kwargs.iter().map(|(name, _)| name);
        if let Some(name) = secrets.find(|secret| kwargs.iter().any(|(name, _)| name == *secret)) {
            return Err(CommandError::Invalid(format!(
                "`{name}` is one of the secret_kwargs of {}, and what is given by hand is stored and shown; change the secret where it is kept",
                job.name
            )));
        }
        let given = config::json_text(&Json::Object(kwargs));
        if self.redactor().redact(&given) != given {
            return Err(CommandError::Invalid(
                "an argument holds a secret of the configuration, and what is given by hand is stored and shown; nothing was started".to_owned(),
            ));
        }
        Ok(Some(given))
    }
}
