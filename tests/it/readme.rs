//! The README's words, tried: every query runs in the system's own `sqlite3` and finds what it is
//! for; every command exists; the example is a configuration.

use std::path::Path;
use std::process::Command;

use crate::support::ledger::sample;

const README: &str = include_str!("../../README.md");

/// The contents of the README's blocks in `language`.
fn blocks(language: &str) -> Vec<&'static str> {
    let opening = format!("```{language}\n");
    let parts = README.split(opening.as_str()).skip(1);
    parts
        .map(|part| part.split("```").next().unwrap().trim())
        .collect()
}

fn ask(database: &Path, query: &str) -> String {
    let output = Command::new("sqlite3")
        .args(["-readonly", "-bail", "-separator", "|"])
        .arg(database)
        .arg(query)
        .output()
        .expect("tests/run installs sqlite3");
    assert!(
        output.status.success(),
        "{query}\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}

#[tokio::test]
async fn each_query_finds_what_it_is_for() {
    let dir = tempfile::tempdir().unwrap();
    let database = dir.path().join("funcron.db");
    let runs = sample(&database).await;
    let queries = blocks("sql");
    // The sample's past is one day; the README asks for other days.
    let on_that_day = |query: &str| {
        query
            .replace("unixepoch()", "unixepoch('2026-11-24 12:00:00')")
            .replace("2026-11-14", "2026-11-24")
    };
    let answers: Vec<String> = queries
        .iter()
        .map(|query| ask(&database, &on_that_day(query)))
        .collect();
    let expected: [&[&str]; 10] = [
        &[
            "2026-11-24T02:00:00.000Z|success||1|2026-11-24T02:00:00.032Z|401|throttled|请求过于频繁|",
            "|success||2|",
        ],
        &["nightly-report|2026-11-24T05:30:00.000Z|skipped|overlap"],
        &["sync-users|2026-11-24T03:00:00.000Z|no_reply|"],
        &[&format!(
            "{}|sync-users|2026-11-24T04:00:00.000Z|1|func_failed|Calling Function failed",
            runs[3]
        )],
        &["sync-users|"],
        &["guance__openapi.test|2|82|41.0|41|63.0"],
        &[
            "func_failed|EFuncFailed||Calling Function failed|1|",
            "throttled||ft.TriggerApiAkCurrentLimiting|请求过于频繁|1|",
        ],
        &["nightly-report|2026-11-24T02:00:00.000Z|success|2|throttled → success"],
        &["nightly-report|32.0|32"],
        &[&format!("{}|2026-11-24T02:00:00.000Z|{{", runs[1])],
    ];
    assert_eq!(answers.len(), expected.len(), "ten questions");
    for ((query, answer), expected) in queries.iter().zip(&answers).zip(expected) {
        for piece in expected {
            assert!(
                answer.contains(piece),
                "{query}\n--- wants\n{piece}\n--- has\n{answer}"
            );
        }
    }
}

#[test]
fn the_example_is_a_configuration() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("jobs.yaml");
    std::fs::write(&path, blocks("yaml").first().unwrap()).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_funcron"))
        .arg("validate")
        .arg("-c")
        .arg(&path)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    assert!(
        String::from_utf8_lossy(&output.stdout).contains("nightly-report"),
        "{said}"
    );
}

#[test]
fn the_packaged_example_is_valid_where_no_key_is_set() {
    let output = Command::new(env!("CARGO_BIN_EXE_funcron"))
        .args(["validate", "-c", "jobs.example.yaml"])
        .env_clear()
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

#[test]
fn every_command_that_is_named_exists() {
    for line in blocks("sh").iter().flat_map(|block| block.lines()) {
        let Some(words) = line
            .split('#')
            .next()
            .unwrap()
            .trim()
            .strip_prefix("funcron ")
        else {
            continue;
        };
        let words = words.split(" > ").next().unwrap();
        let output = Command::new(env!("CARGO_BIN_EXE_funcron"))
            .args(words.split_whitespace())
            .arg("--help")
            .output()
            .unwrap();
        assert!(output.status.success(), "{line}");
    }
}

#[test]
fn files_that_are_named_are_there() {
    for word in README.split(|c: char| "()`, |\n".contains(c)) {
        let is_path = ["src/", "tests/", "systemd/"]
            .iter()
            .any(|root| word.starts_with(root));
        if is_path {
            assert!(Path::new(word.trim_end_matches('.')).exists(), "{word}");
        }
    }
}
