//! What people order: runs started and ended by hand, pauses, backfills, each with its event in the
//! same transaction. An order that was answered is durable, and one that was not left nothing.

use jiff::Timestamp;
use sqlx::sqlite::SqliteConnection;

use super::backfills::{self, Advance, Backfill};
use super::finish::{self, Settle};
use super::pauses::{self, Pause};
use super::plan;
use super::rows::{Bound, Part, RowsStatement};
use super::versions::Event;
use crate::domain::job::JobName;
use crate::domain::run::{NewRun, RunId};

/// One durable order.
#[derive(Clone, Debug)]
pub struct Order {
    /// When it was given.
    pub at: Timestamp,
    /// Runs to insert; one that its backfill has already is left out.
    pub starts: Vec<Start>,
    /// Runs that wait and are to end.
    pub ends: Vec<Settle>,
    /// Pauses that begin; one of the job that had not ended ends here.
    pub paused: Vec<Pause>,
    /// Jobs whose pause ends.
    pub resumed: Vec<JobName>,
    /// A backfill that begins.
    pub backfill: Option<Backfill>,
    /// How far backfills have come.
    pub advances: Vec<Advance>,
    /// What is told of it.
    pub acts: Vec<Act>,
}

impl Order {
    /// An order of nothing.
    pub const fn nothing(at: Timestamp) -> Self {
        Self {
            at,
            starts: Vec::new(),
            ends: Vec::new(),
            paused: Vec::new(),
            resumed: Vec::new(),
            backfill: None,
            advances: Vec::new(),
            acts: Vec::new(),
        }
    }
}

/// A run that a person starts.
#[derive(Clone, Debug)]
pub struct Start {
    /// The run.
    pub run: NewRun,
    /// A manual start's arguments beside the job's own: a JSON object without secrets.
    pub kwargs: Option<String>,
    /// A replay's source and its request as it was recorded.
    pub replay: Option<(RunId, String)>,
    /// The backfill that it is part of.
    pub backfill: Option<String>,
}

/// An event about a job or a run.
#[derive(Clone, Debug)]
pub struct Act {
    /// What happened.
    pub event: Event,
    /// To which job.
    pub job: Option<JobName>,
    /// To which run.
    pub run: Option<RunId>,
}

/// What of an order was not as believed. None of it keeps the rest from being durable.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ordered {
    /// Runs that were not inserted.
    pub taken: Vec<RunId>,
    /// Runs that did not wait, of which nothing was changed.
    pub not_waiting: Vec<RunId>,
}

static INSERT_STARTS: RowsStatement<1> = RowsStatement::new([Part {
    head: "INSERT INTO runs (id, job, trigger, scheduled_us, due_us, state, reason, definition_hash, workspace, func_id, kwargs, replay_of, \
         request, backfill, created_us) SELECT * FROM ",
    columns: 15,
    tail: " WHERE column1 IS NOT NULL ON CONFLICT (backfill, scheduled_us) WHERE backfill IS NOT NULL DO NOTHING",
}]);

/// Writes the order.
pub(super) async fn write(
    connection: &mut SqliteConnection,
    order: &Order,
) -> Result<Ordered, sqlx::Error> {
    if let Some(backfill) = &order.backfill {
        backfills::begin(connection, backfill, order.at).await?;
    }
    let taken = insert(connection, order).await?;
    let not_waiting = finish::settle_all(connection, &order.ends).await?;
    for job in &order.resumed {
        pauses::end(connection, job, order.at).await?;
    }
    for pause in &order.paused {
        pauses::end(connection, &pause.job, order.at).await?;
        pauses::begin(connection, pause).await?;
    }
    for advance in &order.advances {
        backfills::advance(connection, advance, order.at).await?;
    }
    for act in &order.acts {
        record(connection, act).await?;
    }
    Ok(Ordered { taken, not_waiting })
}

/// Inserts the runs; answers those that were there already.
async fn insert(
    connection: &mut SqliteConnection,
    order: &Order,
) -> Result<Vec<RunId>, sqlx::Error> {
    let created = order.at.as_microsecond();
    let inserted = INSERT_STARTS
        .execute(
            connection,
            &order.starts,
            [&|query, start| bind_start(query, start).bind(created)],
        )
        .await?;
    if inserted == order.starts.len() as u64 {
        return Ok(Vec::new());
    }
    plan::absent(connection, order.starts.iter().map(|start| start.run.id)).await
}

fn bind_start<'q>(query: Bound<'q>, start: &Start) -> Bound<'q> {
    let (replay_of, request) = match &start.replay {
        Some((source, request)) => (Some(source.to_string()), Some(request.clone())),
        None => (None, None),
    };
    plan::bind_run(query, &start.run)
        .bind(start.kwargs.clone())
        .bind(replay_of)
        .bind(request)
        .bind(start.backfill.clone())
}

async fn record(connection: &mut SqliteConnection, act: &Act) -> Result<(), sqlx::Error> {
    let event = &act.event;
    sqlx::query(
        "INSERT INTO events (at_us, kind, actor, job, run_id, detail) VALUES ($1, $2, $3, $4, $5, $6)",
    )
    .bind(event.at.as_microsecond())
    .bind(event.kind)
    .bind(event.actor.as_str())
    .bind(act.job.as_ref().map(JobName::as_str))
    .bind(act.run.map(|run| run.to_string()))
    .bind(event.detail.as_str())
    .execute(connection)
    .await?;
    Ok(())
}
