//! A canary: whatever a remote echoes, the API key and the secret arguments are in no byte that is
//! left behind, and in no log line.

use serde_json::json;

use crate::support::house::{House, job};
use crate::support::lines::Lines;
use crate::support::remote::Reply;

const KEY: &str = "canary-key-0123456789abcdef";
/// Escaped once it reads otherwise, and escaped twice otherwise again.
const ARGUMENT: &str = "canary-argument-\"quoted\"-\\-密-0123456789";

/// Both begin with it; nothing else in the test does.
const CANARY: &str = "canary-";

/// The reply of an engine that dumps what it was sent, in every place that a reply has for text.
fn echo(ok: bool) -> Reply {
    let body = json!({ "kwargs": { "token": ARGUMENT, "key": KEY } }).to_string();
    let escaped = serde_json::to_string(&body).unwrap();
    let cut = format!(
        "{}...\n <Length: 3035>",
        &body[..body.find("argument").unwrap() + 12]
    );
    let everywhere = format!("{KEY} {ARGUMENT}");
    Reply::content(json!({
        "ok": ok,
        "reason": format!("EFuncFailed.{everywhere}"),
        "error": 599.3,
        "message": everywhere,
        "traceId": format!("TRACE-{KEY}"),
        "detail": { "id": format!("task-{ARGUMENT}"), "einfoTEXT": escaped },
        "data": { "result": { everywhere.as_str(): [KEY, ARGUMENT] } },
        "reqDump": { "bodyDump": cut, "again": body },
    }))
}

fn refusal() -> Reply {
    let body = json!({
        "code": 403, "content": null, "success": false, "errorCode": format!("ft.{KEY}"),
        "message": format!("unknown key {KEY}, argument {ARGUMENT}"), "traceId": ARGUMENT,
    });
    Reply::Http(403, body.to_string())
}

#[test]
fn no_secret_is_left_in_the_ledger_its_journal_or_the_logs() {
    let lines = Lines::default();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(lines.clone())
        .finish();
    tracing::subscriber::with_default(subscriber, || {
        let place = "prod: { base_url: \"$REMOTE\", api_key: { file: canary }, quota: none }";
        let names = ["good", "failed", "refused", "raw", "cut-off"];
        let jobs = names.map(|name| {
            job(
                name,
                "* * * * *",
                "secret_kwargs: { token: { file: argument } }, retry: { into_next_tick: true }",
            )
        });
        let mut house =
            House::with_secrets(place, &jobs, &[("canary", KEY), ("argument", ARGUMENT)]);
        house.remote.answer("good", [echo(true)]);
        house.remote.answer("failed", [echo(false)]);
        house.remote.answer("refused", [refusal()]);
        house.remote.answer(
            "raw",
            [Reply::Http(502, format!("<html>{KEY} {ARGUMENT}</html>"))],
        );
        house.remote.answer(
            "cut-off",
            [Reply::Http(200, format!("{{\"message\":\"{KEY}"))],
        );
        house.run_until("00:02");
        let sent = house.remote.calls();
        assert!(
            sent.iter().all(|call| call.key == KEY),
            "the key does travel"
        );
        assert_eq!(sent.len(), 10);
        house.crash();
        assert_clean(&house, "killed");
        house.open();
        house.run_until("00:03");
        house.restart();
        assert_clean(&house, "restarted");
        let kept = house.texts("SELECT response FROM attempts WHERE response LIKE '%***%'");
        assert!(
            kept.len() >= 8,
            "replies are kept, with the secrets struck out: {kept:?}"
        );
    });
    let lines = lines.text();
    assert!(lines.contains("TRACE"), "the most talkative level is on");
    assert!(
        lines.contains("func_failed"),
        "the engine's lines are among them"
    );
    assert_eq!(lines.lines().find(|line| line.contains(CANARY)), None);
}

fn assert_clean(house: &House, when: &str) {
    let mut looked_at = Vec::new();
    for entry in std::fs::read_dir(house.folder()).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if ["canary", "argument", "key-1", "key-2"].contains(&name.as_str()) {
            continue;
        }
        let bytes = std::fs::read(&path).unwrap();
        let canary = bytes
            .windows(CANARY.len())
            .position(|window| window == CANARY.as_bytes());
        let around = canary.map(|at| {
            String::from_utf8_lossy(&bytes[at.saturating_sub(80)..(at + 80).min(bytes.len())])
                .into_owned()
        });
        assert_eq!(around, None, "{when}: {name}");
        looked_at.push(name);
    }
    for name in ["funcron.db", "funcron.db-wal", "jobs.yaml"] {
        assert!(
            looked_at.iter().any(|looked_at| looked_at == name),
            "{when}: no {name}"
        );
    }
}

/// A waiting run keeps its definition, and the values of secrets are kept nowhere: what its definition
/// refers to has to be in the configuration still.
#[test]
fn a_waiting_run_whose_secret_left_the_configuration_ends_and_says_what_to_do() {
    let place =
        "prod: { base_url: \"$REMOTE\", api_key: { file: key-1 }, quota: { per_key: 1/min } }";
    let with = |file: &str| {
        [
            job("a", "1 0 * * *", ""),
            job(
                "b",
                "1 0 * * *",
                &format!("secret_kwargs: {{ token: {{ file: {file} }} }}"),
            ),
        ]
    };
    let secrets = [("old", "the-old-token"), ("new", "the-new-token")];
    let mut house = House::with_secrets(place, &with("old"), &secrets);
    house.run_until("00:01:30");
    assert_eq!(house.runs("b"), ["00:01:00 waiting/quota"]);
    house.reload(&with("new"));
    house.run_until("00:03");
    assert_eq!(house.runs("b"), ["00:01:00 failed/rejected"]);
    assert_eq!(house.remote.calls().len(), 1, "nothing is sent without it");
    let said = house.texts("SELECT message FROM executions WHERE job = 'b'");
    assert!(said[0].contains("secret_kwargs.token"), "{said:?}");
    assert!(said[0].contains("an earlier definition"), "{said:?}");
    assert!(said[0].contains("`funcron trigger b`"), "{said:?}");
}
