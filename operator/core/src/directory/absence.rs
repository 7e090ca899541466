//! What deleting a field from an Identity does by way of groups. A rule of a Group is no Allow and no Deny; whether it does
//! harm that somebody joins or leaves a group is settled by those that name it, directly or through other groups.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use super::Directory;
use super::rules::{GroupId, Ruled};
use crate::model::{Effect, Name, ObjectKind, ObjectRef, PolicyMode, Source};
use crate::policy::Diagnostic;

/// A finding about a rule that works.
#[derive(Clone, Debug, PartialEq)]
pub struct Warning {
    /// The rule.
    pub source: Source,
    /// What a person should look at.
    pub diagnostic: Diagnostic,
}

/// That somebody joins a group, or leaves it, through the absence of a field.
type Move = (GroupId, bool);

impl Directory {
    /// Every object with warnings, sorted.
    pub fn warnings(&self) -> BTreeMap<ObjectRef, Vec<Warning>> {
        let of = |object: ObjectRef| {
            let warnings = self.warnings_of(&object);
            (!warnings.is_empty()).then_some((object, warnings))
        };
        self.objects().filter_map(of).collect()
    }

    /// What a person should look at in one object, though it works.
    pub fn warnings_of(&self, object: &ObjectRef) -> Vec<Warning> {
        match object.kind {
            ObjectKind::Group => self.group_warnings(&object.name),
            ObjectKind::AccessPolicy => {
                let id = self.policies.id(object.name.as_str());
                let spec = id.and_then(|id| self.policies.get(id)).and_then(|entry| entry.spec.as_ref().ok());
                let rule = spec.and_then(|spec| spec.rule.as_ref());
                rule.map_or_else(Vec::new, |rule| {
                    warnings(rule, rule.compiled.iter().flat_map(|r| r.warnings().to_vec()))
                })
            }
            ObjectKind::Identity | ObjectKind::TargetApplication => Vec::new(),
        }
    }

    fn group_warnings(&self, name: &Name) -> Vec<Warning> {
        let Some(id) = self.groups.id(name.as_str()) else { return Vec::new() };
        let Some(rule) = self.group_spec(id).and_then(|spec| spec.rule.as_ref()) else { return Vec::new() };
        let Ok(compiled) = &rule.compiled else { return Vec::new() };
        let mut found = Vec::new();
        for joins in [true, false] {
            let Some(by) = self.harmful.get(&(id, joins)) else { continue };
            let told = |diagnostic: Diagnostic| {
                let message = format!("{}, and {by}", diagnostic.message);
                Diagnostic { message, ..diagnostic }
            };
            found.extend(warnings(rule, compiled.absences(joins).into_iter().map(told)));
        }
        found
    }

    /// The moves that grant or lift a Deny, each with what does so, in words.
    pub(super) fn find_harmful(&self) -> BTreeMap<Move, Arc<str>> {
        let mut found: BTreeMap<Move, Arc<str>> = BTreeMap::new();
        let mut next: VecDeque<(Move, Arc<str>)> = self.named_by_policies().into();
        next.extend(self.named_by_applications());
        while let Some((moved, by)) = next.pop_front() {
            if found.contains_key(&moved) {
                continue;
            }
            let (group, joins) = moved;
            if let Some(spec) = self.group_spec(group) {
                next.extend(spec.nested.keys().map(|member| ((*member, joins), Arc::clone(&by))));
                next.extend(spec.without.iter().map(|excluded| ((*excluded, !joins), Arc::clone(&by))));
            }
            found.insert(moved, by);
        }
        found
    }

    /// Sorted by name, so that the same one is told each time.
    fn named_by_policies(&self) -> Vec<(Move, Arc<str>)> {
        let mut policies: Vec<_> =
            self.policies.iter().filter_map(|(_, name, entry)| Some((name, entry.spec.as_ref().ok()?))).collect();
        policies.sort_by_key(|(name, _)| *name);
        let mut found = Vec::new();
        for (name, spec) in policies.into_iter().filter(|(_, spec)| spec.policy.mode == PolicyMode::Enforce) {
            let allows = spec.policy.effect == Effect::Allow;
            let by: Arc<str> = if allows {
                format!("AccessPolicy {name} grants by that")
            } else {
                format!("the Deny of AccessPolicy {name} is lifted by that")
            }
            .into();
            let subjects = spec.subjects.iter().flat_map(|subjects| &subjects.groups).map(|group| (*group, true));
            // Joining helps an Allow where membership makes it true, and leaving does where membership makes it false.
            let named = subjects.chain(spec.rule.iter().flat_map(senses));
            found.extend(named.map(|(group, sense)| ((group, sense == allows), Arc::clone(&by))));
        }
        found
    }

    fn named_by_applications(&self) -> Vec<(Move, Arc<str>)> {
        let mut found = Vec::new();
        for (name, entry) in &self.applications {
            let Ok(spec) = &entry.spec else { continue };
            let by: Arc<str> = format!("what TargetApplication {name} requires is met by that").into();
            let requires = spec.catalogue.values().flatten().flat_map(senses);
            found.extend(requires.map(|moved| (moved, Arc::clone(&by))));
        }
        found
    }
}

fn senses(rule: &Ruled) -> Vec<Move> {
    rule.compiled.iter().flat_map(crate::policy::Rule::group_senses).collect()
}

fn warnings(rule: &Ruled, diagnostics: impl IntoIterator<Item = Diagnostic>) -> Vec<Warning> {
    diagnostics.into_iter().map(|diagnostic| Warning { source: rule.source.clone(), diagnostic }).collect()
}
