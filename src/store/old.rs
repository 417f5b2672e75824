//! What a pass would take, looked at only.

use jiff::Timestamp;
use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use super::error::StoreError;
use super::prune::{OLD_BODIES, OLD_RUNS, STAGES, STORED, Stage};
use super::reader::Reader;
use crate::domain::retention::{Horizons, went_badly};
use crate::domain::run::RunState;

/// What a pass would take, of one kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Old {
    /// The runs' state; `None`: the bodies of runs that stay.
    pub state: Option<RunState>,
    /// Before which instant.
    pub before: Timestamp,
    /// Runs, or attempts whose bodies would go.
    pub count: u64,
    /// The runs' attempts.
    pub attempts: u64,
    /// Bytes of bodies.
    pub bytes: u64,
    /// The first and the last tick of the runs, or opening of the attempts, in microseconds since the
    /// epoch.
    pub span_us: Option<(i64, i64)>,
}

impl Reader {
    /// The latest instant before which a prune may have taken the runs of ticks.
    pub async fn pruned_before(&self) -> Result<Option<Timestamp>, StoreError> {
        let before: Result<Option<i64>, _> = sqlx::query_scalar(
            "SELECT max(json_extract(detail, '$.before_us')) FROM events WHERE kind = 'prune'",
        )
        .fetch_one(self.pool())
        .await;
        let before =
            before.map_err(|error| StoreError::from_sqlx("reading what was pruned", error))?;
        Ok(before.and_then(|us| Timestamp::from_microsecond(us).ok()))
    }

    /// What a pass would take, kind by kind, without taking it. The bodies of runs that would go are
    /// theirs and not counted again.
    ///
    /// # Errors
    /// Where the ledger cannot be read.
    pub async fn old(&self, horizons: Horizons) -> Result<Vec<Old>, StoreError> {
        let failed = |error| StoreError::from_sqlx("looking for what is old", error);
        let mut all = Vec::new();
        for stage in STAGES {
            let (state, before, query) = match stage {
                Stage::Runs(state) => (Some(state), horizons.of(state), old_runs()),
                Stage::Bodies => (None, horizons.bodies, old_bodies()),
            };
            let mut query = sqlx::query(sqlx::AssertSqlSafe(query));
            if let Some(state) = state {
                query = query.bind(state.as_str());
            }
            query = query.bind(before.as_microsecond());
            if state.is_none() {
                query = query
                    .bind(horizons.runs.as_microsecond())
                    .bind(horizons.failures.as_microsecond());
            }
            let row = query.fetch_one(self.pool()).await.map_err(failed)?;
            all.push(old(state, before, &row).map_err(failed)?);
        }
        Ok(all)
    }
}

pub(super) fn old_runs() -> String {
    format!(
        "SELECT count(*), coalesce(sum(r.attempts), 0), \
         coalesce(sum((SELECT sum({STORED}) FROM attempts a WHERE a.run_id = r.id)), 0), min(r.scheduled_us), max(r.scheduled_us) {OLD_RUNS}"
    )
}

/// Parameters: the horizons of bodies, of runs and of failures. A run's own rule is told by its number
/// here: $1 of [`OLD_RUNS`] is its state, $2 that state's horizon.
pub(super) fn old_bodies() -> String {
    let bad: Vec<String> = RunState::ALL
        .into_iter()
        .filter(|state| went_badly(*state))
        .map(|state| format!("'{state}'"))
        .collect();
    let horizon = format!(
        "(CASE WHEN r.state IN ({}) THEN $3 ELSE $2 END)",
        bad.join(", ")
    );
    let goes = OLD_RUNS
        .replace("r.state = $1", "r.id = a.run_id")
        .replace("$2", &horizon);
    format!(
        "SELECT count(*), 0, coalesce(sum({STORED}), 0), min(a.opened_us), max(a.opened_us) {OLD_BODIES} \
         AND NOT EXISTS (SELECT 1 {goes})"
    )
}

fn old(state: Option<RunState>, before: Timestamp, row: &SqliteRow) -> Result<Old, sqlx::Error> {
    let number = |index: usize| row.try_get::<i64, _>(index).map(i64::unsigned_abs);
    let first: Option<i64> = row.try_get(3)?;
    let last: Option<i64> = row.try_get(4)?;
    Ok(Old {
        state,
        before,
        count: number(0)?,
        attempts: number(1)?,
        bytes: number(2)?,
        span_us: first.zip(last),
    })
}
