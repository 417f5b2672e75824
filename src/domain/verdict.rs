//! What an answer means: the parts of a reply → one outcome.
//!
//! Pure, and total: every answer has a verdict. The order of the questions is the contract's
//! (section 4), and so are the names asked about. The engine renumbered its `error` between
//! generations (599.1 was "still running" and became "the function failed"), so that number is
//! not even among the parts: nothing can decide on it.

use super::outcome::Outcome;
use super::run::Reason;

/// What came back for one request, as far as it bears on the verdict.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// No whole reply in time.
    NoReply {
        /// Whether a byte of the request may have been handed to a connection; in doubt, `true`.
        request_written: bool,
        /// What happened instead, in words.
        why: String,
    },
    /// A 3xx, which is never followed: the key belongs to its own origin only.
    Redirect {
        /// 300 to 399.
        http_status: u16,
        /// Where it points, as far as that may be shown.
        to: Option<String>,
    },
    /// A whole reply.
    Reply {
        /// 100 to 999, and not a 3xx.
        http_status: u16,
        /// What it carried.
        body: Body,
    },
}

/// The body of a whole reply.
#[derive(Clone, Debug, PartialEq)]
pub enum Body {
    /// Not UTF-8 JSON within the bounds of depth and length.
    NotJson {
        /// What it is instead, in words.
        why: String,
    },
    /// JSON, but no object with one of `code`, `success`, `errorCode`, `content` or a boolean
    /// `ok`.
    NotEnvelope,
    /// An OpenAPI envelope, or a bare reply of the engine.
    Envelope(Envelope),
}

/// What an envelope says of success and failure. A bare engine reply has its `ok` and `reason`
/// here and nothing else.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Envelope {
    /// `code`, where it is a number.
    pub code: Option<i64>,
    /// `success`, where it is a boolean.
    pub success: Option<bool>,
    /// `errorCode`, where it is not empty.
    pub error_code: Option<String>,
    /// `content.ok`, or a bare reply's `ok`, where it is a boolean.
    pub ok: Option<bool>,
    /// `content.reason`, or a bare reply's `reason`.
    pub reason: Option<String>,
}

/// The outcome of an attempt, and the words for it.
#[derive(Clone, Debug, PartialEq)]
pub struct Verdict {
    /// What became of the attempt.
    pub outcome: Outcome,
    /// Why an `unknown` is one: `no_reply`, `engine`, `bad_reply` or `redirect`; `None` for every
    /// other outcome.
    pub unknown_reason: Option<Reason>,
    /// What in the answer decided. May quote the reply: redact before storing.
    pub decided_by: String,
    /// The server called the key invalid, so its runs must wait.
    pub holds_key: bool,
}

impl Verdict {
    fn of(outcome: Outcome, decided_by: String) -> Self {
        Self {
            outcome,
            unknown_reason: None,
            decided_by,
            holds_key: false,
        }
    }

    fn unknown(reason: Reason, decided_by: String) -> Self {
        Self {
            unknown_reason: Some(reason),
            ..Self::of(Outcome::Unknown, decided_by)
        }
    }

    /// An outcome that a table gives; an `unknown` of a table is the engine's.
    fn listed(outcome: Outcome, decided_by: String) -> Self {
        match outcome {
            Outcome::Unknown => Self::unknown(Reason::Engine, decided_by),
            outcome => Self::of(outcome, decided_by),
        }
    }
}

/// Judges an answer. `expect` is asked only where everything else speaks for success; its error
/// says which expectation does not hold, and why.
pub fn judge(answer: &Answer, expect: impl FnOnce() -> Result<(), String>) -> Verdict {
    match answer {
        Answer::NoReply {
            request_written: false,
            why,
        } => Verdict::of(Outcome::NetworkError, why.clone()),
        Answer::NoReply { why, .. } => Verdict::unknown(Reason::NoReply, why.clone()),
        Answer::Redirect { http_status, to } => Verdict::unknown(
            Reason::Redirect,
            match to {
                Some(to) => format!("HTTP {http_status} to {to}, which is not followed"),
                None => format!("HTTP {http_status}, which is not followed"),
            },
        ),
        Answer::Reply { http_status, body } => judge_reply(*http_status, body, expect),
    }
}

