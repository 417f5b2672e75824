//! The one client.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use reqwest::header::{CONTENT_TYPE, HeaderValue};
use reqwest::{Certificate, Proxy, Url, redirect, retry};
use tokio::sync::Semaphore;
use tokio::time::Instant;

use super::body::{NotedBody, Progress};
use super::connect::Route;
use super::exchange::{End, Received, SMALL, exchange};
use super::judge::{Timing, record};
use super::one_thread::OneThread;
use super::request::Request;
use super::script::{Script, ScriptedReply};
use crate::clock::Clock;
use crate::domain::attempt::CallRecord;
use crate::domain::expect::Expectation;
use crate::domain::workspace::{Workspace, WorkspaceName};

/// The documented path, below a workspace's base URL.
const EXECUTE: &str = "/api/v1/outer_function/execute";

/// How long a connection may idle and still be used. Gateways close idle ones, often at 60 s, and a
/// request written to a connection that is just being closed ends as `unknown`; a burst at minute 0
/// needs no more than this.
const POOL_IDLE: Duration = Duration::from_secs(10);

/// Large replies taken in at once, over all workspaces; what bounds the daemon's memory.
const LARGE_REPLIES: usize = 3;

/// The one client of the daemon, for all workspaces. Cheap to clone; its clones share connections.
#[derive(Clone)]
pub struct Client(Way);

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Way::Http(http) => http.fmt(f),
            Way::Scripted(script) => script.fmt(f),
        }
    }
}

/// How calls are made.
#[derive(Clone)]
enum Way {
    Http(Http),
    Scripted(Script),
}

#[derive(Clone)]
struct Http {
    workspaces: Arc<BTreeMap<WorkspaceName, Remote>>,
    large: Arc<Semaphore>,
    /// Large replies are judged one after another: what is redacted, and what `expect` looks at, are
    /// copies of them.
    judge: Arc<OneThread>,
}

impl fmt::Debug for Http {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.workspaces.keys()).finish()
    }
}

struct Remote {
    http: reqwest::Client,
    route: Route,
    url: Url,
    max_reply: usize,
}

/// Why no client could be built. Says nothing of keys, and shows no URL's user or password.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The base URL is none, or none for http.
    #[error("workspace {workspace}: base_url {why}; write it as https://openapi.example.com")]
    BaseUrl {
        /// The entry.
        workspace: WorkspaceName,
        /// What is wrong with it.
        why: String,
    },
    /// Plain http to another machine.
    #[error(
        "workspace {workspace}: base_url is plain http to another machine, which would show the \
         key to the network; write https, or `insecure: true` if the network is trusted"
    )]
    PlainHttp {
        /// The entry.
        workspace: WorkspaceName,
    },
    /// The CA file cannot be used.
    #[error("workspace {workspace}: ca_file {}: {why}", path.display())]
    CaFile {
        /// The entry.
        workspace: WorkspaceName,
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// The proxy is no URL. It may hold a password, so it is not repeated.
    #[error(
        "workspace {workspace}: proxy is not the URL of an http proxy; write it as \
         http://proxy.example.com:3128"
    )]
    Proxy {
        /// The entry.
        workspace: WorkspaceName,
    },
    /// The system has no thread to give.
    #[error("starting a thread to judge replies: {0}")]
    Thread(std::io::Error),
    /// TLS could not be set up.
    #[error("workspace {workspace}: cannot set up the connection: {why}")]
    Setup {
        /// The entry.
        workspace: WorkspaceName,
        /// What went wrong.
        why: String,
    },
}

/// What one reqwest client differs from another by.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Transport {
    ca_file: Option<PathBuf>,
    proxy: Option<String>,
    /// Plain http only: no roots are loaded, and a machine without any can still use it.
    plain: bool,
}

impl Transport {
    fn route(&self) -> Route {
        Route {
            by_proxy: self.proxy.is_some(),
            is_plain: self.plain,
            has_ca_file: self.ca_file.is_some(),
        }
    }
}

/// One call, ready to be made.
#[derive(Clone, Debug)]
pub struct Call {
    /// Where to.
    pub workspace: WorkspaceName,
    /// What is sent, and with which key.
    pub request: Request,
    /// What a success must satisfy.
    pub expect: Arc<[Expectation]>,
    /// One deadline over connection, head and body.
    pub timeout: Duration,
}

