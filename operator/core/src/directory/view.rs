//! What others may look up.

use jiff::Timestamp;

use super::Directory;
use super::entry::IdentityEntry;
use super::ids::IdSet;
use super::rules::GroupId;
use super::table::{IdentityId, second};
use super::time::Timer;
use super::truth::Truth;
use crate::model::{
    AccessPolicy, Effect, GrantWhat, Group, Invalid, Member, Meta, Name, PackedIdentity, PolicyMode, Reason, State,
    Subject, TargetApplication, Uid,
};

/// An Identity as it stands.
#[derive(Clone, Copy, Debug)]
pub struct IdentityView<'a> {
    /// `metadata.name`.
    pub name: &'a Name,
    /// `metadata.uid`.
    pub uid: &'a Uid,
    /// The spec, or what is wrong with it.
    pub spec: Result<&'a PackedIdentity, &'a Invalid>,
    /// At the directory's time; where the lifecycle cannot be read: Active (and frozen).
    pub state: State,
    /// Why it loses nothing and gains nothing, if so.
    pub frozen: Option<Reason>,
    /// In how many groups it is for sure, nested ones included.
    pub groups: usize,
}

/// A Group as it stands.
#[derive(Clone, Copy, Debug)]
pub struct GroupView<'a> {
    /// What the API server says about it.
    pub meta: &'a Meta,
    /// What is wrong with it, if it is invalid.
    pub invalid: Option<&'a Invalid>,
    /// For people.
    pub display_name: Option<&'a str>,
    /// How many are in it for sure.
    pub members: usize,
    /// How many may be.
    pub unknown: usize,
    /// When a membership runs out next.
    pub next_transition: Option<Timestamp>,
}

/// An AccessPolicy as it stands.
#[derive(Clone, Copy, Debug)]
pub struct PolicyView<'a> {
    /// What the API server says about it.
    pub meta: &'a Meta,
    /// The spec, or what is wrong with it.
    pub spec: Result<&'a AccessPolicy, &'a Invalid>,
    /// How many identities it matches for sure, those not started included, ended ones not.
    pub identities: usize,
    /// How many it may match.
    pub unknown: usize,
    /// Identities times what is granted (or withheld) to each: entitlements, or an account alone.
    pub grants: usize,
    /// When its window opens or closes next.
    pub next_transition: Option<Timestamp>,
}

/// A TargetApplication as it stands.
#[derive(Clone, Copy, Debug)]
pub struct ApplicationView<'a> {
    /// What the API server says about it.
    pub meta: &'a Meta,
    /// The spec, or what is wrong with it.
    pub spec: Result<&'a TargetApplication, &'a Invalid>,
}

/// What can be known of a policy that something rests on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PolicyState {
    /// The decision says all there is to say.
    Valid,
    /// Nothing is known of what it grants: what the ledger says rests on it is kept.
    Invalid,
    /// Deleted: what rested on it is revoked.
    Absent,
}

