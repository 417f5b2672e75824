//! The engine's failures, as each generation words and numbers them.
//!
//! Reasons, numbers, texts and details were recorded from running engines (1.48 of 2022, 5.1 of
//! 2024); where none was recorded, the words are those of the engines' sources. A text that is
//! neither is marked as ours.

use serde_json::{Value, json};

use super::Generation;
use super::ids::Ids;

/// One failure: what fills `reason`, `error`, `message` and `detail`.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Failure {
    /// The name, with its sub-reason behind a dot.
    pub(super) reason: String,
    /// The number; its whole part is the status of the engine's own reply.
    pub(super) error: f64,
    /// Words for people.
    pub(super) message: String,
    /// `None` leaves the key out; `null` is a value that some failures have. Boxed, since a failure
    /// is the error of every function.
    pub(super) detail: Option<Box<Value>>,
}

/// A Python exception on its way up.
#[derive(Clone, Debug)]
pub(super) struct Exception {
    /// Its class, with the module unless that is `builtins`.
    pub(super) class: &'static str,
    /// What was given to its constructor.
    pub(super) message: String,
    /// Where it was raised: number and text of the line. The engine itself is the place where
    /// arguments do not fit, and shows no line.
    pub(super) line: Option<(u32, &'static str)>,
}

impl Exception {
    /// The last line of a traceback.
    fn summary(&self) -> String {
        if self.message.is_empty() {
            self.class.to_owned()
        } else {
            format!("{}: {}", self.class, self.message)
        }
    }

    /// The traceback that the newer engine shows.
    fn traceback(&self, func_id: &str) -> String {
        let (script, function) = func_id.split_once('.').unwrap_or((func_id, ""));
        let mut text = "Traceback (most recent call last *in User Script*):\n".to_owned();
        if let Some((number, source)) = self.line {
            text += &format!("  File \"{script}\", line {number}, in {function}\n    {source}\n");
        }
        text + &self.summary()
    }
}

fn failure(reason: &str, error: f64, message: &str, detail: Option<Value>) -> Failure {
    Failure {
        reason: reason.to_owned(),
        error,
        message: message.to_owned(),
        detail: detail.map(Box::new),
    }
}

/// The failures of one generation.
#[derive(Clone, Copy, Debug)]
pub(super) struct Failures<'a> {
    /// Whose words.
    pub(super) generation: Generation,
    /// For the task ids that the older generation shows.
    pub(super) ids: &'a Ids,
}

