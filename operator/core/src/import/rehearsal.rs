//! What applying manifests to a target would write, by the engine itself, against what the target showed and an empty
//! ledger. Nothing is written: each step is answered as done, and time passes as fast as it is asked for.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::Shown;
use crate::directory::Schemas;
use crate::engine::{Answer, Effect, Engine, EngineEffect, EngineEvent};
use crate::model::{
    Applied, AttributeName, Change, CorrelationKey, EntitlementKind, Item, Kind, Ledger, Name, Now, Observed, Page,
    PageToken, Profile, Reason, Schema, Spent, Step, SyncMode, TargetError, TargetId,
};
use crate::report::Account;

/// Items in a page; the port's most.
const PAGE: usize = 500;
/// No rehearsal takes so long by its own time: whatever is not done by then waits for something.
const LONGEST: Duration = Duration::from_mins(9);

/// What applying would do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rehearsal {
    /// Accounts that would be ours.
    pub adopted: usize,
    /// Of these, the ones that would be written our mark.
    pub marks: usize,
    /// Everything else that would be written.
    pub writes: Vec<Write>,
    /// Whose account waits for something, why, and what a person would read.
    pub waiting: Vec<(Name, Reason, Arc<str>)>,
}

/// One write.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Write {
    /// The step's name.
    pub step: &'static str,
    /// The account by its user name, or the group by its name.
    pub on: Arc<str>,
    /// Which attributes; none for what is no attribute.
    pub attributes: Vec<AttributeName>,
}

/// Applies what is declared, as mode Enforce would, to what was shown.
pub fn rehearse(
    schemas: Schemas,
    namespace: &str,
    application: &Name,
    declared: Vec<Change>,
    shown: &Shown,
    now: jiff::Timestamp,
) -> Rehearsal {
    let mut schema = None;
    let declared = declared.into_iter().filter_map(|change| match change {
        Change::TargetApplication(mut manifest) if manifest.meta.name == *application => {
            manifest.meta.finalizer = true;
            manifest.meta.status = None;
            if let Ok(spec) = &mut manifest.spec {
                spec.mode = SyncMode::Enforce;
                // Nobody is spared here, and nothing is to be looked at twice.
                (spec.sync.requests_per_second, spec.sync.concurrency) = (10_000, 256);
                spec.sync.interval = Some(2 * LONGEST);
                schema = Some(schemas(spec.connector.kind));
            }
            Some(Change::TargetApplication(manifest))
        }
        Change::TargetApplication(_) => None,
        other => Some(other),
    });
    let declared: Vec<Change> = declared.collect();
    let Some(schema) = schema else { return Rehearsal::default() };
    let accounts = shown.accounts.iter().map(|account| (&account.id, account)).collect();
    let mut stage = Stage { shown, accounts, schema, made: 0, told: Rehearsal::default() };
    let mut engine = Engine::new(namespace, schemas);
    let mut time = Now { wall: now, mono: Duration::ZERO };
    stage.tell(&mut engine, EngineEvent::Listed(declared), time);
    while !engine.is_idle() && time.mono < LONGEST {
        let Some(next) = engine.next_wake(time).mono else { break };
        let passes = next.saturating_sub(time.mono).max(Duration::from_millis(1));
        time.mono += passes;
        time.wall = time.wall.checked_add(passes).unwrap_or(time.wall);
        stage.tell(&mut engine, EngineEvent::Tick, time);
    }
    stage.end(&engine, application)
}

struct Stage<'a> {
    shown: &'a Shown,
    accounts: BTreeMap<&'a TargetId, &'a Observed>,
    schema: &'static Schema,
    made: usize,
    told: Rehearsal,
}

