//! Makes a large ledger by SQL, because the engine would be days about it.
//!
//! The rows are what a ledger holds: identities that ascend with time, traces that do not, bodies of a
//! usual size; every fiftieth run has a throttled attempt before the one that counts, every thousandth
//! failed. The jobs are
//! removed ones, whose definitions end with the history, so that a daemon may take the ledger over with
//! whatever jobs it has.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use funcron::config;
use funcron::domain::job::Job;
use funcron::store::Ledger;
use jiff::Timestamp;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqliteSynchronous};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection};

/// Rows that are written by one statement, about.
const CHUNK: u64 = 100_000;

/// What a made ledger is to hold.
#[derive(Clone, Copy, Debug)]
pub(crate) struct History {
    /// Runs, rounded up to whole ticks of all jobs.
    pub(crate) runs: u64,
    /// Jobs, named as those of [`crate::daemon::configure`].
    pub(crate) jobs: u64,
    /// When they tick.
    pub(crate) schedule: &'static str,
    /// From a tick to the next.
    pub(crate) every: Duration,
    /// The last tick is the last one before this.
    pub(crate) until: Timestamp,
    /// Bytes of a request and of a reply, beside what holds them.
    pub(crate) bodies: (usize, usize),
}

/// What bodies usually have.
pub(crate) const USUAL: (usize, usize) = (240, 560);

impl History {
    fn every_us(&self) -> u64 {
        self.every.as_micros() as u64
    }

    fn ticks(&self) -> u64 {
        self.runs.div_ceil(self.jobs)
    }

    /// The tick before the first one.
    fn beginning_us(&self) -> u64 {
        let until = self.until.as_microsecond() as u64;
        until - until % self.every_us() - self.ticks() * self.every_us()
    }
}

/// Makes it where no file is, and says how long that took.
pub(crate) async fn make(path: &Path, history: &History) {
    let begun = Instant::now();
    let (ledger, held) = Ledger::open(path, Timestamp::UNIX_EPOCH).await.unwrap();
    held.release(ledger).await;
    let options = SqliteConnectOptions::new().filename(path);
    let mut connection = options
        .journal_mode(SqliteJournalMode::Off)
        .synchronous(SqliteSynchronous::Off)
        .foreign_keys(false)
        .disable_statement_logging()
        .connect()
        .await
        .unwrap();
    execute(&mut connection, "PRAGMA cache_size = -500000").await;
    definitions(&mut connection, history).await;
    // Ten indexes kept up row by row are most of the time that a large ledger takes.
    let indexes = take_indexes(&mut connection).await;
    let mut done = 0;
    while done < history.ticks() {
        let chunk = CHUNK.div_ceil(history.jobs).min(history.ticks() - done);
        rows(&mut connection, history, done, chunk).await;
        done += chunk;
    }
    for index in indexes {
        execute(&mut connection, &index).await;
    }
    connection.close().await.unwrap();
    // What is still to be written would hold up the first that wants something durable.
    std::fs::File::open(path).unwrap().sync_all().unwrap();
    println!(
        "made {} with {} runs of {} jobs, {} MB, in {:.0?}",
        path.display(),
        history.ticks() * history.jobs,
        history.jobs,
        std::fs::metadata(path).unwrap().len() / 1_000_000,
        begun.elapsed()
    );
}

async fn execute(connection: &mut SqliteConnection, sql: &str) {
    sqlx::raw_sql(AssertSqlSafe(sql.to_owned()))
        .execute(connection)
        .await
        .unwrap();
}

/// Drops the indexes of what is to be filled; answers with the statements that make them again.
async fn take_indexes(connection: &mut SqliteConnection) -> Vec<String> {
    let found: Vec<(String, String)> = sqlx::query_as(
        "SELECT name, sql FROM sqlite_schema WHERE type = 'index' AND sql IS NOT NULL AND tbl_name IN ('runs', 'attempts')",
    )
    .fetch_all(&mut *connection)
    .await
    .unwrap();
    for (name, _) in &found {
        execute(connection, &format!("DROP INDEX {name}")).await;
    }
    found.into_iter().map(|(_, sql)| sql).collect()
}

/// A time or a number as SQLite has them.
fn number(number: u64) -> i64 {
    i64::try_from(number).unwrap()
}

fn jobs(history: &History) -> Vec<Arc<Job>> {
    let job = |number: u64| {
        format!(
            "  - {{ name: job-{number}, schedule: \"{}\", func_id: bench__f{number}.run }}\n",
            history.schedule
        )
    };
    let text = format!(
        "workspaces: {{ bench: {{ site: cn1, api_key: {{ env: K }}, quota: none }} }}
defaults: {{ workspace: bench }}
jobs:
{}",
        (0..history.jobs).map(job).collect::<String>()
    );
    let loaded = config::parse(&text, Path::new("/jobs.yaml"));
    loaded.unwrap().config.jobs
}

