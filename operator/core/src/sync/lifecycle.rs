//! The application itself: its ledger is loaded, its target reached and recognised, its manifest edited, its end.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::flight::group_of;
use super::group::is_declared;
use super::lookup::Unresolved;
use super::queue::Priority;
use super::rate::backoff;
use super::row::Row;
use super::{Context, Out, Phase, Sync, key_attributes};
use crate::engine::StoreFailure;
use crate::model::{
    DeletionPolicy, EntitlementKind, Ledger, Membership, Meta, Name, Profile, Reason, RecordState, Step,
    TargetApplication, TargetError, TargetId,
};
use crate::plan::held_hash;
use crate::report::Problem;

/// How long our finalizer may take to be put on or off before it is asked for again.
const FINALIZER_AGAIN: Duration = Duration::from_secs(5);

/// How often in a row, and for how long by this process, a deleted application's target must have failed to answer before it is
/// let go, however long that is so: both may have been away, as in a power cut, and the target begins last.
const TRIED: (u32, Duration) = (3, Duration::from_mins(2));

impl Sync {
    /// The namespace stopped (or goes on): nothing is written, ownership is kept.
    pub fn halt(&mut self, halted: bool) {
        self.halted = halted;
    }

    /// The manifest is not valid: nothing is written until it is.
    pub fn invalidate(&mut self) {
        self.invalid = true;
    }

    /// The manifest as it stands now; `None`: it is not valid, and nothing is written until it is.
    pub fn declared(&mut self, meta: &Meta, settings: Option<Arc<TargetApplication>>, cx: &Context<'_>, out: &mut Out) {
        self.hear();
        let reconcile = meta.reconcile_now.is_some() && meta.reconcile_now != self.meta.reconcile_now;
        let finalizer = meta.finalizer != self.meta.finalizer;
        if finalizer || meta.generation != self.meta.generation || meta.uid != self.meta.uid {
            self.finalizer_asked = None;
        }
        let asked = Meta { reconcile_now: meta.reconcile_now.clone(), ..self.meta.clone() };
        let same = settings.as_ref().is_some_and(|settings| !self.invalid && *settings == self.settings);
        let asks_alone = reconcile && same && asked == *meta;
        self.meta = meta.clone();
        out.changed = true;
        self.invalid = settings.is_none();
        if let Some(settings) = settings.filter(|settings| *settings != self.settings) {
            self.adopt_settings(settings, cx, out);
        }
        self.judge_acknowledgement(cx);
        self.judge_ledger_acknowledgement(cx);
        if reconcile {
            self.reconcile_now.clone_from(&meta.reconcile_now);
            self.observing.observe_at = cx.now.mono;
            let failed = std::mem::take(&mut self.failed).into_keys();
            let failed: Vec<Name> = failed.chain(std::mem::take(&mut self.looks.unread).into_keys()).collect();
            self.groups.backoff.clear();
            for name in failed {
                self.touch_as(&name, Priority::Drift, cx);
            }
        }
        if finalizer {
            self.bind_groups(cx);
        }
        // Who else may be concerned has a turn once all is listed, which is what was asked for.
        if !asks_alone {
            self.touch_all(cx);
        }
    }

    fn adopt_settings(&mut self, settings: Arc<TargetApplication>, cx: &Context<'_>, out: &mut Out) {
        let moved = self.reach.connected.as_ref().is_some_and(|connected| *connected != settings.connector);
        let keys = key_attributes(&settings, self.schema);
        let other_keys = keys != key_attributes(&self.settings, self.schema);
        self.rate.set(settings.sync.requests_per_second);
        self.entries = super::pushed::catalogue_of(&settings);
        if settings.safety.protected != self.settings.safety.protected {
            self.lift_protected();
        }
        self.settings = settings;
        if moved {
            // What the old connector was asked is given up: its steps are lost, and looked for.
            let requests: Vec<_> = self.awaited.iter().filter(|(_, a)| a.is_request()).map(|(id, _)| *id).collect();
            for id in requests {
                if let Some(awaited) = self.awaited.remove(&id) {
                    self.give_up(awaited, cx, out);
                }
            }
            (self.reach.connected, self.reach.lost_since) = (None, None);
            self.storing.remembered.lost = None;
            self.phase = if self.phase == Phase::Unloaded { Phase::Unloaded } else { Phase::Unprobed };
            self.reach.probe_at = cx.now.mono;
            out.disconnect = true;
        }
        if moved || other_keys {
            // What the old connector showed says nothing of what the new one will.
            self.shadow = super::shadow::Shadow::default();
            self.ledger.recognise_by(keys);
            self.observing.complete.clear();
            self.doubts.absent.clear();
            self.checks = super::Checks::default();
            self.observing.vanished.clear();
            self.looks.found.clear();
            self.observing.observed = false;
            self.observing.observation = None;
            // A page that is still to come belongs to the listing that is given up.
            self.awaited.retain(|_, awaited| !matches!(awaited, super::Awaited::Page));
        }
        if moved || other_keys {
            self.observing.observe_at = cx.now.mono;
        }
        self.bind_protected();
        self.failed.clear();
        self.looks.unread.clear();
        if self.enforces() {
            self.planned.clear();
        }
        self.groups.bound.retain(|(kind, name), _| is_declared(&self.entries, *kind, name));
        self.bind_groups(cx);
    }

