//! Who is in which group: the least fixed point of (listed, members of listed groups, matched) minus excluded; where an
//! exclude runs through its own cycle, the well-founded model, for one identity at a time.

use std::collections::{BTreeMap, BTreeSet};

use super::Directory;
use super::entry::{GroupSpec, IdentityEntry, holds};
use super::rules::GroupId;
use super::table::{IdentityId, second};
use super::truth::Truth;
use crate::model::State;

/// Groups that an identity is in, and those it may be in; both sorted, without overlap.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Membership {
    pub sure: Vec<GroupId>,
    pub unknown: Vec<GroupId>,
}

impl Directory {
    /// By its own spec and the groups' specs alone; what is recorded of it is not read.
    pub(crate) fn membership_of(&self, id: IdentityId, entry: &IdentityEntry) -> Membership {
        if entry.state == State::Ended {
            return Membership::default();
        }
        let leaves = self.leaves(id, entry);
        let mut possible = self.closure(id, &leaves, Truth::Unknown, &BTreeSet::new());
        let plain = leaves.values().all(|truth| *truth == Truth::Yes)
            && possible.iter().all(|group| self.group_spec(*group).is_none_or(|spec| spec.without.is_empty()));
        if plain {
            return Membership { sure: possible.into_iter().collect(), unknown: Vec::new() };
        }
        // Van Gelder's alternating fixpoint: what is sure grows, what is possible shrinks, until both stand still.
        let mut sure = self.closure(id, &leaves, Truth::Yes, &possible);
        loop {
            let less = self.closure(id, &leaves, Truth::Unknown, &sure);
            let more = self.closure(id, &leaves, Truth::Yes, &less);
            if less == possible && more == sure {
                break;
            }
            (possible, sure) = (less, more);
        }
        Membership { unknown: possible.difference(&sure).copied().collect(), sure: sure.into_iter().collect() }
    }

    /// What makes the identity a member directly: a list, a rule; or a group that cannot be known.
    fn leaves(&self, id: IdentityId, entry: &IdentityEntry) -> BTreeMap<GroupId, Truth> {
        let mut leaves: BTreeMap<GroupId, Truth> = BTreeMap::new();
        let mut add = |group: GroupId, truth: Truth| {
            let leaf = leaves.entry(group).or_default();
            *leaf = truth.max(*leaf);
        };
        for group in &self.unresolved {
            add(*group, Truth::Unknown);
        }
        let identity = entry.spec.as_ref().ok();
        for group in second(&self.listings, id) {
            let end = self.group_spec(group).and_then(|spec| spec.listed.get(&id));
            if end.is_some_and(|end| holds(*end, self.now)) {
                add(group, if identity.is_some() { Truth::Yes } else { Truth::Unknown });
            }
        }
        match identity {
            Some(identity) => {
                for group in self.group_rules.candidates(id, identity, std::iter::empty()) {
                    if let Some(rule) = self.group_spec(group).and_then(|spec| spec.rule.as_ref()) {
                        add(group, self.with_bare_facts(entry, identity, |facts| rule.holds(facts)));
                    }
                }
            }
            // No rule can be asked about an identity that cannot be read.
            None => self.ruled.iter().for_each(|group| add(*group, Truth::Unknown)),
        }
        leaves.retain(|_, truth| *truth != Truth::No);
        leaves
    }

    /// Upwards from the leaves of at least this truth, past what is excluded; `against` are the groups that count as
    /// the identity's own where an exclude asks.
    fn closure(
        &self,
        id: IdentityId,
        leaves: &BTreeMap<GroupId, Truth>,
        least: Truth,
        against: &BTreeSet<GroupId>,
    ) -> BTreeSet<GroupId> {
        let open = |group: GroupId| {
            self.group_spec(group).is_none_or(|spec| !spec.excluded.contains(&id) && spec.without.is_disjoint(against))
        };
        let mut found = BTreeSet::new();
        let mut next: Vec<GroupId> =
            leaves.iter().filter(|(group, truth)| **truth >= least && open(**group)).map(|(group, _)| *group).collect();
        while let Some(group) = next.pop() {
            if found.insert(group) {
                next.extend(self.including(group).filter(|parent| !found.contains(parent) && open(*parent)));
            }
        }
        found
    }

    /// The groups that list this one as a member, at the directory's time.
    fn including(&self, group: GroupId) -> impl Iterator<Item = GroupId> {
        second(&self.parents, group).filter(move |parent| {
            let end = self.group_spec(*parent).and_then(|spec| spec.nested.get(&group));
            end.is_some_and(|end| holds(*end, self.now))
        })
    }

    pub(crate) fn group_spec(&self, group: GroupId) -> Option<&GroupSpec> {
        self.groups.get(group)?.spec.as_ref().ok()
    }
}
