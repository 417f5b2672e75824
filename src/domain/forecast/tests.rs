//! What the tests of the forecast share, and the tests of its whole.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::*;
use crate::domain::schedule::{Dst, ScheduleSpec};
use crate::domain::secret::SecretRef;
use crate::domain::workspace::{Quota, Workspace};

mod remedies;

pub(super) fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

pub(super) fn schedule(job: &str, expression: &str, timezone: &str) -> Schedule {
    Schedule::parse(&ScheduleSpec {
        expressions: &[expression.to_owned()],
        timezone,
        dst: Dst::default(),
        starts_at: None,
        ends_at: None,
        job,
    })
    .unwrap()
}

/// A name, its keys' variables, calls a minute and key, and calls a minute.
type Entry<'a> = (&'a str, &'a [&'a str], Option<u32>, Option<u32>);

pub(super) fn workspaces(entries: &[Entry<'_>]) -> BTreeMap<WorkspaceName, Workspace> {
    let made = entries.iter().map(|(name, keys, per_key, per_workspace)| {
        let name = WorkspaceName(Arc::from(*name));
        let key = |key: &&str| SecretRef::Env((*key).to_owned());
        let workspace = Workspace {
            name: name.clone(),
            base_url: "https://openapi.example.com".to_owned(),
            api_keys: keys.iter().map(key).collect(),
            quota: Quota {
                per_key: per_key.and_then(NonZeroU32::new),
                per_workspace: per_workspace.and_then(NonZeroU32::new),
            },
            max_in_flight: 16,
            max_reply: 8 << 20,
            insecure: false,
            ca_file: None,
            proxy: None,
        };
        (name, workspace)
    });
    made.collect()
}

/// What a demand borrows from.
pub(super) struct Fixture {
    name: JobName,
    workspace: WorkspaceName,
    schedule: Schedule,
    spread: Duration,
    start_deadline: Duration,
    overlap: Overlap,
}

impl Fixture {
    pub(super) fn new(name: &str, expression: &str) -> Self {
        Self::in_zone(name, expression, "UTC")
    }

    pub(super) fn in_zone(name: &str, expression: &str, timezone: &str) -> Self {
        Self {
            name: JobName::parse(name).unwrap(),
            workspace: WorkspaceName(Arc::from("prod")),
            schedule: schedule(name, expression, timezone),
            spread: Duration::ZERO,
            start_deadline: Duration::from_secs(300),
            overlap: Overlap::Skip,
        }
    }

    pub(super) fn of(self, workspace: &str) -> Self {
        Self {
            workspace: WorkspaceName(Arc::from(workspace)),
            ..self
        }
    }

    fn start_deadline(self, seconds: u64) -> Self {
        Self {
            start_deadline: Duration::from_secs(seconds),
            ..self
        }
    }

    pub(super) fn demand(&self) -> Demand<'_> {
        Demand {
            name: &self.name,
            workspace: &self.workspace,
            schedule: &self.schedule,
            spread: self.spread,
            start_deadline: self.start_deadline,
            overlap: self.overlap,
        }
    }
}

/// Where twenty calls a minute fit, for 31 days.
fn proven(fixtures: &[Fixture]) -> Proof {
    proven_within(fixtures, 20, 31)
}

/// Where so many calls a minute fit, from 2026-11-24T05:16Z on for so many days.
fn proven_within(fixtures: &[Fixture], limit: u32, days: u64) -> Proof {
    let jobs: Vec<Demand<'_>> = fixtures.iter().map(Fixture::demand).collect();
    let workspaces = workspaces(&[("prod", &["KEY"], Some(limit), Some(200))]);
    let from = at("2026-11-24T05:16:00Z");
    let until = from + Duration::from_secs(days * 86_400);
    let mut proofs = prove(&jobs, &workspaces, Span { from, until });
    assert_eq!(proofs.len(), 1);
    let proof = proofs.remove(0);
    assert!(!proof.is_cut);
    proof
}

fn sixty(expression: &str) -> Vec<Fixture> {
    (1..=60)
        .map(|number| Fixture::new(&format!("job-{number:02}"), expression))
        .collect()
}

/// The same with the remedy taken.
fn remedied(fixtures: Vec<Fixture>, remedy: &Remedy) -> Vec<Fixture> {
    let Remedy::Spread { spread, jobs } = remedy else {
        panic!("there is a remedy: {remedy:?}");
    };
    let taken = |fixture: Fixture| Fixture {
        spread: if jobs.contains(&fixture.name) {
            *spread
        } else {
            fixture.spread
        },
        ..fixture
    };
    fixtures.into_iter().map(taken).collect()
}

