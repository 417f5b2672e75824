//! The OpenAPI gateway before the engine: routes, the key, the limits, the envelope.
//!
//! The document gives codes for a bad key, both limits and an unknown route. It gives none for
//! parameters that it forbids; `ft.InvalidParameter` under 400 is ours. The keys of every reply
//! are in alphabetical order at every depth, as in the document's sample, although the engine
//! writes them in another: something in between writes the reply anew.

use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Limited};
use hyper::body::Incoming;
use hyper::http::request::Parts;
use hyper::{Method, Request, Response, StatusCode};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::clock::Clock;

use super::Options;
use super::engine::{Call, Engine, Reply};
use super::ids::Ids;
use super::list::list;
use super::log::{Answer, Counters, Log, Received};
use super::quota::{Full, Quota};
use super::wire::{self, Body, Severed};

/// The largest body of a request, which is the engine's limit; beyond it, 400.
const MAX_REQUEST: usize = 50 << 20;

/// An envelope that reports an error.
#[derive(Clone, Debug)]
pub(super) struct Refusal {
    /// The HTTP status, and `code`.
    pub(super) status: StatusCode,
    /// `errorCode`.
    pub(super) error_code: String,
    /// `message`.
    pub(super) message: String,
}

impl Refusal {
    fn new(status: StatusCode, error_code: &str, message: &str) -> Self {
        Self {
            status,
            error_code: error_code.to_owned(),
            message: message.to_owned(),
        }
    }

    fn route() -> Self {
        Self::new(
            StatusCode::BAD_REQUEST,
            "RouterNotFound",
            "请求路由地址不存在。",
        )
    }

    fn key() -> Self {
        Self::new(StatusCode::FORBIDDEN, "ft.InvalidAPIKey", "无效的 API Key")
    }

    /// The document says 401, not 429.
    fn limit(full: Full) -> Self {
        let (error_code, message) = match full {
            Full::Key => ("ft.TriggerApiAkCurrentLimiting", "触发API限流-AK级别"),
            Full::Workspace => (
                "ft.TriggerApiWorkspaceCurrentLimiting",
                "触发API限流-工作空间级别",
            ),
        };
        Self::new(StatusCode::UNAUTHORIZED, error_code, message)
    }

    fn parameter(message: &str) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "ft.InvalidParameter", message)
    }
}

/// The gateway with its engine.
#[derive(Debug)]
pub(super) struct Gateway {
    options: Options,
    engine: Engine,
    clock: Clock,
    ids: Ids,
    quota: Mutex<Quota>,
    log: Mutex<Log>,
}

/// A request that has been read.
struct Arrival {
    head: Parts,
    /// `None` where it is larger than [`MAX_REQUEST`].
    body: Option<Bytes>,
    at: Instant,
    wall: jiff::Timestamp,
    trace_id: String,
}

impl Gateway {
    /// A gateway that has seen nothing.
    pub(super) fn new(options: Options, clock: Clock) -> Self {
        Self {
            engine: Engine::new(options.generation, clock.clone()),
            quota: Mutex::new(Quota::new(options.per_key, options.per_workspace)),
            options,
            clock,
            ids: Ids::default(),
            log: Mutex::default(),
        }
    }

    /// Counts a connection.
    pub(super) fn connected(&self) {
        lock(&self.log).counters.connections += 1;
    }

    /// The kept requests, oldest first.
    pub(super) fn received(&self) -> Vec<Received> {
        lock(&self.log).kept()
    }

    /// The totals.
    pub(super) fn counters(&self) -> Counters {
        lock(&self.log).counters
    }

    /// Answers one request. The error is an order to drop the connection.
    pub(super) async fn answer(
        &self,
        request: Request<Incoming>,
    ) -> Result<Response<Body>, Severed> {
        let (head, body) = request.into_parts();
        let body = match Limited::new(body, MAX_REQUEST).collect().await {
            Ok(body) => Some(body.to_bytes()),
            Err(error) if error.is::<http_body_util::LengthLimitError>() => None,
            Err(_) => return Err(Severed::Closed),
        };
        let arrival = Arrival {
            head,
            body,
            at: Instant::now(),
            wall: self.clock.now(),
            trace_id: self.ids.trace(),
        };
        let parsed = arrival.json();
        let entry = lock(&self.log).open(arrival.record(parsed.as_ref()));
        let reply = match self.admit(&arrival) {
            Ok(route) => {
                tokio::time::sleep(self.options.latency).await;
                self.serve(route, &arrival, parsed).await
            }
            Err(refusal) => Reply::Gateway(refusal),
        };
        let answer = Answer::of(&reply);
        tracing::info!(
            method = %arrival.head.method,
            path = arrival.head.uri.path(),
            trace_id = arrival.trace_id,
            %answer,
            "request",
        );
        lock(&self.log).close(entry, answer);
        respond(reply, &arrival.trace_id).await
    }

    /// The route, then the key, then the limits: the document gives no order.
    fn admit(&self, arrival: &Arrival) -> Result<Route, Refusal> {
        let head = &arrival.head;
        let route = Route::of(&head.method, head.uri.path()).ok_or_else(Refusal::route)?;
        let key = arrival.key().filter(|key| self.accepts(key));
        let Some(key) = key else {
            lock(&self.log).counters.bad_key += 1;
            return Err(Refusal::key());
        };
        lock(&self.quota).admit(&key, arrival.at).map_err(|full| {
            let counters = &mut lock(&self.log).counters;
            match full {
                Full::Key => counters.throttled_by_key += 1,
                Full::Workspace => counters.throttled_by_workspace += 1,
            }
            Refusal::limit(full)
        })?;
        Ok(route)
    }

