//! The calls of a workspace that are under way at once: `max_in_flight`, as the server sees it.
//!
//! A call passes when its attempt is durable, and leaves when it is over. To make an attempt durable takes
//! some milliseconds, in which a place would stand empty: so where calls are short, the attempts of those
//! that follow are opened ahead, and wait here. They are open in the ledger and not sent: a crash leaves
//! them in doubt, and nobody can take them back into their line. So there are only as many as calls have
//! ended lately, and none where calls are long or the limit is the default. Of what is due at one instant and
//! written before it (`lead`) as many are opened as ended when most did, in the last minutes.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::domain::workspace::DEFAULT_IN_FLIGHT;

/// What it takes to make an attempt durable in a burst, about: its commit, and the one before it.
const OPENING: Duration = Duration::from_millis(25);

/// How long it is remembered how fast they came to an end.
const LATELY: Duration = Duration::from_secs(600);

/// A call that took longer says nothing of how soon the next place is free.
const SHORT: Duration = Duration::from_millis(100);

/// Where the calls of a workspace pass, in the order in which they come.
#[derive(Debug)]
pub(super) struct Gate {
    places: Arc<Semaphore>,
    limit: Mutex<Limit>,
}

#[derive(Debug)]
struct Limit {
    places: usize,
    /// Places of calls under way that are there no longer: a reload has lowered the limit.
    owed: usize,
}

/// The place of a call under way; dropped, it is free.
#[derive(Debug)]
pub(super) struct Place {
    gate: Arc<Gate>,
    permit: Option<OwnedSemaphorePermit>,
}

impl Gate {
    pub(super) fn new(places: usize) -> Self {
        Self {
            places: Arc::new(Semaphore::new(places)),
            limit: Mutex::new(Limit { places, owed: 0 }),
        }
    }

    /// From now on so many at once; calls under way stay, and count.
    pub(super) fn set_limit(&self, places: usize) {
        let mut limit = self.limit();
        if let Some(more) = places.checked_sub(limit.places) {
            let repaid = more.min(limit.owed);
            limit.owed -= repaid;
            self.places.add_permits(more - repaid);
        } else {
            let fewer = limit.places - places;
            limit.owed += fewer - self.places.forget_permits(fewer);
        }
        limit.places = places;
    }

    /// Waits for a place.
    pub(super) async fn enter(self: &Arc<Self>) -> Place {
        loop {
            // It fails where the semaphore is closed, which nobody does.
            let permit = self.places.clone().acquire_owned().await.ok();
            let place = Place {
                gate: self.clone(),
                permit,
            };
            // One that was given to somebody who did not come to take it has gone back by itself, and may
            // be owed.
            if self.limit().owed == 0 {
                return place;
            }
        }
    }

    fn limit(&self) -> MutexGuard<'_, Limit> {
        self.limit.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut limit = self.gate.limit();
        // Given back under the lock, or a limit that is set meanwhile would count it twice.
        if let Some(permit) = self.permit.take() {
            match limit.owed.checked_sub(1) {
                Some(owed) => {
                    limit.owed = owed;
                    permit.forget();
                }
                None => drop(permit),
            }
        }
    }
}

/// How fast the calls of a workspace come to an end.
#[derive(Debug, Default)]
pub(super) struct Pace {
    /// When the last ones did, by the monotonic clock, the oldest first.
    ends: VecDeque<Duration>,
    /// How many did in the time of an opening when that were most, and when that was.
    most: Option<(Duration, usize)>,
}

impl Pace {
    /// A call of a workspace with so many places is over, which has `taken` so long.
    pub(super) fn note(&mut self, now: Duration, taken: Duration, places: usize) {
        if taken > SHORT {
            return;
        }
        self.forget(now);
        self.ends.push_back(now);
        if self.ends.len() > most_ahead(places) {
            self.ends.pop_front();
        }
        if self.lately(now) <= self.ends.len() {
            self.most = Some((now, self.ends.len()));
        }
    }

    /// How many attempts may be opened beyond the places: as many as calls have ended in the time that an
    /// opening takes, since about as many will have ended when they are durable.
    pub(super) fn ahead(&mut self, now: Duration, places: usize) -> usize {
        self.forget(now);
        self.ends.len().min(most_ahead(places))
    }

