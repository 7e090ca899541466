//! The guards, checked at the moment a write is sent.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::Timestamp;
use provost_core::engine::EffectId;
use provost_core::model::{AttributeName, Intent, Name, Record, RecordState, State, Step, TargetId, Value};

use super::expected::{Sure, Wanted, broken, wanted};
use super::manifests::uid;
use super::outside::{RENAMED, words};
use super::run::Sim;
use super::store::Store;
use super::target::{Account, membership};
use super::world::{PUSHED, STRANGER, World};

/// A read this young stands for the account as it is.
const LOOKED: Duration = Duration::from_mins(6);

impl Sim {
    /// The guards, at the moment a write is sent.
    pub(super) fn guard(&mut self, app: &Name, effect: EffectId, steps: &[Step]) {
        let Some(store) = self.stores.get(app) else { return };
        let mut under = Vec::new();
        let mut wrong: Vec<String> = self.may_write(app, store).into_iter().collect();
        for step in steps {
            if ids_of(step).iter().any(|id| self.protected.contains(&(app.clone(), id.clone()))) {
                wrong.push(format!("{app}: {}: it is protected", words(step)));
            }
            if self.is_strangers(app, step) {
                wrong.push(format!("{app}: {}: it is a stranger's", words(step)));
            }
            let Some(intent) = store.intents.values().find(|intent| intent.step == *step) else {
                wrong.push(format!("{app}: {} is sent and its intent is not stored", words(step)));
                continue;
            };
            let owners: BTreeSet<Name> =
                intent.records.iter().filter_map(|id| store.records.get(id)).map(|r| r.owner.name.clone()).collect();
            let ids: BTreeSet<TargetId> = ids_of(step);
            wrong.extend(members_in_order(store, intent, step).map(|what| format!("{app}: {}: {what}", words(step))));
            under.push((self.at(app.as_str()), owners, ids));
            wrong.extend(self.untrusted(app, store, step).map(|what| format!("{app}: {}: {what}", words(step))));
            wrong.extend(self.judge(app, store, intent, step));
        }
        for (n, (at, owners, ids)) in under.iter().enumerate() {
            let others = self.under_way.values().flatten().chain(under.iter().take(n));
            for (other, other_owners, other_ids) in others {
                if other == at && (!owners.is_disjoint(other_owners) || !ids.is_disjoint(other_ids)) {
                    wrong.push(format!("{app}: two writes in flight for {owners:?} {ids:?}"));
                }
            }
        }
        self.under_way.insert((self.life, effect), under);
        for what in wrong {
            self.fail(what);
        }
    }

    /// Whether anything may be written now: by the mode, and to this target.
    fn may_write(&self, app: &Name, store: &Store) -> Option<String> {
        let declared = self.told.apps.get(app.as_str())?;
        if !declared.writes() {
            return Some(format!("{app}: a write while it is {declared:?}"));
        }
        let known = store.standing.fingerprint.as_deref();
        // What was acknowledged is stored while the first writes are under way.
        let acknowledged = store.standing.awaiting.as_ref().is_some_and(|token| *token == declared.acknowledged);
        if known != Some(&*format!("{app}-{}", declared.target)) && !acknowledged {
            return Some(format!("{app}: a write to target {}, and {known:?} is known", declared.target));
        }
        let awaiting = store.standing.awaiting.as_ref().filter(|token| **token != declared.acknowledged);
        awaiting.map(|_| format!("{app}: a write to another target that nobody acknowledged"))
    }

    /// Whether an account that is nobody's may be disabled: it carries our mark, and whom it was made for is not there.
    fn is_orphan(&self, app: &Name, id: &TargetId) -> bool {
        // One that others deleted is as it was last seen.
        let account = self.target(app.as_str()).and_then(|target| target.last_known(id));
        let mark = account.and_then(|a| a.attributes.get(&AttributeName::new("externalId"))).and_then(Value::as_text);
        let name = mark.and_then(|mark| mark.strip_prefix("provost:acme/"));
        self.told.apps.get(app.as_str()).is_some_and(|app| app.disables_orphans)
            && name.is_some_and(|name| !self.told.people.contains_key(name))
    }

    /// Whether a step is about an account of somebody who was never declared.
    fn is_strangers(&self, app: &Name, step: &Step) -> bool {
        let Some(target) = self.target(app.as_str()) else { return false };
        // Whoever is nobody may be taken out of a group.
        let accounts = if matches!(membership(step), Some((false, ..))) { BTreeSet::new() } else { ids_of(step) };
        let mut accounts = accounts.iter().filter_map(|id| target.last_known(id));
        accounts.any(|account| {
            let name = account.attributes.get(&AttributeName::new("userName")).and_then(Value::as_text);
            name.is_some_and(|name| name.starts_with(STRANGER))
        })
    }

