//! The catalogue of what can be granted at a target, and the groups that are mirrored to it.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::v1alpha1::reference::GroupReference;
use crate::v1alpha1::rule::exactly_one;
use crate::v1alpha1::word::words;

/// What can stand behind an entitlement, as the schema names it.
pub const TARGET_KINDS: &[&str] = &["group", "role", "license"];

/// One entry of the catalogue.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct EntitlementSpec {
    /// Its name, as policies use it.
    #[schemars(length(min = 1, max = 63))]
    #[x_kube(validation = Rule::new("self != '*'").message("must not be \"*\", which in a Deny stands for every entitlement"))]
    pub name: String,
    /// What it is at the target: exactly one of group, role and license. Its kind and name are immutable.
    #[x_kube(validation = Rule::new(
        "has(self.group) == has(oldSelf.group) && (!has(self.group) || !has(oldSelf.group) || self.group.name == oldSelf.group.name) && \
         has(self.role) == has(oldSelf.role) && (!has(self.role) || !has(oldSelf.role) || self.role.name == oldSelf.role.name) && \
         has(self.license) == has(oldSelf.license) && (!has(self.license) || !has(oldSelf.license) || self.license.name == oldSelf.license.name)")
        .message("kind and name are immutable; to move it you must add an entitlement under another name and remove this one"))]
    pub target: EntitlementTarget,
    /// Who else may be in it: Additive (only what is ours is removed), Authoritative (others are removed) or Observe (nothing is changed).
    /// Default, by the operator: Additive.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub membership: Option<MembershipMode>,
    /// Normal, or Privileged: counted apart, granted late and revoked first. The connector's own admin rights are Privileged whatever this
    /// says. Default, by the operator: Normal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub risk: Option<Risk>,
    /// Who may have it at all, in CEL over identity, for example identity.type == "Person"; where it is false, no policy can grant it. Default:
    /// everyone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 4096))]
    pub requires: Option<String>,
}

/// What an entitlement is at the target; exactly one member is there.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[x_kube(validation = exactly_one("target", TARGET_KINDS))]
#[serde(rename_all = "camelCase")]
pub struct EntitlementTarget {
    /// Membership of a group. Exactly one of group, role and license.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<GroupTarget>,
    /// A role. Exactly one of group, role and license.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<RoleTarget>,
    /// A licence. Exactly one of group, role and license.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub license: Option<LicenseTarget>,
}

/// A group at the target.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
#[schemars(inline)]
pub struct GroupTarget {
    /// Its name at the target.
    #[schemars(length(min = 1, max = 256))]
    pub name: String,
    /// Whether it is made if it does not exist. Default, by the operator: false.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub create: Option<bool>,
}

/// A role at the target.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
#[schemars(inline)]
pub struct RoleTarget {
    /// Its name at the target.
    #[schemars(length(min = 1, max = 256))]
    pub name: String,
}

/// A licence at the target.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
#[schemars(inline)]
pub struct LicenseTarget {
    /// Its name at the target.
    #[schemars(length(min = 1, max = 256))]
    pub name: String,
}

words! {
    /// Who else may be in a group.
    MembershipMode {
        /// Anyone; only what is ours is removed.
        Additive,
        /// Nobody.
        Authoritative,
        /// Anyone; nothing is changed.
        Observe,
    }
}

words! {
    /// How much harm an entitlement can do.
    Risk {
        /// Little.
        Normal,
        /// Much.
        Privileged,
    }
}

/// A Group that is mirrored to the target.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
#[schemars(inline)]
pub struct PushedGroup {
    /// Its name at the target.
    #[schemars(length(min = 1, max = 256))]
    pub name: String,
    /// The Group whose members are mirrored.
    pub group_ref: GroupReference,
    /// Who else may be in it: Additive, Authoritative or Observe. Default, by the operator: Authoritative.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub membership: Option<MembershipMode>,
    /// Whether the group at the target, if we made it, is deleted with this entry. Default, by the operator: false.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prune: Option<bool>,
}
