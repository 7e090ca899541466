//! One application of up to 100,000 accounts at a target in memory: bytes held for an account, and what a sync with
//! nothing to do costs in the core and at the target.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use provost_core::engine::{Answer, Effect, Engine, EngineEffect, EngineEvent};
use provost_core::model::{
    Applied, Attributes, Capabilities, DeleteMeans, GrantWhat, Item, Kind, Ledger, Now, Observability, Observed, Page,
    PageToken, Profile, Spent, Step, TargetId, Value,
};

use crate::clock::processor;
use crate::counting;
use crate::table::Table;
use crate::world;

const ACCOUNTS: [usize; 3] = [1_000, 10_000, 100_000];
const PAGE: usize = 500;

pub fn measure(table: &mut Table) {
    for accounts in ACCOUNTS {
        application(table, accounts);
    }
}

fn application(table: &mut Table, accounts: usize) {
    let mut shell = Shell::new();
    let mut all: Vec<_> = (0..accounts).map(|at| world::identity(at, "Engineering", "Engineer")).collect();
    all.push(world::allow("everyone", None, Some("identity.type == 'Person'".to_owned()), "wiki", GrantWhat::Account));
    all.push(world::application("wiki", world::scim("https://wiki.test")));
    let first = shell.engine.handle(EngineEvent::Listed(all), shell.now);
    let declared = counting::held();

    shell.run(first);
    assert_eq!(shell.target.accounts.len(), accounts);
    assert_eq!((shell.steps, shell.engine.is_idle()), (accounts, true));
    #[allow(clippy::cast_precision_loss, reason = "far below 2^52")]
    let each = |total: f64| total / accounts as f64;
    table.shown(
        format!("core, {accounts} accounts: one created, from decision to the last answer"),
        each(shell.inside.as_secs_f64() * 1e6),
        "us",
    );

    shell.reset();
    shell.now.mono += Duration::from_mins(10);
    shell.now.wall += Duration::from_mins(10);
    let first = shell.engine.handle(EngineEvent::Tick, shell.now);
    shell.run(first);
    table.shown("  one in a sync with nothing to do", each(shell.inside.as_secs_f64() * 1e6), "us");
    table.exactly(
        "  requests to the target (pages of 500, and one of groups)",
        shell.requests,
        accounts / PAGE + 1,
        "",
    );
    table.exactly("  writes to target and store", shell.steps + shell.records, 0, "");

    let Shell { engine, target, .. } = shell;
    drop(target);
    let held = counting::held().saturating_sub(declared);
    #[allow(clippy::cast_precision_loss, reason = "far below 2^52")]
    table.below("  shadow, ledger and standing held for one", each(held as f64), 200.0, "B");
    drop(engine);
}

/// An engine with a target and a store that answer at once.
struct Shell {
    engine: Engine,
    target: Model,
    now: Now,
    /// Processor time in the engine.
    inside: Duration,
    steps: usize,
    records: usize,
    requests: usize,
}

impl Shell {
    fn new() -> Self {
        let now = Now { wall: "2026-01-01T00:00:00Z".parse().unwrap(), mono: Duration::ZERO };
        let engine = Engine::new("acme", provost_connectors::schema);
        Self { engine, target: Model::default(), now, inside: Duration::ZERO, steps: 0, records: 0, requests: 0 }
    }

    fn reset(&mut self) {
        (self.inside, self.steps, self.records, self.requests) = (Duration::ZERO, 0, 0, 0);
    }

    /// Until there is nothing to do for a while.
    fn run(&mut self, first: Vec<EngineEffect>) {
        let (start, before) = (Instant::now(), processor());
        self.answer_all(first);
        // Whatever else the machine does lengthens both alike: the engine's part of the time is its part of the
        // processor time.
        self.inside =
            processor().saturating_sub(before).mul_f64(self.inside.as_secs_f64() / start.elapsed().as_secs_f64());
    }

