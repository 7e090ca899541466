//! Owns one namespace: its directory, its syncs, its board. The only thing that shells drive: events in, effects out, time
//! as an argument. No locks, no clock, no I/O.

mod clock;
mod message;
mod summary;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

pub use clock::Clock;
pub use message::*;

use crate::directory::{Directory, Schemas, Touched, TouchedApplications};
use crate::model::{Change, Name, Now, ObjectKind, ObjectRef, Reason, State, SyncMode, TargetApplication};
use crate::report::{Account, Board, Taken};
use crate::sync::{Context, Out, Remembered, Sync};

/// One namespace.
///
/// Guarantees: nothing is decided before the first complete list; the same events at the same times give the same effects.
#[derive(Debug)]
pub struct Engine {
    namespace: Arc<str>,
    schemas: Schemas,
    directory: Directory,
    syncs: BTreeMap<Name, Sync>,
    board: Board,
    /// What the statuses of applications said of store and target when they were last told.
    remembered: BTreeMap<Name, Remembered>,
    listed: bool,
    halted: Option<Arc<str>>,
    resources: Option<Arc<str>>,
    skew: Option<Arc<str>>,
    next_effect: u64,
    between: fn(),
}

impl Engine {
    /// An empty namespace, of which nothing is known before `Listed`.
    pub fn new(namespace: impl Into<Arc<str>>, schemas: Schemas) -> Self {
        Self {
            namespace: namespace.into(),
            schemas,
            directory: Directory::new(schemas),
            syncs: BTreeMap::new(),
            board: Board::new(),
            remembered: BTreeMap::new(),
            listed: false,
            halted: None,
            resources: None,
            skew: None,
            next_effect: 1,
            between: || {},
        }
    }

    /// The same, calling this between two turns of accounts, and between what comes of two writes: whoever runs it may let others
    /// work. Nothing that is decided depends on it.
    #[must_use]
    pub fn pausing(mut self, between: fn()) -> Self {
        self.between = between;
        self
    }

    /// Takes an event and says what to do about it.
    pub fn handle(&mut self, event: EngineEvent, now: Now) -> Vec<EngineEffect> {
        let mut out = Vec::new();
        if !matches!(event, EngineEvent::Answered { .. }) {
            self.catch_up(now, &mut out);
        }
        match event {
            EngineEvent::Listed(all) => {
                self.listed = true;
                self.halted = None;
                self.syncs.values_mut().for_each(|sync| sync.halt(false));
                let named: BTreeSet<ObjectRef> = all.iter().map(Change::object).collect();
                let gone: Vec<ObjectRef> = self.directory.objects().filter(|o| !named.contains(o)).collect();
                for object in &gone {
                    self.board.forget(object);
                }
                self.seed(&all);
                let touched = self.directory.replace(all, now.wall);
                self.touched(&touched, now, &mut out);
                self.judge_resources(now, &mut out);
            }
            EngineEvent::Changed(batch) if self.listed => {
                self.seed(&batch);
                let touched = self.directory.apply(batch, now.wall);
                self.touched(&touched, now, &mut out);
                self.judge_resources(now, &mut out);
            }
            EngineEvent::Halted(why) => {
                self.halted = Some(why);
                self.syncs.values_mut().for_each(|sync| sync.halt(true));
            }
            EngineEvent::Answered { application, effect, answer, spent } => {
                self.pass_time(now, &mut out);
                let loaded = matches!(answer, Answer::Loaded(Ok(_)));
                self.with_sync(&application, now, &mut out, |sync, cx, out| {
                    sync.answered(effect, answer, spent, cx, out);
                });
                if loaded {
                    self.loaded(&application, now);
                    self.judge_resources(now, &mut out);
                }
                return out;
            }
            EngineEvent::Resources(uids) => {
                self.resources = Some(uids);
                return out;
            }
            EngineEvent::Clocks(skew) => {
                self.skew = skew;
                let applications: Vec<Name> = self.syncs.keys().cloned().collect();
                for name in applications {
                    self.board.mark(&ObjectRef { kind: ObjectKind::TargetApplication, name });
                }
            }
            // A watch event before the first list says nothing that the list will not say.
            EngineEvent::Changed(_) | EngineEvent::Tick => {}
        }
        self.pass_time(now, &mut out);
        self.pump(now, &mut out);
        out
    }

