//! What people and their tools ask the ledger: the view `executions`, filtered; one run, whole; the
//! jobs with their newest runs.
//!
//! - Every filter is a condition in SQL with a bound parameter, every answer has a limit, and what
//!   machines read is streamed: memory does not grow with the history.
//! - Words of closed sets are handed on as text. A reader shows what is there, it does not judge it.

use futures_util::stream::{self, BoxStream, StreamExt, TryStreamExt};
use jiff::Timestamp;
use serde::Serialize;
use sqlx::query::QueryAs;
use sqlx::sqlite::{SqliteArguments, SqliteRow};
use sqlx::{AssertSqlSafe, FromRow, Sqlite};

use super::dialect;
use super::error::StoreError;
use super::reader::Reader;
use crate::domain::run::{RunState, Trigger};

/// A row of the view `executions`: an attempt with its run, or a run that made none. The columns,
/// their order and their formats are a promise (guarantee G8); `-o json` prints them as they are.
#[derive(Clone, Debug, PartialEq, Eq, FromRow, Serialize)]
pub struct Execution {
    /// The run, a UUIDv7.
    pub run_id: String,
    /// Whose.
    pub job: String,
    /// `schedule`, `catchup`, `manual`, `backfill` or `replay`.
    pub trigger: String,
    /// The nominal tick, RFC 3339 with milliseconds, UTC.
    pub scheduled_at: String,
    /// The tick plus the job's spread.
    pub due_at: String,
    /// The run's state.
    pub state: String,
    /// The run's reason, where its state is neither `success` nor `running`.
    pub reason: Option<String>,
    /// The attempt's number, from 1; none of what follows is there without one, but `finished_at`,
    /// `workspace` and `func_id`, which are then the run's.
    pub attempt: Option<i64>,
    /// When the request had been written, else when the attempt was opened.
    pub sent_at: Option<String>,
    /// When the attempt ended.
    pub finished_at: Option<String>,
    /// The workspace's name.
    pub workspace: String,
    /// The function.
    pub func_id: String,
    /// The JSON body that was sent, redacted, up to the ledger's limit.
    pub request: Option<String>,
    /// The reply's status.
    pub http_status: Option<i64>,
    /// The reply's body, redacted, up to the ledger's limit.
    pub response: Option<String>,
    /// The envelope's `traceId`.
    pub trace_id: Option<String>,
    /// The content's `traceId`.
    pub func_trace_id: Option<String>,
    /// The engine's task.
    pub task_id: Option<String>,
    /// The reply's `reqCost`, in milliseconds.
    pub cost_ms: Option<i64>,
    /// From sending to the last byte, in milliseconds.
    pub duration_ms: Option<i64>,
    /// The attempt's outcome; none while it is open.
    pub outcome: Option<String>,
    /// The envelope's `errorCode`.
    pub error_code: Option<String>,
    /// The content's `reason`, whole.
    pub engine_reason: Option<String>,
    /// The content's `error`, in its own digits.
    pub engine_error: Option<String>,
    /// The content's message, else the envelope's.
    pub message: Option<String>,
    /// The definition that the run was planned with.
    pub definition_hash: String,
    /// `scheduled_at` in microseconds since the epoch.
    pub scheduled_us: i64,
    /// `sent_at` in microseconds since the epoch.
    pub sent_us: Option<i64>,
}

impl Execution {
    /// The columns in their order.
    pub const COLUMNS: [&str; 28] = [
        "run_id",
        "job",
        "trigger",
        "scheduled_at",
        "due_at",
        "state",
        "reason",
        "attempt",
        "sent_at",
        "finished_at",
        "workspace",
        "func_id",
        "request",
        "http_status",
        "response",
        "trace_id",
        "func_trace_id",
        "task_id",
        "cost_ms",
        "duration_ms",
        "outcome",
        "error_code",
        "engine_reason",
        "engine_error",
        "message",
        "definition_hash",
        "scheduled_us",
        "sent_us",
    ];
}

/// A row of the view as a table for people needs it: no bodies, and how many attempts there are.
#[derive(Clone, Debug, PartialEq, Eq, FromRow)]
pub struct HistoryLine {
    /// The run.
    pub run_id: String,
    /// Whose.
    pub job: String,
    /// What started it.
    pub trigger: String,
    /// The nominal tick, in microseconds since the epoch.
    pub scheduled_us: i64,
    /// The run's state.
    pub state: String,
    /// The run's reason.
    pub reason: Option<String>,
    /// The attempt's number.
    pub attempt: Option<i64>,
    /// How many attempts the run has made.
    pub attempts: i64,
    /// The reply's status.
    pub http_status: Option<i64>,
    /// The envelope's `traceId`.
    pub trace_id: Option<String>,
    /// The reply's `reqCost`, in milliseconds.
    pub cost_ms: Option<i64>,
    /// From sending to the last byte, in milliseconds.
    pub duration_ms: Option<i64>,
    /// The attempt's outcome.
    pub outcome: Option<String>,
    /// The content's `reason`.
    pub engine_reason: Option<String>,
    /// The content's message, else the envelope's.
    pub message: Option<String>,
}

