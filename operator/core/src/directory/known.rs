use super::truth::Truth;

/// What an identity is in, or what matches it: for sure, and perhaps. Both sorted, without overlap, in one piece.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Known<I> {
    /// Those for sure, then those perhaps.
    ids: Box<[I]>,
    sure: u32,
}

impl<I> Default for Known<I> {
    fn default() -> Self {
        Self { ids: Box::default(), sure: 0 }
    }
}

impl<I: Copy + Ord> Known<I> {
    /// From two sorted lists.
    pub fn new(sure: Vec<I>, unknown: &[I]) -> Self {
        let count = u32::try_from(sure.len()).unwrap_or(u32::MAX);
        let mut ids = sure;
        ids.extend_from_slice(unknown);
        Self { ids: ids.into(), sure: count }
    }

    fn halves(&self) -> (&[I], &[I]) {
        self.ids.split_at_checked(self.sure as usize).unwrap_or((&self.ids, &[]))
    }

    pub fn sure(&self) -> &[I] {
        self.halves().0
    }

    pub fn unknown(&self) -> &[I] {
        self.halves().1
    }

    /// Those for sure, then those perhaps.
    pub fn all(&self) -> &[I] {
        &self.ids
    }

    pub fn truth(&self, id: I) -> Truth {
        let (sure, unknown) = self.halves();
        if sure.binary_search(&id).is_ok() {
            Truth::Yes
        } else if unknown.binary_search(&id).is_ok() {
            Truth::Unknown
        } else {
            Truth::No
        }
    }

    /// Puts one where it belongs now.
    pub fn set(&mut self, id: I, truth: Truth) {
        if self.truth(id) == truth {
            return;
        }
        let (sure, unknown) = self.halves();
        let with = |half: &[I], here: bool| {
            let mut half: Vec<I> = half.iter().copied().filter(|other| *other != id).collect();
            if here {
                half.insert(half.partition_point(|other| *other < id), id);
            }
            half
        };
        *self = Self::new(with(sure, truth == Truth::Yes), &with(unknown, truth == Truth::Unknown));
    }
}
