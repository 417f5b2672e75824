//! The runs of one job that are not final, and which of them hold which others back.
//!
//! Everything here answers in time that does not grow with the number of runs that wait, but for moving
//! places up where one comes or goes amid them ([`Places`]): a queue of a thousand, or ten thousand ticks
//! that are caught up, stand in it at once.

use super::places::Places;
use super::run::{Place, Run};
use crate::domain::job::Overlap;
use crate::domain::overlap::Queue;
use crate::domain::run::RunState;

/// The runs of one job, by what they are to each other.
#[derive(Debug, Default)]
pub(super) struct Siblings {
    /// All of them, manual and replay runs too, which neither hold back nor are held back.
    pub(super) all: Places,
    /// Live runs.
    live: Class,
    /// Catch-up and backfill runs, of which most jobs have none: a tenth of the memory that a hundred
    /// thousand jobs take that are due at once.
    behind: Option<Box<Class>>,
}

/// Runs that stand in one order.
#[derive(Debug, Default)]
struct Class {
    /// Those that have had an attempt, or have one open.
    begun: Places,
    /// Those for which nothing has been sent.
    unsent: Places,
    /// Those of either with an attempt open.
    running: Places,
    /// Those whose time has come and that only another run holds back.
    held: Places,
    /// Those whose time has come and that no other run holds back.
    in_line: Places,
}

impl Class {
    fn insert(&mut self, run: &Run) {
        if run.has_begun() {
            self.begun.insert(run.place());
        } else {
            self.unsent.insert(run.place());
        }
        if run.state == RunState::Running {
            self.running.insert(run.place());
        }
    }

    fn remove(&mut self, place: &Place) {
        for places in [
            &mut self.begun,
            &mut self.unsent,
            &mut self.running,
            &mut self.held,
            &mut self.in_line,
        ] {
            places.remove(place);
        }
    }

    fn is_empty(&self) -> bool {
        self.begun.is_empty() && self.unsent.is_empty()
    }

    /// What has begun, and else what came first.
    fn head(&self) -> Option<&Place> {
        self.begun.first().or(self.unsent.first())
    }
}

impl Siblings {
    /// Takes a run in, in the place of what was known of it.
    pub(super) fn insert(&mut self, run: &Run) {
        self.remove(&run.place());
        self.all.insert(run.place());
        if let Some(class) = self.class(run) {
            class.insert(run);
        }
    }

    /// All of them, the oldest first.
    pub(super) fn all(&self) -> &Places {
        &self.all
    }

    pub(super) fn remove(&mut self, place: &Place) {
        self.all.remove(place);
        self.live.remove(place);
        if let Some(behind) = &mut self.behind {
            behind.remove(place);
        }
    }

    fn class(&mut self, run: &Run) -> Option<&mut Class> {
        if run.is_live() {
            Some(&mut self.live)
        } else {
            run.goes_behind()
                .then(|| self.behind.get_or_insert_default().as_mut())
        }
    }

    /// Notes that the run stands in line for a permit.
    pub(super) fn note_in_line(&mut self, run: &Run) {
        if let Some(class) = self.class(run) {
            class.held.remove(&run.place());
            class.in_line.insert(run.place());
        }
    }

    /// Notes that another run holds it back.
    pub(super) fn note_held(&mut self, run: &Run) {
        if let Some(class) = self.class(run) {
            class.in_line.remove(&run.place());
            class.held.insert(run.place());
        }
    }

    /// Whether another run holds this one back (contract, sections 3 and 4).
    ///
    /// A live run waits for a catch-up run that is open, and behind the head of the queue that
    /// `overlap` makes. One that has begun has had its turn and waits for no live run: after a change
    /// of the policy there may be several, and no two may wait for each other. A catch-up run waits
    /// for every live run, and for those like it that are ahead.
    pub(super) fn hold_back(&self, run: &Run, overlap: Overlap) -> bool {
        let mut behind = self.behind.iter();
        if run.is_live() {
            overlap != Overlap::Allow
                && (behind.any(|behind| !behind.running.is_empty())
                    || (!run.has_begun() && self.live.head() != Some(&run.place())))
        } else {
            let is_head = behind.any(|behind| behind.head() == Some(&run.place()));
            run.goes_behind() && (!self.live.is_empty() || !is_head)
        }
    }

    /// Of those held back, the ones that may be free by now.
    pub(super) fn may_be_free(&self, overlap: Overlap) -> Vec<Place> {
        let live = &self.live;
        let mut places: Vec<Place> = if overlap == Overlap::Allow {
            live.held.iter().copied().collect()
        } else {
            let begun = live.begun.iter().filter(|place| live.held.contains(place));
            begun.chain(held_head(live)).copied().collect()
        };
        places.extend(self.behind.as_deref().and_then(held_head));
        places
    }

    /// Of those in line, the ones that may be held back by now.
    pub(super) fn may_be_held(&self, overlap: Overlap) -> Vec<Place> {
        let live = (overlap != Overlap::Allow).then_some(&self.live.in_line);
        let behind = self.behind.as_deref().map(|behind| &behind.in_line);
        let places = live.into_iter().chain(behind).flatten();
        places.copied().collect()
    }

    /// The queue of live runs.
    pub(super) fn queue(&self) -> Queue {
        Queue {
            begun: self.live.begun.len(),
            waiting: self.live.unsent.len(),
        }
    }

    /// The live runs that have begun.
    pub(super) fn begun(&self) -> &Places {
        &self.live.begun
    }

    /// The live runs for which nothing has been sent, the oldest first.
    pub(super) fn unsent(&self) -> &Places {
        &self.live.unsent
    }
}

fn held_head(class: &Class) -> Option<&Place> {
    class.head().filter(|place| class.held.contains(place))
}
