//! The real store on a disk in memory, and what it must give back: what it was asked to record, in one piece or not at all.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use provost_core::model::{
    GroupRecord, Intent, IntentId, Ledger, LedgerChange, Name, Outcome, Record, RecordId, Standing, TargetId,
};
use provost_store::{Disk, Fresh, JournalQuery, StoreError};
use secrecy::SecretBox;

/// One application's ledger on disk.
#[derive(Clone, Debug, Default)]
pub struct Store {
    pub records: BTreeMap<RecordId, Record>,
    pub intents: BTreeMap<IntentId, Intent>,
    pub groups: BTreeMap<TargetId, GroupRecord>,
    pub standing: Standing,
    /// Every intent that was ever opened.
    pub opened: BTreeMap<IntentId, Intent>,
    pub closed: BTreeMap<IntentId, Outcome>,
    next_id: u64,
}

impl Store {
    /// What a load answers.
    pub fn ledger(&self) -> Ledger {
        Ledger {
            records: self.records.values().cloned().collect(),
            intents: self.intents.values().cloned().collect(),
            groups: self.groups.values().cloned().collect(),
            standing: self.standing.clone(),
            next_id: self.next_id,
            store: None,
        }
    }

    /// One transaction. Errors are violations of what a store may assume.
    pub fn record(&mut self, changes: &[LedgerChange]) -> Result<(), String> {
        for change in changes {
            match change {
                LedgerChange::Put(record) => {
                    let other = self.records.values().find(|other| {
                        other.id != record.id && other.target_id.is_some() && other.target_id == record.target_id
                    });
                    if let Some(other) = other {
                        return Err(format!("{:?} and {:?} own {:?}", other.owner, record.owner, record.target_id));
                    }
                    self.next_id = self.next_id.max(record.id.0 + 1);
                    self.records.insert(record.id, (**record).clone());
                }
                LedgerChange::Forget(id) => {
                    self.records.remove(id);
                }
                LedgerChange::Open(intent) => {
                    self.next_id = self.next_id.max(intent.id.0 + 1);
                    // What it says of before and after is the journal's.
                    let intent = Intent { before: None, after: None, ..(**intent).clone() };
                    self.opened.insert(intent.id, intent.clone());
                    if !self.closed.contains_key(&intent.id) {
                        self.intents.insert(intent.id, intent);
                    }
                }
                LedgerChange::Close(id, outcome) => {
                    if !self.opened.contains_key(id) {
                        return Err(format!("{id:?} is closed and was never opened"));
                    }
                    // A lost one stays open until what became of it is seen.
                    if *outcome != Outcome::Lost {
                        self.intents.remove(id);
                        self.closed.entry(*id).or_insert_with(|| outcome.clone());
                    }
                }
                LedgerChange::PutGroup(group) => {
                    self.groups.insert(group.target_id.clone(), group.clone());
                }
                LedgerChange::ForgetGroup(id) => {
                    self.groups.remove(id);
                }
                LedgerChange::Standing(standing) => self.standing = (**standing).clone(),
            }
        }
        Ok(())
    }

    /// Who has this account.
    pub fn of_target(&self, id: &TargetId) -> Option<&Record> {
        self.records.values().find(|record| record.target_id.as_ref() == Some(id))
    }
}

/// Intents that were journalled before their writes, and outcomes after; of attempts that ended in the same way the latest.
#[derive(Debug, Default)]
pub struct Journalled {
    pub opened: BTreeSet<IntentId>,
    pub closed: BTreeMap<IntentId, Outcome>,
    /// How many the outcomes count together.
    pub attempts: usize,
}

impl Journalled {
    /// Whether it says what happened: each write that was done or is open by itself, each other one in a count.
    pub fn tells(&self, store: &Store) -> bool {
        let kept = |id: &IntentId| store.closed.get(id).is_none_or(|outcome| *outcome == Outcome::Done);
        self.opened.iter().all(|id| store.opened.contains_key(id))
            && store.opened.keys().filter(|id| kept(id)).all(|id| self.opened.contains(id))
            && self.closed.iter().all(|(id, outcome)| store.closed.get(id) == Some(outcome) && self.opened.contains(id))
            && store.closed.keys().filter(|id| kept(id)).all(|id| self.closed.contains_key(id))
            && self.attempts == store.closed.len()
    }
}

/// The store itself, on a disk in memory.
#[derive(Debug)]
pub struct Memory {
    disk: Disk,
    store: Option<provost_store::Store>,
    claims: u64,
    number: u64,
}

impl Memory {
    /// A new one, which is none of another number.
    pub fn new(number: u64) -> Result<Self, StoreError> {
        let mut memory = Self { disk: Disk::default(), store: None, claims: 0, number };
        memory.open()?;
        Ok(memory)
    }

    fn open(&mut self) -> Result<(), StoreError> {
        let fresh =
            || Fresh { id: format!("simulated-{}", self.number).into(), key: SecretBox::new(Box::new([1; 32])) };
        let store = provost_store::Store::on(&self.disk, fresh)?;
        self.claims += 1;
        store.claim(self.claims)?;
        self.store = Some(store);
        Ok(())
    }

    /// The process is killed, and another one opens what is on the disk.
    pub fn crash(&mut self) -> Result<(), StoreError> {
        // Before the store is dropped: that writes what a kill does not.
        let left = self.disk.without_power();
        self.store = None;
        self.disk = left;
        self.open()
    }

    /// A copy of the disk, as a backup makes one.
    pub fn copy(&self) -> Disk {
        self.disk.without_power()
    }

    /// In place of what there is.
    pub fn put_back(&mut self, copy: Disk) -> Result<(), StoreError> {
        self.store = None;
        self.disk = copy;
        self.open()
    }

    /// The minute of the latest record.
    pub fn epoch(&self) -> i64 {
        self.store.as_ref().map_or(0, provost_store::Store::epoch)
    }

    /// The ledger of one application.
    pub fn load(&self, app: &Name) -> Result<Ledger, StoreError> {
        self.store.as_ref().ok_or(StoreError::Closed)?.load("acme", app)
    }

    /// Records, on a disk that may be full.
    pub fn record(&self, app: &Name, at: Timestamp, changes: &[LedgerChange], full: bool) -> Result<(), StoreError> {
        let store = self.store.as_ref().ok_or(StoreError::Closed)?;
        self.disk.refuse(full);
        let recorded = store.record_here("acme", app, at, changes.to_vec());
        self.disk.refuse(false);
        recorded.map(|_| ())
    }

    /// Of one application: what was journalled.
    pub fn journalled(&self, app: &Name) -> Result<Journalled, StoreError> {
        let query = JournalQuery { application: Some(app.clone()), ..JournalQuery::default() };
        let mut found = Journalled::default();
        for entry in self.store.as_ref().ok_or(StoreError::Closed)?.journal(query)? {
            let entry = entry?;
            match entry.outcome {
                None => _ = found.opened.insert(entry.intent),
                Some(Outcome::Lost) => {}
                Some(outcome) => {
                    found.attempts += usize::try_from(entry.attempts).unwrap_or(usize::MAX);
                    found.closed.insert(entry.intent, outcome);
                }
            }
        }
        Ok(found)
    }
}
