//! What a person orders about a deletion that is due later.

use std::sync::Arc;

use super::flight::Flight;
use super::{Context, Out, Sync};
use crate::engine::{DeletionOrder, Note};
use crate::model::{KEPT, Name, ObjectKind, ObjectRef, RecordState, Step, SyncMode};

impl Sync {
    /// Cancels the deletion of an identity's retained account, or lets it fall due now: it goes through the budgets as any
    /// other. What nobody retains is refused, with the reason.
    pub fn order_deletion(
        &mut self,
        identity: &Name,
        order: DeletionOrder,
        cx: &Context<'_>,
        out: &mut Out,
    ) -> Result<(), Arc<str>> {
        let application = &self.application;
        if !self.is_loaded() {
            return Err(format!("the ledger of {application} is not loaded yet; ask again").into());
        }
        if self.settings.mode != SyncMode::Enforce {
            return Err(format!("{application} is not in mode Enforce: its ledger does not change").into());
        }
        let records = self.ledger.of_name(identity);
        let mut retained: Vec<_> = records.into_iter().filter(|r| r.state == RecordState::Retained).collect();
        if retained.is_empty() {
            return Err(format!("{identity} has no account in {application} that is retained").into());
        }
        // What was sent is not recalled, and who is only being disabled has no date yet.
        let waits = |flight: &Flight| {
            let mut theirs = flight.parts.iter().filter(|part| part.name == *identity);
            theirs.any(|part| match part.planned.step {
                Step::DeleteAccount { .. } => flight.sent,
                Step::DisableAccount { .. } => part.before.as_ref().is_none_or(|r| r.state != RecordState::Retained),
                _ => false,
            })
        };
        // Nor one of whom it is not known whether that was done: the date is fixed once it is.
        let doubted = retained.iter().any(|record| self.doubts.disables.contains_key(&record.id));
        if doubted || self.flights.values().any(waits) {
            let words = "is being disabled or deleted right now; ask again";
            return Err(format!("the account of {identity} in {application} {words}").into());
        }
        let (at, reason, words) = match order {
            DeletionOrder::Cancel => (KEPT, "DeletionCancelled", "the deletion was cancelled of the account of"),
            DeletionOrder::Hasten => (cx.now.wall, "DeletionHastened", "the deletion was hastened of the account of"),
        };
        for record in &mut retained {
            record.delete_at = Some(at);
            self.ledger.put(record.clone());
            // What is under way is asked again, and taken back, by the record before it.
            let under_way = self.flights.values_mut().flat_map(|flight| &mut flight.parts);
            let before = under_way.filter_map(|part| part.before.as_mut()).filter(|before| before.id == record.id);
            before.for_each(|before| before.delete_at = Some(at));
        }
        out.notes.push(Note {
            object: ObjectRef { kind: ObjectKind::TargetApplication, name: self.application.clone() },
            uid: self.meta.uid.clone(),
            warning: false,
            reason: reason.into(),
            message: format!("{words} {identity}").into(),
            at: None,
        });
        self.touch(identity, cx);
        self.pump(cx, out);
        Ok(())
    }
}
