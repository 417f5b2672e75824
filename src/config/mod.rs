//! `jobs.yaml`, files of secrets and the environment: everything a person configures.
//!
//! A configuration is read in four steps, each of which reports all it finds and goes on:
//! [`mod@file`] reads the bytes, [`build`] makes a [`tree`] in which every node knows its place (and
//! refuses bombs), [`raw`] reads the tree into the shapes of the contract, [`jobs`] and
//! [`workspaces`] make of them the types of [`crate::domain`]. Scalars mean what `serde_yaml`
//! says they mean ([`scalar`]).
//!
//! Invariants: no message holds a secret; nothing panics; the work and the memory are bounded
//! whatever the files hold (guarantee G7); a key is read, or refused, never ignored.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

mod argument;
mod build;
mod ca_file;
mod calendars;
mod checks;
mod days;
pub mod definition;
mod draft;
mod environment;
mod error;
mod file;
mod glance;
mod ics;
mod jobs;
mod kwargs;
mod lint;
mod peers;
mod quantity;
mod raw;
mod read;
mod reference;
mod retry;
mod scalar;
mod schema;
mod secrets;
mod sources;
mod syntax;
mod tree;
mod unsupported;
mod url;
mod value;
mod words;
mod workspaces;
mod zone;

pub use argument::{json_text, json_value, kwarg, merge_kwargs};
pub use environment::{Environment, EnvironmentError, find_config};
pub use error::{ConfigErrors, Diagnostic, Severity};
pub use glance::database;
pub use schema::schema;
pub use secrets::{Secrets, Unresolved, resolve, resolve_in};
pub use sources::Sources;
pub use url::DatabaseUrl;
pub use zone::{renew_zone_data, zone_data};

use crate::domain::calendar::COVERED;
use crate::domain::job::Job;
use crate::domain::retention::Retention;
use crate::domain::workspace::{Workspace, WorkspaceName};
use build::Budget;
use ca_file::CaFiles;
use calendars::Calendars;
use days::BuiltIn;
use error::{Position, Problem, Report};
use file::Reading;
use read::{At, Context, Key, Named, Read};
use scalar::Scalar;
use tree::{Node, Tree};

/// A configuration, checked. Its secrets are references still.
#[derive(Clone, Debug)]
pub struct Config {
    /// The ledger, as the file says; flag and environment go before it
    /// ([`Environment::database`]).
    pub database: DatabaseUrl,
    /// How long calls under way may take to end after SIGTERM.
    pub drain_timeout: Duration,
    /// How long the ledger keeps what.
    pub retention: Retention,
    /// By name.
    pub workspaces: BTreeMap<WorkspaceName, Workspace>,
    /// In the order of the files.
    pub jobs: Vec<Arc<Job>>,
}

/// A configuration and what was seen while it was read.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The configuration.
    pub config: Config,
    /// What works and is probably not meant, by file and place.
    pub warnings: Vec<Diagnostic>,
    /// Every file read, the main one first.
    pub files: Vec<PathBuf>,
    /// What was looked for while it was read, and what was found.
    pub sources: Sources,
    /// Where the schedule of each job stands; none of a job of manual starts alone.
    schedules: Vec<Option<Position>>,
    /// The calendar of funcron's own that each job names, if it does.
    built_in: Vec<Option<BuiltIn>>,
}

impl Loaded {
    /// Warnings of jobs whose schedule has no tick after `now`. Apart from the others because
    /// they depend on the time, which is not read here.
    pub fn exhausted(&self, now: Timestamp) -> Vec<Diagnostic> {
        self.config
            .jobs
            .iter()
            .zip(&self.schedules)
            .filter_map(|(job, at)| Some((job, (*at)?)))
            .filter(|(job, _)| job.schedule.next_kept_after(now).is_none())
            .map(|(job, at)| {
                let problem = Problem::new("the schedule has no tick left")
                    .hint("remove the job, or give it a new schedule");
                self.warning(at, format!("jobs.{}.schedule", job.name), problem)
            })
            .collect()
    }

