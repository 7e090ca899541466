//! Manifests into the tables; what each change can reach is noted in the [`Pass`], and evaluated when all are in.

use std::collections::BTreeMap;

use super::Directory;
use super::application::{ApplicationEntry, ApplicationSpec};
use super::entry::{GroupEntry, GroupSpec, IdentityEntry, Names, PolicyEntry, PolicySpec};
use super::ids::IdSet;
use super::known::Known;
use super::rules::{GroupId, Ruled};
use super::settle::Pass;
use super::table::IdentityId;
use super::time::Timer;
use super::truth::Truth;
use crate::model::{
    AccessPolicy, Change, GrantSpec, Group, Identity, Invalid, Manifest, Meta, Name, ObjectKind, State,
    TargetApplication, Withholds,
};

/// Groups before policies before applications before identities: what a changed rule can reach is then asked on
/// identities that are settled.
fn rank(kind: ObjectKind) -> u8 {
    match kind {
        ObjectKind::Group => 0,
        ObjectKind::AccessPolicy => 1,
        ObjectKind::TargetApplication => 2,
        ObjectKind::Identity => 3,
    }
}

impl Directory {
    pub(crate) fn change(&mut self, batch: Vec<Change>, pass: &mut Pass) {
        let key = |(at, change): (usize, &Change)| {
            let object = change.object();
            (rank(object.kind), object.name, at)
        };
        let mut order: Vec<(u8, Name, usize)> = batch.iter().enumerate().map(key).collect();
        order.sort_unstable();
        let last = order.chunk_by(|one, other| (one.0, &one.1) == (other.0, &other.1)).filter_map(<[_]>::last);
        let mut batch: Vec<Option<Change>> = batch.into_iter().map(Some).collect();
        for (.., at) in last {
            let Some(change) = batch.get_mut(*at).and_then(Option::take) else { continue };
            match change {
                Change::Identity(manifest) => self.put_identity(manifest, pass),
                Change::Group(manifest) => self.put_group(manifest, pass),
                Change::AccessPolicy(manifest) => self.put_policy(manifest, pass),
                Change::TargetApplication(manifest) => self.put_application(*manifest, pass),
                Change::Gone(object) => match object.kind {
                    ObjectKind::Identity => self.drop_identity(&object.name, pass),
                    ObjectKind::Group => self.drop_group(&object.name, pass),
                    ObjectKind::AccessPolicy => self.drop_policy(&object.name, pass),
                    ObjectKind::TargetApplication => self.drop_application(&object.name, pass),
                },
            }
        }
    }

    fn put_identity(&mut self, manifest: Manifest<Identity>, pass: &mut Pass) {
        let Manifest { meta, spec } = manifest;
        let id = self.identities.intern(&meta.name);
        let manager = spec.as_ref().ok().and_then(|identity| identity.manager.as_ref());
        let manager = manager.map(|manager| self.identities.intern(manager));
        let spec = spec.map(|identity| identity.pack()).map_err(Box::new);
        if let Some(old) = self.identities.get_mut(id)
            && old.spec == spec
            && (&old.uid, old.created) == (&meta.uid, meta.created)
        {
            if std::mem::replace(&mut old.generation, meta.generation) != meta.generation {
                pass.identities.insert(id);
            }
            return;
        }
        self.unlink_identity(id, pass);
        let mut entry = IdentityEntry {
            uid: meta.uid,
            generation: meta.generation,
            created: meta.created,
            state: State::Active,
            duplicate: None,
            groups: Known::default(),
            policies: Known::default(),
            spec,
        };
        entry.state = entry.state_at(self.now);
        // What was recorded stays until it is evaluated anew, so that the difference is seen.
        if let Some(old) = self.identities.get_mut(id) {
            entry.duplicate = old.duplicate;
            entry.groups = std::mem::take(&mut old.groups);
            entry.policies = std::mem::take(&mut old.policies);
        }
        if entry.spec.is_err() {
            entry.duplicate = None;
        }
        self.identities.set(id, Some(entry));
        self.index_keys(id);
        self.rivals(id, pass);
        if let Some(manager) = manager {
            self.reports.insert((manager, id));
        }
        self.arm(Timer::Identity(id));
        pass.changed_identity(id);
    }

    fn drop_identity(&mut self, name: &Name, pass: &mut Pass) {
        let Some(id) = self.identities.id(name.as_str()) else { return };
        if self.identities.get(id).is_none() {
            return;
        }
        self.unlink_identity(id, pass);
        self.record_membership(id, &Known::default(), pass);
        self.record_matching(id, &Known::default(), pass);
        self.identities.set(id, None);
        self.arm(Timer::Identity(id));
        pass.changed_identity(id);
    }

