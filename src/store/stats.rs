//! How runs went, counted over a span of time.
//!
//! - Only rows of the span are looked at, however long the history is: the index of ticks is named, since
//!   SQLite would rather walk the whole index of jobs than sort a day's groups.
//! - All runs of a tick come as one row, a JSON list of their attempts: to hand a row over from SQLite's
//!   thread costs more than to find what is in it.
//! - The span is read in parts, side by side, each by a connection of its own.

use std::collections::{BTreeMap, HashMap};

use futures_util::TryStreamExt;
use futures_util::future::try_join_all;
use jiff::Timestamp;
use sqlx::AssertSqlSafe;

use super::error::StoreError;
use super::reader::{CONNECTIONS, Reader};

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

    fn add_cost(&mut self, cost_ms: Option<i64>) {
        if let Some(cost) = cost_ms {
            self.cost_ms = Some(self.cost_ms.unwrap_or(0).saturating_add(cost));
        }
    }

    /// Adds those of another part of the span.
    fn add(&mut self, other: Self) {
        for (state, runs) in other.states {
            *self.states.entry(state).or_default() += runs;
        }
        self.attempts += other.attempts;
        self.add_cost(other.cost_ms);
        self.durations_ms.extend(other.durations_ms);
    }
}

/// An attempt as [`ticks`] tells of it, or a run that made none: what it is counted by, its run's state,
/// its number, the cost and the duration in milliseconds.
type Told = (String, String, Option<u32>, Option<i64>, Option<i64>);

/// The attempts of each tick in [$1, $2), as JSON.
fn ticks(by: StatsBy) -> String {
    format!(
        "SELECT json_group_array(json_array({}, r.state, a.attempt, a.cost_ms, (a.duration_us + 500) / 1000)) \
         FROM runs r INDEXED BY runs_by_time LEFT JOIN attempts a ON a.run_id = r.id \
         WHERE r.scheduled_us >= $1 AND r.scheduled_us < $2 AND r.ahead IS NOT 'void' GROUP BY r.scheduled_us",
        by.key()
    )
}

/// The first and the last tick at or after $1; no row where there is none.
const ENDS: &str = "\
SELECT f.scheduled_us, (SELECT max(scheduled_us) FROM runs) FROM \
(SELECT scheduled_us FROM runs WHERE scheduled_us >= $1 ORDER BY scheduled_us LIMIT 1) f";

const COUNTING: &str = "counting the runs";

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
        let ends: Option<(i64, i64)> = sqlx::query_as(ENDS)
            .bind(since.as_microsecond())
            .fetch_optional(self.pool())
            .await
            .map_err(|error| StoreError::from_sqlx(COUNTING, error))?;
        let Some(ends) = ends else {
            return Ok(BTreeMap::new());
        };
        let parts = parts(ends).map(|part| self.stats_of(by, part));
        let mut all: BTreeMap<String, Stats> = BTreeMap::new();
        for part in try_join_all(parts).await? {
            for (key, stats) in part {
                all.entry(key).or_default().add(stats);
            }
        }
        for stats in all.values_mut() {
            stats.durations_ms.sort_unstable();
        }
        Ok(all)
    }

    /// Those of the ticks from an instant to before another.
    async fn stats_of(
        &self,
        by: StatsBy,
        (from, to): (i64, i64),
    ) -> Result<HashMap<String, Stats>, StoreError> {
        let failed = |error| StoreError::from_sqlx(COUNTING, error);
        let mut part: HashMap<String, Stats> = HashMap::new();
        let mut rows = sqlx::query_scalar::<_, String>(AssertSqlSafe(ticks(by)))
            .bind(from)
            .bind(to)
            .fetch(self.pool());
        while let Some(tick) = rows.try_next().await.map_err(failed)? {
            let told: Vec<Told> = serde_json::from_str(&tick)
                .map_err(|error| failed(sqlx::Error::Decode(error.into())))?;
            for (key, state, attempt, cost_ms, duration_ms) in told {
                let stats = part.entry(key).or_default();
                // The first one stands for its run.
                if attempt.is_none_or(|attempt| attempt == 1) {
                    *stats.states.entry(state).or_default() += 1;
                }
                stats.attempts += u64::from(attempt.is_some());
                stats.add_cost(cost_ms);
                let duration = duration_ms.map(|ms| u32::try_from(ms).unwrap_or(u32::MAX));
                stats.durations_ms.extend(duration);
            }
        }
        Ok(part)
    }
}

/// The ticks from the first to the last, and those that come meanwhile, in as many parts as can be read
/// at once.
fn parts((first, last): (i64, i64)) -> impl Iterator<Item = (i64, i64)> {
    let count = i64::from(CONNECTIONS);
    let step = last.saturating_sub(first) / count + 1;
    let begin = move |part: i64| first.saturating_add(step.saturating_mul(part));
    (0..count).map(move |part| match part + 1 {
        next if next == count => (begin(part), i64::MAX),
        next => (begin(part), begin(next)),
    })
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;
    use sqlx::{Connection, Row, SqliteConnection};

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
        let queries = [StatsBy::Job, StatsBy::Func, StatsBy::Day].map(ticks);
        for query in queries.iter().map(String::as_str).chain([ENDS]) {
            let explain = AssertSqlSafe(format!("EXPLAIN QUERY PLAN {query}"));
            let rows = sqlx::query(explain).fetch_all(&mut connection).await;
            let rows = rows.unwrap();
            let steps: Vec<String> = rows.iter().map(|row| row.get("detail")).collect();
            let plan = steps.join("\n");
            assert!(plan.contains("runs_by_time (scheduled_us>?"), "{plan}");
            for table in ["SCAN r", "SCAN a", "B-TREE"] {
                assert!(!plan.contains(table), "{plan}");
            }
        }
    }

    #[test]
    fn the_parts_of_a_span_leave_nothing_out_and_overlap_nowhere() {
        for ends in [
            (7, 7),
            (0, 3),
            (-5, 86_400_000_000),
            (i64::MIN, 0),
            (0, i64::MAX),
        ] {
            let parts: Vec<(i64, i64)> = parts(ends).collect();
            assert_eq!(parts[0].0, ends.0);
            assert_eq!(parts[parts.len() - 1].1, i64::MAX);
            for pair in parts.windows(2) {
                assert_eq!(pair[0].1, pair[1].0, "{ends:?}");
                assert!(pair[0].0 <= pair[0].1, "{ends:?}");
            }
        }
    }
}
