//! Sending a run's recorded request again, word for word, by the job's rules of today.

use serde_json::json;

use super::Engine;
use super::cancel::state_of;
use super::command::{CommandError, act};
use super::given;
use super::run::Run;
use super::trigger::Started;
use crate::domain::job::{Job, JobName};
use crate::domain::run::{NewRun, RunId, Trigger};
use crate::domain::workspace::WorkspaceName;
use crate::guance::build_request;
use crate::store::{AttemptDetail, Order, Start};

impl Engine {
    pub(super) async fn replay(
        &mut self,
        source: RunId,
        actor: &str,
    ) -> Result<Started, CommandError> {
        let recorded = self.recorded(source).await?;
        let refused = |why: String| {
            CommandError::Refused(format!(
                "run {source} cannot be replayed: {why}; `funcron trigger {}` starts the job as it is now",
                recorded.job
            ))
        };
        let Some(attempt) = recorded.attempts.last() else {
            return Err(refused(format!(
                "nothing was sent, it is {}",
                state_of(&recorded)
            )));
        };
        let name = JobName::parse(&recorded.job)
            .ok_or_else(|| refused("its job has no name of a job".to_owned()))?;
        let job = self.loaded(&name)?;
        let now = self.believed_now();
        let runs_as = self.replayed(&job, attempt).map_err(refused)?;
        let new = NewRun {
            workspace: runs_as.workspace.clone(),
            func_id: runs_as.func_id.clone(),
            ..self.started(&job, Trigger::Replay, now)
        };
        let detail = json!({ "of": source.to_string(), "attempt": attempt.attempt });
        let start = Start {
            run: new.clone(),
            kwargs: None,
            replay: Some((source, attempt.request.text.to_string())),
            backfill: None,
        };
        let event = act(now, "replay", actor, Some(&name), Some(new.id), &detail);
        self.ledger
            .order(Order {
                starts: vec![start],
                acts: vec![event],
                ..Order::nothing(now)
            })
            .await?;
        self.lines.put(Run::planned(runs_as, &new), now);
        tracing::info!(job = %name, run_id = %new.id, of = %source, actor, "replayed by hand");
        Ok(self.answer(&job, new.id, now))
    }

    /// The job with the attempt's request, once it is certain that it will be the same to the byte.
    fn replayed(
        &self,
        job: &std::sync::Arc<Job>,
        attempt: &AttemptDetail,
    ) -> Result<std::sync::Arc<Job>, String> {
        let request = &attempt.request;
        if request.is_pruned() {
            return Err("its request is older than `retention.bodies`, and was deleted".to_owned());
        }
        if request.bytes != request.text.len() as u64 {
            return Err(format!(
                "the ledger keeps only the first {} of its request's {} bytes",
                request.text.len(),
                request.bytes
            ));
        }
        let workspace = WorkspaceName(attempt.workspace.as_str().into());
        let keys = self.jobs.keys.get(&workspace);
        let Some(key) = keys.and_then(|keys| keys.first()) else {
            return Err(format!("there is no workspace `{workspace}` any more"));
        };
        let job = given::with_request(job, workspace, &request.text)?;
        let mut secrets = Vec::new();
        for (name, reference) in &job.secret_kwargs {
            let secret = self.jobs.secrets.get(reference).cloned();
            let secret =
                secret.ok_or_else(|| format!("secret_kwargs.{name} ({reference}) is not known"))?;
            secrets.push((name.clone(), secret));
        }
        let rebuilt = build_request(
            &job.func_id,
            job.return_type,
            job.kwargs.source(),
            &secrets,
            key,
        );
        if rebuilt.redacted != *request {
            return Err(
                "this release would not send it as it was: its text or its secrets have changed their places".to_owned(),
            );
        }
        Ok(job)
    }
}
