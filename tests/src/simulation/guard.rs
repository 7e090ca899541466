//! The guards, checked at the moment a write is sent.

use std::collections::BTreeSet;

use provost_core::engine::EffectId;
use provost_core::model::{Intent, Name, Record, RecordState, State, Step, TargetId};

use super::expected::{Sure, broken, wanted};
use super::run::{Sim, words};
use super::store::Store;
use super::world::{PUSHED, is_authoritative};

impl Sim {
    /// The guards, at the moment a write is sent.
    pub(super) fn guard(&mut self, app: &Name, effect: EffectId, steps: &[Step]) {
        let Some(store) = self.stores.get(app) else { return };
        let mut under = Vec::new();
        let mut wrong = Vec::new();
        for step in steps {
            let Some(intent) = store.intents.values().find(|intent| intent.step == *step) else {
                wrong.push(format!("{app}: {} is sent and its intent is not stored", words(step)));
                continue;
            };
            let owners: BTreeSet<Name> =
                intent.records.iter().filter_map(|id| store.records.get(id)).map(|r| r.owner.name.clone()).collect();
            let ids: BTreeSet<TargetId> = ids_of(step);
            wrong.extend(members_in_order(store, intent, step).map(|what| format!("{app}: {}: {what}", words(step))));
            under.push((app.clone(), owners, ids));
            wrong.extend(self.judge(app, store, step));
        }
        for (n, (_, owners, ids)) in under.iter().enumerate() {
            let others = self.under_way.values().flatten().chain(under.iter().take(n));
            for (other_app, other_owners, other_ids) in others {
                if other_app == app && (!owners.is_disjoint(other_owners) || !ids.is_disjoint(other_ids)) {
                    wrong.push(format!("{app}: two writes in flight for {owners:?} {ids:?}"));
                }
            }
        }
        self.under_way.insert((self.life, effect), under);
        for what in wrong {
            self.fail(what);
        }
    }

    /// The entitlement, or the pushed team, of a group at a target.
    fn entry_of(&self, app: &Name, group: &TargetId) -> String {
        let group = self.targets.get(app).and_then(|target| target.group(group));
        let name = group.and_then(|group| group.name.strip_prefix(&format!("{app}-")).map(str::to_owned));
        name.unwrap_or_default()
    }

    /// Whether a step may be sent, by the store and by what the engine was told.
    fn judge(&self, app: &Name, store: &Store, step: &Step) -> Option<String> {
        let now = self.wall();
        let live = |record: &Record| {
            let person = self.told.people.get(&record.owner.name)?;
            let same = record.owner.uid.to_string() == format!("{}-{}", record.owner.name, person.uid);
            same.then(|| wanted(&self.told, &record.owner.name, app.as_str(), now)).flatten()
        };
        let rests_on_broken =
            |record: &Record| record.policies.iter().any(|policy| broken(&self.told).contains(policy));
        let say = |what: &str| Some(format!("{app}: {}: {what}", words(step)));
        match step {
            Step::DisableAccount { id } | Step::DeleteAccount { id } => {
                let Some(record) = store.of_target(id) else { return say("not ours") };
                if let Some(wanted) = live(record)
                    && wanted.state == State::Active
                    && (wanted.account == Sure::Yes || (wanted.account == Sure::Maybe && rests_on_broken(record)))
                {
                    return say("its owner is to have it");
                }
                if matches!(step, Step::DeleteAccount { .. }) && record.delete_at.is_none_or(|at| at > now) {
                    return say("not due");
                }
                None
            }
            Step::EnableAccount { id } => {
                let Some(record) = store.of_target(id) else { return say("not ours") };
                let sure = live(record).is_some_and(|w| w.state == State::Active && w.account == Sure::Yes);
                (!sure).then(|| say("nobody is to use it")).flatten()
            }
            Step::AddMembers { group, members } => members.iter().find_map(|member| {
                let Some(record) = store.of_target(member) else { return say("not ours") };
                let name = self.entry_of(app, group);
                if !record.grants.contains_key(group) {
                    return say("the grant is not in the ledger");
                }
                let sure = live(record).is_some_and(|w| w.state == State::Active && w.entitlements.contains(&*name));
                (!sure).then(|| say("not granted")).flatten()
            }),
            Step::RemoveMembers { group, members } => members.iter().find_map(|member| {
                let Some(record) = store.of_target(member) else { return say("not ours") };
                let wanted = live(record).filter(|w| w.state != State::Ended)?;
                let name = self.entry_of(app, group);
                let ours = record.grants.contains_key(group);
                // Somebody who comes back loses what others gave meanwhile before the account is enabled.
                let returns = record.state == RecordState::Retained && record.disabled_at.is_some();
                if !ours && !returns && !is_authoritative(app.as_str(), &name) {
                    return say("the membership is not ours");
                }
                // What a rule that cannot be read may grant is not taken for being undeclared.
                let account_stays = wanted.state == State::Active && wanted.account != Sure::No;
                if !ours && !returns && name != PUSHED && account_stays && !broken(&self.told).is_empty() {
                    return say("a rule that is broken may grant it");
                }
                let kept = wanted.account == Sure::Yes && wanted.entitlements.contains(&*name);
                (wanted.state == State::Active && kept).then(|| say("it is granted")).flatten()
            }),
            _ => None,
        }
    }
}

/// The members of a step are distinct, and the records of its intent are theirs, in the same order.
fn members_in_order(store: &Store, intent: &Intent, step: &Step) -> Option<String> {
    let (Step::AddMembers { members, .. } | Step::RemoveMembers { members, .. }) = step else { return None };
    let distinct: BTreeSet<&TargetId> = members.iter().collect();
    let theirs = intent.records.iter().map(|id| store.records.get(id).and_then(|record| record.target_id.as_ref()));
    let same = theirs.eq(members.iter().map(Some));
    (!same || distinct.len() != members.len()).then(|| format!("its records are {:?}", intent.records))
}

fn ids_of(step: &Step) -> BTreeSet<TargetId> {
    match step {
        Step::UpdateAccount { id, .. }
        | Step::RenameAccount { id, .. }
        | Step::EnableAccount { id }
        | Step::DisableAccount { id }
        | Step::RevokeSessions { id }
        | Step::DeleteAccount { id } => [id.clone()].into(),
        Step::AddMembers { group, members } | Step::RemoveMembers { group, members } => {
            members.iter().chain([group]).cloned().collect()
        }
        _ => BTreeSet::new(),
    }
}
