//! Integers by what they stand for: hash tables of integers alone, since the texts are held elsewhere already.

use std::borrow::Borrow;
use std::hash::{BuildHasher, Hash, RandomState};

use hashbrown::HashTable;

/// Integers by the key that each stands for; several may stand for one key.
#[derive(Debug)]
pub(crate) struct Keys<I> {
    table: HashTable<I>,
    hasher: RandomState,
}

impl<I> Default for Keys<I> {
    fn default() -> Self {
        Self { table: HashTable::new(), hasher: RandomState::new() }
    }
}

impl<I: Copy + PartialEq> Keys<I> {
    /// Every one that stands for this key; `of` is what each stands for.
    pub fn get<Q, K>(&self, key: &Q, of: impl Fn(I) -> Option<K>) -> impl Iterator<Item = I>
    where
        Q: Hash + Eq + ?Sized,
        K: Borrow<Q>,
    {
        let found = self.table.iter_hash(self.hasher.hash_one(key)).copied();
        found.filter(move |id| of(*id).is_some_and(|of| of.borrow() == key))
    }

    /// One more that stands for this key.
    pub fn insert<Q, K>(&mut self, key: &Q, id: I, of: impl Fn(I) -> Option<K>)
    where
        Q: Hash + ?Sized,
        K: Borrow<Q>,
    {
        let hasher = &self.hasher;
        let hash = |id: &I| of(*id).map_or(0, |of| hasher.hash_one(of.borrow()));
        self.table.insert_unique(hasher.hash_one(key), id, hash);
    }

    /// It does not stand for this key any longer.
    pub fn remove<Q: Hash + ?Sized>(&mut self, key: &Q, id: I) {
        if let Ok(entry) = self.table.find_entry(self.hasher.hash_one(key), |other| *other == id) {
            entry.remove();
        }
    }
}
