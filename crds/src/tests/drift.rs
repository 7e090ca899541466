//! The YAML beside the types is what the types say. `UPDATE=1` rewrites it.

use std::path::Path;

use crate::custom_resource_definitions;

#[test]
fn the_yaml_is_what_the_types_say() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("yaml");
    for definition in custom_resource_definitions() {
        let path = folder.join(format!("{}.yaml", definition.spec.names.plural));
        let fresh = format!(
            "# Generated from the Rust types; UPDATE=1 cargo test -p provost-crds rewrites it.\n{}",
            serde_saphyr::to_string(&definition).unwrap()
        );
        if std::env::var_os("UPDATE").is_some_and(|update| update == "1") {
            std::fs::write(&path, &fresh).unwrap();
        }
        let kept = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(
            kept == fresh,
            "{} differs from the types; UPDATE=1 cargo test -p provost-crds rewrites it",
            path.display()
        );
    }
}

#[test]
fn the_yaml_reads_back_as_the_definition() {
    for definition in custom_resource_definitions() {
        let written = serde_saphyr::to_string(&definition).unwrap();
        let read: serde_json::Value = serde_saphyr::from_str(&written).unwrap();
        assert_eq!(read, serde_json::to_value(&definition).unwrap());
    }
}
