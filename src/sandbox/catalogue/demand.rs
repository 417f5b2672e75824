//! Functions that succeed, fail, wait or hesitate on demand, all in whole envelopes.

use serde_json::{Value, json};

use super::{function, given, optional, status};
use crate::sandbox::failure::{Failure, Failures};
use crate::sandbox::functions::{Act, Function, Invocation, Params};
use crate::sandbox::gateway::Refusal;

/// In the order of the table.
pub(super) static FUNCTIONS: &[Function] = &[
    Function {
        id: "sandbox__ok.echo",
        title: "Echo",
        description: "Returns its kwargs.",
        params: Params::Any,
        body: |call| Ok(Act::Return(Value::Object(call.kwargs.clone()))),
    },
    function(
        "sandbox__ok.value",
        "Value",
        "Returns its argument; 0, \"\" and False arrive as null, as they do from the engine.",
        &[given("value")],
        |call| Ok(Act::Return(call.value("value"))),
    ),
    function("sandbox__ok.null", "Null", "Returns None.", &[], |_| {
        Ok(Act::Return(Value::Null))
    }),
    function(
        "sandbox__ok.text",
        "Text",
        "Returns a text.",
        &[optional("text", "\"Hello, 观测云\"")],
        |call| call.text("text").map(|text| Act::Return(text.into())),
    ),
    function(
        "sandbox__ok.big",
        "Big",
        "Returns a text of so many bytes, up to 16 MiB.",
        &[optional("bytes", "1048576")],
        |call| {
            let length = call.count("bytes", 16 << 20)? as usize;
            Ok(Act::Return("x".repeat(length).into()))
        },
    ),
    function(
        "sandbox__fail.raise",
        "Raise",
        "Raises a RuntimeError.",
        &[optional("message", "\"raised on demand\"")],
        |call| {
            let line = Some((3, "raise RuntimeError(message)"));
            Err(call.raise("RuntimeError", call.text("message")?, line))
        },
    ),
    function(
        "sandbox__fail.timeout",
        "Time limit",
        "Is killed at its time limit, after so many seconds: EFuncTimeout.",
        &[optional("seconds", "0")],
        |call| after(call, call.failures.func_timeout(call.function.id)),
    ),
    function(
        "sandbox__fail.api_timeout",
        "Wait over",
        "Still runs when the server stops waiting, after so many seconds: EAPITimeout from \
         engine 1.48; 5.1 has no such failure and says EWorkerNoResponse.",
        &[optional("seconds", "0")],
        |call| after(call, call.failures.no_worker()),
    ),
    function(
        "sandbox__fail.no_worker",
        "No worker",
        "Is taken by no worker, which shows after so many seconds: EAPITimeout from engine \
         1.48, EWorkerNoResponse from 5.1.",
        &[optional("seconds", "0")],
        |call| after(call, call.failures.no_worker()),
    ),
    function(
        "sandbox__fail.result",
        "Result",
        "Runs, and its result cannot be read: EFuncResultParsingFailed.",
        &[],
        |call| Err(call.failures.result_parsing("<object object>")),
    ),
    function(
        "sandbox__fail.sys",
        "System",
        "The engine is broken: ESys.",
        &[],
        |_| Err(Failures::sys()),
    ),
    function(
        "sandbox__fail.limit",
        "Limit",
        "The engine is full: ESysLimitReached.",
        &[],
        |_| Err(Failures::limit_reached()),
    ),
    function(
        "sandbox__fail.rate",
        "Rate",
        "The engine refuses for the rate, and says how long to wait: EClientRateLimit.",
        &[optional("wait_seconds", "5")],
        |call| {
            let seconds = call.count("wait_seconds", 3600)?;
            Err(call.failures.throttled(seconds.into()))
        },
    ),
    function(
        "sandbox__fail.not_found",
        "Not found",
        "Is listed and does not exist: EClientNotFound.",
        &[],
        |call| Err(Failures::not_found(call.function.id)),
    ),
    function(
        "sandbox__fail.reason",
        "Any reason",
        "Fails with the reason, number and message given.",
        &[
            given("reason"),
            optional("error", "599.3"),
            optional("message", "\"failed on demand\""),
        ],
        |call| {
            Err(Failure {
                reason: call.text("reason")?,
                error: call.number("error", 1000.0)?,
                message: call.text("message")?,
                detail: None,
            })
        },
    ),
    function(
        "sandbox__gateway.error",
        "Gateway error",
        "The gateway answers in the engine's place, with this status and errorCode.",
        &[
            optional("status", "503"),
            optional("error_code", "\"InternalError\""),
            optional("message", "\"refused on demand\""),
        ],
        |call| {
            Ok(Act::Refuse(Refusal {
                status: status(call, "status")?,
                error_code: call.text("error_code")?,
                message: call.text("message")?,
            }))
        },
    ),
    function(
        "sandbox__slow.sleep",
        "Sleep",
        "Returns after so many seconds. The engine does not wait for ever: 1.48 answers \
         EAPITimeout after 10 s, 5.1 kills it with EFuncTimeout after 35 s.",
        &[optional("seconds", "3")],
        |call| {
            let woken = Act::Return(call.value("seconds"));
            Ok(Act::Sleep(call.seconds("seconds")?, Box::new(woken)))
        },
    ),
    function(
        "sandbox__flaky.throttle_first",
        "Throttled at first",
        "The first n calls with this id are refused for the rate, later ones succeed.",
        &[
            optional("n", "1"),
            optional("id", "\"\""),
            optional("wait_seconds", "1"),
        ],
        |call| {
            let seconds = call.count("wait_seconds", 3600)?;
            at_first(call, call.failures.throttled(seconds.into()))
        },
    ),
    function(
        "sandbox__flaky.fail_first",
        "Failing at first",
        "The first n calls with this id raise, later ones succeed.",
        &[optional("n", "1"), optional("id", "\"\"")],
        |call| {
            let line = Some((3, "raise RuntimeError('not yet')"));
            at_first(call, call.raise("RuntimeError", "not yet".to_owned(), line))
        },
    ),
];

fn after(call: &Invocation<'_>, failure: Failure) -> Result<Act, Failure> {
    let pause = call.seconds("seconds")?;
    Ok(if pause.is_zero() {
        Act::Fail(failure)
    } else {
        Act::Sleep(pause, Box::new(Act::Fail(failure)))
    })
}

fn at_first(call: &Invocation<'_>, failure: Failure) -> Result<Act, Failure> {
    let (id, n) = (call.text("id")?, call.count("n", u32::MAX)?);
    if call.flaky.is_among_first(call.function.id, id, n) {
        Err(failure)
    } else {
        Ok(Act::Return(json!("ok")))
    }
}
