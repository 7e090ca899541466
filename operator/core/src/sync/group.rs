//! Catalogue entries and the target's groups, roles and licences: bound by name or by our mark at first contact, then by id;
//! created where the manifest says so.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use super::flight::Flight;
use super::queue::Priority;
use super::shadow::kind_of;
use super::{Context, Sync};
use crate::model::{Entitlement, EntitlementKind, GroupRecord, IntentId, Kind, Name, Outcome, Step, TargetId};

/// A group's create whose answer never came.
#[derive(Debug)]
pub(super) struct UnresolvedGroup {
    pub(super) intent: IntentId,
    /// A listing that began after this and does not show it means that it was not done.
    pub(super) deadline: Duration,
}

/// Groups of the catalogue, roles and licences, and what goes on at them.
#[derive(Debug, Default)]
pub(super) struct Groups {
    /// The target's ids of the catalogue.
    pub(super) bound: BTreeMap<(EntitlementKind, Arc<str>), TargetId>,
    /// When we last wrote to a group itself.
    pub(super) writes: BTreeMap<TargetId, Duration>,
    pub(super) backoff: BTreeMap<Arc<str>, (u32, Duration)>,
    /// Groups that we named again, and what they were called, until they are seen to be called as declared.
    pub(super) renamed: BTreeMap<TargetId, Arc<str>>,
    pub(super) busy: BTreeMap<TargetId, IntentId>,
    /// Groups with a write of the last run that may still arrive, which are busy until then.
    pub(super) closed: BTreeMap<TargetId, Duration>,
    /// Who waits for the write that is under way at a group.
    pub(super) parked: BTreeMap<TargetId, BTreeSet<Name>>,
    /// Who waits to be put into a group together with others.
    pub(super) gathering: BTreeMap<TargetId, BTreeSet<Name>>,
    pub(super) unresolved: BTreeMap<(EntitlementKind, Arc<str>), UnresolvedGroup>,
}

/// Whether an entry names this group, role or licence.
pub(super) fn is_declared(entries: &[Entitlement], kind: EntitlementKind, name: &Arc<str>) -> bool {
    entries.iter().any(|entry| entry.target.kind == kind && entry.target.name == *name)
}

impl Sync {
    /// The target's id of a catalogue entry.
    pub(super) fn bound(&self, kind: EntitlementKind, name: &Arc<str>) -> Option<&TargetId> {
        self.groups.bound.get(&(kind, Arc::clone(name)))
    }

    /// Binds what can be bound and creates what is to be created. Called after listings, edits and creates.
    pub(super) fn bind_groups(&mut self, cx: &Context<'_>) {
        // What may be another target says nothing of the groups of ours.
        if self.ledger.standing.awaiting.is_some() {
            return;
        }
        let before = self.groups.bound.clone();
        for entry in &*Arc::clone(&self.entries) {
            let (kind, name) = (entry.target.kind, &entry.target.name);
            self.drop_vanished(kind, name, cx);
            if let Some(record) = self.ledger.group(kind, name).cloned() {
                let (id, prune) = (record.target_id.clone(), self.prunes(name));
                self.groups.bound.insert((kind, Arc::clone(name)), id);
                self.group_is_there(kind, name);
                self.keep_name(&record, cx);
                if record.prune != prune && self.enforces() {
                    self.ledger.put_group(GroupRecord { prune, ..record });
                }
                continue;
            }
            let mark = self.group_mark(cx, name);
            if let Some((id, ours)) = self.named(kind, name, &mark) {
                self.bind(kind, name, id, ours);
            } else {
                self.groups.bound.remove(&(kind, Arc::clone(name)));
                // Of several groups of one name none is taken, and no further one is added to them.
                let there = self.shadow.groups().any(|(_, group)| group.kind == kind && group.name == *name);
                if entry.target.create && kind == EntitlementKind::Group && !there {
                    self.create_group(name, mark, cx);
                }
            }
        }
        self.give_up_undeclared();
        self.prune_groups(cx);
        if self.groups.bound != before {
            self.touch_all(cx);
        }
    }

    /// Whether a group of this name is declared and to be made where it is not there.
    pub(super) fn creates(&self, name: &Arc<str>) -> bool {
        self.entries.iter().any(|entry| entry.target.create && entry.target.name == *name)
    }

    pub(super) fn group_mark(&self, cx: &Context<'_>, name: &str) -> Arc<str> {
        format!("provost:{}/{}/{name}", cx.namespace, self.application).into()
    }

