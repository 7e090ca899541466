//! What should be there, read off the declared state as simply as can be.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use provost_core::model::{Name, State};

use super::world::{ENTITLEMENTS, PUSHED, Person, Rule, World};

/// How sure something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Sure {
    No,
    Maybe,
    Yes,
}

/// What one person should have in one application.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    pub state: State,
    pub account: Sure,
    pub entitlements: BTreeSet<&'static str>,
    /// What rules name and the catalogue does not list: kept if it rests on one of them, and given to nobody.
    pub frozen: BTreeMap<&'static str, BTreeSet<Name>>,
    /// Not started, and the account is to be there, disabled.
    pub prepared: bool,
}

fn in_team(world: &World, name: &Name, person: &Person, team: &str) -> bool {
    world.teams.get(team).is_some_and(|team| team.members.contains(name) || team.department == Some(person.department))
}

fn matches(world: &World, name: &Name, person: &Person, rule: &Rule) -> bool {
    rule.team.as_ref().is_none_or(|team| in_team(world, name, person, team.as_str()))
        && rule.department.is_none_or(|d| d == person.department)
}

/// What this person should have in this application; `None`: there is no such person.
pub fn wanted(world: &World, name: &Name, app: &str, now: Timestamp) -> Option<Wanted> {
    let person = world.people.get(name)?;
    let state = person.lifecycle.state(now);
    let declared = world.apps.get(app)?;
    let mut wanted =
        Wanted { state, account: Sure::No, entitlements: BTreeSet::new(), frozen: BTreeMap::new(), prepared: false };
    if declared.deleting {
        return Some(wanted);
    }
    let mut denied_all = false;
    let mut denied = BTreeSet::new();
    for (rule_name, rule) in &world.rules {
        let Some(named) = rule.grants.get(app) else { continue };
        if rule.broken {
            wanted.account = wanted.account.max(Sure::Maybe);
        } else if matches(world, name, person, rule) {
            match (rule.deny, named.is_empty()) {
                (true, true) => denied_all = true,
                (true, false) => denied.extend(named.iter().copied()),
                (false, _) => {
                    wanted.account = Sure::Yes;
                    let since = person.lifecycle.start.zip(rule.lead);
                    let since = since.and_then(|(start, lead)| start.checked_sub(lead).ok());
                    wanted.prepared |= state == State::Pending && since.is_some_and(|since| since <= now);
                    wanted.entitlements.extend(named.iter().copied());
                    for entitlement in named.iter().filter(|e| !declared.listed.contains(**e)) {
                        wanted.frozen.entry(entitlement).or_default().insert(rule_name.clone());
                    }
                }
            }
        }
    }
    wanted.entitlements.retain(|e| !denied.contains(e) && ENTITLEMENTS.contains(e));
    if denied_all {
        wanted.account = Sure::No;
        wanted.prepared = false;
        wanted.entitlements.clear();
    }
    wanted.frozen.retain(|e, _| !denied.contains(e) && !denied_all);
    wanted.entitlements.retain(|e| declared.listed.contains(e));
    if declared.pushes && state != State::Ended && in_team(world, name, person, PUSHED) {
        wanted.entitlements.insert(PUSHED);
    }
    Some(wanted)
}

/// The policies whose manifests are invalid.
pub fn broken(world: &World) -> BTreeSet<&Name> {
    world.rules.iter().filter(|(_, rule)| rule.broken).map(|(name, _)| name).collect()
}
