//! What is declared, small enough to be judged by a naive reader, and how people edit it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use provost_core::model::{
    AccessPolicy, AccountSettings, Budget, Change, Connector, ConnectorKind, DeletionPolicy, Deprovision,
    DeprovisionStep, Effect, Entitlement, EntitlementKind, EntitlementTarget, Field, FieldError, GrantSpec, GrantWhat,
    Group, Identity, IdentityType, Invalid, Lifecycle, Manifest, Member, Membership, Meta, Name, ObjectRef, Orphaned,
    PolicyMode, PushedGroup, Safety, Source, Subject, SyncMode, SyncSettings, TargetApplication, Uid, UserName,
    Withholds,
};

use super::random::Random;

pub const APPS: [&str; 2] = ["chat", "wiki"];
pub const ENTITLEMENTS: [&str; 3] = ["admin", "editor", "reader"];
/// The team whose members the first application mirrors.
pub const PUSHED: &str = "team0";
const DEPARTMENTS: [&str; 3] = ["eng", "ops", "law"];

#[derive(Clone, Debug, PartialEq)]
pub struct Person {
    pub uid: u64,
    pub user_name: String,
    pub external: Option<String>,
    pub title: Option<String>,
    pub department: &'static str,
    pub lifecycle: Lifecycle,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Team {
    pub members: BTreeSet<Name>,
    pub department: Option<&'static str>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Rule {
    pub deny: bool,
    pub team: Option<Name>,
    pub department: Option<&'static str>,
    /// By application; no entitlements: the account alone (in a Deny: everything).
    pub grants: BTreeMap<&'static str, Vec<&'static str>>,
    /// The manifest is invalid.
    pub broken: bool,
}

#[derive(Clone, Debug, PartialEq)]
pub struct World {
    pub people: BTreeMap<Name, Person>,
    pub teams: BTreeMap<Name, Team>,
    pub rules: BTreeMap<Name, Rule>,
    pub finalizers: BTreeSet<&'static str>,
    pub approved: BTreeMap<&'static str, Arc<str>>,
    pub serial: u64,
}

impl World {
    pub fn generate(random: &mut Random, people: u64) -> Self {
        let mut world = Self {
            people: BTreeMap::new(),
            teams: BTreeMap::new(),
            rules: BTreeMap::new(),
            finalizers: BTreeSet::new(),
            approved: BTreeMap::new(),
            serial: 0,
        };
        for _ in 0..people {
            world.join(random);
        }
        for n in 0..3 {
            let department = (n == 0).then_some(DEPARTMENTS[0]);
            world.teams.insert(Name::new(format!("team{n}")), Team { members: BTreeSet::new(), department });
        }
        for _ in 0..people {
            world.edit_team(random);
        }
        for _ in 0..4 {
            world.add_rule(random);
        }
        world
    }

    fn next(&mut self) -> u64 {
        self.serial += 1;
        self.serial
    }

    pub fn join(&mut self, random: &mut Random) -> Name {
        let n = self.next();
        let person = Person {
            uid: n,
            user_name: format!("User{n}"),
            external: random.chance(70).then(|| format!("E-{n}")),
            title: random.chance(60).then(|| format!("Title {n}")),
            department: random.pick(&DEPARTMENTS).copied().unwrap_or("eng"),
            lifecycle: Lifecycle::default(),
        };
        let name = Name::new(format!("p{n}"));
        self.people.insert(name.clone(), person);
        name
    }

    fn person(&mut self, random: &mut Random) -> Option<(Name, &mut Person)> {
        let names: Vec<Name> = self.people.keys().cloned().collect();
        let name = random.pick(&names)?.clone();
        self.people.get_mut(&name).map(|person| (name, person))
    }

    fn edit_team(&mut self, random: &mut Random) {
        let Some((person, _)) = self.person(random) else { return };
        let teams: Vec<Name> = self.teams.keys().cloned().collect();
        let Some(team) = random.pick(&teams).and_then(|name| self.teams.get_mut(name)) else { return };
        if !team.members.remove(&person) {
            team.members.insert(person);
        }
    }

    fn add_rule(&mut self, random: &mut Random) {
        let n = self.next();
        let deny = random.chance(20);
        let by_team = random.chance(50);
        let teams: Vec<Name> = self.teams.keys().cloned().collect();
        let mut rule = Rule {
            deny,
            team: if by_team { random.pick(&teams).cloned() } else { None },
            department: if by_team { None } else { random.pick(&DEPARTMENTS).copied() },
            grants: BTreeMap::new(),
            broken: false,
        };
        for app in APPS {
            if random.chance(60) || (app == APPS[1] && rule.grants.is_empty()) {
                let named = ENTITLEMENTS.iter().filter(|_| random.chance(40)).copied().collect();
                rule.grants.insert(app, named);
            }
        }
        self.rules.insert(Name::new(format!("rule{n}")), rule);
    }

