//! Pure: model to wire and back. What was written and read back compares equal by [`same`].

use std::collections::BTreeMap;
use std::sync::Arc;

use provost_core::model::{AttributeName, Attributes, EntitlementKind, Observed, ObservedEntitlement, Value};

use serde_json::{Map, Number, Value as Json, json};

use super::names::{ENTERPRISE, GROUP, PATCH_OP, Path, USER, known, mapped};
use super::wire::{self, Held, Resource};

/// What is not an attribute of the account but of the protocol, or is said elsewhere.
const NOT_ATTRIBUTES: [&str; 7] = ["id", "meta", "schemas", "active", "groups", "password", "members"];

/// What a target adds to the values of a list by itself (RFC 7643, 2.4): not ours, never compared.
const ADDED_TO_VALUES: [&str; 3] = ["display", "$ref", "formatted"];

/// Core attributes with several complex values.
const LISTS: [&str; 5] = ["emails", "phoneNumbers", "ims", "photos", "addresses"];

/// The model's name of a sub-attribute of an address, and SCIM's.
const STREET: (&str, &str) = ("street", "streetAddress");

/// One change to a resource: set, or with `None` clear.
pub(super) type Change = (Path, Option<Json>);

/// The body of a POST that creates an account.
pub(super) fn new_account(attributes: &Attributes, enabled: bool) -> Resource {
    let mut account = Resource::default();
    for change in changes(attributes).into_iter().filter(|(_, value)| value.is_some()) {
        put(&mut account, &change);
    }
    account.0.insert("active".into(), enabled.into());
    let mut schemas = vec![Json::from(USER)];
    schemas.extend(account.0.keys().filter(|key| key.contains(':')).map(|key| Json::from(key.as_str())));
    account.0.insert("schemas".into(), schemas.into());
    account
}

/// The body of a POST that creates a group.
pub(super) fn new_group(name: &str, mark: &str) -> Json {
    json!({"schemas": [GROUP], "displayName": name, "externalId": mark})
}

/// What setting attributes changes; an empty value clears.
pub(super) fn changes(set: &Attributes) -> Vec<Change> {
    set.iter().map(|(name, value)| (Path::of(name.as_str()), to_json(name.as_str(), value))).collect()
}

/// The body of a PATCH, one operation a change, each with a path.
pub(super) fn patch(changes: &[Change]) -> Json {
    let operations: Vec<Json> = changes
        .iter()
        .map(|(path, value)| match value {
            Some(value) => json!({"op": "replace", "path": path.to_string(), "value": value}),
            None => json!({"op": "remove", "path": path.to_string()}),
        })
        .collect();
    operations_body(&operations)
}

/// PATCH operations in their envelope.
pub(super) fn operations_body(operations: &[Json]) -> Json {
    json!({"schemas": [PATCH_OP], "Operations": operations})
}

/// Applies a change to a resource that was read, keeping everything else as it is.
pub(super) fn put(resource: &mut Resource, (path, value): &Change) {
    let mut map = &mut resource.0;
    if let Some(schema) = &path.schema {
        match object(map, schema) {
            Some(extension) => map = extension,
            None => return,
        }
    }
    match &path.sub {
        None => place(map, &path.attribute, value.as_ref()),
        Some(sub) => {
            if let Some(complex) = object(map, &path.attribute) {
                place(complex, sub, value.as_ref());
            }
        }
    }
    if let Some(schema) = &path.schema {
        declare(&mut resource.0, schema);
    }
}

/// A resource declares the extensions it holds, and none that are empty.
fn declare(resource: &mut Map<String, Json>, schema: &str) {
    let spelled = wire::key(resource, schema).unwrap_or(schema).to_owned();
    let empty = resource.get(&spelled).and_then(Json::as_object).is_none_or(Map::is_empty);
    if empty {
        resource.remove(&spelled);
    }
    if let Some(Json::Array(schemas)) = resource.get_mut("schemas") {
        schemas.retain(|declared| declared.as_str().is_some_and(|text| !text.eq_ignore_ascii_case(schema)));
        if !empty {
            schemas.push(schema.into());
        }
    }
}

