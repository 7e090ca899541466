//! Keycloak, through its Admin REST API.

use kube::KubeSchema;
use serde::{Deserialize, Serialize};

use super::TlsSpec;
use crate::v1alpha1::reference::SecretKeyReference;
use crate::v1alpha1::rule::plain_url;

/// Where a realm is, how to log in, and what new accounts get.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[x_kube(
    validation = plain_url("url"),
    validation = Rule::new("(has(self.allowInsecure) && self.allowInsecure) || !self.url.startsWith('http:')")
        .message("must be https; http needs allowInsecure: true").field_path(".url"),
)]
#[serde(rename_all = "camelCase")]
pub struct KeycloakSpec {
    /// Base URL of the server, for example https://sso.example.com (older ones: with /auth at its end): https in lower case, no user
    /// info, query or fragment.
    #[schemars(length(max = 2048))]
    pub url: String,
    /// The realm whose users, groups and roles are managed.
    #[schemars(length(min = 1, max = 255))]
    pub realm: String,
    /// The client that the operator logs in as, with its service account.
    pub auth: KeycloakAuth,
    /// The user attribute that carries our mark: the identity's externalId, or provost:NAMESPACE/NAME where it has none. Mappings,
    /// correlation and protection call it externalId. The realm's user profile must declare it, or allow unmanaged attributes. Default:
    /// none, and accounts are recognised by username alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 255))]
    #[x_kube(validation = Rule::new("!(self in ['username', 'email', 'firstName', 'lastName', 'emailVerified'])")
        .message("must be an attribute of its own, not one that every user has"))]
    pub mark_attribute: Option<String>,
    /// What a new user must do at the first login, for example UPDATE_PASSWORD or VERIFY_EMAIL. Set once, at creation. Default: nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 16), inner(length(min = 1, max = 64)))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub required_actions: Option<Vec<String>>,
    /// How the server's certificate is verified. Default: by the public authorities.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<TlsSpec>,
    /// Whether http is allowed: credentials and personal data then travel in the clear. Default: false.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = false))]
    pub allow_insecure: Option<bool>,
}

/// A confidential client with a service account (RFC 6749, 4.4).
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct KeycloakAuth {
    /// The client's id.
    #[schemars(length(min = 1, max = 255))]
    pub client_id: String,
    /// The Secret that holds the client's secret.
    pub client_secret_ref: SecretKeyReference,
    /// The realm of the client, where it is another one, for example master. Default: the realm that is managed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 255))]
    pub realm: Option<String>,
}
