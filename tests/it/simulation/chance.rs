//! Chance that repeats itself: everything random in a simulation follows from its seed.

use std::hash::{DefaultHasher, Hash, Hasher};

/// SplitMix64 (Steele, Lea, Flood 2014): small, and good enough to roll dice with.
#[derive(Clone, Debug)]
pub(crate) struct Chance(u64);

impl Chance {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The chance of one thing, by what the thing is and not by when it is asked for: threads may
    /// race, and the dice still fall the same way.
    pub(crate) fn of(seed: u64, thing: impl Hash) -> Self {
        // Its keys are constants, unlike those of a `HashMap`.
        let mut hasher = DefaultHasher::new();
        (seed, thing).hash(&mut hasher);
        Self(hasher.finish())
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// In `[low, high]`.
    pub(crate) fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.next() % (high - low + 1)
    }

    /// In `[low, high]`, every order of magnitude as likely as the next.
    pub(crate) fn scale(&mut self, low: u64, high: u64) -> u64 {
        let (low, high) = ((low as f64).ln(), (high as f64).ln());
        (low + (high - low) * self.unit()).exp() as u64
    }

    /// In `[0, 1)`.
    pub(crate) fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }

    pub(crate) fn happens(&mut self, probability: f64) -> bool {
        self.unit() < probability
    }

    pub(crate) fn pick<T: Clone>(&mut self, among: &[T]) -> T {
        let at = self.between(0, among.len() as u64 - 1);
        among[at as usize].clone()
    }
}
