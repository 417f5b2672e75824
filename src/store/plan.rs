//! Writing what the planner decided: runs, the cursor, and the spans still to be planned.

use jiff::Timestamp;
use sqlx::sqlite::SqliteConnection;

use super::release::Release;
use super::rows::{Bound, Part, RowsStatement, id, word};
use super::versions::{self, Event, VersionChange};
use crate::domain::job::{DefinitionHash, JobName};
use crate::domain::run::{NewRun, RunId, Trigger};

/// One durable step of planning. Planning the same again changes nothing (guarantee G3).
#[derive(Clone, Debug)]
pub struct Plan {
    /// Rows to insert; one whose tick has a row already is left out.
    pub runs: Vec<NewRun>,
    /// When it was planned.
    pub at: Timestamp,
    /// Where the cursor stands afterwards; it never goes back.
    pub planned_through: Timestamp,
    /// Spans that are to be planned later, or are superseded from now on.
    pub opened: Vec<Gap>,
    /// Spans of which a part was planned now: with their new beginning, or finished.
    pub advanced: Vec<Gap>,
    /// What is loaded from now on.
    pub versions: Vec<VersionChange>,
    /// What is to be told with it, or not at all.
    pub events: Vec<Event>,
    /// It is written at once, and not committed before this has come; who joins its transaction waits as
    /// well.
    pub release: Option<Release>,
}

impl Plan {
    /// A plan of no runs that leaves the cursor at `planned_through`.
    pub fn nothing(at: Timestamp, planned_through: Timestamp) -> Self {
        Self {
            runs: Vec::new(),
            at,
            planned_through,
            opened: Vec::new(),
            advanced: Vec::new(),
            versions: Vec::new(),
            events: Vec::new(),
            release: None,
        }
    }
}

/// A span `(from, until]` of a job's past that is still to be planned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gap {
    /// Whose.
    pub job: JobName,
    /// By which definition it is planned.
    pub definition_hash: DefinitionHash,
    /// Everything up to and including this instant is planned.
    pub from: Timestamp,
    /// The span's end, and with the job its identity. `from == until` is a finished gap.
    pub until: Timestamp,
    /// Why it was not planned in time.
    pub cause: GapCause,
    /// The definition is no longer loaded: nothing of the span is caught up.
    pub superseded: bool,
}

/// Why ticks were not planned in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GapCause {
    /// No daemon ran, or it was too late.
    DaemonDown,
    /// The ledger could not be written.
    LedgerUnavailable,
    /// The wall clock jumped.
    Clock,
}

impl GapCause {
    /// The name in the ledger.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::DaemonDown => "daemon_down",
            Self::LedgerUnavailable => "ledger_unavailable",
            Self::Clock => "clock",
        }
    }

    /// The reverse of [`Self::as_str`].
    pub fn parse(text: &str) -> Option<Self> {
        [Self::DaemonDown, Self::LedgerUnavailable, Self::Clock]
            .into_iter()
            .find(|cause| cause.as_str() == text)
    }
}

static INSERT_RUNS: RowsStatement<1> = RowsStatement::new([Part {
    head: "INSERT INTO runs (id, job, trigger, scheduled_us, due_us, state, reason, definition_hash, workspace, func_id, not_before_us, created_us, finished_us) SELECT * FROM ",
    columns: 13,
    tail: " WHERE column1 IS NOT NULL ON CONFLICT (job, scheduled_us, (CASE WHEN trigger IN ('schedule', 'catchup') AND ahead IS NOT 'void' THEN 0 END)) DO NOTHING",
}]);

/// Binds the columns that every new run has, from `id` to `func_id`, in their order in the statements.
pub(super) fn bind_run<'q>(query: Bound<'q>, run: &NewRun) -> Bound<'q> {
    query
        .bind(id(run.id))
        .bind(run.job.shared())
        .bind(word(run.trigger.as_str()))
        .bind(run.scheduled_at.as_microsecond())
        .bind(run.due_at.as_microsecond())
        .bind(word(run.state.as_str()))
        .bind(run.reason.map(|reason| word(reason.as_str())))
        .bind(run.definition_hash.0.clone())
        .bind(run.workspace.0.clone())
        .bind(run.func_id.clone())
}

