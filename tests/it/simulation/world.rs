//! One simulated world: a daemon's lives on one ledger, and everything that happens to them.
//!
//! The clock moves only when nothing else can: every task of the daemon then waits for time to pass.
//! So a month of idling costs nothing, and the seed alone decides what happens.

use std::collections::{HashMap, HashSet};
use std::path::PathBuf;
use std::time::Duration;

use funcron::clock::Clock;
use funcron::config::{self, Environment};
use funcron::engine::{Engine, JobSet};
use funcron::store::Ledger;
use jiff::Timestamp;
use tempfile::TempDir;
use tokio::runtime::Builder;

use super::chance::Chance;
use super::disk::{Mischief, is_the_disks};
use super::facts;
use super::jobs::{Limits, Setup, Spec};
use super::server::{Server, Witness};
use crate::support::house::ZONE_DATA;

mod clocks;
mod daemon;
mod events;
mod orders;

use clocks::Clocks;
pub(crate) use clocks::ROUNDING;
use daemon::{Crashed, Daemon, Death, TURNS, settle};
pub(crate) use orders::{Answer, Given};

/// Something the world did, by name, for the summary.
pub(crate) type Tally = HashMap<&'static str, u64>;

pub(crate) struct World {
    pub(crate) seed: u64,
    pub(crate) dir: TempDir,
    pub(crate) clock: Clock,
    pub(crate) server: Server,
    mischief: Mischief,
    chance: Chance,
    setup: Setup,
    /// Every definition that was ever loaded, by its hash.
    pub(crate) specs: HashMap<String, Spec>,
    /// Attempts that were open when the process died.
    pub(crate) cut_off: HashSet<(String, u32)>,
    /// Spans of wall time in which ticks may be lost.
    pub(crate) unwell: Vec<(Timestamp, Timestamp)>,
    /// Spans of wall time that were lived through twice.
    pub(crate) set_back: Vec<(Timestamp, Timestamp)>,
    /// Spans of monotonic time in which the daemon was being stopped.
    pub(crate) stops: Vec<(Duration, Duration)>,
    /// What people ordered, in that order.
    pub(crate) orders: Vec<Given>,
    pub(crate) clocks: Clocks,
    /// Wall times, in microseconds, of each daemon's first step that succeeded, and of its last look
    /// at the clock.
    pub(crate) lives: Vec<(i64, i64)>,
    /// Spans of wall time, in microseconds, that the clock was set over.
    pub(crate) jumps: Vec<(i64, i64)>,
    /// The latest that the wall clock ever showed.
    latest: Timestamp,
    /// The last wall time at which a step did its work.
    well_at: Timestamp,
    /// The monotonic instant at which the story ends.
    until: Duration,
    next_event: Duration,
    next_order: Duration,
    /// A call has ended since the last step, which says that it is under way.
    has_moved_on: bool,
    pace: u64,
    /// Between two orders, about.
    order_pace: u64,
    /// When what was done to disk and server is over.
    relief: Option<Duration>,
    tally: Tally,
}

impl World {
    pub(crate) fn new(seed: u64) -> Self {
        let mut chance = Chance::new(seed);
        let dir = tempfile::tempdir_in("/dev/shm")
            .or_else(|_| tempfile::tempdir())
            .unwrap();
        // Within 2026, a third of them just before clocks change somewhere.
        let start = match chance.between(0, 5) {
            0 => "2026-03-28T20:00:00Z".parse().unwrap(),
            1 => "2026-10-24T20:00:00Z".parse().unwrap(),
            _ => Timestamp::from_second(1_767_225_600 + chance.between(0, 31_536_000) as i64)
                .unwrap(),
        };
        let clock = Clock::manual(start);
        let setup = Setup::random(&mut chance, start);
        let span = setup.span().clamp(600, 400 * 86_400);
        let witness = Witness::new(dir.path().join("funcron.db"));
        let pace = span / chance.between(4, 24);
        let order_pace = span / chance.between(4, 24);
        let begin = clock.monotonic();
        Self {
            seed,
            server: Server::new(seed, clock.clone(), witness),
            mischief: Mischief::new(clock.clone(), seed),
            until: begin + Duration::from_secs(span),
            next_event: begin + Duration::from_secs(chance.between(1, 2 * pace)),
            next_order: begin + Duration::from_secs(chance.between(1, 2 * order_pace)),
            has_moved_on: false,
            orders: Vec::new(),
            clocks: Clocks::new(&clock),
            lives: Vec::new(),
            jumps: Vec::new(),
            dir,
            clock,
            chance,
            setup,
            specs: HashMap::new(),
            cut_off: HashSet::new(),
            unwell: Vec::new(),
            set_back: Vec::new(),
            stops: Vec::new(),
            latest: start,
            well_at: start,
            pace,
            order_pace,
            relief: None,
            tally: Tally::new(),
        }
    }

