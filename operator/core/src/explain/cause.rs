//! Which changed object gave or took a right: told from what both versions derived, one step at a time.

use super::difference::Turn;
use crate::directory::{Direct, Directory, MembershipTrace, Truth, Withheld};
use crate::model::{
    AccessPolicy, DeprovisionStep, Field, Group, Name, PackedCustom, PackedIdentity, Source, State, Subject,
    TargetApplication,
};

/// One right of one identity that one version gives and the other does not.
struct Change<'a> {
    /// The version with the right.
    has: &'a Directory,
    /// The version without.
    lacks: &'a Directory,
    /// The one without came first.
    gained: bool,
    /// The account is there in both, enabled in one.
    switched: bool,
    identity: &'a Name,
}

/// The object that is to blame and what of it changed; empty where it cannot be told.
pub(super) fn cause(
    old: &Directory,
    new: &Directory,
    identity: &Name,
    application: &Name,
    entitlement: Option<&Name>,
    turn: Turn,
) -> String {
    let gained = matches!(turn, Turn::Gained | Turn::Enabled);
    let (has, lacks) = if gained { (new, old) } else { (old, new) };
    let switched = matches!(turn, Turn::Enabled | Turn::Disabled);
    let change = Change { has, lacks, gained, switched, identity };
    change
        .of_identity(application)
        .or_else(|| change.of_application(application, entitlement))
        .or_else(|| change.of_policies(application, entitlement))
        .unwrap_or_default()
}