    /// One edit of somebody; says what it was.
    pub fn edit(&mut self, random: &mut Random, now: Timestamp) -> String {
        let rules: Vec<Name> = self.rules.keys().cloned().collect();
        let rule = random.pick(&rules).cloned();
        match random.below(16) {
            0 | 1 => format!("join {}", self.join(random)),
            2 => self.rename(random),
            3 => self.retitle(random),
            4 | 5 => self.suspend(random),
            6 => self.end(random, now),
            7 => self.leave(random),
            8 => self.rehire(random),
            9..=11 => {
                self.edit_team(random);
                "team".into()
            }
            12 => {
                self.add_rule(random);
                "add a rule".into()
            }
            13 if self.rules.len() > 2 => {
                let Some(name) = rule else { return String::new() };
                self.rules.remove(&name);
                format!("drop {name}")
            }
            14 => {
                let Some((name, person)) = self.person(random) else { return String::new() };
                person.department = random.pick(&DEPARTMENTS).copied().unwrap_or("eng");
                format!("move {name} to {}", person.department)
            }
            _ => {
                let Some((name, rule)) = rule.and_then(|n| Some((n.clone(), self.rules.get_mut(&n)?))) else {
                    return String::new();
                };
                rule.broken = !rule.broken && !rule.deny;
                format!("{name} broken: {}", rule.broken)
            }
        }
    }

    fn rename(&mut self, random: &mut Random) -> String {
        let n = self.next();
        let Some((name, person)) = self.person(random) else { return String::new() };
        person.user_name = format!("Renamed{n}");
        format!("rename {name} to {}", person.user_name)
    }

    fn retitle(&mut self, random: &mut Random) -> String {
        let n = self.next();
        let clear = random.chance(40);
        let Some((name, person)) = self.person(random) else { return String::new() };
        person.title = (!clear).then(|| format!("Title {n}"));
        format!("title of {name}: {:?}", person.title)
    }

    fn suspend(&mut self, random: &mut Random) -> String {
        let Some((name, person)) = self.person(random) else { return String::new() };
        person.lifecycle.suspended = !person.lifecycle.suspended;
        format!("{name} suspended: {}", person.lifecycle.suspended)
    }

    fn end(&mut self, random: &mut Random, now: Timestamp) -> String {
        let wait = random.within(Duration::from_mins(1));
        let Some((name, person)) = self.person(random) else { return String::new() };
        person.lifecycle.end = match person.lifecycle.end {
            Some(_) => None,
            None => now.checked_add(wait).ok(),
        };
        format!("end of {name}: {:?}", person.lifecycle.end)
    }

    fn leave(&mut self, random: &mut Random) -> String {
        let Some((name, _)) = self.person(random) else { return String::new() };
        self.people.remove(&name);
        format!("delete {name}")
    }

    /// The same person under a new object.
    fn rehire(&mut self, random: &mut Random) -> String {
        let n = self.next();
        let Some((old, person)) = self.person(random) else { return String::new() };
        let mut person = person.clone();
        if person.external.is_none() {
            return String::new();
        }
        person.uid = n;
        self.people.remove(&old);
        let name = Name::new(format!("p{n}"));
        self.people.insert(name.clone(), person);
        format!("{old} is handed over to {name}")
    }

    pub fn mend(&mut self) {
        for rule in self.rules.values_mut() {
            rule.broken = false;
        }
    }

    /// Everything as manifests.
    pub fn manifests(&self) -> Vec<Change> {
        let mut out = Vec::new();
        for (name, person) in &self.people {
            out.push(Change::Identity(Manifest { meta: meta(name, person.uid), spec: Ok(identity(name, person)) }));
        }
        for (name, team) in &self.teams {
            let members = team.members.iter();
            let members = members.map(|m| Member { subject: Subject::Identity(m.clone()), not_after: None }).collect();
            let rule = team.department.map(|d| source(&format!("identity.department == \"{d}\"")));
            let group = Group { members, rule, ..Group::default() };
            out.push(Change::Group(Manifest { meta: meta(name, 1), spec: Ok(group) }));
        }
        for (name, rule) in &self.rules {
            let spec = if rule.broken { Err(invalid()) } else { Ok(policy(rule)) };
            out.push(Change::AccessPolicy(Manifest { meta: meta(name, 1), spec }));
        }
        for app in APPS {
            let mut meta = meta(&Name::new(app), 1);
            meta.finalizer = self.finalizers.contains(app);
            let spec = Ok(application(app, self.approved.get(app).cloned().unwrap_or_else(|| "".into())));
            out.push(Change::TargetApplication(Box::new(Manifest { meta, spec })));
        }
        out
    }

