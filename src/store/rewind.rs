//! Going back: a wall clock that was ahead has been set back, and the ledger is planned beyond it.

use jiff::Timestamp;
use serde_json::json;
use sqlx::sqlite::SqliteConnection;

use super::finish::{self, Settle};
use super::versions::{self, Event};
use crate::domain::run::RunId;

/// Rows that are looked at in one transaction, at most: a year that was flown over has millions.
const AT_ONCE: u64 = 20_000;

/// Planning goes on from an instant that it had passed.
#[derive(Clone, Debug)]
pub struct Rewind {
    /// What the wall clock shows.
    pub to: Timestamp,
    /// Decisions on runs that wait: the end of those whose tick has not come, an earlier instant for
    /// those that would wait for the time that the clock showed.
    pub settles: Vec<Settle>,
}

/// How far going back has come.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rewound {
    /// Runs that did not wait, of which nothing was changed.
    pub not_waiting: Vec<RunId>,
    /// Whether all of it is done; else it is to be asked for again.
    pub is_done: bool,
}

/// What the ledger holds of the time after an instant becomes what it should be at that instant: spans
/// to be planned, definitions and pauses begin and end there at the latest.
const CUT: [&str; 4] = [
    "DELETE FROM gaps WHERE from_us >= $1",
    "UPDATE gaps SET until_us = $1 WHERE until_us > $1",
    "UPDATE job_versions SET from_us = min(from_us, $1), until_us = min(until_us, $1) \
     WHERE from_us > $1 OR until_us > $1",
    "UPDATE pauses SET from_us = min(from_us, $1), resumed_us = min(resumed_us, $1) \
     WHERE from_us > $1 OR resumed_us > $1",
];

/// Goes a part of the way, the last of which moves the cursor: a crash in between has it begun again.
pub(super) async fn write(
    connection: &mut SqliteConnection,
    rewind: &Rewind,
) -> Result<Rewound, sqlx::Error> {
    let to = rewind.to.as_microsecond();
    let not_waiting = finish::settle_all(connection, &rewind.settles).await?;
    let marked = sqlx::query(
        "UPDATE runs SET ahead = CASE WHEN state IN ('missed', 'skipped') THEN 'void' ELSE 'kept' END \
         WHERE id IN (SELECT id FROM runs WHERE scheduled_us > $1 AND trigger IN ('schedule', 'catchup') \
                      AND ahead IS NULL LIMIT $2)",
    )
    .bind(to)
    .bind(i64::try_from(AT_ONCE).unwrap_or(i64::MAX))
    .execute(&mut *connection)
    .await?
    .rows_affected();
    let is_done = marked < AT_ONCE;
    if is_done {
        for statement in CUT {
            sqlx::query(statement)
                .bind(to)
                .execute(&mut *connection)
                .await?;
        }
        move_cursor(connection, rewind.to).await?;
    }
    Ok(Rewound {
        not_waiting,
        is_done,
    })
}

/// `reached_us` stays: what was planned beyond the cursor may have its rows.
async fn move_cursor(connection: &mut SqliteConnection, to: Timestamp) -> Result<(), sqlx::Error> {
    let planned: Option<i64> = sqlx::query_scalar("SELECT planned_us FROM planner WHERE id = 1")
        .fetch_optional(&mut *connection)
        .await?;
    let Some(planned) = planned.filter(|planned| *planned > to.as_microsecond()) else {
        return Ok(());
    };
    sqlx::query("UPDATE planner SET planned_us = $1")
        .bind(to.as_microsecond())
        .execute(&mut *connection)
        .await?;
    let from = Timestamp::from_microsecond(planned).unwrap_or(to);
    let detail = json!({ "from": format!("{from:.3}"), "to": format!("{to:.3}") });
    let event = Event {
        at: to,
        kind: "rewind",
        actor: "daemon".to_owned(),
        detail: detail.to_string(),
    };
    versions::record(connection, &event).await
}
