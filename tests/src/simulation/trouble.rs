//! Spells of trouble: targets that answer nothing but errors or list half of what they have, and a store that is lost, or is an
//! older copy of itself.

use std::collections::BTreeMap;

use jiff::Timestamp;
use provost_core::engine::{Answer, Effect};
use provost_core::model::{Ledger, LedgerMismatch, Name, ObjectKind, ObjectRef, State, Step, TargetError, TargetId};
use provost_store::Disk;

use super::expected::wanted;
use super::run::{Event, Sim};
use super::store::{Memory, Store};
use super::world::APPS;

/// What targets do for a while.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Spell {
    /// Whatever is asked is answered by a 5xx, also where it was done.
    Storm,
    /// A listing ends with an error after its first page.
    HalfListed,
    /// A page ends in its middle, and says that it was the last.
    HalfPage,
}

/// A copy of the disk, with what it must hold.
pub(super) struct Backup {
    disk: Disk,
    stores: BTreeMap<Name, Store>,
    /// By name of the application: in which store, and the minute of its latest record.
    stamps: BTreeMap<&'static str, (String, i64)>,
    recorded: Option<Timestamp>,
}

impl Sim {
    /// Something begins at every target.
    pub(super) fn begin_spell(&mut self) {
        let spells = [Spell::Storm, Spell::Storm, Spell::HalfListed, Spell::HalfPage];
        let spell = self.random.pick(&spells).copied().unwrap_or(Spell::Storm);
        let lasts = self.random.within(self.plan.pace);
        self.say(&format!("targets: {spell:?} for {} s", lasts.as_secs()));
        self.spell = Some((spell, self.now + lasts));
        self.out.spells += 1;
    }

    /// What targets do now.
    pub(super) fn spell(&self) -> Option<Spell> {
        let (spell, until) = self.spell?;
        (self.faults && self.now < until).then_some(spell)
    }

    /// What is answered in place of what a target would say to anything but a write.
    pub(super) fn spoilt(&self, effect: &Effect) -> Option<Answer> {
        let error = || TargetError::Transient("503".into());
        let spell = self.spell()?;
        Some(match effect {
            Effect::Observe { page: Some(_), .. } if spell == Spell::HalfListed => Answer::Page(Err(error())),
            _ if spell != Spell::Storm => return None,
            Effect::Probe(..) => Answer::Probed(Err(error())),
            Effect::Observe { .. } => Answer::Page(Err(error())),
            Effect::Find(_) => Answer::Found(Err(error())),
            Effect::Read(_) => Answer::Read(Err(error())),
            Effect::Changes(_) => Answer::Changes(Err(error())),
            Effect::Load | Effect::Record(_) | Effect::Apply(_) => return None,
        })
    }

    /// The disk is lost with whatever was on its way, and a new one is there.
    pub(super) fn lose_store(&mut self) {
        // Where no status says yet which store it was nobody can tell that this is another one.
        if self.memory.is_none() || !APPS.iter().all(|app| self.is_stamped(app)) {
            return;
        }
        self.say("the store is lost");
        self.out.losses += 1;
        self.send_or_drop();
        match Memory::new(self.out.losses) {
            Ok(memory) => self.memory = Some(memory),
            Err(error) => self.fail(format!("a new store: {error}")),
        }
        self.stores = APPS.iter().map(|app| (Name::new(*app), Store::default())).collect();
        self.clocks.recorded = None;
        self.forget_what_was_ours();
        self.crash();
    }

