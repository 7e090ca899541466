//! What is declared, small enough to be judged by a naive reader, and how people edit it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use provost_core::model::{EntitlementKind, Lifecycle, Name, SyncMode};

use super::random::Random;

pub const APPS: [&str; 2] = ["chat", "wiki"];
pub const ENTITLEMENTS: [&str; 3] = ["admin", "editor", "reader"];
/// The team whose members the first application mirrors.
pub const PUSHED: &str = "team0";
/// The user name of an account, at each target, that nobody may write to.
pub const PROTECTED: &str = "root";
/// The user name of an account that is nobody's, or its beginning.
pub const STRANGER: &str = "stranger";
const DEPARTMENTS: [&str; 3] = ["eng", "ops", "law"];

#[derive(Clone, Debug, PartialEq)]
pub struct Person {
    pub uid: u64,
    pub user_name: String,
    pub external: Option<String>,
    pub title: Option<String>,
    pub department: &'static str,
    pub manager: Option<Name>,
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
    /// Accounts exist this long before the start.
    pub lead: Option<Duration>,
    /// The manifest is invalid.
    pub broken: bool,
}

/// One application as it is declared.
#[derive(Clone, Debug, PartialEq)]
pub struct App {
    /// How often it was made.
    pub uid: u64,
    pub mode: SyncMode,
    pub finalizer: bool,
    /// It was deleted and waits for our finalizer to go.
    pub deleting: bool,
    /// It is not there.
    pub absent: bool,
    /// Deleting it takes every account.
    pub deprovisions: bool,
    /// Which target its connector speaks to: another number is another one.
    pub target: u64,
    pub approved: Arc<str>,
    pub acknowledged: Arc<str>,
    /// The catalogue.
    pub listed: BTreeSet<&'static str>,
    /// The pushed team is mirrored, and its group goes with its declaration.
    pub pushes: bool,
    pub prunes: bool,
    /// Accounts of ours that nobody owns are disabled.
    pub disables_orphans: bool,
}

impl App {
    fn new(app: &str) -> Self {
        Self {
            uid: 1,
            mode: SyncMode::Enforce,
            finalizer: false,
            deleting: false,
            absent: false,
            deprovisions: false,
            target: 0,
            approved: "".into(),
            acknowledged: "".into(),
            listed: ENTITLEMENTS.into(),
            pushes: app == APPS[0],
            prunes: app == APPS[0],
            disables_orphans: app == APPS[1],
        }
    }

    /// Whether anything may be written by what is declared.
    pub fn writes(&self) -> bool {
        !self.absent && self.mode == SyncMode::Enforce && (!self.deleting || self.deprovisions)
    }
}

#[derive(Clone, Debug, PartialEq)]
pub struct World {
    pub people: BTreeMap<Name, Person>,
    pub teams: BTreeMap<Name, Team>,
    pub rules: BTreeMap<Name, Rule>,
    pub apps: BTreeMap<&'static str, App>,
    pub serial: u64,
    /// How fast things happen: dates lie within this.
    pub pace: Duration,
    /// How often targets are observed.
    pub interval: Duration,
}

