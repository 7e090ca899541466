//! What the API server takes in `metadata`, of which a CRD has no schema: its fields, and how names, labels and annotations
//! are written.

use std::sync::LazyLock;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::JSONSchemaProps;
use provost_core::input::is_object_name;
use provost_core::model::FieldError;
use serde_json::{Value, json};

use super::shape::{NO_KEY, error};
use super::untold::may_hold;

/// Its fields. What the API server writes itself may be there too, as `kubectl get -o yaml` shows it.
pub static FIELDS: LazyLock<JSONSchemaProps> = LazyLock::new(|| {
    let (text, number) = (json!({"type": "string"}), json!({"type": "integer"}));
    let texts = json!({"type": "object", "additionalProperties": text});
    let owner = json!({
        "type": "object", "required": OWNER,
        "properties": {
            "apiVersion": text, "kind": text, "name": text, "uid": text,
            "controller": {"type": "boolean"}, "blockOwnerDeletion": {"type": "boolean"},
        },
    });
    let anything = json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true});
    let metadata = json!({
        "type": "object", "required": ["name"],
        "properties": {
            "name": text, "namespace": text, "labels": texts, "annotations": texts,
            "finalizers": {"type": "array", "items": text}, "ownerReferences": {"type": "array", "items": owner},
            "generateName": text, "uid": text, "resourceVersion": text, "selfLink": text, "generation": number,
            "creationTimestamp": text, "deletionTimestamp": text, "deletionGracePeriodSeconds": number,
            "managedFields": {"type": "array", "items": anything},
        },
    });
    serde_json::from_value(metadata).unwrap_or_default()
});

/// What a reference to an owner must say.
const OWNER: [&str; 4] = ["apiVersion", "kind", "name", "uid"];
/// The bytes of all annotations, keys and values.
const MOST_OF_ANNOTATIONS: usize = 256 * 1024;

const KEY: &str = "must be at most 63 letters, digits, '-', '_' and '.', beginning and ending with a letter or digit; before \
                   that may stand a domain in lower case and '/', as in acme.test/team";

/// A manifest as the server reads it: a label or an annotation without a value is an empty text.
pub fn read(manifest: &Value) -> Value {
    let mut manifest = manifest.clone();
    for texts in ["/metadata/labels", "/metadata/annotations"] {
        let texts = manifest.pointer_mut(texts).and_then(Value::as_object_mut);
        let empty = texts.into_iter().flat_map(|texts| texts.values_mut()).filter(|text| text.is_null());
        empty.for_each(|text| *text = "".into());
    }
    manifest
}

/// What is wrong with fields that have the right type.
pub fn errors(metadata: &Value) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let namespace = metadata.get("namespace").and_then(Value::as_str).unwrap_or_default();
    if !namespace.is_empty() && !is_namespace(namespace) {
        let remedy =
            "must be at most 63 lower-case letters, digits and '-', beginning and ending with a letter or digit";
        errors.push(wrong("metadata.namespace", namespace, "is no name of a namespace", remedy));
    }
    for (key, value) in fields(metadata, "labels") {
        if !is_key(key) {
            errors.push(no_key("metadata.labels", key));
        }
        let path = format!("metadata.labels.{key}");
        let value = value.as_str().unwrap_or_default();
        if is_key(key) && !value.is_empty() && !is_word(value) {
            let remedy = "must be at most 63 letters, digits, '-', '_' and '.', beginning and ending with a letter or digit; an \
                          annotation may be any text";
            errors.push(wrong(&path, value, "is no value of a label", remedy));
        }
    }
    // The server compares these in lower case.
    for (key, _) in fields(metadata, "annotations").filter(|(key, _)| !is_key(&key.to_lowercase())) {
        errors.push(no_key("metadata.annotations", key));
    }
    let bytes = |(key, value): (&String, &Value)| key.len() + value.as_str().map_or(0, str::len);
    let bytes: usize = fields(metadata, "annotations").map(bytes).sum();
    if bytes > MOST_OF_ANNOTATIONS {
        let remedy = format!("must have at most {MOST_OF_ANNOTATIONS}, keys and values together");
        errors.push(error("metadata.annotations", None, format!("has {bytes} bytes"), remedy));
    }
    for (at, finalizer) in items(metadata, "finalizers") {
        let name = finalizer.as_str().filter(|name| !is_key(name));
        errors.extend(name.map(|name| wrong(&format!("metadata.finalizers[{at}]"), name, "is no finalizer", KEY)));
    }
    errors.extend(items(metadata, "ownerReferences").flat_map(|(at, owner)| of_owner(at, owner)));
    errors
}

fn of_owner(at: usize, owner: &Value) -> Vec<FieldError> {
    let path = |field: &str| format!("metadata.ownerReferences[{at}].{field}");
    let empty = OWNER.iter().filter(|field| owner.get(**field).is_some_and(|value| value == ""));
    let mut errors: Vec<FieldError> =
        empty.map(|field| error(&path(field), None, "is empty".to_owned(), "must say something".to_owned())).collect();
    let version = owner.get("apiVersion").and_then(Value::as_str).unwrap_or_default();
    if version.split_once('/').is_some_and(|(_, version)| version.is_empty() || version.contains('/')) {
        errors.push(wrong(&path("apiVersion"), version, "is no version", "must be as in apps/v1, or v1"));
    }
    errors
}

/// A key that may be a secret is not named.
fn no_key(place: &str, key: &str) -> FieldError {
    if may_hold(key) {
        return error(place, None, "has a key that is none".to_owned(), KEY.to_owned());
    }
    error(&format!("{place}.{key}"), None, NO_KEY.to_owned(), KEY.to_owned())
}

/// Nothing is repeated that may be a secret.
fn wrong(path: &str, value: &str, message: &str, remedy: &str) -> FieldError {
    let told = Some(value).filter(|_| !may_hold(path));
    error(path, told, message.to_owned(), remedy.to_owned())
}

fn fields<'m>(metadata: &'m Value, name: &str) -> impl Iterator<Item = (&'m String, &'m Value)> {
    metadata.get(name).and_then(Value::as_object).into_iter().flatten()
}

fn items<'m>(metadata: &'m Value, name: &str) -> impl Iterator<Item = (usize, &'m Value)> {
    metadata.get(name).and_then(Value::as_array).into_iter().flatten().enumerate()
}

/// An RFC 1123 label.
fn is_namespace(name: &str) -> bool {
    name.len() <= 63 && !name.contains('.') && is_object_name(name)
}

/// A word, perhaps behind a domain.
fn is_key(key: &str) -> bool {
    match key.split_once('/') {
        Some((domain, word)) => is_object_name(domain) && is_word(word),
        None => is_word(key),
    }
}

fn is_word(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric();
    text.len() <= 63
        && text.bytes().all(|byte| plain(byte) || b"-_.".contains(&byte))
        && text.bytes().next().is_some_and(plain)
        && text.bytes().last().is_some_and(plain)
}
