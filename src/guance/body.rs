//! A request body that knows how far it got: what tells `network_error` from `unknown`.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use tokio::time::Instant;

/// Small enough that the last piece is asked for only when the connection has taken most of the
/// others: a large body is not called written while it still waits in our own memory.
const PIECE: usize = 16 * 1024;

/// How far a request's body has got.
#[derive(Debug, Default)]
pub(super) struct Progress {
    begun: AtomicBool,
    written: OnceLock<Instant>,
}

impl Progress {
    /// Whether the connection has asked for the body. hyper's HTTP/1 encodes the head and asks for
    /// the body in one go, before anything is flushed: while this is false, no byte has left.
    pub(super) fn begun(&self) -> bool {
        self.begun.load(Ordering::Acquire)
    }

    /// When the last piece was handed over.
    pub(super) fn written(&self) -> Option<Instant> {
        self.written.get().copied()
    }
}

/// The body itself.
pub(super) struct NotedBody {
    rest: Bytes,
    progress: Arc<Progress>,
}

impl NotedBody {
    pub(super) fn new(body: Bytes, progress: Arc<Progress>) -> Self {
        Self {
            rest: body,
            progress,
        }
    }
}

impl Body for NotedBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.progress.begun.store(true, Ordering::Release);
        if self.rest.is_empty() {
            return Poll::Ready(None);
        }
        let length = self.rest.len().min(PIECE);
        let piece = self.rest.split_to(length);
        if self.rest.is_empty() {
            self.progress.written.get_or_init(Instant::now);
        }
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.rest.len() as u64)
    }
}
