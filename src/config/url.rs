//! Addresses: a workspace's base URL and proxy, and the ledger's.
//!
//! An address is never quoted in a message: it may hold a password.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::path::{Path, PathBuf};

use super::error::Problem;
use super::reference::beside;

/// Where the ledger is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DatabaseUrl {
    /// A file of SQLite, by its absolute path.
    Sqlite(PathBuf),
}

impl fmt::Display for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(path) => write!(f, "sqlite://{}", path.display()),
        }
    }
}

impl Default for DatabaseUrl {
    /// The packaged service's ledger.
    fn default() -> Self {
        Self::Sqlite(PathBuf::from("/var/lib/funcron/funcron.db"))
    }
}

impl DatabaseUrl {
    /// The ledger's file.
    pub fn path(&self) -> &Path {
        match self {
            Self::Sqlite(path) => path,
        }
    }

    /// Parses `sqlite:///absolute`, `sqlite://relative` or `sqlite:PATH`. A relative path counts
    /// from the directory of `file`, which names it.
    pub(super) fn parse(text: &str, file: &Path) -> Result<Self, Problem> {
        let example = "write sqlite:///var/lib/funcron/funcron.db";
        if text.starts_with("postgres://") || text.starts_with("postgresql://") {
            return Err(Problem::new("PostgreSQL is not supported yet").hint(example));
        }
        let Some(path) = text.strip_prefix("sqlite:") else {
            return Err(Problem::new("wants the address of a SQLite file").hint(example));
        };
        let path = path.strip_prefix("//").unwrap_or(path);
        if path.contains(":memory:") || path.is_empty() || path.ends_with('/') {
            return Err(Problem::new("the ledger must be a file").hint(example));
        }
        if path.contains(['?', '#']) || path.contains(|c: char| c.is_control()) {
            return Err(Problem::new("the ledger's address takes no parameters").hint(example));
        }
        Ok(Self::Sqlite(beside(file, path)))
    }
}

/// An http or https address, checked and in its one spelling: scheme and host in lower case, the
/// scheme's own port left out, no slash at the end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct HttpUrl {
    pub(super) text: String,
    pub(super) is_https: bool,
    pub(super) is_loopback: bool,
    pub(super) has_path: bool,
}

impl HttpUrl {
    /// Parses an address of scheme, host, optional port and optional path.
    pub(super) fn parse(text: &str) -> Result<Self, Problem> {
        let example = "write one such as https://openapi.example.com";
        let wrong = |what: &str| Problem::new(what).hint(example);
        let (scheme, rest) = text
            .split_once("://")
            .ok_or_else(|| wrong("wants an address with its scheme"))?;
        let is_https = match scheme.to_ascii_lowercase().as_str() {
            "https" => true,
            "http" => false,
            _ => return Err(wrong("wants an http or https address")),
        };
        if rest.contains(['?', '#']) {
            return Err(wrong("the address takes no query and no fragment"));
        }
        let (authority, path) = match rest.find('/') {
            Some(slash) => rest.split_at(slash),
            None => (rest, ""),
        };
        if authority.contains('@') {
            return Err(
                Problem::new("an address with a user or password in it is refused")
                    .hint("secrets are never written here; leave them out"),
            );
        }
        let (host, port) = split_port(authority).ok_or_else(|| wrong("the port is no number"))?;
        let host = host.to_ascii_lowercase();
        if !is_host(&host) {
            return Err(wrong("the host is no name and no IP address"));
        }
        let legal = |b: u8| b.is_ascii_alphanumeric() || b"-._~%!$&'()*+,;=:@/".contains(&b);
        let path = path.trim_end_matches('/');
        if !path.bytes().all(legal) || path.split('/').any(|part| part == "." || part == "..") {
            return Err(wrong("the path holds what a path may not"));
        }
        let default_port = if is_https { 443 } else { 80 };
        let port = match port {
            Some(port) if port != default_port => format!(":{port}"),
            _ => String::new(),
        };
        let scheme = if is_https { "https" } else { "http" };
        Ok(Self {
            text: format!("{scheme}://{host}{port}{path}"),
            is_https,
            is_loopback: is_loopback(&host),
            has_path: !path.is_empty(),
        })
    }
}