fn judge_reply(
    http_status: u16,
    body: &Body,
    expect: impl FnOnce() -> Result<(), String>,
) -> Verdict {
    let envelope = match body {
        // A 429 needs no body to be understood.
        _ if http_status == 429 => {
            return Verdict::of(Outcome::Throttled, "HTTP 429".to_owned());
        }
        Body::Envelope(envelope) => envelope,
        Body::NotJson { why } => return without_envelope(http_status, why),
        Body::NotEnvelope => {
            return without_envelope(http_status, "the body is JSON, but no reply of this API");
        }
    };
    let verdict = judge_envelope(http_status, envelope, expect);
    Verdict {
        holds_key: envelope.error_code.as_deref().is_some_and(holds_key),
        ..verdict
    }
}

/// Whether a reply with this `errorCode` calls the API key invalid. Only this name says so: a bare 401
/// may be a throttled key (guance-docs, open-api/error-definition.md), and holding that one would stop
/// its jobs for nothing.
pub fn holds_key(error_code: &str) -> bool {
    bare(error_code).eq_ignore_ascii_case("InvalidAPIKey")
}

fn without_envelope(http_status: u16, why: &str) -> Verdict {
    let words = format!("HTTP {http_status} without an envelope: {why}");
    match http_status {
        401 | 403 => Verdict::of(Outcome::AuthFailed, words),
        400..=499 => Verdict::of(Outcome::Rejected, words),
        _ => Verdict::unknown(Reason::BadReply, words),
    }
}

fn judge_envelope(
    http_status: u16,
    envelope: &Envelope,
    expect: impl FnOnce() -> Result<(), String>,
) -> Verdict {
    let error_code = envelope.error_code.as_deref();
    let reason = envelope.reason.as_deref();

    if let Some(code) = error_code.filter(|code| is_rate_limit(code)) {
        return Verdict::of(Outcome::Throttled, format!("errorCode {code}"));
    }
    if let Some(reason) = reason.filter(|reason| reason.starts_with("EClientRateLimit")) {
        return Verdict::of(Outcome::Throttled, format!("reason {reason}"));
    }
    if envelope.ok == Some(false) {
        return match reason {
            Some(reason) => Verdict::listed(
                by_reason(reason),
                format!("content.ok is false, reason {reason}"),
            ),
            None => Verdict::of(
                Outcome::FuncFailed,
                "content.ok is false, without a reason".to_owned(),
            ),
        };
    }
    if let Some(verdict) = envelope_error(http_status, envelope) {
        return verdict;
    }
    match expect() {
        Err(why) => Verdict::of(Outcome::ResultInvalid, why),
        Ok(()) => Verdict::of(
            Outcome::Success,
            match envelope.ok {
                Some(true) => format!("HTTP {http_status}, content.ok is true"),
                _ => format!("HTTP {http_status}, an envelope without an error"),
            },
        ),
    }
}

