//! The DataFlux Func engine behind the gateway: runs a function and writes its reply.
//!
//! The two generations differ in the keys of a reply, their order, the numbers of failures, the
//! time they wait and the forms of a result. What they answer here is what they answered when
//! they were recorded, key by key.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use crate::clock::Clock;

use super::Generation;
use super::catalogue;
use super::failure::{Failure, Failures};
use super::func_body::{FuncBody, Options, ReturnType};
use super::functions::{Act, Flaky, Invocation};
use super::gateway::Refusal;
use super::ids::Ids;
use super::value::{body_dump, or_null, python_dumps, python_repr, through_javascript};
use super::wire::Wire;

/// How long the older server waits for a result before it answers that the task still runs.
const V1_WAIT: Duration = Duration::from_secs(10);

/// How long the newer engine lets a function run before it kills it.
const V5_TIME_LIMIT: Duration = Duration::from_secs(35);

/// The engine of one generation.
#[derive(Debug)]
pub(super) struct Engine {
    generation: Generation,
    clock: Clock,
    ids: Ids,
    flaky: Flaky,
}

/// A call as the gateway passes it on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Call<'a> {
    /// The function's name.
    pub(super) func_id: &'a str,
    /// `funcBody`, verbatim; `{}` where the caller gave none.
    pub(super) body: &'a Value,
    /// The gateway's trace id, which becomes the engine's.
    pub(super) trace_id: &'a str,
    /// When the request arrived.
    pub(super) received: Timestamp,
}

/// What the engine gives back.
#[derive(Debug)]
pub(super) enum Reply {
    /// The content of an envelope, and the `reason` if it is a failure.
    Content(Value, Option<String>),
    /// A success, and the way in which it is to be spoilt.
    Spoilt(Value, Wire),
    /// Nothing: the function asked for a failure of the gateway.
    Gateway(Refusal),
}

impl Engine {
    /// An engine with no history.
    pub(super) fn new(generation: Generation, clock: Clock) -> Self {
        Self {
            generation,
            clock,
            ids: Ids::default(),
            flaky: Flaky::default(),
        }
    }

    /// Runs a function to its end, which some put off for long; dropping the future ends it too.
    pub(super) async fn call(&self, call: Call<'_>) -> Reply {
        let body = match FuncBody::check(call.body, self.generation) {
            Ok(body) => body,
            Err(what) => return self.failed(call, Failures::bad_request(&what)),
        };
        let Some(function) = catalogue::find(call.func_id) else {
            return self.failed(call, Failures::not_found(call.func_id));
        };
        if body.options.detached {
            return Reply::Content(self.detached(call, body.options), None);
        }
        let kwargs = match through_javascript(Value::Object(body.kwargs)) {
            Value::Object(kwargs) => kwargs,
            _ => Map::new(),
        };
        let invocation = Invocation {
            function,
            kwargs,
            failures: self.failures(),
            flaky: &self.flaky,
        };
        self.carry_out(call, body.options, invocation.run()).await
    }

    async fn carry_out(&self, call: Call<'_>, options: Options, act: Act) -> Reply {
        match act {
            Act::Return(value) => Reply::Content(self.returned(call, options, value), None),
            Act::Fail(failure) => self.failed(call, failure),
            Act::Spoil(wire) => {
                let options = Options {
                    return_type: ReturnType::Raw,
                    ..options
                };
                Reply::Spoilt(self.returned(call, options, Value::Null), wire)
            }
            Act::Refuse(refusal) => Reply::Gateway(refusal),
            Act::Sleep(wanted, then) => {
                let (length, end) = self.outlast(call.func_id, wanted);
                tokio::time::sleep(length).await;
                let act = end.map_or(*then, Act::Fail);
                Box::pin(self.carry_out(call, options, act)).await
            }
        }
    }

    /// How long a function that wants to sleep is waited for, and what ends it before it wakes.
    fn outlast(&self, func_id: &str, wanted: Duration) -> (Duration, Option<Failure>) {
        match self.generation {
            Generation::V1 if wanted > V1_WAIT => (V1_WAIT, Some(self.failures().no_worker())),
            Generation::V5 if wanted > V5_TIME_LIMIT => {
                let killed = self.failures().func_timeout(func_id);
                (V5_TIME_LIMIT, Some(killed))
            }
            _ => (wanted, None),
        }
    }

