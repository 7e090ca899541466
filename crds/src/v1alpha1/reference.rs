//! References to other objects of the same namespace.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::word::words;

/// An Identity of the same namespace.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
#[schemars(inline)]
pub struct IdentityReference {
    /// Name of the Identity, in the same namespace.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
}

/// A Group of the same namespace.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
#[schemars(inline)]
pub struct GroupReference {
    /// Name of the Group, in the same namespace.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
}

/// One value of a Secret of the same namespace.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
#[schemars(inline)]
pub struct SecretKeyReference {
    /// Name of the Secret, in the same namespace. It is used only if its annotation provost.dev/allowed-hosts lists the host
    /// that the value would be sent to.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
    /// Key in the Secret's data.
    #[schemars(length(min = 1, max = 253))]
    pub key: String,
}

words! {
    /// The kind of a subject.
    SubjectKind {
        /// One Identity.
        Identity,
        /// The members of a Group, nested ones included.
        Group,
    }
}

/// An Identity or a Group of the same namespace.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
#[schemars(inline)]
pub struct Subject {
    /// Identity or Group.
    pub kind: SubjectKind,
    /// Name of the Identity or Group, in the same namespace.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
}