    /// Warnings of jobs that come, within [`AHEAD`] of `now`, to days that the built-in calendar
    /// they name does not know. Apart from the others for the same reason.
    pub fn uncovered(&self, now: Timestamp) -> Vec<Diagnostic> {
        let named = self.config.jobs.iter().zip(&self.built_in);
        let mut told = BTreeSet::new();
        named
            .filter_map(|(job, built_in)| Some((job, built_in.as_ref()?)))
            .filter(|(job, _)| comes_to_uncovered_days(job, now))
            // One in `defaults` is told once.
            .filter(|(_, built_in)| told.insert(built_in.path.clone()))
            .map(|(_, built_in)| {
                let message = format!(
                    "{} knows the days up to {}; later ones are told by their weekday alone",
                    built_in.name,
                    COVERED.end()
                );
                let problem = Problem::new(message)
                    .hint("install a release that knows more, or list those days yourself");
                self.warning(built_in.at, built_in.path.clone(), problem)
            })
            .collect()
    }

    fn warning(&self, at: Position, path: String, problem: Problem) -> Diagnostic {
        let file = self.files.get(usize::from(at.file));
        Diagnostic {
            file: file.cloned().unwrap_or_default(),
            line: at.line,
            column: at.column,
            path,
            message: problem.message,
            hint: problem.hint,
            severity: Severity::Warning,
        }
    }
}

/// How far [`Loaded::uncovered`] looks ahead.
pub const AHEAD: Duration = Duration::from_secs(31 * 86_400);

fn comes_to_uncovered_days(job: &Job, now: Timestamp) -> bool {
    let zone = job.schedule.timezone();
    let Ok(covered) = zone.to_timestamp(COVERED.end().at(23, 59, 59, 0)) else {
        return false;
    };
    let next = job.schedule.next_after(covered.max(now));
    job.enabled && next.is_some_and(|tick| tick.at.duration_since(now).unsigned_abs() <= AHEAD)
}

/// Reads a configuration and the files it includes.
///
/// # Errors
/// Everything that is wrong with them, in one go.
pub fn load(path: &Path) -> Result<Loaded, ConfigErrors> {
    let mut loader = Loader::new(path);
    let text = file::read(
        path,
        Position::default(),
        &mut loader.reading,
        &mut loader.report,
    );
    loader.load(path, text)
}

/// Reads a configuration from its text, as if it stood at `path`, from where it may include files.
///
/// # Errors
/// Everything that is wrong with it, in one go.
pub fn parse(text: &str, path: &Path) -> Result<Loaded, ConfigErrors> {
    Loader::new(path).load(path, Some(text.to_owned()))
}

/// Most workspaces.
const MAX_WORKSPACES: usize = 1000;

/// What the defaults may cost, taken over by every job: bytes of text, and [`VALUE_COST`] a value.
const MAX_DEFAULTS: u64 = 32 << 20;

/// What a value costs in memory beside its text.
const VALUE_COST: u64 = 16;

/// The retention, the contract's where the file does not say otherwise.
fn retention(key: &Key<raw::Retention>) -> Retention {
    let default = Retention::default();
    let Some(raw) = key.value() else {
        return default;
    };
    Retention {
        runs: raw.runs.value().map_or(default.runs, |span| span.0),
        failures: raw.failures.value().map_or(default.failures, |span| span.0),
        bodies: raw.bodies.value().map_or(default.bodies, |span| span.0),
        max_size: raw.max_size.value().map_or(default.max_size, |size| size.0),
    }
}

struct Loader {
    report: Report,
    budget: Budget,
    reading: Reading,
    trees: Vec<Option<Tree>>,
    workspaces: Vec<(At<String>, Key<raw::Workspace>)>,
    calendars: Calendars,
    ca_files: CaFiles,
    /// With their number in their own file.
    jobs: Vec<(usize, Box<At<raw::Job>>)>,
}

impl Loader {
    fn new(path: &Path) -> Self {
        let mut report = Report::default();
        report.add_file(path);
        Self {
            report,
            budget: Budget::default(),
            reading: Reading::default(),
            trees: Vec::new(),
            workspaces: Vec::new(),
            calendars: Calendars::default(),
            ca_files: CaFiles::default(),
            jobs: Vec::new(),
        }
    }

