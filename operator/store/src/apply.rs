//! One job of a transaction: ledger changes, and the journal entries that go with them.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use provost_core::model::{
    Grant, GroupRecord, Image, Intent, IntentId, LedgerChange, Name, Outcome, Record, RecordId, Standing, Step,
    TargetId,
};
use redb::{ReadableTable, Table, WriteTransaction};

use crate::digest::Key;
use crate::erasure::{FORGOTTEN, cleanse};
use crate::journal::Granted;
use crate::tables::{ATTEMPTS, EPOCHS, Fault, GROUPS, INTENTS, JOURNAL, NEXT, OpenIntent, RECORDS, STANDING};
use crate::{JournalRecord, give_way, retention::Sizes};

/// The tables of a write transaction, opened once for all its jobs.
pub(crate) struct Tables<'t> {
    records: Table<'t, (&'static str, &'static str, u64), &'static [u8]>,
    intents: Table<'t, (&'static str, &'static str, u64), &'static [u8]>,
    groups: Table<'t, (&'static str, &'static str, &'static str), &'static [u8]>,
    standing: Table<'t, (&'static str, &'static str), &'static [u8]>,
    next: Table<'t, (&'static str, &'static str), u64>,
    epochs: Table<'t, (&'static str, &'static str), i64>,
    pub journal: Table<'t, u64, &'static [u8]>,
    /// The number of the next entry.
    pub entry: u64,
    pub attempts: Table<'t, (&'static str, &'static str, u64, u64), &'static [u8]>,
    /// What the entries of this transaction add to the journal.
    pub added: Sizes,
}

/// Which ledger, and when.
#[derive(Clone, Copy)]
pub(crate) struct Place<'a> {
    pub namespace: &'a str,
    pub application: &'a Name,
    pub at: Timestamp,
}

/// What the entries of a job are made of, besides their intents.
struct Made<'a> {
    key: &'a Key,
    /// The records that the job itself puts: they need not be read back.
    put: BTreeMap<RecordId, &'a Record>,
}

impl<'t> Tables<'t> {
    pub fn open(transaction: &'t WriteTransaction) -> Result<Self, Fault> {
        let journal = transaction.open_table(JOURNAL)?;
        let entry = journal.last()?.map_or(0, |(number, _)| number.value() + 1);
        Ok(Self {
            records: transaction.open_table(RECORDS)?,
            intents: transaction.open_table(INTENTS)?,
            groups: transaction.open_table(GROUPS)?,
            standing: transaction.open_table(STANDING)?,
            next: transaction.open_table(NEXT)?,
            epochs: transaction.open_table(EPOCHS)?,
            journal,
            entry,
            attempts: transaction.open_table(ATTEMPTS)?,
            added: Sizes::default(),
        })
    }

    /// Applies the changes in their order; answers with the entries of the intents that were closed. Intents come after the
    /// rest: an entry names what the records say once the changes are made.
    pub fn apply(
        &mut self,
        place: Place<'_>,
        changes: &[LedgerChange],
        key: &Key,
    ) -> Result<Vec<JournalRecord>, Fault> {
        let mut highest = None;
        let mut put = BTreeMap::new();
        for change in changes {
            let id = match change {
                LedgerChange::Put(record) => {
                    put.insert(record.id, &**record);
                    Some(record.id.0)
                }
                LedgerChange::Forget(id) => {
                    put.remove(id);
                    self.forget(place, *id).map(|()| None)?
                }
                LedgerChange::PutGroup(group) => self.put_group(place, group).map(|()| None)?,
                LedgerChange::ForgetGroup(id) => self.forget_group(place, id).map(|()| None)?,
                LedgerChange::Standing(standing) => self.put_standing(place, standing).map(|()| None)?,
                LedgerChange::Open(intent) => Some(intent.id.0),
                LedgerChange::Close(..) => None,
            };
            highest = highest.max(id);
        }
        // Of what is put more than once only the last is to be kept.
        for record in put.values() {
            self.put(place, record)?;
            give_way();
        }
        self.raise_next(place, highest)?;
        self.raise_epoch(place)?;
        let made = Made { key, put };
        let mut closed = Vec::new();
        for change in changes {
            match change {
                LedgerChange::Open(intent) => self.open_intent(place, intent, &made)?,
                LedgerChange::Close(id, outcome) => closed.extend(self.close_intent(place, *id, outcome, &made)?),
                _ => continue,
            }
            give_way();
        }
        Ok(closed)
    }

