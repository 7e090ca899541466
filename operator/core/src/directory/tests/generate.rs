//! Generated changes: few names, so that everything collides; names that are never there; times that pass.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;

use super::rule::Rule;
use super::{application, source};
use crate::model::{
    AccessPolicy, Apply, Change, Contact, Custom, Effect, Field, FieldError, GrantSpec, GrantWhat, Group, Identity,
    IdentityType, Invalid, Lifecycle, Manifest, Mapping, MappingSource, Member, Meta, Name, ObjectKind, ObjectRef,
    PolicyMode, Subject, UserName, Withholds,
};
use crate::random::splitmix64;

pub(super) const IDENTITIES: [&str; 7] = ["ada", "bob", "cyn", "dan", "eve", "flo", "gil"];
/// The last one is never there.
pub(super) const GROUPS: [&str; 6] = ["g0", "g1", "g2", "g3", "g4", "nowhere"];
pub(super) const POLICIES: [&str; 5] = ["p0", "p1", "p2", "p3", "p4"];
/// The last one is never there.
pub(super) const APPLICATIONS: [&str; 3] = ["chat", "wiki", "nowhere"];
const ENTITLEMENTS: [&str; 4] = ["admin", "editor", "reader", "nothing"];

/// One seed decides everything.
pub(crate) struct Random(pub u64);

impl Random {
    pub fn below(&mut self, n: u64) -> u64 {
        splitmix64(&mut self.0) % n
    }

    pub fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    pub fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[usize::try_from(self.below(from.len() as u64)).unwrap()]
    }

    fn maybe<T>(&mut self, percent: u64, make: impl FnOnce(&mut Self) -> T) -> Option<T> {
        self.chance(percent).then(|| make(self))
    }

    /// Somewhere within the run.
    fn time(&mut self) -> Timestamp {
        at(i64::try_from(self.below(200)).unwrap())
    }

    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for i in (1..items.len()).rev() {
            items.swap(i, usize::try_from(self.below(i as u64 + 1)).unwrap());
        }
    }
}

pub(super) fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + seconds).unwrap()
}

/// A namespace as the test knows it: what was last said of each object, and rules as trees by their printed form.
#[derive(Clone, Default)]
pub(super) struct World {
    pub objects: BTreeMap<ObjectRef, Change>,
    pub rules: BTreeMap<String, Rule>,
}

impl World {
    /// Invents a batch, keeps it and answers it.
    pub fn batch(&mut self, random: &mut Random, size: u64) -> Vec<Change> {
        let batch: Vec<Change> = (0..size).map(|_| self.change(random)).collect();
        for change in &batch {
            let object = change.object();
            match change {
                Change::Gone(_) => _ = self.objects.remove(&object),
                change => _ = self.objects.insert(object, change.clone()),
            }
        }
        batch
    }

    fn change(&mut self, random: &mut Random) -> Change {
        let (kind, name) = match random.below(10) {
            0..=4 => (ObjectKind::Identity, random.pick(&IDENTITIES)),
            5 | 6 => (ObjectKind::Group, random.pick(&GROUPS[..5])),
            7 | 8 => (ObjectKind::AccessPolicy, random.pick(&POLICIES)),
            _ => (ObjectKind::TargetApplication, random.pick(&APPLICATIONS[..2])),
        };
        let object = ObjectRef { kind, name: name.into() };
        if random.chance(12) {
            return Change::Gone(object);
        }
        let meta = meta(random, name);
        match kind {
            ObjectKind::Identity => Change::Identity(Manifest { spec: spec(random, identity), meta }),
            ObjectKind::Group => Change::Group(Manifest { spec: spec(random, |r| self.group(r)), meta }),
            ObjectKind::AccessPolicy => {
                let policy = self.policy(random);
                let grants = policy.grants.clone();
                let mut spec = spec(random, |_| policy);
                if let Err(invalid) = &mut spec {
                    let all = random.chance(30);
                    invalid.withholds = if all { Withholds::Anything } else { Withholds::These(grants) };
                }
                Change::AccessPolicy(Manifest { meta, spec })
            }
            ObjectKind::TargetApplication => {
                Change::TargetApplication(Box::new(Manifest { spec: spec(random, |r| self.application(r)), meta }))
            }
        }
    }

    fn keep(&mut self, rule: Rule, path: &str) -> crate::model::Source {
        let text = rule.print();
        self.rules.insert(text.clone(), rule);
        source(path, &text)
    }

    fn group(&mut self, random: &mut Random) -> Group {
        let member =
            |random: &mut Random| Member { subject: subject(random), not_after: random.maybe(25, Random::time) };
        Group {
            display_name: None,
            members: (0..random.below(4)).map(|_| member(random)).collect(),
            rule: random.maybe(45, |r| Rule::bare(r, 2)).map(|rule| self.keep(rule, "spec.match")),
            exclude: random.maybe(35, subject).into_iter().collect(),
        }
    }

