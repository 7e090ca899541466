mod application;
mod change;
mod defaults;
mod directory;
mod never_panics;
mod parity;
mod samples;
mod sentences;

use provost_crds as crds;
use serde_json::{Value, json};

use super::{access_policy, group, identity, target_application};
use crate::model::{Invalid, TargetApplication};

/// A manifest of any kind through its room; what it became is not of interest.
fn check(kind: &str, spec: &Value) -> Result<(), Invalid> {
    let manifest = json!({"metadata": {"name": "ada", "namespace": "acme"}, "spec": spec});
    match kind {
        "Identity" => identity(&crds::from_manifest(manifest).unwrap()).map(drop),
        "Group" => group(&crds::from_manifest(manifest).unwrap()).map(drop),
        "AccessPolicy" => access_policy(&crds::from_manifest(manifest).unwrap()).map(drop),
        _ => target_application(&crds::from_manifest(manifest).unwrap()).map(drop),
    }
}

/// The same, as the lines a person reads.
fn errors(kind: &str, spec: &Value) -> Vec<String> {
    check(kind, spec).err().map_or_else(Vec::new, |invalid| invalid.errors.iter().map(ToString::to_string).collect())
}

/// A TargetApplication that nothing is wrong with.
fn application(spec: &Value) -> TargetApplication {
    let manifest = json!({"metadata": {"name": "wiki", "namespace": "acme"}, "spec": spec});
    target_application(&crds::from_manifest(manifest).unwrap()).unwrap()
}

/// `[spec, errors]` for each line.
fn says(kind: &str, lines: &[(Value, &[&str])]) {
    for (spec, expected) in lines {
        assert_eq!(errors(kind, spec), *expected, "{spec}");
    }
}
