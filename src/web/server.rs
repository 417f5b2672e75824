//! Connections to the socket: accepted, served one task each, ended when the daemon stops.

use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::UnixStream;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::peer;
use super::routes::{self, Context};
use super::socket::Socket;

/// Connections served at once; further ones wait in the system's queue.
const MAX_CONNECTIONS: usize = 64;

/// How long a request's head may take.
const HEAD: Duration = Duration::from_secs(10);

/// Serves the socket until `stop`, then takes it away. Requests under way are answered first, for as
/// long as somebody drives the engine.
pub async fn serve(socket: Socket, context: Context, stop: CancellationToken) {
    let context = Arc::new(context);
    let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let tasks = TaskTracker::new();
    let next = async || {
        let place = Arc::clone(&places).acquire_owned().await.ok()?;
        Some((place, socket.listener.accept().await))
    };
    while let Some(Some((place, accepted))) = stop.run_until_cancelled(next()).await {
        match accepted {
            Ok((stream, _)) => {
                let (context, stop) = (Arc::clone(&context), stop.clone());
                tasks.spawn(async move {
                    connection(stream, context, stop).await;
                    drop(place);
                });
            }
            Err(error) => {
                // Too many open files, usually; without the pause the loop would spin on it.
                tracing::warn!(%error, "the socket could not accept a connection");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
    drop(socket);
    tasks.close();
    tasks.wait().await;
}

async fn connection(stream: UnixStream, context: Arc<Context>, stop: CancellationToken) {
    let actor = peer::actor(&stream);
    let service = service_fn(|request| routes::answer(&context, &actor, request));
    let mut connection = std::pin::pin!(
        http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD)
            .serve_connection(TokioIo::new(stream), service)
    );
    let ended = tokio::select! {
        ended = &mut connection => ended,
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection to the socket ended badly");
    }
}
