//! Declared state at random: few names, so that everything collides; names that are never there; dates that pass.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use provost_core::model::{
    AccessPolicy, AccountSettings, AttributeName, Budget, Connector, ConnectorKind, Contact, DeletionPolicy,
    Deprovision, DeprovisionStep, Effect, Entitlement, EntitlementKind, EntitlementTarget, Field, FieldError,
    GrantSpec, GrantWhat, Group, Identity, IdentityType, Invalid, Lifecycle, Manifest, Member, Membership, Meta, Name,
    Orphaned, PolicyMode, Safety, Source, State, Subject, SyncMode, SyncSettings, TargetApplication, Uid, UserName,
    Withholds,
};

use super::declared::Declared;
use super::end::PROTECTED;
use super::rule::Rule;
use crate::simulation::Random;

/// An edit is made every so often; dates lie halfway between.
pub const STEP: i64 = 3600;
pub const IDENTITIES: [&str; 8] = ["ada", "bob", "cyn", "dan", "eve", "flo", "gil", "hal"];
/// The last one is never there.
pub const GROUPS: [&str; 5] = ["g0", "g1", "g2", "g3", "nowhere"];
pub const POLICIES: [&str; 6] = ["p0", "p1", "p2", "p3", "p4", "p5"];
pub const APPLICATIONS: [&str; 2] = ["chat", "wiki"];
pub const ENTITLEMENTS: [&str; 3] = ["admin", "editor", "reader"];

/// The beginning.
pub fn moment(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + seconds).expect("a time")
}

