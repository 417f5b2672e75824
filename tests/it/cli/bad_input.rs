//! Bad input: the right exit code, and words that say what was being done, where, and what to do.

use sqlx::Connection;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};

use super::{Ended, JOBS, Place, sample};

/// The first line of what it says, without the place's own path.
fn words(place: &Place, ended: Ended, code: i32) -> String {
    let words = ended.refused(code);
    let here = format!("{}/", place.dir.path().display());
    words
        .replace(&here, "")
        .lines()
        .next()
        .unwrap_or_default()
        .to_owned()
}

#[test]
fn configurations_that_cannot_be_read() {
    let place = Place::new();
    std::fs::create_dir(place.path("directory.yaml")).unwrap();
    place.write("empty.yaml", "");
    place.write("garbage.yaml", b"\x00\xff\xfe\x80\x81garbage".repeat(100));
    place.write("file", "");
    place.write("list.yaml", "- a\n- b\n");
    for (file, said) in [
        ("nowhere.yaml", "there is no such file"),
        ("directory.yaml", "this is a directory"),
        ("file/jobs.yaml", "Not a directory"),
        ("empty.yaml", "empty"),
        ("garbage.yaml", "UTF-8"),
        ("list.yaml", "map"),
    ] {
        for command in ["validate", "list", "next", "history"] {
            let ended = place.run(&[command, "--config", file]);
            let words = words(&place, ended, 2);
            assert!(
                words.contains(file) && words.contains(said),
                "{command} {file}: {words}"
            );
        }
    }
}

#[test]
fn no_configuration_at_all() {
    let place = Place::new();
    for command in ["validate", "list", "next"] {
        let words = words(&place, place.run(&[command]), 2);
        assert_eq!(
            words,
            "error: no configuration: neither ./jobs.yaml nor /etc/funcron/jobs.yaml is there; name one with --config or $FUNCRON_CONFIG"
        );
    }
}

#[test]
fn zones_and_dates_that_do_not_exist() {
    let place = Place::new();
    for (arguments, said) in [
        (
            &["--timezone", "Asia/Shanghia"][..],
            "error: --timezone: the time zone `Asia/Shanghia` is unknown; did you mean `Asia/Shanghai`?",
        ),
        (
            &["--from", "2026-02-30T00:00:00Z"],
            "error: invalid value '2026-02-30T00:00:00Z' for '--from <TIME>': ",
        ),
        (
            &["--from", "2026-02-20"],
            "error: invalid value '2026-02-20' for '--from <TIME>': an instant wants its offset from UTC",
        ),
        (
            &["-n", "0"],
            "error: invalid value '0' for '--number <FIRES>': 0 is not in 1..=10000",
        ),
    ] {
        let mut all = vec!["next", "--expr", "0 9 * * *"];
        all.extend(arguments);
        let words = words(&place, place.run(&all), 2);
        assert!(words.starts_with(said), "{words}");
    }
    let never = words(&place, place.run(&["next", "--expr", "0 0 30 2 *"]), 2);
    assert!(never.contains("never"), "{never}");
}

#[tokio::test]
async fn ledgers_that_are_none() {
    let place = Place::new();
    place.write("jobs.yaml", JOBS);
    place.write("empty.db", "");
    place.write("text.db", "this is a diary, and a long one\n".repeat(100));
    std::fs::create_dir(place.path("directory.db")).unwrap();
    let options = SqliteConnectOptions::new()
        .filename(place.path("other.db"))
        .create_if_missing(true);
    let mut other = SqliteConnection::connect_with(&options).await.unwrap();
    sqlx::raw_sql("CREATE TABLE music (id INTEGER)")
        .execute(&mut other)
        .await
        .unwrap();
    other.close().await.unwrap();
    for (file, said) in [
        ("nowhere/funcron.db", "no such file or directory"),
        ("nowhere.db", "no such file or directory"),
        ("jobs.yaml/funcron.db", "no such file or directory"),
        ("directory.db", "is no funcron ledger"),
        ("empty.db", "is no funcron ledger"),
        ("text.db", "is no funcron ledger"),
        ("other.db", "is no funcron ledger"),
    ] {
        for command in [
            &["history"][..],
            &["show", "0199e3b2"],
            &["list"],
            &["audit", "verify"],
        ] {
            let url = format!("sqlite:{file}");
            let mut all = vec!["--database", &url];
            all.extend(command);
            let words = words(&place, place.run(&all), 1);
            assert!(
                words.starts_with("error: ") && words.contains(file) && words.contains(said),
                "{command:?}: {words}"
            );
        }
        let is_new = place.path(file).exists()
            == ["directory.db", "empty.db", "text.db", "other.db"].contains(&file);
        assert!(is_new, "a reader made {file}");
    }
}

