//! What the API server would say of a manifest's shape: unknown fields, wrong types, missing fields, unknown words. It reads
//! the same schema that is installed. What a value may be beyond that is for `core::input`.

use std::sync::LazyLock;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceDefinition, JSONSchemaProps, JSONSchemaPropsOrArray, JSONSchemaPropsOrBool,
};
use provost_core::model::FieldError;
use serde_json::Value;

/// Made once: they are large.
static DEFINITIONS: LazyLock<Vec<CustomResourceDefinition>> = LazyLock::new(provost_crds::custom_resource_definitions);

/// The version that is read.
const VERSION: &str = "provost.dev/v1alpha1";
/// What is said of a field that is none.
pub const NO_FIELD: &str = "is no field here";
/// Its group.
const GROUP: &str = "provost.dev";

/// Whether a manifest is of the version that is read.
pub fn is_version(manifest: &Value) -> bool {
    manifest.get("apiVersion").is_some_and(|version| version == VERSION)
}

/// Whether a manifest is, or should be, one of ours: of another version, of a group that is nearly ours, or without any.
pub fn is_ours(manifest: &Value) -> bool {
    let kind = manifest.get("kind").and_then(Value::as_str);
    let known = || DEFINITIONS.iter().any(|definition| kind == Some(&definition.spec.names.kind));
    match manifest.get("apiVersion").and_then(Value::as_str).map(group) {
        Some(group) => group == GROUP || (is_nearly_ours(group) && known()),
        None => known(),
    }
}

fn group(version: &str) -> &str {
    version.split('/').next().unwrap_or_default()
}

/// Others have kinds of our names too (`user.openshift.io` has a Group), so that not every group may be meant as ours.
fn is_nearly_ours(group: &str) -> bool {
    let lower = group.to_lowercase();
    let version_alone = VERSION.ends_with(&format!("/{lower}"));
    version_alone || lower.split('.').any(|label| label == "provost") || strsim::damerau_levenshtein(&lower, GROUP) <= 2
}

/// Everything in `spec` and `status` that does not have the shape of the kind's schema. An unknown kind is an error too.
pub fn check(manifest: &Value) -> Vec<FieldError> {
    let kind = manifest.get("kind").and_then(Value::as_str).unwrap_or_default();
    if !is_version(manifest) {
        let version = manifest.get("apiVersion").and_then(Value::as_str);
        if version.is_some_and(|version| group(version) != GROUP) {
            let message = format!("is not of the group {GROUP}");
            return vec![error("apiVersion", version, message, format!("did you mean '{VERSION}'?"))];
        }
        let message = if version.is_some() { "is no version that this provost reads" } else { "is missing" };
        let nearly = version.is_some_and(|version| strsim::damerau_levenshtein(version, VERSION) <= 2);
        let remedy = if nearly {
            format!("did you mean '{VERSION}'?")
        } else {
            format!("must be {VERSION}, or be read by a provost of that version")
        };
        return vec![error("apiVersion", version, message.to_owned(), remedy)];
    }
    let definitions = &*DEFINITIONS;
    let Some(definition) = definitions.iter().find(|d| d.spec.names.kind == kind) else {
        let kinds: Vec<&str> = definitions.iter().map(|d| d.spec.names.kind.as_str()).collect();
        return vec![unknown("kind", kind, "is no kind of provost.dev/v1alpha1", &kinds)];
    };
    let schema = definition.spec.versions.first().and_then(|v| v.schema.as_ref()?.open_api_v3_schema.as_ref());
    let mut errors = Vec::new();
    for (name, value) in manifest.as_object().into_iter().flatten() {
        match (name.as_str(), schema.and_then(|s| s.properties.as_ref()?.get(name))) {
            ("apiVersion" | "kind" | "metadata", _) => {}
            (_, Some(schema)) => walk(name, value, schema, &mut errors),
            (_, None) => errors.push(unknown(name, name, NO_FIELD, &["spec"])),
        }
    }
    for name in ["metadata", "spec"].into_iter().filter(|name| manifest.get(name).is_none_or(Value::is_null)) {
        let remedy = if name == "spec" { "add 'spec'" } else { "add 'metadata', with a 'name' in it" };
        errors.push(error("kind", None, format!("{kind} has no '{name}'"), remedy.to_owned()));
    }
    errors
}