pub fn one(random: &mut Random, of: &[&'static str]) -> &'static str {
    random.pick(of).copied().expect("there is one")
}

fn maybe<T>(random: &mut Random, percent: u64, make: impl FnOnce(&mut Random) -> T) -> Option<T> {
    random.chance(percent).then(|| make(random))
}

/// Halfway between two edits, before, within or after the run.
fn date(random: &mut Random) -> Timestamp {
    let step = i64::try_from(random.below(5)).unwrap_or_default() - 1;
    moment(step * STEP + STEP / 2)
}

fn meta(random: &mut Random, name: &str) -> Meta {
    Meta {
        name: name.into(),
        uid: Uid::new(&format!("{name}-1")),
        generation: 1,
        created: moment(-100 - i64::try_from(random.below(3)).unwrap_or_default()),
        deleting: None,
        finalizer: true,
        reconcile_now: None,
        status: None,
    }
}

fn invalid(lifecycle: Option<Lifecycle>, withholds: Withholds) -> Invalid {
    let error = FieldError { path: "spec".into(), value: None, message: "is wrong".into(), remedy: "mend it".into() };
    Invalid { lifecycle, withholds, errors: vec![error] }
}

/// Everything.
pub fn declared(random: &mut Random) -> Declared {
    let mut declared = Declared::default();
    for name in APPLICATIONS {
        application(random, &mut declared, name);
    }
    for name in IDENTITIES.iter().take(3 + usize::try_from(random.below(6)).unwrap_or_default()) {
        identity(random, &mut declared, name);
    }
    for name in GROUPS.iter().take(4).copied() {
        group(random, &mut declared, name);
    }
    for name in POLICIES {
        policy(random, &mut declared, name);
    }
    declared
}

fn lifecycle(random: &mut Random) -> Lifecycle {
    let start = maybe(random, 20, date);
    let end = maybe(random, 20, date).filter(|end| start.is_none_or(|start| start < *end));
    Lifecycle { start, end, suspended: random.chance(8) }
}

/// An identity anew; its uid stays unless it was deleted.
pub fn identity(random: &mut Random, declared: &mut Declared, name: &'static str) {
    let at = IDENTITIES.iter().position(|n| *n == name).unwrap_or_default();
    let collides = |random: &mut Random| if random.chance(8) { random.below(8) } else { at as u64 };
    let user_name = format!("U{}", collides(random));
    let external_id = collides(random);
    let mut texts = Vec::new();
    texts.extend(maybe(random, 60, |r| (Field::Title, Arc::from(one(r, &["Boss", "Hand"])))));
    texts.extend(maybe(random, 90, |r| (Field::Department, Arc::from(one(r, &["A", "B"])))));
    let email = |r: &mut Random| Contact { value: one(r, &["p", "q"]).into(), kind: None, primary: None };
    let spec = Identity {
        kind: IdentityType::Person,
        user_name: UserName::new(user_name.as_str(), &user_name.to_lowercase()),
        external_id: maybe(random, 60, |_| format!("e{external_id}").into()),
        texts: texts.into(),
        emails: maybe(random, 70, email).into_iter().collect(),
        phone_numbers: Box::default(),
        addresses: Box::default(),
        manager: maybe(random, 40, |r| one(r, &IDENTITIES).into()),
        custom: Box::default(),
        lifecycle: lifecycle(random),
    };
    let spec =
        if random.chance(93) { Ok(spec) } else { Err(invalid(maybe(random, 70, lifecycle), Withholds::NOTHING)) };
    let meta = declared.identities.get(name).map_or_else(|| meta(random, name), |old| old.meta.clone());
    declared.identities.insert(name.into(), Manifest { meta, spec });
}

fn subject(random: &mut Random) -> Subject {
    if random.chance(40) {
        Subject::Identity(one(random, &IDENTITIES).into())
    } else if random.chance(8) {
        Subject::Group("nowhere".into())
    } else {
        Subject::Group(one(random, &GROUPS[..4]).into())
    }
}

pub fn group(random: &mut Random, declared: &mut Declared, name: &'static str) {
    let other = |subject: &Subject| *subject != Subject::Group(name.into());
    let member = |r: &mut Random| Member { subject: subject(r), not_after: maybe(r, 20, date) };
    let mut members: Vec<Member> = Vec::new();
    for _ in 0..random.below(4) {
        let member = member(random);
        if other(&member.subject) && members.iter().all(|m| m.subject != member.subject) {
            members.push(member);
        }
    }
    let rule = maybe(random, 45, bare);
    let rule = rule.map(|rule| source(declared, rule));
    let exclude = maybe(random, 30, subject).filter(other).into_iter().collect();
    let spec = Group { display_name: None, members, rule, exclude };
    let spec = if random.chance(95) { Ok(spec) } else { Err(invalid(None, Withholds::NOTHING)) };
    let meta = meta(random, name);
    declared.groups.insert(name.into(), Manifest { meta, spec });
}

/// Of an identity alone.
fn bare(random: &mut Random) -> Rule {
    match random.below(12) {
        0..=5 => Rule::Department(one(random, &["A", "B"])),
        6..=8 => Rule::TitleIsNot(one(random, &["Boss", "Hand"])),
        9 | 10 => Rule::FirstEmail(one(random, &["p", "q"])),
        _ => Rule::Broken,
    }
}

fn rule(random: &mut Random, depth: u32) -> Rule {
    match random.below(if depth == 0 { 12 } else { 18 }) {
        0..=4 => bare(random),
        5 if random.chance(20) => Rule::In("nowhere".into()),
        5..=7 => Rule::In(one(random, &GROUPS[..4]).into()),
        8 => Rule::NotIn(one(random, &GROUPS[..4]).into()),
        9 | 10 => Rule::ManagerIn(one(random, &["A", "B"])),
        11 => Rule::State(random.pick(&[State::Active, State::Suspended, State::Pending]).copied().expect("one")),
        12..=14 => Rule::And(Box::new(rule(random, depth - 1)), Box::new(rule(random, depth - 1))),
        _ => Rule::Or(Box::new(rule(random, depth - 1)), Box::new(rule(random, depth - 1))),
    }
}

fn source(declared: &mut Declared, rule: Rule) -> Source {
    let text = rule.source();
    declared.rules.insert(text.clone(), rule);
    Source { text: text.into(), path: "spec.match".into() }
}

pub fn policy(random: &mut Random, declared: &mut Declared, name: &'static str) {
    let effect = if random.chance(78) { Effect::Allow } else { Effect::Deny };
    let subjects = maybe(random, 55, |r| (0..=r.below(2)).map(|_| subject(r)).collect::<Vec<_>>());
    let ruled = subjects.is_none() || random.chance(30);
    let rule = ruled.then(|| rule(random, 1)).map(|rule| source(declared, rule));
    let not_before = maybe(random, 15, date);
    let mut grants = Vec::new();
    for application in APPLICATIONS {
        if random.chance(70) {
            grants.push(GrantSpec { application: application.into(), what: what(random, effect) });
        }
    }
    let spec = AccessPolicy {
        effect,
        mode: if random.chance(92) { PolicyMode::Enforce } else { PolicyMode::Audit },
        subjects,
        rule,
        not_before,
        not_after: maybe(random, 15, date).filter(|to| not_before.is_none_or(|from| from < *to)),
        lead_time: maybe(random, 40, |_| Duration::from_hours(1)).filter(|_| effect == Effect::Allow),
        grants: grants.clone(),
    };
    let spec = if random.chance(94) {
        Ok(spec)
    } else if effect == Effect::Allow {
        Err(invalid(None, Withholds::NOTHING))
    } else {
        let all = random.chance(20);
        Err(invalid(None, if all { Withholds::Anything } else { Withholds::These(grants) }))
    };
    let meta = meta(random, name);
    declared.policies.insert(name.into(), Manifest { meta, spec });
}

fn what(random: &mut Random, effect: Effect) -> GrantWhat {
    match random.below(6) {
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

pub fn application(random: &mut Random, declared: &mut Declared, name: &'static str) {
    let mut entitlements = Vec::new();
    for entitlement in &ENTITLEMENTS {
        if random.chance(10) {
            continue;
        }
        let requires = random.chance(20).then(|| rule(random, 0)).map(|rule| source(declared, rule));
        let exact = *entitlement == "editor" && random.chance(50);
        entitlements.push(Entitlement {
            name: (*entitlement).into(),
            target: EntitlementTarget { kind: EntitlementKind::Group, name: (*entitlement).into(), create: false },
            membership: if exact { Membership::Authoritative } else { Membership::Additive },
            privileged: *entitlement == "admin",
            requires,
        });
    }
    let later = |r: &mut Random| DeprovisionStep::Disable { delete_after: maybe(r, 40, |_| Duration::from_mins(45)) };
    let ended = if random.chance(20) { DeprovisionStep::Delete } else { later(random) };
    let lost = match random.below(10) {
        0 => DeprovisionStep::Delete,
        1 | 2 => DeprovisionStep::Retain,
        _ => later(random),
    };
    let mode = match random.below(20) {
        0 => SyncMode::Plan,
        1 => SyncMode::Paused,
        _ => SyncMode::Enforce,
    };
    let window = Duration::from_secs(1);
    let spec = TargetApplication {
        mode,
        connector: Connector { kind: ConnectorKind::Fake, fingerprint: name.into(), settings: serde_json::Value::Null },
        sync: SyncSettings {
            interval: Some(Duration::from_mins(20)),
            requests_per_second: 1000,
            concurrency: 4,
            settle_removals: Duration::from_secs(2),
            settle_privileged: Duration::from_secs(2),
        },
        account: AccountSettings {
            correlate: Vec::new(),
            adopt: random.chance(80),
            attributes: Vec::new(),
            initial_password: false,
            correct_disabled: random.chance(40),
            recreate_deleted: true,
        },
        deprovision: Deprovision { lost, ended },
        entitlements,
        pushed_groups: Vec::new(),
        orphaned: Orphaned::Report,
        safety: Safety {
            removals: vec![Budget { count: 1000, percent: 100, window }],
            privileged_grants: vec![Budget { count: 1000, percent: 100, window }],
            protected: vec![(AttributeName::new("userName"), vec![PROTECTED.into()])],
            approved_plan: "".into(),
            acknowledge: "".into(),
        },
        deletion_policy: DeletionPolicy::Retain,
        release_after: Duration::from_mins(10),
    };
    let meta = meta(random, name);
    let meta = declared.applications.get(name).map_or(meta, |old| old.meta.clone());
    declared.applications.insert(name.into(), Manifest { meta, spec: Ok(spec) });
}
