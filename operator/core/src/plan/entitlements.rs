use std::collections::BTreeSet;
use std::sync::Arc;

use super::{CatalogueView, Change, Planned};
use crate::directory::{Wanted, Withheld};
use crate::model::{
    AttributeName, Entitlement, EntitlementKind, Grant, Lane, Membership, Name, Reason, Record, Step, TargetId,
};
use crate::report::Problem;

/// What a membership, role or licence that others took is counted under.
const MEMBERSHIP: &str = "membership";

/// What becomes of an account or an entitlement that may rest on policies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// To be had.
    Give,
    /// Neither given nor taken: it rests on what is Unknown.
    Keep,
    /// Not to be had.
    Take,
}

/// An Unknown Allow keeps what rests on it and gives nothing new; an Unknown Deny gives nothing new.
pub(super) fn fate(wanted: &Wanted, rests_on: Option<&BTreeSet<Name>>) -> Fate {
    if wanted.is_sure() {
        return Fate::Give;
    }
    let Some(rests_on) = rests_on else { return Fate::Take };
    let still = !wanted.allow.is_empty() || wanted.unknown.iter().any(|policy| rests_on.contains(policy));
    if wanted.is_refused() || !still { Fate::Take } else { Fate::Keep }
}

/// The policies that something rests on from now: those that grant, and of those recorded the ones now Unknown.
pub(super) fn rests_on(wanted: &Wanted, before: Option<&BTreeSet<Name>>) -> BTreeSet<Name> {
    let before = before.into_iter().flatten().filter(|policy| wanted.unknown.contains(policy));
    wanted.allow.iter().chain(before).cloned().collect()
}

/// Which memberships, roles and licences an account's state allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Holding {
    /// As decided.
    Decided,
    /// As decided, and of what others gave nothing else: a retained account before it is enabled again.
    Rehired,
    /// As decided, nothing new: suspended.
    NothingNew,
    /// Nothing that is ours: before the start, or no access any more.
    Nothing,
    /// As it is: frozen.
    Frozen,
    /// Nothing that the catalogue names, ours or not: ended.
    NothingAtAll,
}

/// The steps about what an account holds, by when they are due.
#[derive(Debug, Default)]
pub(super) struct Entitlements {
    /// Privileged and Deny-caused revokes: before everything else.
    pub(super) first: Vec<Planned>,
    /// Grants.
    pub(super) grants: Vec<Planned>,
    /// Other revokes: once the grants were attempted.
    pub(super) revokes: Vec<Planned>,
    /// A wanted entry that is not there at the target.
    pub(super) missing: Option<Problem>,
}

impl Entitlements {
    fn take(&mut self, planned: Planned) {
        if planned.privileged || planned.denied { self.first.push(planned) } else { self.revokes.push(planned) }
    }
}

