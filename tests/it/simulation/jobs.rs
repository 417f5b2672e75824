//! Random configurations, and what an operator makes of them.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::chance::Chance;

mod days;
mod spec;

pub(crate) use spec::Spec;
use spec::{DAY, Era, WEEK};

/// Ticks that a seed's jobs have about, over its whole span.
const TICKS: f64 = 140.0;

/// The workspaces, each with its site and its keys. The last one's key is one of the first's, too.
pub(crate) const WORKSPACES: [(&str, &str, &str); 3] = [
    (
        "a",
        "https://a.example",
        "api_keys: [{ env: KEY_1 }, { env: KEY_2 }]",
    ),
    ("b", "https://b.example", "api_key: { env: KEY_3 }"),
    ("c", "https://a.example", "api_key: { env: KEY_2 }"),
];

/// What a workspace is allowed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Calls a minute with one key.
    pub(crate) per_key: u64,
    /// Calls a minute with all of its keys.
    pub(crate) per_workspace: u64,
    /// Calls at once.
    pub(crate) in_flight: u64,
}

impl Limits {
    fn random(chance: &mut Chance) -> Self {
        Self {
            per_key: chance.scale(2, 20),
            per_workspace: chance.scale(3, 30),
            in_flight: chance.between(1, 16),
        }
    }
}

/// What is configured.
#[derive(Clone, Debug)]
pub(crate) struct Setup {
    pub(crate) jobs: Vec<Spec>,
    pub(crate) limits: BTreeMap<&'static str, Limits>,
    made: usize,
    usual: u64,
    era: Era,
}

impl Setup {
    pub(crate) fn random(chance: &mut Chance, start: Timestamp) -> Self {
        let usual = chance.pick(&[7, 60, 300, 3_600, 3_600, DAY, DAY, WEEK]);
        // Many jobs of every few seconds would leave no time for anything to happen, and many of
        // every day no months.
        let most = if (60..DAY).contains(&usual) { 25 } else { 10 };
        let jobs = chance.between(5, most);
        let span = (TICKS * usual as f64) as u64 / jobs;
        let mut setup = Self {
            jobs: Vec::new(),
            limits: BTreeMap::new(),
            made: 0,
            usual,
            era: Era { start, span },
        };
        for (name, ..) in WORKSPACES {
            setup.limits.insert(name, Limits::random(chance));
        }
        for _ in 0..jobs {
            setup.add(chance);
        }
        setup
    }

    /// Seconds in which the jobs have about [`TICKS`] ticks.
    pub(crate) fn span(&self) -> u64 {
        let rate: f64 = self.jobs.iter().map(|job| 1.0 / job.period as f64).sum();
        (TICKS / rate) as u64
    }

    /// A name that is free. A few only, so that one comes back whose job was removed.
    fn name(&mut self) -> Option<String> {
        self.made += 1;
        let name = format!("job-{}", self.made % 30);
        let is_taken = self.jobs.iter().any(|job| job.name == name);
        (!is_taken).then_some(name)
    }

    fn add(&mut self, chance: &mut Chance) {
        let Some(name) = self.name() else {
            return;
        };
        let period = match chance.between(0, 9) {
            0 => DAY,
            1 => self.usual * chance.between(2, 4),
            _ => self.usual,
        };
        let job = Spec::random(chance, name, period, self.era);
        self.jobs.push(job);
    }

    /// What an operator changes, in words for the summary.
    pub(crate) fn change(&mut self, chance: &mut Chance) -> Vec<&'static str> {
        let changes = chance.between(1, 4);
        (0..changes).map(|_| self.change_one(chance)).collect()
    }

    fn change_one(&mut self, chance: &mut Chance) -> &'static str {
        let spare = self.jobs.len() > 3;
        let at = chance.between(0, self.jobs.len() as u64 - 1) as usize;
        match chance.between(0, 9) {
            0 => {
                self.add(chance);
                "edits: added"
            }
            1 if spare => {
                self.jobs.remove(at);
                "edits: removed"
            }
            2 => {
                if let Some(name) = self.name() {
                    self.jobs[at].name = name;
                }
                "edits: renamed"
            }
            3 => {
                let (name, ..) = chance.pick(&WORKSPACES);
                self.limits.insert(name, Limits::random(chance));
                "edits: limits"
            }
            _ => self.jobs[at].edit(chance, self.era),
        }
    }

    /// From now on nothing is due any more; what waits goes on waiting.
    pub(crate) fn end(&mut self) {
        self.jobs.iter_mut().for_each(Spec::end);
    }

    pub(crate) fn yaml(&self) -> String {
        let mut text = "version: 1\nworkspaces:\n".to_owned();
        for (name, site, keys) in WORKSPACES {
            let Limits {
                per_key,
                per_workspace,
                in_flight,
            } = self.limits[name];
            text += &format!(
                "  {name}: {{ base_url: \"{site}\", {keys}, quota: {{ per_key: {per_key}/min, \
                 per_workspace: {per_workspace}/min }}, max_in_flight: {in_flight} }}\n"
            );
        }
        // Runs stay, to be looked at in the end; bodies go while the world goes on.
        text += "retention: { runs: 36500d, failures: 36500d, bodies: 1d }\njobs:\n";
        for job in &self.jobs {
            job.write(&mut text);
        }
        text
    }
}
