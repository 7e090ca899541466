//! Builders that read aloud.

use jiff::Timestamp;

use super::{application, schemas, source};
use crate::directory::Directory;
use crate::model::{
    AccessPolicy, Change, Effect, Field, FieldError, GrantSpec, GrantWhat, Group, Identity, IdentityType, Invalid,
    Lifecycle, Manifest, Member, Meta, Name, PolicyMode, Subject, TargetApplication, UserName, Withholds,
};

pub(crate) fn time(text: &str) -> Timestamp {
    text.parse().unwrap()
}

pub(crate) fn noon() -> Timestamp {
    time("2026-12-01T12:00:00Z")
}

/// A namespace with these manifests, at noon.
pub(crate) fn namespace(changes: Vec<Change>) -> Directory {
    let mut directory = Directory::new(schemas);
    directory.replace(changes, noon());
    directory
}

fn meta(name: &str) -> Meta {
    Meta {
        name: name.into(),
        uid: name.into(),
        generation: 3,
        created: time("2026-01-01T00:00:00Z"),
        deleting: None,
        finalizer: false,
        reconcile_now: None,
        status: None,
    }
}

pub(crate) fn invalid() -> Invalid {
    let error = FieldError { path: "spec".into(), value: None, message: "wrong".into(), remedy: "be right".into() };
    Invalid { lifecycle: None, withholds: Withholds::NOTHING, errors: vec![error] }
}

pub(crate) fn person(name: &str, department: &str) -> Change {
    person_with(name, department, |_| {})
}

pub(crate) fn person_with(name: &str, department: &str, edit: impl FnOnce(&mut Identity)) -> Change {
    let mut spec = Identity {
        kind: IdentityType::Person,
        user_name: UserName::new(name, name),
        external_id: None,
        texts: [(Field::Department, department.into())].into(),
        emails: Box::default(),
        phone_numbers: Box::default(),
        addresses: Box::default(),
        manager: None,
        custom: Box::default(),
        lifecycle: Lifecycle::default(),
    };
    edit(&mut spec);
    Change::Identity(Manifest { meta: meta(name), spec: Ok(spec) })
}

pub(crate) fn broken_person(name: &str) -> Change {
    Change::Identity(Manifest { meta: meta(name), spec: Err(invalid()) })
}

pub(crate) fn in_group(name: &str) -> Subject {
    Subject::Group(name.into())
}

pub(crate) fn who(name: &str) -> Subject {
    Subject::Identity(name.into())
}

pub(crate) fn group(name: &str, members: &[Subject], rule: Option<&str>, exclude: &[Subject]) -> Change {
    let member = |subject: &Subject| Member { subject: subject.clone(), not_after: None };
    let spec = Group {
        display_name: None,
        members: members.iter().map(member).collect(),
        rule: rule.map(|text| source("spec.match", text)),
        exclude: exclude.to_vec(),
    };
    Change::Group(Manifest { meta: meta(name), spec: Ok(spec) })
}

pub(crate) fn broken_group(name: &str) -> Change {
    Change::Group(Manifest { meta: meta(name), spec: Err(invalid()) })
}

pub(crate) fn allow(name: &str, subjects: &[Subject], rule: Option<&str>, application: &str, what: &[&str]) -> Change {
    policy(name, Effect::Allow, subjects, rule, application, what, |_| {})
}

pub(crate) fn deny(name: &str, subjects: &[Subject], rule: Option<&str>, application: &str, what: &[&str]) -> Change {
    policy(name, Effect::Deny, subjects, rule, application, what, |_| {})
}

pub(crate) fn policy(
    name: &str,
    effect: Effect,
    subjects: &[Subject],
    rule: Option<&str>,
    application: &str,
    what: &[&str],
    edit: impl FnOnce(&mut AccessPolicy),
) -> Change {
    let what = match what {
        [] => GrantWhat::Account,
        ["*"] => GrantWhat::EveryEntitlement,
        names => GrantWhat::Named(names.iter().map(|name| Name::from(*name)).collect()),
    };
    let mut spec = AccessPolicy {
        effect,
        mode: PolicyMode::Enforce,
        subjects: (!subjects.is_empty()).then(|| subjects.to_vec()),
        rule: rule.map(|text| source("spec.match", text)),
        grants: vec![GrantSpec { application: application.into(), what }],
        not_before: None,
        not_after: None,
        lead_time: None,
    };
    edit(&mut spec);
    Change::AccessPolicy(Manifest { meta: meta(name), spec: Ok(spec) })
}

pub(crate) fn broken_policy(name: &str) -> Change {
    broken_policy_with(name, invalid())
}

pub(crate) fn broken_policy_with(name: &str, invalid: Invalid) -> Change {
    Change::AccessPolicy(Manifest { meta: meta(name), spec: Err(invalid) })
}

pub(crate) fn broken_target(name: &str) -> Change {
    Change::TargetApplication(Box::new(Manifest { meta: meta(name), spec: Err(invalid()) }))
}

pub(crate) fn target(name: &str, entitlements: &[(&str, Option<&str>)]) -> Change {
    target_with(name, entitlements, |_| {})
}

pub(crate) fn target_with(
    name: &str,
    entitlements: &[(&str, Option<&str>)],
    edit: impl FnOnce(&mut TargetApplication),
) -> Change {
    let mut spec = application(entitlements);
    edit(&mut spec);
    Change::TargetApplication(Box::new(Manifest { meta: meta(name), spec: Ok(spec) }))
}