impl Change<'_> {
    /// The sides change places.
    fn reversed(&self) -> Self {
        Change { has: self.lacks, lacks: self.has, gained: !self.gained, ..*self }
    }

    fn pick(&self, gained: &'static str, lost: &'static str) -> &'static str {
        if self.gained { gained } else { lost }
    }

    /// The identity came or went, or stands otherwise.
    fn of_identity(&self, application: &Name) -> Option<String> {
        let identity = self.identity;
        let has = self.has.identity(identity)?;
        let Some(lacks) = self.lacks.identity(identity) else {
            let end = if self.gained { ": new".into() } else { format!(" deleted{}", self.leaving(application)) };
            return Some(format!("Identity {identity}{end}"));
        };
        let matters = self.switched || matches!(lacks.state, State::Ended | State::Pending);
        if has.state == lacks.state || !matters {
            return None;
        }
        let (from, to) = if self.gained { (lacks.state, has.state) } else { (has.state, lacks.state) };
        let leaving = if to == State::Ended { self.leaving(application) } else { String::new() };
        Some(format!("Identity {identity}: {}, was {}{leaving}", to.as_str(), from.as_str()))
    }

    /// What becomes of the account of someone who leaves.
    fn leaving(&self, application: &Name) -> String {
        match self.lacks.application(application).and_then(|view| view.spec.ok()).map(|spec| spec.deprovision.ended) {
            Some(DeprovisionStep::Disable { delete_after: Some(after) }) => {
                format!(": account disabled, deleted after {}h", after.as_secs() / 3600)
            }
            Some(DeprovisionStep::Disable { delete_after: None }) => ": account disabled".into(),
            Some(DeprovisionStep::Delete) => ": account deleted".into(),
            Some(DeprovisionStep::Retain) | None => String::new(),
        }
    }

    /// The application or its catalogue entry came or went.
    fn of_application(&self, application: &Name, entitlement: Option<&Name>) -> Option<String> {
        let Some(lacks) = self.lacks.application(application) else {
            return Some(format!("TargetApplication {application}{}", self.pick(": new", " deleted")));
        };
        let Ok(spec) = lacks.spec else {
            // What it took is not known: of the new version nothing is told.
            return Some(format!("TargetApplication {application}: its manifest was invalid"));
        };
        let name = entitlement?;
        let there = spec.entitlements.iter().any(|entry| entry.name == *name);
        let words = self.pick("is new in the catalogue", "is no longer in the catalogue");
        (!there).then(|| format!("TargetApplication {application}: {name} {words}"))
    }

    fn of_policies(&self, application: &Name, entitlement: Option<&Name>) -> Option<String> {
        let wanted = |directory: &Directory| {
            let mut decision = directory.decision(self.identity, application);
            match entitlement {
                None => Some(decision.account),
                Some(name) => decision.entitlements.remove(name),
            }
            .unwrap_or_default()
        };
        let (has, lacks) = (wanted(self.has), wanted(self.lacks));
        if let Withheld::Yes(denies) = &lacks.withheld {
            // What withholds there does not here.
            let reverse = self.reversed();
            return match denies.iter().find_map(|deny| reverse.of_policy(deny)) {
                Some(cause) => Some(cause),
                None => self.of_requires(application, entitlement),
            };
        }
        has.allow.iter().filter(|policy| !lacks.allow.contains(policy)).find_map(|policy| self.of_policy(policy))
    }

    fn of_requires(&self, application: &Name, entitlement: Option<&Name>) -> Option<String> {
        let name = entitlement?;
        let requires = |directory: &Directory| requires(directory.application(application)?.spec.ok()?, name);
        if requires(self.has) != requires(self.lacks) {
            return Some(format!("TargetApplication {application}: requires of {name} changed"));
        }
        self.of_facts(&[])
    }

    /// A policy matches in one version and not in the other.
    fn of_policy(&self, policy: &Name) -> Option<String> {
        let has = self.has.policy(policy)?.spec.ok()?;
        let Some(lacks) = self.lacks.policy(policy) else {
            return Some(format!("AccessPolicy {policy}{}", self.pick(": new", " deleted")));
        };
        let Ok(lacks) = lacks.spec else { return Some(format!("AccessPolicy {policy}: its manifest is invalid")) };
        let changed = policy_fields(has, lacks);
        if !changed.is_empty() {
            return Some(format!("AccessPolicy {policy}: {} changed", changed.join(", ")));
        }
        let mut subjects = has.subjects.iter().flatten().filter_map(|subject| match subject {
            Subject::Group(group) => Some(group),
            Subject::Identity(_) => None,
        });
        subjects.find_map(|group| self.of_group(group)).or_else(|| self.of_facts(&self.moved_groups(has)))
    }

    /// Groups that the policy's rule names and whose membership differs either way.
    fn moved_groups(&self, policy: &AccessPolicy) -> Vec<Name> {
        let Some(rule) = &policy.rule else { return Vec::new() };
        let (has, lacks) = (self.has.groups_of(self.identity), self.lacks.groups_of(self.identity));
        let moved = has.iter().filter(|g| !lacks.contains(g)).chain(lacks.iter().filter(|g| !has.contains(g)));
        moved.filter(|group| rule.text.contains(&format!("\"{group}\""))).map(|group| (*group).clone()).collect()
    }

    /// A group that has the identity in one version and not in the other: the lowest one that changed by itself.
    fn of_group(&self, group: &Name) -> Option<String> {
        if self.has.membership(group, self.identity) != Truth::Yes
            || self.lacks.membership(group, self.identity) == Truth::Yes
        {
            return None;
        }
        let MembershipTrace::Through { groups, direct } = self.has.explain_membership(group, self.identity)? else {
            return None;
        };
        let at = groups.iter().position(|group| self.lacks.membership(group, self.identity) != Truth::Yes)?;
        let changed = groups.get(at)?;
        let Some(lacks) = self.lacks.group_manifest(changed) else {
            return Some(format!("Group {changed}{}", self.pick(": new", " deleted")));
        };
        let Ok(lacks) = lacks else { return Some(format!("Group {changed}: its manifest is invalid")) };
        if let Some(MembershipTrace::Excluded(by)) = self.lacks.explain_membership(changed, self.identity) {
            return Some(self.of_exclude(changed, &by));
        }
        let below = at.checked_sub(1).and_then(|below| groups.get(below));
        match (below, direct) {
            (Some(below), _) => Some(format!("Group {changed}: {below} {}", self.pick("added", "removed"))),
            (None, Direct::Matched) if self.rule_of(changed) == lacks.rule => self.of_facts(&[]),
            (None, Direct::Matched) => Some(format!("Group {changed}: match changed")),
            (None, _) => Some(format!("Group {changed}: {} {}", self.identity, self.pick("added", "removed"))),
        }
    }

    fn of_exclude(&self, group: &Name, by: &Subject) -> String {
        let name = match by {
            Subject::Identity(name) | Subject::Group(name) => name,
        };
        let has = self.has.group_manifest(group).and_then(Result::ok);
        if has.is_some_and(|has| has.exclude.contains(by)) {
            // The exclude was there: it is the excluded group that changed.
            let reverse = self.reversed();
            return reverse.of_group(name).unwrap_or_default();
        }
        format!("Group {group}: {name} {}", self.pick("no longer excluded", "excluded"))
    }

    fn rule_of(&self, group: &Name) -> Option<Source> {
        self.has.group_manifest(group).and_then(Result::ok).and_then(|group: Group| group.rule)
    }

    /// No rule changed: what the rules read did.
    fn of_facts(&self, groups: &[Name]) -> Option<String> {
        let reverse = self.reversed();
        let group = groups.iter().find_map(|group| self.of_group(group).or_else(|| reverse.of_group(group)));
        if group.is_some() {
            return group;
        }
        let identity = self.identity;
        let (has, lacks) = (self.has.identity(identity)?.spec.ok()?, self.lacks.identity(identity)?.spec.ok()?);
        let changed = identity_fields(has, lacks);
        if !changed.is_empty() {
            return Some(format!("Identity {identity}: {} changed", changed.join(", ")));
        }
        let manager = &Name::from(has.manager()?);
        let spec = |directory: &'_ Directory| directory.identity(manager).and_then(|view| view.spec.ok().cloned());
        let Some((has, lacks)) = spec(self.has).zip(spec(self.lacks)) else {
            return Some(format!("Identity {manager}, the manager, came or went"));
        };
        let changed = identity_fields(&has, &lacks);
        (!changed.is_empty()).then(|| format!("Identity {manager}, the manager: {} changed", changed.join(", ")))
    }
}

