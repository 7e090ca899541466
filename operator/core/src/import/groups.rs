//! Groups as they are at the source, and the policies by which everybody has what they have.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::people::{Taken, everybody, named};
use super::{Brought, Labels, Names, Shown, Skipped, What};
use crate::directory::Directory;
use crate::model::{
    AccessPolicy, Effect, Entitlement, EntitlementKind, GrantSpec, GrantWhat, Group, Member, Name, ObjectKind,
    ObservedEntitlement, PolicyMode, Subject, TargetId,
};

/// So many members a Group lists; more of them are listed by groups within it.
const MOST_MEMBERS: usize = 4096;
/// So many characters has a name that is shown.
const MOST_SHOWN: usize = 256;
/// So many members are named who are nobody's.
const STRANGERS_SHOWN: usize = 5;

/// What the application has to give.
pub(super) struct Granted<'a> {
    pub application: &'a Name,
    pub catalogue: &'a [Entitlement],
    /// Names are paths: who is in a group has what the groups above it have, too.
    pub paths: bool,
}

/// Who is in which groups, by the name of the group, as a table says it.
#[derive(Debug, Default)]
pub(super) struct Listed(BTreeMap<Arc<str>, BTreeSet<Arc<str>>>);

impl Listed {
    pub fn note(&mut self, who: &Arc<str>, groups: Vec<Arc<str>>) {
        for group in groups {
            self.0.entry(group).or_default().insert(Arc::clone(who));
        }
    }
}

/// The names of groups and policies that are given.
struct Given {
    groups: Taken,
    policies: Taken,
}

impl Given {
    fn beside(directory: &Directory) -> Self {
        let of = |kind| Taken {
            names: directory.objects().filter(|o| o.kind == kind).map(|o| o.name.to_string()).collect(),
        };
        Self { groups: of(ObjectKind::Group), policies: of(ObjectKind::AccessPolicy) }
    }
}

/// Groups of a target with their members, and what the catalogue makes of them.
pub(super) fn of_target(
    granted: &Granted<'_>,
    directory: &Directory,
    shown: &Shown,
    names: &Names,
    labels: &Labels<'_>,
    brought: &mut Brought,
) {
    let mut given = Given::beside(directory);
    everyone(granted.application, &everybody(names), &mut given, brought);
    let mut entitlements: Vec<&ObservedEntitlement> = shown.entitlements.iter().collect();
    entitlements.sort_by(|one, other| (&one.name, &one.id).cmp(&(&other.name, &other.id)));
    let in_catalogue = |seen: &ObservedEntitlement| {
        let is = |entry: &&Entitlement| entry.target.kind == seen.kind && entry.target.name == seen.name;
        granted.catalogue.iter().find(is)
    };
    let mut called: BTreeMap<Arc<str>, (Name, &ObservedEntitlement)> = BTreeMap::new();
    for seen in entitlements {
        if seen.kind != EntitlementKind::Group && in_catalogue(seen).is_none() {
            continue;
        }
        if seen.members.is_none() {
            let why = "the target does not show who is in it".into();
            brought.skipped.push(Skipped { what: What::Group, name: Arc::clone(&seen.name), why });
            continue;
        }
        called.insert(seen.id.as_str().into(), (named(&mut given.groups, &seen.name, "group"), seen));
    }
    let nested = nested(granted, names, &called, brought);
    for (id, (name, seen)) in &called {
        let people = members(seen, names, labels, &called, brought);
        let within = nested.get(id).cloned().unwrap_or_default();
        let entry = in_catalogue(seen);
        if entry.is_none() {
            brought.uncatalogued.push(Arc::clone(&seen.name));
        }
        let direct = if entry.is_some() && !within.is_empty() {
            apart(brought, &mut given, name, seen, &people, within)
        } else {
            add(brought, &mut given, name, Some(&seen.name), &people, &within);
            name.clone()
        };
        if let Some(entry) = entry {
            let wanted = format!("{}-{}", granted.application, entry.name);
            let what = GrantWhat::Named(vec![entry.name.clone()]);
            policy(brought, &mut given, &wanted, granted.application, what, direct);
        }
    }
    brought.uncatalogued.sort();
    let is_there = |entry: &&Entitlement| {
        let is = |seen: &ObservedEntitlement| entry.target.kind == seen.kind && entry.target.name == seen.name;
        entry.target.create || shown.entitlements.iter().any(is)
    };
    let absent = granted.catalogue.iter().filter(|entry| !is_there(entry));
    brought.absent = absent.map(|entry| (entry.name.clone(), Arc::clone(&entry.target.name))).collect();
    sort(brought);
}

