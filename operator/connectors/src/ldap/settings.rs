//! What the manifest says of a directory, checked once.

use provost_core::model::{AttributeName, TargetError};
use provost_crds::v1alpha1::{LdapDisable, LdapGroupStyle, LdapGroups, LdapSpec};

use super::map;
use super::schema::{LOGIN, MARK, SCHEMA};
use super::wire::{Filter, dn};

/// The settings of a connection.
#[derive(Debug)]
pub(super) struct Settings {
    /// Accounts are below.
    pub(super) base: String,
    /// Attribute of an account's name.
    pub(super) naming: AttributeName,
    pub(super) classes: Vec<String>,
    /// Attribute of the immutable id.
    pub(super) id: String,
    /// Attribute that carries our mark.
    pub(super) mark: Option<String>,
    pub(super) disable: Disable,
    pub(super) numbers: Option<Range>,
    pub(super) groups: Option<Groups>,
    /// What the core is shown, by the names of the mapping.
    pub(super) shown: Vec<AttributeName>,
}

/// How an account is kept from being used.
#[derive(Clone, Debug)]
pub(super) enum Disable {
    Attribute { name: String, value: String, enabled_value: Option<String> },
    PasswordLock,
    MoveTo { dn: String, normal: String },
}

/// Numbers for posixAccount and posixGroup.
#[derive(Clone, Debug)]
pub(super) struct Range {
    pub(super) first: u32,
    pub(super) last: u32,
    pub(super) counter: String,
    pub(super) gid: Option<u32>,
}

/// Where groups are and how they look.
#[derive(Clone, Debug)]
pub(super) struct Groups {
    pub(super) base: String,
    pub(super) style: Style,
    pub(super) placeholder: String,
    pub(super) mark: String,
}

/// The object class of groups.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Style {
    Names,
    UniqueNames,
    Posix,
}

impl Style {
    pub(super) fn class(self) -> &'static str {
        match self {
            Self::Names => "groupOfNames",
            Self::UniqueNames => "groupOfUniqueNames",
            Self::Posix => "posixGroup",
        }
    }

    /// The attribute of the members.
    pub(super) fn member(self) -> &'static str {
        match self {
            Self::Names => "member",
            Self::UniqueNames => "uniqueMember",
            Self::Posix => "memberUid",
        }
    }

    /// Whether members are login names instead of names of entries.
    pub(super) fn by_login(self) -> bool {
        self == Self::Posix
    }
}

impl Settings {
    /// `more`: attributes that the rest of the manifest maps, looks up or protects.
    pub(super) fn new(spec: &LdapSpec, more: &[String]) -> Result<Self, TargetError> {
        let accounts = &spec.accounts;
        let numbers = accounts.posix.as_ref().map(|posix| Range {
            first: posix.first.unsigned_abs(),
            last: posix.last.unsigned_abs(),
            counter: posix.counter_dn.clone(),
            gid: posix.gid_number.map(i32::unsigned_abs),
        });
        let mapped = SCHEMA.mapping.iter().map(|(name, _)| *name);
        let mut shown: Vec<AttributeName> =
            mapped.chain([MARK]).chain(more.iter().map(String::as_str)).map(AttributeName::from).collect();
        shown.sort();
        shown.dedup();
        Ok(Self {
            base: accounts.base_dn.clone(),
            naming: AttributeName::from(accounts.rdn_attribute.as_deref().unwrap_or(LOGIN)),
            classes: accounts.object_classes.clone().unwrap_or_else(|| vec!["inetOrgPerson".to_owned()]),
            id: accounts.id_attribute.clone().unwrap_or_else(|| "entryUUID".to_owned()),
            mark: accounts.mark_attribute.clone(),
            disable: disable(&accounts.disable)?,
            numbers,
            groups: spec.groups.as_ref().map(groups).transpose()?,
            shown,
        })
    }

    /// The entries below which accounts are; none is below another one.
    pub(super) fn bases(&self) -> Vec<&str> {
        match &self.disable {
            Disable::MoveTo { dn, .. } => dn::apart(&self.base, Some(dn)),
            _ => vec![&self.base],
        }
    }

