//! Randomness that one number decides.

use std::hash::{BuildHasher, Hasher, RandomState};

/// SplitMix64.
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % bound as u64).unwrap()
    }

    pub fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    pub fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }
}

/// The seeds of a run: the one that `PROVOST_SEED` names, else a fixed one and one that is new each time.
#[allow(clippy::disallowed_methods, reason = "a test may be told which seed to replay")]
pub fn seeds() -> Vec<u64> {
    match std::env::var("PROVOST_SEED") {
        Ok(seed) => vec![seed.parse().expect("PROVOST_SEED is a number")],
        Err(_) => vec![1, RandomState::new().build_hasher().finish()],
    }
}
