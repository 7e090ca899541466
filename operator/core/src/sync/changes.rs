//! What others change between two listings, where the target tells it: asked for every few seconds, and remembered as a listing
//! would be. It is a hint of whose turn it is: what it does not show, or what could not be asked, the next listing shows. What it
//! says is gone is for a listing, too, which also knows how much may be missing; that one is brought forward.

use std::collections::BTreeSet;
use std::time::Duration;

use super::queue::Priority;
use super::rate::backoff;
use super::{Awaited, Context, Out, Sync};
use crate::engine::Effect;
use crate::model::{
    Changes, Cursor, Item, Kind, Name, Now, Observed, ObservedEntitlement, RecordId, RecordState, TargetError, TargetId,
};

/// From one question to the next.
const EVERY: Duration = Duration::from_secs(5);
/// The longest wait after questions that failed.
const LONGEST: Duration = Duration::from_mins(10);
/// A listing that is brought forward begins this long after the last one at the earliest.
const APART: Duration = Duration::from_mins(1);
/// How long a listing may take for which those are waited with whose accounts are said to be gone.
const LISTED: Duration = Duration::from_secs(30);

/// From where changes are asked for, and when.
#[derive(Debug, Default)]
pub(super) struct Changing {
    /// `None`: the target tells none.
    pub(super) from: Option<Cursor>,
    due: Duration,
    failures: u32,
}

impl Sync {
    /// Asks what has changed, if it is time, and if nothing else is to be asked or written.
    pub(super) fn send_changes(&mut self, cx: &Context<'_>, out: &mut Out) {
        if self.next_changes().is_none_or(|at| cx.now.mono < at) || !self.may_request(cx.now) {
            return;
        }
        if let Some(from) = self.changing.from.clone() {
            self.request(Effect::Changes(from), Awaited::Changes(cx.now), out);
        }
    }

    /// When it may next be asked; `None`: not as things are. Before the first listing, and during one, nothing is missed: the
    /// cursor is older.
    pub(super) fn next_changes(&self) -> Option<Duration> {
        let listed = self.observing.observed
            && self.observing.observation.is_none()
            && self.observing.complete.contains_key(&Kind::Accounts);
        let free = self.flights.is_empty() && !self.wants_requests();
        let asks = listed && free && self.may_turn() && !self.awaits(|awaited| matches!(awaited, Awaited::Changes(_)));
        (asks && self.changing.from.is_some()).then_some(self.changing.due)
    }

    /// What was touched since; our own writes are among it.
    pub(super) fn on_changes(
        &mut self,
        began: Now,
        answer: Result<Changes, TargetError>,
        cx: &Context<'_>,
        out: &mut Out,
    ) {
        let changes = match answer {
            Ok(changes) => changes,
            Err(error) => return self.changes_failed(&error, cx, out),
        };
        self.reach.failures = 0;
        self.changing = Changing { from: Some(changes.next), due: cx.now.mono + EVERY, failures: 0 };
        let mut regrouped = false;
        for item in changes.items {
            match item {
                Item::Account(observed) => self.account_changed(&observed, began, cx),
                Item::Entitlement(observed) => {
                    self.group_changed(observed, began, cx);
                    regrouped = true;
                }
            }
        }
        if regrouped {
            self.bind_groups(cx);
            self.touch_excess(cx);
        }
        let owners: Vec<Name> = changes.gone.iter().filter_map(|id| Some(self.owner_of(id)?.0)).collect();
        let group = |id: &TargetId| self.ledger.groups().any(|group| group.target_id == *id);
        if !changes.whole || !owners.is_empty() || changes.gone.iter().any(group) {
            let last = self.complete_listing(Kind::Accounts).unwrap_or_default();
            self.observing.observe_at = self.observing.observe_at.min((last + APART).max(cx.now.mono));
        }
        for name in owners {
            // Nothing is given to an account that may not be there; that listing is waited for, and not for ever.
            self.doubts.embargo.insert(name, self.observing.observe_at + LISTED);
        }
    }

    /// Nothing is known and nothing changes. Only what is about the target itself is more than a missing hint.
    fn changes_failed(&mut self, error: &TargetError, cx: &Context<'_>, out: &mut Out) {
        self.changing.failures += 1;
        let wait = backoff(self.application.as_str(), self.changing.failures, EVERY, LONGEST);
        self.changing.due = cx.now.mono + wait;
        if !matches!(error, TargetError::Transient(_) | TargetError::Malformed(_) | TargetError::Lost(_)) {
            self.on_error(error, cx, out);
        }
    }

    /// Whose account it is, by which record, and when it was last written to.
    fn owner_of(&self, account: &TargetId) -> Option<(Name, RecordId, Option<jiff::Timestamp>)> {
        let row = self.ledger.of_target(account).filter(|row| row.state != RecordState::Released)?;
        Some((Name::from(row.owner()), row.id, row.last_write))
    }

    fn account_changed(&mut self, observed: &Observed, began: Now, cx: &Context<'_>) {
        let owner = self.owner_of(&observed.id);
        // What nobody knows may be what we deleted meanwhile: listings tell of what is new.
        if owner.is_some() || self.ledger.is_seen(observed.id.as_str()) {
            self.remember(observed, began);
        }
        let Some((name, record, last_write)) = owner else { return };
        self.doubts.absent.remove(&observed.id);
        // We wrote meanwhile. What was to be seen here is told once: it is read again.
        if self.is_old_news(began.wall, last_write) {
            self.looks.must_read.insert((name.clone(), record));
        }
        self.touch_as(&name, Priority::Drift, cx);
    }

    fn group_changed(&mut self, observed: ObservedEntitlement, began: Now, cx: &Context<'_>) {
        let id = observed.id.clone();
        if self.shadow.group(&id).is_none() {
            return;
        }
        let before = self.members_of(&id);
        self.shadow.remember_group(observed, began.wall, self.visibility());
        let differing = before.symmetric_difference(&self.members_of(&id)).cloned().collect::<Vec<_>>();
        for account in differing {
            if let Some((name, ..)) = self.owner_of(&account) {
                self.touch_as(&name, Priority::Drift, cx);
            }
        }
    }

    fn members_of(&self, group: &TargetId) -> BTreeSet<TargetId> {
        self.shadow.group(group).and_then(|group| group.members.clone()).unwrap_or_default()
    }
}
