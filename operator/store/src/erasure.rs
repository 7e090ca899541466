//! What the journal holds of a person is erased on demand.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;
use provost_core::model::{IntentId, Name, Outcome, Record, RecordState, Step, TargetId, Uid};
use redb::{Database, ReadableDatabase, ReadableTable, WriteTransaction};

use crate::apply::concerned;
use crate::retention::{AT_ONCE, Sizes};
use crate::tables::{Fault, INTENTS, JOURNAL, META, OpenIntent, RECORDS};
use crate::writer::fence;
use crate::{JournalRecord, Store, StoreError};

/// What stands in the place of a forgotten name; no object can have it, since names are lower case.
pub const FORGOTTEN: &str = "FORGOTTEN";

/// The step's name of an entry that says that somebody was erased; its intent is nobody's.
pub const ERASURE: &str = "Forget";

/// What was erased.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Erased {
    /// Entries of the journal.
    pub entries: u64,
    /// Applications whose ledger still has an account of this name: it has to, as long as the account is ours.
    pub accounts: Vec<Name>,
    /// What the journal has of the erasure itself, an entry for each application and transaction.
    pub told: Vec<JournalRecord>,
}

/// What the journal has of an identity, and what would speak of it again.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Spoken {
    /// Entries of the journal.
    pub entries: u64,
    /// Applications where it has an account that is in use.
    pub in_use: Vec<Name>,
    /// The ledger has an account of it, be it in use or not.
    pub has_account: bool,
}

/// Accounts, by application.
type Accounts = BTreeSet<(Name, TargetId)>;

/// Whom to erase.
struct Whom<'a> {
    namespace: &'a str,
    identity: &'a Name,
    accounts: Accounts,
}

impl Store {
    /// Takes an identity out of the journal: in every entry that speaks of it its name, its accounts, what is known of attributes
    /// and the target's words go; the time, the application, the step and the outcome stay. The ledger is not touched: what is
    /// still ours has to be known. What is written from now on is journalled as ever.
    ///
    /// In small transactions, between which writes have their turn: after a failure some entries are changed, and the same call
    /// again changes the rest. With each the journal is told `by` whom that was ordered, when, and of how many entries.
    pub fn forget(&self, namespace: &str, identity: &Name, by: &str, at: Timestamp) -> Result<Erased, StoreError> {
        let (accounts, applications) = self.shared.with(|database| accounts(database, namespace, identity))?;
        let whom = Whom { namespace, identity, accounts };
        // First what is under way: its outcome names nobody then, and what is stored after that is of something new.
        self.shared.with(|database| {
            let transaction = database.begin_write()?;
            fence(&transaction.open_table(META)?, &self.shared)?;
            whom.erase_intents(&transaction)?;
            Ok(transaction.commit()?)
        })?;
        let named = self.shared.with(|database| whom.named(database))?;
        let mut erased = Erased { accounts: applications.into_keys().collect(), ..Erased::default() };
        for numbers in named.chunks(AT_ONCE) {
            self.shared.with(|database| {
                let transaction = database.begin_write()?;
                fence(&transaction.open_table(META)?, &self.shared)?;
                let mut changed: BTreeMap<Name, u64> = BTreeMap::new();
                for application in whom.erase_entries(&transaction, numbers)? {
                    *changed.entry(application).or_default() += 1;
                }
                let entries: u64 = changed.values().sum();
                let told: Vec<JournalRecord> =
                    changed.into_iter().map(|(application, n)| erasure(namespace, application, n, by, at)).collect();
                append(&transaction, &told)?;
                transaction.commit()?;
                erased.entries += entries;
                erased.told.extend(told);
                Ok(())
            })?;
            std::thread::yield_now();
        }
        Ok(erased)
    }

    /// What [`Store::forget`] would take from the journal, and whether that would be spoken of again.
    pub fn spoken_of(&self, namespace: &str, identity: &Name) -> Result<Spoken, StoreError> {
        let (accounts, applications) = self.shared.with(|database| accounts(database, namespace, identity))?;
        let whom = Whom { namespace, identity, accounts };
        let entries = self.shared.with(|database| whom.named(database))?.len();
        let has_account = !applications.is_empty();
        let in_use = applications.into_iter().filter(|(_, in_use)| *in_use).map(|(name, _)| name).collect();
        Ok(Spoken { entries: u64::try_from(entries).unwrap_or(u64::MAX), in_use, has_account })
    }
}

