//! A target and a store that do as they are told, and an engine between them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use provost_crds as crds;
use serde_json::Value;

use super::super::{Answer, Effect, Engine, EngineEffect, EngineEvent, Note, StoreFailure};
use super::target::profile;
use crate::directory::Schemas;
use crate::directory::tests::schemas;
use crate::input;
use crate::model::{
    AttributeName, Change, EntitlementKind, GroupRecord, Intent, IntentId, Item, Kind, Ledger, LedgerChange, Name, Now,
    ObjectKind, Observability, Observed, ObservedEntitlement, Outcome, Page, Profile, Record, RecordId, Spent,
    Standing, StoreStamp, TargetError, TargetId,
};

/// Target, store and time, in one place.
pub(super) struct World {
    pub(super) engine: Engine,
    pub(super) second: i64,
    pub(super) reachable: bool,
    /// Where it is not reachable, not even a connection is made.
    pub(super) refuses_connections: bool,
    /// Where it is not reachable, this is what one reads of it.
    pub(super) fails: Option<TargetError>,
    /// Somebody else has something of whatever is renamed.
    pub(super) collides: bool,
    /// The answers of writes are lost.
    pub(super) lose: bool,
    /// They are done all the same.
    pub(super) done: bool,
    /// Writes are answered by a request to wait so long.
    pub(super) pause: Option<Duration>,
    /// They are not lost, but told as failed.
    pub(super) transient: bool,
    /// Accounts are refused, for this field and in these words.
    pub(super) refuses: Option<(AttributeName, Arc<str>)>,
    /// Listings claim a total.
    pub(super) counts: bool,
    /// Groups cannot be listed.
    pub(super) groups_fail: bool,
    /// How often groups were listed.
    pub(super) listings: usize,
    /// What was published.
    pub(super) notes: Vec<Note>,
    /// What was applied, by name.
    pub(super) applied: Vec<&'static str>,
    /// The target goes away with the first lost answer.
    pub(super) goes: bool,
    /// Whatever is written to this account is answered by an error that says nothing of what was done.
    pub(super) broken: Option<TargetId>,
    /// How often our finalizer was asked for, and whether to be put on.
    pub(super) finalizers: usize,
    pub(super) finalizer: bool,
    /// Writes that reached the target, done or not.
    pub(super) writes: usize,
    /// Requests that carried them.
    pub(super) requests: usize,
    /// Steps that the target takes at once.
    pub(super) batch: usize,
    /// Steps of this name are refused.
    pub(super) forbidden: Option<&'static str>,
    /// And answered by something that cannot do them; or cannot list groups.
    pub(super) unable: Option<&'static str>,
    /// Listings do not show who is in a group.
    pub(super) blind: bool,
    /// Where they do not, whether an account is in a group is answered by a read.
    pub(super) answers: bool,
    /// When which account was read by its id.
    pub(super) asked: Vec<(i64, TargetId)>,
    /// The target tells what has changed.
    pub(super) tells: super::changes::Tells,
    /// Listings do not come to the total that they claim.
    pub(super) miscounts: bool,
    /// Reads by id succeed.
    pub(super) reads: bool,
    /// Reads by id that do not succeed are refused.
    pub(super) forbids: bool,
    /// How often an account was read by its id.
    pub(super) read: usize,
    /// How long what was written may not be seen, as the connector says.
    pub(super) visibility: Duration,
    /// Until this second no account is seen, and none is found to be written to.
    pub(super) hides: i64,
    /// Listings leave this account out.
    pub(super) unlisted: Option<TargetId>,
    /// References hold names: one who is renamed leaves those that refer to them with a name that is nobody's.
    pub(super) by_name: bool,
    /// Groups that must be there when an application is Ready.
    pub(super) asserts_groups: usize,
    pub(super) schemas: Schemas,
    pub(super) accounts: BTreeMap<TargetId, Observed>,
    /// Groups at the target.
    pub(super) mirrors: BTreeMap<TargetId, ObservedEntitlement>,
    pub(super) records: BTreeMap<RecordId, Record>,
    pub(super) intents: BTreeMap<IntentId, Intent>,
    /// Every intent that was stored, in order.
    pub(super) opened: Vec<Intent>,
    pub(super) groups: BTreeMap<TargetId, GroupRecord>,
    pub(super) standing: Standing,
    pub(super) store: Option<StoreStamp>,
    /// The store can be read.
    pub(super) loads: bool,
    pub(super) next: u64,
    pub(super) statuses: BTreeMap<String, Value>,
    /// What was written, in order: the object, the status and the reason of Ready.
    pub(super) written: Vec<String>,
    /// The titles that accounts must have before their identities of generation 2 may be Ready.
    pub(super) titles: &'static str,
}

