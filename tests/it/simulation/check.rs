//! What must hold when the story is over (contract, sections 2 to 4), by what the ledger says, what
//! the server saw, and what happened; by no code that decided anything of it.

use std::collections::HashMap;
use std::time::Duration;

use funcron::audit::{Circumstances, verify};
use funcron::store::audit::AuditReader;
use jiff::Timestamp;

use super::facts::{AttemptRow, Facts, RunRow};
use super::jobs::Spec;
use super::server::Seen;
use super::world::World;
use crate::support::house::ZONE_DATA;

/// A tick planned so much later than its instant is not live any more.
const LATE_US: i64 = 10_000_000;

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

/// Everything else.
pub(crate) fn check(world: &World, facts: &Facts, seen: &[Seen], faults: &mut Faults) {
    let mut attempts: HashMap<&str, Vec<&AttemptRow>> = HashMap::new();
    for attempt in &facts.attempts {
        attempts.entry(&attempt.run_id).or_default().push(attempt);
    }
    for rows in attempts.values_mut() {
        rows.sort_by_key(|row| row.attempt);
    }
    let seen_as: HashMap<(&str, u32), &Seen> = seen
        .iter()
        .map(|seen| ((seen.run.as_str(), seen.attempt), seen))
        .collect();
    faults.unless(seen_as.len() == seen.len(), "G1", || {
        "one attempt was called twice".to_owned()
    });

    // The audit lets them be: a living daemon would plan them.
    faults.unless(facts.gaps == 0, "G2", || {
        format!("{} spans were never planned", facts.gaps)
    });
    for call in seen {
        calls_have_their_row(call, &attempts, faults);
    }
    for attempt in &facts.attempts {
        let seen = seen_as
            .get(&(attempt.run_id.as_str(), attempt.attempt))
            .copied();
        the_verdict_is_true(world, attempt, seen, faults);
    }
    for run in &facts.runs {
        let Some(spec) = world.specs.get(&run.definition_hash) else {
            faults.add(
                "G2",
                format!("{run:?} has a definition that was never loaded"),
            );
            continue;
        };
        let rows = attempts.get(run.id.as_str()).map_or(&[][..], Vec::as_slice);
        ends(run, faults);
        starts_in_time(world, run, spec, rows, faults);
        retries_by_the_rules(world, run, spec, rows, &seen_as, faults);
        no_retry_in_the_next_tick(run, spec, rows, facts, faults);
        overlap_has_its_cause(world, run, facts, faults);
    }
    no_job_calls_twice_at_once(seen, faults);
    let by_key = |seen: &Seen| (seen.key.clone(), seen.limits.0);
    let by_workspace = |seen: &Seen| (seen.workspace.clone(), seen.limits.1);
    quota(seen, by_key, faults);
    quota(seen, by_workspace, faults);
}

fn calls_have_their_row(
    call: &Seen,
    attempts: &HashMap<&str, Vec<&AttemptRow>>,
    faults: &mut Faults,
) {
    faults.unless(call.recorded, "G1", || {
        format!("a call was made before its row was durable: {call:?}")
    });
    let rows = attempts.get(call.run.as_str());
    let kept = rows.is_some_and(|rows| rows.iter().any(|row| row.attempt == call.attempt));
    faults.unless(kept, "G1", || format!("a call without a row: {call:?}"));
}

fn the_verdict_is_true(
    world: &World,
    attempt: &AttemptRow,
    seen: Option<&Seen>,
    faults: &mut Faults,
) {
    let says = (
        attempt.outcome.as_deref(),
        attempt.unknown_reason.as_deref(),
    );
    let id = (attempt.run_id.clone(), attempt.attempt);
    if world.cut_off.contains(&id) {
        faults.unless(says == (Some("unknown"), Some("daemon_died")), "G4", || {
            format!("cut off by a crash, and yet {says:?}: {attempt:?}")
        });
        return;
    }
    let Some(seen) = seen else {
        // Cut off by a stop before the call was begun.
        let stopped = says == (Some("unknown"), Some("shutdown"));
        faults.unless(stopped, "G4", || {
            format!("no call was made, and yet {says:?}: {attempt:?}")
        });
        return;
    };
    let stopped = world
        .stops
        .iter()
        .any(|(from, to)| seen.begun <= *to && seen.ended >= *from);
    if stopped && says == (Some("unknown"), Some("shutdown")) {
        return;
    }
    faults.unless(says == (Some(seen.outcome), seen.unknown), "G4", || {
        format!("the ledger says {says:?} of {seen:?}")
    });
}