    /// Whether an account was read by its id a moment ago.
    fn has_read(&self, app: &Name, id: &TargetId) -> bool {
        let read = self.read.get(&(app.clone(), id.clone()));
        read.is_some_and(|at| self.now.saturating_sub(*at) <= LOOKED)
    }

    /// The entitlement, or the pushed team, of a group at a target.
    fn entry_of(&self, app: &Name, id: &TargetId) -> String {
        let there = self.target(app.as_str()).and_then(|target| target.group(id)).map(|group| &group.name);
        // One that is gone, and that the engine has not seen go, is as the ledger knows it.
        let known = self.stores.get(app).and_then(|store| store.groups.get(id)).map(|group| &group.name);
        // One that others renamed tells what it was.
        let name = there.or(known).and_then(|name| name.split(RENAMED).next());
        let name = name.and_then(|name| name.strip_prefix(&format!("{app}-")));
        name.unwrap_or_default().to_owned()
    }

    /// What the owner of a record should have, by the time that decides: the right one, or an earlier one.
    fn wanted_of(&self, app: &Name, record: &Record) -> Option<Wanted> {
        let person = self.told.people.get(&record.owner.name)?;
        // The same one under another uid was restored.
        let restored = record.external_id.is_some() && record.external_id.as_deref() == person.external.as_deref();
        let same = record.owner.uid == uid(&record.owner.name, person.uid) || restored;
        same.then(|| wanted(&self.told, &record.owner.name, app.as_str(), self.decided())).flatten()
    }

    /// Whether a step may be sent, by the store and by what the engine was told; else what is wrong.
    fn judge(&self, app: &Name, store: &Store, intent: &Intent, step: &Step) -> Option<String> {
        let wrong = match (membership(step), step) {
            (Some((true, group, members)), _) => {
                members.iter().find_map(|member| self.judge_gift(app, store, group, member))
            }
            (Some((false, group, members)), _) => {
                members.iter().find_map(|member| self.judge_removal(app, store, group, member))
            }
            (None, Step::DisableAccount { id } | Step::DeleteAccount { id }) => {
                self.judge_end(app, store, id, matches!(step, Step::DeleteAccount { .. }))
            }
            (None, Step::CreateAccount { enabled, .. }) => {
                let record = intent.records.first().and_then(|id| store.records.get(id));
                let sure = record.and_then(|record| self.wanted_of(app, record)).is_some_and(|w| {
                    let state = if *enabled { State::Active } else { State::Pending };
                    w.state == state && w.account == Sure::Yes && (*enabled || w.prepared)
                });
                (!sure).then_some("nobody is to have it")
            }
            (None, Step::UpdateAccount { id, .. } | Step::RenameAccount { id, .. }) => {
                store.of_target(id).is_none().then_some("not ours")
            }
            (None, Step::UpdateGroup { id, name }) => {
                let ours = store.groups.get(id).is_some_and(|group| group.created && group.name == *name);
                (!ours).then_some("not ours by this name")
            }
            (None, Step::DeleteGroup { id }) => {
                let declared = self.told.apps.get(app.as_str()).is_some_and(|app| app.pushes);
                let group = store.groups.get(id);
                let ours = group.is_some_and(|group| group.created && group.prune);
                (declared || !ours || self.entry_of(app, id) != PUSHED).then_some("it is not to go")
            }
            (None, Step::EnableAccount { id }) => match store.of_target(id) {
                None => Some("not ours"),
                Some(record) => {
                    let wanted = self.wanted_of(app, record);
                    let sure = wanted.is_some_and(|w| w.state == State::Active && w.account == Sure::Yes);
                    (!sure).then_some("nobody is to use it")
                }
            },
            _ => None,
        };
        wrong.map(|what| format!("{app}: {}: {what}", words(step)))
    }

