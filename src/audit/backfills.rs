//! Backfills against their runs: every tick of the part that has been planned has exactly one run of
//! that backfill, or was left out since it needed none; and no other instant has any.

use std::collections::VecDeque;

use super::definition::Definition;
use super::past::Past;
use super::report::{Finding, List, Noted, timestamp};
use super::scanner::{TickKind, ticks};
use super::timeline::short;
use crate::domain::run::{RunState, Trigger};
use crate::store::audit::{AuditedBackfill, AuditedRun, JobHistory, Word};

/// A backfill and the definition that it runs by.
pub(super) struct Order<'h> {
    backfill: &'h AuditedBackfill,
    definition: Option<Definition>,
}

/// The backfills of a job, by their beginning; what is wrong with them is reported.
pub(super) fn orders<'h>(history: &'h JobHistory, noted: &mut Noted<'_>) -> Vec<Order<'h>> {
    let order = |backfill: &'h AuditedBackfill| {
        let hash = &backfill.definition_hash;
        let mut versions = history.versions.iter();
        let version = versions.find(|version| version.definition_hash == *hash);
        // Where a definition of the job cannot be read, its interval says so.
        let definition = version.and_then(|version| Definition::read(&version.definition).ok());
        let mut add = |what: String| {
            noted.add(List::Inconsistent, || Finding {
                job: Some(history.job.clone()),
                scheduled_at: Some(timestamp(backfill.from_us)),
                run_id: None,
                what: format!("backfill {} {what}", backfill.id),
            });
        };
        if version.is_none() {
            let hash = short(hash);
            add(format!(
                "runs by definition {hash}, which the job never had"
            ));
        }
        if backfill.is_done && backfill.planned_us < backfill.until_us {
            let planned = timestamp(backfill.planned_us);
            add(format!("is `done`, and has come to {planned:.3} only"));
        }
        Order {
            backfill,
            // Whether the job was enabled is nothing to a backfill.
            definition: definition.map(|definition| Definition {
                enabled: true,
                ..definition
            }),
        }
    };
    let mut orders: Vec<Order<'h>> = history.backfills.iter().map(order).collect();
    orders.sort_by_key(|order| order.backfill.from_us);
    orders
}

/// The pass over a job's runs, of every trigger, in the order of their instants.
pub(super) struct Pass<'o> {
    job: &'o str,
    all: &'o [Order<'o>],
    /// Those that begin later than what was seen.
    coming: VecDeque<&'o Order<'o>>,
    walks: Vec<Walk<'o>>,
    past: &'o Past,
}

/// A backfill whose ticks are being gone through.
struct Walk<'o> {
    backfill: &'o AuditedBackfill,
    ticks: Box<dyn Iterator<Item = i64> + Send + 'o>,
    /// The first tick that is not behind.
    tick: Option<i64>,
    /// Its run.
    run: Option<String>,
    /// Whether that tick needed none.
    is_left_out: bool,
}

