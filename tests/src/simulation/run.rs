//! The driver: an agenda under a virtual clock; what the engine wants is carried out, what it is told is what was declared.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use jiff::SignedDuration;
use provost_core::engine::{Answer, Effect, EffectId, Engine, EngineEffect, EngineEvent};
use provost_core::model::{LedgerChange, Name, ObjectKind, Spent, TargetId};

use super::api::Api;
use super::clock::Clocks;
use super::manifests::Declared;
use super::plan::{Outcome, Plan};
use super::random::Random;
use super::store::{Memory, Store};
use super::target::{SCHEMA, Target};
use super::trouble::{Backup, Spell};
use super::world::{APPS, World};

pub(super) enum Event {
    Execute(u64, At, EffectId, Effect),
    Deliver(u64, Name, EffectId, Answer, Spent),
    Edit,
    Tamper,
    Watch,
    SetClock,
    Spell,
    LoseStore,
    BackUp,
    PutBack,
    Relist,
    RightClock,
    Compare,
    /// A deleted application is made anew.
    Return(&'static str),
    Tick,
}

/// An application, and which target its connector speaks to.
pub(super) type At = (Name, u64);

/// A write that was sent and not answered: whose, which accounts, which group.
pub(super) type Under = (At, BTreeSet<Name>, BTreeSet<TargetId>);

pub(super) struct Sim {
    pub(super) plan: Plan,
    pub(super) random: Random,
    pub(super) now: Duration,
    pub(super) engine: Engine,
    pub(super) life: u64,
    pub(super) world: World,
    pub(super) api: Api<Declared>,
    /// How far each watch has come.
    pub(super) heard: BTreeMap<ObjectKind, u64>,
    pub(super) clocks: Clocks,
    /// What the engine was told.
    pub(super) told: World,
    pub(super) targets: BTreeMap<At, Target>,
    /// What the store must hold.
    pub(super) stores: BTreeMap<Name, Store>,
    pub(super) memory: Option<Memory>,
    pub(super) backup: Option<Backup>,
    pub(super) agenda: BTreeMap<(Duration, u64), Event>,
    pub(super) serial: u64,
    /// The place of the next tick in the agenda.
    pub(super) tick: Option<(Duration, u64)>,
    pub(super) under_way: BTreeMap<(u64, EffectId), Vec<Under>>,
    /// Memberships that others made.
    pub(super) foreign: BTreeSet<(Name, TargetId, TargetId)>,
    /// Memberships that others took, where nobody sees it.
    pub(super) unseen: BTreeSet<(Name, TargetId, TargetId)>,
    /// Accounts that nobody may write to.
    pub(super) protected: BTreeSet<(Name, TargetId)>,
    /// Accounts that others disabled.
    pub(super) disabled: BTreeSet<(Name, TargetId)>,
    /// When this process last read which account by its id.
    pub(super) read: BTreeMap<(Name, TargetId), Duration>,
    /// Accounts that were there when the store was lost.
    pub(super) strays: BTreeSet<(Name, TargetId)>,
    pub(super) faults: bool,
    /// What targets do, and until when.
    pub(super) spell: Option<(Spell, Duration)>,
    pub(super) out: Outcome,
}

/// Runs one plan to its end.
///
/// # Panics
/// If there is no memory for a disk.
pub fn simulate(plan: &Plan) -> Outcome {
    let mut random = Random::new(plan.seed);
    let world = World::generate(&mut random, plan.people, plan.pace, plan.interval);
    let mut sim = Sim {
        engine: Engine::new("acme", |_| &SCHEMA),
        told: world.clone(),
        targets: BTreeMap::new(),
        api: Api::default(),
        heard: BTreeMap::new(),
        clocks: Clocks::default(),
        memory: plan.whole.then(|| Memory::new(0).expect("a store in memory")),
        stores: APPS.iter().map(|app| (Name::new(*app), Store::default())).collect(),
        backup: None,
        plan: plan.clone(),
        random,
        now: Duration::from_secs(10),
        life: 0,
        world,
        agenda: BTreeMap::new(),
        serial: 0,
        tick: None,
        under_way: BTreeMap::new(),
        foreign: BTreeSet::new(),
        unseen: BTreeSet::new(),
        protected: BTreeSet::new(),
        disabled: BTreeSet::new(),
        read: BTreeMap::new(),
        strays: BTreeSet::new(),
        faults: plan.faults,
        spell: None,
        out: Outcome::default(),
    };
    for app in APPS {
        sim.furnish(app, 0);
    }
    sim.run();
    sim.out.writes = sim.writes();
    sim.out
}

impl Sim {
    /// The target that an application's connector speaks to, as the engine was told.
    pub(super) fn at(&self, app: &str) -> At {
        (Name::new(app), self.told.apps.get(app).map_or(0, |app| app.target))
    }

