//! What people ordered: each order left its one event, and did what it says for good.

use std::collections::{BTreeSet, HashMap};

use funcron::engine::{Cancelled, Command, Reply};
use serde_json::Value;

use super::{Faults, RunRow, Story, is_tick};
use crate::simulation::facts::{BackfillRow, EventRow};
use crate::simulation::world::{Answer, Given};

pub(super) fn check(story: &Story<'_>, faults: &mut Faults) {
    for order in &story.world.orders {
        leaves_its_events(story, order, faults);
        holds(story, order, faults);
    }
    nothing_starts_by_itself(story, faults);
    paused_spans_fire_nothing(story, faults);
    for backfill in &story.facts.backfills {
        runs_what_it_says(story, backfill, faults);
    }
}

impl<'s> Story<'s> {
    fn events_of<'o>(
        &'o self,
        order: &'o Given,
    ) -> impl Iterator<Item = &'s EventRow> + use<'o, 's> {
        let events = self.facts.events.iter();
        events.filter(|event| event.actor == order.actor)
    }

    /// Whether a person's order to cancel the run is in the ledger.
    pub(super) fn is_cancelled(&self, run: &str) -> bool {
        let mut events = self.facts.events.iter();
        events.any(|event| event.kind == "cancel" && event.run_id.as_deref() == Some(run))
    }
}

fn kind(command: &Command) -> &'static str {
    match command {
        Command::Status => "status",
        Command::Trigger(_) => "trigger",
        Command::Pause(_) => "pause",
        Command::Resume(_) => "resume",
        Command::Cancel(_) => "cancel",
        Command::Resolve { .. } => "resolve",
        Command::Backfill(_) => "backfill",
        Command::Replay(_) => "replay",
        Command::Prune => "prune",
    }
}

/// One event, or one for each job that it is about; none where nothing was done.
fn leaves_its_events(story: &Story<'_>, order: &Given, faults: &mut Faults) {
    let events: Vec<&EventRow> = story.events_of(order).collect();
    let count = events.len();
    let right = match &order.answer {
        Answer::Done(Reply::Pauses(answer)) => count == answer.jobs.len(),
        Answer::Done(Reply::Backfill(answer)) => count == usize::from(answer.id.is_some()),
        Answer::Done(_) => count == 1,
        Answer::Refused | Answer::Failed => count == 0,
        Answer::Died => match order.command {
            Command::Pause(_) | Command::Resume(_) => true,
            _ => count <= 1,
        },
    };
    faults.unless(right, "an order's event", || {
        format!("{count} of {:?}: {:?}", order.command, order.answer)
    });
    let kind = kind(&order.command);
    faults.unless(
        events.iter().all(|event| event.kind == kind),
        "an order's event",
        || format!("{events:?} of {:?}", order.command),
    );
}

/// What was answered is so.
fn holds(story: &Story<'_>, order: &Given, faults: &mut Faults) {
    let events: Vec<&EventRow> = story.events_of(order).collect();
    match (&order.command, &order.answer) {
        (Command::Cancel(run), answer) if !events.is_empty() => {
            let run = run.to_string();
            let since = order.answered;
            let mut calls = story.seen.iter().filter(|seen| seen.run == run);
            let again = calls.find(|seen| seen.begun > since);
            faults.unless(again.is_none(), "cancel", || {
                format!("called after it was cancelled: {again:?}")
            });
            if let Answer::Done(Reply::Cancelled(Cancelled::Ended(state, reason))) = answer {
                let row = story.runs[run.as_str()];
                let says = (row.state.as_str(), row.reason.as_deref());
                let right = says == (state.as_str(), Some(reason.as_str()));
                faults.unless(right, "cancel", || {
                    format!("answered {state:?}/{reason:?}: {row:?}")
                });
            }
        }
        (Command::Resolve { run, .. }, Answer::Done(_)) => {
            let row = story.runs[run.to_string().as_str()];
            faults.unless(row.state == "unknown", "resolve", || format!("{row:?}"));
        }
        (Command::Trigger(start), Answer::Done(Reply::Started(started))) => {
            let run = started.run.to_string();
            let row = story.runs.get(run.as_str());
            let right = row.is_some_and(|row| row.job == start.job.as_str());
            faults.unless(right, "trigger", || format!("{start:?} left {row:?}"));
            let number = order.actor.rsplit('-').next().unwrap();
            let given = (!start.kwargs.is_empty()).then(|| number.parse().unwrap());
            for call in story.seen.iter().filter(|seen| seen.run == run) {
                faults.unless(call.by_hand == given, "trigger", || {
                    format!("{given:?} was given: {call:?}")
                });
            }
        }
        (Command::Replay(_), Answer::Done(Reply::Started(started))) => {
            let run = started.run.to_string();
            let row = story.runs.get(run.as_str());
            let right = row.is_some_and(|row| row.trigger == "replay");
            faults.unless(right, "replay", || format!("it left {row:?}"));
        }
        _ => {}
    }
}

