//! AccessPolicy: who gets, or is denied, which entitlements of which applications.

use kube::{CustomResource, KubeSchema};
use serde::{Deserialize, Serialize};

use super::reference::Subject;
use super::rule::in_order;
use super::status::Condition;
use super::time::{Duration, Time};
use super::word::words;

/// What is declared of an AccessPolicy.
#[derive(CustomResource, KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[kube(
    group = "provost.dev",
    version = "v1alpha1",
    kind = "AccessPolicy",
    plural = "accesspolicies",
    namespaced,
    doc = "AccessPolicy gives, or denies, entitlements of applications to identities. A Deny wins over every Allow.",
    status = "AccessPolicyStatus",
    derive = "PartialEq",
    derive = "Default",
    shortname = "apol",
    category = "provost",
    printcolumn(
        name = "Ready",
        type_ = "string",
        json_path = r#".status.conditions[?(@.type=="Ready")].status"#,
        description = "Whether the policy could be evaluated"
    ),
    printcolumn(
        name = "Reason",
        type_ = "string",
        json_path = r#".status.conditions[?(@.type=="Ready")].reason"#,
        description = "Why it is so"
    ),
    printcolumn(name = "Effect", type_ = "string", json_path = ".spec.effect", description = "Allow or Deny"),
    printcolumn(name = "Mode", type_ = "string", json_path = ".spec.mode", description = "Enforce or Audit"),
    printcolumn(
        name = "Identities",
        type_ = "integer",
        json_path = ".status.identities",
        description = "How many identities it matches"
    ),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    printcolumn(
        name = "Grants",
        type_ = "integer",
        priority = 1,
        json_path = ".status.grants",
        description = "How many grants rest on it"
    ),
    printcolumn(
        name = "Status",
        type_ = "string",
        priority = 1,
        json_path = r#".status.conditions[?(@.type=="Ready")].message"#,
        description = "What is missing and who must act"
    )
)]
#[x_kube(
    validation = Rule::new("has(self.subjects) || has(self.match)").message("must have subjects, match, or both"),
    validation = in_order("notBefore", "notAfter"),
    validation = Rule::new("(has(self.effect) && self.effect == 'Deny') || !self.grants.exists(g, has(g.entitlements) && '*' in g.entitlements)")
        .message("must name entitlements: \"*\" is for effect: Deny alone").field_path(".grants"),
    validation = Rule::new("!has(self.leadTime) || !has(self.effect) || self.effect == 'Allow'")
        .message("must be left out of a Deny: it says when accounts are made ahead of time").field_path(".leadTime"),
)]
#[serde(rename_all = "camelCase")]
pub struct AccessPolicySpec {
    /// What the policy is for. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub description: Option<String>,

    /// Allow grants, Deny withholds; Deny always wins. Default: Allow.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = "Allow"))]
    pub effect: Option<Effect>,

    /// Enforce, or Audit: evaluated and counted, grants and withholds nothing. Default: Enforce.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = "Enforce"))]
    pub mode: Option<PolicyMode>,

    /// Identities and groups it is about, any of them; where match is there too, both must hold. Default: everyone that match is true for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 256))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["kind".into(), "name".into()]))]
    pub subjects: Option<Vec<Subject>>,

    /// A rule in CEL over identity, with its groups, manager and state, for example !("contractors" in identity.groups). Default: all subjects.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 4096))]
    pub r#match: Option<String>,

    /// What is granted, or in a Deny withheld: 1 to 16 applications.
    #[schemars(length(min = 1, max = 16))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["application".into()]))]
    pub grants: Vec<Grant>,

    /// From when it holds, in RFC 3339 with capital T and Z. Default: at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_before: Option<Time>,

    /// Until when it holds, in RFC 3339 with capital T and Z; after notBefore. Default: for ever.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_after: Option<Time>,

    /// How long before lifecycle.startTime accounts are made, disabled and without entitlements, for example 168h. Only in an Allow. Default: 0s.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lead_time: Option<Duration>,
}

words! {
    /// What an AccessPolicy does.
    Effect {
        /// It grants.
        Allow,
        /// It withholds, whatever others grant.
        Deny,
    }
}

words! {
    /// Whether an AccessPolicy is in force.
    PolicyMode {
        /// It is.
        Enforce,
        /// It is evaluated and counted alone.
        Audit,
    }
}

/// Entitlements of one application.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct Grant {
    /// Name of the TargetApplication, in the same namespace.
    #[schemars(length(min = 1, max = 253))]
    pub application: String,
    /// Names from the application's catalogue of entitlements; in a Deny also "*", every entitlement. Default: in an Allow the account
    /// alone, in a Deny the account and everything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 64), inner(length(min = 1, max = 63)))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub entitlements: Option<Vec<String>>,
}

/// What the operator found for an AccessPolicy.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("default" = {"observedGeneration": -1}))]
pub struct AccessPolicyStatus {
    /// The metadata.generation this status is about; -1 before the operator has seen the object.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// How many identities it matches.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub identities: Option<i32>,
    /// How many grants rest on it; in a Deny: how many it withholds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub grants: Option<i32>,
    /// When the passage of time will next change what it grants.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_transition_time: Option<Time>,
    /// Ready, Reconciling, Stalled.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".into()]))]
    pub conditions: Vec<Condition>,
}
