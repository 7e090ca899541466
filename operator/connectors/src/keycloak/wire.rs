//! What comes over the wire, as far as it is used. Read tolerantly: what is not known is ignored, what is missing is absent.

use std::collections::BTreeMap;

use provost_core::model::{TargetError, TargetId};
use serde::Deserialize;
use serde::de::DeserializeOwned;

/// Attributes of users and groups: each a list of texts.
pub(super) type Texts = BTreeMap<String, Vec<String>>;

/// UserRepresentation.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(rename_all = "camelCase")]
pub(super) struct User {
    pub(super) id: String,
    #[serde(default)]
    pub(super) username: String,
    #[serde(default)]
    pub(super) email: Option<String>,
    #[serde(default)]
    pub(super) first_name: Option<String>,
    #[serde(default)]
    pub(super) last_name: Option<String>,
    #[serde(default)]
    pub(super) email_verified: Option<bool>,
    #[serde(default)]
    pub(super) enabled: Option<bool>,
    #[serde(default)]
    pub(super) attributes: Option<Texts>,
    /// The user federation (LDAP) that it comes from.
    #[serde(default)]
    pub(super) federation_link: Option<String>,
    /// What the asking client may do with it.
    #[serde(default)]
    pub(super) access: Option<Access>,
}

/// `access` of a representation.
#[derive(Clone, Debug, Deserialize, PartialEq)]
pub(super) struct Access {
    #[serde(default)]
    pub(super) manage: Option<bool>,
}

/// Of a listing of members, all that matters.
#[derive(Debug, Deserialize)]
pub(super) struct Identified {
    pub(super) id: String,
}

/// GroupRepresentation.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Group {
    pub(super) id: String,
    #[serde(default)]
    pub(super) name: String,
    #[serde(default)]
    pub(super) parent_id: Option<String>,
    /// `None`: an answer that does not say.
    #[serde(default)]
    pub(super) sub_group_count: Option<u64>,
    #[serde(default)]
    pub(super) attributes: Option<Texts>,
}

/// `groups/count`.
#[derive(Debug, Deserialize)]
pub(super) struct Count {
    pub(super) count: u64,
}

/// RoleRepresentation.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Role {
    pub(super) id: String,
    pub(super) name: String,
    /// It is a client's, not the realm's.
    #[serde(default, rename = "clientRole")]
    pub(super) of_client: bool,
    #[serde(default)]
    pub(super) container_id: Option<String>,
}

/// RealmRepresentation, of which who manages users is shown little.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct RealmSettings {
    pub(super) registration_email_as_username: bool,
}

/// ClientRepresentation.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Client {
    pub(super) id: String,
    pub(super) client_id: String,
}

/// MappingsRepresentation: the roles given to a user itself.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Mappings {
    realm_mappings: Vec<Identified>,
    client_mappings: BTreeMap<String, ClientMappings>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct ClientMappings {
    mappings: Vec<Identified>,
}

impl Mappings {
    pub(super) fn ids(self) -> impl Iterator<Item = TargetId> {
        let of_clients = self.client_mappings.into_values().flat_map(|client| client.mappings);
        self.realm_mappings.into_iter().chain(of_clients).map(|role| TargetId::new(role.id))
    }
}

/// UPConfig: which attributes users of the realm may have.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct UserProfile {
    attributes: Vec<ProfileAttribute>,
    unmanaged_attribute_policy: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct ProfileAttribute {
    name: String,
    multivalued: bool,
}

impl UserProfile {
    /// Whether an administrator's write of an attribute is kept. Others are dropped without a word.
    pub(super) fn keeps(&self, name: &str) -> bool {
        let unmanaged = self.unmanaged_attribute_policy.as_deref();
        matches!(unmanaged, Some("ENABLED" | "ADMIN_EDIT")) || self.attributes.iter().any(|a| a.name == name)
    }

    /// Whether an attribute is declared to have several values.
    pub(super) fn is_list(&self, name: &str) -> bool {
        self.attributes.iter().any(|a| a.name == name && a.multivalued)
    }

    /// For status.
    pub(super) fn policy(&self) -> &str {
        self.unmanaged_attribute_policy.as_deref().unwrap_or("DISABLED")
    }
}

