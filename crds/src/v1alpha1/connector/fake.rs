//! The directory in the operator's memory.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::v1alpha1::word::words;

/// Settings of the directory in memory. It is empty whenever the operator starts.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct FakeSpec {
    /// Name of the directory; two TargetApplications that name the same one see the same accounts. Default: namespace and name of the
    /// TargetApplication.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63))]
    pub directory: Option<String>,
    /// Groups, roles and licences that exist from the start. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["kind".into(), "name".into()]))]
    pub entitlements: Option<Vec<FakeEntitlement>>,
}

/// Something that exists in the directory from the start.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
#[schemars(inline)]
pub struct FakeEntitlement {
    /// Group, Role or License.
    pub kind: FakeEntitlementKind,
    /// Its name.
    #[schemars(length(min = 1, max = 256))]
    pub name: String,
}

words! {
    /// What exists from the start.
    FakeEntitlementKind {
        /// A group.
        Group,
        /// A role.
        Role,
        /// A licence.
        License,
    }
}