    /// Carries out what a person orders about a retained account's deletion and says what it means, or why not; what is to be
    /// done is to be done either way. `by` is who orders it, for the event.
    pub fn order_deletion(
        &mut self,
        application: &Name,
        identity: &Name,
        order: DeletionOrder,
        by: &str,
        now: Now,
    ) -> (Result<Arc<str>, Arc<str>>, Vec<EngineEffect>) {
        let mut out = Vec::new();
        let mut done = Err(format!("there is no TargetApplication {application} in {}", self.namespace).into());
        self.with_sync(application, now, &mut out, |sync, cx, out| {
            sync.catch_up(cx, out);
            done = sync.order_deletion(identity, order, by, cx, out);
        });
        (done, out)
    }

    /// When it wants to be woken: whichever comes first; zero means at once.
    pub fn next_wake(&self, now: Now) -> Wake {
        let mut wake = Wake { wall: if self.listed { self.directory.next_transition() } else { None }, mono: None };
        for sync in self.syncs.values() {
            let other = sync.next_wake(now);
            wake.wall = [wake.wall, other.wall].into_iter().flatten().min();
            wake.mono = [wake.mono, other.mono].into_iter().flatten().min();
        }
        wake
    }

    /// Statuses that are due, at most `max`, and the events that go with them. Unchanged ones are never among them.
    pub fn take_status(&mut self, now: Now, max: usize) -> Taken {
        if !self.listed {
            return Taken::default();
        }
        let (directory, syncs, skew) = (&self.directory, &self.syncs, self.skew.as_ref());
        self.board.take(now, max, &mut |object| summary::of(object, directory, syncs, skew))
    }

    /// When `take_status` has something to do, by monotonic time; zero: at once.
    pub fn status_wake(&self) -> Option<Duration> {
        self.board.wake()
    }

    /// A status was not written, or it is not certain that it was.
    pub fn status_failed(&mut self, object: &ObjectRef, now: Now) {
        self.board.failed(object, now);
    }

    /// What went on in an application since this was last asked; `None`: there is no such application.
    pub fn counters(&mut self, application: &Name) -> Option<Counters> {
        self.syncs.get_mut(application).map(Sync::take_counters)
    }

    /// The namespace's name.
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// Who should have what.
    pub fn directory(&self) -> &Directory {
        &self.directory
    }

    /// Whether there is such an Identity; `None`: not known, before the first complete list and while the namespace is halted.
    pub fn declares(&self, identity: &Name) -> Option<bool> {
        (self.listed && self.halted.is_none()).then(|| self.directory.identity(identity).is_some())
    }

    /// One application at work.
    pub fn sync(&self, application: &Name) -> Option<&Sync> {
        self.syncs.get(application)
    }

    /// Every application at work, by name.
    pub fn syncs(&self) -> impl Iterator<Item = (&Name, &Sync)> {
        self.syncs.iter()
    }

    /// Statuses as they are known now.
    pub fn board(&self) -> &Board {
        &self.board
    }

    /// Why nothing is written, if the namespace was halted.
    pub fn halted(&self) -> Option<&Arc<str>> {
        self.halted.as_ref()
    }

    /// Every application was observed and has nothing left to do: what is there is as declared, held or failing.
    pub fn is_idle(&self) -> bool {
        self.listed && self.syncs.values().all(Sync::is_idle)
    }

    /// The last answer was handled as far as the next write needs it: the next tick is due at once, whatever else is awaited.
    pub fn is_behind(&self) -> bool {
        self.syncs.values().any(Sync::is_behind)
    }

    fn seed(&mut self, batch: &[Change]) {
        for change in batch {
            match change {
                Change::Identity(manifest) => self.board.seed(ObjectKind::Identity, &manifest.meta),
                Change::Group(manifest) => self.board.seed(ObjectKind::Group, &manifest.meta),
                Change::AccessPolicy(manifest) => self.board.seed(ObjectKind::AccessPolicy, &manifest.meta),
                Change::TargetApplication(manifest) => {
                    self.board.seed(ObjectKind::TargetApplication, &manifest.meta);
                    let remembered = Remembered::of(manifest.meta.status.as_deref());
                    self.remembered.insert(manifest.meta.name.clone(), remembered);
                }
                Change::Gone(object) => self.board.forget(object),
            }
        }
    }

    /// Takes in what was answered and waits, before anything else is decided. Another answer does it by itself, where it does not send
    /// the next write first.
    fn catch_up(&mut self, now: Now, out: &mut Vec<EngineEffect>) {
        let behind: Vec<Name> =
            self.syncs.iter().filter(|(_, sync)| sync.is_behind()).map(|(name, _)| name.clone()).collect();
        for name in behind {
            self.with_sync(&name, now, out, Sync::catch_up);
        }
    }

    /// Lets time pass in the directory.
    fn pass_time(&mut self, now: Now, out: &mut Vec<EngineEffect>) {
        if self.listed && self.directory.next_transition().is_some_and(|next| next <= now.wall) {
            self.catch_up(now, out);
            let touched = self.directory.advance(now.wall);
            self.touched(&touched, now, out);
        }
    }