async fn definitions(connection: &mut SqliteConnection, history: &History) {
    let end = history.beginning_us() + history.ticks() * history.every_us();
    let zone_data = config::zone_data();
    execute(connection, "BEGIN").await;
    for job in jobs(history) {
        sqlx::query("INSERT INTO jobs VALUES ($1, $2, 0)")
            .bind(job.name.as_str())
            .bind(&*job.hash.0)
            .execute(&mut *connection)
            .await
            .unwrap();
        sqlx::query("INSERT INTO job_versions (job, definition_hash, definition, zone_data, from_us, until_us) VALUES ($1, $2, $3, $4, $5, $6)")
            .bind(job.name.as_str())
            .bind(&*job.hash.0)
            .bind(job.definition.to_string())
            .bind(&zone_data)
            .bind(number(history.beginning_us()))
            .bind(number(end))
            .execute(&mut *connection)
            .await
            .unwrap();
    }
    sqlx::query("INSERT OR REPLACE INTO planner VALUES (1, $1, $1)")
        .bind(number(end))
        .execute(&mut *connection)
        .await
        .unwrap();
    execute(connection, "COMMIT").await;
}

/// The runs and attempts of so many ticks after the first `done`.
async fn rows(connection: &mut SqliteConnection, history: &History, done: u64, chunk: u64) {
    execute(connection, "BEGIN").await;
    // A UUIDv7 of the tick's millisecond, then of the job, so that identities ascend.
    sqlx::query(
        "WITH RECURSIVE tick (n, at) AS (
             SELECT $1, $3 + ($1 + 1) * $4 UNION ALL SELECT n + 1, at + $4 FROM tick WHERE n + 1 < $1 + $2),
         -- Materialized: else each use of `took` would be another number.
         made AS MATERIALIZED (
             SELECT n, at, job.rowid AS number, name, definition_hash, abs(random() % 400000) AS took,
                    1 + ((n + job.rowid) % 50 = 0) AS attempts
             FROM tick CROSS JOIN jobs job ORDER BY n, job.rowid)
         INSERT INTO runs (id, job, trigger, scheduled_us, due_us, state, reason, definition_hash, workspace, func_id,
                           created_us, opened_us, finished_us, attempts, counted, cost_ms, duration_us)
         SELECT printf('%08x-%04x-7%03x-8%03x-%012x', at / 1000 >> 16, at / 1000 & 65535, number / 4096,
                       number % 4096, random() & 281474976710655),
                name, 'schedule', at, at, iif((n + number) % 1000 = 7, 'failed', 'success'),
                iif((n + number) % 1000 = 7, 'func_failed', NULL), definition_hash, 'bench',
                replace(name, 'job-', 'bench__f') || '.run', at + 1500, at + 4000, at + 20000 + took, attempts, 1,
                41, took + 16000 - attempts
         FROM made",
    )
    .bind(number(done))
    .bind(number(chunk))
    .bind(number(history.beginning_us()))
    .bind(number(history.every_us()))
    .execute(&mut *connection)
    .await
    .unwrap();
    let request = format!(
        r#"{{"funcBody":{{"kwargs":{{"text":"{}"}}}}}}"#,
        "k".repeat(history.bodies.0)
    );
    let response = format!(
        r#"{{"content":{{"ok":true,"data":"{}"}}}}"#,
        "r".repeat(history.bodies.1)
    );
    // Their traces are random, as the server's are: an index of them is written to everywhere.
    sqlx::query(
        "INSERT INTO attempts (run_id, attempt, opened_us, written_us, finished_us, workspace, origin, key_id, func_id,
                               request, request_bytes, request_sha256, http_status, response, response_bytes,
                               response_sha256, trace_id, func_trace_id, cost_ms, duration_us, outcome, decided_by)
         SELECT id, n.attempt, opened_us + n.attempt, opened_us + n.attempt, finished_us, workspace,
                'https://openapi.guance.com', 'c0ffee01', func_id, $1, length($1), printf('%064d', scheduled_us),
                CASE WHEN n.attempt < attempts THEN 429 ELSE 200 END, $2, length($2), printf('%064d', finished_us),
                'TRACE-' || hex(randomblob(4)) || '-' || hex(randomblob(2)) || '-4' || substr(hex(randomblob(2)), 2) || '-' || hex(randomblob(8)),
                'FUNC-' || hex(randomblob(4)) || '-' || hex(randomblob(2)) || '-4' || substr(hex(randomblob(2)), 2) || '-' || hex(randomblob(8)),
                41, finished_us - opened_us - n.attempt,
                CASE WHEN n.attempt < attempts THEN 'throttled' WHEN state = 'failed' THEN 'func_failed' ELSE 'success' END, 'the envelope'
         FROM runs CROSS JOIN (SELECT 1 AS attempt UNION SELECT 2) n
         WHERE n.attempt <= attempts AND runs.rowid > $3 AND runs.rowid <= $4",
    )
    .bind(request)
    .bind(response)
    .bind(number(done * history.jobs))
    .bind(number((done + chunk) * history.jobs))
    .execute(&mut *connection)
    .await
    .unwrap();
    execute(connection, "COMMIT").await;
}
