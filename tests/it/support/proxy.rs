//! A small forward proxy: absolute URLs for http, CONNECT for https. It remembers all it sees.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};

/// How it treats whoever comes.
#[derive(Clone, Copy)]
pub(crate) enum Manner {
    /// Does what it is there for.
    Forwards,
    /// Answers with this status instead.
    Answers(&'static str),
    /// Closes the connection.
    Closes,
    /// Does nothing.
    Hangs,
}

/// The proxy. Stops when dropped.
pub(crate) struct Proxy {
    address: SocketAddr,
    seen: Seen,
    task: JoinHandle<()>,
}

/// Of each connection what the client has sent, in order of arrival.
type Seen = Arc<Mutex<Vec<Vec<u8>>>>;

impl Proxy {
    pub(crate) async fn start(manner: Manner) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Seen::default();
        let log = Arc::clone(&seen);
        let task = tokio::spawn(async move {
            let mut serving = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let number = {
                    let mut log = log.lock().unwrap();
                    log.push(Vec::new());
                    log.len() - 1
                };
                serving.spawn(serve(stream, manner, Arc::clone(&log), number));
            }
        });
        Self {
            address,
            seen,
            task,
        }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What the clients have sent, by connection.
    pub(crate) fn seen(&self) -> Vec<String> {
        let seen = self.seen.lock().unwrap();
        seen.iter()
            .map(|bytes| String::from_utf8_lossy(bytes).into_owned())
            .collect()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// A failed read or write means that someone has gone, which ends the connection.
async fn serve(mut client: TcpStream, manner: Manner, seen: Seen, number: usize) {
    let Some((head, rest)) = read_head(&mut client, &seen, number).await else {
        return;
    };
    match manner {
        Manner::Forwards => {}
        Manner::Answers(status) => {
            let reply = format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n");
            let _ = client.write_all(reply.as_bytes()).await;
            let _ = client.shutdown().await;
            let _ = tokio::io::copy(&mut client, &mut tokio::io::sink()).await;
            return;
        }
        Manner::Closes => return,
        Manner::Hangs => std::future::pending().await,
    }
    let (method, target) = head.split_once(' ').unwrap();
    let target = target.split_once(' ').unwrap().0;
    let mut server = if method == "CONNECT" {
        let Ok(server) = TcpStream::connect(target).await else {
            return;
        };
        let established = b"HTTP/1.1 200 Connection established\r\n\r\n";
        if client.write_all(established).await.is_err() {
            return;
        }
        server
    } else {
        let authority = target.strip_prefix("http://").expect("an absolute URL");
        let slash = authority.find('/').unwrap();
        let Ok(mut server) = TcpStream::connect(&authority[..slash]).await else {
            return;
        };
        let head = head.replacen(target, &authority[slash..], 1);
        if server.write_all(head.as_bytes()).await.is_err() {
            return;
        }
        server
    };
    if server.write_all(&rest).await.is_ok() {
        pass_on(&mut client, &mut server, &seen, number).await;
    }
}

/// Both ways, until either side is done.
async fn pass_on(client: &mut TcpStream, server: &mut TcpStream, seen: &Seen, number: usize) {
    let (mut from_client, mut from_server) = (vec![0; 16 << 10], vec![0; 16 << 10]);
    loop {
        let passed = tokio::select! {
            read = client.read(&mut from_client) => match read {
                Ok(read) if read > 0 => {
                    note(seen, number, &from_client[..read]);
                    server.write_all(&from_client[..read]).await
                }
                _ => return,
            },
            read = server.read(&mut from_server) => match read {
                Ok(read) if read > 0 => client.write_all(&from_server[..read]).await,
                _ => return,
            },
        };
        if passed.is_err() {
            return;
        }
    }
}

/// The head of the first request, and what came along behind it.
async fn read_head(
    client: &mut TcpStream,
    seen: &Seen,
    number: usize,
) -> Option<(String, Vec<u8>)> {
    let mut bytes = Vec::new();
    loop {
        if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            let rest = bytes.split_off(end + 4);
            return Some((String::from_utf8(bytes).unwrap(), rest));
        }
        let mut buffer = [0; 4 << 10];
        let read = client
            .read(&mut buffer)
            .await
            .ok()
            .filter(|read| *read > 0)?;
        note(seen, number, &buffer[..read]);
        bytes.extend_from_slice(&buffer[..read]);
    }
}

fn note(seen: &Seen, number: usize, bytes: &[u8]) {
    seen.lock().unwrap()[number].extend_from_slice(bytes);
}
