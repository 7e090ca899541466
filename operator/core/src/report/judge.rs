//! From what is known of an object to its status. Pure: the same knowledge gives the same bytes.

use std::sync::Arc;

use jiff::Timestamp;

use super::condition::{Finding, Verdict, conditions, order};
use super::{
    AccessPolicyStatus, AccessPolicySummary, AccountCounts, AccountIn, AccountProblem, AccountState,
    ApplicationAccounts, ApplicationProblem, ConditionType, Contact, GroupStatus, GroupSummary, HeldBack,
    HeldPlanStatus, IdentityAccounts, IdentityStatus, IdentitySummary, PlannedSummary, Prior, Problem, Starts,
    TargetApplicationStatus, TargetApplicationSummary, Truth, worst,
};
use crate::model::{AttributeName, Name, Reason, State, SyncMode};

/// Problems that an Identity names; applications that it names; problems, held plans and findings that a TargetApplication
/// names. The resources' schemas have the same bounds.
const IDENTITY_PROBLEMS: usize = 16;
const IDENTITY_APPLICATIONS: usize = 64;
const APPLICATION_PROBLEMS: usize = 10;
const HELD_PLANS: usize = 16;
const PROFILE_ENTRIES: usize = 64;
const ABSENT: usize = 8;

/// The status of an Identity. `accounts` are those in applications of mode Enforce, sorted by application: Plan and Paused are
/// told on the TargetApplication alone, and an outage also where something is left to do.
pub fn identity(
    summary: &IdentitySummary,
    accounts: &[AccountIn<'_>],
    generation: i64,
    prior: &Prior,
    now: Timestamp,
) -> IdentityStatus {
    let desired = count(accounts.iter().filter(|a| a.desired));
    let provisioned = count(accounts.iter().filter(|a| a.desired && a.state.is_provisioned()));
    let own = summary.problems.iter().map(|problem| (None, problem));
    let theirs = accounts.iter().filter_map(|a| a.worst().map(|problem| (Some(a.application), problem)));
    let verdict = match own.chain(theirs).min_by_key(|(_, problem)| order(problem.reason())) {
        Some((None, problem)) => Verdict::NotReady(problem.reason(), Arc::clone(problem.message())),
        Some((Some(application), problem)) => {
            Verdict::NotReady(problem.reason(), format!("{application}: {}", problem.message()).into())
        }
        None => match accounts.iter().find(|a| matches!(a.state, AccountState::Pending | AccountState::Unknown)) {
            Some(first) => Verdict::NotReady(Reason::Progressing, under_way(first).into()),
            None if accounts.iter().all(|a| a.state == AccountState::None) => {
                Verdict::Ready(Reason::NothingMatched, no_account(summary, now))
            }
            None => Verdict::Ready(Reason::Provisioned, as_decided(summary.starts.as_ref())),
        },
    };
    IdentityStatus {
        observed_generation: generation,
        lifecycle_state: summary.lifecycle,
        groups: summary.groups,
        accounts: IdentityAccounts { desired, provisioned, summary: format!("{provisioned}/{desired}") },
        applications: accounts
            .iter()
            .filter(|a| a.desired && a.state.is_provisioned())
            .take(IDENTITY_APPLICATIONS)
            .map(|a| a.application.into())
            .collect(),
        problems: accounts
            .iter()
            .filter_map(|a| {
                a.worst().map(|problem| AccountProblem {
                    application: a.application.into(),
                    state: a.state.told(),
                    reason: problem.reason(),
                    message: Arc::clone(problem.message()),
                })
            })
            .take(IDENTITY_PROBLEMS)
            .collect(),
        conditions: conditions(verdict, Vec::new(), generation, prior, now),
    }
}

/// An account with which something goes on.
fn under_way(account: &AccountIn<'_>) -> String {
    let what = match account.state {
        AccountState::Unknown => {
            "what is there is still being found out; an account that is its own is adopted, then what is decided is carried out"
        }
        _ => "what is decided is being carried out",
    };
    format!("{}: {what}", account.application)
}

/// Why it has no account.
fn no_account(summary: &IdentitySummary, now: Timestamp) -> Arc<str> {
    match &summary.starts {
        None if summary.lifecycle == Some(State::Ended) => "it has ended, and has no account".into(),
        None if summary.lifecycle == Some(State::Suspended) => "it is suspended, and has no account".into(),
        None => "no policy gives it an account".into(),
        Some(Starts { at, accounts: None }) => format!("it starts at {at}; no policy gives it an account yet").into(),
        Some(Starts { at, accounts: Some(from) }) if *from <= now => {
            format!("it starts at {at}; its accounts are there, disabled").into()
        }
        Some(Starts { at, accounts: Some(from) }) if from < at => {
            format!("it starts at {at}; its accounts are there, disabled, from {from} on").into()
        }
        Some(Starts { at, .. }) => format!("it starts at {at}, and has its accounts from then on").into(),
    }
}

/// That all is as it should be.
fn as_decided(starts: Option<&Starts>) -> Arc<str> {
    starts.map_or_else(
        || "every account is as decided".into(),
        |Starts { at, .. }| format!("every account is as decided; it starts at {at}").into(),
    )
}

/// The status of a Group.
pub fn group(summary: &GroupSummary, generation: i64, prior: &Prior, now: Timestamp) -> GroupStatus {
    let verdict = match (worst(&summary.problems), summary.members) {
        (Some(problem), _) => not_ready(problem),
        (None, None) => not_known(summary.unread.as_ref(), "who is in it is not known yet"),
        (None, Some(0)) => Verdict::Ready(Reason::NothingMatched, warned("nobody is in it", summary.warning.as_ref())),
        (None, Some(_)) => Verdict::Ready(Reason::Synced, warned("its members are known", summary.warning.as_ref())),
    };
    GroupStatus {
        observed_generation: generation,
        members: summary.members,
        conditions: conditions(verdict, Vec::new(), generation, prior, now),
    }
}

/// The status of an AccessPolicy.
pub fn access_policy(
    summary: &AccessPolicySummary,
    generation: i64,
    prior: &Prior,
    now: Timestamp,
) -> AccessPolicyStatus {
    let warning = summary.warning.as_ref();
    let verdict = match (worst(&summary.problems), summary.identities) {
        (Some(problem), _) => not_ready(problem),
        (None, None) => not_known(summary.unread.as_ref(), "whom it matches is not known yet"),
        (None, Some(0)) => Verdict::Ready(Reason::NothingMatched, warned("it matches nobody", warning)),
        (None, Some(_)) if summary.audit => {
            Verdict::Ready(Reason::Synced, warned(&audited(summary.held_back), warning))
        }
        (None, Some(_)) => Verdict::Ready(Reason::Synced, warned("evaluated; whom it matches is known", warning)),
    };
    AccessPolicyStatus {
        observed_generation: generation,
        identities: summary.identities,
        grants: summary.grants,
        next_transition_time: summary.next_transition,
        conditions: conditions(verdict, Vec::new(), generation, prior, now),
    }
}

/// Not known because of an object that cannot be read, or not known yet.
fn not_known(unread: Option<&Arc<str>>, yet: &str) -> Verdict {
    Verdict::NotKnown(Reason::Progressing, unread.cloned().unwrap_or_else(|| yet.into()))
}

/// What a policy in mode Audit does, and what it does not do.
fn audited(held_back: Option<HeldBack>) -> String {
    let mut message = "evaluated and counted; in mode Audit nothing rests on it".to_owned();
    if let Some(HeldBack { losing, leaving }) = held_back {
        let held = format!("; held back are removals of {}, and of {leaving} more who are suspended", people(losing));
        message.push_str(&held);
    }
    message
}

/// What is well, and what a person should look at all the same.
fn warned(well: &str, warning: Option<&Arc<str>>) -> Arc<str> {
    warning.map_or_else(|| well.into(), |warning| format!("{well}; warning: {warning}").into())
}

/// The status of a TargetApplication. `accounts` are counted by the board; `problems` are those of its accounts, sorted by
/// identity. One account that is refused or blocked is its Identity's trouble: it is counted here, and does not keep the
/// application from being Ready; what is pending does.
pub fn target_application<'a>(
    summary: &TargetApplicationSummary,
    accounts: &AccountCounts,
    problems: impl IntoIterator<Item = (&'a Name, &'a Problem)>,
    generation: i64,
    prior: &Prior,
    now: Timestamp,
) -> TargetApplicationStatus {
    let verdict = application_verdict(summary, accounts);
    let mut more = Vec::from([reachable(&summary.contact)]);
    more.push(within_budget(summary));
    let planned = summary.planned.iter().map(|planned| &planned.plan);
    TargetApplicationStatus {
        observed_generation: generation,
        last_handled_reconcile_at: summary.last_handled_reconcile.clone(),
        accounts: ApplicationAccounts {
            summary: format!("{}/{}", accounts.provisioned, accounts.desired),
            desired: accounts.desired,
            provisioned: accounts.provisioned,
            pending: accounts.pending,
            disabled: accounts.disabled,
            retained: accounts.retained,
            failed: accounts.failed,
            blocked: accounts.blocked,
            orphaned: summary.orphaned,
            unmanaged: summary.unmanaged,
        },
        entitlements: summary.entitlements,
        held: count(summary.held.iter()),
        held_plans: planned.chain(&summary.held).take(HELD_PLANS).cloned().collect(),
        problems: problems
            .into_iter()
            // What waits a moment, or is told of the application itself, must not hide what went wrong.
            .filter(|(_, problem)| !is_told_above(problem.reason()))
            .take(APPLICATION_PROBLEMS)
            .map(|(identity, problem)| ApplicationProblem {
                identity: identity.as_str().into(),
                reason: problem.reason(),
                message: Arc::clone(problem.message()),
            })
            .collect(),
        profile: summary.profile.iter().take(PROFILE_ENTRIES).map(|(k, v)| (Arc::clone(k), Arc::clone(v))).collect(),
        target: summary.target.clone(),
        conditions: conditions(verdict, more, generation, prior, now),
    }
}

