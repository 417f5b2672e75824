//! A whole daemon without its process: configuration, engine, ledger and remote, on a clock that
//! stands still until the test moves it.
//!
//! Calls go over the wire and take real time, during which the clock does not move; nothing here
//! sleeps, every wait has a bound and an event that ends it. The engine runs on a runtime of its own
//! that makes progress only while the house waits for something, so a test can stop the world
//! between two writes, and [`House::crash`] can take it away there: what a kill leaves is the file.
//!
//! When a house falls down the ledger must be whole: its audit clean, no run `running`, no task
//! alive, every request that the remote saw in a row of its own.

use std::collections::BTreeSet;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};
use std::task::Poll;
use std::time::Duration;

use funcron::clock::Clock;
use funcron::config::{self, Environment};
use funcron::engine::{Difference, Engine, EngineError, JobSet, Step};
use funcron::store::{Held, HistoryFilter, Ledger, StoreError, StoreErrorKind};
use futures_util::StreamExt;
use jiff::{SignedDuration, Timestamp};
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};

use super::remote::Remote;

mod questions;

use questions::Elsewhere;

/// Longest wait for anything, in real time.
const PATIENCE: Duration = Duration::from_secs(30);

/// More steps at one instant are a hot loop.
const MOST_STEPS: usize = 500;

/// Connections by which a daemon reads; the tests that count on it fail where it is another number.
const READERS: usize = 4;

/// Where remotes and questions to the ledger live: everything that is not the daemon.
pub(crate) static OUTSIDE: LazyLock<Runtime> = LazyLock::new(|| {
    let mut builder = Builder::new_multi_thread();
    builder.worker_threads(1).enable_all().build().unwrap()
});

/// The zone data of every house: reading the system's takes longer than most of their stories.
pub(crate) const ZONE_DATA: &str = "the house's";

/// The keys that every house has, in files `key-1` and `key-2`.
pub(crate) const KEYS: [&str; 2] = ["key-one-of-the-house", "key-two-of-the-house"];

/// An instant of 1 May 2026 in UTC, from `HH:MM` or `HH:MM:SS`, or one written out.
pub(crate) fn at(text: &str) -> Timestamp {
    let whole = match text.len() {
        5 => format!("2026-05-01T{text}:00Z"),
        8 => format!("2026-05-01T{text}Z"),
        _ => text.to_owned(),
    };
    whole.parse().unwrap()
}

/// A job that calls the function of its name, and tells it its run and attempt. `more`: further
/// keys, as in `timeout: 1s, overlap: skip`.
pub(crate) fn job(name: &str, schedule: &str, more: &str) -> String {
    let kwargs = r#"{ run: "{{ run_id }}", attempt: "{{ attempt }}" }"#;
    let comma = if more.is_empty() { "" } else { ", " };
    format!(
        "  - {{ name: {name}, func_id: test__it.{name}, schedule: \"{schedule}\", kwargs: {kwargs}{comma}{more} }}\n"
    )
}

pub(crate) struct House {
    dir: TempDir,
    pub(crate) clock: Clock,
    pub(crate) remote: Arc<Remote>,
    workspaces: String,
    daemon: Option<Daemon>,
    /// Keeps the journal that a crash left: SQLite's threads outlive the runtime for a moment, and
    /// the last connection to close would tidy up as no killed process does.
    witness: Option<Elsewhere>,
    /// Whether the daemon is restarted between any two steps.
    pub(crate) restless: bool,
    /// Restarts that this made.
    pub(crate) restarts: usize,
    /// Steps taken so far.
    pub(crate) steps: usize,
}

struct Daemon {
    runtime: Runtime,
    engine: Engine,
    ledger: Ledger,
    held: Held,
}

impl House {
    /// At 00:00 on 1 May 2026, with one workspace `prod` of documented limits and one key.
    pub(crate) fn new(jobs: &[String]) -> Self {
        Self::with(
            "prod: { base_url: \"$REMOTE\", api_key: { file: key-1 } }",
            jobs,
        )
    }

    /// With these workspaces; `$REMOTE` stands for the remote's address.
    pub(crate) fn with(workspaces: &str, jobs: &[String]) -> Self {
        let mut house = Self::unopened(workspaces, jobs);
        house.open();
        house
    }