    /// Takes the old keys and the old manager of an identity out of the indexes.
    fn unlink_identity(&mut self, id: IdentityId, pass: &mut Pass) {
        self.rivals(id, pass);
        self.unindex_keys(id);
        let Some(Ok(old)) = self.identities.get(id).map(|entry| entry.spec.as_ref()) else { return };
        if let Some(manager) = old.manager().and_then(|manager| self.identities.id(manager)) {
            self.reports.remove(&(manager, id));
        }
    }

    fn put_group(&mut self, manifest: Manifest<Group>, pass: &mut Pass) {
        let id = self.groups.intern(&manifest.meta.name);
        let meta = without_status(manifest.meta);
        let rule = self.group_spec(id).and_then(|spec| spec.rule.clone());
        let spec = manifest.spec.map(|group| GroupSpec::new(&group, rule, &mut self.names()));
        if let Some(old) = self.groups.get_mut(id) {
            let same = match (&old.spec, &spec) {
                (Ok(old), Ok(new)) => old.same(new),
                (Err(old), Err(new)) => old == new,
                _ => false,
            };
            if same {
                if old.meta != meta {
                    old.meta = meta;
                    pass.groups.insert(id);
                }
                return;
            }
        }
        let (members, unknown) = match self.groups.get_mut(id) {
            Some(old) => (std::mem::take(&mut old.members), std::mem::take(&mut old.unknown)),
            // Of a group that was referred to and missing everyone may have been a member.
            None => (IdSet::default(), self.perhaps_in(id)),
        };
        let old = self.groups.set(id, Some(GroupEntry { meta, spec, members, unknown }));
        self.relink_group(id, old.and_then(|old| old.spec.ok()), pass);
    }

    fn perhaps_in(&self, id: GroupId) -> IdSet {
        if !self.unresolved.contains(&id) {
            return IdSet::default();
        }
        let perhaps = |entry: &IdentityEntry| entry.groups.truth(id) == Truth::Unknown;
        self.identities.iter().filter(|(_, _, entry)| perhaps(entry)).map(|(identity, ..)| identity).collect()
    }

    fn drop_group(&mut self, name: &Name, pass: &mut Pass) {
        let Some(id) = self.groups.id(name.as_str()) else { return };
        let Some(old) = self.groups.set(id, None) else { return };
        pass.members.extend(old.members.iter().chain(old.unknown.iter()));
        self.relink_group(id, old.spec.ok(), pass);
    }

    /// After a group's spec changed: indexes, timer, and everyone whose membership can differ by it.
    fn relink_group(&mut self, id: GroupId, old: Option<GroupSpec>, pass: &mut Pass) {
        let old = old.unwrap_or_default();
        let none = GroupSpec::default();
        let new = self.groups.get(id).and_then(|entry| entry.spec.as_ref().ok()).unwrap_or(&none);
        for identity in old.listed.differing(&new.listed) {
            self.listings.set(identity, id, new.listed.get(identity).is_some());
            pass.members.insert(identity);
        }
        for group in differing(&old.nested, &new.nested) {
            if new.nested.contains_key(&group) {
                self.parents.insert((group, id));
            } else {
                self.parents.remove(&(group, id));
            }
        }
        pass.members.extend(old.excluded.symmetric_difference(&new.excluded).copied());
        let nested: Vec<GroupId> = differing(&old.nested, &new.nested)
            .chain(old.without.symmetric_difference(&new.without).copied())
            .collect();
        pass.cycles |= !nested.is_empty();
        for group in nested {
            self.everyone_in(group, pass);
        }
        if old.source() != new.source() {
            self.whoever_differs(old.rule.as_ref(), new.rule.as_ref(), pass);
        }
        self.arm(Timer::Group(id));
        pass.references = true;
        pass.groups.insert(id);
    }

    /// The members of a group may change groups that build on it.
    pub(crate) fn everyone_in(&self, group: GroupId, pass: &mut Pass) {
        match self.groups.get(group) {
            Some(entry) if entry.spec.is_ok() => pass.members.extend(entry.members.iter().chain(entry.unknown.iter())),
            _ => pass.everyone = true,
        }
    }

    /// Identities about which an old and a new rule of a group do not agree.
    fn whoever_differs(&self, old: Option<&Ruled>, new: Option<&Ruled>, pass: &mut Pass) {
        for (id, _, entry) in self.identities.iter().filter(|(_, _, entry)| entry.state != State::Ended) {
            let Ok(identity) = &entry.spec else {
                pass.members.insert(id);
                continue;
            };
            let differs = self.with_bare_facts(entry, identity, |facts| {
                let ask = |rule: Option<&Ruled>| rule.map_or(Truth::No, |rule| rule.holds(facts));
                ask(old) != ask(new)
            });
            if differs {
                pass.members.insert(id);
            }
        }
    }