    /// What a watch tells of the way from `self` to `other`.
    pub fn difference(&self, other: &Self) -> Vec<Change> {
        let before = self.manifests();
        let after = other.manifests();
        let named: BTreeSet<ObjectRef> = after.iter().map(Change::object).collect();
        let gone = before.iter().map(Change::object).filter(|o| !named.contains(o)).map(Change::Gone);
        let changed = after.iter().filter(|change| !before.contains(change)).cloned();
        gone.chain(changed).collect()
    }
}

fn meta(name: &Name, uid: u64) -> Meta {
    Meta {
        name: name.clone(),
        uid: Uid::new(&format!("{name}-{uid}")),
        generation: 1,
        created: Timestamp::UNIX_EPOCH,
        deleting: false,
        finalizer: false,
        reconcile_now: None,
        status: None,
    }
}

fn source(text: &str) -> Source {
    Source { text: text.into(), path: "spec.match".into() }
}

fn identity(name: &Name, person: &Person) -> Identity {
    let mut texts: Vec<(Field, Arc<str>)> =
        vec![(Field::DisplayName, format!("Display {name}").into()), (Field::Department, person.department.into())];
    texts.extend(person.title.as_ref().map(|title| (Field::Title, Arc::from(title.as_str()))));
    texts.sort();
    Identity {
        kind: IdentityType::Person,
        user_name: UserName::new(person.user_name.as_str(), &person.user_name.to_lowercase()),
        external_id: person.external.as_deref().map(Arc::from),
        texts: texts.into(),
        emails: Box::default(),
        phone_numbers: Box::default(),
        addresses: Box::default(),
        manager: None,
        custom: Box::default(),
        lifecycle: person.lifecycle,
    }
}

fn policy(rule: &Rule) -> AccessPolicy {
    let what = |named: &Vec<&'static str>| {
        if named.is_empty() {
            GrantWhat::Account
        } else {
            GrantWhat::Named(named.iter().map(|n| Name::new(*n)).collect())
        }
    };
    let grants = rule.grants.iter().map(|(app, named)| GrantSpec { application: Name::new(*app), what: what(named) });
    AccessPolicy {
        effect: if rule.deny { Effect::Deny } else { Effect::Allow },
        mode: PolicyMode::Enforce,
        subjects: rule.team.as_ref().map(|team| vec![Subject::Group(team.clone())]),
        rule: rule.department.map(|d| source(&format!("identity.department == \"{d}\""))),
        grants: grants.collect(),
        not_before: None,
        not_after: None,
        lead_time: None,
    }
}

fn invalid() -> Invalid {
    let error = FieldError { path: "spec".into(), value: None, message: "is broken".into(), remedy: "mend it".into() };
    Invalid { lifecycle: None, withholds: Withholds::NOTHING, errors: vec![error] }
}

/// Whether the members of an entitlement's (or the pushed team's) group are exactly those declared.
pub fn is_authoritative(app: &str, entitlement: &str) -> bool {
    entitlement == PUSHED || (app == APPS[1] && entitlement == "editor")
}

/// The name of an entitlement's group at the target.
pub fn group_name(app: &str, entitlement: &str) -> String {
    format!("{app}-{entitlement}")
}

fn application(app: &str, approved: Arc<str>) -> TargetApplication {
    let entitlement = |name: &&str| Entitlement {
        name: Name::new(*name),
        target: EntitlementTarget {
            kind: EntitlementKind::Group,
            name: group_name(app, name).into(),
            create: *name != "reader",
        },
        membership: if is_authoritative(app, name) { Membership::Authoritative } else { Membership::Additive },
        privileged: *name == "admin",
        requires: None,
    };
    let pushed = (app == APPS[0]).then(|| PushedGroup {
        group: Name::new(PUSHED),
        name: group_name(app, PUSHED).into(),
        membership: Membership::Authoritative,
        prune: false,
    });
    let delete_after = (app == APPS[0]).then(|| Duration::from_mins(5));
    let window = Duration::from_hours(1);
    TargetApplication {
        mode: SyncMode::Enforce,
        connector: Connector { kind: ConnectorKind::Fake, fingerprint: app.into(), settings: serde_json::Value::Null },
        sync: SyncSettings {
            interval: Duration::from_mins(1),
            requests_per_second: 50,
            concurrency: if app == APPS[0] { 1 } else { 4 },
            settle_removals: Duration::from_secs(2),
            settle_privileged: Duration::from_secs(2),
        },
        account: AccountSettings {
            correlate: Vec::new(),
            adopt: true,
            attributes: Vec::new(),
            initial_password: false,
            correct_disabled: false,
            recreate_deleted: true,
        },
        deprovision: Deprovision {
            lost: DeprovisionStep::Disable { delete_after: None },
            ended: DeprovisionStep::Disable { delete_after },
        },
        entitlements: ENTITLEMENTS.iter().map(entitlement).collect(),
        pushed_groups: pushed.into_iter().collect(),
        orphaned: Orphaned::Report,
        safety: Safety {
            removals: vec![Budget { count: 6, percent: 20, window }],
            privileged_grants: vec![Budget { count: 5, percent: 20, window }],
            protected: Vec::new(),
            approved_plan: approved,
            acknowledge: "".into(),
        },
        deletion_policy: DeletionPolicy::Retain,
        release_after: Duration::from_mins(10),
    }
}