    /// With these secrets in files beside the configuration.
    pub(crate) fn with_secrets(
        workspaces: &str,
        jobs: &[String],
        secrets: &[(&str, &str)],
    ) -> Self {
        let mut house = Self::unopened(workspaces, jobs);
        for (name, value) in secrets {
            std::fs::write(house.dir.path().join(name), value).unwrap();
        }
        house.open();
        house
    }

    /// Like [`Self::with`], and it restarts between any two steps.
    pub(crate) fn restless(workspaces: &str, jobs: &[String], restless: bool) -> Self {
        let mut house = Self::with(workspaces, jobs);
        house.restless = restless;
        house
    }

    fn unopened(workspaces: &str, jobs: &[String]) -> Self {
        // In memory where there is such a place: with a disk, syncing would take nine tenths of the
        // time, and what a disk keeps is not what these tests are about.
        let dir = tempfile::tempdir_in("/dev/shm")
            .or_else(|_| tempfile::tempdir())
            .unwrap();
        for (number, key) in (1..).zip(KEYS) {
            std::fs::write(dir.path().join(format!("key-{number}")), key).unwrap();
        }
        let clock = Clock::manual(at("00:00"));
        let remote = OUTSIDE.block_on(Remote::start(clock.clone()));
        let house = Self {
            dir,
            clock,
            remote: Arc::new(remote),
            workspaces: workspaces.to_owned(),
            daemon: None,
            witness: None,
            restless: false,
            restarts: 0,
            steps: 0,
        };
        house.write_config(jobs);
        house
    }

    pub(crate) fn ledger_path(&self) -> PathBuf {
        self.dir.path().join("funcron.db")
    }

    fn config_path(&self) -> PathBuf {
        self.dir.path().join("jobs.yaml")
    }

    /// Where the ledger lies, and everything else.
    pub(crate) fn folder(&self) -> &Path {
        self.dir.path()
    }

    /// What the engine would be given for these jobs.
    pub(crate) fn jobset_of(&self, jobs: &[String]) -> JobSet {
        self.write_config(jobs);
        self.jobset()
    }

    fn write_config(&self, jobs: &[String]) {
        let workspaces = self.workspaces.replace("$REMOTE", &self.remote.url());
        let text = format!(
            "version: 1\nworkspaces:\n  {workspaces}\ndefaults: {{ workspace: prod, retry: {{ jitter: 0 }} }}\njobs:\n{}",
            jobs.concat()
        );
        std::fs::write(self.config_path(), text).unwrap();
    }

    fn jobset(&self) -> JobSet {
        let config = match config::load(&self.config_path()) {
            Ok(loaded) => loaded.config,
            Err(errors) => panic!("the test's configuration is wrong: {errors}"),
        };
        let secrets = config::resolve_in(&config, &Environment::fixed([])).unwrap();
        let jobs = config
            .jobs
            .iter()
            .map(|job| (job.name.clone(), job.clone()));
        JobSet {
            jobs: jobs.collect(),
            workspaces: config.workspaces.clone(),
            keys: secrets.keys,
            secrets: secrets.kwargs,
            retention: config.retention,
            zone_data: ZONE_DATA.to_owned(),
        }
    }

    // ---- The daemon's life ----

    /// Starts a daemon on the ledger as it is.
    pub(crate) fn open(&mut self) {
        assert!(self.daemon.is_none(), "a daemon is running already");
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        let (path, clock, jobs) = (self.ledger_path(), self.clock.clone(), self.jobset());
        let opened = runtime.block_on(patiently("opening", async {
            let (ledger, held) = take(&path, &clock).await;
            let engine = Engine::open(ledger.clone(), clock, jobs).await.unwrap();
            (engine, ledger, held)
        }));
        let (engine, ledger, held) = opened;
        self.witness = None;
        self.daemon = Some(Daemon {
            runtime,
            engine,
            ledger,
            held,
        });
    }

    /// Stops it in good order: calls under way have `drain` (real time) to end.
    pub(crate) fn stop(&mut self, drain: Duration) {
        let mut daemon = self.daemon.take().expect("a daemon is running");
        let runtime = daemon.runtime;
        runtime.block_on(patiently("stopping", async {
            daemon.engine.stop(tokio::time::sleep(drain)).await;
            drop(daemon.engine);
            daemon.held.release(daemon.ledger).await;
            // The connections of the pool that went with the client.
            while runtime.metrics().num_alive_tasks() > 0 {
                tokio::task::yield_now().await;
            }
        }));
    }

    /// Stops when the calls under way have ended, and starts again.
    pub(crate) fn restart(&mut self) {
        self.settle();
        self.stop(PATIENCE);
        self.open();
    }

