//! Active Directory: LDAP as the domain controllers of Microsoft and of Samba speak it.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::scim::TlsSpec;
use crate::v1alpha1::reference::SecretKeyReference;
use crate::v1alpha1::rule::ldap_url;
use crate::v1alpha1::word::words;

/// Where a domain is, how to log in, and where accounts and groups are in it.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[x_kube(
    validation = ldap_url("url"),
    validation = Rule::new("!self.url.startsWith('ldapi:')")
        .message("must be ldaps://host or ldap://host (with StartTLS)").field_path(".url"),
)]
#[serde(rename_all = "camelCase")]
pub struct ActiveDirectorySpec {
    /// Where a domain controller is: ldaps://host[:port], or ldap://host[:port] (StartTLS is always asked for, and a refusal is final).
    /// Nothing may follow the host.
    #[schemars(length(max = 2048))]
    pub url: String,
    /// How to log in.
    pub bind: ActiveDirectoryBind,
    /// How the controller's certificate is verified. Default: by the public authorities.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<TlsSpec>,
    /// Where accounts are.
    pub accounts: ActiveDirectoryAccounts,
    /// Where groups are and how new ones look. Default: the domain's groups are left alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub groups: Option<ActiveDirectoryGroups>,
}

/// An account of the domain and its password.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
#[schemars(inline)]
pub struct ActiveDirectoryBind {
    /// Its user principal name, for example provost@example.com, or its DN. It is never written to.
    #[schemars(length(min = 1, max = 1024))]
    pub user: String,
    /// The Secret that holds the password. An empty one is refused: it would log in as nobody.
    pub password_secret_ref: SecretKeyReference,
}

/// Where accounts are.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
#[schemars(inline)]
pub struct ActiveDirectoryAccounts {
    /// DN of the entry below which accounts are, at any depth. New ones are put directly below it, unless parentDN is mapped to another
    /// place below it.
    #[serde(rename = "baseDN")]
    #[schemars(length(min = 1, max = 1024))]
    pub base_dn: String,
    /// Attribute that carries the identity's externalId, or provost:NAMESPACE/NAME where it has none: by it an account is found again
    /// when all else is lost. It is mapped and correlated as externalId. Default: none, accounts carry no mark.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 256))]
    pub mark_attribute: Option<String>,
    /// DN of the entry directly below which accounts are moved when they are disabled; enabled ones are moved back. Default: they stay where
    /// they are.
    #[serde(rename = "disabledDN", default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 1024))]
    pub disabled_dn: Option<String>,
}

/// Where groups are and how new ones look.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
#[schemars(inline)]
pub struct ActiveDirectoryGroups {
    /// DN of the entry below which groups are, at any depth; new ones are put directly below it.
    #[serde(rename = "baseDN")]
    #[schemars(length(min = 1, max = 1024))]
    pub base_dn: String,
    /// Scope of new groups: Global, DomainLocal or Universal. Default: Global.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = "Global"))]
    pub scope: Option<ActiveDirectoryGroupScope>,
    /// Type of new groups: Security, which can be given rights, or Distribution. Default: Security.
    #[serde(rename = "type", default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = "Security"))]
    pub group_type: Option<ActiveDirectoryGroupType>,
    /// Attribute that carries our mark on groups that we create. Default: info.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 256), extend("default" = "info"))]
    pub mark_attribute: Option<String>,
}

words! {
    /// Where a group can be used.
    ActiveDirectoryGroupScope {
        /// Members of its domain, rights everywhere.
        Global,
        /// Members from everywhere, rights in its domain.
        DomainLocal,
        /// Both from everywhere.
        Universal,
    }
}

words! {
    /// What a group is for.
    ActiveDirectoryGroupType {
        /// Rights.
        Security,
        /// Mail alone.
        Distribution,
    }
}
