//! The declared state as the engine is told it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use provost_core::model::{
    AccessPolicy, AccountSettings, AttributeName, Budget, Change, Connector, ConnectorKind, DeletionPolicy,
    Deprovision, DeprovisionStep, Effect, Entitlement, EntitlementTarget, Field, FieldError, GrantSpec, GrantWhat,
    Group, Identity, IdentityType, Invalid, Manifest, Member, Membership, Meta, Name, ObjectKind, ObjectRef, Orphaned,
    PolicyMode, PushedGroup, Safety, Source, Subject, SyncSettings, TargetApplication, Uid, UserName,
};
use provost_crds::FINALIZER;

use super::api::Object;
use super::world::{APPS, App, ENTITLEMENTS, PROTECTED, PUSHED, Person, Rule, Team, World, group_name, kind_of};

/// What one manifest declares; who made it, and when, is the API server's to say.
#[derive(Clone, Debug, PartialEq)]
pub enum Declared {
    Person(Person),
    Team(Team),
    Rule(Rule),
    App(App),
}

impl World {
    /// Everything that is to be there.
    pub fn declared(&self) -> BTreeMap<ObjectRef, Declared> {
        let key = |kind, name: &Name| ObjectRef { kind, name: name.clone() };
        let people = self.people.iter().map(|(name, person)| {
            (key(ObjectKind::Identity, name), Declared::Person(Person { uid: 0, ..person.clone() }))
        });
        let teams = self.teams.iter().map(|(name, team)| (key(ObjectKind::Group, name), Declared::Team(team.clone())));
        let rules = self.rules.iter().map(|(n, rule)| (key(ObjectKind::AccessPolicy, n), Declared::Rule(rule.clone())));
        let apps = self.apps.iter().filter(|(_, app)| !app.absent).map(|(name, app)| {
            let app = App { uid: 0, finalizer: false, deleting: false, ..app.clone() };
            (key(ObjectKind::TargetApplication, &Name::new(*name)), Declared::App(app))
        });
        people.chain(teams).chain(rules).chain(apps).collect()
    }

    /// Takes an object as it is shown, or that it is gone, and says it to the engine.
    pub fn hear(&mut self, key: &ObjectRef, object: Option<&Object<Declared>>) -> Change {
        let name = key.name.clone();
        let Some(object) = object else {
            self.forget(key);
            return Change::Gone(key.clone());
        };
        let meta = meta(&name, object);
        match object.spec.clone() {
            Declared::Person(person) => {
                let spec = Ok(identity(&name, &person));
                self.people.insert(name, Person { uid: object.uid, ..person });
                Change::Identity(Manifest { meta, spec })
            }
            Declared::Team(team) => {
                let members = team.members.iter();
                let members =
                    members.map(|m| Member { subject: Subject::Identity(m.clone()), not_after: None }).collect();
                let rule = team.department.map(|d| source(&format!("identity.department == \"{d}\"")));
                self.teams.insert(name, team);
                Change::Group(Manifest { meta, spec: Ok(Group { members, rule, ..Group::default() }) })
            }
            Declared::Rule(rule) => {
                let spec = if rule.broken { Err(invalid()) } else { Ok(policy(&rule)) };
                self.rules.insert(name, rule);
                Change::AccessPolicy(Manifest { meta, spec })
            }
            Declared::App(app) => {
                let spec = Ok(self.application(name.as_str(), &app));
                if let Some(known) = APPS.iter().find(|app| **app == name.as_str()) {
                    let (uid, finalizer, deleting) = (object.uid, meta.finalizer, object.deleting);
                    self.apps.insert(known, App { uid, finalizer, deleting, ..app });
                }
                Change::TargetApplication(Box::new(Manifest { meta, spec }))
            }
        }
    }

    fn forget(&mut self, key: &ObjectRef) {
        match key.kind {
            ObjectKind::Identity => _ = self.people.remove(&key.name),
            ObjectKind::Group => _ = self.teams.remove(&key.name),
            ObjectKind::AccessPolicy => _ = self.rules.remove(&key.name),
            ObjectKind::TargetApplication => {
                if let Some(app) = self.apps.get_mut(key.name.as_str()) {
                    app.absent = true;
                }
            }
        }
    }
}

/// The uid of an object of this name: in the order in which they were made, as their texts are.
pub fn uid(name: &Name, uid: u64) -> Uid {
    Uid::new(&format!("{uid:06}-{name}"))
}

fn meta(name: &Name, object: &Object<Declared>) -> Meta {
    Meta {
        name: name.clone(),
        uid: uid(name, object.uid),
        generation: object.generation,
        created: object.created,
        // When does not matter: for how long it cannot be reached counts from then on, too.
        deleting: object.deleting.then_some(object.created),
        finalizer: object.finalizers.iter().any(|one| one == FINALIZER),
        reconcile_now: None,
        status: object.status.clone().map(Box::new),
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
                kind: kind_of(name, entry),
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
                interval: Some(self.interval),
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
