//! A ledger with a past of one's choosing, written through the daemon's own interface: what no
//! daemon could have written cannot be told here either.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use funcron::domain::attempt::{CallRecord, StoredBody};
use funcron::domain::job::{DefinitionHash, JobName};
use funcron::domain::outcome::Outcome;
use funcron::domain::run::{NewRun, Reason, RunId, RunState, Trigger};
use funcron::domain::workspace::{KeyId, WorkspaceName};
use funcron::store::{After, CloseAttempt, Held, Ledger, OpenAttempt, Opened, Plan, VersionChange};
use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

/// The request of every attempt that does not say otherwise.
pub(crate) const REQUEST: &str =
    r#"{"funcId":"guance__openapi.test","funcBody":{"kwargs":{"your_name":"OpenAPI 用户"}}}"#;

/// An instant of RFC 3339.
pub(crate) fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// A ledger being written.
pub(crate) struct Past {
    ledger: Ledger,
    held: Held,
    runs: u32,
}

/// A run to be told.
pub(crate) struct Run {
    pub(crate) job: &'static str,
    pub(crate) tick: &'static str,
    pub(crate) trigger: Trigger,
    pub(crate) state: RunState,
    pub(crate) reason: Option<Reason>,
    pub(crate) attempts: Vec<Attempt>,
}

/// An attempt to be told.
pub(crate) struct Attempt {
    pub(crate) request: StoredBody,
    /// None is an attempt that is still open.
    pub(crate) call: Option<CallRecord>,
}

/// A body kept whole.
pub(crate) fn body(text: &str) -> StoredBody {
    StoredBody::new(text, text.len())
}

/// A body of which only the first `kept` bytes are kept.
pub(crate) fn cut_body(text: &str, kept: usize) -> StoredBody {
    StoredBody {
        text: text[..kept].into(),
        ..body(text)
    }
}

impl Run {
    /// A scheduled run that succeeded at its first attempt.
    pub(crate) fn success(job: &'static str, tick: &'static str) -> Self {
        let reply = r#"{"code":200,"content":{"ok":true,"result":{"count":3}},"errorCode":"","message":"","success":true,"traceId":"TRACE-OK"}"#;
        let call = CallRecord {
            http_status: Some(200),
            trace_id: Some(format!("TRACE-{job}-{tick}")),
            cost_ms: Some(41),
            duration: Some(Duration::from_millis(112)),
            response: Some(body(reply)),
            ..CallRecord::without_reply(
                Outcome::Success,
                None,
                "HTTP 200, no error in the envelope, content.ok is true",
            )
        };
        Self {
            job,
            tick,
            trigger: Trigger::Schedule,
            state: RunState::Success,
            reason: None,
            attempts: vec![Attempt::ended(call)],
        }
    }

    /// A run of that state that sent nothing.
    pub(crate) fn nothing_sent(
        job: &'static str,
        tick: &'static str,
        state: RunState,
        reason: Reason,
    ) -> Self {
        Self {
            state,
            reason: Some(reason),
            attempts: Vec::new(),
            ..Self::success(job, tick)
        }
    }

    /// A run that failed for the outcome of its last attempt.
    pub(crate) fn failed(job: &'static str, tick: &'static str, attempts: Vec<Attempt>) -> Self {
        let last = attempts
            .last()
            .and_then(|attempt| attempt.call.as_ref())
            .unwrap();
        Self {
            state: RunState::Failed,
            reason: Some(Reason::Outcome(last.outcome)),
            attempts,
            ..Self::success(job, tick)
        }
    }
}

impl Attempt {
    /// An attempt that is over.
    pub(crate) fn ended(call: CallRecord) -> Self {
        Self {
            request: body(REQUEST),
            call: Some(call),
        }
    }

    /// The sample reply of Guance's own page: the function raised.
    pub(crate) fn func_failed() -> Self {
        let page = include_str!("../../fixtures/seed/execute.md");
        let reply = page.split("## 响应\n```shell\n").nth(1).unwrap();
        let reply = reply.split("```").next().unwrap().trim();
        Self::ended(CallRecord {
            http_status: Some(200),
            trace_id: Some("TRACE-16435F71-4C2E-4026-A5D8-0B6B9ADD23AE".into()),
            func_trace_id: Some("TRACE-16435F71-4C2E-4026-A5D8-0B6B9ADD23AE".into()),
            task_id: Some("task-4G5qTZol2lW2".into()),
            cost_ms: Some(41),
            duration: Some(Duration::from_millis(96)),
            engine_reason: Some("EFuncFailed".into()),
            engine_error: Some("599.3".into()),
            message: Some("Calling Function failed".into()),
            response: Some(body(reply)),
            ..CallRecord::without_reply(
                Outcome::FuncFailed,
                None,
                "content.ok is false, content.reason is EFuncFailed",
            )
        })
    }