/// What is not a tick's has the event of the one who started it; what is cancelled, of the one who
/// did that.
fn nothing_starts_by_itself(story: &Story<'_>, faults: &mut Faults) {
    let mut started: HashMap<(&str, &str), usize> = HashMap::new();
    for event in &story.facts.events {
        if let Some(run) = &event.run_id {
            *started.entry((&event.kind, run)).or_default() += 1;
        }
    }
    for run in &story.facts.runs {
        let kind = match run.trigger.as_str() {
            "manual" => "trigger",
            "replay" => "replay",
            _ => continue,
        };
        let events = started.get(&(kind, run.id.as_str()));
        faults.unless(events == Some(&1), "an order's event", || {
            format!("{events:?} of {run:?}")
        });
    }
    for run in story
        .facts
        .runs
        .iter()
        .filter(|run| run.state == "cancelled")
    {
        let by_hand = run.reason.as_deref() != Some("operator") || story.is_cancelled(&run.id);
        faults.unless(by_hand, "cancel", || format!("nobody did: {run:?}"));
    }
    for backfill in &story.facts.backfills {
        let events = story.facts.events.iter();
        let of_it = |event: &&EventRow| {
            event.kind == "backfill" && detail(event)["backfill"] == backfill.id.as_str()
        };
        let count = events.filter(of_it).count();
        faults.unless(count == 1, "an order's event", || {
            format!("{count} of {backfill:?}")
        });
    }
}

fn detail(event: &EventRow) -> Value {
    serde_json::from_str(&event.detail).unwrap()
}

/// A span `(from, end]` in which a job was paused.
struct Paused {
    from: i64,
    until: i64,
    resumed: i64,
}

impl Paused {
    fn end(&self) -> i64 {
        self.until.min(self.resumed.max(self.from))
    }

    /// What was ordered by a clock that was ahead was ordered when that was put right.
    fn rewind(&mut self, to: i64) {
        self.from = self.from.min(to);
        if self.resumed < i64::MAX {
            self.resumed = self.resumed.min(to);
        }
    }
}

/// The spans in which each job was paused, by the events alone.
fn pauses<'s>(story: &Story<'s>) -> HashMap<&'s str, Vec<Paused>> {
    let mut spans: HashMap<&str, Vec<Paused>> = HashMap::new();
    for event in &story.facts.events {
        let at = event.at_us;
        if event.kind == "rewind" {
            let all = spans.values_mut().flatten();
            all.for_each(|paused| paused.rewind(at));
        }
        if !matches!(event.kind.as_str(), "pause" | "resume") {
            continue;
        }
        let of_job = spans.entry(event.job.as_deref().unwrap()).or_default();
        // The one before it ends here, if it has not.
        if let Some(before) = of_job.last_mut() {
            before.resumed = before.resumed.min(at);
        }
        if event.kind == "pause" {
            let until = detail(event)["until"].as_str().map(|until| {
                let until: jiff::Timestamp = until.parse().unwrap();
                until.as_microsecond()
            });
            of_job.push(Paused {
                from: at,
                until: until.unwrap_or(i64::MAX),
                resumed: i64::MAX,
            });
        }
    }
    spans
}

