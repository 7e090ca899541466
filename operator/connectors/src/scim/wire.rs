//! What comes over the wire, read tolerantly: keys in any case, truth values and numbers as texts, one value where a
//! list belongs, missing `schemas`.

use std::collections::BTreeSet;
use std::fmt;

use provost_core::model::{TargetError, TargetId};
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value as Json};

/// Items in one page: far more than is ever asked for; a target that does not page sends all it has.
const MOST_ITEMS: usize = 10_000;
/// Bytes of an id, and of a cursor: both come back to the target in a URL.
const LONGEST_TOKEN: usize = 8 * 1024;

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

    /// `meta.lastModified` (RFC 7643, 3.1), as it is written.
    pub(super) fn modified(&self) -> Option<String> {
        match self.get("meta")? {
            Json::Object(meta) => text(get(meta, "lastModified")?),
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
        Some(ids(self.get("members")?, |item| !is_group(item)))
    }

    /// Who is in a group; `None`: the attribute is not there.
    pub(super) fn held(&self) -> Option<Held> {
        Some(Held { accounts: self.members()?, groups: ids(self.get("members")?, is_group) })
    }

    /// How often a member is stored, where one is stored more than once.
    pub(super) fn repeats_members(&self) -> bool {
        let Some(members) = self.get("members") else { return false };
        list(members).count() > ids(members, |_| true).len()
    }
}

/// Who is in a group, each once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Held {
    pub(super) accounts: Vec<TargetId>,
    pub(super) groups: Vec<TargetId>,
}

