//! The zone data that schedules are computed with: a tick's instant is only as true as that, so the
//! ledger keeps which it was beside every definition.
//!
//! The release alone does not say it. A vendor patches within a release, Alpine's package does not
//! tell its own, and an auditor that is not told of a difference reports a hole without its cause.
//! So the rules themselves are digested too.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

use jiff::tz;
use sha2::{Digest, Sha256};

use super::environment::Environment;
use super::secrets::hex;

/// Where jiff looks for the system's zone data, after `$TZDIR` and in this order.
const DIRECTORIES: [&str; 3] = [
    "/usr/share/zoneinfo",
    "/usr/share/lib/zoneinfo",
    "/etc/zoneinfo",
];

/// Says its release in its first line.
const RELEASE_FILE: &str = "tzdata.zi";

/// Digits of the digest that are kept.
const DIGITS: usize = 8;

/// `2026f (1c0ffee5)`, the release and the digest of the system's zone data; `system (…)` where its
/// release is not told; `bundled` where the machine has none and the copy in this program is used.
pub fn zone_data() -> String {
    let Some(directory) = directory() else {
        return "bundled".to_owned();
    };
    let release = release(&directory);
    let release = release.as_deref().unwrap_or("system");
    format!("{release} ({})", digest(&directory))
}

/// Forgets the rules that were read before: jiff believes a file for five minutes. Schedules that are
/// parsed already keep theirs.
pub fn renew_zone_data() {
    tz::db().reset();
}

/// The file that a new release changes, whatever else it does.
pub(super) fn release_file() -> Option<PathBuf> {
    directory().map(|directory| directory.join(RELEASE_FILE))
}

fn directory() -> Option<PathBuf> {
    let named = Environment::process().get("TZDIR").map(PathBuf::from);
    named
        .into_iter()
        .chain(DIRECTORIES.map(PathBuf::from))
        .find(|directory| directory.is_dir())
}

fn release(directory: &Path) -> Option<String> {
    let mut line = String::new();
    let file = fs::File::open(directory.join(RELEASE_FILE)).ok()?;
    BufReader::new(file).read_line(&mut line).ok()?;
    let release = line.strip_prefix("# version ")?.trim();
    (!release.is_empty() && release.len() < 32).then(|| release.to_owned())
}

fn digest(directory: &Path) -> String {
    let mut digest = Sha256::new();
    for name in tz::db().available() {
        let name = name.as_str();
        digest.update(name);
        digest.update(fs::read(directory.join(name)).unwrap_or_default());
    }
    let mut digits = hex(&digest.finalize());
    digits.truncate(DIGITS);
    digits
}
