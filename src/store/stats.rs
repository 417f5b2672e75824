//! How runs went, counted over a span of time.
//!
//! - Only rows of the span are looked at, however long the history is: the index of ticks is named, since
//!   SQLite would rather walk the whole index of jobs than sort a day's groups.
//! - A run's own row tells of its only attempt. The attempts, which lie among their bodies, are asked of
//!   runs that have more, or whose row does not tell: the reply came to nothing, or an earlier release
//!   recorded it.
//! - All runs of a tick come as one row, a JSON list of their attempts: to hand a row over from SQLite's
//!   thread costs more than to find what is in it.
//!
//! Rejected: reading the span in parts by several connections, whose locks in SQLite's allocator cost both
//! cores more than one of them takes; an index with all that is asked of an attempt, which every attempt
//! would pay for and which saves a tenth.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};

use futures_util::TryStreamExt;
use jiff::Timestamp;
use serde::Deserialize;
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

    /// Counts an attempt, or a run that made none.
    fn count(&mut self, Told(_, state, attempt, cost_ms, duration_ms): &Told<'_>) {
        // The first one stands for its run.
        if attempt.is_none_or(|attempt| attempt == 1) {
            match self.states.get_mut(&**state) {
                Some(runs) => *runs += 1,
                None => drop(self.states.insert(state.to_string(), 1)),
            }
        }
        self.attempts += u64::from(attempt.is_some());
        self.add_cost(*cost_ms);
        let duration = duration_ms.map(|ms| u32::try_from(ms).unwrap_or(u32::MAX));
        self.durations_ms.extend(duration);
    }

    fn add_cost(&mut self, cost_ms: Option<i64>) {
        if let Some(cost) = cost_ms {
            self.cost_ms = Some(self.cost_ms.unwrap_or(0).saturating_add(cost));
        }
    }
}

/// An attempt as [`ticks`] tells of it, or a run that made none: what it is counted by, its run's state,
/// its number, the cost and the duration in milliseconds.
#[derive(Deserialize)]
struct Told<'t>(
    #[serde(borrow)] Cow<'t, str>,
    #[serde(borrow)] Cow<'t, str>,
    Option<u32>,
    Option<i64>,
    Option<i64>,
);

/// The run has made one attempt, and its row tells of it.
const ALONE: &str = "(r.attempts = 1 AND r.duration_us IS NOT NULL)";

/// The attempts of each tick at or after $1, as JSON.
fn ticks(by: StatsBy) -> String {
    format!(
        "SELECT json_group_array(CASE WHEN {ALONE} \
             THEN json_array({key}, r.state, 1, r.cost_ms, (r.duration_us + 500) / 1000) \
             ELSE json_array({key}, r.state, a.attempt, a.cost_ms, (a.duration_us + 500) / 1000) END) \
         FROM runs r INDEXED BY runs_by_time LEFT JOIN attempts a ON a.run_id = CASE WHEN NOT {ALONE} THEN r.id END \
         WHERE r.scheduled_us >= $1 AND r.ahead IS NOT 'void' GROUP BY r.scheduled_us",
        key = by.key()
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
        let mut all: HashMap<String, Stats> = HashMap::new();
        let mut rows = sqlx::query(AssertSqlSafe(ticks(by)))
            .bind(since.as_microsecond())
            .fetch(self.pool());
        while let Some(tick) = rows.try_next().await.map_err(failed)? {
            let told: Vec<Told<'_>> = serde_json::from_str(tick.try_get(0).map_err(failed)?)
                .map_err(|error| failed(sqlx::Error::Decode(error.into())))?;
            for told in told {
                // Names are many times as many as they are different.
                match all.get_mut(&*told.0) {
                    Some(stats) => stats.count(&told),
                    None => all.entry(told.0.to_string()).or_default().count(&told),
                }
            }
        }
        for stats in all.values_mut() {
            stats.durations_ms.sort_unstable();
        }
        Ok(all.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::super::explain::steps;
    use super::*;

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
        let queries = [StatsBy::Job, StatsBy::Func, StatsBy::Day].map(ticks);
        for query in queries {
            let plan = steps(&query).await.join("\n");
            assert!(plan.contains("runs_by_time (scheduled_us>?"), "{plan}");
            for table in ["SCAN r", "SCAN a", "B-TREE"] {
                assert!(!plan.contains(table), "{plan}");
            }
        }
    }
}