/// The error of HTTP or of the envelope, if there is one.
fn envelope_error(http_status: u16, envelope: &Envelope) -> Option<Verdict> {
    let error_code = envelope.error_code.as_deref();
    if let Some((code, outcome)) =
        error_code.and_then(|code| by_error_code(code).map(|outcome| (code, outcome)))
    {
        return Some(Verdict::of(outcome, format!("errorCode {code}")));
    }
    let with_code = |words: String| match error_code {
        Some(code) => format!("{words}, errorCode {code}"),
        None => words,
    };
    if let Some(outcome) = by_status(i64::from(http_status)) {
        return Some(Verdict::of(
            outcome,
            with_code(format!("HTTP {http_status}")),
        ));
    }
    if let Some((code, outcome)) = envelope
        .code
        .and_then(|code| by_status(code).map(|outcome| (code, outcome)))
    {
        return Some(Verdict::of(outcome, with_code(format!("code {code}"))));
    }
    if let Some(code) = envelope.code.filter(|code| *code >= 600) {
        return Some(Verdict::of(
            Outcome::Rejected,
            with_code(format!("code {code}")),
        ));
    }
    if let Some(code) = error_code {
        return Some(Verdict::of(Outcome::Rejected, format!("errorCode {code}")));
    }
    if envelope.success == Some(false) {
        return Some(Verdict::of(
            Outcome::Rejected,
            "success is false".to_owned(),
        ));
    }
    // Neither a success nor an error by any rule: a status from outside HTTP's classes.
    (!(200..300).contains(&http_status)).then(|| {
        Verdict::unknown(
            Reason::BadReply,
            format!("HTTP {http_status}, which is neither success nor error"),
        )
    })
}

/// An `errorCode` without its prefix (`ft.`, or any other).
fn bare(code: &str) -> &str {
    code.rsplit_once('.').map_or(code, |(_, name)| name)
}

/// `ft.TriggerApiAkCurrentLimiting`, `ft.TriggerApiWorkspaceCurrentLimiting` and their kind, which
/// come with HTTP 401.
fn is_rate_limit(code: &str) -> bool {
    let name = bare(code).to_ascii_lowercase();
    name.starts_with("triggerapi") && name.ends_with("currentlimiting")
}

fn by_error_code(code: &str) -> Option<Outcome> {
    let name = bare(code);
    [
        ("InvalidAPIKey", Outcome::AuthFailed),
        ("RouterNotFound", Outcome::Rejected),
        ("InternalError", Outcome::ServerError),
    ]
    .into_iter()
    .find(|(known, _)| name.eq_ignore_ascii_case(known))
    .map(|(_, outcome)| outcome)
}

/// The engine's reason, by its text before the first `.`; the same names in both generations.
fn by_reason(reason: &str) -> Outcome {
    match reason.split('.').next().unwrap_or(reason) {
        "EFuncTimeout" => Outcome::FuncTimeout,
        "EFuncResultParsingFailed" => Outcome::ResultInvalid,
        // The engine stopped waiting; the function has not stopped.
        "EAPITimeout" | "EWorkerNoResponse" => Outcome::Unknown,
        "EAPIAuth" => Outcome::AuthFailed,
        name if name.starts_with("EUser") => Outcome::AuthFailed,
        name if name.starts_with("EClient") || name.starts_with("EBiz") => Outcome::Rejected,
        name if name.starts_with("ESys") => Outcome::ServerError,
        _ => Outcome::FuncFailed,
    }
}

