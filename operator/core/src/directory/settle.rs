//! What a change can reach is evaluated anew, once, when all of a batch is in.

use std::collections::BTreeSet;

use super::Directory;
use super::ids::IdSet;
use super::known::Known;
use super::rules::{GroupId, RuleIndex, Ruled};
use super::table::{IdentityId, PolicyId, second};
use super::touched::{Touched, TouchedApplications};
use super::truth::Truth;
use crate::model::{Effect, Name, PolicyMode};

/// What a batch, or time, can have reached.
#[derive(Debug, Default)]
pub(crate) struct Pass {
    pub touched: Touched,
    /// Status alone.
    pub identities: IdSet,
    /// Status, and every decision.
    pub everywhere: IdSet,
    /// Decisions in one application.
    within: Vec<(IdentityId, Name)>,
    /// One with a key of theirs changed: they may be duplicates now, or no longer.
    pub rivals: IdSet,
    /// Changed themselves: rules about their reports may read it.
    pub managers: IdSet,
    /// Groups to be evaluated for these; for everyone.
    pub members: IdSet,
    pub everyone: bool,
    /// Policies to be evaluated for these.
    pub matches: IdSet,
    /// Policies to be evaluated for whoever they can reach.
    pub policies: BTreeSet<PolicyId>,
    /// Status alone.
    pub policy_status: BTreeSet<PolicyId>,
    /// Status and members.
    pub groups: BTreeSet<GroupId>,
    /// Groups, policies or applications changed: indexes and references are built anew.
    pub references: bool,
    /// Groups may be in a cycle now, or no longer.
    pub cycles: bool,
    /// A policy became invalid or is no longer: what rests on it is known to the ledger alone.
    pub unreadable: bool,
}

impl Pass {
    pub fn touch_identity(&mut self, id: IdentityId) {
        self.identities.insert(id);
        self.everywhere.insert(id);
    }

    /// Decisions in these applications, unless those in all are touched anyway.
    pub fn within<'a>(&mut self, id: IdentityId, applications: impl Iterator<Item = &'a Name>) {
        if !self.everywhere.contains(id) {
            self.within.extend(applications.map(|name| (id, name.clone())));
        }
    }

    /// It came, went, or has another spec.
    pub fn changed_identity(&mut self, id: IdentityId) {
        self.touch_identity(id);
        self.managers.insert(id);
        self.members.insert(id);
        self.matches.insert(id);
    }
}

impl Directory {
    pub(crate) fn settle(&mut self, mut pass: Pass) -> Touched {
        if pass.references {
            self.settle_references(&mut pass);
        }
        if pass.references || !pass.policies.is_empty() {
            self.index_policies();
        }
        self.settle_duplicates(&mut pass);
        self.settle_reports(&mut pass);
        self.settle_members(&mut pass);
        self.settle_matches(&mut pass);
        self.settle_policies(&mut pass);
        self.touched(pass)
    }

    /// Which groups are referred to and cannot be known; which rules there are; which lead times.
    fn settle_references(&mut self, pass: &mut Pass) {
        let unresolved: BTreeSet<GroupId> = self.referred().filter(|group| self.group_spec(*group).is_none()).collect();
        if unresolved != self.unresolved {
            let difference: BTreeSet<GroupId> = unresolved.symmetric_difference(&self.unresolved).copied().collect();
            self.touch_references(&difference, pass);
            self.unresolved = unresolved;
            pass.everyone = true;
        }
        if pass.cycles {
            pass.groups.extend(self.groups.iter().map(|(id, ..)| id));
            self.cycles = self.find_cycles();
        }
        let mut index = RuleIndex::default();
        self.ruled.clear();
        for (id, _, entry) in self.groups.iter() {
            if let Ok(Some(rule)) = entry.spec.as_ref().map(|spec| spec.rule.as_ref()) {
                index.add(Some(rule), id);
                self.ruled.insert(id);
            }
        }
        self.group_rules = index;
        // What a group is warned of is settled by those that name it.
        let harmful = self.find_harmful();
        let differ = harmful.iter().filter(|(moved, by)| self.harmful.get(moved) != Some(*by));
        let gone = self.harmful.iter().filter(|(moved, _)| !harmful.contains_key(moved));
        pass.groups.extend(differ.chain(gone).map(|((group, _), _)| *group));
        self.harmful = harmful;
        let specs = self.policies.iter().filter_map(|(_, _, entry)| entry.spec.as_ref().ok());
        let allowing = specs.map(|spec| &spec.policy).filter(|policy| policy.effect == Effect::Allow);
        let lead_times = allowing.filter(|policy| policy.mode == PolicyMode::Enforce).filter_map(|p| p.lead_time);
        let lead_times: BTreeSet<_> = lead_times.collect();
        if lead_times != self.lead_times {
            self.lead_times = lead_times;
            self.rearm_pending();
        }
    }

