//! Certificates made for a test, and TLS spoken with them in front of a server that speaks none.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, date_time_ymd};
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};
use tokio_rustls::TlsAcceptor;

/// What a server shows, and the key to it.
pub(crate) struct Identity {
    certificate: CertificateDer<'static>,
    key: KeyPair,
    pem: String,
}

impl Identity {
    /// One that vouches for itself.
    pub(crate) fn self_signed(name: &str, is_ca: bool) -> Self {
        let mut params = params(name);
        if is_ca {
            params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        }
        let key = KeyPair::generate().unwrap();
        Self::of(&params.self_signed(&key).unwrap(), key)
    }

    fn of(certificate: &rcgen::Certificate, key: KeyPair) -> Self {
        Self {
            certificate: certificate.der().clone(),
            pem: certificate.pem(),
            key,
        }
    }

    /// The certificate.
    pub(crate) fn pem(&self) -> &str {
        &self.pem
    }

    /// The certificate as some systems hand it out.
    pub(crate) fn der(&self) -> &[u8] {
        &self.certificate
    }

    /// The private key, which belongs into no configuration.
    pub(crate) fn key_pem(&self) -> String {
        self.key.serialize_pem()
    }
}

/// The years in which a certificate holds.
#[derive(Clone, Copy)]
pub(crate) enum Holds {
    Now,
    Until2020,
    From2200,
}

/// One that vouches for servers.
pub(crate) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

impl Authority {
    pub(crate) fn new() -> Self {
        Self::named("authority of the tests")
    }

    /// Of a name; of two with the same one, neither vouches for what the other has issued.
    pub(crate) fn named(name: &str) -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, name);
        let key = KeyPair::generate().unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        Self {
            issuer: Issuer::new(params, key),
            pem,
        }
    }

    /// Its certificate: what goes into a `ca_file`.
    pub(crate) fn pem(&self) -> &str {
        &self.pem
    }

    /// A server's certificate, for a host's name or address.
    pub(crate) fn issue(&self, name: &str, holds: Holds) -> Identity {
        let mut params = params(name);
        match holds {
            Holds::Now => {}
            Holds::Until2020 => params.not_after = date_time_ymd(2020, 1, 2),
            Holds::From2200 => params.not_before = date_time_ymd(2200, 1, 2),
        }
        let key = KeyPair::generate().unwrap();
        Identity::of(&params.signed_by(&key, &self.issuer).unwrap(), key)
    }
}

fn params(name: &str) -> CertificateParams {
    CertificateParams::new(vec![name.to_owned()]).unwrap()
}

/// TLS in front of a server. Stops when dropped.
pub(crate) struct TlsFront {
    address: SocketAddr,
    handshakes: Arc<AtomicUsize>,
    task: JoinHandle<()>,
}

impl TlsFront {
    /// Shows `identity`, and passes on to `behind` what comes once a client is content with it.
    pub(crate) async fn start(identity: &Identity, behind: SocketAddr) -> Self {
        let acceptor = acceptor(identity);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let handshakes = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&handshakes);
        let task = tokio::spawn(async move {
            let mut serving = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let (acceptor, counter) = (acceptor.clone(), Arc::clone(&counter));
                serving.spawn(async move {
                    let Ok(mut stream) = acceptor.accept(stream).await else {
                        return;
                    };
                    counter.fetch_add(1, Ordering::SeqCst);
                    let mut behind = TcpStream::connect(behind).await.unwrap();
                    // Ends when either side goes, which is no concern of this one.
                    let _ = tokio::io::copy_bidirectional(&mut stream, &mut behind).await;
                });
            }
        });
        Self {
            address,
            handshakes,
            task,
        }
    }

    pub(crate) fn port(&self) -> u16 {
        self.address.port()
    }

    /// By address; a certificate for `127.0.0.1` fits.
    pub(crate) fn url(&self) -> String {
        format!("https://{}", self.address)
    }

    /// Handshakes that both sides were content with.
    pub(crate) fn handshakes(&self) -> usize {
        self.handshakes.load(Ordering::SeqCst)
    }
}

impl Drop for TlsFront {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn acceptor(identity: &Identity) -> TlsAcceptor {
    let key = PrivateKeyDer::try_from(identity.key.serialize_der()).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![identity.certificate.clone()], key)
        .unwrap();
    TlsAcceptor::from(Arc::new(config))
}