    fn policy(&mut self, random: &mut Random) -> AccessPolicy {
        let effect = if random.chance(70) { Effect::Allow } else { Effect::Deny };
        let subjects = random.maybe(60, |r| (0..=r.below(2)).map(|_| subject(r)).collect::<Vec<_>>());
        let ruled = subjects.is_none() || random.chance(40);
        let rule = ruled.then(|| Rule::any(random, 2)).map(|rule| self.keep(rule, "spec.match"));
        let from = random.maybe(20, Random::time);
        let mut grants: Vec<GrantSpec> = Vec::new();
        for application in APPLICATIONS {
            if random.chance(50) {
                grants.push(GrantSpec { application: application.into(), what: what(random, effect) });
            }
        }
        AccessPolicy {
            effect,
            mode: if random.chance(85) { PolicyMode::Enforce } else { PolicyMode::Audit },
            subjects,
            rule,
            grants,
            not_before: from,
            not_after: random.maybe(20, Random::time).filter(|to| from.is_none_or(|from| from < *to)),
            lead_time: random
                .maybe(40, |r| Duration::from_secs(10 * (1 + r.below(3))))
                .filter(|_| effect == Effect::Allow),
        }
    }

    fn application(&mut self, random: &mut Random) -> crate::model::TargetApplication {
        let mut application = application(&[("admin", None), ("editor", None), ("reader", None)]);
        application.entitlements.retain(|_| random.chance(80));
        for entitlement in &mut application.entitlements {
            entitlement.requires = random.maybe(40, |r| Rule::any(r, 1)).map(|rule| self.keep(rule, "requires"));
        }
        if random.chance(50) {
            let texts =
                ["identity.title", "identity.manager.displayName", "size(identity.groups)", "identity.emails[0].value"];
            application.account.attributes.push(Mapping {
                attribute: "title".into(),
                source: MappingSource::Expression(source("title", random.pick(&texts)), Apply::OnCreate),
            });
        }
        application
    }
}

fn spec<T>(random: &mut Random, make: impl FnOnce(&mut Random) -> T) -> Result<T, Invalid> {
    if random.chance(90) {
        return Ok(make(random));
    }
    let error =
        FieldError { path: "spec".into(), value: None, message: "wrong".into(), remedy: "must be right".into() };
    Err(Invalid { lifecycle: random.maybe(60, lifecycle), withholds: Withholds::NOTHING, errors: vec![error] })
}

fn meta(random: &mut Random, name: &str) -> Meta {
    Meta {
        name: name.into(),
        uid: format!("{name}-{}", random.below(2)).as_str().into(),
        generation: i64::try_from(random.below(3)).unwrap(),
        created: at(i64::try_from(random.below(4)).unwrap()),
        deleting: None,
        finalizer: false,
        reconcile_now: None,
        status: None,
    }
}

fn lifecycle(random: &mut Random) -> Lifecycle {
    let start = random.maybe(30, Random::time);
    let end = random.maybe(30, Random::time).filter(|end| start.is_none_or(|start| start < *end));
    Lifecycle { start, end, suspended: random.chance(10) }
}

fn identity(random: &mut Random) -> Identity {
    let user_name = random.pick(&["u0", "u1", "u2", "u3", "u4", "u5", "u6", "u7"]);
    let mut texts = Vec::new();
    texts.extend(random.maybe(60, |_| (Field::DisplayName, "Name".into())));
    texts.extend(random.maybe(60, |r| (Field::Title, r.pick(&["Boss", "Hand"]).into())));
    texts.extend(random.maybe(80, |r| (Field::Department, r.pick(&["A", "B", "C", "D"]).into())));
    let contact = |r: &mut Random| Contact { value: r.pick(&["p", "q"]).into(), kind: None, primary: None };
    Identity {
        kind: IdentityType::Person,
        user_name: UserName::new(user_name, user_name),
        external_id: random.maybe(50, |r| r.pick(&["e0", "e1", "e2", "e3"]).into()),
        texts: texts.into(),
        emails: random.maybe(70, contact).into_iter().collect(),
        phone_numbers: Box::default(),
        addresses: Box::default(),
        manager: random.maybe(50, |r| Name::from(r.pick(&IDENTITIES))),
        custom: random
            .maybe(50, |r| ("clearance".into(), Custom::One(r.pick(&["x", "y"]).into())))
            .into_iter()
            .collect(),
        lifecycle: lifecycle(random),
    }
}

fn subject(random: &mut Random) -> Subject {
    if random.chance(50) {
        Subject::Identity(random.pick(&IDENTITIES).into())
    } else {
        Subject::Group(random.pick(&GROUPS).into())
    }
}

fn what(random: &mut Random, effect: Effect) -> GrantWhat {
    match random.below(4) {
        0 => GrantWhat::Account,
        1 if effect == Effect::Deny => GrantWhat::EveryEntitlement,
        _ => {
            let mut names: Vec<Name> = ENTITLEMENTS.iter().filter(|_| random.chance(45)).map(|n| (*n).into()).collect();
            if names.is_empty() {
                names.push("reader".into());
            }
            GrantWhat::Named(names)
        }
    }
}