impl World {
    pub(super) fn new() -> Self {
        Self::with(schemas)
    }

    /// Of a connector that says this of itself.
    pub(super) fn with(schemas: Schemas) -> Self {
        Self {
            engine: Engine::new("acme", schemas),
            second: 0,
            reachable: true,
            refuses_connections: false,
            fails: None,
            collides: false,
            lose: false,
            done: true,
            pause: None,
            transient: false,
            refuses: None,
            counts: true,
            groups_fail: false,
            listings: 0,
            notes: Vec::new(),
            applied: Vec::new(),
            goes: false,
            broken: None,
            finalizers: 0,
            finalizer: false,
            writes: 0,
            requests: 0,
            batch: 1,
            forbidden: None,
            unable: None,
            blind: false,
            answers: false,
            asked: Vec::new(),
            tells: super::changes::Tells::default(),
            miscounts: false,
            reads: true,
            forbids: false,
            read: 0,
            visibility: Duration::ZERO,
            hides: 0,
            unlisted: None,
            by_name: false,
            asserts_groups: 0,
            schemas,
            accounts: BTreeMap::new(),
            mirrors: BTreeMap::new(),
            records: BTreeMap::new(),
            intents: BTreeMap::new(),
            opened: Vec::new(),
            groups: BTreeMap::new(),
            standing: Standing::default(),
            store: None,
            loads: true,
            next: 1,
            statuses: BTreeMap::new(),
            written: Vec::new(),
            titles: "",
        }
    }

    pub(super) fn now(&self) -> Now {
        let mono = Duration::from_secs(u64::try_from(self.second).unwrap());
        Now { wall: Timestamp::from_second(1_800_000_000 + self.second).unwrap(), mono }
    }

    /// The same target and store under a new process, which lists what is declared with the statuses that were written.
    pub(super) fn restart(&mut self, declared: &[Value]) {
        self.engine = Engine::new("acme", self.schemas);
        self.written.clear();
        self.list(declared);
    }

    pub(super) fn list(&mut self, declared: &[Value]) {
        let all = declared.iter().map(|object| self.change(object)).collect();
        self.tell(EngineEvent::Listed(all));
    }

    pub(super) fn change(&self, object: &Value) -> Change {
        let mut object = object.clone();
        if let Some(status) = self.statuses.get(object["metadata"]["name"].as_str().unwrap()) {
            object["status"] = status.clone();
        }
        match object["kind"].as_str().unwrap() {
            "Identity" => input::identity_change(&serde_json::from_value::<crds::Identity>(object).unwrap()),
            "Group" => input::group_change(&serde_json::from_value(object).unwrap()),
            "AccessPolicy" => input::access_policy_change(&serde_json::from_value(object).unwrap()),
            _ => input::target_application_change(&serde_json::from_value(object).unwrap()),
        }
    }

    /// Tells the engine, answers everything that follows from it, and writes what is due.
    pub(super) fn tell(&mut self, event: EngineEvent) {
        let mut effects = self.handle(event);
        loop {
            if effects.is_empty() && self.engine.is_behind() {
                effects = self.handle(EngineEvent::Tick);
            }
            let Some(effect) = effects.pop() else { break };
            if let EngineEffect::Note(note) = &effect {
                self.notes.push(note.clone());
            }
            if let EngineEffect::Finalizer { on, .. } = &effect {
                (self.finalizers, self.finalizer) = (self.finalizers + 1, *on);
            }
            if let EngineEffect::Do { application, id, effect } = effect {
                self.write();
                let answer = self.answer(effect);
                let event = EngineEvent::Answered { application, effect: id, answer, spent: Spent::default() };
                effects.extend(self.handle(event));
            }
        }
        self.write();
    }

    /// Lets time pass, a second at a time.
    pub(super) fn pass(&mut self, seconds: i64) {
        for _ in 0..seconds {
            self.second += 1;
            self.tell(EngineEvent::Tick);
        }
    }

    /// Lets time pass, from one moment at which the engine wants to be woken to the next, to whole seconds; how
    /// often it was woken.
    pub(super) fn sleep(&mut self, seconds: i64) -> usize {
        let (end, mut woken) = (self.second + seconds, 0);
        while self.second < end {
            let wake = self.engine.next_wake(self.now());
            let wall = wake.wall.map(|at| at.as_second() + 1 - 1_800_000_000);
            let mono = wake.mono.map(|at| i64::try_from(at.as_millis().div_ceil(1000)).unwrap());
            let next = wall.into_iter().chain(mono).min().unwrap_or(end);
            self.second = next.clamp(self.second + 1, end);
            self.tell(EngineEvent::Tick);
            woken += 1;
        }
        woken
    }

