//! A server that writes chosen bytes: what no honest server would send.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// What the server does next on a connection. After the last step it closes.
#[derive(Clone)]
pub(crate) enum Step {
    /// Reads one request: its head, and as many bytes as its Content-Length says.
    Read,
    /// Writes bytes.
    Write(Vec<u8>),
    /// Writes bytes one by one, this long apart.
    Drip(Vec<u8>, Duration),
    /// Writes the same bytes until the client goes away.
    Endless(Vec<u8>),
    /// Does nothing until the client goes away, and takes nothing in.
    Hang,
    /// Closes with a reset.
    Reset,
}

/// The server. Every connection gets the same steps. Stops when dropped.
pub(crate) struct RawServer {
    address: SocketAddr,
    connections: Arc<AtomicUsize>,
    requests: Arc<Mutex<Vec<Vec<u8>>>>,
    task: JoinHandle<()>,
}

impl RawServer {
    pub(crate) async fn start(steps: Vec<Step>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let connections = Arc::new(AtomicUsize::new(0));
        let requests = Arc::new(Mutex::new(Vec::new()));
        let (counter, log) = (Arc::clone(&connections), Arc::clone(&requests));
        let task = tokio::spawn(async move {
            let mut serving = tokio::task::JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                counter.fetch_add(1, Ordering::SeqCst);
                serving.spawn(serve(stream, steps.clone(), Arc::clone(&log)));
            }
        });
        Self {
            address,
            connections,
            requests,
            task,
        }
    }

    /// One that reads a request and answers with these bytes.
    pub(crate) async fn replying(reply: impl Into<Vec<u8>>) -> Self {
        Self::start(vec![Step::Read, Step::Write(reply.into())]).await
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn port(&self) -> u16 {
        self.address.port()
    }

    /// Connections accepted so far.
    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    /// The requests read so far, or the bytes that arrived where there should have been one.
    pub(crate) fn requests(&self) -> Vec<String> {
        let requests = self.requests.lock().unwrap();
        requests
            .iter()
            .map(|bytes| String::from_utf8_lossy(bytes).into_owned())
            .collect()
    }
}

impl Drop for RawServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// A failed write or read means that the client has gone, which is what many tests are about.
async fn serve(mut stream: TcpStream, steps: Vec<Step>, log: Arc<Mutex<Vec<Vec<u8>>>>) {
    for step in steps {
        match step {
            Step::Read => {
                let (request, complete) = read_request(&mut stream).await;
                if !request.is_empty() {
                    log.lock().unwrap().push(request);
                }
                if !complete {
                    return;
                }
            }
            Step::Write(bytes) => {
                if stream.write_all(&bytes).await.is_err() {
                    return;
                }
            }
            Step::Drip(bytes, pause) => {
                for byte in bytes {
                    if stream.write_all(&[byte]).await.is_err() {
                        return;
                    }
                    tokio::time::sleep(pause).await;
                }
            }
            Step::Endless(bytes) => while stream.write_all(&bytes).await.is_ok() {},
            Step::Hang => std::future::pending().await,
            Step::Reset => {
                let _ = stream.set_zero_linger();
                return;
            }
        }
    }
    // A close with unread bytes would be a reset.
    let _ = stream.shutdown().await;
    let _ = tokio::io::copy(&mut stream, &mut tokio::io::sink()).await;
}

/// The bytes of one request, and whether it was a whole one.
async fn read_request(stream: &mut TcpStream) -> (Vec<u8>, bool) {
    let mut request = Vec::new();
    let mut buffer = vec![0; 64 * 1024];
    loop {
        if let Some(length) = request_length(&request)
            && request.len() >= length
        {
            return (request, true);
        }
        match stream.read(&mut buffer).await {
            Ok(read) if read > 0 => request.extend_from_slice(&buffer[..read]),
            _ => return (request, false),
        }
    }
}

/// The length of a request, once its head is there.
fn request_length(request: &[u8]) -> Option<usize> {
    let head = request.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
    let text = String::from_utf8_lossy(&request[..head]).to_lowercase();
    let body: usize = text
        .lines()
        .find_map(|line| line.strip_prefix("content-length:"))
        .map_or(0, |length| length.trim().parse().unwrap());
    Some(head + body)
}
