//! Which request is what.

use std::convert::Infallible;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};
use serde_json::{Value, json};

use super::answers;
use super::desk::{Ask, Desk};
use super::requests;
use crate::domain::run::RunId;
use crate::engine::{Command, CommandError};
use crate::store::{Reader, StoreError};

/// The header in which a request names the ledger whose daemon it means, as a canonical path.
pub const LEDGER: &str = "funcron-ledger";

/// Bytes of a request's body, at most.
const BODY: usize = 1 << 20;

/// What requests are answered from.
#[derive(Clone, Debug)]
pub struct Context {
    /// Where they wait for the engine.
    pub desk: Desk,
    /// The ledger, for what only looks.
    pub reader: Reader,
    /// The ledger's canonical path.
    pub ledger: PathBuf,
    /// The configuration's file.
    pub config: PathBuf,
}

/// A request that is not answered as it was meant to be.
struct Failure {
    status: StatusCode,
    words: String,
}

impl Failure {
    fn new(status: StatusCode, words: impl Into<String>) -> Self {
        Self {
            status,
            words: words.into(),
        }
    }

    fn bad(words: String) -> Self {
        Self::new(StatusCode::BAD_REQUEST, words)
    }
}

impl From<CommandError> for Failure {
    fn from(error: CommandError) -> Self {
        let status = match &error {
            CommandError::NotFound(_) => StatusCode::NOT_FOUND,
            CommandError::Invalid(_) => StatusCode::BAD_REQUEST,
            CommandError::Refused(_) => StatusCode::CONFLICT,
            CommandError::Store(_) => StatusCode::SERVICE_UNAVAILABLE,
        };
        Self::new(status, error.to_string())
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        CommandError::Store(error).into()
    }
}

/// Answers a request of `actor`'s.
pub(super) async fn answer(
    context: &Context,
    actor: &str,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let (status, body) = match route(context, actor, request).await {
        Ok(body) => (StatusCode::OK, body),
        Err(failure) => (failure.status, json!({ "error": failure.words })),
    };
    let mut response = Response::new(Full::new(Bytes::from(body.to_string())));
    *response.status_mut() = status;
    let json = HeaderValue::from_static("application/json");
    response.headers_mut().insert(CONTENT_TYPE, json);
    Ok(response)
}

async fn route(
    context: &Context,
    actor: &str,
    request: Request<Incoming>,
) -> Result<Value, Failure> {
    context.check_ledger(request.headers().get(LEDGER))?;
    let (head, body) = request.into_parts();
    let path = head.uri.path().to_owned();
    let segments: Vec<&str> = path.trim_start_matches('/').split('/').collect();
    let ["api", "v1", rest @ ..] = segments.as_slice() else {
        return Err(unknown(&path));
    };
    match (&head.method, rest) {
        (&Method::GET, ["status"]) => context.status(actor).await,
        (&Method::GET, ["runs", id]) => context.run(id).await,
        (&Method::GET, ["backfills", id]) => context.backfill(id).await,
        (&Method::POST, [verb]) => {
            let body = Limited::new(body, BODY).collect().await;
            let body =
                body.map_err(|error| Failure::bad(format!("the request's body: {error}")))?;
            let ask = context.ask_of(verb, &body.to_bytes(), &path).await?;
            context.ask(ask, actor).await
        }
        _ => Err(unknown(&path)),
    }
}

fn unknown(path: &str) -> Failure {
    let words = format!("the control API has no {path} with this method");
    Failure::new(StatusCode::NOT_FOUND, words)
}

impl Context {
    /// Refuses what is meant for the daemon of another ledger.
    fn check_ledger(&self, named: Option<&HeaderValue>) -> Result<(), Failure> {
        match named {
            Some(named) if named.as_bytes() != self.ledger.as_os_str().as_bytes() => {
                let words = format!(
                    "the daemon at this socket keeps the ledger {}, not {}",
                    self.ledger.display(),
                    String::from_utf8_lossy(named.as_bytes())
                );
                Err(Failure::new(StatusCode::MISDIRECTED_REQUEST, words))
            }
            _ => Ok(()),
        }
    }

    async fn ask_of(&self, verb: &str, body: &[u8], path: &str) -> Result<Ask, Failure> {
        let command = match verb {
            "reload" => return Ok(Ask::Reload),
            "prune" => Command::Prune,
            "trigger" => requests::trigger(body).map_err(Failure::bad)?,
            "pause" => requests::pause(body).map_err(Failure::bad)?,
            "resume" => requests::resume(body).map_err(Failure::bad)?,
            "backfill" => requests::backfill(body).map_err(Failure::bad)?,
            "cancel" => Command::Cancel(self.run_of(body).await?),
            "replay" => Command::Replay(self.run_of(body).await?),
            "resolve" => {
                let (given, succeeded, note) = requests::resolve(body).map_err(Failure::bad)?;
                Command::Resolve {
                    run: self.find(&given).await?,
                    succeeded,
                    note,
                }
            }
            _ => return Err(unknown(path)),
        };
        Ok(Ask::Engine(command))
    }

    async fn ask(&self, ask: Ask, actor: &str) -> Result<Value, Failure> {
        match self.desk.ask(ask, actor.to_owned()).await {
            Some(answer) => Ok(answers::answer(&answer?)),
            None => Err(Failure::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "the daemon is stopping",
            )),
        }
    }

    async fn status(&self, actor: &str) -> Result<Value, Failure> {
        let engine = self.ask(Ask::Engine(Command::Status), actor).await?;
        let mut status = json!({
            "version": env!("CARGO_PKG_VERSION"),
            "pid": std::process::id(),
            "config": self.config.display().to_string(),
            "ledger": self.ledger.display().to_string(),
        });
        if let (Value::Object(status), Value::Object(engine)) = (&mut status, engine) {
            status.extend(engine);
        }
        Ok(status)
    }

    async fn run_of(&self, body: &[u8]) -> Result<RunId, Failure> {
        let given = requests::run(body).map_err(Failure::bad)?;
        self.find(&given).await
    }

    /// The one run that an id means, as `show` understands ids.
    async fn find(&self, given: &str) -> Result<RunId, Failure> {
        let found = self.reader.find(given).await?;
        let run = match found.as_slice() {
            [] => {
                return Err(Failure::new(
                    StatusCode::NOT_FOUND,
                    format!(
                        "no run has the id `{given}`, and no reply; `funcron history` lists them"
                    ),
                ));
            }
            [one] => one,
            several => {
                let ids: Vec<&str> = several.iter().take(5).map(|run| &*run.run_id).collect();
                return Err(Failure::bad(format!(
                    "`{given}` means several runs: {}; name one by its whole id",
                    ids.join(", ")
                )));
            }
        };
        let id = uuid::Uuid::try_parse(&run.run_id);
        id.map(RunId)
            .map_err(|_| Failure::bad(format!("the run's id `{}` is none", run.run_id)))
    }

    async fn run(&self, given: &str) -> Result<Value, Failure> {
        let id = self.find(given).await?.to_string();
        let run = self.reader.run(&id).await?;
        let run =
            run.ok_or_else(|| Failure::new(StatusCode::NOT_FOUND, format!("run {id} has gone")))?;
        Ok(answers::run(&run))
    }

    async fn backfill(&self, id: &str) -> Result<Value, Failure> {
        let progress = self.reader.backfill(id).await?;
        let progress = progress.ok_or_else(|| {
            Failure::new(StatusCode::NOT_FOUND, format!("there is no backfill {id}"))
        })?;
        Ok(answers::progress(&progress))
    }
}
