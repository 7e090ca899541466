//! Pure: model to wire and back.

use std::collections::BTreeMap;

use provost_core::model::{AttributeName, Attributes, Observed, TargetError, TargetId, Value};
use serde_json::{Map, Value as Json, json};

use super::schema::{MARK, SCHEMA};
use super::wire::{Texts, User, UserProfile};

/// What setting attributes asks of a user, apart by how it is written.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Change {
    /// What every user has: an empty text clears.
    own: Map<String, Json>,
    /// Attributes by the realm's names; an empty list clears.
    custom: Texts,
    /// Of these, the ones that the realm would drop.
    pub(super) dropped: Vec<String>,
}

impl Change {
    /// Errors: a value that Keycloak has no form for.
    pub(super) fn of(set: &Attributes, mark: Option<&str>, profile: &UserProfile) -> Result<Self, TargetError> {
        let mut change = Self::default();
        for (name, value) in set {
            match name.as_str() {
                "username" | "email" | "firstName" | "lastName" => {
                    let text = match value {
                        empty if empty.is_empty() => "",
                        Value::Text(text) => text,
                        _ => return Err(no_form(name, "takes one text")),
                    };
                    change.own.insert(name.as_str().to_owned(), text.into());
                }
                "emailVerified" => {
                    let verified = match value {
                        empty if empty.is_empty() => false,
                        Value::Bool(verified) => *verified,
                        _ => return Err(no_form(name, "takes true or false, as an expression")),
                    };
                    change.own.insert("emailVerified".to_owned(), verified.into());
                }
                other => {
                    let wire = if other == MARK { mark.unwrap_or(MARK) } else { other };
                    let texts = texts(name, value)?;
                    if !texts.is_empty() && !profile.keeps(wire) {
                        change.dropped.push(wire.to_owned());
                    } else {
                        change.custom.insert(wire.to_owned(), texts);
                    }
                }
            }
        }
        Ok(change)
    }

    /// Disables, and takes away what the realm finds fault with; what it demands (`true`) is a dash.
    pub(super) fn disabling(faults: &BTreeMap<String, bool>) -> Self {
        let mut change = Self::default();
        change.own.insert("enabled".to_owned(), false.into());
        for (name, demanded) in faults {
            let text = if *demanded { "-" } else { "" };
            if matches!(name.as_str(), "email" | "firstName" | "lastName") {
                change.own.insert(name.clone(), text.into());
            } else {
                change.custom.insert(name.clone(), demanded.then(|| text.to_owned()).into_iter().collect());
            }
        }
        change
    }

    /// Whether the user's attributes are concerned: Keycloak replaces all of them, and what else it knows of the person.
    pub(super) fn is_custom(&self) -> bool {
        !self.custom.is_empty()
    }

    /// Leaves the user name out, where it would be accepted and changed nothing.
    pub(super) fn without_name(&mut self) {
        self.own.remove("username");
    }

    pub(super) fn is_empty(&self) -> bool {
        self.own.is_empty() && self.custom.is_empty()
    }

    /// The names of what is written with several values.
    pub(super) fn lists(set: &Attributes, mark: Option<&str>) -> Vec<String> {
        let lists = set.iter().filter(|(_, value)| matches!(value, Value::List(_)));
        let wire = |name: &str| if name == MARK { mark.unwrap_or(MARK).to_owned() } else { name.to_owned() };
        lists.map(|(name, _)| wire(name.as_str())).collect()
    }

    /// The body of a POST.
    pub(super) fn new_user(mut self, enabled: bool, required_actions: &[String]) -> Json {
        self.own.insert("enabled".to_owned(), enabled.into());
        self.custom.retain(|_, texts| !texts.is_empty());
        if !self.custom.is_empty() {
            self.own.insert("attributes".to_owned(), json!(self.custom));
        }
        if !required_actions.is_empty() {
            self.own.insert("requiredActions".to_owned(), json!(required_actions));
        }
        Json::Object(self.own)
    }

    /// The body of a PUT that changes only what every user has. It has no `attributes`: Keycloak then leaves alone what is
    /// not named.
    pub(super) fn of_own(self) -> Json {
        Json::Object(self.own)
    }

