//! TLS as servers speak it, well and badly. What fails before the handshake is done was never sent:
//! a `network_error` like a refused connection, whose words say what to mend.

use std::io::Write as _;
use std::net::SocketAddr;
use std::path::Path;

use super::*;
use crate::support::tls::{Authority, Holds, Identity, TlsFront};

/// A file of certificates.
pub(super) fn pem_file(text: &str) -> tempfile::NamedTempFile {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    file
}

/// A server behind TLS, which answers well if it is asked.
struct Behind {
    server: RawServer,
    front: TlsFront,
}

impl Behind {
    async fn showing(identity: &Identity) -> Self {
        let server = RawServer::replying(fine()).await;
        let front = TlsFront::start(identity, server.address()).await;
        Self { server, front }
    }

    /// Calls it at `host`; a failure must be one of a request that was never sent.
    async fn refused(&self, host: &str, ca_file: Option<&Path>) -> String {
        let url = format!("https://{host}:{}", self.front.port());
        let said = refused(&url, ca_file).await;
        assert_eq!(self.front.handshakes(), 0, "{said}");
        assert_eq!(self.server.connections(), 0, "{said}");
        said
    }
}

async fn record(url: &str, ca_file: Option<&Path>, timeout: Duration) -> CallRecord {
    let workspace = Workspace {
        insecure: false,
        ca_file: ca_file.map(Path::to_owned),
        ..workspace(url)
    };
    let record = client_of(workspace).call(call(timeout)).await;
    assert_no_secret(&record);
    record
}

async fn refused(url: &str, ca_file: Option<&Path>) -> String {
    never_sent(record(url, ca_file, LONG).await)
}

/// The words for a call that was never sent.
#[track_caller]
pub(super) fn never_sent(record: CallRecord) -> String {
    let said = record.decided_by;
    assert_eq!(record.outcome, Outcome::NetworkError, "{said}");
    assert_eq!(record.unknown_reason, None, "{said}");
    assert_eq!((record.written_after, record.duration), (None, None));
    assert_eq!((record.http_status, record.response), (None, None));
    assert!(!said.contains("outer_function"), "{said}");
    said
}

#[tokio::test]
async fn ca_file_reaches_a_server_of_an_authority_of_ones_own() {
    let authority = Authority::new();
    let ca_file = pem_file(authority.pem());
    for host in ["127.0.0.1", "localhost"] {
        let behind = Behind::showing(&authority.issue(host, Holds::Now)).await;
        let url = format!("https://{host}:{}", behind.front.port());
        let record = record(&url, Some(ca_file.path()), LONG).await;
        assert_eq!(record.outcome, Outcome::Success, "{}", record.decided_by);
        assert!(record.written_after.is_some());
        let request = &behind.server.requests()[0];
        assert!(request.contains(KEY) && request.contains("funcId"));
        assert_eq!(behind.front.handshakes(), 1);
    }
}

#[tokio::test]
async fn one_of_several_authorities_in_ca_file_is_enough() {
    let authority = Authority::new();
    let several = format!(
        "An authority that has nothing to do with it:\n{}\n{}",
        Authority::named("another").pem(),
        authority.pem()
    );
    let ca_file = pem_file(&several);
    let behind = Behind::showing(&authority.issue("127.0.0.1", Holds::Now)).await;
    let record = record(&behind.front.url(), Some(ca_file.path()), LONG).await;
    assert_eq!(record.outcome, Outcome::Success, "{}", record.decided_by);
}

#[tokio::test]
async fn an_unknown_issuer_is_never_sent_to_and_ca_file_is_named() {
    let authority = Authority::new();
    let issued = Behind::showing(&authority.issue("127.0.0.1", Holds::Now)).await;
    let itself = Behind::showing(&Identity::self_signed("127.0.0.1", false)).await;
    for behind in [issued, itself] {
        let said = behind.refused("127.0.0.1", None).await;
        assert!(said.contains("unknown issuer"), "{said}");
        assert!(said.contains("as the workspace's ca_file"), "{said}");

        let other = pem_file(Authority::named("another").pem());
        let said = behind.refused("127.0.0.1", Some(other.path())).await;
        assert!(said.contains("unknown issuer"), "{said}");
        assert!(said.contains("nor in ca_file"), "{said}");
    }
}

