//! From what arrived to the record: read, judge, strike out the secrets.

use std::time::Duration;

use tokio::time::Instant;

use super::client::Call;
use super::exchange::{End, Received};
use super::json::{scan, tree};
use super::redact::Redactor;
use super::reply::{Facts, read};
use crate::domain::attempt::{BODY_LIMIT, CallRecord, StoredBody, head};
use crate::domain::expect::{ExpectContext, Expectation};
use crate::domain::json::Json;
use crate::domain::verdict::{Answer, Body, Verdict, judge};

/// Longest text of a value taken from a reply, in bytes: a message, or what decided.
const LONGEST_TEXT: usize = 8 * 1024;

/// Longest id, code or reason taken from a reply, in bytes.
const LONGEST_NAME: usize = 512;

/// Most values a reply may have for `expect` to look at it; more would not fit the daemon's memory
/// as a tree.
const MOST_VALUES: usize = 200_000;

/// When things happened, by the monotonic clock.
#[derive(Debug)]
pub(super) struct Timing {
    pub(super) started: Instant,
    pub(super) written: Option<Instant>,
    pub(super) ended: Instant,
}

impl Timing {
    /// From the sending to the end.
    fn sent_for(&self) -> Duration {
        self.ended - self.written.unwrap_or(self.started)
    }
}

/// The record of a call.
pub(super) fn record(
    call: &Call,
    received: Received,
    end: End,
    request_written: bool,
    timing: &Timing,
) -> CallRecord {
    let whole = !matches!(end, End::Lost(_));
    let redirect = end == End::Redirect;
    let duration = timing.sent_for();
    let (verdict, facts) = understand(call, &received, end, request_written, duration);
    let redactor = &*call.request.redactor;
    let name = |text: Option<String>| text.map(|text| clean(redactor, &text, LONGEST_NAME));
    // A body that never began, or was never read, is not an empty one.
    let response = (!redirect && (whole || !received.body.is_empty())).then(|| {
        let text = String::from_utf8_lossy(&received.body);
        StoredBody::new(&redactor.redact(&text), BODY_LIMIT)
    });
    CallRecord {
        outcome: verdict.outcome,
        unknown_reason: verdict.unknown_reason,
        decided_by: clean(redactor, &verdict.decided_by, LONGEST_TEXT),
        written_after: timing.written.map(|written| written - timing.started),
        duration: whole.then_some(duration),
        took: timing.ended - timing.started,
        http_status: received.status,
        response,
        trace_id: name(facts.trace_id),
        func_trace_id: name(facts.func_trace_id),
        task_id: name(facts.task_id),
        cost_ms: facts.cost_ms,
        error_code: name(facts.error_code),
        engine_reason: name(facts.engine_reason),
        engine_error: name(facts.engine_error),
        message: facts
            .message
            .map(|text| clean(redactor, &text, LONGEST_TEXT)),
        retry_after: facts.wait.or(received.retry_after),
        holds_key: verdict.holds_key,
    }
}

/// Redacted first, cut afterwards: a cut secret would no longer be found.
fn clean(redactor: &Redactor, text: &str, limit: usize) -> String {
    head(&redactor.redact(text), limit).to_owned()
}

fn understand(
    call: &Call,
    received: &Received,
    end: End,
    request_written: bool,
    duration: Duration,
) -> (Verdict, Facts) {
    let http_status = received.status.unwrap_or_default();
    let without_body = |answer| (judge(&answer, || Ok(())), Facts::default());
    let unreadable = |why| Answer::Reply {
        http_status,
        body: Body::NotJson { why },
    };
    match end {
        End::Lost(why) => without_body(Answer::NoReply {
            request_written,
            why,
        }),
        End::Redirect => without_body(Answer::Redirect {
            http_status,
            to: received.redirect_to.clone(),
        }),
        End::Unreadable(why) => without_body(unreadable(why)),
        End::Whole => match scan(&received.body) {
            Err(why) => without_body(unreadable(why)),
            Ok(scanned) => {
                let reading = read(&scanned.text);
                let answer = Answer::Reply {
                    http_status,
                    body: reading.body,
                };
                let cost_ms = reading.facts.cost_ms;
                let verdict = judge(&answer, || {
                    let content = reading.content.unwrap_or("null");
                    meets(&call.expect, content, scanned.values, cost_ms, duration)
                });
                (verdict, reading.facts)
            }
        },
    }
}

fn meets(
    expect: &[Expectation],
    content: &str,
    values: usize,
    cost_ms: Option<i64>,
    duration: Duration,
) -> Result<(), String> {
    if expect.is_empty() {
        return Ok(());
    }
    if values > MOST_VALUES {
        return Err(format!(
            "expect cannot look at a reply of more than {MOST_VALUES} values"
        ));
    }
    let content: Json =
        tree(content).map_err(|error| format!("expect cannot read the content: {error}"))?;
    let duration_ms = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    let context = ExpectContext::new(content, cost_ms, duration_ms);
    expect
        .iter()
        .try_for_each(|expectation| expectation.check(&context))
}
