//! Writes under way: the intent is recorded, stored, asked for again, sent.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use super::gather::Gathered;
use super::queue::Priority;
use super::{AHEAD, Awaited, Context, ENOUGH, GATHER, Out, Sync, excess};
use crate::engine::Effect;
use crate::model::{
    CorrelationKey, EntitlementKind, Intent, IntentId, Name, Outcome, Record, RecordId, Step, TargetId,
};
use crate::plan::{Fold, Planned};

/// One write, from its intent to its outcome.
#[derive(Debug)]
pub(super) struct Flight {
    pub(super) intent: Arc<Intent>,
    /// The accounts it concerns, in the order of the step's members; none for a group's own create.
    pub(super) parts: Vec<Part>,
    /// The group, role or licence that is written.
    pub(super) group: Option<TargetId>,
    /// The account of nobody's that is disabled or taken out of a group, and whom it was made for or what it is called.
    pub(super) orphan: Option<(Name, TargetId)>,
    pub(super) priority: Priority,
    pub(super) sent: bool,
}

impl Flight {
    pub(super) fn step(&self) -> &Step {
        &self.intent.step
    }

    /// Whose write it is, with what it does for each.
    pub(super) fn owners(&self) -> impl Iterator<Item = (&Name, &Step)> {
        let orphan = self.orphan.iter().map(|(name, _)| (name, self.step()));
        self.parts.iter().map(|part| (&part.name, &part.planned.step)).chain(orphan)
    }
}

/// What a write means for one account.
#[derive(Debug)]
pub(super) struct Part {
    pub(super) name: Name,
    pub(super) record: RecordId,
    /// The record before the intent; `None`: there was none.
    pub(super) before: Option<Record>,
    pub(super) planned: Planned,
    /// What had been heard when it was decided, and when that was.
    pub(super) decided: (u64, Duration),
}

/// The group, role or licence that a step writes.
pub(super) fn group_of(step: &Step) -> Option<&TargetId> {
    match step {
        Step::AddMembers { group, .. } | Step::RemoveMembers { group, .. } | Step::DeleteGroup { id: group } => {
            Some(group)
        }
        Step::Assign { entitlement, .. } | Step::Revoke { entitlement, .. } => Some(entitlement),
        _ => None,
    }
}

impl Sync {
    /// Records the intent of a step of this account, and of the same step of others that wait for the same group.
    pub(super) fn start(&mut self, gathered: &Gathered, planned: Planned, priority: Priority, cx: &Context<'_>) {
        let group = group_of(&planned.step).cloned();
        let mut step = planned.step.clone();
        let cause = planned.cause.clone();
        let plan = self.plan_of(&gathered.owner.name, &planned);
        self.date_charge(&gathered.owner.name, &planned, cx.now.wall);
        let mut parts = vec![self.part(&gathered.owner.name, gathered.record.clone(), gathered, planned, cx)];
        if let Some(group) = &group {
            self.coalesce(group, &mut step, &mut parts, cx);
        }
        let records = parts.iter().map(|part| part.record).collect();
        let intent = self.intend(records, step, cause, plan, cx);
        self.launch(Flight { intent, parts, group, orphan: None, priority, sent: false });
    }

    /// Its accounts and its group are busy until it is over (`free`).
    pub(super) fn launch(&mut self, flight: Flight) {
        let id = flight.intent.id;
        for (name, _) in flight.owners() {
            self.busy.insert(name.clone(), id);
            self.queue.take(name);
        }
        if let Some(group) = &flight.group {
            self.groups.busy.insert(group.clone(), id);
        }
        self.flights.insert(id, flight);
    }

    /// Puts the record as it is intended, and says what it was.
    fn part(
        &mut self,
        name: &Name,
        before: Option<Record>,
        gathered: &Gathered,
        planned: Planned,
        cx: &Context<'_>,
    ) -> Part {
        let mut record = before.clone().unwrap_or_else(|| gathered.new_record());
        if before.is_none() {
            record.id = RecordId(self.ledger.fresh_id());
        }
        planned.change.intended(&mut record, cx.now.wall);
        if let Step::CreateAccount { attributes: written, .. } | Step::RenameAccount { set: written, .. } =
            &planned.step
        {
            let keys = self.keys_written(written);
            self.claim(name, keys);
        }
        let id = record.id;
        self.ledger.put(record);
        Part { name: name.clone(), record: id, before, planned, decided: (self.heard, cx.now.mono) }
    }

