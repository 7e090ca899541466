//! What is kept of an object besides its spec.

use jiff::Timestamp;
use provost_crds as crds;
use serde_json::json;

use crate::input::{change, identity_change};
use crate::model::{Change, GrantSpec, GrantWhat, Name, ObjectKind, Withholds};

#[test]
fn a_file_is_given_what_the_api_server_would_add() {
    let object: crds::Identity = crds::from_manifest(json!({"metadata": {"name": "ada"}})).unwrap();
    let Change::Identity(manifest) = identity_change(&object) else { panic!("another kind") };
    let meta = manifest.meta;
    assert_eq!((meta.uid.to_string().as_str(), meta.generation, meta.created), ("ada", 1, Timestamp::UNIX_EPOCH));
    assert!(meta.deleting.is_none() && !meta.finalizer && meta.status.is_none());
}

#[test]
fn what_the_api_server_says_of_an_object_is_kept() {
    let object: crds::TargetApplication = crds::from_manifest(json!({
        "metadata": {"name": "wiki", "uid": "u", "generation": 4, "creationTimestamp": "2026-12-01T08:00:00Z",
            "deletionTimestamp": "2026-12-02T08:00:00Z", "finalizers": ["x", "provost.dev/targetapplication"],
            "annotations": {"provost.dev/reconcile-now": "7"}},
        "spec": {"connector": {"fake": {}}}, "status": {"observedGeneration": 3}
    }))
    .unwrap();
    let meta = change::meta(&object.metadata, object.status.as_ref());
    assert_eq!(
        (meta.uid.to_string().as_str(), meta.generation, Some(meta.created)),
        ("u", 4, "2026-12-01T08:00:00Z".parse().ok())
    );
    assert!(meta.deleting.is_some() && meta.finalizer);
    assert_eq!(meta.reconcile_now.as_deref(), Some("7"));
    assert_eq!(meta.status, Some(Box::new(json!({"observedGeneration": 3}))));
}

fn metadata() -> crds::ObjectMeta {
    crds::ObjectMeta { name: Some("ada".to_owned()), ..crds::ObjectMeta::default() }
}

#[test]
fn an_object_that_cannot_be_read_is_invalid_and_not_absent() {
    let Change::Group(manifest) = change::unreadable(ObjectKind::Group, &metadata(), &json!([1])) else {
        panic!("another kind")
    };
    assert_eq!(manifest.meta.name.as_str(), "ada");
    assert_eq!(manifest.spec.unwrap_err().errors.len(), 1);
}

#[test]
fn the_lifecycle_of_an_unreadable_identity_is_read_alone() {
    let spec = json!({"userName": 7, "lifecycle": {"endTime": "2026-02-01T00:00:00Z", "suspended": true}});
    let Change::Identity(manifest) = change::unreadable(ObjectKind::Identity, &metadata(), &spec) else { panic!() };
    let lifecycle = manifest.spec.unwrap_err().lifecycle.unwrap();
    assert!(lifecycle.suspended);
    assert_eq!(lifecycle.end, "2026-02-01T00:00:00Z".parse().ok());
}

#[test]
fn an_unreadable_deny_withholds_what_can_be_read_of_it_and_else_anything() {
    let wiki = |what: GrantWhat| Withholds::These(vec![GrantSpec { application: "wiki".into(), what }]);
    let named = |names: &[&str]| wiki(GrantWhat::Named(names.iter().map(|name| Name::from(*name)).collect()));
    for (name, spec, expected) in [
        (
            "a Deny of entitlements",
            json!({"effect": "Deny", "match": 7,
            "grants": [{"application": "wiki", "entitlements": ["a", "b"]}]}),
            named(&["a", "b"]),
        ),
        (
            "a Deny of the account",
            json!({"effect": "Deny", "grants": [{"application": "wiki", "to": 1}]}),
            wiki(GrantWhat::Account),
        ),
        (
            "a Deny of everything",
            json!({"effect": "Deny", "grants": [{"application": "wiki", "entitlements": ["*"]}]}),
            wiki(GrantWhat::EveryEntitlement),
        ),
        (
            "entitlements that are no list",
            json!({"effect": "Deny", "grants": [{"application": "wiki", "entitlements": "a"}]}),
            wiki(GrantWhat::EveryEntitlement),
        ),
        (
            "an entitlement that is no text",
            json!({"effect": "Deny", "grants": [{"application": "wiki", "entitlements": ["a", 7]}]}),
            wiki(GrantWhat::EveryEntitlement),
        ),
        (
            "an effect that is no word",
            json!({"effect": 7, "grants": [{"application": "wiki", "entitlements": ["a"]}]}),
            named(&["a"]),
        ),
        (
            "an effect of another version",
            json!({"effect": "Veto", "grants": [{"application": "wiki", "entitlements": ["a"]}]}),
            named(&["a"]),
        ),
        ("grants that are no list", json!({"effect": "Deny", "grants": "wiki"}), Withholds::Anything),
        ("no grants", json!({"effect": "Deny"}), Withholds::Anything),
        (
            "an application that is no text",
            json!({"effect": "Deny", "grants": [{"application": "wiki"}, {"application": 7}]}),
            Withholds::Anything,
        ),
        ("no spec", json!(null), Withholds::Anything),
        ("an Allow", json!({"effect": "Allow", "match": 7, "grants": [{"application": "wiki"}]}), Withholds::NOTHING),
        ("an Allow by default", json!({"match": 7, "grants": [{"application": "wiki"}]}), Withholds::NOTHING),
        (
            "an audit",
            json!({"effect": "Deny", "mode": "Audit", "match": 7, "grants": [{"application": "wiki"}]}),
            Withholds::NOTHING,
        ),
    ] {
        let Change::AccessPolicy(manifest) = change::unreadable(ObjectKind::AccessPolicy, &metadata(), &spec) else {
            panic!("another kind")
        };
        assert_eq!(manifest.spec.unwrap_err().withholds, expected, "{name}");
    }
}
