//! The sandbox through real sockets, against what was recorded from the real thing.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

use std::io;
use std::time::Duration;

use funcron::sandbox::{Generation, MAX_KEPT, Options, Sandbox};
use serde_json::{Value, json};
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;

use self::client::{EXECUTE, call, exchange, open, post, request};

mod broken;
mod client;
mod counterparts;
mod demo;
mod gateway;
mod recorded;

async fn start(options: Options) -> Sandbox {
    Sandbox::start(options).await.unwrap()
}

/// Without limits, since most tests are not about them.
async fn unlimited(generation: Generation) -> Sandbox {
    start(Options {
        generation,
        per_key: None,
        per_workspace: None,
        ..Options::default()
    })
    .await
}

#[tokio::test]
async fn plain_values_are_greeted_and_echoed() {
    let sandbox = unlimited(Generation::V5).await;
    let kwargs = json!({ "workspace_uuid": "w", "workspace_token": "t", "your_name": "观测云" });
    let greeted = call(&sandbox, "guance__openapi.test", kwargs.clone())
        .await
        .json();
    assert_eq!(greeted["content"]["data"]["result"], "Hello, 观测云");
    let echoed = call(&sandbox, "sandbox__ok.echo", kwargs.clone())
        .await
        .json();
    assert_eq!(echoed["content"]["data"]["result"], kwargs);
    let event = json!({ "workspace_uuid": "w", "workspace_token": "t", "data": {} });
    let reported = call(&sandbox, "guance__openapi.report_event", event)
        .await
        .json();
    assert_eq!(reported["content"]["data"], json!({ "result": null }));
    let big = call(&sandbox, "sandbox__ok.big", json!({ "bytes": 3_000_000 }))
        .await
        .json();
    let length = big["content"]["data"]["result"].as_str().unwrap().len();
    assert_eq!(length, 3_000_000);
}

#[tokio::test]
async fn an_unreliable_function_recovers_per_id() {
    let sandbox = unlimited(Generation::V5).await;
    let reason = async |func_id: &str, kwargs: Value| {
        let envelope = call(&sandbox, func_id, kwargs).await.json();
        envelope["content"]["reason"].as_str().map(str::to_owned)
    };
    let throttled = Some("EClientRateLimit.APIThrottling".to_owned());
    let failed = Some("EFuncFailed".to_owned());
    for id in ["a", "b"] {
        let kwargs = json!({ "n": 2, "id": id });
        for expected in [&throttled, &throttled, &None, &None] {
            let got = reason("sandbox__flaky.throttle_first", kwargs.clone()).await;
            assert_eq!(&got, expected);
        }
        for expected in [&failed, &failed, &None] {
            let got = reason("sandbox__flaky.fail_first", kwargs.clone()).await;
            assert_eq!(&got, expected);
        }
    }
}

/// Gives the sandbox turns until it has received so many requests.
async fn until_received(sandbox: &Sandbox, requests: u64) {
    let received = async {
        while sandbox.counters().requests < requests {
            tokio::task::yield_now().await;
        }
    };
    let bound = Duration::from_secs(10);
    tokio::time::timeout(bound, received)
        .await
        .expect("no request arrived");
}

#[tokio::test]
async fn stopping_drops_what_hangs_sleeps_and_idles() {
    let sandbox = unlimited(Generation::V1).await;
    let addr = sandbox.addr();
    let mut held = Vec::new();
    for func_id in ["sandbox__http.hang", "sandbox__slow.sleep"] {
        let body = json!({ "funcId": func_id }).to_string();
        held.push(
            open(
                addr,
                &request("POST", EXECUTE, Some("key-one"), &body, false),
            )
            .await,
        );
    }
    held.push(open(addr, "").await);
    until_received(&sandbox, 2).await;
    assert!(sandbox.log().iter().all(|seen| seen.func_id.is_some()));
    sandbox.stop().await;
    for mut stream in held {
        let mut bytes = Vec::new();
        let end = stream.read_to_end(&mut bytes).await;
        assert!(end.is_ok() || end.is_err_and(|e| e.kind() == io::ErrorKind::ConnectionReset));
        assert_eq!(bytes, b"");
    }
    let refused = TcpStream::connect(addr).await.unwrap_err();
    assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
}

#[tokio::test]
async fn the_record_says_who_asked_for_what_and_what_came_of_it() {
    let sandbox = unlimited(Generation::V5).await;
    let body = json!({ "funcId": "sandbox__ok.null", "funcBody": { "kwargs": {} } }).to_string();
    let ok = post(&sandbox, Some("key-one"), &body).await;
    call(&sandbox, "sandbox__fail.raise", json!({})).await;
    call(&sandbox, "sandbox__http.status", json!({})).await;
    post(&sandbox, None, "\u{0}").await;
    let log = sandbox.log();
    assert!(log.len() < MAX_KEPT && log.is_sorted_by_key(|seen| seen.at));
    assert_eq!(
        (log[0].method.as_str(), log[0].path.as_str()),
        ("POST", EXECUTE)
    );
    // `printf key-one | sha256sum` begins with these.
    assert_eq!(log[0].key.as_deref(), Some("9b346041"));
    assert_eq!(log[0].func_id.as_deref(), Some("sandbox__ok.null"));
    assert_eq!(log[0].body, body);
    assert_eq!(ok.json()["traceId"], log[0].trace_id.as_str());
    let answers: Vec<String> = log
        .iter()
        .map(|seen| seen.answer.as_ref().unwrap().to_string())
        .collect();
    let expected = [
        "success",
        "EFuncFailed",
        "misbehaved",
        "403 ft.InvalidAPIKey",
    ];
    assert_eq!(answers, expected);
    assert_eq!(
        (log[3].key.as_deref(), log[3].func_id.as_deref()),
        (None, None)
    );
}

#[tokio::test]
async fn latency_shows_in_the_cost() {
    let sandbox = start(Options {
        latency: Duration::from_millis(30),
        ..Options::default()
    })
    .await;
    let envelope = call(&sandbox, "sandbox__ok.null", json!({})).await.json();
    let cost = envelope["content"]["reqCost"].as_u64().unwrap();
    // The cost is by the wall clock, which is not exact to the millisecond.
    assert!(cost >= 25, "{cost}");
}

#[tokio::test]
async fn one_connection_carries_many_requests() {
    let sandbox = unlimited(Generation::V1).await;
    let body = json!({ "funcId": "sandbox__ok.null" }).to_string();
    let texts: Vec<String> = [false, false, true]
        .into_iter()
        .map(|last| request("POST", EXECUTE, Some("key-one"), &body, last))
        .collect();
    let bytes = exchange(sandbox.addr(), &texts.concat()).await.unwrap();
    let replies = String::from_utf8(bytes).unwrap();
    assert_eq!(replies.matches("HTTP/1.1 200 OK").count(), 3);
    let counters = sandbox.counters();
    assert_eq!((counters.connections, counters.requests), (1, 3));
}

#[tokio::test]
async fn another_address_than_loopback_is_refused() {
    for listen in ["0.0.0.0:0", "[::]:0", "192.0.2.1:8080"] {
        let options = Options {
            listen: listen.parse().unwrap(),
            ..Options::default()
        };
        let error = Sandbox::start(options).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
        assert!(error.to_string().contains("loopback"), "{error}");
    }
    let sandbox = start(Options::default()).await;
    let taken = Options {
        listen: sandbox.addr(),
        ..Options::default()
    };
    let error = Sandbox::start(taken).await.unwrap_err();
    assert!(
        error.to_string().contains(&sandbox.addr().to_string()),
        "{error}"
    );
}
