//! What systemd is told: READY, STATUS, WATCHDOG, RELOADING, STOPPING. Without systemd it is told
//! nothing, and nothing is missing.

use std::time::{Duration, Instant};

use sd_notify::NotifyState;

use crate::domain::retention::Oversize;
use crate::engine::Step;
use crate::store::StoreError;

/// Between two notes: a burst takes thousands of steps a second.
const QUIET: Duration = Duration::from_secs(1);

/// The service manager, if there is one.
#[derive(Debug)]
pub(super) struct Systemd {
    watchdog: bool,
    told: Option<Instant>,
    status: String,
    /// What is wrong with the ledger, as it was last logged.
    fault: Option<String>,
}

impl Systemd {
    pub(super) fn from_environment() -> Self {
        let watchdog = sd_notify::watchdog_enabled().is_some();
        Self {
            watchdog,
            told: None,
            status: String::new(),
            fault: None,
        }
    }

    pub(super) fn ready(&self) {
        tell(&[NotifyState::Ready]);
    }

    pub(super) fn reloading(&self) {
        match NotifyState::monotonic_usec_now() {
            Ok(now) => tell(&[NotifyState::Reloading, now]),
            Err(_) => tell(&[NotifyState::Reloading]),
        }
    }

    pub(super) fn stopping(&self) {
        tell(&[NotifyState::Stopping]);
    }

    /// A step returned: that is the progress which the watchdog watches, with an error too.
    pub(super) fn observe(&mut self, step: &Result<Step, StoreError>) {
        let fault = step.as_ref().err().map(ToString::to_string);
        let changed = fault != self.fault;
        match &fault {
            Some(fault) if changed => {
                tracing::error!("nothing is fired while the ledger fails: {fault}");
            }
            None if changed => tracing::info!("the ledger works again"),
            _ => {}
        }
        self.fault = fault;
        if !changed && self.told.is_some_and(|told| told.elapsed() < QUIET) {
            return;
        }
        self.told = Some(Instant::now());
        if self.watchdog {
            tell(&[NotifyState::Watchdog]);
        }
        let status = match step {
            Ok(step) => {
                let doubt = step.doubt.map(|doubt| doubt.explain().to_owned());
                let oversize = step.oversize.map(Oversize::explain);
                let warnings: Vec<String> = [doubt, oversize]
                    .into_iter()
                    .flatten()
                    .map(|warning| format!("; {warning}"))
                    .collect();
                let warnings = warnings.concat();
                format!(
                    "{} calls under way, {} runs waiting{warnings}",
                    step.in_flight, step.waiting
                )
            }
            Err(error) => format!("not firing: {error}"),
        };
        if status != self.status {
            tell(&[NotifyState::Status(&status)]);
            self.status = status;
        }
    }
}

/// A manager that does not listen is the manager's loss.
fn tell(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::debug!(%error, "systemd does not listen");
    }
}
