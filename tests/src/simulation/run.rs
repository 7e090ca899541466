//! The driver: an agenda under a virtual clock, faults by the seed, and the guards checked at every write.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;
use provost_core::engine::{Answer, Effect, EffectId, Engine, EngineEffect, EngineEvent, StoreFailure};
use provost_core::model::{AttributeName, Attributes, Name, Now, Spent, Step, TargetError, TargetId, Value};

use super::random::Random;
use super::store::Store;
use super::target::{Account, SCHEMA, TIMEOUT, Target, VISIBILITY};
use super::world::{APPS, World, group_name};

/// What a run is made of.
#[derive(Clone, Debug)]
pub struct Plan {
    /// What all is drawn from.
    pub seed: u64,
    /// Identities at the start.
    pub people: u64,
    /// Edits of the declared state.
    pub edits: u64,
    /// Targets, store and network misbehave.
    pub faults: bool,
    /// Crashes in a hundred writes.
    pub crashes: u64,
    /// Crash once, after this write.
    pub crash_after: Option<u64>,
}

impl Plan {
    /// Everything from the seed.
    pub fn from_seed(seed: u64) -> Self {
        let mut random = Random::new(seed ^ 0xabcd);
        Self {
            seed,
            people: 4 + random.below(36),
            edits: 5 + random.below(40),
            faults: !seed.is_multiple_of(5),
            crashes: random.below(6),
            crash_after: None,
        }
    }

    /// Edits, but nothing that goes wrong.
    pub fn calm(seed: u64) -> Self {
        Self { seed, people: 12, edits: 12, faults: false, crashes: 0, crash_after: None }
    }
}

/// How a run ended.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// What was broken, if something was.
    pub broken: Option<String>,
    /// The last things that happened.
    pub story: Vec<String>,
    /// Writes that reached a target.
    pub writes: u64,
    /// Crashes survived.
    pub crashes: u64,
}

pub(super) enum Event {
    Execute(u64, Name, EffectId, Effect),
    Deliver(u64, Name, EffectId, Answer, Spent),
    Edit,
    Tamper,
    Watch,
    Tick,
}

/// A write that was sent and not answered: whose, which accounts, which group.
pub(super) type Under = (Name, BTreeSet<Name>, BTreeSet<TargetId>);

pub(super) struct Sim {
    pub(super) plan: Plan,
    pub(super) random: Random,
    pub(super) now: Duration,
    pub(super) engine: Engine,
    pub(super) life: u64,
    pub(super) world: World,
    /// What the engine was told.
    pub(super) told: World,
    pub(super) targets: BTreeMap<Name, Target>,
    pub(super) stores: BTreeMap<Name, Store>,
    pub(super) agenda: BTreeMap<(Duration, u64), Event>,
    pub(super) serial: u64,
    pub(super) tick: Option<Duration>,
    pub(super) under_way: BTreeMap<(u64, EffectId), Vec<Under>>,
    /// Memberships that others made.
    pub(super) foreign: BTreeSet<(Name, TargetId, TargetId)>,
    /// Accounts that others disabled.
    pub(super) disabled: BTreeSet<(Name, TargetId)>,
    pub(super) faults: bool,
    pub(super) out: Outcome,
}

/// Runs one plan to its end.
pub fn simulate(plan: &Plan) -> Outcome {
    let mut random = Random::new(plan.seed);
    let world = World::generate(&mut random, plan.people);
    let name = |app: &&str| Name::new(*app);
    let mut sim = Sim {
        engine: Engine::new("acme", |_| &SCHEMA),
        told: world.clone(),
        targets: APPS.iter().map(|app| (name(app), Target::default())).collect(),
        stores: APPS.iter().map(|app| (name(app), Store::default())).collect(),
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
        disabled: BTreeSet::new(),
        faults: plan.faults,
        out: Outcome::default(),
    };
    sim.furnish();
    sim.run();
    sim.out.writes = sim.targets.values().map(|t| t.writes).sum();
    sim.out
}

impl Sim {
    pub(super) fn wall(&self) -> Timestamp {
        let base: Timestamp = Timestamp::from_second(1_800_000_000).unwrap_or(Timestamp::UNIX_EPOCH);
        base.checked_add(self.now).unwrap_or(base)
    }

    fn clock(&self) -> Now {
        Now { wall: self.wall(), mono: self.now }
    }

    pub(super) fn say(&mut self, what: &str) {
        let at = self.now.as_secs_f64();
        self.out.story.push(format!("{at:>9.3} {what}"));
        if self.out.story.len() > 4000 {
            self.out.story.drain(..2000);
        }
    }

