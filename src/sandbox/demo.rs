//! The `jobs.yaml` of `funcron demo`.
//!
//! It is an example to learn from, so it says why each job is there, and it keeps within the
//! documented limits: within ten seconds a job has succeeded, one has failed as in the API
//! document, one was throttled and retried, and one was skipped for overlap.

use std::path::Path;

/// The files that the demo's configuration names. The caller makes them.
#[derive(Clone, Copy, Debug)]
pub struct DemoFiles<'a> {
    /// The ledger; need not exist.
    pub database: &'a Path,
    /// One API key each. Two, since the demo makes some 35 calls a minute and a key may make 20.
    pub api_keys: [&'a Path; 2],
    /// The workspace's token, at least 6 bytes.
    pub workspace_token: &'a Path,
}

/// The configuration, for the sandbox at `base_url`.
pub fn demo_config(base_url: &str, files: &DemoFiles<'_>) -> String {
    let [first_key, second_key] = files.api_keys.map(quoted);
    let fill = |name: &str| match name {
        "base_url" => quoted(Path::new(base_url)),
        "database" => database_url(files.database),
        "first_key" => first_key.clone(),
        "second_key" => second_key.clone(),
        "token" => quoted(files.workspace_token),
        other => other.to_owned(),
    };
    // Every second piece is a name. In one pass, so that nothing filled in is filled in again.
    TEMPLATE
        .split(MARK)
        .enumerate()
        .map(|(place, piece)| match place % 2 {
            0 => piece.to_owned(),
            _ => fill(piece),
        })
        .collect()
}

/// Stands on both sides of a name in the template.
const MARK: char = '§';

/// A JSON string is a double-quoted scalar of YAML, whatever the path holds.
fn quoted(path: &Path) -> String {
    serde_json::Value::from(path.to_string_lossy()).to_string()
}

fn database_url(path: &Path) -> String {
    serde_json::Value::from(format!("sqlite://{}", path.display())).to_string()
}

const TEMPLATE: &str = r##"# The demo of funcron. Copy what you like: only `base_url`, the paths and the function names below
# would change for a real workspace.
version: 1
database: §database§

workspaces:
  sandbox:
    # A real one would say `site: cn1` (or another site of Guance's) here.
    base_url: §base_url§
    # A key is never written into this file. One workspace may have several keys; the calls are
    # spread over them. A key may make 20 calls a minute, and this file makes about 35.
    api_keys:
      - { file: §first_key§ }
      - { file: §second_key§ }
    # These are the documented limits, and the defaults.
    quota: { per_key: 20/min, per_workspace: 200/min }

defaults:
  workspace: sandbox
  timezone: UTC
  timeout: 15s
  catchup: none
  start_deadline: 30s

jobs:
  # Succeeds, every eight seconds. Success means that the function returned and that `expect`
  # holds. `secret_kwargs` join the kwargs when the request is sent; the ledger shows "***".
  - name: hello
    description: Greets, and checks the greeting
    schedule: "*/8 * * * * *"        # six fields: the first is the second
    func_id: guance__openapi.test
    kwargs:
      workspace_uuid: wksp_demo
      your_name: "demo at {{ scheduled_at | date('%H:%M:%S') }}"
    secret_kwargs:
      workspace_token: { file: §token§ }
    expect:
      - "'Hello, demo' in result"

  # Fails as in the API document. Its sample request pastes the descriptions of arguments where
  # their values belong, and the function raises. The HTTP status of that is 200, the envelope says
  # `success: true`, and the failure is inside `content`: `funcron show` prints it. It is not tried
  # again, since a function that raised may have done half of its work.
  - name: sample-from-the-document
    description: The request of the API document, word for word
    schedule: "*/7 * * * * *"
    func_id: guance__openapi.test
    kwargs:
      workspace_token: {}
      workspace_uuid: {}
      your_name: { default: "OpenAPI 用户" }

  # Throttled once a minute: the first call with a new `id` is refused and says how long to wait.
  # funcron waits that long and sends the next attempt of the same run.
  - name: throttled-and-retried
    description: Shows a retry
    schedule: "*/6 * * * * *"
    func_id: sandbox__flaky.throttle_first
    kwargs:
      id: "{{ scheduled_at | date('%Y-%m-%d %H:%M') }}"
      n: 1
      wait_seconds: 1
    retry: { max_attempts: 3, initial_delay: 1s }

  # Takes five seconds and is due every four: each second tick finds the run before it at work
  # and is skipped, which is recorded too.
  - name: slow
    description: Takes longer than its interval
    schedule: "*/4 * * * * *"
    func_id: sandbox__slow.sleep
    kwargs: { seconds: 5 }
    overlap: skip
"##;