    /// Takes the daemon away where it stands, as SIGKILL would: its tasks end wherever they wait,
    /// nothing more is written or sent.
    pub(crate) fn crash(&mut self) {
        let daemon = self.daemon.take().expect("a daemon is running");
        let mut witness = self.connect();
        OUTSIDE.block_on(witness.count("SELECT count(*) FROM runs"));
        self.witness = Some(witness);
        // The runtime first, so that no destructor of the engine can still say goodbye.
        daemon.runtime.shutdown_background();
    }

    /// The configuration changes, and the daemon is told.
    pub(crate) fn reload(&mut self, jobs: &[String]) -> Difference {
        self.try_reload(jobs).unwrap()
    }

    pub(crate) fn try_reload(&mut self, jobs: &[String]) -> Result<Difference, EngineError> {
        let jobs = self.jobset_of(jobs);
        self.run(async |engine| engine.reload(jobs, "test", &[]).await)
    }

    /// The configuration changes while no daemon runs, or before the next start.
    pub(crate) fn rewrite(&mut self, jobs: &[String]) {
        self.write_config(jobs);
    }

    /// The workspaces change with the next reload or start.
    pub(crate) fn move_to(&mut self, workspaces: &str) {
        workspaces.clone_into(&mut self.workspaces);
    }

    // ---- Its steps ----

    /// Does something with the engine, on its runtime.
    pub(crate) fn run<T>(&mut self, what: impl AsyncFnOnce(&mut Engine) -> T) -> T {
        let daemon = self.daemon.as_mut().expect("a daemon is running");
        daemon
            .runtime
            .block_on(patiently("the engine", what(&mut daemon.engine)))
    }

    pub(crate) fn try_step(&mut self) -> Result<Step, StoreError> {
        self.steps += 1;
        self.run(Engine::step)
    }

    /// One step; where the house is restless, a restart after it.
    pub(crate) fn step(&mut self) -> Step {
        let step = self.try_step().unwrap();
        if self.restless && self.remote.held() == 0 {
            self.restarts += 1;
            self.restart();
        }
        step
    }

    /// Waits until every call under way has ended.
    pub(crate) fn settle(&mut self) {
        self.run(Engine::settle);
    }

    /// Steps until nothing happens any more unless the clock moves or a held answer is let go.
    pub(crate) fn quiesce(&mut self) -> Step {
        for _ in 0..MOST_STEPS {
            let step = self.step();
            if step.in_flight > self.remote.held() {
                if !self.restless {
                    self.wait_for_a_call(step.in_flight);
                }
            } else if step.wake.is_none_or(|wake| wake > self.clock.now()) {
                return step;
            }
        }
        panic!("{MOST_STEPS} steps at one instant: a hot loop");
    }

    /// Until a call has ended, or all that are under way are held back by the remote.
    fn wait_for_a_call(&mut self, in_flight: usize) {
        let remote = self.remote.clone();
        let mut changed = remote.watch();
        self.run(async move |engine| {
            let all_held = async {
                while remote.held() < in_flight {
                    changed.changed().await.unwrap();
                }
            };
            tokio::select! {
                () = engine.idle(None) => {}
                () = all_held => {}
            }
        });
    }

    /// Lets the daemon run until an instant, from one wake to the next.
    pub(crate) fn run_until(&mut self, instant: &str) {
        let until = at(instant);
        loop {
            let step = self.quiesce();
            let now = self.clock.now();
            if now >= until {
                return;
            }
            let wake = step.wake.map_or(until, |wake| wake.min(until));
            self.clock
                .advance(wake.duration_since(now).try_into().unwrap());
        }
    }

    /// Moves the clock, and nothing else.
    pub(crate) fn advance_to(&self, instant: &str) {
        let by = at(instant).duration_since(self.clock.now());
        self.clock.advance(by.try_into().unwrap());
    }

    /// Steps the wall clock alone.
    pub(crate) fn step_wall_to(&self, instant: &str) {
        let by: SignedDuration = at(instant).duration_since(self.clock.now());
        self.clock.step_wall(by);
    }