    /// Tells syncs and board what may have changed.
    fn touched(&mut self, touched: &Touched, now: Now, out: &mut Vec<EngineEffect>) {
        self.syncs.values_mut().for_each(Sync::hear);
        let mark = |board: &mut Board, kind: ObjectKind, names: &BTreeSet<Name>| {
            for name in names {
                board.mark(&ObjectRef { kind, name: name.clone() });
            }
        };
        mark(&mut self.board, ObjectKind::Identity, &touched.identities);
        mark(&mut self.board, ObjectKind::Group, &touched.groups);
        mark(&mut self.board, ObjectKind::AccessPolicy, &touched.policies);
        mark(&mut self.board, ObjectKind::TargetApplication, &touched.applications);
        // What is given to who has not started is told, and need not be on the board.
        for name in touched.accounts.keys() {
            if self.directory.identity(name).is_some_and(|view| view.state == State::Pending) {
                self.board.mark(&ObjectRef { kind: ObjectKind::Identity, name: name.clone() });
            }
        }
        for name in &touched.applications {
            self.declared(name, now, out);
        }
        let cx = Context {
            directory: &self.directory,
            board: &self.board,
            namespace: &self.namespace,
            now,
            between: self.between,
        };
        let mut pushed: Vec<(Name, BTreeSet<Name>)> = Vec::new();
        for (name, sync) in &self.syncs {
            pushed.push((name.clone(), sync.pushed_to(&touched.groups, &cx)));
        }
        // Until its turn nobody may take the old account for the new decision.
        let mut doubts = Vec::new();
        let mut touch = |identity: &Name, name: &Name, sync: &mut Sync| {
            sync.touch(identity, &cx);
            doubts.extend(sync.doubt(identity, &cx).map(|desired| (identity.clone(), name.clone(), desired)));
        };
        for (application, identities) in &pushed {
            let Some(sync) = self.syncs.get_mut(application) else { continue };
            for identity in identities {
                touch(identity, application, sync);
            }
        }
        for (identity, applications) in &touched.accounts {
            match applications {
                TouchedApplications::All => self.syncs.iter_mut().for_each(|(name, sync)| touch(identity, name, sync)),
                TouchedApplications::These(these) => {
                    for name in these {
                        if let Some(sync) = self.syncs.get_mut(name) {
                            touch(identity, name, sync);
                        }
                    }
                }
            }
        }
        self.undecide(doubts);
    }

    /// These accounts, by identity and application, are undecided; with whether they should exist.
    fn undecide(&mut self, doubts: Vec<(Name, Name, bool)>) {
        for (identity, application, desired) in doubts {
            self.board.set(&identity, &application, desired, Account::Unknown);
        }
    }

    /// Those of these owners of which something was told as done, or is to be told.
    fn doubts(
        &self,
        sync: &Sync,
        owners: impl IntoIterator<Item = Name>,
        application: &Name,
        now: Now,
    ) -> Vec<(Name, Name, bool)> {
        let cx = Context {
            directory: &self.directory,
            board: &self.board,
            namespace: &self.namespace,
            now,
            between: self.between,
        };
        let doubted = owners.into_iter().filter_map(|owner| sync.doubt(&owner, &cx).map(|desired| (owner, desired)));
        doubted.map(|(owner, desired)| (owner, application.clone(), desired)).collect()
    }

    /// Compares the resources that the lists rest on with those that each ledger was kept by.
    fn judge_resources(&mut self, now: Now, out: &mut Vec<EngineEffect>) {
        let Some(resources) = self.resources.clone().filter(|_| self.listed) else { return };
        let names: Vec<Name> = self.syncs.keys().cloned().collect();
        for name in names {
            self.with_sync(&name, now, out, |sync, cx, out| sync.judge_resources(&resources, cx, out));
        }
    }

    /// The ledger of an application is known: whose accounts were there before is undecided until their turn, and
    /// identities, whose statuses were withheld until now, can be told.
    fn loaded(&mut self, name: &Name, now: Now) {
        let Some(sync) = self.syncs.get(name) else { return };
        let doubts = self.doubts(sync, sync.owners(), name, now);
        self.undecide(doubts);
        for object in self.directory.objects().filter(|object| object.kind == ObjectKind::Identity) {
            self.board.mark(&object);
        }
    }

