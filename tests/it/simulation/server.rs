//! The server of the simulated world: it answers by chance, counts what reaches it, and knows for
//! each call what the ledger has to say of it.

use std::collections::HashMap;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use funcron::clock::Clock;
use funcron::guance::{Call, Client, ScriptedEnd, ScriptedReply};
use serde_json::{Value, json};

use super::chance::Chance;
use super::disk::Mischief;

/// A call that was begun.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) run: String,
    pub(crate) attempt: u32,
    pub(crate) job: String,
    pub(crate) workspace: String,
    pub(crate) key: String,
    /// Its row was in the ledger when it began.
    pub(crate) recorded: bool,
    /// Monotonic instants: of the beginning, of the last byte's way into the connection, of its
    /// arrival, of the end.
    pub(crate) begun: Duration,
    pub(crate) written: Option<Duration>,
    pub(crate) arrived: Option<Duration>,
    pub(crate) ended: Duration,
    /// What its attempt must say: the outcome, and why where that is `unknown`.
    pub(crate) outcome: &'static str,
    pub(crate) unknown: Option<&'static str>,
    /// Seconds that the reply asked to wait.
    pub(crate) wait: Option<u64>,
    /// How the configured limits stood: of a key, of a workspace.
    pub(crate) limits: (u64, u64),
}

/// A question to the ledger, asked while the daemon stands still.
type Question = (String, u32, Sender<bool>);

/// Looks into the ledger through a connection of its own, from a thread of its own: a call is being
/// made, and whoever makes it cannot wait for an answer otherwise.
pub(crate) struct Witness(Sender<Question>);

impl Witness {
    pub(crate) fn new(path: std::path::PathBuf) -> Self {
        let (asked, questions): (Sender<Question>, Receiver<Question>) = channel();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .build()
                .unwrap();
            runtime.block_on(super::facts::answer(&path, questions));
        });
        Self(asked)
    }

    fn is_recorded(&self, run: &str, attempt: u32) -> bool {
        let (answer, answered) = channel();
        self.0.send((run.to_owned(), attempt, answer)).unwrap();
        answered.recv().unwrap()
    }
}

#[derive(Clone)]
pub(crate) struct Server(Arc<Mutex<State>>);

struct State {
    seed: u64,
    clock: Clock,
    witness: Witness,
    seen: Vec<Seen>,
    /// How much of what comes goes wrong.
    trouble: f64,
    /// Its own idea of the limit of a key.
    strict: Option<usize>,
    /// Nothing reaches it.
    unreachable: bool,
    /// The key that it calls invalid.
    invalid: Option<usize>,
    /// The process dies with the n-th call that begins.
    fuse: Option<u64>,
    limits: (u64, u64),
    kinds: HashMap<&'static str, u64>,
}

impl Server {
    pub(crate) fn new(seed: u64, clock: Clock, witness: Witness) -> Self {
        let mut chance = Chance::of(seed, "server");
        Self(Arc::new(Mutex::new(State {
            seed,
            clock,
            witness,
            seen: Vec::new(),
            trouble: chance.pick(&[0.02, 0.15, 0.4, 0.7]),
            strict: chance.happens(0.3).then(|| chance.between(1, 6) as usize),
            unreachable: false,
            invalid: None,
            fuse: None,
            limits: (0, 0),
            kinds: HashMap::new(),
        })))
    }

    pub(crate) fn client(&self, clock: &Clock, mischief: &Mischief) -> Client {
        let (own, mischief) = (self.clone(), mischief.clone());
        Client::scripted(clock.clone(), move |call| {
            let mut state = own.0.lock().unwrap();
            if let Some(left) = &mut state.fuse {
                *left -= 1;
                if *left == 0 {
                    state.fuse = None;
                    mischief.crash();
                }
            }
            state.answer(call)
        })
    }

    // ---- What the world does to it ----

    pub(crate) fn set_limits(&self, per_key: u64, per_workspace: u64) {
        self.0.lock().unwrap().limits = (per_key, per_workspace);
    }

    pub(crate) fn refuse_key(&self, key: usize) {
        self.0.lock().unwrap().invalid = Some(key);
    }

    pub(crate) fn disappear(&self) {
        self.0.lock().unwrap().unreachable = true;
    }

    pub(crate) fn light_fuse(&self, calls: u64) {
        self.0.lock().unwrap().fuse = Some(calls);
    }

    pub(crate) fn heal(&self) {
        let mut state = self.0.lock().unwrap();
        (state.invalid, state.unreachable, state.fuse) = (None, false, None);
    }

