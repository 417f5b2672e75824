//! How runs went, counted over a span of time.
//!
//! Only rows of the span are looked at, however long the history is: the index of ticks is named, since
//! SQLite would rather walk the whole index of jobs than sort a day's groups.

use std::collections::BTreeMap;

use futures_util::TryStreamExt;
use jiff::Timestamp;
use sqlx::{AssertSqlSafe, Row};

use super::error::StoreError;
use super::reader::Reader;

/// What runs are counted by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StatsBy {
    /// Their job.
    Job,
    /// Their function.
    Func,
    /// The day of their tick, in UTC.
    Day,
}

impl StatsBy {
    const fn key(self) -> &'static str {
        match self {
            Self::Job => "r.job",
            Self::Func => "r.func_id",
            Self::Day => "date(r.scheduled_us / 1000000, 'unixepoch')",
        }
    }
}

/// How the runs of one job, function or day went.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Runs by state.
    pub states: BTreeMap<String, u64>,
    /// Their attempts.
    pub attempts: u64,
    /// The sum of the replies' `reqCost`, in milliseconds; `None` where no reply told it.
    pub cost_ms: Option<i64>,
    /// From sending to the last byte of the attempts that have it, in milliseconds, ascending.
    durations_ms: Vec<u32>,
}

impl Stats {
    /// All runs.
    pub fn runs(&self) -> u64 {
        self.states.values().sum()
    }

    /// The duration that so many per cent of the attempts do not exceed, in milliseconds: always one that
    /// was measured.
    pub fn percentile_ms(&self, percent: usize) -> Option<u32> {
        let rank = (self.durations_ms.len() * percent).div_ceil(100);
        self.durations_ms.get(rank.checked_sub(1)?).copied()
    }
}

fn runs(by: StatsBy) -> String {
    format!(
        "SELECT {} AS key, r.state, count(*) FROM runs r INDEXED BY runs_by_time \
         WHERE r.scheduled_us >= $1 AND r.ahead IS NOT 'void' GROUP BY 1, 2",
        by.key()
    )
}

fn attempts(by: StatsBy) -> String {
    format!(
        "SELECT {} AS key, a.cost_ms, (a.duration_us + 500) / 1000 FROM runs r INDEXED BY runs_by_time \
         CROSS JOIN attempts a ON a.run_id = r.id WHERE r.scheduled_us >= $1 AND r.ahead IS NOT 'void'",
        by.key()
    )
}

impl Reader {
    /// How the runs of ticks at or after `since` went, by what they are counted by. Four bytes are held
    /// for each of their attempts.
    ///
    /// # Errors
    /// Where the ledger cannot be read.
    pub async fn stats(
        &self,
        by: StatsBy,
        since: Timestamp,
    ) -> Result<BTreeMap<String, Stats>, StoreError> {
        let failed = |error| StoreError::from_sqlx("counting the runs", error);
        let since = since.as_microsecond();
        let mut all: BTreeMap<String, Stats> = BTreeMap::new();
        let query = sqlx::query(AssertSqlSafe(runs(by))).bind(since);
        for row in query.fetch_all(self.pool()).await.map_err(failed)? {
            let key = row.try_get(0).map_err(failed)?;
            let state = row.try_get(1).map_err(failed)?;
            let count: i64 = row.try_get(2).map_err(failed)?;
            let states = &mut all.entry(key).or_default().states;
            states.insert(state, count.unsigned_abs());
        }
        let mut rows = sqlx::query(AssertSqlSafe(attempts(by)))
            .bind(since)
            .fetch(self.pool());
        while let Some(row) = rows.try_next().await.map_err(failed)? {
            // A run that began between the two questions is not counted by half.
            let Some(stats) = all.get_mut(row.try_get::<&str, _>(0).map_err(failed)?) else {
                continue;
            };
            stats.attempts += 1;
            if let Some(cost) = row.try_get::<Option<i64>, _>(1).map_err(failed)? {
                stats.cost_ms = Some(stats.cost_ms.unwrap_or(0).saturating_add(cost));
            }
            let duration: Option<i64> = row.try_get(2).map_err(failed)?;
            let duration = duration.map(|ms| u32::try_from(ms).unwrap_or(u32::MAX));
            stats.durations_ms.extend(duration);
        }
        drop(rows);
        for stats in all.values_mut() {
            stats.durations_ms.sort_unstable();
        }
        Ok(all)
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;
    use sqlx::{Connection, SqliteConnection};

    #[test]
    fn a_percentile_is_one_of_what_was_measured() {
        let of = |durations_ms: Vec<u32>| Stats {
            durations_ms,
            ..Stats::default()
        };
        assert_eq!(of(Vec::new()).percentile_ms(50), None);
        assert_eq!(of(vec![7]).percentile_ms(50), Some(7));
        let hundred = of((1..=100).collect());
        for percent in [1, 50, 95, 100] {
            assert_eq!(hundred.percentile_ms(percent), u32::try_from(percent).ok());
        }
        assert_eq!(of(vec![1, 2, 3]).percentile_ms(50), Some(2));
    }

    #[tokio::test]
    async fn only_the_rows_of_the_span_are_looked_at() {
        let mut connection = SqliteConnection::connect("sqlite::memory:").await.unwrap();
        sqlx::migrate!("migrations/sqlite")
            .run(&mut connection)
            .await
            .unwrap();
        for by in [StatsBy::Job, StatsBy::Func, StatsBy::Day] {
            for query in [runs(by), attempts(by)] {
                let explain = AssertSqlSafe(format!("EXPLAIN QUERY PLAN {query}"));
                let rows = sqlx::query(explain).fetch_all(&mut connection).await;
                let rows = rows.unwrap();
                let steps: Vec<String> = rows.iter().map(|row| row.get("detail")).collect();
                let plan = steps.join("\n");
                assert!(plan.contains("runs_by_time (scheduled_us>?)"), "{plan}");
                assert!(!plan.contains("SCAN"), "{plan}");
            }
        }
    }
}
