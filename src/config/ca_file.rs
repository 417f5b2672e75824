//! `ca_file`: certificates of authorities, looked at while a person is there to mend them.
//!
//! The daemon reads the file again when it makes its client, and may be refused by it then. What is
//! accepted here is what the client accepts: both ask rustls.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use super::error::Problem;
use super::file;
use super::sources::Sources;

/// Largest file. All authorities of a Linux distribution take a quarter of a MiB.
const MAX_BYTES: u64 = 4 << 20;

/// Most files of one configuration, each of which takes the time to parse it.
const MAX_FILES: usize = 100;

/// What is known of the files named so far: workspaces often share one.
#[derive(Debug, Default)]
pub(super) struct CaFiles(BTreeMap<PathBuf, Result<(), Problem>>);

impl CaFiles {
    /// Whether the file can serve.
    pub(super) fn look_at(&mut self, path: &Path, sources: &mut Sources) -> Result<(), Problem> {
        // Also one that is refused: whoever mends it need not touch the configuration.
        sources.look_at(path);
        if let Some(known) = self.0.get(path) {
            return known.clone();
        }
        if self.0.len() >= MAX_FILES {
            let problem = Problem::new(format!("more than {MAX_FILES} files of authorities"));
            return Err(problem.hint("put the certificates into one file"));
        }
        let found = look_at(path);
        self.0.insert(path.to_owned(), found.clone());
        found
    }
}

/// The path is told only where such a file is: a secret may stand in any place it does not belong.
fn look_at(path: &Path) -> Result<(), Problem> {
    file::look_at(path, MAX_BYTES, "name a file of certificates alone")?;
    let bytes = file::read_bytes(path, MAX_BYTES)?;
    let file = path.display();
    let wrong = |what: &str| Problem::new(format!("{file} {what}"));
    let wanted = "name the PEM file of the certificate of the authority that issued the server's";
    let mut trusted = RootCertStore::empty();
    for (index, certificate) in CertificateDer::pem_slice_iter(&bytes).enumerate() {
        let number = index + 1;
        // The error of PEM would quote a line.
        let certificate = certificate.map_err(|_| {
            wrong(&format!("is broken PEM, at its certificate {number}")).hint("copy it anew")
        })?;
        trusted.add(certificate).map_err(|error| {
            wrong(&format!("cannot serve, its certificate {number}: {error}")).hint("copy it anew")
        })?;
    }
    if !trusted.is_empty() {
        return Ok(());
    }
    let has = |words: &str| {
        bytes
            .windows(words.len())
            .any(|some| some == words.as_bytes())
    };
    Err(if has("PRIVATE KEY-----") {
        wrong("holds a private key and no certificate").hint(format!("{wanted}; no key is wanted"))
    } else if has("-----BEGIN ") {
        wrong("holds no certificate").hint(wanted)
    } else if trusted.add(CertificateDer::from(bytes.as_slice())).is_ok() {
        wrong("is not PEM but DER").hint(format!(
            "convert it: openssl x509 -inform der -in {file} -out ca.pem"
        ))
    } else {
        wrong("is not PEM").hint(wanted)
    })
}
