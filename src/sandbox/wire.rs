//! Replies that break a rule of HTTP, JSON or patience.
//!
//! Each begins from a success envelope and spoils it, so that a client which looks only at the
//! beginning is deceived. Long ones are made piece by piece as the caller reads, never held, and
//! end with the connection: the sandbox drops it when it stops.

use std::convert::Infallible;
use std::fmt;
use std::io::Write as _;
use std::time::Duration;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use futures_util::stream::{self, Stream};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full, StreamBody};
use hyper::body::Frame;
use hyper::header::{
    CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HeaderName, HeaderValue, LOCATION,
};
use hyper::{Response, StatusCode};

/// The body of every reply.
pub(super) type Body = UnsyncBoxBody<Bytes, Severed>;

/// Filler of long replies.
static FILLER: [u8; 64 << 10] = [b'x'; 64 << 10];

/// Pieces of [`FILLER`] in a megabyte.
const PIECES: u64 = 16;

/// Pieces after which an endless reply gives up: 64 GiB.
const ENDLESS: u64 = 1 << 20;

/// How long an unanswered request is held.
const HOLD: Duration = Duration::from_secs(3600);

/// A connection to be dropped in mid-exchange; travels as an error through the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Severed {
    /// Closed in order.
    Closed,
    /// Reset.
    Reset,
}

impl fmt::Display for Severed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Closed => "the sandbox closed the connection, as it was asked to",
            Self::Reset => "the sandbox reset the connection, as it was asked to",
        })
    }
}

impl std::error::Error for Severed {}

/// A way to spoil a reply.
#[derive(Clone, Debug)]
pub(super) enum Wire {
    /// A page of HTML with this status.
    Page(StatusCode),
    /// A redirect with this status to there.
    Redirect(StatusCode, HeaderValue),
    /// A text that is no JSON.
    NotJson,
    /// Half the envelope as a whole message.
    HalfJson,
    /// Half the envelope under the length of the whole.
    Truncated,
    /// Bytes in the result that are not UTF-8.
    NotUtf8,
    /// A result of so many arrays within one another.
    Deep(usize),
    /// So many megabytes, compressed.
    GzipBomb(u32),
    /// So many megabytes, plain.
    Huge(u32),
    /// No end.
    Endless,
    /// So many spaces, one at each interval, then the envelope.
    Drip(u32, Duration),
    /// So many headers.
    Headers(u32),
    /// No answer.
    Hang,
    /// A reset connection.
    Reset,
    /// A closed connection.
    Close,
}

/// A reply of one piece.
pub(super) fn whole(status: StatusCode, content_type: &'static str, body: Bytes) -> Response<Body> {
    let body = Full::new(body).map_err(|never: Infallible| match never {});
    typed(status, content_type, body.boxed_unsync())
}

/// A reply of JSON in one piece.
pub(super) fn json(status: StatusCode, text: String) -> Response<Body> {
    whole(status, "application/json", text.into())
}

