//! What is wrong with each object beyond what a schema can see: for status and for `provost lint`.

use std::collections::{BTreeMap, BTreeSet};

use super::Directory;
use super::entry::{GroupEntry, PolicyEntry};
use super::problem::Problem;
use super::rules::{GroupId, Ruled};
use super::table::IdentityId;
use crate::model::{
    AccessPolicy, Effect, GrantWhat, Invalid, Name, ObjectKind, ObjectRef, PackedIdentity, PolicyMode, Reason,
};

/// How many failing identities, or privileged grants, a problem names.
const NAMED: usize = 3;

impl Directory {
    /// Every object with problems, sorted.
    pub fn problems(&self) -> BTreeMap<ObjectRef, Vec<Problem>> {
        let of = |object: ObjectRef| {
            let problems = self.problems_of(&object);
            (!problems.is_empty()).then_some((object, problems))
        };
        self.objects().filter_map(of).collect()
    }

    /// What is wrong with one object; empty for one that is not there.
    pub fn problems_of(&self, object: &ObjectRef) -> Vec<Problem> {
        let name = object.name.as_str();
        let problems = match object.kind {
            ObjectKind::Identity => self.identities.id(name).map(|id| self.identity_problems(id)),
            ObjectKind::Group => {
                self.groups.id(name).and_then(|id| self.groups.get(id).map(|entry| self.group_problems(id, entry)))
            }
            ObjectKind::AccessPolicy => {
                self.policies.id(name).and_then(|id| self.policies.get(id).map(|entry| self.policy_problems(entry)))
            }
            ObjectKind::TargetApplication => Some(self.application_problems(&object.name)),
        };
        let mut problems = problems.unwrap_or_default();
        // What only an edit can help comes first.
        problems.sort_by(|one, other| {
            let key = |problem: &Problem| (!problem.reason.is_stalled(), problem.path.clone(), problem.message.clone());
            key(one).cmp(&key(other))
        });
        problems
    }

    fn identity_problems(&self, id: IdentityId) -> Vec<Problem> {
        let Some(entry) = self.identities.get(id) else { return Vec::new() };
        let identity = match &entry.spec {
            Ok(identity) => identity,
            Err(invalid) => return invalid_spec(invalid),
        };
        let mut problems = Vec::new();
        if let Some((reason, other)) = self.duplicate_of(id) {
            let first = self.first_by(other, id);
            problems.extend(self.clash(identity, reason, other, |key, other| {
                format!(
                    "{key:?} belongs to Identity {other}, which {first}; this one loses nothing and gains nothing until one \
                     of the two is changed, ended or deleted"
                )
            }));
        }
        problems
    }

    /// Which Identities have a key in common with this one where one of the two has no age: nobody can tell which will stand.
    /// For each key one problem, which takes the place of that of the same reason.
    pub fn clashes_of(&self, identity: &Name) -> Vec<Problem> {
        let Some(id) = self.identities.id(identity.as_str()) else { return Vec::new() };
        let Some(Ok(spec)) = self.identities.get(id).map(|entry| &entry.spec) else { return Vec::new() };
        let one = |(reason, other): (Reason, IdentityId)| {
            self.clash(spec, reason, other, |key, other| {
                format!(
                    "{key:?} is that of Identity {other} too; whichever of the two is created later loses nothing and gains \
                     nothing until one is changed, ended or deleted"
                )
            })
        };
        self.equals_of(id).into_iter().filter_map(one).collect()
    }

    /// That an identity has a key in common with another one, in words made of the key and the other's name.
    fn clash(
        &self,
        identity: &PackedIdentity,
        reason: Reason,
        other: IdentityId,
        words: impl FnOnce(&str, &Name) -> String,
    ) -> Option<Problem> {
        let name = self.identities.name(other)?.clone();
        let (path, key) = match reason {
            Reason::DuplicateUserName => ("spec.userName", identity.user_name()),
            _ => ("spec.externalId", identity.external_id().unwrap_or_default()),
        };
        let message = words(key, &name);
        let clash = Some(ObjectRef { kind: ObjectKind::Identity, name });
        Some(Problem { clash, ..Problem::at(reason, path.into(), message) })
    }

