//! Keeping house: what is old goes, the file shrinks, and its size is looked at.
//!
//! A pass begins two minutes after a start and then every hour. It goes in small pieces, one a step with
//! a rest in between, so that the writer is never held up; and a fault in it stops nothing else. Before
//! the first one every slot in the quota that the last daemon left behind has run out, so nothing is
//! deleted that a start would have to know. Where the wall clock went ahead by more than an hour, also
//! between two daemons, the next pass is a day away: a clock that is wrong is likely to be put right by
//! then, and what it called old would be gone.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::json;

use super::Engine;
use super::command::{CommandError, act};
use super::run::later;
use crate::domain::retention::{Bytes, Oversize};
use crate::store::{Ledger, Prune, Removed, Shrink, Size, StoreError};

/// From a start to the first pass.
const FIRST: Duration = Duration::from_secs(120);

/// From the end of a pass to the next.
const EVERY: Duration = Duration::from_secs(3_600);

/// From a leap of the wall clock to the next pass.
const AFTER_LEAP: Duration = Duration::from_secs(86_400);

/// Between two pieces of work.
const REST: Duration = Duration::from_millis(20);

/// A piece begins when nothing else has moved for so long: while it lasts every other write waits, and
/// the step with it. Jobs tick on whole seconds, and most of a second is quiet.
const QUIET: Duration = Duration::from_millis(50);

/// Where it is never quiet a piece waits for so long: a thousand rows a second are still deleted.
const PATIENCE: Duration = Duration::from_millis(200);

/// After a failure.
const TRY_AGAIN: Duration = Duration::from_secs(600);

/// What is given back in one go: a mebibyte of pages of the usual size. A sixteenth of the file may stay
/// free, since the next hour's rows would take it again.
const SHRINK: Shrink = Shrink {
    pages: 256,
    spare: 16,
};

/// Where the housekeeping stands.
#[derive(Debug)]
pub(super) struct Upkeep {
    /// The monotonic instant of the next piece of work.
    due: Duration,
    /// Calls under way and runs that are not final as of the last step, and since when they are as many.
    seen: (usize, usize),
    quiet_since: Duration,
    work: Work,
    passes: u64,
    /// What the last pass took.
    last: Removed,
    failure: Option<String>,
    oversize: Option<Oversize>,
    /// It was said that the file cannot shrink.
    told_of_waste: bool,
}

#[derive(Debug)]
enum Work {
    None,
    Prune(Box<Prune>),
    Shrink,
}

/// How far the deleting of what is old has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pruning {
    /// Passes that have ended since the start.
    pub passes: u64,
    /// Whether one is under way.
    pub is_under_way: bool,
    /// What it has taken so far, else what the last one took.
    pub removed: Removed,
    /// Why it does not go on for now.
    pub failure: Option<String>,
}

impl Upkeep {
    pub(super) fn new(monotonic: Duration) -> Self {
        Self {
            due: monotonic + FIRST,
            seen: (0, 0),
            quiet_since: monotonic,
            work: Work::None,
            passes: 0,
            last: Removed::default(),
            failure: None,
            oversize: None,
            told_of_waste: false,
        }
    }

    /// The wall clock went far ahead: what it calls old may be young.
    pub(super) fn put_off(&mut self, monotonic: Duration) {
        self.due = self.due.max(monotonic + AFTER_LEAP);
    }

    /// How many calls are under way, and how many runs are not final.
    fn see(&mut self, seen: (usize, usize), monotonic: Duration) {
        if std::mem::replace(&mut self.seen, seen) != seen {
            self.quiet_since = monotonic;
        }
    }

    /// The monotonic instant of the next piece of work, as far as can be told now.
    fn begins_at(&self) -> Duration {
        let quiet = self.quiet_since + QUIET;
        self.due.max(quiet.min(self.due + PATIENCE))
    }

    /// What is wrong with the ledger's size.
    pub(super) fn oversize(&self) -> Option<Oversize> {
        self.oversize
    }

    pub(super) fn pruning(&self) -> Pruning {
        let under_way = match &self.work {
            Work::Prune(pass) => Some(pass.removed()),
            Work::None | Work::Shrink => None,
        };
        Pruning {
            passes: self.passes,
            is_under_way: under_way.is_some(),
            removed: under_way.unwrap_or(self.last),
            failure: self.failure.clone(),
        }
    }
}

impl Engine {
    /// Does the next piece of the housekeeping if it is due; answers when the next one is. That a pass
    /// begins is nobody's waking worth: a sleep ends within half a minute anyway.
    pub(super) async fn keep_house(&mut self, now: Timestamp) -> Option<Timestamp> {
        let begun = self.clock.monotonic();
        self.upkeep.see((self.calls.len(), self.lines.len()), begun);
        if self.upkeep.begins_at() <= begun {
            let rest = match self.pieces_of_upkeep(now).await {
                Ok(rest) => {
                    self.upkeep.failure = None;
                    rest
                }
                Err(error) => {
                    tracing::warn!(%error, "the housekeeping is put off");
                    self.upkeep.failure = Some(error.to_string());
                    TRY_AGAIN
                }
            };
            self.upkeep.due = self.clock.monotonic() + rest;
        }
        let is_at_work = !matches!(self.upkeep.work, Work::None);
        is_at_work.then(|| later(now, self.upkeep.begins_at().saturating_sub(begun)))
    }

