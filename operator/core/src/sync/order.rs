//! What a person orders about a deletion that is due later.

use std::sync::Arc;

use jiff::Timestamp;

use super::flight::Flight;
use super::{Context, Out, Sync};
use crate::engine::{DeletionOrder, Note};
use crate::model::{DeleteMeans, KEPT, Name, ObjectKind, ObjectRef, Record, RecordState, Step, SyncMode};

impl Sync {
    /// Cancels the deletion of an identity's retained account, or lets it fall due now: it goes through the budgets as any
    /// other. Answers what that means; what nobody retains is refused, with the reason. `by` is who orders it.
    pub fn order_deletion(
        &mut self,
        identity: &Name,
        order: DeletionOrder,
        by: &str,
        cx: &Context<'_>,
        out: &mut Out,
    ) -> Result<Arc<str>, Arc<str>> {
        let application = &self.application;
        if !self.is_loaded() {
            return Err(format!("the ledger of {application} is not loaded yet; ask again").into());
        }
        if self.settings.mode != SyncMode::Enforce {
            return Err(format!("{application} is not in mode Enforce: its ledger does not change").into());
        }
        if order == DeletionOrder::Hasten && self.capabilities().is_some_and(|c| c.delete != DeleteMeans::Hard) {
            return Err(format!("{application} deletes no accounts: what is retained there stays disabled").into());
        }
        let records = self.ledger.of_name(identity);
        let (mut retained, others): (Vec<_>, Vec<_>) =
            records.into_iter().partition(|record| record.state == RecordState::Retained);
        if retained.is_empty() {
            let why = not_retained(&others);
            return Err(format!("{identity} has no account in {application} that is retained{why}").into());
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
        let meant = meant(order, &retained, identity, application);
        let at = if order == DeletionOrder::Cancel { KEPT } else { cx.now.wall };
        for record in &mut retained {
            record.delete_at = Some(at);
            self.ledger.put(record.clone());
            // What is under way is asked again, and taken back, by the record before it.
            let under_way = self.flights.values_mut().flat_map(|flight| &mut flight.parts);
            let before = under_way.filter_map(|part| part.before.as_mut()).filter(|before| before.id == record.id);
            before.for_each(|before| before.delete_at = Some(at));
        }
        out.notes.push(self.ordered(order, identity, by));
        self.touch(identity, cx);
        self.pump(cx, out);
        Ok(meant)
    }

    /// What is told of an order that was carried out.
    fn ordered(&self, order: DeletionOrder, identity: &Name, by: &str) -> Note {
        let (reason, what) = match order {
            DeletionOrder::Cancel => ("DeletionCancelled", "cancelled"),
            DeletionOrder::Hasten => ("DeletionHastened", "hastened"),
        };
        Note {
            object: ObjectRef { kind: ObjectKind::TargetApplication, name: self.application.clone() },
            uid: self.meta.uid.clone(),
            warning: false,
            reason: reason.into(),
            message: format!("the deletion was {what} of the account of {identity}, ordered by {by}").into(),
            at: None,
        }
    }
}

/// Why none of somebody's accounts waits for its deletion, and what makes it.
fn not_retained(records: &[Record]) -> &'static str {
    match records.iter().map(|record| record.state).min() {
        Some(RecordState::Creating | RecordState::Active | RecordState::Disabled) => {
            ": theirs is not disabled for good. It is retained, and has a date, once they have ended, are gone or have no access \
             and it was disabled: `provost held` and `provost status` say what that waits for"
        }
        Some(RecordState::Deleted) => ": theirs is deleted already",
        Some(RecordState::Released) => ": theirs was let go, and is nobody's",
        Some(RecordState::Retained) | None => ": none was made, or it is deleted; `provost ledger` shows what is",
    }
}

/// What an order does, and what undoes it.
fn meant(order: DeletionOrder, retained: &[Record], identity: &Name, application: &Name) -> Arc<str> {
    let account = format!("the account of {identity} in {application}");
    let date = retained.iter().filter_map(|record| record.delete_at).min();
    let day = |date: Timestamp| date.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    match (order, date) {
        (DeletionOrder::Cancel, Some(date)) if date == KEPT => {
            format!("{account} is kept: its deletion had been cancelled already")
        }
        (DeletionOrder::Cancel, Some(date)) => format!(
            "{account} is kept: it was to be deleted on {}; \
             `provost ledger hasten-deletion` deletes it after all",
            day(date)
        ),
        (DeletionOrder::Cancel, None) => format!("{account} is kept, as it was: it had no date"),
        (DeletionOrder::Hasten, date) => {
            let was = match date {
                Some(date) if date == KEPT => "its deletion had been cancelled, and that is taken back".to_owned(),
                Some(date) => format!("its date was {}", day(date)),
                None => "it had no date".to_owned(),
            };
            format!(
                "{account} is deleted now: {was}. It counts as a removal: \
                 `provost held` shows it if the budget does not allow it"
            )
        }
    }
    .into()
}