fn walk(path: &str, value: &Value, schema: &JSONSchemaProps, errors: &mut Vec<FieldError>) {
    if value.is_null() {
        return;
    }
    let wanted = schema.type_.as_deref().unwrap_or_default();
    let found = kind_of(value);
    if !wanted.is_empty() && wanted != found && !(wanted == "number" && found == "integer") {
        errors.push(error(path, None, format!("is {}", article(found)), must_be(wanted, found)));
        return;
    }
    if let (Some(words), Some(text)) = (&schema.enum_, value.as_str()) {
        let words: Vec<&str> = words.iter().filter_map(|w| w.0.as_str()).collect();
        if !words.contains(&text) {
            errors.push(unknown(path, text, "is not one of its values", &words));
        }
    }
    match value {
        Value::Object(fields) => {
            for name in schema.required.iter().flatten().filter(|n| !fields.contains_key(*n)) {
                errors.push(error(path, None, format!("'{name}' is missing"), format!("add '{name}'")));
            }
            for (name, value) in fields {
                let path = format!("{path}.{name}");
                if let Some(schema) = schema.properties.as_ref().and_then(|p| p.get(name)) {
                    walk(&path, value, schema, errors);
                } else if let Some(JSONSchemaPropsOrBool::Schema(schema)) = &schema.additional_properties {
                    walk(&path, value, schema, errors);
                } else if schema.x_kubernetes_preserve_unknown_fields != Some(true) {
                    let names: Vec<&str> = schema.properties.iter().flatten().map(|(n, _)| n.as_str()).collect();
                    errors.push(unknown(&path, name, NO_FIELD, &names));
                }
            }
        }
        Value::Array(items) => {
            if let Some(JSONSchemaPropsOrArray::Schema(schema)) = &schema.items {
                for (at, item) in items.iter().enumerate() {
                    walk(&format!("{path}[{at}]"), item, schema, errors);
                }
            }
        }
        _ => {}
    }
}

/// A manifest as its schema has it: what is no field or has another type is left out, and what must be there is empty.
pub fn mended(manifest: &Value) -> Option<Value> {
    let kind = manifest.get("kind").and_then(Value::as_str)?;
    let definition = DEFINITIONS.iter().find(|definition| definition.spec.names.kind == kind)?;
    let schema = definition.spec.versions.first()?.schema.as_ref()?.open_api_v3_schema.as_ref()?;
    let schema = schema.properties.as_ref()?.get("spec")?;
    let spec = manifest.get("spec").and_then(|spec| mend(spec, schema)).unwrap_or_else(|| empty(schema));
    let text = |pointer: &str| manifest.pointer(pointer).and_then(Value::as_str);
    let metadata = serde_json::json!({"name": text("/metadata/name"), "namespace": text("/metadata/namespace")});
    Some(serde_json::json!({"metadata": metadata, "spec": spec}))
}