/// Writes the plan; answers which of its runs already had a row for their tick.
pub(super) async fn write(
    connection: &mut SqliteConnection,
    plan: &Plan,
) -> Result<Vec<RunId>, sqlx::Error> {
    let at = plan.at.as_microsecond();
    let inserted = INSERT_RUNS
        .execute(
            connection,
            &plan.runs,
            [&|query, run: &NewRun| {
                bind_run(query, run)
                    .bind(run.not_before.map(Timestamp::as_microsecond))
                    .bind(at)
                    .bind(run.state.is_final().then_some(at))
            }],
        )
        .await?;
    let taken = if inserted == plan.runs.len() as u64 {
        Vec::new()
    } else {
        absent(connection, plan.runs.iter().map(|run| run.id)).await?
    };
    versions::change(connection, &plan.versions).await?;
    for gap in &plan.opened {
        open_gap(connection, gap).await?;
    }
    for gap in &plan.advanced {
        advance_gap(connection, gap).await?;
    }
    for event in &plan.events {
        versions::record(connection, event).await?;
    }
    move_cursor(connection, plan).await?;
    Ok(taken)
}

/// Never backwards: a wall clock set back must not have a span planned twice by the way. Where it goes
/// back it does so as a whole, by [`super::rewind`].
async fn move_cursor(connection: &mut SqliteConnection, plan: &Plan) -> Result<(), sqlx::Error> {
    let ticks = plan
        .runs
        .iter()
        .filter(|run| run.trigger == Trigger::Schedule);
    let reached = ticks
        .map(|run| run.scheduled_at)
        .max()
        .max(Some(plan.planned_through));
    sqlx::query(
        "INSERT INTO planner (id, planned_us, reached_us) VALUES (1, $1, $2) \
         ON CONFLICT (id) DO UPDATE SET planned_us = max(planned_us, excluded.planned_us), \
         reached_us = max(reached_us, excluded.reached_us)",
    )
    .bind(plan.planned_through.as_microsecond())
    .bind(reached.map(Timestamp::as_microsecond))
    .execute(connection)
    .await?;
    Ok(())
}

/// Writes, and changes nothing. There and back again, since SQLite does not write a row anew that an
/// update leaves as it was: on a full disk that would succeed.
pub(super) async fn probe(connection: &mut SqliteConnection) -> Result<(), sqlx::Error> {
    for there_and_back in [
        "UPDATE planner SET planned_us = planned_us - 1",
        "UPDATE planner SET planned_us = planned_us + 1",
    ] {
        sqlx::query(there_and_back)
            .execute(&mut *connection)
            .await?;
    }
    Ok(())
}

/// The runs that are not in the ledger although they were to be inserted.
pub(super) async fn absent(
    connection: &mut SqliteConnection,
    runs: impl Iterator<Item = RunId>,
) -> Result<Vec<RunId>, sqlx::Error> {
    let mut absent = Vec::new();
    for run in runs {
        let found: Option<i64> = sqlx::query_scalar("SELECT 1 FROM runs WHERE id = $1")
            .bind(run.to_string())
            .fetch_optional(&mut *connection)
            .await?;
        if found.is_none() {
            absent.push(run);
        }
    }
    Ok(absent)
}

/// Inserts a gap. Where one with the same end stands, the earlier beginning holds, since nothing that
/// was to be planned may be lost, and a gap once superseded stays so.
async fn open_gap(connection: &mut SqliteConnection, gap: &Gap) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO gaps (job, definition_hash, from_us, until_us, cause, superseded) \
         VALUES ($1, $2, $3, $4, $5, $6) \
         ON CONFLICT (job, until_us) DO UPDATE SET from_us = min(from_us, excluded.from_us), \
         superseded = max(superseded, excluded.superseded)",
    )
    .bind(gap.job.as_str())
    .bind(gap.definition_hash.0.to_string())
    .bind(gap.from.as_microsecond())
    .bind(gap.until.as_microsecond())
    .bind(gap.cause.as_str())
    .bind(gap.superseded)
    .execute(connection)
    .await?;
    Ok(())
}

async fn advance_gap(connection: &mut SqliteConnection, gap: &Gap) -> Result<(), sqlx::Error> {
    let statement = if gap.from >= gap.until {
        "DELETE FROM gaps WHERE job = $1 AND until_us = $2 AND $3 >= until_us"
    } else {
        "UPDATE gaps SET from_us = max(from_us, $3) WHERE job = $1 AND until_us = $2"
    };
    sqlx::query(statement)
        .bind(gap.job.as_str())
        .bind(gap.until.as_microsecond())
        .bind(gap.from.as_microsecond())
        .execute(connection)
        .await?;
    Ok(())
}
