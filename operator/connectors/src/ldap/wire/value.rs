//! Values of the model on the wire and back: texts; several of them are a set.

use std::collections::BTreeSet;

use provost_core::model::{AttributeName, TargetError, Value};

use super::Entry;

/// What begins every mark that is made of an Identity's name.
const OUR_MARK: &str = "provost:";

/// The values on the wire; none for an empty value.
///
/// Errors: a number, a truth value or a structure, for which LDAP has no one form.
pub(crate) fn to_wire(name: &AttributeName, value: &Value) -> Result<BTreeSet<Vec<u8>>, TargetError> {
    let wrong = |what: &str| TargetError::Rejected {
        field: Some(name.clone()),
        reason: format!(
            "{what} has no one form in LDAP; map a text or a list of texts, as by string(...) or .map(...)"
        )
        .into(),
        detail: "".into(),
    };
    let one = |value: &Value| match value {
        Value::Null => Ok(None),
        Value::Text(text) if text.is_empty() => Ok(None),
        Value::Text(text) => Ok(Some(text.as_bytes().to_vec())),
        Value::Bool(_) => Err(wrong("a truth value")),
        Value::Int(_) => Err(wrong("a number")),
        Value::List(_) | Value::Map(_) => Err(wrong("a structure")),
    };
    match value {
        Value::List(items) => items.iter().filter_map(|item| one(item).transpose()).collect(),
        value => Ok(one(value)?.into_iter().collect()),
    }
}

/// The value that an entry holds: a text, a sorted list of them, or nothing. What is no text is shown by its bytes.
pub(crate) fn from_wire(entry: &Entry, attribute: &str) -> Value {
    let text = |value: &Vec<u8>| match std::str::from_utf8(value) {
        Ok(text) => Value::from(text),
        Err(_) => Value::from(hexadecimal(value).as_str()),
    };
    let mut all: Vec<Value> = entry.values(attribute).iter().map(text).collect();
    all.sort();
    match all.len() {
        0 => Value::Null,
        1 => all.pop().unwrap_or(Value::Null),
        _ => Value::List(all),
    }
}

fn hexadecimal(bytes: &[u8]) -> String {
    let digit = |nibble: u8| char::from_digit(u32::from(nibble), 16).unwrap_or('0');
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

/// The mark that an entry carries, ours before others.
pub(crate) fn mark<'a>(entry: &'a Entry, attribute: &str) -> Option<&'a str> {
    let ours = entry.texts(attribute).find(|mark| mark.starts_with(OUR_MARK));
    ours.or_else(|| entry.text(attribute)).filter(|mark| !mark.is_empty())
}

#[cfg(test)]
mod tests {
    use super::super::values;
    use super::*;

    #[test]
    fn texts_and_sets_of_texts_go_through_and_nothing_else() {
        let name = AttributeName::from("mail");
        let list = Value::List(vec!["a".into(), "".into(), "b".into()]);
        assert_eq!(to_wire(&name, &list).unwrap(), values(["a", "b"]));
        assert_eq!(to_wire(&name, &"a".into()).unwrap(), values(["a"]));
        assert_eq!(to_wire(&name, &Value::Null).unwrap(), values::<&str>([]));
        for value in [Value::Bool(true), Value::Int(5), Value::List(vec![Value::Int(5)]), Value::Map([].into())] {
            let error = to_wire(&name, &value).unwrap_err();
            assert!(matches!(error, TargetError::Rejected { field: Some(_), .. }), "{value:?}");
        }
        let entry = Entry::with("uid=a", &[("MAIL", &["b", "a"]), ("sn", &["x"])]);
        assert_eq!(from_wire(&entry, "mail"), Value::List(vec!["a".into(), "b".into()]));
        assert_eq!((from_wire(&entry, "SN"), from_wire(&entry, "cn")), ("x".into(), Value::Null));
    }

    #[test]
    fn our_mark_comes_before_others() {
        let entry = Entry::with("uid=a", &[("description", &["E-1", "provost:acme/a"])]);
        assert_eq!(mark(&entry, "description"), Some("provost:acme/a"));
        assert_eq!(mark(&Entry::with("uid=a", &[("description", &["E-1"])]), "description"), Some("E-1"));
    }
}
