//! The control API's life: its socket opens before READY and closes before anything else stops. A
//! daemon without one is a daemon all the same, and says so.

use std::path::Path;

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::web::{self, Context, Socket};

/// The server at the socket, if there is one.
#[derive(Debug)]
pub(super) struct Control {
    server: Option<JoinHandle<()>>,
    stop: CancellationToken,
}

impl Control {
    /// Opens the socket, or warns.
    pub(super) async fn open(path: Option<&Path>, context: Context) -> Self {
        let stop = CancellationToken::new();
        let Some(path) = path else {
            tracing::warn!(
                "no directory for a socket is there, so commands cannot reach this daemon; name a place with --socket"
            );
            return Self { server: None, stop };
        };
        let server = match Socket::bind(path).await {
            Ok(socket) => {
                tracing::info!(socket = %socket.path().display(), "commands are taken");
                Some(tokio::spawn(web::serve(socket, context, stop.clone())))
            }
            Err(error) => {
                let cause = std::error::Error::source(&error)
                    .map_or_else(String::new, |cause| format!(": {cause}"));
                tracing::warn!("commands cannot reach this daemon: {error}{cause}");
                None
            }
        };
        Self { server, stop }
    }

    /// Takes the socket away and waits until nobody is served any more.
    pub(super) async fn close(&mut self) {
        self.stop.cancel();
        if let Some(server) = self.server.take()
            && let Err(error) = server.await
        {
            tracing::error!(%error, "the socket's server ended badly");
        }
    }
}
