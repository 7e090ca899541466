//! Which policies match an identity.

use super::Directory;
use super::entry::{IdentityEntry, PolicySpec};
use super::known::Known;
use super::rules::GroupId;
use super::table::{IdentityId, PolicyId};
use super::truth::Truth;
use crate::model::PackedIdentity;
use crate::policy::{Facts, Manager, Memberships};

impl Directory {
    /// The policies that match an identity, by its spec, its recorded groups and its manager.
    pub(crate) fn matching_of(&self, id: IdentityId, entry: &IdentityEntry) -> Known<PolicyId> {
        let Some(identity) = entry.evaluable() else { return Known::default() };
        let (mut sure, mut unknown) = (Vec::new(), Vec::new());
        let candidates = self.policy_rules.candidates(id, identity, entry.groups.all());
        self.with_facts(entry, identity, None, |facts| {
            for policy in candidates {
                match self.open_policy(policy).map_or(Truth::No, |spec| policy_matches(spec, id, facts)) {
                    Truth::Yes => sure.push(policy),
                    Truth::Unknown => unknown.push(policy),
                    Truth::No => {}
                }
            }
        });
        Known::new(sure, &unknown)
    }

    /// Whether one policy matches one identity.
    pub(crate) fn match_of(&self, policy: PolicyId, id: IdentityId) -> Truth {
        let Some(entry) = self.identities.get(id) else { return Truth::No };
        match (self.open_policy(policy), entry.evaluable()) {
            (Some(spec), Some(identity)) => {
                self.with_facts(entry, identity, None, |facts| policy_matches(spec, id, facts))
            }
            _ => Truth::No,
        }
    }

    /// A policy that is valid and inside its window.
    fn open_policy(&self, policy: PolicyId) -> Option<&PolicySpec> {
        self.policies.get(policy).filter(|entry| entry.open)?.spec.as_ref().ok()
    }

    /// What rules are asked on, for an identity as it is recorded.
    pub(crate) fn with_facts<R>(
        &self,
        entry: &IdentityEntry,
        identity: &PackedIdentity,
        application: Option<&str>,
        ask: impl FnOnce(&Facts<'_>) -> R,
    ) -> R {
        let name = |group: GroupId| self.groups.name(group).cloned();
        ask(&Facts {
            identity,
            manager: self.manager_of(identity),
            state: entry.state,
            application,
            groups: Memberships { sure: entry.groups.sure(), unknown: entry.groups.unknown(), name: &name },
        })
    }

    /// The same without groups and manager, which rules of groups cannot read.
    pub(crate) fn with_bare_facts<R>(
        &self,
        entry: &IdentityEntry,
        identity: &PackedIdentity,
        ask: impl FnOnce(&Facts<'_>) -> R,
    ) -> R {
        let name = |group: GroupId| self.groups.name(group).cloned();
        ask(&Facts {
            identity,
            manager: Manager::Absent,
            state: entry.state,
            application: None,
            groups: Memberships { sure: &[], unknown: &[], name: &name },
        })
    }

    fn manager_of(&self, identity: &PackedIdentity) -> Manager<'_> {
        let entry = |name: &str| self.identities.get(self.identities.id(name)?);
        match identity.manager().and_then(entry) {
            None => Manager::Absent,
            Some(IdentityEntry { spec: Ok(manager), .. }) => Manager::Known(manager),
            Some(IdentityEntry { spec: Err(_), .. }) => Manager::Unknown,
        }
    }
}

/// Any subject, and the rule. (Time and mode are the caller's.)
pub(crate) fn policy_matches(spec: &PolicySpec, id: IdentityId, facts: &Facts<'_>) -> Truth {
    let subject = subject_matches(spec, id, facts);
    match &spec.rule {
        Some(rule) if subject != Truth::No => subject.min(rule.holds(facts)),
        _ => subject,
    }
}

/// Any of the subjects; all, where there are none.
pub(crate) fn subject_matches(spec: &PolicySpec, id: IdentityId, facts: &Facts<'_>) -> Truth {
    let Some(subjects) = &spec.subjects else { return Truth::Yes };
    if subjects.identities.contains(&id) {
        return Truth::Yes;
    }
    let in_group = |group: &GroupId| {
        if facts.groups.sure.binary_search(group).is_ok() {
            Truth::Yes
        } else if facts.groups.unknown.binary_search(group).is_ok() {
            Truth::Unknown
        } else {
            Truth::No
        }
    };
    subjects.groups.iter().map(in_group).max().unwrap_or(Truth::No)
}
