//! Taking away what is old: runs with their attempts, and the texts of requests and replies.
//!
//! - In batches, each a transaction among the others of the writer, bounded in rows and in bytes: to
//!   delete a body is to walk its pages.
//! - A pass has one event, written with the first batch that takes anything, so that at no instant
//!   something is gone which no event accounts for; every further batch brings its numbers up to date.
//! - Nothing is taken that is open, that a backfill which goes on may still ask for, or that is a job's
//!   newest success: `previous_success_at` of a yearly job reaches back further than any horizon.

use jiff::Timestamp;
use serde_json::json;
use sqlx::Row;
use sqlx::sqlite::{SqliteConnection, SqliteRow};

use super::rows::Bound;
use super::versions::Event;
use crate::domain::retention::Horizons;
use crate::domain::run::RunState;

/// Rows of a batch, at most, and bytes of bodies after which it takes no further row. A run that goes is
/// taken out of four places in the file that no other run shares, and everybody else's write waits for
/// the whole batch: some hundredths of a second.
const ROWS: u32 = 200;
const BYTES: u64 = 16 << 20;

/// What a pass goes through, in this order: runs by their final state, then bodies.
pub(super) const STAGES: [Stage; 7] = [
    Stage::Runs(RunState::Success),
    Stage::Runs(RunState::Skipped),
    Stage::Runs(RunState::Cancelled),
    Stage::Runs(RunState::Failed),
    Stage::Runs(RunState::Unknown),
    Stage::Runs(RunState::Missed),
    Stage::Bodies,
];

#[derive(Clone, Copy, Debug)]
pub(super) enum Stage {
    Runs(RunState),
    Bodies,
}

/// The bytes of an attempt's bodies as they are stored. `octet_length` reads none of them.
pub(super) const STORED: &str = "octet_length(a.request) + coalesce(octet_length(a.response), 0)";

/// Runs `r` in the state $1 that are older than $2 and not needed. The plus keeps SQLite from walking the
/// index of ticks instead of that of ends.
pub(super) const OLD_RUNS: &str = "\
FROM runs r WHERE r.state = $1 AND r.finished_us < $2 AND +r.scheduled_us < $2 \
AND NOT EXISTS (SELECT 1 FROM backfills b WHERE b.ended_us IS NULL AND b.job = r.job AND r.scheduled_us BETWEEN b.from_us AND b.until_us) \
AND NOT (r.state = 'success' AND NOT EXISTS (SELECT 1 FROM runs n WHERE n.job = r.job AND n.state = 'success' AND n.scheduled_us > r.scheduled_us))";

/// Attempts `a` that were opened before $1, are over and have their bodies.
pub(super) const OLD_BODIES: &str =
    "FROM attempts a WHERE a.request <> '' AND a.opened_us < $1 AND a.outcome IS NOT NULL";

/// A pass over what is old, and how far it has come. The writer hands it back a batch further.
#[derive(Clone, Debug)]
pub struct Prune {
    at: Timestamp,
    actor: String,
    horizons: Horizons,
    stage: usize,
    /// The last row that the stage has passed: its instant and its place.
    passed: (i64, i64),
    /// Its event, once it is written.
    event: Option<i64>,
    removed: Removed,
}

/// What was taken away.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Removed {
    /// Runs.
    pub runs: u64,
    /// Their attempts.
    pub attempts: u64,
    /// Attempts of runs that stay, whose bodies went.
    pub bodies: u64,
    /// Bytes of bodies, of both.
    pub bytes: u64,
}

impl Removed {
    /// Whether that is nothing.
    pub fn is_nothing(&self) -> bool {
        *self == Self::default()
    }
}

impl Prune {
    /// A pass of `actor`'s at `at`.
    pub fn new(at: Timestamp, actor: &str, horizons: Horizons) -> Self {
        Self {
            at,
            actor: actor.to_owned(),
            horizons,
            stage: 0,
            passed: BEGINNING,
            event: None,
            removed: Removed::default(),
        }
    }

    /// Whether nothing is left to be taken.
    pub fn is_done(&self) -> bool {
        self.stage >= STAGES.len()
    }

    /// What has been taken so far.
    pub fn removed(&self) -> Removed {
        self.removed
    }

    fn event(&self) -> Event {
        let us = Timestamp::as_microsecond;
        let (horizons, removed) = (self.horizons, self.removed);
        let detail = json!({
            "before_us": us(horizons.ticks()),
            "bodies_before_us": us(horizons.bodies),
            "runs_before": shown(horizons.runs),
            "failures_before": shown(horizons.failures),
            "bodies_before": shown(horizons.bodies),
            "runs": removed.runs,
            "attempts": removed.attempts,
            "bodies": removed.bodies,
            "bytes": removed.bytes,
        });
        Event {
            at: self.at,
            kind: "prune",
            actor: self.actor.clone(),
            detail: detail.to_string(),
        }
    }
}

/// Before every row.
const BEGINNING: (i64, i64) = (i64::MIN, i64::MIN);

fn shown(at: Timestamp) -> String {
    format!("{at:.3}")
}

/// Takes the next batch away; the pass as it is then.
pub(super) async fn write(
    connection: &mut SqliteConnection,
    pass: &Prune,
) -> Result<Prune, sqlx::Error> {
    let mut pass = pass.clone();
    while let Some(stage) = STAGES.get(pass.stage) {
        let found = match stage {
            Stage::Runs(state) => runs(connection, &mut pass, *state).await?,
            Stage::Bodies => bodies(connection, &mut pass).await?,
        };
        if found {
            tell(connection, &mut pass).await?;
            break;
        }
        pass.stage += 1;
        pass.passed = BEGINNING;
    }
    Ok(pass)
}