/// Plans what the account `id` should hold, and brings the record's grants up to date where no write is needed.
pub(super) fn entitlements(
    wanted_of: impl Fn(&Name) -> Wanted,
    (catalogue, vanished): (&[CatalogueView<'_>], &BTreeSet<TargetId>),
    record: &mut Record,
    id: &TargetId,
    holding: Holding,
    lane: Lane,
    why: &Arc<str>,
) -> Entitlements {
    let mut out = Entitlements::default();
    // Nobody can use a retained account: what it held beyond the decision is not counted.
    let lane = (holding != Holding::Rehired).then_some(lane);
    for view in catalogue {
        let wanted = wanted_of(&view.entry.name);
        let ours = view.id.and_then(|group| record.grants.get(group));
        let fate = match holding {
            Holding::Decided | Holding::Rehired => fate(&wanted, ours.map(|g| &g.policies)),
            Holding::NothingNew if ours.is_some() => fate(&wanted, ours.map(|g| &g.policies)),
            Holding::NothingNew | Holding::Nothing | Holding::NothingAtAll => Fate::Take,
            Holding::Frozen => Fate::Keep,
        };
        if view.entry.membership == Membership::Observe {
            continue;
        }
        let Some(group) = view.id else {
            if fate == Fate::Give && matches!(holding, Holding::Decided | Holding::Rehired) {
                out.missing = Some(missing(view.entry));
            }
            continue;
        };
        match fate {
            Fate::Keep if holding == Holding::Frozen => {}
            Fate::Keep => {
                if let Some(grant) = record.grants.get_mut(group) {
                    grant.policies = rests_on(&wanted, Some(&grant.policies));
                }
            }
            Fate::Give => give(view, group, &wanted, record, id, &mut out),
            Fate::Take => {
                let also_others = view.held == Some(true) && takes_others(view, &wanted, holding);
                if ours.is_some() || also_others {
                    let privileged = view.entry.privileged || ours.is_some_and(|g| g.privileged);
                    let (denied, cause) = (wanted.is_denied(), cause_of_take(&wanted, why));
                    out.take(Planned { privileged, denied, ..revoke(view, group, id, lane, cause) });
                }
            }
        }
    }
    if holding != Holding::Frozen {
        record.grants.retain(|group, grant| !(vanished.contains(group) && is_elsewhere(catalogue, grant)));
    }
    let unlisted = no_longer_listed(&wanted_of, catalogue, record, id, holding, lane).into_iter();
    let (first, later): (Vec<_>, Vec<_>) = unlisted.partition(|planned| planned.privileged);
    out.first.extend(first);
    out.revokes.extend(later);
    out
}

fn missing(entry: &Entitlement) -> Problem {
    let (name, at) = (&entry.name, &entry.target.name);
    if entry.target.create {
        return Problem::new(
            Reason::Progressing,
            format!(
                "the group {at} of the entitlement {name} is being made; where the target shows several of that name, or cannot make one, the TargetApplication says so"
            ),
        );
    }
    let kind = match entry.target.kind {
        EntitlementKind::Group => "group",
        EntitlementKind::Role => "role",
        EntitlementKind::License => "licence",
    };
    let message = format!(
        "the entitlement {name} is granted, and the target shows no {kind} {at}, or several: make it there, or correct spec.entitlements of the TargetApplication"
    );
    Problem::new(Reason::ReferenceNotFound, message)
}

/// Whether a membership that others gave is taken: from who ended, and where the declared members are all there are, as
/// far as it is certain that this one is not among them.
fn takes_others(view: &CatalogueView<'_>, wanted: &Wanted, holding: Holding) -> bool {
    let surely_not = match holding {
        Holding::NothingAtAll | Holding::Rehired => return true,
        Holding::Nothing => true,
        Holding::Decided | Holding::NothingNew => wanted.is_refused(),
        Holding::Frozen => false,
    };
    view.exact && view.fresh && surely_not
}

fn give(
    view: &CatalogueView<'_>,
    group: &TargetId,
    wanted: &Wanted,
    record: &mut Record,
    id: &TargetId,
    out: &mut Entitlements,
) {
    let before = record.grants.get(group);
    let policies = rests_on(wanted, before.map(|g| &g.policies));
    let (name, kind, privileged) = (view.entry.name.clone(), view.entry.target.kind, view.entry.privileged);
    let cause: Arc<str> = if before.is_some() { "drift".into() } else { join(&wanted.allow) };
    let grant = Grant { entitlement: name.clone(), kind, policies, privileged };
    let there = match view.held {
        // What is ours and not shown is believed; what is ours and seen missing is given again.
        None => before.is_some(),
        Some(held) => held && (before.is_some() || view.fresh),
    };
    if there {
        if before != Some(&grant) {
            record.grants.insert(group.clone(), grant);
        }
        return;
    }
    let members = vec![id.clone()];
    let step = match kind {
        EntitlementKind::Group => Step::AddMembers { group: group.clone(), members },
        _ => Step::Assign { kind, entitlement: group.clone(), account: id.clone() },
    };
    // What was ours already is only restored: it was counted when it was given.
    let lane = (privileged && before.is_none()).then_some(Lane::PrivilegedGrant);
    let drift = before.iter().map(|_| AttributeName::new(MEMBERSHIP)).collect();
    let (entitlement, denied) = (Some(name), false);
    if let Some(known) = record.grants.get_mut(group) {
        // Whether or not it can be given again now: a policy that grants it no more does not keep it once it is Unknown.
        known.policies.clone_from(&grant.policies);
    }
    let change = Change::Grant(group.clone(), grant);
    out.grants.push(Planned { step, cause, entitlement, lane, privileged, denied, drift, change });
}

/// Whether the entry of a grant is another group at the target by now.
fn is_elsewhere(catalogue: &[CatalogueView<'_>], grant: &Grant) -> bool {
    catalogue.iter().any(|view| view.entry.name == grant.entitlement && view.id.is_some())
}

/// Grants that are ours and that the catalogue does not name any more: taken, unless a policy that still names them
/// cannot be evaluated for that very reason, or the identity is frozen. An entry that names another group by now does not
/// name the one it named before.
fn no_longer_listed(
    wanted_of: &impl Fn(&Name) -> Wanted,
    catalogue: &[CatalogueView<'_>],
    record: &mut Record,
    id: &TargetId,
    holding: Holding,
    lane: Option<Lane>,
) -> Vec<Planned> {
    if holding == Holding::Frozen {
        return Vec::new();
    }
    let keeps = matches!(holding, Holding::Decided | Holding::Rehired | Holding::NothingNew);
    let unlisted = record.grants.iter_mut().filter(|(group, _)| !catalogue.iter().any(|view| view.id == Some(*group)));
    let mut taken = Vec::new();
    for (group, grant) in unlisted {
        let wanted = wanted_of(&grant.entitlement);
        if keeps && !is_elsewhere(catalogue, grant) && fate(&wanted, Some(&grant.policies)) != Fate::Take {
            grant.policies = rests_on(&wanted, Some(&grant.policies));
            continue;
        }
        taken.push(Planned {
            step: take_step(grant.kind, group, id),
            cause: "not in the catalogue".into(),
            entitlement: Some(grant.entitlement.clone()),
            lane,
            privileged: grant.privileged,
            denied: false,
            drift: Vec::new(),
            change: Change::Revoke(group.clone()),
        });
    }
    taken
}

fn revoke(view: &CatalogueView<'_>, group: &TargetId, id: &TargetId, lane: Option<Lane>, cause: Arc<str>) -> Planned {
    Planned {
        step: take_step(view.entry.target.kind, group, id),
        cause,
        entitlement: Some(view.entry.name.clone()),
        lane,
        privileged: false,
        denied: false,
        drift: Vec::new(),
        change: Change::Revoke(group.clone()),
    }
}

fn take_step(kind: EntitlementKind, group: &TargetId, id: &TargetId) -> Step {
    match kind {
        EntitlementKind::Group => Step::RemoveMembers { group: group.clone(), members: vec![id.clone()] },
        _ => Step::Revoke { kind, entitlement: group.clone(), account: id.clone() },
    }
}

fn cause_of_take(wanted: &Wanted, why: &Arc<str>) -> Arc<str> {
    match &wanted.withheld {
        Withheld::Yes(by) if !by.is_empty() => join(by),
        Withheld::Yes(_) => "requires".into(),
        _ => Arc::clone(why),
    }
}

/// Policy names as a cause.
pub(super) fn join(policies: &[Name]) -> Arc<str> {
    policies.iter().map(Name::as_str).collect::<Vec<_>>().join(", ").into()
}