    /// From now on everything goes well.
    pub(crate) fn calm_down(&self) {
        self.heal();
        let mut state = self.0.lock().unwrap();
        (state.trouble, state.strict) = (0.0, None);
    }

    /// The process is gone: what it had not written by now never arrives, and what was under way
    /// ends here.
    pub(crate) fn cut_off(&self) {
        let mut state = self.0.lock().unwrap();
        let now = state.clock.monotonic();
        for seen in &mut state.seen {
            if seen.ended > now {
                seen.ended = now;
                if seen.written.is_none_or(|written| written > now) {
                    (seen.written, seen.arrived) = (None, None);
                }
            }
        }
    }

    // ---- What it tells afterwards ----

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.0.lock().unwrap().seen.clone()
    }

    pub(crate) fn kinds(&self) -> HashMap<&'static str, u64> {
        self.0.lock().unwrap().kinds.clone()
    }
}

/// A reply, and what it means by the contract.
struct Reply {
    kind: &'static str,
    end: ScriptedEnd,
    outcome: &'static str,
    unknown: Option<&'static str>,
    wait: Option<u64>,
}

impl Reply {
    fn new(kind: &'static str, outcome: &'static str, status: u16, body: &Value) -> Self {
        let end = ScriptedEnd::Reply {
            status,
            retry_after: None,
            body: body.to_string().into_bytes(),
        };
        Self {
            kind,
            end,
            outcome,
            unknown: None,
            wait: None,
        }
    }

    fn unknown(self, why: &'static str) -> Self {
        Self {
            unknown: Some(why),
            ..self
        }
    }

    fn waits(self, seconds: u64) -> Self {
        Self {
            wait: Some(seconds),
            ..self
        }
    }

    /// An engine's word, in the envelope of the gateway, with HTTP 200.
    fn engine(kind: &'static str, outcome: &'static str, content: &Value) -> Self {
        let body = json!({
            "code": 200, "content": content, "errorCode": "", "message": "", "success": true,
            "traceId": "TRACE-0123",
        });
        Self::new(kind, outcome, 200, &body)
    }

    fn failed(kind: &'static str, outcome: &'static str, reason: &str) -> Self {
        let content = json!({
            "ok": false, "error": 599.1, "reason": reason, "message": "it failed", "detail": {},
        });
        Self::engine(kind, outcome, &content)
    }

    fn refused(kind: &'static str, outcome: &'static str, status: u16, code: &str) -> Self {
        let body = json!({
            "code": status, "content": null, "errorCode": code, "message": "refused",
            "success": false, "traceId": "TRACE-4567",
        });
        Self::new(kind, outcome, status, &body)
    }

    fn throttled(chance: &mut Chance) -> Self {
        match chance.between(0, 2) {
            0 => Self::refused(
                "throttled",
                "throttled",
                401,
                "ft.TriggerApiAkCurrentLimiting",
            ),
            1 => {
                let wait = chance.between(0, 400);
                let content = json!({
                    "ok": false, "reason": "EClientRateLimit.Key", "detail": { "waitSeconds": wait },
                });
                Self::engine("throttled, told to wait", "throttled", &content).waits(wait)
            }
            _ => {
                let wait = chance.between(1, 90);
                let mut reply = Self::new("429", "throttled", 429, &Value::Null).waits(wait);
                if let ScriptedEnd::Reply { retry_after, .. } = &mut reply.end {
                    *retry_after = Some(Duration::from_secs(wait));
                }
                reply
            }
        }
    }

    fn bytes(kind: &'static str, status: u16, body: &str) -> Self {
        let mut reply = Self::new(kind, "unknown", status, &Value::Null).unknown("bad_reply");
        if let ScriptedEnd::Reply { body: bytes, .. } = &mut reply.end {
            *bytes = body.as_bytes().to_vec();
        }
        reply
    }

    fn lost(kind: &'static str, outcome: &'static str) -> Self {
        Self {
            end: ScriptedEnd::Lost(kind.to_owned()),
            ..Self::new(kind, outcome, 0, &Value::Null)
        }
    }

    fn good(chance: &mut Chance) -> Self {
        let result = chance.pick(&[Value::Null, json!(1), json!({ "count": 3 })]);
        let content = json!({ "ok": true, "data": { "result": result }, "reqCost": 12 });
        Self::engine("success", "success", &content)
    }