impl Stage<'_> {
    /// Tells the engine, and answers everything that follows.
    fn tell(&mut self, engine: &mut Engine, event: EngineEvent, now: Now) {
        let mut effects = engine.handle(event, now);
        loop {
            if effects.is_empty() && engine.is_behind() {
                effects = engine.handle(EngineEvent::Tick, now);
            }
            let Some(effect) = effects.pop() else { break };
            if let EngineEffect::Do { application, id, effect } = effect {
                let answer = self.answer(effect);
                let spent = Spent::default();
                effects.extend(engine.handle(EngineEvent::Answered { application, effect: id, answer, spent }, now));
            }
        }
    }

    fn answer(&mut self, effect: Effect) -> Answer {
        match effect {
            Effect::Load => Answer::Loaded(Ok(Box::new(Ledger { next_id: 1, ..Ledger::default() }))),
            Effect::Probe(..) => {
                Answer::Probed(Ok(Box::new(Profile { changes: None, ..Profile::clone(&self.shown.profile) })))
            }
            Effect::Observe { kind, page } => Answer::Page(Ok(self.page(kind, page.as_ref()))),
            Effect::Find(key) => Answer::Found(Ok(self.find(&key))),
            Effect::Read(id) => Answer::Read(Ok(self.accounts.get(&id).map(|account| Observed::clone(account)))),
            Effect::Changes(_) => Answer::Changes(Err(TargetError::Unsupported("nothing changes here".into()))),
            Effect::Record(_) => Answer::Recorded(Ok(())),
            Effect::Apply(steps) => Answer::Applied(steps.iter().map(|step| Ok(self.apply(step))).collect()),
        }
    }

    fn page(&self, kind: Kind, page: Option<&PageToken>) -> Page {
        let of = match kind {
            Kind::Accounts => None,
            Kind::Groups => Some(EntitlementKind::Group),
            Kind::Roles => Some(EntitlementKind::Role),
            Kind::Licenses => Some(EntitlementKind::License),
        };
        let all: Vec<Item> = match of {
            None => self.shown.accounts.iter().cloned().map(Item::Account).collect(),
            Some(kind) => {
                let of_kind = self.shown.entitlements.iter().filter(|seen| seen.kind == kind);
                of_kind.cloned().map(Item::Entitlement).collect()
            }
        };
        let from: usize = page.and_then(|page| page.0.parse().ok()).unwrap_or_default();
        let total = all.len();
        let items: Vec<Item> = all.into_iter().skip(from).take(PAGE).collect();
        let reached = from + items.len();
        let next = (reached < total).then(|| PageToken(reached.to_string().into()));
        Page { items, total: u64::try_from(total).ok(), next, profile: None, elsewhere: 0 }
    }

    fn find(&self, key: &CorrelationKey) -> Vec<Observed> {
        let wanted = key.value.to_lowercase();
        let is = |account: &&Observed| {
            let held = account.attributes.get(&key.attribute).and_then(crate::plan::key_text);
            held.is_some_and(|held| held.to_lowercase() == wanted)
        };
        self.shown.accounts.iter().filter(is).cloned().collect()
    }

    fn apply(&mut self, step: &Step) -> Applied {
        let create = matches!(step, Step::CreateAccount { .. } | Step::CreateGroup { .. });
        self.made += usize::from(create);
        let mut attributes = attributes(step);
        let mark = self.mark(step);
        if let Some(mark) = &mark {
            self.told.marks += 1;
            attributes.retain(|attribute| attribute != mark);
        }
        if mark.is_none() || !attributes.is_empty() {
            self.told.writes.push(Write { step: step.name(), on: self.on(step), attributes });
        }
        let id = create.then(|| TargetId::new(format!("rehearsed-{}", self.made)));
        Applied { id, ..Applied::default() }
    }

    /// The attribute of our mark, if a step writes it where there is none.
    fn mark(&self, step: &Step) -> Option<AttributeName> {
        let (Step::UpdateAccount { id, set } | Step::RenameAccount { id, set }) = step else { return None };
        let mark = AttributeName::from(self.schema.mark?);
        let carried = self.accounts.get(id).is_some_and(|account| account.attributes.contains_key(&mark));
        (set.contains_key(&mark) && !carried).then_some(mark)
    }

    fn on(&self, step: &Step) -> Arc<str> {
        let account = |id: &TargetId| {
            let name = self.accounts.get(id).and_then(|account| account.text(self.schema.user_name));
            Arc::from(name.unwrap_or(id.as_str()))
        };
        let group = |id: &TargetId| {
            let found = self.shown.entitlements.iter().find(|seen| seen.id == *id);
            found.map_or_else(|| Arc::from(id.as_str()), |seen| Arc::clone(&seen.name))
        };
        match step {
            Step::CreateAccount { attributes, .. } => {
                let name = attributes.get(self.schema.user_name).and_then(crate::model::Value::as_text);
                name.unwrap_or_default().into()
            }
            Step::UpdateAccount { id, .. }
            | Step::RenameAccount { id, .. }
            | Step::EnableAccount { id }
            | Step::DisableAccount { id }
            | Step::DeleteAccount { id } => account(id),
            Step::CreateGroup { name, .. } | Step::UpdateGroup { name, .. } => Arc::clone(name),
            Step::DeleteGroup { id } | Step::AddMembers { group: id, .. } | Step::RemoveMembers { group: id, .. } => {
                group(id)
            }
            Step::Assign { entitlement, .. } | Step::Revoke { entitlement, .. } => group(entitlement),
        }
    }

    fn end(mut self, engine: &Engine, application: &Name) -> Rehearsal {
        let Some(sync) = engine.sync(application) else { return self.told };
        self.told.adopted = sync.records().filter(|record| record.target_id.is_some() && !record.created).count();
        for view in engine.directory().identities() {
            let Some(
                Account::Blocked(problem)
                | Account::Failed(problem)
                | Account::DisabledAtTarget(problem)
                | Account::Pending(Some(problem)),
            ) = engine.board().told(view.name, application).map(|(_, account)| account)
            else {
                continue;
            };
            self.told.waiting.push((view.name.clone(), problem.reason(), Arc::clone(problem.message())));
        }
        self.told.writes.sort();
        self.told
    }
}

fn attributes(step: &Step) -> Vec<AttributeName> {
    match step {
        Step::UpdateAccount { set, .. } | Step::RenameAccount { set, .. } => set.keys().cloned().collect(),
        Step::CreateAccount { attributes, .. } => attributes.keys().cloned().collect(),
        _ => Vec::new(),
    }
}
