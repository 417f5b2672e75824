//! What the last daemon's calls still hold in the quota.
//!
//! Attempts are walked from the newest one back, as far as a slot may be held: a start takes no longer
//! with ten million of them than with a thousand. An index by the instant of writing would be written to
//! with every attempt, by two clocks, and read once.

use std::sync::Arc;
use std::time::Duration;

use futures_util::TryStreamExt;
use jiff::Timestamp;
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqlitePool};

use super::finish::duration_us;
use super::resume::timestamp;
use crate::clock::Uptime;
use crate::domain::workspace::{KeyId, WorkspaceName};

/// What an attempt of the last minutes holds in the quota.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hold {
    /// Where it went.
    pub workspace: WorkspaceName,
    /// Scheme, host and port.
    pub origin: Arc<str>,
    /// With which key.
    pub key: KeyId,
    /// From when the slot is counted: the request's writing, else the attempt's closing.
    pub since: Timestamp,
    /// How long ago that is, where the machine's own count reaches back to it: the wall clock may have
    /// been set meanwhile.
    pub age: Option<Duration>,
}

/// What lies further back than this and the window was opened before: the longest `timeout`, an hour, and
/// five minutes for what comes before and after a call.
const LONGEST: Duration = Duration::from_secs(3_900);

/// The walk ends after so many attempts in a row that lie further back: one alone may have been told the
/// time by a clock that was wrong.
const ENOUGH: u32 = 1_000;

/// Closed attempts from the newest one back. `is_held`: counted from an instant after $1, or, of this
/// boot, for less than $4; a `network_error` gave its slot back (contract, section 3). `is_past`: that was
/// longer than $5 ago. What comes after the bodies is looked at only where the slot may be held.
const NEWEST_FIRST: &str = "\
SELECT workspace, origin, key_id, since_us, age_us, \
  CASE WHEN coalesce(age_us < $4, since_us > $1) \
    THEN NOT (outcome = 'network_error' OR (outcome = 'rejected' AND http_status IS NULL)) ELSE 0 END AS is_held, \
  coalesce(age_us >= $4 + $5, since_us <= $1 - $5) AS is_past \
FROM (SELECT *, coalesce(written_us, finished_us) AS since_us, \
    CASE WHEN boot = $2 AND uptime_us <= $3 THEN $3 - uptime_us END AS age_us FROM attempts) \
WHERE finished_us IS NOT NULL ORDER BY id DESC";

/// Slots that may still be held: counted from an instant after `since`, or, of this boot, for less than
/// `window`.
pub(super) async fn holds(
    pool: &SqlitePool,
    since: Timestamp,
    uptime: Option<Uptime>,
    window: Duration,
) -> Result<Vec<Hold>, sqlx::Error> {
    let mut rows = sqlx::query(NEWEST_FIRST)
        .bind(since.as_microsecond())
        .bind(uptime.map(|uptime| uptime.boot))
        .bind(uptime.map(|uptime| duration_us(uptime.since)))
        .bind(duration_us(window))
        .bind(duration_us(LONGEST))
        .fetch(pool);
    let mut holds = Vec::new();
    let mut past_in_a_row = 0;
    while let Some(row) = rows.try_next().await? {
        if row.try_get("is_held")? {
            holds.push(hold(&row)?);
        }
        past_in_a_row = match row.try_get("is_past")? {
            true => past_in_a_row + 1,
            false => 0,
        };
        if past_in_a_row >= ENOUGH {
            break;
        }
    }
    Ok(holds)
}

fn hold(row: &SqliteRow) -> Result<Hold, sqlx::Error> {
    let age = row.try_get::<Option<i64>, _>("age_us")?;
    Ok(Hold {
        workspace: WorkspaceName(Arc::from(row.try_get::<&str, _>("workspace")?)),
        origin: Arc::from(row.try_get::<&str, _>("origin")?),
        key: KeyId(Arc::from(row.try_get::<&str, _>("key_id")?)),
        since: timestamp(row, "since_us")?,
        age: age
            .and_then(|us| u64::try_from(us).ok())
            .map(Duration::from_micros),
    })
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::super::explain::{empty_ledger, steps};
    use super::*;

    const SECOND_US: i64 = 1_000_000;
    const NOW_US: i64 = 1_795_514_400 * SECOND_US;
    const WINDOW: Duration = Duration::from_secs(61);

    async fn ledger() -> SqlitePool {
        let pool = empty_ledger().await;
        sqlx::raw_sql("PRAGMA foreign_keys = OFF")
            .execute(&pool)
            .await
            .unwrap();
        pool
    }

    /// Attempts of which the oldest was written `oldest` seconds ago, each a second after the one before.
    async fn calls(pool: &SqlitePool, name: &str, count: i64, oldest: i64) {
        sqlx::query(
            "WITH RECURSIVE n (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM n WHERE n + 1 < $2)
             INSERT INTO attempts (run_id, attempt, opened_us, written_us, finished_us, workspace, origin, key_id, func_id,
                                   request, request_bytes, request_sha256, outcome, decided_by)
             SELECT $1 || n, 1, $3 + n * 1000000, $3 + n * 1000000, $3 + n * 1000000, $1, 'o', 'k', 'f', '{}', 2, 's', 'success', 'd' FROM n",
        )
        .bind(name)
        .bind(count)
        .bind(NOW_US - oldest * SECOND_US)
        .execute(pool)
        .await
        .unwrap();
    }

    async fn held(pool: &SqlitePool) -> Vec<String> {
        let since = Timestamp::from_microsecond(NOW_US - duration_us(WINDOW)).unwrap();
        let holds = holds(pool, since, None, WINDOW).await.unwrap();
        let names = holds.iter().map(|hold| hold.workspace.0.to_string());
        names.collect()
    }

    #[tokio::test]
    async fn a_call_that_took_an_hour_holds_its_slot_behind_thousands_of_later_ones() {
        let pool = ledger().await;
        calls(&pool, "long", 1, 30).await;
        calls(&pool, "short", 3_000, 3_600).await;
        calls(&pool, "new", 2, 20).await;
        assert_eq!(held(&pool).await, ["new", "new", "long"]);
    }

    #[tokio::test]
    async fn a_start_does_not_walk_the_whole_history() {
        let pool = ledger().await;
        // What the history cannot hold, to see whether it is looked at.
        calls(&pool, "beyond", 1, 30).await;
        calls(&pool, "old", i64::from(ENOUGH), 86_400).await;
        calls(&pool, "new", 1, 20).await;
        assert_eq!(held(&pool).await, ["new"]);
    }

    #[tokio::test]
    async fn one_wrong_time_hides_nothing() {
        let pool = ledger().await;
        calls(&pool, "held", 1, 30).await;
        calls(&pool, "wrong", i64::from(ENOUGH) - 1, 800_000_000).await;
        assert_eq!(held(&pool).await, ["held"]);
    }

    #[tokio::test]
    async fn attempts_are_walked_as_they_lie() {
        assert_eq!(steps(NEWEST_FIRST).await, ["SCAN attempts"]);
    }
}