    fn load(mut self, path: &Path, text: Option<String>) -> Result<Loaded, ConfigErrors> {
        // The text is dropped with the closure: the tree has its own copy of what matters.
        let main = text.and_then(|text| self.main(&text));
        if let Some(main) = &main {
            unsupported::at_top(main, &mut self.report);
            self.include(path, main);
            self.calendars =
                Calendars::read(path, &main.calendars, &mut self.reading, &mut self.report);
        }
        let main = main.unwrap_or_default();
        let database = self.database(path, &main.database);
        let drain_timeout = main
            .drain_timeout
            .value()
            .map_or(Duration::from_secs(75), |span| span.0);
        let retention = retention(&main.retention);
        let workspaces = self.make_workspaces();
        let made = self.make_jobs(main.defaults);
        let config = Config {
            database,
            drain_timeout,
            retention,
            workspaces,
            jobs: Vec::new(),
        };
        self.finish(config, made)
    }

    fn finish(self, mut config: Config, made: Vec<jobs::Made>) -> Result<Loaded, ConfigErrors> {
        let files = self.report.files().to_vec();
        let sources = self.reading.sources;
        let warnings = match self.report.finish() {
            Ok(warnings) => warnings,
            Err(errors) => return Err(ConfigErrors { sources, ..errors }),
        };
        let mut schedules = Vec::with_capacity(made.len());
        let mut built_in = Vec::with_capacity(made.len());
        for made in made {
            config.jobs.push(made.job);
            schedules.push(made.schedule_at);
            built_in.push(made.built_in);
        }
        Ok(Loaded {
            config,
            warnings,
            files,
            sources,
            schedules,
            built_in,
        })
    }

    fn main(&mut self, text: &str) -> Option<raw::Config> {
        let mut config: raw::Config = self.section(text, 0)?;
        self.take(&mut config.workspaces, &mut config.jobs);
        if config.jobs.is_absent() && self.jobs.is_empty() && config.include.is_absent() {
            let at = Position {
                line: 1,
                column: 1,
                ..Position::default()
            };
            let problem = Problem::new("there are no jobs").hint("add some under `jobs`");
            self.report.warning(at, "", problem);
        }
        Some(config)
    }

    /// Parses a file's text and reads its top. The tree is kept: kwargs are read from it later.
    fn section<T: Read>(&mut self, text: &str, file: u16) -> Option<T> {
        let whole = Position {
            file,
            ..Position::default()
        };
        let tree = file::clean(text, whole, &mut self.report)
            .and_then(|text| build::tree(text, file, &mut self.budget, &mut self.report));
        let section = match &tree {
            Some(tree) if matches!(Scalar::of(tree.root()), Some(Scalar::Null)) => {
                let problem = Problem::new("the file is empty")
                    .hint("begin with `jobs:`; jobs.example.yaml shows all there is");
                self.report.error(whole, "", problem);
                None
            }
            Some(tree) => T::read(tree.root(), &mut Context::new(&mut self.report)),
            None => None,
        };
        self.trees.push(tree);
        section
    }

    fn take(&mut self, workspaces: &mut Key<Named<raw::Workspace>>, jobs: &mut Key<raw::Jobs>) {
        if let Key::Given(At { value, .. }) = std::mem::take(workspaces) {
            self.workspaces.extend(value.0);
        }
        if let Key::Given(At { value, at }) = jobs {
            if value.0.is_empty() && !self.report.has_errors() {
                let problem = Problem::new("there are no jobs").hint("add some");
                self.report.warning(*at, "jobs", problem);
            }
            self.jobs.append(&mut value.0);
        }
    }