    /// Every group that is there and invalid, or that anything refers to.
    fn referred(&self) -> impl Iterator<Item = GroupId> {
        let groups = self.groups.iter().flat_map(|(id, _, entry)| {
            let invalid = entry.spec.is_err().then_some(id);
            let spec = entry.spec.as_ref().ok();
            invalid
                .into_iter()
                .chain(spec.into_iter().flat_map(|spec| spec.nested.keys().chain(&spec.without)).copied())
        });
        let policies = self.policies.iter().filter_map(|(_, _, entry)| entry.spec.as_ref().ok()).flat_map(|spec| {
            let subjects = spec.subjects.iter().flat_map(|subjects| &subjects.groups);
            subjects.chain(spec.rule.iter().flat_map(Ruled::groups)).copied()
        });
        let applications = self.applications.values().filter_map(|entry| entry.spec.as_ref().ok());
        let applications = applications.flat_map(|spec| spec.rules().flat_map(Ruled::groups).copied());
        groups.chain(policies).chain(applications)
    }

    /// The status of whatever refers to one of these groups.
    fn touch_references(&mut self, groups: &BTreeSet<GroupId>, pass: &mut Pass) {
        let refers = |rule: &Ruled| rule.groups().iter().any(|group| groups.contains(group));
        for (id, _, entry) in self.groups.iter() {
            let Ok(spec) = &entry.spec else { continue };
            if spec.nested.keys().chain(&spec.without).any(|group| groups.contains(group)) {
                pass.groups.insert(id);
            }
        }
        for (_, name, entry) in self.policies.iter() {
            let Ok(spec) = &entry.spec else { continue };
            let subject = spec.subjects.as_ref().is_some_and(|subjects| !subjects.groups.is_disjoint(groups));
            if subject || spec.rule.as_ref().is_some_and(refers) {
                pass.touched.policies.insert(name.clone());
            }
        }
        for (name, entry) in &self.applications {
            if entry.spec.as_ref().is_ok_and(|spec| spec.rules().any(refers)) {
                pass.touched.applications.insert(name.clone());
            }
        }
    }

    fn index_policies(&mut self) {
        let mut index = RuleIndex::default();
        for (id, _, entry) in self.policies.iter().filter(|(_, _, entry)| entry.open) {
            let Ok(spec) = &entry.spec else { continue };
            match &spec.subjects {
                Some(subjects) => {
                    subjects.groups.iter().for_each(|group| index.add_group(*group, id));
                    subjects.identities.iter().for_each(|identity| index.add_identity(*identity, id));
                }
                None => index.add(spec.rule.as_ref(), id),
            }
        }
        self.policy_rules = index;
    }

