//! The jobs a command speaks of: the configuration's, or the ledger's where it is all there is.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::Value;

use super::exit::{Exit, Failure};
use super::global::Global;
use super::output::Printer;
use crate::config::definition;
use crate::domain::job::Job;
use crate::domain::nearest::nearest;
use crate::domain::schedule::{Schedule, TickKind};
use crate::store::{KnownJob, LastRun, Pause, Reader, StoreErrorKind};

/// A job as `list` and `next` see it.
#[derive(Clone, Debug)]
pub(super) struct Listed {
    pub(super) name: String,
    pub(super) enabled: bool,
    /// `None` where a definition of the ledger cannot be read by this release.
    pub(super) schedule: Option<Schedule>,
    pub(super) func_id: String,
    pub(super) workspace: String,
    pub(super) labels: BTreeMap<String, String>,
    pub(super) description: Option<String>,
    pub(super) last: LastRun,
    /// The pause it is in now.
    pub(super) pause: Option<Pause>,
}

impl From<&Job> for Listed {
    fn from(job: &Job) -> Self {
        Self {
            name: job.name.to_string(),
            enabled: job.enabled,
            schedule: Some(job.schedule.clone()),
            func_id: job.func_id.to_string(),
            workspace: job.workspace.to_string(),
            labels: job.labels.clone(),
            description: job.description.clone(),
            last: LastRun::default(),
            pause: None,
        }
    }
}

impl From<KnownJob> for Listed {
    fn from(job: KnownJob) -> Self {
        let text = job.definition.as_deref().unwrap_or_default();
        let json: Value = serde_json::from_str(text).unwrap_or_default();
        let word = |key: &str| json[key].as_str().map(str::to_owned);
        Self {
            enabled: json["enabled"].as_bool().unwrap_or(true),
            schedule: definition::read(text).ok().map(|planned| planned.schedule),
            func_id: word("func_id").unwrap_or_default(),
            workspace: word("workspace").unwrap_or_default(),
            labels: labels_in(&json),
            description: word("description"),
            last: job.last,
            pause: None,
            name: job.name,
        }
    }
}

impl Listed {
    /// The expressions, as one text for people.
    pub(super) fn schedule_text(&self) -> String {
        self.schedule
            .as_ref()
            .map_or_else(String::new, |schedule| schedule.expressions().join(" | "))
    }
}

/// The jobs of the configuration, without their last runs; or, where a ledger is named and no
/// configuration, those that the ledger's last daemon had loaded.
pub(super) async fn listed(global: &Global) -> Result<Vec<Listed>, Failure> {
    if global.is_ledger_alone() {
        let jobs = global.reader().await?.known_jobs().await?;
        return Ok(jobs
            .into_iter()
            .filter(|job| job.loaded)
            .map(Listed::from)
            .collect());
    }
    let loaded = global.load()?;
    Ok(loaded
        .config
        .jobs
        .iter()
        .map(|job| Listed::from(job.as_ref()))
        .collect())
}

/// The ledger of the jobs; where there is none yet, says so.
pub(super) async fn recorded(
    global: &Global,
    printer: &mut Printer,
) -> Result<Option<Reader>, Failure> {
    let path = global.ledger()?;
    match Reader::open(&path).await {
        Ok(reader) => Ok(Some(reader)),
        Err(error) if *error.kind() == StoreErrorKind::Missing => {
            printer.note(&format!(
                "no run yet: there is no ledger at {}",
                path.display()
            ));
            Ok(None)
        }
        Err(error) => Err(error.into()),
    }
}

/// Adds each job's newest run.
pub(super) async fn add_last_runs(jobs: &mut [Listed], reader: &Reader) -> Result<(), Failure> {
    let known = reader.known_jobs().await?;
    let mut runs: BTreeMap<String, LastRun> =
        known.into_iter().map(|job| (job.name, job.last)).collect();
    for job in jobs {
        job.last = runs.remove(&job.name).unwrap_or_default();
    }
    Ok(())
}

/// Adds the pause that each job is in at `now`.
pub(super) async fn add_pauses(
    jobs: &mut [Listed],
    reader: &Reader,
    now: Timestamp,
) -> Result<(), Failure> {
    let pauses = reader.pauses(now).await?;
    let mut current: BTreeMap<String, Pause> = pauses
        .into_iter()
        .filter(|pause| pause.from <= now)
        .map(|pause| (pause.job.to_string(), pause))
        .collect();
    for job in jobs {
        job.pause = current.remove(&job.name);
    }
    Ok(())
}

/// The instants after `now` at which the schedule fires, without those that a gap swallows
/// or a calendar excludes.
pub(super) fn fires(schedule: &Schedule, now: Timestamp) -> impl Iterator<Item = Timestamp> {
    let next = |schedule: &Schedule, t| schedule.next_kept_after(t);
    let (first, schedule) = (next(schedule, now), schedule.clone());
    std::iter::successors(first, move |tick| next(&schedule, tick.at))
        .filter(|tick| tick.kind == TickKind::Fire)
        .map(|tick| tick.at)
}

/// Parses `key=value`.
pub(super) fn label(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err("write it as KEY=VALUE, such as team=sre".to_owned()),
    }
}

/// The jobs of the ledger whose newest definition has all of the labels.
pub(super) async fn with_labels(
    reader: &Reader,
    labels: &[(String, String)],
) -> Result<Vec<String>, Failure> {
    let has_all = |job: &KnownJob| {
        let text = job.definition.as_deref().unwrap_or_default();
        let found = labels_in(&serde_json::from_str(text).unwrap_or_default());
        labels
            .iter()
            .all(|(key, value)| found.get(key) == Some(value))
    };
    let jobs = reader.known_jobs().await?;
    Ok(jobs
        .into_iter()
        .filter(has_all)
        .map(|job| job.name)
        .collect())
}

fn labels_in(definition: &Value) -> BTreeMap<String, String> {
    let Some(labels) = definition["labels"].as_object() else {
        return BTreeMap::new();
    };
    let text = |(key, value): (&String, &Value)| Some((key.clone(), value.as_str()?.to_owned()));
    labels.iter().filter_map(text).collect()
}

/// Says so where the ledger does not know the job.
pub(super) async fn known(reader: &Reader, name: &str) -> Result<(), Failure> {
    let jobs = reader.known_jobs().await?;
    if jobs.iter().any(|job| job.name == name) {
        return Ok(());
    }
    Err(no_such_job(name, jobs.iter().map(|job| job.name.as_str())))
}

/// No such job, and which one was probably meant.
pub(super) fn no_such_job<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Failure {
    let failure = Failure::new(Exit::NotFound, format!("there is no job `{name}`"));
    match nearest(name, known) {
        Some(near) => failure.hint(&format!("did you mean `{near}`?")),
        None => failure.hint("`funcron list` names the jobs"),
    }
}
