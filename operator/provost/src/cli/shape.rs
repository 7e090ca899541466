//! What the API server would say of a manifest's shape: unknown fields, wrong types, missing fields, unknown words. It reads
//! the same schema that is installed. What a value may be beyond that is for `core::input`.

use std::sync::LazyLock;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceDefinition, JSONSchemaProps, JSONSchemaPropsOrArray, JSONSchemaPropsOrBool,
};
use provost_core::model::FieldError;
use serde_json::Value;

use super::metadata;

/// Made once: they are large.
static DEFINITIONS: LazyLock<Vec<CustomResourceDefinition>> = LazyLock::new(provost_crds::custom_resource_definitions);

/// The version that is read.
const VERSION: &str = "provost.dev/v1alpha1";
/// What every manifest must have besides.
const TOP: [&str; 2] = ["metadata", "spec"];
/// What is said of a field that is none.
pub const NO_FIELD: &str = "is no field here";
/// What is said of a label or an annotation that cannot be named so.
pub const NO_KEY: &str = "is no key here";
/// What to do about a name without a value.
const OF_THE_TEXT_BEFORE: &str =
    "write a value, or remove it; if it belongs to the text before it, put all of that text in quotes";
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

/// What the schema makes of a manifest.
#[derive(Debug, Default)]
pub struct Shape {
    /// What does not have the shape of the kind's schema. An unknown kind is an error too.
    pub errors: Vec<FieldError>,
    /// The manifest as its schema has it: what is no field is left out, and what has another type or is missing is empty.
    /// Of another version nothing is known.
    pub mended: Option<Value>,
    /// What stands in it for what is wrong or missing.
    made: Vec<String>,
    /// The objects of which a field that must be there is made.
    keyless: Vec<String>,
}

/// Reads a manifest by its schema.
pub fn read(manifest: &Value) -> Shape {
    let kind = manifest.get("kind").and_then(Value::as_str).unwrap_or_default();
    if !is_version(manifest) {
        return Shape { errors: vec![other_version(manifest)], ..Shape::default() };
    }
    let definitions = &*DEFINITIONS;
    let Some(definition) = definitions.iter().find(|d| d.spec.names.kind == kind) else {
        let kinds: Vec<&str> = definitions.iter().map(|d| d.spec.names.kind.as_str()).collect();
        let error = unknown("kind", kind, "is no kind of provost.dev/v1alpha1", &kinds);
        return Shape { errors: vec![error], ..Shape::default() };
    };
    let schema = definition.spec.versions.first().and_then(|v| v.schema.as_ref()?.open_api_v3_schema.as_ref());
    let mut shape = Shape::default();
    let mut mended = serde_json::Map::new();
    let there = || manifest.as_object().into_iter().flatten().filter(|(_, value)| !value.is_null());
    for (name, value) in there() {
        match (name.as_str(), schema.and_then(|s| s.properties.as_ref()?.get(name))) {
            ("apiVersion" | "kind", _) => _ = mended.insert(name.clone(), value.clone()),
            ("metadata", _) => _ = mended.insert(name.clone(), shape.metadata(value)),
            ("spec", Some(schema)) => _ = mended.insert(name.clone(), shape.value(name, value, schema)),
            (_, Some(schema)) => _ = shape.value(name, value, schema),
            (_, None) => shape.errors.push(unknown(name, name, NO_FIELD, &TOP)),
        }
    }
    let spec = schema.and_then(|s| s.properties.as_ref()?.get("spec"));
    for (name, schema) in [("metadata", Some(&*metadata::FIELDS)), ("spec", spec)] {
        if let (None, Some(schema)) = (mended.get(name), schema) {
            let fields = schema.required.as_deref().unwrap_or_default().join("' and '");
            let remedy = if fields.is_empty() {
                format!("add '{name}: {{}}', with what there is to say in it")
            } else {
                format!("add '{name}', with '{fields}' in it")
            };
            if !there().any(|(found, _)| means(found, name, TOP)) {
                shape.errors.push(error(name, None, "is missing".to_owned(), remedy));
            }
            shape.made.push(name.to_owned());
            mended.insert(name.to_owned(), empty(schema));
        }
    }
    shape.mended = Some(Value::Object(mended));
    shape
}

