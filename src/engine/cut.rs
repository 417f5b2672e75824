//! Cutting one call short: its run is to end, and the function may go on.

use std::sync::{Arc, OnceLock};

use tokio_util::sync::CancellationToken;

use crate::domain::run::Reason;

/// A wish to have one call end now, which whoever makes the call listens to. A level, not an event:
/// it is seen by a call that begins after it, too.
#[derive(Clone, Debug, Default)]
pub(super) struct Cut {
    token: CancellationToken,
    reason: Arc<OnceLock<Reason>>,
}

impl Cut {
    /// Has the call end. Only the first reason counts.
    pub(super) fn cut(&self, reason: Reason) {
        let _ = self.reason.set(reason);
        self.token.cancel();
    }

    /// Why the call is to end, if it is.
    pub(super) fn reason(&self) -> Option<Reason> {
        self.reason.get().copied()
    }

    /// Waits until the call is to end, and says why.
    pub(super) async fn asked(&self) -> Reason {
        loop {
            self.token.cancelled().await;
            // Set before the token is, so the loop never turns.
            if let Some(reason) = self.reason() {
                return reason;
            }
        }
    }
}
