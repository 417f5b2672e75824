//! Standard output and standard error: who reads, who has gone, what may never get there.

use std::process::Stdio;

use super::{Ended, Place, sample};

#[tokio::test]
async fn a_reader_that_has_gone_is_no_failure() {
    let place = Place::new();
    sample(&place).await;
    let url = place.url();
    for arguments in [
        &["history"][..],
        &["history", "-o", "jsonl"],
        &["show", "task-4G5qTZol2lW2"],
        &["schema"],
        &["completions", "zsh"],
        &["next", "--expr", "* * * * *", "-n", "10000"],
    ] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let ended: Ended = std::process::Command::new(assert_cmd::cargo::cargo_bin!("funcron"))
            .args(["--database", &url])
            .args(arguments)
            .stdout(Stdio::from(writer))
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
            .wait_with_output()
            .unwrap()
            .into();
        assert_eq!((ended.code, ended.err.as_str()), (0, ""), "{arguments:?}");
    }
}

#[tokio::test]
async fn an_output_that_cannot_be_written_is_a_failure_with_words() {
    let place = Place::new();
    sample(&place).await;
    let full = std::fs::OpenOptions::new()
        .write(true)
        .open("/dev/full")
        .unwrap();
    let ended: Ended = std::process::Command::new(assert_cmd::cargo::cargo_bin!("funcron"))
        .args(["--database", &place.url(), "history", "-o", "json"])
        .stdout(Stdio::from(full))
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
        .wait_with_output()
        .unwrap()
        .into();
    assert_eq!(ended.code, 1);
    assert!(
        ended
            .err
            .starts_with("error: writing to standard output: No space left"),
        "{}",
        ended.err
    );
}

#[tokio::test]
async fn closed_standard_streams_do_not_make_it_panic() {
    let place = Place::new();
    sample(&place).await;
    let binary = assert_cmd::cargo::cargo_bin!("funcron");
    let script = format!(
        "exec '{}' --database '{}' history >&- 2>&-",
        binary.display(),
        place.url()
    );
    let status = std::process::Command::new("sh")
        .args(["-c", &script])
        .status()
        .unwrap();
    assert!(matches!(status.code(), Some(0 | 1)), "{status}");
}

#[tokio::test]
async fn no_escape_sequence_of_a_server_reaches_the_terminal() {
    let place = Place::new();
    let ids = sample(&place).await;
    for arguments in [
        &["history"][..],
        &["show", &ids[4]],
        &["history", "-o", "json"],
        &["history", "-o", "jsonl"],
        &["show", &ids[4], "-o", "json"],
    ] {
        let out = place.read(arguments).ok();
        assert!(
            !out.contains('\u{1b}') && !out.contains('\u{7}'),
            "{arguments:?}: {out}"
        );
        assert!(out.contains("坏了"), "{arguments:?}: {out}");
    }
}

#[tokio::test]
async fn colours_are_for_terminals_or_on_demand() {
    let place = Place::new();
    sample(&place).await;
    assert!(!place.read(&["history"]).ok().contains('\u{1b}'));
    let colored = place.read(&["history", "--color", "always"]).ok();
    assert!(
        colored.contains("\u{1b}[38;5;1mfailed\u{1b}[39m"),
        "{colored}"
    );
    assert!(
        !place
            .read(&["history", "--color", "never"])
            .ok()
            .contains('\u{1b}')
    );
    let json = place
        .read(&["history", "--color", "always", "-o", "json"])
        .ok();
    assert!(!json.contains('\u{1b}'));
}