    /// The disk is copied.
    pub(super) fn back_up(&mut self) {
        let Some(memory) = &self.memory else { return };
        let stamp = |app: &'static str| {
            let Ledger { store, .. } = memory.load(&Name::new(app)).ok()?;
            store.map(|stamp| (app, (stamp.id.to_string(), stamp.epoch)))
        };
        let stamps = APPS.into_iter().filter_map(stamp).collect();
        let (disk, stores) = (memory.copy(), self.stores.clone());
        self.backup = Some(Backup { disk, stores, stamps, recorded: self.clocks.recorded });
        self.say("the store is backed up");
    }

    /// The copy is put back, while targets stay as they are.
    pub(super) fn put_back(&mut self) {
        let Some(Backup { disk, stores, recorded, .. }) = self.backup.take().filter(|backup| self.is_told(backup))
        else {
            return;
        };
        self.say("an older copy of the store is put back");
        self.out.rollbacks += 1;
        self.send_or_drop();
        if let Some(Err(error)) = self.memory.as_mut().map(|memory| memory.put_back(disk)) {
            self.fail(format!("a copy of the store: {error}"));
        }
        self.stores = stores;
        self.clocks.recorded = recorded;
        self.forget_what_was_ours();
        self.miss_what_was_taken();
        self.crash();
    }

    /// Whether the statuses tell a copy from what it replaces, by the minute, where it is another one.
    fn is_told(&self, backup: &Backup) -> bool {
        APPS.iter().all(|app| {
            let key = ObjectRef { kind: ObjectKind::TargetApplication, name: Name::new(*app) };
            let status = self.api.get(&key).and_then(|object| object.status.as_ref());
            let target = status.and_then(|status| status.get("target"));
            let id = target.and_then(|target| target.get("storeID")?.as_str());
            let epoch = target.and_then(|target| target.get("epoch")?.as_i64());
            let same =
                |name: &Name| backup.stores.get(name).map(Store::ledger) == self.stores.get(name).map(Store::ledger);
            let stamp = backup.stamps.get(app);
            let older =
                stamp.is_some_and(|(was, at)| id.is_some_and(|id| id != was) || epoch.is_some_and(|now| now > *at));
            older || same(&key.name)
        })
    }

    /// What the ledger says we gave and others, or we ourselves, have taken since: where nobody sees it, nobody can tell.
    fn miss_what_was_taken(&mut self) {
        for app in APPS.map(Name::new) {
            let (Some(target), Some(store)) = (self.target(app.as_str()), self.stores.get(&app)) else { continue };
            let given = store.records.values().filter_map(|record| Some((record.target_id.clone()?, &record.grants)));
            let given = given.flat_map(|(id, grants)| grants.keys().map(move |group| (group.clone(), id.clone())));
            let taken = given.filter(|(group, id)| target.group(group).is_none_or(|group| !group.members.contains(id)));
            let taken: Vec<_> = taken.map(|(group, id)| (app.clone(), group, id)).collect();
            self.unseen.extend(taken);
        }
    }

    /// The status of an application, where there is one, says in which store its ledger is.
    fn is_stamped(&self, app: &str) -> bool {
        let key = ObjectRef { kind: ObjectKind::TargetApplication, name: Name::new(app) };
        let Some(object) = self.api.get(&key) else { return true };
        object.status.as_ref().is_some_and(|status| status.pointer("/target/storeID").is_some())
    }

    /// Writes that were on their way to a target arrive now or never.
    fn send_or_drop(&mut self) {
        for (key, event) in std::mem::take(&mut self.agenda) {
            match event {
                Event::Execute(_, at, _, Effect::Apply(steps)) => {
                    if self.random.chance(50) {
                        self.apply(&at, &steps);
                    }
                }
                Event::Execute(_, _, _, Effect::Record(_)) => {}
                other => _ = self.agenda.insert(key, other),
            }
        }
    }

    /// Nobody knows any more who made what there is.
    fn forget_what_was_ours(&mut self) {
        let now = APPS.map(|app| self.at(app));
        for ((app, _), target) in self.targets.iter().filter(|(at, _)| now.contains(at)) {
            self.strays.extend(target.accounts().map(|(id, _)| (app.clone(), id.clone())));
            let off = target.accounts().filter(|(_, account)| !account.enabled);
            self.disabled.extend(off.map(|(id, _)| (app.clone(), id.clone())));
            for (group, held) in target.groups() {
                self.foreign.extend(held.members.iter().map(|id| (app.clone(), group.clone(), id.clone())));
            }
        }
    }

    /// While the ledger is not trusted: why this step may not be sent.
    pub(super) fn untrusted(&self, app: &Name, store: &Store, step: &Step) -> Option<&'static str> {
        let LedgerMismatch { token, .. } = store.standing.mismatch.as_ref()?;
        if self.told.apps.get(app.as_str()).is_some_and(|app| app.acknowledged == *token) {
            return None;
        }
        match step {
            Step::CreateAccount { .. } => None,
            Step::DisableAccount { id } => {
                let owner = store.of_target(id).map(|record| &record.owner.name);
                let state =
                    owner.and_then(|name| wanted(&self.told, name, app.as_str(), self.decided())).map(|w| w.state);
                let leaves = matches!(state, Some(State::Ended | State::Suspended));
                (!leaves).then_some("the ledger is not trusted, and no manifest ends its owner")
            }
            _ => Some("the ledger is not trusted"),
        }
    }

    /// Whether an account was there when the store was lost: what we had written of it, and whose it was, nobody knows.
    pub(super) fn is_stray(&self, app: &Name, id: &TargetId) -> bool {
        self.strays.contains(&(app.clone(), id.clone()))
    }
}
