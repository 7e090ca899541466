//! Members of authoritative groups whose accounts were seen and are nobody's: taken out within the budgets, after a direct
//! read. Members without such an account, and accounts that are protected or may be somebody's, are counted and left alone.

use std::collections::{BTreeMap, BTreeSet};

use super::flight::{Flight, group_of};
use super::gather::mark_of;
use super::queue::Priority;
use super::{Context, PlannedStep, Sync};
use crate::directory::Directory;
use crate::model::{
    AttributeName, CorrelationKey, Entitlement, EntitlementKind, HeldStep, Lane, Membership, Name, RecordState, State,
    Step, TargetId,
};
use crate::plan::{Fold, Shade};

/// Which keys that accounts of nobody's carry are somebody's keys.
#[derive(Debug)]
pub(super) struct Claimed {
    /// What was declared when that was found out.
    revision: u64,
    asked: BTreeSet<(AttributeName, String)>,
    /// `None`: of somebody it cannot be told.
    theirs: Option<BTreeSet<(AttributeName, String)>>,
}

/// A membership that nobody declares, of an account that is nobody's.
#[derive(Debug)]
struct Excess {
    entitlement: Name,
    group: TargetId,
    privileged: bool,
    step: Step,
}

impl Excess {
    /// What it is called in a wave.
    fn held(&self, name: &Name, account: &TargetId) -> HeldStep {
        let (step, entitlement) = (self.step.name().into(), Some(self.entitlement.clone()));
        HeldStep { identity: name.clone(), step, entitlement, account: Some(account.clone()) }
    }
}

/// What an account that is nobody's is called where an identity is named: none can have this name.
fn name_of(account: &TargetId) -> Name {
    Name::new(format!("account/{account}"))
}

/// The account that is called so.
pub(super) fn account_of(name: &Name) -> Option<TargetId> {
    name.as_str().strip_prefix("account/").map(TargetId::new)
}

impl Sync {
    /// Nothing is taken by difference while it is not certain that what is seen is all there is and whose it is.
    fn takes_excess(&self) -> bool {
        self.observing.observed
            && !self.observing.partial
            && !self.is_mismatched()
            && !self.doubts_absence()
            && self.meta.deleting.is_none()
    }

    fn excess_of(&self, account: &TargetId, cx: &Context<'_>) -> Vec<Excess> {
        let shade = self.ledger.seen(account).filter(|_| self.takes_excess());
        let Some(shade) = &shade else { return Vec::new() };
        if self.ledger.of_target(account).is_some()
            || self.is_protected(account, Some(shade))
            || self.is_claimed(&name_of(account), &keys_of(shade))
            || !self.is_nobodys(shade, cx.directory)
        {
            return Vec::new();
        }
        let exactly = self.owns_members(cx);
        let entries = self.entries.iter().filter_map(|entry| {
            let group = self.bound(entry.target.kind, &entry.target.name)?;
            let held = self.shadow.group(group)?.members.as_ref()?.contains(account);
            (held && exactly(entry, Some(account))).then(|| Excess {
                entitlement: entry.name.clone(),
                group: group.clone(),
                privileged: entry.privileged,
                step: take(entry.target.kind, group, account),
            })
        });
        entries.collect()
    }

    fn folded(&self, key: &CorrelationKey) -> (AttributeName, String) {
        (key.attribute.clone(), Fold::of(self.schema, &key.attribute).apply(&key.value).into_owned())
    }

    /// Whether an account carries no key of anybody who is declared and has not ended, as of what is declared now.
    fn is_nobodys(&self, shade: &Shade, directory: &Directory) -> bool {
        let theirs = self.looks.claimed.as_ref().and_then(|claimed| claimed.theirs.as_ref());
        self.is_asked(shade, directory)
            && theirs.is_some_and(|theirs| !keys_of(shade).iter().any(|key| theirs.contains(&self.folded(key))))
    }