/// Which rows of `executions` are asked for: those that satisfy everything given, by tick, run and
/// attempt.
#[derive(Clone, Debug, Default)]
pub struct HistoryFilter {
    /// Of this job; no such job is no row.
    pub job: Option<String>,
    /// Of these jobs.
    pub jobs: Option<Vec<String>>,
    /// Ticks at or after it.
    pub since: Option<Timestamp>,
    /// Ticks before it.
    pub until: Option<Timestamp>,
    /// Runs in this state.
    pub state: Option<RunState>,
    /// Runs with this reason.
    pub reason: Option<String>,
    /// Calls of this function.
    pub func_id: Option<String>,
    /// The attempts that have it as one of their three ids: the envelope's, the content's, the task.
    pub trace_id: Option<String>,
    /// Runs started so.
    pub trigger: Option<Trigger>,
    /// The oldest first; else the newest.
    pub oldest_first: bool,
    /// Rows at most: attempts, not runs.
    pub limit: u32,
}

/// What is being done when the view cannot be read.
const HISTORY: &str = "reading the history";

const LINE: &str = "\
run_id, job, trigger, scheduled_us, state, reason, attempt, (SELECT r.attempts FROM runs r WHERE r.id = run_id) AS attempts, \
http_status, trace_id, cost_ms, duration_ms, outcome, engine_reason, message";

/// A statement and its parameters, in their order.
struct Statement {
    text: String,
    parameters: Vec<Parameter>,
}

enum Parameter {
    Text(String),
    Integer(i64),
}

impl Statement {
    /// The text consists of constants and the numbers of parameters alone; no value gets into it.
    /// `is_rare`: few runs are in the state that is asked for.
    fn select(columns: &str, filter: &HistoryFilter, is_rare: bool) -> Self {
        let mut statement = Self {
            text: format!("SELECT {columns} FROM executions"),
            parameters: Vec::new(),
        };
        // Always bounded below: without a condition on time SQLite prefers to sort the whole history
        // over walking the index of time from its end.
        let since = filter.since.map_or(i64::MIN, Timestamp::as_microsecond);
        let text = |value: &Option<String>| value.clone().map(Parameter::Text);
        let until = filter.until.map(Timestamp::as_microsecond);
        let word = |word: Option<&str>| word.map(|word| Parameter::Text(word.to_owned()));
        let jobs = filter
            .jobs
            .as_ref()
            .map(|jobs| serde_json::json!(jobs).to_string());
        for (condition, value) in [
            ("job = $", text(&filter.job)),
            (dialect::JOB_IS_AMONG, jobs.map(Parameter::Text)),
            ("scheduled_us >= $", Some(Parameter::Integer(since))),
            ("scheduled_us < $", until.map(Parameter::Integer)),
            (
                if is_rare {
                    IS_IN_RARE_STATE
                } else {
                    "state = $"
                },
                word(filter.state.map(RunState::as_str)),
            ),
            ("reason = $", text(&filter.reason)),
            ("func_id = $", text(&filter.func_id)),
            ("trigger = $", word(filter.trigger.map(Trigger::as_str))),
            (HAS_TRACE, text(&filter.trace_id)),
        ] {
            if let Some(value) = value {
                statement.and(condition, value);
            }
        }
        let order = if filter.oldest_first {
            " ORDER BY scheduled_us, run_id, attempt LIMIT $"
        } else {
            " ORDER BY scheduled_us DESC, run_id DESC, attempt DESC LIMIT $"
        };
        statement.add(order, Parameter::Integer(i64::from(filter.limit)));
        statement
    }

    fn and(&mut self, condition: &'static str, value: Parameter) {
        let first = self.parameters.is_empty();
        self.text.push_str(if first { " WHERE " } else { " AND " });
        self.add(condition, value);
    }

    /// Adds a text, every `$` of which stands for the one parameter.
    fn add(&mut self, text: &'static str, value: Parameter) {
        self.parameters.push(value);
        let name = format!("${}", self.parameters.len());
        self.text.push_str(&text.replace('$', &name));
    }

    fn query<T>(self) -> QueryAs<'static, Sqlite, T, SqliteArguments>
    where
        T: for<'r> FromRow<'r, SqliteRow>,
    {
        let query = sqlx::query_as(AssertSqlSafe(self.text));
        self.parameters
            .into_iter()
            .fold(query, |query, value| match value {
                Parameter::Text(text) => query.bind(text),
                Parameter::Integer(integer) => query.bind(integer),
            })
    }
}

