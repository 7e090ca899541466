//! What a directory keeps of each manifest: the spec with names as integers and rules compiled, and what follows from it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;

use super::ids::IdSet;
use super::known::Known;
use super::listed::Listed;
use super::rules::{GroupId, Ruled};
use super::table::{IdentityId, PolicyId, Table};
use crate::model::{
    AccessPolicy, Group, Invalid, Lifecycle, Meta, PackedIdentity, Reason, Source, State, Subject, Uid,
};
use crate::policy::Site;

/// An Identity and what the directory makes of it.
#[derive(Debug)]
pub(crate) struct IdentityEntry {
    pub uid: Uid,
    pub generation: i64,
    pub created: Timestamp,
    pub spec: Result<PackedIdentity, Box<Invalid>>,
    /// At the directory's time.
    pub state: State,
    /// The younger of two with one userName or externalId.
    pub duplicate: Option<Reason>,
    /// Groups it is in.
    pub groups: Known<GroupId>,
    /// Policies that match.
    pub policies: Known<PolicyId>,
}

impl IdentityEntry {
    /// The lifecycle, as far as it could be read.
    pub fn lifecycle(&self) -> Option<&Lifecycle> {
        match &self.spec {
            Ok(identity) => Some(identity.lifecycle()),
            Err(invalid) => invalid.lifecycle.as_ref(),
        }
    }

    /// The state at a time; where the lifecycle could not be read the identity counts as active and is frozen anyway.
    pub fn state_at(&self, now: Timestamp) -> State {
        self.lifecycle().map_or(State::Active, |lifecycle| lifecycle.state(now))
    }

    /// Why it loses nothing and gains nothing, if so.
    pub fn frozen(&self) -> Option<Reason> {
        if self.spec.is_err() { Some(Reason::InvalidSpec) } else { self.duplicate }
    }

    /// The spec, if it is valid and the identity has not ended: the only ones that rules are asked about.
    pub fn evaluable(&self) -> Option<&PackedIdentity> {
        self.spec.as_ref().ok().filter(|_| self.state != State::Ended)
    }
}

/// A Group and its members.
#[derive(Debug)]
pub(crate) struct GroupEntry {
    pub meta: Meta,
    pub spec: Result<GroupSpec, Invalid>,
    pub members: IdSet,
    pub unknown: IdSet,
}

/// A valid Group.
#[derive(Clone, Debug, Default)]
pub(crate) struct GroupSpec {
    pub display_name: Option<Arc<str>>,
    pub listed: Listed,
    /// Groups it includes, until when.
    pub nested: BTreeMap<GroupId, Option<Timestamp>>,
    pub rule: Option<Ruled>,
    pub excluded: BTreeSet<IdentityId>,
    pub without: BTreeSet<GroupId>,
}

/// Whether something until `not_after` still is.
pub(crate) fn holds(not_after: Option<Timestamp>, now: Timestamp) -> bool {
    not_after.is_none_or(|end| now < end)
}

impl GroupSpec {
    /// With names as integers and the rule compiled, unless it is the old one. Of two entries for one member the
    /// longer one counts.
    pub fn new(group: &Group, old: Option<Ruled>, names: &mut Names<'_>) -> Self {
        let mut spec = Self { display_name: group.display_name.clone(), ..Self::default() };
        let mut listed = Vec::with_capacity(group.members.len());
        for member in &group.members {
            match &member.subject {
                Subject::Identity(name) => listed.push((names.identities.intern(name), member.not_after)),
                Subject::Group(name) => longer(&mut spec.nested, names.groups.intern(name), member.not_after),
            }
        }
        spec.listed = Listed::new(listed);
        for subject in &group.exclude {
            match subject {
                Subject::Identity(name) => _ = spec.excluded.insert(names.identities.intern(name)),
                Subject::Group(name) => _ = spec.without.insert(names.groups.intern(name)),
            }
        }
        spec.rule = group.rule.as_ref().map(|source| {
            let same = old.filter(|old| old.source == *source);
            same.unwrap_or_else(|| names.compile(source, Site::GroupMatch))
        });
        spec
    }

    /// Everything but the rule is the same, and so is the rule's source.
    pub fn same(&self, other: &Self) -> bool {
        self.display_name == other.display_name
            && self.listed == other.listed
            && self.nested == other.nested
            && self.excluded == other.excluded
            && self.without == other.without
            && self.source() == other.source()
    }

    pub fn source(&self) -> Option<&Source> {
        self.rule.as_ref().map(|rule| &rule.source)
    }
}

fn longer(members: &mut BTreeMap<GroupId, Option<Timestamp>>, id: GroupId, not_after: Option<Timestamp>) {
    let end = members.entry(id).or_insert(not_after);
    *end = end.zip(not_after).map(|(one, other)| one.max(other));
}

/// An AccessPolicy and whom it matches.
#[derive(Debug)]
pub(crate) struct PolicyEntry {
    pub meta: Meta,
    pub spec: Result<PolicySpec, Invalid>,
    /// Its window is open at the directory's time.
    pub open: bool,
    pub matched: IdSet,
    pub unknown: IdSet,
}

/// A valid AccessPolicy.
#[derive(Debug)]
pub(crate) struct PolicySpec {
    pub policy: AccessPolicy,
    pub subjects: Option<Subjects>,
    pub rule: Option<Ruled>,
}

/// `AccessPolicy.spec.subjects` as integers.
#[derive(Debug, Default)]
pub(crate) struct Subjects {
    pub identities: BTreeSet<IdentityId>,
    pub groups: BTreeSet<GroupId>,
}

impl PolicySpec {
    /// With names as integers and the rule compiled.
    pub fn new(policy: AccessPolicy, names: &mut Names<'_>) -> Self {
        let subjects = policy.subjects.as_ref().map(|subjects| {
            let mut known = Subjects::default();
            for subject in subjects {
                match subject {
                    Subject::Identity(name) => _ = known.identities.insert(names.identities.intern(name)),
                    Subject::Group(name) => _ = known.groups.insert(names.groups.intern(name)),
                }
            }
            known
        });
        let rule = policy.rule.as_ref().map(|source| names.compile(source, Site::PolicyMatch(policy.effect)));
        Self { policy, subjects, rule }
    }
}

/// The tables that give names their integers.
pub(crate) struct Names<'a> {
    pub identities: &'a mut Table<IdentityId, IdentityEntry>,
    pub groups: &'a mut Table<GroupId, GroupEntry>,
}

impl Names<'_> {
    /// Compiles a rule; the groups that it names get their integers.
    pub fn compile(&mut self, source: &Source, site: Site) -> Ruled {
        Ruled::new(source, site, self.groups)
    }
}