impl<'o> Pass<'o> {
    pub(super) fn new(job: &'o str, all: &'o [Order<'o>], past: &'o Past) -> Self {
        Self {
            job,
            all,
            coming: all.iter().collect(),
            walks: Vec::new(),
            past,
        }
    }

    /// Goes on to a run.
    pub(super) fn run(&mut self, run: &AuditedRun, noted: &mut Noted<'_>) {
        let of_backfill = run.trigger == Word::Known(Trigger::Backfill);
        if of_backfill && run.backfill.is_none() {
            let what = "it is a backfill's run, and does not say whose".to_owned();
            noted.add(List::Inconsistent, || self.finding(run, what));
        }
        if self.all.is_empty() && run.backfill.is_none() {
            return;
        }
        self.go_on_to(run.scheduled_us, noted);
        for walk in &mut self.walks {
            walk.is_left_out |= walk.meets(run) && walk.needs_none(run, self.past);
        }
        if let Some(id) = &run.backfill {
            self.place(id, run, noted);
        }
    }

    pub(super) fn finish(mut self, noted: &mut Noted<'_>) {
        self.go_on_to(i64::MAX, noted);
    }

    /// Leaves every tick before an instant behind.
    fn go_on_to(&mut self, us: i64, noted: &mut Noted<'_>) {
        while let Some(order) = self
            .coming
            .pop_front_if(|order| order.backfill.from_us <= us)
        {
            self.walks.extend(order.walk(self.past.pruned.horizon_us));
        }
        for walk in &mut self.walks {
            walk.go_on_to(self.job, us, noted);
        }
        self.walks.retain(|walk| walk.tick.is_some());
    }

    /// Finds the tick of a backfill's run.
    fn place(&mut self, id: &str, run: &AuditedRun, noted: &mut Noted<'_>) {
        let Some(backfill) = self
            .all
            .iter()
            .map(|order| order.backfill)
            .find(|b| b.id == id)
        else {
            let what = format!("its backfill {id} is none of the job's");
            noted.add(List::Inconsistent, || self.finding(run, what));
            return;
        };
        if run.definition_hash != backfill.definition_hash {
            let what = format!(
                "it was planned with definition {}, and its backfill {id} runs by {}",
                short(&run.definition_hash),
                short(&backfill.definition_hash)
            );
            noted.add(List::Inconsistent, || self.finding(run, what));
        }
        let is_over = !matches!(
            run.state,
            Word::Known(RunState::Waiting | RunState::Running)
        );
        if backfill.is_done && !is_over {
            let what = format!("its backfill {id} is `done`, and it is not over");
            noted.add(List::Unfinished, || self.finding(run, what));
        }
        let is_readable = self
            .all
            .iter()
            .any(|order| order.backfill.id == id && order.definition.is_some());
        let walk = self
            .walks
            .iter_mut()
            .find(|walk| walk.backfill.id == id && walk.meets(run));
        match walk {
            Some(walk) => match walk.run.replace(run.id.clone()) {
                None => {}
                Some(first) => {
                    let what = format!("the tick has a run of backfill {id} already, {first}");
                    noted.add(List::Doubles, || self.finding(run, what));
                }
            },
            None if !is_readable => {}
            None => {
                let what = if run.scheduled_us > backfill.planned_us {
                    let planned = timestamp(backfill.planned_us);
                    format!("its backfill {id} has come to {planned:.3} only")
                } else {
                    format!("its backfill {id} has no tick at this instant")
                };
                noted.add(List::Strays, || self.finding(run, what));
            }
        }
    }

    fn finding(&self, run: &AuditedRun, what: String) -> Finding {
        Finding::of_run(self.job, run, what)
    }
}

impl Order<'_> {
    /// The ticks that must have been looked at.
    fn walk(&self, horizon_us: Option<i64>) -> Option<Walk<'_>> {
        let backfill = self.backfill;
        let first_us = backfill.from_us.max(horizon_us.unwrap_or(i64::MIN));
        let through_us = backfill.until_us.min(backfill.planned_us);
        let ticks = ticks(
            self.definition.as_ref()?,
            first_us.saturating_sub(1),
            through_us,
        );
        let fires = ticks.filter(|tick| tick.kind == TickKind::Fire);
        let mut ticks = fires.map(|tick| tick.at_us);
        Some(Walk {
            backfill,
            tick: ticks.next(),
            ticks: Box::new(ticks),
            run: None,
            is_left_out: false,
        })
    }
}

impl Walk<'_> {
    fn meets(&self, run: &AuditedRun) -> bool {
        self.tick == Some(run.scheduled_us)
    }

    /// Whether a tick needs no run of the backfill since it has this one: a success, or one that was not
    /// over when the backfill looked.
    fn needs_none(&self, run: &AuditedRun, past: &Past) -> bool {
        let counts = matches!(
            run.trigger,
            Word::Known(Trigger::Schedule | Trigger::Catchup | Trigger::Backfill)
        );
        let was_open = run
            .finished_us
            .is_none_or(|us| us >= self.backfill.ordered_us)
            || past.came_twice(self.backfill.ordered_us);
        let serves = run.state == Word::Known(RunState::Success) || was_open;
        let is_another = run.backfill.as_ref() != Some(&self.backfill.id);
        !self.backfill.every && counts && serves && is_another
    }

    fn go_on_to(&mut self, job: &str, us: i64, noted: &mut Noted<'_>) {
        while let Some(tick_us) = self.tick.filter(|tick| *tick < us) {
            self.tick = self.ticks.next();
            let has_none = self.run.take().is_none();
            let was_left_out = std::mem::take(&mut self.is_left_out);
            if has_none && !was_left_out {
                noted.add(List::Holes, || Finding {
                    job: Some(job.to_owned()),
                    scheduled_at: Some(timestamp(tick_us)),
                    run_id: None,
                    what: format!("backfill {} has no run of the tick", self.backfill.id),
                });
            }
        }
    }
}
