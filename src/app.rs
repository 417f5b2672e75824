//! The daemon: builds and wires everything, owns signals, reload, systemd's notifications and the
//! order of stopping.
//!
//! Start: configuration → secrets → ledger (its lock first) → engine → READY. Stop: no new calls →
//! drain → the end of every attempt recorded → engine → writer → journal mode → lock.

use std::path::PathBuf;

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::config::{self, ConfigErrors, DatabaseUrl, Unresolved};
use crate::engine::{Driver, Engine, EngineError, JobSet};
use crate::guance::ClientError;
use crate::store::{Event, Held, Ledger, StoreError, StoreErrorKind};
use crate::web::{self, Answer, Ask, Asked};

mod control;
mod inspection;
mod notify;
mod reload;
mod signals;
mod watch;

use control::Control;
use inspection::Inspection;
use notify::Systemd;
use reload::Wanted;
use signals::Signals;
use watch::Watch;

pub use signals::Stop;

/// What a daemon is started with.
#[derive(Clone, Debug)]
pub struct Options {
    /// The configuration's file.
    pub config: PathBuf,
    /// `--database`, which wins over the environment and the configuration.
    pub database: Option<String>,
    /// Where commands reach it; without a socket none do.
    pub socket: Option<PathBuf>,
    /// Whether it takes over a changed configuration by itself.
    pub watch: bool,
}

/// Why a daemon ended badly.
#[derive(Debug, thiserror::Error)]
pub enum AppError {
    /// The configuration is wrong; each of its errors has its own line.
    #[error("the configuration has errors\n{0}")]
    Config(ConfigErrors),
    /// A secret cannot be read.
    #[error("secrets are missing\n{}", lines(.0))]
    Secrets(Vec<Unresolved>),
    /// The flag or the variable names no ledger.
    #[error(transparent)]
    Database(config::EnvironmentError),
    /// The ledger failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The engine could not be made.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The operating system refused a signal handler.
    #[error("listening for signals")]
    Signals(#[source] std::io::Error),
}

fn lines(errors: &[Unresolved]) -> String {
    errors
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join("\n")
}

impl AppError {
    /// Whether a restart cannot help: the daemon exits 78 then (contract, section 6).
    pub fn is_permanent(&self) -> bool {
        match self {
            Self::Config(_) | Self::Secrets(_) | Self::Database(_) => true,
            Self::Store(error) | Self::Engine(EngineError::Store(error)) => matches!(
                error.kind(),
                StoreErrorKind::NotALedger
                    | StoreErrorKind::Newer { .. }
                    | StoreErrorKind::Missing
                    | StoreErrorKind::Denied
            ),
            Self::Engine(EngineError::Client(ClientError::Thread(_))) | Self::Signals(_) => false,
            Self::Engine(EngineError::Client(_)) => true,
        }
    }

    /// What is wrong, one by one, and how many more there are.
    fn faults(&self) -> (Vec<String>, usize) {
        match self {
            Self::Config(refused) => {
                let faults = refused.errors.iter().map(ToString::to_string);
                (faults.collect(), refused.omitted)
            }
            Self::Secrets(missing) => (missing.iter().map(ToString::to_string).collect(), 0),
            other => (vec![other.to_string()], 0),
        }
    }