    pub(crate) fn ledger_path(&self) -> PathBuf {
        self.dir.path().join("funcron.db")
    }

    /// Lives through it all.
    pub(crate) fn run(&mut self) {
        loop {
            let Some(mut daemon) = self.start() else {
                self.pass(Duration::from_secs(5));
                continue;
            };
            match daemon.live(self) {
                Death::Killed => self.bury(daemon),
                Death::Stopped => daemon.stop(self),
                Death::Last => {
                    daemon.drain(self);
                    daemon.stop(self);
                    return;
                }
            }
            self.be_down();
        }
    }

    fn count(&mut self, what: &'static str) {
        *self.tally.entry(what).or_default() += 1;
    }

    /// What happened.
    pub(crate) fn tally(&self) -> Tally {
        let mut tally = self.tally.clone();
        let (failures, stalls) = self.mischief.counts();
        tally.insert("transactions that failed", failures);
        tally.insert("slow moments of commits", stalls);
        tally
    }

    pub(crate) fn simulated(&self) -> Duration {
        self.clock.monotonic() - Clock::manual(Timestamp::UNIX_EPOCH).monotonic()
    }

    // ---- Time ----

    fn pass(&mut self, by: Duration) {
        self.clock.advance(by);
        self.latest = self.latest.max(self.clock.now());
        if self
            .relief
            .is_some_and(|relief| relief <= self.clock.monotonic())
        {
            self.relieve();
        }
    }

    fn relieve(&mut self) {
        self.relief = None;
        self.mischief.heal();
        self.server.heal();
        // What came late because of it is not yet planned, or waits for its retry.
        self.unwell_until(Duration::from_secs(120));
    }

    fn unwell_until(&mut self, more: Duration) {
        let to = self.clock.now() + more;
        self.unwell.push((self.well_at, to));
    }

    /// Whether the story is over.
    fn is_over(&self) -> bool {
        self.clock.monotonic() >= self.until
    }

    fn edit(&mut self) {
        for edit in self.setup.change(&mut self.chance) {
            self.count(edit);
        }
    }

    // ---- The daemon's births and deaths ----