impl Held {
    pub(super) fn is_empty(&self) -> bool {
        self.accounts.is_empty() && self.groups.is_empty()
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

/// Whether a member is a group: by its type, which may be left out (RFC 7643, 8.7.1), or by where it is.
fn is_group(item: &Json) -> bool {
    let place = item.as_object().and_then(|map| get(map, "$ref")?.as_str());
    match item.as_object().and_then(|map| get(map, "type")?.as_str()) {
        Some(named) => named.eq_ignore_ascii_case("Group"),
        None => place.is_some_and(|place| place.rsplit('/').nth(1) == Some("Groups")),
    }
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
    let raw: RawList = serde_json::from_slice(body).map_err(|error| {
        malformed(if error.is_data() {
            "the answer is not a JSON object that holds one"
        } else {
            "the answer is not JSON"
        })
    })?;
    let total = raw.total.and_then(|total| text(&total)?.parse::<u64>().ok());
    let items = match raw.items {
        Some(items) => items.0,
        None if total.is_some() => Vec::new(),
        None => return Err(malformed("the answer holds neither Resources nor totalResults")),
    };
    if items.len() > MOST_ITEMS {
        return Err(malformed(&format!("the answer holds more than {MOST_ITEMS} items; the target must page")));
    }
    let mut resources = Vec::with_capacity(items.len());
    for (at, item) in items.into_iter().enumerate() {
        let resource = Resource::of(item).ok_or_else(|| malformed(&format!("item {at} of the answer is no object")))?;
        match resource.id() {
            None => return Err(malformed(&format!("item {at} of the answer has no id"))),
            Some(id) if id.as_str().len() > LONGEST_TOKEN => {
                return Err(malformed(&format!("the id of item {at} is longer than {LONGEST_TOKEN} bytes")));
            }
            Some(_) => resources.push(resource),
        }
    }
    let next_cursor = raw.next_cursor.as_ref().and_then(text).filter(|cursor| !cursor.is_empty());
    if next_cursor.as_ref().is_some_and(|cursor| cursor.len() > LONGEST_TOKEN) {
        return Err(malformed(&format!("the cursor of the answer is longer than {LONGEST_TOKEN} bytes")));
    }
    Ok(ListResponse { total, resources, next_cursor })
}

/// A list as it is parsed: no more items than may be, so that small ones in great number fill no memory.
#[derive(Default)]
struct RawList {
    total: Option<Json>,
    items: Option<Items>,
    next_cursor: Option<Json>,
}

/// At most one more than [`MOST_ITEMS`].
struct Items(Vec<Json>);

impl<'de> Deserialize<'de> for RawList {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Keys;
        impl<'de> Visitor<'de> for Keys {
            type Value = RawList;

            fn expecting(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
                to.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<RawList, A::Error> {
                let mut list = RawList::default();
                while let Some(key) = map.next_key::<String>()? {
                    match key.to_ascii_lowercase().as_str() {
                        "totalresults" => list.total = Some(map.next_value()?),
                        "resources" => list.items = Some(map.next_value()?),
                        "nextcursor" => list.next_cursor = Some(map.next_value()?),
                        _ => drop(map.next_value::<IgnoredAny>()?),
                    }
                }
                Ok(list)
            }
        }
        from.deserialize_map(Keys)
    }
}

impl<'de> Deserialize<'de> for Items {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct OneOrMany;
        impl<'de> Visitor<'de> for OneOrMany {
            type Value = Items;

            fn expecting(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
                to.write_str("a list")
            }

            fn visit_unit<E>(self) -> Result<Items, E> {
                Ok(Items(Vec::new()))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Items, A::Error> {
                Ok(Items(vec![Json::deserialize(MapAccessDeserializer::new(map))?]))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Items, A::Error> {
                let mut items = Vec::new();
                while items.len() <= MOST_ITEMS
                    && let Some(item) = seq.next_element()?
                {
                    items.push(item);
                }
                while seq.next_element::<IgnoredAny>()?.is_some() {}
                Ok(Items(items))
            }
        }
        from.deserialize_any(OneOrMany)
    }
}

/// One resource. Errors: an answer that is none.
pub(super) fn resource(body: &[u8]) -> Result<Resource, TargetError> {
    serde_json::from_slice(body)
        .ok()
        .and_then(Resource::of)
        .ok_or_else(|| TargetError::Malformed("a resource was asked for, and the answer is none".into()))
}

/// What became of one operation of a bulk request (RFC 7644, 3.7.3).
#[derive(Clone, Debug, PartialEq)]
pub(super) struct BulkAnswer {
    /// `bulkId`, where it is echoed.
    pub(super) id: Option<String>,
    pub(super) location: Option<String>,
    /// An HTTP status; earlier drafts put it into an object.
    pub(super) status: u16,
    /// The resource, or the error.
    pub(super) response: Option<Resource>,
}

impl BulkAnswer {
    /// The response as the body of an answer.
    pub(super) fn body(&self) -> Vec<u8> {
        self.response
            .as_ref()
            .map(|response| Json::Object(response.0.clone()).to_string().into_bytes())
            .unwrap_or_default()
    }
}

/// The answers to the operations of a bulk request; those that cannot be read are left out.
///
/// Errors: an answer that is none.
pub(super) fn bulk_response(body: &[u8]) -> Result<Vec<BulkAnswer>, TargetError> {
    let none = || TargetError::Malformed("the answer holds no Operations".into());
    let body = resource(body).map_err(|_| none())?;
    let operations = body.get("Operations").ok_or_else(none)?;
    let answer = |operation: &Json| {
        let operation = operation.as_object()?;
        let named = |name: &str| get(operation, name).and_then(text);
        let status = match get(operation, "status")? {
            Json::Object(status) => get(status, "code").and_then(text)?,
            status => text(status)?,
        };
        Some(BulkAnswer {
            id: named("bulkId"),
            location: named("location"),
            status: status.trim().parse().ok()?,
            response: get(operation, "response").cloned().and_then(Resource::of),
        })
    };
    Ok(list(operations).filter_map(answer).collect())
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
    fn a_page_without_bounds_is_refused_and_the_words_say_why() {
        let items = |count: usize| {
            let items: Vec<String> = (0..count).map(|id| format!("{{\"id\":{id}}}")).collect();
            format!("{{\"Resources\":[{}]}}", items.join(","))
        };
        assert_eq!(page(&items(MOST_ITEMS)).unwrap().resources.len(), MOST_ITEMS);
        let long = "x".repeat(LONGEST_TOKEN + 1);
        let cases = [
            (items(MOST_ITEMS + 1), "the answer holds more than 10000 items; the target must page"),
            (items(3 * MOST_ITEMS), "the answer holds more than 10000 items; the target must page"),
            (
                format!(r#"{{"totalResults":0,"nextCursor":"{long}"}}"#),
                "the cursor of the answer is longer than 8192 bytes",
            ),
            (format!(r#"{{"Resources":[{{"id":"{long}"}}]}}"#), "the id of item 0 is longer than 8192 bytes"),
            (r#"{"Resources":["ada"]}"#.to_owned(), "item 0 of the answer is no object"),
        ];
        for (text, expected) in cases {
            let expected = TargetError::Malformed(format!("a list was asked for, and {expected}").into());
            assert_eq!(page(&text), Err(expected));
        }
    }

    #[test]
    fn answers_to_bulk_requests_are_read_in_every_shape_and_what_is_none_is_an_error() {
        for text in ["", "{}", "[]", "<html>", r#"{"totalResults": 0}"#] {
            assert!(bulk_response(text.as_bytes()).is_err(), "{text:?}");
        }
        let read = bulk_response(
            br#"{"operations": [
                {"bulkId": "step-0", "status": "201", "location": "x/Users/1"}, {"Status": 404, "response": {"detail": "no"}},
                {"status": {"code": "200"}}, {"bulkId": "step-1"}, {"status": "soon"}, 7]}"#,
        )
        .unwrap();
        let shown: Vec<_> = read.iter().map(|answer| (answer.id.as_deref(), answer.status)).collect();
        assert_eq!(shown, [(Some("step-0"), 201), (None, 404), (None, 200)]);
        assert_eq!(read[1].body(), br#"{"detail":"no"}"#);
    }

    #[test]
    fn members_are_read_in_every_shape_and_once() {
        let group = |text: &str| resource(text.as_bytes()).unwrap();
        let read =
            group(r#"{"Members":[{"value":"a"},"b",{"Value":"a"},{"value":"g","type":"Group"},{"display":"x"}]}"#);
        assert_eq!(read.members().unwrap(), [TargetId::from("a"), TargetId::from("b")]);
        assert_eq!(read.held().unwrap().groups, [TargetId::from("g")]);
        let placed = r#"{"members":[{"value":"1","$ref":"https://x/v2/Groups/1"},{"value":"1","$ref":"../Users/1"}]}"#;
        let one = vec![TargetId::from("1")];
        assert_eq!(group(placed).held(), Some(Held { accounts: one.clone(), groups: one }));
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
