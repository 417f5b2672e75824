//! A stand-in for the Guance OpenAPI on loopback: for trying a `jobs.yaml` without touching
//! production, for `funcron demo`, and as the remote of the test suite.
//!
//! It is honest to what is documented and to what was recorded from two generations of the engine
//! behind the gateway: the key, the limits, the envelope, the failures. It shares no type, constant
//! or code with the client and the verdict, which it is there to contradict.
//!
//! # Routes
//!
//! `POST /api/v1/outer_function/execute`, `GET /api/v1/outer_function/list`,
//! `GET /api/v1/validate`; anything else is `RouterNotFound`. All want the header `DF-API-KEY`,
//! and all count in the limits. A refused request does not count.
//!
//! # Functions
//!
//! Arguments go into `funcBody.kwargs`; those with a default may be left out.
//!
//! | function | what it does |
//! |---|---|
//! | `guance__openapi.test(workspace_uuid, workspace_token, your_name='OpenAPI 用户')` | greets; a token that is no text or number fails as in the document's sample |
//! | `guance__openapi.report_event(workspace_uuid, workspace_token, data)` | returns null |
//! | `sandbox__ok.echo(**kwargs)` | returns its kwargs |
//! | `sandbox__ok.value(value)` | returns the value; `0`, `""` and `false` arrive as null |
//! | `sandbox__ok.null()` | returns null |
//! | `sandbox__ok.text(text='Hello, 观测云')` | returns the text |
//! | `sandbox__ok.big(bytes=1048576)` | returns a text of that length |
//! | `sandbox__fail.raise(message='raised on demand')` | `EFuncFailed` |
//! | `sandbox__fail.timeout(seconds=0)` | `EFuncTimeout`, after so long |
//! | `sandbox__fail.api_timeout(seconds=0)` | `EAPITimeout` (1.48), `EWorkerNoResponse` (5.1) |
//! | `sandbox__fail.no_worker(seconds=0)` | the same: the two look alike from outside |
//! | `sandbox__fail.result()` | `EFuncResultParsingFailed` |
//! | `sandbox__fail.sys()` | `ESys` |
//! | `sandbox__fail.limit()` | `ESysLimitReached` |
//! | `sandbox__fail.rate(wait_seconds=5)` | `EClientRateLimit.…` with `detail.waitSeconds` |
//! | `sandbox__fail.not_found()` | `EClientNotFound` |
//! | `sandbox__fail.reason(reason, error=599.3, message='failed on demand')` | any reason |
//! | `sandbox__gateway.error(status=503, error_code='InternalError', message='refused on demand')` | an error of the gateway |
//! | `sandbox__slow.sleep(seconds=3)` | returns later; from 10 s (1.48) or 35 s (5.1) on it fails as there |
//! | `sandbox__flaky.throttle_first(n=1, id='', wait_seconds=1)` | refuses the first n calls with that id for the rate |
//! | `sandbox__flaky.fail_first(n=1, id='')` | fails the first n calls with that id |
//! | `sandbox__http.status(code=502)` | an HTML page with that status |
//! | `sandbox__http.redirect(to='/sandbox/redirected', code=302)` | a redirect |
//! | `sandbox__http.not_json()` | 200, and no JSON |
//! | `sandbox__http.half_json()` | 200, whole, and half an envelope |
//! | `sandbox__http.truncated()` | fewer bytes than its length says |
//! | `sandbox__http.not_utf8()` | an envelope with broken bytes |
//! | `sandbox__http.deep(levels=100000)` | arrays within arrays |
//! | `sandbox__http.gzip_bomb(megabytes=200)` | small on the wire, large behind gzip |
//! | `sandbox__http.huge(megabytes=64)` | large on the wire |
//! | `sandbox__http.endless()` | never ends |
//! | `sandbox__http.drip(bytes=1000, interval_ms=1000)` | byte by byte |
//! | `sandbox__http.headers(n=10000)` | many headers |
//! | `sandbox__http.hang()` | no answer |
//! | `sandbox__http.reset()` | a reset once the request is read |
//! | `sandbox__http.close()` | a close once the request is read |

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

use crate::clock::Clock;

use self::gateway::Gateway;

mod catalogue;
mod demo;
mod engine;
mod failure;
mod func_body;
mod functions;
mod gateway;
mod ids;
mod list;
mod log;
mod quota;
mod server;
mod value;
mod wire;

pub use self::demo::{DemoFiles, demo_config};
pub use self::log::{Answer, Counters, MAX_KEPT, Received};

/// Which engine answers behind the gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Generation {
    /// 1.48 of 2022, whose reply the document shows.
    V1,
    /// 5.1 of 2024.
    V5,
}

/// How a sandbox behaves.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where it listens: a loopback address, port 0 for any that is free.
    pub listen: SocketAddr,
    /// The keys that are good; empty is any that is not empty.
    pub api_keys: Vec<String>,
    /// The engine.
    pub generation: Generation,
    /// Requests of one key in any 60 seconds; `None` is no limit.
    pub per_key: Option<u32>,
    /// Requests of all keys in any 60 seconds; `None` is no limit.
    pub per_workspace: Option<u32>,
    /// Added to every answer but a refusal for key, limit or route.
    pub latency: Duration,
}

impl Default for Options {
    /// A free port, any key, the engine of the document, the documented limits, no latency.
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            api_keys: Vec::new(),
            generation: Generation::V1,
            per_key: Some(20),
            per_workspace: Some(200),
            latency: Duration::ZERO,
        }
    }
}

/// A running sandbox. It is one workspace: every key is a key of it. Dropping it stops it too,
/// without waiting.
#[derive(Debug)]
pub struct Sandbox {
    addr: SocketAddr,
    gateway: Arc<Gateway>,
    tasks: TaskTracker,
    stop: DropGuard,
}

impl Sandbox {
    /// Binds and serves.
    ///
    /// # Errors
    ///
    /// An address that is not loopback is refused: what listens here runs whatever a caller asks
    /// for. Otherwise, the system's error when binding.
    pub async fn start(options: Options) -> io::Result<Self> {
        let listen = options.listen;
        if !listen.ip().is_loopback() {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                format!(
                    "the sandbox listens on loopback only, not on {listen}; \
                     use 127.0.0.1:{port} or [::1]:{port}",
                    port = listen.port()
                ),
            ));
        }
        let listener = TcpListener::bind(listen).await.map_err(|error| {
            let what = format!("the sandbox cannot listen on {listen}: {error}");
            io::Error::new(error.kind(), what)
        })?;
        let addr = listener.local_addr()?;
        let gateway = Arc::new(Gateway::new(options, Clock::system()));
        let tasks = TaskTracker::new();
        let stop = CancellationToken::new();
        tasks.spawn(server::accept(
            listener,
            Arc::clone(&gateway),
            tasks.clone(),
            stop.clone(),
        ));
        Ok(Self {
            addr,
            gateway,
            tasks,
            stop: stop.drop_guard(),
        })
    }

    /// Where it listens.
    pub const fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// The `base_url` of a workspace that calls it.
    pub fn base_url(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// Every request it has received and still remembers (the newest [`MAX_KEPT`]), oldest first.
    pub fn log(&self) -> Vec<Received> {
        self.gateway.received()
    }

    /// Totals since the start.
    pub fn counters(&self) -> Counters {
        self.gateway.counters()
    }

    /// Drops every connection, answered or not, and waits until nothing of it runs.
    pub async fn stop(self) {
        drop(self.stop);
        self.tasks.close();
        self.tasks.wait().await;
    }
}