fn mend(value: &Value, schema: &JSONSchemaProps) -> Option<Value> {
    let wanted = schema.type_.as_deref().unwrap_or_default();
    let found = kind_of(value);
    match value {
        _ if !wanted.is_empty() && wanted != found && !(wanted == "number" && found == "integer") => None,
        Value::Object(fields) => {
            let mut kept = serde_json::Map::new();
            for (name, value) in fields {
                let property = schema.properties.as_ref().and_then(|properties| properties.get(name));
                kept.extend(
                    property
                        .map_or_else(|| Some(value.clone()), |schema| mend(value, schema))
                        .map(|value| (name.clone(), value)),
                );
            }
            for name in schema.required.iter().flatten() {
                let property = schema.properties.as_ref().and_then(|properties| properties.get(name));
                kept.entry(name.clone()).or_insert_with(|| property.map_or(Value::Null, empty));
            }
            Some(Value::Object(kept))
        }
        Value::Array(items) => {
            let Some(JSONSchemaPropsOrArray::Schema(schema)) = &schema.items else { return Some(value.clone()) };
            // An item stays where it was: others are known by their place.
            Some(items.iter().map(|item| mend(item, schema).unwrap_or_else(|| empty(schema))).collect())
        }
        _ => Some(value.clone()),
    }
}

/// What stands for a value that is not there.
fn empty(schema: &JSONSchemaProps) -> Value {
    match schema.type_.as_deref().unwrap_or_default() {
        "object" => mend(&serde_json::json!({}), schema).unwrap_or_default(),
        "array" => serde_json::json!([]),
        "boolean" => false.into(),
        "integer" | "number" => 0.into(),
        _ => "".into(),
    }
}

fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(n) if n.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

fn article(kind: &str) -> String {
    match kind {
        "array" => "a list".to_owned(),
        "object" => "a mapping".to_owned(),
        "integer" => "an integer".to_owned(),
        "string" => "a text".to_owned(),
        other => format!("a {other}"),
    }
}

/// What to write in place of a value of another type.
fn must_be(wanted: &str, found: &str) -> String {
    match (wanted, found) {
        ("boolean", _) => "must be true or false, without quotes".to_owned(),
        ("integer" | "number", "string") => format!("must be {}, without quotes", article(wanted)),
        ("string", "boolean" | "integer" | "number") => "must be a text (put it in quotes)".to_owned(),
        ("array", _) => "must be a list: each item in a line of its own, behind '- '".to_owned(),
        ("object", _) => "must be a mapping: each field in a line of its own, as in 'name: value'".to_owned(),
        _ => format!("must be {}", article(wanted)),
    }
}

fn unknown(path: &str, found: &str, what: &str, known: &[&str]) -> FieldError {
    error(path, Some(found), what.to_owned(), did_you_mean(found, known))
}

/// The nearest of the names that are known, or all of them.
pub fn did_you_mean(found: &str, known: &[&str]) -> String {
    nearest(found, known.iter().copied()).unwrap_or_else(|| format!("must be one of {}", known.join(", ")))
}

/// "did you mean 'x'?" for the nearest of the names that are known, if one is near.
pub fn nearest<'n>(found: &str, known: impl Iterator<Item = &'n str>) -> Option<String> {
    known
        .map(|name| (strsim::damerau_levenshtein(&name.to_lowercase(), &found.to_lowercase()), name))
        .filter(|(distance, name)| *distance <= (name.len() / 3).max(1))
        .min()
        .map(|(_, name)| format!("did you mean '{name}'?"))
}

