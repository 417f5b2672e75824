//! The queue that `overlap` makes of a job's live runs (contract, section 3).
//!
//! An earlier live run counts until it is final, whatever it waits for. So the queue's head is what
//! has begun, or else the oldest run that waits; all others wait behind it, are skipped, or take its
//! place. The rules are Temporal's: the policy is that of the moment at which the queue is looked
//! at, and a queue for one keeps the start that came first, since the newest would never run where
//! ticks come faster than runs end.

use super::job::Overlap;

/// Runs that may wait behind the head under `queue_all`.
pub const BUFFER: usize = 1_000;

/// How many live runs of a job are not final.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Queue {
    /// Those that have had an attempt, or have one open.
    pub begun: usize,
    /// Those for which nothing has been sent.
    pub waiting: usize,
}

/// What a tick does that joins a queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Joining {
    /// No other run holds it back.
    Free,
    /// It waits for an earlier run's end.
    Behind,
    /// There is no place for it.
    Refused,
}

impl Queue {
    /// Has a tick join, and says what becomes of it. Where it is refused the queue stays as it was.
    pub fn join(&mut self, overlap: Overlap) -> Joining {
        let held_back = overlap != Overlap::Allow && self.begun + self.waiting > 0;
        if self.waiting >= self.places(overlap) {
            return Joining::Refused;
        }
        self.waiting += 1;
        if held_back {
            Joining::Behind
        } else {
            Joining::Free
        }
    }

    /// How many waiting runs, the oldest first, have a place.
    pub fn places(self, overlap: Overlap) -> usize {
        let head = usize::from(self.begun == 0);
        match overlap {
            Overlap::Skip => head,
            Overlap::QueueOne => head + 1,
            Overlap::QueueAll => head + BUFFER,
            Overlap::Allow | Overlap::CancelRunning => usize::MAX,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Joining::{Behind, Free, Refused};

    fn join(overlap: Overlap, begun: usize, ticks: usize) -> Vec<Joining> {
        let mut queue = Queue { begun, waiting: 0 };
        (0..ticks).map(|_| queue.join(overlap)).collect()
    }

    #[test]
    fn the_first_of_an_empty_queue_is_free_under_every_policy() {
        assert_eq!(join(Overlap::Skip, 0, 3), [Free, Refused, Refused]);
        assert_eq!(join(Overlap::QueueOne, 0, 3), [Free, Behind, Refused]);
        assert_eq!(join(Overlap::QueueAll, 0, 3), [Free, Behind, Behind]);
        assert_eq!(join(Overlap::Allow, 0, 3), [Free, Free, Free]);
        assert_eq!(join(Overlap::CancelRunning, 0, 3), [Free, Behind, Behind]);
    }

    #[test]
    fn what_has_begun_is_the_head() {
        assert_eq!(join(Overlap::Skip, 1, 2), [Refused, Refused]);
        assert_eq!(join(Overlap::QueueOne, 1, 3), [Behind, Refused, Refused]);
        assert_eq!(join(Overlap::Allow, 2, 2), [Free, Free]);
    }

    #[test]
    fn a_queue_for_all_is_bounded_behind_its_head() {
        for begun in [0, 1] {
            let joined = join(Overlap::QueueAll, begun, BUFFER + 3);
            let refused = joined.iter().filter(|joined| **joined == Refused).count();
            assert_eq!(refused, 2 + begun);
            assert_eq!(joined[BUFFER - 1], Behind);
            assert_eq!(joined[BUFFER + 1], Refused);
        }
    }

    #[test]
    fn a_longer_queue_is_cut_to_the_places_of_the_policy_that_is_in_force() {
        let queue = Queue {
            begun: 1,
            waiting: 5,
        };
        assert_eq!(queue.places(Overlap::Skip), 0);
        assert_eq!(queue.places(Overlap::QueueOne), 1);
        let nothing_begun = Queue { begun: 0, ..queue };
        assert_eq!(nothing_begun.places(Overlap::Skip), 1);
        assert_eq!(nothing_begun.places(Overlap::QueueOne), 2);
    }
}
