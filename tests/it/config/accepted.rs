//! What a good configuration comes to.

use std::time::Duration;

use funcron::config::{DatabaseUrl, definition};
use funcron::domain::job::{Catchup, Job};
use funcron::domain::outcome::Outcome;
use funcron::domain::secret::SecretRef;
use jiff::Timestamp;

use super::*;

fn only(result: Result<Loaded, ConfigErrors>) -> Job {
    let loaded = accept(result);
    assert_eq!(loaded.config.jobs.len(), 1);
    (*loaded.config.jobs[0]).clone()
}

fn kwargs(job: &Job) -> String {
    let definition: serde_json::Value = serde_json::from_str(&job.definition.to_string()).unwrap();
    definition["kwargs"].to_string()
}

#[test]
fn the_example_is_accepted_without_a_word_and_holds_the_documents_request() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("jobs.example.yaml");
    let loaded = accept(config::load(&path));
    assert_eq!(told(&Ok(loaded.clone())), "");
    assert_eq!(loaded.files, [path]);
    let first = &loaded.config.jobs[0];
    assert_eq!(&*first.func_id, "guance__openapi.test");
    assert_eq!(
        kwargs(first),
        r#"{"workspace_uuid":"wksp_0123456789abcdef","your_name":"OpenAPI 用户"}"#
    );
    assert_eq!(
        first.secret_kwargs,
        [(
            "workspace_token".to_owned(),
            SecretRef::Env("WS_TOKEN".to_owned())
        )]
    );
    assert!(
        loaded
            .config
            .jobs
            .iter()
            .any(|job| &*job.func_id == "guance__openapi.report_event")
    );
}

#[test]
fn what_is_left_out_has_the_contracts_defaults() {
    let loaded = accept(jobs("  - { name: a, func_id: a__b.c, schedule: '@daily' }"));
    let config = &loaded.config;
    assert_eq!(
        config.database,
        DatabaseUrl::Sqlite("/var/lib/funcron/funcron.db".into())
    );
    assert_eq!(config.drain_timeout, Duration::from_secs(75));
    let workspace = config.workspaces.values().next().unwrap();
    assert_eq!(workspace.base_url, "https://openapi.guance.com");
    assert_eq!(workspace.quota.per_key.unwrap().get(), 20);
    assert_eq!(workspace.quota.per_workspace.unwrap().get(), 200);
    assert_eq!(workspace.max_in_flight, 16);
    assert_eq!(workspace.max_reply, 8 << 20);
    assert!(!workspace.insecure);
    assert_eq!(
        config.jobs[0].definition.to_string(),
        concat!(
            r#"{"name":"a","labels":{},"enabled":true,"workspace":"prod","func_id":"a__b.c","#,
            r#""kwargs":{},"secret_kwargs":{},"schedule":["@daily"],"timezone":"UTC","#,
            r#""dst":{"gap":"run_after","overlap":"first"},"overlap":"skip","catchup":"latest","#,
            r#""catchup_window":"1h","start_deadline":"5m","timeout":"1m","deadline":"15m","#,
            r#""idempotent":false,"retry":{"max_attempts":3,"initial_delay":"5s","#,
            r#""multiplier":2.0,"max_delay":"5m","jitter":0.2,"on":["throttled","#,
            r#""network_error"],"into_next_tick":false},"expect":[]}"#
        )
    );
}

