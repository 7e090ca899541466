//! The real engine over model targets under a virtual clock, with nothing that goes wrong; what it makes of each step is
//! compared with what it should.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use provost_core::engine::{Answer, Effect, EffectId, Engine, EngineEffect, EngineEvent};
use provost_core::model::{AttributeName, Lane, Name, Now, Record, RecordState, Spent, TargetId, Value};

use super::declared::Declared;
use super::edit::{edit, furnish, tamper};
use super::end::{Account, Before, End, Key, Ours, Reading};
use super::generate::{self, APPLICATIONS, STEP, moment};
use crate::simulation::Random;
use crate::simulation::store::Store;
use crate::simulation::target::{SCHEMA, Target};

/// How a run ended.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// What differs from what the text says.
    pub broken: Option<String>,
    /// What happened.
    pub story: Vec<String>,
    /// Accounts that were compared, of both targets, after each step.
    pub compared: u64,
    /// Of which the text says nothing.
    pub unsaid: u64,
    /// Writes at the targets.
    pub writes: u64,
}

enum Event {
    Execute(Name, EffectId, Box<Effect>),
    Watch,
    Tick,
}

struct World {
    random: Random,
    now: Duration,
    engine: Engine,
    declared: Declared,
    told: Declared,
    targets: BTreeMap<Name, Target>,
    stores: BTreeMap<Name, Store>,
    agenda: BTreeMap<(Duration, u64), Event>,
    serial: u64,
    tick: Option<Duration>,
    out: Outcome,
}

/// Runs one seed: a directory, two edits, and the dates between.
pub fn run(seed: u64) -> Outcome {
    let mut random = Random::new(seed);
    let declared = generate::declared(&mut random);
    let mut targets = BTreeMap::new();
    for app in APPLICATIONS {
        targets.insert(Name::new(app), furnish(&mut random, &declared));
    }
    let mut world = World {
        random,
        now: Duration::ZERO,
        engine: Engine::new("acme", |_| &SCHEMA),
        told: declared.clone(),
        declared,
        targets,
        stores: APPLICATIONS.iter().map(|app| (Name::new(*app), Store::default())).collect(),
        agenda: BTreeMap::new(),
        serial: 0,
        tick: None,
        out: Outcome::default(),
    };
    world.play();
    world.out.writes = world.targets.values().map(|target| target.writes).sum();
    world.out
}

impl World {
    fn wall(&self) -> Timestamp {
        moment(0).checked_add(self.now).expect("a time")
    }

    fn say(&mut self, what: &str) {
        self.out.story.push(format!("{:>5} {what}", self.now.as_secs()));
    }

    fn play(&mut self) {
        for change in self.declared.changes() {
            self.say(&format!("{change:?}"));
        }
        for step in 0..3 {
            let from = Duration::from_secs(u64::try_from(step * STEP).unwrap_or_default());
            self.now = self.now.max(from);
            if step == 0 {
                let before = self.before();
                self.handle(EngineEvent::Listed(self.declared.changes()));
                self.settle(&before, from + Duration::from_secs(1700));
            } else {
                let tampered = self.edits();
                let mut before = self.before();
                for (app, accounts) in tampered {
                    before.entry(app).and_modify(|before| before.tampered = accounts);
                }
                self.later(Duration::from_millis(1), Event::Watch);
                self.settle(&before, from + Duration::from_secs(1700));
            }
            let before = self.before();
            self.settle(&before, from + Duration::from_secs(3500));
        }
    }

    /// What is declared is edited, and targets are; the accounts whose groups that changes.
    fn edits(&mut self) -> BTreeMap<Name, BTreeSet<TargetId>> {
        let mut tampered = BTreeMap::<Name, BTreeSet<TargetId>>::new();
        for _ in 0..=self.random.below(3) {
            let what = edit(&mut self.random, &mut self.declared);
            self.say(&what);
        }
        for app in APPLICATIONS {
            if self.random.chance(40)
                && let Some(target) = self.targets.get_mut(app)
            {
                let (what, account) = tamper(&mut self.random, target, self.now);
                tampered.entry(Name::new(app)).or_default().extend(account);
                self.say(&format!("{app}: {what}"));
            }
        }
        tampered
    }

