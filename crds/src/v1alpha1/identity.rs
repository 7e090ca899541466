//! Identity: a person, a service or an agent, as the organisation knows it.

use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::reference::IdentityReference;
use super::rule::{in_order, one_primary};
use super::status::Condition;
use super::time::Time;
use super::word::words;

/// What is declared of an Identity.
#[derive(CustomResource, KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[kube(
    group = "provost.dev",
    version = "v1alpha1",
    kind = "Identity",
    plural = "identities",
    namespaced,
    doc = "Identity is a person, a service or an agent, as the organisation knows it. What it may use follows from Groups and AccessPolicies; its accounts are made in TargetApplications.",
    status = "IdentityStatus",
    derive = "PartialEq",
    derive = "Default",
    shortname = "ident",
    category = "provost",
    selectable = ".spec.userName",
    printcolumn(
        name = "Ready",
        type_ = "string",
        json_path = r#".status.conditions[?(@.type=="Ready")].status"#,
        description = "Whether every account is as decided"
    ),
    printcolumn(
        name = "Reason",
        type_ = "string",
        json_path = r#".status.conditions[?(@.type=="Ready")].reason"#,
        description = "Why it is so"
    ),
    printcolumn(
        name = "State",
        type_ = "string",
        json_path = ".status.lifecycleState",
        description = "Pending, Active, Suspended or Ended"
    ),
    printcolumn(
        name = "Accounts",
        type_ = "string",
        json_path = ".status.accounts.summary",
        description = "Accounts provisioned / desired"
    ),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    printcolumn(
        name = "UserName",
        type_ = "string",
        priority = 1,
        json_path = ".spec.userName",
        description = "spec.userName, where it is set"
    ),
    printcolumn(
        name = "Department",
        type_ = "string",
        priority = 1,
        json_path = ".spec.department",
        description = "spec.department"
    ),
    printcolumn(
        name = "Status",
        type_ = "string",
        priority = 1,
        json_path = r#".status.conditions[?(@.type=="Ready")].message"#,
        description = "What is missing and who must act"
    )
)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("default" = {}))]
pub struct IdentitySpec {
    /// Person, Service or Agent. Immutable. Default: Person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = "Person"))]
    #[x_kube(validation = Rule::new("self == oldSelf").message("is immutable; to change it you must delete the Identity and create it anew"))]
    pub r#type: Option<IdentityType>,

    /// The name to log in with. Unique in the namespace, compared after case mapping (RFC 8265). Default: metadata.name, which is
    /// not written here, so the field selector spec.userName finds only those that set it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 256))]
    pub user_name: Option<String>,

    /// The key of the record in the source of truth, for example the personnel number in the HR system. Unique in the namespace. It
    /// survives a re-hire and is the strongest key by which an existing account is recognised. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 256))]
    pub external_id: Option<String>,

    /// The name to show. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub display_name: Option<String>,

    /// The parts of the name. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<PersonName>,

    /// E-mail addresses, at most one of them primary. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 16))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["value".into()]), validation = one_primary())]
    pub emails: Option<Vec<Email>>,

    /// Telephone numbers, at most one of them primary. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 16))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["value".into()]), validation = one_primary())]
    pub phone_numbers: Option<Vec<PhoneNumber>>,

    /// Postal addresses, one of each type. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 8))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".into()]))]
    pub addresses: Option<Vec<Address>>,

    /// Job title. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub title: Option<String>,

    /// Department. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub department: Option<String>,

    /// Division. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub division: Option<String>,

    /// Organisation. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub organization: Option<String>,

    /// Cost centre. A number must be quoted. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub cost_center: Option<String>,

    /// Personnel number. A number must be quoted. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub employee_number: Option<String>,

    /// Kind of employment, in the organisation's own words, for example Employee or Contractor. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub employee_type: Option<String>,

    /// Place of work. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub location: Option<String>,

    /// Locale for dates and numbers, for example en-GB. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub locale: Option<String>,

    /// Preferred language, for example en. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub preferred_language: Option<String>,

    /// Time zone of the IANA database, for example Europe/London. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub timezone: Option<String>,

    /// The Identity of the manager. One that does not exist reads as none. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub manager_ref: Option<IdentityReference>,

    /// Attributes of your own, read in rules as identity.attributes. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub attributes: Option<Vec<CustomAttribute>>,

    /// When it starts and ends, and whether it is suspended. Default: has started, is open-ended, not suspended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lifecycle: Option<LifecycleSpec>,
}

words! {
    /// What an Identity is.
    IdentityType {
        /// A human being.
        Person,
        /// A program with an account of its own.
        Service,
        /// A program that acts for somebody.
        Agent,
    }
}

/// The parts of a name.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
#[schemars(inline)]
pub struct PersonName {
    /// Given name. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 128))]
    pub given: Option<String>,
    /// Family name. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 128))]
    pub family: Option<String>,
    /// Middle name. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 128))]
    pub middle: Option<String>,
}

