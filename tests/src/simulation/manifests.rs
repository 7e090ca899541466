//! The declared state as the engine is told it.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use provost_core::model::{
    AccessPolicy, AccountSettings, AttributeName, Budget, Change, Connector, ConnectorKind, DeletionPolicy,
    Deprovision, DeprovisionStep, Effect, Entitlement, EntitlementKind, EntitlementTarget, Field, FieldError,
    GrantSpec, GrantWhat, Group, Identity, IdentityType, Invalid, Manifest, Member, Membership, Meta, Name, ObjectRef,
    Orphaned, PolicyMode, PushedGroup, Safety, Source, Subject, SyncSettings, TargetApplication, Uid, UserName,
};

use super::world::{APPS, App, ENTITLEMENTS, PROTECTED, PUSHED, Person, Rule, World, group_name};

impl World {
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
        for (name, app) in self.apps.iter().filter(|(_, app)| !app.absent) {
            let mut meta = meta(&Name::new(*name), app.uid);
            (meta.finalizer, meta.deleting) = (app.finalizer, app.deleting);
            let spec = Ok(self.application(name, app));
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
        manager: person.manager.clone(),
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
        lead_time: rule.lead,
    }
}

fn invalid() -> Invalid {
    let error = FieldError { path: "spec".into(), value: None, message: "is broken".into(), remedy: "mend it".into() };
    Invalid { lifecycle: None, withholds: provost_core::model::Withholds::NOTHING, errors: vec![error] }
}

impl World {
    fn application(&self, name: &str, app: &App) -> TargetApplication {
        let entitlement = |entry: &&str| Entitlement {
            name: Name::new(*entry),
            target: EntitlementTarget {
                kind: EntitlementKind::Group,
                name: group_name(name, entry).into(),
                create: *entry != "reader",
            },
            membership: if self.is_authoritative(name, entry) {
                Membership::Authoritative
            } else {
                Membership::Additive
            },
            privileged: *entry == "admin",
            requires: None,
        };
        let pushed = app.pushes.then(|| PushedGroup {
            group: Name::new(PUSHED),
            name: group_name(name, PUSHED).into(),
            membership: Membership::Authoritative,
            prune: app.prunes,
        });
        let delete_after = (name == APPS[0]).then(|| self.pace * 3);
        let window = Duration::from_hours(1);
        TargetApplication {
            mode: app.mode,
            connector: Connector {
                kind: ConnectorKind::Fake,
                fingerprint: format!("{name}-{}", app.target).into(),
                settings: serde_json::Value::Null,
            },
            sync: SyncSettings {
                interval: self.interval,
                requests_per_second: 50,
                concurrency: if name == APPS[0] { 1 } else { 4 },
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
            entitlements: ENTITLEMENTS.iter().filter(|entry| app.listed.contains(**entry)).map(entitlement).collect(),
            pushed_groups: pushed.into_iter().collect(),
            orphaned: if app.disables_orphans { Orphaned::Disable } else { Orphaned::Report },
            safety: Safety {
                removals: vec![Budget { count: 6, percent: 20, window }],
                privileged_grants: vec![Budget { count: 5, percent: 20, window }],
                protected: vec![(AttributeName::new("userName"), vec![PROTECTED.into()])],
                approved_plan: Arc::clone(&app.approved),
                acknowledge: Arc::clone(&app.acknowledged),
            },
            deletion_policy: if app.deprovisions { DeletionPolicy::Deprovision } else { DeletionPolicy::Retain },
            release_after: Duration::from_mins(10),
        }
    }
}