    /// The body of a PUT of attributes: with all of them, and with the names and the address, which Keycloak would erase.
    /// `None`: the user is so already.
    pub(super) fn of_all(self, user: &User) -> Option<Json> {
        let before = user.attributes.clone().unwrap_or_default();
        let mut after = before.clone();
        for (name, texts) in self.custom {
            if texts.is_empty() {
                after.remove(&name);
            } else {
                after.insert(name, texts);
            }
        }
        let held = Map::from_iter([
            // Where user names may be edited, Keycloak wants it here.
            ("username".to_owned(), json!(user.username)),
            ("email".to_owned(), json!(user.email.as_deref().unwrap_or_default())),
            ("firstName".to_owned(), json!(user.first_name.as_deref().unwrap_or_default())),
            ("lastName".to_owned(), json!(user.last_name.as_deref().unwrap_or_default())),
            ("emailVerified".to_owned(), json!(user.email_verified.unwrap_or_default())),
        ]);
        let same = |(name, value): (&String, &Json)| held.get(name) == Some(value);
        if after == before && self.own.iter().all(same) {
            return None;
        }
        let mut body = held;
        body.extend(self.own);
        body.insert("attributes".to_owned(), json!(after));
        Some(Json::Object(body))
    }
}

/// Whether a user has what was written, in its case or, where Keycloak folds it, in any.
pub(super) fn is_kept(name: &AttributeName, wanted: &Value, held: Option<&Value>) -> bool {
    let folds = SCHEMA.case_insensitive.contains(&name.as_str());
    let words = |value: &Value| {
        let fold = |word: String| if folds { word.to_lowercase() } else { word };
        let mut words: Vec<String> = words(value).into_iter().map(fold).collect();
        words.sort_unstable();
        words
    };
    words(wanted) == held.map(words).unwrap_or_default()
}

/// What a value comes down to: false and empty texts are nothing.
fn words(value: &Value) -> Vec<String> {
    match value {
        Value::Bool(true) => vec!["true".to_owned()],
        Value::Text(text) if !text.is_empty() => vec![text.to_string()],
        Value::List(items) => items.iter().flat_map(words).collect(),
        _ => Vec::new(),
    }
}

/// The values of an attribute.
fn texts(name: &AttributeName, value: &Value) -> Result<Vec<String>, TargetError> {
    match value {
        empty if empty.is_empty() => Ok(Vec::new()),
        Value::Text(text) => Ok(vec![text.to_string()]),
        Value::List(items) => {
            let items = items.iter().filter(|item| !item.is_empty());
            let one = |item: &Value| match item {
                Value::Text(text) => Ok(text.to_string()),
                _ => Err(no_form(name, "takes a list of texts")),
            };
            items.map(one).collect()
        }
        _ => Err(no_form(name, "takes texts; use string(...) in the expression")),
    }
}

fn no_form(name: &AttributeName, takes: &str) -> TargetError {
    TargetError::Rejected { field: Some(name.clone()), reason: format!("{name} {takes}").into(), detail: "".into() }
}