impl Failures<'_> {
    /// The function raised.
    pub(super) fn raised(self, func_id: &str, exception: &Exception) -> Failure {
        match self.generation {
            // The older engine shows the last line of the traceback, whatever that is part of.
            Generation::V1 => {
                let summary = exception.summary();
                let last = summary.trim().rsplit('\n').next().unwrap_or_default();
                self.task_failed(599.3, "EFuncFailed", "Calling Function failed", last.trim())
            }
            Generation::V5 => failure(
                "EFuncFailed",
                599.1,
                "Func task failed",
                Some(json!({
                    "exception": exception.message,
                    "traceback": exception.traceback(func_id),
                })),
            ),
        }
    }

    /// The function was killed at its time limit.
    pub(super) fn func_timeout(self, func_id: &str) -> Failure {
        const KILLED: &str = "Task execution takes too much time and has been interrupted by force";
        match self.generation {
            Generation::V1 => self.task_failed(
                599.31,
                "EFuncTimeout",
                "Calling Function timeout",
                "billiard.exceptions.SoftTimeLimitExceeded: SoftTimeLimitExceeded()",
            ),
            Generation::V5 => {
                let (script, function) = func_id.split_once('.').unwrap_or((func_id, ""));
                failure(
                    "EFuncTimeout",
                    599.2,
                    "Func task timeout",
                    Some(json!({
                        "exception": KILLED,
                        "traceback": format!(
                            "Traceback (most recent call last):\n  \
                             File \"{script}\", line 1, in {function}\n\
                             worker.tasks.TaskTimeout: {KILLED}"
                        ),
                    })),
                )
            }
        }
    }

    /// Nobody took the task, or nobody finished it while the server waited.
    pub(super) fn no_worker(self) -> Failure {
        match self.generation {
            Generation::V1 => failure(
                "EAPITimeout",
                599.1,
                "Waiting Func result timeout, but task is still running. \
                 Use task ID to fetch result later",
                Some(json!({ "id": self.ids.task() })),
            ),
            Generation::V5 => failure(
                "EWorkerNoResponse",
                599.99,
                "Worker no response, please check the status of this system",
                None,
            ),
        }
    }

    /// The function returned what is no JSON.
    pub(super) fn result_parsing(self, result: &str) -> Failure {
        match self.generation {
            Generation::V1 => failure(
                "EFuncResultParsingFailed",
                599.4,
                "Func result is not standard JSON",
                Some(json!({})),
            ),
            Generation::V5 => failure(
                "EFuncResultParsingFailed",
                599.98,
                "Cannot parse task result",
                Some(json!({ "result": result })),
            ),
        }
    }

    /// The rate of an API of the engine is exceeded.
    pub(super) fn throttled(self, wait_seconds: u64) -> Failure {
        let reason = match self.generation {
            Generation::V1 => "EClientRateLimit.AuthLinkThrottling",
            Generation::V5 => "EClientRateLimit.APIThrottling",
        };
        failure(
            reason,
            429.46,
            "Maximum calling rate exceeded",
            Some(json!({
                "rule": "byMinute",
                "limit": 1,
                "currentCount": 2,
                "waitSeconds": wait_seconds,
            })),
        )
    }

    /// There is no such function.
    pub(super) fn not_found(func_id: &str) -> Failure {
        let detail = json!({ "funcId": func_id });
        failure("EClientNotFound", 404.41, "No such Func", Some(detail))
    }

    /// The body does not have the form of a call.
    pub(super) fn bad_request(what: &str) -> Failure {
        let detail = json!({ "message": what });
        failure(
            "EClientBadRequest",
            400.43,
            "Invalid request body",
            Some(detail),
        )
    }

    /// The engine is broken. The misspelling is its own.
    pub(super) fn sys() -> Failure {
        failure(
            "ESys",
            500.5,
            "A System error occured. Please report this response to the administrator",
            Some(Value::Null),
        )
    }

    /// The engine is full. The words are ours.
    pub(super) fn limit_reached() -> Failure {
        failure("ESysLimitReached", 503.1, "System limit reached", None)
    }

    fn task_failed(self, error: f64, reason: &str, message: &str, einfo: &str) -> Failure {
        let detail = json!({ "id": self.ids.task(), "einfoTEXT": einfo });
        failure(reason, error, message, Some(detail))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raised(generation: Generation, message: &str) -> Value {
        let exception = Exception {
            class: "RuntimeError",
            message: message.to_owned(),
            line: Some((3, "raise RuntimeError(message)")),
        };
        let ids = &Ids::default();
        let failure = Failures { generation, ids }.raised("sandbox__fail.raise", &exception);
        *failure.detail.unwrap_or_default()
    }

    #[test]
    fn the_older_engine_shows_the_last_line_of_a_message_and_the_newer_all() {
        let v1 = raised(Generation::V1, "line one\nline two\n");
        assert_eq!(v1["einfoTEXT"], "line two");
        let v5 = raised(Generation::V5, "line one\nline two");
        assert_eq!(v5["exception"], "line one\nline two");
        assert_eq!(
            v5["traceback"],
            "Traceback (most recent call last *in User Script*):\n  \
             File \"sandbox__fail\", line 3, in raise\n    \
             raise RuntimeError(message)\nRuntimeError: line one\nline two"
        );
    }

    #[test]
    fn an_exception_without_a_message_is_its_class() {
        assert_eq!(raised(Generation::V1, "")["einfoTEXT"], "RuntimeError");
    }
}
