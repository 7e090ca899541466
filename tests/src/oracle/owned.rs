//! What becomes of an account that is ours.

use std::collections::{BTreeMap, BTreeSet};

use provost_core::model::{DeprovisionStep, Membership, Name, Record, RecordState};

use super::decide::{Decision, Verdict};
use super::declared::Standing;
use super::end::{Account, Key, Ours, Reading};

impl Reading<'_> {
    /// The account of a record, which is `owner`'s from now or of one who is gone. `None`: it is deleted.
    pub fn owned(&self, record: &Record, owner: Option<&Name>, unsaid: &mut BTreeSet<Key>) -> Option<Account> {
        let id = record.target_id.as_ref()?;
        let mut account = self.before.accounts.get(id)?.clone();
        if self.is_protected(id, &account) {
            return Some(account);
        }
        let standing = owner.and_then(|name| self.declared.standing(name, self.at)).unwrap_or(Standing::Ended);
        if standing == Standing::FrozenAndSuspended {
            account.enabled = false;
        }
        if standing.is_frozen() {
            return Some(account);
        }
        let whose = owner.and_then(|name| Some((name, self.declared.identity(name)?)));
        let (Some((name, identity)), true) = (whose, standing != Standing::Ended) else {
            // All that the catalogue names is revoked, ours or not, and whatever else is ours.
            self.revoke(&mut account, |_, _| true);
            return self.deprovisioned(self.settings.deprovision.ended, record, account);
        };
        if *name != record.owner.name {
            account.ours = Some(Ours { owner: name.clone(), policies: BTreeSet::new(), grants: BTreeMap::new() });
            account.ours.as_mut()?.grants = self.before.accounts.get(id)?.ours.clone()?.grants;
        }
        let decision = Decision::new(self.declared, name, identity, self.application, self.settings, self.at);
        let in_use = record.state != RecordState::Retained;
        let verdict = decision.account(in_use.then_some(&record.policies));
        if !in_use && verdict == Verdict::LeftAlone && record.delete_at.is_some_and(|date| date <= self.at) {
            // Whether one is deleted on its date that may be wanted again is not said.
            unsaid.insert(Key::Id(id.clone()));
        }
        let kept = matches!(verdict, Verdict::Kept(_));
        let lost = !matches!(verdict, Verdict::Granted(_) | Verdict::Kept(_));
        if (kept && !account.enabled) || (lost && standing == Standing::Suspended) {
            // Whether what is Unknown lets a disabled account be enabled, and whether a suspension spares one that is lost.
            unsaid.insert(Key::Id(id.clone()));
        }
        // What is governed by a policy that cannot be evaluated stays as it is.
        if !kept && (!lost || standing == Standing::Pending) {
            identity.user_name.written().clone_into(&mut account.user_name);
            // Whether a key that is not declared any more is cleared is a matter of who wrote it: not compared.
            account.external_id = identity.external_id.as_deref().map(str::to_owned);
        }
        if lost && standing == Standing::Pending {
            // One that exists already is disabled, without a date for its deletion.
            account.enabled = false;
            self.revoke(&mut account, |ours, exact| ours || exact);
            account.ours.as_mut()?.policies.clear();
            return Some(account);
        }
        let (Verdict::Granted(policies) | Verdict::Kept(policies)) = verdict else {
            self.revoke(&mut account, |ours, exact| ours || exact);
            return self.deprovisioned(self.settings.deprovision.lost, record, account);
        };
        account.ours.as_mut()?.policies = policies;
        match standing {
            Standing::Active => {
                // What others disabled stays so, unless that is to be corrected.
                let retained = record.state == RecordState::Retained && record.disabled_at.is_none();
                let by_others = !account.enabled && (record.state == RecordState::Active || retained);
                if record.state == RecordState::Retained && record.disabled_at.is_some() {
                    // Re-hired: what is held beyond the decision is revoked, whoever gave it, if it was seen.
                    let held = account.holds.clone();
                    self.revoke_undecided(&mut account, &decision);
                    if held != account.holds && self.before.tampered.contains(id) {
                        unsaid.insert(Key::Id(id.clone()));
                    }
                }
                account.enabled = !by_others || self.settings.account.correct_disabled;
                self.entitlements(&mut account, &decision, true, unsaid, &Key::Id(id.clone()));
            }
            Standing::Suspended => {
                account.enabled = false;
                self.entitlements(&mut account, &decision, false, unsaid, &Key::Id(id.clone()));
            }
            _ => {
                account.enabled = false;
                self.revoke(&mut account, |ours, exact| ours || exact);
            }
        }
        Some(account)
    }

    /// Takes memberships away, of those for which `which(ours, authoritative)`.
    pub fn revoke(&self, account: &mut Account, which: impl Fn(bool, bool) -> bool) {
        let Some(ours) = &mut account.ours else { return };
        let grants = std::mem::take(&mut ours.grants);
        account.holds.retain(|group| {
            let entry = self.settings.entitlements.iter().find(|entry| entry.name == *group);
            let exact = entry.is_some_and(|entry| entry.membership == Membership::Authoritative);
            let ours = grants.contains_key(group);
            !(ours || (entry.is_some() && which(ours, exact)))
        });
    }

    fn revoke_undecided(&self, account: &mut Account, decision: &Decision<'_>) {
        let grants = account.ours.as_ref().map(|ours| ours.grants.clone()).unwrap_or_default();
        let listed = |group: &Name| self.settings.entitlements.iter().any(|entry| entry.name == *group);
        let decided = |group: &Name| {
            matches!(decision.entitlement(group, grants.get(group)), Verdict::Granted(_) | Verdict::Kept(_))
        };
        account.holds.retain(|group| !listed(group) || decided(group));
    }

    fn deprovisioned(&self, step: DeprovisionStep, record: &Record, mut account: Account) -> Option<Account> {
        if let Some(ours) = &mut account.ours {
            ours.policies.clear();
        }
        let due = record.state == RecordState::Retained && record.delete_at.is_some_and(|date| date <= self.at);
        match step {
            _ if due => None,
            DeprovisionStep::Delete => None,
            DeprovisionStep::Retain => Some(account),
            DeprovisionStep::Disable { .. } => {
                account.enabled = false;
                Some(account)
            }
        }
    }

    /// Gives and takes as decided; `gives`: what is new too.
    pub fn entitlements(
        &self,
        account: &mut Account,
        decision: &Decision<'_>,
        gives: bool,
        unsaid: &mut BTreeSet<Key>,
        key: &Key,
    ) {
        let Some(ours) = &mut account.ours else { return };
        let listed = self.settings.entitlements.iter().map(|entry| (&entry.name, entry.membership));
        let listed: BTreeMap<&Name, Membership> = listed.collect();
        let known: BTreeSet<Name> = ours.grants.keys().chain(listed.keys().copied()).cloned().collect();
        for entitlement in known {
            let rests = ours.grants.get(&entitlement).cloned();
            let holds = account.holds.contains(&entitlement);
            match decision.entitlement(&entitlement, rests.as_ref()) {
                Verdict::Granted(policies) => {
                    if gives && listed.contains_key(&entitlement) {
                        account.holds.insert(entitlement.clone());
                    }
                    if gives || rests.is_some() {
                        ours.grants.insert(entitlement, policies);
                    } else if holds {
                        // Whether a membership that others made becomes ours while nothing new is given.
                        unsaid.insert(key.clone());
                    }
                }
                Verdict::Kept(policies) => {
                    if !holds {
                        // Others took it while it is frozen: whether it is given again is not said.
                        unsaid.insert(key.clone());
                    }
                    ours.grants.insert(entitlement, policies);
                }
                Verdict::LeftAlone => {}
                Verdict::Taken => {
                    let exact = listed.get(&entitlement) == Some(&Membership::Authoritative);
                    if rests.is_some() || exact {
                        account.holds.remove(&entitlement);
                    }
                    ours.grants.remove(&entitlement);
                }
            }
        }
    }
}