    /// The same where nothing has been called for a while, of what is all due at one instant: as many as
    /// ended when most did, in the last minutes.
    pub(super) fn ahead_at_once(&self, now: Duration, places: usize) -> usize {
        self.lately(now).min(most_ahead(places))
    }

    fn lately(&self, now: Duration) -> usize {
        let most = self.most.filter(|(at, _)| *at + LATELY >= now);
        most.map_or(0, |(_, ends)| ends)
    }

    fn forget(&mut self, now: Duration) {
        while self.ends.front().is_some_and(|end| *end + OPENING < now) {
            self.ends.pop_front();
        }
    }
}

/// A bound on what a remote that suddenly stops to answer leaves open and unsent: twice the places beyond
/// the default. Who stays with that one is not after speed, and has none opened ahead.
fn most_ahead(places: usize) -> usize {
    2 * places.saturating_sub(DEFAULT_IN_FLIGHT)
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    fn try_enter(gate: &Arc<Gate>) -> Option<Place> {
        gate.enter().now_or_never()
    }

    #[test]
    fn no_more_pass_than_there_are_places() {
        let gate = Arc::new(Gate::new(2));
        let (first, second) = (try_enter(&gate), try_enter(&gate));
        assert!(first.is_some() && second.is_some());
        assert!(try_enter(&gate).is_none());
        drop(first);
        assert!(try_enter(&gate).is_some());
    }

    #[test]
    fn a_lowered_limit_counts_the_calls_under_way() {
        let gate = Arc::new(Gate::new(3));
        let mut under_way: Vec<_> = (0..3).filter_map(|_| try_enter(&gate)).collect();
        gate.set_limit(1);
        for left in [2, 1] {
            under_way.pop();
            assert!(try_enter(&gate).is_none(), "{left} under way, one allowed");
        }
        under_way.pop();
        let last = try_enter(&gate);
        assert!(last.is_some() && try_enter(&gate).is_none());

        gate.set_limit(2);
        assert!(try_enter(&gate).is_some());
    }

    #[test]
    fn a_limit_lowered_and_raised_again_is_as_it_was() {
        let gate = Arc::new(Gate::new(3));
        let under_way: Vec<_> = (0..3).filter_map(|_| try_enter(&gate)).collect();
        gate.set_limit(1);
        gate.set_limit(3);
        assert!(try_enter(&gate).is_none());
        drop(under_way);
        let again: Vec<_> = (0..4).filter_map(|_| try_enter(&gate)).collect();
        assert_eq!(again.len(), 3);
    }

    #[test]
    fn a_place_that_was_given_and_not_taken_is_none_where_the_limit_was_lowered() {
        let gate = Arc::new(Gate::new(2));
        let mut under_way: Vec<_> = (0..2).filter_map(|_| try_enter(&gate)).collect();
        let mut cancelled = Box::pin(gate.enter());
        assert!(cancelled.as_mut().now_or_never().is_none());
        under_way.pop();
        gate.set_limit(1);
        drop(cancelled);
        assert!(try_enter(&gate).is_none(), "one is under way, one allowed");
        under_way.pop();
        let last = try_enter(&gate);
        assert!(last.is_some() && try_enter(&gate).is_none());
    }

    #[test]
    fn as_many_are_opened_ahead_as_were_over_lately() {
        let mut pace = Pace::default();
        let ms = Duration::from_millis;
        for at in [0, 10, 20] {
            pace.note(ms(at), ms(9), 100);
        }
        pace.note(ms(20), ms(30_000), 100);
        assert_eq!(pace.ahead(ms(20), 100), 3, "a long call is none of them");
        assert_eq!(pace.ahead(ms(35), 100), 2);
        assert_eq!(pace.ahead(ms(60), 100), 0);
        assert_eq!(pace.ahead_at_once(ms(599_000), 100), 3);
        assert_eq!(pace.ahead_at_once(ms(601_000), 100), 0);
    }

    #[test]
    fn a_workspace_with_few_places_opens_none_ahead_and_a_fast_one_not_all() {
        let mut pace = Pace::default();
        for _ in 0..1_000 {
            pace.note(Duration::ZERO, Duration::ZERO, 20);
        }
        assert_eq!(pace.ahead(Duration::ZERO, 20), 8);
        assert_eq!(pace.ahead(Duration::ZERO, 16), 0);
        assert_eq!(pace.ahead(Duration::ZERO, 1), 0);
    }
}
