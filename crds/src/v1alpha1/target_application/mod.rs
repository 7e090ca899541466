//! TargetApplication: a system where accounts are made, what is made there, and how careful to be.

mod account;
mod entitlement;
mod safety;
mod status;

pub use account::{
    AccountSpec, AdoptMode, ApplyMode, AttributeMapping, Correlation, DeletedAtTarget, DisabledAtTarget,
    InitialPassword,
};
pub use entitlement::{
    EntitlementSpec, EntitlementTarget, GroupTarget, LicenseTarget, MembershipMode, PushedGroup, Risk, RoleTarget,
    TARGET_KINDS,
};
pub use safety::{Budget, ProtectedAccounts, SafetySpec};
pub use status::{
    ApplicationAccounts, ApplicationEntitlements, ApplicationProblem, HeldPlan, ProfileValue, TargetApplicationStatus,
    TargetIdentification,
};

use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::connector::ConnectorSpec;
use super::rule::{delete_after_disable, more_than_zero, one_writer_per_group, unique_target};
use super::time::Duration;
use super::word::words;

/// What is declared of a TargetApplication.
#[derive(CustomResource, KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[kube(
    group = "provost.dev",
    version = "v1alpha1",
    kind = "TargetApplication",
    plural = "targetapplications",
    namespaced,
    doc = "TargetApplication is a system where accounts are made: how it is reached, how accounts there are recognised and filled, which entitlements it has, and how careful to be.",
    status = "TargetApplicationStatus",
    derive = "PartialEq",
    derive = "Default",
    shortname = "tapp",
    category = "provost",
    printcolumn(
        name = "Ready",
        type_ = "string",
        json_path = r#".status.conditions[?(@.type=="Ready")].status"#,
        description = "Whether the target is as declared"
    ),
    printcolumn(
        name = "Reason",
        type_ = "string",
        json_path = r#".status.conditions[?(@.type=="Ready")].reason"#,
        description = "Why it is so"
    ),
    printcolumn(name = "Mode", type_ = "string", json_path = ".spec.mode", description = "Enforce, Plan or Paused"),
    printcolumn(
        name = "Accounts",
        type_ = "string",
        json_path = ".status.accounts.summary",
        description = "Accounts provisioned / desired"
    ),
    printcolumn(
        name = "Failed",
        type_ = "integer",
        json_path = ".status.accounts.failed",
        description = "Accounts that the target refused"
    ),
    printcolumn(
        name = "Held",
        type_ = "integer",
        json_path = ".status.held",
        description = "Plans that wait for approval"
    ),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    printcolumn(
        name = "Status",
        type_ = "string",
        priority = 1,
        json_path = r#".status.conditions[?(@.type=="Ready")].message"#,
        description = "What is missing and who must act"
    )
)]
#[x_kube(validation = one_writer_per_group())]
#[serde(rename_all = "camelCase")]
pub struct TargetApplicationSpec {
    /// The name to show. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub display_name: Option<String>,

    /// Enforce, Plan (observe and report, write nothing) or Paused (do nothing). Default: Enforce.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = "Enforce"))]
    pub mode: Option<ApplicationMode>,

    /// How the target is reached: exactly one connector and its settings.
    pub connector: ConnectorSpec,

    /// How often and how fast. Default: see its fields.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = {}))]
    pub sync: Option<SyncSpec>,

    /// How accounts are recognised, adopted and filled. Default: see its fields.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = {}))]
    pub account: Option<AccountSpec>,

    /// What happens to an account that is not desired any more. Default: it is disabled and kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = {}))]
    pub deprovision: Option<DeprovisionSpec>,

