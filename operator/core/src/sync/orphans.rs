//! Accounts that carry our mark and have no owner, neither in the directory nor in the ledger: counted and, where the
//! manifest says so, disabled within the budgets. They are never deleted. What was never ours is never touched.

use std::collections::{BTreeMap, BTreeSet};

use super::flight::Flight;
use super::queue::Priority;
use super::{Context, Out, PlannedStep, Sync, standing};
use crate::model::{AttributeName, HeldStep, Kind, Lane, Name, Orphaned, Reason, Step, TargetId};
use crate::plan::Shade;

impl Sync {
    /// Accounts that carry our mark and have no owner, and accounts that were never ours.
    pub(super) fn strangers(&self) -> (u32, u32) {
        let (mut orphaned, mut unmanaged) = (0, 0);
        for (_, shade) in self.ledger.strangers() {
            let marked = self.schema.mark.and_then(|mark| shade.key(mark)).is_some_and(|m| m.starts_with("provost:"));
            if marked { orphaned += 1 } else { unmanaged += 1 }
        }
        (orphaned, unmanaged)
    }

    /// Whose mark an account carries, of this namespace.
    fn marked(&self, shade: &Shade, cx: &Context<'_>) -> Option<Name> {
        let mark = shade.key(self.schema.mark?)?;
        let (namespace, name) = mark.strip_prefix("provost:")?.split_once('/')?;
        (namespace == cx.namespace && !name.is_empty()).then(|| Name::new(name))
    }

    /// Orphaned accounts have a complete listing behind them, and are to be disabled.
    fn disables_orphans(&self) -> bool {
        self.settings.orphaned == Orphaned::Disable
            && self.observing.observed
            && !self.observing.partial
            && !self.is_mismatched()
            && self.complete_listing(Kind::Accounts).is_some()
            && self.meta.deleting.is_none()
            && self.capabilities().is_some_and(|c| c.disable)
    }

    /// Whether an account is orphaned and can be used, by the name of whom it was made for.
    fn is_orphan(&self, name: &Name, id: &TargetId, cx: &Context<'_>) -> bool {
        let Some(shade) = self.ledger.seen(id).filter(|shade| shade.enabled) else { return false };
        self.disables_orphans()
            && self.ledger.of_target(id).is_none()
            && cx.directory.identity(name).is_none()
            && !self.looks.unresolved.contains_key(name)
            && !self.is_protected(id, Some(&shade))
            && self.marked(&shade, cx).as_ref() == Some(name)
    }

    fn orphans_of(&self, name: &Name, cx: &Context<'_>) -> Vec<TargetId> {
        let Some(mark) = self.schema.mark.filter(|_| self.disables_orphans()) else { return Vec::new() };
        let text = format!("provost:{}/{name}", cx.namespace);
        let marked = self.ledger.with_key(&AttributeName::new(mark), &text).into_iter();
        marked.filter(|id| self.is_orphan(name, id, cx)).collect()
    }

    /// What is to be taken from orphaned accounts that were made for this name.
    pub(super) fn orphans_in_lanes(&self, name: &Name, cx: &Context<'_>) -> BTreeMap<(Lane, HeldStep), bool> {
        let orphans = self.orphans_of(name, cx);
        orphans.iter().map(|id| ((Lane::Derived, standing::orphan(name, id)), false)).collect()
    }

    /// After a complete observation, names that orphaned accounts were made for get a turn.
    pub(super) fn touch_orphans(&mut self, cx: &Context<'_>) {
        if !self.disables_orphans() {
            return;
        }
        let all = self.ledger.strangers().filter_map(|(id, shade)| Some((self.marked(&shade, cx)?, id)));
        let names: BTreeSet<Name> =
            all.filter(|(name, id)| self.is_orphan(name, id, cx)).map(|(name, _)| name).collect();
        for name in names {
            self.queue.push(&name, Priority::Drift);
        }
    }

    /// Orphaned accounts that were made for this name: let through by the budget, then read, then disabled.
    pub(super) fn turn_to_orphans(&mut self, name: &Name, priority: Priority, cx: &Context<'_>, out: &mut Out) {
        let orphans = self.orphans_of(name, cx);
        out.changed |= !orphans.is_empty();
        if !self.enforces() {
            if !orphans.is_empty() {
                let planned = self.planned.entry(name.clone()).or_default();
                planned.extend(orphans.iter().map(|_| PlannedStep::disable_orphan()));
            }
            return;
        }
        if !self.ledger.has_name(name) && cx.directory.identity(name).is_none() {
            let wanted = self.orphans_in_lanes(name, cx);
            self.drop_unwanted(name, &wanted);
            out.changed = true;
        }
        for id in orphans {
            let held = standing::orphan(name, &id);
            if self.release(Lane::Derived, &held).is_none() {
                self.settle(Lane::Derived, held, false, cx);
                continue;
            }
            let step = Step::DisableAccount { id: id.clone() };
            if self.waits_after_failure(name, &step, cx).is_some() {
                continue;
            }
            let read = self.has_looked(name, cx.now);
            if !read || self.looks.orphan_read.get(name) != Some(&id) {
                self.looks.orphan_read.insert(name.clone(), id.clone());
                self.looks.found.remove(name);
                return self.start_read(name, &id, priority <= Priority::Urgent);
            }
            return self.disable_orphan(name, &id, step, priority, cx);
        }
    }

    fn disable_orphan(&mut self, name: &Name, id: &TargetId, step: Step, priority: Priority, cx: &Context<'_>) {
        // Nobody may take the account for theirs meanwhile; nor is it written twice at once.
        let keys = self.ledger.seen(id).as_ref().map(super::excess::keys_of).unwrap_or_default();
        if self.is_claimed(name, &keys) {
            self.waiting_for_claims.insert(name.clone());
            return;
        }
        self.claim(name, keys);
        let plan = self.release(Lane::Derived, &standing::orphan(name, id)).and_then(|release| release.plan.clone());
        let intent = self.intend(Vec::new(), step, format!("orphaned, made for {name}").into(), plan, cx);
        let orphan = Some((name.clone(), id.clone()));
        let priority = priority.max(Priority::Revoke);
        self.launch(Flight { intent, parts: Vec::new(), group: None, orphan, priority, sent: false });
    }

    /// What orphaned accounts that are to be disabled, and members who are nobody's and are to be taken out, wait for: the rest
    /// of the same change, or their turn. One that the target refused to change or to show is not waited for, and one that is
    /// held is told with its plan.
    pub(super) fn orphans_wait(&self) -> Option<Reason> {
        let gets_on = |name: &Name| !self.failed.contains_key(name) && !self.looks.unread.contains_key(name);
        let mut released = self.ledger.standing.releases.iter().filter(|r| r.lane == Lane::Derived).map(|r| &r.step);
        if released.any(|step| step.account.is_some() && gets_on(&step.identity)) {
            return Some(Reason::Progressing);
        }
        self.orphans_settle().then_some(Reason::Settling)
    }

    /// Whether an account is still to be disabled as an orphan.
    pub(super) fn orphan_still_wanted(&self, name: &Name, id: &TargetId, cx: &Context<'_>) -> bool {
        self.is_orphan(name, id, cx)
    }

    /// An orphaned account was disabled.
    pub(super) fn orphan_done(&mut self, name: &Name, id: &TargetId) {
        self.looks.orphan_read.remove(name);
        self.ledger.believe(id, self.shadow.round(), |shade| shade.enabled = false);
        self.let_through(Lane::Derived, &standing::orphan(name, id));
    }
}
