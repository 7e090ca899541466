//! The ledger as it is remembered between loads: what the store holds plus what is on its way to it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::model::{
    EntitlementKind, GroupRecord, Intent, IntentId, Ledger, LedgerChange, Name, Outcome, Record, RecordId, Standing,
    TargetId,
};

/// The cache of an application's ledger, and the changes that the store has not been asked for yet.
#[derive(Debug, Default)]
pub(super) struct Cache {
    records: BTreeMap<RecordId, Record>,
    by_name: BTreeMap<Name, BTreeSet<RecordId>>,
    by_target: BTreeMap<TargetId, RecordId>,
    by_external: BTreeMap<Arc<str>, BTreeSet<RecordId>>,
    groups: BTreeMap<(EntitlementKind, Arc<str>), GroupRecord>,
    pub(super) standing: Standing,
    next_id: u64,
    outgoing: Vec<LedgerChange>,
}

impl Cache {
    /// What the store holds, and the intents that are unresolved in it.
    pub(super) fn load(ledger: Ledger) -> (Self, Vec<Intent>) {
        let mut cache = Self { standing: ledger.standing, next_id: ledger.next_id.max(1), ..Self::default() };
        for record in ledger.records {
            cache.index(record);
        }
        for group in ledger.groups {
            cache.groups.insert((group.kind, Arc::clone(&group.name)), group);
        }
        (cache, ledger.intents)
    }

    pub(super) fn records(&self) -> impl Iterator<Item = &Record> {
        self.records.values()
    }

    pub(super) fn record(&self, id: RecordId) -> Option<&Record> {
        self.records.get(&id)
    }

    /// Records by the name of their owner, whatever its uid.
    pub(super) fn of_name(&self, name: &Name) -> Vec<Record> {
        let ids = self.by_name.get(name).into_iter().flatten();
        ids.filter_map(|id| self.records.get(id)).cloned().collect()
    }

    pub(super) fn owners(&self) -> impl Iterator<Item = &Name> {
        self.by_name.keys()
    }

    pub(super) fn has_name(&self, name: &Name) -> bool {
        self.by_name.contains_key(name)
    }

    pub(super) fn of_target(&self, id: &TargetId) -> Option<&Record> {
        self.records.get(self.by_target.get(id)?)
    }

    /// Records that remember this externalId.
    pub(super) fn of_external(&self, external: &str) -> impl Iterator<Item = &Record> {
        self.by_external.get(external).into_iter().flatten().filter_map(|id| self.records.get(id))
    }

    pub(super) fn group(&self, kind: EntitlementKind, name: &Arc<str>) -> Option<&GroupRecord> {
        self.groups.get(&(kind, Arc::clone(name)))
    }

    pub(super) fn groups(&self) -> impl Iterator<Item = &GroupRecord> {
        self.groups.values()
    }

    /// A fresh id for a record or an intent.
    pub(super) fn fresh_id(&mut self) -> u64 {
        let id = self.next_id;
        self.next_id += 1;
        id
    }

    pub(super) fn put(&mut self, record: Record) {
        if self.records.get(&record.id) == Some(&record) {
            return;
        }
        self.outgoing.push(LedgerChange::Put(Box::new(record.clone())));
        self.index(record);
    }

    pub(super) fn forget(&mut self, id: RecordId) {
        if self.unindex(id) {
            self.outgoing.push(LedgerChange::Forget(id));
        }
    }

    pub(super) fn open(&mut self, intent: Intent) {
        self.outgoing.push(LedgerChange::Open(Box::new(intent)));
    }

    pub(super) fn close(&mut self, id: IntentId, outcome: Outcome) {
        self.outgoing.push(LedgerChange::Close(id, outcome));
    }

    pub(super) fn put_group(&mut self, group: GroupRecord) {
        self.outgoing.push(LedgerChange::PutGroup(group.clone()));
        self.groups.insert((group.kind, Arc::clone(&group.name)), group);
    }

    pub(super) fn forget_group(&mut self, id: &TargetId) {
        self.groups.retain(|_, group| group.target_id != *id);
        self.outgoing.push(LedgerChange::ForgetGroup(id.clone()));
    }

    /// Stores the standing as it is now.
    pub(super) fn put_standing(&mut self) {
        self.outgoing.retain(|change| !matches!(change, LedgerChange::Standing(_)));
        self.outgoing.push(LedgerChange::Standing(Box::new(self.standing.clone())));
    }

    /// What is to be recorded next, in order.
    pub(super) fn take_outgoing(&mut self) -> Vec<LedgerChange> {
        std::mem::take(&mut self.outgoing)
    }

    /// Puts back what the store refused, before what came since.
    pub(super) fn put_back(&mut self, mut refused: Vec<LedgerChange>) {
        refused.append(&mut self.outgoing);
        self.outgoing = refused;
    }

    pub(super) fn has_outgoing(&self) -> bool {
        !self.outgoing.is_empty()
    }

    fn index(&mut self, record: Record) {
        self.unindex(record.id);
        self.by_name.entry(record.owner.name.clone()).or_default().insert(record.id);
        if let Some(target) = &record.target_id {
            self.by_target.insert(target.clone(), record.id);
        }
        if let Some(external) = &record.external_id {
            self.by_external.entry(Arc::clone(external)).or_default().insert(record.id);
        }
        self.records.insert(record.id, record);
    }

    fn unindex(&mut self, id: RecordId) -> bool {
        let Some(old) = self.records.remove(&id) else { return false };
        if let Some(ids) = self.by_name.get_mut(&old.owner.name) {
            ids.remove(&id);
            if ids.is_empty() {
                self.by_name.remove(&old.owner.name);
            }
        }
        if let Some(target) = &old.target_id
            && self.by_target.get(target) == Some(&id)
        {
            self.by_target.remove(target);
        }
        if let Some(external) = &old.external_id
            && let Some(ids) = self.by_external.get_mut(external)
        {
            ids.remove(&id);
            if ids.is_empty() {
                self.by_external.remove(external);
            }
        }
        true
    }
}
