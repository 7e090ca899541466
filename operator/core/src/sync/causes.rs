//! By what somebody loses something, or is given it, as it is told of a wave that is held: from the decision itself, and
//! from what the ledger says it rested on.

use std::collections::{BTreeMap, BTreeSet};

use super::gather::Gathered;
use super::standing::key;
use super::waves::in_lanes;
use super::{Context, Sync};
use crate::directory::Withheld;
use crate::model::{HeldStep, Lane, Name};
use crate::plan::Planned;

/// So many are told.
const TOLD: usize = 3;

/// What a person would look at.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Cause {
    Gone,
    Suspended,
    Ended,
    NotStarted,
    /// It rested on this policy.
    Rested(Name),
    /// Nothing is known that it rested on: others gave it.
    Ungranted,
    Denied(Name),
    Granted(Name),
    Required,
    Catalogue,
    Deleted,
    Nobodys,
}

/// The causes of a wave, each with whom it concerns.
#[derive(Debug, Default)]
pub(super) struct Causes(BTreeMap<Cause, BTreeSet<Name>>);

impl Causes {
    /// Of one step.
    pub(super) fn take(&mut self, gathered: &Gathered, planned: &Planned) {
        for cause in causes_of(gathered, planned) {
            self.0.entry(cause).or_default().insert(gathered.owner.name.clone());
        }
    }

    /// Of accounts that are told by this name and are nobody's.
    pub(super) fn take_nobodys(&mut self, name: &Name) {
        self.0.entry(Cause::Nobodys).or_default().insert(name.clone());
    }
}

impl Sync {
    /// What of a wave is still wanted, and by what.
    pub(super) fn still_wanted_of(
        &self,
        lane: Lane,
        mut steps: BTreeMap<HeldStep, bool>,
        cx: &Context<'_>,
    ) -> (BTreeMap<HeldStep, bool>, Causes) {
        let names: BTreeSet<&Name> = steps.keys().map(|step| &step.identity).collect();
        let (mut wanted, mut causes) = (BTreeSet::new(), Causes::default());
        let is_one = |of: Lane, step: &HeldStep| of == lane && steps.contains_key(step);
        for name in names {
            for gathered in self.owners_of(name, cx) {
                let verdict = self.plan(&gathered, cx);
                let ours = verdict.steps.iter().filter(|p| p.lane.is_some_and(|of| is_one(of, &key(name, p))));
                ours.for_each(|planned| causes.take(&gathered, planned));
                wanted.extend(in_lanes(name, &verdict).into_keys());
            }
            let mut nobodys = self.orphans_in_lanes(name, cx);
            nobodys.extend(self.excess_in_lanes(name, cx));
            if nobodys.keys().any(|(of, step)| is_one(*of, step)) {
                causes.take_nobodys(name);
            }
            wanted.extend(nobodys.into_keys());
        }
        steps.retain(|step, _| wanted.contains(&(lane, step.clone())));
        (steps, causes)
    }

    /// "; by AccessPolicy staff (generation 2), which gives it to 41 of them": the causes of most of a wave.
    pub(super) fn causes_in_words(&self, causes: &Causes, cx: &Context<'_>) -> String {
        let mut causes: Vec<(&Cause, usize)> = causes.0.iter().map(|(cause, of)| (cause, of.len())).collect();
        causes.sort_by_key(|(_, n)| std::cmp::Reverse(*n));
        let more = causes.len().saturating_sub(TOLD);
        let told: Vec<String> = causes.iter().take(TOLD).map(|(cause, n)| self.cause_in_words(cause, *n, cx)).collect();
        match (told.is_empty(), more) {
            (true, _) => String::new(),
            (false, 0) => format!("; by {}", told.join("; ")),
            (false, more) => format!("; by {}; and {more} more", told.join("; ")),
        }
    }

    fn cause_in_words(&self, cause: &Cause, n: usize, cx: &Context<'_>) -> String {
        let generation = |name: &Name| cx.directory.policy(name).map(|policy| policy.meta.generation);
        let policy = |name: &Name, said: &str| match generation(name) {
            Some(generation) => format!("AccessPolicy {name} (generation {generation}), which {said}"),
            None => format!("AccessPolicy {name}, which is gone"),
        };
        let own = |said: &str| {
            format!("TargetApplication {} (generation {}), {said}", self.application, self.meta.generation)
        };
        let one = n == 1;
        let identities = if one { "1 Identity".to_owned() } else { format!("{n} Identities") };
        let (is, has) = if one { ("is", "has") } else { ("are", "have") };
        match cause {
            Cause::Gone => format!("{identities} that {is} gone"),
            Cause::Suspended => format!("{identities} that {is} suspended"),
            Cause::Ended => format!("{identities} that {has} ended"),
            Cause::NotStarted => format!("{identities} that {has} not started"),
            Cause::Rested(name) => policy(name, &format!("does not give it to {n} of them any more")),
            Cause::Ungranted => format!("{identities} to whom no AccessPolicy gives it"),
            Cause::Denied(name) => policy(name, &format!("denies it to {n} of them")),
            Cause::Granted(name) => policy(name, &format!("gives it to {n} of them")),
            Cause::Required => own(&format!("by whose `requires` {n} of them may not have it")),
            Cause::Catalogue => own("which has not got it"),
            Cause::Deleted => own("which is being deleted"),
            Cause::Nobodys => "accounts that are nobody's".to_owned(),
        }
    }
}

/// By what one step is to be done.
fn causes_of(gathered: &Gathered, planned: &Planned) -> Vec<Cause> {
    let named = |of: fn(Name) -> Cause| planned.cause.split(", ").map(|name| of(Name::from(name))).collect();
    // These causes are names of policies, whatever those are called. Of an account the decision has the names.
    if planned.entitlement.is_some() && planned.denied {
        return named(Cause::Denied);
    }
    if planned.lane == Some(Lane::PrivilegedGrant) {
        return named(Cause::Granted);
    }
    match &*planned.cause {
        "identity deleted" => vec![Cause::Gone],
        "suspended" => vec![Cause::Suspended],
        "ended" => vec![Cause::Ended],
        "not started" => vec![Cause::NotStarted],
        "requires" => vec![Cause::Required],
        "not in the catalogue" => vec![Cause::Catalogue],
        "application deleted" => vec![Cause::Deleted],
        _ => match &gathered.decision.account.withheld {
            Withheld::Yes(by) if planned.denied => by.iter().cloned().map(Cause::Denied).collect(),
            _ => rested(gathered, planned),
        },
    }
}

/// What that rested on which no policy gives any more.
fn rested(gathered: &Gathered, planned: &Planned) -> Vec<Cause> {
    let Some(record) = &gathered.record else { return vec![Cause::Ungranted] };
    let policies = match &planned.entitlement {
        Some(entitlement) => {
            record.grants.values().find(|grant| grant.entitlement == *entitlement).map(|grant| &grant.policies)
        }
        None => Some(&record.policies),
    };
    let rested: Vec<Cause> = policies.into_iter().flatten().cloned().map(Cause::Rested).collect();
    if rested.is_empty() { vec![Cause::Ungranted] } else { rested }
}
