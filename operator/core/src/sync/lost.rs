//! Writes whose answer was lost: what became of them shows when their accounts have been read, and closes their intents.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;

use super::Sync;
use super::row::Row;
use crate::model::{AttributeName, Digest, Intent, IntentId, Name, Outcome, RecordId, RecordState, Step, TargetId};
use crate::plan::{Fold, digest};

/// A write whose answer was lost, and the records of which what became of it is not seen yet.
#[derive(Debug)]
pub(super) struct Lost {
    step: Step,
    records: BTreeSet<RecordId>,
    seen: bool,
}

/// What is not known for certain.
#[derive(Debug, Default)]
pub(super) struct Doubts {
    /// Writes whose answer was lost, until what they did is seen.
    pub(super) lost: BTreeMap<IntentId, Lost>,
    /// Disables of which it is not known whether they were done, by when they were intended.
    pub(super) disables: BTreeMap<RecordId, Timestamp>,
    /// Owners with a write of the last run that may still arrive: nothing is written for them before this.
    pub(super) embargo: BTreeMap<Name, Duration>,
    /// Accounts that a read did not find, and when it began.
    pub(super) absent: BTreeMap<TargetId, Timestamp>,
    /// Values that the target answered otherwise than they were written.
    pub(super) unstuck: BTreeSet<(TargetId, AttributeName, Digest)>,
}

impl Sync {
    /// The intent stays open until the accounts it concerns have been read.
    pub(super) fn keep_lost(&mut self, intent: &Intent) {
        let ours = |id: &RecordId| self.ledger.record(*id).is_some();
        let records: BTreeSet<RecordId> = intent.records.iter().copied().filter(ours).collect();
        if records.is_empty() {
            // No account of ours shows it; a group itself shows what it needs in the next listing.
            return self.ledger.close(intent.id, Outcome::Failed("the answer was lost".into()));
        }
        self.ledger.close(intent.id, Outcome::Lost);
        self.doubts.lost.insert(intent.id, Lost { step: intent.step.clone(), records, seen: true });
    }

    /// This record is planned by what was read since (or is gone): what its lost writes did is as good as known.
    pub(super) fn learn_lost(&mut self, record: RecordId) {
        // What nobody shows is given again, as long as it is to be had.
        let row = self.ledger.record(record);
        let has = |group: &TargetId| row.is_some_and(|row| row.holds(group));
        let to_be_had = |group: &TargetId| self.groups.bound.values().any(|bound| bound == group);
        let unsure = |lost: &Lost| {
            given_by(&lost.step).is_some_and(|group| !self.shows_members(group) && has(group) && to_be_had(group))
        };
        let concerned = self.doubts.lost.iter().filter(|(_, lost)| lost.records.contains(&record) && !unsure(lost));
        let seen: Vec<_> = concerned.map(|(id, lost)| (*id, self.is_seen(&lost.step, record))).collect();
        for (id, seen) in seen {
            self.learn(id, record, seen);
        }
    }

    /// What a lost write did for this record is as good as known.
    fn learn(&mut self, id: IntentId, record: RecordId, seen: bool) {
        let Some(lost) = self.doubts.lost.get_mut(&id) else { return };
        lost.records.remove(&record);
        lost.seen &= seen;
        if lost.records.is_empty() {
            let outcome = if lost.seen {
                Outcome::Done
            } else {
                Outcome::Failed("the answer was lost, and it is not seen to be done".into())
            };
            self.doubts.lost.remove(&id);
            self.ledger.close(id, outcome);
        }
    }

    /// Whether a listing tells who is in a group, or has a role or licence.
    pub(super) fn shows_members(&self, group: &TargetId) -> bool {
        self.shadow.group(group).is_some_and(|group| group.members.is_some())
    }

    /// Whether it cannot be known that this record's account was given this: the answer was lost, and members are not
    /// shown. It is given again.
    pub(super) fn is_unsure(&self, record: RecordId, group: &TargetId) -> bool {
        self.unsure_of(record).any(|(_, unsure)| unsure == group)
    }

    fn unsure_of(&self, record: RecordId) -> impl Iterator<Item = (IntentId, &TargetId)> {
        let lost = self.doubts.lost.iter().filter(move |(_, lost)| lost.records.contains(&record));
        let given = lost.filter_map(|(id, lost)| Some((*id, given_by(&lost.step)?)));
        given.filter(|(_, group)| !self.shows_members(group))
    }

    /// It was given again, for sure.
    pub(super) fn is_sure(&mut self, record: RecordId, group: &TargetId) {
        let again: Vec<_> = self.unsure_of(record).filter(|(_, unsure)| *unsure == group).map(|(id, _)| id).collect();
        for id in again {
            self.learn(id, record, true);
        }
    }

    /// Whether the target shows what the step was to do to this record's account.
    fn is_seen(&self, step: &Step, record: RecordId) -> bool {
        let account = self.ledger.record(record).and_then(Row::target_id);
        let shade = |id: &TargetId| self.ledger.seen(id);
        let holds = |group: &TargetId| {
            let members = self.shadow.group(group).and_then(|group| group.members.as_ref());
            members.zip(account).map(|(members, account)| members.contains(account))
        };
        match step {
            Step::CreateAccount { .. } => account.is_some(),
            Step::UpdateAccount { id, set } | Step::RenameAccount { id, set } => shade(id).is_some_and(|shade| {
                set.iter().all(|(name, value)| shade.digest(name) == digest(value, Fold::of(self.schema, name)))
            }),
            Step::EnableAccount { id } => shade(id).is_some_and(|shade| shade.enabled),
            Step::DisableAccount { id } => shade(id).is_some_and(|shade| !shade.enabled),
            Step::DeleteAccount { id } => shade(id).is_none(),
            Step::AddMembers { group, .. } | Step::Assign { entitlement: group, .. } => holds(group) == Some(true),
            Step::RemoveMembers { group, .. } | Step::Revoke { entitlement: group, .. } => holds(group) == Some(false),
            Step::CreateGroup { .. } | Step::UpdateGroup { .. } | Step::DeleteGroup { .. } => false,
        }
    }
}

impl Sync {
    /// Whether this disable was done is not known: a read shows it.
    pub(super) fn doubt_disable(&mut self, intent: &Intent) {
        if matches!(intent.step, Step::DisableAccount { .. }) {
            // Repeated, it keeps the date of the first: so does the record.
            for id in &intent.records {
                self.doubts.disables.entry(*id).or_insert(intent.at);
            }
        }
    }

    /// An account was read. A disable that was not done took nothing away: who is wanted again does not come back.
    pub(super) fn learn_disable(&mut self, account: &TargetId, began: Timestamp) {
        let Some(row) = self.ledger.of_target(account).filter(|row| !self.is_old_news(began, row.last_write)) else {
            return;
        };
        let Some(intended) = self.doubts.disables.remove(&row.id) else { return };
        let enabled = self.ledger.seen(account).is_some_and(|shade| shade.enabled);
        let mut record = row.record();
        if enabled && self.enforces() && record.disabled_at == Some(intended) {
            record.state = RecordState::Active;
            (record.disabled_at, record.delete_at) = (None, None);
            self.ledger.put(record);
        }
    }
}

/// What a step gives.
pub(super) fn given_by(step: &Step) -> Option<&TargetId> {
    match step {
        Step::AddMembers { group, .. } | Step::Assign { entitlement: group, .. } => Some(group),
        _ => None,
    }
}