/// What `status.problems` does not repeat.
fn is_told_above(reason: Reason) -> bool {
    use Reason::{GrantBudgetExceeded, LedgerMismatch, RemovalBudgetExceeded, Settling};
    matches!(reason, Settling | RemovalBudgetExceeded | GrantBudgetExceeded | LedgerMismatch)
}

fn application_verdict(summary: &TargetApplicationSummary, accounts: &AccountCounts) -> Verdict {
    let contact = match &summary.contact {
        Contact::Fails(problem) => Some(problem),
        Contact::Unknown | Contact::Works => None,
    };
    let held = over_budget(summary).map(|plan| Problem::new(plan.reason, held_message(plan, summary)));
    if let Some(problem) = worst(summary.problems.iter().chain(contact).chain(held.as_ref())) {
        return not_ready(problem);
    }
    if summary.mode == SyncMode::Paused {
        return Verdict::NotReady(Reason::Paused, "paused: nothing is read or written".into());
    }
    if !summary.observed {
        let message = "the target is being read; then accounts that are somebody's are adopted, and what is decided is carried out";
        return Verdict::NotKnown(Reason::Progressing, message.into());
    }
    match summary.mode {
        SyncMode::Plan if summary.planning || accounts.unknown > 0 => {
            Verdict::NotReady(Reason::Progressing, "what would be written is being found out".into())
        }
        SyncMode::Plan => match &summary.planned {
            None => Verdict::Ready(Reason::Synced, told("as decided; in mode Plan nothing is written", summary)),
            Some(planned) => Verdict::NotReady(Reason::PlanOnly, told(&planned_message(planned), summary)),
        },
        _ if only_settles(summary, accounts) => Verdict::NotReady(
            Reason::Settling,
            "removals, privileged grants or adoptions that need approval wait for the rest of the same change \
             (spec.sync.settle); then they go on, or are held"
                .into(),
        ),
        _ if accounts.unknown > 0 => Verdict::NotReady(
            Reason::Progressing,
            "accounts are recognised, adopted and compared with what is decided, one after the other".into(),
        ),
        _ if accounts.pending > 0 || summary.entitlements.pending > 0 || summary.orphans.is_some() => {
            Verdict::NotReady(Reason::Progressing, told("what is decided is being carried out", summary))
        }
        _ if accounts.failed > 0 || accounts.blocked > 0 => {
            let message = "in sync, except for the accounts that status.problems names";
            Verdict::Ready(Reason::Synced, told(message, summary))
        }
        _ => Verdict::Ready(Reason::Synced, told("every account is as decided", summary)),
    }
}

