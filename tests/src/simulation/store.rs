//! A store that keeps only what it was asked to record, in one piece or not at all.

use std::collections::BTreeMap;

use provost_core::model::{
    GroupRecord, Intent, IntentId, Ledger, LedgerChange, Outcome, Record, RecordId, Standing, TargetId,
};

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
                    self.opened.insert(intent.id, (**intent).clone());
                    if !self.closed.contains_key(&intent.id) {
                        self.intents.insert(intent.id, (**intent).clone());
                    }
                }
                LedgerChange::Close(id, outcome) => {
                    if !self.opened.contains_key(id) {
                        return Err(format!("{id:?} is closed and was never opened"));
                    }
                    // A lost one stays open until what became of it is seen.
                    if *outcome != Outcome::Lost {
                        self.intents.remove(id);
                        self.closed.insert(*id, outcome.clone());
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
