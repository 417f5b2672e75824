//! A wall clock that was ahead is set back: planning goes on from it.
//!
//! The ledger is then planned up to an instant that has not come, and every tick until then has its row,
//! most of them `missed`. To wait for that instant would be a silence of as long as the clock was ahead:
//! eight hours for a machine whose hardware clock ran on local time, years for a wild one. So what was
//! never sent stands for its tick no longer, and the tick fires when it comes; what was sent does, and
//! the tick does not fire again (guarantee G3).
//!
//! Rejected: to delete the rows that were never sent. From the ledger alone a clock that was ahead and
//! is right cannot be told from one that was right and is behind, and then they are the past.

use std::time::Duration;

use jiff::Timestamp;

use super::Engine;
use super::admit::{End, settles};
use super::clockwatch::PROBATION;
use super::pauses::Pauses;
use super::run::{Run, later};
use super::timetable::Timetable;
use crate::domain::run::{Reason, RunState, Trigger};
use crate::store::{After, Rewind, Settle, StoreError};

/// Why the wall clock is not planned by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClockDoubt {
    /// It jumped ahead, and has not stood there for a minute: nothing is fired.
    Ahead,
    /// It lies behind what is planned already, and has not stood there for a minute: no tick fires.
    Behind,
}

impl ClockDoubt {
    /// A name for machines.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ahead => "ahead",
            Self::Behind => "behind",
        }
    }

    /// What to tell people.
    pub const fn explain(self) -> &'static str {
        match self {
            Self::Ahead => {
                "the clock jumped ahead: nothing is fired until it has stood for a minute (is it right?)"
            }
            Self::Behind => {
                "the clock lies behind what is planned: no tick fires until it has stood for a minute, then planning goes on from it (is it right?)"
            }
        }
    }
}

impl Engine {
    /// What is wrong with the wall clock, as of the last step.
    pub(super) fn clock_doubt(&self) -> Option<ClockDoubt> {
        match self.behind_since {
            _ if self.watch.doubts() => Some(ClockDoubt::Ahead),
            Some(_) => Some(ClockDoubt::Behind),
            None => None,
        }
    }

    /// Goes back where the clock has lain behind what is planned for long enough. Answers when that will
    /// be the case.
    pub(super) async fn rewind_if_behind(
        &mut self,
        now: Timestamp,
    ) -> Result<Option<Timestamp>, StoreError> {
        if self.planned_through <= now {
            self.behind_since = None;
            return Ok(None);
        }
        let monotonic = self.clock.monotonic();
        let since = *self.behind_since.get_or_insert(monotonic);
        let left = since.saturating_add(PROBATION).saturating_sub(monotonic);
        if !left.is_zero() {
            return Ok(Some(later(now, left)));
        }
        tracing::warn!(planned_through = %self.planned_through, %now, "the clock was ahead and has been set back: planning goes on from it, and no tick fires twice");
        self.rewind(now).await?;
        self.behind_since = None;
        Ok(None)
    }

    async fn rewind(&mut self, now: Timestamp) -> Result<(), StoreError> {
        let ends = self.not_yet_due(now);
        let sooner = self.waiting_too_long(now);
        let mut rewind = Rewind {
            to: now,
            settles: settles(&ends, now),
        };
        rewind.settles.extend(sooner.iter().map(|run| Settle {
            run: run.id,
            after: After {
                state: RunState::Waiting,
                reason: run.reason,
                not_before: run.not_before,
            },
            at: now,
        }));
        let mut rewound = self.ledger.rewind(rewind.clone()).await?;
        self.let_go(&ends, &rewound.not_waiting);
        for run in sooner {
            if !rewound.not_waiting.contains(&run.id) {
                self.lines.put(run, now);
            }
        }
        rewind.settles.clear();
        while !rewound.is_done {
            rewound = self.ledger.rewind(rewind.clone()).await?;
        }
        let reader = self.ledger.reader();
        let gaps = reader.gaps().await?;
        let oldest = gaps.iter().map(|gap| gap.from).min();
        let pauses = reader.pauses(oldest.unwrap_or(now).min(now)).await?;
        self.gaps = gaps.into();
        self.pauses = Pauses::new(pauses);
        self.planned_through = now;
        self.started_at = self.started_at.min(now);
        self.timetable = Timetable::new(self.jobs.jobs.values(), now);
        Ok(())
    }

    /// Runs of ticks that have not come, of which nothing was sent.
    fn not_yet_due(&self, now: Timestamp) -> Vec<End> {
        let is_of_a_tick = |run: &&Run| matches!(run.trigger, Trigger::Schedule | Trigger::Catchup);
        let runs = self.lines.all().filter(is_of_a_tick);
        runs.filter(|run| {
            run.state == RunState::Waiting && run.attempts == 0 && run.scheduled_at > now
        })
        .map(|run| (run.clone(), RunState::Missed, Reason::Clock))
        .collect()
    }

    /// Runs that would wait for an instant which the clock had almost reached when it was ahead, with
    /// the wait that they were given counted from now.
    fn waiting_too_long(&self, now: Timestamp) -> Vec<Run> {
        let waiting = self.lines.all().filter(|run| {
            run.state == RunState::Waiting && (run.attempts > 0 || run.scheduled_at <= now)
        });
        waiting
            .filter_map(|run| {
                let not_before = run.not_before.filter(|at| *at > now)?;
                let given = match run.last_finished {
                    Some(finished) => not_before.duration_since(finished).try_into().ok(),
                    None => Some(run.job.delay(run.scheduled_at)),
                };
                let at_most = later(now, given.unwrap_or(Duration::ZERO));
                (not_before > at_most).then(|| Run {
                    not_before: Some(at_most),
                    ..run.clone()
                })
            })
            .collect()
    }
}