    fn group_problems(&self, id: GroupId, entry: &GroupEntry) -> Vec<Problem> {
        let spec = match &entry.spec {
            Ok(spec) => spec,
            Err(invalid) => return invalid_spec(invalid),
        };
        let mut problems = Vec::new();
        problems.extend(spec.rule.as_ref().and_then(uncompiled));
        for (groups, list) in
            [(spec.nested.keys().collect::<Vec<_>>(), "spec.members"), (spec.without.iter().collect(), "spec.exclude")]
        {
            problems.extend(groups.into_iter().filter_map(|group| self.missing_in_list(*group, list)));
        }
        for cycle in self.cycles.iter().filter(|cycle| cycle.contains(&id)) {
            let mut names: Vec<&str> =
                cycle.iter().filter_map(|group| self.groups.name(*group)).map(Name::as_str).collect();
            names.sort_unstable();
            problems.push(Problem::new(
                Reason::MembershipCycle,
                format!("groups {} refer to each other in a circle; take one reference out", names.join(", ")),
            ));
        }
        if let Some(rule) = spec.rule.as_ref().filter(|rule| rule.compiled.is_ok()) {
            let ask = |id: IdentityId| {
                let entry = self.identities.get(id)?;
                let identity = entry.evaluable()?;
                self.with_bare_facts(entry, identity, |facts| rule.ask(facts)).err()
            };
            problems.extend(self.failures(rule, entry.unknown.iter(), ask));
        }
        problems
    }

    fn policy_problems(&self, entry: &PolicyEntry) -> Vec<Problem> {
        let spec = match &entry.spec {
            Ok(spec) => spec,
            Err(invalid) => return invalid_spec(invalid),
        };
        let mut problems = Vec::new();
        problems.extend(spec.rule.as_ref().and_then(uncompiled));
        let subjects = spec.subjects.iter().flat_map(|subjects| &subjects.groups);
        problems.extend(subjects.filter_map(|group| self.missing_in_list(*group, "spec.subjects")));
        let named = spec.rule.iter().flat_map(|rule| rule.groups().iter().map(|group| (group, &*rule.source.path)));
        problems.extend(named.filter_map(|(group, path)| self.missing_group(*group, path)));
        if let Some(rule) = spec.rule.as_ref().filter(|rule| rule.compiled.is_ok()) {
            let ask = |identity: IdentityId| {
                let entry = self.identities.get(identity)?;
                let identity = entry.evaluable()?;
                let unknown = self.with_facts(entry, identity, None, |facts| rule.ask(facts)).err()?;
                // A missing group is said once, above.
                (unknown.reason != Reason::ReferenceNotFound).then_some(unknown)
            };
            problems.extend(self.failures(rule, entry.unknown.iter(), ask));
        }
        if let Some(stays) = self.frozen_privileged(&spec.policy) {
            for problem in &mut problems {
                problem.message = format!("{}; {stays}", problem.message).into();
            }
        }
        for grant in &spec.policy.grants {
            problems.extend(self.grant_problems(grant));
        }
        problems
    }

    /// Why it is not known who is in a group, or whom a policy matches, where that is so because of an Identity or a Group that
    /// cannot be read: which, and what to do.
    pub fn unread(&self, object: &ObjectRef) -> Option<String> {
        let name = object.name.as_str();
        let (unknown, groups, so): (_, Vec<GroupId>, _) = match object.kind {
            ObjectKind::Group => {
                let id = self.groups.id(name)?;
                (&self.groups.get(id)?.unknown, self.refers_to(id).collect(), "belongs here")
            }
            ObjectKind::AccessPolicy => {
                let entry = self.policies.get(self.policies.id(name)?)?;
                let spec = entry.spec.as_ref().ok()?;
                let subjects = spec.subjects.iter().flat_map(|subjects| &subjects.groups);
                let named = spec.rule.iter().flat_map(Ruled::groups);
                (&entry.unknown, subjects.chain(named).copied().collect(), "is matched")
            }
            ObjectKind::Identity | ObjectKind::TargetApplication => return None,
        };
        let identities = unknown.iter().filter(|id| self.identities.get(*id).is_some_and(|entry| entry.spec.is_err()));
        let identities = identities.filter_map(|id| self.identities.name(id));
        if let Some(who) = first_of(identities) {
            return Some(format!(
                "Identity {who} cannot be read, so that it is not known who {so}; correct its manifest as its own status \
                 says (nothing changes for it meanwhile)"
            ));
        }
        let groups = groups.into_iter().filter(|id| self.groups.get(*id).is_some_and(|entry| entry.spec.is_err()));
        let who = first_of(groups.filter_map(|id| self.groups.name(id)))?;
        Some(format!(
            "Group {who} cannot be read, so that it is not known who {so}; correct its manifest as its own status says"
        ))
    }

