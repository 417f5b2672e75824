//! Whatever happens to the runs of a job, in whatever order: the lines are as if they had been built
//! from scratch.

use std::time::Duration;

use proptest::prelude::*;
use uuid::Uuid;

use super::*;
use crate::domain::job::Job;
use crate::domain::run::Trigger;

const POLICIES: [Overlap; 5] = [
    Overlap::Skip,
    Overlap::QueueOne,
    Overlap::QueueAll,
    Overlap::Allow,
    Overlap::CancelRunning,
];

fn job(overlap: Overlap) -> Arc<Job> {
    let text = r#"{"name":"a","labels":{},"enabled":true,"workspace":"prod","func_id":"a__b.c","kwargs":{},"secret_kwargs":{},"schedule":["@daily"],"timezone":"UTC","dst":{"gap":"run_after","overlap":"first"},"overlap":"skip","catchup":"latest","catchup_window":"1h","start_deadline":"5m","timeout":"1m","deadline":"15m","idempotent":false,"retry":{"max_attempts":3,"initial_delay":"5s","multiplier":2.0,"max_delay":"5m","jitter":0.2,"on":["throttled"],"into_next_tick":true},"expect":[]}"#;
    let job = crate::config::definition::read(text).unwrap();
    Arc::new(Job { overlap, ..job })
}

fn jobs(job: &Arc<Job>) -> Arc<JobSet> {
    Arc::new(JobSet {
        jobs: [(job.name.clone(), job.clone())].into(),
        ..JobSet::default()
    })
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

/// Something that happens.
#[derive(Clone, Debug)]
enum Act {
    /// The run with this number is now so: running, attempts before, delayed by so many seconds.
    Put(u8, bool, u32, Option<i64>),
    End(u8),
    Policy(usize),
    /// Time passes, and the lines are woken.
    Pass(i64),
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        6 => (0u8..9, any::<bool>(), 0u32..3, prop::option::of(1i64..40))
            .prop_map(|(run, running, attempts, delay)| Act::Put(run, running, attempts, delay)),
        3 => (0u8..9).prop_map(Act::End),
        1 => (0..POLICIES.len()).prop_map(Act::Policy),
        1 => (1i64..30).prop_map(Act::Pass),
    ]
}

/// A run by its number, which decides what started it: 0 to 4 live, 5 to 7 caught up, 8 by hand.
fn run(number: u8, job: &Arc<Job>) -> Run {
    Run {
        id: RunId(Uuid::from_u128(u128::from(number))),
        job: job.clone(),
        trigger: match number {
            0..5 => Trigger::Schedule,
            5..8 => Trigger::Catchup,
            _ => Trigger::Manual,
        },
        scheduled_at: at(i64::from(number % 4)),
        due_at: at(i64::from(number % 4)),
        state: RunState::Waiting,
        reason: Some(Reason::InFlight),
        not_before: None,
        opened_at: None,
        attempts: 0,
        counted: 0,
        last_outcome: None,
        last_finished: None,
        unknown: None,
        backfill: None,
        cancelled: false,
    }
}

/// The rule of the contract, said of a whole list: whether another run of it holds this one back.
fn is_held(run: &Run, all: &[Run], overlap: Overlap) -> bool {
    let ahead = |other: &Run| {
        let rank = |run: &Run| (!run.has_begun(), run.place());
        other.id != run.id && rank(other) < rank(run)
    };
    if run.is_live() {
        overlap != Overlap::Allow
            && all.iter().any(|other| {
                (other.goes_behind() && other.state == RunState::Running)
                    || (other.is_live() && !run.has_begun() && ahead(other))
            })
    } else {
        run.goes_behind()
            && all
                .iter()
                .any(|other| other.is_live() || (other.goes_behind() && ahead(other)))
    }
}

proptest! {
    #[test]
    fn a_run_stands_in_line_exactly_where_its_time_has_come_and_nothing_holds_it_back(
        acts in prop::collection::vec(act(), 1..60),
    ) {
        let mut policy = job(Overlap::Skip);
        let mut lines = Lines::default();
        lines.configure(jobs(&policy));
        let mut now = at(100);
        for act in acts {
            match act {
                Act::Put(number, running, attempts, delay) => {
                    let waiting = run(number, &policy);
                    lines.put(Run {
                        state: if running { RunState::Running } else { RunState::Waiting },
                        attempts,
                        opened_at: (attempts > 0).then_some(at(50)),
                        not_before: delay.filter(|_| !running).map(|delay| now + Duration::from_secs(delay.unsigned_abs())),
                        ..waiting
                    }, now);
                }
                Act::End(number) => lines.remove(run(number, &policy).id),
                Act::Policy(index) => {
                    policy = job(POLICIES[index]);
                    lines.configure(jobs(&policy));
                }
                Act::Pass(seconds) => {
                    now += Duration::from_secs(seconds.unsigned_abs());
                    lines.wake(now);
                }
            }
            let all: Vec<Run> = lines.all().cloned().collect();
            let standing: BTreeSet<Place> = lines
                .ready
                .values()
                .flat_map(|line| line.places.iter().flatten())
                .copied()
                .collect();
            let mislabelled = lines.overlapping(usize::MAX);
            let is_due = |run: &&Run| {
                run.state == RunState::Waiting && !lines.delayed.iter().any(|(_, id)| *id == run.id)
            };
            for run in all.iter().filter(is_due) {
                let held = is_held(run, &all, policy.overlap);
                prop_assert_eq!(standing.contains(&run.place()), !held, "{:?}", run);
                let told = mislabelled.iter().any(|other| other.id == run.id);
                prop_assert_eq!(told, held, "{:?}", run);
            }
            let due = all.iter().filter(is_due).count();
            prop_assert!(standing.len() <= due, "one stands in line whose time has not come");
            let delayed_or_running = all.len() > due;
            prop_assert!(
                due == 0 || delayed_or_running || !standing.is_empty(),
                "all wait for each other"
            );
        }
    }
}