    pub(super) fn fail(&mut self, what: String) {
        self.say(&format!("BROKEN: {what}"));
        self.out.broken.get_or_insert(what);
    }

    fn at(&mut self, wait: Duration, event: Event) {
        self.serial += 1;
        self.agenda.insert((self.now + wait, self.serial), event);
    }

    fn soon(&mut self, longest_ms: u64) -> Duration {
        self.random.within(Duration::from_millis(longest_ms)) + Duration::from_millis(1)
    }

    /// What was at the targets before we came.
    fn furnish(&mut self) {
        let people: Vec<_> = self.world.people.values().cloned().collect();
        for app in APPS {
            let now = Duration::ZERO;
            let mut rolled = self.random.clone();
            let Some(target) = self.targets.get_mut(app) else { continue };
            target.add_group(&group_name(app, "reader"), None, now);
            for (n, person) in people.iter().enumerate().filter(|(n, _)| n % 4 == 0) {
                let mut attributes = Attributes::new();
                attributes
                    .insert(AttributeName::new("userName"), Value::from(person.user_name.to_lowercase().as_str()));
                if let Some(external) = person.external.as_ref().filter(|_| rolled.chance(50)) {
                    attributes.insert(AttributeName::new("externalId"), Value::from(external.as_str()));
                }
                attributes.insert(AttributeName::new("title"), Value::from(format!("Old {n}").as_str()));
                target.add_account(true, attributes, now);
            }
            let mut other = Attributes::new();
            other.insert(AttributeName::new("userName"), Value::from("stranger"));
            target.add_account(true, other, now);
            self.random = rolled;
        }
    }

    fn run(&mut self) {
        self.start();
        let span = Duration::from_secs(15 * self.plan.edits);
        for _ in 0..self.plan.edits {
            let wait = self.random.within(span);
            self.at(wait, Event::Edit);
        }
        for _ in 0..if self.plan.faults { self.plan.edits / 3 } else { 0 } {
            let wait = self.random.within(span);
            self.at(wait, Event::Tamper);
        }
        self.until(self.now + span);
        // Faults stop; a little later all must be as declared.
        self.faults = false;
        self.plan.crashes = 0;
        self.world.mend();
        self.at(Duration::from_millis(1), Event::Watch);
        self.until(self.now + Duration::from_hours(1));
        for _ in 0..100 {
            if !self.engine.is_idle() {
                self.until(self.now + Duration::from_secs(1));
            }
        }
        if self.out.broken.is_none() {
            self.check_the_end();
        }
        let writes: u64 = self.targets.values().map(|t| t.writes).sum();
        self.until(self.now + Duration::from_secs(200));
        let after: u64 = self.targets.values().map(|t| t.writes).sum();
        if after != writes {
            self.fail(format!("{} writes after convergence", after - writes));
        }
    }