    pub(super) fn write(&mut self) {
        let taken = self.engine.take_status(self.now(), 100);
        self.notes.extend(taken.notes);
        for update in taken.updates {
            let ready = &update.status["conditions"][0];
            let text = |field: &str| ready[field].as_str().unwrap();
            self.written.push(format!("{} {} {}", update.object.name, text("status"), text("reason")));
            if text("status") == "True" && update.status["observedGeneration"] == 2 && !self.titles.is_empty() {
                let name = update.object.name.as_str();
                let account = self.accounts.values().find(|account| account.text("userName") == Some(name)).unwrap();
                assert_eq!(account.text("title"), Some(self.titles), "{name} is told as done before it is");
            }
            if text("status") == "True" && update.object.kind == ObjectKind::TargetApplication {
                assert!(
                    self.mirrors.len() >= self.asserts_groups,
                    "{} is Ready without its groups",
                    update.object.name
                );
            }
            self.statuses.insert(update.object.name.to_string(), update.status);
        }
    }

    pub(super) fn written(&mut self, name: &str) -> Vec<String> {
        self.written.iter().filter_map(|line| line.strip_prefix(name)?.strip_prefix(' ')).map(str::to_owned).collect()
    }

    /// How somebody's account in the wiki stands, in a word.
    pub(super) fn account(&self, name: &str) -> String {
        let (_, account) = self.engine.board().told(&Name::from(name), &Name::from("wiki")).unwrap();
        format!("{account:?}").split(['(', ' ']).next().unwrap().to_owned()
    }

    #[allow(clippy::too_many_lines, reason = "one arm for each effect")]
    pub(super) fn answer(&mut self, effect: Effect) -> Answer {
        let (refuses, fails) = (self.refuses_connections, self.fails.clone());
        let down = || {
            let words: Arc<str> = "connection refused".into();
            let error = if refuses { TargetError::Unreachable(words) } else { TargetError::Transient(words) };
            fails.clone().unwrap_or(error)
        };
        match effect {
            Effect::Load if !self.loads => Answer::Loaded(Err(StoreFailure("it is locked".into()))),
            Effect::Load => Answer::Loaded(Ok(Box::new(Ledger {
                records: self.records.values().cloned().collect(),
                intents: self.intents.values().cloned().collect(),
                groups: self.groups.values().cloned().collect(),
                standing: self.standing.clone(),
                next_id: self.next,
                store: self.store.clone(),
            }))),
            Effect::Probe(..) if !self.reachable => Answer::Probed(Err(down())),
            Effect::Probe(..) if self.pause.is_some() => {
                Answer::Probed(Err(TargetError::RateLimited { retry_after: self.pause }))
            }
            Effect::Probe(..) => {
                let profile = profile(self.members_are(), self.batch, self.visibility);
                Answer::Probed(Ok(Box::new(Profile { changes: self.tells.cursor(), ..profile })))
            }
            Effect::Changes(from) => self.changes(&from),
            Effect::Observe { kind: Kind::Groups, .. } if self.groups_fail => Answer::Page(Err(down())),
            Effect::Observe { kind: Kind::Groups, .. } if self.unable == Some("ListGroups") => {
                Answer::Page(Err(TargetError::Unsupported("HTTP 405 for GET".into())))
            }
            Effect::Observe { .. } if !self.reachable => Answer::Page(Err(down())),
            Effect::Find(_) if !self.reachable => Answer::Found(Err(down())),
            Effect::Read(_) if self.forbids => {
                self.read += 1;
                let (reason, detail) = ("403".into(), "".into());
                Answer::Read(Err(TargetError::Rejected { field: None, reason, detail }))
            }
            Effect::Read(id) if !self.reachable || !self.reads => {
                self.asked.push((self.second, id));
                Answer::Read(Err(down()))
            }
            Effect::Apply(steps) if !self.reachable => Answer::Applied(steps.iter().map(|_| Err(down())).collect()),
            Effect::Apply(steps) if self.pause.is_some() => {
                let limited = |_| Err(TargetError::RateLimited { retry_after: self.pause });
                Answer::Applied(steps.iter().map(limited).collect())
            }
            Effect::Apply(steps) if self.lose => {
                self.reachable = !self.goes;
                let transient = self.transient;
                let lost = |step| {
                    if self.done {
                        self.apply(step);
                    }
                    let words: Arc<str> = "the connection was cut".into();
                    Err(if transient { TargetError::Transient(words) } else { TargetError::Lost(words) })
                };
                Answer::Applied(steps.into_iter().map(lost).collect())
            }
            Effect::Observe { kind, .. } => {
                let items: Vec<_> = match kind {
                    Kind::Accounts => self.seen().cloned().map(Item::Account).collect(),
                    Kind::Groups => {
                        let shown = |group: &ObservedEntitlement| ObservedEntitlement {
                            members: group.members.clone().filter(|_| !self.blind),
                            ..group.clone()
                        };
                        self.mirrors.values().map(shown).map(Item::Entitlement).collect()
                    }
                    Kind::Roles | Kind::Licenses => Vec::new(),
                };
                let total = items.len() as u64 + u64::from(self.miscounts);
                self.listings += usize::from(kind == Kind::Groups);
                Answer::Page(Ok(Page {
                    total: self.counts.then_some(total),
                    items,
                    next: None,
                    profile: None,
                    elsewhere: 0,
                }))
            }
            Effect::Find(key) => {
                let found = self.seen().filter(|a| a.text(key.attribute.as_str()) == Some(&*key.value));
                Answer::Found(Ok(found.cloned().collect()))
            }
            Effect::Read(id) => {
                self.read += 1;
                self.asked.push((self.second, id.clone()));
                let held = self.mirrors.values().filter(|group| group.members.iter().flatten().any(|m| *m == id));
                let holds = self.answers.then(|| held.map(|group| group.id.clone()).collect());
                let there = self.accounts.get(&id).filter(|_| !self.is_hiding()).cloned();
                Answer::Read(Ok(there.map(|account| Observed { holds, ..account })))
            }
            Effect::Record(changes) => {
                let minute = self.now().wall.as_second() / 60;
                self.store.iter_mut().for_each(|store| store.epoch = store.epoch.max(minute));
                for change in changes {
                    self.record(change);
                }
                Answer::Recorded(Ok(()))
            }
            Effect::Apply(steps) => {
                self.writes += steps.len();
                self.requests += 1;
                Answer::Applied(steps.into_iter().map(|step| self.try_to(step)).collect())
            }
        }
    }

