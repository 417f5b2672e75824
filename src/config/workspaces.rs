//! Workspaces as written → [`Workspace`]s.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::path::PathBuf;

use super::ca_file::CaFiles;
use super::error::{Position, Problem, Report};
use super::raw;
use super::read::{At, Key};
use super::reference::{WAYS, beside};
use super::sources::Sources;
use super::url::HttpUrl;
use crate::domain::nearest::nearest;
use crate::domain::secret::SecretRef;
use crate::domain::site::{self, Site};
use crate::domain::workspace::{DEFAULT_IN_FLIGHT, Quota, Workspace, WorkspaceName};

/// The documented limits.
const DOCUMENTED: Quota = Quota {
    per_key: NonZeroU32::new(20),
    per_workspace: NonZeroU32::new(200),
};

/// Most API keys of one workspace.
const MAX_KEYS: usize = 100;

/// Makes the workspace, or reports why not.
pub(super) fn make(
    name: &At<String>,
    raw: &At<raw::Workspace>,
    ca_files: &mut CaFiles,
    sources: &mut Sources,
    report: &mut Report,
) -> Option<Workspace> {
    let path = format!("workspaces.{}", name.value);
    if !is_name(&name.value) {
        let problem = Problem::new("a workspace's name is 1 to 64 of a-z, A-Z, 0-9, `.`, `_`, `-`");
        report.error(name.at, path.clone(), problem.hint("rename it"));
    }
    let insecure = raw.value.insecure.value().copied().unwrap_or(false);
    let base_url = base_url(raw, &path, insecure, report);
    let api_keys = api_keys(raw, &path, report);
    let quota = match raw.value.quota.value() {
        None => DOCUMENTED,
        Some(raw::Quota::None) => Quota {
            per_key: None,
            per_workspace: None,
        },
        Some(raw::Quota::Limits(limits)) => Quota {
            per_key: limits
                .per_key
                .value()
                .map_or(DOCUMENTED.per_key, |rate| rate.0),
            per_workspace: limits
                .per_workspace
                .value()
                .map_or(DOCUMENTED.per_workspace, |rate| rate.0),
        },
    };
    let proxy_may_be_remote = insecure
        || base_url
            .as_ref()
            .is_none_or(|url| url.starts_with("https:"));
    let ca_file = ca_file(&raw.value.ca_file, &path, ca_files, sources, report);
    let proxy = proxy(&raw.value.proxy, &path, proxy_may_be_remote, report);
    Some(Workspace {
        name: WorkspaceName(name.value.as_str().into()),
        base_url: base_url?,
        api_keys: api_keys?,
        quota,
        max_in_flight: raw
            .value
            .max_in_flight
            .value()
            .map_or(DEFAULT_IN_FLIGHT, |whole| whole.0 as usize),
        max_reply: raw.value.max_reply.value().map_or(8 << 20, |size| {
            usize::try_from(size.0).unwrap_or(usize::MAX)
        }),
        insecure,
        ca_file: ca_file?,
        proxy: proxy?,
    })
}

fn is_name(name: &str) -> bool {
    (1..=64).contains(&name.len())
        && name
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
}

fn base_url(
    raw: &At<raw::Workspace>,
    path: &str,
    insecure: bool,
    report: &mut Report,
) -> Option<String> {
    match (&raw.value.site, &raw.value.base_url) {
        (Key::Given(site), Key::Absent) => site_url(site, path, report),
        (Key::Absent, Key::Given(url)) => own_url(url, path, insecure, report),
        (Key::Absent, Key::Absent) => {
            let problem = Problem::new("the workspace says not where it is")
                .hint("add `site: cn1` (or us1, …) or `base_url: https://…`");
            report.error(raw.at, path, problem);
            None
        }
        (Key::Given(_), Key::Given(url)) => {
            let problem = Problem::new("site and base_url are both given");
            report.error(
                url.at,
                format!("{path}.base_url"),
                problem.hint("keep one of the two"),
            );
            None
        }
        _ => None,
    }
}

fn site_url(At { value, at }: &At<String>, path: &str, report: &mut Report) -> Option<String> {
    let problem = match site::find(value) {
        Some(Site::At(base_url)) => return Some(base_url.to_owned()),
        Some(Site::Disputed) => {
            Problem::new("the vendor's sources give this site's host differently")
                .hint("look it up in your console and write base_url: https://…")
        }
        None => {
            let list = site::names().collect::<Vec<_>>().join(", ");
            let problem = Problem::new("there is no site of this name");
            match nearest(value, site::names()) {
                Some(near) => problem.hint(format!("did you mean `{near}`? There is {list}")),
                None => problem.hint(format!("there is {list}; else write base_url: https://…")),
            }
        }
    };
    report.error(*at, format!("{path}.site"), problem);
    None
}

