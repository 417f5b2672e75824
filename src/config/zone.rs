//! The release of the zone data that schedules are computed with: a tick's instant is only as true
//! as that, so the ledger keeps it beside every definition.

use std::fs;
use std::io::{BufRead, BufReader};

/// The system's copy, which jiff reads first, says its release in its first line.
const SYSTEM: &str = "/usr/share/zoneinfo/tzdata.zi";

/// `2026f` of the system's zone data, or `bundled` where the machine has none and the copy in this
/// program is used.
pub fn zone_data() -> String {
    let first_line = fs::File::open(SYSTEM).ok().and_then(|file| {
        let mut line = String::new();
        BufReader::new(file).read_line(&mut line).ok()?;
        Some(line)
    });
    let release = first_line
        .as_deref()
        .and_then(|line| line.strip_prefix("# version "));
    match release.map(str::trim) {
        Some(release) if !release.is_empty() && release.len() < 32 => release.to_owned(),
        _ if std::path::Path::new("/usr/share/zoneinfo").is_dir() => "system".to_owned(),
        _ => "bundled".to_owned(),
    }
}