fn requires(application: &TargetApplication, entitlement: &Name) -> Option<Source> {
    application.entitlements.iter().find(|entry| entry.name == *entitlement)?.requires.clone()
}

fn policy_fields(one: &AccessPolicy, other: &AccessPolicy) -> Vec<&'static str> {
    let fields = [
        ("effect", one.effect != other.effect),
        ("mode", one.mode != other.mode),
        ("subjects", one.subjects != other.subjects),
        ("match", one.rule != other.rule),
        ("grants", one.grants != other.grants),
        ("window", (one.not_before, one.not_after) != (other.not_before, other.not_after)),
        ("leadTime", one.lead_time != other.lead_time),
    ];
    fields.into_iter().filter(|(_, differs)| *differs).map(|(name, _)| name).collect()
}

fn identity_fields(one: &PackedIdentity, other: &PackedIdentity) -> Vec<String> {
    let texts = Field::ALL.iter().filter(|(field, _)| one.text(*field) != other.text(*field));
    let mut changed: Vec<String> = texts.map(|(_, name)| (*name).to_owned()).collect();
    let fields = [
        ("type", one.kind() != other.kind()),
        ("userName", one.user_name() != other.user_name()),
        ("externalId", one.external_id() != other.external_id()),
        ("emails", !one.emails().iter().eq(other.emails().iter())),
        ("phoneNumbers", !one.phone_numbers().iter().eq(other.phone_numbers().iter())),
        ("addresses", !one.addresses().iter().eq(other.addresses().iter())),
        ("managerRef", one.manager() != other.manager()),
        ("lifecycle", one.lifecycle() != other.lifecycle()),
    ];
    changed.extend(fields.iter().filter(|(_, differs)| *differs).map(|(name, _)| (*name).to_owned()));
    // What is only here or only there, or differs, is in one of the two alone.
    let alone = |one: &PackedIdentity, other: &PackedIdentity| -> std::collections::BTreeSet<String> {
        let unlike = |custom: &&str| !other.custom().iter().any(|other| other == *custom);
        one.custom().iter().filter(unlike).map(|custom| PackedCustom::new(custom).0.to_owned()).collect()
    };
    let custom = &alone(one, other) | &alone(other, one);
    changed.extend(custom.iter().map(|name| format!("attributes.{name}")));
    changed
}
