//! Keys of the contract whose time has not come. Their values are checked like any other; using
//! them is refused, so that nobody relies on what does not happen.

use super::error::{Position, Problem, Report};
use super::raw::{Config, Defaults, Job};
use super::read::{At, Key};

/// Refuses what a job, or the defaults, use, and forgets it.
macro_rules! refuse_keys {
    ($keys:ident, $path:ident, $report:ident) => {
        refuse_keys!($keys, $path, $report, budget, notify);
    };
    ($keys:ident, $path:ident, $report:ident, $($key:ident),+) => {
        $(refuse(&mut $keys.$key, stringify!($key), "remove it", $path, $report);)+
    };
}

/// Refuses what a job uses. `path` names the job.
pub(super) fn in_job(job: &mut Job, path: &str, report: &mut Report) {
    refuse_keys!(job, path, report);
}

/// Refuses what `defaults` use, once and not for every job.
pub(super) fn in_defaults(defaults: &mut Defaults, report: &mut Report) {
    let path = "defaults";
    refuse_keys!(defaults, path, report);
}

/// Refuses what a main file uses at its top.
pub(super) fn at_top(config: &Config, report: &mut Report) {
    for (key, place) in [
        ("notifiers", at(&config.notifiers)),
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

fn refuse<T>(key: &mut Key<T>, name: &str, remedy: &str, path: &str, report: &mut Report) {
    if let Some(place) = at(key) {
        report.error(place, format!("{path}.{name}"), problem(remedy));
        *key = Key::Bad;
    }
}

fn at<T>(key: &Key<T>) -> Option<Position> {
    key.given().map(|At { at, .. }| *at)
}

fn problem(remedy: &str) -> Problem {
    Problem::new("not supported yet").hint(remedy)
}