    pub(super) fn target(&self, app: &str) -> Option<&Target> {
        self.targets.get(&self.at(app))
    }

    pub(super) fn writes(&self) -> u64 {
        self.targets.values().map(|target| target.writes).sum()
    }

    pub(super) fn say(&mut self, what: &str) {
        let (seconds, millis) = (self.now.as_secs(), self.now.subsec_millis());
        let (days, hours, minutes) = (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60);
        let line = format!("{days:>3}d {hours:02}:{minutes:02}:{:02}.{millis:03} {what}", seconds % 60);
        self.out.story.push(line);
        if self.out.story.len() > 4000 {
            self.out.story.drain(..2000);
        }
    }

    pub(super) fn fail(&mut self, what: String) {
        self.say(&format!("BROKEN: {what}"));
        self.out.broken.get_or_insert(what);
    }

    pub(super) fn later(&mut self, wait: Duration, event: Event) {
        self.serial += 1;
        self.agenda.insert((self.now + wait, self.serial), event);
    }

    pub(super) fn soon(&mut self, longest_ms: u64) -> Duration {
        self.random.within(Duration::from_millis(longest_ms)) + Duration::from_millis(1)
    }

    fn run(&mut self) {
        self.publish();
        self.start();
        let span = self.plan.span;
        for _ in 0..self.plan.edits {
            let wait = self.random.within(span);
            self.later(wait, Event::Edit);
        }
        for _ in 0..self.plan.tampers {
            let wait = self.random.within(span);
            self.later(wait, Event::Tamper);
        }
        for _ in 0..self.plan.jumps {
            let wait = self.random.within(span);
            self.later(wait, Event::SetClock);
        }
        for _ in 0..self.plan.spells {
            let wait = self.random.within(span);
            self.later(wait, Event::Spell);
        }
        for _ in 0..self.plan.losses {
            let wait = self.random.within(span);
            self.later(wait, Event::LoseStore);
        }
        for _ in 0..if self.plan.whole { self.plan.rollbacks } else { 0 } {
            let wait = self.random.within(span);
            self.later(wait, Event::BackUp);
            let after = self.random.within(span.saturating_sub(wait));
            self.later(wait + after, Event::PutBack);
        }
        self.until(self.now + span);
        // Faults stop; a little later all must be as declared.
        self.faults = false;
        self.plan.crashes = 0;
        self.wrong_by(SignedDuration::ZERO);
        self.world.mend();
        self.publish();
        self.later(Duration::from_millis(1), Event::Watch);
        // What is deleted after a while is so; what was put off is tried again, and seen.
        self.until(self.now + self.plan.pace * 4 + self.plan.interval * 3 + Duration::from_mins(5));
        for _ in 0..100 {
            if !self.engine.is_idle() {
                self.until(self.now + Duration::from_secs(1));
            }
        }
        if self.out.broken.is_none() {
            self.check_the_end();
        }
        let writes = self.writes();
        self.until(self.now + self.plan.interval * 3);
        let after = self.writes();
        if after != writes {
            self.fail(format!("{} writes after convergence", after - writes));
        }
    }

