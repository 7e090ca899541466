//! How accounts are recognised, adopted and filled.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::v1alpha1::word::words;

/// How accounts are recognised, adopted and filled.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct AccountSpec {
    /// By what an existing account is recognised, in this order. Default, by the operator: externalId, then userName.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 8))]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub correlate: Option<Vec<Correlation>>,
    /// Whether an existing account is taken over: Matched or Never. Default: Matched.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = "Matched"))]
    pub adopt: Option<AdoptMode>,
    /// Attributes at the target that extend or replace the connector's own mapping. Default: the connector's mapping.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 128))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub attributes: Option<Vec<AttributeMapping>>,
    /// Random (where the target needs a password; it is kept nowhere) or None. Default: Random.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = "Random"))]
    pub initial_password: Option<InitialPassword>,
    /// What follows when somebody disables an account at the target: Respect (it stays so) or Correct (it is enabled again). Default:
    /// Respect.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = "Respect"))]
    pub disabled_at_target: Option<DisabledAtTarget>,
    /// What follows when somebody deletes an account at the target: Recreate or Respect. Default: Recreate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = "Recreate"))]
    pub deleted_at_target: Option<DeletedAtTarget>,
}

/// One key by which an existing account is recognised.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
#[schemars(inline)]
pub struct Correlation {
    /// Name of the attribute at the target.
    #[schemars(length(min = 1, max = 256))]
    pub attribute: String,
    /// Its value, in CEL over identity: a string, or null for a key that is skipped.
    #[schemars(length(min = 1, max = 4096))]
    pub expression: String,
}

words! {
    /// Whether an existing account is taken over.
    AdoptMode {
        /// If it is recognised safely.
        Matched,
        /// Not at all.
        Never,
    }
}

/// One attribute at the target.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[x_kube(
    validation = Rule::new("(has(self.apply) && self.apply == 'Never') || has(self.value) != has(self.expression)")
        .message("must have exactly one of value and expression"),
    validation = Rule::new("!has(self.apply) || self.apply != 'Never' || (!has(self.value) && !has(self.expression))")
        .message("must have neither value nor expression where apply is Never"),
)]
#[serde(rename_all = "camelCase")]
pub struct AttributeMapping {
    /// Name of the attribute at the target.
    #[schemars(length(min = 1, max = 256))]
    pub name: String,
    /// Its value, as it stands. Either value or expression. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub value: Option<String>,
    /// Its value, in CEL over identity and application. Either value or expression. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 4096))]
    pub expression: Option<String>,
    /// Always, OnCreate (set once) or Never (left to the target; then neither value nor expression). Default, by the operator: Always.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub apply: Option<ApplyMode>,
}

words! {
    /// When an attribute is written.
    ApplyMode {
        /// Whenever it differs.
        Always,
        /// When the account is made.
        OnCreate,
        /// Not at all.
        Never,
    }
}

words! {
    /// Which password a new account has.
    InitialPassword {
        /// A random one, where the target needs one.
        Random,
        /// None.
        None,
    }
}

words! {
    /// What follows when somebody disables an account at the target.
    DisabledAtTarget {
        /// It stays so.
        Respect,
        /// It is enabled again.
        Correct,
    }
}

words! {
    /// What follows when somebody deletes an account at the target.
    DeletedAtTarget {
        /// It is made again.
        Recreate,
        /// It stays so.
        Respect,
    }
}
