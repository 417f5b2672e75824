//! The quota proof: which minutes of the weeks to come do not fit, told in few words.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::num::NonZeroU32;
use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::calls::{Caller, Calls, Span};
use super::crowd::{self, Minute, Patience};
use super::pool::{Pool, narrower, pools};
use super::remedy::{self, Remedy};
use super::{Demand, WORK, when};
use crate::domain::job::JobName;
use crate::domain::workspace::{Workspace, WorkspaceName};

/// What is looked at before the span, so that it begins as if the daemon had been running: delays that
/// add up have reached a tick's length by then.
const RUN_UP: Duration = Duration::from_secs(2 * 3_600);

/// What was found of the workspaces that share one limit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proof {
    /// Mostly one; several where they share a key.
    pub workspaces: Vec<WorkspaceName>,
    /// Calls that any minute may hold.
    pub limit: NonZeroU32,
    /// What was looked at: shorter than was asked for where that would have taken too long.
    pub span: Span,
    /// Whether it is shorter.
    pub is_cut: bool,
    /// The crowded minutes, the worst first: where runs are missed, then where they are latest.
    pub crowds: Vec<Crowd>,
    /// What to do about them; `None` where there are none.
    pub remedy: Option<Remedy>,
}

/// Crowded minutes of the same jobs that come back in one rhythm.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Crowd {
    /// The rhythm, such as `every day at 09:00`.
    pub when: String,
    /// The zone it is told in: the jobs' own where they share one, else UTC.
    pub timezone: String,
    /// The first of them.
    pub first: Timestamp,
    /// How many there are.
    pub minutes: usize,
    /// Calls that fall due within 60 s, at most. Where they are not more than the limit, they start
    /// late since a slot is held for 61 s.
    pub calls: usize,
    /// Whose, in the order of the configuration.
    pub jobs: Vec<JobName>,
    /// By how much the last run starts late.
    pub latest: Duration,
    /// Runs that will be missed, since they could start only after their `start_deadline`.
    pub missed: usize,
    /// Whose, in the order of the configuration.
    pub missed_jobs: Vec<JobName>,
    /// Ticks that will be skipped, since runs before them still wait.
    pub skipped: u64,
    /// Runs that will be replaced, since they still wait when the next one comes.
    pub replaced: u64,
}

/// Looks at all calls of the jobs in the span. Workspaces without a limit are not among the answers.
pub fn prove<'a>(
    jobs: &'a [Demand<'a>],
    workspaces: &BTreeMap<WorkspaceName, Workspace>,
    span: Span,
) -> Vec<Proof> {
    prove_within(jobs, workspaces, span, WORK)
}

/// The same for so much work, of which each pool has its share by its jobs.
pub(super) fn prove_within<'a>(
    jobs: &'a [Demand<'a>],
    workspaces: &BTreeMap<WorkspaceName, Workspace>,
    span: Span,
    work: u64,
) -> Vec<Proof> {
    let mut pools = pools(jobs, workspaces);
    pools.extend(narrower(&pools));
    let all: usize = pools.iter().map(|pool| pool.jobs.len()).sum();
    let share = |pool: &Pool<'_>| {
        let of_all = pool.jobs.len() as u64 * work;
        of_all / all.max(1) as u64
    };
    pools
        .iter()
        .filter_map(|pool| Some(of_pool(pool, pool.limit?, span, share(pool))))
        .collect()
}

fn of_pool(pool: &Pool<'_>, limit: NonZeroU32, span: Span, work: u64) -> Proof {
    let callers: Vec<Caller<'_>> = pool.jobs.iter().map(|job| job.caller()).collect();
    let patience: Vec<Patience> = pool.jobs.iter().map(|job| job.patience()).collect();
    let mut from = span.from.checked_sub(RUN_UP).unwrap_or(span.from);
    let walk = |from: Timestamp| {
        let mut calls = Calls::new(&callers, Span { from, ..span }, work);
        let minutes = crowd::crowded(&mut calls, limit, &patience);
        (calls, minutes)
    };
    let (mut calls, mut minutes) = walk(from);
    let busy_until = span.from.checked_add(RUN_UP).unwrap_or(span.from);
    if calls.cut().is_some_and(|cut| cut < busy_until) {
        // So busy that running up would take most of the work.
        from = span.from;
        (calls, minutes) = walk(from);
    }
    let looked_at = Span {
        until: calls.cut().map_or(span.until, whole_minutes),
        ..span
    };
    // Of a minute that was cut, no count is true.
    let within = looked_at.from.as_microsecond()..looked_at.until.as_microsecond();
    minutes.retain(|minute| within.contains(&minute.starts_us));
    let crowds: Vec<(Vec<usize>, Crowd)> = grouped(&pool.jobs, minutes, limit, looked_at);
    let crowded: BTreeSet<usize> = crowds.iter().flat_map(|(jobs, _)| jobs).copied().collect();
    let remedy = (!crowded.is_empty()).then(|| {
        let walked = Span { from, ..looked_at };
        remedy::seek(pool, &crowded, limit, walked, looked_at, &patience, work)
    });
    Proof {
        workspaces: pool.workspaces.iter().map(|w| w.name.clone()).collect(),
        limit,
        span: looked_at,
        is_cut: calls.cut().is_some(),
        crowds: crowds.into_iter().map(|(_, crowd)| crowd).collect(),
        remedy,
    }
}

