//! Where a target should end: what it is now, what the ledger calls ours and what is declared give what it should become.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use provost_core::model::{Entitlement, Membership, Name, Record, RecordState, SyncMode, TargetApplication, TargetId};

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
    /// Accounts whose groups somebody changed at this very moment.
    pub tampered: BTreeSet<TargetId>,
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
        self.take_out_nobodys(&mut end);
        if self.declared.policies.values().any(|policy| policy.spec.is_err()) {
            self.doubt_what_others_gave(&mut end);
        }
        end
    }

    /// Some policy cannot be read: what others put into an authoritative group may be declared by that one.
    fn doubt_what_others_gave(&self, end: &mut End) {
        let exact = |name: &&Name| {
            let entry = self.settings.entitlements.iter().find(|entry| entry.name == **name);
            entry.is_some_and(|entry| entry.membership == Membership::Authoritative)
        };
        for (id, before) in &self.before.accounts {
            let key = Key::Id(id.clone());
            let Some(after) = end.accounts.get(&key) else { continue };
            let ours = |name: &&Name| before.ours.as_ref().is_some_and(|ours| ours.grants.contains_key(*name));
            let mut taken = before.holds.difference(&after.holds).filter(exact);
            if taken.any(|name| !ours(&name)) {
                end.unsaid.insert(key);
            }
        }
    }

    /// The members of an authoritative group are the declared ones: an account that is nobody's goes, unless it has a key of
    /// somebody who is active.
    fn take_out_nobodys(&self, end: &mut End) {
        let exact = |entry: &&Entitlement| entry.membership == Membership::Authoritative;
        let exact: BTreeSet<&Name> = self.settings.entitlements.iter().filter(exact).map(|entry| &entry.name).collect();
        let is_recorded =
            |id: &TargetId| self.before.records.iter().any(|record| record.target_id.as_ref() == Some(id));
        for (key, account) in &mut end.accounts {
            let Key::Id(id) = key else { continue };
            let nobodys = account.ours.is_none() && !is_recorded(id) && !self.is_protected(id, account);
            if !nobodys || !account.holds.iter().any(|group| exact.contains(group)) {
                continue;
            }
            let theirs = self.standings_of_keys(account);
            if theirs.is_empty() {
                account.holds.retain(|group| !exact.contains(group));
            } else if !theirs.contains(&Some(Standing::Active)) {
                // Somebody else than an active identity, or one of whom the keys cannot be read.
                end.unsaid.insert(key.clone());
            }
        }
    }

    /// How the identities stand whose keys an account has; `None`: it cannot be read whether it has them.
    fn standings_of_keys(&self, account: &Account) -> Vec<Option<Standing>> {
        let standing = |name: &Name| self.declared.standing(name, self.at).filter(|s| *s != Standing::Ended);
        let may_be = |name: &Name| match self.declared.identity(name) {
            None => Some(None),
            Some(identity) => {
                let key = identity.external_id.as_deref();
                let same = account.user_name.to_lowercase() == identity.user_name.folded()
                    || (key.is_some() && account.external_id.as_deref() == key);
                same.then(|| standing(name))
            }
        };
        self.declared.identities.keys().filter(|name| standing(name).is_some()).filter_map(may_be).collect()
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
        if self.is_theirs(record) && stands(&record.owner.name).is_some() {
            return Some(record.owner.name.clone());
        }
        let known = record.external_id.as_ref()?;
        let has_one = |name: &Name| self.in_use().any(|other| other.owner.name == *name && self.is_theirs(other));
        let mut heirs = self.declared.identities.keys().filter(|name| {
            let valid = stands(name).is_some_and(|standing| !standing.is_frozen());
            let named = self.declared.identity(name).is_some_and(|i| i.external_id.as_ref() == Some(known));
            valid && named && !has_one(name)
        });
        heirs.next().cloned()
    }

    /// The owner that a record names is declared, and the same person; one that is invalid is not absent.
    fn is_theirs(&self, record: &Record) -> bool {
        self.declared.identities.get(&record.owner.name).is_some_and(|manifest| {
            manifest.meta.uid == record.owner.uid
                || manifest.spec.as_ref().map_or(true, |now| match (&record.external_id, &now.external_id) {
                    (Some(known), Some(now)) => known == now,
                    _ => now.user_name.folded() == &*record.user_name,
                })
        })
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
