//! What SCIM is, known offline.

use std::time::Duration;

use provost_core::model::{EntitlementKind, Schema, Spelling};

/// Every field of an Identity that RFC 7643 has a place for: attribute and CEL source.
pub(crate) const MAPPING: &[(&str, &str)] = &[
    ("userName", "identity.userName"),
    ("externalId", "identity.externalId"),
    ("displayName", "identity.displayName"),
    ("name.givenName", "identity.name.given"),
    ("name.familyName", "identity.name.family"),
    ("name.middleName", "identity.name.middle"),
    ("emails", "identity.emails"),
    ("phoneNumbers", "identity.phoneNumbers"),
    ("addresses", "identity.addresses"),
    ("title", "identity.title"),
    ("userType", "identity.employeeType"),
    ("preferredLanguage", "identity.preferredLanguage"),
    ("locale", "identity.locale"),
    ("timezone", "identity.timezone"),
    ("employeeNumber", "identity.employeeNumber"),
    ("costCenter", "identity.costCenter"),
    ("organization", "identity.organization"),
    ("division", "identity.division"),
    ("department", "identity.department"),
    ("manager", "identity.managerRef.name"),
];

/// The service as the core knows it before it was ever reached.
pub(crate) static SCHEMA: Schema = Schema {
    mapping: MAPPING,
    references: &["manager"],
    control: &[
        "id",
        "meta",
        "schemas",
        "active",
        "password",
        "groups",
        "members",
        "roles",
        "entitlements",
        "x509Certificates",
    ],
    spelling: Spelling::Scim,
    case_insensitive: &["userName", "emails"],
    mark: Some("externalId"),
    user_name: "userName",
    external_id: Some("externalId"),
    entitlements: &[EntitlementKind::Group],
    protection: None,
    paths: false,
    interval: Duration::from_mins(10),
};