impl Directory {
    /// An Identity by name.
    pub fn identity(&self, name: &Name) -> Option<IdentityView<'_>> {
        self.view(self.identities.id(name.as_str())?)
    }

    fn view(&self, id: IdentityId) -> Option<IdentityView<'_>> {
        Some(view(self.identities.name(id)?, self.identities.get(id)?))
    }

    /// Every Identity that is there.
    pub fn identities(&self) -> impl Iterator<Item = IdentityView<'_>> {
        self.identities.iter().map(|(_, name, entry)| view(name, entry))
    }

    /// The valid, not ended Identity with this externalId: to whom a record passes. Of two, the one that stands.
    pub fn by_external_id(&self, external_id: &str) -> Option<IdentityView<'_>> {
        self.view(self.oldest(self.with_external_id(external_id))?)
    }

    /// The valid, not ended Identity with this case-mapped userName. Of two, the one that stands.
    pub fn by_user_name(&self, folded: &str) -> Option<IdentityView<'_>> {
        self.view(self.oldest(self.with_user_name(folded))?)
    }

    /// Identities whose manager this one is, sorted.
    pub fn reports_of(&self, manager: &Name) -> Vec<Name> {
        let reports = self.identities.id(manager.as_str()).into_iter().flat_map(|id| second(&self.reports, id));
        let mut names: Vec<Name> = reports.filter_map(|id| self.identities.name(id).cloned()).collect();
        names.sort_unstable();
        names
    }

    /// Whether somebody has this one as manager.
    pub fn has_reports(&self, manager: &Name) -> bool {
        self.identities.id(manager.as_str()).is_some_and(|id| second(&self.reports, id).next().is_some())
    }

    /// The groups that an identity is in for sure, sorted by name.
    pub fn groups_of(&self, identity: &Name) -> Vec<&Name> {
        let groups = self.entry(identity).into_iter().flat_map(|entry| entry.groups.sure());
        let mut names: Vec<&Name> = groups.filter_map(|id| self.groups.name(*id)).collect();
        names.sort_unstable();
        names
    }

    /// A Group by name.
    pub fn group(&self, name: &Name) -> Option<GroupView<'_>> {
        let id = self.groups.id(name.as_str())?;
        let entry = self.groups.get(id)?;
        Some(GroupView {
            meta: &entry.meta,
            invalid: entry.spec.as_ref().err(),
            display_name: entry.spec.as_ref().ok().and_then(|spec| spec.display_name.as_deref()),
            members: entry.members.len(),
            unknown: entry.unknown.len(),
            next_transition: self.next_moment(Timer::Group(id)),
        })
    }

    /// A Group as its manifest has it, members and exclude sorted; to compare two versions.
    pub fn group_manifest(&self, name: &Name) -> Option<Result<Group, &Invalid>> {
        let spec = match &self.groups.get(self.groups.id(name.as_str())?)?.spec {
            Ok(spec) => spec,
            Err(invalid) => return Some(Err(invalid)),
        };
        let identity = |id: &IdentityId| self.identities.name(*id).cloned().map(Subject::Identity);
        let group = |id: &GroupId| self.groups.name(*id).cloned().map(Subject::Group);
        let member =
            |subject: Option<Subject>, end: &Option<Timestamp>| Some(Member { subject: subject?, not_after: *end });
        let listed = spec.listed.iter().filter_map(|(id, end)| member(identity(&id), &end));
        let nested = spec.nested.iter().filter_map(|(id, end)| member(group(id), end));
        let mut members: Vec<Member> = listed.chain(nested).collect();
        members.sort_by(|one, other| one.subject.cmp(&other.subject));
        let excluded = spec.excluded.iter().filter_map(identity);
        let mut exclude: Vec<Subject> = excluded.chain(spec.without.iter().filter_map(group)).collect();
        exclude.sort();
        Some(Ok(Group { display_name: spec.display_name.clone(), members, rule: spec.source().cloned(), exclude }))
    }

    /// Who is in a group for sure, in no particular order. Empty for one that is not there: ask [`Directory::group`].
    pub fn members(&self, group: &Name) -> impl Iterator<Item = &Name> {
        let entry = self.groups.id(group.as_str()).and_then(|id| self.groups.get(id));
        entry.into_iter().flat_map(|entry| entry.members.iter()).filter_map(|id| self.identities.name(id))
    }

    /// Whether an identity is in a group. Of a group that is not there or invalid nothing is known, except that ended
    /// identities are in none.
    pub fn membership(&self, group: &Name, identity: &Name) -> Truth {
        let Some(entry) = self.entry(identity).filter(|entry| entry.state != State::Ended) else { return Truth::No };
        let Some(id) = self.groups.id(group.as_str()).filter(|id| self.group_spec(*id).is_some()) else {
            return Truth::Unknown;
        };
        entry.groups.truth(id)
    }

    /// An AccessPolicy by name.
    pub fn policy(&self, name: &Name) -> Option<PolicyView<'_>> {
        let id = self.policies.id(name.as_str())?;
        let entry = self.policies.get(id)?;
        let spec = entry.spec.as_ref().map(|spec| &spec.policy);
        let each = |policy: &AccessPolicy| -> usize {
            let one = |what: &GrantWhat| if let GrantWhat::Named(names) = what { names.len() } else { 1 };
            policy.grants.iter().map(|grant| one(&grant.what)).sum()
        };
        Some(PolicyView {
            meta: &entry.meta,
            spec,
            identities: entry.matched.len(),
            unknown: entry.unknown.len(),
            grants: spec.map_or(0, each) * entry.matched.len(),
            next_transition: self.next_moment(Timer::Policy(id)),
        })
    }

    /// Whom a policy matches for sure, in no particular order; ended identities are not among them.
    pub fn matched(&self, policy: &Name) -> impl Iterator<Item = IdentityView<'_>> {
        let entry = self.policies.id(policy.as_str()).and_then(|id| self.policies.get(id));
        entry.into_iter().flat_map(|entry| entry.matched.iter()).filter_map(|id| self.view(id))
    }

    /// The Denies in mode Audit that speak of an application.
    pub fn audited_denies(&self, application: &Name) -> impl Iterator<Item = &Name> {
        let policies = self.policies_of.get(application).into_iter().flatten();
        let entries = policies.filter_map(|id| self.policies.get(*id));
        let denies = |policy: &AccessPolicy| policy.mode == PolicyMode::Audit && policy.effect == Effect::Deny;
        entries.filter(move |e| e.spec.as_ref().is_ok_and(|spec| denies(&spec.policy))).map(|entry| &entry.meta.name)
    }

    /// What can be known of a policy that the ledger names.
    pub fn policy_state(&self, name: &Name) -> PolicyState {
        match self.policy(name).map(|policy| policy.spec.is_ok()) {
            Some(true) => PolicyState::Valid,
            Some(false) => PolicyState::Invalid,
            None => PolicyState::Absent,
        }
    }

    /// A TargetApplication by name.
    pub fn application(&self, name: &Name) -> Option<ApplicationView<'_>> {
        let entry = self.applications.get(name)?;
        Some(ApplicationView { meta: &entry.meta, spec: entry.spec.as_ref().map(|spec| &spec.application) })
    }

    /// Every AccessPolicy that is there.
    pub fn policies(&self) -> impl Iterator<Item = PolicyView<'_>> {
        self.policies.iter().filter_map(|(_, name, _)| self.policy(name))
    }

    /// Every TargetApplication that is there, sorted by name.
    pub fn applications(&self) -> impl Iterator<Item = ApplicationView<'_>> {
        self.applications
            .values()
            .map(|entry| ApplicationView { meta: &entry.meta, spec: entry.spec.as_ref().map(|spec| &spec.application) })
    }

    /// Every identity that an enforced policy which speaks of the application matches or may match, sorted: no other
    /// can be wanted there.
    pub fn owners(&self, application: &Name) -> Vec<Name> {
        let policies = self.policies_of.get(application).into_iter().flatten();
        let entries = policies
            .filter_map(|id| self.policies.get(*id))
            .filter(|entry| entry.spec.as_ref().is_ok_and(|spec| spec.policy.mode == PolicyMode::Enforce));
        let ids: IdSet = entries.flat_map(|entry| entry.matched.iter().chain(entry.unknown.iter())).collect();
        let mut names: Vec<Name> = ids.iter().filter_map(|id| self.identities.name(id).cloned()).collect();
        names.sort_unstable();
        names
    }

    /// How many objects of each kind are there: identities, groups, policies, applications.
    pub fn sizes(&self) -> [usize; 4] {
        [self.identities.len(), self.groups.len(), self.policies.len(), self.applications.len()]
    }
}

fn view<'a>(name: &'a Name, entry: &'a IdentityEntry) -> IdentityView<'a> {
    IdentityView {
        name,
        uid: &entry.uid,
        spec: entry.spec.as_ref().map_err(|invalid| &**invalid),
        state: entry.state,
        frozen: entry.frozen(),
        groups: entry.groups.sure().len(),
    }
}
