//! One namespace in memory: who should have what, and why. No target, no ledger, no clock enters here.
//!
//! Manifests come in as [`Change`]s and time as an argument; [`Directory::decision`] answers for one identity and one
//! application. Names are small integers within; a change evaluates what it can reach and nothing else.

mod absence;
mod account;
mod application;
pub(crate) mod change;
mod dangling;
mod decide;
mod decision;
mod duplicates;
mod entry;
mod explanation;
mod idle;
mod ids;
pub(crate) mod keys;
mod known;
mod listed;
mod matching;
mod membership;
mod problem;
mod problems;
mod rules;
mod settle;
mod table;
#[cfg(test)]
pub(crate) mod tests;
mod time;
mod touched;
mod truth;
mod view;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

pub use absence::*;
pub use account::*;
pub use dangling::*;
pub use decision::*;
pub use explanation::*;
pub use problem::*;
pub use touched::*;
pub use truth::*;
pub use view::*;

use application::ApplicationEntry;
pub(crate) use application::{ApplicationSpec, From};
use entry::{GroupEntry, IdentityEntry, PolicyEntry};
use ids::IdSet;
use keys::Keys;
use listed::Listings;
use rules::{GroupId, RuleIndex};
use table::{IdentityId, PolicyId, Table};
use time::Timer;

use crate::model::{Change, ConnectorKind, Name, ObjectKind, ObjectRef, Schema};

/// What is known offline of each connector: default mapping, control attributes.
pub type Schemas = fn(ConnectorKind) -> &'static Schema;

/// One namespace: its manifests, and what follows from them at a time.
#[derive(Debug)]
pub struct Directory {
    schemas: Schemas,
    now: Timestamp,
    /// How often manifests came in.
    revision: u64,
    identities: Table<IdentityId, IdentityEntry>,
    groups: Table<GroupId, GroupEntry>,
    policies: Table<PolicyId, PolicyEntry>,
    applications: BTreeMap<Name, ApplicationEntry>,

    /// Identities by case-mapped userName and by externalId, the valid ones.
    by_user_name: Keys<IdentityId>,
    by_external_id: Keys<IdentityId>,
    /// A manager, there or not, and who reports to it.
    reports: BTreeSet<(IdentityId, IdentityId)>,
    /// The groups that list an identity; a group and a group that lists it.
    listings: Listings,
    parents: BTreeSet<(GroupId, GroupId)>,
    /// Groups with a rule, and the same by what the rule needs.
    ruled: BTreeSet<GroupId>,
    group_rules: RuleIndex<GroupId>,
    /// Groups that are referred to and not there, or invalid: everyone may be a member.
    unresolved: BTreeSet<GroupId>,
    /// Groups that refer to each other in a circle.
    cycles: Vec<Vec<GroupId>>,
    /// Who joins or leaves which groups by the absence of a field gains by that, and through what, in words.
    harmful: BTreeMap<(GroupId, bool), Arc<str>>,
    /// Valid policies inside their window, by what they need.
    policy_rules: RuleIndex<PolicyId>,
    /// Policies that speak of an application.
    policies_of: HashMap<Name, BTreeSet<PolicyId>>,
    /// Policies that cannot be read and may withhold anything, in any application.
    illegible: BTreeSet<PolicyId>,

    /// What happens by itself, and when.
    timers: BTreeMap<Timestamp, BTreeSet<Timer>>,
    armed: HashMap<Timer, Timestamp>,
    /// The lead times that are in force.
    lead_times: BTreeSet<Duration>,
    /// Identities whose start is to come.
    pending: IdSet,
}

impl Directory {
    /// An empty namespace. Nothing is known of it before [`Directory::replace`].
    pub fn new(schemas: Schemas) -> Self {
        Self {
            schemas,
            now: Timestamp::MIN,
            revision: 0,
            identities: Table::default(),
            groups: Table::default(),
            policies: Table::default(),
            applications: BTreeMap::new(),
            by_user_name: Keys::default(),
            by_external_id: Keys::default(),
            reports: BTreeSet::new(),
            listings: Listings::default(),
            parents: BTreeSet::new(),
            ruled: BTreeSet::new(),
            group_rules: RuleIndex::default(),
            unresolved: BTreeSet::new(),
            cycles: Vec::new(),
            harmful: BTreeMap::new(),
            policy_rules: RuleIndex::default(),
            policies_of: HashMap::new(),
            illegible: BTreeSet::new(),
            timers: BTreeMap::new(),
            armed: HashMap::new(),
            lead_times: BTreeSet::new(),
            pending: IdSet::default(),
        }
    }

    /// Takes a complete list of all four kinds: what is absent from it is gone, as if that had been seen.
    pub fn replace(&mut self, all: Vec<Change>, now: Timestamp) -> Touched {
        let named: HashSet<ObjectRef> = all.iter().map(Change::object).collect();
        let gone = self.objects().filter(|object| !named.contains(object)).map(Change::Gone);
        let mut batch = all;
        batch.extend(gone);
        let touched = self.apply(batch, now);
        self.shrink();
        touched
    }

    /// A complete list is what there will be for a long time: room for more is given back.
    fn shrink(&mut self) {
        self.identities.shrink();
        self.listings.shrink();
        self.groups.each(|entry| {
            entry.members.shrink();
            entry.unknown.shrink();
        });
        self.policies.each(|entry| {
            entry.matched.shrink();
            entry.unknown.shrink();
        });
    }

    /// Takes changes; of several for one object the last one counts. `Meta::status` is not kept.
    pub fn apply(&mut self, batch: Vec<Change>, now: Timestamp) -> Touched {
        let mut pass = settle::Pass::default();
        self.revision += u64::from(!batch.is_empty());
        self.turn(now, &mut pass);
        self.change(batch, &mut pass);
        self.settle(pass)
    }

    /// Lets time pass (or, where a clock was set back, return).
    pub fn advance(&mut self, now: Timestamp) -> Touched {
        let mut pass = settle::Pass::default();
        self.turn(now, &mut pass);
        let touched = self.settle(pass);
        self.revision += u64::from(!touched.is_empty());
        touched
    }

    /// When something changes by itself next: a start or an end, a lead time, a window, a membership that runs out.
    pub fn next_transition(&self) -> Option<Timestamp> {
        self.timers.keys().next().copied()
    }

    /// Another number than before: manifests came in meanwhile, or time has changed something.
    pub fn revision(&self) -> u64 {
        self.revision
    }

    /// The time of everything that is answered.
    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// Every object that is there.
    pub fn objects(&self) -> impl Iterator<Item = ObjectRef> {
        let of = |kind: ObjectKind| move |name: &Name| ObjectRef { kind, name: name.clone() };
        let identities = self.identities.iter().map(|(_, name, _)| name).map(of(ObjectKind::Identity));
        let groups = self.groups.iter().map(|(_, name, _)| name).map(of(ObjectKind::Group));
        let policies = self.policies.iter().map(|(_, name, _)| name).map(of(ObjectKind::AccessPolicy));
        let applications = self.applications.keys().map(of(ObjectKind::TargetApplication));
        identities.chain(groups).chain(policies).chain(applications)
    }
}