    /// Does something while all of the daemon's connections for reading are taken: whoever wants one
    /// waits. There must be a run to read of.
    pub(crate) fn while_nobody_can_read<T>(&mut self, what: impl FnOnce(&mut Self) -> T) -> T {
        let daemon = self.daemon.as_ref().expect("a daemon is running");
        let reader = daemon.ledger.reader().clone();
        let filter = HistoryFilter {
            limit: 1,
            ..HistoryFilter::default()
        };
        // A connection goes back to its pool by a task.
        let runtime = daemon.runtime.handle().clone();
        let _entered = runtime.enter();
        let mut taken = Vec::new();
        self.run(async |_| {
            for _ in 0..READERS {
                let mut rows = reader.executions(&filter);
                assert!(rows.next().await.is_some(), "a run to read of");
                taken.push(rows);
            }
        });
        what(self)
    }

    /// Gives the daemon time until the remote is as the condition says.
    pub(crate) fn until(&mut self, what: &str, condition: impl Fn(&Remote) -> bool) {
        let remote = self.remote.clone();
        let mut changed = remote.watch();
        let daemon = self.daemon.as_ref().expect("a daemon is running");
        daemon.runtime.block_on(patiently(what, async {
            while !condition(&remote) {
                changed.changed().await.unwrap();
            }
        }));
    }

    /// Gives the daemon turns until a query of the ledger counts something.
    pub(crate) fn until_recorded(&mut self, sql: &str) {
        let mut elsewhere = self.connect();
        let daemon = self.daemon.as_ref().expect("a daemon is running");
        daemon.runtime.block_on(patiently(sql, async {
            while elsewhere.count(sql).await == 0 {
                tokio::task::yield_now().await;
            }
        }));
    }

    /// Lets the daemon's tasks, and them alone, take so many turns.
    pub(crate) fn give_turns(&mut self, turns: usize) {
        self.run(async move |_| {
            for _ in 0..turns {
                tokio::task::yield_now().await;
            }
        });
    }

    /// Lets the daemon step and call for so many turns of its runtime, and kills it there. Answers
    /// whether it had finished before.
    pub(crate) fn crash_within(&mut self, turns: usize) -> bool {
        let mut turns = turns;
        let finished = self.run(async move |engine| {
            let mut life = std::pin::pin!(async {
                loop {
                    let step = engine.step().await.unwrap();
                    if step.in_flight == 0 {
                        return;
                    }
                    engine.idle(None).await;
                }
            });
            std::future::poll_fn(move |context| {
                if life.as_mut().poll(context).is_ready() {
                    return Poll::Ready(true);
                }
                turns = turns.saturating_sub(1);
                context.waker().wake_by_ref();
                if turns == 0 {
                    Poll::Ready(false)
                } else {
                    Poll::Pending
                }
            })
            .await
        });
        self.crash();
        finished
    }

    /// Waits until the remote is as the condition says, while the daemon does not move.
    pub(crate) fn frozen_until(&self, what: &str, condition: impl Fn(&Remote) -> bool) {
        let mut changed = self.remote.watch();
        OUTSIDE.block_on(patiently(what, async {
            while !condition(&self.remote) {
                changed.changed().await.unwrap();
            }
        }));
    }

    fn check_what_is_left(&mut self) {
        self.witness = None;
        if self.daemon.is_some() {
            self.stop(PATIENCE);
        }
        let faults = self.faults();
        assert!(faults.is_empty(), "the audit finds {faults:#?}");
        let recorded: BTreeSet<String> = self
            .texts("SELECT run_id || ' ' || attempt FROM attempts")
            .into_iter()
            .collect();
        let mut seen = BTreeSet::new();
        for call in self.remote.calls() {
            let call = format!("{} {}", call.run, call.attempt);
            assert!(recorded.contains(&call), "a call without a record: {call}");
            assert!(
                seen.insert(call.clone()),
                "one attempt called twice: {call}"
            );
        }
    }
}

impl Drop for House {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.check_what_is_left();
        }
    }
}

/// Opens the ledger. A process that another test is just starting has every open file of this one for
/// a moment, the lock of a daemon that crashed among them.
async fn take(path: &Path, clock: &Clock) -> (Ledger, Held) {
    loop {
        match Ledger::open(path, clock.now()).await {
            Err(error) if matches!(error.kind(), StoreErrorKind::Locked { .. }) => {
                tokio::task::yield_now().await;
            }
            opened => return opened.unwrap(),
        }
    }
}

async fn patiently<T>(what: &str, future: impl Future<Output = T>) -> T {
    match tokio::time::timeout(PATIENCE, future).await {
        Ok(done) => done,
        Err(_) => panic!("{what}: not done after {PATIENCE:?}"),
    }
}
