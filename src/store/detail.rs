//! One run, whole: found by its id, the beginning of its id, or any id of one of its replies.

use sqlx::sqlite::SqliteRow;
use sqlx::{Connection, FromRow, Row};

use super::error::StoreError;
use super::reader::Reader;
use crate::domain::attempt::StoredBody;

/// Runs that [`Reader::find`] names, at most.
pub const MATCHES: u32 = 100;

/// A run that was looked for.
#[derive(Clone, Debug, PartialEq, Eq, FromRow)]
pub struct FoundRun {
    /// The run.
    pub run_id: String,
    /// Whose.
    pub job: String,
    /// What started it.
    pub trigger: String,
    /// The nominal tick, in microseconds since the epoch.
    pub scheduled_us: i64,
    /// Its state.
    pub state: String,
    /// Its reason.
    pub reason: Option<String>,
}

/// A row of `runs`, with its attempts and its definition. Times are microseconds since the epoch.
#[derive(Clone, Debug, PartialEq, Eq, FromRow)]
pub struct RunDetail {
    /// Its identity.
    pub id: String,
    /// Whose.
    pub job: String,
    /// What started it.
    pub trigger: String,
    /// The nominal tick.
    pub scheduled_us: i64,
    /// The tick plus the job's spread.
    pub due_us: i64,
    /// Where it stands.
    pub state: String,
    /// Why.
    pub reason: Option<String>,
    /// The workspace that its calls go to.
    pub workspace: String,
    /// The function.
    pub func_id: String,
    /// Of a waiting run: no attempt opens before it.
    pub not_before_us: Option<i64>,
    /// When it was planned.
    pub created_us: i64,
    /// When its first attempt was opened.
    pub opened_us: Option<i64>,
    /// When it became final.
    pub finished_us: Option<i64>,
    /// The definition it was planned with.
    pub definition_hash: String,
    /// That definition's canonical JSON text, if the ledger has it.
    pub definition: Option<String>,
    /// A manual start's arguments beside the job's own: a JSON object.
    pub kwargs: Option<String>,
    /// The run whose request a replay sends again.
    pub replay_of: Option<String>,
    /// The backfill that it is part of.
    pub backfill: Option<String>,
    /// By number.
    #[sqlx(skip)]
    pub attempts: Vec<AttemptDetail>,
    /// What people did to it, the oldest first.
    #[sqlx(skip)]
    pub events: Vec<RunEvent>,
}

/// Something that somebody did to a run.
#[derive(Clone, Debug, PartialEq, Eq, FromRow)]
pub struct RunEvent {
    /// When, in microseconds since the epoch.
    pub at_us: i64,
    /// `trigger`, `cancel`, `resolve`, `replay`, …
    pub kind: String,
    /// Who.
    pub actor: String,
    /// A JSON object.
    pub detail: String,
}

/// A row of `attempts`. Times are microseconds since the epoch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttemptDetail {
    /// Its number, from 1.
    pub attempt: i64,
    /// When its row was made durable, before the request left.
    pub opened_us: i64,
    /// When the request's last byte was handed to the connection, if that is known.
    pub written_us: Option<i64>,
    /// When it ended; `None` while it is open.
    pub finished_us: Option<i64>,
    /// Where it went.
    pub workspace: String,
    /// Scheme, host and port.
    pub origin: String,
    /// With which key: 8 hex digits of its SHA-256.
    pub key_id: String,
    /// The function.
    pub func_id: String,
    /// What was sent.
    pub request: StoredBody,
    /// The reply's status.
    pub http_status: Option<i64>,
    /// What came back.
    pub response: Option<StoredBody>,
    /// The envelope's `traceId`.
    pub trace_id: Option<String>,
    /// The content's `traceId`.
    pub func_trace_id: Option<String>,
    /// The engine's task.
    pub task_id: Option<String>,
    /// The reply's `reqCost`, in milliseconds.
    pub cost_ms: Option<i64>,
    /// From sending to the last byte, in microseconds.
    pub duration_us: Option<i64>,
    /// What became of it.
    pub outcome: Option<String>,
    /// Why an `unknown` is one.
    pub unknown_reason: Option<String>,
    /// What in the reply decided, in words.
    pub decided_by: Option<String>,
    /// The envelope's `errorCode`.
    pub error_code: Option<String>,
    /// The content's `reason`.
    pub engine_reason: Option<String>,
    /// The content's `error`.
    pub engine_error: Option<String>,
    /// The content's message, else the envelope's.
    pub message: Option<String>,
}

