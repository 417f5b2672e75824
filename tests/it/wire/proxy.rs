//! `proxy`: http by absolute URLs, https through a tunnel in which the proxy sees nothing.

use super::tls::{never_sent, pem_file};
use super::*;
use crate::support::proxy::{Manner, Proxy};
use crate::support::tls::{Authority, Holds, TlsFront};

async fn through(proxy: &str, workspace: Workspace, timeout: Duration) -> CallRecord {
    let workspace = Workspace {
        proxy: Some(proxy.to_owned()),
        ..workspace
    };
    let record = client_of(workspace).call(call(timeout)).await;
    assert_no_secret(&record);
    record
}

/// An address where nobody listens any more.
fn nobody() -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    format!("http://{}", listener.local_addr().unwrap())
}

#[tokio::test]
async fn plain_http_goes_through_the_proxy_by_its_absolute_url() {
    let server = RawServer::replying(fine()).await;
    let proxy = Proxy::start(Manner::Forwards).await;
    let record = through(&proxy.url(), workspace(&server.url()), LONG).await;
    assert_eq!(record.outcome, Outcome::Success, "{}", record.decided_by);

    let seen = proxy.seen();
    let url = format!(
        "POST {}/api/v1/outer_function/execute HTTP/1.1\r\n",
        server.url()
    );
    assert!(seen[0].starts_with(&url), "{}", seen[0]);
    assert!(!seen[0].to_lowercase().contains("proxy-authorization"));
    let request = &server.requests()[0];
    assert!(request.starts_with("POST /api/v1/outer_function/execute "));
    assert!(request.contains(KEY), "{request}");
    assert_eq!((seen.len(), server.connections()), (1, 1));
}

#[tokio::test]
async fn https_goes_through_a_tunnel_and_the_proxy_sees_no_key() {
    let authority = Authority::new();
    let server = RawServer::replying(fine()).await;
    let identity = authority.issue("127.0.0.1", Holds::Now);
    let front = TlsFront::start(&identity, server.address()).await;
    let proxy = Proxy::start(Manner::Forwards).await;
    let ca_file = pem_file(authority.pem());
    let workspace = Workspace {
        ca_file: Some(ca_file.path().to_owned()),
        insecure: false,
        ..workspace(&front.url())
    };
    let record = through(&proxy.url(), workspace, LONG).await;
    assert_eq!(record.outcome, Outcome::Success, "{}", record.decided_by);

    let seen = proxy.seen().concat();
    let connect = format!("CONNECT 127.0.0.1:{} HTTP/1.1\r\n", front.port());
    assert!(seen.starts_with(&connect), "{seen}");
    let hidden = ["canary", "outer_function", "funcId", "authorization"];
    for word in hidden {
        assert!(
            !seen.to_lowercase().contains(&word.to_lowercase()),
            "{word}"
        );
    }
    assert!(server.requests()[0].contains(KEY));
    assert_eq!(front.handshakes(), 1);
}

#[tokio::test]
async fn a_certificate_refused_behind_a_proxy_is_the_servers_fault() {
    let server = RawServer::replying(fine()).await;
    let identity = Authority::new().issue("127.0.0.1", Holds::Now);
    let front = TlsFront::start(&identity, server.address()).await;
    let proxy = Proxy::start(Manner::Forwards).await;
    let said = never_sent(through(&proxy.url(), workspace(&front.url()), LONG).await);
    assert!(said.contains("unknown issuer"), "{said}");
    assert_eq!((proxy.seen().len(), server.connections()), (1, 0));
}

#[tokio::test]
async fn https_behind_a_proxy_that_does_not_let_it_through_is_never_sent() {
    for (manner, words) in [
        (
            Manner::Answers("407 Proxy Authentication Required"),
            "the proxy wants a password (HTTP 407)",
        ),
        (Manner::Answers("403 Forbidden"), "the proxy refused"),
        (Manner::Answers("502 Bad Gateway"), "the proxy refused"),
        (Manner::Closes, "the proxy closed the connection"),
    ] {
        let proxy = Proxy::start(manner).await;
        let there = workspace("https://openapi.example.com");
        let said = never_sent(through(&proxy.url(), there, LONG).await);
        assert!(said.contains(words), "{said}");
        let seen = proxy.seen().concat();
        assert!(
            seen.starts_with("CONNECT openapi.example.com:443 "),
            "{seen}"
        );
        assert!(!seen.contains("canary"), "{seen}");
    }
    let proxy = Proxy::start(Manner::Hangs).await;
    let there = workspace("https://openapi.example.com");
    let said = never_sent(through(&proxy.url(), there, SHORT).await);
    assert!(said.contains("no connection within 400ms"), "{said}");
}

#[tokio::test]
async fn a_dead_proxy_is_told_as_that_and_never_gone_around() {
    let server = RawServer::replying(fine()).await;
    for url in [server.url(), "https://openapi.example.com".to_owned()] {
        let said = never_sent(through(&nobody(), workspace(&url), LONG).await);
        assert!(said.contains("cannot connect to the proxy"), "{said}");
    }
    assert_eq!(server.connections(), 0);
}

#[tokio::test]
async fn an_answer_of_the_proxys_own_to_plain_http_is_judged_like_any_reply() {
    // It had the request: whether it went on with it, nobody knows but by the status.
    for (manner, outcome, words) in [
        (
            Manner::Answers("407 Proxy Authentication Required"),
            Outcome::Rejected,
            "HTTP 407",
        ),
        (
            Manner::Answers("502 Bad Gateway"),
            Outcome::Unknown,
            "HTTP 502",
        ),
        (Manner::Closes, Outcome::Unknown, "before a reply"),
    ] {
        let proxy = Proxy::start(manner).await;
        let there = workspace("http://openapi.example.com");
        let record = through(&proxy.url(), there, LONG).await;
        let said = record.decided_by;
        assert_eq!(record.outcome, outcome, "{said}");
        assert!(said.contains(words), "{said}");
        assert!(record.written_after.is_some());
    }
}