/// An HTTP status, or an envelope's `code`, which repeats it.
fn by_status(status: i64) -> Option<Outcome> {
    match status {
        401 | 403 => Some(Outcome::AuthFailed),
        429 => Some(Outcome::Throttled),
        400..=499 => Some(Outcome::Rejected),
        500..=599 => Some(Outcome::ServerError),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(http_status: u16, envelope: Envelope) -> Answer {
        Answer::Reply {
            http_status,
            body: Body::Envelope(envelope),
        }
    }

    fn outcome(answer: &Answer) -> Outcome {
        judge(answer, || Ok(())).outcome
    }

    fn coded(http_status: u16, code: &str) -> Verdict {
        judge(
            &reply(
                http_status,
                Envelope {
                    error_code: Some(code.to_owned()),
                    success: Some(false),
                    ..Envelope::default()
                },
            ),
            || Ok(()),
        )
    }

    fn failed(reason: &str) -> Verdict {
        judge(
            &reply(
                200,
                Envelope {
                    code: Some(200),
                    success: Some(true),
                    ok: Some(false),
                    reason: Some(reason.to_owned()),
                    ..Envelope::default()
                },
            ),
            || Ok(()),
        )
    }

    #[test]
    fn a_request_that_never_left_is_a_network_error_and_any_other_silence_is_unknown() {
        let silent = |request_written| Answer::NoReply {
            request_written,
            why: "refused".to_owned(),
        };
        assert_eq!(outcome(&silent(false)), Outcome::NetworkError);
        let verdict = judge(&silent(true), || Ok(()));
        assert_eq!(verdict.outcome, Outcome::Unknown);
        assert_eq!(verdict.unknown_reason, Some(Reason::NoReply));
        assert_eq!(verdict.decided_by, "refused");
    }

    #[test]
    fn a_redirect_is_unknown() {
        let verdict = judge(
            &Answer::Redirect {
                http_status: 307,
                to: None,
            },
            || Ok(()),
        );
        assert_eq!(verdict.unknown_reason, Some(Reason::Redirect));
    }

    #[test]
    fn every_reason_of_both_engine_generations_has_its_row() {
        use Outcome::{
            AuthFailed, FuncFailed, FuncTimeout, Rejected, ResultInvalid, ServerError, Throttled,
            Unknown,
        };
        for (reason, expected) in [
            ("EFuncFailed", FuncFailed),
            ("EFuncTimeout", FuncTimeout),
            ("EFuncResultParsingFailed", ResultInvalid),
            ("EAPITimeout", Unknown),
            ("EWorkerNoResponse", Unknown),
            ("EAPIAuth", AuthFailed),
            ("EUser", AuthFailed),
            ("EUserAuth", AuthFailed),
            ("EUserLocked", AuthFailed),
            ("EClientRateLimit", Throttled),
            ("EClientRateLimit.WorkerQueueLength", Throttled),
            ("EClientRateLimit.APIThrottling", Throttled),
            ("EClientNotFound", Rejected),
            ("EClientBadRequest.InvalidCronExpression", Rejected),
            ("EClient", Rejected),
            ("EBizCondition.SyncAPIDisabled", Rejected),
            ("ESys", ServerError),
            ("ESysLimitReached", ServerError),
            ("EScriptPreCheck", FuncFailed),
            ("EOuterSystem", FuncFailed),
            ("EGuanceEventFailed", FuncFailed),
            ("", FuncFailed),
            (".EFuncTimeout", FuncFailed),
        ] {
            let verdict = failed(reason);
            assert_eq!(verdict.outcome, expected, "{reason}");
            let unknown = (expected == Unknown).then_some(Reason::Engine);
            assert_eq!(verdict.unknown_reason, unknown, "{reason}");
        }
    }

    #[test]
    fn a_failure_without_a_reason_is_the_functions() {
        let answer = reply(
            200,
            Envelope {
                ok: Some(false),
                ..Envelope::default()
            },
        );
        assert_eq!(outcome(&answer), Outcome::FuncFailed);
    }

    #[test]
    fn content_that_failed_outweighs_the_envelope_and_its_status() {
        let answer = reply(
            404,
            Envelope {
                ok: Some(false),
                reason: Some("EFuncTimeout".to_owned()),
                error_code: Some("ft.InternalError".to_owned()),
                ..Envelope::default()
            },
        );
        assert_eq!(outcome(&answer), Outcome::FuncTimeout);
    }

    #[test]
    fn a_throttled_key_is_told_from_a_bad_one_although_both_come_as_401() {
        for code in [
            "ft.TriggerApiAkCurrentLimiting",
            "ft.TriggerApiWorkspaceCurrentLimiting",
            "TRIGGERAPIAKCURRENTLIMITING",
        ] {
            for status in [200, 401, 403, 503] {
                let verdict = coded(status, code);
                assert_eq!(verdict.outcome, Outcome::Throttled, "{code} {status}");
                assert!(!verdict.holds_key);
            }
        }
        for code in ["ft.InvalidAPIKey", "InvalidApiKey", "a.b.INVALIDAPIKEY"] {
            for status in [200, 401, 403] {
                let verdict = coded(status, code);
                assert_eq!(verdict.outcome, Outcome::AuthFailed, "{code} {status}");
                assert!(verdict.holds_key, "{code} {status}");
            }
        }
        assert!(!coded(401, "ft.LoginFailed").holds_key);
        assert_eq!(coded(401, "ft.LoginFailed").outcome, Outcome::AuthFailed);
    }

    #[test]
    fn a_known_error_code_outweighs_the_status_and_an_unknown_one_does_not() {
        for (status, code, expected) in [
            (400, "RouterNotFound", Outcome::Rejected),
            (503, "ft.RouterNotFound", Outcome::Rejected),
            (500, "InternalError", Outcome::ServerError),
            (503, "internalerror", Outcome::ServerError),
            (200, "InternalError", Outcome::ServerError),
            (502, "ft.Weather", Outcome::ServerError),
            (404, "ft.NotFoundRuleInspector", Outcome::Rejected),
            (200, "ft.NotFoundRuleInspector", Outcome::Rejected),
        ] {
            assert_eq!(coded(status, code).outcome, expected, "{status} {code}");
        }
    }

    #[test]
    fn the_code_decides_where_status_and_error_code_do_not() {
        let with = |code, success| {
            reply(
                200,
                Envelope {
                    code: Some(code),
                    success,
                    ..Envelope::default()
                },
            )
        };
        for (code, success, expected) in [
            (200, Some(true), Outcome::Success),
            (200, None, Outcome::Success),
            (0, Some(true), Outcome::Success),
            (403, Some(false), Outcome::AuthFailed),
            (404, None, Outcome::Rejected),
            (500, Some(true), Outcome::ServerError),
            (200, Some(false), Outcome::Rejected),
            (40_004, Some(true), Outcome::Rejected),
        ] {
            assert_eq!(outcome(&with(code, success)), expected, "{code}");
        }
    }

    #[test]
    fn a_reply_that_is_none_is_judged_by_its_status_alone() {
        for (status, expected) in [
            (200, Outcome::Unknown),
            (204, Outcome::Unknown),
            (400, Outcome::Rejected),
            (401, Outcome::AuthFailed),
            (403, Outcome::AuthFailed),
            (404, Outcome::Rejected),
            (429, Outcome::Throttled),
            (500, Outcome::Unknown),
            (502, Outcome::Unknown),
            (599, Outcome::Unknown),
        ] {
            for body in [
                Body::NotEnvelope,
                Body::NotJson {
                    why: "not UTF-8".to_owned(),
                },
            ] {
                let answer = Answer::Reply {
                    http_status: status,
                    body,
                };
                let verdict = judge(&answer, || Ok(()));
                assert_eq!(verdict.outcome, expected, "{status}");
                let unknown = (expected == Outcome::Unknown).then_some(Reason::BadReply);
                assert_eq!(verdict.unknown_reason, unknown, "{status}");
            }
        }
    }

    #[test]
    fn an_envelope_without_an_error_at_a_status_outside_http_is_not_a_success() {
        for status in [101, 199, 600, 999] {
            let verdict = judge(&reply(status, Envelope::default()), || Ok(()));
            assert_eq!(verdict.unknown_reason, Some(Reason::BadReply), "{status}");
        }
    }

    #[test]
    fn expect_is_asked_last_and_only_then() {
        let fine = reply(
            200,
            Envelope {
                ok: Some(true),
                ..Envelope::default()
            },
        );
        let verdict = judge(&fine, || Err("`result > 0` is false".to_owned()));
        assert_eq!(verdict.outcome, Outcome::ResultInvalid);
        assert_eq!(verdict.decided_by, "`result > 0` is false");

        let broken = reply(500, Envelope::default());
        let verdict = judge(&broken, || panic!("asked about a reply that failed"));
        assert_eq!(verdict.outcome, Outcome::ServerError);
    }
}
