//! What is known of an object, for its status: the directory's and the sync's words put together.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::directory::{self, Directory};
use crate::model::{AccessPolicy, Effect, Name, ObjectKind, ObjectRef, PolicyMode, Reason, State};
use crate::report::{
    AccessPolicySummary, GroupSummary, HeldBack, IdentitySummary, Problem, Starts, Summary, TargetApplicationSummary,
};
use crate::sync::Sync;

/// The summary of an object; `None`: there is no such object, or nothing is known of it yet.
pub(super) fn of(
    object: &ObjectRef,
    directory: &Directory,
    syncs: &BTreeMap<Name, Sync>,
    skew: Option<&Arc<str>>,
) -> Option<Summary> {
    let problems = told(&directory.problems_of(object));
    Some(match object.kind {
        ObjectKind::Identity => {
            let view = directory.identity(&object.name)?;
            // Without its ledger nobody knows what an application holds for it; once loaded, all are looked at again.
            if syncs.values().any(|sync| sync.is_enforced() && !sync.is_loaded()) {
                return None;
            }
            let lifecycle = match view.spec {
                Ok(_) => Some(view.state),
                Err(invalid) => invalid.lifecycle.map(|_| view.state),
            };
            let starts = directory.starts(&object.name).map(|(at, accounts)| Starts { at, accounts });
            Summary::Identity(IdentitySummary { lifecycle, groups: Some(count(view.groups)), starts, problems })
        }
        ObjectKind::Group => {
            let view = directory.group(&object.name)?;
            let members = (view.invalid.is_none() && view.unknown == 0).then(|| count(view.members));
            let unread = directory.unread(object).map(Into::into);
            Summary::Group(GroupSummary { members, unread, problems, warning: warning(object, directory) })
        }
        ObjectKind::AccessPolicy => {
            let view = directory.policy(&object.name)?;
            let known = view.spec.is_ok() && view.unknown == 0;
            Summary::AccessPolicy(AccessPolicySummary {
                identities: known.then(|| count(view.identities)),
                unread: directory.unread(object).map(Into::into),
                grants: known.then(|| count(view.grants)),
                next_transition: view.next_transition,
                audit: view.spec.is_ok_and(|policy| policy.mode == PolicyMode::Audit),
                held_back: view.spec.ok().and_then(|policy| held_back(&object.name, policy, directory, syncs)),
                problems,
                warning: warning(object, directory),
            })
        }
        ObjectKind::TargetApplication => {
            let view = directory.application(&object.name)?;
            let mut summary = match syncs.get(&object.name) {
                Some(sync) => sync.status(),
                None => TargetApplicationSummary::default(),
            };
            if let Ok(settings) = view.spec {
                summary.mode = settings.mode;
            }
            summary.problems.extend(problems);
            summary.problems.extend(skew.map(|text| Problem::new(Reason::ClockSkew, Arc::clone(text))));
            Summary::TargetApplication(Box::new(summary))
        }
    })
}

/// Of how many identities a Deny in mode Audit holds removals back; `None` for other policies, and while that is not known.
fn held_back(
    name: &Name,
    policy: &AccessPolicy,
    directory: &Directory,
    syncs: &BTreeMap<Name, Sync>,
) -> Option<HeldBack> {
    if policy.mode != PolicyMode::Audit || policy.effect != Effect::Deny {
        return None;
    }
    let grants = policy.grants.iter().filter_map(|grant| Some((syncs.get(&grant.application)?, &grant.what)));
    let grants: Vec<_> = grants.collect();
    if grants.iter().any(|(sync, _)| !sync.is_loaded()) {
        return None;
    }
    let mut held = HeldBack::default();
    for view in directory.matched(name) {
        if grants.iter().any(|(sync, what)| sync.has(view.name, what)) {
            *if view.state == State::Suspended { &mut held.leaving } else { &mut held.losing } += 1;
        }
    }
    Some(held)
}

/// The first of what a person should look at, with its place, in one line.
fn warning(object: &ObjectRef, directory: &Directory) -> Option<Arc<str>> {
    let first = directory.warnings_of(object).into_iter().next()?;
    Some(format!("{}: {}", first.source.path, first.diagnostic).into())
}

/// Of so many things that are not there the names are told.
const NAMED: usize = 3;

/// Problems of the directory, with their places, each in one line. One alone is shown: the first of what is not there names
/// the rest.
fn told(problems: &[directory::Problem]) -> Vec<Problem> {
    let mut rest = also_lacking(problems);
    let one = |problem: &directory::Problem| {
        let rest = problem.lacks.as_ref().and_then(|_| rest.take()).unwrap_or_default();
        // A long catalogue is cut, rather than the names.
        let room = Problem::LONGEST.saturating_sub(rest.chars().count());
        let first: String = problem.to_string().chars().take(room).collect();
        Problem::new(problem.reason, format!("{first}{rest}"))
    };
    problems.iter().map(one).collect()
}

/// "; also not there: Group b, Group c and 2 more": what is not there besides the first of it.
fn also_lacking(problems: &[directory::Problem]) -> Option<String> {
    let mut all: Vec<&str> = Vec::new();
    for name in problems.iter().filter_map(|problem| problem.lacks.as_deref()) {
        if !all.contains(&name) {
            all.push(name);
        }
    }
    let named: Vec<&str> = all.iter().skip(1).take(NAMED - 1).copied().collect();
    let more = all.len().saturating_sub(NAMED);
    let more = if more == 0 { String::new() } else { format!(" and {more} more") };
    (!named.is_empty()).then(|| format!("; also not there: {}{more}", named.join(", ")))
}

fn count(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}
