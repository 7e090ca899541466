use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::cause::cause;
use super::desired::{Desired, DesiredApplication, Undecided, plan};
use super::later::{Later, later};
use crate::directory::Directory;
use crate::model::{Name, ObjectKind, ObjectRef, State};

/// Who gains and who loses what between two versions of the manifests, at one time. A right that cannot be told in the
/// new version is kept, and is no loss; a suspended identity keeps what it has and is given nothing new.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Difference {
    /// Totals by application; those without a difference are left out.
    pub applications: BTreeMap<Name, Totals>,
    /// The same by right and cause, sorted.
    pub changes: Vec<RightChange>,
    /// What time alone will change in the new version and would not in the old one; see [`Difference::foresee`].
    pub later: Vec<Later>,
    /// What it would have changed in the old version and will not in the new one, but for rights that change now.
    pub no_longer: Vec<Later>,
    /// Applications whose manifest is invalid in the new version: what they give is not known, and nothing of it is lost.
    pub invalid: Vec<Name>,
    /// Those whose manifest was invalid in the old version and is not in the new one: what they gave is not known.
    pub invalid_before: Vec<Name>,
    /// Rights that cannot be told in the new version and could be in the old one, sorted: what there is is kept.
    pub unknown: Vec<BecameUnknown>,
    /// How many objects of each kind are the same in both.
    pub unchanged: Unchanged,
}

/// Some identities of whom one right cannot be told any more, for one reason.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BecameUnknown {
    /// The application.
    pub application: Name,
    /// The entitlement; `None`: the account.
    pub entitlement: Option<Name>,
    /// Why.
    pub why: String,
    /// Who, sorted.
    pub identities: Vec<Name>,
}

/// How many objects of each kind are the same in both versions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Unchanged {
    /// Identities.
    pub identities: usize,
    /// Groups.
    pub groups: usize,
    /// AccessPolicies.
    pub policies: usize,
    /// TargetApplications.
    pub applications: usize,
}

/// How many gain and lose in one application.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Totals {
    /// Accounts.
    pub accounts: Total,
    /// By entitlement; those without a difference are left out.
    pub entitlements: BTreeMap<Name, Total>,
}

/// How many gain and lose one right.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Total {
    /// Gain it.
    pub gained: usize,
    /// Lose it.
    pub lost: usize,
    /// Keep the account, which is enabled or disabled now.
    pub switched: usize,
    /// It is privileged.
    pub privileged: bool,
}

/// What happens to a right.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum Turn {
    /// It is given.
    Gained,
    /// It is taken.
    Lost,
    /// The account stays and is disabled.
    Disabled,
    /// The account stays and is enabled.
    Enabled,
}

/// Some identities who gain or lose one right by one cause.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RightChange {
    /// The application.
    pub application: Name,
    /// The entitlement; `None`: the account.
    pub entitlement: Option<Name>,
    /// Given or taken.
    pub turn: Turn,
    /// The changed object and what changed; empty where it cannot be told.
    pub cause: String,
    /// The entitlement is privileged.
    pub privileged: bool,
    /// Who, sorted.
    pub identities: Vec<Name>,
}