/// The object under a name, made if it is not there; `None` if something else is.
fn object<'a>(map: &'a mut Map<String, Json>, name: &str) -> Option<&'a mut Map<String, Json>> {
    let spelled = wire::key(map, name).unwrap_or(name).to_owned();
    let entry = map.entry(spelled).or_insert_with(|| Json::Object(Map::new()));
    if entry.is_null() {
        *entry = Json::Object(Map::new());
    }
    entry.as_object_mut()
}

fn place(map: &mut Map<String, Json>, name: &str, value: Option<&Json>) {
    let spelled = wire::key(map, name).unwrap_or(name).to_owned();
    match value {
        Some(value) => map.insert(spelled, value.clone()),
        None => map.remove(&spelled),
    };
}

/// A value on the wire; `None` for an empty one.
fn to_json(name: &str, value: &Value) -> Option<Json> {
    let path = Path::of(name);
    match canonical(name, value) {
        empty if empty.is_empty() => None,
        Value::Text(id) if path.is("manager") && path.sub.is_none() && in_enterprise(&path) => {
            Some(json!({"value": &*id}))
        }
        value => Some(json_of(&value, path.is("addresses"))),
    }
}

fn in_enterprise(path: &Path) -> bool {
    path.schema.as_deref().is_some_and(|schema| schema.eq_ignore_ascii_case(ENTERPRISE))
}

fn json_of(value: &Value, address: bool) -> Json {
    match value {
        Value::Null => Json::Null,
        Value::Bool(value) => (*value).into(),
        Value::Int(value) => (*value).into(),
        Value::Text(text) => Json::from(&**text),
        Value::List(items) => items.iter().map(|item| json_of(item, address)).collect(),
        Value::Map(map) => Json::Object(
            map.iter()
                .map(|(key, value)| {
                    let key = if address && **key == *STREET.0 { STREET.1 } else { key };
                    (key.to_owned(), json_of(value, address))
                })
                .collect(),
        ),
    }
}

/// One form for values that mean the same: lists are sets (RFC 7643, 2.4), `primary: false` says nothing (the
/// same, "false if omitted"), what is empty is not there, and what targets add to values by themselves is left out.
pub(super) fn canonical(name: &str, value: &Value) -> Value {
    let Value::List(items) = value else { return plain(value) };
    let mut items: Vec<Value> = items
        .iter()
        .map(|item| match plain(item) {
            Value::Map(mut map) => {
                map.retain(|key, value| known(&ADDED_TO_VALUES, key).is_none() && !unsaid(key, value));
                Value::Map(street_named(name, map))
            }
            other => other,
        })
        .filter(|item| !item.is_empty())
        .collect();
    items.sort();
    items.dedup();
    Value::List(items)
}

fn unsaid(key: &str, value: &Value) -> bool {
    key.eq_ignore_ascii_case("primary") && *value == Value::Bool(false)
}

fn street_named(name: &str, mut map: BTreeMap<Arc<str>, Value>) -> BTreeMap<Arc<str>, Value> {
    if name.eq_ignore_ascii_case("addresses")
        && let Some(street) = map.remove(STREET.1)
    {
        map.entry(STREET.0.into()).or_insert(street);
    }
    map
}

/// Without what is empty, at any depth below the value itself.
fn plain(value: &Value) -> Value {
    match value {
        Value::Map(map) => Value::Map(
            map.iter()
                .map(|(key, value)| (Arc::clone(key), plain(value)))
                .filter(|(_, value)| !value.is_empty())
                .collect(),
        ),
        Value::List(items) => Value::List(items.iter().map(plain).collect()),
        other => other.clone(),
    }
}

/// Whether a target holds what was asked for. Case is ignored where RFC 7643 says `caseExact: false` and targets are
/// known to fold.
pub(super) fn same(name: &str, wanted: &Value, held: Option<&Value>) -> bool {
    let wanted = canonical(name, wanted);
    let held = canonical(name, held.unwrap_or(&Value::Null));
    if wanted.is_empty() || held.is_empty() {
        return wanted.is_empty() && held.is_empty();
    }
    if known(super::SCHEMA.case_insensitive, name).is_some() {
        return folded(&wanted) == folded(&held);
    }
    wanted == held
}

