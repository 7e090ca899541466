//! What comes over the wire, read tolerantly: keys in any case, truth values and numbers as texts, one value where a
//! list belongs, missing `schemas`.

use std::collections::BTreeSet;

use provost_core::model::{TargetError, TargetId};
use serde_json::{Map, Value as Json};

/// A User or Group as it came. What we do not know is kept.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Resource(pub(super) Map<String, Json>);

impl Resource {
    pub(super) fn of(json: Json) -> Option<Self> {
        match json {
            Json::Object(map) => Some(Self(map)),
            _ => None,
        }
    }

    pub(super) fn get(&self, name: &str) -> Option<&Json> {
        get(&self.0, name)
    }

    /// Its id; numbers are ids too.
    pub(super) fn id(&self) -> Option<TargetId> {
        text(self.get("id")?).filter(|id| !id.is_empty()).map(TargetId::new)
    }

    pub(super) fn text(&self, name: &str) -> Option<String> {
        text(self.get(name)?)
    }

    /// `None` where the target does not say.
    pub(super) fn active(&self) -> Option<bool> {
        truth(self.get("active")?)
    }

    /// `meta.version` (RFC 7644, 3.14).
    pub(super) fn version(&self) -> Option<String> {
        match self.get("meta")? {
            Json::Object(meta) => text(get(meta, "version")?),
            _ => None,
        }
    }

    /// The groups an account is directly in; `None`: the attribute is not there.
    pub(super) fn groups(&self) -> Option<Vec<TargetId>> {
        let direct = |item: &Json| !said(item, "type", "indirect");
        Some(ids(self.get("groups")?, direct))
    }

    /// The accounts in a group, each once; `None`: the attribute is not there.
    pub(super) fn members(&self) -> Option<Vec<TargetId>> {
        Some(ids(self.get("members")?, |item| !said(item, "type", "Group")))
    }

    /// How often a member is stored, where one is stored more than once.
    pub(super) fn repeats_members(&self) -> bool {
        let Some(members) = self.get("members") else { return false };
        list(members).count() > ids(members, |_| true).len()
    }
}

/// The value under a name, whatever its case (RFC 7643, 2.1).
pub(super) fn get<'a>(map: &'a Map<String, Json>, name: &str) -> Option<&'a Json> {
    key(map, name).and_then(|key| map.get(key))
}

/// How a map spells a name.
pub(super) fn key<'a>(map: &'a Map<String, Json>, name: &str) -> Option<&'a str> {
    if let Some((key, _)) = map.get_key_value(name) {
        return Some(key);
    }
    map.keys().find(|key| key.eq_ignore_ascii_case(name)).map(String::as_str)
}

/// A list, or the one value that stands for a list of one.
pub(super) fn list(json: &Json) -> Box<dyn Iterator<Item = &Json> + '_> {
    match json {
        Json::Array(items) => Box::new(items.iter()),
        Json::Null => Box::new(std::iter::empty()),
        one => Box::new(std::iter::once(one)),
    }
}