    /// Whether another daemon holds the ledger: exit 5.
    pub fn is_locked(&self) -> bool {
        matches!(self, Self::Store(error) if matches!(error.kind(), StoreErrorKind::Locked { .. }))
    }
}

/// Runs a daemon until SIGTERM or SIGINT; a second one cuts off the calls that the first waits for.
///
/// # Errors
/// See [`AppError`]. Errors of a later reload are logged, and the daemon goes on.
pub async fn run(options: Options) -> Result<(), AppError> {
    let mut signals = Signals::listen().map_err(AppError::Signals)?;
    let (stop, clock) = (Stop::default(), Clock::system());
    let daemon = Daemon::start(options, clock.clone()).await?;
    let listener = tokio::spawn({
        let (stop, wanted) = (stop.clone(), daemon.wanted.clone());
        let poke = daemon.driver.poke.clone();
        async move { signals.forward(&stop, &wanted, &poke, &clock).await }
    });
    // Not on the main thread: each call that ends would wake it from a worker of the runtime,
    // which made a burst some hundredths slower.
    let served = tokio::spawn(async move { daemon.serve(&stop).await }).await;
    listener.abort();
    if let Err(ended) = served {
        // Nobody cancels it, so it has panicked: with the engine gone the process is to end.
        std::panic::resume_unwind(ended.into_panic());
    }
    Ok(())
}

/// Requests that are heard between two steps, at most: a flood of them must not hold up calls.
const HEARD: usize = 32;

/// A daemon that holds its ledger.
#[derive(Debug)]
pub struct Daemon {
    options: Options,
    drain: std::time::Duration,
    clock: Clock,
    engine: Engine,
    ledger: Ledger,
    held: Held,
    driver: Driver,
    database: DatabaseUrl,
    wanted: Wanted,
    watch: Option<Watch>,
    control: Control,
    asked: mpsc::Receiver<Asked>,
    systemd: Systemd,
}

impl Daemon {
    /// Loads the configuration, takes the ledger, makes the engine.
    ///
    /// # Errors
    /// See [`AppError`].
    pub async fn start(options: Options, clock: Clock) -> Result<Self, AppError> {
        let (sources, loaded) = reload::load(&options.config, clock.now(), &JobSet::default());
        let (config, jobs) = loaded?;
        let database = reload::database(&options, &config).map_err(AppError::Database)?;
        let path = database.path().to_path_buf();
        let (ledger, held) = Ledger::open(&path, clock.now()).await?;
        let engine = Engine::open(ledger.clone(), clock.clone(), jobs).await?;
        tracing::info!(
            config = %options.config.display(),
            database = %path.display(),
            jobs = config.jobs.len(),
            workspaces = config.workspaces.len(),
            "started"
        );
        let driver = Driver::default();
        let (desk, asked) = web::desk(driver.poke.clone());
        let context = web::Context {
            desk,
            reader: ledger.reader().clone(),
            ledger: path.canonicalize().unwrap_or(path),
            config: options.config.clone(),
        };
        let wanted = Wanted::default();
        let poke = driver.poke.clone();
        let watch = options
            .watch
            .then(|| Watch::start(sources, clock.clone(), wanted.clone(), poke));
        let control = Control::open(options.socket.as_deref(), context).await;
        Ok(Self {
            options,
            drain: config.drain_timeout,
            clock,
            engine,
            ledger,
            held,
            driver,
            database,
            wanted,
            watch,
            control,
            asked,
            systemd: Systemd::from_environment(),
        })
    }

    /// Schedules until `stop`, then drains and lets the ledger go.
    pub async fn serve(mut self, stop: &Stop) {
        self.systemd.ready();
        tracing::info!("ready: scheduling");
        let inspection = Inspection::start(&self.ledger, self.driver.poke.clone());
        while !stop.begun.is_cancelled() {
            let systemd = &mut self.systemd;
            self.driver
                .drive(&mut self.engine, &stop.begun, |step| systemd.observe(step))
                .await;
            if let Some(actor) = self.wanted.take() {
                // Said in the log, which is where whoever sends a signal looks.
                let _ = self.reload(actor).await;
            }
            self.hear().await;
        }
        inspection.end().await;
        self.stop(&stop.at_once).await;
    }

    /// Carries out what was asked at the socket.
    async fn hear(&mut self) {
        for _ in 0..HEARD {
            let Ok(Asked { ask, actor, answer }) = self.asked.try_recv() else {
                return;
            };
            let answered = match ask {
                Ask::Engine(command) => {
                    let reply = self.engine.command(command, &actor).await;
                    reply.map(Answer::Engine)
                }
                Ask::Reload => self.reload(&actor).await.map(Answer::Reloaded),
            };
            // Whoever asked may have gone; what was ordered is done all the same.
            let _ = answer.send(answered);
        }
        self.driver.poke.poke();
    }

    async fn stop(mut self, at_once: &CancellationToken) {
        self.systemd.stopping();
        // Nothing is heard from here on; what still waits is told that the daemon stops.
        self.asked.close();
        while self.asked.try_recv().is_ok() {}
        self.control.close().await;
        tracing::info!(drain = ?self.drain, "stopping: no new calls, those under way are waited for; a second signal (Ctrl-C, SIGTERM) stops at once");
        let patience = async {
            tokio::select! {
                () = tokio::time::sleep(self.drain) => tracing::warn!("the drain's time is over"),
                () = at_once.cancelled() => tracing::warn!("told to stop at once"),
            }
        };
        self.engine.stop(patience).await;
        let event = Event {
            at: self.clock.now(),
            kind: "stop",
            actor: "daemon".to_owned(),
            detail: "{}".to_owned(),
        };
        if let Err(error) = self.ledger.record(event).await {
            tracing::error!(%error, "the stop cannot be recorded");
        }
        drop(self.engine);
        self.held.release(self.ledger).await;
        tracing::info!("stopped");
    }
}