/// A tick of a paused span is skipped for that, whenever it was planned, and nothing but what a
/// person starts is opened in one.
fn paused_spans_fire_nothing(story: &Story<'_>, faults: &mut Faults) {
    let pauses = pauses(story);
    let is_paused = |run: &RunRow, us: i64| {
        let mut spans = pauses.get(run.job.as_str()).into_iter().flatten();
        spans.any(|paused| paused.from < us && us <= paused.end())
    };
    for run in &story.facts.runs {
        // By a clock that was ahead a tick may have fired before somebody paused its job.
        if is_tick(run) && run.ahead.is_none() && is_paused(run, run.scheduled_us) {
            let says = (run.state.as_str(), run.reason.as_deref());
            faults.unless(says == ("skipped", Some("paused")), "pause", || {
                format!("its tick was paused: {run:?}")
            });
        }
        if !is_tick(run) && run.trigger != "backfill" {
            continue;
        }
        for row in story.attempts_of(run) {
            // At its very end others may begin.
            let paused = is_paused(run, row.opened_us) && is_paused(run, row.opened_us + 1);
            let paused = paused && !story.was_set_back(row.opened_us);
            faults.unless(!paused, "pause", || {
                format!("{row:?} was opened in a pause, of {run:?}")
            });
        }
    }
}

/// Each tick of its range that was in need of it has one run of it, and no other has.
fn runs_what_it_says(story: &Story<'_>, backfill: &BackfillRow, faults: &mut Faults) {
    let of_job = story.of_job.get(backfill.job.as_str());
    let of_job: &[&RunRow] = of_job.map_or(&[], Vec::as_slice);
    let of_it = || {
        let runs = of_job.iter().copied();
        runs.filter(|run| run.backfill.as_ref() == Some(&backfill.id))
    };
    let ticks: BTreeSet<i64> = of_it().map(|run| run.scheduled_us).collect();
    faults.unless(ticks.len() == of_it().count(), "backfill", || {
        format!("a tick has two runs of {backfill:?}")
    });
    let range = backfill.from_us..=backfill.until_us;
    let stray = ticks.iter().find(|tick| !range.contains(tick));
    faults.unless(stray.is_none(), "backfill", || {
        format!("{stray:?} lies beyond {backfill:?}")
    });
    faults.unless(backfill.ended_us.is_some(), "an end", || {
        format!("a backfill goes on for ever: {backfill:?}")
    });
    let done = backfill.ending.as_deref() == Some("done");
    faults.unless(
        !(done && backfill.every) || ticks.len() as i64 == backfill.ticks,
        "backfill",
        || format!("{} runs of {backfill:?}", ticks.len()),
    );
    // Ticks whose run says that they fired, or would have.
    let by_it = of_job.iter().filter(|run| {
        is_tick(run)
            && run.definition_hash == backfill.definition_hash
            && range.contains(&run.scheduled_us)
            && !matches!(
                run.reason.as_deref(),
                Some("excluded" | "dst_gap" | "paused")
            )
    });
    for tick in by_it {
        let others = || {
            let others = of_job
                .iter()
                .filter(|run| run.scheduled_us == tick.scheduled_us);
            others
                .filter(|run| is_tick(run) || run.trigger == "backfill")
                .filter(|run| run.backfill.as_ref() != Some(&backfill.id))
        };
        // What was not over yet at the order, or a success, may be left out.
        let excused = story.was_set_back(backfill.ordered_us);
        let needless = !backfill.every
            && others().any(|run| {
                run.state == "success"
                    || excused
                    || run.finished_us.is_none_or(|end| end >= backfill.ordered_us)
            });
        let is_in = ticks.contains(&tick.scheduled_us);
        faults.unless(is_in || needless || !done, "backfill", || {
            format!("{tick:?} was left out of {backfill:?}")
        });
        let had = others().find(|run| {
            run.state == "success" && run.finished_us.is_some_and(|end| end < backfill.ordered_us)
        });
        let excused = backfill.every || excused;
        faults.unless(had.is_none() || !is_in || excused, "backfill", || {
            format!("{had:?} had been a success before {backfill:?}")
        });
    }
}