    fn jobset(&mut self) -> JobSet {
        let path = self.dir.path().join("jobs.yaml");
        std::fs::write(&path, self.setup.yaml()).unwrap();
        let config = match config::load(&path) {
            Ok(loaded) => loaded.config,
            Err(errors) => panic!(
                "the configuration is wrong: {errors}\n{}",
                self.setup.yaml()
            ),
        };
        let keys = ["KEY_1", "KEY_2", "KEY_3"].map(|name| (name, format!("{name}-of-the-world")));
        let keys = keys.each_ref().map(|(name, value)| (*name, value.as_str()));
        let secrets = config::resolve_in(&config, &Environment::fixed(keys)).unwrap();
        for job in &config.jobs {
            let spec = self
                .setup
                .jobs
                .iter()
                .find(|spec| spec.name == job.name.as_str());
            let spec = spec.unwrap().clone();
            self.specs.insert(job.hash.to_string(), spec);
        }
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

    fn tell_the_limits(&self, keys: &[(String, String)]) {
        let limits: HashMap<String, Limits> = self
            .setup
            .limits
            .iter()
            .map(|(name, limits)| ((*name).to_owned(), *limits))
            .collect();
        let mut of_keys: HashMap<String, u64> = HashMap::new();
        for (workspace, key) in keys {
            let limit = of_keys.entry(key.clone()).or_insert(u64::MAX);
            *limit = (*limit).min(limits[workspace].per_key);
        }
        self.server.set_limits(limits, of_keys);
    }

    /// `None`: the disk did not let it start, or the process died in the attempt.
    fn start(&mut self) -> Option<Daemon> {
        self.mischief.revive();
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        let (path, clock) = (self.ledger_path(), self.clock.clone());
        let (disk, jobs) = (self.mischief.disk(), self.jobset());
        let keys = keys_of(&jobs);
        let client = self.server.client(&self.clock, &self.mischief);
        let opened = runtime.block_on(self.attend(async {
            let (ledger, held) = Ledger::open_on(disk, &path, clock.now()).await?;
            let engine = Engine::open_with(ledger.clone(), clock, jobs, client).await;
            engine.map(|engine| (engine, ledger, held))
        }));
        match opened {
            Ok(Ok((engine, ledger, held))) => {
                self.tell_the_limits(&keys);
                self.unwell_until(Duration::from_secs(120));
                self.count("starts");
                Some(Daemon {
                    runtime,
                    engine,
                    ledger,
                    held,
                })
            }
            Ok(Err(error)) => {
                assert!(
                    is_the_disks(&error),
                    "seed {}: a start failed: {error}",
                    self.seed
                );
                runtime.shutdown_background();
                self.count("starts that the disk refused");
                None
            }
            Err(Crashed) => {
                runtime.shutdown_background();
                self.mark_the_cut_off();
                self.count("crashes during a start");
                None
            }
        }
    }

    fn bury(&mut self, daemon: Daemon) {
        // The runtime first, so that no destructor of the engine can still say goodbye.
        daemon.runtime.shutdown_background();
        self.count("crashes");
        self.mark_the_cut_off();
    }

    fn mark_the_cut_off(&mut self) {
        self.server.cut_off();
        let runtime = Builder::new_current_thread().build().unwrap();
        let open = runtime.block_on(facts::open_attempts(&self.ledger_path()));
        self.cut_off.extend(open);
    }

    fn be_down(&mut self) {
        let from = self.well_at;
        let down = match self.chance.between(0, 3) {
            0 => self.chance.scale(1, 5),
            1 => self.chance.scale(5, 120),
            _ => self.chance.scale(60, (self.pace * 2).max(120)),
        };
        if self.chance.happens(0.3) {
            self.edit();
            self.count("configurations changed while down");
        }
        self.relieve();
        let down = Duration::from_secs(down);
        let down = down + Duration::from_micros(self.chance.between(1, 999_999));
        self.pass(down);
        if self.chance.happens(0.1) {
            self.step_wall();
        }
        self.unwell
            .push((from, self.clock.now().max(from) + Duration::from_secs(120)));
        self.trouble_the_start();
    }

    /// Something of the daemon's that may have to wait for the disk: time passes for it.
    async fn attend<T>(&mut self, doing: impl Future<Output = T>) -> Result<T, Crashed> {
        let mut doing = std::pin::pin!(doing);
        let mischief = self.mischief.clone();
        loop {
            tokio::select! {
                biased;
                () = mischief.until_crashed() => return Err(Crashed),
                done = &mut doing => return Ok(done),
                () = mischief.until_stalled() => {}
            }
            // Whoever else can do something does it first.
            settle(TURNS).await;
            if mischief.is_stalled() {
                let wakes = self.clock.next_waking();
                let now = self.clock.monotonic();
                self.pass(wakes.map_or(Duration::from_millis(1), |wakes| wakes - now));
            }
        }
    }
}

/// The keys of each workspace, by their short names.
fn keys_of(jobs: &JobSet) -> Vec<(String, String)> {
    let of_each = jobs.keys.iter().flat_map(|(workspace, keys)| {
        keys.iter()
            .map(|key| (workspace.to_string(), key.id.to_string()))
    });
    of_each.collect()
}
