//! A record passes by externalId to the identity that has it now, where its owner is gone or ended: handover and re-hire.

use super::gather::Gathered;
use super::{Context, Priority, Sync};
use crate::directory::IdentityView;
use crate::model::{DeprovisionStep, Lane, Name, Owner, Record, RecordState, State, Step};

impl Sync {
    /// Lets what is to pass to this identity, or from a gone owner of this name, pass.
    pub(super) fn pass_on(&mut self, name: &Name, cx: &Context<'_>) {
        if let Some((record, from)) = self.inheritance(name, cx) {
            // Who had the account is told that nothing is left to be taken.
            self.leaving.remove(&from);
            self.queue.push(&from, Priority::Mover);
            return self.ledger.put(record);
        }
        // The other way round: who has the externalId of a gone owner now has its turn first.
        for record in self.ledger.of_name(name) {
            if let Some(owner) = self.heir(&record, cx) {
                self.leaving.remove(name);
                self.queue.push(&owner.name, Priority::Mover);
                self.ledger.put(Record { owner, ..record });
            }
        }
    }

    /// Every owner of this name, as if what is to pass had passed: nothing is recorded.
    pub(super) fn owners_foreseen(&self, name: &Name, cx: &Context<'_>) -> Vec<Gathered> {
        if let (Some((record, _)), Some(view)) = (self.inheritance(name, cx), cx.directory.identity(name)) {
            return vec![self.gather(&view, Some(record), cx)];
        }
        let mut owners = self.owners_of(name, cx);
        owners.retain(|owner| owner.record.as_ref().is_none_or(|record| self.heir(record, cx).is_none()));
        owners
    }

    /// The record that passes to this identity, as its own, and whose it was.
    fn inheritance(&self, name: &Name, cx: &Context<'_>) -> Option<(Record, Name)> {
        let view = cx.directory.identity(name)?;
        if view.frozen.is_some() || view.state == State::Ended || self.own_record(&view).is_some() {
            return None;
        }
        let external = view.spec.ok()?.external_id()?;
        let passes =
            |record: &Record| self.is_gone(record, cx) && self.may_pass(record) && !self.ends_first(record, &view, cx);
        let record = self.ledger.of_external(external).into_iter().find(passes)?;
        let from = record.owner.name.clone();
        Some((Record { owner: Owner { name: name.clone(), uid: view.uid.clone() }, ..record }, from))
    }

    /// Who has the externalId of a record whose owner is gone or ended, and no record yet.
    fn heir(&self, record: &Record, cx: &Context<'_>) -> Option<Owner> {
        if !self.is_gone(record, cx) || !self.may_pass(record) {
            return None;
        }
        let heir = cx.directory.by_external_id(record.external_id.as_ref()?)?;
        let name = heir.name;
        let waits = heir.frozen.is_some()
            || heir.state == State::Ended
            || self.own_record(&heir).is_some()
            || self.ends_first(record, &heir, cx);
        let owner = || Owner { name: name.clone(), uid: heir.uid.clone() };
        (!waits && !self.busy.contains_key(name) && !self.looks.looking.contains_key(name)).then(owner)
    }

    /// Whether an end that is written disables the account before it passes: who has it next has not started, or has no access,
    /// and would have it disabled as well, but not within the budget of what manifests end.
    fn ends_first(&self, record: &Record, heir: &IdentityView<'_>, cx: &Context<'_>) -> bool {
        let lane = |view: &IdentityView<'_>| {
            let owner = Owner { name: view.name.clone(), uid: view.uid.clone() };
            let theirs = Record { owner, ..record.clone() };
            let mut steps = self.plan(&self.gather(view, Some(theirs), cx), cx).steps.into_iter();
            steps.find(|planned| matches!(planned.step, Step::DisableAccount { .. }))?.lane
        };
        let (ended, lost) = (self.settings.deprovision.ended, self.settings.deprovision.lost);
        let disables = |step: DeprovisionStep| matches!(step, DeprovisionStep::Disable { .. });
        // What is to come of it is not decided by who ended.
        let alike = heir.state == State::Pending || ended == lost || (disables(ended) && disables(lost));
        let owner = cx.directory.identity(&record.owner.name);
        let owner = owner.filter(|owner| self.own_record(owner).is_some_and(|own| own.id == record.id));
        alike && owner.is_some_and(|owner| lane(&owner) == Some(Lane::Explicit)) && lane(heir) == Some(Lane::Derived)
    }

    /// Whether a record's owner is gone or ended.
    fn is_gone(&self, record: &Record, cx: &Context<'_>) -> bool {
        let owner = cx.directory.identity(&record.owner.name);
        owner.is_none_or(|owner| {
            owner.state == State::Ended || self.own_record(&owner).is_none_or(|own| own.id != record.id)
        })
    }

    /// A record passes with both owners free.
    fn may_pass(&self, record: &Record) -> bool {
        let owner = &record.owner.name;
        record.target_id.is_some()
            && record.state != RecordState::Released
            && !self.busy.contains_key(owner)
            && !self.looks.looking.contains_key(owner)
    }
}
