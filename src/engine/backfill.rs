//! Running a range of the past: ordered once, planned part by part, one run after another behind
//! everything that is live.
//!
//! The order is a row; its parts are planned by the steps, each in one transaction with how far it
//! has come, so a crash in between plans nothing twice and leaves nothing out.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use super::Engine;
use super::command::{CommandError, act};
use super::run::Run;
use crate::domain::job::{Job, JobName};
use crate::domain::run::{NewRun, Reason, Trigger};
use crate::domain::schedule::TickKind;
use crate::store::{Advance, Backfill, Ending, Order, Start, StoreError};

/// Ticks of one backfill, at most: they are counted while the order waits for its answer.
const MOST: usize = 100_000;

/// Runs of one backfill that wait at once, at most: a run looks at all others of its job.
const CHUNK: usize = 64;

/// More are planned when no more than this are left.
const FEW: usize = 16;

/// Ticks that one part looks at.
const LOOK: usize = 1_024;

/// What `backfill` runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BackfillOrder {
    /// Whose ticks, by its definition of now.
    pub job: JobName,
    /// The first instant, inclusive.
    pub from: Timestamp,
    /// The last instant, inclusive; not later than now.
    pub until: Timestamp,
    /// Whether ticks that have a success run again, too.
    pub every: bool,
    /// Only say what it would do.
    pub dry_run: bool,
}

/// What `backfill` does, or would do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BackfillAnswer {
    /// Its identity; `None` where it does nothing.
    pub id: Option<String>,
    /// How many runs it starts.
    pub ticks: usize,
    /// Ticks that it leaves out: they have a success, or a run that is not over.
    pub left_out: usize,
    /// The first and the last tick that it runs.
    pub span: Option<(Timestamp, Timestamp)>,
}

impl Engine {
    pub(super) async fn backfill(
        &mut self,
        order: BackfillOrder,
        actor: &str,
    ) -> Result<BackfillAnswer, CommandError> {
        let job = self.loaded(&order.job)?;
        let now = self.instant_of_command().await?;
        check(&order, now)?;
        if self.pauses.current(&job.name, now).is_some() {
            return Err(CommandError::Refused(format!(
                "{name} is paused; `funcron resume {name}` first",
                name = job.name
            )));
        }
        self.check_not_pruned(&order).await?;
        let mut answer = self.survey(&job, &order).await?;
        if order.dry_run || answer.ticks == 0 {
            return Ok(answer);
        }
        let backfill = Backfill {
            id: self.ids.make(now).to_string(),
            job: job.name.clone(),
            definition_hash: job.hash.clone(),
            from: order.from,
            until: order.until,
            every: order.every,
            ticks: answer.ticks as u64,
            planned: before(order.from),
            actor: actor.to_owned(),
        };
        let detail = json!({
            "backfill": backfill.id,
            "from": format!("{:.3}", order.from),
            "to": format!("{:.3}", order.until),
            "all": order.every,
            "ticks": answer.ticks,
        });
        let event = act(now, "backfill", actor, Some(&job.name), None, &detail);
        self.ledger
            .order(Order {
                backfill: Some(backfill.clone()),
                acts: vec![event],
                ..Order::nothing(now)
            })
            .await?;
        tracing::info!(job = %job.name, backfill = %backfill.id, ticks = answer.ticks, actor, "a backfill begins");
        answer.id = Some(backfill.id.clone());
        self.backfills.push(backfill);
        Ok(answer)
    }

    /// Refuses what would run ticks again that had a success, where nobody can know that any more.
    async fn check_not_pruned(&self, order: &BackfillOrder) -> Result<(), CommandError> {
        let pruned = self.ledger.reader().pruned_before().await?;
        match pruned.filter(|before| !order.every && order.from < *before) {
            None => Ok(()),
            Some(before) => Err(CommandError::Refused(format!(
                "runs of ticks before {before:.3} have been deleted by `retention`, so which of them had a success is not known; begin there, or run them all with --all"
            ))),
        }
    }

    /// Counts what a backfill would run.
    async fn survey(
        &self,
        job: &Job,
        order: &BackfillOrder,
    ) -> Result<BackfillAnswer, CommandError> {
        let needless = self
            .needless(&job.name, order.every, order.from, order.until)
            .await?;
        let ticks: Vec<Timestamp> = ticks(job, before(order.from), order.until)
            .take(MOST + 1)
            .collect();
        if ticks.len() > MOST {
            return Err(CommandError::Invalid(format!(
                "more than {MOST} ticks lie between --from and --to; give the range in parts"
            )));
        }
        let found = ticks.len();
        let runs: Vec<Timestamp> = ticks
            .into_iter()
            .filter(|tick| !needless.contains(tick))
            .collect();
        Ok(BackfillAnswer {
            id: None,
            ticks: runs.len(),
            left_out: found - runs.len(),
            span: runs.first().copied().zip(runs.last().copied()),
        })
    }

