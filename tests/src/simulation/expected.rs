//! What should be there, read off the declared state as simply as can be.

use std::collections::BTreeSet;

use jiff::Timestamp;
use provost_core::model::{Name, State};

use super::world::{APPS, ENTITLEMENTS, PUSHED, Person, Rule, World};

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
    let mut wanted = Wanted { state, account: Sure::No, entitlements: BTreeSet::new() };
    let mut denied_all = false;
    let mut denied = BTreeSet::new();
    for rule in world.rules.values() {
        let Some(named) = rule.grants.get(app) else { continue };
        if rule.broken {
            wanted.account = wanted.account.max(Sure::Maybe);
        } else if matches(world, name, person, rule) {
            match (rule.deny, named.is_empty()) {
                (true, true) => denied_all = true,
                (true, false) => denied.extend(named.iter().copied()),
                (false, _) => {
                    wanted.account = Sure::Yes;
                    wanted.entitlements.extend(named.iter().copied());
                }
            }
        }
    }
    wanted.entitlements.retain(|e| !denied.contains(e) && ENTITLEMENTS.contains(e));
    if denied_all {
        wanted.account = Sure::No;
        wanted.entitlements.clear();
    }
    if app == APPS[0] && state != State::Ended && in_team(world, name, person, PUSHED) {
        wanted.entitlements.insert(PUSHED);
    }
    Some(wanted)
}

/// The policies whose manifests are invalid.
pub fn broken(world: &World) -> BTreeSet<&Name> {
    world.rules.iter().filter(|(_, rule)| rule.broken).map(|(name, _)| name).collect()
}