    fn put(&mut self, place: Place<'_>, record: &Record) -> Result<(), Fault> {
        let value = serde_json::to_vec(record)?;
        self.records.insert((place.namespace, place.application.as_str(), record.id.0), value.as_slice())?;
        Ok(())
    }

    fn forget(&mut self, place: Place<'_>, id: RecordId) -> Result<(), Fault> {
        self.records.remove((place.namespace, place.application.as_str(), id.0))?;
        Ok(())
    }

    fn put_group(&mut self, place: Place<'_>, group: &GroupRecord) -> Result<(), Fault> {
        let value = serde_json::to_vec(group)?;
        let key = (place.namespace, place.application.as_str(), group.target_id.as_str());
        self.groups.insert(key, value.as_slice())?;
        Ok(())
    }

    fn forget_group(&mut self, place: Place<'_>, id: &TargetId) -> Result<(), Fault> {
        self.groups.remove((place.namespace, place.application.as_str(), id.as_str()))?;
        Ok(())
    }

    fn put_standing(&mut self, place: Place<'_>, standing: &Standing) -> Result<(), Fault> {
        let value = serde_json::to_vec(standing)?;
        self.standing.insert((place.namespace, place.application.as_str()), value.as_slice())?;
        Ok(())
    }

    /// Ids are given once: the next one outlives the records.
    fn raise_next(&mut self, place: Place<'_>, highest: Option<u64>) -> Result<(), Fault> {
        let key = (place.namespace, place.application.as_str());
        let known = self.next.get(key)?.map(|next| next.value());
        let next = known.unwrap_or(0).max(highest.map_or(0, |id| id.saturating_add(1)));
        if known != Some(next) {
            self.next.insert(key, next)?;
        }
        Ok(())
    }

    /// How far this ledger has come. Of its own, since a copy that was restored must be noticed by each application for
    /// itself, whenever its turn comes.
    fn raise_epoch(&mut self, place: Place<'_>) -> Result<(), Fault> {
        let key = (place.namespace, place.application.as_str());
        let known = self.epochs.get(key)?.map_or(0, |epoch| epoch.value());
        let minute = minute(place.at);
        if minute > known {
            self.epochs.insert(key, minute)?;
        }
        Ok(())
    }

    fn open_intent(&mut self, place: Place<'_>, intent: &Arc<Intent>, made: &Made<'_>) -> Result<(), Fault> {
        let keyed = |image: &Image| image.map(|digest| Arc::from(made.key.digest(&digest.0.to_be_bytes())));
        let (before, after) = (intent.before.as_deref().map(keyed), intent.after.as_deref().map(keyed));
        // Opened twice, it has one entry more; both are of this attempt.
        let at = (place.namespace, place.application.as_str(), intent.id.0);
        let known = self.intents.get(at)?.map(|value| serde_json::from_slice::<OpenIntent>(value.value()));
        let mut entries = known.transpose()?.map(|known| known.entries).unwrap_or_default();
        entries.push(self.entry);
        let (identities, uids) = (Vec::new(), Vec::new());
        let mut open = OpenIntent { intent: Arc::clone(intent), identities, uids, entries, before, after };
        for id in &intent.records {
            if let Some(record) = self.record(place, *id, made)? {
                open.identities.push(record.owner.name.clone());
                open.uids.push(record.owner.uid.clone());
            }
        }
        let value = serde_json::to_vec(&open)?;
        self.intents.insert(at, value.as_slice())?;
        let entry = self.entry(place, &mut open, None, made)?;
        self.append(&entry)
    }

    /// Closing what is not open changes nothing: an outcome that is told twice is journalled once.
    fn close_intent(
        &mut self,
        place: Place<'_>,
        id: IntentId,
        outcome: &Outcome,
        made: &Made<'_>,
    ) -> Result<Option<JournalRecord>, Fault> {
        let at = (place.namespace, place.application.as_str(), id.0);
        let Some(open) = self.intents.get(at)?.map(|value| serde_json::from_slice::<OpenIntent>(value.value())) else {
            return Ok(None);
        };
        let mut open = open?;
        if *outcome == Outcome::Lost {
            open.entries.push(self.entry);
            self.intents.insert(at, serde_json::to_vec(&open)?.as_slice())?;
        } else {
            self.intents.remove(at)?;
        }
        let mut entry = self.entry(place, &mut open, Some(outcome.clone()), made)?;
        match outcome {
            Outcome::Lost => {}
            Outcome::Done => self.succeeded(place, &open, made.key)?,
            _ => self.failed(place, &open, &mut entry, made.key)?,
        }
        self.append(&entry)?;
        Ok(Some(entry))
    }