    /// Whether it is known whose the keys of an account are, as of what is declared now.
    fn is_asked(&self, shade: &Shade, directory: &Directory) -> bool {
        self.looks
            .claimed
            .as_ref()
            .filter(|claimed| claimed.revision == directory.revision())
            .is_some_and(|claimed| keys_of(shade).iter().all(|key| claimed.asked.contains(&self.folded(key))))
    }

    /// Finds out anew whose keys an account carries, where what is declared or what it carries has changed.
    pub(super) fn ask_whose(&mut self, account: &TargetId, cx: &Context<'_>) {
        if self.ledger.seen(account).is_some_and(|shade| !self.is_asked(&shade, cx.directory)) {
            self.look_for_claims(cx);
        }
    }

    /// Members of authoritative groups that were seen and have no record.
    fn recordless(&self) -> BTreeSet<TargetId> {
        let authoritative = |entry: &&Entitlement| entry.membership == Membership::Authoritative;
        let groups = self.entries.iter().filter(authoritative).filter_map(|entry| {
            let id = self.bound(entry.target.kind, &entry.target.name)?;
            self.shadow.group(id)?.members.as_ref()
        });
        let unowned = |id: &&TargetId| self.ledger.is_seen(id.as_str()) && self.ledger.of_target(id).is_none();
        groups.flatten().filter(unowned).cloned().collect()
    }

    /// The same for all of them.
    pub(super) fn look_for_claims(&mut self, cx: &Context<'_>) {
        let accounts = self.recordless();
        if accounts.is_empty() {
            self.looks.claimed = None;
            return;
        }
        let shades = accounts.iter().filter_map(|id| self.ledger.seen(id));
        let asked: BTreeSet<_> = shades.flat_map(|shade| keys_of(&shade)).map(|key| self.folded(&key)).collect();
        let revision = cx.directory.revision();
        if self
            .looks
            .claimed
            .as_ref()
            .is_some_and(|known| known.revision == revision && known.asked.is_superset(&asked))
        {
            return;
        }
        let theirs = self.claims_among(&asked, cx);
        self.looks.claimed = Some(Claimed { revision, asked, theirs });
    }

    /// Which of these keys are those of somebody who has not ended; `None` where somebody who has no account here has keys
    /// that cannot be told.
    fn claims_among(
        &self,
        asked: &BTreeSet<(AttributeName, String)>,
        cx: &Context<'_>,
    ) -> Option<BTreeSet<(AttributeName, String)>> {
        let mut theirs = BTreeSet::new();
        for view in cx.directory.identities().filter(|view| view.state != State::Ended) {
            let Ok(keys) = cx.directory.correlation_keys(view.name, &self.application) else {
                let mut rows = self.ledger.rows_of(view.name);
                if rows.any(|row| row.target_id().is_some() && row.state != RecordState::Released) {
                    continue;
                }
                return None;
            };
            let mark = self
                .schema
                .mark
                .map(|attribute| CorrelationKey { attribute: attribute.into(), value: mark_of(&view, cx) });
            theirs.extend(keys.iter().chain(&mark).map(|key| self.folded(key)).filter(|key| asked.contains(key)));
        }
        Some(theirs)
    }

    /// What is to be taken from an account of this name, if it is one that is nobody's.
    pub(super) fn excess_in_lanes(&self, name: &Name, cx: &Context<'_>) -> BTreeMap<(Lane, HeldStep), bool> {
        let Some(account) = account_of(name) else { return BTreeMap::new() };
        let excess = self.excess_of(&account, cx);
        excess.iter().map(|one| ((Lane::Derived, one.held(name, &account)), one.privileged)).collect()
    }

    /// After a complete observation, accounts that are nobody's in authoritative groups get a turn, and those of which
    /// something is held, released or planned.
    pub(super) fn touch_excess(&mut self, cx: &Context<'_>) {
        self.look_for_claims(cx);
        let standing = &self.ledger.standing;
        let held = standing.held.iter().flat_map(|plan| &plan.steps).chain(standing.releases.iter().map(|r| &r.step));
        let held = held.map(|step| &step.identity).chain(self.planned.keys()).filter_map(account_of);
        let held: BTreeSet<TargetId> = held.collect();
        for account in self.recordless().union(&held) {
            self.queue.push(&name_of(account), Priority::Drift);
        }
    }