/// The runs are found first, each id by its own index; the rows of these few are then compared.
const HAS_TRACE: &str = "\
run_id IN (SELECT run_id FROM attempts WHERE trace_id = $ UNION ALL SELECT run_id FROM attempts WHERE func_trace_id = $ \
UNION ALL SELECT run_id FROM attempts WHERE task_id = $) AND (trace_id = $ OR func_trace_id = $ OR task_id = $)";

/// Found by their state's own index and then sorted. Without it, all of a history would be walked for
/// what is not in it; of a state that many runs are in, to sort them would be the longer way.
const IS_IN_RARE_STATE: &str = "run_id IN (SELECT id FROM runs INDEXED BY runs_by_end WHERE state = $ AND finished_us IS NOT NULL)";

/// So many runs are sorted sooner than the index of time is walked for them.
const FEW: u32 = 5_000;

const ARE_FEW: &str = "\
SELECT count(*) <= $2 FROM (SELECT 1 FROM runs INDEXED BY runs_by_end WHERE state = $1 AND finished_us IS NOT NULL LIMIT $2 + 1)";

/// A job as the ledger knows it.
#[derive(Clone, Debug, PartialEq, Eq, FromRow)]
pub struct KnownJob {
    /// Its name.
    pub name: String,
    /// Whether the configuration that was loaded last has it.
    pub loaded: bool,
    /// Its newest definition's canonical JSON text.
    pub definition: Option<String>,
    /// Its newest run by tick.
    #[sqlx(flatten)]
    pub last: LastRun,
}

/// A job's newest run by tick; all empty where it has none.
#[derive(Clone, Debug, Default, PartialEq, Eq, FromRow)]
pub struct LastRun {
    /// Its tick, in microseconds since the epoch.
    pub last_us: Option<i64>,
    /// Its state.
    pub last_state: Option<String>,
    /// Its reason.
    pub last_reason: Option<String>,
}

const KNOWN_JOBS: &str = "\
SELECT j.name, j.loaded, v.definition, r.scheduled_us AS last_us, r.state AS last_state, r.reason AS last_reason FROM jobs j \
LEFT JOIN job_versions v ON v.id = (SELECT max(id) FROM job_versions WHERE definition_hash = j.definition_hash) \
LEFT JOIN runs r ON r.id = (SELECT id FROM runs WHERE job = j.name AND ahead IS NOT 'void' ORDER BY scheduled_us DESC, id DESC LIMIT 1) \
ORDER BY j.name";