/// Text, or a number as text.
pub(super) fn text(json: &Json) -> Option<String> {
    match json {
        Json::String(text) => Some(text.clone()),
        Json::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// A truth value, or a text that says one.
pub(super) fn truth(json: &Json) -> Option<bool> {
    match json {
        Json::Bool(value) => Some(*value),
        Json::String(text) if text.eq_ignore_ascii_case("true") => Some(true),
        Json::String(text) if text.eq_ignore_ascii_case("false") => Some(false),
        _ => None,
    }
}

fn said(item: &Json, name: &str, value: &str) -> bool {
    item.as_object()
        .and_then(|map| get(map, name))
        .and_then(Json::as_str)
        .is_some_and(|text| text.eq_ignore_ascii_case(value))
}

fn ids(json: &Json, keep: impl Fn(&Json) -> bool) -> Vec<TargetId> {
    let mut seen = BTreeSet::new();
    list(json)
        .filter(|item| keep(item))
        .filter_map(|item| match item {
            Json::Object(map) => text(get(map, "value")?),
            other => text(other),
        })
        .filter(|id| !id.is_empty() && seen.insert(id.clone()))
        .map(TargetId::new)
        .collect()
}

/// A page of a list (RFC 7644, 3.4.2; RFC 9865).
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct ListResponse {
    pub(super) total: Option<u64>,
    pub(super) resources: Vec<Resource>,
    pub(super) next_cursor: Option<String>,
}

/// Errors: an answer that is no list. An empty body, or an object that holds neither `Resources` nor a total of zero,
/// never counts as an empty list.
pub(super) fn list_response(body: &[u8]) -> Result<ListResponse, TargetError> {
    let malformed = |what: &str| TargetError::Malformed(format!("a list was asked for, and {what}").into());
    if body.iter().all(u8::is_ascii_whitespace) {
        return Err(malformed("the answer is empty"));
    }
    let json: Json = serde_json::from_slice(body).map_err(|_| malformed("the answer is not JSON"))?;
    let Json::Object(map) = json else { return Err(malformed("the answer is not a JSON object")) };
    let total = get(&map, "totalResults").and_then(|total| text(total)?.parse::<u64>().ok());
    let resources: Vec<Resource> = match get(&map, "Resources") {
        Some(found) => list(found).filter_map(|item| Resource::of(item.clone())).collect(),
        None if total.is_some() => Vec::new(),
        None => return Err(malformed("the answer holds neither Resources nor totalResults")),
    };
    if let Some(nameless) = resources.iter().position(|resource| resource.id().is_none()) {
        return Err(malformed(&format!("item {nameless} of the answer has no id")));
    }
    let next_cursor = get(&map, "nextCursor").and_then(text).filter(|cursor| !cursor.is_empty());
    Ok(ListResponse { total, resources, next_cursor })
}

/// One resource. Errors: an answer that is none.
pub(super) fn resource(body: &[u8]) -> Result<Resource, TargetError> {
    serde_json::from_slice(body)
        .ok()
        .and_then(Resource::of)
        .ok_or_else(|| TargetError::Malformed("a resource was asked for, and the answer is none".into()))
}

/// `scimType` and `detail` of an error (RFC 7644, 3.12).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct ScimError {
    pub(super) kind: Option<&'static str>,
    pub(super) detail: String,
}

/// RFC 7644, table 9; RFC 9865, 4. Others are a target's own words, and kept out of what we say.
const KINDS: [&str; 14] = [
    "invalidFilter",
    "tooMany",
    "uniqueness",
    "mutability",
    "invalidSyntax",
    "invalidPath",
    "noTarget",
    "invalidValue",
    "invalidVers",
    "sensitive",
    "invalidCursor",
    "expiredCursor",
    "invalidCount",
    "invalidSchema",
];

/// What the body of an error says; of a body that is no SCIM error, its text.
pub(super) fn scim_error(body: &[u8]) -> ScimError {
    let Some(error) = serde_json::from_slice(body).ok().and_then(Resource::of) else {
        return ScimError { kind: None, detail: String::from_utf8_lossy(body).into_owned() };
    };
    let kind = error.text("scimType").and_then(|kind| super::names::known(&KINDS, kind.trim()));
    ScimError { kind, detail: error.text("detail").unwrap_or_default() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(text: &str) -> Result<ListResponse, TargetError> {
        list_response(text.as_bytes())
    }

    #[test]
    fn an_answer_that_is_no_list_is_never_an_empty_list() {
        for text in ["", "  \n", "{}", "[]", "null", "<html>", r#"{"Resources":[{"userName":"ada"}]}"#, r#"{"id":"1"}"#]
        {
            assert!(page(text).is_err(), "{text:?} was read as a list");
        }
    }

    #[test]
    fn lists_are_read_in_any_case_and_with_one_value_for_a_list() {
        let read = page(r#"{"TotalResults":"2","resources":{"ID":7}}"#).unwrap();
        assert_eq!(read.total, Some(2));
        assert_eq!(read.resources.iter().filter_map(Resource::id).collect::<Vec<_>>(), [TargetId::from("7")]);
        assert_eq!(page(r#"{"totalResults":0}"#).unwrap().resources, []);
    }

    #[test]
    fn members_are_read_in_every_shape_and_once() {
        let group = |text: &str| resource(text.as_bytes()).unwrap();
        let read =
            group(r#"{"Members":[{"value":"a"},"b",{"Value":"a"},{"value":"g","type":"Group"},{"display":"x"}]}"#);
        assert_eq!(read.members().unwrap(), [TargetId::from("a"), TargetId::from("b")]);
        assert!(read.repeats_members());
        assert_eq!(group("{}").members(), None);
        assert_eq!(group(r#"{"members":null}"#).members(), Some(vec![]));
        assert_eq!(group(r#"{"members":{"value":"a"}}"#).members().unwrap(), [TargetId::from("a")]);
    }

    #[test]
    fn truth_values_come_as_texts_too() {
        for (text, expected) in [("true", Some(true)), (r#""False""#, Some(false)), (r#""yes""#, None), ("1", None)] {
            let read = resource(format!(r#"{{"Active":{text}}}"#).as_bytes()).unwrap();
            assert_eq!(read.active(), expected, "{text}");
        }
    }

    #[test]
    fn the_kind_of_an_error_is_one_of_the_rfc_or_none() {
        assert_eq!(scim_error(br#"{"scimType":"noTarget","detail":"x"}"#).kind, Some("noTarget"));
        assert_eq!(scim_error(br#"{"scimType":"ada@acme.test","detail":"x"}"#).kind, None);
        assert_eq!(scim_error(b"<html>").detail, "<html>");
    }
}
