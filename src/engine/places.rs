//! The places of one job's runs, in their order.

use std::collections::VecDeque;

use super::run::Place;

/// A set of places, in their order.
///
/// Of nearly every job there is one run at a time. A B-tree takes a node of eleven places for it, which of
/// a hundred thousand jobs due at once was a third of the daemon's memory; this takes room for one. Where
/// there are many, the next comes last and the first goes next, which costs nothing at either end of a ring;
/// in between, those on the shorter side are moved up.
#[derive(Debug, Default)]
pub(super) struct Places(VecDeque<Place>);

impl Places {
    pub(super) fn insert(&mut self, place: Place) {
        if self.0.capacity() == 0 {
            self.0.reserve_exact(1);
        }
        if let Err(at) = self.0.binary_search(&place) {
            self.0.insert(at, place);
        }
    }

    pub(super) fn remove(&mut self, place: &Place) {
        if let Ok(at) = self.0.binary_search(place) {
            self.0.remove(at);
        }
    }

    pub(super) fn contains(&self, place: &Place) -> bool {
        self.0.binary_search(place).is_ok()
    }

    pub(super) fn first(&self) -> Option<&Place> {
        self.0.front()
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Place> {
        self.0.iter()
    }
}

impl<'p> IntoIterator for &'p Places {
    type Item = &'p Place;
    type IntoIter = std::collections::vec_deque::Iter<'p, Place>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use std::collections::BTreeSet;

    use jiff::Timestamp;
    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;
    use crate::domain::run::RunId;

    fn place(number: u8) -> Place {
        let at = Timestamp::from_second(i64::from(number / 2)).unwrap();
        (at, RunId(Uuid::from_u128(u128::from(number))))
    }

    proptest! {
        #[test]
        fn they_are_the_set_that_a_tree_would_be(
            acts in prop::collection::vec((0u8..12, any::<bool>()), 0..60)
        ) {
            let (mut places, mut tree) = (Places::default(), BTreeSet::new());
            for (number, comes) in acts {
                let place = place(number);
                if comes {
                    places.insert(place);
                    tree.insert(place);
                } else {
                    places.remove(&place);
                    tree.remove(&place);
                }
                prop_assert!(places.iter().eq(&tree));
                prop_assert_eq!(places.first(), tree.first());
                prop_assert_eq!(places.len(), tree.len());
                prop_assert_eq!(places.contains(&place), comes);
                prop_assert_eq!(places.is_empty(), tree.is_empty());
            }
        }
    }
}