    /// The turn of an account that is nobody's: let through by the budget, then read, then taken out of one group after the
    /// other.
    pub(super) fn turn_to_excess(&mut self, account: &TargetId, priority: Priority, cx: &Context<'_>) {
        let name = name_of(account);
        if self.waits_unread(&name, cx).is_some() {
            return;
        }
        self.ask_whose(account, cx);
        let excess = self.excess_of(account, cx);
        if !self.enforces() {
            self.planned.remove(&name);
            if !excess.is_empty() {
                let planned = excess.iter().map(|one| PlannedStep::take_out(&one.step, &one.entitlement));
                self.planned.insert(name, planned.collect());
            }
            return;
        }
        let wanted = self.excess_in_lanes(&name, cx);
        self.drop_unwanted(&name, &wanted);
        for one in excess {
            let held = one.held(&name, account);
            if self.release(Lane::Derived, &held).is_none() {
                self.settle(Lane::Derived, held, one.privileged, cx);
                continue;
            }
            if self.waits_after_failure(&name, &one.step, cx).is_some() {
                continue;
            }
            if self.groups.busy.contains_key(&one.group) {
                self.groups.parked.entry(one.group).or_default().insert(name.clone());
                continue;
            }
            if !self.has_looked(&name, cx.now) {
                return self.start_read(&name, account, one.privileged);
            }
            return self.take_out(&name, account, one, priority, cx);
        }
    }

    fn take_out(&mut self, name: &Name, account: &TargetId, one: Excess, priority: Priority, cx: &Context<'_>) {
        self.looks.found.remove(name);
        // Nobody may take the account for theirs meanwhile.
        let keys = self.ledger.seen(account).as_ref().map(keys_of).unwrap_or_default();
        self.claim(name, keys);
        let plan = self.release(Lane::Derived, &one.held(name, account)).and_then(|release| release.plan.clone());
        let cause = "authoritative: it is nobody's account".into();
        let intent = self.intend(Vec::new(), one.step, cause, plan, cx);
        let priority = if one.privileged { Priority::Urgent } else { priority.max(Priority::Revoke) };
        let (parts, group, orphan) = (Vec::new(), Some(one.group), Some((name.clone(), account.clone())));
        self.launch(Flight { intent, parts, group, orphan, priority, sent: false });
    }

    /// Whether an account is still to be taken out of a group.
    pub(super) fn excess_still_wanted(&self, account: &TargetId, step: &Step, cx: &Context<'_>) -> bool {
        self.excess_of(account, cx).iter().any(|one| one.step == *step)
    }

    /// An account was taken out of a group.
    pub(super) fn excess_done(&mut self, name: &Name, account: &TargetId, step: &Step, cx: &Context<'_>) {
        let Some(group) = group_of(step) else { return };
        let of = |entry: &&Entitlement| self.bound(entry.target.kind, &entry.target.name) == Some(group);
        let entitlements: Vec<Name> = self.entries.iter().filter(of).map(|entry| entry.name.clone()).collect();
        self.shadow.change_member(group, account, false, cx.now.wall);
        for entitlement in entitlements {
            let (group, step) = (group.clone(), step.clone());
            let one = Excess { entitlement, group, privileged: false, step };
            self.let_through(Lane::Derived, &one.held(name, account));
        }
    }
}

fn take(kind: EntitlementKind, group: &TargetId, account: &TargetId) -> Step {
    match kind {
        EntitlementKind::Group => Step::RemoveMembers { group: group.clone(), members: vec![account.clone()] },
        _ => Step::Revoke { kind, entitlement: group.clone(), account: account.clone() },
    }
}

/// By what an account may be recognised as somebody's.
pub(super) fn keys_of(shade: &Shade) -> Vec<CorrelationKey> {
    let key =
        |(attribute, text): (&AttributeName, &str)| CorrelationKey { attribute: attribute.clone(), value: text.into() };
    shade.keys().map(key).collect()
}