fn own_url(
    At { value, at }: &At<String>,
    path: &str,
    insecure: bool,
    report: &mut Report,
) -> Option<String> {
    let problem = match HttpUrl::parse(value) {
        Ok(url) if url.is_https || url.is_loopback || insecure => return Some(url.text),
        Ok(_) => Problem::new("plain http shows the key to everyone on the way")
            .hint("use https, or say `insecure: true`"),
        Err(problem) => problem,
    };
    report.error(*at, format!("{path}.base_url"), problem);
    None
}

fn api_keys(raw: &At<raw::Workspace>, path: &str, report: &mut Report) -> Option<Vec<SecretRef>> {
    let mut refuse = |at: Position, key: &str, problem: Problem| {
        report.error(at, format!("{path}{key}"), problem);
        None
    };
    match (&raw.value.api_key, &raw.value.api_keys) {
        (Key::Given(one), Key::Absent) => Some(vec![one.value.clone()]),
        (Key::Absent, Key::Given(At { value: list, at })) => {
            if list.0.len() > MAX_KEYS {
                let problem = Problem::new(format!("more than {MAX_KEYS} keys"));
                return refuse(*at, ".api_keys", problem.hint("remove some"));
            }
            let mut keys: Vec<SecretRef> = Vec::with_capacity(list.0.len());
            for At { value, at } in &list.0 {
                if keys.contains(value) {
                    let problem = Problem::new("this key is in the list already");
                    return refuse(*at, ".api_keys", problem.hint("remove it"));
                }
                keys.push(value.clone());
            }
            if keys.is_empty() {
                return refuse(
                    *at,
                    ".api_keys",
                    Problem::new("the list is empty").hint(WAYS),
                );
            }
            Some(keys)
        }
        (Key::Absent, Key::Absent) => {
            let problem = Problem::new("the workspace has no API key");
            refuse(raw.at, "", problem.hint(format!("{WAYS} as api_key")))
        }
        (Key::Given(_), Key::Given(list)) => {
            let problem = Problem::new("api_key and api_keys are both given");
            refuse(list.at, ".api_keys", problem.hint("keep one of the two"))
        }
        _ => None,
    }
}

/// `Some(None)`: there is none.
#[expect(clippy::option_option, reason = "outside: refused; inside: not given")]
fn ca_file(
    key: &Key<String>,
    path: &str,
    ca_files: &mut CaFiles,
    sources: &mut Sources,
    report: &mut Report,
) -> Option<Option<PathBuf>> {
    let At { value, at } = match key {
        Key::Absent => return Some(None),
        Key::Bad => return None,
        Key::Given(given) => given,
    };
    let file = beside(report.file_of(*at), value);
    match ca_files.look_at(&file, sources) {
        Ok(()) => Some(Some(file)),
        Err(problem) => {
            report.error(*at, format!("{path}.ca_file"), problem);
            None
        }
    }
}

/// `Some(None)`: there is none.
#[expect(clippy::option_option, reason = "outside: refused; inside: not given")]
fn proxy(
    key: &Key<String>,
    path: &str,
    may_be_remote: bool,
    report: &mut Report,
) -> Option<Option<String>> {
    let At { value, at } = match key {
        Key::Absent => return Some(None),
        Key::Bad => return None,
        Key::Given(given) => given,
    };
    let problem = match HttpUrl::parse(value) {
        Ok(url) if !url.has_path && (may_be_remote || url.is_loopback) => {
            return Some(Some(url.text));
        }
        Ok(url) if !url.has_path => Problem::new("plain http through a proxy shows it the key")
            .hint("leave the proxy out, use https, or say `insecure: true`"),
        Ok(_) => Problem::new("a proxy's address has no path").hint("write http://HOST:PORT"),
        Err(problem) => problem,
    };
    report.error(*at, format!("{path}.proxy"), problem);
    None
}

/// Reports workspaces that no job uses.
pub(super) fn warn_of_unused<'a>(
    named: &BTreeMap<String, Position>,
    used: impl Iterator<Item = &'a WorkspaceName>,
    report: &mut Report,
) {
    let used: std::collections::HashSet<&str> = used.map(|name| &*name.0).collect();
    for (name, at) in named {
        if !used.contains(name.as_str()) {
            let problem = Problem::new("no job uses this workspace");
            report.warning(
                *at,
                format!("workspaces.{name}"),
                problem.hint("remove it, if unused"),
            );
        }
    }
}
