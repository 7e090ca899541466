//! Who should have what: policies, one by one.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use provost_core::model::{
    AccessPolicy, Effect, GrantSpec, GrantWhat, Identity, Name, PolicyMode, State, Subject, TargetApplication,
};

use super::declared::Declared;
use super::members::Memberships;
use super::rule::Truth;

/// What the policies say of one identity in one application.
pub struct Decision<'a> {
    declared: &'a Declared,
    identity: &'a Identity,
    state: State,
    groups: Memberships,
    application: &'a Name,
    settings: &'a TargetApplication,
    /// The policies that say something of this application, with what they are worth and what they name.
    allows: BTreeMap<Name, (Truth, Option<GrantWhat>)>,
    denies: Vec<(Truth, GrantWhat)>,
    at: Timestamp,
}

/// What becomes of an account, or of an entitlement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Is to be there, and rests on these policies.
    Granted(BTreeSet<Name>),
    /// Stays because what it rests on, or what may withhold it, is Unknown.
    Kept(BTreeSet<Name>),
    /// Is not ours, and is left alone because something is Unknown: neither given nor taken.
    LeftAlone,
    /// Is not to be there.
    Taken,
}

impl<'a> Decision<'a> {
    pub fn new(
        declared: &'a Declared,
        name: &'a Name,
        identity: &'a Identity,
        application: &'a Name,
        settings: &'a TargetApplication,
        at: Timestamp,
    ) -> Self {
        let state = identity.lifecycle.state(at);
        let groups = Memberships::new(declared, name, state, at);
        let (allows, denies) = (BTreeMap::new(), Vec::new());
        let mut decision = Self { declared, identity, state, groups, application, settings, allows, denies, at };
        for (policy, manifest) in &declared.policies {
            match &manifest.spec {
                Ok(spec) => decision.weigh(name, policy, spec),
                Err(invalid) => {
                    // What rests on it is kept, whatever it was; what it withholds is withheld from those who lack it.
                    decision.allows.insert(policy.clone(), (Truth::Unknown, None));
                    let withheld = invalid.withholds.within(application).cloned();
                    decision.denies.extend(withheld.map(|what| (Truth::Unknown, what)));
                }
            }
        }
        decision
    }

    fn weigh(&mut self, name: &Name, policy: &Name, spec: &AccessPolicy) {
        let here = |grant: &&GrantSpec| grant.application == *self.application;
        let Some(what) = spec.grants.iter().find(here).map(|grant| grant.what.clone()) else { return };
        let open = spec.not_before.is_none_or(|t| t <= self.at) && spec.not_after.is_none_or(|t| self.at < t);
        if spec.mode == PolicyMode::Audit || !open {
            return;
        }
        let subjects = spec.subjects.as_ref().map_or(Truth::True, |subjects| {
            let each = subjects.iter().map(|subject| match subject {
                Subject::Identity(who) => Truth::from(who == name),
                Subject::Group(group) => self.groups.of(self.declared, group),
            });
            each.max().unwrap_or(Truth::False)
        });
        let truth = subjects.min(self.rule(spec.rule.as_ref()));
        match spec.effect {
            Effect::Allow => _ = self.allows.insert(policy.clone(), (truth, Some(what))),
            Effect::Deny => self.denies.push((truth, what)),
        }
    }

    fn rule(&self, rule: Option<&provost_core::model::Source>) -> Truth {
        self.declared.truth(rule, self.identity, self.state, &|group| self.groups.of(self.declared, group))
    }

    /// Whether the account is withheld; a Deny that names no entitlement withholds it.
    fn withheld(&self) -> Truth {
        let of_account = self.denies.iter().filter(|(_, what)| *what == GrantWhat::Account);
        of_account.map(|(truth, _)| *truth).max().unwrap_or(Truth::False)
    }

    /// The account. `rests`: it is ours, in use, and the ledger says that it rests on these.
    pub fn account(&self, rests: Option<&BTreeSet<Name>>) -> Verdict {
        verdict(self.allows.iter().map(|(name, (truth, _))| (name, *truth)), self.withheld(), rests)
    }

    /// An entitlement. `rests`: it is ours, and the ledger says that it rests on these.
    pub fn entitlement(&self, entitlement: &Name, rests: Option<&BTreeSet<Name>>) -> Verdict {
        let names = |what: &GrantWhat| matches!(what, GrantWhat::Named(all) if all.contains(entitlement));
        let entry = self.settings.entitlements.iter().find(|entry| entry.name == *entitlement);
        // What names something that the catalogue does not have is Unknown, an Allow or a Deny.
        let at_most = if entry.is_none() { Truth::Unknown } else { Truth::True };
        let denied = self.denies.iter().filter_map(|(truth, what)| match what {
            GrantWhat::EveryEntitlement => Some(*truth),
            what => names(what).then_some((*truth).min(at_most)),
        });
        let denied = denied.max().unwrap_or(Truth::False);
        let lacking = entry.map_or(Truth::False, |entry| self.rule(entry.requires.as_ref()).not());
        let allows = self.allows.iter().filter_map(|(name, (truth, what))| match what {
            Some(what) => names(what).then_some((name, (*truth).min(at_most))),
            None => Some((name, *truth)),
        });
        verdict(allows, denied.max(self.withheld()).max(lacking), rests)
    }

    /// Whether a policy that matches has the account made before the start, and that time has come.
    pub fn is_prepared(&self) -> bool {
        let Some(start) = self.identity.lifecycle.start else { return false };
        let matching = self.allows.iter().filter(|(_, (truth, _))| *truth == Truth::True);
        let specs = matching.filter_map(|(name, _)| self.declared.policies.get(name)?.spec.as_ref().ok());
        let mut leads = specs.filter_map(|spec| spec.lead_time);
        leads.any(|lead| start.checked_sub(lead).is_ok_and(|since| since <= self.at))
    }
}

fn verdict<'a>(
    allows: impl Iterator<Item = (&'a Name, Truth)>,
    withheld: Truth,
    rests: Option<&BTreeSet<Name>>,
) -> Verdict {
    let (mut granting, mut unknown) = (BTreeSet::new(), BTreeSet::new());
    for (name, truth) in allows {
        match truth {
            Truth::True => _ = granting.insert(name.clone()),
            Truth::Unknown => _ = unknown.insert(name.clone()),
            Truth::False => {}
        }
    }
    let recorded = rests.into_iter().flatten().filter(|name| unknown.contains(*name)).cloned();
    let rests_on: BTreeSet<Name> = granting.iter().cloned().chain(recorded).collect();
    match (withheld, rests) {
        (Truth::True, _) => Verdict::Taken,
        (Truth::False, _) if !granting.is_empty() => Verdict::Granted(rests_on),
        (_, Some(_)) if !rests_on.is_empty() => Verdict::Kept(rests_on),
        (_, None) if !granting.is_empty() || !unknown.is_empty() => Verdict::LeftAlone,
        _ => Verdict::Taken,
    }
}
