use std::collections::BTreeMap;

use super::{Account, AccountCounts, AccountIn, AccountState, Problem};
use crate::directory::keys::Keys;
use crate::model::Name;

/// Identity x application: a byte a pair, problems aside, counters kept as it goes.
#[derive(Debug, Default)]
pub(super) struct Pairs {
    columns: BTreeMap<Name, Column>,
    rows: Keys<u32>,
    names: Vec<Option<Name>>,
    /// How many pairs use a row; a row that none uses is free.
    used: Vec<u32>,
    free: Vec<u32>,
}

#[derive(Debug)]
struct Column {
    /// Mode Enforce: its accounts decide whether an identity is Ready.
    enforced: bool,
    /// Since start there was a moment when every account was decided.
    decided: bool,
    cells: Vec<u8>,
    problems: BTreeMap<Name, Problem>,
    counts: AccountCounts,
}

/// The bit of a cell that says whether the account should exist.
const DESIRED: u8 = 0x80;

impl Pairs {
    /// Declares an application or changes its mode; answers whether something changed.
    pub fn declare(&mut self, application: &Name, enforced: bool) -> bool {
        if let Some(column) = self.columns.get_mut(application) {
            return std::mem::replace(&mut column.enforced, enforced) != enforced;
        }
        let column = Column {
            enforced,
            decided: false,
            cells: Vec::new(),
            problems: BTreeMap::new(),
            counts: AccountCounts::default(),
        };
        self.columns.insert(application.clone(), column);
        true
    }

    /// Takes an application off the board.
    pub fn remove(&mut self, application: &Name) {
        let Some(column) = self.columns.remove(application) else { return };
        for (row, _) in (0..).zip(&column.cells).filter(|(_, cell)| **cell != 0) {
            self.release(row);
        }
    }

    /// Sets a pair; answers whether anything changed. An application that was not declared counts as enforced.
    pub fn set(&mut self, identity: &Name, application: &Name, desired: bool, account: Account) -> bool {
        let state = account.state();
        let cell = encode(state, desired);
        let row = match self.row(identity) {
            Some(row) => row,
            None if cell == 0 => return false,
            None => self.claim(identity),
        };
        self.declare_if_new(application);
        let Some(column) = self.columns.get_mut(application) else { return false };
        let problem = account.into_problem();
        let problem_changed = column.problems.get(identity) != problem.as_ref();
        match problem {
            Some(problem) if problem_changed => _ = column.problems.insert(identity.clone(), problem),
            None if problem_changed => _ = column.problems.remove(identity),
            _ => {}
        }
        let at = row as usize;
        if column.cells.len() <= at {
            column.cells.resize(at + 1, 0);
        }
        let Some(place) = column.cells.get_mut(at) else { return problem_changed };
        let old = std::mem::replace(place, cell);
        column.counts.count(old, false);
        column.counts.count(cell, true);
        match (old == 0, cell == 0) {
            (true, false) => {
                if let Some(used) = self.used.get_mut(at) {
                    *used += 1;
                }
            }
            (false, true) => self.release(row),
            _ => {}
        }
        old != cell || problem_changed
    }

    /// One pair.
    pub fn get(&self, identity: &Name, application: &Name) -> AccountState {
        let cell = self.row(identity).and_then(|row| self.columns.get(application)?.cells.get(row as usize).copied());
        decode(cell.unwrap_or(0)).0
    }

    /// The same with its problem, and whether it should exist; `None`: there is nothing to tell of it.
    pub fn told(&self, identity: &Name, application: &Name) -> Option<(bool, Account)> {
        let column = self.columns.get(application)?;
        let (state, desired) = decode(*column.cells.get(self.row(identity)? as usize)?);
        let account = Account::of(state, column.problems.get(identity).cloned());
        (state != AccountState::None).then_some((desired, account))
    }