    /// A manager's change is a change for the rules that read it about his reports.
    fn settle_reports(&mut self, pass: &mut Pass) {
        let reads = |spec: &super::entry::PolicySpec| spec.rule.as_ref().is_some_and(Ruled::reads_manager);
        let policies = self.policies.iter().any(|(_, _, entry)| entry.spec.as_ref().is_ok_and(reads));
        let reading: Vec<&Name> = self
            .applications
            .iter()
            .filter(|(_, entry)| entry.spec.as_ref().is_ok_and(|spec| spec.reads_manager))
            .map(|(name, _)| name)
            .collect();
        if !policies && reading.is_empty() {
            return;
        }
        for manager in std::mem::take(&mut pass.managers).iter() {
            for report in second(&self.reports, manager) {
                if policies {
                    pass.matches.insert(report);
                }
                pass.within(report, reading.iter().copied());
            }
        }
    }

    fn settle_members(&mut self, pass: &mut Pass) {
        let ids: Vec<IdentityId> = if pass.everyone {
            self.identities.iter().map(|(id, ..)| id).collect()
        } else {
            pass.members.iter().collect()
        };
        for id in ids {
            let Some(entry) = self.identities.get(id) else { continue };
            let membership = self.membership_of(id, entry);
            if membership != entry.groups {
                self.record_membership(id, &membership, pass);
                pass.matches.insert(id);
                pass.touch_identity(id);
            }
        }
    }

    fn settle_matches(&mut self, pass: &mut Pass) {
        for id in pass.matches.clone().iter() {
            let Some(entry) = self.identities.get(id) else { continue };
            let matching = self.matching_of(id, entry);
            if matching != entry.policies {
                self.record_matching(id, &matching, pass);
            }
        }
    }

    fn settle_policies(&mut self, pass: &mut Pass) {
        for policy in std::mem::take(&mut pass.policies) {
            for id in self.reachable(policy).iter() {
                // Whoever was evaluated as a whole has this policy among the rest.
                if !pass.matches.contains(id) {
                    let before = self.recorded(policy, id);
                    let truth = self.match_of(policy, id);
                    self.record_match(policy, id, truth);
                    if (before, truth) != (Truth::No, Truth::No) {
                        self.touch_match(policy, id, pass);
                    }
                } else if self.recorded(policy, id) != Truth::No {
                    self.touch_match(policy, id, pass);
                }
            }
            pass.policy_status.insert(policy);
        }
    }

    /// What is written down of one policy and one identity.
    pub(crate) fn recorded(&self, policy: PolicyId, id: IdentityId) -> Truth {
        match self.policies.get(policy) {
            Some(entry) if entry.matched.contains(id) => Truth::Yes,
            Some(entry) if entry.unknown.contains(id) => Truth::Unknown,
            _ => Truth::No,
        }
    }

    /// Everyone whom a policy matched before or can match now.
    fn reachable(&self, policy: PolicyId) -> IdSet {
        let Some(entry) = self.policies.get(policy) else { return IdSet::default() };
        let mut ids: IdSet = entry.matched.iter().chain(entry.unknown.iter()).collect();
        let Ok(spec) = &entry.spec else { return ids };
        let mut groups = Vec::new();
        match (&spec.subjects, spec.rule.as_ref().and_then(Ruled::narrowest)) {
            _ if !entry.open => return ids,
            (Some(subjects), _) => {
                ids.extend(subjects.identities.iter().copied());
                groups.extend(subjects.groups.iter().copied());
            }
            (None, Some(crate::policy::Term::InGroup(group))) => groups.push(*group),
            (None, _) => ids.extend(self.identities.iter().map(|(id, ..)| id)),
        }
        for group in groups {
            match self.groups.get(group).filter(|_| !self.unresolved.contains(&group)) {
                Some(group) => ids.extend(group.members.iter().chain(group.unknown.iter())),
                None => ids.extend(self.identities.iter().map(|(id, ..)| id)),
            }
        }
        ids
    }

