use serde_json::{Map, Value as Json};

/// A filter: terms joined by `and`.
pub(super) type Filter = Vec<(String, Json)>;

/// `PATH eq VALUE` joined by `and`; `None`: it is not one.
pub(super) fn filter(text: &str) -> Option<Filter> {
    let (mut terms, mut rest) = (Vec::new(), text);
    loop {
        let (path, after) = rest.split_once(" eq ")?;
        let mut values = serde_json::Deserializer::from_str(after).into_iter::<Json>();
        let value = values.next()?.ok()?;
        let end = values.byte_offset();
        if path.contains(' ') || !(value.is_string() || value.is_boolean()) {
            return None;
        }
        terms.push((path.to_owned(), value));
        match &after[end..] {
            "" => return Some(terms),
            more => rest = more.strip_prefix(" and ")?,
        }
    }
}

pub(super) fn matches(resource: &Map<String, Json>, filter: &Filter) -> bool {
    filter.iter().all(|(path, wanted)| values(resource, path).iter().any(|held| same(path, held, wanted)))
}

fn same(path: &str, held: &Json, wanted: &Json) -> bool {
    match (held, wanted) {
        (Json::String(held), Json::String(wanted)) if path == "userName" => {
            held.to_lowercase() == wanted.to_lowercase()
        }
        _ => held == wanted,
    }
}

/// The values that a path leads to.
pub(super) fn values<'a>(resource: &'a Map<String, Json>, path: &str) -> Vec<&'a Json> {
    let (map, path) = match path.rsplit_once(':') {
        Some((schema, path)) => match resource.get(schema).and_then(Json::as_object) {
            Some(map) => (map, path),
            None => return Vec::new(),
        },
        None => (resource, path),
    };
    let (attribute, sub) = path.split_once('.').map_or((path, None), |(attribute, sub)| (attribute, Some(sub)));
    let Some(value) = map.get(attribute) else { return Vec::new() };
    match (value, sub) {
        (Json::Array(items), Some(sub)) => items.iter().filter_map(|item| item.get(sub)).collect(),
        (Json::Array(items), None) => items.iter().collect(),
        (value, Some(sub)) => value.get(sub).into_iter().collect(),
        (value, None) => vec![value],
    }
}

/// A parameter of a query, decoded.
pub(super) fn parameter(query: &str, name: &str) -> Option<String> {
    let url = reqwest::Url::parse(&format!("http://x/?{query}")).ok()?;
    url.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
}
