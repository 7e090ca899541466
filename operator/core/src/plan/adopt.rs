//! There is no account yet, or no longer: one is adopted, made, or waited for.

use super::account::{Goal, blocked_or_none, pending, waiting};
use super::correlate::{Correlated, asks_for_approval, correlate, strong_match};
use super::entitlements::{Fate, fate, join, rests_on};
use super::{AppRules, Change, Lookup, Planned, Subject, Verdict, attributes};
use crate::model::{Lane, Reason, Record, RecordId, RecordState, State, Step, TargetId};
use crate::report::{self, Problem};

/// Somebody deleted it, and that is respected.
pub(super) fn stays_deleted() -> report::Account {
    let message = "the account was deleted at the target and deletedAtTarget is Respect";
    report::Account::Blocked(Problem::new(Reason::DeletedAtTarget, message))
}

/// There is no account yet, or no longer.
pub(super) fn without_account(
    subject: &Subject<'_>,
    record: Option<&Record>,
    goal: &Goal,
    rules: &AppRules<'_>,
) -> Verdict {
    let (enabled, state) = match goal {
        Goal::Use => (true, RecordState::Active),
        Goal::Rest { create: true, .. } => (false, RecordState::Disabled),
        Goal::Leave(problem) => return Verdict { account: blocked_or_none(problem.clone()), ..Verdict::default() },
        Goal::Rest { .. } | Goal::Remove { .. } if record.is_none() && is_reclaimed(goal, subject, rules) => {
            return reclaim(subject, rules);
        }
        Goal::Rest { .. } if record.is_none() && may_rest(subject) => return found_at_rest(subject, rules),
        Goal::Rest { .. } | Goal::Remove { .. } => {
            let forget = record.is_some_and(|r| r.state != RecordState::Creating);
            return Verdict { forget, ..Verdict::default() };
        }
    };
    if record.is_some_and(|r| r.state == RecordState::Deleted) && !rules.settings.account.recreate_deleted {
        return Verdict { account: stays_deleted(), ..Verdict::default() };
    }
    if !subject.matches.searched {
        return pending(Verdict { need: Some(Lookup::Find), ..Verdict::default() });
    }
    match correlate(subject, rules) {
        Correlated::Wait(problem) => waiting(problem),
        Correlated::Ask(id) => ask_or_adopt(subject, record, id),
        Correlated::Adopt(id) => adopt(subject, record, id),
        Correlated::Nothing => {
            let (attributes, written) = attributes::for_create(subject, rules.schema);
            if !attributes.contains_key(rules.schema.user_name) {
                let message = format!("{} has no value: nothing can be created", rules.schema.user_name);
                return Verdict {
                    account: report::Account::Blocked(Problem::new(Reason::EvaluationFailed, message)),
                    ..Verdict::default()
                };
            }
            let password = rules.settings.account.initial_password;
            let create = Planned {
                step: Step::CreateAccount { attributes, enabled, password },
                cause: join(&subject.decision.account.allow),
                entitlement: None,
                lane: None,
                privileged: false,
                denied: false,
                drift: Vec::new(),
                change: Change::Create { written, state },
            };
            pending(Verdict { steps: vec![create], ..Verdict::default() })
        }
    }
}

/// Suspended, and to have an account for sure.
fn may_rest(subject: &Subject<'_>) -> bool {
    let suspended = subject.decision.owner.is_some_and(|o| o.state == State::Suspended && o.frozen.is_none());
    suspended && fate(&subject.decision.account, None) == Fate::Give
}

/// Who is suspended gets no account; one that is there is theirs, and is disabled if it is not: they have it back when they
/// return.
fn found_at_rest(subject: &Subject<'_>, rules: &AppRules<'_>) -> Verdict {
    if !subject.matches.searched {
        return Verdict { need: Some(Lookup::Find), ..Verdict::default() };
    }
    match correlate(subject, rules) {
        Correlated::Adopt(id) => adopt(subject, None, id),
        Correlated::Ask(id) => ask_or_adopt(subject, None, id),
        // Which of several that are nobody's is theirs, a person must say: one may be enabled.
        Correlated::Wait(problem) if subject.matches.found.iter().all(|found| found.owned.is_none()) => {
            waiting(problem)
        }
        _ => Verdict::default(),
    }
}

/// Only a person can say whether this account is the identity's; it becomes so once that is approved.
fn ask_or_adopt(subject: &Subject<'_>, record: Option<&Record>, id: TargetId) -> Verdict {
    if subject.approved == Some(&id) {
        return adopt(subject, record, id);
    }
    let waits = waiting(asks_for_approval(&id, None));
    Verdict { adoption: Some(id), ..waits }
}

/// Whether the ledger may have lost an account of who is to have none: of whoever was ended or suspended by hand, and, where the
/// application is deleted before it was known again whose accounts are its own, of those whom it would give one.
fn is_reclaimed(goal: &Goal, subject: &Subject<'_>, rules: &AppRules<'_>) -> bool {
    let given = || rules.deprovision && fate(&subject.decision.account, None) == Fate::Give;
    rules.reclaims
        && match goal {
            Goal::Rest { lane, .. } => *lane == Lane::Explicit,
            Goal::Remove { lane, .. } => *lane == Lane::Explicit || given(),
            Goal::Use | Goal::Leave(_) => false,
        }
}

/// Whoever is suspended or ended may have an account that the ledger has forgotten: what surely is theirs is disabled.
fn reclaim(subject: &Subject<'_>, rules: &AppRules<'_>) -> Verdict {
    if !subject.matches.searched {
        return Verdict { need: Some(Lookup::Find), ..Verdict::default() };
    }
    strong_match(subject, rules).map_or_else(Verdict::default, |id| adopt(subject, None, id))
}

/// The account becomes the identity's as it is found: disabling it for a lead time is a removal like any other, and counted.
fn adopt(subject: &Subject<'_>, record: Option<&Record>, id: TargetId) -> Verdict {
    let mut adopted = record.cloned().unwrap_or_else(|| new_record(subject));
    adopted.target_id = Some(id);
    adopted.state = RecordState::Active;
    adopted.policies = rests_on(&subject.decision.account, None);
    pending(Verdict { record: Some(adopted), ..Verdict::default() })
}

/// A record for an account that is about to be ours; `sync` gives it its id.
fn new_record(subject: &Subject<'_>) -> Record {
    Record {
        id: RecordId(0),
        owner: subject.owner.clone(),
        external_id: subject.external_id.cloned(),
        user_name: subject.user_name.into(),
        target_id: None,
        state: RecordState::Creating,
        written: std::collections::BTreeMap::new(),
        policies: rests_on(&subject.decision.account, None),
        grants: std::collections::BTreeMap::new(),
        disabled_at: None,
        delete_at: None,
        last_write: None,
        created: false,
    }
}
