use std::time::Duration;

use jiff::Timestamp;

use super::{Name, Source, Subject};

/// One access policy, valid by type: `subjects`, `rule` or both are there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccessPolicy {
    /// Allow or Deny; Deny always wins.
    pub effect: Effect,
    /// Enforce, or evaluate and count alone.
    pub mode: PolicyMode,
    /// Any of these; absent: everyone.
    pub subjects: Option<Vec<Subject>>,
    /// And this rule.
    pub rule: Option<Source>,
    /// What is granted, or withheld: one entry an application.
    pub grants: Vec<GrantSpec>,
    /// In force from here.
    pub not_before: Option<Timestamp>,
    /// In force until here.
    pub not_after: Option<Timestamp>,
    /// Accounts exist, disabled and without entitlements, this long before an identity's start.
    pub lead_time: Option<Duration>,
}

impl AccessPolicy {
    /// Whether the window is open.
    pub fn in_window(&self, at: Timestamp) -> bool {
        self.not_before.is_none_or(|t| t <= at) && self.not_after.is_none_or(|t| at < t)
    }
}

/// `AccessPolicy.spec.effect`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Effect {
    /// Grants.
    #[default]
    Allow,
    /// Withholds, and wins.
    Deny,
}

/// `AccessPolicy.spec.mode`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum PolicyMode {
    /// In force.
    #[default]
    Enforce,
    /// Evaluated and counted; nothing rests on it.
    Audit,
}

/// What a policy says of one application.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GrantSpec {
    /// The TargetApplication.
    pub application: Name,
    /// Which entitlements.
    pub what: GrantWhat,
}

/// Which entitlements of an application a policy speaks of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GrantWhat {
    /// No entitlements named: in an Allow the account alone; in a Deny the account and everything.
    Account,
    /// `["*"]`, in a Deny alone: every entitlement, the account stays.
    EveryEntitlement,
    /// These; in an Allow the account too.
    Named(Vec<Name>),
}