    fn failures(&self) -> Failures<'_> {
        Failures {
            generation: self.generation,
            ids: &self.ids,
        }
    }

    fn returned(&self, call: Call<'_>, options: Options, value: Value) -> Value {
        let result = render(value, options.return_type, self.generation);
        let mut reply = self.success(json!({ "result": result }));
        if options.save_result {
            self.saved(&mut reply);
        }
        self.sign(&mut reply, call);
        Value::Object(reply)
    }

    fn detached(&self, call: Call<'_>, options: Options) -> Value {
        let data = match (self.generation, options.save_result) {
            (Generation::V5, _) => json!({ "id": self.ids.task() }),
            (Generation::V1, false) => Value::Null,
            (Generation::V1, true) => {
                let mut data = Map::new();
                self.saved(&mut data);
                Value::Object(data)
            }
        };
        let mut reply = self.success(data);
        self.sign(&mut reply, call);
        Value::Object(reply)
    }

    fn success(&self, data: Value) -> Map<String, Value> {
        let mut reply = Map::new();
        reply.insert("ok".to_owned(), Value::Bool(true));
        reply.insert("error".to_owned(), Value::from(200));
        reply.insert("message".to_owned(), Value::from(""));
        reply.insert("data".to_owned(), data);
        reply
    }

    fn saved(&self, fields: &mut Map<String, Value>) {
        let task = self.ids.task();
        let url = format!("/api/v1/func-result?taskId={task}");
        fields.insert("taskId".to_owned(), Value::from(task));
        fields.insert("resultURL".to_owned(), Value::from(url));
    }

    fn failed(&self, call: Call<'_>, failure: Failure) -> Reply {
        let mut reply = Map::new();
        reply.insert("ok".to_owned(), Value::Bool(false));
        reply.insert("error".to_owned(), Value::from(failure.error));
        let reason = ("reason".to_owned(), Value::from(failure.reason.clone()));
        let message = ("message".to_owned(), Value::from(failure.message));
        match self.generation {
            Generation::V1 => reply.extend([message, reason]),
            Generation::V5 => reply.extend([reason, message]),
        }
        if let Some(detail) = failure.detail {
            reply.insert("detail".to_owned(), *detail);
        }
        if self.generation == Generation::V5 {
            reply.insert("status".to_owned(), whole_part(failure.error));
        }
        reply.insert("reqDump".to_owned(), request_dump(call));
        self.sign(&mut reply, call);
        Reply::Content(Value::Object(reply), Some(failure.reason))
    }

    /// The last keys of every reply.
    fn sign(&self, reply: &mut Map<String, Value>, call: Call<'_>) {
        let answered = self.clock.now();
        // The difference of the stamps as shown; a clock set back must not make it negative.
        let cost = answered.as_millisecond() - call.received.as_millisecond();
        reply.insert("traceId".to_owned(), Value::from(call.trace_id));
        if self.generation == Generation::V5 {
            reply.insert("clientTime".to_owned(), Value::Null);
        }
        let stamp = |at: Timestamp| Value::from(format!("{at:.3}"));
        reply.insert("reqTime".to_owned(), stamp(call.received));
        reply.insert("respTime".to_owned(), stamp(answered));
        reply.insert("reqCost".to_owned(), Value::from(cost.max(0)));
    }
}

/// `reqDump`; an empty body is not shown.
fn request_dump(call: Call<'_>) -> Value {
    let mut dump = Map::new();
    dump.insert("method".to_owned(), Value::from("POST"));
    let url = format!("/api/v1/func/{}", call.func_id);
    dump.insert("url".to_owned(), Value::from(url));
    if call.body.as_object().is_none_or(|body| !body.is_empty()) {
        let body = through_javascript(call.body.clone());
        dump.insert("bodyDump".to_owned(), Value::from(body_dump(&body)));
    }
    Value::Object(dump)
}

/// The HTTP status that goes with a number: what stands before its point.
fn whole_part(error: f64) -> Value {
    through_javascript(Value::from(error.trunc()))
}

