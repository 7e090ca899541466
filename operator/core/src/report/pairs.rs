use std::collections::BTreeMap;

use super::{Account, AccountCounts, AccountIn, AccountState, Problem};
use crate::model::{Name, Reason};

/// Identity x application: a byte a pair, problems aside, counters kept as it goes.
#[derive(Debug, Default)]
pub(super) struct Pairs {
    columns: BTreeMap<Name, Column>,
    rows: BTreeMap<Name, usize>,
    /// How many pairs use a row; a row that none uses is free.
    used: Vec<u32>,
    free: Vec<usize>,
}

#[derive(Debug)]
struct Column {
    /// Mode Enforce: its accounts decide whether an identity is Ready.
    enforced: bool,
    /// Since start there was a moment when every account was decided.
    decided: bool,
    /// Why the application as a whole does not get on.
    stopped: Option<Problem>,
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
            stopped: None,
            cells: Vec::new(),
            problems: BTreeMap::new(),
            counts: AccountCounts::default(),
        };
        self.columns.insert(application.clone(), column);
        true
    }

    /// Why an application as a whole does not get on, or that it does; answers whether that is news.
    pub fn stop(&mut self, application: &Name, why: Option<Reason>) -> bool {
        let known = self.columns.get(application).and_then(|column| column.stopped.as_ref()).map(Problem::reason);
        if known == why {
            return false;
        }
        self.declare_if_new(application);
        if let Some(column) = self.columns.get_mut(application) {
            column.stopped = why.map(|reason| Problem::of_application(application, reason));
        }
        true
    }

    /// Takes an application off the board.
    pub fn remove(&mut self, application: &Name) {
        let Some(column) = self.columns.remove(application) else { return };
        for (row, _) in column.cells.iter().enumerate().filter(|(_, cell)| **cell != 0) {
            self.release(row);
        }
        let Self { rows, used, .. } = self;
        rows.retain(|_, row| used.get(*row).is_some_and(|n| *n > 0));
    }

    /// Sets a pair; answers whether anything changed. An application that was not declared counts as enforced.
    pub fn set(&mut self, identity: &Name, application: &Name, desired: bool, account: Account) -> bool {
        let state = account.state();
        let cell = encode(state, desired);
        let row = match self.rows.get(identity) {
            Some(row) => *row,
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
        if column.cells.len() <= row {
            column.cells.resize(row + 1, 0);
        }
        let Some(place) = column.cells.get_mut(row) else { return problem_changed };
        let old = std::mem::replace(place, cell);
        column.counts.count(old, false);
        column.counts.count(cell, true);
        match (old == 0, cell == 0) {
            (true, false) => {
                if let Some(used) = self.used.get_mut(row) {
                    *used += 1;
                }
            }
            (false, true) => self.release(row),
            _ => {}
        }
        if cell == 0 && self.used.get(row) == Some(&0) {
            self.rows.remove(identity);
        }
        old != cell || problem_changed
    }

    /// One pair.
    pub fn get(&self, identity: &Name, application: &Name) -> AccountState {
        let cell = self.rows.get(identity).and_then(|row| self.columns.get(application)?.cells.get(*row).copied());
        decode(cell.unwrap_or(0)).0
    }

    /// The same with its problem, and whether it should exist; `None`: there is nothing to tell of it.
    pub fn told(&self, identity: &Name, application: &Name) -> Option<(bool, Account)> {
        let column = self.columns.get(application)?;
        let (state, desired) = decode(*column.cells.get(*self.rows.get(identity)?)?);
        let account = Account::of(state, column.problems.get(identity).cloned());
        (state != AccountState::None).then_some((desired, account))
    }

    /// The accounts of an identity in enforced applications, sorted by application.
    pub fn of_identity<'a>(&'a self, identity: &Name) -> Vec<AccountIn<'a>> {
        let Some(row) = self.rows.get(identity) else { return Vec::new() };
        let accounts = self.columns.iter().filter(|(_, column)| column.enforced).filter_map(|(application, column)| {
            let (state, desired) = decode(column.cells.get(*row).copied().unwrap_or(0));
            let problem = column.problems.get(identity);
            (state != AccountState::None).then_some(AccountIn {
                application: application.as_str(),
                desired,
                state,
                problem,
                waits: column.stopped.as_ref().filter(|_| state.waits_for_application()),
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
        let column = self.columns.get(application);
        self.rows.iter().filter_map(move |(identity, row)| {
            let cell = column?.cells.get(*row).copied().unwrap_or(0);
            (cell != 0).then_some(identity)
        })
    }

    /// Those of them with whom something may be left to do there.
    pub fn waiting<'a>(&'a self, application: &Name) -> impl Iterator<Item = &'a Name> {
        let column = self.columns.get(application);
        self.rows.iter().filter_map(move |(identity, row)| {
            let (state, _) = decode(column?.cells.get(*row).copied().unwrap_or(0));
            state.waits_for_application().then_some(identity)
        })
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

    fn claim(&mut self, identity: &Name) -> usize {
        let row = self.free.pop().unwrap_or_else(|| {
            self.used.push(0);
            self.used.len() - 1
        });
        self.rows.insert(identity.clone(), row);
        row
    }

    fn release(&mut self, row: usize) {
        if let Some(used) = self.used.get_mut(row) {
            *used = used.saturating_sub(1);
            if *used == 0 {
                self.free.push(row);
            }
        }
    }
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