#[tokio::test]
async fn a_ledger_of_a_later_release() {
    let place = Place::new();
    sample(&place).await;
    let options = SqliteConnectOptions::new().filename(place.ledger());
    let mut connection = SqliteConnection::connect_with(&options).await.unwrap();
    sqlx::raw_sql("INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) VALUES (99, 'later', 1, x'00', 0)")
        .execute(&mut connection)
        .await
        .unwrap();
    connection.close().await.unwrap();
    let words = words(&place, place.read(&["history"]), 1);
    assert!(
        words.contains(
            "funcron.db: a later release of funcron wrote it (schema 99, this release knows up to "
        ),
        "{words}"
    );
}

#[test]
fn addresses_of_ledgers_that_are_none() {
    let place = Place::new();
    for (url, said) in [
        ("/var/lib/funcron.db", "wants the address of a SQLite file"),
        ("postgres://localhost/funcron", "not supported yet"),
        ("sqlite::memory:", "must be a file"),
    ] {
        let words = words(&place, place.run(&["--database", url, "history"]), 2);
        assert!(
            words.starts_with("error: --database: ") && words.contains(said),
            "{words}"
        );
    }
    let mut command = place.command(&["history"]);
    let ended: Ended = command
        .env("FUNCRON_DATABASE", "nonsense")
        .output()
        .unwrap()
        .into();
    assert!(words(&place, ended, 2).starts_with("error: $FUNCRON_DATABASE: "));
}

#[test]
fn slips_of_the_finger_are_understood() {
    let place = Place::new();
    for (arguments, said) in [
        (&["histroy"][..], "'history'"),
        (&["audit", "verfiy"], "'verify'"),
        (&["history", "--trace_id", "x"], "'--trace-id'"),
        (&["history", "--state", "faild"], "'failed'"),
        (&["history", "--reason", "deamon_down"], "'daemon_down'"),
        (&["history", "--since", "24"], "24h or 24d"),
        (&["history", "--label", "team"], "KEY=VALUE"),
        (&["history", "-o", "yaml"], "table, json, jsonl, csv"),
        (&["next", "Job", "--expr", "* * * * *"], "no name of a job"),
        (&[], "Usage: funcron"),
    ] {
        let words = place.run(arguments).refused(2);
        assert!(words.contains(said), "{arguments:?}: {words}");
    }
}

/// What minijinja compiles of one takes ten kilobytes; the promise is 300 MB for any file.
#[test]
fn fifty_thousand_templates_are_checked_within_the_memory_promised() {
    let place = Place::new();
    let templates: String = (0..50_000)
        .map(|n| format!("        - \"{{{{ {n} }}}}\"\n"))
        .collect();
    place.write(
        "jobs.yaml",
        format!(
            "version: 1\nworkspaces:\n  prod: {{ site: cn1, api_key: {{ env: K }} }}\njobs:\n  - name: a\n    workspace: prod\n    func_id: a__b.c\n    schedule: '@manual'\n    kwargs:\n      list:\n{templates}"
        ),
    );
    let program = assert_cmd::cargo::cargo_bin!("funcron");
    let limited = "ulimit -d 300000; exec \"$0\" validate -q";
    let ended = std::process::Command::new("sh")
        .args(["-c", limited])
        .arg(program)
        .current_dir(place.dir.path())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&ended.stderr);
    assert_eq!(ended.status.code(), Some(0), "{said}");
}

#[tokio::test]
async fn where_no_socket_could_be_that_is_said_and_the_status_comes_from_the_ledger() {
    let place = Place::new();
    sample(&place).await;
    let url = place.url();
    let run = |arguments: &[&str]| -> Ended {
        let mut command = place.command(&["--database", &url]);
        for name in ["RUNTIME_DIRECTORY", "XDG_RUNTIME_DIR"] {
            command.env_remove(name);
        }
        command.args(arguments).output().unwrap().into()
    };
    // On a machine with an installed daemon there is a place, and another sentence.
    if std::path::Path::new("/run/funcron").exists() {
        return;
    }
    let paused = run(&["pause", "--all"]).refused(4);
    assert!(
        paused.contains("--socket PATH or $FUNCRON_SOCKET"),
        "{paused}"
    );
    let status = run(&["status", "-o", "csv"]);
    assert_eq!(status.code, 4);
    assert!(
        status
            .out
            .starts_with("running,holder,ledger,planned_through\r\nfalse,,"),
        "{}",
        status.out
    );
}