    /// Refused for its rate.
    pub(crate) fn throttled() -> Self {
        Self::ended(CallRecord {
            http_status: Some(401),
            duration: Some(Duration::from_millis(12)),
            error_code: Some("ft.TriggerApiAkCurrentLimiting".into()),
            message: Some("请求过于频繁".into()),
            response: Some(body(
                r#"{"code":401,"errorCode":"ft.TriggerApiAkCurrentLimiting","message":"请求过于频繁","success":false}"#,
            )),
            ..CallRecord::without_reply(
                Outcome::Throttled,
                None,
                "errorCode is ft.TriggerApiAkCurrentLimiting",
            )
        })
    }
}

impl Past {
    /// Begins a ledger at `path`.
    pub(crate) async fn begin(path: &Path) -> Self {
        let (ledger, held) = Ledger::open(path, at("2026-11-24T00:00:00Z"))
            .await
            .unwrap();
        Self {
            ledger,
            held,
            runs: 0,
        }
    }

    /// Loads a definition: a JSON object in its canonical text.
    pub(crate) async fn load(&mut self, job: &str, definition: &str, from: &str) -> DefinitionHash {
        let hash = DefinitionHash(body(definition).sha256);
        let name = JobName::parse(job).unwrap();
        let change = VersionChange {
            job: name,
            loaded: Some((hash.clone(), definition.into())),
            zone_data: "2026b".into(),
            at: at(from),
        };
        let plan = Plan {
            versions: vec![change],
            ..Plan::nothing(at(from), at(from))
        };
        self.ledger.plan(plan).await.unwrap();
        hash
    }

    /// Tells a run; answers its id.
    pub(crate) async fn tell(&mut self, run: Run, hash: &DefinitionHash) -> RunId {
        self.runs += 1;
        let id = RunId(
            Uuid::parse_str(&format!("0199e3b2-7c1f-7a3b-8def-0000{:08x}", self.runs)).unwrap(),
        );
        let tick = at(run.tick);
        let is_open_ended = run.attempts.is_empty();
        let new = NewRun {
            not_before: None,
            id,
            job: JobName::parse(run.job).unwrap(),
            trigger: run.trigger,
            scheduled_at: tick,
            due_at: tick,
            state: if is_open_ended {
                run.state
            } else {
                RunState::Waiting
            },
            reason: if is_open_ended {
                run.reason
            } else {
                Some(Reason::InFlight)
            },
            definition_hash: hash.clone(),
            workspace: WorkspaceName(Arc::from("prod")),
            func_id: Arc::from("guance__openapi.test"),
        };
        let planned = Plan {
            runs: vec![new],
            ..Plan::nothing(tick, tick)
        };
        assert_eq!(
            self.ledger.plan(planned).await.unwrap(),
            [],
            "the tick is taken"
        );
        let last = run.attempts.len();
        for (index, attempt) in run.attempts.into_iter().enumerate() {
            let number = u32::try_from(index + 1).unwrap();
            let after = if index + 1 == last {
                After {
                    state: run.state,
                    reason: run.reason,
                    not_before: None,
                }
            } else {
                After {
                    state: RunState::Waiting,
                    reason: Some(Reason::Retry),
                    not_before: None,
                }
            };
            self.attempt(id, number, attempt, after, tick).await;
        }
        id
    }

    async fn attempt(
        &self,
        run: RunId,
        number: u32,
        attempt: Attempt,
        after: After,
        tick: Timestamp,
    ) {
        let opened_at = tick + SignedDuration::from_millis(31 + 2_000 * i64::from(number - 1));
        let open = OpenAttempt {
            run,
            attempt: number,
            at: opened_at,
            workspace: WorkspaceName(Arc::from("prod")),
            origin: Arc::from("https://openapi.guance.com"),
            key: KeyId(Arc::from("1a2b3c4d")),
            func_id: Arc::from("guance__openapi.test"),
            request: attempt.request,
        };
        assert_eq!(
            self.ledger.open_attempt(open).await.unwrap(),
            Opened::Opened
        );
        let Some(call) = attempt.call else { return };
        let took = call.duration.unwrap_or_default();
        let close = CloseAttempt {
            run,
            attempt: number,
            at: opened_at + took,
            written_at: call
                .duration
                .map(|_| opened_at + SignedDuration::from_millis(1)),
            counts_from: None,
            call,
            after,
        };
        self.ledger.close_attempt(Arc::new(close)).await.unwrap();
    }

