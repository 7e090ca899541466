//! Who is in which group: the least fixed point of (listed, members of listed groups, matched) minus excluded; where an
//! exclude runs through its own cycle, the well-founded model, for one identity at a time.

use super::Directory;
use super::entry::{GroupSpec, IdentityEntry, holds};
use super::known::Known;
use super::rules::GroupId;
use super::table::{IdentityId, second};
use super::truth::Truth;
use crate::model::State;

impl Directory {
    /// The groups that an identity is in, by its own spec and the groups' specs alone; what is recorded of it is not read.
    pub(crate) fn membership_of(&self, id: IdentityId, entry: &IdentityEntry) -> Known<GroupId> {
        if entry.state == State::Ended {
            return Known::default();
        }
        let leaves = self.leaves(id, entry);
        let mut possible = self.closure(id, &leaves, Truth::Unknown, &[]);
        let plain = leaves.iter().all(|(_, truth)| *truth == Truth::Yes)
            && possible.iter().all(|group| self.group_spec(*group).is_none_or(|spec| spec.without.is_empty()));
        if plain {
            return Known::new(possible, &[]);
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
        possible.retain(|group| sure.binary_search(group).is_err());
        Known::new(sure, &possible)
    }

    /// What makes the identity a member directly: a list, a rule; or a group that cannot be known. Sorted.
    fn leaves(&self, id: IdentityId, entry: &IdentityEntry) -> Vec<(GroupId, Truth)> {
        let mut leaves: Vec<(GroupId, Truth)> = self.unresolved.iter().map(|group| (*group, Truth::Unknown)).collect();
        let identity = entry.spec.as_ref().ok();
        for group in self.listings.of(id) {
            let end = self.group_spec(*group).and_then(|spec| spec.listed.get(id));
            if end.is_some_and(|end| holds(end, self.now)) {
                leaves.push((*group, if identity.is_some() { Truth::Yes } else { Truth::Unknown }));
            }
        }
        match identity {
            Some(identity) => {
                for group in self.group_rules.candidates(id, identity, &[]) {
                    if let Some(rule) = self.group_spec(group).and_then(|spec| spec.rule.as_ref()) {
                        leaves.push((group, self.with_bare_facts(entry, identity, |facts| rule.holds(facts))));
                    }
                }
            }
            // No rule can be asked about an identity that cannot be read.
            None => leaves.extend(self.ruled.iter().map(|group| (*group, Truth::Unknown))),
        }
        leaves.retain(|(_, truth)| *truth != Truth::No);
        leaves.sort_unstable_by_key(|(group, truth)| (*group, std::cmp::Reverse(*truth)));
        leaves.dedup_by_key(|(group, _)| *group);
        leaves
    }

    /// Upwards from the leaves of at least this truth, past what is excluded; `against` are the groups that count as
    /// the identity's own where an exclude asks. Sorted, as `against` is.
    fn closure(&self, id: IdentityId, leaves: &[(GroupId, Truth)], least: Truth, against: &[GroupId]) -> Vec<GroupId> {
        let open = |group: GroupId| {
            self.group_spec(group).is_none_or(|spec| {
                let excluded = |other: &GroupId| against.binary_search(other).is_ok();
                !spec.excluded.contains(&id) && !spec.without.iter().any(excluded)
            })
        };
        let mut found: Vec<GroupId> = Vec::with_capacity(2 * leaves.len());
        let mut next: Vec<GroupId> =
            leaves.iter().filter(|(group, truth)| *truth >= least && open(*group)).map(|(group, _)| *group).collect();
        while let Some(group) = next.pop() {
            if let Err(at) = found.binary_search(&group) {
                found.insert(at, group);
                next.extend(self.including(group).filter(|p| found.binary_search(p).is_err() && open(*p)));
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
