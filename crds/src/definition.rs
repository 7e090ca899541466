//! The custom resource definitions as they are installed.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceDefinition, JSONSchemaProps, JSONSchemaPropsOrArray, JSONSchemaPropsOrBool,
};
use kube::CustomResourceExt;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::v1alpha1::{AccessPolicy, Group, Identity, TargetApplication};

/// The definitions of all four resources.
pub fn custom_resource_definitions() -> Vec<CustomResourceDefinition> {
    vec![
        install(Identity::crd()),
        install(Group::crd()),
        install(AccessPolicy::crd()),
        install(TargetApplication::crd()),
    ]
}

/// Reads one manifest as the API server would hand it out: a `spec` that is absent or null reads as empty.
pub fn from_manifest<K: DeserializeOwned>(mut manifest: Value) -> Result<K, serde_json::Error> {
    if let Some(object) = manifest.as_object_mut()
        && object.get("spec").is_none_or(Value::is_null)
    {
        object.insert("spec".to_owned(), Value::Object(serde_json::Map::new()));
    }
    serde_json::from_value(manifest)
}

/// What the derive macros cannot say: an optional field is absent, never null; and a status, which the operator writes whole,
/// has no default but its own.
fn install(mut definition: CustomResourceDefinition) -> CustomResourceDefinition {
    for version in &mut definition.spec.versions {
        if let Some(schema) = version.schema.as_mut().and_then(|validation| validation.open_api_v3_schema.as_mut()) {
            clean(schema, false);
        }
    }
    definition
}

fn clean(schema: &mut JSONSchemaProps, in_status: bool) {
    schema.nullable = None;
    schema.title = None;
    if let Some(words) = &mut schema.enum_ {
        words.retain(|word| !word.0.is_null());
    }
    if let Some(description) = &mut schema.description {
        *description = description.split_whitespace().collect::<Vec<_>>().join(" ");
    }
    for (name, property) in schema.properties.iter_mut().flatten() {
        if in_status {
            property.default = None;
        }
        clean(property, in_status || name == "status");
    }
    match &mut schema.items {
        Some(JSONSchemaPropsOrArray::Schema(items)) => clean(items, in_status),
        Some(JSONSchemaPropsOrArray::Schemas(items)) => items.iter_mut().for_each(|items| clean(items, in_status)),
        None => {}
    }
    if let Some(JSONSchemaPropsOrBool::Schema(values)) = &mut schema.additional_properties {
        clean(values, in_status);
    }
}