fn typed(status: StatusCode, content_type: &'static str, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

fn streamed<S>(pieces: S) -> Response<Body>
where
    S: Stream<Item = Result<Bytes, Severed>> + Send + 'static,
{
    let frames = futures_util::StreamExt::map(pieces, |piece| piece.map(Frame::data));
    let body = StreamBody::new(frames).boxed_unsync();
    typed(StatusCode::OK, "application/json", body)
}

impl Wire {
    /// Spoils a success envelope whose `result` is `null`.
    pub(super) async fn spoil(self, envelope: String) -> Result<Response<Body>, Severed> {
        let hole = Hole::cut(&envelope);
        let half = envelope.len() / 2;
        let ok = StatusCode::OK;
        Ok(match self {
            Self::Page(status) => page(status),
            Self::Redirect(status, to) => {
                let mut response = page(status);
                response.headers_mut().insert(LOCATION, to);
                response
            }
            Self::NotJson => json(ok, "upstream is fine, thank you for asking".to_owned()),
            Self::HalfJson => whole(ok, "application/json", first(&envelope, half)),
            Self::Truncated => {
                let mut response = streamed(cut_off(first(&envelope, half)));
                let length = HeaderValue::from(envelope.len());
                response.headers_mut().insert(CONTENT_LENGTH, length);
                response
            }
            Self::NotUtf8 => {
                let body = hole.filled(b"\"\xff\xfe\xc3\x28\"");
                whole(ok, "application/json", body)
            }
            Self::Deep(levels) => {
                let result = "[".repeat(levels) + &"]".repeat(levels);
                whole(ok, "application/json", hole.filled(result.as_bytes()))
            }
            Self::GzipBomb(megabytes) => {
                let mut response = streamed(packed(hole, u64::from(megabytes) * PIECES));
                let gzip = HeaderValue::from_static("gzip");
                response.headers_mut().insert(CONTENT_ENCODING, gzip);
                response
            }
            Self::Huge(megabytes) => streamed(plain(hole, u64::from(megabytes) * PIECES)),
            Self::Endless => streamed(plain(hole, ENDLESS)),
            Self::Drip(bytes, interval) => streamed(dripping(bytes, interval, envelope)),
            Self::Headers(count) => {
                let mut response = json(ok, envelope);
                for n in 0..count {
                    let name = HeaderName::try_from(format!("x-filler-{n}"));
                    if let Ok(name) = name {
                        let value = HeaderValue::from_static("filler");
                        response.headers_mut().insert(name, value);
                    }
                }
                response
            }
            Self::Hang => {
                tokio::time::sleep(HOLD).await;
                return Err(Severed::Closed);
            }
            Self::Reset => return Err(Severed::Reset),
            Self::Close => return Err(Severed::Closed),
        })
    }
}

/// An envelope with its `result` cut out.
struct Hole {
    before: String,
    after: String,
}

impl Hole {
    fn cut(envelope: &str) -> Self {
        let (before, after) = envelope
            .split_once("\"result\":null")
            .unwrap_or((envelope, ""));
        Self {
            before: format!("{before}\"result\":"),
            after: after.to_owned(),
        }
    }

    fn filled(&self, result: &[u8]) -> Bytes {
        [self.before.as_bytes(), result, self.after.as_bytes()]
            .concat()
            .into()
    }
}

/// The page that a proxy puts in the place of a reply it did not get.
fn page(status: StatusCode) -> Response<Body> {
    let page = format!(
        "<html>\r\n<head><title>{status}</title></head>\r\n<body>\r\n\
         <center><h1>{status}</h1></center>\r\n<hr><center>nginx</center>\r\n\
         </body>\r\n</html>\r\n"
    );
    whole(status, "text/html", page.into())
}

fn first(envelope: &str, length: usize) -> Bytes {
    Bytes::copy_from_slice(&envelope.as_bytes()[..length])
}

/// One piece, then the end of the connection. The pause between lets the server write the piece:
/// a body that is short of its length at once takes what is still buffered with it.
fn cut_off(piece: Bytes) -> impl Stream<Item = Result<Bytes, Severed>> + Send {
    stream::unfold(Some(piece), |piece| async {
        match piece {
            Some(piece) => Some((Ok(piece), None)),
            None => {
                tokio::task::yield_now().await;
                Some((Err(Severed::Closed), None))
            }
        }
    })
}

/// A string of so many pieces as the result.
fn plain(hole: Hole, pieces: u64) -> impl Stream<Item = Result<Bytes, Severed>> + Send {
    let end = pieces + 1;
    stream::unfold((0, hole), move |(turn, hole)| async move {
        let piece = match turn {
            0 => Bytes::from(format!("{}\"", hole.before)),
            n if n < end => Bytes::from_static(&FILLER),
            n if n == end => Bytes::from(format!("\"{}", hole.after)),
            _ => return None,
        };
        Some((Ok(piece), (turn + 1, hole)))
    })
}

/// The same, compressed as it goes.
fn packed(hole: Hole, pieces: u64) -> impl Stream<Item = Result<Bytes, Severed>> + Send {
    let plain = Box::pin(plain(hole, pieces));
    let encoder = GzEncoder::new(Vec::new(), Compression::fast());
    stream::unfold(Some((plain, encoder)), |state| async {
        let (mut plain, mut encoder) = state?;
        while let Some(piece) = futures_util::StreamExt::next(&mut plain).await {
            if encoder.write_all(&piece.ok()?).is_err() {
                return None;
            }
            if !encoder.get_ref().is_empty() {
                let packed = std::mem::take(encoder.get_mut());
                return Some((Ok(packed.into()), Some((plain, encoder))));
            }
        }
        let rest = encoder.finish().ok()?;
        Some((Ok(rest.into()), None))
    })
}

/// White space drop by drop, which JSON allows, then the envelope.
fn dripping(
    bytes: u32,
    interval: Duration,
    envelope: String,
) -> impl Stream<Item = Result<Bytes, Severed>> + Send {
    stream::unfold(Some((bytes, envelope)), move |state| async move {
        let (left, envelope) = state?;
        if left == 0 {
            return Some((Ok(envelope.into()), None));
        }
        tokio::time::sleep(interval).await;
        Some((Ok(Bytes::from_static(b" ")), Some((left - 1, envelope))))
    })
}