    fn put_policy(&mut self, manifest: Manifest<AccessPolicy>, pass: &mut Pass) {
        let id = self.policies.intern(&manifest.meta.name);
        let meta = without_status(manifest.meta);
        if let Some(old) = self.policies.get_mut(id) {
            let same = match (&old.spec, &manifest.spec) {
                (Ok(old), Ok(new)) => old.policy == *new,
                (Err(old), Err(new)) => old == new,
                _ => false,
            };
            if same {
                if old.meta != meta {
                    old.meta = meta;
                    pass.touched.policies.insert(old.meta.name.clone());
                }
                return;
            }
        }
        self.unlink_policy(id, pass);
        let spec = manifest.spec.map(|policy| PolicySpec::new(policy, &mut self.names()));
        let open = spec.as_ref().is_ok_and(|spec| spec.policy.in_window(self.now));
        if spec.as_ref().is_err_and(|invalid| invalid.withholds == Withholds::Anything) {
            self.illegible.insert(id);
        }
        for grant in named(&spec) {
            self.policies_of.entry(grant.application.clone()).or_default().insert(id);
        }
        pass.unreadable |= spec.is_err();
        let (matched, unknown) = match self.policies.get_mut(id) {
            Some(old) => (std::mem::take(&mut old.matched), std::mem::take(&mut old.unknown)),
            None => Default::default(),
        };
        self.policies.set(id, Some(PolicyEntry { meta, spec, open, matched, unknown }));
        self.arm(Timer::Policy(id));
        pass.references = true;
        pass.policies.insert(id);
    }

    fn drop_policy(&mut self, name: &Name, pass: &mut Pass) {
        let Some(id) = self.policies.id(name.as_str()) else { return };
        self.unlink_policy(id, pass);
        let Some(old) = self.policies.get(id) else { return };
        for identity in old.matched.iter().chain(old.unknown.iter()).collect::<Vec<_>>() {
            self.record_match(id, identity, Truth::No);
        }
        self.policies.set(id, None);
        self.arm(Timer::Policy(id));
        pass.references = true;
        pass.touched.policies.insert(name.clone());
    }

    /// Touches whom a policy spoke of, and forgets the applications that it named.
    fn unlink_policy(&mut self, id: super::table::PolicyId, pass: &mut Pass) {
        self.illegible.remove(&id);
        let Some(old) = self.policies.get(id) else { return };
        pass.unreadable |= old.spec.is_err();
        for identity in old.matched.iter().chain(old.unknown.iter()) {
            pass.within(identity, named(&old.spec).iter().map(|grant| &grant.application));
        }
        for grant in named(&old.spec) {
            if let Some(policies) = self.policies_of.get_mut(&grant.application) {
                policies.remove(&id);
                if policies.is_empty() {
                    self.policies_of.remove(&grant.application);
                }
            }
        }
    }

    fn put_application(&mut self, manifest: Manifest<TargetApplication>, pass: &mut Pass) {
        let name = manifest.meta.name.clone();
        let meta = without_status(manifest.meta);
        if let Some(old) = self.applications.get_mut(&name) {
            let same = match (&old.spec, &manifest.spec) {
                (Ok(old), Ok(new)) => old.application == *new,
                (Err(old), Err(new)) => old == new,
                _ => false,
            };
            if same {
                if old.meta != meta {
                    old.meta = meta;
                    pass.touched.applications.insert(name);
                }
                return;
            }
        }
        let schemas = self.schemas;
        let spec = manifest.spec.map(|application| {
            let schema = schemas(application.connector.kind);
            Box::new(ApplicationSpec::new(application, schema, &mut self.names()))
        });
        self.applications.insert(name.clone(), ApplicationEntry { meta, spec });
        self.touch_application(name, pass);
    }

    fn drop_application(&mut self, name: &Name, pass: &mut Pass) {
        if self.applications.remove(name).is_some() {
            self.touch_application(name.clone(), pass);
        }
    }

    fn touch_application(&mut self, name: Name, pass: &mut Pass) {
        let policies = self.policies_of.get(&name).into_iter().flatten();
        pass.touched.policies.extend(policies.filter_map(|policy| self.policies.name(*policy).cloned()));
        pass.touched.applications.insert(name);
        pass.references = true;
    }

    fn names(&mut self) -> Names<'_> {
        Names { identities: &mut self.identities, groups: &mut self.groups }
    }
}

/// What a policy gives or withholds, as far as it could be read.
fn named(spec: &Result<PolicySpec, Invalid>) -> &[GrantSpec] {
    match spec {
        Ok(spec) => &spec.policy.grants,
        Err(invalid) => invalid.withholds.named(),
    }
}

/// Keys whose values differ between two maps.
fn differing<'a, K: Ord + Copy, V: PartialEq>(
    old: &'a BTreeMap<K, V>,
    new: &'a BTreeMap<K, V>,
) -> impl Iterator<Item = K> + 'a {
    let changed = old.iter().filter(|(key, value)| new.get(key) != Some(value)).map(|(key, _)| *key);
    changed.chain(new.keys().filter(|key| !old.contains_key(key)).copied())
}

/// Status is large, and the board's.
fn without_status(meta: Meta) -> Meta {
    Meta { status: None, ..meta }
}