impl FromRow<'_, SqliteRow> for AttemptDetail {
    fn from_row(row: &SqliteRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            attempt: row.try_get("attempt")?,
            opened_us: row.try_get("opened_us")?,
            written_us: row.try_get("written_us")?,
            finished_us: row.try_get("finished_us")?,
            workspace: row.try_get("workspace")?,
            origin: row.try_get("origin")?,
            key_id: row.try_get("key_id")?,
            func_id: row.try_get("func_id")?,
            request: StoredBody {
                text: row.try_get("request")?,
                bytes: length(row.try_get("request_bytes")?),
                sha256: row.try_get("request_sha256")?,
            },
            http_status: row.try_get("http_status")?,
            response: response(row)?,
            trace_id: row.try_get("trace_id")?,
            func_trace_id: row.try_get("func_trace_id")?,
            task_id: row.try_get("task_id")?,
            cost_ms: row.try_get("cost_ms")?,
            duration_us: row.try_get("duration_us")?,
            outcome: row.try_get("outcome")?,
            unknown_reason: row.try_get("unknown_reason")?,
            decided_by: row.try_get("decided_by")?,
            error_code: row.try_get("error_code")?,
            engine_reason: row.try_get("engine_reason")?,
            engine_error: row.try_get("engine_error")?,
            message: row.try_get("message")?,
        })
    }
}

fn response(row: &SqliteRow) -> Result<Option<StoredBody>, sqlx::Error> {
    let text: Option<String> = row.try_get("response")?;
    let sha256: Option<String> = row.try_get("response_sha256")?;
    // One that was there and was pruned has its length and its hash still.
    if text.is_none() && sha256.is_none() {
        return Ok(None);
    }
    Ok(Some(StoredBody {
        bytes: length(
            row.try_get::<Option<i64>, _>("response_bytes")?
                .unwrap_or(0),
        ),
        sha256: sha256.unwrap_or_default().into(),
        text: text.unwrap_or_default().into(),
    }))
}

fn length(bytes: i64) -> u64 {
    u64::try_from(bytes).unwrap_or(0)
}

/// `$1` is the id as it was given, `$2` and `$3` the bounds of run ids that begin with it.
const FIND: &str = "\
SELECT id AS run_id, job, trigger, scheduled_us, state, reason FROM runs WHERE id IN (\
SELECT id FROM runs WHERE id >= $2 AND id < $3 \
UNION SELECT run_id FROM attempts WHERE trace_id = $1 \
UNION SELECT run_id FROM attempts WHERE func_trace_id = $1 \
UNION SELECT run_id FROM attempts WHERE task_id = $1) \
ORDER BY scheduled_us DESC, id DESC LIMIT $4";

const RUN: &str = "\
SELECT id, job, trigger, scheduled_us, due_us, state, reason, workspace, func_id, not_before_us, created_us, opened_us, finished_us, definition_hash, kwargs, replay_of, backfill, \
(SELECT v.definition FROM job_versions v WHERE v.definition_hash = runs.definition_hash LIMIT 1) AS definition FROM runs WHERE id = $1";

const ATTEMPTS: &str = "\
SELECT attempt, opened_us, written_us, finished_us, workspace, origin, key_id, func_id, request, request_bytes, request_sha256, http_status, response, \
response_bytes, response_sha256, trace_id, func_trace_id, task_id, cost_ms, duration_us, outcome, unknown_reason, decided_by, error_code, engine_reason, \
engine_error, message FROM attempts WHERE run_id = $1 ORDER BY attempt";

const EVENTS: &str = "SELECT at_us, kind, actor, detail FROM events WHERE run_id = $1 ORDER BY id";

/// Shortest beginning of a run id that is looked for.
const SHORTEST_PREFIX: usize = 8;