    pub(super) fn on_loaded(&mut self, loaded: Result<Box<Ledger>, StoreFailure>, cx: &Context<'_>, out: &mut Out) {
        match loaded {
            Err(StoreFailure(why)) => {
                self.storing.failures += 1;
                let wait = backoff("store", self.storing.failures, Duration::from_millis(500), Duration::from_mins(1));
                self.reach.probe_at = cx.now.mono + wait;
                self.storing.trouble = Some(Problem::new(Reason::StoreUnavailable, why));
            }
            Ok(ledger) => {
                self.storing.failures = 0;
                self.storing.trouble = None;
                let store = ledger.store.clone();
                let intents = self.ledger.load(*ledger);
                self.judge_store(store, cx);
                self.phase = Phase::Unprobed;
                self.reach.probe_at = cx.now.mono;
                self.resume();
                self.recover(intents, cx);
                self.bind_groups(cx);
                self.touch_all(cx);
            }
        }
        out.changed = true;
    }

    /// What was released when the application was deleted is ours again now that it is back.
    fn resume(&mut self) {
        if self.meta.deleting.is_some() {
            return;
        }
        let released: Vec<_> =
            self.ledger.records().filter(|r| r.state == RecordState::Released).map(Row::record).collect();
        for mut record in released {
            record.state = if record.disabled_at.is_some() { RecordState::Retained } else { RecordState::Active };
            self.ledger.put(record);
        }
    }

    /// Writes whose outcome the last run did not learn: creates are looked for, everything else shows itself in the first
    /// observation, and what was intended counts as ours until then. They may still arrive: until that is over nothing else is
    /// written for their owners, or to their groups.
    fn recover(&mut self, intents: Vec<crate::model::Intent>, cx: &Context<'_>) {
        let deadline = cx.now.mono + self.request_timeout() + self.visibility();
        for intent in intents {
            match (&intent.step, intent.records.first().and_then(|id| self.ledger.record(*id)).map(Row::record)) {
                (Step::CreateAccount { attributes, .. }, Some(record)) if record.target_id.is_none() => {
                    let name = record.owner.name.clone();
                    let keys = self.keys_written(attributes);
                    self.claim(&name, keys);
                    self.looks
                        .unresolved
                        .insert(name, Unresolved { intent: Arc::new(intent), before: None, deadline, attempts: 0 });
                }
                (Step::CreateGroup { name, .. }, _) => {
                    let key = (EntitlementKind::Group, Arc::clone(name));
                    let unresolved = super::group::UnresolvedGroup { intent: intent.id, deadline };
                    self.groups.unresolved.insert(key, unresolved);
                }
                _ => {
                    if let Some(group) = group_of(&intent.step) {
                        self.groups.busy.insert(group.clone(), intent.id);
                        self.groups.closed.insert(group.clone(), deadline);
                    }
                    for id in &intent.records {
                        if let Some(record) = self.ledger.record(*id) {
                            let name = Name::from(record.owner());
                            if let Step::RenameAccount { set, .. } = &intent.step {
                                let keys = self.keys_written(set);
                                self.claim(&name, keys);
                            }
                            self.looks.must_read.insert((name.clone(), *id));
                            self.doubts.embargo.insert(name, deadline);
                        }
                    }
                    self.keep_lost(&intent);
                    self.doubt_disable(&intent);
                }
            }
        }
    }

