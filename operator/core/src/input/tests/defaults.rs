//! What the operator supplies where a manifest says nothing is what the schema supplies.

use provost_crds as crds;
use serde_json::{Map, Value, json};

use super::{access_policy, group, identity, samples, target_application};
use crate::model::{self, Membership};

/// As the API server does it: an absent field with a default gets it, and what is in it likewise.
fn fill(value: &mut Value, schema: &Value) {
    for (name, schema) in schema["properties"].as_object().into_iter().flatten() {
        let Some(fields) = value.as_object_mut() else { return };
        if let Some(default) = schema.get("default")
            && !fields.contains_key(name)
        {
            fields.insert(name.clone(), default.clone());
        }
        if let Some(value) = fields.get_mut(name) {
            fill(value, schema);
        }
    }
    for item in value.as_array_mut().into_iter().flatten() {
        fill(item, &schema["items"]);
    }
}

fn filled(kind: &str, spec: &Value) -> Value {
    let definitions = crds::custom_resource_definitions();
    let definition = definitions.iter().find(|definition| definition.spec.names.kind == kind).unwrap();
    let definition = serde_json::to_value(definition).unwrap();
    let mut manifest = json!({"metadata": {"name": "ada", "namespace": "acme"}, "spec": spec});
    fill(&mut manifest, &definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]);
    manifest.as_object_mut().unwrap().remove("status");
    manifest
}

fn bare(spec: &Value) -> Value {
    json!({"metadata": {"name": "ada", "namespace": "acme"}, "spec": spec})
}

fn read<K: serde::de::DeserializeOwned>(manifest: Value) -> K {
    crds::from_manifest(manifest).unwrap()
}

#[test]
fn a_manifest_means_the_same_with_and_without_the_defaults_of_the_schema() {
    for spec in [json!({}), json!({"lifecycle": {}})] {
        assert_ne!(filled("Identity", &spec), bare(&spec));
        assert_eq!(identity(&read(filled("Identity", &spec))), identity(&read(bare(&spec))));
    }
    assert_eq!(group(&read(filled("Group", &json!({})))), group(&read(bare(&json!({})))));
    let spec = json!({"match": "true", "grants": [{"application": "wiki"}]});
    assert_ne!(filled("AccessPolicy", &spec), bare(&spec));
    assert_eq!(access_policy(&read(filled("AccessPolicy", &spec))), access_policy(&read(bare(&spec))));
}

#[test]
fn the_smallest_application_means_the_same_with_and_without_the_defaults_of_the_schema() {
    let settled = |manifest: Value| {
        let mut application = target_application(&read(manifest)).unwrap();
        // The settings are handed on as the manifest has them.
        application.connector.settings = Value::Null;
        application
    };
    let secret = json!({"bearer": {"secretRef": {"name": "a", "key": "b"}}});
    for spec in [
        json!({"connector": {"fake": {}}}),
        json!({"connector": {"scim": {"url": "https://wiki.acme.test", "auth": secret}}, "deprovision": {"ended": {}}}),
        json!({"connector": {"fake": {}}, "sync": {"settle": {}}, "entitlements": [{"name": "a", "target": {"group": {"name": "a"}}}]}),
    ] {
        assert_ne!(filled("TargetApplication", &spec), bare(&spec));
        assert_eq!(settled(filled("TargetApplication", &spec)), settled(bare(&spec)));
    }
}

#[test]
fn the_defaults_inside_lists_are_those_that_the_descriptions_name() {
    let spec = json!({
        "connector": {"fake": {}},
        "entitlements": [{"name": "editor", "target": {"group": {"name": "editors"}}}],
        "pushedGroups": [{"name": "Platform", "groupRef": {"name": "platform"}}],
        "account": {"attributes": [{"name": "title", "value": "x"}]}
    });
    let application = target_application(&read(bare(&spec))).unwrap();
    let entitlement = &application.entitlements[0];
    assert_eq!(
        (entitlement.membership, entitlement.privileged, entitlement.target.create),
        (Membership::Additive, false, false)
    );
    let pushed = &application.pushed_groups[0];
    assert_eq!((pushed.membership, pushed.prune), (Membership::Authoritative, false));
    let literal = model::MappingSource::Literal("x".into(), model::Apply::Always);
    assert_eq!(application.account.attributes[0].source, literal);
}

#[test]
fn null_reads_as_absent() {
    let nulls: Map<String, Value> =
        samples::identity().as_object().unwrap().keys().map(|name| (name.clone(), Value::Null)).collect();
    assert_eq!(identity(&read(bare(&Value::Object(nulls)))), identity(&read(bare(&json!({})))));
}

#[test]
fn the_reasons_of_the_model_are_those_of_the_resources() {
    let model: Vec<_> =
        model::Reason::ALL.iter().map(|reason| (reason.as_str(), reason.is_good(), reason.is_stalled())).collect();
    let resources: Vec<_> = crds::Reason::ALL
        .iter()
        .map(|reason| {
            let polarity = reason.polarity();
            (reason.as_str(), polarity == crds::Polarity::Good, polarity == crds::Polarity::Stalled)
        })
        .collect();
    assert_eq!(model, resources);
}