    /// What was and is there is moved into the entry: the intent is stored already, or is no more.
    fn entry(
        &self,
        place: Place<'_>,
        open: &mut OpenIntent,
        outcome: Option<Outcome>,
        made: &Made<'_>,
    ) -> Result<JournalRecord, Fault> {
        let step = &open.intent.step;
        let (mut account, entitlement) = concerned(step);
        if let (Step::CreateAccount { .. }, Some(id)) = (step, open.intent.records.first()) {
            account = self.record(place, *id, made)?.and_then(|record| record.target_id.clone());
        }
        let members = match step {
            Step::AddMembers { members, .. } | Step::RemoveMembers { members, .. } => members.clone(),
            _ => Vec::new(),
        };
        let mut entry = JournalRecord {
            at: place.at,
            namespace: place.namespace.into(),
            application: place.application.clone(),
            intent: open.intent.id,
            step: step.name().into(),
            identities: open.identities.clone(),
            uids: open.uids.clone(),
            members,
            account,
            granted: self.granted(place, open, entitlement.as_ref(), made)?,
            entitlement,
            before: open.before.take(),
            after: open.after.take(),
            attributes: [].into(),
            cause: Arc::clone(&open.intent.cause),
            plan: open.intent.plan.clone(),
            outcome,
            attempts: 1,
            first: None,
        };
        if entry.identities.iter().any(|name| name.as_str() == FORGOTTEN) {
            cleanse(&mut entry);
        }
        Ok(entry)
    }

    /// What the records know of the entitlement that is given or taken.
    fn granted(
        &self,
        place: Place<'_>,
        open: &OpenIntent,
        entitlement: Option<&TargetId>,
        made: &Made<'_>,
    ) -> Result<Option<Granted>, Fault> {
        let (Some(id), Some(entitlement)) = (open.intent.records.first(), entitlement) else { return Ok(None) };
        let record = self.record(place, *id, made)?;
        let grant = record.as_ref().and_then(|record| record.grants.get(entitlement));
        let granted =
            |grant: &Grant| Granted { kind: grant.kind, name: grant.entitlement.clone(), privileged: grant.privileged };
        Ok(grant.map(granted))
    }

    fn record<'a>(&self, place: Place<'_>, id: RecordId, made: &Made<'a>) -> Result<Option<Cow<'a, Record>>, Fault> {
        if let Some(record) = made.put.get(&id) {
            return Ok(Some(Cow::Borrowed(record)));
        }
        let value = self.records.get((place.namespace, place.application.as_str(), id.0))?;
        Ok(value.map(|value| serde_json::from_slice(value.value()).map(Cow::Owned)).transpose()?)
    }

    fn append(&mut self, entry: &JournalRecord) -> Result<(), Fault> {
        let value = serde_json::to_vec(entry)?;
        self.added.add(entry, value.len());
        self.journal.insert(self.entry, value.as_slice())?;
        self.entry += 1;
        Ok(())
    }
}

/// Since 1970.
pub(crate) fn minute(at: Timestamp) -> i64 {
    at.as_second().div_euclid(60)
}

/// The account and the entitlement that a step names.
pub(crate) fn concerned(step: &Step) -> (Option<TargetId>, Option<TargetId>) {
    match step {
        Step::CreateAccount { .. } | Step::CreateGroup { .. } => (None, None),
        Step::UpdateAccount { id, .. }
        | Step::RenameAccount { id, .. }
        | Step::EnableAccount { id }
        | Step::DisableAccount { id }
        | Step::DeleteAccount { id } => (Some(id.clone()), None),
        Step::UpdateGroup { id, .. } | Step::DeleteGroup { id } => (None, Some(id.clone())),
        Step::AddMembers { group, .. } | Step::RemoveMembers { group, .. } => (None, Some(group.clone())),
        Step::Assign { entitlement, account, .. } | Step::Revoke { entitlement, account, .. } => {
            (Some(account.clone()), Some(entitlement.clone()))
        }
    }
}
