//! What runs of one job do to each other, policy by policy (contract, sections 3 and 4).
//!
//! A policy is that of the moment, so the finer rules are for jobs that never had another.

use std::collections::HashMap;
use std::time::Duration;

use super::{Faults, RunRow, Seen, Story};

/// Runs that may wait behind the head under `queue_all`.
const BUFFER: usize = 1_000;

/// A run that is replaced ends with the step that sees its successor's time come; so much later
/// where that step comes late.
const REPLACED_WITHIN_US: i64 = 1_000_000;

pub(super) fn check(story: &Story<'_>, faults: &mut Faults) {
    no_job_calls_twice_at_once(story, faults);
    for (job, runs) in &story.of_job {
        let live: Vec<&RunRow> = runs.iter().copied().filter(|run| is_live(run)).collect();
        what_is_behind_waits(story, runs, &live, faults);
        if let Some(policy) = story.policy(job) {
            for run in &live {
                has_its_place(story, policy, run, &live, faults);
            }
            if policy == "cancel_running" {
                the_newest_replaces(story, &live, faults);
            }
        }
        for run in &live {
            let replaced = run.reason.as_deref() == Some("replaced");
            let possible = story.ever_had(job, "cancel_running");
            faults.unless(!replaced || possible, "overlap", || {
                format!("no policy of its job replaces it: {run:?}")
            });
        }
    }
}

fn is_live(run: &RunRow) -> bool {
    run.trigger == "schedule"
}

fn goes_behind(trigger: &str) -> bool {
    matches!(trigger, "catchup" | "backfill")
}

/// Calls of one job at once: never two behind, and never two of its ticks unless `allow` was set.
fn no_job_calls_twice_at_once(story: &Story<'_>, faults: &mut Faults) {
    let mut of_job: HashMap<&str, Vec<(&Seen, Duration)>> = HashMap::new();
    for (call, ended) in story.seen.iter().zip(&story.ends) {
        // What people start holds nobody back.
        let behind = goes_behind(&call.trigger);
        if !behind && call.trigger != "schedule" {
            continue;
        }
        let open = of_job.entry(&call.job).or_default();
        open.retain(|(_, ended)| *ended > call.begun);
        for (other, _) in open.iter() {
            let allowed =
                !(behind && goes_behind(&other.trigger)) && story.ever_had(&call.job, "allow");
            faults.unless(allowed, "overlap", || {
                format!("two calls of a job at once: {other:?} and {call:?}")
            });
        }
        open.push((call, *ended));
    }
}

/// Catch-up and backfill go after live runs, whatever the policy.
fn what_is_behind_waits(
    story: &Story<'_>,
    runs: &[&RunRow],
    live: &[&RunRow],
    faults: &mut Faults,
) {
    for run in runs.iter().filter(|run| goes_behind(&run.trigger)) {
        for row in story.attempts_of(run) {
            let opened = row.opened_us;
            let ahead = live.iter().find(|live| {
                live.created_us < opened && live.finished_us.is_some_and(|end| opened < end)
            });
            let excused = story.was_set_back(opened);
            faults.unless(ahead.is_none() || excused, "overlap", || {
                format!("{row:?} of {run:?} is opened while {ahead:?} is not over")
            });
        }
    }
}

/// How the job's queue stood when a live run was planned: those that came before it and were not
/// over, and of these the ones that may have been over at that very instant.
fn queue(run: &RunRow, live: &[&RunRow]) -> (usize, usize) {
    let is_before = |other: &&&RunRow| {
        let came = (other.created_us, other.scheduled_us) < (run.created_us, run.scheduled_us);
        let joined = other.finished_us != Some(other.created_us) || !was_refused(other);
        came && joined && other.id != run.id
    };
    let ends = live.iter().filter(is_before);
    let ends: Vec<i64> = ends
        .map(|run| run.finished_us.unwrap_or(i64::MAX))
        .collect();
    let ahead = ends.iter().filter(|end| **end > run.created_us).count();
    let doubtful = ends.iter().filter(|end| **end == run.created_us).count();
    (ahead, ahead + doubtful)
}

fn was_refused(run: &RunRow) -> bool {
    (run.state.as_str(), run.reason.as_deref()) == ("skipped", Some("overlap"))
}

/// Whether it was planned as one that runs.
fn joined(run: &RunRow) -> bool {
    let never = run.finished_us == Some(run.created_us)
        && (run.state == "missed"
            || (run.state == "skipped" && run.reason.as_deref() != Some("disabled")));
    !never
}

/// A tick is refused exactly where the queue has no place for it.
fn has_its_place(
    story: &Story<'_>,
    policy: &str,
    run: &RunRow,
    live: &[&RunRow],
    faults: &mut Faults,
) {
    let places = match policy {
        "skip" => 1,
        "queue_one" => 2,
        "queue_all" => 1 + BUFFER,
        _ => usize::MAX,
    };
    let (least, most) = queue(run, live);
    if was_refused(run) {
        faults.unless(run.finished_us == Some(run.created_us), "overlap", || {
            format!("it had its place and lost it: {run:?}")
        });
        // What ended while the disk failed is recorded later than the instant that it bears.
        let excused = story.was_unwell(run.created_us);
        faults.unless(most >= places || excused, "overlap", || {
            format!("{policy}: only {most} were in its way: {run:?}")
        });
    } else if joined(run) {
        let excused = story.was_set_back(run.created_us);
        faults.unless(least < places || excused, "overlap", || {
            format!("{policy}: {least} were before it: {run:?}")
        });
    }
}

/// Whoever is older than the newest run whose time has come is over.
fn the_newest_replaces(story: &Story<'_>, live: &[&RunRow], faults: &mut Faults) {
    let runs: Vec<&&RunRow> = live.iter().filter(|run| joined(run)).collect();
    for pair in runs.windows(2) {
        let (older, newer) = (pair[0], pair[1]);
        // By what it waited for until its time came.
        let time = newer.created_us.max(newer.due_us);
        let gone = newer.finished_us.is_some_and(|end| end <= time);
        let over = older
            .finished_us
            .is_some_and(|end| end <= time + REPLACED_WITHIN_US);
        let excused = gone || story.was_unwell(time) || story.was_set_back(time);
        faults.unless(over || excused, "overlap", || {
            format!("it was not replaced: {older:?} by {newer:?}")
        });
    }
    for (place, run) in runs.iter().enumerate() {
        let replaced = run.reason.as_deref() == Some("replaced");
        let successor = runs[place + 1..].iter().find(|newer| {
            let time = newer.created_us.max(newer.due_us);
            run.finished_us.is_some_and(|end| time <= end)
        });
        let excused = run.finished_us.is_some_and(|end| story.was_set_back(end));
        faults.unless(
            !replaced || successor.is_some() || excused,
            "overlap",
            || format!("nothing took its place: {run:?}"),
        );
    }
}