/// Why something was refused.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Refused {
    error: Option<String>,
    error_message: Option<String>,
    field: Option<String>,
    errors: Vec<Refused>,
}

impl Refused {
    pub(super) fn of(body: &[u8]) -> Self {
        serde_json::from_slice(body).unwrap_or_default()
    }

    /// Keycloak's words.
    pub(super) fn words(&self) -> &str {
        let first = || self.errors.first().map(Self::words);
        self.error_message.as_deref().or(self.error.as_deref()).or_else(first).unwrap_or_default()
    }

    /// The attribute it names.
    pub(super) fn field(&self) -> Option<&str> {
        self.field.as_deref().or_else(|| self.errors.first()?.field())
    }

    /// The attributes it finds fault with; `true`: it demands that they have a value.
    pub(super) fn faults(&self) -> BTreeMap<String, bool> {
        let all = std::iter::once(self).chain(&self.errors);
        let demanded = |one: &Self| one.error_message.as_deref() == Some("error-user-attribute-required");
        all.filter_map(|one| Some((one.field.clone()?, demanded(one)))).collect()
    }

    /// The key of a message (`error-invalid-email`): an identifier, which says nothing of anybody.
    pub(super) fn key(&self) -> Option<&str> {
        let words = self.words();
        let plain = words.len() <= 64 && words.bytes().all(|b| b.is_ascii_lowercase() || b == b'-');
        Some(words).filter(|_| plain && words.starts_with("error-"))
    }
}

/// What a 404 says where the realm is the right one and the thing is not there.
const ABSENT: [&str; 7] = [
    "User not found",
    "Group not found",
    "Could not find group by id",
    "Could not find role",
    "Could not find role with id",
    "Role not found",
    "Could not find client",
];

/// Whether a 404 speaks of the thing that was asked for, and not of a realm or a server that is another one.
pub(super) fn is_absent(body: &[u8]) -> bool {
    ABSENT.contains(&Refused::of(body).words())
}

/// A body as what it should be.
pub(super) fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, TargetError> {
    serde_json::from_slice(body)
        .map_err(|_| TargetError::Malformed("the answer is not what Keycloak says here; check the url".into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_realm_that_is_not_there_is_no_missing_user() {
        assert!(is_absent(br#"{"error":"User not found"}"#) && is_absent(br#"{"error":"Could not find group by id"}"#));
        for other in [r#"{"error":"Realm not found."}"#, r#"{"error":"Realm does not exist"}"#, "<html>", "", "{}"] {
            assert!(!is_absent(other.as_bytes()), "{other}");
        }
    }

    #[test]
    fn only_the_key_of_a_message_is_repeated() {
        let refused = |body: &str| Refused::of(body.as_bytes());
        let one = refused(r#"{"field":"email","errorMessage":"error-invalid-email","params":["email","nope"]}"#);
        assert_eq!((one.field(), one.key()), (Some("email"), Some("error-invalid-email")));
        let many = refused(r#"{"errors":[{"field":"username","errorMessage":"error-invalid-length"},{"field":"x"}]}"#);
        assert_eq!((many.field(), many.key()), (Some("username"), Some("error-invalid-length")));
        assert_eq!(refused(r#"{"errorMessage":"User ada@acme.test exists"}"#).key(), None);
    }

    #[test]
    fn a_profile_keeps_what_it_declares_and_what_its_policy_lets_through() {
        let profile = |text: &str| serde_json::from_str::<UserProfile>(text).unwrap();
        let strict = profile(r#"{"attributes":[{"name":"title"},{"name":"shifts","multivalued":true}]}"#);
        assert!(strict.keeps("title") && !strict.keeps("department"));
        assert!(strict.is_list("shifts") && !strict.is_list("title"));
        for (policy, keeps) in [("ENABLED", true), ("ADMIN_EDIT", true), ("ADMIN_VIEW", false)] {
            let text = format!(r#"{{"attributes":[],"unmanagedAttributePolicy":"{policy}"}}"#);
            assert_eq!(profile(&text).keeps("department"), keeps, "{policy}");
        }
    }
}