fn other_version(manifest: &Value) -> FieldError {
    let version = manifest.get("apiVersion").and_then(Value::as_str);
    if version.is_some_and(|version| group(version) != GROUP) {
        let message = format!("is not of the group {GROUP}");
        return error("apiVersion", version, message, format!("did you mean '{VERSION}'?"));
    }
    let message = if version.is_some() { "is no version that this provost reads" } else { "is missing" };
    let nearly = version.is_some_and(|version| strsim::damerau_levenshtein(version, VERSION) <= 2);
    let remedy = if nearly {
        format!("did you mean '{VERSION}'?")
    } else {
        format!("must be {VERSION}, or be read by a provost of that version")
    };
    error("apiVersion", version, message.to_owned(), remedy)
}

impl Shape {
    /// Whether an error of the mended manifest comes of what was made for it; paths have indices alone.
    pub fn is_made(&self, path: &str, error: &FieldError) -> bool {
        // Two keys that are made are equal.
        let keyless = |of: &String| of == path || (error.value.as_deref() == Some("") && is_within(of, path));
        self.made.iter().any(|made| is_within(path, made))
            || (error.value.is_some() && self.keyless.iter().any(keyless))
    }

    /// Each field of metadata can be read by itself, or is told and left out.
    fn metadata(&mut self, value: &Value) -> Value {
        let mut mended = self.value("metadata", value, &metadata::FIELDS);
        if let Some(fields) = mended.as_object_mut() {
            fields.retain(|name, value| {
                let path = format!("metadata.{name}");
                let is_read =
                    serde_json::from_value::<provost_crds::ObjectMeta>(serde_json::json!({name: value})).is_ok();
                if !is_read && !self.errors.iter().any(|error| is_within(&error.path, &path)) {
                    let remedy = "must be as the API server writes it, or be left out".to_owned();
                    self.errors.push(error(&path, None, "cannot be read".to_owned(), remedy));
                }
                is_read
            });
        }
        self.errors.extend(metadata::errors(value));
        mended
    }

    /// The value as its schema has it.
    fn value(&mut self, path: &str, value: &Value, schema: &JSONSchemaProps) -> Value {
        let wanted = schema.type_.as_deref().unwrap_or_default();
        let found = kind_of(value);
        if !wanted.is_empty() && wanted != found && !(wanted == "number" && found == "integer") {
            self.errors.push(error(path, None, format!("is {}", article(found)), must_be(wanted, found)));
            self.made.push(path.to_owned());
            return empty(schema);
        }
        if let (Some(words), Some(text)) = (&schema.enum_, value.as_str()) {
            let words: Vec<&str> = words.iter().filter_map(|w| w.0.as_str()).collect();
            if !words.contains(&text) {
                self.errors.push(unknown(path, text, "is not one of its values", &words));
                self.made.push(path.to_owned());
            }
        }
        match value {
            Value::Object(fields) => self.object(path, fields, schema),
            Value::Array(items) => {
                let Some(JSONSchemaPropsOrArray::Schema(schema)) = &schema.items else { return value.clone() };
                // An item stays where it was: others are known by their place.
                let items = items.iter().enumerate();
                items.map(|(at, item)| self.value(&format!("{path}[{at}]"), item, schema)).collect()
            }
            _ => value.clone(),
        }
    }