    pub(super) fn on_probed(&mut self, probed: Result<Box<Profile>, TargetError>, cx: &Context<'_>, out: &mut Out) {
        out.changed = true;
        match probed {
            Err(error) => {
                let (reason, words) = super::outcome::told(&error);
                self.lose_contact(Problem::new(reason, words), cx, out);
            }
            Ok(profile) => {
                let first = self.reach.profile.is_none();
                // The listing that follows shows what came before.
                self.changing.from.clone_from(&profile.changes);
                self.reach.profile = Some(*profile);
                if first {
                    // The deadlines of what was recovered are counted in what the target can take.
                    let deadline = self.started.mono + self.request_timeout() + self.visibility();
                    for unresolved in self.looks.unresolved.values_mut() {
                        unresolved.deadline = deadline;
                    }
                    for until in self.doubts.embargo.values_mut().chain(self.groups.closed.values_mut()) {
                        *until = deadline;
                    }
                }
                self.phase = Phase::Ready;
                self.reach.failures = 0;
                self.reach.probe_failures = 0;
                self.reach.lost_since = None;
                self.storing.remembered.lost = None;
                self.rate.resume();
                self.try_again(cx);
                self.reach.trouble = self.unacknowledged("this may not be the target that was first reached");
                self.recognise(cx);
                if self.observing.observed || self.observing.observation.is_none() {
                    self.observing.observe_at = self.observing.observe_at.min(cx.now.mono);
                }
            }
        }
    }

    /// Another fingerprint than at first contact: nothing is written until that is acknowledged.
    fn recognise(&mut self, cx: &Context<'_>) {
        let fingerprint = Arc::clone(&self.settings.connector.fingerprint);
        match &self.ledger.standing.fingerprint {
            None => {
                self.ledger.standing.fingerprint = Some(fingerprint);
                self.ledger.put_standing();
            }
            Some(known) if *known == fingerprint => {
                // Back at the target that was first reached: what was asked about another one needs no answer.
                let awaiting = &self.ledger.standing.awaiting;
                if awaiting.is_some() && *awaiting != Some(self.token("missing")) {
                    self.ledger.standing.awaiting = None;
                    self.ledger.put_standing();
                    self.reach.trouble = None;
                    self.bind_groups(cx);
                }
            }
            Some(known) => {
                let why = format!("this is not the target that was first reached: {known} -> {fingerprint}");
                self.await_acknowledgement("fingerprint", &why, cx);
            }
        }
    }

    /// More accounts of the ledger missing than can be an accident: another target behind the same address.
    pub(super) fn check_the_right_target(&mut self, cx: &Context<'_>) {
        // It is asked about already.
        if self.is_another_target() {
            return;
        }
        let unread: BTreeSet<_> = self.looks.must_read.iter().map(|(name, record)| (name.as_str(), *record)).collect();
        let ours = self.ledger.records().filter(|r| {
            matches!(r.state, RecordState::Active | RecordState::Disabled | RecordState::Retained)
                && !self.is_old_news(cx.now.wall, r.last_write)
                && !unread.contains(&(r.owner(), r.id))
                && r.target_id().is_none_or(|id| !self.doubts.absent.contains_key(id))
        });
        let ids: Vec<_> = ours.filter_map(Row::target_id).collect();
        let missing = ids.iter().filter(|id| !self.ledger.is_seen(id)).count();
        if missing > (ids.len() / 10).max(20) {
            let why = format!("{missing} of {} accounts that are ours are missing", ids.len());
            self.await_acknowledgement("missing", &why, cx);
        }
    }

    /// What `safety.acknowledge` must say: good for this kind of change, this target and once.
    fn token(&self, kind: &str) -> Arc<str> {
        let used = u32::try_from(self.ledger.standing.acknowledged.len()).unwrap_or(u32::MAX);
        let what = format!("{kind} {}", self.settings.connector.fingerprint);
        let hash = held_hash(&what, &self.application, crate::model::Lane::Derived, used, &BTreeSet::new());
        hash.chars().take(16).collect::<String>().into()
    }

    /// Stops writes until `safety.acknowledge` carries a token that is good once.
    fn await_acknowledgement(&mut self, kind: &str, why: &str, cx: &Context<'_>) {
        let token = self.token(kind);
        if self.ledger.standing.awaiting.as_ref() != Some(&token) {
            self.ledger.standing.awaiting = Some(token);
            self.ledger.put_standing();
        }
        self.reach.trouble = self.unacknowledged(why);
        self.judge_acknowledgement(cx);
    }