    /// Lets the ledger go, as a daemon that was stopped does.
    pub(crate) async fn end(self) {
        self.held.release(self.ledger).await;
    }
}

/// A past with something of everything: retries, a failure in Chinese, ticks without an attempt, a call
/// under way. Answers the ids of its runs, oldest first.
pub(crate) async fn sample(path: &Path) -> Vec<RunId> {
    let mut past = Past::begin(path).await;
    let nightly = past
        .load("nightly-report", NIGHTLY, "2026-11-24T00:00:00Z")
        .await;
    let sync = past.load("sync-users", SYNC, "2026-11-24T00:00:00Z").await;
    let mut retried = Run::success("nightly-report", "2026-11-24T02:00:00Z");
    retried.attempts.insert(0, Attempt::throttled());
    let lost = Run {
        state: RunState::Unknown,
        reason: Some(Reason::NoReply),
        ..Run::failed(
            "sync-users",
            "2026-11-24T03:00:00Z",
            vec![Attempt::ended(CallRecord {
                duration: Some(Duration::from_secs(60)),
                ..CallRecord::without_reply(
                    Outcome::Unknown,
                    Some(Reason::NoReply),
                    "no whole reply within 60s",
                )
            })],
        )
    };
    let hostile = CallRecord {
        http_status: Some(502),
        message: Some("\u{1b}[2J\u{1b}]0;owned\u{7}坏了".into()),
        response: Some(cut_body(
            &format!("{{\"a\":\"\u{1b}[31m{}\"}}", "x".repeat(90_000)),
            120,
        )),
        ..CallRecord::without_reply(Outcome::ServerError, None, "HTTP 502")
    };
    let under_way = Run {
        state: RunState::Running,
        trigger: Trigger::Manual,
        attempts: vec![Attempt {
            request: body(REQUEST),
            call: None,
        }],
        ..Run::success("sync-users", "2026-11-24T06:00:00.250Z")
    };
    let mut ids = Vec::new();
    for (run, hash) in [
        (
            Run::nothing_sent(
                "sync-users",
                "2026-11-24T01:00:00Z",
                RunState::Missed,
                Reason::DaemonDown,
            ),
            &sync,
        ),
        (retried, &nightly),
        (lost, &sync),
        (
            Run::failed(
                "sync-users",
                "2026-11-24T04:00:00Z",
                vec![Attempt::func_failed()],
            ),
            &sync,
        ),
        (
            Run::failed(
                "sync-users",
                "2026-11-24T05:00:00Z",
                vec![Attempt::ended(hostile)],
            ),
            &sync,
        ),
        (
            Run::nothing_sent(
                "nightly-report",
                "2026-11-24T05:30:00Z",
                RunState::Skipped,
                Reason::Overlap,
            ),
            &nightly,
        ),
        (under_way, &sync),
    ] {
        ids.push(past.tell(run, hash).await);
    }
    past.end().await;
    ids
}

/// Definitions as the configuration writes them.
pub(crate) const NIGHTLY: &str = r#"{"name":"nightly-report","description":"每日报表","labels":{"team":"sre","tier":"1"},"enabled":true,"workspace":"prod","func_id":"guance__openapi.test","kwargs":{"your_name":"OpenAPI 用户"},"secret_kwargs":{},"schedule":["0 2 * * *"],"timezone":"Asia/Shanghai","dst":{"gap":"run_after","overlap":"first"},"overlap":"skip","catchup":"latest","catchup_window":"1h","start_deadline":"5m","timeout":"60s","deadline":"15m","idempotent":false,"retry":{"max_attempts":3,"initial_delay":"5s","multiplier":2.0,"max_delay":"5m","jitter":0.2,"on":["throttled","network_error"],"into_next_tick":false},"expect":[]}"#;

/// Another, hourly and of another team.
pub(crate) const SYNC: &str = r#"{"name":"sync-users","labels":{"team":"data"},"enabled":true,"workspace":"prod","func_id":"guance__openapi.test","kwargs":{},"secret_kwargs":{},"schedule":["0 * * * *"],"timezone":"UTC","dst":{"gap":"run_after","overlap":"first"},"overlap":"skip","catchup":"latest","catchup_window":"1h","start_deadline":"5m","timeout":"60s","deadline":"15m","idempotent":false,"retry":{"max_attempts":3,"initial_delay":"5s","multiplier":2.0,"max_delay":"5m","jitter":0.2,"on":["throttled","network_error"],"into_next_tick":false},"expect":[]}"#;