    /// Adds the accounts that wait for this group and want the same of it.
    fn coalesce(&mut self, group: &TargetId, step: &mut Step, parts: &mut Vec<Part>, cx: &Context<'_>) {
        let batch = self.capabilities().map_or(1, |c| c.member_batch);
        let solo = parts.iter().any(|part| self.alone.contains(&part.name));
        let adds = match step {
            Step::AddMembers { .. } => true,
            Step::RemoveMembers { .. } => false,
            _ => return,
        };
        if solo || batch <= 1 {
            return;
        }
        let waiting = if adds { self.groups.gathering.remove(group) } else { self.groups.parked.remove(group) };
        let Some(mut waiting) = waiting else { return };
        let mut others = BTreeSet::new();
        while parts.len() < batch {
            let Some(name) = waiting.pop_first() else { break };
            let part_already = parts.iter().any(|part| part.name == name);
            if part_already
                || self.busy.contains_key(&name)
                || self.looks.looking.contains_key(&name)
                || self.alone.contains(&name)
            {
                continue;
            }
            if excess::account_of(&name).is_some() {
                others.insert(name);
                continue;
            }
            let next = self.next_step_at(&name, group, cx);
            let same = next.filter(|(_, planned)| matches!(planned.step, Step::AddMembers { .. }) == adds);
            let Some((gathered, planned)) = same else {
                // Whatever it is that they want now.
                self.touch_as(&name, Priority::Mover, cx);
                continue;
            };
            if let (
                Step::AddMembers { members, .. } | Step::RemoveMembers { members, .. },
                Step::AddMembers { members: more, .. } | Step::RemoveMembers { members: more, .. },
            ) = (&mut *step, &planned.step)
            {
                members.extend(more.iter().cloned());
            }
            self.date_charge(&name, &planned, cx.now.wall);
            let part = self.part(&name, gathered.record.clone(), &gathered, planned, cx);
            parts.push(part);
        }
        waiting.append(&mut others);
        if !waiting.is_empty() {
            let all = if adds { &mut self.groups.gathering } else { &mut self.groups.parked };
            all.insert(group.clone(), waiting);
        }
    }

    /// The keys of a create or rename under way are claimed: another identity that finds them waits.
    pub(super) fn claim(&mut self, name: &Name, keys: Vec<CorrelationKey>) {
        for key in keys {
            let folded = Fold::of(self.schema, &key.attribute).apply(&key.value).into_owned();
            self.claims.insert((key.attribute, folded), name.clone());
        }
    }

    pub(super) fn is_claimed(&self, name: &Name, keys: &[CorrelationKey]) -> bool {
        keys.iter().any(|key| {
            let folded = Fold::of(self.schema, &key.attribute).apply(&key.value).into_owned();
            self.claims.get(&(key.attribute.clone(), folded)).is_some_and(|holder| holder != name)
        })
    }

    pub(super) fn release_claims(&mut self, name: &Name, cx: &Context<'_>) {
        let before = self.claims.len();
        self.claims.retain(|_, holder| holder != name);
        if self.claims.len() != before {
            for waiting in std::mem::take(&mut self.waiting_for_claims) {
                self.touch(&waiting, cx);
            }
        }
    }

    /// Records what is to be recorded, if nothing is being recorded.
    pub(super) fn flush(&mut self, cx: &Context<'_>, out: &mut Out) {
        if self.storing.recording
            || !self.ledger.has_outgoing()
            || cx.now.mono < self.storing.again_at
            || self.gathers(cx)
        {
            return;
        }
        let changes = self.ledger.take_outgoing();
        self.storing.recording = true;
        let id = out.effect(Effect::Record(changes.clone()));
        self.storing.since = cx.now.wall;
        self.awaited.insert(id, Awaited::Record(changes));
    }

    /// Whether what is to be recorded may wait for more: the target has enough to do, and nothing of it is urgent.
    fn gathers(&mut self, cx: &Context<'_>) -> bool {
        let urgent = |flight: &Flight| !flight.sent && flight.priority <= Priority::Urgent;
        if self.stored.len() >= ENOUGH && !self.flights.values().any(urgent) {
            let until = *self.storing.gathers_until.get_or_insert(cx.now.mono + GATHER);
            if cx.now.mono < until {
                return true;
            }
        }
        self.storing.gathers_until = None;
        false
    }

    /// Sends what is stored, best priority first, as far as rate and concurrency allow.
    pub(super) fn send(&mut self, at_least: Priority, cx: &Context<'_>, out: &mut Out) {
        while self.may_write() && self.may_request(cx.now) {
            let intents = self.next_batch(at_least, cx);
            if intents.is_empty() {
                return;
            }
            let mut steps = Vec::new();
            for id in &intents {
                if let Some(flight) = self.flights.get_mut(id) {
                    flight.sent = true;
                    steps.push(flight.step().clone());
                }
            }
            self.request(Effect::Apply(steps), Awaited::Apply(intents, cx.now.mono), out);
        }
    }

