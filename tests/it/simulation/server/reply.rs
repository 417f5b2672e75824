//! What the server of the simulated world answers, and what each answer means by the contract.

use std::time::Duration;

use funcron::guance::ScriptedEnd;
use serde_json::{Value, json};

use crate::simulation::chance::Chance;

/// A reply, and what it means by the contract.
pub(super) struct Reply {
    pub(super) kind: &'static str,
    pub(super) end: ScriptedEnd,
    pub(super) outcome: &'static str,
    pub(super) unknown: Option<&'static str>,
    pub(super) wait: Option<u64>,
}

impl Reply {
    fn new(kind: &'static str, outcome: &'static str, status: u16, body: &Value) -> Self {
        let end = ScriptedEnd::Reply {
            status,
            retry_after: None,
            body: body.to_string().into_bytes(),
        };
        Self {
            kind,
            end,
            outcome,
            unknown: None,
            wait: None,
        }
    }

    fn unknown(self, why: &'static str) -> Self {
        Self {
            unknown: Some(why),
            ..self
        }
    }

    fn waits(self, seconds: u64) -> Self {
        Self {
            wait: Some(seconds),
            ..self
        }
    }

    /// An engine's word, in the envelope of the gateway, with HTTP 200.
    fn engine(kind: &'static str, outcome: &'static str, content: &Value) -> Self {
        let body = json!({
            "code": 200, "content": content, "errorCode": "", "message": "", "success": true,
            "traceId": "TRACE-0123",
        });
        Self::new(kind, outcome, 200, &body)
    }

    fn failed(kind: &'static str, outcome: &'static str, reason: &str) -> Self {
        let content = json!({
            "ok": false, "error": 599.1, "reason": reason, "message": "it failed", "detail": {},
        });
        Self::engine(kind, outcome, &content)
    }

    pub(super) fn refused(
        kind: &'static str,
        outcome: &'static str,
        status: u16,
        code: &str,
    ) -> Self {
        let body = json!({
            "code": status, "content": null, "errorCode": code, "message": "refused",
            "success": false, "traceId": "TRACE-4567",
        });
        Self::new(kind, outcome, status, &body)
    }

    pub(super) fn throttled(chance: &mut Chance) -> Self {
        match chance.between(0, 2) {
            0 => Self::refused(
                "throttled",
                "throttled",
                401,
                "ft.TriggerApiAkCurrentLimiting",
            ),
            1 => {
                let wait = chance.between(0, 400);
                let content = json!({
                    "ok": false, "reason": "EClientRateLimit.Key", "detail": { "waitSeconds": wait },
                });
                Self::engine("throttled, told to wait", "throttled", &content).waits(wait)
            }
            _ => {
                let wait = chance.between(1, 90);
                let mut reply = Self::new("429", "throttled", 429, &Value::Null).waits(wait);
                if let ScriptedEnd::Reply { retry_after, .. } = &mut reply.end {
                    *retry_after = Some(Duration::from_secs(wait));
                }
                reply
            }
        }
    }

    fn bytes(kind: &'static str, status: u16, body: &str) -> Self {
        let mut reply = Self::new(kind, "unknown", status, &Value::Null).unknown("bad_reply");
        if let ScriptedEnd::Reply { body: bytes, .. } = &mut reply.end {
            *bytes = body.as_bytes().to_vec();
        }
        reply
    }

    pub(super) fn lost(kind: &'static str, outcome: &'static str) -> Self {
        Self {
            end: ScriptedEnd::Lost(kind.to_owned()),
            ..Self::new(kind, outcome, 0, &Value::Null)
        }
    }

    pub(super) fn good(chance: &mut Chance) -> Self {
        let result = chance.pick(&[Value::Null, json!(1), json!({ "count": 3 })]);
        let content = json!({ "ok": true, "data": { "result": result }, "reqCost": 12 });
        Self::engine("success", "success", &content)
    }

    pub(super) fn bad(chance: &mut Chance) -> Self {
        match chance.between(0, 14) {
            0 => Self::failed("ok:false with 200", "func_failed", "EFuncFailed.Exception"),
            1 => Self::failed("function timed out", "func_timeout", "EFuncTimeout"),
            2 => Self::failed("worker silent", "unknown", "EWorkerNoResponse").unknown("engine"),
            3 => Self::failed("no such function", "rejected", "EClientNotFound"),
            4 => Self::refused("500", "server_error", 500, "ft.InternalError"),
            5 => Self::bytes("500 in HTML", 500, "<html>Bad gateway</html>"),
            6 => Self::bytes("JSON broken off", 200, r#"{"code":200,"content":{"ok":tr"#),
            7 => Self::bytes("other JSON", 200, r#"{"hello":"world"}"#),
            8 => Self {
                end: ScriptedEnd::Redirect {
                    status: 302,
                    to: "https://elsewhere.example".to_owned(),
                },
                ..Self::lost("redirect", "unknown").unknown("redirect")
            },
            9 => Self::lost("refused connection", "network_error"),
            10 => Self::lost("reset after the request", "unknown").unknown("no_reply"),
            11 | 12 => Self::throttled(chance),
            13 => Self::failed(
                "result not to be read",
                "result_invalid",
                "EFuncResultParsingFailed",
            ),
            _ => Self::lost("hangs", "unknown").unknown("no_reply"),
        }
    }
}
