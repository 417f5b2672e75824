//! The server of the simulated world: it answers by chance, counts what reaches it, and knows for
//! each call what the ledger has to say of it.

use std::collections::{HashMap, HashSet};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use funcron::clock::Clock;
use funcron::guance::{Call, Client, ScriptedReply};
use serde_json::Value;

use super::chance::Chance;
use super::disk::Mischief;
use super::facts::Open;
use super::jobs::Limits;

mod reply;

use reply::Reply;

/// A call that was begun.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) run: String,
    pub(crate) attempt: u32,
    pub(crate) job: String,
    pub(crate) trigger: String,
    pub(crate) workspace: String,
    pub(crate) key: String,
    /// What the run was given by hand came with it.
    pub(crate) by_hand: Option<u64>,
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
    pub(crate) timeout: Duration,
    /// How the configured limits of its workspace stood, that of the key being the tightest of those
    /// that share it.
    pub(crate) limits: Limits,
}

/// A question to the ledger, asked while the daemon stands still: which attempts are open whose
/// request has this body? Without a body: none, and whoever answers lets go of the ledger.
pub(super) type Question = (Option<String>, Sender<Vec<Open>>);

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

    fn ask(&self, body: Option<&str>) -> Vec<Open> {
        let (answer, answered) = channel();
        self.0.send((body.map(str::to_owned), answer)).unwrap();
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
    /// By workspace, and of each key the tightest.
    limits: (HashMap<String, Limits>, HashMap<String, u64>),
    /// Attempts that a call was seen for.
    called: HashSet<(String, u32)>,
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
            limits: Default::default(),
            called: HashSet::new(),
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

    pub(crate) fn set_limits(
        &self,
        workspaces: HashMap<String, Limits>,
        keys: HashMap<String, u64>,
    ) {
        self.0.lock().unwrap().limits = (workspaces, keys);
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

    /// Lets go of the ledger until the next call: a daemon that stops waits for whoever has it open.
    pub(crate) fn look_away(&self) {
        self.0.lock().unwrap().witness.ask(None);
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.0.lock().unwrap().seen.clone()
    }

    pub(crate) fn kinds(&self) -> HashMap<&'static str, u64> {
        self.0.lock().unwrap().kinds.clone()
    }
}

impl State {
    /// Whose call it is. By the ledger, where it is recorded: a replay sends the words of another run.
    fn whose(&mut self, body: &str) -> (Open, bool) {
        let open = self.witness.ask(Some(body)).into_iter();
        let mut open = open.filter(|open| !self.called.contains(&(open.run.clone(), open.attempt)));
        let (whose, recorded) = match open.next() {
            Some(open) => (open, true),
            None => (Open::told_by(body), false),
        };
        self.called.insert((whose.run.clone(), whose.attempt));
        (whose, recorded)
    }

    fn answer(&mut self, call: &Call) -> ScriptedReply {
        let body = std::str::from_utf8(&call.request.body).unwrap();
        let (whose, recorded) = self.whose(body);
        let told: Value = serde_json::from_str(body).unwrap();
        let by_hand = told["funcBody"]["kwargs"]["by_hand"].as_u64();
        let Open {
            run,
            attempt,
            job,
            trigger,
            scheduled_us,
        } = whose;
        let mut chance = Chance::of(self.seed, (&job, &trigger, scheduled_us, attempt, "reply"));
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
        let workspace = call.workspace.to_string();
        let mut limits = self.limits.0[&workspace];
        limits.per_key = self.limits.1[&key];
        self.seen.push(Seen {
            recorded,
            run,
            attempt,
            job,
            trigger,
            workspace,
            key,
            by_hand,
            begun: now,
            written: written.then_some(now + written_after),
            arrived: written.then_some(now + written_after + network),
            ended: now + ends_after.min(call.timeout),
            outcome,
            unknown,
            wait: reply.wait.filter(|_| in_time),
            timeout: call.timeout,
            limits,
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