/// A result in the form that was asked for.
fn render(value: Value, return_type: ReturnType, generation: Generation) -> Value {
    match (return_type, generation) {
        (ReturnType::Raw, _) => or_null(value),
        (ReturnType::JsonDumps, Generation::V5) => Value::from(or_null(value).to_string()),
        // Python's `None` becomes no text in any form.
        (_, Generation::V1) if value.is_null() && return_type != ReturnType::All => Value::Null,
        (ReturnType::JsonDumps, Generation::V1) => Value::from(python_dumps(&value)),
        (ReturnType::Repr, _) => Value::from(python_repr(&value)),
        (ReturnType::All, _) => json!({
            "raw": &value,
            "repr": python_repr(&value),
            "jsonDumps": python_dumps(&value),
            "_responseControl": {
                "statusCode": null,
                "contentType": null,
                "headers": {},
                "allow304": false,
                "downloadFile": false,
            },
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn engine(generation: Generation) -> Engine {
        Engine::new(generation, Clock::system())
    }

    #[test]
    fn a_long_sleep_ends_as_each_generation_ends_it() {
        let minute = Duration::from_secs(60);
        let reason = |failure: Option<Failure>| failure.map(|failure| failure.reason);
        let (waited, end) = engine(Generation::V1).outlast("sandbox__slow.sleep", minute);
        assert_eq!(
            (waited, reason(end).as_deref()),
            (V1_WAIT, Some("EAPITimeout"))
        );
        let (waited, end) = engine(Generation::V5).outlast("sandbox__slow.sleep", minute);
        let killed = (V5_TIME_LIMIT, Some("EFuncTimeout"));
        assert_eq!((waited, reason(end).as_deref()), killed);
        let short = Duration::from_secs(10);
        for generation in [Generation::V1, Generation::V5] {
            assert_eq!(engine(generation).outlast("f", short), (short, None));
        }
    }

    /// The keys of an object in their order, those of objects within it too.
    fn order(value: &Value) -> Vec<String> {
        let Some(fields) = value.as_object() else {
            return Vec::new();
        };
        let within = |(name, value): (&String, &Value)| {
            let inner = order(value).into_iter();
            let inner = inner.map(move |inner| format!("{name}.{inner}"));
            [name.clone()].into_iter().chain(inner).collect::<Vec<_>>()
        };
        fields.iter().flat_map(within).collect()
    }

    macro_rules! capture {
        ($name:literal) => {
            include_str!(concat!(
                "../../tests/fixtures/captures/engine-",
                $name,
                ".json"
            ))
        };
    }

    #[tokio::test]
    async fn replies_are_written_in_the_recorded_order() {
        for (generation, recorded, func_id) in [
            (
                Generation::V1,
                capture!("1.48/err_seed_replay"),
                "guance__openapi.test",
            ),
            (
                Generation::V5,
                capture!("5.1/err_seed_replay"),
                "guance__openapi.test",
            ),
            (
                Generation::V1,
                capture!("1.48/err_unknown_func"),
                "lab__cases.nope",
            ),
            (
                Generation::V5,
                capture!("5.1/err_unknown_func"),
                "lab__cases.nope",
            ),
            (
                Generation::V1,
                capture!("1.48/ok_save_result"),
                "sandbox__ok.echo",
            ),
            (
                Generation::V1,
                capture!("1.48/ok_str_raw"),
                "sandbox__ok.null",
            ),
            (
                Generation::V5,
                capture!("5.1/ok_none_raw"),
                "sandbox__ok.null",
            ),
        ] {
            let recorded: Value = serde_json::from_str(recorded).unwrap_or_default();
            let mut body = recorded["funcBody"].clone();
            if func_id == "sandbox__ok.null" {
                body["kwargs"] = json!({});
            }
            let call = Call {
                func_id,
                body: &body,
                trace_id: "TRACE-0",
                received: Timestamp::UNIX_EPOCH,
            };
            let mut expected = recorded["content"].clone();
            let reply = engine(generation).call(call).await;
            let Reply::Content(mut content, _) = reply else {
                panic!("{func_id}: {reply:?}");
            };
            // What is inside the result is the function's, not the engine's.
            for side in [&mut expected, &mut content] {
                if let Some(result) = side.pointer_mut("/data/result") {
                    *result = Value::Null;
                }
            }
            assert!(!order(&expected).is_empty());
            assert_eq!(order(&content), order(&expected), "{func_id}");
        }
    }

    #[test]
    fn falsy_results_are_lost_as_raw_and_kept_as_text_by_the_older_engine() {
        let zero = || json!(0);
        for generation in [Generation::V1, Generation::V5] {
            assert_eq!(render(zero(), ReturnType::Raw, generation), Value::Null);
        }
        let dumps = ReturnType::JsonDumps;
        assert_eq!(render(zero(), dumps, Generation::V1), json!("0"));
        assert_eq!(render(zero(), dumps, Generation::V5), json!("null"));
        assert_eq!(render(Value::Null, dumps, Generation::V1), Value::Null);
    }
}
