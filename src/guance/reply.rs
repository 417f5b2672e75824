//! A reply, taken apart: what the verdict asks about, and what the ledger keeps.
//!
//! Both generations of the engine and the gateway's envelope around either. Nothing here decides.

use std::time::Duration;

use serde_json::value::RawValue;

use super::json::{boolean, integer, is_object, members, number, scalar};
use crate::domain::verdict::{Body, Envelope};

/// What a reply says, secrets not yet struck out.
#[derive(Debug, Default)]
pub(super) struct Facts {
    pub(super) trace_id: Option<String>,
    pub(super) func_trace_id: Option<String>,
    pub(super) task_id: Option<String>,
    pub(super) cost_ms: Option<i64>,
    pub(super) error_code: Option<String>,
    pub(super) engine_reason: Option<String>,
    pub(super) engine_error: Option<String>,
    pub(super) message: Option<String>,
    /// `detail.waitSeconds`.
    pub(super) wait: Option<Duration>,
}

/// A reply that has been read.
#[derive(Debug)]
pub(super) struct Reading<'a> {
    /// For the verdict.
    pub(super) body: Body,
    /// For the ledger.
    pub(super) facts: Facts,
    /// For `expect`: the text of the envelope's content, or the whole of a bare engine reply.
    pub(super) content: Option<&'a str>,
}

/// The members of an engine's reply.
struct Engine<'a> {
    ok: Option<&'a RawValue>,
    reason: Option<&'a RawValue>,
    error: Option<&'a RawValue>,
    message: Option<&'a RawValue>,
    detail: Option<&'a RawValue>,
    data: Option<&'a RawValue>,
    task_id: Option<&'a RawValue>,
    cost: Option<&'a RawValue>,
    trace_id: Option<&'a RawValue>,
}

/// The members of an envelope, then those of an engine's own reply: both in one pass over the text.
const TOP: [&str; 13] = [
    "code",
    "success",
    "errorCode",
    "content",
    "ok",
    "reason",
    "error",
    "message",
    "detail",
    "data",
    "taskId",
    "reqCost",
    "traceId",
];

/// The members of an [`Engine`], in its order.
const ENGINE: [&str; 9] = {
    let [_, _, _, _, engine @ ..] = TOP;
    engine
};

impl<'a> Engine<'a> {
    fn new(members: [Option<&'a RawValue>; ENGINE.len()]) -> Self {
        let [
            ok,
            reason,
            error,
            message,
            detail,
            data,
            task_id,
            cost,
            trace_id,
        ] = members;
        Self {
            ok,
            reason,
            error,
            message,
            detail,
            data,
            task_id,
            cost,
            trace_id,
        }
    }

    fn facts(&self) -> Facts {
        let [detail_id, wait] = below(self.detail, ["id", "waitSeconds"]);
        let [data_task_id, data_id] = below(self.data, ["taskId", "id"]);
        Facts {
            func_trace_id: scalar(self.trace_id),
            task_id: [detail_id, self.task_id, data_task_id, data_id]
                .into_iter()
                .find_map(scalar),
            cost_ms: integer(self.cost),
            engine_reason: scalar(self.reason),
            engine_error: scalar(self.error),
            message: scalar(self.message),
            wait: number(wait).and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()),
            ..Facts::default()
        }
    }
}

/// Members of a member that may be absent, or no object.
fn below<'a, const N: usize>(
    raw: Option<&'a RawValue>,
    names: [&str; N],
) -> [Option<&'a RawValue>; N] {
    raw.and_then(|raw| members(raw.get(), names).ok().flatten())
        .unwrap_or([None; N])
}

/// Reads the text of a reply that is within its bounds.
pub(super) fn read(text: &str) -> Reading<'_> {
    read_json(text).unwrap_or_else(|error| Reading {
        body: Body::NotJson {
            why: if text.trim().is_empty() {
                "the body is empty".to_owned()
            } else {
                format!("not JSON: {error}")
            },
        },
        facts: Facts::default(),
        content: None,
    })
}

fn read_json(text: &str) -> Result<Reading<'_>, serde_json::Error> {
    let no_envelope = Reading {
        body: Body::NotEnvelope,
        facts: Facts::default(),
        content: None,
    };
    let Some([code, success, error_code, content, top @ ..]) = members(text, TOP)? else {
        return Ok(no_envelope);
    };
    let bare = code.or(success).or(error_code).or(content).is_none();
    let top = Engine::new(top);
    if bare && boolean(top.ok).is_none() {
        return Ok(no_envelope);
    }
    let inner = match content {
        Some(content) if is_object(content.get()) => {
            members(content.get(), ENGINE)?.map(Engine::new)
        }
        _ => None,
    };
    let engine = inner.as_ref().unwrap_or(&top);
    // Only a text is a code: `"errorCode": 0` means that there is none.
    let error_code = error_code
        .filter(|raw| raw.get().starts_with('"'))
        .and_then(|raw| scalar(Some(raw)));
    let facts = Facts {
        error_code: error_code.clone(),
        ..engine.facts()
    };
    let facts = match bare {
        true => facts,
        false => Facts {
            trace_id: scalar(top.trace_id),
            // without an object in `content` the members read were the envelope's own
            func_trace_id: facts.func_trace_id.filter(|_| inner.is_some()),
            message: facts.message.or_else(|| scalar(top.message)),
            ..facts
        },
    };
    Ok(Reading {
        body: Body::Envelope(Envelope {
            code: integer(code),
            success: boolean(success),
            error_code,
            ok: boolean(engine.ok).or(boolean(top.ok)),
            reason: facts.engine_reason.clone(),
        }),
        facts,
        content: match bare {
            true => Some(text),
            false => content.map(RawValue::get),
        },
    })
}

#[cfg(test)]
mod tests;