#[test]
fn a_definition_says_all_there_is_and_is_read_back() {
    let job = only(parse(
        r#"
workspaces: { prod: { site: cn1, api_key: { env: DF_API_KEY } } }
jobs:
  - name: full
    description: everything
    labels: { team: sre, a: b }
    enabled: false
    workspace: prod
    func_id: a__b.c
    kwargs: { z: 1, a: [1.5, null, true, "{{ run_id }}"] }
    secret_kwargs: { token: { env: T }, pass: { file: secrets/pass }, cred: { credential: c } }
    return_type: jsonDumps
    schedule: ["0 2 * * *", "@hourly"]
    timezone: Europe/Berlin
    dst: { gap: skip, overlap: both }
    starts_at: 2026-01-01T08:00:00+08:00
    ends_at: 2027-01-01T00:00:00Z
    overlap: skip
    catchup: none
    catchup_window: 90m
    start_deadline: 90s
    timeout: 45s
    deadline: 1500ms
    idempotent: true
    retry: { max_attempts: 5, initial_delay: 300ms, multiplier: 1.5, max_delay: 1h, jitter: 0, not_on: [unknown], into_next_tick: true }
    expect: ["result.count > 0"]
"#,
    ));
    assert_eq!(
        job.definition.to_string(),
        concat!(
            r#"{"name":"full","description":"everything","labels":{"a":"b","team":"sre"},"#,
            r#""enabled":false,"workspace":"prod","func_id":"a__b.c","#,
            r#""kwargs":{"z":1,"a":[1.5,null,true,"{{ run_id }}"]},"#,
            r#""secret_kwargs":{"token":{"env":"T"},"pass":{"file":"/etc/funcron/secrets/pass"},"cred":{"credential":"c"}},"#,
            r#""return_type":"jsonDumps","schedule":["0 2 * * *","@hourly"],"#,
            r#""timezone":"Europe/Berlin","dst":{"gap":"skip","overlap":"both"},"#,
            r#""starts_at":"2026-01-01T00:00:00Z","ends_at":"2027-01-01T00:00:00Z","#,
            r#""overlap":"skip","catchup":"none","catchup_window":"90m","start_deadline":"90s","#,
            r#""timeout":"45s","deadline":"1500ms","idempotent":true,"retry":{"max_attempts":5,"#,
            r#""initial_delay":"300ms","multiplier":1.5,"max_delay":"1h","jitter":0.0,"#,
            r#""on":["func_timeout","throttled","server_error","network_error"],"#,
            r#""into_next_tick":true},"expect":["result.count > 0"]}"#
        )
    );
    assert_eq!(job.hash, definition::hash(&job.definition.to_string()));
    assert_eq!(job.hash.0.len(), 64);
    let planned = definition::read(&job.definition.to_string()).unwrap();
    assert!(!planned.enabled);
    assert_eq!(planned.catchup, Catchup::None);
    assert_eq!(planned.catchup_window, Duration::from_secs(5400));
    assert_eq!(planned.workspace, job.workspace);
    assert_eq!(planned.func_id, job.func_id);
    let t: Timestamp = "2026-06-01T00:00:00Z".parse().unwrap();
    assert_eq!(planned.schedule.next_after(t), job.schedule.next_after(t));
    assert!(planned.schedule.next_after(t).is_some());
}

