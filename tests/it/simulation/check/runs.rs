//! Each run by its job's rules: what of the past is caught up, on which days, how late, how often.

use jiff::Timestamp;

use super::{AttemptRow, Faults, RunRow, Story, is_tick, seconds_us};
use crate::simulation::jobs::Spec;

/// A tick planned so much later than its instant is not live any more.
const LATE_US: i64 = 10_000_000;

pub(super) fn check(story: &Story<'_>, faults: &mut Faults) {
    for run in &story.facts.runs {
        let spec = &story.world.specs[&run.definition_hash];
        ends(run, faults);
        starts_in_time(story, run, spec, faults);
        keeps_its_deadline(story, run, spec, faults);
        retries_by_the_rules(story, run, spec, faults);
        no_retry_in_the_next_tick(story, run, spec, faults);
        keeps_its_days(run, spec, faults);
        waits_for_its_spread(story, run, spec, faults);
    }
    caught_up_is_the_newest(story, faults);
}

fn ends(run: &RunRow, faults: &mut Faults) {
    let open = matches!(run.state.as_str(), "waiting" | "running");
    faults.unless(!open && run.finished_us.is_some(), "an end", || {
        format!("a run waits for ever: {run:?}")
    });
}

fn starts_in_time(story: &Story<'_>, run: &RunRow, spec: &Spec, faults: &mut Faults) {
    let rows = story.attempts_of(run);
    let age = run.created_us - run.scheduled_us;
    match run.trigger.as_str() {
        "catchup" => {
            faults.unless(spec.catchup != "none", "catch-up", || {
                format!("none is wanted: {run:?}")
            });
            faults.unless(age <= seconds_us(spec.window), "catch-up", || {
                format!("older than the window of {} s: {run:?}", spec.window)
            });
        }
        "schedule" => {
            let first = rows.first().map(|row| row.opened_us);
            let deadline = run.due_us + seconds_us(spec.start_deadline);
            faults.unless(
                first.is_none_or(|opened| opened < deadline),
                "start_deadline",
                || format!("opened after {} s: {run:?}", spec.start_deadline),
            );
            let is_lost = run.state == "missed"
                || matches!(
                    run.reason.as_deref(),
                    Some("dst_gap" | "excluded" | "paused")
                );
            let live = !is_lost;
            faults.unless(!live || age <= LATE_US, "catch-up", || {
                format!("live, and late: {run:?}")
            });
        }
        // Nothing bounds what people start.
        _ => {}
    }
    // A daemon that is there and well loses nothing.
    let lost = matches!(
        (run.state.as_str(), run.reason.as_deref()),
        (
            "missed",
            Some("daemon_down" | "ledger_unavailable" | "clock" | "catchup")
        )
    );
    let excused = lost && story.was_unwell(run.scheduled_us);
    faults.unless(!lost || excused, "a tick lost for nothing", || {
        format!("{run:?}")
    });
}

/// No attempt goes on beyond the run's deadline: it is given what is left.
fn keeps_its_deadline(story: &Story<'_>, run: &RunRow, spec: &Spec, faults: &mut Faults) {
    let rows = story.attempts_of(run);
    let Some(first) = rows.first() else { return };
    for row in rows {
        let Some(seen) = story.seen_as.get(&(&*row.run_id, row.attempt)) else {
            continue;
        };
        faults.unless(seen.timeout.as_secs() <= spec.timeout, "timeout", || {
            format!(
                "{:?} is more than {} s: {seen:?}",
                seen.timeout, spec.timeout
            )
        });
        let length = i64::try_from((seen.ended - seen.begun).as_micros()).unwrap();
        let over = row.opened_us + length > first.opened_us + seconds_us(spec.deadline);
        faults.unless(!over || story.was_unwell(row.opened_us), "deadline", || {
            format!("goes on beyond it: {row:?} of {run:?}")
        });
    }
}

fn retries_by_the_rules(story: &Story<'_>, run: &RunRow, spec: &Spec, faults: &mut Faults) {
    let rows = story.attempts_of(run);
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
        let asked = story
            .seen_as
            .get(&(before.run_id.as_str(), before.attempt))
            .and_then(|seen| seen.wait);
        let wait = match (outcome, asked) {
            ("throttled", Some(asked)) => asked.clamp(1, 300) as f64,
            ("throttled", None) => spec.delay(throttles as u32),
            _ => spec.delay((so_far.len() - throttles) as u32),
        };
        // The wait was over, and the quota's was not, when the clock was set back.
        if story.was_set_back(after.opened_us) {
            continue;
        }
        let waited = after.opened_us - before.finished_us.unwrap_or(i64::MAX);
        faults.unless(waited as f64 >= wait * 1e6 - 1.0, "retry", || {
            format!("after {waited} µs instead of {wait} s: {after:?} of {run:?}")
        });
    }
}

