//! Keys of the contract whose time has not come. Their values are checked like any other; using
//! them is refused, so that nobody relies on what does not happen.

use super::error::{Problem, Report};
use super::raw::{Config, Job};
use super::read::{At, Key};
use super::value::{CatchupWord, OverlapWord};

/// Refuses what a job uses. `path` names a key of the job, in `defaults` or in the job itself.
pub(super) fn in_job(job: &Job, path: impl Fn(&str, bool) -> String, report: &mut Report) {
    let mut refuse = |key: &str, at: Option<super::error::Position>, remedy: Option<&str>| {
        if let Some(at) = at {
            let remedy = remedy.unwrap_or("remove it");
            report.error(at, path(key, at.in_defaults), problem(remedy));
        }
    };
    refuse("except", at(&job.except), None);
    refuse("only_on", at(&job.only_on), None);
    refuse("spread", at(&job.spread), None);
    refuse("max_catchup", at(&job.max_catchup), None);
    refuse("budget", at(&job.budget), None);
    refuse("notify", at(&job.notify), None);
    if job
        .overlap
        .value()
        .is_some_and(|word| *word != OverlapWord::Skip)
    {
        refuse("overlap", at(&job.overlap), Some("only `skip` is"));
    }
    if job.catchup.value() == Some(&CatchupWord::All) {
        refuse("catchup", at(&job.catchup), Some("`latest` and `none` are"));
    }
}

/// Refuses what a main file uses at its top.
pub(super) fn at_top(config: &Config, report: &mut Report) {
    for (key, place) in [
        ("notifiers", at(&config.notifiers)),
        ("retention", at(&config.retention)),
        ("server", at(&config.server)),
    ] {
        if let Some(place) = place {
            report.error(place, key, problem("remove it"));
        }
    }
}

/// Refuses notifiers of an included file.
pub(super) fn notifiers<T>(key: &Key<T>, report: &mut Report) {
    if let Some(place) = at(key) {
        report.error(place, "notifiers", problem("remove it"));
    }
}

fn at<T>(key: &Key<T>) -> Option<super::error::Position> {
    key.given().map(|At { at, .. }| *at)
}

fn problem(remedy: &str) -> Problem {
    Problem::new("not supported yet").hint(remedy)
}
