//! What a domain of Active Directory is, known offline.

use std::time::Duration;

use provost_core::input::ACTIVE_DIRECTORY_CONTROL;
use provost_core::model::{EntitlementKind, Schema, Spelling};

/// The name under which mapping and correlation know the attribute that carries our mark.
pub(super) const MARK: &str = "externalId";
/// The login name, of one domain.
pub(super) const LOGIN: &str = "sAMAccountName";
/// The attribute that names an entry in its place. Unless it is mapped, new accounts are named by their login name, and others keep
/// theirs.
pub(super) const NAMING: &str = "cn";
/// The name under which the mapping knows an account's place: the DN of the entry above.
pub(super) const PARENT: &str = "parentDN";
/// The name under which the core is shown that the domain itself protects an account.
pub(super) const PROTECTION: &str = "protection";
/// When an account ends: a time in the mapping, a FILETIME in the domain.
pub(super) const EXPIRES: &str = "accountExpires";
/// The switches of an account.
pub(super) const CONTROL: &str = "userAccountControl";

/// Every field of an Identity that a user has a place for: attribute and CEL source. Each holds one value there. What people log in
/// with beside the login name (userPrincipalName) is the company's to say, and an existing one is never changed unasked.
const MAPPING: &[(&str, &str)] = &[
    (LOGIN, "identity.userName"),
    ("givenName", "identity.name.given"),
    ("sn", "identity.name.family"),
    ("displayName", "identity.displayName"),
    ("mail", "identity.primaryEmail()"),
    ("title", "identity.title"),
    ("department", "identity.department"),
    ("division", "identity.division"),
    ("company", "identity.organization"),
    ("physicalDeliveryOfficeName", "identity.location"),
    ("employeeNumber", "identity.employeeNumber"),
    ("employeeType", "identity.employeeType"),
    ("manager", "identity.managerRef.name"),
    (EXPIRES, r#"has(identity.lifecycle.endTime) ? string(identity.lifecycle.endTime) : """#),
];

/// A domain as the core knows it before it was ever reached.
pub(crate) static SCHEMA: Schema = Schema {
    mapping: MAPPING,
    references: &["manager"],
    control: ACTIVE_DIRECTORY_CONTROL,
    spelling: Spelling::Ldap,
    case_insensitive: &[LOGIN, "userPrincipalName", "mail", PARENT],
    mark: Some(MARK),
    user_name: LOGIN,
    external_id: Some(MARK),
    protection: Some(PROTECTION),
    entitlements: &[EntitlementKind::Group],
    paths: false,
    interval: Duration::from_mins(10),
};