/// A group that gives a right and has groups within: the target gives it to those alone who are in it themselves, so these
/// are a group of their own, whose name this is.
fn apart(
    brought: &mut Brought,
    given: &mut Given,
    name: &Name,
    seen: &ObservedEntitlement,
    people: &BTreeSet<Name>,
    mut within: BTreeSet<Name>,
) -> Name {
    let direct = Name::new(given.groups.free(&format!("{name}-direct")));
    add(brought, given, &direct, None, people, &BTreeSet::new());
    within.insert(direct.clone());
    add(brought, given, name, Some(&seen.name), &BTreeSet::new(), &within);
    direct
}

/// The groups of a table, and an account for everybody in it where an application is named.
pub(super) fn of_table(
    application: Option<&Name>,
    directory: &Directory,
    listed: &Listed,
    names: &Names,
    brought: &mut Brought,
) {
    let mut given = Given::beside(directory);
    if let Some(application) = application {
        everyone(application, &everybody(names), &mut given, brought);
    }
    for (shown, who) in &listed.0 {
        let name = named(&mut given.groups, shown, "group");
        let people = who.iter().filter_map(|id| names.get(id)).cloned().collect();
        add(brought, &mut given, &name, Some(shown), &people, &BTreeSet::new());
    }
    sort(brought);
}

fn sort(brought: &mut Brought) {
    brought.groups.sort_by(|(one, _), (other, _)| one.cmp(other));
    brought.policies.sort_by(|(one, _), (other, _)| one.cmp(other));
}

/// Everybody who has an account has it by a group of its own: a rule that is true of all of them is for people to find.
fn everyone(application: &Name, people: &BTreeSet<Name>, given: &mut Given, brought: &mut Brought) {
    let name = named(&mut given.groups, &format!("{application}-accounts"), "accounts");
    add(brought, given, &name, None, people, &BTreeSet::new());
    policy(brought, given, &format!("{application}-accounts"), application, GrantWhat::Account, name);
}

fn policy(brought: &mut Brought, given: &mut Given, wanted: &str, application: &Name, what: GrantWhat, group: Name) {
    let policy = AccessPolicy {
        effect: Effect::Allow,
        mode: PolicyMode::Enforce,
        subjects: Some(vec![Subject::Group(group)]),
        rule: None,
        grants: vec![GrantSpec { application: application.clone(), what }],
        not_before: None,
        not_after: None,
        lead_time: None,
    };
    brought.policies.push((named(&mut given.policies, wanted, "policy"), policy));
}

/// Who is in a group, of those that are brought in; of the others the first are named.
fn members(
    seen: &ObservedEntitlement,
    names: &Names,
    labels: &Labels<'_>,
    groups: &BTreeMap<Arc<str>, (Name, &ObservedEntitlement)>,
    brought: &mut Brought,
) -> BTreeSet<Name> {
    let mut found = BTreeSet::new();
    let mut strangers = Vec::new();
    for id in seen.members.iter().flatten() {
        match names.get(id.as_str()) {
            Some(name) => drop(found.insert(name.clone())),
            None if groups.contains_key(id.as_str()) => {}
            None => strangers.push(id.as_str()),
        }
    }
    strangers.extend(seen.groups.iter().map(TargetId::as_str).filter(|id| !groups.contains_key(*id)));
    if !strangers.is_empty() {
        let noun = if strangers.len() == 1 { "member is" } else { "members are" };
        let mut shown: Vec<&str> = strangers.iter().map(|id| labels.get(id).copied().unwrap_or(id)).collect();
        shown.sort_unstable();
        let more = shown.len().saturating_sub(STRANGERS_SHOWN);
        shown.truncate(STRANGERS_SHOWN);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        let why = format!("{} {noun} none of those that are brought in: {}{more}", strangers.len(), shown.join(", "));
        brought.skipped.push(Skipped { what: What::Member, name: Arc::clone(&seen.name), why: why.into() });
    }
    found
}

