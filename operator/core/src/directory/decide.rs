//! One identity and one application: what the policies that match give and withhold.

use std::collections::BTreeMap;
use std::time::Duration;

use super::Directory;
use super::application::ApplicationSpec;
use super::decision::{Decision, Standing, Wanted, Withheld};
use super::entry::{IdentityEntry, PolicyEntry};
use super::table::PolicyId;
use super::time::before;
use super::truth::Truth;
use crate::model::{AccessPolicy, Effect, GrantWhat, Name, PolicyMode, State};

/// One policy and what it says of the application.
pub(crate) struct Concerning<'a> {
    pub name: &'a Name,
    pub effect: Effect,
    pub lead_time: Option<Duration>,
    pub what: &'a GrantWhat,
    pub truth: Truth,
}

impl Directory {
    /// Who should have what, as of [`Directory::now`]. An ended identity, and one that cannot be read, is decided by
    /// how it stands alone.
    ///
    /// Guarantees: a grant that names a TargetApplication or an entitlement that is not there is Unknown, and never
    /// sure; what `plan` keeps by it is what the ledger says rests on that policy.
    pub fn decision(&self, owner: &Name, application: &Name) -> Decision {
        let Some(entry) = self.entry(owner) else { return Decision::default() };
        let concerning = self.concerning(entry, application);
        let standing = self.standing(entry, &concerning);
        let mut decision = Decision { owner: Some(standing), ..Decision::default() };
        let known = self.application_spec(application);
        for one in &concerning {
            match one.effect {
                Effect::Allow => allow(&mut decision, one, known),
                Effect::Deny => deny(&mut decision, one, known),
            }
        }
        self.withhold_by_requires(owner, application, &mut decision);
        sort(&mut decision);
        decision
    }

    /// Withholds, of the entitlements that are decided, those whose `requires` is not met.
    pub(crate) fn withhold_by_requires(&self, owner: &Name, application: &Name, decision: &mut Decision) {
        let (Some(entry), Some(spec)) = (self.entry(owner), self.application_spec(application)) else { return };
        let Ok(identity) = &entry.spec else { return };
        for (name, wanted) in &mut decision.entitlements {
            let Some(rule) = spec.catalogue.get(name).and_then(Option::as_ref) else { continue };
            match self.with_facts(entry, identity, None, |facts| rule.holds(facts)) {
                Truth::Yes => {}
                Truth::Unknown => withhold(&mut wanted.withheld, Truth::Unknown, None),
                Truth::No => withhold(&mut wanted.withheld, Truth::Yes, None),
            }
        }
    }

    pub(crate) fn entry(&self, identity: &Name) -> Option<&IdentityEntry> {
        self.identities.get(self.identities.id(identity.as_str())?)
    }

    pub(crate) fn application_spec(&self, application: &Name) -> Option<&ApplicationSpec> {
        self.applications.get(application)?.spec.as_deref().ok()
    }

    /// The enforced policies that match, or may, and speak of the application, valid or not.
    fn concerning(&self, entry: &IdentityEntry, application: &Name) -> Vec<Concerning<'_>> {
        let sure = entry.policies.sure().iter().map(|id| (*id, Truth::Yes));
        let unknown = entry.policies.unknown().iter().map(|id| (*id, Truth::Unknown));
        let one = |(id, truth)| {
            let PolicyEntry { spec: Ok(spec), meta, .. } = self.policies.get(id)? else { return None };
            let grant = spec.policy.grants.iter().find(|grant| grant.application == *application)?;
            let AccessPolicy { effect, lead_time, mode, .. } = spec.policy;
            let concerning = Concerning { name: &meta.name, effect, lead_time, what: &grant.what, truth };
            (mode == PolicyMode::Enforce).then_some(concerning)
        };
        // Of a policy that cannot be read nobody knows whom it matches.
        let unreadable = |id: &PolicyId| {
            let PolicyEntry { spec: Err(invalid), meta, .. } = self.policies.get(*id)? else { return None };
            let what = invalid.withholds.within(application)?;
            let (name, effect) = (&meta.name, Effect::Deny);
            Some(Concerning { name, effect, lead_time: None, what, truth: Truth::Unknown })
        };
        let all = self.policies_of.get(application).into_iter().flatten().chain(&self.illegible);
        let all = all.filter(|_| entry.evaluable().is_some());
        let mut concerning: Vec<Concerning<'_>> =
            sure.chain(unknown).filter_map(one).chain(all.filter_map(unreadable)).collect();
        // What withholds everything comes last: it withholds whatever the others name.
        concerning.sort_by_key(|one| (one.effect == Effect::Deny, !matches!(one.what, GrantWhat::Named(_))));
        concerning
    }

    fn standing(&self, entry: &IdentityEntry, concerning: &[Concerning<'_>]) -> Standing {
        let lifecycle = entry.lifecycle().copied().unwrap_or_default();
        let leads = |one: &Concerning<'_>| {
            let sure = one.truth == Truth::Yes && one.effect == Effect::Allow;
            let from = lifecycle.start.zip(one.lead_time).and_then(|(start, lead)| before(start, lead));
            sure && from.is_some_and(|from| from <= self.now)
        };
        Standing {
            state: entry.state,
            explicit: matches!(entry.state, State::Suspended | State::Ended),
            frozen: entry.frozen(),
            lead: entry.state == State::Pending && concerning.iter().any(leads),
        }
    }
}