    /// Whether a name is one that an account has or had.
    pub(super) fn is_account(&self, name: &str) -> bool {
        let name = dn::normal(name);
        self.bases().iter().any(|base| dn::is_within(&name, &dn::normal(base)))
    }

    /// What counts as an account.
    pub(super) fn accounts(&self) -> Filter {
        Filter::class(self.classes.first().map_or("inetOrgPerson", String::as_str))
    }

    /// What is asked of an account.
    pub(super) fn wanted(&self) -> Vec<String> {
        let shown = self.shown.iter().filter_map(|name| map::attribute(self, name.as_str()));
        let told = map::told_by(&self.disable);
        let mut all: Vec<String> =
            shown.chain(told).chain([self.id.as_str(), self.naming.as_str(), LOGIN]).map(str::to_owned).collect();
        all.sort_by_key(|name| name.to_lowercase());
        all.dedup_by(|one, other| one.eq_ignore_ascii_case(other));
        all
    }

    pub(super) fn by_login(&self) -> bool {
        self.groups.as_ref().is_some_and(|groups| groups.style.by_login())
    }
}

fn disable(spec: &LdapDisable) -> Result<Disable, TargetError> {
    match (&spec.attribute, &spec.password_lock, &spec.move_to) {
        (Some(attribute), None, None) => Ok(Disable::Attribute {
            name: attribute.name.clone(),
            value: attribute.value.clone(),
            enabled_value: attribute.enabled_value.clone(),
        }),
        (None, Some(_), None) => Ok(Disable::PasswordLock),
        (None, None, Some(place)) => Ok(Disable::MoveTo { normal: dn::normal(&place.dn), dn: place.dn.clone() }),
        _ => Err(TargetError::Malformed("exactly one way to disable must be named; correct the manifest".into())),
    }
}

fn groups(spec: &LdapGroups) -> Result<Groups, TargetError> {
    let style = match &spec.style {
        None | Some(LdapGroupStyle::GroupOfNames) => Style::Names,
        Some(LdapGroupStyle::GroupOfUniqueNames) => Style::UniqueNames,
        Some(LdapGroupStyle::PosixGroup) => Style::Posix,
        Some(LdapGroupStyle::Unrecognised(_)) => {
            return Err(TargetError::Malformed("groups.style has an unknown value; correct it".into()));
        }
    };
    Ok(Groups {
        base: spec.base_dn.clone(),
        style,
        placeholder: spec.placeholder.clone().unwrap_or_else(|| "cn=nobody".to_owned()),
        mark: spec.mark_attribute.clone().unwrap_or_else(|| "description".to_owned()),
    })
}

#[cfg(test)]
pub(super) mod tests {
    use serde_json::json;

    use super::*;

    pub(in super::super) fn settings() -> Settings {
        let spec = json!({
            "url": "ldaps://ldap.acme.test", "bind": {"external": {}},
            "accounts": {"baseDN": "ou=people,dc=acme,dc=test", "disable": {"passwordLock": {}}},
            "groups": {"baseDN": "ou=groups,dc=acme,dc=test"},
        });
        Settings::new(&serde_json::from_value(spec).unwrap(), &["homeDirectory".to_owned()]).unwrap()
    }

    #[test]
    fn only_what_is_mapped_is_asked_for() {
        let wanted = settings().wanted();
        for name in ["uid", "mail", "homeDirectory", "entryUUID", "pwdAccountLockedTime"] {
            assert!(wanted.iter().any(|wanted| wanted == name), "{name}");
        }
        assert!(!wanted.iter().any(|name| name == "userPassword" || name == "externalId" || name == "*"), "{wanted:?}");
    }

    #[test]
    fn a_place_for_disabled_accounts_is_searched_once() {
        let mut settings = settings();
        for (place, bases) in [("ou=left,dc=acme,dc=test", 2), ("ou=left,OU=people,dc=acme,dc=test", 1)] {
            settings.disable = Disable::MoveTo { dn: place.into(), normal: dn::normal(place) };
            assert_eq!(settings.bases().len(), bases, "{place}");
            assert!(settings.is_account(&format!("uid=a,{place}")));
        }
        assert!(!settings.is_account("cn=nobody"));
    }
}
