//! A look through the ledger's file after every start, beside the calls. What it finds stops them: a
//! record in a damaged file may not be there when it is looked for.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::task::JoinHandle;

use crate::engine::Poke;
use crate::store::{Care, Ledger, Look};

/// One that is under way, or has been made.
#[derive(Debug)]
pub(super) struct Inspection {
    enough: Arc<AtomicBool>,
    task: JoinHandle<()>,
}

impl Inspection {
    pub(super) fn start(ledger: &Ledger, poke: Poke) -> Self {
        let enough = Arc::new(AtomicBool::new(false));
        let task = tokio::spawn(inspect(ledger.clone(), enough.clone(), poke));
        Self { enough, task }
    }

    /// Ends it, so that the ledger can be let go.
    pub(super) async fn end(self) {
        self.enough.store(true, Ordering::Relaxed);
        if let Err(error) = self.task.await {
            tracing::error!(%error, "the look for damage in the ledger ended badly");
        }
    }
}

async fn inspect(ledger: Ledger, enough: Arc<AtomicBool>, poke: Poke) {
    match ledger.reader().damage(Care::Quick, enough).await {
        Ok(Look::Whole) => tracing::debug!("no damage was found in the ledger"),
        Ok(Look::BrokenOff) => tracing::info!(
            "the look for damage in the ledger was broken off, by a stop or since the journal would have become large meanwhile; to look through all of a large ledger, `funcron backup` it and have `funcron doctor` look at the copy"
        ),
        Ok(Look::Damaged(found)) => {
            tracing::error!("the ledger is damaged: {found}");
            ledger.condemn(found);
            poke.poke();
        }
        Err(error) => tracing::warn!(%error, "the ledger could not be looked through for damage"),
    }
}
