//! Canaries: secrets that the remote echoes wherever it can are found nowhere (guarantee G6).

use std::path::Path;

use super::open_house;
use crate::support::daemon::{Daemon, Folder};
use crate::support::raw_server::RawServer;

/// The key has what JSON escapes; no line break, which no header could carry.
const KEY: &str = r#"CANARY-key-"\q-0123456789-TAIL91"#;

/// The token has more of it.
const TOKEN: &str = "CANARY-token-\"\\\u{7}\n观测云/0123456789-TAIL91";

/// What begins and what ends every canary: a prefix of six characters counts as found.
const TRACES: [&str; 2] = ["CANARY", "TAIL91"];

fn no_canary(where_: &str, text: &[u8]) {
    for trace in TRACES {
        let found = text
            .windows(trace.len())
            .position(|window| window == trace.as_bytes());
        if let Some(at) = found {
            let around = &text[at.saturating_sub(200)..text.len().min(at + 100)];
            panic!("{where_}: {}", String::from_utf8_lossy(around));
        }
    }
}

fn no_canary_in_file(path: &Path) {
    no_canary(&path.display().to_string(), &std::fs::read(path).unwrap());
}

/// Replies that show the key to whoever keeps them.
fn echoes_of_the_key() -> Vec<String> {
    let quoted = serde_json::Value::from(KEY).to_string();
    let twice = serde_json::Value::from(quoted.as_str()).to_string();
    let reply = |status: &str, headers: &str, body: &str| {
        format!(
            "HTTP/1.1 {status}\r\n{headers}content-length: {}\r\nconnection: close\r\n\r\n{body}",
            body.len()
        )
    };
    vec![
        reply(
            "200 OK",
            "",
            &format!(
                r#"{{"code":200,"success":true,"errorCode":"","message":{quoted},"traceId":{quoted},"content":{{"ok":false,"reason":{quoted},"error":{quoted},"message":{twice},"traceId":{quoted},"detail":{{"id":{quoted},"reqDump":{{"headers":{{"df-api-key":{quoted}}},"bodyDump":{twice}}}}},"reqCost":{quoted}}}}}"#
            ),
        ),
        reply(
            "401 Unauthorized",
            "",
            &format!(r#"{{"code":401,"success":false,"errorCode":{quoted},"message":{quoted}}}"#),
        ),
        reply("302 Found", &format!("location: /x?key={KEY}\r\n"), KEY),
        reply("500 Internal Server Error", "", KEY),
        reply(
            "200 OK",
            &format!("retry-after: {KEY}\r\nx-echo: {KEY}\r\n"),
            KEY,
        ),
        reply("200 OK", "content-encoding: gzip\r\n", KEY),
        reply(&format!("200 {KEY}"), "", &format!("{{\"{KEY}")),
        format!("{KEY}\r\n\r\n"),
        format!("HTTP/1.1 200 OK\r\ncontent-length: {KEY}\r\n\r\n"),
    ]
}

/// Functions of the sandbox that repeat an argument, each in another place of its reply.
fn echoes_of_the_token() -> Vec<String> {
    let token = "{ env: TOKEN_OF_THE_TEST }";
    let job = |name: &str, function: &str, more: &str| {
        format!(
            "  - {{ name: {name}, workspace: sandbox, func_id: {function}, schedule: \"* * * * * *\", {more} }}\n"
        )
    };
    let secret = |arguments: &[&str]| {
        let pairs: Vec<String> = arguments
            .iter()
            .map(|name| format!("{name}: {token}"))
            .collect();
        format!("secret_kwargs: {{ {} }}", pairs.join(", "))
    };
    let mut jobs = vec![
        job("echo", "sandbox__ok.echo", &secret(&["token"])),
        job(
            "json",
            "sandbox__ok.echo",
            &format!("return_type: jsonDumps, {}", secret(&["token"])),
        ),
        job("message", "sandbox__fail.raise", &secret(&["message"])),
        job(
            "reason",
            "sandbox__fail.reason",
            &secret(&["reason", "message"]),
        ),
        job(
            "gateway",
            "sandbox__gateway.error",
            &secret(&["error_code", "message"]),
        ),
        job("stranger", "sandbox__ok.null", &secret(&["stranger"])),
        job(
            "throttled",
            "sandbox__flaky.throttle_first",
            &secret(&["id"]),
        ),
        job("nowhere", "sandbox__http.redirect", &secret(&["to"])),
        job(
            "expected",
            "sandbox__ok.value",
            &format!(
                "expect: [\"result == 'another'\", \"result.x.y\"], {}",
                secret(&["value"])
            ),
        ),
    ];
    // The engine's dump of a request ends after 1000 characters, wherever that is.
    for filler in (900..1000).step_by(7) {
        jobs.push(job(
            &format!("cut-{filler}"),
            "sandbox__fail.raise",
            &format!(
                "kwargs: {{ message: \"{}\" }}, {}",
                "x".repeat(filler - 60),
                secret(&["token"])
            ),
        ));
    }
    jobs
}

async fn everything_is_clean(format: &str, filter: &str) {
    let sandbox = open_house().await;
    let folder = Folder::new();
    let mut workspaces = format!(
        "  sandbox: {{ base_url: \"{}\", api_key: {{ env: KEY_OF_THE_TEST }}, quota: none }}\n",
        sandbox.base_url()
    );
    let mut jobs = echoes_of_the_token();
    let mut servers = Vec::new();
    for (n, reply) in echoes_of_the_key().into_iter().enumerate() {
        let server = RawServer::replying(reply).await;
        workspaces.push_str(&format!(
            "  raw-{n}: {{ base_url: \"{}\", api_key: {{ env: KEY_OF_THE_TEST }}, quota: none }}\n",
            server.url()
        ));
        jobs.push(format!(
            "  - {{ name: raw-{n}, workspace: raw-{n}, func_id: echo__raw.f, schedule: \"* * * * * *\" }}\n"
        ));
        servers.push(server);
    }
    folder.write(
        "jobs.yaml",
        format!(
            "version: 1\ndatabase: sqlite://funcron.db\nworkspaces:\n{workspaces}\
             defaults: {{ timeout: 5s, retry: {{ max_attempts: 1 }} }}\njobs:\n{}",
            jobs.concat()
        ),
    );
    let with_secrets = |arguments: &[&str]| {
        let mut command = folder.command(arguments);
        command
            .env("KEY_OF_THE_TEST", KEY)
            .env("TOKEN_OF_THE_TEST", TOKEN)
            .env("FUNCRON_LOG", filter);
        command
    };
    let daemon = Daemon::spawn(with_secrets(&["run", "--log-format", format]));
    daemon.said("ready: scheduling").await;
    folder
        .until::<(i64,)>(&format!(
            "SELECT count(DISTINCT run_id) FROM attempts WHERE outcome IS NOT NULL \
             GROUP BY 'all' HAVING count(DISTINCT (SELECT job FROM runs WHERE id = run_id)) = {}",
            jobs.len()
        ))
        .await;
    // The canaries did go out, and did come back.
    assert!(
        sandbox
            .log()
            .iter()
            .any(|call| call.body.contains("CANARY-token"))
    );
    assert!(
        servers
            .iter()
            .all(|server| server.requests()[0].contains(KEY))
    );

    for file in [
        "funcron.db",
        "funcron.db-wal",
        "funcron.db-shm",
        "funcron.db.lock",
    ] {
        no_canary_in_file(&folder.path(file));
    }
    no_canary_in_file(Path::new(&format!("/proc/{}/cmdline", daemon.pid())));
    no_canary_in_file(Path::new(&format!("/proc/{}/comm", daemon.pid())));
    let log = daemon.stop().await;
    assert!(log.contains("raw-0") && log.contains("cut-900"));
    no_canary("the log", log.as_bytes());
    no_canary_in_file(folder.ledger());
    for (what, many) in [("executions", "request"), ("executions", "response")] {
        let starred = folder
            .count(&format!(
                "SELECT count(*) FROM {what} WHERE {many} LIKE '%***%'"
            ))
            .await;
        assert!(
            starred > 10,
            "{starred}: nothing was struck out of any {many}"
        );
    }

    let runs: Vec<(String,)> = folder
        .rows("SELECT run_id FROM executions WHERE attempt = 1 GROUP BY job")
        .await;
    for output in ["table", "json", "jsonl", "csv"] {
        let mut commands = vec![
            vec!["history", "-n", "1000"],
            vec!["list"],
            vec!["validate"],
            vec!["audit", "verify"],
        ];
        commands.extend(runs.iter().map(|(run,)| vec!["show", run.as_str()]));
        for mut command in commands {
            command.extend(["-o", output]);
            let ended = folder.end(with_secrets(&command));
            assert_eq!(ended.code, 0, "{command:?}: {}", ended.err);
            no_canary(&format!("{command:?}"), ended.out.as_bytes());
            no_canary(&format!("{command:?}"), ended.err.as_bytes());
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_canary_is_found_with_logs_as_text_at_their_loudest() {
    everything_is_clean("text", "trace").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_canary_is_found_with_logs_as_json() {
    everything_is_clean("json", "funcron=trace,info").await;
}
