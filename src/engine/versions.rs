//! What changes between two sets of definitions, and what that does to the past (contract, section
//! 3, Changes).

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;

use super::jobset::JobSet;
use crate::domain::job::{Job, JobName};
use crate::store::{Gap, LoadedVersion, VersionChange};

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

/// The changes from what the ledger believes to be loaded to `next`. `parse` reads an old definition;
/// one that it cannot read counts as rescheduled.
pub(super) fn changes(
    loaded: &[LoadedVersion],
    next: &JobSet,
    parse: impl Fn(&LoadedVersion) -> Option<Job>,
) -> BTreeMap<JobName, Change> {
    let mut changes = BTreeMap::new();
    let old: BTreeMap<&JobName, &LoadedVersion> = loaded
        .iter()
        .map(|version| (&version.job, version))
        .collect();
    for (name, job) in &next.jobs {
        let change = match old.get(name) {
            None => Some(Change::Added),
            Some(old) if old.definition_hash == job.hash && old.zone_data == next.zone_data => None,
            Some(old) if old.definition_hash == job.hash => Some(Change::ZoneData),
            Some(old) => Some(match parse(old) {
                Some(old) if same_ticks(&old, job) => Change::Edited,
                _ => Change::Rescheduled,
            }),
        };
        changes.extend(change.map(|change| (name.clone(), change)));
    }
    let removed = old.keys().filter(|name| !next.jobs.contains_key(**name));
    changes.extend(removed.map(|name| ((*name).clone(), Change::Removed)));
    changes
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
        .map(|job| (job.hash.clone(), Arc::clone(&job.definition)));
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
