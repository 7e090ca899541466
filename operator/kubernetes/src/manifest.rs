//! Objects as the API server hands them out, read into changes.

use std::sync::Arc;

use kube::api::{ApiResource, DynamicObject, ObjectMeta};
use provost_core::input;
use provost_core::model::{Change, Name, ObjectKind};
use provost_crds::{AccessPolicy, Group, Identity, TargetApplication};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

/// All four.
pub(crate) const KINDS: [ObjectKind; 4] =
    [ObjectKind::Identity, ObjectKind::Group, ObjectKind::AccessPolicy, ObjectKind::TargetApplication];

/// How the API server names a kind.
pub(crate) fn resource(kind: ObjectKind) -> ApiResource {
    match kind {
        ObjectKind::Identity => ApiResource::erase::<Identity>(&()),
        ObjectKind::Group => ApiResource::erase::<Group>(&()),
        ObjectKind::AccessPolicy => ApiResource::erase::<AccessPolicy>(&()),
        ObjectKind::TargetApplication => ApiResource::erase::<TargetApplication>(&()),
    }
}

/// The name of a kind's CRD.
pub(crate) fn crd_name(kind: ObjectKind) -> String {
    let resource = resource(kind);
    format!("{}.{}", resource.plural, resource.group)
}

/// An object that was read.
#[derive(Clone, Debug)]
pub(crate) struct Read {
    pub(crate) change: Change,
    /// It has a deletionTimestamp.
    pub(crate) deleting: bool,
}

/// Reads an object. `None` if it has no name or namespace, which the API server never hands out.
///
/// One that cannot be read as its kind is a change too, with a spec that is an error: invalid is not absent.
pub(crate) fn read(kind: ObjectKind, object: DynamicObject) -> Option<(Arc<str>, Name, Read)> {
    let DynamicObject { mut metadata, data, .. } = object;
    let namespace: Arc<str> = metadata.namespace.as_deref()?.into();
    let name = Name::from(metadata.name.as_deref()?);
    let deleting = metadata.deletion_timestamp.is_some();
    metadata.managed_fields = None;
    let change = match kind {
        ObjectKind::Identity => typed(kind, &metadata, data, input::identity_change),
        ObjectKind::Group => typed(kind, &metadata, data, input::group_change),
        ObjectKind::AccessPolicy => typed(kind, &metadata, data, input::access_policy_change),
        ObjectKind::TargetApplication => typed(kind, &metadata, data, input::target_application_change),
    };
    Some((namespace, name, Read { change, deleting }))
}

fn typed<K: DeserializeOwned>(kind: ObjectKind, meta: &ObjectMeta, data: Value, change: fn(&K) -> Change) -> Change {
    // What is obeyed of one that cannot be read; not all of it, since every object of a large namespace comes by here.
    let spec = match kind {
        ObjectKind::Identity => json!({"lifecycle": data.pointer("/spec/lifecycle")}),
        ObjectKind::AccessPolicy => data.get("spec").cloned().unwrap_or_default(),
        ObjectKind::Group | ObjectKind::TargetApplication => Value::Null,
    };
    match parse(meta, data) {
        Ok(object) => change(&object),
        // What serde found may quote the manifest; where it is wrong is for `provost lint` to say.
        Err(_) => input::unreadable(kind, meta, &spec),
    }
}

fn parse<K: DeserializeOwned>(meta: &ObjectMeta, data: Value) -> Result<K, serde_json::Error> {
    let mut manifest = match data {
        Value::Object(manifest) => manifest,
        _ => Map::new(),
    };
    manifest.insert("metadata".to_owned(), serde_json::to_value(meta)?);
    provost_crds::from_manifest(Value::Object(manifest))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(kind: ObjectKind, spec: &Value) -> Change {
        let object = json!({
            "apiVersion": "provost.dev/v1alpha1", "kind": kind.as_str(), "spec": spec,
            "metadata": {"name": "ada", "namespace": "acme", "uid": "u", "generation": 3,
                         "creationTimestamp": "2026-01-01T00:00:00Z"},
        });
        read(kind, serde_json::from_value(object).unwrap()).unwrap().2.change
    }

    #[test]
    fn an_object_is_read_with_its_spec() {
        let Change::Identity(manifest) = change(ObjectKind::Identity, &json!({"userName": "ada.l"})) else { panic!() };
        assert_eq!(manifest.meta.generation, 3);
        assert_eq!(manifest.spec.unwrap().user_name.written(), "ada.l");
    }

    #[test]
    fn one_that_cannot_be_read_is_invalid_not_absent() {
        let kinds = [ObjectKind::Group, ObjectKind::AccessPolicy, ObjectKind::TargetApplication];
        for kind in kinds {
            let invalid = match change(kind, &json!([1])) {
                Change::Group(m) => m.spec.unwrap_err(),
                Change::AccessPolicy(m) => m.spec.unwrap_err(),
                Change::TargetApplication(m) => m.spec.unwrap_err(),
                other => panic!("{other:?}"),
            };
            assert!(!invalid.errors.is_empty(), "{kind:?}");
        }
    }

    #[test]
    fn the_lifecycle_of_an_unreadable_identity_is_read_alone() {
        let spec = json!({"userName": 7, "lifecycle": {"endTime": "2026-02-01T00:00:00Z", "suspended": true}});
        let Change::Identity(manifest) = change(ObjectKind::Identity, &spec) else { panic!() };
        let lifecycle = manifest.spec.unwrap_err().lifecycle.unwrap();
        assert!(lifecycle.suspended);
        assert_eq!(lifecycle.end, Some("2026-02-01T00:00:00Z".parse().unwrap()));
    }
}
