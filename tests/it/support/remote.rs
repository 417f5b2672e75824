//! A remote whose answers a test writes and whose clock is the test's: it notes at which instant of
//! the manual clock a call arrived, and can hold an answer back for as long as the test likes.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use funcron::clock::Clock;
use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

/// How a call is answered.
#[derive(Clone, Debug)]
pub(crate) enum Reply {
    /// A whole HTTP reply: status and body.
    Http(u16, String),
    /// Nothing until [`Remote::release`], then success.
    Held,
    /// Nothing, ever.
    Silence,
    /// The connection ends.
    Gone,
}

impl Reply {
    pub(crate) fn success() -> Self {
        Self::content(json!({ "ok": true, "data": { "result": null } }))
    }

    /// The function failed for this reason of the engine.
    pub(crate) fn failed(reason: &str) -> Self {
        Self::content(json!({ "ok": false, "reason": reason, "error": 599.3, "message": "failed" }))
    }

    /// Refused for the rate, with the wait that the engine asks for.
    pub(crate) fn throttled(wait_seconds: Option<u64>) -> Self {
        let detail = wait_seconds.map_or(json!({}), |wait| json!({ "waitSeconds": wait }));
        Self::content(json!({
            "ok": false, "reason": "EClientRateLimit.APIThrottling", "error": 429.1,
            "message": "slow down", "detail": detail,
        }))
    }

    pub(crate) fn content(content: Value) -> Self {
        let envelope = json!({
            "code": 200, "content": content, "errorCode": "", "message": "", "success": true,
            "traceId": "TRACE-OF-A-TEST",
        });
        Self::Http(200, envelope.to_string())
    }

    /// An error of the gateway.
    pub(crate) fn refused(status: u16, error_code: &str) -> Self {
        let envelope = json!({
            "code": status, "content": null, "errorCode": error_code, "message": "refused",
            "success": false, "traceId": "TRACE-OF-A-TEST",
        });
        Self::Http(status, envelope.to_string())
    }
}

/// A call as it arrived.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    /// By the test's clock.
    pub(crate) at: Timestamp,
    pub(crate) key: String,
    /// The part of `funcId` behind the dot.
    pub(crate) func: String,
    /// `kwargs.run`, `kwargs.attempt`: the run and the attempt's number, by the request itself.
    pub(crate) run: String,
    pub(crate) attempt: i64,
    /// All of it, secrets too.
    pub(crate) body: String,
}

/// The server. Stops when dropped.
pub(crate) struct Remote {
    address: SocketAddr,
    state: Arc<State>,
    task: JoinHandle<()>,
}

struct State {
    clock: Clock,
    inner: Mutex<Inner>,
    changed: watch::Sender<()>,
}

#[derive(Default)]
struct Inner {
    calls: Vec<Call>,
    scripts: HashMap<String, VecDeque<Reply>>,
    refused: BTreeSet<String>,
    /// By the call's number: the functions whose answer is held back.
    held: BTreeMap<usize, String>,
    /// Answers written so far, held ones that were released among them.
    answered: usize,
}

impl Remote {
    pub(crate) async fn start(clock: Clock) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(State {
            clock,
            inner: Mutex::default(),
            changed: watch::Sender::new(()),
        });
        let task = tokio::spawn({
            let state = Arc::clone(&state);
            async move {
                let mut serving = JoinSet::new();
                while let Ok((stream, _)) = listener.accept().await {
                    serving.spawn(serve(stream, Arc::clone(&state)));
                }
            }
        });
        Self {
            address,
            state,
            task,
        }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Answers the calls of `func` with these, one after another; the last goes for all that follow.
    pub(crate) fn answer(&self, func: &str, replies: impl IntoIterator<Item = Reply>) {
        let mut inner = self.state.inner.lock().unwrap();
        let replies = replies.into_iter().collect();
        inner.scripts.insert(func.to_owned(), replies);
    }

    /// From now on calls the key invalid.
    pub(crate) fn refuse(&self, key: &str) {
        let mut inner = self.state.inner.lock().unwrap();
        inner.refused.insert(key.to_owned());
    }

    /// Takes the key again.
    pub(crate) fn accept(&self, key: &str) {
        self.state.inner.lock().unwrap().refused.remove(key);
    }

    /// Every call so far, in the order of arrival.
    pub(crate) fn calls(&self) -> Vec<Call> {
        self.state.inner.lock().unwrap().calls.clone()
    }

