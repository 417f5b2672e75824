//! How long `audit verify` takes over a large ledger, and how much memory.
//!
//! ```sh
//! cargo bench --bench ledger -- 1000000 [PATH [JOBS]]
//! ```
//!
//! makes a ledger of about so many runs, of a hundred jobs (or JOBS) that tick every minute, and has the binary
//! audit it. With a PATH the ledger stays there, and is taken as it is the next time. The rows are
//! written by SQL, because the engine would be days about it: every run has its attempt with bodies of
//! a usual size, every fiftieth a throttled one before it, so that what is read is what a ledger holds.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a measurement may panic, and prints"
)]

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use funcron::config;
use funcron::domain::job::Job;
use funcron::store::Ledger;
use jiff::Timestamp;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection};

/// Rows that are written by one statement, about.
const CHUNK: u64 = 100_000;

const MINUTE_US: u64 = 60_000_000;

/// The instant before the first tick: 2026-01-01T00:00:00Z.
const BEGINNING_US: u64 = 1_767_225_600_000_000;

fn main() {
    let arguments: Vec<String> = std::env::args()
        .skip(1)
        .filter(|argument| argument != "--bench")
        .collect();
    let runs = arguments
        .first()
        .map_or(1_000_000, |runs| runs.parse().unwrap());
    let directory = tempfile::tempdir().unwrap();
    let path = match arguments.get(1) {
        Some(path) => PathBuf::from(path),
        None => directory.path().join("ledger.db"),
    };
    if !path.exists() {
        let begun = Instant::now();
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let jobs = arguments.get(2).map_or(100, |jobs| jobs.parse().unwrap());
        runtime.block_on(make(&path, runs, jobs));
        println!("made {} in {:.1?}", path.display(), begun.elapsed());
    }
    let size = std::fs::metadata(&path).unwrap().len();
    println!("the ledger has {} MB", size / 1_000_000);
    // The second has the file in the page cache, as far as it fits.
    for _ in 0..2 {
        audit(&path);
    }
}

/// Has the binary audit a ledger, and says what it took.
fn audit(path: &Path) {
    let begun = Instant::now();
    let mut child = Command::new(env!("CARGO_BIN_EXE_funcron"))
        .args(["audit", "verify", "--database"])
        .arg(format!("sqlite://{}", path.display()))
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let status = format!("/proc/{}/status", child.id());
    let mut peak = String::new();
    while child.try_wait().unwrap().is_none() {
        let told = std::fs::read_to_string(&status).unwrap_or_default();
        let line = told.lines().find(|line| line.starts_with("VmHWM"));
        peak = line.map_or(peak, str::to_owned);
        std::thread::sleep(Duration::from_millis(5));
    }
    let took = begun.elapsed();
    let ended = child.wait_with_output().unwrap();
    println!("{}", String::from_utf8_lossy(&ended.stdout).trim_end());
    println!("{took:.2?}, {}", peak.replace('\t', " "));
    assert!(ended.status.success(), "the ledger is whole");
}

fn jobs(jobs: u64) -> Vec<Arc<Job>> {
    let job = |number: u64| format!("  - {{ name: job-{number:05}, schedule: \"* * * * *\" }}\n");
    let text = format!(
        "workspaces: {{ prod: {{ site: cn1, api_key: {{ env: K }}, quota: none }} }}
defaults: {{ workspace: prod, func_id: guance__openapi.test }}
jobs:
{}",
        (0..jobs).map(job).collect::<String>()
    );
    let loaded = config::parse(&text, Path::new("/jobs.yaml"));
    loaded.unwrap().config.jobs
}

async fn make(path: &Path, runs: u64, jobs: u64) {
    let (ledger, held) = Ledger::open(path, Timestamp::UNIX_EPOCH).await.unwrap();
    held.release(ledger).await;
    let options = SqliteConnectOptions::new().filename(path);
    let mut connection = options
        .journal_mode(SqliteJournalMode::Memory)
        .synchronous(SqliteSynchronous::Off)
        .connect()
        .await
        .unwrap();
    let ticks = runs.div_ceil(jobs);
    definitions(&mut connection, jobs, ticks).await;
    let mut done = 0;
    while done < ticks {
        let chunk = CHUNK.div_ceil(jobs).min(ticks - done);
        rows(&mut connection, jobs, done, chunk).await;
        done += chunk;
    }
    connection.close().await.unwrap();
}