/// Who gains and who loses what from one version to another.
pub fn diff(old: &Directory, new: &Directory) -> Difference {
    let (before, after) = (plan(old), plan(new));
    let mut grouped: BTreeMap<(Name, Option<Name>, Turn, String), BTreeSet<Name>> = BTreeMap::new();
    let mut difference = Difference { unchanged: unchanged(old, new), ..Difference::default() };
    difference.invalid.clone_from(&after.invalid);
    difference.invalid_before = before.invalid.iter().filter(|name| !after.invalid.contains(name)).cloned().collect();
    let names = before.applications.keys().chain(after.applications.keys());
    let names: BTreeSet<&Name> = names.filter(|name| !after.invalid.contains(name)).collect();
    let none = DesiredApplication::default();
    for application in names {
        let mut totals = Totals::default();
        let was = before.applications.get(application).unwrap_or(&none);
        for (identity, entitlement, turn) in turns(was, after.applications.get(application).unwrap_or(&none)) {
            if given_nothing(new, &identity, turn) {
                continue;
            }
            let why = cause(old, new, &identity, application, entitlement.as_ref(), turn);
            let privileged = entitlement.as_ref().is_some_and(|name| privileged(&before, &after, application, name));
            let total = match &entitlement {
                None => &mut totals.accounts,
                Some(name) => totals.entitlements.entry(name.clone()).or_default(),
            };
            total.privileged = privileged;
            match turn {
                Turn::Gained => total.gained += 1,
                Turn::Lost => total.lost += 1,
                Turn::Disabled | Turn::Enabled => total.switched += 1,
            }
            grouped.entry((application.clone(), entitlement, turn, why)).or_default().insert(identity);
        }
        if totals != Totals::default() {
            difference.applications.insert(application.clone(), totals);
        }
    }
    let line = |((application, entitlement, turn, cause), identities): ((Name, Option<Name>, Turn, String), _)| {
        let privileged = entitlement.as_ref().is_some_and(|name| privileged(&before, &after, &application, name));
        let identities = BTreeSet::into_iter(identities).collect();
        RightChange { application, entitlement, turn, cause, privileged, identities }
    };
    difference.changes = grouped.into_iter().map(line).collect();
    difference.unknown = unknown(new, &before, &after);
    difference
}

/// What could be told before, or was nobody's, and cannot now. Somebody suspended who did not have it is given nothing.
fn unknown(new: &Directory, before: &Desired, after: &Desired) -> Vec<BecameUnknown> {
    let mut grouped: BTreeMap<(&Name, Option<&Name>, &str), BTreeSet<&Name>> = BTreeMap::new();
    for (application, is) in &after.applications {
        let was = before.applications.get(application);
        let had = |right: &Undecided| was.is_some_and(|was| was.has(&right.identity, right.entitlement.as_ref()));
        let undecided = was.into_iter().flat_map(|was| &was.undecided);
        let undecided: BTreeSet<_> = undecided.map(|right| (&right.identity, &right.entitlement)).collect();
        for right in is.undecided.iter().filter(|right| !undecided.contains(&(&right.identity, &right.entitlement))) {
            if given_nothing(new, &right.identity, Turn::Gained) && !had(right) {
                continue;
            }
            let of = (application, right.entitlement.as_ref(), right.why.as_str());
            grouped.entry(of).or_default().insert(&right.identity);
        }
    }
    let line = |((application, entitlement, why), identities): ((&Name, Option<&Name>, &str), BTreeSet<&Name>)| {
        BecameUnknown {
            application: application.clone(),
            entitlement: entitlement.cloned(),
            why: why.to_owned(),
            identities: identities.into_iter().cloned().collect(),
        }
    };
    grouped.into_iter().map(line).collect()
}

impl Difference {
    /// Adds what differs in what time alone will change. Both directories are back at their time when this returns.
    pub fn foresee(&mut self, old: &mut Directory, new: &mut Directory) {
        let (was, is) = (later(old, None), later(new, None));
        let key = |one: &Later| {
            (one.at, one.application.clone(), one.entitlement.clone(), one.turn, one.identity.clone(), one.enabled)
        };
        let (before, after): (BTreeSet<_>, BTreeSet<_>) = (was.iter().map(key).collect(), is.iter().map(key).collect());
        // Of what is given or taken now, that alone is told.
        let now = |one: &Later| {
            let same = |change: &RightChange| {
                change.application == one.application
                    && change.entitlement == one.entitlement
                    && change.identities.binary_search(&one.identity).is_ok()
            };
            self.changes.iter().any(same)
        };
        let known = |one: &Later| !self.invalid.contains(&one.application);
        self.no_longer = was.into_iter().filter(|one| !after.contains(&key(one)) && !now(one) && known(one)).collect();
        self.later = is.into_iter().filter(|one| !before.contains(&key(one))).collect();
    }

