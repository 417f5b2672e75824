//! Replies: recorded ones with stretches of them exchanged.
//!
//! Whatever comes, there is a record of it without a secret, and what says that it failed is no
//! success (guarantees G4 and G6): so says a reading of the reply that shares nothing with funcron's.

use std::path::Path;
use std::sync::LazyLock;
use std::time::Duration;

use funcron::clock::Clock;
use funcron::domain::attempt::CallRecord;
use funcron::domain::expect::Expectation;
use funcron::domain::json::Json;
use funcron::domain::outcome::Outcome;
use funcron::domain::secret::Secret;
use funcron::domain::workspace::{ApiKey, KeyId, WorkspaceName};
use funcron::guance::{Call, Client, Request, ScriptedEnd, ScriptedReply, build_request};
use jiff::Timestamp;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use serde_json::Value;

use super::{bounded, cases, edited, edits};

const SECRET: &str = "canary\"secret/密码-0123456789";

const PIECES: &[&str] = &[
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "\"",
    "\\",
    "\\u0000",
    "\\ud800",
    "\\udc00",
    "null",
    "true",
    "false",
    "0",
    "-0.0",
    "1e400",
    "123456789012345678901234567890",
    "NaN",
    "\"ok\":false,",
    "\"ok\":true,",
    "\"success\":false,",
    "\"errorCode\":\"ft.InvalidAPIKey\",",
    "\"code\":500,",
    "\"content\":null,",
    "\"reason\":\"EFuncTimeout\",",
    "\"waitSeconds\":1e9,",
    "\"reqCost\":-9223372036854775808,",
    "\"traceId\":[],",
    "\n",
    "\u{feff}",
    "\u{0}",
    "é",
    "\u{1f600}",
    "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[",
    "  ",
];

/// The captures' contents, bare and in the gateway's envelope.
static SEEDS: LazyLock<Vec<String>> = LazyLock::new(|| {
    let captures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/captures");
    let mut seeds = Vec::new();
    for folder in ["engine-1.48", "engine-5.1"] {
        for entry in std::fs::read_dir(captures.join(folder)).expect("the captures are there") {
            let text = std::fs::read_to_string(entry.expect("an entry").path()).expect("a text");
            // By hand, since what serde_json cannot hold is among them.
            let Some((_, content)) = text.split_once("\"content\":") else {
                continue;
            };
            let content = content.trim().trim_end_matches('}').trim_end();
            let content = format!("{content}}}");
            seeds.push(format!(
                r#"{{"code":200,"content":{content},"errorCode":"","message":"","success":true,"traceId":"T"}}"#
            ));
            seeds.push(content);
        }
    }
    assert!(seeds.len() > 50, "{}", seeds.len());
    seeds.sort();
    seeds
});

static EXPECT: LazyLock<Expectation> =
    LazyLock::new(|| Expectation::parse("content is not undefined").expect("it is well formed"));

fn request() -> Request {
    let key = ApiKey {
        id: KeyId("key".into()),
        secret: Secret::new("a-key-of-the-tests".to_owned()),
    };
    let secrets = [("token".to_owned(), Secret::new(SECRET.to_owned()))];
    build_request("f__s.m", None, &Json::Object(Vec::new()), &secrets, &key)
}

fn judged(status: u16, body: &str) -> CallRecord {
    let clock = Clock::manual(Timestamp::UNIX_EPOCH);
    let body = body.as_bytes().to_vec();
    let client = Client::scripted(clock, move |_| ScriptedReply {
        written_after: Some(Duration::ZERO),
        ends_after: Duration::ZERO,
        end: ScriptedEnd::Reply {
            status,
            retry_after: None,
            body: body.clone(),
        },
    });
    let call = Call {
        workspace: WorkspaceName("prod".into()),
        request: request(),
        expect: [EXPECT.clone()].into(),
        timeout: Duration::from_secs(60),
    };
    // A clock that stands and a script: nothing is waited for.
    futures_util::FutureExt::now_or_never(client.call(call)).expect("nothing was waited for")
}

/// Whether a reply says of itself that something failed.
fn says_it_failed(status: u16, body: &str) -> bool {
    let Ok(reply) = serde_json::from_str::<Value>(body) else {
        // Lone surrogates, which funcron reads and this does not.
        return !(200..300).contains(&status);
    };
    !(200..300).contains(&status)
        || reply["content"]["ok"] == false
        || (reply.get("content").is_none() && reply["ok"] == false)
        || reply["success"] == false
        || !reply.is_object()
}

proptest! {
    #![proptest_config(cases(30_000))]

    #[test]
    fn a_reply_with_stretches_exchanged_is_judged_and_tells_no_secret(
        seed in any::<Index>(),
        edits in edits(PIECES),
        echoed in proptest::option::of((any::<Index>(), any::<bool>())),
        status in select(vec![200_u16, 200, 200, 201, 400, 401, 403, 404, 429, 500, 502, 599]),
    ) {
        let mut body = edited(&SEEDS[seed.index(SEEDS.len())], &edits);
        if let Some((at, raw)) = echoed {
            let escaped = serde_json::to_string(SECRET).expect("a text");
            let secret = if raw { SECRET } else { escaped.trim_matches('"') };
            let mut at = at.index(body.len() + 1);
            while !body.is_char_boundary(at) {
                at -= 1;
            }
            body.insert_str(at, secret);
        }
        let record = bounded(&(status, &body), || judged(status, &body));
        prop_assert!(!format!("{record:?}").contains("canary"), "{record:?}");
        if says_it_failed(status, &body) {
            prop_assert_ne!(record.outcome, Outcome::Success);
        }
    }
}