fn no_retry_in_the_next_tick(story: &Story<'_>, run: &RunRow, spec: &Spec, faults: &mut Faults) {
    let rows = story.attempts_of(run);
    if spec.into_next_tick || run.trigger != "schedule" || rows.len() < 2 {
        return;
    }
    // By the definition that it was planned with.
    let ticks = story.of_job[run.job.as_str()].iter().filter(|other| {
        is_tick(other)
            && other.definition_hash == run.definition_hash
            && other.reason.as_deref() != Some("excluded")
    });
    let ticks: Vec<i64> = ticks.map(|other| other.scheduled_us).collect();
    for pair in rows.windows(2) {
        let finished = pair[0].finished_us.unwrap_or(i64::MAX);
        let into = ticks
            .iter()
            .any(|tick| finished < *tick && *tick <= pair[1].opened_us && !excluded(spec, *tick));
        faults.unless(!into, "next tick", || format!("{:?} of {run:?}", pair[1]));
    }
}

fn at(us: i64) -> Timestamp {
    Timestamp::from_microsecond(us).unwrap()
}

fn excluded(spec: &Spec, us: i64) -> bool {
    spec.days.exclude(at(us), spec.zone)
}

/// Nothing fires on an excluded day, nor outside of the bounds; and only such days are excluded.
fn keeps_its_days(run: &RunRow, spec: &Spec, faults: &mut Faults) {
    if !is_tick(run) && run.trigger != "backfill" {
        return;
    }
    let tick = at(run.scheduled_us);
    let within = spec.starts_at.is_none_or(|start| start <= tick)
        && spec.ends_at.is_none_or(|end| tick <= end);
    faults.unless(within, "bounds", || format!("{run:?}"));
    let reason = run.reason.as_deref();
    let says = run.state == "skipped" && matches!(reason, Some("excluded" | "paused" | "dst_gap"));
    let is_excluded = excluded(spec, run.scheduled_us);
    faults.unless(!is_excluded || (is_tick(run) && says), "calendar", || {
        format!("fires on a day that is left out: {run:?}")
    });
    faults.unless(
        is_excluded || reason != Some("excluded"),
        "calendar",
        || format!("left out on a day like any other: {run:?}"),
    );
}

/// Nothing is sent before it is due; what is caught up is so as if its tick were its planning.
fn waits_for_its_spread(story: &Story<'_>, run: &RunRow, spec: &Spec, faults: &mut Faults) {
    let delay = run.due_us - run.scheduled_us;
    let most = if is_tick(run) {
        seconds_us(spec.spread)
    } else {
        0
    };
    faults.unless((0..most.max(1)).contains(&delay), "spread", || {
        format!("{delay} µs of {} s: {run:?}", spec.spread)
    });
    let due = match run.trigger.as_str() {
        "catchup" => run.created_us + delay,
        _ => run.due_us,
    };
    let early = run.opened_us.is_some_and(|opened| opened < due);
    let excused = run
        .opened_us
        .is_some_and(|opened| story.was_set_back(opened));
    faults.unless(!early || excused, "spread", || {
        format!("opened before it was due: {run:?}")
    });
}

/// Of one outage no more is caught up than the policy says, and it is the newest.
fn caught_up_is_the_newest(story: &Story<'_>, faults: &mut Faults) {
    for runs in story.of_job.values() {
        let ticks: Vec<&RunRow> = runs.iter().copied().filter(|run| is_tick(run)).collect();
        for (place, run) in ticks.iter().enumerate() {
            let spec = &story.world.specs[&run.definition_hash];
            let most = match spec.catchup {
                "latest" => 1,
                _ => spec.max_catchup as usize,
            };
            let newer = &ticks[place + 1..];
            if run.trigger == "catchup" {
                // What was planned at another time parts two outages.
                let of_outage = newer.iter().take_while(|other| {
                    (other.created_us, &other.definition_hash)
                        == (run.created_us, &run.definition_hash)
                });
                let caught_up = of_outage.filter(|run| run.trigger == "catchup").count();
                // A daemon that lived in between may have seen two, and a clock that was set ahead
                // meanwhile makes an outage of its own.
                let first = run.scheduled_us;
                let mut lives = story.world.lives.iter();
                let mut jumps = story.world.jumps.iter();
                let parted = lives.any(|(from, to)| *from < run.created_us && *to > first)
                    || jumps.any(|(from, to)| *from < run.created_us && first <= *to);
                faults.unless(caught_up < most || parted, "catch-up", || {
                    format!("{caught_up} newer ones are caught up, {most} in all: {run:?}")
                });
            }
            if run.reason.as_deref() == Some("catchup") {
                // A long one is planned in parts, the newest last.
                let newer = newer.iter().filter(|other| {
                    other.created_us <= run.created_us || other.trigger == "catchup"
                });
                let newer = newer.filter(|other| fires(other)).count();
                // What it gave way to may be of a time that a clock which was ahead made up.
                let made_up = story.was_set_back(run.created_us);
                faults.unless(newer >= most || made_up, "catch-up", || {
                    format!("only {newer} newer ones are caught up, not {most}: {run:?}")
                });
            }
        }
    }
}

/// It would have run, if nothing had been in its way.
fn fires(run: &RunRow) -> bool {
    let reason = run.reason.as_deref();
    run.state != "skipped" || !matches!(reason, Some("excluded" | "dst_gap"))
}
