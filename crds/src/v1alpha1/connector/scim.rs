//! SCIM 2.0 (RFC 7643, RFC 7644).

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::v1alpha1::reference::SecretKeyReference;
use crate::v1alpha1::rule::{exactly_one, plain_url};
use crate::v1alpha1::word::words;

/// Where a SCIM service is, how to log in, and what it is known to support.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[x_kube(
    validation = plain_url("url"),
    validation = Rule::new("(has(self.allowInsecure) && self.allowInsecure) || !self.url.startsWith('http:')")
        .message("must be https; http needs allowInsecure: true").field_path(".url"),
    validation = Rule::new("(has(self.allowInsecure) && self.allowInsecure) || !has(self.auth.oauth2ClientCredentials) || !self.auth.oauth2ClientCredentials.tokenUrl.startsWith('http:')")
        .message("must be https; http needs allowInsecure: true").field_path(".auth.oauth2ClientCredentials.tokenUrl"),
)]
#[serde(rename_all = "camelCase")]
pub struct ScimSpec {
    /// Base URL of the service, for example https://wiki.example.com/scim/v2: https in lower case, no user info, query or fragment.
    #[schemars(length(max = 2048))]
    pub url: String,
    /// Whether http is allowed: credentials and personal data then travel in the clear. Default: false.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = false))]
    pub allow_insecure: Option<bool>,
    /// How to log in: exactly one of bearer, basic and oauth2ClientCredentials.
    pub auth: ScimAuth,
    /// How the service's certificate is verified. Default: by the public authorities.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<TlsSpec>,
    /// What the service supports, where measuring it would be wrong. Default: everything Auto.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<ScimProfileSpec>,
}

/// How to log in; exactly one member is there.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[x_kube(validation = exactly_one("way to log in", &["bearer", "basic", "oauth2ClientCredentials"]))]
#[serde(rename_all = "camelCase")]
pub struct ScimAuth {
    /// A token in the Authorization header (RFC 6750).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bearer: Option<BearerAuth>,
    /// User name and password (RFC 7617).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub basic: Option<BasicAuth>,
    /// Tokens by the client credentials grant of OAuth 2.0 (RFC 6749, 4.4).
    #[serde(default, skip_serializing_if = "Option::is_none", rename = "oauth2ClientCredentials")]
    pub oauth2_client_credentials: Option<OAuth2ClientCredentials>,
}

/// A bearer token.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
#[schemars(inline)]
pub struct BearerAuth {
    /// The Secret that holds the token.
    pub secret_ref: SecretKeyReference,
}

/// User name and password.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
#[schemars(inline)]
pub struct BasicAuth {
    /// The user name.
    #[schemars(length(min = 1, max = 256))]
    pub username: String,
    /// The Secret that holds the password.
    pub password_secret_ref: SecretKeyReference,
}

/// The client credentials grant of OAuth 2.0.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[x_kube(validation = plain_url("tokenUrl"))]
#[serde(rename_all = "camelCase")]
pub struct OAuth2ClientCredentials {
    /// Where tokens are fetched: https in lower case, no user info, query or fragment. The Secret must allow this host too.
    #[schemars(length(max = 2048))]
    pub token_url: String,
    /// The client's id.
    #[schemars(length(min = 1, max = 256))]
    pub client_id: String,
    /// The Secret that holds the client's secret.
    pub client_secret_ref: SecretKeyReference,
    /// Scopes to ask for. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32), inner(length(min = 1, max = 256)))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub scopes: Option<Vec<String>>,
}

/// How a certificate is verified.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
#[schemars(inline)]
pub struct TlsSpec {
    /// The Secret that holds the certificates of a private authority in PEM; they replace the public ones. Default: the public authorities.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_secret_ref: Option<SecretKeyReference>,
}

/// What a SCIM service supports.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
#[schemars(inline)]
pub struct ScimProfileSpec {
    /// How resources are changed: Patch, Put (read, modify, write) or Auto, measured at first contact. Default: Auto.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = "Auto"))]
    pub patch: Option<PatchMethod>,
    /// How lists are paged: Cursor (RFC 9865), Index, None (one page) or Auto, measured at first contact. Default: Auto.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = "Auto"))]
    pub paging: Option<PagingMethod>,
    /// Whether bulk requests are used: Use, Never or Auto, measured at first contact. Default: Auto.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = "Auto"))]
    pub bulk: Option<BulkUse>,
}

words! {
    /// How resources are changed.
    PatchMethod {
        /// As measured.
        Auto,
        /// By PATCH.
        Patch,
        /// By PUT of the whole resource.
        Put,
    }
}

words! {
    /// How lists are paged.
    PagingMethod {
        /// As measured.
        Auto,
        /// By cursor (RFC 9865).
        Cursor,
        /// By startIndex.
        Index,
        /// Not at all.
        None,
    }
}

words! {
    /// Whether bulk requests are used.
    BulkUse {
        /// As measured.
        Auto,
        /// Wherever possible.
        Use,
        /// Not at all.
        Never,
    }
}