    /// What goes out together: as many as the target takes at once or carries out within a moment, but no more than share the
    /// free requests evenly.
    fn next_batch(&mut self, at_least: Priority, cx: &Context<'_>) -> Vec<IntentId> {
        let free = self.concurrency().saturating_sub(self.requests_under_way()).max(1);
        let most = self.capabilities().map_or(1, |c| c.step_batch).max(self.pace.together());
        let most = most.min(self.stored.len().div_ceil(free));
        let mut intents = Vec::new();
        while intents.len() < most {
            let Some((priority, id)) = self.stored.first().copied() else { break };
            let alone = self.goes_alone(priority, id);
            if priority > at_least || (alone && !intents.is_empty()) {
                break;
            }
            self.stored.remove(&(priority, id));
            if let Some((_, account)) = self.flights.get(&id).and_then(|flight| flight.orphan.clone()) {
                self.ask_whose(&account, cx);
            }
            if !self.is_still_wanted(id, cx) {
                self.cancel(id, cx);
                continue;
            }
            intents.push(id);
            if alone {
                break;
            }
        }
        intents
    }

    /// What is urgent waits for no other's answer, and targets take many of a few kinds of steps at once.
    fn goes_alone(&self, priority: Priority, id: IntentId) -> bool {
        let many = self.flights.get(&id).is_some_and(|flight| {
            matches!(
                flight.step(),
                Step::CreateAccount { .. }
                    | Step::UpdateAccount { .. }
                    | Step::RenameAccount { .. }
                    | Step::AddMembers { .. }
                    | Step::RemoveMembers { .. }
                    | Step::Assign { .. }
                    | Step::Revoke { .. }
            )
        });
        !many || priority <= Priority::Urgent
    }

    /// Asks the decision again: a step that it no longer contains is never sent.
    fn is_still_wanted(&self, id: IntentId, cx: &Context<'_>) -> bool {
        let Some(flight) = self.flights.get(&id) else { return false };
        if let Step::CreateGroup { name, .. } = flight.step() {
            return self.creates(name) && self.bound(EntitlementKind::Group, name).is_none();
        }
        if let Step::UpdateGroup { id, name } = flight.step() {
            let differs = self.shadow.group(id).is_some_and(|group| group.name != *name);
            return differs && self.entries.iter().any(|entry| entry.target.name == *name);
        }
        if let Step::DeleteGroup { id } = flight.step() {
            return self.ledger.groups().any(|group| group.target_id == *id && self.is_to_be_pruned(group));
        }
        flight.orphan.iter().all(|(name, id)| match flight.group {
            Some(_) => self.excess_still_wanted(id, flight.step(), cx),
            None => self.orphan_still_wanted(name, id, cx),
        }) && flight.parts.iter().all(|part| self.still_wants(part, cx))
    }

    /// Takes back an intent that was never sent.
    pub(super) fn cancel(&mut self, id: IntentId, cx: &Context<'_>) {
        if let Some(flight) = self.flights.remove(&id) {
            self.take_back(&flight);
            self.ledger.close(id, Outcome::Cancelled);
            self.free(&flight, cx);
        }
    }

    /// Puts the records back as they were before the intent.
    pub(super) fn take_back(&mut self, flight: &Flight) {
        for part in &flight.parts {
            match &part.before {
                Some(before) => self.ledger.put(before.clone()),
                None => self.ledger.forget(part.record),
            }
        }
    }

    /// Its accounts and its group are free; who waited gets a turn.
    pub(super) fn free(&mut self, flight: &Flight, cx: &Context<'_>) {
        for (name, _) in flight.owners() {
            self.busy.remove(name);
            if !self.looks.unresolved.contains_key(name) && !self.is_to_be_read(name) {
                self.release_claims(name, cx);
            }
            self.touch_as(name, flight.priority, cx);
        }
        if let Some(group) = &flight.group {
            self.free_group(group, cx);
        }
    }

    fn free_group(&mut self, group: &TargetId, cx: &Context<'_>) {
        self.groups.busy.remove(group);
        let waiting: BTreeSet<Name> = self.groups.parked.get(group).cloned().unwrap_or_default();
        for name in waiting {
            self.touch_as(&name, Priority::Mover, cx);
        }
    }

    /// Groups are free at which whatever the last run wrote must have arrived by now.
    pub(super) fn open_groups(&mut self, cx: &Context<'_>) {
        let over = self.groups.closed.iter().filter(|(_, until)| **until <= cx.now.mono);
        for group in over.map(|(group, _)| group.clone()).collect::<Vec<_>>() {
            self.groups.closed.remove(&group);
            self.free_group(&group, cx);
        }
    }

    /// Whether another intent may be recorded ahead.
    pub(super) fn has_room(&self, priority: Priority) -> bool {
        let room = if priority == Priority::Leaver { AHEAD * 2 } else { AHEAD };
        self.flights.len() + self.looks.looking.len() < room
    }
}
