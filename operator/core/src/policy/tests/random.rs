//! Randomness that one number decides.

use std::hash::{BuildHasher, Hasher, RandomState};

use crate::random::splitmix64;

/// What rules are generated from.
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub fn below(&mut self, bound: usize) -> usize {
        usize::try_from(splitmix64(&mut self.0) % bound as u64).unwrap()
    }

    pub fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    pub fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }
}

/// A fixed seed, and one that is new each time.
pub fn seeds() -> impl Iterator<Item = u64> {
    crate::random::seeds([1, RandomState::new().build_hasher().finish()])
}
