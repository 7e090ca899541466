use std::sync::Arc;
use std::time::Duration;

use super::{AttributeName, Name, Source, Value};

/// One target application, valid by type.
#[derive(Clone, Debug, PartialEq)]
pub struct TargetApplication {
    /// Enforce, Plan or Paused.
    pub mode: SyncMode,
    /// Where it is and how to speak to it; opaque here.
    pub connector: Connector,
    /// How often and how fast.
    pub sync: SyncSettings,
    /// How an account looks and is recognised.
    pub account: AccountSettings,
    /// What happens to accounts that are not desired any more.
    pub deprovision: Deprovision,
    /// The catalogue.
    pub entitlements: Vec<Entitlement>,
    /// Groups mirrored to the target.
    pub pushed_groups: Vec<PushedGroup>,
    /// What happens to accounts that carry our mark and have no owner.
    pub orphaned: Orphaned,
    /// Budgets, protection, approval.
    pub safety: Safety,
    /// What deleting this object does at the target.
    pub deletion_policy: DeletionPolicy,
    /// A deleted TargetApplication whose target is unreachable lets go after this long.
    pub release_after: Duration,
}

impl TargetApplication {
    /// What stands for a manifest that cannot be read: what is ours stays ours, nothing is written, and it is let go as it is.
    pub fn of_nothing() -> Self {
        let disable = DeprovisionStep::Disable { delete_after: None };
        Self {
            mode: SyncMode::Enforce,
            connector: Connector {
                kind: ConnectorKind::Fake,
                fingerprint: "".into(),
                settings: serde_json::Value::Null,
            },
            sync: SyncSettings {
                interval: None,
                requests_per_second: 1,
                concurrency: 1,
                settle_removals: Duration::ZERO,
                settle_privileged: Duration::ZERO,
            },
            account: AccountSettings {
                correlate: Vec::new(),
                adopt: false,
                attributes: Vec::new(),
                initial_password: false,
                correct_disabled: false,
                recreate_deleted: false,
            },
            deprovision: Deprovision { lost: disable, ended: disable },
            entitlements: Vec::new(),
            pushed_groups: Vec::new(),
            orphaned: Orphaned::Report,
            safety: Safety {
                removals: Vec::new(),
                privileged_grants: Vec::new(),
                protected: Vec::new(),
                approved_plan: "".into(),
                acknowledge: "".into(),
            },
            deletion_policy: DeletionPolicy::Retain,
            release_after: Duration::ZERO,
        }
    }
}

/// `spec.mode`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SyncMode {
    /// Keep the target as declared.
    #[default]
    Enforce,
    /// Observe and report, write nothing.
    Plan,
    /// Do nothing at all.
    Paused,
}

/// The connector's settings as the shell will hand them to it. Beyond the input room, the core reads the kind and the fingerprint alone.
#[derive(Clone, Debug, PartialEq)]
pub struct Connector {
    /// Which connector.
    pub kind: ConnectorKind,
    /// Connector, host, tenant or realm or base DN: tells one target from another. Holds no secret.
    pub fingerprint: Arc<str>,
    /// The connector's spec as the manifest has it (`{"scim": {...}}`), secrets by reference. Of a directory, `attributes` in it
    /// names those that the rest of the manifest maps, looks up or protects: no others are read. Where looking at everything
    /// would be too much, what the catalogue names stands beside it (`"catalogue": {"groups": [...], "roles": [...]}`).
    pub settings: serde_json::Value,
}

/// The connectors that exist.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ConnectorKind {
    /// In memory, for demos and tests.
    Fake,
    /// An LDAP directory.
    Ldap,
    /// A domain of Active Directory.
    ActiveDirectory,
    /// SCIM 2.0.
    Scim,
    /// A realm of Keycloak.
    Keycloak,
}

/// `spec.sync`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SyncSettings {
    /// Time between full observations; `None`: what the connector's schema says.
    pub interval: Option<Duration>,
    /// Rate budget, requests a second, over all the application's requests.
    pub requests_per_second: u32,
    /// Requests in flight at most.
    pub concurrency: u32,
    /// How long removals wait for the rest of a commit.
    pub settle_removals: Duration,
    /// How long privileged grants wait for the rest of a commit.
    pub settle_privileged: Duration,
}