    fn start(&mut self) {
        self.told = self.world.clone();
        let all = self.world.manifests();
        self.handle(EngineEvent::Listed(all));
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
                let what = self.world.edit(&mut self.random, wall);
                self.say(&format!("edit: {what}"));
                let wait = self.soon(1500);
                self.at(wait, Event::Watch);
            }
            Event::Watch => {
                let changes = self.told.difference(&self.world);
                self.told = self.world.clone();
                self.say(&format!("watch: {} changes", changes.len()));
                let event = if self.faults && self.random.chance(10) {
                    EngineEvent::Listed(self.world.manifests())
                } else {
                    EngineEvent::Changed(changes)
                };
                self.handle(event);
            }
            Event::Tamper => self.tamper(),
            Event::Tick => {
                self.tick = None;
                self.handle(EngineEvent::Tick);
            }
        }
    }

    fn handle(&mut self, event: EngineEvent) {
        let now = self.clock();
        let effects = self.engine.handle(event, now);
        for effect in effects {
            match effect {
                EngineEffect::Do { application, id, effect } => {
                    if let Effect::Apply(steps) = &effect {
                        self.guard(&application, id, steps);
                    }
                    let wait = self.soon(120);
                    self.at(wait, Event::Execute(self.life, application, id, effect));
                }
                EngineEffect::Finalizer { application, on, .. } => {
                    let app = APPS.iter().find(|app| **app == application.as_str());
                    if let Some(app) = app {
                        let known = self.world.finalizers.contains(app);
                        if on {
                            self.world.finalizers.insert(app)
                        } else {
                            self.world.finalizers.remove(app)
                        };
                        if known != on {
                            let wait = self.soon(50);
                            self.at(wait, Event::Watch);
                        }
                    }
                }
                EngineEffect::Note(note) => self.say(&format!("note: {} {}", note.reason, note.message)),
                EngineEffect::Disconnect { application } => self.say(&format!("disconnect {application}")),
            }
        }
        self.approve();
        self.wake();
    }

    /// A person approves what is held.
    fn approve(&mut self) {
        for app in APPS {
            let held = self.engine.sync(&Name::new(app)).and_then(|sync| sync.held().first());
            let Some(hash) = held.map(|plan| plan.hash.clone()).filter(|hash| !hash.is_empty()) else { continue };
            if self.world.approved.get(app) != Some(&hash) {
                self.say(&format!("approve {hash} in {app}"));
                self.world.approved.insert(app, hash);
                let wait = self.soon(5000);
                self.at(wait, Event::Watch);
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
        let Some(at) = [wake.mono, wall].into_iter().flatten().min() else { return };
        let at = at.max(now.mono);
        if self.tick.is_none_or(|tick| at < tick) {
            self.tick = Some(at);
            self.at(at.saturating_sub(now.mono), Event::Tick);
        }
    }

    fn crash(&mut self) {
        self.out.crashes += 1;
        self.say("crash");
        self.life += 1;
        self.tick = None;
        self.under_way.clear();
        // What was on its way to a target may still arrive; what was on its way to the disk may or may not have.
        let agenda = std::mem::take(&mut self.agenda);
        for (key, event) in agenda {
            match event {
                Event::Execute(_, app, _, Effect::Record(changes)) => {
                    if self.random.chance(50)
                        && let Some(store) = self.stores.get_mut(&app)
                        && let Err(error) = store.record(&changes)
                    {
                        self.fail(error);
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
        self.start();
    }

    fn execute(&mut self, life: u64, app: &Name, id: EffectId, effect: Effect) {
        let spent = Spent { requests: 1, wait: None };
        let lag = self.random.within(VISIBILITY);
        let seen = if self.faults { self.now.saturating_sub(lag) } else { self.now };
        let fault = if self.faults { self.random.below(100) } else { 99 };
        let now = self.now;
        let answer = match effect {
            Effect::Load => match self.stores.get(app) {
                Some(store) => Answer::Loaded(Ok(Box::new(store.ledger()))),
                None => Answer::Loaded(Err(StoreFailure("no store".into()))),
            },
            Effect::Record(changes) => {
                if fault == 0 {
                    Answer::Recorded(Err(StoreFailure("disk full".into())))
                } else {
                    let Some(store) = self.stores.get_mut(app) else { return };
                    if let Err(error) = store.record(&changes) {
                        self.fail(error);
                    }
                    Answer::Recorded(Ok(()))
                }
            }
            Effect::Probe(_) if fault < 3 => Answer::Probed(Err(TargetError::Transient("503".into()))),
            Effect::Probe(_) => Answer::Probed(Ok(Box::new(Target::profile()))),
            Effect::Observe { kind, page } => {
                let Some(target) = self.targets.get(app) else { return };
                let mut page = target.observe(kind, page.as_ref(), 7, seen);
                Answer::Page(match fault {
                    0 => Err(TargetError::Transient("502".into())),
                    1 => Err(TargetError::RateLimited { retry_after: Some(Duration::from_secs(1)) }),
                    2 => {
                        // The page shifts under the reader: an item is lost.
                        page.items.pop();
                        Ok(page)
                    }
                    _ => Ok(page),
                })
            }
            Effect::Find(key) => {
                let Some(target) = self.targets.get(app) else { return };
                let found = target.find(&key, seen);
                Answer::Found(if fault < 2 { Err(TargetError::Transient("504".into())) } else { Ok(found) })
            }
            Effect::Read(id) => {
                let Some(target) = self.targets.get(app) else { return };
                let read = target.read(&id, seen);
                Answer::Read(if fault < 2 { Err(TargetError::Lost("timeout".into())) } else { Ok(read) })
            }
            Effect::Apply(steps) => Answer::Applied(self.apply(app, &steps)),
        };
        if life != self.life {
            return;
        }
        let slow = matches!(&answer, Answer::Applied(outcomes) if outcomes.iter().any(|o| matches!(o, Err(TargetError::Lost(_)))));
        let wait = if slow { TIMEOUT.saturating_sub(Duration::from_millis(200)) } else { self.soon(120) };
        let wrote = matches!(answer, Answer::Applied(_));
        self.at(wait, Event::Deliver(life, app.clone(), id, answer, spent));
        let writes: u64 = self.targets.values().map(|t| t.writes).sum();
        let planned = self.plan.crash_after.is_some_and(|after| writes >= after && self.out.crashes == 0);
        if wrote && (planned || self.random.chance(self.plan.crashes)) && now == self.now {
            self.crash();
        }
    }

    fn apply(&mut self, app: &Name, steps: &[Step]) -> Vec<Result<provost_core::model::Applied, TargetError>> {
        let mut out = Vec::new();
        for step in steps {
            let fault = if self.faults { self.random.below(100) } else { 99 };
            let now = self.now;
            let Some(target) = self.targets.get_mut(app) else { continue };
            let outcome = match fault {
                0..2 => Err(TargetError::Transient("503".into())),
                2 => Err(TargetError::Unreachable("connection refused".into())),
                3..5 => Err(TargetError::RateLimited { retry_after: Some(Duration::from_secs(2)) }),
                5 => Err(TargetError::Lost("never sent".into())),
                6..11 => {
                    // Done, and the answer is lost.
                    let done = target.apply(step, now);
                    done.and(Err(TargetError::Lost("timeout".into())))
                }
                11 => {
                    let done = target.apply(step, now);
                    done.and(Err(TargetError::Transient("502".into())))
                }
                12 => Err(TargetError::Rejected { field: None, reason: "400".into(), detail: "no".into() }),
                _ => target.apply(step, now),
            };
            self.forget_foreign(app, step, outcome.is_ok());
            let told = outcome.as_ref().map(|applied| applied.id.clone());
            self.say(&format!("{app}: {} -> {told:?}", words(step)));
            out.push(outcome);
        }
        out
    }

    /// What we took or switched is not others' any more.
    fn forget_foreign(&mut self, app: &Name, step: &Step, done: bool) {
        match step {
            Step::RemoveMembers { group, members } => {
                for member in members {
                    self.foreign.remove(&(app.clone(), group.clone(), member.clone()));
                }
            }
            Step::EnableAccount { id } | Step::DisableAccount { id } if done => {
                self.disabled.remove(&(app.clone(), id.clone()));
            }
            _ => {}
        }
    }

    /// Somebody edits a target behind our back.
    fn tamper(&mut self) {
        let Some(app) = self.random.pick(&APPS).map(|app| Name::new(*app)) else { return };
        let now = self.now;
        let Some(target) = self.targets.get_mut(&app) else { return };
        let ids: Vec<TargetId> = target.accounts().map(|(id, _)| id.clone()).collect();
        let groups: Vec<TargetId> = target.groups().map(|(id, _)| id.clone()).collect();
        let (Some(id), Some(group)) = (self.random.pick(&ids).cloned(), self.random.pick(&groups).cloned()) else {
            return;
        };
        let Some(account) = target.account(&id).cloned() else { return };
        let what = match self.random.below(6) {
            0 => {
                let mut account = account;
                account.attributes.insert(AttributeName::new("title"), Value::from("tampered"));
                target.set_account(&id, Some(account), now);
                format!("title of {id}")
            }
            1 => {
                target.set_account(&id, Some(Account { enabled: false, ..account }), now);
                self.disabled.insert((app.clone(), id.clone()));
                format!("disable {id}")
            }
            2 => {
                target.set_account(&id, Some(Account { enabled: true, ..account }), now);
                format!("enable {id}")
            }
            3 => {
                target.change_group(&group, now, |members| _ = members.insert(id.clone()));
                self.foreign.insert((app.clone(), group.clone(), id.clone()));
                format!("add {id} to {group}")
            }
            4 => {
                target.change_group(&group, now, |members| _ = members.remove(&id));
                format!("remove {id} from {group}")
            }
            _ => {
                target.set_account(&id, None, now);
                format!("delete {id}")
            }
        };
        self.say(&format!("{app}: tampered: {what}"));
    }
}

pub(super) fn words(step: &Step) -> String {
    let text = |attributes: &Attributes| {
        attributes.iter().map(|(n, v)| format!("{n}={}", v.as_text().unwrap_or("-"))).collect::<Vec<_>>().join(" ")
    };
    match step {
        Step::CreateAccount { attributes, enabled, .. } => format!("create {} enabled={enabled}", text(attributes)),
        Step::UpdateAccount { id, set } => format!("update {id} {}", text(set)),
        Step::RenameAccount { id, set } => format!("rename {id} {}", text(set)),
        Step::EnableAccount { id } => format!("enable {id}"),
        Step::DisableAccount { id } => format!("disable {id}"),
        Step::DeleteAccount { id } => format!("delete {id}"),
        Step::CreateGroup { name, .. } => format!("create group {name}"),
        Step::AddMembers { group, members } => format!("add {members:?} to {group}"),
        Step::RemoveMembers { group, members } => format!("remove {members:?} from {group}"),
        other => format!("{other:?}"),
    }
}