fn split_port(authority: &str) -> Option<(&str, Option<u16>)> {
    let end_of_host = authority.rfind(']').map_or(0, |bracket| bracket + 1);
    match authority[end_of_host..].find(':') {
        None => Some((authority, None)),
        Some(colon) => {
            let (host, port) = authority.split_at(end_of_host + colon);
            let digits = &port[1..];
            let port = digits.parse().ok().filter(|port| *port != 0)?;
            digits
                .bytes()
                .all(|b| b.is_ascii_digit())
                .then_some((host, Some(port)))
        }
    }
}

fn is_host(host: &str) -> bool {
    if let Some(address) = bracketed(host) {
        return address.parse::<Ipv6Addr>().is_ok();
    }
    let label = |label: &str| {
        !label.is_empty()
            && label.len() <= 63
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
    };
    // Of digits alone it must be a whole IPv4 address: `127.1` means 127.0.0.1 to some clients.
    let is_numeric = host
        .rsplit('.')
        .next()
        .is_some_and(|last| last.bytes().all(|b| b.is_ascii_digit()));
    host.len() <= 253
        && host.split('.').all(label)
        && (!is_numeric || host.parse::<Ipv4Addr>().is_ok())
}

fn bracketed(host: &str) -> Option<&str> {
    host.strip_prefix('[')?.strip_suffix(']')
}

fn is_loopback(host: &str) -> bool {
    if let Some(address) = bracketed(host) {
        return address.parse().is_ok_and(|ip: Ipv6Addr| ip.is_loopback());
    }
    host == "localhost" || host.parse().is_ok_and(|ip: Ipv4Addr| ip.is_loopback())
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_one_spelling() {
        for (written, one) in [
            ("https://openapi.guance.com", "https://openapi.guance.com"),
            (
                "HTTPS://OpenAPI.guance.com:443/",
                "https://openapi.guance.com",
            ),
            ("http://127.0.0.1:8088/a/b//", "http://127.0.0.1:8088/a/b"),
            ("http://[::1]:80", "http://[::1]"),
        ] {
            assert_eq!(HttpUrl::parse(written).unwrap().text, one, "{written}");
        }
    }

    #[test]
    fn an_address_that_could_be_read_two_ways_is_refused() {
        for written in [
            "",
            "openapi.guance.com",
            "ftp://a",
            "https://",
            "https:///path",
            "https://user:pw@host",
            "https://host@evil.com",
            "https://a?b",
            "https://a#b",
            "https://a:0",
            "https://a:99999",
            "https://a:+80",
            "https://a b",
            "https://a\\b",
            "https://[::1",
            "https://127.1",
            "https://ä.com",
            "https://a..b",
            "https://a/../b",
            "https://a/\u{7f}",
        ] {
            assert!(HttpUrl::parse(written).is_err(), "{written}");
        }
    }

    #[test]
    fn only_this_machine_is_loopback() {
        for (host, loopback) in [
            ("http://localhost:1", true),
            ("http://127.9.9.9", true),
            ("http://[::1]", true),
            ("http://localhost.evil.com", false),
            ("http://10.0.0.1", false),
        ] {
            assert_eq!(
                HttpUrl::parse(host).unwrap().is_loopback,
                loopback,
                "{host}"
            );
        }
    }

    #[test]
    fn a_ledger_is_a_file_and_a_relative_one_lies_beside_the_file_that_names_it() {
        let parse = |text| DatabaseUrl::parse(text, Path::new("/etc/funcron/jobs.yaml"));
        for (text, path) in [
            ("sqlite:///var/x.db", "/var/x.db"),
            ("sqlite://x.db", "/etc/funcron/x.db"),
            ("sqlite:x.db", "/etc/funcron/x.db"),
            ("sqlite:/x.db", "/x.db"),
        ] {
            assert_eq!(parse(text), Ok(DatabaseUrl::Sqlite(path.into())), "{text}");
        }
        for text in [
            "postgres://u:p@h/db",
            "postgresql://h/db",
            "sqlite::memory:",
            "sqlite://",
            "sqlite:///dir/",
            "sqlite:///x.db?mode=ro",
            "mysql://x",
            "/var/x.db",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
