//! Between people, the API server and the engine: what is declared is sent, what a watch shows is told, and statuses and
//! finalizers are written back.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use provost_core::engine::EngineEvent;
use provost_core::model::{Change, Name, ObjectKind, ObjectRef, Uid};
use provost_crds::FINALIZER;

use super::api::{Object, Seen, What};
use super::manifests::{Declared, uid};
use super::run::{Event, Sim};
use super::world::{APPS, World};

const KINDS: [ObjectKind; 4] =
    [ObjectKind::Identity, ObjectKind::Group, ObjectKind::AccessPolicy, ObjectKind::TargetApplication];

fn application(name: &str) -> ObjectRef {
    ObjectRef { kind: ObjectKind::TargetApplication, name: Name::new(name) }
}

impl World {
    /// Nothing is known any more.
    fn clear(&mut self) {
        self.people.clear();
        self.teams.clear();
        self.rules.clear();
        self.apps.values_mut().for_each(|app| app.absent = true);
    }
}

impl Sim {
    /// Sends what is declared otherwise than it is stored, and deletes what is not declared any more.
    pub(super) fn publish(&mut self) {
        let (now, declared) = (self.wall(), self.world.declared());
        for (key, spec) in &declared {
            let sent = match self.api.get(key) {
                None => self.api.create(key, spec.clone(), Vec::new(), now),
                Some(object) if object.spec != *spec => self.api.edit(key, None, spec.clone()),
                Some(_) => continue,
            };
            if let Err(refused) = sent {
                self.fail(format!("{key:?} is refused: {refused:?}"));
            }
        }
        let goes = |key: &ObjectRef| {
            !declared.contains_key(key) || (*key == application(key.name.as_str()) && self.is_deleted(&key.name))
        };
        let gone: Vec<ObjectRef> = self.api.objects().map(|(key, _)| key).filter(|key| goes(key)).cloned().collect();
        for key in gone {
            // Who asks twice is told that it is under way.
            _ = self.api.delete(&key, None);
        }
        self.collect();
    }

    fn is_deleted(&self, app: &Name) -> bool {
        self.world.apps.get(app.as_str()).is_some_and(|app| app.deleting)
    }

    /// Somebody restores an Identity from a copy: the same under another uid.
    pub(super) fn restore(&mut self) -> String {
        let people = self.world.people.iter().filter(|(_, person)| person.external.is_some());
        let names: Vec<Name> = people.map(|(name, _)| name.clone()).collect();
        let Some(name) = self.random.pick(&names).cloned() else { return String::new() };
        let key = ObjectRef { kind: ObjectKind::Identity, name };
        if self.api.delete(&key, None).is_err() {
            return String::new();
        }
        self.publish();
        self.out.restored += 1;
        format!("{} is deleted and made anew", key.name)
    }

    /// What was deleted and has no finalizer is gone, and comes back some time.
    fn collect(&mut self) {
        for name in APPS {
            let gone = self.api.get(&application(name)).is_none();
            let Some(app) = self.world.apps.get_mut(name) else { continue };
            if gone && app.deleting && !app.absent {
                app.absent = true;
                self.say(&format!("{name} is gone"));
                let wait = self.random.within(self.plan.pace);
                self.later(wait, Event::Return(name));
            }
        }
    }

    /// Puts our finalizer on, or takes it off, as the operator does: on this very object alone.
    pub(super) fn finalizer(&mut self, name: &Name, of: &Uid, on: bool) {
        let key = application(name.as_str());
        let finalizers = if on { vec![FINALIZER.to_owned()] } else { Vec::new() };
        let meant = self.api.get(&key).filter(|object| uid(name, object.uid) == *of && !(on && object.deleting));
        if meant.is_none_or(|object| object.finalizers == finalizers) {
            return;
        }
        if let Err(refused) = self.api.finalizers(&key, finalizers) {
            self.fail(format!("the finalizer of {name} is refused: {refused:?}"));
        }
        self.collect();
        let wait = self.soon(50);
        self.later(wait, Event::Watch);
    }

