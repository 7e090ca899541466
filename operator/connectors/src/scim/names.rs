//! How attributes are named: `userName`, `name.givenName`, `department` (of the enterprise extension, by its plain
//! name), or `urn:...:User:attribute` for any other extension.

use std::fmt;

/// The core User schema.
pub(super) const USER: &str = "urn:ietf:params:scim:schemas:core:2.0:User";
/// The core Group schema.
pub(super) const GROUP: &str = "urn:ietf:params:scim:schemas:core:2.0:Group";
/// The enterprise extension (RFC 7643, 4.3).
pub(super) const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
/// PATCH (RFC 7644, 3.5.2).
pub(super) const PATCH_OP: &str = "urn:ietf:params:scim:api:messages:2.0:PatchOp";

/// The attributes of the enterprise extension.
const ENTERPRISE_NAMES: [&str; 6] =
    ["employeeNumber", "costCenter", "organization", "division", "department", "manager"];

/// Core attributes, as RFC 7643 writes them: a target's spelling is folded to these.
const CORE_NAMES: [&str; 21] = [
    "externalId",
    "userName",
    "name",
    "displayName",
    "nickName",
    "profileUrl",
    "title",
    "userType",
    "preferredLanguage",
    "locale",
    "timezone",
    "active",
    "emails",
    "phoneNumbers",
    "ims",
    "photos",
    "addresses",
    "entitlements",
    "roles",
    "x509Certificates",
    "groups",
];

/// Sub-attributes of `name`.
const NAME_PARTS: [&str; 6] =
    ["formatted", "familyName", "givenName", "middleName", "honorificPrefix", "honorificSuffix"];

/// Where an attribute lives in a resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Path {
    /// The extension's schema; `None`: core.
    pub(super) schema: Option<String>,
    pub(super) attribute: String,
    pub(super) sub: Option<String>,
}

impl Path {
    /// Of an attribute as mappings name it.
    pub(super) fn of(name: &str) -> Self {
        let (schema, rest) = match name.rsplit_once(':') {
            Some((schema, rest)) => (Some(schema), rest),
            None => (None, name),
        };
        let (attribute, sub) = match rest.split_once('.') {
            Some((attribute, sub)) => (attribute, Some(sub)),
            None => (rest, None),
        };
        if schema.is_none()
            && let Some(known) = known(&ENTERPRISE_NAMES, attribute)
        {
            return Self {
                schema: Some(ENTERPRISE.to_owned()),
                attribute: known.to_owned(),
                sub: sub.map(str::to_owned),
            };
        }
        Self {
            schema: schema.filter(|s| !s.eq_ignore_ascii_case(USER)).map(str::to_owned),
            attribute: attribute.to_owned(),
            sub: sub.map(str::to_owned),
        }
    }

    /// The path in a filter for the attribute's plain value: of a complex one, its `value`.
    pub(super) fn for_filter(&self) -> String {
        let complex = ["emails", "phoneNumbers", "ims", "manager"];
        match self.sub {
            None if known(&complex, &self.attribute).is_some() => format!("{self}.value"),
            _ => self.to_string(),
        }
    }

    pub(super) fn is(&self, name: &str) -> bool {
        self.attribute.eq_ignore_ascii_case(name)
    }
}

/// The path in PATCH (RFC 7644, figure 1).
impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(schema) = &self.schema {
            write!(f, "{schema}:")?;
        }
        f.write_str(&self.attribute)?;
        match &self.sub {
            Some(sub) => write!(f, ".{sub}"),
            None => Ok(()),
        }
    }
}

/// The name by which mappings know an attribute that a resource holds.
pub(super) fn mapped(schema: Option<&str>, attribute: &str, sub: Option<&str>) -> String {
    let name = match schema {
        None => known(&CORE_NAMES, attribute).unwrap_or(attribute).to_owned(),
        Some(schema) if schema.eq_ignore_ascii_case(ENTERPRISE) => {
            known(&ENTERPRISE_NAMES, attribute).unwrap_or(attribute).to_owned()
        }
        Some(schema) => format!("{schema}:{attribute}"),
    };
    match sub {
        Some(sub) if name == "name" => format!("{name}.{}", known(&NAME_PARTS, sub).unwrap_or(sub)),
        Some(sub) => format!("{name}.{sub}"),
        None => name,
    }
}

/// The spelling of the list, whatever the case of the text (RFC 7643, 2.1: names are case-insensitive).
pub(super) fn known<'a>(list: &[&'a str], text: &str) -> Option<&'a str> {
    list.iter().find(|name| name.eq_ignore_ascii_case(text)).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_paths() {
        let enterprise = format!("{ENTERPRISE}:department");
        let cases = [
            ("userName", "userName"),
            ("name.givenName", "name.givenName"),
            ("department", enterprise.as_str()),
            (enterprise.as_str(), enterprise.as_str()),
            ("urn:acme:params:1.0:User:badge", "urn:acme:params:1.0:User:badge"),
            ("urn:ietf:params:scim:schemas:core:2.0:User:title", "title"),
        ];
        for (name, path) in cases {
            assert_eq!(Path::of(name).to_string(), path, "{name}");
        }
        assert_eq!(Path::of("emails").for_filter(), "emails.value");
        assert_eq!(Path::of("manager").for_filter(), format!("{ENTERPRISE}:manager.value"));
    }

    #[test]
    fn what_a_resource_holds_is_named_as_mappings_name_it() {
        assert_eq!(mapped(None, "USERNAME", None), "userName");
        assert_eq!(mapped(None, "Name", Some("GivenName")), "name.givenName");
        assert_eq!(mapped(Some(ENTERPRISE), "Department", None), "department");
        assert_eq!(mapped(Some("urn:acme:params:1.0:User"), "badge", None), "urn:acme:params:1.0:User:badge");
    }
}
