#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::path::{Path, PathBuf};

use serde_json::value::RawValue;

use super::*;
use crate::domain::outcome::Outcome::{
    self, AuthFailed, FuncFailed, FuncTimeout, Rejected, ServerError, Success, Throttled, Unknown,
};
use crate::domain::verdict::{Answer, Verdict, judge};
use crate::guance::json::scan;

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures")
}

/// The verdict on a reply's bytes, and its facts.
fn judged(http_status: u16, reply: &str) -> (Verdict, Facts) {
    let scanned = scan(reply.as_bytes()).unwrap();
    let reading = read(&scanned.text);
    let answer = Answer::Reply {
        http_status,
        body: reading.body,
    };
    (judge(&answer, || Ok(())), reading.facts)
}

fn outcome(http_status: u16, reply: &str) -> Outcome {
    judged(http_status, reply).0.outcome
}

const CAPTURES: &[(&str, Outcome)] = &[
    ("engine-1.48/down_no_worker", Unknown),
    ("engine-1.48/err_auth_missing", AuthFailed),
    ("engine-1.48/err_body_bad_json", Rejected),
    ("engine-1.48/err_data_error", FuncFailed),
    ("engine-1.48/err_kwargs_list", Rejected),
    ("engine-1.48/err_kwargs_missing", FuncFailed),
    ("engine-1.48/err_multiline", FuncFailed),
    ("engine-1.48/err_reqdump_truncated", FuncFailed),
    ("engine-1.48/err_returnType_bad", Rejected),
    ("engine-1.48/err_seed_replay", FuncFailed),
    ("engine-1.48/err_unknown_func", Rejected),
    ("engine-1.48/err_value_error_unicode", FuncFailed),
    ("engine-1.48/nonjson_ret_nan_raw", Success),
    ("engine-1.48/ok_async", Success),
    ("engine-1.48/ok_async_save", Success),
    ("engine-1.48/ok_dict_ALL", Success),
    ("engine-1.48/ok_dict_jsonDumps", Success),
    ("engine-1.48/ok_dict_raw", Success),
    ("engine-1.48/ok_dict_repr", Success),
    ("engine-1.48/ok_false_raw", Success),
    ("engine-1.48/ok_int0_raw", Success),
    ("engine-1.48/ok_none_jsonDumps", Success),
    ("engine-1.48/ok_none_raw", Success),
    ("engine-1.48/ok_save_result", Success),
    ("engine-1.48/ok_str_raw", Success),
    ("engine-1.48/ok_str_unicode_raw", Success),
    ("engine-1.48/timeout_soft_2s", FuncTimeout),
    ("engine-5.1/down_mysql_token_auth", ServerError),
    ("engine-5.1/down_no_worker", Unknown),
    ("engine-5.1/err_auth_missing", AuthFailed),
    ("engine-5.1/err_body_bad_json", Rejected),
    ("engine-5.1/err_chained", FuncFailed),
    ("engine-5.1/err_data_error", FuncFailed),
    ("engine-5.1/err_dict_ALL", Rejected),
    ("engine-5.1/err_kwargs_list", Rejected),
    ("engine-5.1/err_kwargs_missing", FuncFailed),
    ("engine-5.1/err_long_message", FuncFailed),
    ("engine-5.1/err_multiline", FuncFailed),
    ("engine-5.1/err_returnType_bad", Rejected),
    ("engine-5.1/err_seed_replay", FuncFailed),
    ("engine-5.1/err_timeout_option", Rejected),
    ("engine-5.1/err_unknown_func", Rejected),
    ("engine-5.1/nonjson_ret_bigint_raw", Success),
    ("engine-5.1/nonjson_ret_lone_surrogate_raw", Success),
    ("engine-5.1/ok_dict_jsonDumps", Success),
    ("engine-5.1/ok_dict_raw", Success),
    ("engine-5.1/ok_int0_raw", Success),
    ("engine-5.1/ok_none_raw", Success),
    ("engine-5.1/ok_str_raw", Success),
    ("engine-5.1/ok_str_unicode_raw", Success),
    ("engine-5.1/timeout_soft_2s", FuncTimeout),
];

/// A capture's HTTP status and the engine's reply, byte for byte.
fn capture(name: &str) -> (u16, String) {
    let path = fixtures().join("captures").join(format!("{name}.json"));
    let file = std::fs::read_to_string(path).unwrap();
    let [status, content] = members(&file, ["status", "content"]).unwrap().unwrap();
    let status = integer(status).and_then(|status| u16::try_from(status).ok());
    (
        status.unwrap(),
        content.map(RawValue::get).unwrap().to_owned(),
    )
}

fn enveloped(content: &str) -> String {
    format!(
        r#"{{"code":200,"content":{content},"errorCode":"","message":"","success":true,"traceId":"TRACE-OUTER"}}"#
    )
}