    /// The trouble while an acknowledgement is awaited.
    fn unacknowledged(&self, why: &str) -> Option<Problem> {
        let token = self.ledger.standing.awaiting.as_ref()?;
        let message = format!("{why}; if that is right, set spec.safety.acknowledge: {token}");
        Some(Problem::new(Reason::TargetChanged, message))
    }

    /// The token that is awaited was set: this is the target from now on. What is missing now is believed to be so once a
    /// read by its id confirms it. Of another target all that is there must have been listed before it can be told whose it is.
    pub(super) fn judge_acknowledgement(&mut self, cx: &Context<'_>) {
        let Some(token) = self.ledger.standing.awaiting.clone() else { return };
        if *self.settings.safety.acknowledge != *token || self.ledger.standing.acknowledged.contains(&token) {
            return;
        }
        let other = self.is_another_target();
        if other && !self.observing.observed {
            if self.phase == Phase::Ready {
                let message =
                    "another target was acknowledged; it is written to once all that is there has been listed";
                self.reach.trouble = Some(Problem::new(Reason::TargetChanged, message));
            }
            return;
        }
        if other {
            self.unbind_groups();
        }
        self.unbind_accounts(other, cx);
        self.ledger.standing.acknowledged.insert(token);
        self.ledger.standing.awaiting = None;
        self.ledger.standing.fingerprint = Some(Arc::clone(&self.settings.connector.fingerprint));
        self.ledger.put_standing();
        if self.reach.trouble.as_ref().is_some_and(|trouble| trouble.reason() == Reason::TargetChanged) {
            self.reach.trouble = None;
        }
        let listed = self.observing.complete.contains_key(&crate::model::Kind::Accounts);
        let ours = self.ledger.records().filter(|record| listed && record.state != RecordState::Released);
        let missing = ours.filter(|r| r.target_id().is_some_and(|id| !self.ledger.is_seen(id)));
        let missing: BTreeSet<_> = missing.map(|record| (Name::from(record.owner()), record.id)).collect();
        self.looks.must_read.extend(missing);
        self.bind_groups(cx);
        self.touch_all(cx);
    }

    /// The policy for deletion is `Retain`.
    pub(super) fn retains(&self) -> bool {
        self.settings.deletion_policy == DeletionPolicy::Retain
    }

    /// Nothing is left to do for a deleted application.
    pub(super) fn is_retired(&self) -> bool {
        self.meta.deleting.is_some() && self.retired
    }

    /// Asks for our finalizer to be put on or taken off: once, and again only when that should have happened long ago.
    pub(super) fn ask_finalizer(&mut self, on: bool, cx: &Context<'_>, out: &mut Out) {
        if self.finalizer_asked.is_some_and(|(asked, at)| asked == on && cx.now.mono < at + FINALIZER_AGAIN) {
            return;
        }
        self.finalizer_asked = Some((on, cx.now.mono));
        out.finalizer = Some(on);
    }

    /// When it is to be asked for again, if it does not come.
    pub(super) fn finalizer_again(&self, now: Duration) -> Option<Duration> {
        let (on, at) = self.finalizer_asked?;
        // What is past and was not asked again is not wanted any more.
        Some(at + FINALIZER_AGAIN).filter(|again| self.meta.finalizer != on && *again > now)
    }

    /// Since when a deleted application's target is waited for that does not answer.
    fn unreachable_since(&self) -> Option<Timestamp> {
        Some(self.meta.deleting?.max(self.reach.lost_since?))
    }

    /// When a deleted application is let go that waits since then for something that may never come.
    fn released_at(&self, since: Timestamp) -> Option<Timestamp> {
        since.checked_add(self.settings.release_after).ok()
    }

    /// What the condition says of a target that does not answer: of a deleted application also when it is let go.
    pub(super) fn told_until(&self, problem: Problem) -> Problem {
        let since = self.unreachable_since().filter(|_| !self.retains());
        let Some(at) = since.and_then(|since| self.released_at(since)) else {
            return problem;
        };
        let at = Timestamp::from_second(at.as_second()).unwrap_or(at);
        let message = format!("{}; it is deleted, and let go with its accounts as they are at {at}", problem.message());
        Problem::new(problem.reason(), format!("{message} (spec.releaseAfter) unless the target answers before"))
    }