    fn start(&mut self) {
        self.begin_clocks();
        self.list();
    }

    fn until(&mut self, end: Duration) {
        let mut still = 0_u32;
        while self.out.broken.is_none() {
            let Some(entry) = self.agenda.first_entry().filter(|entry| entry.key().0 <= end) else { break };
            let ((at, _), event) = entry.remove_entry();
            still = if at == self.now { still + 1 } else { 0 };
            if still > 20_000 {
                self.fail("the clock stands still".into());
            }
            self.now = at;
            self.happen(event);
        }
        self.now = self.now.max(end);
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Execute(life, app, id, effect) => self.execute(life, &app, id, effect),
            Event::Deliver(life, app, id, answer, spent) if life == self.life => {
                self.under_way.remove(&(life, id));
                self.handle(EngineEvent::Answered {
                    application: app.clone(),
                    effect: id,
                    answer: answer.clone(),
                    spent,
                });
                if self.faults && self.random.chance(3) {
                    self.handle(EngineEvent::Answered { application: app, effect: id, answer, spent });
                }
            }
            Event::Deliver(..) => {}
            Event::Edit => {
                let wall = self.wall();
                let restored = self.random.chance(4);
                let what = if restored { self.restore() } else { self.world.edit(&mut self.random, wall) };
                if !what.is_empty() {
                    self.say(&what);
                }
                self.publish();
                let wait = self.soon(1500);
                self.later(wait, Event::Watch);
            }
            // An event that is lost is seen with the next one, or when all is listed again.
            Event::Watch if self.faults && self.random.chance(5) => {
                self.say("an event is lost");
                let wait = self.soon(20_000);
                self.later(wait, Event::Watch);
            }
            Event::Watch if self.faults && self.random.chance(5) => self.list(),
            Event::Watch => {
                if self.faults && self.random.chance(5) {
                    self.say("the API server is started anew");
                    self.api.forget();
                }
                self.watch();
            }
            Event::SetClock => self.set_clock(),
            Event::Spell => self.begin_spell(),
            Event::LoseStore => self.lose_store(),
            Event::BackUp => self.back_up(),
            Event::PutBack => self.put_back(),
            Event::Relist => self.list(),
            Event::RightClock => self.wrong_by(SignedDuration::ZERO),
            Event::Compare => self.compare(),
            Event::Return(app) => {
                if let Some(app) = self.world.apps.get_mut(app) {
                    (app.absent, app.deleting) = (false, false);
                }
                self.publish();
                self.say(&format!("{app} is made anew"));
                self.later(Duration::from_millis(1), Event::Watch);
            }
            Event::Tamper => self.tamper(),
            Event::Tick => {
                self.tick = None;
                self.handle(EngineEvent::Tick);
            }
        }
    }

    pub(super) fn handle(&mut self, event: EngineEvent) {
        let now = self.clock();
        // First what the guards know of already.
        let mut effects = self.engine.handle(event, now);
        if let Some(clocks) = self.told_clocks() {
            effects.extend(self.engine.handle(clocks, now));
        }
        for effect in effects {
            match effect {
                EngineEffect::Do { application, id, effect } => {
                    if let Effect::Apply(steps) = &effect {
                        self.guard(&application, id, steps);
                    }
                    let wait = self.soon(120);
                    let at = self.at(application.as_str());
                    self.later(wait, Event::Execute(self.life, at, id, effect));
                }
                EngineEffect::Finalizer { application, uid, on } => self.finalizer(&application, &uid, on),
                EngineEffect::Note(note) => self.say(&format!("note: {} {}", note.reason, note.message)),
                EngineEffect::Disconnect { application, .. } => self.say(&format!("disconnect {application}")),
            }
        }
        self.approve();
        self.write_statuses();
        self.wake();
    }

