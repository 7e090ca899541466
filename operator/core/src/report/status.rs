//! The four statuses in the wire's shape. The types of the resources are not named here: a test reads one as the other.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use serde::Serialize;

use super::AccountState;
use crate::model::{Reason, State};

/// The types of conditions that are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub enum ConditionType {
    /// Everything is as declared.
    Ready,
    /// Work goes on by itself; absent otherwise.
    Reconciling,
    /// Only a person can help; absent otherwise.
    Stalled,
    /// The target answers and accepts the credentials.
    Reachable,
    /// No plan is held back by a budget.
    WithinBudget,
}

/// The status of a condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[allow(missing_docs, reason = "the words of the Kubernetes API conventions")]
pub enum Truth {
    True,
    False,
    Unknown,
}

/// A condition by the Kubernetes API conventions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Condition {
    /// What it is about.
    pub r#type: ConditionType,
    /// Whether it holds.
    pub status: Truth,
    /// The generation it is about (`kubectl wait` reads it here).
    pub observed_generation: i64,
    /// When `status` last changed, to the second.
    pub last_transition_time: Timestamp,
    /// Why.
    pub reason: Reason,
    /// What is missing and who must act.
    pub message: Arc<str>,
}

/// `Identity.status`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct IdentityStatus {
    /// The generation it is about.
    pub observed_generation: i64,
    /// Where in its life the identity is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lifecycle_state: Option<State>,
    /// In how many groups it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub groups: Option<u32>,
    /// How many accounts it should have, and has.
    pub accounts: IdentityAccounts,
    /// Where its account is as declared, sorted; the first 64.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub applications: Vec<Arc<str>>,
    /// Where it is not, sorted by application; the first 16.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub problems: Vec<AccountProblem>,
    /// Ready, Reconciling, Stalled.
    pub conditions: Vec<Condition>,
}

/// `Identity.status.accounts`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct IdentityAccounts {
    /// How many it should have.
    pub desired: u32,
    /// How many are as declared.
    pub provisioned: u32,
    /// `provisioned/desired`, for the table.
    pub summary: String,
}

/// One of `Identity.status.problems`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AccountProblem {
    /// The TargetApplication.
    pub application: Arc<str>,
    /// How the account stands.
    pub state: AccountState,
    /// Why.
    pub reason: Reason,
    /// What is wrong and who must act.
    pub message: Arc<str>,
}

/// `Group.status`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct GroupStatus {
    /// The generation it is about.
    pub observed_generation: i64,
    /// How many identities are in it; absent while that is Unknown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub members: Option<u32>,
    /// Ready, Reconciling, Stalled.
    pub conditions: Vec<Condition>,
}

/// `AccessPolicy.status`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AccessPolicyStatus {
    /// The generation it is about.
    pub observed_generation: i64,
    /// How many identities it matches; absent while that is Unknown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub identities: Option<u32>,
    /// How many grants rest on it; in a Deny: how many it withholds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grants: Option<u32>,
    /// When time alone will next change what it grants.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_transition_time: Option<Timestamp>,
    /// Ready, Reconciling, Stalled.
    pub conditions: Vec<Condition>,
}

/// `TargetApplication.status`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TargetApplicationStatus {
    /// The generation it is about.
    pub observed_generation: i64,
    /// The value of `provost.dev/reconcile-now` that was last obeyed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_handled_reconcile_at: Option<Arc<str>>,
    /// How many accounts are in which state.
    pub accounts: ApplicationAccounts,
    /// How many entitlements are in which state.
    pub entitlements: EntitlementCounts,
    /// How many plans are held, for the table.
    pub held: u32,
    /// The held plans, oldest first; the first 16.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub held_plans: Vec<HeldPlanStatus>,
    /// Accounts that are not as declared, sorted by identity; the first ten.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub problems: Vec<ApplicationProblem>,
    /// What the target was measured to support.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub profile: BTreeMap<Arc<str>, Arc<str>>,
    /// By what target and store are recognised.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<TargetIdentification>,
    /// Ready, Reconciling, Stalled, Reachable, WithinBudget.
    pub conditions: Vec<Condition>,
}

/// `TargetApplication.status.accounts`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs, reason = "each is the field of the resource, and described there")]
pub struct ApplicationAccounts {
    pub summary: String,
    pub desired: u32,
    pub provisioned: u32,
    pub pending: u32,
    pub disabled: u32,
    pub retained: u32,
    pub failed: u32,
    pub blocked: u32,
    pub orphaned: u32,
    pub unmanaged: u32,
}

/// `TargetApplication.status.entitlements`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct EntitlementCounts {
    /// How many there should be.
    pub desired: u32,
    /// How many are there.
    pub granted: u32,
    /// How many are decided and not there yet.
    pub pending: u32,
    /// How many the target refused.
    pub failed: u32,
    /// Held at the target by accounts that should not hold them, and left.
    pub excess: u32,
}

/// One of `TargetApplication.status.heldPlans`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct HeldPlanStatus {
    /// What to set as `spec.safety.approvedPlan`.
    pub hash: Arc<str>,
    /// `RemovalBudgetExceeded`, `GrantBudgetExceeded` or `AdoptionNeedsApproval`; `PlanOnly` for what mode Plan would write.
    pub reason: Reason,
    /// Accounts it disables.
    pub disables: u32,
    /// Accounts it deletes.
    pub deletes: u32,
    /// Entitlements it revokes.
    pub revokes: u32,
    /// Entitlements it grants.
    pub grants: u32,
    /// Other changes.
    pub changes: u32,
}

/// One of `TargetApplication.status.problems`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ApplicationProblem {
    /// The Identity.
    pub identity: Arc<str>,
    /// Why.
    pub reason: Reason,
    /// What is wrong and who must act.
    pub message: Arc<str>,
}

/// `TargetApplication.status.target`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TargetIdentification {
    /// Connector, host, tenant or realm or base DN at first contact.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<Arc<str>>,
    /// The id of the store that remembers what is ours.
    #[serde(rename = "storeID", skip_serializing_if = "Option::is_none")]
    pub store_id: Option<Arc<str>>,
    /// How far that store had come.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub epoch: Option<i64>,
}