    fn accepts(&self, key: &str) -> bool {
        let known = &self.options.api_keys;
        !key.is_empty() && (known.is_empty() || known.iter().any(|known| known == key))
    }

    async fn serve(&self, route: Route, arrival: &Arrival, parsed: Option<Value>) -> Reply {
        match route {
            Route::Execute => match check(arrival, parsed.as_ref()) {
                Ok((func_id, body)) => {
                    lock(&self.log).counters.executed += 1;
                    let call = Call {
                        func_id,
                        body,
                        trace_id: &arrival.trace_id,
                        received: arrival.wall,
                    };
                    self.engine.call(call).await
                }
                Err(what) => Reply::Gateway(Refusal::parameter(what)),
            },
            Route::List => Reply::Content(list(arrival.head.uri.query().unwrap_or("")), None),
            // What it answers to a good key is not documented; `true` is how others say yes.
            Route::Validate => Reply::Content(Value::Bool(true), None),
        }
    }
}

/// What the gateway serves.
#[derive(Clone, Copy, Debug)]
enum Route {
    Execute,
    List,
    Validate,
}

impl Route {
    fn of(method: &Method, path: &str) -> Option<Self> {
        match (method, path) {
            (&Method::POST, "/api/v1/outer_function/execute") => Some(Self::Execute),
            (&Method::GET, "/api/v1/outer_function/list") => Some(Self::List),
            (&Method::GET, "/api/v1/validate") => Some(Self::Validate),
            _ => None,
        }
    }
}

impl Arrival {
    fn key(&self) -> Option<String> {
        let key = self.head.headers.get("DF-API-KEY")?;
        Some(String::from_utf8_lossy(key.as_bytes()).into_owned())
    }

    fn json(&self) -> Option<Value> {
        serde_json::from_slice(self.body.as_deref()?).ok()
    }

    fn record(&self, parsed: Option<&Value>) -> Received {
        let func_id = parsed.and_then(|body| body["funcId"].as_str());
        let body = self.body.as_deref().unwrap_or_default();
        Received {
            at: self.at,
            wall: self.wall,
            method: self.head.method.to_string(),
            path: self.head.uri.to_string(),
            key: self.key().map(|key| fingerprint(&key)),
            func_id: func_id.map(str::to_owned),
            body: String::from_utf8_lossy(body).into_owned(),
            trace_id: self.trace_id.clone(),
            answer: None,
        }
    }
}

impl Answer {
    fn of(reply: &Reply) -> Self {
        match reply {
            Reply::Content(_, None) => Self::Success,
            Reply::Content(_, Some(reason)) => Self::Failure {
                reason: reason.clone(),
            },
            Reply::Spoilt(..) => Self::Misbehaved,
            Reply::Gateway(refusal) => Self::Refused {
                status: refusal.status.as_u16(),
                error_code: refusal.error_code.clone(),
            },
        }
    }
}

/// The first 8 hex digits of the SHA-256, which is how a key is spoken of.
fn fingerprint(key: &str) -> String {
    let digest = Sha256::digest(key.as_bytes());
    digest[..4]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// The documented parameters: `funcId` is required, and nothing that is named may be null. What
/// is inside `funcBody` beyond that is for the engine to judge.
fn check<'a>(
    arrival: &Arrival,
    parsed: Option<&'a Value>,
) -> Result<(&'a str, &'a Value), &'static str> {
    static EMPTY: LazyLock<Value> = LazyLock::new(|| json!({}));

    if arrival.body.is_none() {
        return Err("the body is larger than 50 MB");
    }
    let fields = parsed
        .and_then(Value::as_object)
        .ok_or("the body must be a JSON object")?;
    let func_id = match fields.get("funcId") {
        None => return Err("funcId is required"),
        Some(Value::String(id)) if !id.is_empty() => id,
        Some(_) => return Err("funcId must be a string, and not empty"),
    };
    let Some(body) = fields.get("funcBody") else {
        return Ok((func_id, &EMPTY));
    };
    if !body.is_object() {
        return Err("funcBody must be an object");
    }
    for (path, what) in [
        ("/kwargs", "funcBody.kwargs must not be null"),
        ("/options", "funcBody.options must not be null"),
        (
            "/options/returnType",
            "funcBody.options.returnType must not be null",
        ),
    ] {
        if body.pointer(path).is_some_and(Value::is_null) {
            return Err(what);
        }
    }
    Ok((func_id, body))
}

async fn respond(reply: Reply, trace_id: &str) -> Result<Response<Body>, Severed> {
    match reply {
        Reply::Content(content, _) => {
            let text = envelope(StatusCode::OK, content, "", "", trace_id);
            Ok(wire::json(StatusCode::OK, text))
        }
        Reply::Spoilt(content, wire) => {
            let text = envelope(StatusCode::OK, content, "", "", trace_id);
            wire.spoil(text).await
        }
        Reply::Gateway(refusal) => {
            let Refusal {
                status,
                error_code,
                message,
            } = refusal;
            let text = envelope(status, json!({}), &error_code, &message, trace_id);
            Ok(wire::json(status, text))
        }
    }
}

fn envelope(
    status: StatusCode,
    content: Value,
    error_code: &str,
    message: &str,
    trace_id: &str,
) -> String {
    let mut envelope = json!({
        "code": status.as_u16(),
        "content": content,
        "errorCode": error_code,
        "message": message,
        "success": error_code.is_empty(),
        "traceId": trace_id,
    });
    envelope.sort_all_objects();
    envelope.to_string()
}

/// A lock that a panic elsewhere does not spoil: counters and windows are whole at every step.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