#[test]
fn sixty_jobs_at_the_full_hour_are_three_times_the_quota_and_a_spread_makes_them_fit() {
    let jobs = sixty("0 * * * *");
    let proof = proven(&jobs);
    let [crowd] = &proof.crowds[..] else {
        panic!("one crowd: {:?}", proof.crowds);
    };
    assert_eq!(crowd.when, "every hour at :00");
    assert_eq!(crowd.timezone, "UTC");
    assert_eq!(crowd.first, at("2026-11-24T06:00:00Z"));
    assert_eq!(crowd.minutes, 31 * 24);
    assert_eq!((crowd.calls, proof.limit.get()), (60, 20));
    assert_eq!(crowd.jobs.len(), 60);
    assert_eq!(crowd.latest, Duration::from_secs(122));
    assert_eq!((crowd.missed, crowd.skipped), (0, 0));
    let remedy = proof.remedy.unwrap();
    let Remedy::Spread {
        spread,
        jobs: moved,
    } = &remedy
    else {
        panic!("{remedy:?}");
    };
    assert_eq!(*spread, Duration::from_secs(300));
    assert_eq!(moved.len(), 60);
    let after = proven(&remedied(jobs, &remedy));
    assert_eq!(after.crowds, []);
    assert_eq!(after.remedy, None);
}

#[test]
fn the_spread_is_the_smallest_that_fits() {
    let spread_all = |seconds| {
        let jobs = sixty("0 * * * *").into_iter().map(|job| Fixture {
            spread: Duration::from_secs(seconds),
            ..job
        });
        proven(&jobs.collect::<Vec<_>>()).crowds.len()
    };
    assert_ne!(spread_all(120), 0);
    assert_eq!(spread_all(300), 0);
}