    /// Goes on until then, and compares.
    fn settle(&mut self, before: &BTreeMap<Name, Before>, until: Duration) {
        if self.out.broken.is_some() {
            return;
        }
        self.go_on(until);
        let after = self.before();
        for (app, before) in before {
            let Some(settings) = self.declared.applications.get(app).and_then(|m| m.spec.as_ref().ok()) else {
                continue;
            };
            let at = self.wall();
            let end = Reading { declared: &self.declared, before, application: app, settings, at }.end();
            let Some(after) = after.get(app) else { continue };
            let (wrong, compared, unsaid) = compare(before, &end, after);
            self.out.compared += compared;
            self.out.unsaid += unsaid;
            if !wrong.is_empty() {
                let told = |name: &Name| Some(format!("{name}: {:?}", self.engine.board().told(name, app)?.1));
                let told = self.declared.identities.keys().filter_map(told).collect::<Vec<_>>().join("\n    ");
                let wrong = format!("{app} at {}:\n  {}\n  told:\n    {told}", self.now.as_secs(), wrong.join("\n  "));
                self.out.broken.get_or_insert(wrong);
            }
        }
    }

    fn go_on(&mut self, until: Duration) {
        let mut still = 0;
        while let Some(entry) = self.agenda.first_entry().filter(|entry| entry.key().0 <= until) {
            let ((at, _), event) = entry.remove_entry();
            still = if at == self.now { still + 1 } else { 0 };
            if still > 10_000 {
                self.out.broken.get_or_insert("the clock stands still".into());
                return;
            }
            self.now = at;
            self.happen(event);
        }
        self.now = until;
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Execute(app, id, effect) => {
                let answer = self.execute(&app, *effect);
                let spent = Spent { requests: 1, wait: None };
                self.handle(EngineEvent::Answered { application: app, effect: id, answer, spent });
            }
            Event::Watch => {
                let changes = self.declared.since(&self.told);
                self.told = self.declared.clone();
                self.handle(EngineEvent::Changed(changes));
            }
            Event::Tick => {
                self.tick = None;
                self.handle(EngineEvent::Tick);
            }
        }
    }

    fn later(&mut self, wait: Duration, event: Event) {
        self.serial += 1;
        self.agenda.insert((self.now + wait, self.serial), event);
    }

    fn handle(&mut self, event: EngineEvent) {
        let now = Now { wall: self.wall(), mono: self.now };
        for effect in self.engine.handle(event, now) {
            if let EngineEffect::Do { application, id, effect } = effect {
                let wait = self.random.within(Duration::from_millis(40)) + Duration::from_millis(1);
                self.later(wait, Event::Execute(application, id, Box::new(effect)));
            }
        }
        self.approve();
        let wake = self.engine.next_wake(now);
        let wall = wake.wall.map(|at| now.mono + Duration::try_from(at.duration_since(now.wall)).unwrap_or_default());
        let Some(at) = [wake.mono, wall].into_iter().flatten().min().map(|at| at.max(now.mono)) else { return };
        if self.tick.is_none_or(|tick| at < tick) {
            self.tick = Some(at);
            self.later(at.saturating_sub(now.mono), Event::Tick);
        }
    }

    /// A person approves every wave that is held, and no adoption.
    fn approve(&mut self) {
        for app in APPLICATIONS {
            let held = self.engine.sync(&Name::new(app)).map(provost_core::sync::Sync::held).unwrap_or_default();
            let hash = held.iter().find(|plan| plan.lane != Lane::Adoption).map(|plan| Arc::clone(&plan.hash));
            let declared = self.declared.applications.get_mut(app).and_then(|manifest| manifest.spec.as_mut().ok());
            let (Some(hash), Some(declared)) = (hash, declared) else { continue };
            if !hash.is_empty() && declared.safety.approved_plan != hash {
                declared.safety.approved_plan = hash;
                self.later(Duration::from_millis(5), Event::Watch);
            }
        }
    }

    fn execute(&mut self, app: &Name, effect: Effect) -> Answer {
        let (now, mut lines) = (self.now, Vec::new());
        let target = self.targets.get_mut(app).expect("a target");
        let store = self.stores.get_mut(app).expect("a store");
        let answer = match effect {
            Effect::Load => Answer::Loaded(Ok(Box::new(store.ledger()))),
            Effect::Record(changes) => {
                if let Err(error) = store.record(&changes) {
                    self.out.broken.get_or_insert(error);
                }
                Answer::Recorded(Ok(()))
            }
            Effect::Probe(..) => Answer::Probed(Ok(Box::new(target.profile(now)))),
            Effect::Observe { kind, page } => Answer::Page(Ok(target.observe(kind, page.as_ref(), 100, now))),
            Effect::Find(key) => Answer::Found(Ok(target.find(&key, now))),
            Effect::Read(id) => Answer::Read(Ok(target.read(&id, now))),
            Effect::Changes(from) => Answer::Changes(Ok(target.changes(&from, now))),
            Effect::Apply(steps) => {
                let done = |step| {
                    let outcome = target.apply(step, now);
                    lines.push(format!("{app}: {step:?} -> {outcome:?}"));
                    outcome
                };
                Answer::Applied(steps.iter().map(done).collect())
            }
        };
        for line in lines {
            self.say(&line);
        }
        answer
    }

    /// Targets and ledgers as they are.
    fn before(&self) -> BTreeMap<Name, Before> {
        let of = |(app, target): (&Name, &Target)| Some((app.clone(), before(target, self.stores.get(app)?)));
        self.targets.iter().filter_map(of).collect()
    }
}