#[test]
fn every_capture_has_its_outcome_in_the_envelope_and_bare() {
    let mut on_disk = 0;
    for folder in ["engine-1.48", "engine-5.1"] {
        let folder = fixtures().join("captures").join(folder);
        on_disk += std::fs::read_dir(folder).unwrap().count();
    }
    assert_eq!(
        on_disk,
        CAPTURES.len(),
        "a capture is missing from the table"
    );

    for (name, expected) in CAPTURES {
        let (status, content) = capture(name);
        let (bare, bare_facts) = judged(status, &content);
        assert_eq!(bare.outcome, *expected, "{name} bare: {}", bare.decided_by);
        assert_eq!(bare_facts.trace_id, None, "{name}");

        let (wrapped, facts) = judged(200, &enveloped(&content));
        assert_eq!(wrapped.outcome, *expected, "{name}: {}", wrapped.decided_by);
        assert_eq!(facts.trace_id.as_deref(), Some("TRACE-OUTER"), "{name}");
        assert_eq!(facts.func_trace_id, bare_facts.func_trace_id, "{name}");
        assert!(facts.func_trace_id.unwrap().starts_with("TRACE-"), "{name}");
        assert_eq!(facts.task_id, bare_facts.task_id, "{name}");
        assert!(facts.cost_ms.is_some(), "{name}");
    }
}

#[test]
fn the_documents_own_reply_is_a_failure_of_the_function() {
    let page = std::fs::read_to_string(fixtures().join("seed/execute.md")).unwrap();
    let from = page.find("```shell\n{").unwrap() + "```shell\n".len();
    let until = from + page[from..].find("```").unwrap();
    let (verdict, facts) = judged(200, &page[from..until]);

    assert_eq!(verdict.outcome, FuncFailed);
    assert_eq!(
        verdict.decided_by,
        "content.ok is false, reason EFuncFailed"
    );
    let trace = Some("TRACE-16435F71-4C2E-4026-A5D8-0B6B9ADD23AE");
    assert_eq!(facts.trace_id.as_deref(), trace);
    assert_eq!(facts.func_trace_id.as_deref(), trace);
    assert_eq!(facts.task_id.as_deref(), Some("task-4G5qTZol2lW2"));
    assert_eq!(facts.cost_ms, Some(41));
    assert_eq!(facts.engine_error.as_deref(), Some("599.3"));
    assert_eq!(facts.engine_reason.as_deref(), Some("EFuncFailed"));
    assert_eq!(facts.message.as_deref(), Some("Calling Function failed"));
    assert_eq!(facts.error_code, None);
}

#[test]
fn the_gateways_documented_errors_have_their_outcomes() {
    for (status, code, expected, holds) in [
        (401, "ft.TriggerApiAkCurrentLimiting", Throttled, false),
        (
            401,
            "ft.TriggerApiWorkspaceCurrentLimiting",
            Throttled,
            false,
        ),
        (403, "ft.InvalidAPIKey", AuthFailed, true),
        (401, "ft.InvalidAPIKey", AuthFailed, true),
        (403, "InvalidApiKey", AuthFailed, true),
        (400, "RouterNotFound", Rejected, false),
        (503, "InternalError", ServerError, false),
        (500, "InternalError", ServerError, false),
        (403, "ft.NoPermission", AuthFailed, false),
        (404, "ft.NotFoundRuleInspector", Rejected, false),
    ] {
        let reply = format!(
            r#"{{"code":{status},"content":{{}},"errorCode":"{code}","message":"no","success":false,"traceId":"TRACE-1"}}"#
        );
        let (verdict, facts) = judged(status, &reply);
        assert_eq!(verdict.outcome, expected, "{code}");
        assert_eq!(verdict.holds_key, holds, "{code}");
        assert_eq!(facts.error_code.as_deref(), Some(code));
        assert_eq!(facts.message.as_deref(), Some("no"));
    }
}