#[test]
fn a_definition_with_a_key_this_version_does_not_know_is_not_planned_by() {
    let job = only(jobs("  - { name: a, func_id: a__b.c, schedule: '@daily' }"));
    let newer = job
        .definition
        .to_string()
        .replacen('{', r#"{"weather":["fine"],"#, 1);
    let refused = definition::read(&newer).unwrap_err().to_string();
    assert!(refused.contains("newer funcron"), "{refused}");
    assert!(definition::read("").is_err());
    assert!(definition::read(&job.definition.to_string().replace("1h", "1 hour")).is_err());
}

#[test]
fn defaults_merge_kwargs_labels_retry_and_dst_by_key_and_are_replaced_elsewhere() {
    let job = only(parse(
        r#"
workspaces: { prod: { site: cn1, api_key: { env: DF_API_KEY } } }
defaults:
  workspace: prod
  timezone: Asia/Shanghai
  labels: { team: sre, tier: one }
  kwargs: { uuid: u, data: { a: 1, b: 2 } }
  secret_kwargs: { token: { env: T } }
  retry: { max_attempts: 7, jitter: 0.5 }
  dst: { gap: skip }
  expect: ["result.a"]
jobs:
  - name: a
    func_id: a__b.c
    schedule: "@daily"
    labels: { tier: two }
    kwargs: { data: { c: 3 }, more: true }
    secret_kwargs: { other: { env: O } }
    retry: { jitter: 0.1 }
    dst: { overlap: last }
    expect: ["result.b"]
"#,
    ));
    let definition: serde_json::Value = serde_json::from_str(&job.definition.to_string()).unwrap();
    assert_eq!(kwargs(&job), r#"{"uuid":"u","data":{"c":3},"more":true}"#);
    assert_eq!(
        definition["labels"].to_string(),
        r#"{"team":"sre","tier":"two"}"#
    );
    assert_eq!(job.retry.max_attempts, 7);
    assert!((job.retry.jitter - 0.1).abs() < 1e-9);
    assert_eq!(
        definition["dst"].to_string(),
        r#"{"gap":"skip","overlap":"last"}"#
    );
    assert_eq!(definition["timezone"], "Asia/Shanghai");
    assert_eq!(definition["expect"].to_string(), r#"["result.b"]"#);
    assert_eq!(job.secret_kwargs.len(), 1);
    assert_eq!(job.secret_kwargs[0].0, "other");
}

#[test]
fn a_snippet_of_the_api_document_pastes_in() {
    let pasted = only(jobs(
        r#"
  - name: a
    schedule: "@daily"
    timeZone: Asia/Shanghai
    "funcId": "guance__openapi.test"
    "funcBody": { "kwargs": { "your_name": "OpenAPI 用户" }, "options": { "returnType": "raw" } }
"#,
    ));
    let ours = only(jobs(
        r#"
  - name: a
    schedule: "@daily"
    timezone: Asia/Shanghai
    func_id: guance__openapi.test
    kwargs: { your_name: OpenAPI 用户 }
    return_type: raw
"#,
    ));
    assert_eq!(pasted.definition.to_string(), ours.definition.to_string());
}

#[test]
fn retried_outcomes_follow_on_not_on_and_idempotent() {
    let on = |rest: &str| {
        only(jobs(&format!(
            "  - {{ name: a, func_id: a__b.c, schedule: '@daily', {rest} }}"
        )))
        .retry
        .on
        .clone()
    };
    use Outcome::*;
    assert_eq!(on("enabled: true"), [Throttled, NetworkError]);
    assert_eq!(
        on("idempotent: true"),
        [FuncTimeout, Throttled, ServerError, NetworkError, Unknown]
    );
    assert_eq!(
        on("retry: { on: [network_error, func_failed] }"),
        [FuncFailed, NetworkError]
    );
    assert_eq!(on("retry: { not_on: [throttled] }"), [NetworkError]);
    assert_eq!(
        on("idempotent: true, retry: { on: [unknown, func_failed], not_on: [func_failed] }"),
        [Unknown]
    );
    assert_eq!(on("retry: { on: [] }"), []);
}

#[test]
fn words_of_yaml_1_1_stay_texts_in_kwargs() {
    let job = only(jobs(
        "  - { name: a, func_id: a__b.c, schedule: '@daily', kwargs: { no: no, on: on, y: yes, o: 017, x: 0x1F, u: 1_000, t: 12:30:45, n: ~, f: 1e3 } }",
    ));
    assert_eq!(
        kwargs(&job),
        r#"{"no":"no","on":"on","y":"yes","o":"017","x":31,"u":"1_000","t":"12:30:45","n":null,"f":1000.0}"#
    );
}

#[test]
fn anchors_aliases_and_merge_keys_work() {
    let job = only(parse(
        r#"
workspaces: { prod: { site: cn1, api_key: { env: DF_API_KEY } } }
defaults:
  workspace: prod
  kwargs: &shared { uuid: u, deep: &deep { a: 1, b: 2 } }
jobs:
  - name: a
    func_id: a__b.c
    schedule: "@daily"
    kwargs:
      one: { <<: *deep, b: 3 }
      two: { b: 4, <<: [{ b: 5, c: 6 }, *deep] }
      three: *deep
      four: { "<<": *deep }
"#,
    ));
    assert_eq!(
        kwargs(&job),
        concat!(
            r#"{"uuid":"u","deep":{"a":1,"b":2},"one":{"b":3,"a":1},"two":{"b":4,"c":6,"a":1},"#,
            r#""three":{"a":1,"b":2},"four":{"<<":{"a":1,"b":2}}}"#
        )
    );
}

#[test]
fn a_byte_order_mark_and_line_ends_of_windows_are_no_matter() {
    let text = format!("{HEAD}jobs:\n  - name: a\n    func_id: a__b.c\n    schedule: '@daily'\n");
    let plain = only(parse(&text));
    let windows = only(parse(&format!("\u{feff}{}", text.replace('\n', "\r\n"))));
    assert_eq!(plain.definition.to_string(), windows.definition.to_string());
}

#[test]
fn a_quota_has_the_documented_limits_unless_it_says_none() {
    for (quota, per_key, per_workspace) in [
        ("{ per_key: 5/min }", Some(5), Some(200)),
        ("{ per_workspace: none }", Some(20), None),
        ("none", None, None),
        ("{ per_key: none, per_workspace: none }", None, None),
    ] {
        let loaded = accept(parse(&format!(
            "workspaces: {{ p: {{ site: us1, api_key: {{ env: K }}, quota: {quota} }} }}\njobs: []"
        )));
        let quota = loaded.config.workspaces.values().next().unwrap().quota;
        assert_eq!(quota.per_key.map(|n| n.get()), per_key);
        assert_eq!(quota.per_workspace.map(|n| n.get()), per_workspace);
    }
}

#[test]
fn plain_http_is_for_this_machine_or_for_who_says_insecure() {
    for (place, url) in [
        (
            "base_url: 'http://127.0.0.1:8088/'",
            "http://127.0.0.1:8088",
        ),
        ("base_url: 'http://localhost'", "http://localhost"),
        (
            "base_url: 'http://10.0.0.1', insecure: true",
            "http://10.0.0.1",
        ),
        (
            "base_url: 'https://openapi.example.com:443/prefix/'",
            "https://openapi.example.com/prefix",
        ),
    ] {
        let loaded = accept(parse(&format!(
            "workspaces: {{ p: {{ {place}, api_key: {{ env: K }} }} }}\njobs: []"
        )));
        assert_eq!(
            loaded.config.workspaces.values().next().unwrap().base_url,
            url
        );
    }
}

#[test]
fn a_schedule_without_a_tick_left_is_told_by_the_time_that_is_given() {
    let loaded = accept(jobs(
        r#"
  - { name: past, func_id: a__b.c, schedule: "@at 2026-01-01T00:00:00Z" }
  - { name: ended, func_id: a__b.c, schedule: "@daily", ends_at: 2026-02-01T00:00:00Z }
  - { name: open, func_id: a__b.c, schedule: "@daily" }
  - { name: manual, func_id: a__b.c, schedule: "@manual" }
"#,
    ));
    let at = |t: &str| -> Vec<String> {
        let t: Timestamp = t.parse().unwrap();
        loaded.exhausted(t).iter().map(|d| d.path.clone()).collect()
    };
    assert_eq!(at("2025-12-01T00:00:00Z"), [""; 0]);
    assert_eq!(at("2026-01-15T00:00:00Z"), ["jobs.past.schedule"]);
    assert_eq!(
        at("2026-03-01T00:00:00Z"),
        ["jobs.past.schedule", "jobs.ended.schedule"]
    );
}

#[test]
fn a_fault_in_a_schedule_is_placed_at_its_expression() {
    let refused = jobs(
        "  - name: a\n    func_id: a__b.c\n    schedule:\n      - '@daily'\n      - \"0 25 * * * * * * *\"\n",
    )
    .unwrap_err();
    let error = &refused.errors[0];
    assert_eq!(error.path, "jobs.a.schedule[1]");
    assert_eq!(error.line, 8);
    assert!(error.column >= 10, "{error}");
}

#[test]
fn a_fault_in_a_template_is_placed_at_its_text_in_the_job_or_the_defaults() {
    let refused = parse(
        r#"workspaces: { prod: { site: cn1, api_key: { env: K } } }
defaults: { workspace: prod, kwargs: { shared: "{{ run_id" } }
jobs:
  - name: a
    func_id: a__b.c
    schedule: "@daily"
    kwargs: { data: { "a.b": ["{{ job" ] } }
"#,
    )
    .unwrap_err();
    let places: Vec<_> = refused
        .errors
        .iter()
        .map(|error| (error.path.as_str(), error.line, error.column))
        .collect();
    assert_eq!(
        places,
        [
            ("defaults.kwargs.shared", 2, 48),
            ("jobs.a.kwargs.data.a.b[0]", 7, 31)
        ]
    );
}