    /// What is privileged of what a policy gives or withholds, for while it cannot be evaluated.
    fn frozen_privileged(&self, policy: &AccessPolicy) -> Option<String> {
        if policy.mode == PolicyMode::Audit {
            return None;
        }
        let privileged = policy.grants.iter().flat_map(|grant| {
            let catalogue = self.application_spec(&grant.application).map(|spec| &spec.application.entitlements);
            let concerns = move |name: &Name| match &grant.what {
                GrantWhat::Named(names) => names.contains(name),
                GrantWhat::Account | GrantWhat::EveryEntitlement => policy.effect == Effect::Deny,
            };
            let listed = catalogue.into_iter().flatten().filter(move |entry| entry.privileged && concerns(&entry.name));
            listed.map(|entry| format!("{}/{}", grant.application, entry.name))
        });
        let all: BTreeSet<String> = privileged.collect();
        let named: Vec<&str> = all.iter().take(NAMED).map(String::as_str).collect();
        let more = if all.len() > NAMED { " and others" } else { "" };
        (!all.is_empty()).then(|| format!("privileged grants stay as they are meanwhile: {}{more}", named.join(", ")))
    }

    fn grant_problems(&self, grant: &crate::model::GrantSpec) -> Vec<Problem> {
        let application = &grant.application;
        let path = || format!("spec.grants[application={application}]").into();
        let listed = || format!("spec.grants[application={application}].entitlements").into();
        let missing = |name: &Name, message: String| {
            let lacks = Some(format!("entitlement {name} of {application}").into());
            Problem { lacks, ..Problem::at(Reason::ReferenceNotFound, listed(), message) }
        };
        let Some(entry) = self.applications.get(application) else {
            let message = format!(
                "there is no TargetApplication {application}; create it or take the grant out (nothing is given or \
                 taken by it meanwhile)"
            );
            return vec![Problem::missing(ObjectKind::TargetApplication, application, path(), message)];
        };
        let (Ok(spec), GrantWhat::Named(names)) = (&entry.spec, &grant.what) else { return Vec::new() };
        let unknown = names.iter().filter(|name| !spec.catalogue.contains_key(*name));
        let catalogue = || spec.catalogue.keys().map(Name::as_str).collect::<Vec<_>>().join(", ");
        unknown
            .map(|name| {
                let message =
                    format!("TargetApplication {application} has no entitlement {name}; it has: {}", catalogue());
                missing(name, message)
            })
            .collect()
    }

    fn application_problems(&self, name: &Name) -> Vec<Problem> {
        let Some(entry) = self.applications.get(name) else { return Vec::new() };
        let spec = match &entry.spec {
            Ok(spec) => spec,
            Err(invalid) => return invalid_spec(invalid),
        };
        let mut problems = spec.faults.clone();
        problems.extend(spec.rules().filter_map(uncompiled));
        for rule in spec.rules() {
            problems.extend(rule.groups().iter().filter_map(|group| self.missing_group(*group, &rule.source.path)));
        }
        for pushed in &spec.application.pushed_groups {
            let there = self.groups.id(pushed.group.as_str()).is_some_and(|id| self.groups.get(id).is_some());
            if !there {
                let path = format!("spec.pushedGroups[name={}].group", pushed.name).into();
                let message = format!("there is no Group {}; create it or take the entry out", pushed.group);
                problems.push(Problem::missing(ObjectKind::Group, &pushed.group, path, message));
            }
        }
        problems
    }

