//! Writes whose answer was lost: what became of them shows when their accounts have been read, and closes their intents.

use std::collections::BTreeSet;

use super::Sync;
use super::row::Row;
use crate::model::{Intent, Outcome, RecordId, Step, TargetId};
use crate::plan::{Fold, digest};

/// A write whose answer was lost, and the records of which what became of it is not seen yet.
#[derive(Debug)]
pub(super) struct Lost {
    step: Step,
    records: BTreeSet<RecordId>,
    seen: bool,
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
        self.lost.insert(intent.id, Lost { step: intent.step.clone(), records, seen: true });
    }

    /// This record is planned by what was read since (or is gone): what its lost writes did is as good as known.
    pub(super) fn learn_lost(&mut self, record: RecordId) {
        let concerned = self.lost.iter().filter(|(_, lost)| lost.records.contains(&record));
        let seen: Vec<_> = concerned.map(|(id, lost)| (*id, self.is_seen(&lost.step, record))).collect();
        for (id, seen) in seen {
            let Some(lost) = self.lost.get_mut(&id) else { continue };
            lost.records.remove(&record);
            lost.seen &= seen;
            if lost.records.is_empty() {
                let outcome = if lost.seen {
                    Outcome::Done
                } else {
                    Outcome::Failed("the answer was lost, and it is not seen to be done".into())
                };
                self.lost.remove(&id);
                self.ledger.close(id, outcome);
            }
        }
    }

    /// Whether the target shows what the step was to do to this record's account.
    fn is_seen(&self, step: &Step, record: RecordId) -> bool {
        let account = self.ledger.record(record).and_then(Row::target_id);
        let shade = |id: &TargetId| self.shadow.account(id);
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
            Step::RevokeSessions { .. }
            | Step::CreateGroup { .. }
            | Step::UpdateGroup { .. }
            | Step::DeleteGroup { .. } => false,
        }
    }
}
