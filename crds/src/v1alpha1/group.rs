//! Group: a set of identities, listed, matched by a rule, or both.

use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::reference::{Subject, SubjectKind};
use super::status::Condition;
use super::time::Time;

/// What is declared of a Group.
#[derive(CustomResource, KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[kube(
    group = "provost.dev",
    version = "v1alpha1",
    kind = "Group",
    plural = "groups",
    namespaced,
    doc = "Group is a set of identities: those listed, those of listed groups and those that a rule matches, without those excluded.",
    status = "GroupStatus",
    derive = "PartialEq",
    derive = "Default",
    shortname = "igrp",
    category = "provost",
    validation = Rule::new("!has(self.spec.members) || !self.spec.members.exists(m, m.kind == 'Group' && m.name == self.metadata.name)")
        .message("must not list the group itself").field_path(".spec.members"),
    validation = Rule::new("!has(self.spec.exclude) || !self.spec.exclude.exists(m, m.kind == 'Group' && m.name == self.metadata.name)")
        .message("must not exclude the group itself").field_path(".spec.exclude"),
    printcolumn(name = "Ready", type_ = "string", json_path = r#".status.conditions[?(@.type=="Ready")].status"#, description = "Whether the membership could be computed"),
    printcolumn(name = "Reason", type_ = "string", json_path = r#".status.conditions[?(@.type=="Ready")].reason"#, description = "Why it is so"),
    printcolumn(name = "Members", type_ = "integer", json_path = ".status.members", description = "How many identities are in it, nested ones included"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    printcolumn(name = "Status", type_ = "string", priority = 1, json_path = r#".status.conditions[?(@.type=="Ready")].message"#, description = "What is missing and who must act")
)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("default" = {}))]
pub struct GroupSpec {
    /// The name to show. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub display_name: Option<String>,

    /// What the group is for. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub description: Option<String>,

    /// Identities and groups in it; an Identity that does not exist is ignored. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 4096))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["kind".into(), "name".into()]))]
    pub members: Option<Vec<Member>>,

    /// A rule in CEL over identity (not over its groups); those for whom it is true are members, for example
    /// identity.department == "Engineering". Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 4096))]
    pub r#match: Option<String>,

    /// Identities and groups that are not in it, whatever members and match say. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 4096))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["kind".into(), "name".into()]))]
    pub exclude: Option<Vec<Subject>>,
}

/// A listed member of a Group.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
#[schemars(inline)]
pub struct Member {
    /// Identity or Group.
    pub kind: SubjectKind,
    /// Name of the Identity or Group, in the same namespace.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
    /// Until when it is a member, in RFC 3339 with capital T and Z. Default: for ever.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_after: Option<Time>,
}

/// What the operator found for a Group.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("default" = {"observedGeneration": -1}))]
pub struct GroupStatus {
    /// The metadata.generation this status is about; -1 before the operator has seen the object.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// How many identities are in it, nested ones included.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub members: Option<i32>,
    /// Ready, Reconciling, Stalled.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".into()]))]
    pub conditions: Vec<Condition>,
}
