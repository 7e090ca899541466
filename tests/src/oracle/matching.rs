//! What becomes of an identity that has no account: one is made, an existing one is adopted, or a person must say.

use std::collections::{BTreeMap, BTreeSet};

use provost_core::model::{Identity, Name};

use super::decide::{Decision, Verdict};
use super::declared::Standing;
use super::end::{Account, End, Key, Ours, Reading};

/// What an identity finds at the target.
enum Found {
    Nothing,
    Adoptable(Key),
    Blocked,
    /// Others changed what it holds at that very moment: whether it was seen to be privileged is not said.
    Unsaid(Key),
}

impl Reading<'_> {
    pub fn serve_the_others(&self, served: &BTreeSet<Name>, end: &mut End) {
        let mut wanted = Vec::new();
        for name in self.declared.identities.keys().filter(|name| !served.contains(*name)) {
            let standing = self.declared.standing(name, self.at);
            let Some(identity) = self.declared.identity(name) else { continue };
            let decision = Decision::new(self.declared, name, identity, self.application, self.settings, self.at);
            let Verdict::Granted(policies) = decision.account(None) else { continue };
            let active = standing == Some(Standing::Active);
            // Who is suspended gets no account; one that is there is theirs.
            let found_at_rest = || matches!(self.find(identity, end), Found::Adoptable(_) | Found::Unsaid(_));
            let prepared = standing == Some(Standing::Pending) && decision.is_prepared();
            if active || prepared || (standing == Some(Standing::Suspended) && found_at_rest()) {
                wanted.push((name, identity, decision, policies, active));
            }
        }
        let found: Vec<Found> = wanted.iter().map(|(_, identity, ..)| self.find(identity, end)).collect();
        let mut blocked = Vec::new();
        for ((name, identity, decision, policies, active), found_here) in wanted.iter().zip(&found) {
            let ours = Ours { owner: (*name).clone(), policies: policies.clone(), grants: BTreeMap::new() };
            let user_name = identity.user_name.written().to_owned();
            let (key, mut account) = match found_here {
                Found::Blocked => {
                    end.blocked.insert((*name).clone());
                    blocked.push((*identity, user_name));
                    continue;
                }
                Found::Unsaid(key) => {
                    end.unsaid.insert(key.clone());
                    continue;
                }
                // When a name that is given up is found free is not said.
                Found::Nothing if self.is_given_up(identity, end) => {
                    end.unsaid.insert(Key::New(user_name.to_lowercase()));
                    continue;
                }
                Found::Nothing => {
                    let new = Key::New(user_name.to_lowercase());
                    (
                        new,
                        Account {
                            enabled: *active,
                            user_name: String::new(),
                            external_id: None,
                            holds: BTreeSet::new(),
                            ours: None,
                        },
                    )
                }
                Found::Adoptable(key) => {
                    // Two that find one account: who comes first is not said.
                    let others = found.iter().filter(|other| matches!(other, Found::Adoptable(k) if k == key));
                    if others.count() > 1 {
                        end.unsaid.extend([key.clone(), Key::New(user_name.to_lowercase())]);
                        continue;
                    }
                    let Some(account) = end.accounts.get(key).cloned() else { continue };
                    (key.clone(), account)
                }
            };
            (account.user_name, account.ours) = (user_name, Some(ours));
            if let Some(external_id) = &identity.external_id {
                account.external_id = Some(external_id.to_string());
            }
            account.enabled = *active && (account.enabled || self.settings.account.correct_disabled);
            if *active {
                self.entitlements(&mut account, decision, true, &mut end.unsaid, &key);
            } else if self.declared.standing(name, self.at) == Some(Standing::Pending) {
                self.revoke(&mut account, |ours, exact| ours || exact);
            } else {
                let held = account.holds.clone();
                self.entitlements(&mut account, decision, false, &mut end.unsaid, &key);
                if held != account.holds {
                    // When what others gave is taken from one who was found at rest is not said.
                    end.unsaid.insert(key.clone());
                }
            }
            end.accounts.insert(key, account);
        }
        for (identity, user_name) in blocked {
            if self.is_given_up(identity, end) {
                end.unsaid.insert(Key::New(user_name.to_lowercase()));
            }
        }
        Self::refuse_names_that_are_taken(end);
    }

    /// Whether the keys of an identity were those of an account that has others now, or is gone, or of which nothing is said.
    fn is_given_up(&self, identity: &Identity, end: &End) -> bool {
        let has = |account: &Account| {
            account.user_name.to_lowercase() == identity.user_name.folded()
                || (identity.external_id.is_some() && account.external_id.as_deref() == identity.external_id.as_deref())
        };
        self.before.accounts.iter().filter(|(_, account)| has(account)).any(|(id, _)| {
            let key = Key::Id(id.clone());
            end.unsaid.contains(&key) || !end.accounts.get(&key).is_some_and(has)
        })
    }

    fn find(&self, identity: &Identity, end: &End) -> Found {
        let strong = |account: &Account| {
            identity.external_id.is_some() && account.external_id.as_deref() == identity.external_id.as_deref()
        };
        let weak = |account: &Account| account.user_name.to_lowercase() == identity.user_name.folded();
        let by = |test: &dyn Fn(&Account) -> bool| -> Vec<(Key, Account)> {
            let all = end.accounts.iter().filter(|(_, account)| test(account));
            all.map(|(key, account)| (key.clone(), account.clone())).collect()
        };
        let mut matches = by(&strong);
        let is_strong = !matches.is_empty();
        if !is_strong {
            matches = by(&weak);
        }
        let (key, account) = match matches.as_slice() {
            [] => return Found::Nothing,
            [one] => one,
            _ => return Found::Blocked,
        };
        let Key::Id(id) = key else { return Found::Blocked };
        if account.ours.is_some() || self.is_protected(id, account) || !self.settings.account.adopt {
            return Found::Blocked;
        }
        let has_key = account.external_id.is_some() && identity.external_id.is_some();
        let was_ours = self.before.records.iter().any(|record| record.target_id.as_ref() == Some(id));
        let privileged = self.settings.entitlements.iter().filter(|entry| entry.privileged);
        let is_privileged = privileged.into_iter().any(|entry| account.holds.contains(&entry.name));
        if !is_strong && (has_key || was_ours) {
            Found::Blocked
        } else if !is_strong && self.before.tampered.contains(id) {
            Found::Unsaid(key.clone())
        } else if !is_strong && is_privileged {
            Found::Blocked
        } else {
            Found::Adoptable(key.clone())
        }
    }
}