fn whole_minutes(t: Timestamp) -> Timestamp {
    let second = t.as_second();
    Timestamp::from_second(second - second.rem_euclid(60)).unwrap_or(t)
}

/// The minutes by their jobs and their rhythm, but those groups that are tolerable.
fn grouped(
    jobs: &[&Demand<'_>],
    minutes: Vec<Minute>,
    limit: NonZeroU32,
    span: Span,
) -> Vec<(Vec<usize>, Crowd)> {
    let mut by_callers: HashMap<Vec<usize>, Vec<Minute>> = HashMap::new();
    for mut minute in minutes {
        let callers = std::mem::take(&mut minute.callers);
        by_callers.entry(callers).or_default().push(minute);
    }
    let mut crowds = Vec::new();
    for (callers, minutes) in by_callers {
        let (name, zone) = common_zone(jobs, &callers);
        let starts: Vec<Timestamp> = minutes.iter().map(starts_at).collect();
        for (when, indices) in when::described(&starts, span, &zone) {
            let minutes = indices.iter().map(|index| &minutes[*index]);
            if minutes.clone().all(|minute| minute.is_tolerable(limit)) {
                continue;
            }
            let crowd = crowd_of(jobs, &callers, minutes, when, name);
            crowds.push((callers.clone(), crowd));
        }
    }
    // The first instant last: it makes the order one, whatever the map's.
    crowds.sort_by(|(_, a), (_, b)| {
        let rank = |crowd: &Crowd| (crowd.missed, crowd.latest, crowd.minutes);
        rank(b).cmp(&rank(a)).then(a.first.cmp(&b.first))
    });
    crowds
}

fn crowd_of<'m>(
    jobs: &[&Demand<'_>],
    callers: &[usize],
    minutes: impl Iterator<Item = &'m Minute> + Clone,
    when: String,
    timezone: &str,
) -> Crowd {
    let name = |job: usize| jobs[job].name.clone();
    let missed = minutes
        .clone()
        .flat_map(|minute| minute.missed.iter().copied());
    let missed_jobs: BTreeSet<usize> = missed.clone().collect();
    Crowd {
        when,
        timezone: timezone.to_owned(),
        first: minutes.clone().next().map_or(Timestamp::MIN, starts_at),
        minutes: minutes.clone().count(),
        calls: minutes
            .clone()
            .map(|minute| minute.calls)
            .max()
            .unwrap_or(0),
        jobs: callers.iter().copied().map(name).collect(),
        latest: minutes
            .clone()
            .map(|minute| minute.latest)
            .max()
            .unwrap_or_default(),
        missed: missed.count(),
        missed_jobs: missed_jobs.into_iter().map(name).collect(),
        skipped: minutes.clone().map(|minute| minute.skipped).sum(),
        replaced: minutes.map(|minute| minute.replaced).sum(),
    }
}

fn starts_at(minute: &Minute) -> Timestamp {
    Timestamp::from_microsecond(minute.starts_us).unwrap_or(Timestamp::MIN)
}

/// The zone of these jobs where they share one, else UTC.
fn common_zone<'a>(jobs: &[&Demand<'a>], callers: &[usize]) -> (&'a str, TimeZone) {
    let mut schedules = callers.iter().map(|caller| jobs[*caller].schedule);
    match schedules.next() {
        Some(first) if schedules.all(|s| s.timezone_name() == first.timezone_name()) => {
            (first.timezone_name(), first.timezone().clone())
        }
        _ => ("UTC", TimeZone::UTC),
    }
}
