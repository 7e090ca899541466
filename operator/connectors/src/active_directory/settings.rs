//! What the manifest says of a domain, checked once.

use provost_core::model::{AttributeName, TargetError};
use provost_crds::v1alpha1::{
    ActiveDirectoryGroupScope as Scope, ActiveDirectoryGroupType as Type, ActiveDirectoryGroups, ActiveDirectorySpec,
};

use super::schema::{LOGIN, MARK, NAMING, PARENT, PROTECTION, SCHEMA};
use crate::ldap::wire::connect::Endpoint;
use crate::ldap::wire::{Filter, dn};

/// The settings of a connection.
#[derive(Debug)]
pub(super) struct Settings {
    /// Accounts are below.
    pub(super) base: String,
    /// Where disabled ones are put, if they are.
    pub(super) place: Option<String>,
    /// Attribute that carries our mark.
    pub(super) mark: Option<String>,
    pub(super) groups: Option<Groups>,
    /// What the core is shown, by the names of the mapping.
    pub(super) shown: Vec<AttributeName>,
}

/// Where groups are and how new ones look.
#[derive(Debug)]
pub(super) struct Groups {
    pub(super) base: String,
    /// The bits of scope and type (MS-ADTS 2.2.12), as a signed number.
    pub(super) bits: i32,
    pub(super) mark: String,
}

impl Settings {
    /// `more`: attributes that the rest of the manifest maps, looks up or protects.
    pub(super) fn new(spec: &ActiveDirectorySpec, more: &[String]) -> Result<Self, TargetError> {
        let accounts = &spec.accounts;
        one_controller(&spec.url, &accounts.base_dn)?;
        let mapped = SCHEMA.mapping.iter().map(|(name, _)| *name);
        let names = mapped.chain([MARK, PROTECTION]).chain(more.iter().map(String::as_str));
        let mut shown: Vec<AttributeName> = names.map(AttributeName::from).collect();
        shown.sort();
        shown.dedup();
        let groups = spec.groups.as_ref().map(groups).transpose()?;
        Ok(Self {
            base: accounts.base_dn.clone(),
            place: accounts.disabled_dn.clone(),
            mark: accounts.mark_attribute.clone(),
            groups,
            shown,
        })
    }

    /// The entries below which accounts are; none is below another one.
    pub(super) fn bases(&self) -> Vec<&str> {
        dn::apart(&self.base, self.place.as_deref())
    }

    /// Whether a name is one that an account has.
    pub(super) fn is_account(&self, name: &str) -> bool {
        self.bases().iter().any(|base| dn::is_within(&dn::normal(name), &dn::normal(base)))
    }

    /// Whether a name is below the place of disabled accounts.
    pub(super) fn is_put_aside(&self, name: &str) -> bool {
        self.place.as_ref().is_some_and(|place| dn::is_within(&dn::normal(name), &dn::normal(place)))
    }

    /// The attribute's name in the domain. `None`: it has no place there.
    pub(super) fn attribute<'a>(&'a self, name: &'a str) -> Option<&'a str> {
        match name {
            MARK => self.mark.as_deref(),
            PARENT | PROTECTION => None,
            name => Some(name),
        }
    }

    /// People, and neither machines nor contacts.
    pub(super) fn accounts() -> Filter {
        Filter::equal("objectCategory", "person").and(Filter::class("user"))
    }

    /// What is asked of an account.
    pub(super) fn wanted(&self) -> Vec<String> {
        let shown = self.shown.iter().filter_map(|name| self.attribute(name.as_str()));
        let own = super::map::ASKED.iter().copied().chain([LOGIN, NAMING]);
        let mut all: Vec<String> = shown.chain(own).map(str::to_owned).collect();
        all.sort_by_key(|name| name.to_lowercase());
        all.dedup_by(|one, other| one.eq_ignore_ascii_case(other));
        all
    }
}

/// The name of a domain leads to any of its controllers: what one was told, the next does not know yet.
fn one_controller(url: &str, base: &str) -> Result<(), TargetError> {
    let parts = dn::parse(base).unwrap_or_default().into_iter().flatten();
    let parts = parts.filter(|(name, _)| name.eq_ignore_ascii_case("dc")).map(|(_, value)| value.to_lowercase());
    let domain = parts.collect::<Vec<_>>().join(".");
    match Endpoint::parse(url)? {
        Endpoint::Tls(host, _) | Endpoint::StartTls(host, _) if host.trim_end_matches('.') == domain => {
            let text = format!(
                "the url names the domain {domain} and so any of its controllers, which do not know at once what another one \
                 was told; name one, as in ldaps://dc1.{domain}"
            );
            Err(TargetError::Unsupported(text.into()))
        }
        _ => Ok(()),
    }
}

