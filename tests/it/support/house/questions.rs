//! What a test asks the ledger, through connections that are not the daemon's.

use std::collections::BTreeMap;

use funcron::audit::{Circumstances, verify};
use funcron::store::audit::AuditReader;
use jiff::{SignedDuration, Timestamp};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection};

use super::{House, OUTSIDE, patiently};

impl House {
    /// A connection of somebody else's.
    pub(crate) fn connect(&self) -> Elsewhere {
        let options = SqliteConnectOptions::new().filename(self.ledger_path());
        Elsewhere(OUTSIDE.block_on(options.connect()).unwrap())
    }

    /// The texts that a query answers with.
    pub(crate) fn texts(&self, sql: &str) -> Vec<String> {
        self.connect().texts(sql)
    }

    /// The job's runs, by tick: `00:05:00 success`, `00:06:00 catchup missed/daemon_down`.
    pub(crate) fn runs(&self, job: &str) -> Vec<String> {
        self.texts(&format!(
            "SELECT strftime('%H:%M:%S', scheduled_us / 1000000, 'unixepoch')
                 || CASE trigger WHEN 'schedule' THEN '' ELSE ' ' || trigger END
                 || ' ' || state || coalesce('/' || reason, '')
             FROM runs WHERE job = '{job}' ORDER BY scheduled_us, trigger"
        ))
    }

    /// The job's attempts, by their opening: `00:05:00 1 throttled`.
    pub(crate) fn attempts(&self, job: &str) -> Vec<String> {
        self.texts(&format!(
            "SELECT strftime('%H:%M:%S', a.opened_us / 1000000, 'unixepoch') || ' ' || attempt
                 || ' ' || coalesce(outcome, 'open')
             FROM attempts a JOIN runs r ON r.id = a.run_id
             WHERE job = '{job}' ORDER BY a.opened_us, a.id"
        ))
    }

    /// How many runs there are of each state and reason.
    pub(crate) fn tally(&self) -> BTreeMap<String, usize> {
        let mut tally = BTreeMap::new();
        for run in self.texts(
            "SELECT CASE trigger WHEN 'schedule' THEN '' ELSE trigger || ' ' END
                 || state || coalesce('/' || reason, '') FROM runs",
        ) {
            *tally.entry(run).or_default() += 1;
        }
        tally
    }

    /// Everything that does not differ between two lives of the same story: no ids, and no real
    /// time, of which instants that follow from a request's writing have a few milliseconds.
    pub(crate) fn story(&self) -> Vec<String> {
        self.texts(
            "SELECT concat_ws(' ', r.job, r.trigger, (r.scheduled_us / 1000000), r.state,
                 coalesce(r.reason, '-'), substr(r.definition_hash, 1, 6), 'counted', r.counted,
                 'opened', (r.opened_us / 1000000), 'finished', (r.finished_us / 1000000),
                 'not before', (r.not_before_us / 1000000),
                 'attempt', a.attempt, (a.opened_us / 1000000), (a.finished_us / 1000000),
                 a.outcome, a.unknown_reason, a.key_id)
             FROM runs r LEFT JOIN attempts a ON a.run_id = r.id
             ORDER BY r.scheduled_us, r.job, r.trigger, a.attempt",
        )
    }

    /// What `audit verify` finds, in words.
    pub(crate) fn faults(&self) -> Vec<String> {
        let report = OUTSIDE.block_on(async {
            let mut reader = AuditReader::open(&self.ledger_path()).await.unwrap();
            let circumstances = Circumstances {
                daemon_alive: self.daemon.is_some(),
                zone_data_now: super::ZONE_DATA,
            };
            verify(&mut reader, circumstances).await.unwrap()
        });
        let lists = report.lists();
        let found = lists.iter().flat_map(|(list, findings)| {
            let listed = findings.first.iter();
            listed.map(move |finding| format!("{list}: {finding:?}"))
        });
        found.collect()
    }

    /// The most calls that one key made within any minute, by the remote's clock.
    pub(crate) fn most_in_a_minute(&self, key: Option<&str>) -> usize {
        let calls = self.remote.calls();
        let times: Vec<Timestamp> = calls
            .iter()
            .filter(|call| key.is_none_or(|key| call.key == key))
            .map(|call| call.at)
            .collect();
        let minute = SignedDuration::from_secs(60);
        let in_minute = |first: usize| {
            let window = times[first..].iter();
            window
                .take_while(|at| at.duration_since(times[first]) < minute)
                .count()
        };
        (0..times.len()).map(in_minute).max().unwrap_or(0)
    }
}

/// A connection to the ledger that is not the daemon's.
pub(crate) struct Elsewhere(SqliteConnection);

impl Elsewhere {
    pub(crate) fn execute(&mut self, sql: &str) {
        let query = sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut self.0);
        OUTSIDE.block_on(patiently(sql, query)).unwrap();
    }

    pub(super) async fn count(&mut self, sql: &str) -> i64 {
        let query = sqlx::query_scalar(AssertSqlSafe(sql));
        query.fetch_one(&mut self.0).await.unwrap()
    }

    pub(crate) async fn execute_async(&mut self, sql: &str) {
        sqlx::raw_sql(AssertSqlSafe(sql))
            .execute(&mut self.0)
            .await
            .unwrap();
    }

    pub(crate) fn texts(mut self, sql: &str) -> Vec<String> {
        OUTSIDE.block_on(patiently(sql, async {
            let query = sqlx::query_scalar(AssertSqlSafe(sql));
            let texts = query.fetch_all(&mut self.0).await.unwrap();
            self.0.close().await.unwrap();
            texts
        }))
    }
}
