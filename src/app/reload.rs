//! A reload: SIGHUP, `funcron reload` and a change of the files all come here.
//!
//! Everything is parsed and validated before anything changes; a bad file changes nothing.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use jiff::Timestamp;

use super::watch::Told;
use super::{AppError, Daemon, Options};
use crate::config::{
    self, Config, DatabaseUrl, Environment, EnvironmentError, RunningJobs, Secrets, Sources,
};
use crate::engine::{CommandError, EngineError, JobSet};
use crate::web::Reloaded;

/// Reloads that were asked for without waiting for an answer, and that are still to be done. Levels:
/// several of one kind are one.
#[derive(Clone, Debug, Default)]
pub(super) struct Wanted(Arc<Wishes>);

#[derive(Debug, Default)]
struct Wishes {
    by_signal: AtomicBool,
    by_change: AtomicBool,
}

impl Wanted {
    /// SIGHUP has come.
    pub(super) fn by_signal(&self) {
        self.0.by_signal.store(true, Ordering::SeqCst);
    }

    /// The files have changed.
    pub(super) fn by_change(&self) {
        self.0.by_change.store(true, Ordering::SeqCst);
    }

    /// Who wants one, if anybody does. One reload is for all.
    pub(super) fn take(&self) -> Option<&'static str> {
        let by_change = self.0.by_change.swap(false, Ordering::SeqCst);
        let by_signal = self.0.by_signal.swap(false, Ordering::SeqCst);
        match (by_signal, by_change) {
            (true, _) => Some("SIGHUP"),
            (false, true) => Some("file change"),
            (false, false) => None,
        }
    }
}

impl Daemon {
    /// Takes over the files as they are now, or keeps what runs and says why.
    pub(super) async fn reload(&mut self, actor: &str) -> Result<Reloaded, CommandError> {
        self.systemd.reloading();
        let (sources, loaded) = load(&self.options.config, self.clock.now(), self.engine.jobs());
        let reloaded = match loaded {
            Ok((config, jobs)) => self.take_over(config, jobs, actor).await,
            Err(error) => self.refuse(&error, actor).await,
        };
        if let Some(watch) = &self.watch {
            watch.tell(match &reloaded {
                Err(CommandError::Store(_)) => Told::Again,
                Ok(_) | Err(_) => Told::Read(sources),
            });
        }
        self.systemd.ready();
        reloaded
    }

    async fn refuse(&self, error: &AppError, actor: &str) -> Result<Reloaded, CommandError> {
        tracing::error!(
            actor,
            "the reload was refused, the running configuration stays: {error}"
        );
        let (faults, omitted) = error.faults();
        let recorded = self.engine.record_refused_reload(actor, &faults, omitted);
        if let Err(error) = recorded.await {
            tracing::error!(%error, "the refused reload cannot be recorded");
        }
        Err(CommandError::Invalid(format!(
            "the running configuration stays: {error}"
        )))
    }

    async fn take_over(
        &mut self,
        config: Config,
        jobs: JobSet,
        actor: &str,
    ) -> Result<Reloaded, CommandError> {
        let at_next_start = self.at_next_start(&config);
        match self.engine.reload(jobs, actor, &at_next_start).await {
            Ok(difference) => {
                self.drain = config.drain_timeout;
                let changes: Vec<(String, &'static str)> = difference
                    .changes()
                    .map(|(job, change)| (job.to_string(), change))
                    .collect();
                let words: Vec<String> = changes
                    .iter()
                    .map(|(job, change)| format!("{job} {change}"))
                    .collect();
                tracing::info!(jobs = config.jobs.len(), actor, changes = %words.join(", "), "reloaded");
                Ok(Reloaded {
                    jobs: config.jobs.len(),
                    changes,
                    at_next_start,
                })
            }
            Err(error) => {
                tracing::error!(%error, actor, "the reload failed; the old configuration stays");
                Err(match error {
                    EngineError::Store(error) => CommandError::Store(error),
                    EngineError::Client(error) => CommandError::Invalid(error.to_string()),
                })
            }
        }
    }

    /// The keys whose change has no effect while a daemon runs. The rest of the file is taken over all
    /// the same: refused, it would keep every later correction of a job out, too.
    fn at_next_start(&self, config: &Config) -> Vec<&'static str> {
        match database(&self.options, config) {
            Ok(next) if next != self.database => {
                tracing::warn!(
                    "`database` has changed, which takes effect at the next start: until then the ledger is {}",
                    self.database
                );
                vec!["database"]
            }
            Ok(_) | Err(_) => Vec::new(),
        }
    }
}

/// Where the ledger is to be.
pub(super) fn database(
    options: &Options,
    config: &Config,
) -> Result<DatabaseUrl, EnvironmentError> {
    Environment::process().database(options.database.as_deref(), Some(&config.database))
}

/// Reads and resolves everything, or nothing; and what was looked at for it.
/// Jobs that have not changed are those of `running`.
pub(super) fn load(
    path: &Path,
    now: Timestamp,
    running: &JobSet,
) -> (Sources, Result<(Config, JobSet), AppError>) {
    config::renew_zone_data();
    let nothing = RunningJobs::new();
    // The same words have other ticks by other zone data.
    let is_current = running.zone_data == config::zone_data();
    let running = if is_current { &running.jobs } else { &nothing };
    let loaded = match config::load_beside(path, running) {
        Ok(loaded) => loaded,
        Err(errors) => return (errors.sources.clone(), Err(AppError::Config(errors))),
    };
    for warning in loaded.warnings.iter().chain(&loaded.uncovered(now)) {
        tracing::warn!("{warning}");
    }
    let mut sources = loaded.sources;
    sources.add_referenced(&loaded.config);
    let resolved = config::resolve(&loaded.config).map_err(AppError::Secrets);
    let loaded = resolved.map(|secrets| {
        let jobs = jobset(&loaded.config, secrets);
        (loaded.config, jobs)
    });
    (sources, loaded)
}

/// What the engine runs on.
fn jobset(config: &Config, secrets: Secrets) -> JobSet {
    JobSet {
        jobs: config
            .jobs
            .iter()
            .map(|job| (job.name.clone(), job.clone()))
            .collect(),
        workspaces: config.workspaces.clone(),
        keys: secrets.keys,
        secrets: secrets.kwargs,
        retention: config.retention,
        zone_data: config::zone_data(),
    }
}