fn allow(decision: &mut Decision, one: &Concerning<'_>, known: Option<&ApplicationSpec>) {
    let give = |wanted: &mut Wanted, truth: Truth| match truth {
        Truth::Yes => wanted.allow.push(one.name.clone()),
        _ => wanted.unknown.push(one.name.clone()),
    };
    give(&mut decision.account, if known.is_some() { one.truth } else { Truth::Unknown });
    if let GrantWhat::Named(entitlements) = one.what {
        for entitlement in entitlements {
            let there = known.is_some_and(|spec| spec.catalogue.contains_key(entitlement));
            let wanted = decision.entitlements.entry(entitlement.clone()).or_default();
            give(wanted, if there { one.truth } else { Truth::Unknown });
        }
    }
}

fn deny(decision: &mut Decision, one: &Concerning<'_>, known: Option<&ApplicationSpec>) {
    let truth = if known.is_some() { one.truth } else { Truth::Unknown };
    let every = |entitlements: &mut BTreeMap<Name, Wanted>| {
        for entitlement in known.iter().flat_map(|spec| spec.catalogue.keys()) {
            entitlements.entry(entitlement.clone()).or_default();
        }
        for wanted in entitlements.values_mut() {
            withhold(&mut wanted.withheld, truth, Some(one.name));
        }
    };
    match one.what {
        GrantWhat::Account => {
            withhold(&mut decision.account.withheld, truth, Some(one.name));
            every(&mut decision.entitlements);
        }
        GrantWhat::EveryEntitlement => every(&mut decision.entitlements),
        GrantWhat::Named(entitlements) => {
            for entitlement in entitlements {
                let there = known.is_some_and(|spec| spec.catalogue.contains_key(entitlement));
                let wanted = decision.entitlements.entry(entitlement.clone()).or_default();
                withhold(&mut wanted.withheld, if there { truth } else { Truth::Unknown }, Some(one.name));
            }
        }
    }
}

/// What is withheld for sure outweighs what may be.
fn withhold(withheld: &mut Withheld, truth: Truth, by: Option<&Name>) {
    match (truth, &mut *withheld) {
        (Truth::No, _) | (Truth::Unknown, Withheld::Unknown | Withheld::Yes(_)) => {}
        (Truth::Unknown, Withheld::No) => *withheld = Withheld::Unknown,
        (Truth::Yes, Withheld::Yes(names)) => names.extend(by.cloned()),
        (Truth::Yes, Withheld::No | Withheld::Unknown) => *withheld = Withheld::Yes(by.cloned().into_iter().collect()),
    }
}

fn sort(decision: &mut Decision) {
    for wanted in std::iter::once(&mut decision.account).chain(decision.entitlements.values_mut()) {
        wanted.allow.sort_unstable();
        wanted.unknown.sort_unstable();
        if let Withheld::Yes(names) = &mut wanted.withheld {
            names.sort_unstable();
        }
    }
}