    /// The one group of this name, or of several the one with our mark; where there is none, the one with our mark that
    /// others gave a name that nothing declares. And whether it is ours.
    fn named(&self, kind: EntitlementKind, name: &Arc<str>, mark: &Arc<str>) -> Option<(TargetId, bool)> {
        let declared = |name: &Arc<str>| is_declared(&self.entries, kind, name);
        // What is bound to another entry stays so, whatever others call it.
        let bound = |id: &TargetId| {
            self.ledger.groups().any(|group| group.target_id == *id && group.name != *name && declared(&group.name))
        };
        let there = self.shadow.groups().filter(|(id, group)| {
            let renamed = || group.mark.as_ref() == Some(mark) && !declared(&group.name);
            group.kind == kind && (group.name == *name || renamed()) && !bound(id)
        });
        let (same, renamed): (Vec<_>, Vec<_>) = there.partition(|(_, group)| group.name == *name);
        let marked: Vec<_> = same.iter().filter(|(_, group)| group.mark.as_ref() == Some(mark)).collect();
        match (same.as_slice(), marked.as_slice(), renamed.as_slice()) {
            (_, [(id, _)], _) | ([], _, [(id, _)]) => Some(((*id).clone(), true)),
            ([(id, _)], ..) => Some(((*id).clone(), false)),
            _ => None,
        }
    }

    fn bind(&mut self, kind: EntitlementKind, name: &Arc<str>, target_id: TargetId, created: bool) {
        self.groups.bound.insert((kind, Arc::clone(name)), target_id.clone());
        self.group_is_there(kind, name);
        if self.enforces() {
            let prune = self.prunes(name);
            self.ledger.put_group(GroupRecord { kind, name: Arc::clone(name), target_id, created, prune });
        }
    }

    /// A create of this group whose answer was lost was done, by us or by others.
    fn group_is_there(&mut self, kind: EntitlementKind, name: &Arc<str>) {
        if let Some(unresolved) = self.groups.unresolved.remove(&(kind, Arc::clone(name))) {
            self.ledger.close(unresolved.intent, Outcome::Done);
        }
    }

    /// A create of a group that nothing declares any more, whose answer was lost: once a listing must show what it did, it
    /// is of no interest any more.
    fn give_up_undeclared(&mut self) {
        let Some(listed) = self.complete_listing(Kind::Groups) else { return };
        let over = self.groups.unresolved.iter().filter(|((_, name), u)| listed >= u.deadline && !self.creates(name));
        for key in over.map(|(key, _)| key.clone()).collect::<Vec<_>>() {
            if let Some(unresolved) = self.groups.unresolved.remove(&key) {
                let why = "the answer was lost, and it is not declared any more";
                self.ledger.close(unresolved.intent, Outcome::Failed(why.into()));
            }
        }
    }

    /// A bound group that a complete listing, begun after anything of ours had become visible, does not show is gone.
    fn drop_vanished(&mut self, kind: EntitlementKind, name: &Arc<str>, cx: &Context<'_>) {
        let Some(id) = self.ledger.group(kind, name).map(|record| record.target_id.clone()) else { return };
        let Some(began) = self.complete_listing(kind_of(kind)) else { return };
        let written = self.groups.writes.get(&id).copied().unwrap_or(self.started.mono);
        if self.shadow.group(&id).is_some() {
            self.observing.vanished.remove(&id);
            return;
        }
        if began <= written + self.visibility() || self.groups.busy.contains_key(&id) {
            return;
        }
        // Where the target claims no total, one listing without it is no proof; a second one is.
        let before = *self.observing.vanished.entry(id.clone()).or_insert(began);
        if self.observing.counted.contains(&kind_of(kind)) || began > before {
            self.observing.vanished.remove(&id);
            self.ledger.forget_group(&id);
            self.groups.bound.remove(&(kind, Arc::clone(name)));
            self.touch_all(cx);
        }
    }

    /// Another target: an id there may be any group's. They are bound by their names and marks again.
    pub(super) fn unbind_groups(&mut self) {
        let shown = |group: &GroupRecord| {
            self.shadow.group(&group.target_id).is_some_and(|g| g.kind == group.kind && g.name == group.name)
        };
        let others: Vec<TargetId> = self.ledger.groups().filter(|g| !shown(g)).map(|g| g.target_id.clone()).collect();
        for id in others {
            self.ledger.forget_group(&id);
            self.groups.bound.retain(|_, bound| *bound != id);
        }
    }

    pub(super) fn complete_listing(&self, kind: Kind) -> Option<Duration> {
        self.observing.complete.get(&kind).copied()
    }

    /// Whether the target ever had groups, roles or licences of this kind that we know of, and the manifest still names any.
    pub(super) fn had(&self, kind: Kind) -> bool {
        let of = |of: EntitlementKind| kind_of(of) == kind;
        if !self.entries.iter().any(|entry| of(entry.target.kind)) {
            return false;
        }
        self.shadow.groups().any(|(_, group)| of(group.kind))
            || self.ledger.groups().any(|group| of(group.kind))
            || self.ledger.records().any(|record| record.grants().any(|(_, grant)| of(grant.kind)))
    }

    /// Groups that are to be created and are not there yet; those that the target refused are not among them.
    pub(super) fn groups_under_way(&self) -> usize {
        if !self.enforces() || !self.capabilities().is_some_and(|c| c.create_groups) {
            return 0;
        }
        let missing = self.entries.iter().filter(|entry| {
            let (kind, name) = (entry.target.kind, &entry.target.name);
            entry.target.create
                && kind == EntitlementKind::Group
                && self.bound(kind, name).is_none()
                && !self.groups.backoff.contains_key(name)
                && !self.shadow.groups().any(|(_, group)| group.kind == kind && group.name == *name)
        });
        missing.count()
    }

