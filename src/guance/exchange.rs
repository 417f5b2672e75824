//! Sending one request and taking in its reply, within bounds.

use std::error::Error;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use jiff::fmt::rfc2822;
use reqwest::header::{DATE, HeaderMap, LOCATION, RETRY_AFTER};
use reqwest::{Client, Request, Response, Url};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::connect::{Route, causes};

/// A reply longer than this waits for one of the few places for large ones.
pub(super) const SMALL: usize = 64 * 1024;

/// Least capacity of a large reply's buffer, which also holds the longest reply that is read and so
/// never grows. A block of this size has a mapping of its own, which goes back to the system whole
/// (with our allocator from 1 MiB on, `.cargo/config.toml`; with glibc from 32 MiB on, mallopt(3)).
/// Smaller ones stay with the allocator after they are freed, and added up to more than the replies
/// themselves. Only what is written to takes memory.
const OWN_MAPPING: usize = (32 << 20) + 1;

/// What arrived, kept outside the exchange so that a deadline leaves what there was.
#[derive(Debug, Default)]
pub(super) struct Received {
    pub(super) status: Option<u16>,
    pub(super) redirect_to: Option<String>,
    pub(super) retry_after: Option<Duration>,
    pub(super) body: Vec<u8>,
    /// Held until the reply has been judged: that takes memory, too.
    place: Option<OwnedSemaphorePermit>,
}

/// How an exchange ended.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum End {
    /// The whole reply is there.
    Whole,
    /// A 3xx. Its body is not read: it can change nothing.
    Redirect,
    /// The reply is whole as far as the connection goes, but cannot be read: too long, or not what
    /// its encoding says.
    Unreadable(String),
    /// There is no whole reply.
    Lost(String),
}

/// Sends `request` and takes in the reply.
pub(super) async fn exchange(
    http: &Client,
    route: Route,
    request: Request,
    max_reply: usize,
    large: &Arc<Semaphore>,
    received: &mut Received,
) -> End {
    let response = match http.execute(request).await {
        Ok(response) => response,
        Err(error) => {
            return End::Lost(match error.is_connect() {
                true => route.failure(&error),
                false => format!(
                    "the connection failed before a reply: {}",
                    root_cause(&error)
                ),
            });
        }
    };
    let status = response.status();
    received.status = Some(status.as_u16());
    received.retry_after = retry_after(response.headers());
    if status.is_redirection() {
        received.redirect_to = location(&response);
        return End::Redirect;
    }
    read_body(response, max_reply, large, received).await
}

async fn read_body(
    mut response: Response,
    max_reply: usize,
    large: &Arc<Semaphore>,
    received: &mut Received,
) -> End {
    loop {
        match response.chunk().await {
            Ok(Some(chunk)) => {
                let room = max_reply.saturating_sub(received.body.len());
                let taken = chunk.len().min(room);
                make_room(&mut received.body, taken, max_reply);
                received.body.extend_from_slice(&chunk[..taken]);
                if taken < chunk.len() {
                    return End::Unreadable(format!("longer than {max_reply} bytes"));
                }
            }
            Ok(None) => return End::Whole,
            Err(error) if is_bad_encoding(&error) => {
                return End::Unreadable(format!(
                    "its content encoding is broken: {}",
                    root_cause(&error)
                ));
            }
            Err(error) => {
                return End::Lost(format!(
                    "HTTP {}, but the reply broke off: {}",
                    response.status().as_u16(),
                    root_cause(&error)
                ));
            }
        }
        if received.body.len() > SMALL && received.place.is_none() {
            // Never closed, so never an error; waiting leaves the rest with the server.
            received.place = Arc::clone(large).acquire_owned().await.ok();
            let mut roomy = Vec::with_capacity(max_reply.max(OWN_MAPPING));
            roomy.extend_from_slice(&received.body);
            received.body = roomy;
        }
    }
}

/// Grows by doubling, but never beyond the limit: the last doubling would take twice of it.
fn make_room(body: &mut Vec<u8>, more: usize, limit: usize) {
    let needed = body.len() + more;
    if needed > body.capacity() {
        let capacity = (2 * body.capacity()).min(limit).max(needed);
        body.reserve_exact(capacity - body.len());
    }
}

/// Whether the bytes arrived and the decompressor refused them. A stream that only stopped early
/// was broken off, and so was a connection: neither is a reply.
fn is_bad_encoding(error: &reqwest::Error) -> bool {
    let mut refused = false;
    for cause in causes(error) {
        if cause.is::<hyper::Error>() {
            return false;
        }
        if let Some(error) = cause.downcast_ref::<io::Error>() {
            refused |= error.kind() != io::ErrorKind::UnexpectedEof;
        }
    }
    refused
}

/// The innermost cause. The outer layers name the URL, and what they add says nothing more.
pub(super) fn root_cause(error: &dyn Error) -> String {
    let mut root = error;
    while let Some(cause) = root.source() {
        root = cause;
    }
    root.to_string()
}

/// Where a redirect points: the origin alone, since paths and queries may carry anything.
fn location(response: &Response) -> Option<String> {
    let target = String::from_utf8_lossy(response.headers().get(LOCATION)?.as_bytes());
    let url: Url = response.url().join(&target).ok()?;
    Some(url.origin().ascii_serialization())
}

/// `Retry-After`: seconds, or an instant, which is read against the reply's own `Date`; our clock
/// need not agree with the server's.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let until = rfc2822::parse(text).ok()?.timestamp();
    let now = headers.get(DATE)?.to_str().ok()?;
    let now = rfc2822::parse(now).ok()?.timestamp();
    // an instant that has passed asks for no wait
    Some(
        until
            .duration_since(now)
            .try_into()
            .unwrap_or(Duration::ZERO),
    )
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    #[test]
    fn retry_after_is_read_as_seconds_and_as_an_instant_of_the_servers_clock() {
        let headers = |retry: &str, date: Option<&str>| {
            let mut headers = HeaderMap::new();
            headers.insert(RETRY_AFTER, retry.parse().unwrap());
            if let Some(date) = date {
                headers.insert(DATE, date.parse().unwrap());
            }
            retry_after(&headers)
        };
        let date = Some("Wed, 21 Oct 2015 07:28:00 GMT");
        assert_eq!(headers("7", None), Some(Duration::from_secs(7)));
        assert_eq!(
            headers("Wed, 21 Oct 2015 07:28:30 GMT", date),
            Some(Duration::from_secs(30))
        );
        assert_eq!(
            headers("Wed, 21 Oct 2015 07:00:00 GMT", date),
            Some(Duration::ZERO)
        );
        assert_eq!(headers("Wed, 21 Oct 2015 07:28:30 GMT", None), None);
        for nonsense in ["", "soon", "-1", "1.5"] {
            assert_eq!(headers(nonsense, date), None, "{nonsense}");
        }
    }
}
