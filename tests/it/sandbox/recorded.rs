//! Contents of replies against recorded ones.
//!
//! `fixtures/captures` holds replies recorded from two DataFlux Func engines (1.48 of 2022 and
//! 5.1 of 2024) run on loopback: `funcBody` sent, `status` and `content` received.
//! `fixtures/seed` holds the vendor's API document of `outer_function/execute`, unchanged.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use funcron::sandbox::Generation;
use serde_json::{Value, json};

use super::client::{call, execute, post};
use super::counterparts;
use super::unlimited;

struct Capture {
    name: String,
    generation: Generation,
    func_id: String,
    func_body: Value,
    content: Value,
}

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures")
}

fn captures() -> BTreeMap<String, Capture> {
    let mut all = BTreeMap::new();
    for (engine, generation) in [("1.48", Generation::V1), ("5.1", Generation::V5)] {
        let directory = fixtures().join(format!("captures/engine-{engine}"));
        for file in std::fs::read_dir(directory).unwrap() {
            let path = file.unwrap().path();
            let text = std::fs::read_to_string(&path).unwrap();
            // One capture holds a lone surrogate, which no string of Rust can.
            let Ok(capture) = serde_json::from_str::<Value>(&text) else {
                assert!(text.contains("\\ud800"), "{}", path.display());
                continue;
            };
            let name = format!("{engine}/{}", path.file_stem().unwrap().to_str().unwrap());
            let func = capture["path"].as_str().unwrap();
            let capture = Capture {
                name: name.clone(),
                generation,
                func_id: func.strip_prefix("/api/v1/func/").unwrap().to_owned(),
                func_body: capture["funcBody"].clone(),
                content: capture["content"].clone(),
            };
            all.insert(name, capture);
        }
    }
    assert!(all.len() > 40, "{}", all.len());
    all
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

/// Same keys and same types, at every depth of objects.
fn assert_same_shape(ours: &Value, theirs: &Value, place: &str) {
    assert_eq!(kind(ours), kind(theirs), "{place}");
    let (Some(ours), Some(theirs)) = (ours.as_object(), theirs.as_object()) else {
        return;
    };
    let keys = |fields: &serde_json::Map<String, Value>| {
        let mut keys: Vec<String> = fields.keys().cloned().collect();
        keys.sort();
        keys
    };
    assert_eq!(keys(ours), keys(theirs), "{place}");
    for (name, value) in ours {
        assert_same_shape(value, &theirs[name], &format!("{place}.{name}"));
    }
}

/// Replaces what differs from call to call, after a look at its form.
pub(super) fn masked(mut content: Value) -> Value {
    for pointer in ["/reqTime", "/respTime"] {
        if let Some(time) = content.pointer_mut(pointer) {
            let text = time.as_str().unwrap();
            assert!(text.len() == 24 && text.ends_with('Z'), "{text}");
            text.parse::<jiff::Timestamp>().unwrap();
            *time = json!("TIME");
        }
    }
    for pointer in ["/traceId"] {
        if let Some(trace) = content.pointer_mut(pointer) {
            let uuid = trace.as_str().unwrap().strip_prefix("TRACE-").unwrap();
            assert!(uuid.len() == 36 && uuid == uuid.to_uppercase(), "{uuid}");
            *trace = json!("TRACE");
        }
    }
    if let Some(task) = content.pointer_mut("/detail/id") {
        let id = task.as_str().unwrap().strip_prefix("task-").unwrap();
        assert!(id.len() == 12 && id.bytes().all(|b| b.is_ascii_alphanumeric()));
        *task = json!("TASK");
    }
    if let Some(cost) = content.pointer_mut("/reqCost") {
        assert!(cost.is_u64(), "{cost}");
        *cost = json!(0);
    }
    content
}

#[tokio::test]
async fn the_documents_request_gets_the_documents_reply() {
    let document = fixtures().join("seed/execute.md");
    let document = std::fs::read_to_string(document).unwrap();
    let (request, reply) = document.split_once("## 响应").unwrap();
    let request = request.split_once("--data-raw $'").unwrap().1;
    let request = request.split_once("'").unwrap().0.replace("\\n", "\n");
    let reply = reply.split_once("```shell").unwrap().1;
    let mut expected: Value = serde_json::from_str(reply.split_once("```").unwrap().0).unwrap();
    // The document escapes the dump once too often.
    let dump = expected.pointer_mut("/content/reqDump/bodyDump").unwrap();
    *dump = json!(dump.as_str().unwrap().replace("\\\"", "\""));

    let sandbox = unlimited(Generation::V1).await;
    let raw = post(&sandbox, Some("key-one"), &request).await;
    assert_eq!(raw.status, 200);
    assert_eq!(raw.header("content-type"), Some("application/json"));
    let mut ours = raw.json();
    assert_eq!(ours["traceId"], ours["content"]["traceId"]);
    for side in [&mut ours, &mut expected] {
        side["content"] = masked(side["content"].take());
        *side = masked(side.take());
    }
    // As text, so that the order of the keys counts at every depth.
    assert_eq!(format!("{ours:#}"), format!("{expected:#}"));
}

#[tokio::test]
async fn the_dump_of_a_request_is_the_recorded_one() {
    let sandboxes = [
        unlimited(Generation::V1).await,
        unlimited(Generation::V5).await,
    ];
    let mut compared = 0;
    for capture in captures().values() {
        let theirs = &capture.content["reqDump"];
        // A body that is no JSON stops at the gateway here.
        if theirs.is_null() || capture.func_body.get("_raw").is_some() {
            continue;
        }
        let sandbox = &sandboxes[usize::from(capture.generation == Generation::V5)];
        let ours = execute(sandbox, &capture.func_id, &capture.func_body).await;
        let ours = &ours.json()["content"]["reqDump"];
        assert_eq!(ours, theirs, "{}", capture.name);
        compared += 1;
    }
    assert!(compared > 20, "{compared}");
}

#[tokio::test]
async fn contents_have_the_recorded_keys_types_numbers_and_words() {
    let captures = captures();
    let sandboxes = [
        unlimited(Generation::V1).await,
        unlimited(Generation::V5).await,
    ];
    let all = counterparts::of_1_48()
        .into_iter()
        .chain(counterparts::of_5_1());
    for (name, func_id, func_body, exact) in all {
        let capture = &captures[name];
        let sandbox = &sandboxes[usize::from(capture.generation == Generation::V5)];
        let raw = execute(sandbox, func_id, &func_body).await;
        assert_eq!(raw.status, 200, "{name}");
        let envelope = raw.json();
        assert_eq!(envelope["code"], 200, "{name}");
        assert_eq!(envelope["success"], true, "{name}");
        assert_eq!(envelope["errorCode"], "", "{name}");
        let ours = masked(envelope["content"].clone());
        let theirs = masked(without_a_float(capture.content.clone()));
        let mut shapes = [ours.clone(), theirs.clone()];
        for shape in &mut shapes {
            // The dump of an empty body is left out, and bodies differ here.
            if let Some(dump) = shape.get_mut("reqDump") {
                dump["bodyDump"] = json!("");
            }
        }
        assert_same_shape(&shapes[0], &shapes[1], name);
        for pointer in exact {
            assert_eq!(
                ours.pointer(pointer),
                theirs.pointer(pointer),
                "{name} {pointer}"
            );
        }
    }
}

/// The recorded function returned Python's `1.0`, and a caller cannot send that: JavaScript on the
/// way makes it `1`. It shows where Python itself wrote the text.
fn without_a_float(mut content: Value) -> Value {
    for pointer in [
        "/data/result",
        "/data/result/repr",
        "/data/result/jsonDumps",
    ] {
        if let Some(Value::String(text)) = content.pointer_mut(pointer) {
            *text = text.replace("1.0", "1");
        }
    }
    content
}

#[tokio::test]
async fn texts_of_failures_are_the_recorded_ones_where_the_same_thing_happened() {
    let lines = json!({ "message": "line one\nline two\nline three" });
    let v1 = unlimited(Generation::V1).await;
    let raised = call(&v1, "sandbox__fail.raise", lines.clone()).await.json();
    assert_eq!(raised["content"]["detail"]["einfoTEXT"], "line three");
    let missing = call(&v1, "sandbox__ok.value", json!({})).await.json();
    assert_eq!(
        missing["content"]["detail"]["einfoTEXT"],
        "TypeError: value() missing 1 required positional argument: 'value'"
    );
    let v5 = unlimited(Generation::V5).await;
    let raised = call(&v5, "sandbox__fail.raise", lines.clone()).await.json();
    assert_eq!(raised["content"]["detail"]["exception"], lines["message"]);
    let missing = call(&v5, "sandbox__ok.value", json!({})).await.json();
    assert_eq!(
        missing["content"]["detail"]["traceback"],
        "Traceback (most recent call last *in User Script*):\n\
         TypeError: value() missing 1 required positional argument: 'value'"
    );
}

#[tokio::test]
async fn failures_that_were_not_recorded_have_the_documented_numbers() {
    let sandboxes = [
        unlimited(Generation::V1).await,
        unlimited(Generation::V5).await,
    ];
    for (func_id, kwargs, v1, v5) in [
        (
            "sandbox__fail.result",
            json!({}),
            (599.4, "EFuncResultParsingFailed"),
            (599.98, "EFuncResultParsingFailed"),
        ),
        (
            "sandbox__fail.limit",
            json!({}),
            (503.1, "ESysLimitReached"),
            (503.1, "ESysLimitReached"),
        ),
        (
            "sandbox__fail.rate",
            json!({ "wait_seconds": 7 }),
            (429.46, "EClientRateLimit.AuthLinkThrottling"),
            (429.46, "EClientRateLimit.APIThrottling"),
        ),
        (
            "sandbox__fail.not_found",
            json!({}),
            (404.41, "EClientNotFound"),
            (404.41, "EClientNotFound"),
        ),
    ] {
        for (sandbox, (error, reason)) in sandboxes.iter().zip([v1, v5]) {
            let raw = call(sandbox, func_id, kwargs.clone()).await;
            assert_eq!(raw.status, 200);
            let content = &raw.json()["content"];
            assert_eq!(content["error"], json!(error), "{func_id}");
            assert_eq!(content["reason"], reason);
            if func_id == "sandbox__fail.rate" {
                assert_eq!(content["detail"]["waitSeconds"], 7);
            }
        }
    }
}
