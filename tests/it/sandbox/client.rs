//! A client of HTTP/1.1 that hides nothing: what came, and whether all of it came.

use std::io;
use std::net::SocketAddr;

use funcron::sandbox::Sandbox;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

pub(super) const EXECUTE: &str = "/api/v1/outer_function/execute";

/// What came back, byte for byte.
#[derive(Debug)]
pub(super) struct Raw {
    pub(super) status: u16,
    pub(super) headers: Vec<(String, String)>,
    /// Without the framing of chunks.
    pub(super) body: Vec<u8>,
    /// Whether all came that the framing promised.
    pub(super) whole: bool,
}

impl Raw {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(known, _)| known == name)?;
        Some(&found.1)
    }

    pub(super) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    pub(super) fn parse(bytes: &[u8]) -> Self {
        let end = bytes
            .windows(4)
            .position(|four| four == b"\r\n\r\n")
            .unwrap();
        let head = std::str::from_utf8(&bytes[..end]).unwrap();
        let (first, rest) = head.split_once("\r\n").unwrap();
        let headers = rest
            .split("\r\n")
            .map(|line| line.split_once(": ").unwrap())
            .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
            .collect();
        let mut raw = Self {
            status: first.split(' ').nth(1).unwrap().parse().unwrap(),
            headers,
            body: bytes[end + 4..].to_vec(),
            whole: true,
        };
        match raw.header("content-length") {
            Some(length) => raw.whole = length.parse() == Ok(raw.body.len()),
            None => (raw.body, raw.whole) = unchunked(&raw.body),
        }
        raw
    }
}

fn unchunked(mut rest: &[u8]) -> (Vec<u8>, bool) {
    let mut body = Vec::new();
    loop {
        let Some(line) = rest.windows(2).position(|two| two == b"\r\n") else {
            return (body, false);
        };
        let digits = std::str::from_utf8(&rest[..line]).unwrap();
        let length = usize::from_str_radix(digits, 16).unwrap();
        rest = &rest[line + 2..];
        if length == 0 {
            return (body, true);
        }
        let Some(chunk) = rest.get(..length + 2) else {
            body.extend(rest);
            return (body, false);
        };
        body.extend(&chunk[..length]);
        rest = &rest[length + 2..];
    }
}

pub(super) fn request(
    method: &str,
    path: &str,
    key: Option<&str>,
    body: &str,
    last: bool,
) -> String {
    let key = key.map_or(String::new(), |key| format!("DF-API-KEY: {key}\r\n"));
    let last = if last { "Connection: close\r\n" } else { "" };
    format!(
        "{method} {path} HTTP/1.1\r\nHost: sandbox\r\n{key}{last}\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

pub(super) async fn open(addr: SocketAddr, text: &str) -> TcpStream {
    let mut stream = TcpStream::connect(addr).await.unwrap();
    stream.write_all(text.as_bytes()).await.unwrap();
    stream
}

pub(super) async fn exchange(addr: SocketAddr, text: &str) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    open(addr, text).await.read_to_end(&mut bytes).await?;
    Ok(bytes)
}

pub(super) async fn get(sandbox: &Sandbox, path: &str) -> Raw {
    let text = request("GET", path, Some("key-one"), "", true);
    Raw::parse(&exchange(sandbox.addr(), &text).await.unwrap())
}

pub(super) async fn post(sandbox: &Sandbox, key: Option<&str>, body: &str) -> Raw {
    let text = request("POST", EXECUTE, key, body, true);
    Raw::parse(&exchange(sandbox.addr(), &text).await.unwrap())
}

pub(super) async fn execute(sandbox: &Sandbox, func_id: &str, func_body: &Value) -> Raw {
    let body = json!({ "funcId": func_id, "funcBody": func_body });
    post(sandbox, Some("key-one"), &body.to_string()).await
}

pub(super) async fn call(sandbox: &Sandbox, func_id: &str, kwargs: Value) -> Raw {
    execute(sandbox, func_id, &json!({ "kwargs": kwargs })).await
}
