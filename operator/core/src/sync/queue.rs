//! Whose turn it is: accounts by priority, and those that wait for a time.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;

use super::row::Row;
use super::{Context, Sync};
use crate::model::{Name, Now, RecordState, State, Step};
use crate::plan::Planned;

/// In which order accounts get their turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Priority {
    /// Ended and suspended.
    Leaver,
    /// Privileged revokes and revokes by Deny.
    Urgent,
    /// Has no account yet.
    Joiner,
    /// Something about it was edited.
    Mover,
    /// Loses something that is neither privileged nor denied.
    Revoke,
    /// Looked at again after an observation.
    Drift,
}

impl Priority {
    /// Of a step that is begun in a turn of this priority, of one who leaves or who stays: whose turn it is because of one
    /// removal does nothing else before its time.
    pub(super) fn of(self, planned: &Planned, leaves: bool) -> Self {
        let disables = matches!(planned.step, Step::DisableAccount { .. });
        match self {
            Self::Leaver => self,
            _ if leaves && (disables || planned.is_removal()) => self.min(Self::Urgent),
            // Disabled before, and found enabled.
            _ if disables && planned.lane.is_none() => Self::Urgent,
            _ if planned.is_removal() && (planned.privileged || planned.denied) => Self::Urgent,
            _ if planned.is_removal() => self.max(Self::Revoke),
            Self::Urgent => Self::Mover,
            _ => self,
        }
    }
}

/// Accounts that are due, by priority and then in the order of their coming, and accounts that are due later.
#[derive(Debug, Default)]
pub(super) struct Queue {
    due: BTreeMap<(Priority, u64), Name>,
    places: BTreeMap<Name, (Priority, u64)>,
    /// Whose turn, or what stands for it in a wave, is still to come since they were last due.
    unplanned: BTreeSet<Name>,
    next: u64,
    later: BTreeSet<(Duration, Name)>,
    by_date: BTreeSet<(Timestamp, Name)>,
}

impl Queue {
    /// Due now. One that is due already keeps the better of its two places.
    pub(super) fn push(&mut self, name: &Name, priority: Priority) {
        self.unplanned.insert(name.clone());
        if let Some(place) = self.places.get(name) {
            if place.0 <= priority {
                return;
            }
            self.due.remove(place);
        }
        let place = (priority, self.next);
        self.next += 1;
        self.due.insert(place, name.clone());
        self.places.insert(name.clone(), place);
    }

    /// Due at a monotonic time.
    pub(super) fn push_at(&mut self, name: &Name, at: Duration) {
        self.later.insert((at, name.clone()));
    }

    /// Due at a date.
    pub(super) fn push_on(&mut self, name: &Name, on: Timestamp) {
        self.by_date.insert((on, name.clone()));
    }

    /// The next one whose priority is at least this.
    pub(super) fn pop(&mut self, at_least: Priority) -> Option<(Name, Priority)> {
        let entry = self.due.first_entry().filter(|entry| entry.key().0 <= at_least)?;
        let ((priority, _), name) = entry.remove_entry();
        self.places.remove(&name);
        Some((name, priority))
    }

    /// What they are to lose is known: they have their turn.
    pub(super) fn now_planned(&mut self, name: &Name) {
        self.unplanned.remove(name);
    }

    /// One of whom it is not known since they were last due; from now on it is.
    pub(super) fn next_unplanned(&mut self) -> Option<Name> {
        self.unplanned.pop_first()
    }

    pub(super) fn is_all_planned(&self) -> bool {
        self.unplanned.is_empty()
    }

    /// Takes this one out of its place.
    pub(super) fn take(&mut self, name: &Name) {
        if let Some(place) = self.places.remove(name) {
            self.due.remove(&place);
        }
    }

    /// The best priority that is due.
    pub(super) fn best(&self) -> Option<Priority> {
        self.due.first_key_value().map(|((priority, _), _)| *priority)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.due.is_empty()
    }

    /// Those whose time has come.
    pub(super) fn ripe(&mut self, now: Now) -> Vec<Name> {
        let mut out = Vec::new();
        while let Some(entry) = self.later.first().filter(|(at, _)| *at <= now.mono).cloned() {
            self.later.remove(&entry);
            out.push(entry.1);
        }
        while let Some(entry) = self.by_date.first().filter(|(on, _)| *on <= now.wall).cloned() {
            self.by_date.remove(&entry);
            out.push(entry.1);
        }
        out
    }

    /// When the next one falls due, by either clock.
    pub(super) fn next(&self) -> (Option<Timestamp>, Option<Duration>) {
        (self.by_date.first().map(|(on, _)| *on), self.later.first().map(|(at, _)| *at))
    }
}

impl Sync {
    /// Whatever was decided before may be decided otherwise now.
    pub const fn hear(&mut self) {
        self.heard += 1;
    }

    /// An account may have to be looked at: it gets its turn by how it stands.
    pub fn touch(&mut self, name: &Name, cx: &Context<'_>) {
        self.hear();
        self.touch_as(name, Priority::Mover, cx);
    }

    pub(super) fn touch_as(&mut self, name: &Name, otherwise: Priority, cx: &Context<'_>) {
        let mut rows = self.ledger.rows_of(name).peekable();
        let had = rows.peek().is_some();
        let leaves = leaves(name, cx);
        let active = rows.any(|r| {
            let there = matches!(r.state, RecordState::Active | RecordState::Creating) || r.grants().len() > 0;
            there || self.doubts.disables.contains_key(&r.id) || self.is_found_enabled(r)
        });
        let priority = if leaves && active {
            self.leaving.entry(name.clone()).or_insert(cx.now.mono);
            Priority::Leaver
        } else if had || cx.directory.identity(name).is_none() {
            otherwise
        } else {
            Priority::Joiner
        };
        if !leaves {
            self.leaving.remove(name);
        }
        self.queue.push(name, priority);
    }

    /// Whether an account that we disabled is seen to be enabled.
    fn is_found_enabled(&self, row: Row<'_>) -> bool {
        let shade = || row.target_id().and_then(|id| self.ledger.seen(&id.into()));
        row.disabled_at().is_some() && shade().is_some_and(|shade| shade.enabled)
    }
}

/// Ended, suspended or gone.
pub(super) fn leaves(name: &Name, cx: &Context<'_>) -> bool {
    cx.directory.identity(name).is_none_or(|view| matches!(view.state, State::Ended | State::Suspended))
}
