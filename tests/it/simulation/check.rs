//! What must hold when the story is over (contract, sections 2 to 4), by what the ledger says, what
//! the server saw, and what happened; by no code that decided anything of it.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use funcron::audit::{Circumstances, verify};
use funcron::store::audit::AuditReader;
use jiff::Timestamp;

use super::facts::{AttemptRow, Facts, RunRow};
use super::server::Seen;
use super::world::World;
use crate::support::house::ZONE_DATA;

mod calls;
mod orders;
mod overlap;
mod runs;

/// The faults of a world, in words; the first of each kind say enough.
#[derive(Default)]
pub(crate) struct Faults(Vec<String>);

impl Faults {
    fn add(&mut self, promise: &str, what: String) {
        self.0.push(format!("{promise}: {what}"));
    }

    fn unless(&mut self, holds: bool, promise: &str, what: impl FnOnce() -> String) {
        if !holds {
            self.add(promise, what());
        }
    }

    pub(crate) fn into_words(mut self) -> Vec<String> {
        self.0.dedup();
        self.0.truncate(8);
        self.0
    }
}

/// The audit's own findings.
pub(crate) async fn audit(world: &World, faults: &mut Faults) {
    let mut reader = AuditReader::open(&world.ledger_path()).await.unwrap();
    let circumstances = Circumstances {
        daemon_alive: false,
        zone_data_now: ZONE_DATA,
    };
    let report = verify(&mut reader, circumstances).await.unwrap();
    for (list, findings) in report.lists() {
        for finding in &findings.first {
            faults.add(
                "G2/G3",
                format!("the audit lists under {list}: {finding:?}"),
            );
        }
    }
}

/// The story, by whatever is looked up in it.
struct Story<'s> {
    world: &'s World,
    facts: &'s Facts,
    seen: &'s [Seen],
    seen_as: HashMap<(&'s str, u32), &'s Seen>,
    /// When each call of `seen` ended, if need be because it was cut off.
    ends: Vec<Duration>,
    runs: HashMap<&'s str, &'s RunRow>,
    of_job: HashMap<&'s str, Vec<&'s RunRow>>,
    attempts: HashMap<&'s str, Vec<&'s AttemptRow>>,
    /// Every `overlap` that a job of that name ever had.
    policies: HashMap<&'s str, HashSet<&'static str>>,
}

impl<'s> Story<'s> {
    fn new(world: &'s World, facts: &'s Facts, seen: &'s [Seen]) -> Self {
        let mut story = Self {
            world,
            facts,
            seen,
            seen_as: seen
                .iter()
                .map(|seen| ((seen.run.as_str(), seen.attempt), seen))
                .collect(),
            ends: Vec::new(),
            runs: facts.runs.iter().map(|run| (&*run.id, run)).collect(),
            of_job: HashMap::new(),
            attempts: HashMap::new(),
            policies: HashMap::new(),
        };
        for run in &facts.runs {
            story.of_job.entry(&run.job).or_default().push(run);
        }
        for attempt in &facts.attempts {
            let rows = story.attempts.entry(&attempt.run_id).or_default();
            rows.push(attempt);
        }
        for rows in story.attempts.values_mut() {
            rows.sort_by_key(|row| row.attempt);
        }
        for spec in world.specs.values() {
            let policies = story.policies.entry(&spec.name).or_default();
            policies.insert(spec.overlap);
        }
        story.ends = seen.iter().map(|seen| story.end_of(seen)).collect();
        story
    }

    fn attempts_of(&self, run: &RunRow) -> &[&'s AttemptRow] {
        self.attempts
            .get(run.id.as_str())
            .map_or(&[], Vec::as_slice)
    }

    fn row_of(&self, seen: &Seen) -> Option<&'s AttemptRow> {
        let rows = self.attempts.get(seen.run.as_str())?;
        rows.iter().find(|row| row.attempt == seen.attempt).copied()
    }

    /// The policy of a job that never had another.
    fn policy(&self, job: &str) -> Option<&'static str> {
        let policies = &self.policies[job];
        policies
            .iter()
            .next()
            .copied()
            .filter(|_| policies.len() == 1)
    }

    fn ever_had(&self, job: &str, policy: &str) -> bool {
        self.policies[job].contains(policy)
    }

    /// Whether the wall clock came there twice, so that instants around it have no order.
    fn was_set_back(&self, us: i64) -> bool {
        within(&self.world.set_back, us)
    }

    fn was_unwell(&self, us: i64) -> bool {
        within(&self.world.unwell, us)
    }
}

/// Everything else.
pub(crate) fn check(world: &World, facts: &Facts, seen: &[Seen], faults: &mut Faults) {
    let story = Story::new(world, facts, seen);
    // The audit lets them be: a living daemon would plan them.
    faults.unless(facts.gaps == 0, "G2", || {
        format!("{} spans were never planned", facts.gaps)
    });
    for run in &facts.runs {
        let known = world.specs.contains_key(&run.definition_hash);
        faults.unless(known, "G2", || {
            format!("{run:?} has a definition that was never loaded")
        });
        if !known {
            return;
        }
    }
    calls::check(&story, faults);
    runs::check(&story, faults);
    overlap::check(&story, faults);
    orders::check(&story, faults);
}

fn within(spans: &[(Timestamp, Timestamp)], us: i64) -> bool {
    let at = Timestamp::from_microsecond(us).unwrap();
    spans.iter().any(|(from, to)| *from <= at && at <= *to)
}

fn seconds_us(seconds: u64) -> i64 {
    i64::try_from(seconds).unwrap() * 1_000_000
}

fn is_tick(run: &RunRow) -> bool {
    matches!(run.trigger.as_str(), "schedule" | "catchup")
}

/// Everything that two lives of the same seed have in common: all but random ids.
pub(crate) fn story(facts: &Facts) -> Vec<String> {
    let mut names: HashMap<&str, String> = HashMap::new();
    let mut story = Vec::new();
    for run in &facts.runs {
        names.insert(
            &run.id,
            format!("{} {} {}", run.job, run.scheduled_us, run.trigger),
        );
        story.push(format!(
            "{} {} {} {} {} {:?} {} {:?} {:?}",
            run.job,
            run.scheduled_us,
            run.trigger,
            run.definition_hash,
            run.state,
            run.reason,
            run.created_us,
            run.opened_us,
            run.finished_us
        ));
    }
    let attempts = facts.attempts.iter().map(|row| {
        format!(
            "{} {} {} {:?} {:?}",
            names[row.run_id.as_str()],
            row.attempt,
            row.opened_us,
            row.finished_us,
            row.outcome
        )
    });
    story.extend(attempts);
    story.sort();
    story
}
