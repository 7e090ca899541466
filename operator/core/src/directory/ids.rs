use super::table::{Id, IdentityId};

/// A set of identities: a sorted list while it is sparse, one bit each where that takes less room.
#[derive(Clone, Debug)]
pub(crate) enum IdSet {
    Few(Vec<IdentityId>),
    Many { bits: Vec<u64>, len: usize },
}

/// Below this many a list is always small enough.
const FEW: usize = 64;

impl Default for IdSet {
    fn default() -> Self {
        Self::Few(Vec::new())
    }
}

fn place(id: IdentityId) -> (usize, u64) {
    (id.index() / 64, 1 << (id.index() % 64))
}

impl IdSet {
    pub fn len(&self) -> usize {
        match self {
            Self::Few(ids) => ids.len(),
            Self::Many { len, .. } => *len,
        }
    }

    pub fn contains(&self, id: IdentityId) -> bool {
        match self {
            Self::Few(ids) => ids.binary_search(&id).is_ok(),
            Self::Many { bits, .. } => {
                let (word, bit) = place(id);
                bits.get(word).is_some_and(|word| word & bit != 0)
            }
        }
    }

    pub fn insert(&mut self, id: IdentityId) {
        match self {
            Self::Few(ids) if ids.last().is_none_or(|last| *last < id) => ids.push(id),
            Self::Few(ids) => match ids.binary_search(&id) {
                Ok(_) => return,
                Err(at) => ids.insert(at, id),
            },
            Self::Many { bits, len } => {
                let (word, bit) = place(id);
                if bits.len() <= word {
                    bits.resize(word + 1, 0);
                }
                if let Some(word) = bits.get_mut(word) {
                    *len += usize::from(*word & bit == 0);
                    *word |= bit;
                }
                return;
            }
        }
        self.pack();
    }

    /// From a list to bits, where a bit for everyone up to the last takes less room.
    fn pack(&mut self) {
        let Self::Few(ids) = self else { return };
        let Some(last) = ids.last().filter(|last| ids.len() > FEW && ids.len() * 32 > last.index()) else { return };
        let mut bits = vec![0; last.index() / 64 + 1];
        for id in ids.iter() {
            let (word, bit) = place(*id);
            if let Some(word) = bits.get_mut(word) {
                *word |= bit;
            }
        }
        *self = Self::Many { bits, len: ids.len() };
    }

    pub fn remove(&mut self, id: IdentityId) {
        match self {
            Self::Few(ids) => {
                if let Ok(at) = ids.binary_search(&id) {
                    ids.remove(at);
                }
            }
            Self::Many { bits, len } => {
                let (word, bit) = place(id);
                if let Some(word) = bits.get_mut(word) {
                    *len -= usize::from(*word & bit != 0);
                    *word &= !bit;
                }
            }
        }
    }

    /// Gives back the room for more.
    pub fn shrink(&mut self) {
        match self {
            Self::Few(ids) => ids.shrink_to_fit(),
            Self::Many { bits, .. } => bits.shrink_to_fit(),
        }
    }

    /// Sorted.
    pub fn iter(&self) -> impl Iterator<Item = IdentityId> {
        let (few, many): (&[IdentityId], &[u64]) = match self {
            Self::Few(ids) => (ids, &[]),
            Self::Many { bits, .. } => (&[], bits),
        };
        let ones = |(word, bits): (u32, &u64)| {
            let rest = std::iter::successors(Some(*bits), |rest| Some(rest & rest.wrapping_sub(1)));
            rest.take_while(|rest| *rest != 0).map(move |rest| IdentityId::new(word * 64 + rest.trailing_zeros()))
        };
        few.iter().copied().chain((0..).zip(many).flat_map(ones))
    }
}

impl Extend<IdentityId> for IdSet {
    fn extend<I: IntoIterator<Item = IdentityId>>(&mut self, ids: I) {
        ids.into_iter().for_each(|id| self.insert(id));
    }
}

impl FromIterator<IdentityId> for IdSet {
    fn from_iter<I: IntoIterator<Item = IdentityId>>(ids: I) -> Self {
        let mut set = Self::default();
        set.extend(ids);
        set
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::directory::tests::generate::Random;

    #[test]
    fn a_set_holds_what_a_tree_holds_while_it_fills_and_empties() {
        for (seed, (range, turns)) in [(40, 200), (100_000, 400), (5_000, 6_000), (300, 3_000)].into_iter().enumerate()
        {
            let mut random = Random(seed as u64);
            let (mut set, mut tree) = (IdSet::default(), BTreeSet::new());
            for turn in 0..turns {
                let id = IdentityId::new(u32::try_from(random.below(range)).unwrap());
                if random.below(if turn < turns / 2 { 8 } else { 2 }) == 0 {
                    set.remove(id);
                    tree.remove(&id);
                } else {
                    set.insert(id);
                    tree.insert(id);
                }
                assert_eq!(set.contains(id), tree.contains(&id), "seed {seed}, turn {turn}");
                assert_eq!(set.len(), tree.len(), "seed {seed}, turn {turn}");
            }
            assert!(set.iter().eq(tree.iter().copied()), "seed {seed}");
        }
    }
}