/// `spec.account`.
#[derive(Clone, Debug, PartialEq)]
pub struct AccountSettings {
    /// In order. Empty: the default, externalId and then userName.
    pub correlate: Vec<Correlate>,
    /// `adopt: Matched`; false is `Never`.
    pub adopt: bool,
    /// Extends or replaces the connector's default mapping.
    pub attributes: Vec<Mapping>,
    /// `initialPassword: Random`.
    pub initial_password: bool,
    /// `disabledAtTarget: Correct`: re-enable what was disabled at the target. False: `Respect`.
    pub correct_disabled: bool,
    /// `deletedAtTarget: Recreate`. False: `Respect`.
    pub recreate_deleted: bool,
}

/// One correlation key: the target's attribute and the expression that gives its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Correlate {
    /// At the target.
    pub attribute: AttributeName,
    /// From the identity.
    pub expression: Source,
}

/// One mapped attribute.
#[derive(Clone, Debug, PartialEq)]
pub struct Mapping {
    /// At the target.
    pub attribute: AttributeName,
    /// Where its value comes from.
    pub source: MappingSource,
}

/// Where a mapped attribute's value comes from, and when it is written.
#[derive(Clone, Debug, PartialEq)]
pub enum MappingSource {
    /// A literal.
    Literal(Value, Apply),
    /// An expression.
    Expression(Source, Apply),
    /// Left to the target.
    Never,
}

/// When a mapped attribute is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Apply {
    /// Kept as declared.
    #[default]
    Always,
    /// Set once.
    OnCreate,
}

/// `spec.deprovision`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deprovision {
    /// For an identity that is there but has no access any more.
    pub lost: DeprovisionStep,
    /// For an ended identity; never `Retain`.
    pub ended: DeprovisionStep,
}

/// What happens to an account that is not desired.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeprovisionStep {
    /// Disable now; delete after this long, or never.
    Disable {
        /// From the moment of disabling.
        delete_after: Option<Duration>,
    },
    /// Delete.
    Delete,
    /// Leave the account, revoke what was granted.
    Retain,
}

/// One entry of the catalogue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entitlement {
    /// What policies call it.
    pub name: Name,
    /// What it is at the target.
    pub target: EntitlementTarget,
    /// Who owns the membership.
    pub membership: Membership,
    /// Needs the privileged-grants budget, and is revoked first.
    pub privileged: bool,
    /// Who may have it at all; false is a Deny.
    pub requires: Option<Source>,
}

/// What an entitlement is at the target.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EntitlementTarget {
    /// Group, role or licence.
    pub kind: EntitlementKind,
    /// Its name there.
    pub name: Arc<str>,
    /// Create it where it is missing (groups alone).
    pub create: bool,
}

/// The kinds of entitlement that targets know.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
pub enum EntitlementKind {
    /// A group with members.
    Group,
    /// A role assigned to an account.
    Role,
    /// A licence with seats.
    License,
}

/// Who owns a group's membership.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Membership {
    /// Removes what is ours alone.
    #[default]
    Additive,
    /// The members are exactly those declared.
    Authoritative,
    /// Looks, writes nothing.
    Observe,
}

/// A Group mirrored to the target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PushedGroup {
    /// The Group.
    pub group: Name,
    /// Its name at the target.
    pub name: Arc<str>,
    /// Authoritative where the manifest says nothing.
    pub membership: Membership,
    /// Delete the target's group, if we created it, when this entry goes.
    pub prune: bool,
}

/// `spec.orphanedAccounts`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Orphaned {
    /// Count and name them.
    #[default]
    Report,
    /// Disable them.
    Disable,
}

/// `spec.safety`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Safety {
    /// Removal budgets, one a window; all must allow.
    pub removals: Vec<Budget>,
    /// Budgets of privileged grants.
    pub privileged_grants: Vec<Budget>,
    /// Accounts never written to: attribute and values.
    pub protected: Vec<(AttributeName, Vec<Arc<str>>)>,
    /// The hash of a held plan; empty: none.
    pub approved_plan: Arc<str>,
    /// A one-time token; empty: none.
    pub acknowledge: Arc<str>,
}

/// At most `max(count, percent of base)` in a sliding window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// Absolute.
    pub count: u32,
    /// Of the base, 0 to 100.
    pub percent: u32,
    /// The window.
    pub window: Duration,
}

/// `spec.deletionPolicy`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DeletionPolicy {
    /// Release ownership, touch nothing.
    #[default]
    Retain,
    /// Deprovision what is ours, within the budgets.
    Deprovision,
}
