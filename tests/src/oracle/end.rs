//! Where a target should end: what it is now, what the ledger calls ours and what is declared give what it should become.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use provost_core::model::{Name, Record, RecordState, SyncMode, TargetApplication, TargetId};

use super::declared::{Declared, Standing};

/// An account, as it is or as it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    pub enabled: bool,
    pub user_name: String,
    pub external_id: Option<String>,
    /// The groups that it is in.
    pub holds: BTreeSet<Name>,
    /// Whose it is, and the policies that each of its grants rests on; `None`: not ours.
    pub ours: Option<Ours>,
}

/// What the ledger says of an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ours {
    pub owner: Name,
    pub policies: BTreeSet<Name>,
    pub grants: BTreeMap<Name, BTreeSet<Name>>,
}

/// What tells one account from another: its id where it was there before, the name it was made with where it was not.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Key {
    Id(TargetId),
    New(String),
}

/// What is known before.
#[derive(Clone, Debug)]
pub struct Before {
    pub accounts: BTreeMap<TargetId, Account>,
    pub records: Vec<Record>,
    pub protected: BTreeSet<TargetId>,
}

/// What should be there after.
#[derive(Clone, Debug, Default)]
pub struct End {
    pub accounts: BTreeMap<Key, Account>,
    /// Of these the text says nothing: who comes first, or what became of a name that two want.
    pub unsaid: BTreeSet<Key>,
    /// Nothing is made for these, since a person must act first.
    pub blocked: BTreeSet<Name>,
}

/// All that an end is read off.
pub struct Reading<'a> {
    pub declared: &'a Declared,
    pub before: &'a Before,
    pub application: &'a Name,
    pub settings: &'a TargetApplication,
    pub at: Timestamp,
}

/// The user name of the account that nobody may write to.
pub const PROTECTED: &str = "root";

impl Reading<'_> {
    /// Members of authoritative groups that are nobody's here are left: README names that among what is not there yet.
    pub fn end(&self) -> End {
        let mut end = End::default();
        for (id, account) in &self.before.accounts {
            end.accounts.insert(Key::Id(id.clone()), account.clone());
        }
        if self.settings.mode != SyncMode::Enforce {
            return end;
        }
        let mut served = BTreeSet::new();
        for record in self.in_use() {
            let Some(id) = &record.target_id else { continue };
            let heir = self.owner(record);
            served.extend(heir.clone());
            let becomes = self.owned(record, heir.as_ref(), &mut end.unsaid);
            match becomes {
                Some(account) => _ = end.accounts.insert(Key::Id(id.clone()), account),
                None => _ = end.accounts.remove(&Key::Id(id.clone())),
            }
        }
        Self::refuse_names_that_are_taken(&mut end);
        self.serve_the_others(&served, &mut end);
        end
    }

    /// Records whose account is there.
    pub fn in_use(&self) -> impl Iterator<Item = &Record> {
        let gone = |state| matches!(state, RecordState::Deleted | RecordState::Released);
        let there =
            |record: &&Record| record.target_id.as_ref().is_some_and(|id| self.before.accounts.contains_key(id));
        self.before.records.iter().filter(move |record| !gone(record.state)).filter(there)
    }

    /// Whose a record is: an identity that has not ended; else it passes to whom the recorded externalId names.
    fn owner(&self, record: &Record) -> Option<Name> {
        let stands = |name: &Name| self.declared.standing(name, self.at).filter(|s| *s != Standing::Ended);
        let same = self.declared.identities.get(&record.owner.name).filter(|manifest| {
            manifest.meta.uid == record.owner.uid
                || manifest.spec.as_ref().is_ok_and(|now| match &record.external_id {
                    Some(known) => now.external_id.as_ref() == Some(known),
                    None => now.user_name.folded() == &*record.user_name,
                })
        });
        if same.is_some() && stands(&record.owner.name).is_some() {
            return Some(record.owner.name.clone());
        }
        let known = record.external_id.as_ref()?;
        let has_one = |name: &Name| self.in_use().any(|other| other.owner.name == *name);
        let mut heirs = self.declared.identities.keys().filter(|name| {
            let valid = stands(name).is_some_and(|standing| !standing.is_frozen());
            let named = self.declared.identity(name).is_some_and(|i| i.external_id.as_ref() == Some(known));
            valid && named && !has_one(name)
        });
        heirs.next().cloned()
    }

    /// A rename to a name that another has is refused, and what both become of it is not for the text to say.
    pub fn refuse_names_that_are_taken(end: &mut End) {
        let all: Vec<(Key, String)> =
            end.accounts.iter().map(|(key, account)| (key.clone(), account.user_name.to_lowercase())).collect();
        for (key, name) in &all {
            if all.iter().any(|(other, taken)| other != key && taken == name) {
                end.unsaid.insert(key.clone());
            }
        }
    }

    pub fn is_protected(&self, id: &TargetId, account: &Account) -> bool {
        self.before.protected.contains(id) || account.user_name.eq_ignore_ascii_case(PROTECTED)
    }
}
