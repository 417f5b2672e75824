//! Connections: accepted on loopback, served one task each, ended when the sandbox stops.

use std::error::Error as _;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::gateway::Gateway;
use super::wire::Severed;

/// Connections served at once; further ones wait in the system's queue.
const MAX_CONNECTIONS: usize = 1024;

/// Accepts until cancelled. Every connection is a task of `tasks`.
pub(super) async fn accept(
    listener: TcpListener,
    gateway: Arc<Gateway>,
    tasks: TaskTracker,
    stop: CancellationToken,
) {
    let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let next = async || {
        let place = Arc::clone(&places).acquire_owned().await.ok()?;
        Some((place, listener.accept().await))
    };
    while let Some(Some((place, accepted))) = stop.run_until_cancelled(next()).await {
        match accepted {
            Ok((stream, _)) => {
                gateway.connected();
                let gateway = Arc::clone(&gateway);
                let stop = stop.clone();
                tasks.spawn(async move {
                    stop.run_until_cancelled(serve(stream, gateway)).await;
                    drop(place);
                });
            }
            Err(error) => {
                // Too many open files, usually; without the pause the loop would spin on it.
                tracing::warn!(%error, "the sandbox could not accept a connection");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

async fn serve(stream: TcpStream, gateway: Arc<Gateway>) {
    // A reply held back by Nagle's algorithm would add 40 ms to every measured cost.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "TCP_NODELAY was refused");
    }
    let service = service_fn(|request| gateway.answer(request));
    // An idle connection is kept: closing it would race with the next request of a pooled client.
    let mut connection = http1::Builder::new()
        .header_read_timeout(None)
        .serve_connection(TokioIo::new(stream), service);
    let Err(error) = (&mut connection).await else {
        return;
    };
    let severed = error.source().and_then(|cause| cause.downcast_ref());
    if severed == Some(&Severed::Reset) {
        let stream = connection.into_parts().io.into_inner();
        // Closing with a linger of zero sends a reset in the place of an orderly end.
        if let Err(error) = stream.set_zero_linger() {
            tracing::warn!(%error, "the sandbox could not reset a connection and closes it");
        }
    }
}