impl Reader {
    /// Rows of the view, as they are; they arrive as they are read.
    pub fn executions<'r>(
        &'r self,
        filter: &'r HistoryFilter,
    ) -> BoxStream<'r, Result<Execution, StoreError>> {
        let rows = async move {
            let is_rare = self.is_rare(filter).await?;
            let statement = Statement::select(&Execution::COLUMNS.join(", "), filter, is_rare);
            Ok::<_, sqlx::Error>(statement.query().fetch(self.pool()))
        };
        stream::once(rows)
            .try_flatten()
            .map_err(|error| StoreError::from_sqlx(HISTORY, error))
            .boxed()
    }

    /// Whether few runs are in the final state that is asked for.
    async fn is_rare(&self, filter: &HistoryFilter) -> Result<bool, sqlx::Error> {
        match filter.state {
            Some(state) if state.is_final() => {
                let query = sqlx::query_scalar(ARE_FEW).bind(state.as_str()).bind(FEW);
                query.fetch_one(self.pool()).await
            }
            _ => Ok(false),
        }
    }

    /// How many runs there are of ticks in a span: what the bar of a long reading goes by.
    ///
    /// # Errors
    /// Where the ledger cannot be read.
    pub async fn runs_between(
        &self,
        since: Option<Timestamp>,
        until: Option<Timestamp>,
    ) -> Result<u64, StoreError> {
        let count: Result<i64, _> = sqlx::query_scalar(
            "SELECT count(*) FROM runs INDEXED BY runs_by_time WHERE scheduled_us >= $1 AND scheduled_us < $2",
        )
        .bind(since.map_or(i64::MIN, Timestamp::as_microsecond))
        .bind(until.map_or(i64::MAX, Timestamp::as_microsecond))
        .fetch_one(self.pool())
        .await;
        let count = count.map_err(|error| StoreError::from_sqlx(HISTORY, error))?;
        Ok(count.unsigned_abs())
    }

    /// Rows of the view for a table.
    ///
    /// # Errors
    /// Where the ledger cannot be read.
    pub async fn history(&self, filter: &HistoryFilter) -> Result<Vec<HistoryLine>, StoreError> {
        let failed = |error| StoreError::from_sqlx(HISTORY, error);
        let is_rare = self.is_rare(filter).await.map_err(failed)?;
        let query = Statement::select(LINE, filter, is_rare).query();
        query.fetch_all(self.pool()).await.map_err(failed)
    }

    /// Every job the ledger has ever loaded, by name, with its newest run.
    ///
    /// # Errors
    /// Where the ledger cannot be read.
    pub async fn known_jobs(&self) -> Result<Vec<KnownJob>, StoreError> {
        let rows = sqlx::query_as(KNOWN_JOBS).fetch_all(self.pool()).await;
        rows.map_err(|error| StoreError::from_sqlx("reading the jobs", error))
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::super::explain::{empty_ledger, steps};
    use super::*;

    async fn plan(filter: HistoryFilter) -> String {
        plan_of(&filter, false).await
    }

    async fn plan_of(filter: &HistoryFilter, is_rare: bool) -> String {
        let statement = Statement::select(LINE, filter, is_rare);
        steps(&statement.text).await.join("\n")
    }

    fn of(change: impl FnOnce(&mut HistoryFilter)) -> HistoryFilter {
        let mut filter = HistoryFilter {
            limit: 20,
            ..HistoryFilter::default()
        };
        change(&mut filter);
        filter
    }

    #[tokio::test]
    async fn a_history_without_filters_walks_the_index_of_time_and_sorts_only_ties() {
        for oldest_first in [false, true] {
            let plan = plan(of(|filter| filter.oldest_first = oldest_first)).await;
            assert!(plan.contains("runs_by_time (scheduled_us>?)"), "{plan}");
            assert!(!plan.contains("B-TREE FOR ORDER BY"), "{plan}");
        }
    }

    #[tokio::test]
    async fn a_job_and_a_span_of_time_are_found_by_an_index() {
        let at = Timestamp::UNIX_EPOCH;
        for (filter, index) in [
            (
                of(|f| f.job = Some("a".into())),
                "runs_tick (job=? AND scheduled_us>?)",
            ),
            (
                of(|f| {
                    f.job = Some("a".into());
                    f.since = Some(at);
                    f.state = Some(RunState::Failed);
                }),
                "runs_tick (job=? AND scheduled_us>?)",
            ),
            (of(|f| f.since = Some(at)), "runs_by_time (scheduled_us>?)"),
            (
                of(|f| f.until = Some(at)),
                "runs_by_time (scheduled_us>? AND scheduled_us<?)",
            ),
        ] {
            let plan = plan(filter).await;
            assert!(plan.contains(index), "{plan}");
            assert!(!plan.contains("SCAN r"), "{plan}");
            assert!(!plan.contains("B-TREE FOR ORDER BY"), "{plan}");
        }
    }

    #[tokio::test]
    async fn what_is_rare_is_found_by_its_state_and_the_history_is_not_walked_for_it() {
        let filter = of(|f| f.state = Some(RunState::Missed));
        let plan = plan_of(&filter, true).await;
        assert!(plan.contains("runs_by_end (state=?"), "{plan}");
        assert!(
            plan.contains("SEARCH r USING INDEX sqlite_autoindex_runs_1 (id=?)"),
            "{plan}"
        );
        assert!(!plan.contains("runs_by_time"), "{plan}");
    }

    #[tokio::test]
    async fn a_trace_is_found_by_the_index_of_each_of_its_three_columns() {
        let plan = plan(of(|f| f.trace_id = Some("t".into()))).await;
        for index in [
            "attempts_by_trace",
            "attempts_by_func_trace",
            "attempts_by_task",
        ] {
            assert!(plan.contains(index), "{plan}");
        }
        assert!(!plan.contains("SCAN"), "{plan}");
    }

    #[tokio::test]
    async fn the_columns_are_those_of_the_view_in_its_order() {
        let ledger = empty_ledger().await;
        let names: Vec<String> =
            sqlx::query_scalar("SELECT name FROM pragma_table_info('executions')")
                .fetch_all(&ledger)
                .await
                .unwrap();
        assert_eq!(names, Execution::COLUMNS);
    }

    #[test]
    fn every_value_is_bound_and_none_is_in_the_text() {
        let at = Timestamp::UNIX_EPOCH;
        let filter = HistoryFilter {
            job: Some("' OR 1=1".into()),
            jobs: Some(vec!["' OR 1=1".into()]),
            since: Some(at),
            until: Some(at),
            state: Some(RunState::Failed),
            reason: Some("' OR 1=1".into()),
            func_id: Some("' OR 1=1".into()),
            trace_id: Some("' OR 1=1".into()),
            trigger: Some(Trigger::Manual),
            oldest_first: true,
            limit: 7,
        };
        let statement = Statement::select("*", &filter, false);
        assert_eq!(statement.parameters.len(), 10);
        assert!(statement.text.ends_with("LIMIT $10"), "{}", statement.text);
        assert!(!statement.text.contains("1=1"), "{}", statement.text);
    }
}
