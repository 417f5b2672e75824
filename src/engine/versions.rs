//! What changes between two sets of definitions, and what that does to the past (contract, section
//! 3, Changes).

use std::collections::{BTreeMap, HashMap, HashSet};

use jiff::Timestamp;

use super::jobset::JobSet;
use crate::config::definition;
use crate::domain::job::{DefinitionHash, Job, JobName};
use crate::store::{Gap, LoadedVersion, Reader, StoreError, VersionChange};

/// How one job changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// It was not loaded before.
    Added,
    /// It is no longer loaded.
    Removed,
    /// Its ticks change: its cursor moves to now.
    Rescheduled,
    /// Something else changes: its cursor stays.
    Edited,
    /// Only the zone data has: the same definition, from now on with other rules.
    ZoneData,
}

impl Change {
    /// The word in a reload's event.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Added => "added",
            Self::Removed => "removed",
            Self::Rescheduled => "rescheduled",
            Self::Edited => "edited",
            Self::ZoneData => "zone_data",
        }
    }

    /// Whether the old definition's open past is closed as missed.
    const fn closes_the_past(self) -> bool {
        matches!(self, Self::Removed | Self::Rescheduled)
    }
}

/// Old definitions that are read at once: all of them would be another configuration in memory.
pub(super) const READ_AT_ONCE: usize = 1024;

/// The jobs that definitions of the ledger stand for, by their hashes. One that this version cannot
/// read is left out.
///
/// # Errors
/// Where the ledger fails.
pub(super) async fn old_jobs(
    reader: &Reader,
    hashes: &[&DefinitionHash],
) -> Result<HashMap<DefinitionHash, Job>, StoreError> {
    if hashes.is_empty() {
        return Ok(HashMap::new());
    }
    let texts = reader.definitions(hashes).await?;
    let jobs = texts
        .into_iter()
        .filter_map(|(hash, text)| Some((hash, definition::read(&text).ok()?)));
    Ok(jobs.collect())
}

/// The changes from what the ledger believes to be loaded to `next`. One whose old definition cannot be
/// read counts as rescheduled.
///
/// # Errors
/// Where the ledger fails.
pub(super) async fn changes(
    reader: &Reader,
    loaded: &[LoadedVersion],
    next: &JobSet,
) -> Result<BTreeMap<JobName, Change>, StoreError> {
    let mut changes = BTreeMap::new();
    let mut edited = Vec::new();
    for old in loaded {
        match next.jobs.get(&old.job) {
            None => _ = changes.insert(old.job.clone(), Change::Removed),
            Some(job) if job.hash != old.definition_hash => edited.push((old, job)),
            Some(_) if old.zone_data != next.zone_data => {
                changes.insert(old.job.clone(), Change::ZoneData);
            }
            Some(_) => {}
        }
    }
    let known: HashSet<&JobName> = loaded.iter().map(|old| &old.job).collect();
    let added = next.jobs.keys().filter(|name| !known.contains(name));
    changes.extend(added.map(|name| (name.clone(), Change::Added)));
    for part in edited.chunks(READ_AT_ONCE) {
        let hashes: Vec<_> = part.iter().map(|(old, _)| &old.definition_hash).collect();
        let before = old_jobs(reader, &hashes).await?;
        for (old, job) in part {
            let change = match before.get(&old.definition_hash) {
                Some(before) if same_ticks(before, job) => Change::Edited,
                _ => Change::Rescheduled,
            };
            changes.insert(job.name.clone(), change);
        }
    }
    Ok(changes)
}

/// The spans still to be planned that a change closes with its job: nothing of them is caught up.
pub(super) fn closed_gaps<'g>(
    gaps: impl IntoIterator<Item = &'g Gap>,
    changes: &BTreeMap<JobName, Change>,
) -> Vec<Gap> {
    gaps.into_iter()
        .filter(|gap| !gap.superseded && closes_the_past_of(changes, &gap.job))
        .map(|gap| Gap {
            superseded: true,
            ..gap.clone()
        })
        .collect()
}

/// Whether the job's open past is closed as missed.
pub(super) fn closes_the_past_of(changes: &BTreeMap<JobName, Change>, job: &JobName) -> bool {
    changes
        .get(job)
        .copied()
        .is_some_and(Change::closes_the_past)
}

/// Whether two definitions have the same ticks by their words.
fn same_ticks(a: &Job, b: &Job) -> bool {
    a.enabled == b.enabled
        && a.schedule.expressions() == b.schedule.expressions()
        && a.schedule.timezone_name() == b.schedule.timezone_name()
        && a.schedule.dst() == b.schedule.dst()
        && a.schedule.starts_at() == b.schedule.starts_at()
        && a.schedule.ends_at() == b.schedule.ends_at()
        && a.schedule.days() == b.schedule.days()
        && a.spread == b.spread
}

/// The row for a change. `cursor` is where an edited job's new interval begins; everything else
/// begins at `now`.
pub(super) fn row(
    name: &JobName,
    change: Change,
    next: &JobSet,
    cursor: Timestamp,
    now: Timestamp,
) -> VersionChange {
    let loaded = next
        .jobs
        .get(name)
        .map(|job| (job.hash.clone(), job.definition.clone()));
    VersionChange {
        job: name.clone(),
        loaded,
        zone_data: next.zone_data.clone(),
        at: if matches!(change, Change::Edited | Change::ZoneData) {
            cursor
        } else {
            now
        },
    }
}
