//! Why there is no connection, in words that an operator can act on.
//!
//! All of it happens before a byte of a request is written: such a call was never sent.

use std::error::Error;
use std::io;

use jiff::Timestamp;
use rustls::pki_types::UnixTime;
use rustls::{CertificateError, Error as TlsError};

use super::exchange::root_cause;

/// How a workspace's calls travel, as far as it says who is to blame for a connection that fails.
#[derive(Clone, Copy, Debug)]
pub(super) struct Route {
    /// Over a proxy.
    pub(super) by_proxy: bool,
    /// Without TLS. A proxy then carries each request itself, and there is no connection but to it.
    pub(super) is_plain: bool,
    /// Authorities of the workspace's own are trusted beside the system's.
    pub(super) has_ca_file: bool,
}

impl Route {
    /// Why `error`, which came of connecting, came about.
    pub(super) fn failure(self, error: &reqwest::Error) -> String {
        if let Some(tls) = cause::<TlsError>(error) {
            return self.tls(tls);
        }
        if self.by_proxy
            && let Some(words) = self.at_proxy(error)
        {
            return words;
        }
        format!("cannot connect: {}", root_cause(error))
    }

    fn tls(self, error: &TlsError) -> String {
        match error {
            TlsError::InvalidCertificate(fault) => {
                format!("the server's certificate is refused: {}", self.fault(fault))
            }
            TlsError::InvalidMessage(_) => format!(
                "the server does not speak TLS; check that base_url names a port of https ({error})"
            ),
            TlsError::AlertReceived(_) => {
                format!("the server refuses to speak TLS with funcron: {error}")
            }
            _ => format!("the TLS handshake failed: {error}"),
        }
    }

    fn fault(self, fault: &CertificateError) -> String {
        match fault {
            CertificateError::UnknownIssuer if self.has_ca_file => {
                "unknown issuer, neither among the system's authorities nor in ca_file; ca_file \
                 wants the certificate of the authority that issued it"
                    .to_owned()
            }
            CertificateError::UnknownIssuer => {
                "unknown issuer; if the authority is your own, name its certificate as the \
                 workspace's ca_file"
                    .to_owned()
            }
            // Found by its name, and not signed by its key.
            CertificateError::BadSignature if self.has_ca_file => {
                "not signed by the authority of that name in ca_file; put the authority's present \
                 certificate there"
                    .to_owned()
            }
            CertificateError::ExpiredContext { not_after, .. } => {
                format!("expired at {}; have it renewed", instant(*not_after))
            }
            CertificateError::NotValidYetContext { not_before, .. } => format!(
                "not valid before {}; is this machine's clock right?",
                instant(*not_before)
            ),
            // rustls has no word of its own for it, and it is what `openssl req -x509` makes.
            CertificateError::Other(other)
                if format!("{other:?}").contains("CaUsedAsEndEntity") =>
            {
                "it is an authority's own (CA:TRUE), which no server may present; give the server \
                 one that the authority issued"
                    .to_owned()
            }
            other => other.to_string(),
        }
    }

    /// Why the proxy was of no use; `None` where it was not the proxy's fault.
    fn at_proxy(self, error: &reqwest::Error) -> Option<String> {
        // The connector's type is private; tests/it/wire/proxy.rs holds its words.
        let at_tunnel = causes(error)
            .map(ToString::to_string)
            .find_map(|said| said.strip_prefix("tunnel error: ").map(str::to_owned));
        let root = root_cause(error);
        Some(match at_tunnel.as_deref() {
            Some("proxy authorization required") => {
                "the proxy wants a password (HTTP 407), and funcron has none for it; have it let \
                 this machine through without"
                    .to_owned()
            }
            Some("unsuccessful") => {
                "the proxy refused to connect to the server; its own log says why".to_owned()
            }
            Some("unexpected end of file") => {
                "the proxy closed the connection without an answer".to_owned()
            }
            Some("failed to create underlying connection") => {
                format!("cannot connect to the proxy: {root}")
            }
            Some(other) => format!("the proxy was of no use: {other}: {root}"),
            None if self.is_plain => format!("cannot connect to the proxy: {root}"),
            None => return None,
        })
    }
}

fn instant(at: UnixTime) -> String {
    let seconds = i64::try_from(at.as_secs()).unwrap_or(i64::MAX);
    match Timestamp::from_second(seconds) {
        Ok(at) => at.to_string(),
        Err(_) => format!("{seconds} s after 1970"),
    }
}

/// The first cause of this type.
fn cause<E: Error + 'static>(error: &reqwest::Error) -> Option<&E> {
    causes(error).find_map(|cause| cause.downcast_ref())
}

/// What lies beneath an error, from the top. An `io::Error` hides the error it wraps from `source`.
pub(super) fn causes(error: &reqwest::Error) -> impl Iterator<Item = &(dyn Error + 'static)> {
    std::iter::successors(error.source(), |cause: &&(dyn Error + 'static)| {
        beneath(*cause)
    })
}

fn beneath<'e>(cause: &'e (dyn Error + 'static)) -> Option<&'e (dyn Error + 'static)> {
    match cause.downcast_ref::<io::Error>() {
        Some(error) => error.get_ref().map(|inner| inner as &(dyn Error + 'static)),
        None => cause.source(),
    }
}
