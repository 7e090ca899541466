use serde_json::{Map, Value as Json, json};

use super::Switches;
use super::query::filter;

/// Why an operation is refused: status, scimType, detail.
pub(super) type Refused = (u16, &'static str, String);

const KNOWN: [&str; 26] = [
    "userName",
    "externalId",
    "displayName",
    "nickName",
    "title",
    "userType",
    "preferredLanguage",
    "locale",
    "timezone",
    "active",
    "emails",
    "phoneNumbers",
    "addresses",
    "name.givenName",
    "name.familyName",
    "name.middleName",
    "employeeNumber",
    "costCenter",
    "organization",
    "division",
    "department",
    "manager",
    "members",
    "name",
    "profileUrl",
    "badge",
];

/// One operation (RFC 7644, 3.5.2).
pub(super) fn operation(resource: &mut Map<String, Json>, operation: &Json, on: &Switches) -> Result<(), Refused> {
    let bad = |detail: &str| (400, "invalidSyntax", detail.to_owned());
    let op = operation.get("op").and_then(Json::as_str).ok_or_else(|| bad("op"))?;
    let value = operation.get("value");
    if !matches!(op, "add" | "replace" | "remove") || (op != "remove" && value.is_none()) {
        return Err(bad("op and value"));
    }
    let Some(path) = operation.get("path").and_then(Json::as_str) else {
        let values = value.and_then(Json::as_object).ok_or_else(|| bad("value is no object"))?;
        if on.pathless_one_attribute && values.len() > 1 {
            return Err(bad("one attribute at a time"));
        }
        values.iter().for_each(|(name, value)| {
            resource.insert(name.clone(), value.clone());
        });
        return Ok(());
    };
    if let Some(inner) = path.strip_prefix("members[").and_then(|rest| rest.strip_suffix(']')) {
        return remove_members(resource, inner, on);
    }
    let name = path.rsplit_once(':').map_or(path, |(_, name)| name);
    if on.unknown_ignored.contains(name) {
        return Ok(());
    }
    if !KNOWN.contains(&name) || on.unknown_rejected.contains(name) {
        return Err((400, "invalidPath", format!("there is no attribute {name}")));
    }
    if path == "members" && op == "add" {
        return add_members(resource, value.unwrap_or(&Json::Null), on);
    }
    at(resource, path, if op == "remove" { None } else { value }, on)
}

fn add_members(resource: &mut Map<String, Json>, value: &Json, on: &Switches) -> Result<(), Refused> {
    let members = resource.entry("members").or_insert_with(|| json!([])).as_array_mut().expect("members are a list");
    for member in value.as_array().ok_or((400, "invalidValue", "members".to_owned()))? {
        if on.members_repeat || !members.iter().any(|held| held["value"] == member["value"]) {
            members.push(member.clone());
        }
    }
    Ok(())
}

fn remove_members(resource: &mut Map<String, Json>, inner: &str, on: &Switches) -> Result<(), Refused> {
    if on.no_member_paths {
        return Err((400, "invalidPath", "a filter in a path".to_owned()));
    }
    if on.member_paths_ignored {
        return Ok(());
    }
    let filter = filter(inner).ok_or((400, "invalidFilter", "the filter of the path".to_owned()))?;
    let wanted = filter.first().map(|(_, value)| value.clone());
    let members = resource.get_mut("members").and_then(Json::as_array_mut);
    let before = members.as_ref().map_or(0, |members| members.len());
    let after = members.map_or(0, |members| {
        members.retain(|member| Some(&member["value"]) != wanted.as_ref());
        members.len()
    });
    if on.no_target && before == after {
        return Err((400, "noTarget", "no such member".to_owned()));
    }
    if after == 0 {
        resource.remove("members");
    }
    Ok(())
}

fn at(resource: &mut Map<String, Json>, path: &str, value: Option<&Json>, on: &Switches) -> Result<(), Refused> {
    let mut map = resource;
    let mut rest = path;
    if let Some((schema, name)) = path.rsplit_once(':') {
        map = object(map, schema)?;
        rest = name;
    }
    if let Some((attribute, sub)) = rest.split_once('.') {
        map = object(map, attribute)?;
        rest = sub;
    }
    match value {
        Some(value) => {
            map.insert(rest.to_owned(), value.clone());
        }
        None if map.remove(rest).is_none() && on.no_target => return Err((400, "noTarget", format!("no {path}"))),
        None => {}
    }
    Ok(())
}

fn object<'a>(map: &'a mut Map<String, Json>, name: &str) -> Result<&'a mut Map<String, Json>, Refused> {
    let entry = map.entry(name.to_owned()).or_insert_with(|| json!({}));
    entry.as_object_mut().ok_or((400, "invalidPath", name.to_owned()))
}