/// "1 entry", "2 entries".
pub fn entries(n: u64) -> String {
    if n == 1 { "1 entry".to_owned() } else { format!("{n} entries") }
}

/// That so many entries of an application were erased, without of whom.
fn erasure(namespace: &str, application: Name, entries: u64, by: &str, at: Timestamp) -> JournalRecord {
    JournalRecord {
        at,
        namespace: namespace.into(),
        application,
        intent: IntentId(0),
        step: ERASURE.into(),
        identities: Vec::new(),
        uids: Vec::new(),
        members: Vec::new(),
        account: None,
        entitlement: None,
        granted: None,
        before: None,
        after: None,
        attributes: BTreeMap::new(),
        cause: format!("an identity was erased from {} by {by}", self::entries(entries)).into(),
        plan: None,
        outcome: Some(Outcome::Done),
        attempts: 1,
        first: None,
    }
}

fn append(transaction: &WriteTransaction, entries: &[JournalRecord]) -> Result<(), Fault> {
    let (mut journal, mut sizes) = (transaction.open_table(JOURNAL)?, Sizes::default());
    let next = journal.last()?.map_or(0, |(number, _)| number.value() + 1);
    for (number, entry) in (next..).zip(entries) {
        let value = serde_json::to_vec(entry)?;
        sizes.add(entry, value.len());
        journal.insert(number, value.as_slice())?;
    }
    sizes.put(&mut transaction.open_table(META)?)
}

/// The accounts that the ledger or the journal gives to an identity, and the applications whose ledger has one, with whether it
/// is in use.
fn accounts(database: &Database, namespace: &str, identity: &Name) -> Result<(Accounts, BTreeMap<Name, bool>), Fault> {
    let transaction = database.begin_read()?;
    let (mut accounts, mut applications) = (BTreeSet::new(), BTreeMap::new());
    for row in transaction.open_table(RECORDS)?.range((namespace, "", 0)..)? {
        let (key, value) = row?;
        let (of, application, _) = key.value();
        if of != namespace {
            break;
        }
        let record: Record = serde_json::from_slice(value.value())?;
        if record.owner.name == *identity {
            let used = matches!(record.state, RecordState::Creating | RecordState::Active | RecordState::Disabled);
            *applications.entry(Name::from(application)).or_default() |= used;
            accounts.extend(record.target_id.map(|id| (Name::from(application), id)));
        }
    }
    for row in transaction.open_table(JOURNAL)?.iter()? {
        let entry: JournalRecord = serde_json::from_slice(row?.1.value())?;
        if &*entry.namespace == namespace {
            let of = theirs(&entry, identity).map(|id| (entry.application.clone(), id.clone()));
            accounts.extend(of.collect::<Vec<_>>());
        }
    }
    Ok((accounts, applications))
}

/// The accounts that an entry gives to an identity.
fn theirs<'a>(entry: &'a JournalRecord, identity: &'a Name) -> impl Iterator<Item = &'a TargetId> {
    let named = entry.identities.iter().enumerate().filter(move |(_, name)| *name == identity);
    let named = named.filter_map(|(at, _)| entry.account.as_ref().or_else(|| entry.members.get(at)));
    let orphaned = (*entry.cause == *made_for(identity.as_str())).then_some(entry.account.as_ref()).flatten();
    named.chain(orphaned)
}

