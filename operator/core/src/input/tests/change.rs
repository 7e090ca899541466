//! What is kept of an object besides its spec.

use jiff::Timestamp;
use provost_crds as crds;
use serde_json::json;

use crate::input::{change, identity_change};
use crate::model::{Change, ObjectKind};

#[test]
fn a_file_is_given_what_the_api_server_would_add() {
    let object: crds::Identity = crds::from_manifest(json!({"metadata": {"name": "ada"}})).unwrap();
    let Change::Identity(manifest) = identity_change(&object) else { panic!("another kind") };
    let meta = manifest.meta;
    assert_eq!((meta.uid.to_string().as_str(), meta.generation, meta.created), ("ada", 1, Timestamp::UNIX_EPOCH));
    assert!(!meta.deleting && !meta.finalizer && meta.status.is_none());
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
    assert!(meta.deleting && meta.finalizer);
    assert_eq!(meta.reconcile_now.as_deref(), Some("7"));
    assert_eq!(meta.status, Some(Box::new(json!({"observedGeneration": 3}))));
}

#[test]
fn an_object_that_cannot_be_read_is_invalid_and_not_absent() {
    let metadata = crds::ObjectMeta { name: Some("ada".to_owned()), ..crds::ObjectMeta::default() };
    let Change::Group(manifest) = change::unreadable(ObjectKind::Group, &metadata) else { panic!("another kind") };
    assert_eq!(manifest.meta.name.as_str(), "ada");
    assert_eq!(manifest.spec.unwrap_err().errors.len(), 1);
}