    /// A field that is null is not there; nor is it one, if it is none.
    fn object(&mut self, path: &str, fields: &serde_json::Map<String, Value>, schema: &JSONSchemaProps) -> Value {
        let mut kept = serde_json::Map::new();
        let property = |name: &str| schema.properties.as_ref().and_then(|properties| properties.get(name));
        let known = |name: &str| {
            property(name).or(match &schema.additional_properties {
                Some(JSONSchemaPropsOrBool::Schema(schema)) => Some(schema),
                _ => None,
            })
        };
        let names = || schema.properties.iter().flatten().map(|(name, _)| name.as_str());
        let is_free = schema.x_kubernetes_preserve_unknown_fields == Some(true);
        let is_unknown = |name: &str| !is_free && known(name).is_none();
        let unknown_here = fields.keys().filter(|name| is_unknown(name));
        let required = schema.required.as_deref().unwrap_or_default();
        for name in required.iter().filter(|name| fields.get(*name).is_none_or(Value::is_null)) {
            // Of one that is misspelt that is said alone.
            if !unknown_here.clone().any(|found| means(found, name, names())) {
                self.errors.push(error(path, None, format!("'{name}' is missing"), format!("add '{name}'")));
            }
            self.made.push(format!("{path}.{name}"));
            self.keyless.push(path.to_owned());
            kept.insert(name.clone(), property(name).map_or(Value::Null, empty));
        }
        for (name, value) in fields.iter().filter(|(name, value)| !value.is_null() || is_unknown(name)) {
            let within = format!("{path}.{name}");
            if value.is_null() {
                // A comma ends a text in {}.
                let remedy = nearest(name, names()).unwrap_or_else(|| OF_THE_TEXT_BEFORE.to_owned());
                self.errors.push(error(&within, Some(name), NO_FIELD.to_owned(), remedy));
            } else if let Some(known) = known(name) {
                let errors = self.errors.len();
                kept.insert(name.clone(), self.value(&within, value, known));
                if required.contains(name) && self.errors.len() > errors {
                    self.keyless.push(path.to_owned());
                }
            } else if is_free {
                kept.insert(name.clone(), value.clone());
            } else {
                self.errors.push(unknown(&within, name, NO_FIELD, &names().collect::<Vec<_>>()));
            }
        }
        Value::Object(kept)
    }
}

/// Whether a path is a field, or of something in it.
pub fn is_within(path: &str, field: &str) -> bool {
    path.strip_prefix(field).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
}

/// What stands for a value that is not there.
fn empty(schema: &JSONSchemaProps) -> Value {
    match schema.type_.as_deref().unwrap_or_default() {
        "object" => Shape::default().object("", &serde_json::Map::new(), schema),
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
        "null" => "empty".to_owned(),
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
    meant(found, known).map(|name| format!("did you mean '{name}'?"))
}

fn meant<'n>(found: &str, known: impl IntoIterator<Item = &'n str>) -> Option<&'n str> {
    let near = known
        .into_iter()
        .map(|name| (strsim::damerau_levenshtein(&name.to_lowercase(), &found.to_lowercase()), name))
        .filter(|(distance, name)| *distance <= (name.len() / 3).max(1))
        .min();
    near.map(|(_, name)| name)
}

/// Whether a name that is none is that one misspelt.
fn means<'n>(found: &str, name: &str, known: impl IntoIterator<Item = &'n str>) -> bool {
    meant(found, known) == Some(name)
}

/// An error that repeats no more than the beginning of a value.
pub fn error(path: &str, value: Option<&str>, message: String, remedy: String) -> FieldError {
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
        read(&manifest).errors.iter().map(ToString::to_string).collect()
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
        assert!(is_ours(&without) && read(&without).errors[0].to_string().contains("apiVersion: is missing"));
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
    fn a_name_without_a_value_is_told_where_it_is_no_field_and_one_that_is_left_empty_is_not_there() {
        let manifest = |spec: Value| json!({"kind": "Identity", "spec": spec});
        assert_eq!(said(&manifest(json!({"title": null, "name": null, "lifecycle": {"endTime": null}}))), [""; 0]);
        let quotes = "write a value, or remove it; if it belongs to the text before it, put all of that text in quotes";
        for (spec, expected) in [
            // {department: Sales, EMEA}
            (json!({"department": "Sales", "EMEA": null}), format!(r#"spec.EMEA: "EMEA": is no field here; {quotes}"#)),
            (
                json!({"departmnt": null}),
                r#"spec.departmnt: "departmnt": is no field here; did you mean 'department'?"#.to_owned(),
            ),
        ] {
            assert_eq!(said(&manifest(spec)), [expected]);
        }
    }

    #[test]
    fn what_is_missing_at_the_top_is_named() {
        for nothing in [json!({"kind": "Identity"}), json!({"kind": "Identity", "spec": null})] {
            assert_eq!(said(&nothing), ["spec: is missing; add 'spec: {}', with what there is to say in it"]);
        }
        let manifest = json!({"kind": "Identity", "metadata": null, "spec": {}});
        assert_eq!(said(&manifest), ["metadata: is missing; add 'metadata', with 'name' in it"]);
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
