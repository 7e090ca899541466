//! What semantics.md says, as plainly as it can be computed: everything from scratch, every time.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

use super::generate::World;
use super::rule::Asked;
use crate::directory::{Decision, Standing, Truth, Wanted, Withheld};
use crate::model::{
    AccessPolicy, Change, Effect, GrantWhat, Group, Identity, Invalid, Lifecycle, Manifest, Name, ObjectKind,
    ObjectRef, PolicyMode, Reason, Source, State, Subject, TargetApplication,
};

pub(super) struct Naive<'a> {
    pub world: &'a World,
    pub now: Timestamp,
}

impl<'a> Naive<'a> {
    fn object(&self, kind: ObjectKind, name: &Name) -> Option<&'a Change> {
        self.world.objects.get(&ObjectRef { kind, name: name.clone() })
    }

    fn identity(&self, name: &Name) -> Option<&'a Manifest<Identity>> {
        match self.object(ObjectKind::Identity, name)? {
            Change::Identity(manifest) => Some(manifest),
            _ => None,
        }
    }

    fn group(&self, name: &Name) -> Option<&'a Result<Group, Invalid>> {
        match self.object(ObjectKind::Group, name)? {
            Change::Group(manifest) => Some(&manifest.spec),
            _ => None,
        }
    }

    fn application(&self, name: &Name) -> Option<&'a TargetApplication> {
        match self.object(ObjectKind::TargetApplication, name)? {
            Change::TargetApplication(manifest) => manifest.spec.as_ref().ok(),
            _ => None,
        }
    }

    fn of_kind(&self, kind: ObjectKind) -> impl Iterator<Item = &'a Name> {
        self.world.objects.keys().filter(move |object| object.kind == kind).map(|object| &object.name)
    }

    fn lifecycle(&self, name: &Name) -> Lifecycle {
        match self.identity(name).map(|manifest| &manifest.spec) {
            Some(Ok(identity)) => identity.lifecycle,
            Some(Err(invalid)) => invalid.lifecycle.unwrap_or_default(),
            None => Lifecycle::default(),
        }
    }

    pub fn state(&self, name: &Name) -> State {
        let lifecycle = self.lifecycle(name);
        match lifecycle {
            Lifecycle { end: Some(end), .. } if self.now >= end => State::Ended,
            Lifecycle { suspended: true, .. } => State::Suspended,
            Lifecycle { start: Some(start), .. } if self.now < start => State::Pending,
            _ => State::Active,
        }
    }

    /// A valid identity that has not ended.
    fn counts(&self, name: &Name) -> Option<&'a Identity> {
        self.identity(name)?.spec.as_ref().ok().filter(|_| self.state(name) != State::Ended)
    }

    pub fn frozen(&self, name: &Name) -> Option<Reason> {
        let manifest = self.identity(name)?;
        if manifest.spec.is_err() {
            return Some(Reason::InvalidSpec);
        }
        let mine = self.counts(name)?;
        let age = |manifest: &Manifest<Identity>| {
            (manifest.meta.created, manifest.meta.uid.clone(), manifest.meta.name.clone())
        };
        let older: Vec<&Identity> = self
            .of_kind(ObjectKind::Identity)
            .filter(|other| age(self.identity(other).unwrap()) < age(manifest))
            .filter_map(|other| self.counts(other))
            .collect();
        if older.iter().any(|other| other.user_name.folded() == mine.user_name.folded()) {
            Some(Reason::DuplicateUserName)
        } else if older.iter().any(|other| mine.external_id.is_some() && other.external_id == mine.external_id) {
            Some(Reason::DuplicateExternalId)
        } else {
            None
        }
    }

    fn rule(&self, source: &Source, identity: &Identity, name: &Name, groups: &BTreeMap<Name, Truth>) -> Truth {
        let manager = identity.manager.as_ref().and_then(|manager| self.identity(manager));
        let manager = manager.map(|manifest| manifest.spec.as_ref().map_err(|_| Truth::Unknown));
        // A group that is not among them is not there.
        let group = |group: &str| groups.get(group).copied().unwrap_or(Truth::Unknown);
        self.world.rules[&*source.text].holds(&Asked { identity, state: self.state(name), manager, group: &group })
    }

    /// The well-founded model for one identity: what is derived for sure becomes Yes, what has no support even by
    /// what is open becomes No, until nothing moves; the rest is Unknown.
    pub fn groups(&self, name: &Name) -> BTreeMap<Name, Truth> {
        let groups: BTreeMap<&Name, Option<&Group>> =
            self.of_kind(ObjectKind::Group).map(|g| (g, self.group(g).unwrap().as_ref().ok())).collect();
        let mut value: BTreeMap<Name, Truth> = groups.keys().map(|g| ((*g).clone(), Truth::Unknown)).collect();
        if self.identity(name).is_none() || self.state(name) == State::Ended {
            return value.into_keys().map(|g| (g, Truth::No)).collect();
        }
        let get = |value: &BTreeMap<Name, Truth>, g: &Name| value.get(g).copied().unwrap_or(Truth::Unknown);
        loop {
            let before = value.clone();
            for (g, group) in &groups {
                let Some(group) = group else { continue };
                let nested = self.nested(group).map(|h| get(&before, h)).max().unwrap_or_default();
                let support = self.leaf(group, name).max(nested);
                let each = group.exclude.iter().map(|subject| match subject {
                    Subject::Identity(other) => Truth::from(other == name),
                    Subject::Group(other) => get(&before, other),
                });
                let excluded = each.max().unwrap_or_default();
                if support == Truth::Yes && excluded == Truth::No {
                    value.insert((*g).clone(), Truth::Yes);
                }
                if excluded == Truth::Yes {
                    value.insert((*g).clone(), Truth::No);
                }
            }
            let mut founded: BTreeSet<&Name> =
                groups.iter().filter(|(_, g)| g.is_none()).map(|(name, _)| *name).collect();
            loop {
                let size = founded.len();
                for (g, group) in &groups {
                    let Some(group) = group.filter(|_| value[*g] != Truth::No) else { continue };
                    let nested = self.nested(group).any(|h| !groups.contains_key(h) || founded.contains(h));
                    if nested || self.leaf(group, name) != Truth::No {
                        founded.insert(g);
                    }
                }
                if founded.len() == size {
                    break;
                }
            }
            for g in groups.keys().filter(|g| !founded.contains(*g)) {
                value.insert((*g).clone(), Truth::No);
            }
            if value == before {
                return value;
            }
        }
    }

    fn nested<'g>(&self, group: &'g Group) -> impl Iterator<Item = &'g Name> {
        let now = self.now;
        group.members.iter().filter(move |m| m.not_after.is_none_or(|end| now < end)).filter_map(|m| match &m.subject {
            Subject::Group(group) => Some(group),
            Subject::Identity(_) => None,
        })
    }

    fn leaf(&self, group: &Group, name: &Name) -> Truth {
        let spec = &self.identity(name).unwrap().spec;
        let lists = |member: &crate::model::Member| {
            member.subject == Subject::Identity(name.clone()) && member.not_after.is_none_or(|end| self.now < end)
        };
        let listed = group.members.iter().any(lists);
        match (spec, &group.rule) {
            (Err(_), rule) => Truth::from(listed || rule.is_some()).min(Truth::Unknown),
            (Ok(_), None) => listed.into(),
            (Ok(identity), Some(rule)) => self.rule(rule, identity, name, &BTreeMap::new()).max(listed.into()),
        }
    }

    pub fn matches(&self, policy: &AccessPolicy, name: &Name, groups: &BTreeMap<Name, Truth>) -> Truth {
        let Some(identity) = self.counts(name) else { return Truth::No };
        let started = policy.not_before.is_none_or(|from| from <= self.now);
        if !started || policy.not_after.is_some_and(|to| to <= self.now) {
            return Truth::No;
        }
        let subject = |subject: &Subject| match subject {
            Subject::Identity(other) => Truth::from(other == name),
            Subject::Group(group) => groups.get(group).copied().unwrap_or(Truth::Unknown),
        };
        let subjects = match &policy.subjects {
            None => Truth::Yes,
            Some(subjects) => subjects.iter().map(subject).max().unwrap_or_default(),
        };
        let rule = policy.rule.as_ref().map_or(Truth::Yes, |rule| self.rule(rule, identity, name, groups));
        subjects.min(rule)
    }

    pub fn policies(&self) -> impl Iterator<Item = (&'a Name, &'a AccessPolicy)> {
        self.world.objects.values().filter_map(|change| match change {
            Change::AccessPolicy(manifest) => manifest.spec.as_ref().ok().map(|policy| (&manifest.meta.name, policy)),
            _ => None,
        })
    }

    pub fn decision(&self, owner: &Name, application: &Name) -> Decision {
        if self.identity(owner).is_none() {
            return Decision::default();
        }
        let groups = self.groups(owner);
        let known = self.application(application);
        let catalogue: BTreeMap<&Name, Option<&Source>> =
            known.iter().flat_map(|a| &a.entitlements).map(|e| (&e.name, e.requires.as_ref())).collect();
        let state = self.state(owner);
        let lifecycle = self.lifecycle(owner);
        let mut standing = Standing {
            state,
            explicit: lifecycle.suspended || state == State::Ended,
            frozen: self.frozen(owner),
            lead: false,
        };
        // `None` is the account.
        let mut wanted: BTreeMap<Option<&Name>, Wanted> = BTreeMap::from([(None, Wanted::default())]);
        let mut denies: Vec<(&Name, &GrantWhat, Truth)> = Vec::new();
        for (name, policy) in self.policies().filter(|(_, policy)| policy.mode == PolicyMode::Enforce) {
            let Some(grant) = policy.grants.iter().find(|grant| grant.application == *application) else { continue };
            let truth = self.matches(policy, owner, &groups);
            if truth == Truth::No {
                continue;
            }
            if policy.effect == Effect::Deny {
                denies.push((name, &grant.what, truth));
                continue;
            }
            let early = |lead| lifecycle.start.is_some_and(|s| s - SignedDuration::try_from(lead).unwrap() <= self.now);
            standing.lead |= truth == Truth::Yes && state == State::Pending && policy.lead_time.is_some_and(early);
            let named = if let GrantWhat::Named(names) = &grant.what { names.as_slice() } else { &[] };
            for right in std::iter::once(None).chain(named.iter().map(Some)) {
                let there = known.is_some() && right.is_none_or(|name| catalogue.contains_key(name));
                let wanted = wanted.entry(right).or_default();
                let list = if there && truth == Truth::Yes { &mut wanted.allow } else { &mut wanted.unknown };
                list.push(name.clone());
            }
        }
        // A policy that cannot be read withholds nobody knows from whom.
        for change in self.world.objects.values().filter(|_| self.counts(owner).is_some()) {
            let Change::AccessPolicy(Manifest { spec: Err(invalid), meta }) = change else { continue };
            denies.extend(invalid.withholds.within(application).map(|what| (&meta.name, what, Truth::Unknown)));
        }
        for (_, what, _) in &denies {
            match what {
                GrantWhat::Named(names) => names.iter().for_each(|name| _ = wanted.entry(Some(name)).or_default()),
                _ => catalogue.keys().for_each(|name| _ = wanted.entry(Some(*name)).or_default()),
            }
        }
        for (right, wanted) in &mut wanted {
            let mut by = Vec::new();
            let mut most = Truth::No;
            for (name, what, truth) in &denies {
                let (concerns, there) = match (what, right) {
                    (GrantWhat::Account, _) => (true, known.is_some()),
                    (GrantWhat::EveryEntitlement, right) => (right.is_some(), known.is_some()),
                    (GrantWhat::Named(names), Some(right)) => (names.contains(right), catalogue.contains_key(*right)),
                    (GrantWhat::Named(_), None) => (false, false),
                };
                let truth = if there { *truth } else { Truth::Unknown };
                if concerns {
                    most = most.max(truth);
                    by.extend((truth == Truth::Yes).then(|| (*name).clone()));
                }
            }
            if let (Some(Some(rule)), Some(identity)) = (right.and_then(|r| catalogue.get(r)), self.counts(owner)) {
                let withheld = match self.rule(rule, identity, owner, &groups) {
                    Truth::Yes => Truth::No,
                    Truth::Unknown => Truth::Unknown,
                    Truth::No => Truth::Yes,
                };
                most = most.max(withheld);
            }
            by.sort();
            wanted.allow.sort();
            wanted.unknown.sort();
            wanted.withheld = match most {
                Truth::No => Withheld::No,
                Truth::Unknown => Withheld::Unknown,
                Truth::Yes => Withheld::Yes(by),
            };
        }
        let account = wanted.remove(&None).unwrap_or_default();
        let entitlements = wanted.into_iter().filter_map(|(name, w)| Some((name?.clone(), w))).collect();
        Decision { owner: Some(standing), account, entitlements }
    }
}