    /// The catalogue of what can be granted here. Default: none, so only accounts are made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    #[x_kube(
        merge_strategy = ListMerge::Map(vec!["name".into()]),
        validation = unique_target("group"),
        validation = unique_target("role"),
        validation = unique_target("license"),
    )]
    pub entitlements: Option<Vec<EntitlementSpec>>,

    /// Groups that are mirrored to the target, with those members who have an account there. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub pushed_groups: Option<Vec<PushedGroup>>,

    /// What happens to accounts that were ours and have no owner any more: Report or Disable. Default: Report.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = "Report"))]
    pub orphaned_accounts: Option<OrphanedAccounts>,

    /// Budgets, protected accounts and approvals. Default: see its fields.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = {}))]
    pub safety: Option<SafetySpec>,

    /// What happens when this object is deleted: Retain (ownership is released, nothing is touched) or Deprovision (its accounts are,
    /// within the budgets). Default: Retain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = "Retain"))]
    pub deletion_policy: Option<DeletionPolicy>,

    /// After how long a deleted TargetApplication whose target is unreachable lets go. Default: 10m.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = "10m"))]
    pub release_after: Option<Duration>,
}

words! {
    /// Whether an application is written to.
    ApplicationMode {
        /// It is.
        Enforce,
        /// It is observed, and what would be done is reported.
        Plan,
        /// Nothing is done at all.
        Paused,
    }
}

words! {
    /// What happens to orphaned accounts.
    OrphanedAccounts {
        /// They are counted and reported.
        Report,
        /// They are disabled.
        Disable,
    }
}

words! {
    /// What happens to a target when its TargetApplication is deleted.
    DeletionPolicy {
        /// Nothing.
        Retain,
        /// Its accounts are deprovisioned.
        Deprovision,
    }
}

/// How often and how fast a target is read and written.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct SyncSpec {
    /// How often the whole target is read, more than zero; each time up to a tenth sooner, so that many do not
    /// read at once. Default, by the connector: 10m, for cloud services 1h.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = more_than_zero())]
    pub interval: Option<Duration>,
    /// How many requests a second at most. Default: 50.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 10_000), extend("default" = 50))]
    pub requests_per_second: Option<i32>,
    /// How many requests at a time at most. Default: 8.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 256), extend("default" = 8))]
    pub concurrency: Option<i32>,
    /// How long what is delicate waits for the rest of the same change. Default: see its fields.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = {}))]
    pub settle: Option<SettleSpec>,
}

/// How long what is delicate waits for the rest of the same change.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
#[schemars(inline)]
pub struct SettleSpec {
    /// How long removals wait; explicit leavers never do. Default: 10s.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = "10s"))]
    pub removals: Option<Duration>,
    /// How long privileged grants wait. Default: 10s.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = "10s"))]
    pub privileged_grants: Option<Duration>,
}

/// What happens to an account that is not desired any more.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[x_kube(validation = delete_after_disable())]
#[serde(rename_all = "camelCase")]
pub struct DeprovisionSpec {
    /// Disable, Delete or Retain (leave it as it is, without its entitlements). Default: Disable.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = "Disable"))]
    pub action: Option<DeprovisionAction>,
    /// How long after it was disabled an account is deleted, for example 720h. Only with action: Disable. Default: never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delete_after: Option<Duration>,
    /// The same for identities that have ended, if different. Default: as above, where Retain becomes Disable.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<EndedSpec>,
}

words! {
    /// What happens to an account that is not desired any more.
    DeprovisionAction {
        /// It is disabled.
        Disable,
        /// It is deleted.
        Delete,
        /// It is left.
        Retain,
    }
}

/// What happens to the account of an identity that has ended.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[x_kube(validation = delete_after_disable())]
#[serde(rename_all = "camelCase")]
pub struct EndedSpec {
    /// Disable or Delete. Default: Disable.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = "Disable"))]
    pub action: Option<EndedAction>,
    /// How long after it was disabled an account is deleted, for example 720h. Only with action: Disable. Default: never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delete_after: Option<Duration>,
}

words! {
    /// What happens to the account of an identity that has ended.
    EndedAction {
        /// It is disabled.
        Disable,
        /// It is deleted.
        Delete,
    }
}
