//! The lead: what falls due next is decided, prepared and written a moment before, in a transaction that is
//! kept open until then. At the instant itself only its commit stands between a tick and its call.
//!
//! Nothing of it is durable before the instant, and so nothing is sent: a crash finds a ledger in which the
//! instant has not come, and what people order meanwhile has the transaction rolled back.
//!
//! Invariants
//! - None is taken where a job that is due has another run: one that came to its end meanwhile would change
//!   what becomes of the tick.
//! - As long as it is taken nothing else is committed. So it is short where calls are under way, whose ends
//!   are to be recorded, or runs wait; and none is taken where something else falls due before.
//!
//! Rejected: to commit such rows before their instant. A pause, a reload or a stop before it would have to
//! take them back, and a crash would leave attempts in doubt that nobody had sent.

use std::ops::Range;
use std::time::Duration;

use jiff::Timestamp;

use super::Engine;
use super::plan::{DUE, Due, Submitted};
use crate::store::{GapCause, Release};

/// What it takes to begin with, and for each tick, in a slow hour: to be ready early costs nothing but that
/// others wait, to be late is to do at the instant what is left.
const BASE: Duration = Duration::from_millis(5);
const EACH: Duration = Duration::from_micros(50);

/// The longest.
const LONGEST: Duration = Duration::from_millis(500);

/// The same while calls are under way or runs wait for a permit: about what a slow commit takes.
const BESIDE_OTHERS: Duration = Duration::from_millis(20);

/// Ticks that it is taken of, at most: their rows are in memory until the commit.
const MOST: usize = 10_000;

/// Runs that are not final beside it, at most.
const MOST_OTHERS: usize = 1_000;

/// Which instant the lead is of.
#[derive(Debug, Default)]
pub(super) struct Lead {
    /// The instant whose length is known.
    known: Option<(Timestamp, Duration)>,
    /// The last one that it was taken of.
    taken: Option<Timestamp>,
}

impl Engine {
    /// Where the lead of the next instant has begun: plans it, opens attempts, waits until it has come, and
    /// lets all of it become durable. Answers `false` where it was `interrupted` before: then, and where
    /// anything fails, all is as if it had not been called, and the instant is the next step's.
    pub async fn take_lead(&mut self, interrupted: impl Future<Output = ()>) -> bool {
        self.take_in_told();
        let now = self.clock.now();
        let Some(lead) = self.next_lead().filter(|lead| lead.contains(&now)) else {
            return true;
        };
        let tick = lead.end;
        self.lead.taken = Some(tick);
        // The file is looked for here, and not whenever somebody asks when the lead begins: after each call.
        if self.ledger.is_lost() || !self.is_free_at(tick) {
            return true;
        }
        let (releaser, release) = Release::new();
        let plans = self.write_ahead(tick, &release).await;
        let has_come = tokio::select! {
            biased;
            () = interrupted => false,
            () = self.clock.sleep_exactly_towards(tick) => true,
        };
        if has_come {
            releaser.release();
        } else {
            drop(releaser);
        }
        for plan in plans {
            // What fails is taken back, and the next step finds the same ledger.
            let _ = self.confirm(Some(plan), tick).await;
        }
        has_come
    }

    /// Hands to the ledger what is due at `tick`, as much of it as there is time for, and spawns the attempts
    /// that may be made then.
    async fn write_ahead(&mut self, tick: Timestamp, release: &Release) -> Vec<Submitted> {
        let mut plans = Vec::new();
        while plans.len() * DUE < MOST && self.clock.now() < tick {
            let mut due = Due::default();
            while let Some(entry) = self.timetable.pop_due(tick, |_| due.entries.len() < DUE) {
                // None of them is late, so there is no cause.
                self.decide(entry, GapCause::DaemonDown, tick, &mut due);
            }
            if due.entries.is_empty() {
                break;
            }
            match self.submit(due, Some(release.clone()), tick).await {
                Ok(plan) => plans.push(plan),
                Err(_) => break,
            }
            let monotonic = self.clock.monotonic();
            for workspace in self.lines.workspaces() {
                self.admit_workspace(&workspace, monotonic, Some(tick));
            }
        }
        plans
    }

    /// Whether no job that is due at `tick`, the next of all, has a run that is not final; nor are there so
    /// many runs that to ask would take longer than the lead saves.
    fn is_free_at(&self, tick: Timestamp) -> bool {
        let now = self.clock.now();
        let is_due = |name| {
            let job = self.jobs.jobs.get(name).filter(|job| job.enabled);
            let next = job.and_then(|job| job.schedule.next_after(now));
            next.is_some_and(|next| next.at == tick)
        };
        let mut runs = self.lines.all();
        self.lines.len() <= MOST_OTHERS && !runs.any(|run| is_due(&run.job.name))
    }

    /// The lead of the next instant, from when it begins, if one is to be taken.
    pub fn next_lead(&mut self) -> Option<Range<Timestamp>> {
        let tick = self.timetable.next()?;
        if self.lead.taken == Some(tick) || !self.may_lead(tick) {
            return None;
        }
        let length = match self.lead.known {
            Some((of, length)) if of == tick => length,
            _ => {
                let ticks = self.timetable.crowd(MOST);
                let length = BASE + EACH * u32::try_from(ticks).unwrap_or(u32::MAX);
                self.lead.known = Some((tick, length));
                length
            }
        };
        let most = match self.lines.len() {
            0 => LONGEST,
            _ => BESIDE_OTHERS,
        };
        Some(tick.checked_sub(length.min(most)).ok()?..tick)
    }

    /// Whether everything is as it should be, and nothing else falls due before.
    fn may_lead(&self, tick: Timestamp) -> bool {
        let is_well = !self.outage && self.behind_since.is_none();
        let is_sure = !self.watch.doubts() && !self.stray && self.gaps.is_empty();
        is_well && is_sure && self.lines.next_wake().is_none_or(|wake| wake >= tick)
    }
}
