use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::model::{AttributeName, Digest};

/// Digests of attributes by name, as two columns: accounts with the same attributes share the names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Digests {
    /// Sorted.
    names: Arc<[AttributeName]>,
    /// In the order of the names.
    values: Box<[Digest]>,
}

impl Default for Digests {
    fn default() -> Self {
        Self { names: Arc::new([]), values: Box::default() }
    }
}

impl FromIterator<(AttributeName, Digest)> for Digests {
    fn from_iter<I: IntoIterator<Item = (AttributeName, Digest)>>(digests: I) -> Self {
        let sorted: BTreeMap<AttributeName, Digest> = digests.into_iter().collect();
        let values = sorted.values().copied().collect();
        Self { names: sorted.into_keys().collect(), values }
    }
}

impl Digests {
    /// The digest of an attribute, if it has one.
    pub fn get(&self, name: &AttributeName) -> Option<Digest> {
        self.values.get(self.names.binary_search(name).ok()?).copied()
    }

    /// Sorted by name.
    pub fn iter(&self) -> impl Iterator<Item = (&AttributeName, Digest)> {
        self.names.iter().zip(self.values.iter().copied())
    }

    /// Holds the names in common with whoever has the same.
    pub(crate) fn share_names(&mut self, lists: &mut Lists<AttributeName>) {
        self.names = lists.of(Arc::clone(&self.names));
    }
}

/// Lists that many accounts have in common, each held once. They are few, and are kept.
#[derive(Debug)]
pub(crate) struct Lists<T>(BTreeSet<Arc<[T]>>);

impl<T> Default for Lists<T> {
    fn default() -> Self {
        Self(BTreeSet::new())
    }
}

impl<T: Ord> Lists<T> {
    /// The same list, as it was seen first.
    pub fn of(&mut self, list: Arc<[T]>) -> Arc<[T]> {
        if let Some(known) = self.0.get(&list) {
            return Arc::clone(known);
        }
        self.0.insert(Arc::clone(&list));
        list
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_the_same_is_held_once_and_reads_as_before() {
        let of = |last: u64| -> Digests {
            [("b", 2), ("a", 1), ("c", last)].map(|(name, digest)| (name.into(), Digest(digest))).into_iter().collect()
        };
        let mut lists = Lists::default();
        let (mut one, mut other) = (of(3), of(4));
        one.share_names(&mut lists);
        other.share_names(&mut lists);
        assert!(Arc::ptr_eq(&one.names, &other.names) && one == of(3));
        assert_eq!((other.get(&"c".into()), other.get(&"d".into())), (Some(Digest(4)), None));
        assert!(other.iter().map(|(name, digest)| (name.as_str(), digest.0)).eq([("a", 1), ("b", 2), ("c", 4)]));
    }
}
