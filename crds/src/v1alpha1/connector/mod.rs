//! How a TargetApplication is reached: one struct of options, of which exactly one is there. A connector is a file of its own,
//! its spec type, and its line in [`ConnectorSpec`] and [`CONNECTORS`].

mod active_directory;
mod fake;
mod keycloak;
mod ldap;
mod scim;

pub use active_directory::{
    ActiveDirectoryAccounts, ActiveDirectoryBind, ActiveDirectoryGroupScope, ActiveDirectoryGroupType,
    ActiveDirectoryGroups, ActiveDirectorySpec,
};
pub use fake::{FakeEntitlement, FakeEntitlementKind, FakeSpec};
pub use keycloak::{KeycloakAuth, KeycloakSpec};
pub use ldap::{
    LdapAccounts, LdapBind, LdapDisable, LdapDisableAttribute, LdapExternalBind, LdapGroupStyle, LdapGroups,
    LdapMoveTo, LdapPasswordLock, LdapPosix, LdapSimpleBind, LdapSpec,
};
pub use scim::{
    BasicAuth, BearerAuth, BulkUse, OAuth2ClientCredentials, PagingMethod, PatchMethod, ScimAuth, ScimProfileSpec,
    ScimSpec, TlsSpec,
};

use kube::KubeSchema;
use serde::{Deserialize, Serialize};

use super::rule::exactly_one;

/// The members of the union, as the schema names them.
pub const CONNECTORS: &[&str] = &["scim", "ldap", "activeDirectory", "keycloak", "fake"];

/// The connector of a TargetApplication and its settings; exactly one member is there.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[x_kube(validation = exactly_one("connector", CONNECTORS))]
#[serde(rename_all = "camelCase")]
pub struct ConnectorSpec {
    /// A SCIM 2.0 service (RFC 7643, 7644). Exactly one connector must be named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scim: Option<ScimSpec>,
    /// An LDAP directory (RFC 4510). Exactly one connector must be named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ldap: Option<LdapSpec>,
    /// A domain of Active Directory. Exactly one connector must be named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub active_directory: Option<ActiveDirectorySpec>,
    /// A realm of Keycloak. Exactly one connector must be named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keycloak: Option<KeycloakSpec>,
    /// A directory in the operator's memory, for demonstrations and tests; refused unless the operator was started with it. Exactly one
    /// connector must be named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fake: Option<FakeSpec>,
}