    /// The accounts of an identity in enforced applications, sorted by application.
    pub fn of_identity<'a>(&'a self, identity: &Name) -> Vec<AccountIn<'a>> {
        let Some(row) = self.row(identity) else { return Vec::new() };
        let accounts = self.columns.iter().filter(|(_, column)| column.enforced).filter_map(|(application, column)| {
            let (state, desired) = decode(column.cells.get(row as usize).copied().unwrap_or(0));
            let problem = column.problems.get(identity);
            (state != AccountState::None).then_some(AccountIn {
                application: application.as_str(),
                desired,
                state,
                problem,
            })
        });
        accounts.collect()
    }

    /// How many accounts an identity should have in enforced applications, if all of them are decided.
    pub fn decided_of(&self, identity: &Name) -> Option<u32> {
        let accounts = self.of_identity(identity);
        let decided = accounts.iter().all(|account| account.state != AccountState::Unknown);
        let desired = accounts.iter().filter(|account| account.desired).count();
        decided.then(|| u32::try_from(desired).unwrap_or(u32::MAX))
    }

    /// The identities that have an account in an application, in whatever state.
    pub fn identities<'a>(&'a self, application: &Name) -> impl Iterator<Item = &'a Name> {
        let cells = self.columns.get(application).into_iter().flat_map(|column| &column.cells);
        self.names.iter().zip(cells).filter(|(_, cell)| **cell != 0).filter_map(|(identity, _)| identity.as_ref())
    }

    /// The application was observed: if every account is decided too, it has been told from what is known once.
    pub fn decided(&mut self, application: &Name) {
        self.declare_if_new(application);
        if let Some(column) = self.columns.get_mut(application) {
            column.decided |= column.counts.unknown == 0;
        }
    }

    /// Whether every account was decided at some moment since start.
    pub fn was_decided(&self, application: &Name) -> bool {
        self.columns.get(application).is_some_and(|column| column.decided)
    }

    /// Counters of an application.
    pub fn counts(&self, application: &Name) -> AccountCounts {
        self.columns.get(application).map(|column| column.counts).unwrap_or_default()
    }

    /// The problems of an application's accounts, sorted by identity.
    pub fn problems<'a>(&'a self, application: &Name) -> impl Iterator<Item = (&'a Name, &'a Problem)> {
        self.columns.get(application).into_iter().flat_map(|column| &column.problems)
    }

    fn declare_if_new(&mut self, application: &Name) {
        if !self.columns.contains_key(application) {
            self.declare(application, true);
        }
    }

    fn row(&self, identity: &Name) -> Option<u32> {
        self.rows.get(identity.as_str(), name_in(&self.names)).next()
    }

    fn claim(&mut self, identity: &Name) -> u32 {
        let row = self.free.pop().unwrap_or_else(|| {
            self.used.push(0);
            self.names.push(None);
            u32::try_from(self.used.len() - 1).unwrap_or(u32::MAX)
        });
        if let Some(name) = self.names.get_mut(row as usize) {
            *name = Some(identity.clone());
        }
        self.rows.insert(identity.as_str(), row, name_in(&self.names));
        row
    }

    fn release(&mut self, row: u32) {
        let Some(used) = self.used.get_mut(row as usize) else { return };
        *used = used.saturating_sub(1);
        if *used == 0 {
            self.free.push(row);
            if let Some(name) = self.names.get_mut(row as usize).and_then(Option::take) {
                self.rows.remove(name.as_str(), row);
            }
        }
    }
}

fn name_in<'a>(names: &'a [Option<Name>]) -> impl Fn(u32) -> Option<&'a str> {
    |row| names.get(row as usize)?.as_ref().map(Name::as_str)
}

impl AccountCounts {
    fn count(&mut self, cell: u8, add: bool) {
        let (state, desired) = decode(cell);
        let step = |n: &mut u32| *n = if add { n.saturating_add(1) } else { n.saturating_sub(1) };
        if desired {
            step(&mut self.desired);
            if state.is_provisioned() {
                step(&mut self.provisioned);
            }
        }
        match state {
            AccountState::None | AccountState::Provisioned => {}
            AccountState::Unknown => {
                step(&mut self.unknown);
                step(&mut self.pending);
            }
            AccountState::Pending => step(&mut self.pending),
            AccountState::Disabled => step(&mut self.disabled),
            AccountState::Retained => step(&mut self.retained),
            AccountState::Held => step(&mut self.held),
            AccountState::Failed => step(&mut self.failed),
            AccountState::Blocked | AccountState::DisabledAtTarget => step(&mut self.blocked),
        }
    }
}

/// How an account stands and whether it should exist, in a byte; zero: there is none.
fn encode(state: AccountState, desired: bool) -> u8 {
    if state == AccountState::None { 0 } else { state as u8 | if desired { DESIRED } else { 0 } }
}

/// What a byte says.
fn decode(cell: u8) -> (AccountState, bool) {
    let state = AccountState::ALL.get(usize::from(cell & !DESIRED)).copied().unwrap_or_default();
    (state, cell & DESIRED != 0)
}