    /// It is known that nobody gains or loses anything, now or later.
    pub fn is_empty(&self) -> bool {
        self.is_known() && self.changes.is_empty() && self.later.is_empty() && self.no_longer.is_empty()
    }

    /// Every application could be read, in both versions, and no right became one that cannot be told.
    pub fn is_known(&self) -> bool {
        self.invalid.is_empty() && self.invalid_before.is_empty() && self.unknown.is_empty()
    }
}

/// Whether it is given to somebody suspended, who keeps what there is and is given nothing new.
pub(super) fn given_nothing(directory: &Directory, identity: &Name, turn: Turn) -> bool {
    turn == Turn::Gained && directory.identity(identity).is_some_and(|view| view.state == State::Suspended)
}

/// What differs between two versions of one application.
pub(super) fn turns(old: &DesiredApplication, new: &DesiredApplication) -> Vec<(Name, Option<Name>, Turn)> {
    let kept: BTreeSet<(&Name, Option<&Name>)> =
        new.undecided.iter().map(|right| (&right.identity, right.entitlement.as_ref())).collect();
    let mut turns = Vec::new();
    for (identity, account) in &new.accounts {
        let turn = match old.accounts.get(identity) {
            None => Turn::Gained,
            Some(was) if was.enabled && !account.enabled => Turn::Disabled,
            Some(was) if !was.enabled && account.enabled => Turn::Enabled,
            Some(_) => continue,
        };
        turns.push((identity.clone(), None, turn));
    }
    let lost = old.accounts.keys().filter(|i| !new.accounts.contains_key(*i) && !kept.contains(&(*i, None)));
    turns.extend(lost.map(|identity| (identity.clone(), None, Turn::Lost)));
    let entitlements: BTreeSet<&Name> = old.entitlements.keys().chain(new.entitlements.keys()).collect();
    for name in entitlements {
        let of = |side: &DesiredApplication| -> BTreeSet<Name> {
            side.entitlements.get(name).into_iter().flat_map(|entry| entry.holders.keys().cloned()).collect()
        };
        for who in of(new).into_iter().filter(|who| !old.has(who, Some(name))) {
            turns.push((who, Some(name.clone()), Turn::Gained));
        }
        for who in of(old).into_iter().filter(|who| !new.has(who, Some(name))) {
            if !kept.contains(&(&who, Some(name))) {
                turns.push((who.clone(), Some(name.clone()), Turn::Lost));
            }
        }
    }
    turns
}

fn privileged(before: &Desired, after: &Desired, application: &Name, entitlement: &Name) -> bool {
    let is = |side: &Desired| {
        side.applications.get(application).and_then(|a| a.entitlements.get(entitlement)).is_some_and(|e| e.privileged)
    };
    is(after) || is(before)
}

fn unchanged(old: &Directory, new: &Directory) -> Unchanged {
    let mut counts = Unchanged::default();
    for object in new.objects().filter(|object| same(old, new, object)) {
        *match object.kind {
            ObjectKind::Identity => &mut counts.identities,
            ObjectKind::Group => &mut counts.groups,
            ObjectKind::AccessPolicy => &mut counts.policies,
            ObjectKind::TargetApplication => &mut counts.applications,
        } += 1;
    }
    counts
}

/// Whether an object says the same in both.
fn same(old: &Directory, new: &Directory, object: &ObjectRef) -> bool {
    let name = &object.name;
    match object.kind {
        ObjectKind::Identity => {
            old.identity(name).is_some_and(|was| new.identity(name).is_some_and(|is| was.spec == is.spec))
        }
        ObjectKind::Group => {
            let (was, is) = (old.group_manifest(name), new.group_manifest(name));
            was.is_some() && was == is
        }
        ObjectKind::AccessPolicy => {
            old.policy(name).is_some_and(|was| new.policy(name).is_some_and(|is| was.spec == is.spec))
        }
        ObjectKind::TargetApplication => {
            old.application(name).is_some_and(|was| new.application(name).is_some_and(|is| was.spec == is.spec))
        }
    }
}
