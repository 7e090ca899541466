//! Pure: model to LDAP and back. Values are texts; several of them are a set.

use std::collections::HashSet;

use provost_core::model::{AttributeName, Attributes, TargetError, Value};

use super::schema::MARK;
use super::settings::{Disable, Settings};
use super::wire::{Change, Entry, dn, values};

/// The permanent lock of the password policy overlay (draft-behera-ldap-password-policy-10, 5.3.3).
const LOCKED: &str = "000001010000Z";
const LOCK: &str = "pwdAccountLockedTime";

/// What begins every mark that is made of an Identity's name.
const OUR_MARK: &str = "provost:";

/// The attribute's name at the directory. `None`: it has no place there.
pub(super) fn attribute<'a>(settings: &'a Settings, name: &'a str) -> Option<&'a str> {
    if name == MARK { settings.mark.as_deref() } else { Some(name) }
}

/// The values on the wire; none for an empty value.
///
/// Errors: a number, a truth value or a structure, for which LDAP has no one form.
pub(super) fn to_wire(name: &AttributeName, value: &Value) -> Result<HashSet<Vec<u8>>, TargetError> {
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
pub(super) fn from_wire(entry: &Entry, attribute: &str) -> Value {
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
pub(super) fn mark<'a>(entry: &'a Entry, attribute: &str) -> Option<&'a str> {
    let ours = entry.texts(attribute).find(|mark| mark.starts_with(OUR_MARK));
    ours.or_else(|| entry.text(attribute)).filter(|mark| !mark.is_empty())
}

/// Everything that is asked for but references, by the names of the mapping.
pub(super) fn attributes(settings: &Settings, entry: &Entry) -> Attributes {
    let mut found = Attributes::new();
    for name in &settings.shown {
        let value = match attribute(settings, name.as_str()) {
            Some(at) if name.as_str() == MARK => mark(entry, at).map_or(Value::Null, Value::from),
            Some(at) if *name == settings.naming && entry.values(at).len() > 1 => named(entry, at),
            Some(at) => from_wire(entry, at),
            None => Value::Null,
        };
        if !value.is_empty() {
            found.insert(name.clone(), value);
        }
    }
    found
}

/// Of several values of the attribute that names the entry, the one that does.
fn named(entry: &Entry, attribute: &str) -> Value {
    let rdn = dn::parse(&entry.dn).and_then(|rdns| rdns.into_iter().next());
    let value =
        rdn.into_iter().flatten().find(|(name, _)| name.eq_ignore_ascii_case(attribute)).map(|(_, value)| value);
    value.map_or_else(|| from_wire(entry, attribute), |value| Value::from(value.as_str()))
}

/// Whether an account can be used.
pub(super) fn enabled(settings: &Settings, entry: &Entry) -> bool {
    match &settings.disable {
        Disable::Attribute { name, value, .. } => !entry.texts(name).any(|held| held.eq_ignore_ascii_case(value)),
        Disable::PasswordLock => !entry.texts(LOCK).any(|held| held == LOCKED),
        Disable::MoveTo { normal, .. } => !dn::is_within(&dn::normal(&entry.dn), normal),
    }
}

/// The attribute that tells whether an account can be used.
pub(super) fn told_by(disable: &Disable) -> Option<&str> {
    match disable {
        Disable::Attribute { name, .. } => Some(name),
        Disable::PasswordLock => Some(LOCK),
        Disable::MoveTo { .. } => None,
    }
}

/// The change that lets an account be used or not. `None`: that is done by a move.
pub(super) fn switch(disable: &Disable, enabled: bool) -> Option<Change> {
    let replace = |name: &str, value: Option<&str>| Change::Replace(name.into(), values(value));
    Some(match (disable, enabled) {
        (Disable::Attribute { name, value, .. }, false) => replace(name, Some(value)),
        (Disable::Attribute { name, enabled_value, .. }, true) => replace(name, enabled_value.as_deref()),
        (Disable::PasswordLock, false) => replace(LOCK, Some(LOCKED)),
        // This value alone: a lock after wrong passwords is the directory's own.
        (Disable::PasswordLock, true) => Change::Delete(LOCK.into(), values([LOCKED])),
        (Disable::MoveTo { .. }, _) => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::super::settings::tests::settings;
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

    #[test]
    fn an_account_is_disabled_as_its_directory_does_it() {
        let by = |disable| Settings { disable, ..settings() };
        let attribute =
            by(Disable::Attribute { name: "nsAccountLock".into(), value: "true".into(), enabled_value: None });
        let entry = |attributes: &[(&str, &[&str])]| Entry::with("uid=a,ou=people,dc=acme,dc=test", attributes);
        assert!(!enabled(&attribute, &entry(&[("nsaccountlock", &["TRUE"])])));
        assert!(enabled(&attribute, &entry(&[("nsaccountlock", &["false"])])) && enabled(&attribute, &entry(&[])));
        let lock = by(Disable::PasswordLock);
        assert!(!enabled(&lock, &entry(&[(LOCK, &[LOCKED])])));
        assert!(enabled(&lock, &entry(&[(LOCK, &["20261125010000Z"])])), "a lock for a while is not ours");
        let place = "OU=Left,dc=acme,dc=test";
        let moved = by(Disable::MoveTo { dn: place.into(), normal: dn::normal(place) });
        assert!(!enabled(&moved, &Entry::with("uid=a,ou=left,dc=acme,dc=test", &[])));
        assert!(enabled(&moved, &entry(&[])) && switch(&moved.disable, false).is_none());
    }

    #[test]
    fn of_several_login_names_the_entrys_own_is_shown() {
        let entry = Entry::with("uid=ada,ou=people,dc=acme,dc=test", &[("uid", &["aaa", "ada"])]);
        assert_eq!(attributes(&settings(), &entry).get("uid"), Some(&"ada".into()));
    }
}