/// A time or a number as SQLite has them.
fn number(number: u64) -> i64 {
    i64::try_from(number).unwrap()
}

async fn definitions(connection: &mut SqliteConnection, number_of_jobs: u64, ticks: u64) {
    for job in jobs(number_of_jobs) {
        sqlx::query("INSERT INTO jobs VALUES ($1, $2, 1)")
            .bind(job.name.as_str())
            .bind(&*job.hash.0)
            .execute(&mut *connection)
            .await
            .unwrap();
        sqlx::query("INSERT INTO job_versions (job, definition_hash, definition, zone_data, from_us) VALUES ($1, $2, $3, $4, $5)")
            .bind(job.name.as_str())
            .bind(&*job.hash.0)
            .bind(job.definition.to_string())
            .bind(config::zone_data())
            .bind(number(BEGINNING_US))
            .execute(&mut *connection)
            .await
            .unwrap();
    }
    sqlx::query("INSERT OR REPLACE INTO planner VALUES (1, $1, $1)")
        .bind(number(BEGINNING_US + ticks * MINUTE_US))
        .execute(&mut *connection)
        .await
        .unwrap();
}

/// The runs and attempts of so many ticks after the first `done`.
async fn rows(connection: &mut SqliteConnection, jobs: u64, done: u64, chunk: u64) {
    // Identities ascend with time, as those of the engine do.
    sqlx::query(
        "WITH RECURSIVE tick (n) AS (SELECT $1 UNION ALL SELECT n + 1 FROM tick WHERE n + 1 < $1 + $2)
         INSERT INTO runs (id, job, trigger, scheduled_us, due_us, state, definition_hash, workspace, func_id,
                           created_us, opened_us, finished_us, attempts, counted)
         SELECT printf('019de000-0000-7000-8000-%012x', n * $3 + j.rowid), name, 'schedule',
                $4 + (n + 1) * $5, $4 + (n + 1) * $5, 'success', definition_hash, 'prod', 'guance__openapi.test',
                $4 + (n + 1) * $5 + 1500, $4 + (n + 1) * $5 + 4000, $4 + (n + 1) * $5 + 250000,
                1 + ((n + j.rowid) % 50 = 0), 1
         FROM tick, jobs j",
    )
    .bind(number(done))
    .bind(number(chunk))
    .bind(number(2 * jobs))
    .bind(number(BEGINNING_US))
    .bind(number(MINUTE_US))
    .execute(&mut *connection)
    .await
    .unwrap();
    let request = format!(
        r#"{{"funcBody":{{"kwargs":{{"text":"{}"}}}}}}"#,
        "k".repeat(240)
    );
    let response = format!(
        r#"{{"content":{{"ok":true,"data":"{}"}}}}"#,
        "r".repeat(560)
    );
    sqlx::query(
        "INSERT INTO attempts (run_id, attempt, opened_us, written_us, finished_us, workspace, origin, key_id, func_id,
                               request, request_bytes, request_sha256, http_status, response, response_bytes,
                               response_sha256, trace_id, duration_us, outcome, decided_by)
         SELECT id, n.attempt, opened_us + n.attempt, opened_us + n.attempt, finished_us, workspace,
                'https://openapi.guance.com', 'c0ffee01', func_id, $1, length($1), printf('%064d', scheduled_us),
                CASE WHEN n.attempt < attempts THEN 429 ELSE 200 END, $2, length($2), printf('%064d', finished_us),
                'TRACE-' || id, 246000, CASE WHEN n.attempt < attempts THEN 'throttled' ELSE 'success' END, 'the envelope'
         FROM runs, (SELECT 1 AS attempt UNION SELECT 2) n
         WHERE n.attempt <= attempts AND scheduled_us > $3 AND scheduled_us <= $4",
    )
    .bind(request)
    .bind(response)
    .bind(number(BEGINNING_US + done * MINUTE_US))
    .bind(number(BEGINNING_US + (done + chunk) * MINUTE_US))
    .execute(connection)
    .await
    .unwrap();
}
