//! What a realm is, known offline.

use std::time::Duration;

use provost_core::model::{EntitlementKind, Schema, Spelling};

/// The name by which mappings know the mark, whatever the realm calls it.
pub(super) const MARK: &str = "externalId";

/// What every user has: attribute and CEL source. Anything else is mapped by the manifest, since a realm drops what its
/// user profile does not declare.
pub(crate) const MAPPING: &[(&str, &str)] = &[
    ("username", "identity.userName"),
    (MARK, "identity.externalId"),
    ("email", "identity.primaryEmail()"),
    ("firstName", "identity.name.given"),
    ("lastName", "identity.name.family"),
];

/// A realm as the core knows it before it was ever reached.
pub(crate) static SCHEMA: Schema = Schema {
    mapping: MAPPING,
    references: &[],
    control: &[
        "id",
        "enabled",
        "password",
        "credentials",
        "requiredActions",
        "groups",
        "realmRoles",
        "clientRoles",
        "federatedIdentities",
        "federationLink",
        "serviceAccountClientId",
        "notBefore",
        "totp",
    ],
    spelling: Spelling::Exact,
    case_insensitive: &["username", "email"],
    mark: Some(MARK),
    user_name: "username",
    external_id: Some(MARK),
    entitlements: &[EntitlementKind::Group, EntitlementKind::Role],
    protection: None,
    paths: true,
    interval: Duration::from_mins(10),
};