/// The bounds of run ids that begin with `id`; nothing lies between the bounds of what begins none.
fn run_ids_from(id: &str) -> (String, String) {
    let digits: String = id
        .to_ascii_lowercase()
        .chars()
        .filter(|c| *c != '-')
        .collect();
    let hex = digits.bytes().all(|b| b.is_ascii_hexdigit());
    if !hex || !(SHORTEST_PREFIX..=32).contains(&digits.len()) {
        return (String::new(), String::new());
    }
    let mut from = String::with_capacity(36);
    for (index, digit) in digits.chars().enumerate() {
        if matches!(index, 8 | 12 | 16 | 20) {
            from.push('-');
        }
        from.push(digit);
    }
    // Every run id goes on with a digit or a dash, and all of these sort before `g`.
    let to = format!("{from}g");
    (from, to)
}

impl Reader {
    /// The runs that an id means: a run id or its beginning of 8 digits or more, in any case and with
    /// or without dashes; or exactly one of the three ids of a reply. [`MATCHES`] at most, newest
    /// first.
    ///
    /// # Errors
    /// Where the ledger cannot be read.
    pub async fn find(&self, id: &str) -> Result<Vec<FoundRun>, StoreError> {
        let (from, to) = run_ids_from(id);
        let found = sqlx::query_as(FIND)
            .bind(id)
            .bind(from)
            .bind(to)
            .bind(MATCHES)
            .fetch_all(self.pool())
            .await;
        found.map_err(|error| StoreError::from_sqlx("looking for a run", error))
    }

    /// A run by its whole id, as of one instant.
    ///
    /// # Errors
    /// Where the ledger cannot be read.
    pub async fn run(&self, id: &str) -> Result<Option<RunDetail>, StoreError> {
        let failed = |error| StoreError::from_sqlx("reading a run", error);
        let mut connection = self.pool().acquire().await.map_err(failed)?;
        // One transaction, so that the run's state and its attempts belong together.
        let mut transaction = connection.begin().await.map_err(failed)?;
        let run = sqlx::query_as(RUN)
            .bind(id)
            .fetch_optional(&mut *transaction)
            .await
            .map_err(failed)?;
        let Some(mut run): Option<RunDetail> = run else {
            return Ok(None);
        };
        run.attempts = sqlx::query_as(ATTEMPTS)
            .bind(id)
            .fetch_all(&mut *transaction)
            .await
            .map_err(failed)?;
        run.events = sqlx::query_as(EVENTS)
            .bind(id)
            .fetch_all(&mut *transaction)
            .await
            .map_err(failed)?;
        Ok(Some(run))
    }
}

#[cfg(test)]
mod tests {
    use super::super::explain::steps;
    use super::*;

    #[tokio::test]
    async fn a_run_is_looked_for_by_indexes_alone() {
        for sql in [FIND, RUN, ATTEMPTS, EVENTS] {
            let steps = steps(sql).await;
            for step in &steps {
                let is_scan = step.starts_with("SCAN") && !step.contains("SUBQUERY");
                assert!(!is_scan, "{}", steps.join("\n"));
            }
        }
    }

    #[test]
    fn the_beginning_of_a_run_id_is_a_range_of_run_ids() {
        let id = "0199e3b2-7c1f-7a3b-8def-0123456789ab";
        for given in [
            "0199e3b2",
            "0199E3B2-7C1F",
            "0199e3b27c1f7a3b",
            id,
            &id.replace('-', ""),
        ] {
            let (from, to) = run_ids_from(given);
            assert!(
                from.as_str() <= id && id < to.as_str(),
                "{given}: {from} {to}"
            );
        }
        let (from, to) = run_ids_from("0199e3b3");
        assert!(!(from.as_str() <= id && id < to.as_str()));
    }

    #[test]
    fn what_begins_no_run_id_is_an_empty_range() {
        for given in [
            "",
            "0199e3b",
            "TRACE-16435F71",
            "0199e3b2-7c1f-7a3b-8def-0123456789abc",
            "zzzzzzzz",
        ] {
            let (from, to) = run_ids_from(given);
            assert_eq!(from, to, "{given}");
        }
    }
}
