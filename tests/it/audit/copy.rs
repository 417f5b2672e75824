//! Ledgers that a real engine wrote and somebody changed: each a copy, so that the house's own stays
//! whole.

use std::time::Duration;

use funcron::audit::{Circumstances, verify};
use funcron::config;
use funcron::store::audit::AuditReader;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection};
use tempfile::TempDir;

use crate::support::house::{House, OUTSIDE};

/// A copy of a house's ledger. Its connections are short, so that none outlives a test's patience.
pub(super) struct Copy {
    directory: TempDir,
}

impl Copy {
    /// Stops the daemon, and copies what it leaves.
    pub(super) fn of(house: &mut House) -> Self {
        house.stop(Duration::from_secs(5));
        let directory = TempDir::new().unwrap();
        let copy = Self { directory };
        std::fs::copy(house.folder().join("funcron.db"), copy.path()).unwrap();
        assert_eq!(copy.findings(), [""; 0], "what the engine wrote is whole");
        copy
    }

    fn path(&self) -> std::path::PathBuf {
        self.directory.path().join("funcron.db")
    }

    /// Runs statements without the checks that would refuse them.
    pub(super) fn execute(&self, sql: &str) {
        let options = SqliteConnectOptions::new()
            .filename(self.path())
            .foreign_keys(false);
        OUTSIDE.block_on(async {
            let mut connection = options.connect().await.unwrap();
            let query = sqlx::raw_sql(AssertSqlSafe(sql));
            query.execute(&mut connection).await.unwrap();
            connection.close().await.unwrap();
        });
    }

    /// The texts that a query answers with.
    pub(super) fn texts(&self, sql: &str) -> Vec<String> {
        let options = SqliteConnectOptions::new().filename(self.path());
        OUTSIDE.block_on(async {
            let mut connection = options.connect().await.unwrap();
            let query = sqlx::query_scalar(AssertSqlSafe(sql));
            let texts = query.fetch_all(&mut connection).await.unwrap();
            connection.close().await.unwrap();
            texts
        })
    }

    /// Puts another definition in the place of the one that the job ran by: as if a broken planner had
    /// made of it what is there.
    pub(super) fn had_been(&self, house: &House, job: &str) {
        let jobs = house.jobset_of(&[job.to_owned()]);
        let (name, job) = jobs.jobs.first_key_value().unwrap();
        let text = job.definition.to_string().replace('\'', "''");
        let hash = &job.hash;
        self.execute(&format!(
            "UPDATE job_versions SET definition = '{text}', definition_hash = '{hash}' WHERE job = '{name}';
             UPDATE jobs SET definition_hash = '{hash}' WHERE name = '{name}';
             UPDATE runs SET definition_hash = '{hash}' WHERE job = '{name}'"
        ));
    }

    /// What the audit finds: `list job instant: what`, and `#` where it names a run.
    pub(super) fn findings(&self) -> Vec<String> {
        let report = OUTSIDE.block_on(async {
            let mut reader = AuditReader::open(&self.path()).await.unwrap();
            let circumstances = Circumstances {
                daemon_alive: false,
                zone_data_now: &config::zone_data(),
            };
            verify(&mut reader, circumstances).await.unwrap()
        });
        let lists = report.lists();
        let found = lists.iter().flat_map(|(list, findings)| {
            findings.first.iter().map(move |finding| {
                let job = finding.job.as_deref().unwrap_or("-");
                let at = finding.scheduled_at.map(|at| at.to_string());
                let run = if finding.run_id.is_some() { " #" } else { "" };
                format!(
                    "{list} {job} {}{run}: {}",
                    at.unwrap_or_default().replace("2026-05-01T", ""),
                    finding.what
                )
            })
        });
        found.collect()
    }
}
