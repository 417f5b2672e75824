//! What `run` cannot start with: exit 78, so that systemd does not try again, and words that help.

use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use sqlx::Connection;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};

use super::{UNLIMITED, open_house};
use crate::support::daemon::Folder;
use crate::support::tls::Authority;

const NOWHERE: &str = "http://127.0.0.1:9";
const JOBS: &str = "defaults: { workspace: sandbox }\njobs:\n  - { name: a, func_id: sandbox__ok.echo, schedule: \"@manual\" }\n";

fn good() -> Folder {
    let folder = Folder::new();
    folder.configure(NOWHERE, UNLIMITED, JOBS);
    folder
}

/// What `run` says, without the folder's own path.
fn refused(folder: &Folder, arguments: &[&str]) -> String {
    let mut all = vec!["run"];
    all.extend(arguments);
    let ended = folder.run(&all);
    assert_eq!(ended.code, 78, "{}", ended.err);
    assert_eq!(ended.out, "");
    assert!(!ended.err.contains("ready"), "{}", ended.err);
    let here = format!("{}/", folder.path("").display()).replace("//", "/");
    ended.err.replace(&here, "")
}

#[test]
fn a_configuration_that_is_not_there() {
    let folder = Folder::new();
    assert_eq!(
        refused(&folder, &[]),
        "error: no configuration: neither ./jobs.yaml nor /etc/funcron/jobs.yaml is there; name one with --config or $FUNCRON_CONFIG\n"
    );
    let missing = refused(&folder, &["--config", "elsewhere.yaml"]);
    assert!(
        missing.contains("elsewhere.yaml: there is no such file"),
        "{missing}"
    );
    std::fs::create_dir(folder.path("jobs.yaml")).unwrap();
    let directory = refused(&folder, &[]);
    assert!(
        directory.contains("jobs.yaml: this is a directory"),
        "{directory}"
    );
}

#[test]
fn every_error_of_a_configuration_with_its_place() {
    let folder = Folder::new();
    folder.write(
        "jobs.yaml",
        "version: 1\n\
         workspaces:\n\
         \x20 prod: { site: cn11, api_key: { file: api.key } }\n\
         defaults: { workspace: prod, timezone: Asia/Shanghia }\n\
         jobs:\n\
         \x20 - { name: a, func_id: f, schedule: \"0 25 * * *\", tiemout: 60s }\n\
         \x20 - { name: a, func_id: f, schedule: \"0 0 30 2 *\" }\n",
    );
    let said = refused(&folder, &[]);
    for error in [
        "jobs.yaml:3:17: workspaces.prod.site: there is no site of this name; did you mean `cn1`? There is cn1, ",
        "jobs.yaml:4:40: defaults.timezone: there is no such time zone; did you mean `Asia/Shanghai`?",
        "jobs.yaml:6:41: jobs.a.schedule: hour field `25`: 25 is above 23",
        "jobs.yaml:6:52: jobs.a: unknown key `tiemout`; did you mean `timeout`?",
        "jobs.yaml:7:13: jobs.a.name: there is another job `a`; the first is at jobs.yaml:6; rename one",
        "jobs.yaml:7:39: jobs.a.schedule: `0 0 30 2 *` can never match",
    ] {
        assert_eq!(said.matches(error).count(), 1, "{error}\n{said}");
    }
    assert!(!folder.ledger().exists(), "a refused start made a ledger");
}

#[test]
fn secrets_that_are_missing_or_cannot_be_sent() {
    let folder = Folder::new();
    let jobs = "defaults: { workspace: sandbox }\njobs:\n  - { name: a, func_id: sandbox__ok.echo, schedule: \"@manual\", secret_kwargs: { token: { env: NO_SUCH_TOKEN } } }\n";
    for (key, said) in [
        (
            "{ env: NO_SUCH_KEY }",
            "workspaces.sandbox.api_key: env NO_SUCH_KEY: the variable is not set; ",
        ),
        (
            "{ file: nowhere.key }",
            "nowhere.key: cannot be read: entity not found; ",
        ),
        (
            "{ credential: prod }",
            "there are no credentials: $CREDENTIALS_DIRECTORY is not set; ",
        ),
        (
            "{ file: broken.key }",
            "an API key is of ASCII letters, digits and signs, without blanks and line breaks; ",
        ),
        (
            "{ file: short.key }",
            "a secret under 6 bytes cannot be struck out of replies; ",
        ),
    ] {
        folder.write("broken.key", "first-half\nsecond-half");
        folder.write("short.key", "short\n");
        folder.configure(NOWHERE, &format!("api_key: {key}"), jobs);
        let words = refused(&folder, &[]);
        assert!(words.starts_with("error: secrets are missing"), "{words}");
        assert!(words.contains(said), "{said}\n{words}");
        assert!(
            words.contains("jobs.a.secret_kwargs.token: ") && words.contains("NO_SUCH_TOKEN"),
            "all of them at once: {words}"
        );
        assert!(!words.contains("half"), "{words}");
    }
    assert!(!folder.ledger().exists(), "a refused start made a ledger");
}