    /// A person approves what is held, and acknowledges another target.
    fn approve(&mut self) {
        for app in APPS {
            let held = self.engine.sync(&Name::new(app)).and_then(|sync| sync.held().first());
            let hash = held.map(|plan| plan.hash.clone()).filter(|hash| !hash.is_empty());
            let standing = self.stores.get(app).map(|store| &store.standing);
            let mismatch = standing.and_then(|standing| standing.mismatch.clone());
            let other = standing.and_then(|standing| standing.awaiting.clone());
            if let Some(mismatch) = mismatch.as_ref().filter(|_| self.out.losses + self.out.rollbacks == 0) {
                self.fail(format!("{app}: the ledger is the one that was left, and the engine says: {}", mismatch.why));
            }
            // One at a time: what was answered already is to be heard first.
            let tokens: Vec<_> = mismatch.map(|mismatch| mismatch.token).into_iter().chain(other).collect();
            let Some(declared) = self.world.apps.get_mut(app) else { continue };
            let mut what = Vec::new();
            if let Some(hash) = hash.filter(|hash| *hash != declared.approved) {
                what.push(format!("{app}: {hash} is approved"));
                declared.approved = hash;
            }
            if let Some(token) = tokens.first().filter(|_| !tokens.contains(&declared.acknowledged)) {
                what.push(format!("{app}: the other target or store is acknowledged by {token}"));
                declared.acknowledged = Arc::clone(token);
            }
            for what in what {
                self.say(&what);
                self.publish();
                let wait = self.soon(5000);
                self.later(wait, Event::Watch);
            }
        }
    }

    fn wake(&mut self) {
        let now = self.clock();
        let wake = self.engine.next_wake(now);
        let wall = wake.wall.map(|at| {
            let wait = at.duration_since(now.wall);
            now.mono + Duration::try_from(wait).unwrap_or_default()
        });
        let status = self.engine.status_wake().filter(|_| self.plan.whole);
        let Some(at) = [wake.mono, wall, status].into_iter().flatten().min() else { return };
        let at = at.max(now.mono);
        if self.tick.is_none_or(|(tick, _)| at < tick) {
            if let Some(later) = self.tick {
                self.agenda.remove(&later);
            }
            self.later(at.saturating_sub(now.mono), Event::Tick);
            self.tick = Some((at, self.serial));
        }
    }

    pub(super) fn crash(&mut self) {
        self.out.crashes += 1;
        self.say("crash");
        self.life += 1;
        self.tick = None;
        self.under_way.clear();
        self.read.clear();
        // What was on its way to a target may still arrive; what was on its way to the disk may or may not have.
        let agenda = std::mem::take(&mut self.agenda);
        for (key, event) in agenda {
            match event {
                Event::Execute(_, (app, _), _, Effect::Record(changes)) => {
                    if self.random.chance(50) {
                        self.record(&app, &changes, false);
                    }
                }
                Event::Execute(_, _, _, Effect::Apply(_)) if self.random.chance(50) => {
                    self.agenda.insert(key, event);
                }
                Event::Execute(..) | Event::Deliver(..) | Event::Tick => {}
                other => _ = self.agenda.insert(key, other),
            }
        }
        self.engine = Engine::new("acme", |_| &SCHEMA);
        if let Some(Err(error)) = self.memory.as_mut().map(Memory::crash) {
            self.fail(format!("after a crash: {error}"));
        }
        self.start();
    }

    /// Records in the store, and in what it must hold; whether it did.
    pub(super) fn record(&mut self, app: &Name, changes: &[LedgerChange], full: bool) -> bool {
        let at = self.decided();
        let recorded = match &self.memory {
            Some(memory) => memory.record(app, at, changes, full).is_ok(),
            None => !full,
        };
        let Some(store) = self.stores.get_mut(app).filter(|_| recorded) else { return false };
        self.clocks.recorded = self.clocks.recorded.max(Some(at));
        if let Err(error) = store.record(changes) {
            self.fail(error);
        }
        true
    }
}
