//! Which call of the sandbox answers to which recorded reply.

use serde_json::{Value, json};

/// A recorded reply, the function to call for its like, `funcBody`, and which parts must be the
/// recorded ones exactly. Keys and types must be so in all of them.
pub(super) type Counterpart = (&'static str, &'static str, Value, &'static [&'static str]);

const WORDS: &[&str] = &["/ok", "/error", "/reason", "/message", "/status"];
const DETAIL: &[&str] = &["/ok", "/error", "/reason", "/message", "/status", "/detail"];
const RESULT: &[&str] = &["/ok", "/error", "/message", "/data"];

fn none() -> Value {
    json!({ "kwargs": {} })
}

fn kwargs(kwargs: Value) -> Value {
    json!({ "kwargs": kwargs })
}

fn value(value: Value) -> Value {
    json!({ "kwargs": { "value": value } })
}

fn typed(value: Value, return_type: &str) -> Value {
    json!({ "kwargs": { "value": value }, "options": { "returnType": return_type } })
}

fn options(options: Value) -> Value {
    json!({ "kwargs": {}, "options": options })
}

fn dict() -> Value {
    let nested = json!({ "b": null, "list": [1, 2.5, null, true] });
    json!({ "z": 1, "a": 5, "nested": nested, "中文": "值", "f": 1 })
}

fn descriptors() -> Value {
    let your_name = json!({ "default": "OpenAPI 用户" });
    kwargs(json!({ "workspace_token": {}, "workspace_uuid": {}, "your_name": your_name }))
}

fn lines() -> Value {
    kwargs(json!({ "message": "line one\nline two\nline three" }))
}

fn not_signed_in() -> Value {
    let message = "User not signed in";
    kwargs(json!({ "reason": "EUserAuth", "error": 401.14, "message": message }))
}

/// Of the older engine.
#[rustfmt::skip] // a table
pub(super) fn of_1_48() -> Vec<Counterpart> {
    let saved = json!({ "execMode": "async", "saveResult": true });
    let tom = json!({ "kwargs": { "value": "Hello, tom" }, "options": { "saveResult": true } });
    vec![
        ("1.48/err_seed_replay", "guance__openapi.test", descriptors(), DETAIL),
        ("1.48/err_multiline", "sandbox__fail.raise", lines(), DETAIL),
        ("1.48/err_value_error_unicode", "sandbox__fail.raise", none(), WORDS),
        ("1.48/err_kwargs_list", "sandbox__ok.echo", kwargs(json!([1, 2])), DETAIL),
        ("1.48/err_kwargs_missing", "sandbox__ok.value", none(), WORDS),
        ("1.48/err_returnType_bad", "sandbox__ok.value", typed(json!(1), "xml"), DETAIL),
        ("1.48/err_unknown_func", "lab__cases.nope", none(), DETAIL),
        ("1.48/err_auth_missing", "sandbox__fail.reason", not_signed_in(), DETAIL),
        ("1.48/down_no_worker", "sandbox__fail.no_worker", none(), DETAIL),
        ("1.48/down_no_worker", "sandbox__fail.api_timeout", none(), DETAIL),
        ("1.48/timeout_soft_2s", "sandbox__fail.timeout", none(), DETAIL),
        ("1.48/ok_dict_raw", "sandbox__ok.value", value(dict()), RESULT),
        ("1.48/ok_dict_ALL", "sandbox__ok.value", typed(dict(), "ALL"), RESULT),
        ("1.48/ok_dict_repr", "sandbox__ok.value", typed(dict(), "repr"), RESULT),
        ("1.48/ok_dict_jsonDumps", "sandbox__ok.value", typed(dict(), "jsonDumps"), RESULT),
        ("1.48/ok_int0_raw", "sandbox__ok.value", value(json!(0)), RESULT),
        ("1.48/ok_false_raw", "sandbox__ok.value", value(json!(false)), RESULT),
        ("1.48/ok_none_raw", "sandbox__ok.null", none(), RESULT),
        ("1.48/ok_none_jsonDumps", "sandbox__ok.value", typed(json!(null), "jsonDumps"), RESULT),
        ("1.48/ok_str_raw", "sandbox__ok.value", value(json!("Hello, tom")), RESULT),
        ("1.48/ok_str_unicode_raw", "sandbox__ok.text", none(), RESULT),
        ("1.48/ok_async", "sandbox__ok.null", options(json!({ "execMode": "async" })), RESULT),
        ("1.48/ok_async_save", "sandbox__ok.null", options(saved), &["/ok", "/error"]),
        ("1.48/ok_save_result", "sandbox__ok.value", tom, RESULT),
    ]
}

/// Of the newer engine.
#[rustfmt::skip] // a table
pub(super) fn of_5_1() -> Vec<Counterpart> {
    // 2^80, which JavaScript keeps as a double.
    let big = json!(1_208_925_819_614_629_174_706_176_f64);
    vec![
        ("5.1/err_seed_replay", "guance__openapi.test", descriptors(), DETAIL),
        ("5.1/err_multiline", "sandbox__fail.raise", lines(), WORDS),
        ("5.1/err_chained", "sandbox__fail.raise", none(), WORDS),
        ("5.1/err_long_message", "sandbox__fail.raise", none(), WORDS),
        ("5.1/err_kwargs_list", "sandbox__ok.echo", kwargs(json!([1, 2])), DETAIL),
        ("5.1/err_kwargs_missing", "sandbox__ok.value", none(), WORDS),
        ("5.1/err_returnType_bad", "sandbox__ok.value", typed(json!(1), "xml"), DETAIL),
        ("5.1/err_dict_ALL", "sandbox__ok.value", typed(dict(), "ALL"), DETAIL),
        ("5.1/err_timeout_option", "sandbox__ok.null", options(json!({ "timeout": 5 })), DETAIL),
        ("5.1/err_unknown_func", "lab__cases.nope", none(), DETAIL),
        ("5.1/err_auth_missing", "sandbox__fail.reason", not_signed_in(), DETAIL),
        ("5.1/down_no_worker", "sandbox__fail.no_worker", none(), DETAIL),
        ("5.1/down_no_worker", "sandbox__fail.api_timeout", none(), DETAIL),
        ("5.1/down_mysql_token_auth", "sandbox__fail.sys", none(), DETAIL),
        ("5.1/timeout_soft_2s", "sandbox__fail.timeout", none(), WORDS),
        ("5.1/ok_dict_raw", "sandbox__ok.value", value(dict()), RESULT),
        ("5.1/ok_dict_jsonDumps", "sandbox__ok.value", typed(dict(), "jsonDumps"), RESULT),
        ("5.1/ok_int0_raw", "sandbox__ok.value", value(json!(0)), RESULT),
        ("5.1/ok_none_raw", "sandbox__ok.null", none(), RESULT),
        ("5.1/ok_str_raw", "sandbox__ok.value", value(json!("Hello, tom")), RESULT),
        ("5.1/ok_str_unicode_raw", "sandbox__ok.text", none(), RESULT),
        ("5.1/nonjson_ret_bigint_raw", "sandbox__ok.value", value(big), RESULT),
    ]
}