    fn include(&mut self, path: &Path, main: &raw::Config) {
        let patterns = main.include.value().map_or(&[][..], |list| &list.0);
        let sources = &mut self.reading.sources;
        for (included, _) in file::included(path, patterns, sources, &mut self.report) {
            let file = self.report.add_file(&included);
            let whole = Position {
                file,
                ..Position::default()
            };
            let text = file::read(&included, whole, &mut self.reading, &mut self.report);
            let Some(text) = text else {
                self.trees.push(None);
                continue;
            };
            if let Some(mut section) = self.section::<raw::Included>(&text, file) {
                unsupported::notifiers(&section.notifiers, &mut self.report);
                self.take(&mut section.workspaces, &mut section.jobs);
            }
        }
    }

    fn database(&mut self, path: &Path, key: &Key<String>) -> DatabaseUrl {
        let Some(At { value, at }) = key.given() else {
            return DatabaseUrl::default();
        };
        DatabaseUrl::parse(value, path).unwrap_or_else(|problem| {
            self.report.error(*at, "database", problem);
            DatabaseUrl::default()
        })
    }

    fn make_workspaces(&mut self) -> BTreeMap<WorkspaceName, Workspace> {
        let mut first: BTreeMap<&str, Position> = BTreeMap::new();
        let mut made = BTreeMap::new();
        for (name, raw) in &self.workspaces {
            if let Some(earlier) = first.insert(&name.value, name.at) {
                let file = self.report.file_of(earlier).display().to_string();
                let problem = Problem::new("there is another workspace of this name").hint(
                    format!("the first is at {file}:{}; rename one", earlier.line),
                );
                let path = format!("workspaces.{}", name.value);
                self.report.error(name.at, path, problem);
                continue;
            }
            if first.len() == MAX_WORKSPACES + 1 {
                let problem = Problem::new(format!("more than {MAX_WORKSPACES} workspaces"));
                self.report
                    .error(name.at, "workspaces", problem.hint("remove some"));
            }
            if first.len() > MAX_WORKSPACES {
                continue;
            }
            if let Key::Given(raw) = raw
                && let Some(workspace) = workspaces::make(
                    name,
                    raw,
                    &mut self.ca_files,
                    &mut self.reading.sources,
                    &mut self.report,
                )
            {
                made.insert(workspace.name.clone(), workspace);
            }
        }
        made
    }

    /// Large defaults times many jobs is a bomb of its own.
    fn can_afford(&mut self, at: Position) -> bool {
        let tree = self.trees.first().and_then(Option::as_ref);
        let defaults = tree.and_then(|tree| tree.root().get("defaults"));
        let (values, bytes) = defaults.map_or((0, 0), Node::size);
        let cost = (values * VALUE_COST + bytes) * self.jobs.len() as u64;
        if cost <= MAX_DEFAULTS {
            return true;
        }
        let problem = Problem::new(format!(
            "in {} jobs these defaults grow beyond {} MiB",
            self.jobs.len(),
            MAX_DEFAULTS >> 20
        ));
        let hint = "move large kwargs to the jobs that need them";
        self.report.error(at, "defaults", problem.hint(hint));
        false
    }

    fn make_jobs(&mut self, defaults: Key<raw::Defaults>) -> Vec<jobs::Made> {
        let defaults = match defaults {
            Key::Given(At { value, at }) if self.can_afford(at) => value,
            Key::Given(_) | Key::Absent | Key::Bad => raw::Defaults::default(),
        };
        let named: BTreeMap<String, Position> = self
            .workspaces
            .iter()
            .take(MAX_WORKSPACES)
            .map(|(name, _)| (name.value.clone(), name.at))
            .collect();
        let names: Vec<String> = named.keys().cloned().collect();
        let raw_jobs = std::mem::take(&mut self.jobs);
        let all = raw_jobs.len();
        let mut maker = jobs::Maker::new(
            &self.trees,
            &names,
            &self.calendars,
            defaults,
            &mut self.report,
        );
        let mut made = Vec::with_capacity(all);
        for (index, raw) in raw_jobs {
            if maker.is_exhausted() {
                break;
            }
            made.extend(maker.make(index, *raw));
        }
        if made.len() == all && !maker.report.has_errors() {
            let used = made.iter().map(|made| &made.job.workspace);
            workspaces::warn_of_unused(&named, used, &mut self.report);
        }
        made
    }
}