/// An e-mail address.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
#[schemars(inline)]
pub struct Email {
    /// The address.
    #[schemars(length(min = 1, max = 254))]
    pub value: String,
    /// What it is for, for example work or home. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub r#type: Option<String>,
    /// Whether it is the one to use. Default, by the operator: false.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub primary: Option<bool>,
}

/// A telephone number.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
#[schemars(inline)]
pub struct PhoneNumber {
    /// The number, quoted.
    #[schemars(length(min = 1, max = 64))]
    pub value: String,
    /// What it is for, for example work or mobile. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub r#type: Option<String>,
    /// Whether it is the one to use. Default, by the operator: false.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub primary: Option<bool>,
}

/// A postal address.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
#[schemars(inline)]
pub struct Address {
    /// What it is for, for example work or home.
    #[schemars(length(min = 1, max = 64))]
    pub r#type: String,
    /// Street and number. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub street: Option<String>,
    /// City or town. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 128))]
    pub locality: Option<String>,
    /// State, province or region. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 128))]
    pub region: Option<String>,
    /// Postal code, quoted. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32))]
    pub postal_code: Option<String>,
    /// Country by its two letters (ISO 3166-1), quoted, since YAML reads NO as a boolean. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub country: Option<String>,
}

/// An attribute that the organisation defined itself.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[x_kube(validation = Rule::new("has(self.value) != has(self.values)").message("must have exactly one of value and values"))]
#[serde(rename_all = "camelCase")]
pub struct CustomAttribute {
    /// Its name: letters, digits and underscores, not beginning with a digit.
    #[schemars(length(min = 1, max = 63))]
    #[x_kube(validation = Rule::new("self.matches('^[A-Za-z_][A-Za-z0-9_]*$')").message("must be letters, digits and underscores, not beginning with a digit"))]
    pub name: String,
    /// The one value, may be empty. Either value or values. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub value: Option<String>,
    /// The values, may be none or empty. Either value or values. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64), inner(length(max = 1024)))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub values: Option<Vec<String>>,
}

/// When an Identity starts and ends, and whether it is suspended.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[x_kube(validation = in_order("startTime", "endTime"))]
#[serde(rename_all = "camelCase")]
pub struct LifecycleSpec {
    /// From when accounts are enabled, in RFC 3339 with capital T and Z. Default: has started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start_time: Option<Time>,
    /// From when accounts are disabled and entitlements revoked, in RFC 3339 with capital T and Z; after startTime. Default: never,
    /// which is said by leaving it out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end_time: Option<Time>,
    /// Leave of absence or incident: accounts are disabled, grants are kept. Default: false.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = false))]
    pub suspended: Option<bool>,
}

/// What the operator found and did for an Identity.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("default" = {"observedGeneration": -1}))]
pub struct IdentityStatus {
    /// The metadata.generation this status is about; -1 before the operator has seen the object.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// Pending, Active, Suspended or Ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lifecycle_state: Option<LifecycleState>,
    /// In how many Groups it is, nested ones included.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub groups: Option<i32>,
    /// How many accounts it should have, and has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accounts: Option<IdentityAccounts>,
    /// The TargetApplications where its account is as declared, sorted; the first 64.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), inner(length(max = 253)))]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub applications: Vec<String>,
    /// Where its account is not as declared; the first 16.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["application".into()]))]
    pub problems: Vec<AccountProblem>,
    /// Ready, Reconciling, Stalled.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".into()]))]
    pub conditions: Vec<Condition>,
}

words! {
    /// Where in its life an Identity is.
    LifecycleState {
        /// Before startTime.
        Pending,
        /// Started, not ended, not suspended.
        Active,
        /// Suspended.
        Suspended,
        /// Past endTime.
        Ended,
    }
}

/// How many accounts an Identity should have, and has.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
#[schemars(inline)]
pub struct IdentityAccounts {
    /// How many it should have.
    #[schemars(range(min = 0))]
    pub desired: i32,
    /// How many are as declared.
    #[schemars(range(min = 0))]
    pub provisioned: i32,
    /// Both in one text for the table, for example 2/3.
    #[schemars(length(max = 32))]
    pub summary: String,
}

words! {
    /// The state of an account.
    AccountState {
        /// Decided, not there yet.
        Pending,
        /// As declared.
        Provisioned,
        /// Disabled as decided: suspended, or in its lead time.
        Disabled,
        /// Not desired any more; disabled, waits for its deletion.
        Retained,
        /// The target said no; retried.
        Failed,
        /// Nothing is tried until a person acts.
        Blocked,
        /// Somebody disabled it at the target.
        DisabledAtTarget,
    }
}

/// An account that is not as declared.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
#[schemars(inline)]
pub struct AccountProblem {
    /// The TargetApplication it is in.
    #[schemars(length(min = 1, max = 253))]
    pub application: String,
    /// Pending, Provisioned, Disabled, Retained, Failed, Blocked or DisabledAtTarget.
    pub state: AccountState,
    /// Why, as one of the documented reasons.
    #[schemars(length(min = 1, max = 64))]
    pub reason: String,
    /// What is wrong and who must act.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub message: Option<String>,
}
