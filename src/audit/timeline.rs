//! Which definition ruled a job when, and thus where it must have runs.

use sha2::{Digest, Sha256};

use super::definition::Definition;
use super::report::{Finding, List, Noted, timestamp};
use super::scanner::{Tick, ticks};
use crate::store::audit::{JobHistory, Version};

/// The past of one job as far as it was planned and is still there.
pub(super) struct Timeline<'h> {
    history: &'h JobHistory,
    /// Ascending, without overlap.
    intervals: Vec<Interval<'h>>,
}

/// The time `(after_us, through_us]` that a definition ruled.
pub(super) struct Interval<'h> {
    pub(super) after_us: i64,
    pub(super) through_us: i64,
    pub(super) version: &'h Version,
    /// `None` where its text cannot be read; nothing is known of its ticks then.
    pub(super) definition: Option<Definition>,
}

impl<'h> Timeline<'h> {
    /// Lays out a job's intervals from `horizon_us` on, and reports what is wrong with them.
    pub(super) fn new(
        history: &'h JobHistory,
        horizon_us: Option<i64>,
        noted: &mut Noted<'_>,
    ) -> Self {
        let mut report = |at_us: Option<i64>, what: String| {
            noted.add(List::Inconsistent, || Finding {
                job: Some(history.job.clone()),
                scheduled_at: at_us.map(timestamp),
                run_id: None,
                what,
            });
        };
        let mut end = horizon_us.map_or(i64::MIN, |horizon| horizon.saturating_sub(1));
        let mut previous_until = i64::MIN;
        let mut intervals = Vec::new();
        for version in &history.versions {
            let definition = read(version, history, &mut |what| {
                report(Some(version.from_us), what);
            });
            if version.from_us < previous_until {
                report(
                    Some(version.from_us),
                    format!(
                        "definition {} begins before the one ahead of it ends",
                        short(&version.definition_hash)
                    ),
                );
            }
            let until_us = version.until_us.or_else(|| planned_us(history));
            let until_us = until_us.unwrap_or(version.from_us);
            previous_until = previous_until.max(until_us);
            let after_us = version.from_us.max(end);
            if until_us > after_us {
                end = until_us;
                intervals.push(Interval {
                    after_us,
                    through_us: until_us,
                    version,
                    definition,
                });
            }
        }
        for what in cursor_faults(history) {
            report(planned_us(history), what);
        }
        Self { history, intervals }
    }

    /// Every tick that has been planned or lies in a gap, ascending.
    pub(super) fn ticks(&self) -> Box<dyn Iterator<Item = (Tick, &Interval<'h>)> + Send + '_> {
        Box::new(self.intervals.iter().flat_map(|interval| {
            interval
                .definition
                .iter()
                .flat_map(|definition| ticks(definition, interval.after_us, interval.through_us))
                .map(move |tick| (tick, interval))
        }))
    }

    /// The interval that an instant lies in.
    pub(super) fn at(&self, us: i64) -> Option<&Interval<'h>> {
        let index = self.intervals.partition_point(|i| i.through_us < us);
        self.intervals.get(index).filter(|i| i.after_us < us)
    }

    /// Whether an instant is still to be planned.
    pub(super) fn is_in_gap(&self, us: i64) -> bool {
        let gaps = &self.history.gaps;
        gaps.iter().any(|(from, until)| *from < us && us <= *until)
    }

    /// Whether the job was paused at an instant.
    pub(super) fn is_paused(&self, us: i64) -> bool {
        let pauses = &self.history.pauses;
        pauses
            .iter()
            .any(|(from, end)| *from < us && end.is_none_or(|end| us <= end))
    }

    /// Whether a pause began at an instant or later, or lay over it: only that ends a run which
    /// waits from then on.
    pub(super) fn is_paused_from(&self, us: i64) -> bool {
        let pauses = &self.history.pauses;
        pauses
            .iter()
            .any(|(_, end)| end.is_none_or(|end| us <= end))
    }

    /// Whether the job ever had this definition.
    pub(super) fn knows(&self, definition_hash: &str) -> bool {
        let mut versions = self.history.versions.iter();
        versions.any(|version| version.definition_hash == definition_hash)
    }

    /// From the first interval's beginning to the last one's end.
    pub(super) fn span(&self) -> Option<(i64, i64)> {
        let (first, last) = (self.intervals.first()?, self.intervals.last()?);
        Some((first.after_us, last.through_us))
    }
}

fn planned_us(history: &JobHistory) -> Option<i64> {
    history.cursor.as_ref().map(|cursor| cursor.planned_us)
}

/// Reads a definition; a text that was changed is named, and read all the same.
fn read(
    version: &Version,
    history: &JobHistory,
    report: &mut dyn FnMut(String),
) -> Option<Definition> {
    let hash = short(&version.definition_hash);
    let digest: String = Sha256::digest(version.definition.as_bytes())
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    if digest != version.definition_hash {
        report(format!(
            "definition {hash} was changed: the SHA-256 of its text is {digest}"
        ));
    }
    match Definition::read(&version.definition) {
        Ok(definition) => {
            if definition.name != history.job {
                report(format!(
                    "definition {hash} is one of the job `{}`",
                    definition.name
                ));
            }
            Some(definition)
        }
        Err(why) => {
            report(format!(
                "definition {hash} cannot be read, its ticks were not recomputed: {why}"
            ));
            None
        }
    }
}

/// Whether the row of `jobs` and the open interval belong together.
fn cursor_faults(history: &JobHistory) -> Vec<String> {
    let open = history.versions.iter().find(|v| v.until_us.is_none());
    let loaded = history.cursor.as_ref().filter(|cursor| cursor.loaded);
    match (loaded, open) {
        (None, Some(_)) => {
            vec!["a definition rules it still, though it is not loaded".to_owned()]
        }
        (Some(_), None) => vec!["it is loaded, and no definition rules it".to_owned()],
        (Some(cursor), Some(open)) if cursor.definition_hash != open.definition_hash => {
            vec![format!(
                "it is loaded with definition {}, and {} rules it",
                short(&cursor.definition_hash),
                short(&open.definition_hash)
            )]
        }
        _ => Vec::new(),
    }
}

/// The head of a hash, enough to find it.
pub(super) fn short(hash: &str) -> String {
    hash.chars().take(12).collect()
}