/// An account as the core sees it. `is_list`: of an attribute, whether one value is still a list.
pub(super) fn account(user: User, mark: Option<&str>, is_list: impl Fn(&str) -> bool) -> Observed {
    let mut attributes = Attributes::new();
    let own = [
        ("username", Some(user.username)),
        ("email", user.email),
        ("firstName", user.first_name),
        ("lastName", user.last_name),
    ];
    for (name, text) in own {
        if let Some(text) = text.filter(|text| !text.is_empty()) {
            attributes.insert(name.into(), Value::from(text.as_str()));
        }
    }
    attributes.insert("emailVerified".into(), Value::Bool(user.email_verified.unwrap_or_default()));
    for (wire, texts) in user.attributes.unwrap_or_default() {
        let name = match mark {
            Some(mark) if mark == wire => MARK,
            // One that only looks like ours.
            _ if wire == MARK => continue,
            _ => &wire,
        };
        let mut values: Vec<Value> = texts.iter().filter(|t| !t.is_empty()).map(|t| Value::from(t.as_str())).collect();
        let value = match values.pop() {
            Some(only) if values.is_empty() && !is_list(&wire) => only,
            Some(last) => {
                values.push(last);
                Value::List(values)
            }
            None => continue,
        };
        attributes.entry(AttributeName::new(name)).or_insert(value);
    }
    Observed { id: TargetId::new(user.id), enabled: user.enabled.unwrap_or(true), attributes, holds: None }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn profile() -> UserProfile {
        let text = r#"{"attributes":[{"name":"title"},{"name":"employeeId"},{"name":"shifts","multivalued":true}]}"#;
        serde_json::from_str(text).unwrap()
    }

    fn set(pairs: &[(&str, Value)]) -> Attributes {
        pairs.iter().map(|(name, value)| ((*name).into(), value.clone())).collect()
    }

    fn change(pairs: &[(&str, Value)]) -> Change {
        Change::of(&set(pairs), Some("employeeId"), &profile()).unwrap()
    }

    fn ada() -> User {
        let text = r#"{"id":"1","username":"ada","email":"a@b.test","lastName":"L","enabled":true,"emailVerified":true,
                       "requiredActions":["UPDATE_PASSWORD"],"attributes":{"title":["Analyst"],"badge":["7"]}}"#;
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn what_every_user_has_is_put_without_attributes() {
        let only = change(&[("email", "x@y.test".into()), ("firstName", Value::Null)]);
        assert!(!only.is_custom());
        assert_eq!(only.of_own(), json!({"email": "x@y.test", "firstName": ""}));
    }

    #[test]
    fn a_put_of_attributes_has_all_of_them_and_what_keycloak_would_erase() {
        let body = change(&[("title", "Boss".into()), ("lastName", "M".into())]).of_all(&ada()).unwrap();
        let expected = json!({"username": "ada", "email": "a@b.test", "firstName": "", "lastName": "M",
                              "emailVerified": true, "attributes": {"title": ["Boss"], "badge": ["7"]}});
        assert_eq!(body, expected);
        let cleared = change(&[("title", Value::Null)]).of_all(&ada()).unwrap();
        assert_eq!(cleared["attributes"], json!({"badge": ["7"]}));
        assert_eq!(change(&[("title", "Analyst".into()), ("lastName", "L".into())]).of_all(&ada()), None);
    }

    #[test]
    fn what_the_realm_would_drop_is_named_and_not_sent() {
        let new = change(&[("username", "ada".into()), ("department", "Eng".into()), ("externalId", "E-1".into())]);
        assert_eq!(new.dropped, ["department"]);
        let expected = json!({"username": "ada", "enabled": true, "attributes": {"employeeId": ["E-1"]},
                              "requiredActions": ["UPDATE_PASSWORD"]});
        assert_eq!(new.new_user(true, &["UPDATE_PASSWORD".to_owned()]), expected);
        assert_eq!(change(&[("department", Value::Null)]).dropped, Vec::<String>::new());
    }

    #[test]
    fn values_without_a_form_are_refused_by_name() {
        let cases =
            [("title", Value::Int(5)), ("email", Value::List(vec!["a".into()])), ("emailVerified", "yes".into())];
        for (name, value) in cases {
            let error = Change::of(&set(&[(name, value)]), None, &profile()).unwrap_err();
            assert!(matches!(error, TargetError::Rejected { field: Some(field), .. } if field.as_str() == name));
        }
    }

    #[test]
    fn a_value_is_kept_in_its_own_case_or_in_any_where_keycloak_folds_it() {
        let kept = |name: &str, wanted: Value, held: Option<Value>| is_kept(&name.into(), &wanted, held.as_ref());
        let list = |texts: &[&str]| Value::List(texts.iter().map(|text| Value::from(*text)).collect());
        assert!(kept("email", "Ada@Acme.test".into(), Some("ada@acme.test".into())));
        assert!(!kept("title", "Boss".into(), Some("boss".into())));
        assert!(!kept("username", "ada".into(), Some("ada@acme.test".into())) && !kept("title", "Boss".into(), None));
        // What is nothing, one text or a list of it, and the order of a list make no difference.
        assert!(kept("title", Value::Null, None) && kept("emailVerified", Value::Null, Some(Value::Bool(false))));
        assert!(!kept("title", Value::Null, Some("Boss".into())) && !kept("emailVerified", Value::Bool(true), None));
        assert!(kept("shifts", list(&["late", "", "early"]), Some(list(&["early", "late"]))));
        assert!(kept("shifts", list(&["late"]), Some("late".into())) && !kept("shifts", list(&["late"]), None));
    }

    #[test]
    fn an_account_is_named_as_mappings_name_it() {
        let text = r#"{"id":"1","username":"ada","enabled":false,"attributes":
                       {"employeeId":["E-1"],"shifts":["early"],"title":["x"],"many":["a","b"],"externalId":["not ours"],"none":[]}}"#;
        let user: User = serde_json::from_str(text).unwrap();
        let seen = account(user, Some("employeeId"), |name| profile().is_list(name));
        let expected = set(&[
            ("username", "ada".into()),
            ("emailVerified", Value::Bool(false)),
            ("externalId", "E-1".into()),
            ("shifts", Value::List(vec!["early".into()])),
            ("title", "x".into()),
            ("many", Value::List(vec!["a".into(), "b".into()])),
        ]);
        assert_eq!((seen.enabled, seen.attributes), (false, expected));
    }
}
