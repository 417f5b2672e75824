//! The ten lines around [`Engine::step`]: it sleeps until the step asks for it, a call ends, or
//! somebody pokes.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::{Engine, Step};
use crate::store::StoreError;

/// Between two tries of something that the ledger failed.
pub(super) const TRY_AGAIN: Duration = Duration::from_secs(1);

/// Wakes a sleeping driver.
#[derive(Clone, Debug, Default)]
pub struct Poke(Arc<Notify>);

impl Poke {
    /// Has the driver take its next step now.
    pub fn poke(&self) {
        self.0.notify_one();
    }
}

/// Drives an engine until it is told to stop or poked.
#[derive(Clone, Debug, Default)]
pub struct Driver {
    /// Ends [`Driver::drive`] early, so that whoever poked can do something with the engine.
    pub poke: Poke,
}

impl Driver {
    /// Steps until poked or stopped. `observe` sees the result of every step: progress is that a step
    /// returned, with an error too.
    pub async fn drive(
        &self,
        engine: &mut Engine,
        stop: &CancellationToken,
        mut observe: impl FnMut(&Result<Step, StoreError>),
    ) {
        let called_away = async || {
            tokio::select! {
                () = stop.cancelled() => {}
                () = self.poke.0.notified() => {}
            }
        };
        while !stop.is_cancelled() {
            if !engine.take_lead(called_away()).await {
                return;
            }
            let result = engine.step().await;
            observe(&result);
            let rest = async {
                match result {
                    Ok(step) => {
                        let lead = engine.next_lead().map(|lead| lead.start);
                        let wake = step.wake.into_iter().chain(lead).min();
                        engine.idle(wake).await;
                    }
                    Err(_) => tokio::time::sleep(TRY_AGAIN).await,
                }
            };
            tokio::select! {
                () = rest => {}
                () = called_away() => return,
            }
        }
    }
}