    /// Writes down the groups of an identity, on both sides.
    pub(crate) fn record_membership(&mut self, id: IdentityId, new: &Known<GroupId>, pass: &mut Pass) {
        let Some(entry) = self.identities.get_mut(id) else { return };
        let old = std::mem::replace(&mut entry.groups, new.clone());
        for (old, new, sure) in [(old.sure(), new.sure(), true), (old.unknown(), new.unknown(), false)] {
            for (group, joined) in moved(old, new) {
                pass.groups.insert(group);
                let Some(entry) = self.groups.get_mut(group) else { continue };
                let set = if sure { &mut entry.members } else { &mut entry.unknown };
                if joined {
                    set.insert(id);
                } else {
                    set.remove(id);
                }
            }
        }
    }

    /// Writes down the policies of an identity, on both sides.
    pub(crate) fn record_matching(&mut self, id: IdentityId, new: &Known<PolicyId>, pass: &mut Pass) {
        let Some(entry) = self.identities.get_mut(id) else { return };
        let old = std::mem::replace(&mut entry.policies, new.clone());
        for (old, new, sure) in [(old.sure(), new.sure(), true), (old.unknown(), new.unknown(), false)] {
            for (policy, joined) in moved(old, new) {
                let Some(entry) = self.policies.get_mut(policy) else { continue };
                let set = if sure { &mut entry.matched } else { &mut entry.unknown };
                if joined {
                    set.insert(id);
                } else {
                    set.remove(id);
                }
                pass.policy_status.insert(policy);
                self.touch_match(policy, id, pass);
            }
        }
    }

    fn touch_match(&self, policy: PolicyId, id: IdentityId, pass: &mut Pass) {
        let Some(Ok(spec)) = self.policies.get(policy).map(|entry| &entry.spec) else { return };
        pass.within(id, spec.policy.grants.iter().map(|grant| &grant.application));
    }

    /// Writes down whether one policy matches one identity, on both sides.
    pub(crate) fn record_match(&mut self, policy: PolicyId, id: IdentityId, truth: Truth) {
        if let Some(entry) = self.policies.get_mut(policy) {
            for (set, here) in [(&mut entry.matched, Truth::Yes), (&mut entry.unknown, Truth::Unknown)] {
                if truth == here {
                    set.insert(id);
                } else {
                    set.remove(id);
                }
            }
        }
        if let Some(entry) = self.identities.get_mut(id) {
            entry.policies.set(policy, truth);
        }
    }

    fn touched(&self, pass: Pass) -> Touched {
        let mut touched = pass.touched;
        touched.policies.extend(pass.policy_status.iter().filter_map(|id| self.policies.name(*id).cloned()));
        let name = |id: IdentityId| self.identities.name(id).cloned();
        // Into trees as a whole: one by one would look each name up again.
        touched.identities = pass.identities.iter().filter_map(name).collect();
        touched.groups.extend(pass.groups.iter().filter_map(|id| self.groups.name(*id).cloned()));
        let mut everywhere = pass.everywhere;
        if pass.unreadable {
            everywhere.extend(self.identities.iter().map(|(id, ..)| id));
        }
        let mut within = pass.within;
        within.retain(|(id, _)| !everywhere.contains(*id));
        within.sort_unstable();
        let these = within.chunk_by(|(one, _), (other, _)| one == other).filter_map(|applications| {
            let (id, _) = applications.first()?;
            let these = applications.iter().map(|(_, application)| application.clone()).collect();
            Some((name(*id)?, TouchedApplications::These(these)))
        });
        let all = everywhere.iter().filter_map(name).map(|name| (name, TouchedApplications::All));
        touched.accounts = all.chain(these).collect();
        touched
    }
}

/// What two sorted lists do not share: left behind (false) and joined (true).
fn moved<I: Ord + Copy>(old: &[I], new: &[I]) -> impl Iterator<Item = (I, bool)> {
    let left = old.iter().filter(|id| new.binary_search(id).is_err()).map(|id| (*id, false));
    left.chain(new.iter().filter(|id| old.binary_search(id).is_err()).map(|id| (*id, true)))
}