    pub(super) fn record(&mut self, change: LedgerChange) {
        match change {
            LedgerChange::Put(record) => {
                self.next = self.next.max(record.id.0 + 1);
                self.records.insert(record.id, (*record).clone());
            }
            LedgerChange::Forget(id) => _ = self.records.remove(&id),
            LedgerChange::Open(intent) => {
                self.next = self.next.max(intent.id.0 + 1);
                self.opened.push((*intent).clone());
                self.intents.insert(intent.id, (*intent).clone());
            }
            LedgerChange::Close(_, Outcome::Lost) => {}
            LedgerChange::Close(id, _) => _ = self.intents.remove(&id),
            LedgerChange::PutGroup(group) => _ = self.groups.insert(group.target_id.clone(), group),
            LedgerChange::ForgetGroup(id) => _ = self.groups.remove(&id),
            LedgerChange::Standing(standing) => self.standing = *standing,
        }
    }

    /// How completely the target shows who is in a group.
    fn members_are(&self) -> Observability {
        match (self.blind, self.answers) {
            (false, _) => Observability::Full,
            (true, true) => Observability::Probe,
            (true, false) => Observability::None,
        }
    }

    /// A group that is there, without members.
    pub(super) fn mirror(&mut self, name: &str, mark: Option<Arc<str>>) {
        let id = TargetId::new(format!("g-{name}"));
        let (kind, members) = (EntitlementKind::Group, Some(Vec::new()));
        let groups = Vec::new();
        self.mirrors.insert(id.clone(), ObservedEntitlement { id, kind, name: name.into(), mark, members, groups });
    }

    pub(super) fn members(&mut self, group: &TargetId) -> &mut Vec<TargetId> {
        self.mirrors.get_mut(group).unwrap().members.as_mut().unwrap()
    }

    /// The user names of a group's members, sorted.
    pub(super) fn names_in(&self, group: &str) -> Vec<&str> {
        let members = self.mirrors[&TargetId::new(format!("g-{group}"))].members.as_ref().unwrap();
        let mut held: Vec<_> = members.iter().map(|id| self.accounts[id].text("userName").unwrap()).collect();
        held.sort_unstable();
        held
    }

    /// The target's id of somebody's account.
    pub(super) fn id_of(&self, user_name: &str) -> TargetId {
        self.accounts.values().find(|account| account.text("userName") == Some(user_name)).unwrap().id.clone()
    }
}
