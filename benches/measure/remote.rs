//! The remote: a bare server in a process of its own, which counts what arrives.

use std::cell::{Cell, RefCell};
use std::convert::Infallible;
use std::fmt::Write as _;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::rc::Rc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;

/// A server process, until it is dropped.
pub(crate) struct Remote {
    child: Child,
    /// Scheme, host and port.
    pub(crate) origin: String,
}

impl Remote {
    /// Starts one that answers after `delay`, with a result of so many bytes or, of none, of a word.
    pub(crate) fn start(delay: Duration, bytes: usize) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["serve", &delay.as_micros().to_string(), &bytes.to_string()])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut origin = String::new();
        BufReader::new(child.stdout.as_mut().unwrap())
            .read_line(&mut origin)
            .unwrap();
        let origin = origin.trim().to_owned();
        Self { child, origin }
    }

    /// Where calls go.
    pub(crate) fn url(&self) -> String {
        format!("{}/api/v1/outer_function/execute", self.origin)
    }

    /// When each call arrived, in µs since the epoch, in order, since the last time this was asked.
    pub(crate) async fn arrivals(&self) -> Vec<i64> {
        let text = reqwest::get(format!("{}/arrivals", self.origin))
            .await
            .unwrap();
        let text = text.text().await.unwrap();
        text.lines().map(|line| line.parse().unwrap()).collect()
    }
}

impl Drop for Remote {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

struct Seen {
    delay: Duration,
    result: String,
    arrivals: RefCell<Vec<u128>>,
    number: Cell<u64>,
}

/// The server's side: prints its origin and serves until it is killed.
pub(crate) fn serve(delay_us: usize, bytes: usize) {
    let result = match bytes {
        0 => "done".to_owned(),
        some => "a row of some length, ".repeat(some / 22),
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let local = tokio::task::LocalSet::new();
    local.block_on(&runtime, async move {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        println!("http://{}", listener.local_addr().unwrap());
        let seen = Rc::new(Seen {
            delay: Duration::from_micros(delay_us as u64),
            result,
            arrivals: RefCell::default(),
            number: Cell::default(),
        });
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            stream.set_nodelay(true).unwrap();
            let seen = seen.clone();
            tokio::task::spawn_local(async move {
                let service = hyper::service::service_fn(|request| answer(&seen, request));
                // A client that goes away is the client's business.
                let _ = hyper::server::conn::http1::Builder::new()
                    .serve_connection(TokioIo::new(stream), service)
                    .await;
            });
        }
    });
}

async fn answer(
    seen: &Seen,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    if request.method() == Method::GET {
        let mut text = String::new();
        for at in seen.arrivals.take() {
            writeln!(text, "{at}").unwrap();
        }
        return Ok(Response::new(Full::from(text)));
    }
    let arrived = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    seen.arrivals.borrow_mut().push(arrived.as_micros());
    seen.number.set(seen.number.get() + 1);
    let number = seen.number.get();
    let _ = request.into_body().collect().await;
    if !seen.delay.is_zero() {
        tokio::time::sleep(seen.delay).await;
    }
    let result = &seen.result;
    let reply = format!(
        r#"{{"code":200,"content":{{"ok":true,"error":200,"message":"","data":{{"result":"{result}"}},"traceId":"FUNC-00000000-0000-4000-8000-{number:012X}","reqTime":"2026-11-24T05:35:00.529Z","respTime":"2026-11-24T05:35:00.570Z","reqCost":41}},"errorCode":"","message":"","success":true,"traceId":"TRACE-00000000-0000-4000-8000-{number:012X}"}}"#
    );
    let response = Response::builder().header("content-type", "application/json");
    Ok(response.body(Full::from(reply)).unwrap())
}