impl World {
    pub fn generate(random: &mut Random, people: u64, pace: Duration, interval: Duration) -> Self {
        let mut world = Self {
            people: BTreeMap::new(),
            teams: BTreeMap::new(),
            rules: BTreeMap::new(),
            apps: APPS.into_iter().map(|app| (app, App::new(app))).collect(),
            serial: 0,
            pace,
            interval,
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
            manager: None,
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

    fn edit_team(&mut self, random: &mut Random) -> String {
        let Some((person, _)) = self.person(random) else { return String::new() };
        let teams: Vec<Name> = self.teams.keys().cloned().collect();
        let Some(name) = random.pick(&teams).cloned() else { return String::new() };
        let Some(team) = self.teams.get_mut(&name) else { return String::new() };
        let leaves = team.members.remove(&person);
        if !leaves {
            team.members.insert(person.clone());
        }
        format!("{person} {} {name}", if leaves { "leaves" } else { "joins" })
    }

    fn add_rule(&mut self, random: &mut Random) -> String {
        let n = self.next();
        let deny = random.chance(20);
        let by_team = random.chance(50);
        let lead = random.chance(50).then(|| self.pace / 2);
        let teams: Vec<Name> = self.teams.keys().cloned().collect();
        let mut rule = Rule {
            deny,
            team: if by_team { random.pick(&teams).cloned() } else { None },
            department: if by_team { None } else { random.pick(&DEPARTMENTS).copied() },
            grants: BTreeMap::new(),
            lead: lead.filter(|_| !deny),
            broken: false,
        };
        for app in APPS {
            if random.chance(60) || (app == APPS[1] && rule.grants.is_empty()) {
                let named = ENTITLEMENTS.iter().filter(|_| random.chance(40)).copied().collect();
                rule.grants.insert(app, named);
            }
        }
        let verb = if deny { "denies" } else { "allows" };
        let what = format!("rule{n} {verb} {:?} to {:?} {:?}", rule.grants, rule.team, rule.department);
        self.rules.insert(Name::new(format!("rule{n}")), rule);
        what
    }

    /// One edit of somebody; says what it was.
    pub fn edit(&mut self, random: &mut Random, now: Timestamp) -> String {
        match random.below(24) {
            0 | 1 => format!("{} joins", self.join(random)),
            2 => self.rename(random),
            3 => self.retitle(random),
            4 | 5 => self.suspend(random),
            6 => self.end(random, now),
            7 => self.leave(random),
            8 => self.rehire(random),
            9..=11 => self.edit_team(random),
            12..=15 => self.edit_rule(random),
            16 => self.move_to(random),
            17 | 18 => self.report_to(random),
            19 | 20 => self.hire(random, now),
            _ => self.edit_app(random),
        }
    }

    fn edit_rule(&mut self, random: &mut Random) -> String {
        let rules: Vec<Name> = self.rules.keys().cloned().collect();
        let Some(name) = random.pick(&rules).cloned() else { return String::new() };
        match random.below(4) {
            0 => self.add_rule(random),
            1 if self.rules.len() > 2 => {
                self.rules.remove(&name);
                format!("{name} is dropped")
            }
            _ => {
                let Some(rule) = self.rules.get_mut(&name) else { return String::new() };
                rule.broken = !rule.broken && !rule.deny;
                format!("{name} is {}", if rule.broken { "broken" } else { "mended" })
            }
        }
    }

    fn move_to(&mut self, random: &mut Random) -> String {
        let Some((name, person)) = self.person(random) else { return String::new() };
        person.department = random.pick(&DEPARTMENTS).copied().unwrap_or("eng");
        format!("{name} moves to {}", person.department)
    }

    fn report_to(&mut self, random: &mut Random) -> String {
        let manager = self.person(random).map(|(name, _)| name).filter(|_| random.chance(80));
        let Some((name, person)) = self.person(random) else { return String::new() };
        person.manager = manager.filter(|manager| *manager != name);
        format!("{name} reports to {:?}", person.manager)
    }

    /// Somebody who starts later.
    fn hire(&mut self, random: &mut Random, now: Timestamp) -> String {
        let start = now.checked_add(random.within(self.pace * 2)).ok();
        let name = self.join(random);
        if let Some(person) = self.people.get_mut(&name) {
            person.lifecycle.start = start;
        }
        format!("{name} joins on {start:?}")
    }

    /// The application's owner edits its manifest while all goes on.
    fn edit_app(&mut self, random: &mut Random) -> String {
        let name = random.pick(&APPS).copied().unwrap_or(APPS[0]);
        let entitlement = random.pick(&ENTITLEMENTS).copied().unwrap_or("editor");
        let mode = *random.pick(&[SyncMode::Enforce, SyncMode::Plan, SyncMode::Paused]).unwrap_or(&SyncMode::Enforce);
        let Some(app) = self.apps.get_mut(name) else { return String::new() };
        if app.absent || app.deleting {
            return String::new();
        }
        let what = match random.below(12) {
            0 => {
                app.deleting = true;
                app.deprovisions = random.chance(50);
                format!("is deleted, {}", if app.deprovisions { "everybody loses it" } else { "all is retained" })
            }
            1 => {
                app.target += 1;
                format!("moves to target {}", app.target)
            }
            2..=5 => {
                app.mode = if app.mode == SyncMode::Enforce { mode } else { SyncMode::Enforce };
                format!("is in mode {:?}", app.mode)
            }
            6 | 7 => {
                if !app.listed.remove(entitlement) {
                    app.listed.insert(entitlement);
                }
                format!("lists {:?}", app.listed)
            }
            8 | 9 if name == APPS[0] => {
                app.pushes = !app.pushes;
                format!("mirrors the team: {}", app.pushes)
            }
            10 if name == APPS[0] => {
                app.prunes = !app.prunes;
                format!("prunes: {}", app.prunes)
            }
            _ => {
                app.disables_orphans = !app.disables_orphans;
                format!("disables orphans: {}", app.disables_orphans)
            }
        };
        format!("{name} {what}")
    }

    fn rename(&mut self, random: &mut Random) -> String {
        let n = self.next();
        let forbidden = random.chance(15);
        let Some((name, person)) = self.person(random) else { return String::new() };
        person.user_name = if forbidden { PROTECTED.to_owned() } else { format!("Renamed{n}") };
        format!("{name} is renamed {}", person.user_name)
    }

    fn retitle(&mut self, random: &mut Random) -> String {
        let n = self.next();
        let clear = random.chance(40);
        let Some((name, person)) = self.person(random) else { return String::new() };
        person.title = (!clear).then(|| format!("Title {n}"));
        format!("{name} has the title {:?}", person.title)
    }

    fn suspend(&mut self, random: &mut Random) -> String {
        let Some((name, person)) = self.person(random) else { return String::new() };
        person.lifecycle.suspended = !person.lifecycle.suspended;
        format!("{name} {}", if person.lifecycle.suspended { "is suspended" } else { "is back" })
    }

    fn end(&mut self, random: &mut Random, now: Timestamp) -> String {
        let wait = random.within(self.pace);
        let Some((name, person)) = self.person(random) else { return String::new() };
        person.lifecycle.end = match person.lifecycle.end {
            Some(_) => None,
            None => now.checked_add(wait).ok(),
        };
        format!("{name} ends on {:?}", person.lifecycle.end)
    }

    fn leave(&mut self, random: &mut Random) -> String {
        let Some((name, _)) = self.person(random) else { return String::new() };
        self.people.remove(&name);
        format!("{name} is deleted")
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

    /// Whether the members of an entitlement's (or the pushed team's) group are exactly those declared.
    pub fn is_authoritative(&self, app: &str, entitlement: &str) -> bool {
        let pushes = self.apps.get(app).is_some_and(|app| app.pushes);
        (entitlement == PUSHED && pushes) || (app == APPS[1] && entitlement == "editor")
    }

    /// What cannot be as declared for ever is declared otherwise.
    pub fn mend(&mut self) {
        for rule in self.rules.values_mut() {
            rule.broken = false;
        }
        for (name, app) in &mut self.apps {
            app.mode = SyncMode::Enforce;
            app.listed = ENTITLEMENTS.into();
            app.disables_orphans = *name == APPS[1];
        }
        for (name, person) in self.people.iter_mut().filter(|(_, person)| person.user_name == PROTECTED) {
            person.user_name = format!("once-{PROTECTED}-{name}");
        }
    }
}

/// The second application has a role among its groups, which nobody makes.
pub fn kind_of(app: &str, entitlement: &str) -> EntitlementKind {
    if app == APPS[1] && entitlement == "reader" { EntitlementKind::Role } else { EntitlementKind::Group }
}

/// The name of an entitlement's group at the target.
pub fn group_name(app: &str, entitlement: &str) -> String {
    format!("{app}-{entitlement}")
}