fn error(path: &str, value: Option<&str>, message: String, remedy: String) -> FieldError {
    let value = value.map(|v| v.chars().take(64).collect::<String>().into());
    FieldError { path: path.into(), value, message: message.into(), remedy: remedy.into() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn said(manifest: &Value) -> Vec<String> {
        let mut manifest = manifest.clone();
        for (field, usual) in [("apiVersion", json!(VERSION)), ("metadata", json!({"name": "x"}))] {
            if manifest.get(field).is_none() {
                manifest[field] = usual;
            }
        }
        check(&manifest).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn another_version_is_an_error_and_nothing_of_it_is_judged() {
        for version in ["provost.dev/v1beta9", "provost.dev", "provost.dev/"] {
            let manifest = json!({"apiVersion": version, "kind": "Identity", "spec": {"departmnt": "x"}});
            let message = "is no version that this provost reads; must be provost.dev/v1alpha1, or be read by a provost of that version";
            assert_eq!(said(&manifest), [format!("apiVersion: {version:?}: {message}")]);
            assert!(is_ours(&manifest));
        }
        let without = json!({"kind": "Identity"});
        assert!(is_ours(&without) && check(&without)[0].to_string().contains("apiVersion: is missing"));
        for other in [json!({"apiVersion": "v1", "kind": "Secret"}), json!({"kind": "Secret"}), json!(null)] {
            assert!(!is_ours(&other), "{other}");
        }
    }

    #[test]
    fn a_group_that_is_nearly_ours_is_an_error_and_others_are_left_alone() {
        for version in
            ["provost.io/v1alpha1", "v1alpha1", "provst.dev/v1alpha1", "Provost.dev/v1", "acme.provost.dev/v1"]
        {
            let manifest = json!({"apiVersion": version, "kind": "Identity", "spec": {"departmnt": "x"}});
            let message = "is not of the group provost.dev; did you mean 'provost.dev/v1alpha1'?";
            assert!(is_ours(&manifest), "{version}");
            assert_eq!(said(&manifest), [format!("apiVersion: {version:?}: {message}")]);
        }
        for version in ["user.openshift.io/v1", "v1", "iam.acme.test/v1alpha1"] {
            assert!(!is_ours(&json!({"apiVersion": version, "kind": "Group"})), "{version}");
        }
        assert!(!is_ours(&json!({"apiVersion": "provost.io/v1alpha1", "kind": "Secret"})));
    }

    #[test]
    fn an_unknown_field_gets_the_nearest_name() {
        let manifest = json!({"kind": "Identity", "spec": {"departmnt": "x"}});
        assert_eq!(said(&manifest), [r#"spec.departmnt: "departmnt": is no field here; did you mean 'department'?"#]);
    }

    #[test]
    fn what_is_missing_at_the_top_is_named() {
        for nothing in [json!({"kind": "Identity"}), json!({"kind": "Identity", "spec": null})] {
            assert_eq!(said(&nothing), ["kind: Identity has no 'spec'; add 'spec'"]);
        }
        let manifest = json!({"kind": "Identity", "metadata": null, "spec": {}});
        assert_eq!(said(&manifest), ["kind: Identity has no 'metadata'; add 'metadata', with a 'name' in it"]);
    }

    #[test]
    fn a_value_of_another_type_says_how_to_write_it() {
        for (spec, expected) in [
            (
                json!({"emails": "a@b.c"}),
                "spec.emails: is a text; must be a list: each item in a line of its own, behind '- '",
            ),
            (
                json!({"lifecycle": {"suspended": "yes"}}),
                "spec.lifecycle.suspended: is a text; must be true or false, without quotes",
            ),
            (
                json!({"managerRef": "bob"}),
                "spec.managerRef: is a text; must be a mapping: each field in a line of its own, as in 'name: value'",
            ),
        ] {
            assert_eq!(said(&json!({"kind": "Identity", "spec": spec})), [expected]);
        }
    }

    #[test]
    fn a_boolean_where_a_text_belongs_says_to_quote_it() {
        let manifest = json!({"kind": "Identity", "spec": {"userName": true}});
        assert_eq!(said(&manifest), ["spec.userName: is a boolean; must be a text (put it in quotes)"]);
    }

    #[test]
    fn an_unknown_word_and_a_missing_field_are_named() {
        let manifest = json!({"kind": "AccessPolicy", "spec": {"effect": "allow", "grants": [{}]}});
        assert_eq!(
            said(&manifest),
            [
                r#"spec.effect: "allow": is not one of its values; did you mean 'Allow'?"#,
                "spec.grants[0]: 'application' is missing; add 'application'"
            ]
        );
    }

    #[test]
    fn an_unknown_kind_is_an_error() {
        assert_eq!(said(&json!({"kind": "Identiy"})).len(), 1);
    }
}