fn ends(run: &RunRow, faults: &mut Faults) {
    let open = matches!(run.state.as_str(), "waiting" | "running");
    faults.unless(!open && run.finished_us.is_some(), "an end", || {
        format!("a run waits for ever: {run:?}")
    });
}

fn seconds_us(seconds: u64) -> i64 {
    i64::try_from(seconds).unwrap() * 1_000_000
}

fn starts_in_time(
    world: &World,
    run: &RunRow,
    spec: &Spec,
    rows: &[&AttemptRow],
    faults: &mut Faults,
) {
    let age = run.created_us - run.scheduled_us;
    match run.trigger.as_str() {
        "catchup" => {
            faults.unless(spec.catchup == "latest", "catch-up", || {
                format!("none is wanted: {run:?}")
            });
            faults.unless(age <= seconds_us(spec.window), "catch-up", || {
                format!("older than the window of {} s: {run:?}", spec.window)
            });
        }
        _ => {
            let first = rows.first().map(|row| row.opened_us);
            let deadline = run.due_us + seconds_us(spec.start_deadline);
            faults.unless(
                first.is_none_or(|opened| opened < deadline),
                "start_deadline",
                || format!("opened after {} s: {run:?}", spec.start_deadline),
            );
            let live = run.state != "missed" && run.reason.as_deref() != Some("dst_gap");
            faults.unless(!live || age <= LATE_US, "catch-up", || {
                format!("live, and late: {run:?}")
            });
        }
    }
    // A daemon that is there and well loses nothing.
    let lost = matches!(
        (run.state.as_str(), run.reason.as_deref()),
        (
            "missed",
            Some("daemon_down" | "ledger_unavailable" | "clock" | "catchup")
        )
    );
    let excused = lost && was_unwell(world, run.scheduled_us);
    faults.unless(!lost || excused, "a tick lost for nothing", || {
        format!("{run:?}")
    });
}

fn within(spans: &[(Timestamp, Timestamp)], us: i64) -> bool {
    let at = Timestamp::from_microsecond(us).unwrap();
    spans.iter().any(|(from, to)| *from <= at && at <= *to)
}

fn was_unwell(world: &World, us: i64) -> bool {
    within(&world.unwell, us)
}

fn retries_by_the_rules(
    world: &World,
    run: &RunRow,
    spec: &Spec,
    rows: &[&AttemptRow],
    seen_as: &HashMap<(&str, u32), &Seen>,
    faults: &mut Faults,
) {
    let throttled = |row: &&&AttemptRow| row.outcome.as_deref() == Some("throttled");
    let counted = rows.iter().filter(|row| !throttled(row)).count();
    faults.unless(counted <= spec.max_attempts as usize, "retry", || {
        format!("{counted} attempts of {}: {run:?}", spec.max_attempts)
    });
    faults.unless(run.counted == counted as i64, "retry", || {
        format!("{counted} attempts count: {run:?}")
    });
    for (at, pair) in rows.windows(2).enumerate() {
        let (before, after) = (pair[0], pair[1]);
        let outcome = before.outcome.as_deref().unwrap_or("open");
        faults.unless(spec.retries(outcome), "retry", || {
            format!("after {outcome}: {run:?}")
        });
        let first = rows[0].opened_us;
        let in_time = after.opened_us < first + seconds_us(spec.deadline);
        faults.unless(in_time, "deadline", || {
            format!("opened after it: {after:?} of {run:?}")
        });
        let so_far = &rows[..=at];
        let throttles = so_far.iter().filter(throttled).count();
        let asked = seen_as
            .get(&(before.run_id.as_str(), before.attempt))
            .and_then(|seen| seen.wait);
        let wait = match (outcome, asked) {
            ("throttled", Some(asked)) => asked.clamp(1, 300) as f64,
            ("throttled", None) => spec.delay(throttles as u32),
            _ => spec.delay((so_far.len() - throttles) as u32),
        };
        // The wait was over, and the quota's was not, when the clock was set back.
        if within(&world.set_back, after.opened_us) {
            continue;
        }
        let waited = after.opened_us - before.finished_us.unwrap_or(i64::MAX);
        faults.unless(waited as f64 >= wait * 1e6 - 1.0, "retry", || {
            format!("after {waited} µs instead of {wait} s: {after:?} of {run:?}")
        });
    }
}

