//! Who owns a group's members: Groups mirrored to the target, whose members the Group alone decides, and memberships
//! that are exactly as declared.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::flight::Flight;
use super::group::is_declared;
use super::queue::Priority;
use super::shadow::{GroupShade, kind_of};
use super::{Context, Sync};
use crate::directory::{Decision, Truth, Wanted, Withheld};
use crate::model::{
    Entitlement, EntitlementKind, EntitlementTarget, GroupRecord, Kind, Membership, Name, Observability, Step,
    TargetApplication, TargetId,
};

/// The catalogue, with an entry for each pushed group: `group/` and its name at the target.
pub(super) fn catalogue_of(settings: &TargetApplication) -> Arc<[Entitlement]> {
    let pushed = settings.pushed_groups.iter().map(|pushed| Entitlement {
        name: entry_name(&pushed.name),
        target: EntitlementTarget { kind: EntitlementKind::Group, name: Arc::clone(&pushed.name), create: true },
        membership: pushed.membership,
        privileged: false,
        requires: None,
    });
    settings.entitlements.iter().cloned().chain(pushed).collect()
}

/// No entitlement can have this name: a slash is no part of one.
fn entry_name(pushed: &str) -> Name {
    Name::new(format!("group/{pushed}"))
}

impl Sync {
    /// Whether this identity is to be in each pushed group. It gives no account: only who has one is put in.
    pub(super) fn decide_pushed(&self, decision: &mut Decision, identity: &Name, cx: &Context<'_>) {
        for pushed in &self.settings.pushed_groups {
            let entry = entry_name(&pushed.name);
            let (mut allow, mut unknown) = (Vec::new(), Vec::new());
            match cx.directory.membership(&pushed.group, identity) {
                Truth::Yes => allow.push(entry.clone()),
                Truth::Unknown => unknown.push(entry.clone()),
                Truth::No => continue,
            }
            decision.entitlements.insert(entry, Wanted { allow, unknown, withheld: Withheld::No });
        }
    }

    /// Whose membership of a pushed group may have changed with these Groups, of those who have an account.
    pub fn pushed_to(&self, groups: &BTreeSet<Name>, cx: &Context<'_>) -> BTreeSet<Name> {
        let mut names = BTreeSet::new();
        for pushed in self.settings.pushed_groups.iter().filter(|pushed| groups.contains(&pushed.group)) {
            let entry = entry_name(&pushed.name);
            names.extend(cx.directory.members(&pushed.group).filter(|name| self.ledger.has_name(name)).cloned());
            let holders = self.ledger.records().filter(|r| r.grants().any(|(_, grant)| grant.entitlement == entry));
            names.extend(holders.map(|record| Name::from(record.owner())));
        }
        names
    }

    /// Of an entry and an account: whether the account is to be taken out although others put it in, where it is surely
    /// not declared. Only on a complete snapshot; not while a policy cannot be read, which might declare it; never the
    /// last one of a privileged entry: somebody whom we put in stays.
    pub(super) fn owns_members(&self, cx: &Context<'_>) -> impl Fn(&Entitlement, Option<&TargetId>) -> bool + '_ {
        let shown = self.capabilities().is_some_and(|c| c.members == Observability::Full) && !self.observing.partial;
        let declares = |entry: &Entitlement| entry.membership == Membership::Authoritative;
        let unread = self.settings.entitlements.iter().any(declares)
            && cx.directory.policies().any(|policy| policy.spec.is_err());
        move |entry, account| {
            let complete = shown
                && self.complete_listing(Kind::Accounts).is_some()
                && self.complete_listing(kind_of(entry.target.kind)).is_some();
            let pushed = self.settings.pushed_groups.iter().any(|pushed| pushed.name == entry.target.name);
            if !complete || entry.membership != Membership::Authoritative || (unread && !pushed) {
                return false;
            }
            let Some(id) = self.bound(entry.target.kind, &entry.target.name) else { return false };
            let Some(members) = self.shadow.group(id).and_then(|group| group.members.as_ref()) else { return false };
            let stays = |member: &TargetId| {
                Some(member) != account && self.ledger.of_target(member).is_some_and(|r| r.holds(id))
            };
            !entry.privileged || members.iter().any(stays)
        }
    }

    /// Members of authoritative groups that nobody declares: those who are left alone, and those still to be taken out.
    pub(super) fn excess(&self) -> usize {
        let authoritative = self.entries.iter().filter(|entry| entry.membership == Membership::Authoritative);
        let groups = authoritative.filter_map(|entry| {
            let id = self.bound(entry.target.kind, &entry.target.name)?;
            let group = self.shadow.group(id)?;
            Some((id, group.members.as_ref()?, group.groups))
        });
        let undeclared =
            |id: &TargetId, member: &TargetId| self.ledger.of_target(member).is_none_or(|record| !record.holds(id));
        let left = |(id, members, within): (&TargetId, &BTreeSet<TargetId>, usize)| {
            within + members.iter().filter(|member| undeclared(id, member)).count()
        };
        groups.map(left).sum()
    }

    /// Whether a group of this name goes when nothing declares it any more.
    pub(super) fn prunes(&self, name: &Arc<str>) -> bool {
        self.settings.pushed_groups.iter().any(|pushed| pushed.prune && pushed.name == *name)
    }

    /// We created it, it is to go with its declaration, nothing declares it, and nothing of ours is in it.
    pub(super) fn is_to_be_pruned(&self, group: &GroupRecord) -> bool {
        group.kind == EntitlementKind::Group
            && group.created
            && group.prune
            && !is_declared(&self.entries, group.kind, &group.name)
            && !self.ledger.records().any(|r| r.holds(&group.target_id))
    }

    /// Deletes what is to be pruned, once a complete listing shows it without members.
    pub(super) fn prune_groups(&mut self, cx: &Context<'_>) {
        let Some(began) = self.complete_listing(Kind::Groups) else { return };
        if !self.may_write() || self.is_mismatched() || !self.meta.finalizer || self.meta.deleting.is_some() {
            return;
        }
        let going: Vec<GroupRecord> = self.ledger.groups().filter(|g| self.is_to_be_pruned(g)).cloned().collect();
        for GroupRecord { target_id: id, .. } in going {
            if self.groups.busy.contains_key(&id) {
                continue;
            }
            let is_empty =
                |group: &GroupShade| group.groups == 0 && group.members.as_ref().is_some_and(BTreeSet::is_empty);
            match self.shadow.group(&id).map(is_empty) {
                Some(true) => self.delete_group(id, cx),
                Some(false) => {}
                None => {
                    let written = self.groups.writes.get(&id).copied().unwrap_or(self.started.mono);
                    if began > written + self.visibility() {
                        self.ledger.forget_group(&id);
                    }
                }
            }
        }
    }

    fn delete_group(&mut self, group: TargetId, cx: &Context<'_>) {
        let step = Step::DeleteGroup { id: group.clone() };
        let intent = self.intend(Vec::new(), step, "not declared any more".into(), None, cx);
        self.groups.writes.insert(group.clone(), cx.now.mono);
        let (parts, group, priority) = (Vec::new(), Some(group), Priority::Drift);
        self.launch(Flight { intent, parts, group, orphan: None, priority, sent: false });
    }
}
