//! Any JSON as a manifest of every kind: unreadable, invalid with words for it, or taken into a directory; and what was
//! read and written again reads the same.
#![no_main]

use jiff::Timestamp;
use libfuzzer_sys::fuzz_target;
use provost_core::directory::Directory;
use provost_core::input;
use provost_core::model::{Change, ConnectorKind, Invalid, Schema};
use serde_json::Value;

#[allow(dead_code, reason = "the manifests need the schema alone")]
#[path = "../../../operator/connectors/src/scim/schema.rs"]
mod schema;

fn schema(_: ConnectorKind) -> &'static Schema {
    &schema::SCHEMA
}

/// The change that a manifest makes if it is read as one kind; it must survive being written and read again.
macro_rules! read {
    ($manifest:expr, $kind:ty, $change:path) => {{
        let read = |manifest: Value| {
            provost_crds::from_manifest::<$kind>(manifest).ok().map(|o| ($change(&o), serde_json::to_value(&o)))
        };
        let first = read($manifest.clone());
        if let Some((change, written)) = &first {
            let written = written.as_ref().expect("what was read can be written");
            let again = read(written.clone()).map(|(again, _)| again);
            assert_eq!(Some(change), again.as_ref(), "written as {written}");
        }
        first.map(|(change, _)| change)
    }};
}

fn invalid(change: &Change) -> Option<&Invalid> {
    match change {
        Change::Identity(m) => m.spec.as_ref().err(),
        Change::Group(m) => m.spec.as_ref().err(),
        Change::AccessPolicy(m) => m.spec.as_ref().err(),
        Change::TargetApplication(m) => m.spec.as_ref().err(),
        Change::Gone(_) => None,
    }
}

fuzz_target!(|bytes: &[u8]| {
    let Ok(manifest) = serde_json::from_slice::<Value>(bytes) else { return };
    let changes: Vec<Change> = [
        read!(manifest, provost_crds::Identity, input::identity_change),
        read!(manifest, provost_crds::Group, input::group_change),
        read!(manifest, provost_crds::AccessPolicy, input::access_policy_change),
        read!(manifest, provost_crds::TargetApplication, input::target_application_change),
    ]
    .into_iter()
    .flatten()
    .collect();
    for invalid in changes.iter().filter_map(invalid) {
        assert!(!invalid.errors.is_empty(), "refused without a word");
        assert!(invalid.errors.len() <= 65, "more errors than anybody reads");
        for error in &invalid.errors {
            assert!(!error.path.is_empty() && !error.message.is_empty() && !error.remedy.is_empty());
        }
    }
    let mut directory = Directory::new(schema);
    directory.replace(changes, Timestamp::UNIX_EPOCH);
    directory.problems();
});