    /// A TargetApplication came, went or changed.
    fn declared(&mut self, name: &Name, now: Now, out: &mut Vec<EngineEffect>) {
        let Some(view) = self.directory.application(name) else {
            self.remembered.remove(name);
            if self.syncs.remove(name).is_some() {
                out.push(EngineEffect::Disconnect { application: name.clone(), target: None });
            }
            return;
        };
        let meta = view.meta.clone();
        let settings = view.spec.ok().cloned().map(Arc::new);
        if let Some(settings) = &settings {
            self.board.application(name, settings.mode == SyncMode::Enforce);
        }
        // Another kind of connector has another schema: what is under way is found in the store, as after a restart.
        let other_kind = |sync: &Sync| settings.as_ref().is_some_and(|settings| settings.connector.kind != sync.kind());
        let is_another = self.syncs.get(name).is_some_and(|sync| sync.uid() != &meta.uid || other_kind(sync));
        if is_another {
            self.syncs.remove(name);
            out.push(EngineEffect::Disconnect { application: name.clone(), target: None });
        }
        if self.syncs.contains_key(name) {
            self.with_sync(name, now, out, |sync, cx, out| sync.declared(&meta, settings, cx, out));
            return;
        }
        let invalid = settings.is_none();
        let settings = settings.unwrap_or_else(|| Arc::new(TargetApplication::of_nothing()));
        let mut wanted = Out { next_effect: self.next_effect, ..Out::default() };
        let schema = (self.schemas)(settings.connector.kind);
        let mut sync = Sync::new(name.clone(), meta, settings, schema, now, &mut wanted);
        sync.left_off(self.remembered.get(name).cloned().unwrap_or_default());
        sync.halt(self.halted.is_some());
        if invalid {
            sync.invalidate();
        }
        let doubts = self.doubts(&sync, self.directory.owners(name), name, now);
        self.undecide(doubts);
        self.syncs.insert(name.clone(), sync);
        self.collect(name, wanted, out);
    }

    fn pump(&mut self, now: Now, out: &mut Vec<EngineEffect>) {
        if !self.listed {
            return;
        }
        let names: Vec<Name> = self.syncs.keys().cloned().collect();
        for name in names {
            self.with_sync(&name, now, out, Sync::pump);
        }
    }

    fn with_sync(
        &mut self,
        name: &Name,
        now: Now,
        out: &mut Vec<EngineEffect>,
        call: impl FnOnce(&mut Sync, &Context<'_>, &mut Out),
    ) {
        let Some(sync) = self.syncs.get_mut(name) else { return };
        let cx = Context {
            directory: &self.directory,
            board: &self.board,
            namespace: &self.namespace,
            now,
            between: self.between,
        };
        let mut wanted = Out { next_effect: self.next_effect, ..Out::default() };
        call(sync, &cx, &mut wanted);
        self.collect(name, wanted, out);
    }

    /// Why nothing goes on in an application until something else happens, if so.
    fn stopped(&self, name: &Name) -> Option<Reason> {
        let sync = self.syncs.get(name)?;
        if !sync.is_invalid() {
            return sync.stopped();
        }
        let object = ObjectRef { kind: ObjectKind::TargetApplication, name: name.clone() };
        let problems = self.directory.problems_of(&object);
        let stalled = problems.iter().map(|problem| problem.reason).filter(|reason| reason.is_stalled());
        Some(stalled.min().unwrap_or(Reason::InvalidSpec))
    }

    fn collect(&mut self, name: &Name, wanted: Out, out: &mut Vec<EngineEffect>) {
        self.next_effect = wanted.next_effect;
        for (identity, (desired, account)) in wanted.accounts {
            self.board.set(&identity, name, desired, account);
        }
        let stopped = self.stopped(name);
        self.board.stopped(name, stopped);
        if wanted.changed {
            self.board.mark(&ObjectRef { kind: ObjectKind::TargetApplication, name: name.clone() });
            // What they hold back is what is held there.
            for policy in self.directory.audited_denies(name) {
                self.board.mark(&ObjectRef { kind: ObjectKind::AccessPolicy, name: policy.clone() });
            }
        }
        if wanted.disconnect {
            let target = self.syncs.get(name).map(|sync| Arc::clone(sync.target()));
            out.push(EngineEffect::Disconnect { application: name.clone(), target });
        }
        if let Some(on) = wanted.finalizer
            && let Some(sync) = self.syncs.get(name)
        {
            out.push(EngineEffect::Finalizer { application: name.clone(), uid: sync.uid().clone(), on });
        }
        out.extend(wanted.notes.into_iter().map(EngineEffect::Note));
        let application = name.clone();
        let effects = wanted.effects.into_iter();
        out.extend(effects.map(|(id, effect)| EngineEffect::Do { application: application.clone(), id, effect }));
    }
}

#[cfg(test)]
mod tests;
