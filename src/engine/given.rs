//! Jobs as a person's order changes them: other arguments, or a recorded request word by word.

use std::sync::Arc;

use crate::config;
use crate::domain::job::{Job, ReturnType};
use crate::domain::json::Json;
use crate::domain::secret::REDACTED;
use crate::domain::template::KwargsTemplate;
use crate::domain::workspace::WorkspaceName;

/// The job with a manual start's arguments over its own. They may hold templates like any other.
///
/// # Errors
/// What is wrong with them, in words for whoever gave them.
pub(super) fn with_kwargs(job: &Arc<Job>, given: &str) -> Result<Arc<Job>, String> {
    let given = config::json_value(given).map_err(|error| error.to_string())?;
    let merged = config::merge_kwargs(given, job.kwargs.source().clone());
    let kwargs = KwargsTemplate::parse(&merged).map_err(|errors| {
        let errors: Vec<String> = errors.iter().map(ToString::to_string).collect();
        errors.join("; ")
    })?;
    Ok(Arc::new(Job {
        kwargs,
        ..Job::clone(job)
    }))
}

/// The job with a recorded request in the place of its own: the same function, arguments and
/// options, sent to the workspace it was sent to. Its secrets are the job's of today.
///
/// # Errors
/// Why the request cannot be sent as it was.
pub(super) fn with_request(
    job: &Arc<Job>,
    workspace: WorkspaceName,
    request: &str,
) -> Result<Arc<Job>, String> {
    let no_request = || "the recorded request is none of a function's call".to_owned();
    let body = config::json_value(request).map_err(|_| no_request())?;
    let Some(Json::String(func_id)) = member(&body, "funcId") else {
        return Err(no_request());
    };
    let func_body = member(&body, "funcBody").ok_or_else(no_request)?;
    let Some(Json::Object(recorded)) = member(func_body, "kwargs") else {
        return Err(no_request());
    };
    let return_type = match member(func_body, "options").and_then(|o| member(o, "returnType")) {
        None => None,
        Some(Json::String(name)) => Some(return_type(name).ok_or_else(no_request)?),
        Some(_) => return Err(no_request()),
    };
    let mut plain = Vec::new();
    let mut secrets = Vec::new();
    for (name, value) in recorded {
        let secret = job.secret_kwargs.iter().find(|(secret, _)| secret == name);
        match secret {
            Some(secret) if *value == Json::String(REDACTED.to_owned()) => {
                secrets.push(secret.clone());
            }
            _ if is_redacted(value) => {
                return Err(format!(
                    "its argument `{name}` holds a secret, which the ledger does not, and the job has no secret_kwargs.{name} now"
                ));
            }
            _ => plain.push((name.clone(), value.clone())),
        }
    }
    Ok(Arc::new(Job {
        workspace,
        func_id: Arc::from(func_id.as_str()),
        kwargs: KwargsTemplate::literal(Json::Object(plain)),
        secret_kwargs: secrets,
        return_type,
        ..Job::clone(job)
    }))
}

fn member<'j>(value: &'j Json, name: &str) -> Option<&'j Json> {
    let Json::Object(members) = value else {
        return None;
    };
    members
        .iter()
        .find(|(key, _)| key == name)
        .map(|(_, value)| value)
}

fn return_type(name: &str) -> Option<ReturnType> {
    [
        ReturnType::All,
        ReturnType::Raw,
        ReturnType::Repr,
        ReturnType::JsonDumps,
    ]
    .into_iter()
    .find(|kind| kind.as_str() == name)
}

/// Whether something in it was struck out. A text that held `***` from the beginning looks the same,
/// and is refused with the rest: what cannot be told apart is not sent.
fn is_redacted(value: &Json) -> bool {
    match value {
        Json::String(text) => text.contains(REDACTED),
        Json::Array(items) => items.iter().any(is_redacted),
        Json::Object(members) => members
            .iter()
            .any(|(key, value)| key.contains(REDACTED) || is_redacted(value)),
        Json::Null | Json::Bool(_) | Json::Int(_) | Json::UInt(_) | Json::Float(_) => false,
    }
}
