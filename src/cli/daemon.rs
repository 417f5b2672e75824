//! The running daemon, as commands reach it: HTTP over its Unix socket.

use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1;
use hyper::header::{CONTENT_TYPE, HOST, HeaderValue};
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::UnixStream;

use super::exit::{Exit, Failure};
use super::global::Global;
use super::output::{Format, Printer};
use crate::config::Environment;
use crate::web::LEDGER;

/// How long a daemon may take to answer: a step that waits for a slow disk comes first.
const PATIENCE: Duration = Duration::from_secs(60);

/// How often somebody who waits for something looks again.
pub(super) const LOOK: Duration = Duration::from_millis(200);

/// A daemon that is believed to listen.
#[derive(Debug)]
pub(super) struct Daemon {
    /// `None` where there is no directory that a socket would be in.
    socket: Option<PathBuf>,
    /// The ledger whose daemon is meant, where a flag, the environment or a configuration names one.
    ledger: Option<PathBuf>,
}

impl Daemon {
    /// The daemon that the flags and the environment mean.
    ///
    /// # Errors
    /// Usage, where the configuration cannot be read that says which.
    pub(super) fn of(global: &Global) -> Result<Self, Failure> {
        let environment = Environment::process();
        let socket = environment.socket(global.socket.as_deref());
        let names_a_ledger = global.database.is_some()
            || environment.get("FUNCRON_DATABASE").is_some()
            || environment.find_config(global.config.as_deref()).is_ok();
        let ledger = names_a_ledger.then(|| global.ledger()).transpose()?;
        let ledger = ledger.map(|path| {
            // A file that is not there is no running daemon's, whatever its name.
            path.canonicalize()
                .or_else(|_| std::path::absolute(&path))
                .unwrap_or(path)
        });
        Ok(Self { socket, ledger })
    }

    /// The ledger whose daemon is meant, where that was said.
    pub(super) fn ledger(&self) -> Option<&Path> {
        self.ledger.as_deref()
    }

    /// Asks for something that is only looked at.
    pub(super) async fn get(&self, path: &str) -> Result<Value, Failure> {
        self.call(Method::GET, path, Bytes::new()).await
    }

    /// Orders something.
    pub(super) async fn post(&self, path: &str, body: &Value) -> Result<Value, Failure> {
        self.call(Method::POST, path, Bytes::from(body.to_string()))
            .await
    }

    async fn call(&self, method: Method, path: &str, body: Bytes) -> Result<Value, Failure> {
        let Some(socket) = &self.socket else {
            let words = "no daemon can be reached: neither $RUNTIME_DIRECTORY, /run/funcron nor $XDG_RUNTIME_DIR is there to hold its socket";
            return Err(Failure::new(Exit::Unreachable, words)
                .hint("start `funcron run` with --socket PATH or $FUNCRON_SOCKET, and give this command the same"));
        };
        let exchange = self.exchange(socket, method, path, body);
        let answered = tokio::time::timeout(PATIENCE, exchange).await;
        let (status, body) = match answered {
            Ok(Ok(answer)) => answer,
            Ok(Err(error)) => return Err(unreachable(socket, &error)),
            Err(_) => {
                let words = format!("it did not answer within {PATIENCE:?}");
                return Err(unreachable(
                    socket,
                    &io::Error::new(io::ErrorKind::TimedOut, words),
                ));
            }
        };
        let answer: Value = serde_json::from_slice(&body).unwrap_or(Value::Null);
        if status.is_success() {
            return Ok(answer);
        }
        let words = answer["error"]
            .as_str()
            .map_or_else(|| format!("it answered HTTP {status}"), str::to_owned);
        let exit = match status {
            StatusCode::BAD_REQUEST => Exit::Usage,
            StatusCode::NOT_FOUND => Exit::NotFound,
            StatusCode::MISDIRECTED_REQUEST => Exit::Unreachable,
            _ => Exit::Failed,
        };
        let failure = Failure::new(exit, words);
        Err(match status {
            StatusCode::MISDIRECTED_REQUEST => {
                failure.hint("name the socket of the other daemon with --socket")
            }
            _ => failure,
        })
    }

    async fn exchange(
        &self,
        socket: &Path,
        method: Method,
        path: &str,
        body: Bytes,
    ) -> io::Result<(StatusCode, Bytes)> {
        let stream = UnixStream::connect(socket).await?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream))
            .await
            .map_err(io::Error::other)?;
        let connection = tokio::spawn(connection);
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = method;
        *request.uri_mut() = format!("/api/v1/{path}")
            .parse()
            .map_err(io::Error::other)?;
        let headers = request.headers_mut();
        headers.insert(HOST, HeaderValue::from_static("funcron"));
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if let Some(ledger) = &self.ledger {
            let name = HeaderValue::from_bytes(ledger.as_os_str().as_bytes());
            headers.insert(LEDGER, name.map_err(io::Error::other)?);
        }
        let response = sender
            .send_request(request)
            .await
            .map_err(io::Error::other)?;
        let status = response.status();
        let body = response.into_body().collect().await;
        connection.abort();
        Ok((status, body.map_err(io::Error::other)?.to_bytes()))
    }
}

fn unreachable(socket: &Path, error: &io::Error) -> Failure {
    let socket = socket.display();
    let words = match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => {
            format!(
                "no daemon is running at {socket}; start it with `funcron run`, or name its socket with --socket"
            )
        }
        io::ErrorKind::PermissionDenied => {
            format!(
                "the daemon's socket {socket} may not be opened; only its user and its group may, and root"
            )
        }
        _ => format!("asking the daemon at {socket}: {error}"),
    };
    Failure::new(Exit::Unreachable, words)
}

/// Prints a daemon's answer: words for people, else the answer itself.
pub(super) fn print(printer: &mut Printer, answer: &Value, words: &str) -> Result<(), Failure> {
    if printer.format() == Format::Table {
        printer.line(&super::terminal::lines(words))?;
    } else {
        printer.one_record(answer)?;
    }
    printer.flush()?;
    Ok(())
}

/// A text of an answer; empty where there is none.
pub(super) fn text<'v>(answer: &'v Value, key: &str) -> &'v str {
    answer[key].as_str().unwrap_or_default()
}

/// A number of an answer.
pub(super) fn number(answer: &Value, key: &str) -> u64 {
    answer[key].as_u64().unwrap_or_default()
}
