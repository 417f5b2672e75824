//! A request from a run: its templates filled in, its secrets found.

use super::execute::Context;
use super::permits::Permit;
use super::run::Run;
use crate::domain::attempt::{CallRecord, StoredBody};
use crate::domain::job::Job;
use crate::domain::outcome::Outcome;
use crate::domain::secret::Secret;
use crate::domain::template::TemplateContext;
use crate::guance::{Request, build_request};
use crate::store::StoreError;

/// A request that cannot be built is recorded and never sent.
pub(super) struct Refused {
    /// The kwargs with their templates as they were written.
    pub(super) stored: StoredBody,
    pub(super) record: CallRecord,
}

impl Refused {
    /// `why` is kept in the ledger.
    pub(super) fn new(run: &Run, permit: &Permit, why: String) -> Box<Self> {
        let mut record = CallRecord::without_reply(
            Outcome::Rejected,
            None,
            "the request could not be built; nothing was sent",
        );
        record.message = Some(why);
        let job = &run.job;
        let unfilled = job.kwargs.source();
        let request = build_request(&job.func_id, job.return_type, unfilled, &[], &permit.key);
        Box::new(Self {
            stored: request.redacted,
            record,
        })
    }
}

/// The request of the run's next attempt, or why there can be none.
///
/// # Errors
/// Where the ledger cannot be read: that says nothing of the run, which is to be tried again.
pub(super) async fn prepare(
    context: &Context,
    run: &Run,
    permit: &Permit,
    attempt: u32,
) -> Result<Result<Request, Box<Refused>>, StoreError> {
    let job = &run.job;
    let previous_success_at = if job.kwargs.uses_previous_success() {
        let reader = context.ledger.reader();
        reader.previous_success(&job.name, run.scheduled_at).await?
    } else {
        None
    };
    let rendered = job.kwargs.render(&TemplateContext {
        scheduled_at: run.scheduled_at,
        zone: job.schedule.timezone().clone(),
        run_id: run.id.to_string(),
        job: job.name.to_string(),
        attempt,
        trigger: run.trigger.as_str(),
        previous_success_at,
    });
    let request = rendered
        .map_err(|error| error.to_string())
        .and_then(|kwargs| {
            let secrets = secrets(context, job)?;
            let key = &permit.key;
            Ok(build_request(
                &job.func_id,
                job.return_type,
                &kwargs,
                &secrets,
                key,
            ))
        });
    Ok(request.map_err(|why| Refused::new(run, permit, why)))
}

/// Every secret of a loaded definition was resolved with the configuration, so one that is missing
/// belongs to a definition of before: a waiting run keeps its own, and values are kept nowhere.
fn secrets(context: &Context, job: &Job) -> Result<Vec<(String, Secret)>, String> {
    let resolve = |(name, reference): &(String, crate::domain::secret::SecretRef)| {
        let value = context.jobs.secrets.get(reference).cloned();
        let value = value.ok_or_else(|| {
            format!(
                "the run was planned with an earlier definition, whose secret_kwargs.{name} is {reference}, \
                 and nothing in the configuration refers to that any more; \
                 `funcron trigger {}` starts the job as it is defined now",
                job.name
            )
        })?;
        Ok((name.clone(), value))
    };
    job.secret_kwargs.iter().map(resolve).collect()
}
