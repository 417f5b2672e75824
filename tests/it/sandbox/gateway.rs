//! Routes, the key, the limits, parameters, the list.

use funcron::sandbox::{Generation, Options};
use serde_json::json;

use super::client::{EXECUTE, Raw, call, exchange, get, post, request};
use super::recorded::masked;
use super::{start, unlimited};

fn assert_refused(raw: &Raw, status: u16, error_code: &str) {
    assert_eq!(raw.status, status);
    let body = raw.json();
    let keys: Vec<&String> = body.as_object().unwrap().keys().collect();
    let expected = [
        "code",
        "content",
        "errorCode",
        "message",
        "success",
        "traceId",
    ];
    assert_eq!(keys, expected);
    assert_eq!(body["code"], status);
    assert_eq!(body["content"], json!({}));
    assert_eq!(body["errorCode"], error_code);
    assert_eq!(body["success"], false);
    masked(body);
}

#[tokio::test]
async fn a_missing_empty_or_unknown_key_is_refused_and_does_not_count() {
    let sandbox = start(Options {
        api_keys: vec!["good-key".to_owned()],
        per_key: Some(1),
        ..Options::default()
    })
    .await;
    let body = json!({ "funcId": "sandbox__ok.null" }).to_string();
    for key in [None, Some(""), Some("bad-key"), Some("good-key-and-more")] {
        assert_refused(&post(&sandbox, key, &body).await, 403, "ft.InvalidAPIKey");
    }
    assert_eq!(post(&sandbox, Some("good-key"), &body).await.status, 200);
    assert_eq!(sandbox.counters().bad_key, 4);
    assert_eq!(sandbox.counters().executed, 1);
}

#[tokio::test]
async fn any_key_is_good_where_none_is_given() {
    let sandbox = start(Options::default()).await;
    let body = json!({ "funcId": "sandbox__ok.null" }).to_string();
    assert_eq!(post(&sandbox, Some("anything"), &body).await.status, 200);
    assert_refused(&post(&sandbox, None, &body).await, 403, "ft.InvalidAPIKey");
}

#[tokio::test]
async fn the_twenty_first_call_of_a_minute_is_refused_with_401_and_no_hint() {
    let sandbox = start(Options::default()).await;
    for _ in 0..18 {
        assert_eq!(
            call(&sandbox, "sandbox__ok.null", json!({})).await.status,
            200
        );
    }
    // Whatever is asked counts.
    assert_eq!(
        get(&sandbox, "/api/v1/outer_function/list").await.status,
        200
    );
    assert_eq!(
        get(&sandbox, "/api/v1/validate").await.json()["content"],
        true
    );
    let raw = call(&sandbox, "sandbox__ok.null", json!({})).await;
    assert_refused(&raw, 401, "ft.TriggerApiAkCurrentLimiting");
    assert_eq!(raw.header("retry-after"), None);
    let listed = get(&sandbox, "/api/v1/outer_function/list").await;
    assert_refused(&listed, 401, "ft.TriggerApiAkCurrentLimiting");
    let body = json!({ "funcId": "sandbox__ok.null" }).to_string();
    assert_eq!(post(&sandbox, Some("key-two"), &body).await.status, 200);
    let counters = sandbox.counters();
    assert_eq!((counters.throttled_by_key, counters.executed), (2, 19));
}

#[tokio::test]
async fn the_workspace_has_a_limit_over_all_its_keys() {
    let sandbox = start(Options {
        per_workspace: Some(3),
        ..Options::default()
    })
    .await;
    let body = json!({ "funcId": "sandbox__ok.null" }).to_string();
    for key in ["key-one", "key-two", "key-three"] {
        assert_eq!(post(&sandbox, Some(key), &body).await.status, 200);
    }
    let raw = post(&sandbox, Some("key-four"), &body).await;
    assert_refused(&raw, 401, "ft.TriggerApiWorkspaceCurrentLimiting");
    assert_eq!(sandbox.counters().throttled_by_workspace, 1);
}

#[tokio::test]
async fn an_unknown_route_or_method_is_not_found() {
    let sandbox = unlimited(Generation::V1).await;
    for (method, path) in [
        ("GET", "/"),
        ("GET", EXECUTE),
        ("POST", "/api/v1/outer_function/list"),
        ("PUT", EXECUTE),
        ("POST", "/api/v1/func/guance__openapi.test"),
    ] {
        let text = request(method, path, Some("key-one"), "{}", true);
        let raw = Raw::parse(&exchange(sandbox.addr(), &text).await.unwrap());
        assert_refused(&raw, 400, "RouterNotFound");
    }
}

#[tokio::test]
async fn parameters_are_checked_as_documented() {
    let sandbox = unlimited(Generation::V5).await;
    for body in [
        "",
        "{",
        "[]",
        "null",
        "\u{1}",
        "{}",
        r#"{"funcId": null}"#,
        r#"{"funcId": ""}"#,
        r#"{"funcId": 7}"#,
        r#"{"funcId": "sandbox__ok.null", "funcBody": null}"#,
        r#"{"funcId": "sandbox__ok.null", "funcBody": []}"#,
        r#"{"funcId": "sandbox__ok.null", "funcBody": {"kwargs": null}}"#,
        r#"{"funcId": "sandbox__ok.null", "funcBody": {"options": null}}"#,
        r#"{"funcId": "sandbox__ok.null", "funcBody": {"options": {"returnType": null}}}"#,
    ] {
        let raw = post(&sandbox, Some("key-one"), body).await;
        assert_refused(&raw, 400, "ft.InvalidParameter");
    }
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let raw = post(&sandbox, Some("key-one"), &deep).await;
    assert_refused(&raw, 400, "ft.InvalidParameter");
    assert_eq!(sandbox.counters().executed, 0);
    let raw = post(
        &sandbox,
        Some("key-one"),
        r#"{"funcId": "sandbox__ok.null"}"#,
    )
    .await;
    assert_eq!(raw.json()["content"]["ok"], true);
}

#[tokio::test]
async fn the_list_is_sorted_by_key_and_names_what_can_be_called() {
    let sandbox = unlimited(Generation::V1).await;
    let listed = get(&sandbox, "/api/v1/outer_function/list").await.json();
    let entries = listed["content"].as_array().unwrap();
    for entry in entries {
        let keys: Vec<&String> = entry.as_object().unwrap().keys().collect();
        assert!(keys.is_sorted() && keys.len() == 18, "{keys:?}");
    }
    let ids: Vec<&str> = entries
        .iter()
        .map(|entry| entry["id"].as_str().unwrap())
        .collect();
    assert_eq!(
        ids[..2],
        ["guance__openapi.test", "guance__openapi.report_event"]
    );
    assert!(ids.contains(&"sandbox__http.gzip_bomb"));
    let filtered = get(
        &sandbox,
        "/api/v1/outer_function/list?funcId=sandbox__ok.echo",
    )
    .await;
    assert_eq!(filtered.json()["content"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn the_gateway_fails_on_demand() {
    let sandbox = unlimited(Generation::V1).await;
    let raw = call(&sandbox, "sandbox__gateway.error", json!({})).await;
    assert_refused(&raw, 503, "InternalError");
    let kwargs = json!({ "status": 429, "error_code": "ft.Other" });
    let raw = call(&sandbox, "sandbox__gateway.error", kwargs).await;
    assert_refused(&raw, 429, "ft.Other");
}