impl Client {
    /// A client for these workspaces; those with the same transport settings share one pool.
    ///
    /// # Errors
    ///
    /// The first workspace whose settings cannot be used.
    pub fn new(workspaces: &BTreeMap<WorkspaceName, Workspace>) -> Result<Self, ClientError> {
        // A connection that finds no place in the pool is closed, and the next call of a burst pays for
        // another one; there are no more than calls under way at once.
        let idle = workspaces.values().map(|each| each.max_in_flight).sum();
        let mut transports = BTreeMap::<Transport, reqwest::Client>::new();
        let mut remotes = BTreeMap::new();
        for (name, workspace) in workspaces {
            let url = endpoint(workspace)?;
            let transport = Transport {
                ca_file: workspace.ca_file.clone(),
                proxy: workspace.proxy.clone(),
                plain: url.scheme() == "http",
            };
            let route = transport.route();
            let http = match transports.get(&transport) {
                Some(http) => http.clone(),
                None => {
                    let http = build(&transport, name, idle)?;
                    transports.insert(transport, http.clone());
                    http
                }
            };
            let remote = Remote {
                http,
                route,
                url,
                max_reply: workspace.max_reply,
            };
            remotes.insert(name.clone(), remote);
        }
        Ok(Self(Way::Http(Http {
            workspaces: Arc::new(remotes),
            large: Arc::new(Semaphore::new(LARGE_REPLIES)),
            judge: Arc::new(OneThread::start("judge").map_err(ClientError::Thread)?),
        })))
    }

    /// A client whose calls do not leave: `answer` says what comes of each, which takes its time on
    /// `clock` and is judged like any reply. For simulations, where a month has to pass in a moment.
    pub fn scripted(
        clock: Clock,
        answer: impl Fn(&Call) -> ScriptedReply + Send + Sync + 'static,
    ) -> Self {
        Self(Way::Scripted(Script::new(clock, Arc::new(answer))))
    }

    /// A client of the same way for other workspaces.
    ///
    /// # Errors
    ///
    /// As [`Self::new`].
    pub fn renewed(
        &self,
        workspaces: &BTreeMap<WorkspaceName, Workspace>,
    ) -> Result<Self, ClientError> {
        match &self.0 {
            Way::Http(_) => Self::new(workspaces),
            Way::Scripted(_) => Ok(self.clone()),
        }
    }

    /// Makes the call. Dropping the future ends it and closes its connection; what the server did
    /// by then, nobody knows.
    pub async fn call(&self, call: Call) -> CallRecord {
        match &self.0 {
            Way::Http(http) => http.call(call).await,
            Way::Scripted(script) => script.call(call).await,
        }
    }
}

impl Http {
    async fn call(&self, call: Call) -> CallRecord {
        let started = Instant::now();
        let progress = Arc::new(Progress::default());
        let mut received = Received::default();
        let end = match self.prepare(&call, &progress) {
            Ok((remote, prepared)) => {
                let whole = exchange(
                    &remote.http,
                    remote.route,
                    prepared,
                    remote.max_reply,
                    &self.large,
                    &mut received,
                );
                match tokio::time::timeout(call.timeout, whole).await {
                    Ok(end) => end,
                    Err(_) => End::Lost(late(&progress, received.status, call.timeout)),
                }
            }
            Err(why) => End::Lost(why),
        };
        let timing = Timing {
            started,
            written: progress.written(),
            ended: Instant::now(),
        };
        let is_large = received.body.len() > SMALL;
        let judge = move || record(&call, received, end, progress.begun(), &timing);
        match is_large {
            true => self.judge.run(judge).await,
            false => judge(),
        }
    }

    fn prepare(
        &self,
        call: &Call,
        progress: &Arc<Progress>,
    ) -> Result<(&Remote, reqwest::Request), String> {
        let remote = self
            .workspaces
            .get(&call.workspace)
            .ok_or_else(|| format!("workspace {} is not configured any more", call.workspace))?;
        let mut key = HeaderValue::from_str(call.request.key.secret.expose())
            .map_err(|_| "the API key holds a character that no header can carry".to_owned())?;
        key.set_sensitive(true);
        let body = NotedBody::new(call.request.body.clone(), Arc::clone(progress));
        let request = remote
            .http
            .post(remote.url.clone())
            .header("DF-API-KEY", key)
            .header(CONTENT_TYPE, "application/json")
            .body(reqwest::Body::wrap(body))
            .build()
            .map_err(|error| format!("the request cannot be built: {}", error.without_url()))?;
        Ok((remote, request))
    }
}

