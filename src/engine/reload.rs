//! A reload: another configuration takes over, all at once.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;

use super::timetable::Timetable;
use super::versions::{self, Change};
use super::{Engine, EngineError, JobSet};
use crate::domain::attempt::head;
use crate::domain::job::JobName;
use crate::store::{Event, Plan, StoreError};

/// How much of a refusal is kept with its event: the log has all of it.
const FAULTS_KEPT: usize = 5;
/// In bytes.
const FAULT_LENGTH: usize = 512;

/// What a reload changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Difference {
    changes: BTreeMap<JobName, &'static str>,
}

impl Difference {
    /// Whether no job changed.
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    /// Each changed job with `added`, `removed`, `rescheduled`, `edited` or `zone_data`.
    pub fn changes(&self) -> impl Iterator<Item = (&JobName, &'static str)> {
        self.changes.iter().map(|(name, change)| (name, *change))
    }
}

/// Who has it reload, and what of the configuration stays as it was.
#[derive(Clone, Copy, Debug)]
struct By<'a> {
    actor: &'a str,
    at_next_start: &'a [&'a str],
}

impl Engine {
    /// Takes over a validated configuration. Everything up to now is planned by the old definitions
    /// first; calls under way finish on theirs, and waiting runs keep theirs. Held keys are freed. What
    /// no longer runs, the next step ends. `at_next_start` names keys of the configuration that have
    /// changed to no effect, for the event.
    ///
    /// # Errors
    /// Where the ledger or the client fails; the old configuration then stays.
    pub async fn reload(
        &mut self,
        next: JobSet,
        actor: &str,
        at_next_start: &[&str],
    ) -> Result<Difference, EngineError> {
        let client = Arc::new(self.client.renewed(&next.workspaces)?);
        self.take_in_told();
        // One instant for all of it, though the writing takes its time: ticks up to it are the old
        // definitions', ticks after it the new ones'.
        let now = self.believed_now().max(self.planned_through);
        self.plan_all_due(now).await?;
        let by = By {
            actor,
            at_next_start,
        };
        let difference = self.write_versions(&next, now, by).await?;
        self.client = client;
        self.jobs = Arc::new(next);
        // Before those that are no longer used are forgotten.
        for (workspace, key) in self.permits.free_all_keys() {
            self.note_freed(&workspace, &key, "a reload");
        }
        self.permits.configure(&self.jobs);
        self.lines.configure(self.jobs.clone());
        self.timetable = Timetable::new(self.jobs.jobs.values(), now);
        self.stray = true;
        Ok(difference)
    }

    /// Takes over what [`versions::closed_gaps`] gave to the ledger.
    pub(super) fn close_gaps(&mut self, changes: &BTreeMap<JobName, Change>) {
        for gap in &mut self.gaps {
            gap.superseded |= versions::closes_the_past_of(changes, &gap.job);
        }
    }

    /// The present without a jump of the clock that is still in doubt.
    pub(super) fn believed_now(&mut self) -> Timestamp {
        let now = self.clock.now();
        self.watch.look(now, self.clock.monotonic());
        self.watch.believed(now)
    }

    /// Records that a configuration was refused, and the first of what is wrong with it; the running one
    /// stays.
    ///
    /// # Errors
    /// Where the ledger fails.
    pub async fn record_refused_reload(
        &self,
        actor: &str,
        faults: &[String],
        omitted: usize,
    ) -> Result<(), StoreError> {
        let redactor = self.redactor();
        let first: Vec<String> = faults
            .iter()
            .take(FAULTS_KEPT)
            .map(|fault| head(&redactor.redact(fault), FAULT_LENGTH).to_owned())
            .collect();
        let errors = faults.len() + omitted;
        let event = Event {
            at: self.clock.now(),
            kind: "reload_failed",
            actor: actor.to_owned(),
            detail: serde_json::json!({ "errors": errors, "first": first }).to_string(),
        };
        self.ledger.record(event).await
    }

    async fn write_versions(
        &mut self,
        next: &JobSet,
        now: Timestamp,
        by: By<'_>,
    ) -> Result<Difference, StoreError> {
        let changes = versions::changes(self.ledger.reader(), next, |_| {}).await?;
        let rows = changes
            .iter()
            .map(|(name, change)| versions::row(name, *change, next, now, now));
        let words: BTreeMap<JobName, &'static str> = changes
            .iter()
            .map(|(name, change)| (name.clone(), Change::as_str(*change)))
            .collect();
        let plan = Plan {
            opened: versions::closed_gaps(&self.gaps, &changes),
            versions: rows.collect(),
            events: vec![event(now, next, &words, by)],
            ..Plan::nothing(now, now)
        };
        self.ledger.plan(plan).await?;
        self.planned_through = now;
        self.close_gaps(&changes);
        // Those that are still needed can be read from the ledger. Kept, they would be a second
        // configuration where every job has changed.
        self.old_definitions.clear();
        Ok(Difference { changes: words })
    }
}

fn event(
    at: Timestamp,
    next: &JobSet,
    changes: &BTreeMap<JobName, &'static str>,
    by: By<'_>,
) -> Event {
    let changes: BTreeMap<&str, &str> = changes
        .iter()
        .map(|(name, word)| (name.as_str(), *word))
        .collect();
    let mut detail = serde_json::json!({ "jobs": next.jobs.len(), "changes": changes });
    if !by.at_next_start.is_empty() {
        detail["at_next_start"] = by.at_next_start.into();
    }
    Event {
        at,
        kind: "reload",
        actor: by.actor.to_owned(),
        detail: detail.to_string(),
    }
}