    /// Forgets the calls so far: those that do not say whose they are.
    pub(crate) fn forget_calls(&self) {
        self.state.inner.lock().unwrap().calls.clear();
    }

    /// Calls whose answer is held back.
    pub(crate) fn held(&self) -> usize {
        self.state.inner.lock().unwrap().held.len()
    }

    /// Answers that were written.
    pub(crate) fn answered(&self) -> usize {
        self.state.inner.lock().unwrap().answered
    }

    /// Lets the answers of `func` go that are held back now.
    pub(crate) fn release(&self, func: &str) {
        let mut inner = self.state.inner.lock().unwrap();
        let before = inner.held.len();
        inner.held.retain(|_, held| held != func);
        assert!(inner.held.len() < before, "no answer of {func} is held");
        drop(inner);
        self.state.changed.send_replace(());
    }

    /// Learns of everything that happens from now on.
    pub(crate) fn watch(&self) -> watch::Receiver<()> {
        self.state.changed.subscribe()
    }
}

impl Drop for Remote {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// One call per connection.
async fn serve(mut stream: TcpStream, state: Arc<State>) {
    let Some(request) = read_request(&mut stream).await else {
        return;
    };
    let (number, reply) = state.arrived(&request);
    let (status, body) = match reply {
        Reply::Http(status, body) => (status, body),
        Reply::Held => {
            let mut changed = state.changed.subscribe();
            let released = changed.wait_for(|()| !state.is_held(number));
            let left = tokio::select! {
                _ = released => false,
                _ = stream.read_u8() => true,
            };
            if left {
                state.left(number);
                return;
            }
            let Reply::Http(status, body) = Reply::success() else {
                return;
            };
            (status, body)
        }
        Reply::Silence => {
            let _ = stream.read_u8().await;
            return;
        }
        Reply::Gone => return,
    };
    let head = format!(
        "HTTP/1.1 {status} X\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        body.len()
    );
    let written = stream.write_all((head + &body).as_bytes()).await;
    if written.is_ok() && stream.shutdown().await.is_ok() {
        state.inner.lock().unwrap().answered += 1;
        state.changed.send_replace(());
        let _ = tokio::io::copy(&mut stream, &mut tokio::io::sink()).await;
    }
}

impl State {
    /// Notes a call, and says how it is answered. Call and hold become visible at one instant.
    fn arrived(&self, request: &Request) -> (usize, Reply) {
        let body: Value = serde_json::from_str(&request.body).unwrap();
        let func_id = body["funcId"].as_str().unwrap();
        let func = func_id.rsplit('.').next().unwrap().to_owned();
        let kwargs = &body["funcBody"]["kwargs"];
        let mut inner = self.inner.lock().unwrap();
        inner.calls.push(Call {
            at: self.clock.now(),
            key: request.key.clone(),
            func: func.clone(),
            run: kwargs["run"].as_str().unwrap_or_default().to_owned(),
            attempt: kwargs["attempt"].as_i64().unwrap_or_default(),
            body: request.body.clone(),
        });
        let number = inner.calls.len();
        let refused = inner.refused.contains(&request.key);
        let reply = match inner.scripts.get_mut(&func) {
            _ if refused => Some(Reply::refused(403, "ft.InvalidAPIKey")),
            Some(script) if script.len() > 1 => script.pop_front(),
            Some(script) => script.front().cloned(),
            None => None,
        };
        let reply = reply.unwrap_or_else(Reply::success);
        if matches!(reply, Reply::Held) {
            inner.held.insert(number, func);
        }
        drop(inner);
        self.changed.send_replace(());
        (number, reply)
    }

    fn is_held(&self, number: usize) -> bool {
        self.inner.lock().unwrap().held.contains_key(&number)
    }

    fn left(&self, number: usize) {
        self.inner.lock().unwrap().held.remove(&number);
        self.changed.send_replace(());
    }
}

struct Request {
    key: String,
    body: String,
}

async fn read_request(stream: &mut TcpStream) -> Option<Request> {
    let mut bytes = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&bytes);
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let header = |name: &str| {
                let found = head.lines().find(|line| {
                    line.to_ascii_lowercase()
                        .starts_with(&name.to_ascii_lowercase())
                })?;
                Some(found.split_once(':')?.1.trim().to_owned())
            };
            if body.len() >= header("content-length")?.parse().ok()? {
                return Some(Request {
                    key: header("df-api-key")?,
                    body: body.to_owned(),
                });
            }
        }
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    }
}