#[test]
fn the_number_in_error_never_decides() {
    for error in [
        "200",
        "599.1",
        "599.2",
        "500.5",
        "401.99",
        "\"599.3\"",
        "null",
        "1e99",
    ] {
        let failed = format!(r#"{{"ok":false,"error":{error},"reason":"EFuncTimeout"}}"#);
        assert_eq!(outcome(599, &failed), FuncTimeout, "{error}");
        let fine = format!(r#"{{"ok":true,"error":{error},"data":{{"result":1}}}}"#);
        assert_eq!(outcome(200, &enveloped(&fine)), Success, "{error}");
    }
    let spelt = r#"{"ok":false,"error":599.30,"reason":"EFuncFailed"}"#;
    assert_eq!(judged(599, spelt).1.engine_error.as_deref(), Some("599.30"));
}

#[test]
fn a_trace_id_may_be_any_scalar_absent_or_there_twice() {
    for (trace, expected) in [
        (r#","traceId":"TRACE-1""#, Some("TRACE-1")),
        (
            r#","traceId":1234567890123456789"#,
            Some("1234567890123456789"),
        ),
        (
            r#","traceId":12345678901234567890123"#,
            Some("12345678901234567890123"),
        ),
        (r#","traceId":1.50"#, Some("1.50")),
        (r#","traceId":true"#, Some("true")),
        (r#","traceId":null"#, None),
        (r#","traceId":"""#, None),
        (r#","traceId":["x"]"#, None),
        (r#","traceId":"first","traceId":"last""#, Some("last")),
        ("", None),
    ] {
        let reply = format!(r#"{{"code":200{trace},"content":{{"ok":true{trace}}}}}"#);
        let (verdict, facts) = judged(200, &reply);
        assert_eq!(verdict.outcome, Success, "{trace}");
        assert_eq!(facts.trace_id.as_deref(), expected, "{trace}");
        assert_eq!(facts.func_trace_id.as_deref(), expected, "{trace}");
    }
}

#[test]
fn a_task_is_found_wherever_either_generation_names_it() {
    for (content, expected) in [
        (
            r#"{"detail":{"id":"a"},"taskId":"b","data":{"taskId":"c","id":"d"}}"#,
            Some("a"),
        ),
        (
            r#"{"detail":null,"taskId":"b","data":{"taskId":"c","id":"d"}}"#,
            Some("b"),
        ),
        (r#"{"data":{"taskId":"c","id":"d"}}"#, Some("c")),
        (r#"{"data":{"taskId":null,"id":7}}"#, Some("7")),
        (r#"{"data":null,"detail":"text"}"#, None),
    ] {
        let facts = judged(200, &enveloped(content)).1;
        assert_eq!(facts.task_id.as_deref(), expected, "{content}");
    }
}

#[test]
fn what_is_no_reply_of_this_api_is_never_a_success() {
    for body in [
        "null",
        "true",
        "[]",
        "\"ok\"",
        "{}",
        r#"{"ok":"true"}"#,
        r#"{"ok":1}"#,
        r#"{"message":"Not Found"}"#,
        r#"[{"ok":true}]"#,
        "",
        " ",
        "<html>502</html>",
        r#"{"code":200,"content":{"ok":true}"#,
        r#"{"code":200}{"code":200}"#,
        "\u{feff}{\"code\":200}",
    ] {
        assert_eq!(outcome(200, body), Unknown, "{body}");
        assert_eq!(outcome(502, body), Unknown, "{body}");
        assert_eq!(outcome(404, body), Rejected, "{body}");
        assert_eq!(outcome(401, body), AuthFailed, "{body}");
    }
}

#[test]
fn content_of_any_kind_is_a_success_where_the_envelope_has_no_error() {
    for content in [
        "null",
        "1",
        "\"text\"",
        "[]",
        "{}",
        r#"{"ok":null}"#,
        r#"{"ok":true}"#,
    ] {
        assert_eq!(outcome(200, &enveloped(content)), Success, "{content}");
    }
    assert_eq!(outcome(200, r#"{"success":true}"#), Success);
    assert_eq!(outcome(200, r#"{"code":200,"errorCode":0}"#), Success);
    // a failure beside an object that does not speak of it still counts
    assert_eq!(outcome(200, r#"{"ok":false,"content":{}}"#), FuncFailed);
}

#[test]
fn a_reply_says_how_long_to_wait() {
    let wait = |seconds: &str| {
        let reply = format!(
            r#"{{"ok":false,"reason":"EClientRateLimit.APIThrottling","detail":{{"waitSeconds":{seconds}}}}}"#
        );
        let (verdict, facts) = judged(429, &reply);
        assert_eq!(verdict.outcome, Throttled);
        facts.wait
    };
    assert_eq!(wait("7"), Some(Duration::from_secs(7)));
    assert_eq!(wait("0.5"), Some(Duration::from_millis(500)));
    for nonsense in ["-1", "null", "1e300", "\"soon\"", "{}"] {
        assert_eq!(wait(nonsense), None, "{nonsense}");
    }
}

#[test]
fn a_lone_surrogate_is_fine_anywhere() {
    let reply =
        r#"{"c\udc00":1,"code":200,"message":"x\ud800y","content":{"ok":true,"\ud800":[]}}"#;
    let (verdict, facts) = judged(200, reply);
    assert_eq!(verdict.outcome, Success);
    assert_eq!(facts.message.as_deref(), Some("x\u{fffd}y"));
}

#[test]
fn the_deepest_reply_is_read_and_one_deeper_is_not() {
    // the envelope and its content are two of the levels
    for (levels, fine) in [(125, true), (126, true), (127, false)] {
        let nested = format!("{}{}", "[".repeat(levels), "]".repeat(levels));
        let reply = enveloped(&format!(r#"{{"ok":true,"data":{nested}}}"#));
        assert_eq!(scan(reply.as_bytes()).is_ok(), fine, "{levels}");
        if fine {
            assert_eq!(outcome(200, &reply), Success);
        }
    }
}

proptest::proptest! {
    #[test]
    fn no_text_makes_it_panic(
        text in "[{}\\[\\],:\"\\\\u0-9a-fok \n-]{0,80}", status in 100u16..1000,
    ) {
        if let Ok(scanned) = scan(text.as_bytes()) {
            let reading = read(&scanned.text);
            let answer = Answer::Reply { http_status: status, body: reading.body };
            judge(&answer, || Ok(()));
        }
    }
}