#[test]
fn runs_that_would_start_after_their_deadline_are_told_first() {
    let mut jobs = sixty("0 9 * * *");
    jobs.truncate(41);
    jobs[40] = Fixture::new("job-41", "0 9 * * *").start_deadline(90);
    jobs.extend((0..50).map(|number| Fixture::new(&format!("noon-{number:02}"), "0 12 * * *")));
    let proof = proven(&jobs);
    let told: Vec<_> = proof
        .crowds
        .iter()
        .map(|crowd| {
            (
                crowd.when.as_str(),
                crowd.calls,
                crowd.latest.as_secs(),
                crowd.missed,
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            ("every day at 09:00", 41, 61, 31),
            ("every day at 12:00", 50, 122, 0)
        ]
    );
    assert_eq!(
        proof.crowds[0].missed_jobs,
        [JobName::parse("job-41").unwrap()]
    );
}

#[test]
fn times_are_told_in_the_zone_that_the_jobs_share_or_else_in_utc() {
    let when = |zones: &[&str]| {
        let job = |number: usize| {
            let zone = zones[number % zones.len()];
            Fixture::in_zone(&format!("job-{number}"), "0 9 * * mon-fri", zone)
        };
        let proof = proven(&(0..42).map(job).collect::<Vec<_>>());
        let told = proof
            .crowds
            .iter()
            .map(|crowd| format!("{} ({})", crowd.when, crowd.timezone));
        told.collect::<Vec<_>>()
    };
    assert_eq!(
        when(&["Asia/Shanghai"]),
        ["mon-fri at 09:00 (Asia/Shanghai)"]
    );
    assert_eq!(
        when(&["Asia/Shanghai", "Etc/GMT-8"]),
        ["mon-fri at 01:00 (UTC)"]
    );
}

#[test]
fn where_more_is_due_every_minute_than_fits_no_spread_helps_and_runs_are_skipped() {
    let jobs = ["a", "b", "c"].map(|name| Fixture::new(name, "* * * * *"));
    let proof = proven_within(&jobs, 2, 14);
    assert_eq!(proof.crowds[0].when, "every minute");
    assert_eq!(proof.crowds[0].calls, 3);
    let minutes = 14 * 24 * 60;
    let skipped = proof.crowds[0].skipped;
    assert!(
        (minutes * 9 / 10..minutes * 11 / 10).contains(&skipped),
        "{skipped}"
    );
    assert_eq!(proof.remedy, Some(Remedy::None));
}

#[test]
fn a_few_seconds_for_the_sake_of_the_window_are_no_fault_unless_they_add_up() {
    let minutely = |count: usize| {
        let job = |number| Fixture::new(&format!("job-{number:02}"), "* * * * *");
        let proof = proven_within(&(0..count).map(job).collect::<Vec<_>>(), 4, 14);
        let told = proof.crowds.into_iter();
        told.map(|crowd| {
            (
                crowd.when,
                crowd.calls,
                crowd.latest.as_secs(),
                crowd.skipped > 0,
            )
        })
        .collect::<Vec<_>>()
    };
    assert_eq!(minutely(3), []);
    assert_eq!(minutely(4), [("every minute".to_owned(), 4, 61, true)]);
}

#[test]
fn a_job_that_ticks_more_often_than_the_spread_is_spread_to_its_next_tick() {
    let mut jobs = sixty("0 * * * *");
    jobs.extend((0..5).map(|number| Fixture::new(&format!("minutely-{number}"), "* * * * *")));
    let proof = proven_within(&jobs, 20, 2);
    let remedy = proof.remedy.unwrap();
    let Remedy::Spread {
        spread,
        jobs: moved,
    } = &remedy
    else {
        panic!("{remedy:?}");
    };
    assert!(*spread > Duration::from_secs(60));
    assert_eq!(moved.len(), 65, "{moved:?}");
    assert_eq!(proven_within(&remedied(jobs, &remedy), 20, 2).crowds, []);
}

#[test]
fn a_job_that_has_a_longer_spread_keeps_it() {
    let mut jobs = sixty("0 * * * *");
    let kept = "job-07";
    jobs[6].spread = Duration::from_secs(7_200);
    // At 06:00, before it is due.
    jobs.push(Fixture::new("job-61", "0 * * * *"));
    let proof = proven_within(&jobs, 20, 2);
    let remedy = proof.remedy.unwrap();
    let Remedy::Spread { jobs: moved, .. } = &remedy else {
        panic!("{remedy:?}");
    };
    assert_eq!(moved.len(), 60);
    assert!(moved.iter().all(|job| job.as_str() != kept));
    assert_eq!(proven_within(&remedied(jobs, &remedy), 20, 2).crowds, []);
}

#[test]
fn a_workspace_that_shares_a_key_is_held_to_what_it_may_call_alone() {
    let fixtures: Vec<Fixture> = sixty("0 * * * *");
    let jobs: Vec<Demand<'_>> = fixtures.iter().map(Fixture::demand).collect();
    let workspaces = workspaces(&[
        ("other", &["KEY", "SECOND", "THIRD"], Some(20), Some(200)),
        ("prod", &["KEY"], Some(20), Some(200)),
    ]);
    let from = at("2026-11-24T05:16:00Z");
    let until = from + Duration::from_secs(86_400);
    let proofs = prove(&jobs, &workspaces, Span { from, until });
    let told: Vec<_> = proofs
        .iter()
        .map(|proof| {
            (
                proof.workspaces.len(),
                proof.limit.get(),
                proof.crowds.is_empty(),
            )
        })
        .collect();
    assert_eq!(told, [(2, 60, true), (1, 20, false)]);
}

#[test]
fn of_the_clocks_changes_each_minute_is_the_one_that_the_planner_calls_in() {
    // On 2026-10-25 02:30 is repeated: a fixed time fires once; 2026-03-29 has none and runs at 03:00.
    let jobs: Vec<Fixture> = (0..21)
        .map(|number| Fixture::in_zone(&format!("job-{number}"), "30 2 * * *", "Europe/Berlin"))
        .collect();
    let demands: Vec<Demand<'_>> = jobs.iter().map(Fixture::demand).collect();
    let workspaces = workspaces(&[("prod", &["KEY"], Some(20), Some(200))]);
    let minutes = |from: &str| {
        let from = at(from);
        let until = from + Duration::from_secs(86_400);
        let mut proofs = prove(&demands, &workspaces, Span { from, until });
        let crowds = proofs.remove(0).crowds.into_iter();
        crowds
            .map(|crowd| (crowd.first, crowd.minutes, crowd.calls))
            .collect::<Vec<_>>()
    };
    assert_eq!(
        minutes("2026-10-24T22:00:00Z"),
        [(at("2026-10-25T00:30:00Z"), 1, 21)]
    );
    assert_eq!(
        minutes("2026-03-28T23:00:00Z"),
        [(at("2026-03-29T01:00:00Z"), 1, 21)]
    );
}

#[test]
fn a_configuration_too_large_to_look_at_whole_is_looked_at_in_part() {
    // Each has a second of its own, so that none shares a search.
    let fixtures: Vec<Fixture> = (0..200)
        .map(|number| Fixture::new(&format!("job-{number}"), "H * * * * *"))
        .collect();
    let jobs: Vec<Demand<'_>> = fixtures.iter().map(Fixture::demand).collect();
    let workspaces = workspaces(&[("prod", &["KEY"], Some(500), None)]);
    let from = at("2026-11-24T05:16:00Z");
    let until = at("2026-12-25T05:16:00Z");
    let proofs = proof::prove_within(&jobs, &workspaces, Span { from, until }, 60_000);
    assert!(proofs[0].is_cut);
    assert_eq!(proofs[0].crowds, []);
    let looked_at = proofs[0].span.until.as_second() - from.as_second();
    // 200 calls a minute at 6 each.
    assert!((48 * 60..=50 * 60).contains(&looked_at), "{looked_at} s");
}
