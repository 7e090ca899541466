//! Who is in which group: the well-founded model, taken for one identity.

use std::collections::BTreeSet;

use jiff::Timestamp;
use provost_core::model::{Name, State, Subject};

use super::declared::Declared;
use super::rule::Truth;

/// The groups that one identity is in for sure, and those that it may be in.
#[derive(Clone, Debug, Default)]
pub struct Memberships {
    sure: BTreeSet<Name>,
    possible: BTreeSet<Name>,
}

impl Memberships {
    /// Whether it is in a group; one that is missing is Unknown.
    pub fn of(&self, declared: &Declared, group: &Name) -> Truth {
        if self.sure.contains(group) {
            Truth::True
        } else if self.possible.contains(group) || !declared.groups.contains_key(group) {
            Truth::Unknown
        } else {
            Truth::False
        }
    }

    /// Of a valid identity that has not ended.
    pub fn new(declared: &Declared, name: &Name, state: State, at: Timestamp) -> Self {
        let mut all = Self::default();
        loop {
            // What an exclusion spares for sure, it spares whatever else; what it may spare is there only perhaps.
            let possible = least(declared, name, state, at, true, &all.sure);
            let sure = least(declared, name, state, at, false, &possible);
            if sure == all.sure && possible == all.possible {
                return all;
            }
            all = Self { sure, possible };
        }
    }
}

/// The least set of groups, with what is excluded taken from `excluded`; `generous`: what is Unknown counts as membership.
fn least(
    declared: &Declared,
    name: &Name,
    state: State,
    at: Timestamp,
    generous: bool,
    excluded: &BTreeSet<Name>,
) -> BTreeSet<Name> {
    let mut found = BTreeSet::new();
    loop {
        let before = found.len();
        for group in declared.groups.keys() {
            if joins(declared, name, state, at, generous, excluded, &found, group) {
                found.insert(group.clone());
            }
        }
        if found.len() == before {
            return found;
        }
    }
}

#[allow(clippy::too_many_arguments, reason = "one step of a fixed point")]
fn joins(
    declared: &Declared,
    name: &Name,
    state: State,
    at: Timestamp,
    generous: bool,
    excluded: &BTreeSet<Name>,
    found: &BTreeSet<Name>,
    group: &Name,
) -> bool {
    let spec = match declared.groups.get(group).map(|manifest| &manifest.spec) {
        None => return false,
        Some(Err(_)) => return generous,
        Some(Ok(spec)) => spec,
    };
    let listed = spec.members.iter().filter(|m| m.not_after.is_none_or(|end| at < end)).any(|m| match &m.subject {
        Subject::Identity(who) => who == name,
        Subject::Group(nested) if declared.groups.contains_key(nested) => found.contains(nested),
        Subject::Group(_) => generous,
    });
    let identity = declared.identity(name);
    let matched = spec
        .rule
        .as_ref()
        .zip(identity)
        .map_or(Truth::False, |(rule, identity)| declared.truth(Some(rule), identity, state, &|_| Truth::Unknown));
    let is_in = listed || matched == Truth::True || (generous && matched == Truth::Unknown);
    let is_out = spec.exclude.iter().any(|subject| match subject {
        Subject::Identity(who) => who == name,
        // A group that is missing may hold this one: that is generous only to those who are not sure.
        Subject::Group(other) => excluded.contains(other) || (!generous && !declared.groups.contains_key(other)),
    });
    is_in && !is_out
}