    /// An account that is disabled or deleted.
    fn judge_end(&self, app: &Name, store: &Store, id: &TargetId, deletes: bool) -> Option<&'static str> {
        let Some(record) = store.of_target(id) else {
            return (deletes || !self.is_orphan(app, id)).then_some("not ours");
        };
        // What was disabled by us and others enabled is disabled again all the same; it is not deleted.
        let again = !deletes && record.disabled_at.is_some();
        let rests_on_broken = !again && record.policies.iter().any(|policy| broken(&self.told).contains(policy));
        if let Some(wanted) = self.wanted_of(app, record)
            && wanted.state == State::Active
            && (wanted.account == Sure::Yes || (wanted.account == Sure::Maybe && rests_on_broken))
        {
            return Some("its owner is to have it");
        }
        (deletes && record.delete_at.is_none_or(|at| at > self.decided())).then_some("not due")
    }

    fn judge_gift(&self, app: &Name, store: &Store, group: &TargetId, member: &TargetId) -> Option<&'static str> {
        let Some(record) = store.of_target(member) else { return Some("not ours") };
        let name = self.entry_of(app, group);
        if !record.grants.contains_key(group) {
            return Some("the grant is not in the ledger");
        }
        let wanted = self.wanted_of(app, record);
        let sure = wanted.is_some_and(|w| w.state == State::Active && w.entitlements.contains(&*name));
        (!sure).then_some("not granted")
    }

    fn judge_removal(&self, app: &Name, store: &Store, group: &TargetId, member: &TargetId) -> Option<&'static str> {
        let name = self.entry_of(app, group);
        let exact = self.told.is_authoritative(app.as_str(), &name);
        let Some(record) = store.of_target(member) else {
            let account = self.target(app.as_str()).and_then(|target| target.last_known(member));
            let nobodys = account.is_some_and(|account| !somebodys(&self.told, account, self.decided()));
            return (!exact || !nobodys).then_some("not ours");
        };
        let wanted = self.wanted_of(app, record).filter(|w| w.state != State::Ended)?;
        let ours = record.grants.contains_key(group);
        // Somebody who comes back loses what others gave meanwhile, by a read of the account, before it is enabled.
        let returns = record.state == RecordState::Retained && record.disabled_at.is_some();
        if !ours && !returns && !exact {
            return Some("the membership is not ours");
        }
        if !ours && !exact && !self.has_read(app, member) {
            return Some("the account was not read before");
        }
        // What a rule that cannot be read may grant is not taken for being undeclared.
        let account_stays = wanted.state == State::Active && wanted.account != Sure::No;
        if !ours && !returns && name != PUSHED && account_stays && !broken(&self.told).is_empty() {
            return Some("a rule that is broken may grant it");
        }
        let rests = |rules: &BTreeSet<Name>| record.grants.get(group).is_some_and(|g| !g.policies.is_disjoint(rules));
        if wanted.state == State::Active && wanted.frozen.get(&*name).is_some_and(rests) {
            return Some("it rests on an entitlement that is not listed");
        }
        let kept = wanted.account == Sure::Yes && wanted.entitlements.contains(&*name);
        (wanted.state == State::Active && kept).then_some("it is granted")
    }
}

/// Whether an account carries a key of anybody who is declared and has not ended.
pub(super) fn somebodys(world: &World, account: &Account, now: Timestamp) -> bool {
    let text = |name: &str| account.attributes.get(&AttributeName::new(name)).and_then(Value::as_text);
    let (user_name, external) = (text("userName"), text("externalId"));
    world.people.iter().filter(|(_, person)| person.lifecycle.state(now) != State::Ended).any(|(name, person)| {
        let mark = format!("provost:acme/{name}");
        user_name.is_some_and(|text| text.eq_ignore_ascii_case(&person.user_name))
            || external.is_some_and(|text| text == mark || Some(text) == person.external.as_deref())
    })
}

/// The members of a step are distinct, and the records of its intent are theirs, in the same order.
fn members_in_order(store: &Store, intent: &Intent, step: &Step) -> Option<String> {
    let (adds, _, members) = membership(step)?;
    let distinct: BTreeSet<&TargetId> = members.iter().collect();
    let theirs = intent.records.iter().map(|id| store.records.get(id).and_then(|record| record.target_id.as_ref()));
    let same = theirs.eq(members.iter().map(Some));
    // An account that is nobody's is taken out of a group by itself.
    let nobodys = intent.records.is_empty() && members.len() == 1 && !adds;
    let same = same || (nobodys && members.iter().all(|member| store.of_target(member).is_none()));
    (!same || distinct.len() != members.len()).then(|| format!("its records are {:?}", intent.records))
}

fn ids_of(step: &Step) -> BTreeSet<TargetId> {
    if let Some((_, group, members)) = membership(step) {
        return members.iter().chain([group]).cloned().collect();
    }
    match step {
        Step::UpdateAccount { id, .. }
        | Step::RenameAccount { id, .. }
        | Step::EnableAccount { id }
        | Step::DisableAccount { id }
        | Step::DeleteAccount { id }
        | Step::UpdateGroup { id, .. }
        | Step::DeleteGroup { id } => [id.clone()].into(),
        _ => BTreeSet::new(),
    }
}