    fn create_group(&mut self, name: &Arc<str>, mark: Arc<str>, cx: &Context<'_>) {
        let Some(listed) = self.complete_listing(Kind::Groups) else { return };
        let may = self.may_write() && !self.is_mismatched() && self.meta.finalizer;
        if !may || !self.capabilities().is_some_and(|c| c.create_groups) {
            return;
        }
        let key = (EntitlementKind::Group, Arc::clone(name));
        if let Some(unresolved) = self.groups.unresolved.get(&key) {
            if listed < unresolved.deadline {
                let at = unresolved.deadline.max(cx.now.mono);
                self.observing.observe_at = self.observing.observe_at.min(at);
                return;
            }
            let intent = unresolved.intent;
            self.groups.unresolved.remove(&key);
            self.ledger.close(intent, Outcome::Failed("not found afterwards".into()));
        }
        let step = Step::CreateGroup { name: Arc::clone(name), mark };
        let waits = self.groups.backoff.get(name).is_some_and(|(_, until)| *until > cx.now.mono);
        if waits || self.is_above_missing(name) || self.flights.values().any(|flight| *flight.step() == step) {
            return;
        }
        let intent = self.intend(Vec::new(), step, "catalogue".into(), None, cx);
        let (parts, priority) = (Vec::new(), Priority::Joiner);
        self.launch(Flight { intent, parts, group: None, orphan: None, priority, sent: false });
    }

    /// A group that we made and that others renamed is named again as it is declared; once, where the target does not
    /// take the name as it is, and not while another group has it.
    fn keep_name(&mut self, group: &GroupRecord, cx: &Context<'_>) {
        let (id, name) = (&group.target_id, &group.name);
        let Some((seen, began)) = self.shadow.group(id).map(|g| (Arc::clone(&g.name), g.began)) else { return };
        if seen == *name {
            self.groups.renamed.remove(id);
            return;
        }
        let written = self.groups.writes.get(id).copied().unwrap_or(self.started.mono) + self.visibility();
        let age = Duration::try_from(cx.now.wall.duration_since(began)).unwrap_or_default();
        let news = age < cx.now.mono.saturating_sub(written);
        let may = self.may_write() && !self.is_mismatched() && self.meta.finalizer && self.meta.deleting.is_none();
        let waits = self.groups.backoff.get(name).is_some_and(|(_, until)| *until > cx.now.mono);
        let ours = group.created && group.kind == EntitlementKind::Group;
        let taken = || self.shadow.groups().any(|(_, other)| other.kind == group.kind && other.name == *name);
        if !ours
            || !news
            || !may
            || waits
            || self.groups.busy.contains_key(id)
            || self.groups.renamed.get(id) == Some(&seen)
            || taken()
        {
            return;
        }
        let step = Step::UpdateGroup { id: id.clone(), name: Arc::clone(name) };
        let intent = self.intend(Vec::new(), step, "drift".into(), None, cx);
        self.groups.writes.insert(id.clone(), cx.now.mono);
        let (parts, group, priority) = (Vec::new(), Some(id.clone()), Priority::Drift);
        self.launch(Flight { intent, parts, group, orphan: None, priority, sent: false });
    }

    /// A group was named again: whoever names it the same once more, before it was seen to be right, is the target.
    pub(super) fn named_again(&mut self, id: &TargetId, name: &Arc<str>, cx: &Context<'_>) {
        if let Some(seen) = self.shadow.group(id).map(|group| Arc::clone(&group.name)) {
            self.groups.renamed.insert(id.clone(), seen);
        }
        self.groups.writes.insert(id.clone(), cx.now.mono);
        self.groups.backoff.remove(name);
    }

    /// Where names are paths, the group above is created first; one that was refused is not waited for.
    fn is_above_missing(&self, name: &str) -> bool {
        self.entries.iter().any(|entry| {
            let (kind, above) = (entry.target.kind, &entry.target.name);
            entry.target.create
                && kind == EntitlementKind::Group
                && name.strip_prefix(&**above).is_some_and(|below| below.starts_with('/'))
                && self.bound(kind, above).is_none()
                && !self.groups.backoff.contains_key(above)
                && !self.shadow.groups().any(|(_, group)| group.kind == kind && group.name == *above)
        })
    }

    /// Every account that may be concerned gets its turn.
    pub(super) fn touch_all(&mut self, cx: &Context<'_>) {
        self.hear();
        let owners = self.ledger.owners().into_iter().chain(cx.directory.owners(&self.application));
        let names: BTreeSet<_> = owners.chain(self.to_be_reclaimed(cx)).collect();
        for name in names {
            self.touch_as(&name, Priority::Drift, cx);
        }
    }
}