fn groups(spec: &ActiveDirectoryGroups) -> Result<Groups, TargetError> {
    let wrong = |field: &str| TargetError::Malformed(format!("groups.{field} has an unknown value; correct it").into());
    let scope = match &spec.scope {
        None | Some(Scope::Global) => 2,
        Some(Scope::DomainLocal) => 4,
        Some(Scope::Universal) => 8,
        Some(Scope::Unrecognised(_)) => return Err(wrong("scope")),
    };
    let security = match &spec.group_type {
        None | Some(Type::Security) => i32::MIN,
        Some(Type::Distribution) => 0,
        Some(Type::Unrecognised(_)) => return Err(wrong("type")),
    };
    Ok(Groups {
        base: spec.base_dn.clone(),
        bits: security | scope,
        mark: spec.mark_attribute.clone().unwrap_or_else(|| "info".to_owned()),
    })
}

#[cfg(test)]
pub(super) mod tests {
    use serde_json::{Value, json};

    use super::*;

    pub(in super::super) fn settings(more: &Value) -> Result<Settings, TargetError> {
        let mut spec = json!({
            "url": "ldaps://dc1.acme.test",
            "bind": {"user": "provost@acme.test", "passwordSecretRef": {"name": "ad", "key": "password"}},
            "accounts": {"baseDN": "OU=People,DC=acme,DC=test", "disabledDN": "OU=Left,DC=acme,DC=test"},
            "groups": {"baseDN": "OU=Groups,DC=acme,DC=test"},
        });
        for (pointer, value) in more.as_object().unwrap() {
            *spec.pointer_mut(pointer).unwrap() = value.clone();
        }
        Settings::new(&serde_json::from_value(spec).unwrap(), &[PARENT.to_owned(), "proxyAddresses".to_owned()])
    }

    #[test]
    fn only_what_is_mapped_is_asked_for() {
        let wanted = settings(&json!({})).unwrap().wanted();
        for name in [LOGIN, "mail", "proxyAddresses", "userAccountControl", "adminCount"] {
            assert!(wanted.iter().any(|wanted| wanted == name), "{name}");
        }
        for name in ["unicodePwd", MARK, PARENT, PROTECTION, "*"] {
            assert!(!wanted.iter().any(|wanted| wanted == name), "{name}");
        }
    }

    #[test]
    fn accounts_are_where_the_manifest_says() {
        let settings = settings(&json!({})).unwrap();
        assert_eq!(settings.bases(), ["OU=People,DC=acme,DC=test", "OU=Left,DC=acme,DC=test"]);
        assert!(
            settings.is_account("CN=a,ou=people,dc=acme,dc=test")
                && settings.is_put_aside("CN=a,OU=left,DC=acme,DC=test")
        );
        assert!(!settings.is_account("CN=a,CN=Users,DC=acme,DC=test"));
    }

    #[test]
    fn the_url_names_a_controller_and_not_the_domain() {
        for url in ["ldaps://ACME.test", "ldap://acme.test:389", "ldaps://acme.test./"] {
            let error = settings(&json!({"/url": url})).unwrap_err();
            assert!(
                matches!(&error, TargetError::Unsupported(text) if text.contains("ldaps://dc1.acme.test")),
                "{error}"
            );
        }
        for url in ["ldaps://dc1.acme.test", "ldaps://127.0.0.1", "ldap://dc1", "ldaps://localhost:1636"] {
            settings(&json!({"/url": url})).unwrap();
        }
    }

    #[test]
    fn scope_and_type_are_bits() {
        for (scope, group_type, bits) in [
            ("Global", "Security", -2_147_483_646),
            ("DomainLocal", "Distribution", 4),
            ("Universal", "Security", -2_147_483_640),
        ] {
            let groups = json!({"baseDN": "OU=Groups,DC=acme,DC=test", "scope": scope, "type": group_type});
            assert_eq!(settings(&json!({"/groups": groups})).unwrap().groups.unwrap().bits, bits, "{scope}");
        }
    }
}
