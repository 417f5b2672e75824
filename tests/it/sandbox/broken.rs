//! Replies that break rules, as announced.

use std::io::{self, Read as _};

use funcron::sandbox::{Answer, Generation};
use serde_json::{Value, json};
use tokio::io::AsyncReadExt as _;

use super::client::{EXECUTE, Raw, call, exchange, open, request};
use super::unlimited;

#[tokio::test]
async fn pages_and_redirects_come_as_from_a_proxy() {
    let sandbox = unlimited(Generation::V1).await;
    let raw = call(&sandbox, "sandbox__http.status", json!({})).await;
    assert_eq!(
        (raw.status, raw.header("content-type")),
        (502, Some("text/html"))
    );
    assert!(raw.body.starts_with(b"<html>"));
    let raw = call(&sandbox, "sandbox__http.redirect", json!({})).await;
    assert_eq!(
        (raw.status, raw.header("location")),
        (302, Some("/sandbox/redirected"))
    );
    let to = json!({ "to": "http://127.0.0.1:9/x", "code": 307 });
    let raw = call(&sandbox, "sandbox__http.redirect", to).await;
    assert_eq!(
        (raw.status, raw.header("location")),
        (307, Some("http://127.0.0.1:9/x"))
    );
    let split = json!({ "to": "/x\r\nSet-Cookie: y" });
    let raw = call(&sandbox, "sandbox__http.redirect", split).await;
    assert_eq!(raw.json()["content"]["reason"], "EFuncFailed");
}

#[tokio::test]
async fn broken_bodies_are_broken_as_announced() {
    let sandbox = unlimited(Generation::V1).await;
    let parsed = |raw: &Raw| serde_json::from_slice::<Value>(&raw.body);
    let raw = call(&sandbox, "sandbox__http.not_json", json!({})).await;
    assert!(raw.status == 200 && raw.whole && parsed(&raw).unwrap_err().is_syntax());
    let raw = call(&sandbox, "sandbox__http.half_json", json!({})).await;
    assert!(raw.whole && parsed(&raw).unwrap_err().is_eof());
    let raw = call(&sandbox, "sandbox__http.truncated", json!({})).await;
    assert!(!raw.whole && !raw.body.is_empty() && parsed(&raw).unwrap_err().is_eof());
    let raw = call(&sandbox, "sandbox__http.not_utf8", json!({})).await;
    assert!(raw.whole && String::from_utf8(raw.body.clone()).is_err());
    let repaired = String::from_utf8_lossy(&raw.body).into_owned();
    let repaired: Value = serde_json::from_str(&repaired).unwrap();
    assert_eq!(repaired["content"]["ok"], true);
    let raw = call(&sandbox, "sandbox__http.deep", json!({ "levels": 300 })).await;
    let levels = raw.body.iter().filter(|byte| **byte == b'[').count();
    assert!(raw.whole && levels == 300 && parsed(&raw).is_err());
    let raw = call(&sandbox, "sandbox__http.headers", json!({ "n": 500 })).await;
    assert_eq!(raw.header("x-filler-499"), Some("filler"));
    assert_eq!(raw.json()["content"]["ok"], true);
}

#[tokio::test]
async fn large_replies_are_whole_envelopes_of_the_size_asked_for() {
    let sandbox = unlimited(Generation::V1).await;
    let raw = call(&sandbox, "sandbox__http.huge", json!({ "megabytes": 3 })).await;
    assert!(raw.whole);
    let result = |envelope: &Value| envelope["content"]["data"]["result"].as_str().map(str::len);
    assert_eq!(result(&raw.json()), Some(3 << 20));
    let raw = call(
        &sandbox,
        "sandbox__http.gzip_bomb",
        json!({ "megabytes": 20 }),
    )
    .await;
    assert_eq!(raw.header("content-encoding"), Some("gzip"));
    assert!(raw.whole && raw.body.len() < 200_000, "{}", raw.body.len());
    let mut unpacked = Vec::new();
    flate2::read::GzDecoder::new(raw.body.as_slice())
        .read_to_end(&mut unpacked)
        .unwrap();
    let envelope: Value = serde_json::from_slice(&unpacked).unwrap();
    assert_eq!(result(&envelope), Some(20 << 20));
}

#[tokio::test]
async fn a_drip_is_white_space_and_then_an_envelope() {
    let sandbox = unlimited(Generation::V1).await;
    let kwargs = json!({ "bytes": 5, "interval_ms": 1 });
    let raw = call(&sandbox, "sandbox__http.drip", kwargs).await;
    assert!(raw.whole && raw.body.starts_with(b"     {"));
    assert_eq!(raw.json()["content"]["ok"], true);
}

#[tokio::test]
async fn an_endless_reply_goes_on_until_the_caller_leaves_or_the_sandbox_stops() {
    let sandbox = unlimited(Generation::V1).await;
    let body = json!({ "funcId": "sandbox__http.endless" }).to_string();
    let text = request("POST", EXECUTE, Some("key-one"), &body, true);
    let mut stream = open(sandbox.addr(), &text).await;
    let mut read = vec![0; 8 << 20];
    stream.read_exact(&mut read).await.unwrap();
    drop(stream);
    let mut other = open(sandbox.addr(), &text).await;
    other.read_exact(&mut read).await.unwrap();
    sandbox.stop().await;
    // What was on its way still comes, and then there is an end.
    let mut rest = Vec::new();
    let end = other.read_to_end(&mut rest).await;
    assert!(end.is_ok() || end.is_err_and(|e| e.kind() == io::ErrorKind::ConnectionReset));
}

#[tokio::test]
async fn a_reset_is_a_reset_and_a_close_is_a_close() {
    let sandbox = unlimited(Generation::V1).await;
    let text = |func_id: &str| {
        let body = json!({ "funcId": func_id }).to_string();
        request("POST", EXECUTE, Some("key-one"), &body, false)
    };
    let reset = exchange(sandbox.addr(), &text("sandbox__http.reset")).await;
    assert_eq!(reset.unwrap_err().kind(), io::ErrorKind::ConnectionReset);
    let closed = exchange(sandbox.addr(), &text("sandbox__http.close")).await;
    assert_eq!(closed.unwrap(), b"");
    let answers: Vec<_> = sandbox.log().into_iter().map(|seen| seen.answer).collect();
    assert_eq!(
        answers,
        [Some(Answer::Misbehaved), Some(Answer::Misbehaved)]
    );
}
