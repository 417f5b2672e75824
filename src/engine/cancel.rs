//! Ending a run by hand, and noting what became of one that is `unknown`.

use serde_json::json;

use super::Engine;
use super::admit::settles;
use super::command::{CommandError, act};
use super::run::Run;
use crate::domain::run::{Reason, RunId, RunState};
use crate::store::{Order, RunDetail};

/// What `cancel` did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cancelled {
    /// The run waited, and has ended like this.
    Ended(RunState, Reason),
    /// Its call is under way: our waiting for it ends, the function may go on.
    GivenUp,
}

impl Engine {
    /// The order to give a call up is durable before it is done, so that a daemon that dies in
    /// between does not call again.
    pub(super) async fn cancel(
        &mut self,
        id: RunId,
        actor: &str,
    ) -> Result<Cancelled, CommandError> {
        let now = self.believed_now();
        let Some(run) = self.lines.get(id).cloned() else {
            let run = self.recorded(id).await?;
            return Err(CommandError::Refused(format!(
                "run {id} has ended already: {}",
                state_of(&run)
            )));
        };
        let (ends, was) = match run.state {
            RunState::Waiting => {
                let (state, reason) = run.end(Reason::Operator, RunState::Cancelled);
                (vec![(run.clone(), state, reason)], "waiting")
            }
            _ => (Vec::new(), "running"),
        };
        let event = act(
            now,
            "cancel",
            actor,
            Some(&run.job.name),
            Some(id),
            &json!({ "was": was }),
        );
        let ordered = self
            .ledger
            .order(Order {
                ends: settles(&ends, now),
                acts: vec![event],
                ..Order::nothing(now)
            })
            .await?;
        tracing::info!(job = %run.job.name, run_id = %id, actor, was, "cancelled");
        self.let_go(&ends, &ordered.not_waiting);
        if let [(_, state, reason)] = ends[..] {
            return Ok(Cancelled::Ended(state, reason));
        }
        self.lines.put(
            Run {
                cancelled: true,
                ..run
            },
            now,
        );
        self.calls.cut(id, Reason::Operator);
        Ok(Cancelled::GivenUp)
    }

    /// An event beside the state: what the ledger saw stays what it saw.
    pub(super) async fn resolve(
        &mut self,
        id: RunId,
        succeeded: bool,
        note: &str,
        actor: &str,
    ) -> Result<(), CommandError> {
        let run = self.recorded(id).await?;
        if run.state != RunState::Unknown.as_str() {
            return Err(CommandError::Refused(format!(
                "only an `unknown` run is resolved by hand, and run {id} is {}",
                state_of(&run)
            )));
        }
        let now = self.believed_now();
        let job = crate::domain::job::JobName::parse(&run.job);
        let found = if succeeded { "success" } else { "failed" };
        let detail = json!({ "as": found, "note": self.redactor().redact(note) });
        let event = act(now, "resolve", actor, job.as_ref(), Some(id), &detail);
        self.ledger
            .order(Order {
                acts: vec![event],
                ..Order::nothing(now)
            })
            .await?;
        Ok(())
    }

    /// A run as the ledger has it.
    pub(super) async fn recorded(&self, id: RunId) -> Result<RunDetail, CommandError> {
        let run = self.ledger.reader().run(&id.to_string()).await?;
        run.ok_or_else(|| CommandError::NotFound(format!("the ledger has no run {id}")))
    }
}

pub(super) fn state_of(run: &RunDetail) -> String {
    match &run.reason {
        Some(reason) => format!("{}/{reason}", run.state),
        None => run.state.clone(),
    }
}
