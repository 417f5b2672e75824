//! The demo's configuration: a file that can be read, and jobs that show what they say.

use std::collections::BTreeMap;
use std::path::Path;

use funcron::sandbox::{DemoFiles, Generation, demo_config};
use serde_json::{Value, json};

use super::client::call;
use super::unlimited;

fn demo(base_url: &str) -> Value {
    let text = demo_config(
        base_url,
        &DemoFiles {
            database: Path::new("/tmp/demo \"x\"/§token§.db"),
            api_keys: [Path::new("/tmp/key: 1"), Path::new("/tmp/key #2")],
            workspace_token: Path::new("/tmp/token"),
        },
    );
    serde_yaml::from_str(&text).unwrap()
}

/// How often a schedule of the form `*/n * * * * *` fires in a minute.
fn fires(job: &Value) -> u32 {
    let schedule = job["schedule"].as_str().unwrap();
    let step = schedule.strip_prefix("*/").unwrap();
    let step: u32 = step.strip_suffix(" * * * * *").unwrap().parse().unwrap();
    assert!(
        (1..=8).contains(&step),
        "shows nothing within ten seconds: {schedule}"
    );
    60_u32.div_ceil(step)
}

#[test]
fn the_demos_paths_survive_whatever_they_hold() {
    let config = demo("http://127.0.0.1:1");
    assert_eq!(config["database"], "sqlite:///tmp/demo \"x\"/§token§.db");
    let workspace = &config["workspaces"]["sandbox"];
    assert_eq!(workspace["base_url"], "http://127.0.0.1:1");
    let keys = json!([{ "file": "/tmp/key: 1" }, { "file": "/tmp/key #2" }]);
    assert_eq!(workspace["api_keys"], keys);
}

#[tokio::test]
async fn the_demos_jobs_show_what_they_say_and_keep_within_the_limits() {
    let sandbox = unlimited(Generation::V1).await;
    let config = demo(&sandbox.base_url());
    let jobs: BTreeMap<&str, &Value> = config["jobs"]
        .as_array()
        .unwrap()
        .iter()
        .map(|job| (job["name"].as_str().unwrap(), job))
        .collect();
    let calling = async |name: &str, more: Value| {
        let job = jobs[name];
        let mut kwargs = job["kwargs"].clone();
        for (name, value) in more.as_object().unwrap() {
            kwargs[name] = value.clone();
        }
        let raw = call(&sandbox, job["func_id"].as_str().unwrap(), kwargs).await;
        raw.json()["content"].clone()
    };
    let token = json!({ "workspace_token": "token" });
    assert!(jobs["hello"]["secret_kwargs"]["workspace_token"].is_object());
    let greeted = calling("hello", token).await;
    assert!(
        greeted["data"]["result"]
            .as_str()
            .unwrap()
            .contains("Hello, demo")
    );
    let failed = calling("sample-from-the-document", json!({})).await;
    assert_eq!(failed["reason"], "EFuncFailed");
    let throttled = calling("throttled-and-retried", json!({})).await;
    assert_eq!(throttled["detail"]["waitSeconds"], 1);
    assert_eq!(
        calling("throttled-and-retried", json!({})).await["ok"],
        true
    );

    // The slow job runs at every second tick; the throttled one has one retry a minute.
    let slow = jobs["slow"]["kwargs"]["seconds"].as_u64().unwrap();
    assert!(slow > 4 && slow < 8 && fires(jobs["slow"]) == 15);
    let calls = fires(jobs["hello"])
        + fires(jobs["sample-from-the-document"])
        + fires(jobs["throttled-and-retried"])
        + 1
        + fires(jobs["slow"]).div_ceil(2);
    assert_eq!(jobs.len(), 4);
    // A minute of the quota lasts 61 s, so leave room for the calls of one second more.
    assert!(calls <= 2 * 20 - 2, "{calls}");
}