/// Which entries of the catalogue the target does not have.
fn absent(summary: &TargetApplicationSummary) -> String {
    let shown = summary.absent.iter().take(ABSENT).map(|(name, at)| format!("{name} ({at})"));
    let more = match summary.absent.len().saturating_sub(ABSENT) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    format!(
        "the target does not show what these entitlements name, or several of one name: {}{more}; make it there, or correct spec.entitlements",
        shown.collect::<Vec<_>>().join(", ")
    )
}

/// How the application is, and what a person should look at all the same.
fn told(how: &str, summary: &TargetApplicationSummary) -> Arc<str> {
    let unprotecting = (!summary.unprotecting.is_empty()).then(|| {
        let names: Vec<&str> = summary.unprotecting.iter().map(AttributeName::as_str).collect();
        format!(
            "no account has a value that spec.safety.protected lists for {}; correct the attribute or the values",
            names.join(", ")
        )
    });
    let absent = (!summary.absent.is_empty()).then(|| absent(summary));
    let warnings: Vec<String> = unprotecting.into_iter().chain(absent).collect();
    let warning: Option<Arc<str>> = (!warnings.is_empty()).then(|| warnings.join("; warning: ").into());
    warned(how, warning.as_ref())
}

/// Nothing goes on but a wait for the rest of the same change.
fn only_settles(summary: &TargetApplicationSummary, accounts: &AccountCounts) -> bool {
    let settles = summary.settling > 0 || summary.orphans == Some(Reason::Settling);
    let goes_on = accounts.pending > summary.settling || summary.entitlements.pending > 0;
    settles && !goes_on && summary.orphans != Some(Reason::Progressing)
}