#[tokio::test]
async fn ledgers_that_are_none() {
    let folder = good();
    folder.write("diary.db", "this is a diary, and a long one\n".repeat(100));
    folder.write("file", "");
    std::fs::create_dir(folder.path("directory.db")).unwrap();
    let options = SqliteConnectOptions::new()
        .filename(folder.path("music.db"))
        .create_if_missing(true);
    let mut music = SqliteConnection::connect_with(&options).await.unwrap();
    sqlx::raw_sql("CREATE TABLE music (id INTEGER)")
        .execute(&mut music)
        .await
        .unwrap();
    music.close().await.unwrap();
    let bytes = std::fs::read(folder.path("music.db")).unwrap();
    for (file, said) in [
        (
            "nowhere/funcron.db",
            "no such file or directory; the daemon makes the file, but not its directory",
        ),
        (
            "file/funcron.db",
            "no such file or directory; the daemon makes the file, but not its directory",
        ),
        (
            "directory.db",
            "the file is no funcron ledger; name another file, or move this one away",
        ),
        (
            "diary.db",
            "the file is no funcron ledger; name another file, or move this one away",
        ),
        (
            "music.db",
            "the file is no funcron ledger; name another file, or move this one away",
        ),
    ] {
        let words = refused(&folder, &["--database", &format!("sqlite:{file}")]);
        assert!(
            words.starts_with("error: ") && words.contains(&format!("{file}: {said}")),
            "{words}"
        );
    }
    assert_eq!(
        std::fs::read(folder.path("music.db")).unwrap(),
        bytes,
        "another program's database was touched"
    );
    let words = refused(&folder, &["--database", "postgres://localhost/funcron"]);
    assert!(
        words.contains("--database: PostgreSQL is not supported yet"),
        "{words}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_ledger_of_a_later_release() {
    let sandbox = open_house().await;
    let folder = Folder::new();
    folder.configure(&sandbox.base_url(), UNLIMITED, JOBS);
    folder.start().await.stop().await;
    let options = SqliteConnectOptions::new().filename(folder.ledger());
    let mut later = SqliteConnection::connect_with(&options).await.unwrap();
    sqlx::raw_sql("INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) VALUES (99, 'later', 1, x'00', 0)")
        .execute(&mut later)
        .await
        .unwrap();
    later.close().await.unwrap();
    let bytes = std::fs::read(folder.ledger()).unwrap();
    let words = refused(&folder, &[]);
    assert!(
        words.contains("a later release of funcron wrote it (schema 99, this release knows up to "),
        "{words}"
    );
    assert!(words.contains("install that release again"), "{words}");
    assert!(
        bytes == std::fs::read(folder.ledger()).unwrap(),
        "it was touched"
    );
}

/// The binary, run by somebody to whom permissions mean something.
fn by_nobody(folder: &Folder) -> Command {
    std::fs::set_permissions(folder.path("."), std::fs::Permissions::from_mode(0o755)).unwrap();
    let is_root = Command::new("id").arg("-u").output().unwrap().stdout == b"0\n";
    if !is_root {
        return folder.command(&[]);
    }
    // Root may read and write everything; the binary must be found by somebody who may not.
    std::fs::copy(env!("CARGO_BIN_EXE_funcron"), folder.path("funcron")).unwrap();
    let mut command = Command::new("setpriv");
    command.args([
        "--reuid=65534",
        "--regid=65534",
        "--clear-groups",
        "./funcron",
    ]);
    folder.at_home(&mut command);
    command
}

#[test]
fn a_ca_file_that_may_not_be_read() {
    let folder = Folder::new();
    folder.configure(NOWHERE, &format!("{UNLIMITED}, ca_file: ca.pem"), JOBS);
    folder.write("ca.pem", Authority::new().pem());
    let shut = std::fs::Permissions::from_mode(0o000);
    std::fs::set_permissions(folder.path("ca.pem"), shut).unwrap();
    for (verb, code) in [("validate", 2), ("run", 78)] {
        let mut command = by_nobody(&folder);
        command.arg(verb);
        let ended = folder.end(command);
        assert_eq!(ended.code, code, "{}", ended.err);
        let words = "workspaces.sandbox.ca_file: the file may not be read; make it readable for the daemon's user";
        assert!(ended.err.contains(words), "{}", ended.err);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_directory_that_may_not_be_written() {
    let folder = good();
    let closed = folder.path("closed");
    std::fs::create_dir(&closed).unwrap();
    std::fs::set_permissions(&closed, std::fs::Permissions::from_mode(0o555)).unwrap();
    let mut command = by_nobody(&folder);
    command.args(["run", "--database", "sqlite:closed/funcron.db"]);
    let ended = folder.end(command);
    assert_eq!(ended.code, 78, "{}", ended.err);
    assert!(
        ended.err.contains("closed/funcron.db: permission denied or read-only; the daemon needs to write the file and its directory"),
        "{}",
        ended.err
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_missing_ledger_is_made_for_its_owner_and_the_readers_of_its_group() {
    let folder = good();
    let mut command = Command::new("sh");
    command.args([
        "-c",
        "umask 0; exec \"$0\" run",
        env!("CARGO_BIN_EXE_funcron"),
    ]);
    folder.at_home(&mut command);
    let daemon = crate::support::daemon::Daemon::spawn(command);
    daemon.said("ready: scheduling").await;
    for file in [
        "funcron.db",
        "funcron.db-wal",
        "funcron.db-shm",
        "funcron.db.lock",
    ] {
        let mode = std::fs::metadata(folder.path(file))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o640, "{file}");
    }
    daemon.stop().await;
}