    fn bad(chance: &mut Chance) -> Self {
        match chance.between(0, 13) {
            0 => Self::failed("ok:false with 200", "func_failed", "EFuncFailed.Exception"),
            1 => Self::failed("function timed out", "func_timeout", "EFuncTimeout"),
            2 => Self::failed("worker silent", "unknown", "EWorkerNoResponse").unknown("engine"),
            3 => Self::failed("no such function", "rejected", "EClientNotFound"),
            4 => Self::refused("500", "server_error", 500, "ft.InternalError"),
            5 => Self::bytes("500 in HTML", 500, "<html>Bad gateway</html>"),
            6 => Self::bytes("JSON broken off", 200, r#"{"code":200,"content":{"ok":tr"#),
            7 => Self::bytes("other JSON", 200, r#"{"hello":"world"}"#),
            8 => Self {
                end: ScriptedEnd::Redirect {
                    status: 302,
                    to: "https://elsewhere.example".to_owned(),
                },
                ..Self::lost("redirect", "unknown").unknown("redirect")
            },
            9 => Self::lost("refused connection", "network_error"),
            10 => Self::lost("reset after the request", "unknown").unknown("no_reply"),
            11 | 12 => Self::throttled(chance),
            _ => Self::lost("hangs", "unknown").unknown("no_reply"),
        }
    }
}

impl State {
    fn answer(&mut self, call: &Call) -> ScriptedReply {
        let body: Value = serde_json::from_slice(&call.request.body).unwrap();
        let kwargs = &body["funcBody"]["kwargs"];
        let text = |name: &str| kwargs[name].as_str().unwrap().to_owned();
        let attempt: u32 = kwargs["attempt"]
            .to_string()
            .trim_matches('"')
            .parse()
            .unwrap();
        let (run, job) = (text("run"), text("job"));
        let mut chance = Chance::of(self.seed, (&job, text("tick"), attempt, "reply"));
        let (key, now) = (call.request.key().to_string(), self.clock.monotonic());

        let reply = self.choose(&key, now, &mut chance);
        let unsent = reply.kind == "refused connection";
        let written_after = Duration::from_micros(match chance.between(0, 19) {
            0 => chance.scale(1, 70_000_000),
            _ => chance.scale(1, 100_000),
        });
        // Below the second that the quota has for the network.
        let network = Duration::from_micros(chance.scale(1, 900_000));
        let thinks = Duration::from_micros(match (reply.kind, chance.between(0, 9)) {
            ("hangs", _) => 86_400_000_000,
            (_, 0) => chance.scale(1_000, 90_000_000),
            _ => chance.scale(1_000, 3_000_000),
        });
        let ends_after = written_after + network + thinks;
        let in_time = ends_after <= call.timeout;
        let written = !unsent && written_after <= call.timeout;
        let (outcome, unknown) = match (in_time, written) {
            (true, _) => (reply.outcome, reply.unknown),
            (false, true) => ("unknown", Some("no_reply")),
            (false, false) => ("network_error", None),
        };
        *self.kinds.entry(reply.kind).or_default() += 1;
        if !in_time {
            *self.kinds.entry("too late").or_default() += 1;
        }
        let recorded = self.witness.is_recorded(&run, attempt);
        self.seen.push(Seen {
            recorded,
            run,
            attempt,
            job,
            workspace: call.workspace.to_string(),
            key,
            begun: now,
            written: written.then_some(now + written_after),
            arrived: written.then_some(now + written_after + network),
            ended: now + ends_after.min(call.timeout),
            outcome,
            unknown,
            wait: reply.wait.filter(|_| in_time),
            limits: self.limits,
        });
        ScriptedReply {
            written_after: (!unsent).then_some(written_after),
            ends_after,
            end: reply.end,
        }
    }

    fn choose(&self, key: &str, now: Duration, chance: &mut Chance) -> Reply {
        if self.unreachable {
            return Reply::lost("refused connection", "network_error");
        }
        // Keys in the order of their first use.
        let mut keys: Vec<&str> = Vec::new();
        for seen in &self.seen {
            if !keys.contains(&seen.key.as_str()) {
                keys.push(&seen.key);
            }
        }
        if self
            .invalid
            .is_some_and(|invalid| keys.get(invalid) == Some(&key))
        {
            let code = chance.pick(&["ft.InvalidAPIKey", "ft.invalidApiKey"]);
            return Reply::refused("key called invalid", "auth_failed", 403, code);
        }
        let minute = Duration::from_secs(60);
        let recent = self.seen.iter().rev().take(200);
        let recent = recent.filter(|seen| seen.key == key && seen.begun + minute > now);
        if self.strict.is_some_and(|limit| recent.count() >= limit) {
            return Reply::throttled(chance);
        }
        if chance.happens(self.trouble) {
            Reply::bad(chance)
        } else {
            Reply::good(chance)
        }
    }
}