    /// Everything is listed: what is not there has been deleted.
    pub(super) fn list(&mut self) {
        self.told.clear();
        let mut all = Vec::new();
        for kind in KINDS {
            let (objects, version) = self.api.list(kind);
            self.heard.insert(kind, version);
            for (key, object) in objects {
                all.push(self.told.hear(&key, Some(&object)));
            }
        }
        self.furnish_new();
        self.handle(EngineEvent::Listed(all));
    }

    /// What the four watches show, each as far as it has come; one whose history is gone lists its kind again.
    pub(super) fn watch(&mut self) {
        let mut batch: BTreeMap<ObjectRef, Option<Object<Declared>>> = BTreeMap::new();
        let mut behind = false;
        for kind in KINDS {
            let from = self.heard.get(&kind).copied().unwrap_or(0);
            if let Ok(seen) = self.api.watch(kind, from) {
                let all = seen.len() as u64;
                let some = if self.faults && self.random.chance(15) { self.random.below(all + 1) } else { all };
                behind |= some < all;
                for (one, _) in seen.into_iter().zip(0..some) {
                    self.heard.insert(kind, one.object.version);
                    self.out.events += 1;
                    if self.plan.drop == Some(self.out.events) {
                        self.drop_event(&one);
                        continue;
                    }
                    batch.insert(one.key, (one.what != What::Deleted).then_some(one.object));
                }
            } else {
                self.out.expired += 1;
                let (objects, version) = self.api.list(kind);
                self.heard.insert(kind, version);
                let there: BTreeSet<&ObjectRef> = objects.iter().map(|(key, _)| key).collect();
                let known = self.told.declared().into_keys();
                let gone: Vec<ObjectRef> = known.filter(|key| key.kind == kind && !there.contains(key)).collect();
                batch.extend(gone.into_iter().map(|key| (key, None)));
                batch.extend(objects.into_iter().map(|(key, object)| (key, Some(object))));
            }
        }
        if behind {
            let wait = self.soon(1500);
            self.later(wait, Event::Watch);
        }
        if batch.is_empty() {
            return;
        }
        let changes: Vec<Change> = batch.iter().map(|(key, object)| self.told.hear(key, object.as_ref())).collect();
        self.say(&format!("the engine is told {} changes", changes.len()));
        self.furnish_new();
        self.handle(EngineEvent::Changed(changes));
    }

    /// An event that is never shown: what it says is told when everything is listed again, or with the next one of its object.
    fn drop_event(&mut self, seen: &Seen<Declared>) {
        self.say(&format!("dropped: {:?} {:?}", seen.what, seen.key));
        self.out.dropped = true;
        self.later(Duration::from_secs(45), Event::Relist);
    }

    /// Targets that connectors speak to from now on.
    fn furnish_new(&mut self) {
        for app in APPS {
            let at = self.at(app);
            if !self.targets.contains_key(&at) {
                self.furnish(app, at.1);
            }
        }
    }

    /// Writes the statuses that are due; a watch shows them, as it does everything.
    pub(super) fn write_statuses(&mut self) {
        let now = self.clock();
        if !self.plan.whole || self.engine.status_wake().is_none_or(|at| at > now.mono) {
            return;
        }
        let mut wrote = false;
        for update in self.engine.take_status(now, 100).updates {
            let key = &update.object;
            if self.faults && self.random.chance(3) {
                self.engine.status_failed(key, now);
                continue;
            }
            match self.api.tell(key, update.status) {
                Ok(object) if uid(&key.name, object.uid) == update.uid => self.out.statuses += 1,
                // It is another one's by now, and has a status that is not its own.
                Ok(_) => self.engine.status_failed(key, now),
                Err(_) => {}
            }
            wrote = true;
        }
        if wrote {
            let wait = self.soon(300) + Duration::from_millis(20);
            self.later(wait, Event::Watch);
        }
    }
}
