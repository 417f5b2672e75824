//! The binary, as a person or a script meets it: what it prints where, and how it exits.

use std::path::Path;
use std::process::Output;

use assert_cmd::Command;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection};

mod audit;
mod backup;
mod bad_input;
mod ca_file;
mod calendar;
mod demo;
mod doctor;
mod export;
mod help;
mod history;
mod list;
mod next;
mod prune;
mod show;
mod stats;
mod streams;
mod validate;

/// A directory, and the binary in it with an environment of its own.
struct Place {
    dir: tempfile::TempDir,
}

/// How a command ended.
struct Ended {
    code: i32,
    out: String,
    err: String,
}

impl Place {
    fn new() -> Self {
        Self {
            dir: tempfile::tempdir().unwrap(),
        }
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.dir.path().join(name)
    }

    fn write(&self, name: &str, text: impl AsRef<[u8]>) {
        std::fs::write(self.path(name), text).unwrap();
    }

    /// The ledger's address.
    fn url(&self) -> String {
        format!("sqlite://{}", self.path("funcron.db").display())
    }

    /// The binary without the variables that it reads, and without a configuration of the machine's.
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(assert_cmd::cargo::cargo_bin!("funcron"));
        command.current_dir(self.dir.path()).args(arguments);
        for name in [
            "FUNCRON_CONFIG",
            "FUNCRON_DATABASE",
            "FUNCRON_SOCKET",
            "FUNCRON_LOG",
            "NO_COLOR",
            "DF_API_KEY",
        ] {
            command.env_remove(name);
        }
        command
    }

    fn run(&self, arguments: &[&str]) -> Ended {
        self.command(arguments).output().unwrap().into()
    }

    /// A command that reads the ledger of this place.
    fn read(&self, arguments: &[&str]) -> Ended {
        let url = self.url();
        let mut all = vec!["--database", &url];
        all.extend(arguments);
        self.run(&all)
    }

    fn ledger(&self) -> std::path::PathBuf {
        self.path("funcron.db")
    }

    /// Changes the ledger behind everybody's back.
    async fn change(&self, sql: &'static str) {
        let options = SqliteConnectOptions::new().filename(self.ledger());
        let mut connection = options.connect().await.unwrap();
        sqlx::raw_sql(sql).execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();
    }
}

impl From<Output> for Ended {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code().expect("it was not killed"),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

impl Ended {
    /// What it printed, where it ended well.
    fn ok(self) -> String {
        assert_eq!(self.code, 0, "{}{}", self.out, self.err);
        self.out
    }

    /// What it printed as JSON, where it ended well.
    fn json(self) -> serde_json::Value {
        serde_json::from_str(&self.ok()).unwrap()
    }

    /// What it said, where it ended with this code and without an answer.
    fn refused(self, code: i32) -> String {
        assert_eq!(self.code, code, "{}{}", self.out, self.err);
        assert_eq!(self.out, "");
        self.err
    }
}

/// A configuration of two jobs, one of them disabled.
const JOBS: &str = r#"version: 1
database: sqlite://funcron.db
workspaces:
  prod: { site: cn1, api_key: { env: DF_API_KEY } }
defaults: { workspace: prod }
jobs:
  - name: nightly-report
    func_id: guance__openapi.test
    schedule: "0 2 * * *"
    timezone: Asia/Shanghai
    labels: { team: sre }
  - name: paused-sync
    enabled: false
    func_id: guance__openapi.test
    schedule: "@every 30s"
"#;

async fn sample(place: &Place) -> Vec<String> {
    let ids = crate::support::ledger::sample(Path::new(&place.ledger())).await;
    ids.iter().map(ToString::to_string).collect()
}
