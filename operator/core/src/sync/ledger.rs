//! The ledger as it is remembered between loads: what the store holds plus what is on its way to it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::row::{Common, Row};
use crate::directory::keys::Keys;
use crate::model::{
    EntitlementKind, GroupRecord, Intent, IntentId, Ledger, LedgerChange, Name, Outcome, Record, RecordId, Standing,
    TargetId,
};

/// The cache of an application's ledger, and the changes that the store has not been asked for yet.
#[derive(Debug, Default)]
pub(super) struct Cache {
    rows: BTreeMap<RecordId, Box<Row>>,
    common: Common,
    by_name: Keys<RecordId>,
    /// Of two records with one account the one that was put last.
    by_target: Keys<RecordId>,
    by_external: Keys<RecordId>,
    groups: BTreeMap<(EntitlementKind, Arc<str>), GroupRecord>,
    pub(super) standing: Standing,
    /// It is to be stored, with whatever is recorded next.
    standing_changed: bool,
    next_id: u64,
    outgoing: Vec<LedgerChange>,
}

type Rows = BTreeMap<RecordId, Box<Row>>;

fn owner<'a>(rows: &'a Rows) -> impl Fn(RecordId) -> Option<&'a str> {
    |id| rows.get(&id).map(|row| row.owner())
}

fn target<'a>(rows: &'a Rows) -> impl Fn(RecordId) -> Option<&'a str> {
    |id| rows.get(&id)?.target_id()
}

fn external<'a>(rows: &'a Rows) -> impl Fn(RecordId) -> Option<&'a str> {
    |id| rows.get(&id)?.external_id()
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

    /// Every record, by id.
    pub(super) fn records(&self) -> impl Iterator<Item = &Row> {
        self.rows.values().map(|row| &**row)
    }

    pub(super) fn record(&self, id: RecordId) -> Option<&Row> {
        self.rows.get(&id).map(|row| &**row)
    }

    /// Records by the name of their owner, whatever its uid; by id.
    pub(super) fn of_name(&self, name: &Name) -> Vec<Record> {
        self.whole(self.by_name.get(name.as_str(), owner(&self.rows)))
    }

    /// The same, as they are held, in no particular order.
    pub(super) fn rows_of(&self, name: &Name) -> impl Iterator<Item = &Row> {
        self.by_name.get(name.as_str(), owner(&self.rows)).filter_map(|id| self.record(id))
    }

    fn whole(&self, ids: impl Iterator<Item = RecordId>) -> Vec<Record> {
        let ids: BTreeSet<RecordId> = ids.collect();
        ids.iter().filter_map(|id| self.record(*id)).map(Row::record).collect()
    }

    /// Whose records there are.
    pub(super) fn owners(&self) -> BTreeSet<Name> {
        self.rows.values().map(|row| row.owner().into()).collect()
    }

    pub(super) fn has_name(&self, name: &Name) -> bool {
        self.by_name.get(name.as_str(), owner(&self.rows)).next().is_some()
    }

    pub(super) fn of_target(&self, id: &TargetId) -> Option<&Row> {
        self.record(self.by_target.get(id.as_str(), target(&self.rows)).next()?)
    }

    /// Records that remember this externalId, by id.
    pub(super) fn of_external(&self, external_id: &str) -> Vec<Record> {
        self.whole(self.by_external.get(external_id, external(&self.rows)))
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
        if self.record(record.id).is_some_and(|row| row.is(&record)) {
            return;
        }
        self.outgoing.push(LedgerChange::Put(Box::new(record.clone())));
        self.index(record);
    }

    pub(super) fn forget(&mut self, id: RecordId) {
        if self.unindex(id).is_some() {
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

    /// Stores the standing, in the transaction of whatever else is recorded next: it is large, so it is copied once for all of that.
    pub(super) fn put_standing(&mut self) {
        self.standing_changed = true;
    }

    /// What is to be recorded next, in order.
    pub(super) fn take_outgoing(&mut self) -> Vec<LedgerChange> {
        let mut changes = std::mem::take(&mut self.outgoing);
        if std::mem::take(&mut self.standing_changed) {
            changes.push(LedgerChange::Standing(Box::new(self.standing.clone())));
        }
        changes
    }

    /// Puts back what the store refused, before what came since.
    pub(super) fn put_back(&mut self, mut refused: Vec<LedgerChange>) {
        let all = refused.len();
        refused.retain(|change| !matches!(change, LedgerChange::Standing(_)));
        self.standing_changed |= refused.len() < all;
        refused.append(&mut self.outgoing);
        self.outgoing = refused;
    }

    pub(super) fn has_outgoing(&self) -> bool {
        self.standing_changed || !self.outgoing.is_empty()
    }

    fn index(&mut self, record: Record) {
        let old = self.unindex(record.id);
        let row = Row::new(record, old.as_deref(), &mut self.common);
        let id = row.id;
        self.rows.insert(id, Box::new(row));
        let rows = &self.rows;
        let Some(row) = rows.get(&id) else { return };
        self.by_name.insert(row.owner(), id, owner(rows));
        if let Some(text) = row.target_id() {
            let others: Vec<RecordId> = self.by_target.get(text, target(rows)).collect();
            for other in others {
                self.by_target.remove(text, other);
            }
            self.by_target.insert(text, id, target(rows));
        }
        if let Some(text) = row.external_id() {
            self.by_external.insert(text, id, external(rows));
        }
    }

    /// Takes a record out; answers it as it was.
    fn unindex(&mut self, id: RecordId) -> Option<Box<Row>> {
        let old = self.rows.remove(&id)?;
        self.by_name.remove(old.owner(), id);
        if let Some(text) = old.target_id() {
            self.by_target.remove(text, id);
        }
        if let Some(text) = old.external_id() {
            self.by_external.remove(text, id);
        }
        Some(old)
    }
}
