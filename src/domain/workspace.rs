//! A Guance workspace: where calls go, with which keys, and within which limits.

use std::fmt;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::sync::Arc;

use super::secret::{Secret, SecretRef};

/// Calls under way at once, where the configuration does not say it.
pub const DEFAULT_IN_FLIGHT: usize = 16;

/// The name of a workspace entry in the configuration.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WorkspaceName(pub Arc<str>);

impl fmt::Display for WorkspaceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One entry of `workspaces`, parsed; its keys are still references.
#[derive(Clone, Debug, PartialEq)]
pub struct Workspace {
    /// The entry's name.
    pub name: WorkspaceName,
    /// Scheme, host, port and optional path prefix, without a trailing slash.
    pub base_url: String,
    /// At least one; several share the load.
    pub api_keys: Vec<SecretRef>,
    /// How many calls may be sent in any minute.
    pub quota: Quota,
    /// Calls under way at once, at most.
    pub max_in_flight: usize,
    /// Bytes of a reply after decompression; a longer one is `unknown/bad_reply`.
    pub max_reply: usize,
    /// Plain http to another machine is allowed.
    pub insecure: bool,
    /// A PEM bundle to trust beside the system's roots.
    pub ca_file: Option<PathBuf>,
    /// A proxy; none is used unless named here.
    pub proxy: Option<String>,
}

impl Workspace {
    /// Scheme, host and port of the base URL: what a key belongs to.
    pub fn origin(&self) -> &str {
        let url = &self.base_url;
        let host = url.find("://").map_or(0, |at| at + 3);
        let end = url[host..].find('/').map_or(url.len(), |at| host + at);
        &url[..end]
    }
}

/// Limits per sliding minute; `None` is no limit. The documented ones (20 a key, 200 a workspace)
/// are the configuration's defaults.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quota {
    /// Calls per minute with one key.
    pub per_key: Option<NonZeroU32>,
    /// Calls per minute with all keys of the workspace.
    pub per_workspace: Option<NonZeroU32>,
}

/// What a key is known by: its origin and the first 8 hex digits of its value's SHA-256.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId(pub Arc<str>);

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A key whose reference has been resolved.
#[derive(Clone, Debug)]
pub struct ApiKey {
    /// How it is shown and stored.
    pub id: KeyId,
    /// What the header carries.
    pub secret: Secret,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_scheme_host_and_port() {
        let workspace = |base_url: &str| Workspace {
            name: WorkspaceName(Arc::from("prod")),
            base_url: base_url.to_owned(),
            api_keys: Vec::new(),
            quota: Quota {
                per_key: None,
                per_workspace: None,
            },
            max_in_flight: 1,
            max_reply: 1,
            insecure: false,
            ca_file: None,
            proxy: None,
        };
        for (base_url, origin) in [
            ("https://a.example:8443/prefix", "https://a.example:8443"),
            ("https://a.example", "https://a.example"),
        ] {
            assert_eq!(workspace(base_url).origin(), origin);
        }
    }
}
