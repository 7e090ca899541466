//! What the journal holds of a person is erased on demand.

use std::collections::BTreeSet;
use std::sync::Arc;

use provost_core::model::{Name, Outcome, Step, TargetId, Uid};
use redb::{Database, ReadableDatabase, ReadableTable, WriteTransaction};

use crate::apply::concerned;
use crate::retention::{AT_ONCE, Sizes};
use crate::tables::{Fault, INTENTS, JOURNAL, META, OpenIntent, RECORDS};
use crate::writer::fence;
use crate::{JournalRecord, Store, StoreError};

/// What stands in the place of a forgotten name; no object can have it, since names are lower case.
pub(crate) const FORGOTTEN: &str = "FORGOTTEN";

/// What was erased.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Erased {
    /// Entries of the journal.
    pub entries: u64,
    /// Applications whose ledger still has an account of this name: it has to, as long as the account is ours.
    pub accounts: Vec<Name>,
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
    /// again changes the rest.
    pub fn forget(&self, namespace: &str, identity: &Name) -> Result<Erased, StoreError> {
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
        let mut erased = Erased { entries: 0, accounts: applications.into_iter().collect() };
        for numbers in named.chunks(AT_ONCE) {
            erased.entries += self.shared.with(|database| {
                let transaction = database.begin_write()?;
                fence(&transaction.open_table(META)?, &self.shared)?;
                let changed = whom.erase_entries(&transaction, numbers)?;
                transaction.commit()?;
                Ok(changed)
            })?;
            std::thread::yield_now();
        }
        Ok(erased)
    }
}

/// The accounts that the ledger or the journal gives to an identity, and the applications whose ledger has one.
fn accounts(database: &Database, namespace: &str, identity: &Name) -> Result<(Accounts, BTreeSet<Name>), Fault> {
    let transaction = database.begin_read()?;
    let (mut accounts, mut applications) = (BTreeSet::new(), BTreeSet::new());
    for row in transaction.open_table(RECORDS)?.range((namespace, "", 0)..)? {
        let (key, value) = row?;
        let (of, application, _) = key.value();
        if of != namespace {
            break;
        }
        let record: provost_core::model::Record = serde_json::from_slice(value.value())?;
        if record.owner.name == *identity {
            applications.insert(Name::from(application));
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

    fn erase_entries(&self, transaction: &WriteTransaction, numbers: &[u64]) -> Result<u64, Fault> {
        let (mut changed, mut sizes) = (0, Sizes::default());
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
            changed += 1;
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
                    open.intent.cause = made_for(FORGOTTEN);
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