    /// Has a pass begin now, unless one is under way. Answers how far that is.
    pub(super) fn prune(&mut self, actor: &str) -> Result<Pruning, CommandError> {
        if let Some(doubt) = self.clock_doubt() {
            return Err(CommandError::Refused(format!(
                "nothing is deleted by a clock that may be wrong: {}",
                doubt.explain()
            )));
        }
        if !matches!(self.upkeep.work, Work::Prune(_)) {
            self.begin_pass(self.clock.now(), actor);
        }
        self.upkeep.failure = None;
        self.upkeep.due = self.clock.monotonic();
        Ok(self.upkeep.pruning())
    }

    fn begin_pass(&mut self, now: Timestamp, actor: &str) {
        let pass = Prune::new(now, actor, self.jobs.retention.horizons(now));
        self.upkeep.work = Work::Prune(Box::new(pass));
    }

    /// Goes on until something was changed, or nothing is left to be done; answers for how long to rest.
    async fn pieces_of_upkeep(&mut self, now: Timestamp) -> Result<Duration, StoreError> {
        loop {
            if let Some(rest) = self.piece_of_upkeep(now).await? {
                return Ok(rest);
            }
        }
    }

    async fn piece_of_upkeep(&mut self, now: Timestamp) -> Result<Option<Duration>, StoreError> {
        if matches!(self.upkeep.work, Work::None) {
            self.begin_pass(now, "daemon");
        }
        match &self.upkeep.work {
            Work::Prune(pass) => {
                let pass = self.ledger.prune(pass.as_ref().clone()).await?;
                if pass.is_done() {
                    self.end_pass(&pass);
                    return Ok(None);
                }
                self.upkeep.work = Work::Prune(Box::new(pass));
                Ok(Some(REST))
            }
            Work::None | Work::Shrink => {
                // By the writer, too: a reader may have to be waited for, and with it every step.
                let size = self.ledger.shrink(SHRINK).await?;
                if SHRINK.has_work(&size) {
                    return Ok(Some(REST));
                }
                self.upkeep.work = Work::None;
                self.look_at_size(now, size);
                Ok(Some(EVERY))
            }
        }
    }

    fn end_pass(&mut self, pass: &Prune) {
        let removed = pass.removed();
        self.upkeep.work = Work::Shrink;
        self.upkeep.passes += 1;
        self.upkeep.last = removed;
        if !removed.is_nothing() {
            tracing::info!(
                runs = removed.runs,
                attempts = removed.attempts,
                bodies = removed.bodies,
                bytes = removed.bytes,
                "what was old has been deleted"
            );
        }
    }

    fn look_at_size(&mut self, now: Timestamp, size: Size) {
        let oversize = self.jobs.retention.oversize(size.bytes());
        if let Some(found) = oversize.filter(|_| self.upkeep.oversize.is_none()) {
            tracing::warn!("{}", found.explain());
            let detail = json!({ "bytes": found.bytes, "max_size": found.limit });
            self.news
                .push(act(now, "max_size", "daemon", None, None, &detail));
        } else if oversize.is_none() && self.upkeep.oversize.is_some() {
            tracing::info!("the ledger is within its max_size again");
        }
        self.upkeep.oversize = oversize;
        let is_waste = !size.can_shrink && size.free_pages > size.pages / 4;
        if is_waste && !std::mem::replace(&mut self.upkeep.told_of_waste, true) {
            tracing::warn!(
                "the ledger was made by an early release and cannot give {} of free pages back, which new rows will take; to shrink it once and for all, stop the daemon and run: sqlite3 FILE 'PRAGMA auto_vacuum = INCREMENTAL; VACUUM;'",
                Bytes(size.free_bytes())
            );
        }
    }
}

/// A whole pass without a daemon, at once and without rests; `heard` is told after each batch.
///
/// # Errors
/// Where the ledger fails. What has been deleted by then stays deleted.
pub async fn prune_at_once(
    ledger: &Ledger,
    mut pass: Prune,
    mut heard: impl FnMut(Removed),
) -> Result<Removed, StoreError> {
    while !pass.is_done() {
        pass = ledger.prune(pass).await?;
        heard(pass.removed());
    }
    while SHRINK.has_work(&ledger.shrink(SHRINK).await?) {}
    Ok(pass.removed())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_piece_waits_until_calls_rest_and_no_longer_than_its_patience() {
        let ms = Duration::from_millis;
        let mut upkeep = Upkeep::new(Duration::ZERO);
        upkeep.due = ms(1_000);
        // Calls that last move nothing.
        upkeep.see((3, 5), ms(100));
        upkeep.see((3, 5), ms(990));
        assert_eq!(upkeep.begins_at(), ms(1_000));
        // One that ends does.
        upkeep.see((2, 4), ms(995));
        assert_eq!(upkeep.begins_at(), ms(995) + QUIET);
        for step in 0..100 {
            upkeep.see((2, step), ms(1_000 + 10 * step as u64));
        }
        assert_eq!(upkeep.begins_at(), ms(1_000) + PATIENCE);
    }
}