fn folded(value: &Value) -> Value {
    match value {
        Value::Text(text) => Value::Text(text.to_lowercase().into()),
        Value::List(items) => {
            let mut items: Vec<Value> = items.iter().map(folded).collect();
            items.sort();
            Value::List(items)
        }
        Value::Map(map) => Value::Map(map.iter().map(|(key, value)| (Arc::clone(key), folded(value))).collect()),
        other => other.clone(),
    }
}

/// An account as the core sees it. `None`: it has no id.
pub(super) fn account(resource: &Resource) -> Option<Observed> {
    let mut attributes = Attributes::new();
    for (key, value) in &resource.0 {
        match value {
            _ if known(&NOT_ATTRIBUTES, key).is_some() => {}
            Json::Object(extension) if key.contains(':') => {
                for (key_within, value) in extension {
                    collect(&mut attributes, Some(key), key_within, value);
                }
            }
            value => collect(&mut attributes, None, key, value),
        }
    }
    Some(Observed {
        id: resource.id()?,
        enabled: resource.active().unwrap_or(true),
        attributes,
        holds: resource.groups(),
    })
}

/// Adds an attribute of a resource under the name by which mappings know it; complex ones by sub-attribute.
fn collect(attributes: &mut Attributes, schema: Option<&str>, attribute: &str, value: &Json) {
    let name = mapped(schema, attribute, None);
    let value = match value {
        Json::Object(manager) if name == "manager" => wire::get(manager, "value").unwrap_or(&Json::Null),
        // One value where a list belongs.
        Json::Object(_) if schema.is_none() && known(&LISTS, attribute).is_some() => {
            return insert(attributes, name, &Json::Array(vec![value.clone()]));
        }
        Json::Object(complex) => {
            for (sub, value) in complex {
                insert(attributes, mapped(schema, attribute, Some(sub)), value);
            }
            return;
        }
        other => other,
    };
    insert(attributes, name, value);
}

fn insert(attributes: &mut Attributes, name: String, value: &Json) {
    let value = canonical(&name, &of_json(value, None));
    if !value.is_empty() {
        attributes.insert(AttributeName::new(name), value);
    }
}

fn of_json(json: &Json, key: Option<&str>) -> Value {
    match json {
        Json::Null => Value::Null,
        Json::Bool(value) => Value::Bool(*value),
        Json::Number(number) => of_number(number),
        // The one truth value inside lists; some targets write it as a text.
        Json::String(_) if key.is_some_and(|key| key.eq_ignore_ascii_case("primary")) => {
            wire::truth(json).map_or(Value::Null, Value::Bool)
        }
        Json::String(text) => Value::from(text.as_str()),
        Json::Array(items) => Value::List(items.iter().map(|item| of_json(item, None)).collect()),
        Json::Object(map) => Value::Map(
            map.iter()
                .map(|(key, value)| (known(&SUBS, key).unwrap_or(key).into(), of_json(value, Some(key))))
                .collect(),
        ),
    }
}

/// Sub-attributes as RFC 7643 writes them.
const SUBS: [&str; 11] = [
    "value",
    "type",
    "primary",
    "display",
    "$ref",
    "formatted",
    "streetAddress",
    "locality",
    "region",
    "postalCode",
    "country",
];

fn of_number(number: &Number) -> Value {
    number.as_i64().map_or_else(|| Value::from(number.to_string().as_str()), Value::Int)
}

/// A group as the core sees it; who is in it as the caller knows how far that can be believed.
pub(super) fn group(resource: &Resource, held: Option<Held>) -> Option<ObservedEntitlement> {
    let (members, groups) = held.map(|held| (held.accounts, held.groups)).unzip();
    Some(ObservedEntitlement {
        id: resource.id()?,
        kind: EntitlementKind::Group,
        name: resource.text("displayName").unwrap_or_default().into(),
        mark: resource.text("externalId").filter(|mark| !mark.is_empty()).map(Arc::from),
        members,
        groups: groups.unwrap_or_default(),
    })
}

#[cfg(test)]
#[path = "map_tests.rs"]
mod tests;