impl Whom<'_> {
    /// Whether an entry speaks of them: by name or, where it names nobody, by their account.
    fn is_named(&self, entry: &JournalRecord) -> bool {
        let theirs = |id: &TargetId| self.accounts.contains(&(entry.application.clone(), id.clone()));
        &*entry.namespace == self.namespace
            && (entry.identities.contains(self.identity)
                || *entry.cause == *made_for(self.identity.as_str())
                || (entry.identities.is_empty() && entry.account.iter().chain(&entry.members).any(theirs)))
    }

    /// Whether what is under way is theirs.
    fn is_meant(&self, application: &str, open: &OpenIntent) -> bool {
        let (account, _) = concerned(&open.intent.step);
        let members = match &open.intent.step {
            Step::AddMembers { members, .. } | Step::RemoveMembers { members, .. } => members.as_slice(),
            _ => &[],
        };
        let theirs = |id: &TargetId| self.accounts.contains(&(Name::from(application), id.clone()));
        open.identities.contains(self.identity)
            || *open.intent.cause == *made_for(self.identity.as_str())
            || (open.identities.is_empty() && account.iter().chain(members).any(theirs))
    }

    /// The numbers of the entries that speak of them; last those by which their accounts are known, so that the same call does the
    /// rest where this one is cut short.
    fn named(&self, database: &Database) -> Result<Vec<u64>, Fault> {
        let mut named = Vec::new();
        for row in database.begin_read()?.open_table(JOURNAL)?.iter()? {
            let (number, value) = row?;
            let entry: JournalRecord = serde_json::from_slice(value.value())?;
            if self.is_named(&entry) {
                named.push((theirs(&entry, self.identity).next().is_some(), number.value()));
            }
        }
        named.sort_unstable();
        Ok(named.into_iter().map(|(_, number)| number).collect())
    }

    /// Answers the application of each entry that was changed.
    fn erase_entries(&self, transaction: &WriteTransaction, numbers: &[u64]) -> Result<Vec<Name>, Fault> {
        let (mut changed, mut sizes) = (Vec::new(), Sizes::default());
        let mut journal = transaction.open_table(JOURNAL)?;
        for number in numbers {
            let Some(value) = journal.get(number)?.map(|value| value.value().to_vec()) else { continue };
            let mut entry: JournalRecord = serde_json::from_slice(&value)?;
            if !self.is_named(&entry) {
                continue;
            }
            sizes.remove(&entry, value.len());
            rename(&mut entry.identities, &mut entry.uids, self.identity);
            if *entry.cause == *made_for(self.identity.as_str()) {
                entry.cause = made_for(FORGOTTEN);
            }
            if entry.identities.is_empty() {
                entry.members.fill(FORGOTTEN.into());
            }
            cleanse(&mut entry);
            let value = serde_json::to_vec(&entry)?;
            sizes.add(&entry, value.len());
            journal.insert(number, value.as_slice())?;
            changed.push(entry.application);
        }
        sizes.put(&mut transaction.open_table(META)?)?;
        Ok(changed)
    }

    fn erase_intents(&self, transaction: &WriteTransaction) -> Result<(), Fault> {
        let mut changed = Vec::new();
        let mut intents = transaction.open_table(INTENTS)?;
        for row in intents.range((self.namespace, "", 0)..)? {
            let (key, value) = row?;
            let (of, application, id) = key.value();
            if of != self.namespace {
                break;
            }
            let mut open: OpenIntent = serde_json::from_slice(value.value())?;
            if self.is_meant(application, &open) {
                rename(&mut open.identities, &mut open.uids, self.identity);
                if open.identities.is_empty() {
                    // Of nobody's account: by this the outcome is known to name nobody.
                    open.identities.push(FORGOTTEN.into());
                }
                if *open.intent.cause == *made_for(self.identity.as_str()) {
                    Arc::make_mut(&mut open.intent).cause = made_for(FORGOTTEN);
                }
                changed.push((application.to_owned(), id, serde_json::to_vec(&open)?));
            }
        }
        for (application, id, value) in changed {
            intents.insert((self.namespace, application.as_str(), id), value.as_slice())?;
        }
        Ok(())
    }
}

fn made_for(name: &str) -> Arc<str> {
    format!("orphaned, made for {name}").into()
}

fn rename(identities: &mut [Name], uids: &mut [Uid], identity: &Name) {
    for (at, name) in identities.iter_mut().enumerate().filter(|(_, name)| *name == identity) {
        *name = FORGOTTEN.into();
        if let Some(uid) = uids.get_mut(at) {
            *uid = Uid::from(FORGOTTEN);
        }
    }
}

/// Takes out of an entry what it tells of somebody whose name is forgotten. Accounts of others in the same step stay.
pub(crate) fn cleanse(entry: &mut JournalRecord) {
    for (member, _) in entry.members.iter_mut().zip(&entry.identities).filter(|(_, name)| name.as_str() == FORGOTTEN) {
        *member = FORGOTTEN.into();
    }
    entry.account = None;
    entry.attributes.clear();
    for image in [&mut entry.before, &mut entry.after].into_iter().flatten() {
        image.attributes.clear();
    }
    if let Some(Outcome::Rejected(words) | Outcome::Failed(words)) = &mut entry.outcome {
        *words = FORGOTTEN.into();
    }
}