    fn missing_group(&self, group: GroupId, path: &str) -> Option<Problem> {
        if self.groups.get(group).is_some() {
            return None;
        }
        let name = self.groups.name(group)?;
        let message = format!(
            "there is no Group {name}; create it or take the reference out (who it concerns is unknown meanwhile)"
        );
        Some(Problem::missing(ObjectKind::Group, name, path.into(), message))
    }

    fn missing_in_list(&self, group: GroupId, list: &str) -> Option<Problem> {
        let name = self.groups.name(group)?;
        self.missing_group(group, &format!("{list}[name={name}]"))
    }

    /// A rule that cannot be told for some identities: the first few with why, and whether there are others.
    fn failures(
        &self,
        rule: &Ruled,
        ids: impl Iterator<Item = IdentityId>,
        ask: impl Fn(IdentityId) -> Option<crate::policy::Unknown>,
    ) -> Option<Problem> {
        let mut failed: Vec<(&Name, crate::policy::Unknown)> =
            ids.filter_map(|id| Some((self.identities.name(id)?, ask(id)?))).collect();
        failed.sort_by_key(|(name, _)| *name);
        let (_, first) = failed.first()?;
        let reason = first.reason;
        let named: Vec<String> =
            failed.iter().take(NAMED).map(|(name, unknown)| format!("{name}: {}", unknown.message)).collect();
        // No count: each joiner for whom the rule fails would write the status anew.
        let more = if failed.len() > NAMED { " and others" } else { "" };
        let message =
            format!("cannot be evaluated for {}{more}; nothing is given or taken by it there", named.join("; "));
        Some(Problem::at(reason, std::sync::Arc::clone(&rule.source.path), message))
    }

    /// Groups that refer to each other in a circle, by members or by exclude.
    pub(crate) fn find_cycles(&self) -> Vec<Vec<GroupId>> {
        let reach = |from: GroupId| {
            let mut found = BTreeSet::new();
            let mut next: Vec<GroupId> = self.refers_to(from).collect();
            while let Some(group) = next.pop() {
                if found.insert(group) {
                    next.extend(self.refers_to(group));
                }
            }
            found
        };
        let nesting = self.groups.iter().map(|(id, ..)| id).filter(|id| self.refers_to(*id).next().is_some());
        let reached: BTreeMap<GroupId, BTreeSet<GroupId>> = nesting.map(|id| (id, reach(id))).collect();
        let mut cycles: Vec<Vec<GroupId>> = Vec::new();
        for (id, groups) in &reached {
            if groups.contains(id) && !cycles.iter().any(|cycle| cycle.contains(id)) {
                let back = |group: &&GroupId| reached.get(group).is_some_and(|reached| reached.contains(id));
                cycles.push(groups.iter().filter(back).copied().collect());
            }
        }
        cycles
    }

    fn refers_to(&self, group: GroupId) -> impl Iterator<Item = GroupId> {
        self.group_spec(group).into_iter().flat_map(|spec| spec.nested.keys().chain(&spec.without)).copied()
    }
}

/// "ada", or "ada and others". No count: each joiner who cannot be read would write the status anew.
fn first_of<'n>(names: impl Iterator<Item = &'n Name>) -> Option<String> {
    let mut names: Vec<&Name> = names.collect();
    names.sort_unstable();
    names.dedup();
    let first = names.first()?;
    Some(format!("{first}{}", if names.len() > 1 { " and others" } else { "" }))
}

fn invalid_spec(invalid: &Invalid) -> Vec<Problem> {
    let one = |error: &crate::model::FieldError| {
        Problem::at(Reason::InvalidSpec, std::sync::Arc::clone(&error.path), error.without_path())
    };
    invalid.errors.iter().map(one).collect()
}

fn uncompiled(rule: &Ruled) -> Option<Problem> {
    let diagnostics = rule.compiled.as_ref().err()?;
    let first = diagnostics.first().map_or_else(|| "does not compile".into(), ToString::to_string);
    let problem = Problem::at(Reason::InvalidExpression, std::sync::Arc::clone(&rule.source.path), first);
    Some(Problem { rule: Some((rule.source.clone(), diagnostics.clone())), ..problem })
}
