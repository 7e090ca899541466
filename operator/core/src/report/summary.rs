use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;

use super::{EntitlementCounts, HeldPlanStatus, Problem, TargetIdentification};
use crate::model::{AttributeName, HeldPlan, Lane, Name, Reason, State, SyncMode};

/// What the engine knows of one object, besides what stands on the board.
#[derive(Clone, Debug, PartialEq)]
pub enum Summary {
    /// Of an Identity.
    Identity(IdentitySummary),
    /// Of a Group.
    Group(GroupSummary),
    /// Of an AccessPolicy.
    AccessPolicy(AccessPolicySummary),
    /// Of a TargetApplication.
    TargetApplication(Box<TargetApplicationSummary>),
}

/// What the directory knows of an identity.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct IdentitySummary {
    /// Its lifecycle; `None` where not even that could be read.
    pub lifecycle: Option<State>,
    /// In how many groups it is, nested ones included; `None` while that is Unknown.
    pub groups: Option<u32>,
    /// Of one that has not started.
    pub starts: Option<Starts>,
    /// What is wrong with the object itself: its spec, a duplicate key.
    pub problems: Vec<Problem>,
}

/// When an identity starts that has not yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Starts {
    /// `lifecycle.startTime`.
    pub at: Timestamp,
    /// From when on it has accounts, by the lead times of its policies; `None`: none gives it one.
    pub accounts: Option<Timestamp>,
}

/// What the directory knows of a group.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct GroupSummary {
    /// How many identities are in it; `None` while that is Unknown.
    pub members: Option<u32>,
    /// Where that is so because an object cannot be read: which, and what to do.
    pub unread: Option<Arc<str>>,
    /// What is wrong with it: its spec, its rule, a missing reference, a cycle.
    pub problems: Vec<Problem>,
    /// What a person should look at, though it works; the first.
    pub warning: Option<Arc<str>>,
}

/// What the directory knows of a policy.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AccessPolicySummary {
    /// How many identities it matches; `None` while that is Unknown.
    pub identities: Option<u32>,
    /// Where that is so because an object cannot be read: which, and what to do.
    pub unread: Option<Arc<str>>,
    /// How many grants rest on it, or how many it withholds; `None` while that is Unknown.
    pub grants: Option<u32>,
    /// When time alone will next change what it grants.
    pub next_transition: Option<Timestamp>,
    /// Mode Audit: nothing rests on it.
    pub audit: bool,
    /// Of how many identities a Deny in mode Audit holds removals back.
    pub held_back: Option<HeldBack>,
    /// What is wrong with it.
    pub problems: Vec<Problem>,
    /// What a person should look at, though it works; the first.
    pub warning: Option<Arc<str>>,
}

/// Identities that have what a Deny would take.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HeldBack {
    /// Those who stay.
    pub losing: u32,
    /// Those who are suspended.
    pub leaving: u32,
}

/// What a sync knows of its application, besides the accounts on the board.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TargetApplicationSummary {
    /// Enforce, Plan or Paused.
    pub mode: SyncMode,
    /// The target was read completely since start. Before that, the status that the object carries stands, unless it was
    /// edited or there is a problem to tell.
    pub observed: bool,
    /// Contact with the target: not tried yet, works, or what is wrong. A problem here is one of the application.
    pub contact: Contact,
    /// What is wrong with the application as a whole; accounts have theirs on the board.
    pub problems: Vec<Problem>,
    /// Held plans, oldest first.
    pub held: Vec<HeldPlanStatus>,
    /// The hash of the plan that is approved and was not released yet; empty: none.
    pub approved: Arc<str>,
    /// Accounts of which a removal or a privileged grant waits for the rest of the same change; they are pending, too.
    pub settling: u32,
    /// Mode Plan: what would be written, if anything would.
    pub planned: Option<PlannedSummary>,
    /// Mode Plan: what would be written is still being found out.
    pub planning: bool,
    /// Entitlements.
    pub entitlements: EntitlementCounts,
    /// Accounts that carry our mark, or were ours, and have no owner.
    pub orphaned: u32,
    /// What orphaned accounts that are to be disabled wait for: `Settling` or `Progressing`; `None`: none is waited for.
    pub orphans: Option<Reason>,
    /// Accounts that were never ours.
    pub unmanaged: u32,
    /// Entitlements that the target does not show, and that are not to be made: each with its name there.
    pub absent: Vec<(Name, Arc<str>)>,
    /// Attributes by which `safety.protected` names none of the accounts that are there.
    pub unprotecting: Vec<AttributeName>,
    /// What the target was measured to support; the first 64 are told.
    pub profile: BTreeMap<Arc<str>, Arc<str>>,
    /// By what target and store are recognised.
    pub target: Option<TargetIdentification>,
    /// The value of `provost.dev/reconcile-now` that was last obeyed.
    pub last_handled_reconcile: Option<Arc<str>>,
}

/// What mode Plan would write.
#[derive(Clone, Debug, PartialEq)]
pub struct PlannedSummary {
    /// Its steps, counted; there is nothing to approve.
    pub plan: HeldPlanStatus,
    /// Identities that would lose something, leavers apart.
    pub losing: u32,
    /// Identities that are suspended or have ended, and would lose something by it.
    pub leaving: u32,
}

/// Whether the target answers and accepts the credentials.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Contact {
    /// Not tried since start.
    #[default]
    Unknown,
    /// It does.
    Works,
    /// It does not.
    Fails(Problem),
}

impl From<&HeldPlan> for HeldPlanStatus {
    fn from(plan: &HeldPlan) -> Self {
        let reason = match plan.lane {
            Lane::Explicit | Lane::Derived => Reason::RemovalBudgetExceeded,
            Lane::PrivilegedGrant => Reason::GrantBudgetExceeded,
            Lane::Adoption => Reason::AdoptionNeedsApproval,
        };
        Self::of(Arc::clone(&plan.hash), reason, plan.steps.iter().map(|step| &*step.step))
    }
}

impl HeldPlanStatus {
    /// Counts steps by their names.
    pub(crate) fn of<'a>(hash: Arc<str>, reason: Reason, steps: impl Iterator<Item = &'a str>) -> Self {
        let mut status = Self { hash, reason, disables: 0, deletes: 0, revokes: 0, grants: 0, changes: 0 };
        for step in steps {
            let count = match step {
                "DisableAccount" => &mut status.disables,
                "DeleteAccount" => &mut status.deletes,
                "RemoveMembers" | "Revoke" => &mut status.revokes,
                "AddMembers" | "Assign" => &mut status.grants,
                _ => &mut status.changes,
            };
            *count += 1;
        }
        status
    }
}