    /// A deleted application: with `Retain` it is let go at once, with `Deprovision` when nothing of ours is left (or the
    /// target could not be reached for `releaseAfter`).
    pub(super) fn retire(&mut self, cx: &Context<'_>, out: &mut Out) {
        if self.retired {
            if !self.storing.recording && !self.ledger.has_outgoing() && self.meta.finalizer {
                self.ask_finalizer(false, cx, out);
            }
            return;
        }
        if !self.speaks() {
            // What was lost before, and not asked since, is asked again before it counts as unreachable.
            self.reach.lost_since = None;
            self.storing.remembered.lost = None;
        }
        let until = self.unreachable_since().and_then(|since| self.released_at(since));
        let (times, time) = (TRIED.0, TRIED.1.min(self.settings.release_after));
        let tried = self.reach.probe_failures >= times && cx.now.mono >= self.started.mono + time;
        let unreachable = tried && until.is_some_and(|until| until <= cx.now.wall);
        let unsent: Vec<_> = self.flights.iter().filter(|(_, flight)| !flight.sent).map(|(id, _)| *id).collect();
        if self.retains() || unreachable {
            for id in unsent {
                self.stored.retain(|(_, stored)| *stored != id);
                self.cancel(id, cx);
            }
        }
        let left = || self.is_mismatched() || self.is_recognising(cx) || self.is_left().next().is_some();
        let may = self.retains() || unreachable || (self.phase == Phase::Ready && !left());
        if !may || !self.flights.is_empty() {
            return;
        }
        // What others deleted stays deleted when the application comes back.
        let records = self.ledger.records().filter(|row| row.state != RecordState::Deleted).map(Row::record);
        for mut record in records.collect::<Vec<_>>() {
            record.state = RecordState::Released;
            self.ledger.put(record);
        }
        self.retired = true;
    }

    /// After its ledger was lost it is not known whose accounts are its own before all that is there was listed and everybody who
    /// should have one was looked at: that is waited for as long as for a target, by a process that could look.
    fn is_recognising(&self, cx: &Context<'_>) -> bool {
        let until = self.meta.deleting.and_then(|since| self.released_at(since.max(self.started.wall)));
        let looked = self.is_observed()
            && self.queue.is_empty()
            && self.looks.looking.is_empty()
            && self.looks.unread.is_empty()
            && self.doubts.embargo.is_empty();
        self.ledger.standing.reclaims && !looked && until.is_some_and(|until| cx.now.wall < until)
    }

    /// What a deleted application still has to take away: all but what is not written to, whoever should have it.
    fn is_left(&self) -> impl Iterator<Item = Row<'_>> {
        let entries = self.entries.iter().filter(|entry| entry.membership == Membership::Observe);
        let bound = entries.filter_map(|entry| self.bound(entry.target.kind, &entry.target.name));
        let observed: BTreeSet<&TargetId> = bound.collect();
        let holds = move |row: Row<'_>| row.grants().any(|(group, _)| !observed.contains(group));
        let left = move |row: &Row<'_>| match row.state {
            RecordState::Active | RecordState::Creating | RecordState::Disabled => true,
            RecordState::Retained => holds(*row),
            RecordState::Released | RecordState::Deleted => false,
        };
        let protected = |row: &Row<'_>| {
            let id = row.target_id().map(TargetId::from);
            id.is_some_and(|id| self.is_protected(&id, self.ledger.seen(&id).as_ref()))
        };
        self.ledger.records().filter(left).filter(move |row| !protected(row))
    }

    /// For the condition: for whom a deleted application keeps our finalizer.
    pub(super) fn leaving_trouble(&self) -> Option<Problem> {
        if self.meta.deleting.is_none() || self.retains() || !self.enforces() || self.phase != Phase::Ready {
            return None;
        }
        let left: BTreeSet<&str> = self.is_left().map(Row::owner).collect();
        let some = left.iter().copied().take(3).collect::<Vec<_>>().join(", ");
        let more = if left.len() > 3 { ", ..." } else { "" };
        let message = format!(
            "it is deleted, and goes once nobody has an account or holds what was given: left are {} ({some}{more}); to let them go \
             as they are, set spec.deletionPolicy: Retain",
            left.len()
        );
        (!left.is_empty()).then(|| Problem::new(Reason::Progressing, message))
    }
}