/// Words for a deadline that passed.
fn late(progress: &Progress, status: Option<u16>, timeout: Duration) -> String {
    match status {
        _ if !progress.begun() => format!("no connection within {timeout:?}"),
        None => format!("no reply within {timeout:?}"),
        Some(status) => format!("HTTP {status}, but not the whole reply within {timeout:?}"),
    }
}

fn endpoint(workspace: &Workspace) -> Result<Url, ClientError> {
    let bad = |why: String| ClientError::BaseUrl {
        workspace: workspace.name.clone(),
        why,
    };
    let mut url = Url::parse(&workspace.base_url).map_err(|error| bad(error.to_string()))?;
    if url.host_str().is_none_or(str::is_empty) {
        return Err(bad("names no host".to_owned()));
    }
    // reqwest would send them along as an Authorization header
    if !url.username().is_empty() || url.password().is_some() {
        return Err(bad("holds a user or password".to_owned()));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(bad("has a query or fragment".to_owned()));
    }
    let path = format!("{}{EXECUTE}", url.path().trim_end_matches('/'));
    url.set_path(&path);
    match url.scheme() {
        "https" => Ok(url),
        "http" if workspace.insecure || (is_loopback(&url) && stays_here(workspace)) => Ok(url),
        "http" => Err(ClientError::PlainHttp {
            workspace: workspace.name.clone(),
        }),
        scheme => Err(bad(format!("has the scheme {scheme}"))),
    }
}

/// Whether no proxy elsewhere would carry what is meant for this machine.
fn stays_here(workspace: &Workspace) -> bool {
    let proxy = workspace.proxy.as_deref();
    proxy.is_none_or(|proxy| Url::parse(proxy).is_ok_and(|url| is_loopback(&url)))
}

fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let address = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost"
        || address
            .parse::<std::net::IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

/// Every default that leaks or hangs is set here (reqwest would follow redirects with our key,
/// send a referer, take a proxy from the environment, and wait for ever).
fn build(
    transport: &Transport,
    name: &WorkspaceName,
    idle: usize,
) -> Result<reqwest::Client, ClientError> {
    let mut builder = reqwest::Client::builder()
        .user_agent(concat!("funcron/", env!("CARGO_PKG_VERSION")))
        .redirect(redirect::Policy::none())
        .referer(false)
        .no_proxy()
        .https_only(!transport.plain)
        // HTTP/2 would send the head before it asks for the body, and reqwest would repeat a
        // refused stream: both blur what was sent. A call takes a connection of its own instead.
        .http1_only()
        .retry(retry::never())
        .gzip(true)
        .pool_idle_timeout(POOL_IDLE)
        .pool_max_idle_per_host(idle);
    if transport.plain {
        builder = builder.tls_certs_only([]);
    } else if let Some(path) = &transport.ca_file {
        builder = builder.tls_certs_merge(certificates(path, name)?);
    }
    if let Some(proxy) = &transport.proxy {
        let proxy = Proxy::all(proxy.as_str()).map_err(|_| ClientError::Proxy {
            workspace: name.clone(),
        })?;
        builder = builder.proxy(proxy);
    }
    builder.build().map_err(|error| ClientError::Setup {
        workspace: name.clone(),
        why: super::exchange::root_cause(&error),
    })
}

fn certificates(
    path: &std::path::Path,
    name: &WorkspaceName,
) -> Result<Vec<Certificate>, ClientError> {
    let bad = |why: String| ClientError::CaFile {
        workspace: name.clone(),
        path: path.to_owned(),
        why,
    };
    let pem = std::fs::read(path).map_err(|error| bad(error.to_string()))?;
    let certificates = Certificate::from_pem_bundle(&pem)
        .map_err(|error| bad(super::exchange::root_cause(&error)))?;
    if certificates.is_empty() {
        return Err(bad("holds no PEM certificate".to_owned()));
    }
    Ok(certificates)
}

#[cfg(test)]
mod tests;