fn before(target: &Target, store: &Store) -> Before {
    let groups: BTreeMap<TargetId, Name> = target.groups().map(|(id, g)| (id.clone(), Name::new(&*g.name))).collect();
    let records: Vec<Record> = store.records.values().cloned().collect();
    let account = |(id, account): (&TargetId, &crate::simulation::target::Account)| {
        let text =
            |name: &str| account.attributes.get(&AttributeName::new(name)).and_then(Value::as_text).map(str::to_owned);
        let holds = target.groups().filter(|(_, group)| group.members.contains(id)).map(|(_, g)| Name::new(&*g.name));
        let record = records.iter().find(|record| record.target_id.as_ref() == Some(id));
        let record = record.filter(|record| !matches!(record.state, RecordState::Deleted | RecordState::Released));
        let ours = record.map(|record| {
            let grants =
                record.grants.iter().filter_map(|(g, grant)| Some((groups.get(g)?.clone(), grant.policies.clone())));
            Ours { owner: record.owner.name.clone(), policies: record.policies.clone(), grants: grants.collect() }
        });
        let marked = text("externalId").filter(|external_id| !external_id.starts_with("provost:"));
        let account = Account {
            enabled: account.enabled,
            user_name: text("userName").unwrap_or_default(),
            external_id: marked,
            holds: holds.collect(),
            ours,
        };
        (id.clone(), account)
    };
    let accounts = target.accounts().map(account).collect();
    Before { accounts, records, protected: store.standing.protected.clone(), tampered: BTreeSet::new() }
}

/// What differs, how many accounts were compared, of how many nothing is said.
pub fn compare(before: &Before, end: &End, after: &Before) -> (Vec<String>, u64, u64) {
    let key = |(id, account): (&TargetId, &Account)| {
        if before.accounts.contains_key(id) { Key::Id(id.clone()) } else { Key::New(account.user_name.to_lowercase()) }
    };
    let is: BTreeMap<Key, &Account> = after.accounts.iter().map(|entry| (key(entry), entry.1)).collect();
    let all: BTreeSet<&Key> = is.keys().chain(end.accounts.keys()).collect();
    let (mut wrong, mut compared, mut unsaid) = (Vec::new(), 0, 0);
    for key in all {
        if end.unsaid.contains(key) {
            unsaid += 1;
            continue;
        }
        compared += 1;
        let (should, mut is) = (end.accounts.get(key).map(folded), is.get(key).map(|account| folded(account)));
        if let (Some(should), Some(is)) = (&should, &mut is)
            && (should.ours.is_some() && should.external_id.is_none())
        {
            is.external_id = None;
        }
        // What an account rested on that is not to be used any more is nobody's to read.
        if let Some(is) = is.as_mut().and_then(|is| is.ours.as_mut())
            && should.as_ref().and_then(|should| should.ours.as_ref()).is_some_and(|ours| ours.policies.is_empty())
        {
            is.policies.clear();
        }
        if should != is {
            wrong.push(format!("{key:?}\n    should be {should:?}\n    is        {is:?}"));
        }
    }
    (wrong, compared, unsaid)
}

/// Case alone is no difference.
fn folded(account: &Account) -> Account {
    let mut account = account.clone();
    account.user_name = account.user_name.to_lowercase();
    account
}
