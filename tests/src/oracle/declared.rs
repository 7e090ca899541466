//! The declared state, and where each identity stands.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use provost_core::model::{
    AccessPolicy, Change, Group, Identity, Manifest, Name, ObjectRef, Source, State, TargetApplication,
};

use super::rule::{Facts, Manager, Rule, Truth};

/// All manifests, and the rules that their sources were printed from.
#[derive(Clone, Debug, Default)]
pub struct Declared {
    pub identities: BTreeMap<Name, Manifest<Identity>>,
    pub groups: BTreeMap<Name, Manifest<Group>>,
    pub policies: BTreeMap<Name, Manifest<AccessPolicy>>,
    pub applications: BTreeMap<Name, Manifest<TargetApplication>>,
    pub rules: BTreeMap<String, Rule>,
}

/// Where an identity stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Not started.
    Pending,
    /// Started, not ended, not suspended.
    Active,
    /// On leave.
    Suspended,
    /// Past its end.
    Ended,
    /// Invalid or a duplicate: it loses nothing and gains nothing.
    Frozen,
    /// The same, and its lifecycle, which is obeyed where it disables, says that it is suspended.
    FrozenAndSuspended,
}

impl Standing {
    /// Neither gains nor loses.
    pub fn is_frozen(self) -> bool {
        matches!(self, Self::Frozen | Self::FrozenAndSuspended)
    }
}

fn frozen(state: Option<State>) -> Standing {
    match state {
        Some(State::Ended) => Standing::Ended,
        Some(State::Suspended) => Standing::FrozenAndSuspended,
        _ => Standing::Frozen,
    }
}

impl Declared {
    /// Everything as manifests.
    pub fn changes(&self) -> Vec<Change> {
        let identities = self.identities.values().cloned().map(Change::Identity);
        let groups = self.groups.values().cloned().map(Change::Group);
        let policies = self.policies.values().cloned().map(Change::AccessPolicy);
        let applications = self.applications.values().cloned().map(|a| Change::TargetApplication(Box::new(a)));
        identities.chain(groups).chain(policies).chain(applications).collect()
    }

    /// What a watch tells of the way from `before` to here.
    pub fn since(&self, before: &Self) -> Vec<Change> {
        let (old, new) = (before.changes(), self.changes());
        let named: BTreeSet<ObjectRef> = new.iter().map(Change::object).collect();
        let gone = old.iter().map(Change::object).filter(|object| !named.contains(object)).map(Change::Gone);
        gone.chain(new.iter().filter(|change| !old.contains(change)).cloned()).collect()
    }

    /// The spec of an identity, if it is valid.
    pub fn identity(&self, name: &Name) -> Option<&Identity> {
        self.identities.get(name)?.spec.as_ref().ok()
    }

    /// Where an identity stands; `None`: there is no such one.
    pub fn standing(&self, name: &Name, at: Timestamp) -> Option<Standing> {
        let manifest = self.identities.get(name)?;
        Some(match &manifest.spec {
            Err(invalid) => frozen(invalid.lifecycle.map(|lifecycle| lifecycle.state(at))),
            Ok(identity) => match identity.lifecycle.state(at) {
                State::Ended => Standing::Ended,
                state if self.is_the_younger(name, at) => frozen(Some(state)),
                State::Pending => Standing::Pending,
                State::Active => Standing::Active,
                State::Suspended => Standing::Suspended,
            },
        })
    }

    /// Whether an older identity, not ended, has its userName or externalId.
    fn is_the_younger(&self, name: &Name, at: Timestamp) -> bool {
        let Some((mine, me)) = self.identities.get(name).and_then(|m| Some((m, m.spec.as_ref().ok()?))) else {
            return false;
        };
        self.identities.values().filter(|other| other.meta.name != *name).any(|other| {
            let Ok(they) = &other.spec else { return false };
            let same_name = they.user_name.folded() == me.user_name.folded();
            let same_key = me.external_id.is_some() && they.external_id == me.external_id;
            let older =
                (other.meta.created, other.meta.uid.to_string()) < (mine.meta.created, mine.meta.uid.to_string());
            (same_name || same_key) && older && they.lifecycle.state(at) != State::Ended
        })
    }

    /// What an identity's manager is to a rule: absent where there is none, Unknown where its manifest is invalid.
    pub fn manager(&self, identity: &Identity) -> Manager<'_> {
        match identity.manager.as_ref().and_then(|name| self.identities.get(name)).map(|manifest| &manifest.spec) {
            None => Manager::Absent,
            Some(Err(_)) => Manager::Unknown,
            Some(Ok(manager)) => Manager::Known(manager),
        }
    }

    /// What a rule says of an identity; without a rule everyone matches.
    pub fn truth(
        &self,
        rule: Option<&Source>,
        identity: &Identity,
        state: State,
        member: &dyn Fn(&Name) -> Truth,
    ) -> Truth {
        let Some(source) = rule else { return Truth::True };
        let facts = Facts { identity, state, manager: self.manager(identity), member };
        self.rules.get(&*source.text).map_or(Truth::Unknown, |rule| rule.truth(&facts))
    }
}
