//! By what somebody loses something, or is given it, as it is told of a wave that is held: from the decision itself, and
//! from what the ledger says it rested on.

use std::collections::{BTreeMap, BTreeSet};

use super::gather::Gathered;
use super::standing::key;
use super::{Context, Sync};
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
    /// It rested on this policy.
    Rested(Name),
    Denied(Name),
    Granted(Name),
    Catalogue,
}

impl Sync {
    /// "; by AccessPolicy staff (generation 2), which gives it to 41 of them no more": the causes of most of a wave.
    pub(super) fn causes_of(&self, lane: Lane, wave: &BTreeMap<HeldStep, bool>, cx: &Context<'_>) -> String {
        let mut causes: BTreeMap<Cause, BTreeSet<&Name>> = BTreeMap::new();
        for name in wave.keys().map(|step| &step.identity).collect::<BTreeSet<_>>() {
            for gathered in self.owners_of(name, cx) {
                let steps = self.plan(&gathered, cx).steps;
                let held = steps.iter().filter(|p| p.lane == Some(lane) && wave.contains_key(&key(name, p)));
                for cause in held.flat_map(|planned| causes_of(&gathered, planned)) {
                    causes.entry(cause).or_default().insert(name);
                }
            }
        }
        let mut causes: Vec<(Cause, usize)> = causes.into_iter().map(|(cause, of)| (cause, of.len())).collect();
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
        let identities = if n == 1 { "1 Identity that".to_owned() } else { format!("{n} Identities that") };
        let (is, has) = if n == 1 { ("is", "has") } else { ("are", "have") };
        match cause {
            Cause::Gone => format!("{identities} {is} gone"),
            Cause::Suspended => format!("{identities} {is} suspended"),
            Cause::Ended => format!("{identities} {has} ended"),
            Cause::Rested(name) => policy(name, &format!("does not give it to {n} of them any more")),
            Cause::Denied(name) => policy(name, &format!("denies it to {n} of them")),
            Cause::Granted(name) => policy(name, &format!("gives it to {n} of them")),
            Cause::Catalogue => {
                format!(
                    "TargetApplication {} (generation {}), which has not got it",
                    self.application, self.meta.generation
                )
            }
        }
    }
}

/// By what one step is to be done.
fn causes_of(gathered: &Gathered, planned: &Planned) -> Vec<Cause> {
    let named = |of: fn(Name) -> Cause| planned.cause.split(", ").map(|name| of(Name::from(name))).collect();
    let record = gathered.record.as_ref();
    match &*planned.cause {
        "drift" | "requires" => Vec::new(),
        _ if planned.denied => named(Cause::Denied),
        _ if planned.lane == Some(Lane::PrivilegedGrant) => named(Cause::Granted),
        "identity deleted" => vec![Cause::Gone],
        "suspended" => vec![Cause::Suspended],
        "ended" => vec![Cause::Ended],
        "not in the catalogue" => vec![Cause::Catalogue],
        "no access any more" | "no policy grants it any more" => {
            let mut grants = record.into_iter().flat_map(|record| record.grants.values());
            let grant = grants.find(|grant| Some(&grant.entitlement) == planned.entitlement.as_ref());
            let account = record.map(|record| &record.policies).filter(|_| planned.entitlement.is_none());
            let rested = grant.map(|grant| &grant.policies).or(account);
            rested.into_iter().flatten().cloned().map(Cause::Rested).collect()
        }
        _ => Vec::new(),
    }
}