    fn answer_all(&mut self, first: Vec<EngineEffect>) {
        let mut effects: VecDeque<EngineEffect> = first.into();
        let until = self.now.mono + Duration::from_mins(1);
        loop {
            while let Some(effect) = effects.pop_front() {
                if let EngineEffect::Do { application, id, effect } = effect {
                    let answer = self.answer(effect);
                    let spent = Spent { requests: 1, wait: None };
                    effects.extend(self.handle(EngineEvent::Answered { application, effect: id, answer, spent }));
                }
            }
            let Some(next) = self.engine.next_wake(self.now).mono.filter(|next| *next < until) else { return };
            let step = next.saturating_sub(self.now.mono).max(Duration::from_millis(1));
            self.now = Now { wall: self.now.wall + step, mono: self.now.mono + step };
            effects.extend(self.handle(EngineEvent::Tick));
        }
    }

    fn handle(&mut self, event: EngineEvent) -> Vec<EngineEffect> {
        let start = Instant::now();
        let effects = self.engine.handle(event, self.now);
        self.inside += start.elapsed();
        effects
    }

    fn answer(&mut self, effect: Effect) -> Answer {
        match effect {
            Effect::Load => Answer::Loaded(Ok(Box::new(Ledger { next_id: 1, ..Ledger::default() }))),
            Effect::Record(changes) => {
                self.records += changes.len();
                Answer::Recorded(Ok(()))
            }
            Effect::Probe(..) => Answer::Probed(Ok(Box::new(profile()))),
            Effect::Observe { kind, page } => {
                self.requests += 1;
                Answer::Page(Ok(self.target.page(kind, page.as_ref())))
            }
            Effect::Apply(steps) => {
                self.steps += steps.len();
                let apply = |step| Ok(Applied { id: Some(self.target.create(step)), ..Applied::default() });
                Answer::Applied(steps.iter().map(apply).collect())
            }
            Effect::Find(_) | Effect::Read(_) | Effect::Changes(_) => {
                panic!("nobody is looked for after an observation: {effect:?}")
            }
        }
    }
}

fn profile() -> Profile {
    let capabilities = Capabilities {
        member_batch: 100,
        step_batch: 1,
        members: Observability::Full,
        visibility: Duration::ZERO,
        delete: DeleteMeans::Hard,
        disable: true,
        create_groups: true,
        request_timeout: Duration::from_secs(30),
    };
    Profile { measured: BTreeMap::new(), capabilities, principal: None, changes: None }
}

/// A target that holds accounts, and shares no text with the engine, as a real one does not.
#[derive(Default)]
struct Model {
    accounts: Vec<Attributes>,
}

impl Model {
    fn create(&mut self, step: &Step) -> TargetId {
        let Step::CreateAccount { attributes, enabled: true, .. } = step else { panic!("not a create: {step:?}") };
        self.accounts.push(copy(attributes));
        id(self.accounts.len() - 1)
    }

    fn page(&self, kind: Kind, page: Option<&PageToken>) -> Page {
        if kind != Kind::Accounts {
            return Page { items: Vec::new(), total: Some(0), next: None, profile: None, elsewhere: 0 };
        }
        let from: usize = page.map_or(0, |token| token.0.parse().unwrap());
        let to = (from + PAGE).min(self.accounts.len());
        let account = |at: usize| {
            let attributes = copy(&self.accounts[at]);
            Item::Account(Observed { id: id(at), enabled: true, attributes, holds: None })
        };
        let next = (to < self.accounts.len()).then(|| PageToken(to.to_string().into()));
        Page {
            items: (from..to).map(account).collect(),
            total: Some(self.accounts.len() as u64),
            next,
            profile: None,
            elsewhere: 0,
        }
    }
}

/// 32 hexadecimal digits, as scim2-server gives them.
fn id(at: usize) -> TargetId {
    TargetId::new(format!("{:032x}", (at as u128).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835)))
}

fn copy(attributes: &Attributes) -> Attributes {
    attributes.iter().map(|(name, value)| (name.as_str().into(), copy_value(value))).collect()
}

fn copy_value(value: &Value) -> Value {
    match value {
        Value::Text(text) => Value::Text((**text).into()),
        Value::List(list) => Value::List(list.iter().map(copy_value).collect()),
        Value::Map(map) => Value::Map(map.iter().map(|(key, value)| ((**key).into(), copy_value(value))).collect()),
        Value::Null | Value::Bool(_) | Value::Int(_) => value.clone(),
    }
}
