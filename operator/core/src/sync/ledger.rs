//! The ledger as it is remembered between loads: what the store holds plus what is on its way to it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::row::{Account, Row};
use super::table::Table;
use crate::model::{
    AttributeName, EntitlementKind, GroupRecord, Intent, IntentId, Ledger, LedgerChange, Name, Outcome, Record,
    RecordId, Schema, Standing, TargetId,
};

/// The cache of an application's ledger, and the changes that the store has not been asked for yet.
#[derive(Debug)]
pub(super) struct Cache {
    /// With what was seen of each account (`shadow`).
    pub(super) accounts: Table,
    pub(super) schema: &'static Schema,
    groups: BTreeMap<(EntitlementKind, Arc<str>), GroupRecord>,
    pub(super) standing: Standing,
    /// It is to be stored, with whatever is recorded next.
    standing_changed: bool,
    next_id: u64,
    outgoing: Vec<LedgerChange>,
}

impl Cache {
    /// One that holds nothing. `keys` names the attributes by whose texts accounts are recognised.
    pub(super) fn new(keys: Vec<AttributeName>, schema: &'static Schema) -> Self {
        Self {
            accounts: Table::new(keys, schema),
            schema,
            groups: BTreeMap::new(),
            standing: Standing::default(),
            standing_changed: false,
            next_id: 1,
            outgoing: Vec::new(),
        }
    }

    /// Takes in what the store holds; answers the intents that are unresolved in it.
    pub(super) fn load(&mut self, ledger: Ledger) -> Vec<Intent> {
        (self.standing, self.next_id) = (ledger.standing, ledger.next_id.max(1));
        for record in ledger.records {
            self.index(record);
        }
        for group in ledger.groups {
            self.groups.insert((group.kind, Arc::clone(&group.name)), group);
        }
        ledger.intents
    }

    /// Every record, in no particular order.
    pub(super) fn records(&self) -> impl Iterator<Item = Row<'_>> {
        self.accounts.iter().filter_map(|(_, account)| account.row())
    }

    pub(super) fn record(&self, id: RecordId) -> Option<Row<'_>> {
        self.accounts.get(self.accounts.of_id(id)?)?.row()
    }

    /// Records by the name of their owner, whatever its uid; by id.
    pub(super) fn of_name(&self, name: &Name) -> Vec<Record> {
        by_id(self.rows_of(name))
    }

    /// The same, as they are held, in no particular order.
    pub(super) fn rows_of(&self, name: &Name) -> impl Iterator<Item = Row<'_>> {
        self.accounts.of_owner(name.as_str()).filter_map(|place| self.accounts.get(place)?.row())
    }

    /// Whose records there are.
    pub(super) fn owners(&self) -> BTreeSet<Name> {
        self.records().map(|row| row.owner().into()).collect()
    }

    pub(super) fn has_name(&self, name: &Name) -> bool {
        self.rows_of(name).next().is_some()
    }

    pub(super) fn of_target(&self, id: &TargetId) -> Option<Row<'_>> {
        self.accounts.get(self.accounts.of_target(id.as_str())?)?.row()
    }

    /// Records that remember this externalId, by id.
    pub(super) fn of_external(&self, external_id: &str) -> Vec<Record> {
        by_id(self.accounts.of_external(external_id).filter_map(|place| self.accounts.get(place)?.row()))
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
        self.outgoing.push(LedgerChange::Put(Arc::new(record.clone())));
        self.index(record);
    }

    pub(super) fn forget(&mut self, id: RecordId) {
        let Some(place) = self.accounts.of_id(id) else { return };
        self.let_go(place);
        self.outgoing.push(LedgerChange::Forget(id));
    }

    pub(super) fn open(&mut self, intent: Arc<Intent>) {
        self.outgoing.push(LedgerChange::Open(intent));
    }

    pub(super) fn close(&mut self, id: IntentId, outcome: Outcome) {
        self.outgoing.push(LedgerChange::Close(id, outcome));
    }

    pub(super) fn put_group(&mut self, group: GroupRecord) {
        self.outgoing.push(LedgerChange::PutGroup(group.clone()));
        // As the store has it: one record for an id.
        self.groups.retain(|_, known| known.target_id != group.target_id);
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

    /// Puts a record in the place of what it replaces, with what was seen of its account.
    fn index(&mut self, record: Record) {
        let own = self.accounts.of_id(record.id);
        let account = record.target_id.as_ref().and_then(|id| self.accounts.of_target(id.as_str()));
        let seen = account.and_then(|place| self.accounts.get(place)?.seen(&self.accounts.common));
        if let Some(place) = account.filter(|place| Some(*place) != own) {
            // Another record of the account may hold it for now; what is nobody's becomes ours.
            self.accounts.change(place, Account::unseen);
        }
        if let Some(place) = own.filter(|place| Some(*place) != account) {
            // It is of another account from here on.
            self.let_go(place);
        }
        let new = Account::of_record(record, seen, &mut self.accounts.common);
        match own.filter(|place| Some(*place) == account) {
            Some(place) => self.accounts.change(place, |_, _| Some(new)),
            None => _ = self.accounts.add(new),
        }
    }

    /// Takes a record out; what was seen of its account is nobody's.
    fn let_go(&mut self, place: super::table::Place) {
        self.accounts.change(place, Account::unrecorded);
    }
}

/// Whole records, by id.
pub(super) fn by_id<'a>(rows: impl Iterator<Item = Row<'a>>) -> Vec<Record> {
    let mut records: Vec<Record> = rows.map(Row::record).collect();
    records.sort_by_key(|record| record.id);
    records
}
