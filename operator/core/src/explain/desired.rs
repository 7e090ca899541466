use std::collections::BTreeMap;

use serde::Serialize;

use super::later::Later;
use super::text::STAYS;
use super::why::{Verdict, denied_at_rest, verdict, withheld};
use crate::directory::{Decision, Directory, Standing, Wanted};
use crate::model::Name;

/// Who would have what by these manifests, as of the directory's time, in targets that have nothing yet.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Desired {
    /// By application; those with an invalid manifest are left out.
    pub applications: BTreeMap<Name, DesiredApplication>,
    /// Applications with an invalid manifest: what they give is not known.
    pub invalid: Vec<Name>,
    /// What time alone will change of it, in the order of time; see [`later`](super::later()).
    pub later: Vec<Later>,
}

/// Who would have what in one application.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DesiredApplication {
    /// Accounts by identity.
    pub accounts: BTreeMap<Name, DesiredAccount>,
    /// The catalogue, each with who would hold it and by which policies.
    pub entitlements: BTreeMap<Name, DesiredEntitlement>,
    /// What cannot be told.
    pub undecided: Vec<Undecided>,
}

/// One account.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DesiredAccount {
    /// Usable; false for a suspended identity, or one within its lead time.
    pub enabled: bool,
    /// What it rests on.
    pub policies: Vec<Name>,
}

/// One entry of a catalogue.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DesiredEntitlement {
    /// Needs the privileged-grants budget.
    pub privileged: bool,
    /// Who, and by which policies.
    pub holders: BTreeMap<Name, Vec<Name>>,
}

/// A right that would be kept as it is: given to nobody, taken from nobody.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Undecided {
    /// Whose.
    pub identity: Name,
    /// Which; `None`: the account.
    pub entitlement: Option<Name>,
    /// Why.
    pub why: String,
}

/// Who would have what; what time alone will change is left out.
pub fn plan(directory: &Directory) -> Desired {
    planned(directory, None)
}

/// The same of one identity, or of all.
pub(super) fn planned(directory: &Directory, whose: Option<&Name>) -> Desired {
    let mut desired = Desired::default();
    for view in directory.applications() {
        let Ok(spec) = view.spec else {
            desired.invalid.push(view.meta.name.clone());
            continue;
        };
        let mut application = DesiredApplication::default();
        for entitlement in &spec.entitlements {
            let entry = DesiredEntitlement { privileged: entitlement.privileged, ..DesiredEntitlement::default() };
            application.entitlements.insert(entitlement.name.clone(), entry);
        }
        let owners = whose.map_or_else(|| directory.owners(&view.meta.name), |whose| vec![whose.clone()]);
        for owner in owners {
            let decision = directory.decision(&owner, &view.meta.name);
            application.take(&owner, decision);
        }
        desired.applications.insert(view.meta.name.clone(), application);
    }
    desired
}

impl DesiredApplication {
    pub(super) fn take(&mut self, identity: &Name, decision: Decision) {
        let Some(owner) = decision.owner else { return };
        if let Some(verdict) = self.settled(identity, None, &decision.account, owner) {
            let enabled = verdict == Verdict::Has;
            self.accounts.insert(identity.clone(), DesiredAccount { enabled, policies: decision.account.allow });
        }
        for (name, wanted) in decision.entitlements {
            if self.settled(identity, Some(&name), &wanted, owner).is_some()
                && let Some(entry) = self.entitlements.get_mut(&name)
            {
                entry.holders.insert(identity.clone(), wanted.allow);
            }
        }
    }

    /// Whether somebody has the account (no entitlement), or an entitlement.
    pub(super) fn has(&self, identity: &Name, entitlement: Option<&Name>) -> bool {
        match entitlement {
            None => self.accounts.contains_key(identity),
            Some(name) => self.entitlements.get(name).is_some_and(|entry| entry.holders.contains_key(identity)),
        }
    }

    /// The verdict, if it is one that gives the right; what cannot be told is noted.
    fn settled(&mut self, identity: &Name, name: Option<&Name>, wanted: &Wanted, owner: Standing) -> Option<Verdict> {
        let verdict = verdict(wanted, owner.state, owner.lead, name.is_none());
        let why = match (owner.frozen, verdict) {
            (_, Verdict::Not | Verdict::NotYet) => return None,
            (Some(reason), _) => format!("the identity is frozen: {}", reason.as_str()),
            (None, Verdict::Unknown) if denied_at_rest(wanted, owner.state, name.is_none()) => {
                format!("suspended, and {}: {STAYS}", withheld(wanted).unwrap_or_default())
            }
            (None, Verdict::Unknown) => withheld(wanted).unwrap_or_else(|| {
                let names: Vec<&str> = wanted.unknown.iter().map(Name::as_str).collect();
                let kind = if names.len() == 1 { "AccessPolicy" } else { "AccessPolicies" };
                format!("{kind} {} cannot be told", names.join(", "))
            }),
            (None, verdict) => return Some(verdict),
        };
        self.undecided.push(Undecided { identity: identity.clone(), entitlement: name.cloned(), why });
        None
    }
}
