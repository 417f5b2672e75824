//! A ledger made with the migration and filled by SQL, so that nothing of the product's own writing
//! is between the test and the auditor.

use std::path::PathBuf;

use funcron::audit::{Circumstances, Report, verify};
use funcron::store::audit::AuditReader;
use jiff::Timestamp;
use serde_json::json;
use sha2::{Digest, Sha256};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteSynchronous};
use sqlx::{AssertSqlSafe, ConnectOptions};
use tempfile::TempDir;

/// The zone data that the ledgers of these tests were planned with.
pub(super) const ZONE_DATA: &str = "2026f";

pub(super) struct Ledger {
    directory: TempDir,
    writer: SqliteConnection,
}

/// A definition's canonical text, or something near enough to it.
pub(super) fn definition(job: &str, schedule: &str, zone: &str, gap: &str) -> String {
    json!({
        "name": job,
        "enabled": true,
        "workspace": "prod",
        "func_id": "guance__openapi.test",
        "schedule": [schedule],
        "timezone": zone,
        "dst": { "gap": gap, "overlap": "first" },
    })
    .to_string()
}

pub(super) fn sha256(text: &str) -> String {
    let digest = Sha256::digest(text);
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// An instant of 1 May 2026 UTC, or one written out, in microseconds.
pub(super) fn us(at: &str) -> i64 {
    let at = if at.len() == 5 {
        format!("2026-05-01T{at}:00Z")
    } else {
        at.to_owned()
    };
    at.parse::<Timestamp>().unwrap().as_microsecond()
}

impl Ledger {
    /// An empty ledger.
    pub(super) async fn empty() -> Self {
        let directory = TempDir::new().unwrap();
        let mut writer = SqliteConnectOptions::new()
            .filename(directory.path().join("ledger.db"))
            .create_if_missing(true)
            .foreign_keys(false)
            .synchronous(SqliteSynchronous::Off)
            .connect()
            .await
            .unwrap();
        sqlx::migrate!("migrations/sqlite")
            .run(&mut writer)
            .await
            .unwrap();
        Self { directory, writer }
    }

    /// A whole ledger: the job `report`, due every five minutes, planned from 00:00 to 01:00; its
    /// twelve runs succeeded with one attempt each. Run and attempt 1 are of 00:05.
    pub(super) async fn whole() -> Self {
        let mut ledger = Self::empty().await;
        let text = definition("report", "*/5 * * * *", "UTC", "run_after");
        ledger.job("report", &text, "00:00", "01:00").await;
        for number in 1..=12 {
            let scheduled_us = us("00:00") + number * 300_000_000;
            ledger.run(number, "report", &text, scheduled_us).await;
            ledger
                .set(number, "state = 'success', reason = NULL, finished_us = due_us + 9, opened_us = due_us, attempts = 1, counted = 1")
                .await;
            ledger.attempt(number, 1, "success").await;
        }
        ledger
    }

    pub(super) fn path(&self) -> PathBuf {
        self.directory.path().join("ledger.db")
    }

    /// Runs statements as they are.
    pub(super) async fn execute(&mut self, sql: &str) {
        sqlx::raw_sql(AssertSqlSafe(sql))
            .execute(&mut self.writer)
            .await
            .unwrap();
    }

    /// A loaded job with one open definition.
    pub(super) async fn job(&mut self, job: &str, text: &str, from: &str, planned: &str) {
        sqlx::query("INSERT INTO jobs VALUES ($1, $2, 1)")
            .bind(job)
            .bind(sha256(text))
            .execute(&mut self.writer)
            .await
            .unwrap();
        sqlx::query("INSERT INTO planner VALUES (1, $1, $1) ON CONFLICT (id) DO UPDATE SET planned_us = max(planned_us, excluded.planned_us), reached_us = max(reached_us, excluded.reached_us)")
            .bind(us(planned))
            .execute(&mut self.writer)
            .await
            .unwrap();
        self.version(job, text, from, None).await;
    }

    /// A definition and its interval.
    pub(super) async fn version(&mut self, job: &str, text: &str, from: &str, until: Option<&str>) {
        sqlx::query("INSERT INTO job_versions (job, definition_hash, definition, zone_data, from_us, until_us) VALUES ($1, $2, $3, $4, $5, $6)")
            .bind(job)
            .bind(sha256(text))
            .bind(text)
            .bind(ZONE_DATA)
            .bind(us(from))
            .bind(until.map(us))
            .execute(&mut self.writer)
            .await
            .unwrap();
    }

    /// A run of a tick that was missed.
    pub(super) async fn run(&mut self, number: i64, job: &str, text: &str, scheduled_us: i64) {
        sqlx::query("INSERT INTO runs (id, job, trigger, scheduled_us, due_us, state, reason, definition_hash, workspace, func_id, created_us, finished_us, attempts, counted) VALUES ($1, $2, 'schedule', $3, $3, 'missed', 'daemon_down', $4, 'prod', 'guance__openapi.test', $3, $3, 0, 0)")
            .bind(id(number))
            .bind(job)
            .bind(scheduled_us)
            .bind(sha256(text))
            .execute(&mut self.writer)
            .await
            .unwrap();
    }

    /// Changes a run.
    pub(super) async fn set(&mut self, number: i64, assignments: &str) {
        let id = id(number);
        self.execute(&format!("UPDATE runs SET {assignments} WHERE id = '{id}'"))
            .await;
    }

    /// Changes the attempts of a run.
    pub(super) async fn set_attempts(&mut self, number: i64, assignments: &str) {
        let id = id(number);
        self.execute(&format!(
            "UPDATE attempts SET {assignments} WHERE run_id = '{id}'"
        ))
        .await;
    }

    /// A closed attempt of a run; `unknown` ones had no reply.
    pub(super) async fn attempt(&mut self, number: i64, attempt: i64, outcome: &str) {
        sqlx::query("INSERT INTO attempts (run_id, attempt, opened_us, finished_us, workspace, origin, key_id, func_id, request, request_bytes, request_sha256, outcome, unknown_reason, decided_by) VALUES ($1, $2, $3, $3 + 1, 'prod', 'https://example.com', '01234567', 'guance__openapi.test', '{}', 2, 'x', $4, CASE $4 WHEN 'unknown' THEN 'no_reply' END, 'the test')")
            .bind(id(number))
            .bind(attempt)
            .bind(us("00:00") + number * 300_000_000)
            .bind(outcome)
            .execute(&mut self.writer)
            .await
            .unwrap();
    }

    pub(super) async fn audit(&self) -> Report {
        self.audit_with(Circumstances {
            daemon_alive: false,
            zone_data_now: ZONE_DATA,
        })
        .await
    }

    pub(super) async fn audit_with(&self, circumstances: Circumstances<'_>) -> Report {
        let mut reader = AuditReader::open(&self.path()).await.unwrap();
        verify(&mut reader, circumstances).await.unwrap()
    }
}

/// The identity of the run with this number.
pub(super) fn id(number: i64) -> String {
    format!("019de000-0000-7000-8000-{number:012}")
}

/// Every finding in one line each: `list job instant #run: what`.
pub(super) fn findings(report: &Report) -> Vec<String> {
    let mut lines = Vec::new();
    for (list, findings) in report.lists() {
        for finding in &findings.first {
            let job = finding.job.as_deref().unwrap_or("-");
            let at = finding.scheduled_at.map_or("-".to_owned(), |at| {
                at.to_string()
                    .replace("2026-05-01T", "")
                    .replace(":00Z", "")
            });
            let run = finding.run_id.as_deref().map_or(String::new(), |run| {
                let number: i64 = run[24..].parse().unwrap();
                format!(" #{number}")
            });
            let what = (1..=20).fold(finding.what.clone(), |what, number| {
                what.replace(&id(number), &format!("#{number}"))
            });
            lines.push(format!("{list} {job} {at}{run}: {what}"));
        }
    }
    lines
}
