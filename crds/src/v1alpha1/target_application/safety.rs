//! Budgets, protected accounts and approvals.

use kube::KubeSchema;
use serde::{Deserialize, Serialize};

use crate::v1alpha1::rule::more_than_zero;
use crate::v1alpha1::time::Duration;

/// How careful to be.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct SafetySpec {
    /// How many identities may lose something without approval; every entry holds. Default: 20 or 5 percent within 1h, and 50 or 10
    /// percent within 24h, whichever is more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 4), extend("default" = [{"count": 20, "percent": 5, "window": "1h"}, {"count": 50, "percent": 10, "window": "24h"}]))]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub removals: Option<Vec<Budget>>,
    /// How many privileged grants may be made without approval; every entry holds. Default: 5 or 5 percent within 24h, whichever is
    /// more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 4), extend("default" = [{"count": 5, "percent": 5, "window": "24h"}]))]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub privileged_grants: Option<Vec<Budget>>,
    /// Accounts that are never written to. Default: none but the operator's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 16))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["attribute".into()]))]
    pub protected: Option<Vec<ProtectedAccounts>>,
    /// The hash of a held plan that is approved by this. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 128))]
    pub approved_plan: Option<String>,
    /// The token that a condition with reason TargetChanged or LedgerMismatch names, to say that it is right. Good once. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 128))]
    pub acknowledge: Option<String>,
}

/// How much may happen within a window of time.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct Budget {
    /// How many, whatever the size of the target.
    #[schemars(range(min = 0, max = 1_000_000))]
    pub count: i32,
    /// How many of a hundred accounts; the larger of both counts.
    #[schemars(range(min = 0, max = 100))]
    pub percent: i32,
    /// Within which time, for example 24h; it slides.
    #[x_kube(validation = more_than_zero())]
    pub window: Duration,
}

/// Accounts that are never written to, by one attribute.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct ProtectedAccounts {
    /// Name of the attribute at the target, as in the mapping: userName, uid, sAMAccountName or username for the login name.
    #[schemars(length(min = 1, max = 256))]
    pub attribute: String,
    /// Its values, in whatever case: an account that has one of them, alone or among others, is protected.
    #[schemars(length(min = 1, max = 256), inner(length(min = 1, max = 256)))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub values: Vec<String>,
}