fn reachable(contact: &Contact) -> Finding {
    let (truth, reason, message) = match contact {
        Contact::Unknown => (Truth::Unknown, Reason::Progressing, "the target was not contacted yet".into()),
        Contact::Works => (Truth::True, Reason::Synced, "the target answers and accepts the credentials".into()),
        Contact::Fails(problem) => (Truth::False, problem.reason(), Arc::clone(problem.message())),
    };
    Finding { kind: ConditionType::Reachable, truth, reason, message }
}

fn within_budget(summary: &TargetApplicationSummary) -> Finding {
    let (truth, reason, message) = match over_budget(summary) {
        Some(plan) => (Truth::False, plan.reason, held_message(plan, summary).into()),
        None => (Truth::True, Reason::Synced, "no plan exceeds its budget".into()),
    };
    Finding { kind: ConditionType::WithinBudget, truth, reason, message }
}

/// The oldest plan that a budget holds; accounts that wait for their adoption are told on their Identities.
fn over_budget(summary: &TargetApplicationSummary) -> Option<&HeldPlanStatus> {
    summary.held.iter().find(|plan| plan.reason != Reason::AdoptionNeedsApproval)
}

/// What may be done about a held plan, and how many more there are than the status has room for.
fn held_message(plan: &HeldPlanStatus, summary: &TargetApplicationSummary) -> String {
    let hash = &plan.hash;
    let more = match (summary.held.len() + usize::from(summary.planned.is_some())).saturating_sub(HELD_PLANS) {
        0 => String::new(),
        more => format!("; status.heldPlans has no room for {more} more: see `provost held`"),
    };
    let known = summary.approved.is_empty() || summary.held.iter().any(|plan| plan.hash == summary.approved);
    let unknown = if known { "" } else { " (what it is set to is the whole hash of no held plan)" };
    format!(
        "plan {hash} is held; to let it through set spec.safety.approvedPlan to it{unknown}, else take back the change{more}"
    )
}

/// What mode Plan holds back.
fn planned_message(planned: &PlannedSummary) -> Arc<str> {
    let (losing, leaving) = (planned.losing, planned.leaving);
    format!(
        "in mode Plan nothing is written; held back are the steps counted in status.heldPlans, among them removals of \
         {}, and of {leaving} more who are suspended or have ended; see `provost held --all`",
        people(losing)
    )
    .into()
}

/// "1 identity", "2 identities".
fn people(count: u32) -> String {
    if count == 1 { "1 identity".to_owned() } else { format!("{count} identities") }
}

fn not_ready(problem: &Problem) -> Verdict {
    Verdict::NotReady(problem.reason(), Arc::clone(problem.message()))
}

fn count(items: impl Iterator) -> u32 {
    u32::try_from(items.count()).unwrap_or(u32::MAX)
}