fn no_retry_in_the_next_tick(
    run: &RunRow,
    spec: &Spec,
    rows: &[&AttemptRow],
    facts: &Facts,
    faults: &mut Faults,
) {
    if spec.into_next_tick || run.trigger != "schedule" || rows.len() < 2 {
        return;
    }
    let of_job = || facts.runs.iter().filter(|other| other.job == run.job);
    // By the definition that it was planned with.
    let ticks = of_job().filter(|other| other.definition_hash == run.definition_hash);
    let ticks: Vec<i64> = ticks.map(|other| other.scheduled_us).collect();
    for pair in rows.windows(2) {
        let finished = pair[0].finished_us.unwrap_or(i64::MAX);
        let into = ticks
            .iter()
            .any(|tick| finished < *tick && *tick <= pair[1].opened_us);
        faults.unless(!into, "next tick", || format!("{:?} of {run:?}", pair[1]));
    }
}

/// A tick that was skipped had an earlier live run that was not final.
fn overlap_has_its_cause(world: &World, run: &RunRow, facts: &Facts, faults: &mut Faults) {
    let skipped = (run.state.as_str(), run.reason.as_deref()) == ("skipped", Some("overlap"));
    // What ended while the disk failed is recorded later than the instant that it bears.
    if !skipped || was_unwell(world, run.created_us) {
        return;
    }
    // A run that ends before it was planned saw the clock set back; by its instants nobody can tell.
    let ended_before = |other: &RunRow| {
        other
            .finished_us
            .is_some_and(|finished| finished < run.created_us && finished >= other.created_us)
    };
    let occupied = facts.runs.iter().any(|other| {
        other.job == run.job
            && other.trigger == "schedule"
            && other.id != run.id
            && other.scheduled_us < run.scheduled_us
            && other.created_us <= run.created_us
            && !ended_before(other)
    });
    faults.unless(occupied, "overlap", || {
        format!("nothing was in its way: {run:?}")
    });
}

fn no_job_calls_twice_at_once(seen: &[Seen], faults: &mut Faults) {
    let mut of_job: HashMap<&str, &Seen> = HashMap::new();
    for call in seen {
        if let Some(before) = of_job.insert(&call.job, call) {
            faults.unless(before.ended <= call.begun, "overlap", || {
                format!("two calls of a job at once: {before:?} and {call:?}")
            });
        }
    }
}

/// No minute of arrivals holds more calls than the limit that stood when its last one was begun.
fn quota(seen: &[Seen], whose: impl Fn(&Seen) -> (String, u64), faults: &mut Faults) {
    let minute = Duration::from_secs(60);
    let mut of: HashMap<String, Vec<Duration>> = HashMap::new();
    for call in seen {
        let (owner, limit) = whose(call);
        if let Some(arrived) = call.arrived {
            let earlier = of.entry(owner.clone()).or_default();
            let within = |at: Duration| at + minute > arrived && at <= arrived;
            let count = 1 + earlier.iter().filter(|at| within(**at)).count() as u64;
            earlier.push(arrived);
            faults.unless(count <= limit, "G5", || {
                format!("{count} calls of {owner} in a minute, {limit} are allowed: {call:?}")
            });
        }
    }
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
