//! What changes between two sets of definitions, and what that does to the past (contract, section
//! 3, Changes).

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

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

/// Versions that are looked at together: all of them would be another configuration in memory.
const PAGE: u32 = 1024;

/// A version of the ledger beside what is to be loaded.
pub(super) struct Compared<'v> {
    /// What the ledger believes to be loaded.
    pub(super) version: &'v LoadedVersion,
    /// Whether its job's open past is closed by the change.
    pub(super) is_closed: bool,
    /// The job by which that past is planned: as it was where it is closed, else as it is to be.
    pub(super) job: &'v Job,
}

/// The changes from what the ledger believes to be loaded to `next`; `seen` is told of each version by
/// which a past can be planned. One whose old definition cannot be read counts as rescheduled.
///
/// # Errors
/// Where the ledger fails.
pub(super) async fn changes(
    reader: &Reader,
    next: &JobSet,
    mut seen: impl FnMut(Compared<'_>),
) -> Result<BTreeMap<JobName, Change>, StoreError> {
    let mut changes = BTreeMap::new();
    // The ledger's and these are both by name.
    let mut to_come = next.jobs.values().peekable();
    let mut after = None;
    loop {
        let page = reader.loaded_versions(after.as_ref(), PAGE).await?;
        let Some(last) = page.last() else { break };
        after = Some(last.job.clone());
        let before = old_jobs(reader, &page, next).await?;
        for version in &page {
            while let Some(job) = to_come.next_if(|job| job.name < version.job) {
                changes.insert(job.name.clone(), Change::Added);
            }
            let job = to_come.next_if(|job| job.name == version.job);
            let old = before.get(&version.definition_hash);
            let change = change(version, old, job, &next.zone_data);
            if let Some(change) = change {
                changes.insert(version.job.clone(), change);
            }
            let is_closed = change.is_some_and(Change::closes_the_past);
            let planned_by = if is_closed { old } else { job.map(Arc::as_ref) };
            if let Some(job) = planned_by {
                seen(Compared {
                    version,
                    is_closed,
                    job,
                });
            }
        }
    }
    changes.extend(to_come.map(|job| (job.name.clone(), Change::Added)));
    Ok(changes)
}

/// What becomes of a version; `old` is the job that it stands for.
fn change(
    version: &LoadedVersion,
    old: Option<&Job>,
    next: Option<&Arc<Job>>,
    zone_data: &str,
) -> Option<Change> {
    let Some(next) = next else {
        return Some(Change::Removed);
    };
    if version.definition_hash == next.hash {
        return (version.zone_data != zone_data).then_some(Change::ZoneData);
    }
    Some(match old {
        Some(old) if same_ticks(old, next) => Change::Edited,
        _ => Change::Rescheduled,
    })
}

/// The jobs of those versions that do not stay, by their hashes. A definition that this release cannot
/// read is left out.
async fn old_jobs(
    reader: &Reader,
    versions: &[LoadedVersion],
    next: &JobSet,
) -> Result<HashMap<DefinitionHash, Job>, StoreError> {
    let stays = |version: &&LoadedVersion| {
        let job = next.jobs.get(&version.job);
        job.is_some_and(|job| job.hash == version.definition_hash)
    };
    let going = versions.iter().filter(|version| !stays(version));
    let hashes: Vec<_> = going.map(|version| &version.definition_hash).collect();
    if hashes.is_empty() {
        return Ok(HashMap::new());
    }
    let texts = reader.definitions(&hashes).await?;
    let jobs = texts
        .into_iter()
        .filter_map(|(hash, text)| Some((hash, definition::read(&text).ok()?)));
    Ok(jobs.collect())
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

/// The row for a change. `planned` is how far the job is planned, where an edited one's new interval
/// begins; everything else begins at `now`.
pub(super) fn row(
    name: &JobName,
    change: Change,
    next: &JobSet,
    planned: Timestamp,
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
            planned
        } else {
            now
        },
    }
}
