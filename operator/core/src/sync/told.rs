//! How each account was last told to stand: a byte each, and what is wrong with those few.

use std::collections::BTreeMap;

use crate::model::{Name, Reason};
use crate::report::{Account, Problem, decode, encode};

/// By identity: whether the account should exist, and how it stands.
#[derive(Debug, Default)]
pub(super) struct Told {
    cells: BTreeMap<Name, u8>,
    problems: BTreeMap<Name, Problem>,
}

impl Told {
    pub(super) fn get(&self, name: &Name) -> Option<(bool, Account)> {
        let (state, desired) = decode(*self.cells.get(name)?);
        Some((desired, Account::of(state, self.problems.get(name).cloned())))
    }

    /// How many are told with this reason.
    pub(super) fn count_of(&self, reason: Reason) -> u32 {
        u32::try_from(self.problems.values().filter(|problem| problem.reason() == reason).count()).unwrap_or(u32::MAX)
    }

    pub(super) fn contains(&self, name: &Name) -> bool {
        self.cells.contains_key(name)
    }

    pub(super) fn insert(&mut self, name: &Name, desired: bool, account: Account) {
        let cell = encode(account.state(), desired);
        match account.into_problem() {
            Some(problem) => _ = self.problems.insert(name.clone(), problem),
            None => _ = self.problems.remove(name),
        }
        // A name that is there is not written again.
        match self.cells.get_mut(name) {
            Some(old) => *old = cell,
            None => _ = self.cells.insert(name.clone(), cell),
        }
    }

    pub(super) fn remove(&mut self, name: &Name) {
        self.cells.remove(name);
        self.problems.remove(name);
    }
}
