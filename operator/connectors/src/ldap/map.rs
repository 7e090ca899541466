//! Pure: model to LDAP and back.

use provost_core::model::{Attributes, Value};

use super::schema::MARK;
use super::settings::{Disable, Settings};
use super::wire::value::{from_wire, mark};
use super::wire::{Change, Entry, dn, values};

/// The permanent lock of the password policy overlay (draft-behera-ldap-password-policy-10, 5.3.3).
const LOCKED: &str = "000001010000Z";
const LOCK: &str = "pwdAccountLockedTime";

/// The attribute's name at the directory. `None`: it has no place there.
pub(super) fn attribute<'a>(settings: &'a Settings, name: &'a str) -> Option<&'a str> {
    if name == MARK { settings.mark.as_deref() } else { Some(name) }
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
