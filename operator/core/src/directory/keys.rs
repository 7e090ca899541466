//! Identities by a text of theirs, and names by themselves: hash tables of integers alone, since the texts are held
//! elsewhere already.

use std::hash::{BuildHasher, RandomState};

use hashbrown::HashTable;

/// Integers by a text that each stands for; several may stand for one text.
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
    /// Every one that stands for this text; `text` is what each stands for.
    pub fn get<'a>(&self, key: &str, text: impl Fn(I) -> Option<&'a str>) -> impl Iterator<Item = I> {
        let found = self.table.iter_hash(self.hasher.hash_one(key)).copied();
        found.filter(move |id| text(*id) == Some(key))
    }

    /// One more that stands for this text.
    pub fn insert<'a>(&mut self, key: &str, id: I, text: impl Fn(I) -> Option<&'a str>) {
        let hasher = &self.hasher;
        let hash = |id: &I| hasher.hash_one(text(*id).unwrap_or_default());
        self.table.insert_unique(hasher.hash_one(key), id, hash);
    }

    /// It does not stand for this text any longer.
    pub fn remove(&mut self, key: &str, id: I) {
        if let Ok(entry) = self.table.find_entry(self.hasher.hash_one(key), |other| *other == id) {
            entry.remove();
        }
    }
}
