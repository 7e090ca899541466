//! What an LDAP directory is, known offline.

use std::time::Duration;

use provost_core::input::LDAP_CONTROL;
use provost_core::model::{EntitlementKind, Schema, Spelling};

/// The name under which mapping and correlation know the attribute that carries our mark.
pub(crate) const MARK: &str = "externalId";

/// The attribute that holds an account's login name.
pub(crate) const LOGIN: &str = "uid";

/// Every field of an Identity that inetOrgPerson (RFC 2798) has a place for: attribute and CEL source. `cn` and `sn` are demanded
/// by the schema, also of who has no such name.
const MAPPING: &[(&str, &str)] = &[
    (LOGIN, "identity.userName"),
    ("cn", r#"identity.displayName != "" ? identity.displayName : identity.userName"#),
    ("sn", r#"identity.name.family != "" ? identity.name.family : identity.userName"#),
    ("givenName", "identity.name.given"),
    ("displayName", "identity.displayName"),
    ("mail", "identity.emails.map(e, e.value)"),
    ("telephoneNumber", r#"identity.phoneNumbers.filter(p, p.type != "mobile").map(p, p.value)"#),
    ("mobile", r#"identity.phoneNumbers.filter(p, p.type == "mobile").map(p, p.value)"#),
    ("street", r#"identity.addresses.filter(a, a.type == "work").map(a, a.street)"#),
    ("l", r#"identity.addresses.filter(a, a.type == "work").map(a, a.locality)"#),
    ("st", r#"identity.addresses.filter(a, a.type == "work").map(a, a.region)"#),
    ("postalCode", r#"identity.addresses.filter(a, a.type == "work").map(a, a.postalCode)"#),
    ("title", "identity.title"),
    ("ou", "identity.department"),
    ("o", "identity.organization"),
    ("employeeNumber", "identity.employeeNumber"),
    ("employeeType", "identity.employeeType"),
    ("preferredLanguage", "identity.preferredLanguage"),
    ("manager", "identity.managerRef.name"),
];

/// A directory as the core knows it before it was ever reached.
pub(crate) static SCHEMA: Schema = Schema {
    mapping: MAPPING,
    references: &["manager"],
    control: LDAP_CONTROL,
    spelling: Spelling::Ldap,
    case_insensitive: &[LOGIN, "mail"],
    mark: Some(MARK),
    user_name: LOGIN,
    external_id: Some(MARK),
    entitlements: &[EntitlementKind::Group],
    protection: None,
    paths: false,
    interval: Duration::from_mins(10),
};