/// The groups within each group; a circle is cut where it would close.
fn nested(
    granted: &Granted<'_>,
    names: &Names,
    groups: &BTreeMap<Arc<str>, (Name, &ObservedEntitlement)>,
    brought: &mut Brought,
) -> BTreeMap<Arc<str>, BTreeSet<Name>> {
    let mut edges: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    let above = |seen: &ObservedEntitlement| {
        let (above, _) = seen.name.rsplit_once('/').filter(|_| granted.paths && seen.kind == EntitlementKind::Group)?;
        groups.iter().find(|(_, (_, other))| *other.name == *above && other.kind == seen.kind).map(|(id, _)| &**id)
    };
    for (id, (_, seen)) in groups {
        if let Some(above) = above(seen) {
            edges.entry(above).or_default().insert(id);
        }
    }
    for (id, (_, seen)) in groups {
        let members = seen.members.iter().flatten().filter(|id| !names.contains_key(id.as_str()));
        for within in members.chain(&seen.groups) {
            let Some((within, (name, _))) = groups.get_key_value(within.as_str()) else { continue };
            if reaches(&edges, within, id) {
                let why = format!("the group {name} within it holds it, too: a circle is not kept");
                brought.skipped.push(Skipped { what: What::Member, name: Arc::clone(&seen.name), why: why.into() });
            } else {
                edges.entry(id).or_default().insert(within);
            }
        }
    }
    let name = |id: &&str| groups.get(*id).map(|(name, _)| name.clone());
    edges.iter().map(|(id, within)| (Arc::from(*id), within.iter().filter_map(name).collect())).collect()
}

fn reaches(edges: &BTreeMap<&str, BTreeSet<&str>>, from: &str, to: &str) -> bool {
    let (mut open, mut seen) = (vec![from], BTreeSet::from([from]));
    while let Some(at) = open.pop() {
        if at == to {
            return true;
        }
        open.extend(edges.get(at).into_iter().flatten().filter(|next| seen.insert(**next)));
    }
    false
}

/// A group of these people and groups; one that is too long is made of parts.
fn add(
    brought: &mut Brought,
    given: &mut Given,
    name: &Name,
    shown: Option<&Arc<str>>,
    people: &BTreeSet<Name>,
    within: &BTreeSet<Name>,
) {
    let mut members: Vec<Subject> = within.iter().cloned().map(Subject::Group).collect();
    let people: Vec<Subject> = people.iter().cloned().map(Subject::Identity).collect();
    if members.len() + people.len() <= MOST_MEMBERS {
        members.extend(people);
    } else {
        for (number, part) in people.chunks(MOST_MEMBERS).enumerate() {
            let part_name = Name::new(given.groups.free(&format!("{name}-part-{}", number + 1)));
            brought.groups.push((part_name.clone(), group(None, part.to_vec())));
            members.push(Subject::Group(part_name));
        }
    }
    let shown = shown.filter(|shown| ***shown != *name.as_str() && shown.chars().count() <= MOST_SHOWN);
    brought.groups.push((name.clone(), group(shown.cloned(), members)));
}

fn group(display_name: Option<Arc<str>>, members: Vec<Subject>) -> Group {
    let members = members.into_iter().map(|subject| Member { subject, not_after: None }).collect();
    Group { display_name, members, ..Group::default() }
}
