use jiff::Timestamp;
use provost_crds as crds;
use serde::Serialize;
use serde_json::Value;

use super::{access_policy, group, identity, target_application};
use crate::model::{
    Change, FieldError, GrantWhat, Invalid, Lifecycle, Manifest, Meta, Name, ObjectKind, Subject, Uid, Withholds,
};

/// What the API server, or a file, says about an object. What a file leaves out is derived: the uid from the name, the
/// generation is 1, and it was made at the epoch.
pub fn meta(metadata: &crds::ObjectMeta, status: Option<&impl Serialize>) -> Meta {
    let name = Name::from(metadata.name.as_deref().unwrap_or_default());
    let finalizers = metadata.finalizers.as_deref().unwrap_or_default();
    let annotations = metadata.annotations.as_ref();
    Meta {
        uid: Uid::from(metadata.uid.as_deref().unwrap_or(name.as_str())),
        name,
        generation: metadata.generation.unwrap_or(1),
        created: metadata.creation_timestamp.as_ref().map_or(Timestamp::UNIX_EPOCH, |time| time.0),
        deleting: metadata.deletion_timestamp.as_ref().map(|time| time.0),
        finalizer: finalizers.iter().any(|finalizer| finalizer == crds::FINALIZER),
        reconcile_now: annotations.and_then(|all| all.get(crds::RECONCILE_NOW)).map(|value| value.as_str().into()),
        status: status.and_then(|status| serde_json::to_value(status).ok()).map(Box::new),
    }
}

/// An Identity as a change of its namespace.
pub fn identity_change(object: &crds::Identity) -> Change {
    Change::Identity(Manifest { meta: meta(&object.metadata, object.status.as_ref()), spec: identity(object) })
}

/// A Group as a change of its namespace.
pub fn group_change(object: &crds::Group) -> Change {
    Change::Group(Manifest { meta: meta(&object.metadata, object.status.as_ref()), spec: group(object) })
}

/// An AccessPolicy as a change of its namespace.
pub fn access_policy_change(object: &crds::AccessPolicy) -> Change {
    let meta = meta(&object.metadata, object.status.as_ref());
    Change::AccessPolicy(Manifest { meta, spec: access_policy(object) })
}

/// A TargetApplication as a change of its namespace.
pub fn target_application_change(object: &crds::TargetApplication) -> Change {
    let meta = meta(&object.metadata, object.status.as_ref());
    Change::TargetApplication(Box::new(Manifest { meta, spec: target_application(object) }))
}

/// The change that a manifest would make if nothing were wrong with it but what it names: for whoever looks for what else is
/// wrong, and for nobody who acts on it. Names that are empty are left out, and so is a group from its own members.
pub fn draft(kind: ObjectKind, manifest: Value) -> Option<Change> {
    let bare = |metadata| meta(metadata, None::<&()>);
    Some(match kind {
        ObjectKind::Identity => {
            let object: crds::Identity = crds::from_manifest(manifest).ok()?;
            let mut spec = identity::read(&object).0;
            spec.manager = spec.manager.filter(is_named);
            Change::Identity(Manifest { meta: bare(&object.metadata), spec: Ok(spec) })
        }
        ObjectKind::Group => {
            let object: crds::Group = crds::from_manifest(manifest).ok()?;
            let (meta, mut spec) = (bare(&object.metadata), group::read(&object).0);
            let itself = Subject::Group(meta.name.clone());
            spec.members.retain(|member| is_somebody(&member.subject) && member.subject != itself);
            spec.exclude.retain(|subject| is_somebody(subject) && *subject != itself);
            Change::Group(Manifest { meta, spec: Ok(spec) })
        }
        ObjectKind::AccessPolicy => {
            let object: crds::AccessPolicy = crds::from_manifest(manifest).ok()?;
            let mut spec = access_policy::read(&object).0;
            spec.subjects.iter_mut().for_each(|subjects| subjects.retain(is_somebody));
            spec.grants.retain(|grant| is_named(&grant.application));
            for grant in &mut spec.grants {
                if let GrantWhat::Named(names) = &mut grant.what {
                    names.retain(is_named);
                }
            }
            Change::AccessPolicy(Manifest { meta: bare(&object.metadata), spec: Ok(spec) })
        }
        ObjectKind::TargetApplication => {
            let object: crds::TargetApplication = crds::from_manifest(manifest).ok()?;
            let mut spec = target_application::read(&object).0;
            spec.pushed_groups.retain(|pushed| is_named(&pushed.group));
            Change::TargetApplication(Box::new(Manifest { meta: bare(&object.metadata), spec: Ok(spec) }))
        }
    })
}

fn is_named(name: &Name) -> bool {
    !name.as_str().is_empty()
}

fn is_somebody(subject: &Subject) -> bool {
    let (Subject::Identity(name) | Subject::Group(name)) = subject;
    is_named(name)
}

/// An object that cannot even be read as its kind, as after a rollback of the operator: invalid, which is not absent. From
/// its `spec` is taken what must be obeyed all the same: an Identity's lifecycle, where it disables or ends, and what a
/// Deny withholds. Why it cannot be read is not said here, since the reader's own words may repeat a value.
pub fn unreadable(kind: ObjectKind, metadata: &crds::ObjectMeta, spec: &Value) -> Change {
    let error = FieldError {
        path: "spec".into(),
        value: None,
        message: format!("is no {} that this version of the operator can read", kind.as_str()).into(),
        remedy: "must be written for this version, or read by the one it was written for".into(),
    };
    let meta = meta(metadata, None::<&()>);
    let mut invalid = Invalid { lifecycle: None, withholds: Withholds::NOTHING, errors: vec![error] };
    match kind {
        ObjectKind::Identity => {
            invalid.lifecycle = lifecycle(metadata, spec);
            Change::Identity(Manifest { meta, spec: Err(invalid) })
        }
        ObjectKind::Group => Change::Group(Manifest { meta, spec: Err(invalid) }),
        ObjectKind::AccessPolicy => {
            invalid.withholds = access_policy::withholds(spec);
            Change::AccessPolicy(Manifest { meta, spec: Err(invalid) })
        }
        ObjectKind::TargetApplication => Change::TargetApplication(Box::new(Manifest { meta, spec: Err(invalid) })),
    }
}

fn lifecycle(metadata: &crds::ObjectMeta, spec: &Value) -> Option<Lifecycle> {
    let lifecycle = serde_json::from_value(spec.get("lifecycle")?.clone()).ok()?;
    let spec = crds::IdentitySpec { lifecycle: Some(lifecycle), ..crds::IdentitySpec::default() };
    let alone = crds::Identity { metadata: metadata.clone(), spec, status: None };
    match identity(&alone) {
        Ok(identity) => Some(identity.lifecycle),
        Err(invalid) => invalid.lifecycle,
    }
}