#[tokio::test]
async fn an_authority_that_has_another_key_since_is_told_apart() {
    let behind = Behind::showing(&Authority::new().issue("127.0.0.1", Holds::Now)).await;
    let old = pem_file(Authority::new().pem());
    let said = behind.refused("127.0.0.1", Some(old.path())).await;
    assert!(
        said.contains("not signed by the authority of that name"),
        "{said}"
    );
}

#[tokio::test]
async fn a_self_signed_certificate_is_trusted_as_ca_file_unless_it_is_an_authoritys() {
    let identity = Identity::self_signed("127.0.0.1", false);
    let ca_file = pem_file(identity.pem());
    let behind = Behind::showing(&identity).await;
    let record = record(&behind.front.url(), Some(ca_file.path()), LONG).await;
    assert_eq!(record.outcome, Outcome::Success, "{}", record.decided_by);

    let identity = Identity::self_signed("127.0.0.1", true);
    let ca_file = pem_file(identity.pem());
    let behind = Behind::showing(&identity).await;
    let said = behind.refused("127.0.0.1", Some(ca_file.path())).await;
    assert!(said.contains("CA:TRUE"), "{said}");
}

#[tokio::test]
async fn an_expired_or_early_certificate_is_never_sent_to_and_its_date_is_told() {
    let authority = Authority::new();
    let ca_file = pem_file(authority.pem());
    for (holds, words) in [
        (Holds::Until2020, "expired at 2020-01-02T00:00:00Z"),
        (Holds::From2200, "not valid before 2200-01-02T00:00:00Z"),
    ] {
        let behind = Behind::showing(&authority.issue("127.0.0.1", holds)).await;
        let said = behind.refused("127.0.0.1", Some(ca_file.path())).await;
        assert!(said.contains(words), "{said}");
    }
}

#[tokio::test]
async fn a_certificate_for_another_name_is_never_sent_to_and_both_names_are_told() {
    let authority = Authority::new();
    let ca_file = pem_file(authority.pem());
    let behind = Behind::showing(&authority.issue("openapi.example.com", Holds::Now)).await;
    for host in ["localhost", "127.0.0.1"] {
        let said = behind.refused(host, Some(ca_file.path())).await;
        assert!(
            said.contains(&format!("not valid for name \"{host}\"")),
            "{said}"
        );
        assert!(said.contains("openapi.example.com"), "{said}");
    }
}

#[tokio::test]
async fn a_handshake_that_breaks_off_is_never_sent() {
    // The beginning of a server's hello: a record of 122 bytes, of which few come.
    let hello = b"\x16\x03\x03\x00\x7a\x02\x00\x00\x76\x03\x03".to_vec();
    for (steps, words) in [
        (vec![Step::Write(hello.clone())], "handshake"),
        (vec![Step::Write(Vec::new())], "handshake"),
        (
            vec![Step::Write(hello.clone()), Step::Reset],
            "cannot connect",
        ),
        (vec![Step::Reset], "cannot connect"),
        // A fatal alert: 40, handshake_failure.
        (
            vec![Step::Write(b"\x15\x03\x03\x00\x02\x02\x28".to_vec())],
            "refuses to speak TLS",
        ),
    ] {
        let server = RawServer::start(steps).await;
        let said = refused(&https(server.address()), None).await;
        assert!(said.contains(words), "{said}");
    }
    let server = RawServer::start(vec![Step::Write(hello), Step::Hang]).await;
    let said = never_sent(record(&https(server.address()), None, SHORT).await);
    assert!(said.contains("no connection within 400ms"), "{said}");
}

#[tokio::test]
async fn a_server_that_speaks_plain_http_where_https_is_configured_is_told_as_that() {
    // Such servers answer to what they take for a bad request.
    let bad = reply("400 Bad Request", "", b"");
    let server = RawServer::start(vec![Step::Write(bad), Step::Read]).await;
    let said = refused(&https(server.address()), None).await;
    assert!(said.contains("does not speak TLS"), "{said}");
    assert!(said.contains("base_url"), "{said}");
    for bytes in server.requests() {
        assert!(!bytes.contains("canary"));
    }
}

fn https(address: SocketAddr) -> String {
    format!("https://{address}")
}