    async fn needless(
        &self,
        job: &JobName,
        every: bool,
        from: Timestamp,
        until: Timestamp,
    ) -> Result<BTreeSet<Timestamp>, StoreError> {
        if every {
            return Ok(BTreeSet::new());
        }
        self.ledger
            .reader()
            .ticks_in_no_need(job, from, until)
            .await
    }

    /// Plans the next part of every backfill that has few runs left, and ends those that are done.
    /// Answers with an instant that is already past where there is more to plan.
    pub(super) async fn plan_backfills(
        &mut self,
        now: Timestamp,
    ) -> Result<Option<Timestamp>, StoreError> {
        let mut more = None;
        for backfill in self.backfills.clone() {
            let of_job = self.lines.of_job(&backfill.job);
            let of_it = |run: &&Run| run.backfill.as_deref() == Some(&*backfill.id);
            let left = of_job.filter(of_it).count();
            let is_planned = backfill.planned >= backfill.until;
            if !self.jobs.jobs.contains_key(&backfill.job) {
                self.end_backfill(&backfill, Ending::Removed, now).await?;
            } else if is_planned && left == 0 {
                self.end_backfill(&backfill, Ending::Done, now).await?;
            } else if !is_planned && left <= FEW {
                self.plan_part(backfill, now).await?;
                more = Some(now);
            }
        }
        Ok(more)
    }

    async fn plan_part(&mut self, backfill: Backfill, now: Timestamp) -> Result<(), StoreError> {
        let job = self.definition(&backfill.job, &backfill.definition_hash);
        let Some(job) = job.await? else {
            // Said by whoever looked for it; without the definition there is nothing to plan.
            return self.end_backfill(&backfill, Ending::Removed, now).await;
        };
        let looked_at: Vec<Timestamp> = ticks(&job, backfill.planned, backfill.until)
            .take(LOOK)
            .collect();
        let needless = match (looked_at.first(), looked_at.last()) {
            (Some(first), Some(last)) => {
                self.needless(&job.name, backfill.every, *first, *last)
                    .await?
            }
            _ => BTreeSet::new(),
        };
        let due = looked_at.iter().filter(|tick| !needless.contains(tick));
        let part: Vec<Timestamp> = due.take(CHUNK).copied().collect();
        let planned = match (part.last(), looked_at.last()) {
            (Some(last), _) if part.len() == CHUNK => *last,
            (_, Some(last)) if looked_at.len() == LOOK => *last,
            _ => backfill.until,
        };
        let runs: Vec<NewRun> = part
            .iter()
            .map(|tick| NewRun {
                scheduled_at: *tick,
                due_at: *tick,
                // All but one wait for the one before them.
                reason: Some(Reason::Overlap),
                ..self.started(&job, Trigger::Backfill, now)
            })
            .collect();
        let start = |run: &NewRun| Start {
            run: run.clone(),
            kwargs: None,
            replay: None,
            backfill: Some(backfill.id.clone()),
        };
        let ordered = self
            .ledger
            .order(Order {
                starts: runs.iter().map(start).collect(),
                advances: vec![Advance {
                    id: backfill.id.clone(),
                    planned,
                    ending: None,
                }],
                ..Order::nothing(now)
            })
            .await?;
        let id: Arc<str> = Arc::from(backfill.id.as_str());
        for run in runs.iter().filter(|run| !ordered.taken.contains(&run.id)) {
            let waiting = Run {
                backfill: Some(id.clone()),
                ..Run::planned(job.clone(), run)
            };
            self.wait_on(waiting, now);
        }
        let found = self.backfills.iter_mut().find(|b| b.id == backfill.id);
        if let Some(found) = found {
            found.planned = planned;
        }
        Ok(())
    }

    async fn end_backfill(
        &mut self,
        backfill: &Backfill,
        ending: Ending,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let advance = Advance {
            id: backfill.id.clone(),
            planned: backfill.planned,
            ending: Some(ending),
        };
        self.ledger
            .order(Order {
                advances: vec![advance],
                ..Order::nothing(now)
            })
            .await?;
        tracing::info!(job = %backfill.job, backfill = %backfill.id, ending = ending.as_str(), "a backfill has ended");
        self.backfills.retain(|other| other.id != backfill.id);
        Ok(())
    }
}

fn check(order: &BackfillOrder, now: Timestamp) -> Result<(), CommandError> {
    if order.from > order.until {
        return Err(CommandError::Invalid(
            "--from lies after --to; exchange them".to_owned(),
        ));
    }
    if order.until > now {
        return Err(CommandError::Invalid(format!(
            "--to lies in the future, whose ticks will run by themselves: it is {now:.3} now"
        )));
    }
    Ok(())
}

/// The ticks in `(after, until]` that fire.
fn ticks(job: &Job, after: Timestamp, until: Timestamp) -> impl Iterator<Item = Timestamp> + '_ {
    job.schedule
        .ticks(after, until)
        .filter(|tick| tick.kind == TickKind::Fire)
        .map(|tick| tick.at)
}

/// The instant before; the ledger knows no smaller steps.
fn before(at: Timestamp) -> Timestamp {
    at.checked_sub(SignedDuration::from_micros(1))
        .unwrap_or(Timestamp::MIN)
}
