//! What the operator found and did at a target.

use std::collections::BTreeMap;

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::v1alpha1::status::Condition;

/// What the operator found and did at a target.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("default" = {"observedGeneration": -1}))]
pub struct TargetApplicationStatus {
    /// The metadata.generation this status is about; -1 before the operator has seen the object.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// The value of the annotation provost.dev/reconcile-now that was last obeyed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub last_handled_reconcile_at: Option<String>,
    /// How many accounts are in which state.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accounts: Option<ApplicationAccounts>,
    /// How many entitlements are in which state.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entitlements: Option<ApplicationEntitlements>,
    /// How many plans wait for approval.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub held: Option<i32>,
    /// The plans that wait for approval; the first 16.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub held_plans: Vec<HeldPlan>,
    /// Accounts that are not as declared; the first ten.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 10))]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub problems: Vec<ApplicationProblem>,
    /// What the target was measured to support.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 64))]
    pub profile: BTreeMap<String, ProfileValue>,
    /// By what the target and the operator's store are recognised.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<TargetIdentification>,
    /// Ready, Reconciling, Stalled, Reachable, WithinBudget.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".into()]))]
    pub conditions: Vec<Condition>,
}

/// One finding about a target.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, Default, PartialEq, Eq)]
#[serde(transparent)]
#[schemars(inline)]
pub struct ProfileValue(#[schemars(length(max = 256))] pub String);

/// How many accounts are in which state.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase", default)]
#[schemars(inline)]
pub struct ApplicationAccounts {
    /// provisioned/desired in one text for the table, for example 118/120.
    #[schemars(length(max = 32))]
    pub summary: String,
    /// How many there should be.
    #[schemars(range(min = 0))]
    pub desired: i32,
    /// How many are as declared.
    #[schemars(range(min = 0))]
    pub provisioned: i32,
    /// How many are decided and not there yet.
    #[schemars(range(min = 0))]
    pub pending: i32,
    /// How many are disabled as decided: suspended, or in their lead time.
    #[schemars(range(min = 0))]
    pub disabled: i32,
    /// How many are not desired any more, disabled, and wait for their deletion.
    #[schemars(range(min = 0))]
    pub retained: i32,
    /// How many the target refused; they are retried.
    #[schemars(range(min = 0))]
    pub failed: i32,
    /// How many wait for a person to act.
    #[schemars(range(min = 0))]
    pub blocked: i32,
    /// How many were ours and have no owner any more.
    #[schemars(range(min = 0))]
    pub orphaned: i32,
    /// How many were never ours; they are not touched.
    #[schemars(range(min = 0))]
    pub unmanaged: i32,
}

/// How many entitlements are in which state.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase", default)]
#[schemars(inline)]
pub struct ApplicationEntitlements {
    /// How many there should be.
    #[schemars(range(min = 0))]
    pub desired: i32,
    /// How many are there.
    #[schemars(range(min = 0))]
    pub granted: i32,
    /// How many are decided and not there yet.
    #[schemars(range(min = 0))]
    pub pending: i32,
    /// How many the target refused; they are retried.
    #[schemars(range(min = 0))]
    pub failed: i32,
    /// How many are held at the target by accounts that should not, and are left.
    #[schemars(range(min = 0))]
    pub excess: i32,
}

/// A plan that waits for approval.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase", default)]
#[schemars(inline)]
pub struct HeldPlan {
    /// What to set as spec.safety.approvedPlan to approve it.
    #[schemars(length(max = 128))]
    pub hash: String,
    /// Why it is held, as one of the documented reasons.
    #[schemars(length(max = 64))]
    pub reason: String,
    /// How many accounts it disables.
    #[schemars(range(min = 0))]
    pub disables: i32,
    /// How many accounts it deletes.
    #[schemars(range(min = 0))]
    pub deletes: i32,
    /// How many entitlements it revokes.
    #[schemars(range(min = 0))]
    pub revokes: i32,
    /// How many entitlements it grants.
    #[schemars(range(min = 0))]
    pub grants: i32,
    /// How many other changes it makes.
    #[schemars(range(min = 0))]
    pub changes: i32,
}

/// An account that is not as declared.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
#[schemars(inline)]
pub struct ApplicationProblem {
    /// The Identity whose account it is.
    #[schemars(length(min = 1, max = 253))]
    pub identity: String,
    /// Why, as one of the documented reasons.
    #[schemars(length(min = 1, max = 64))]
    pub reason: String,
    /// What is wrong and who must act.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub message: Option<String>,
}

/// By what the target and the operator's store are recognised.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
#[schemars(inline)]
pub struct TargetIdentification {
    /// Digest of connector, host and tenant at first contact.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 128))]
    pub fingerprint: Option<String>,
    /// Id of the store that remembers what is ours.
    #[serde(default, skip_serializing_if = "Option::is_none", rename = "storeID")]
    #[schemars(length(max = 64))]
    pub store_id: Option<String>,
    /// How far that store had come; a store that is behind was restored from an old copy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub epoch: Option<i64>,
}