/// The rows of a batch, out of those that were found: as many as its bytes allow, and one at least.
fn within_bytes(found: &[SqliteRow], pass: &mut Prune) -> Result<Vec<i64>, sqlx::Error> {
    let mut places = Vec::with_capacity(found.len());
    let mut bytes = 0;
    for row in found {
        if bytes > BYTES {
            break;
        }
        let place = row.try_get(1)?;
        pass.passed = (row.try_get(0)?, place);
        bytes += row.try_get::<i64, _>(2)?.unsigned_abs();
        places.push(place);
    }
    pass.removed.bytes += bytes;
    Ok(places)
}

/// The places of the next batch as a JSON list, if there is one. `query` lacks the parameters that are
/// the same of every stage: what it has passed, and how many rows it may take.
async fn next(
    connection: &mut SqliteConnection,
    pass: &mut Prune,
    query: Bound<'_>,
) -> Result<Option<String>, sqlx::Error> {
    let (instant, place) = pass.passed;
    let query = query.bind(instant).bind(place).bind(ROWS);
    let found = query.fetch_all(connection).await?;
    let places = within_bytes(&found, pass)?;
    Ok((!places.is_empty()).then(|| json!(places).to_string()))
}

fn next_runs() -> String {
    format!(
        "SELECT r.finished_us, r.rowid, (SELECT coalesce(sum({STORED}), 0) FROM attempts a WHERE a.run_id = r.id) \
         {OLD_RUNS} AND (r.finished_us, r.rowid) > ($3, $4) ORDER BY r.finished_us, r.rowid LIMIT $5"
    )
}

fn next_bodies() -> String {
    format!(
        "SELECT a.opened_us, a.id, {STORED} {OLD_BODIES} AND (a.opened_us, a.id) > ($2, $3) \
         ORDER BY a.opened_us, a.id LIMIT $4"
    )
}

async fn runs(
    connection: &mut SqliteConnection,
    pass: &mut Prune,
    state: RunState,
) -> Result<bool, sqlx::Error> {
    let query = sqlx::query(sqlx::AssertSqlSafe(next_runs()))
        .bind(state.as_str())
        .bind(pass.horizons.of(state).as_microsecond());
    let Some(places) = next(connection, pass, query).await? else {
        return Ok(false);
    };
    let attempts = sqlx::query(
        "DELETE FROM attempts WHERE run_id IN (SELECT id FROM runs WHERE rowid IN (SELECT value FROM json_each($1)))",
    );
    let attempts = attempts.bind(&places).execute(&mut *connection);
    pass.removed.attempts += attempts.await?.rows_affected();
    let runs = sqlx::query("DELETE FROM runs WHERE rowid IN (SELECT value FROM json_each($1))");
    let runs = runs.bind(&places).execute(connection);
    pass.removed.runs += runs.await?.rows_affected();
    Ok(true)
}

async fn bodies(connection: &mut SqliteConnection, pass: &mut Prune) -> Result<bool, sqlx::Error> {
    let query =
        sqlx::query(sqlx::AssertSqlSafe(next_bodies())).bind(pass.horizons.bodies.as_microsecond());
    let Some(places) = next(connection, pass, query).await? else {
        return Ok(false);
    };
    // A replay has its request twice; the one with the run goes when the run is over.
    sqlx::query(
        "UPDATE runs SET request = '' WHERE replay_of IS NOT NULL AND finished_us IS NOT NULL \
         AND id IN (SELECT run_id FROM attempts WHERE id IN (SELECT value FROM json_each($1)))",
    )
    .bind(&places)
    .execute(&mut *connection)
    .await?;
    let bodies = sqlx::query(
        "UPDATE attempts SET request = '', response = NULL WHERE id IN (SELECT value FROM json_each($1))",
    );
    let bodies = bodies.bind(&places).execute(connection);
    pass.removed.bodies += bodies.await?.rows_affected();
    Ok(true)
}

/// Writes the pass's event, or what has become of it since.
async fn tell(connection: &mut SqliteConnection, pass: &mut Prune) -> Result<(), sqlx::Error> {
    let event = pass.event();
    match pass.event {
        Some(id) => {
            sqlx::query("UPDATE events SET detail = $2 WHERE id = $1")
                .bind(id)
                .bind(event.detail)
                .execute(connection)
                .await?;
        }
        None => {
            super::versions::record(&mut *connection, &event).await?;
            let id = sqlx::query_scalar("SELECT last_insert_rowid()");
            pass.event = Some(id.fetch_one(connection).await?);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::explain::steps;
    use super::super::old::{old_bodies, old_runs};
    use super::*;

    #[tokio::test]
    async fn what_is_old_is_found_without_a_look_at_what_is_not() {
        let by_end = "runs_by_end (state=? AND finished_us";
        let by_opening = "attempts_with_bodies (opened_us";
        for (query, index) in [
            (next_runs(), by_end),
            (next_bodies(), by_opening),
            (old_runs(), by_end),
            (old_bodies(), by_opening),
        ] {
            let plan = steps(&query).await.join("\n");
            assert!(plan.contains(index), "{plan}");
            for table in ["SCAN r", "SCAN a", "SCAN n", "B-TREE"] {
                assert!(!plan.contains(table), "{plan}");
            }
        }
    }
}
