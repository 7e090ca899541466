//! What goes on with every event: answers in, then observation, look-ups, turns and writes as far as the target may be
//! asked.

use std::time::Duration;

use jiff::Timestamp;

use super::observe::{Ended, Observation};
use super::outcome::{says_no_more, told};
use super::queue::Priority;
use super::rate::{backoff, spread};
use super::shadow::kind_of;
use super::{Awaited, Context, Out, Phase, Sync, TURNS};
use crate::engine::{Answer, Effect, EffectId, StoreFailure, Wake};
use crate::model::{
    Applied, IntentId, Item, Kind, LedgerChange, Name, Now, Page, Reason, RecordState, Spent, Step, SyncMode,
    TargetError, TargetId,
};
use crate::report::Problem;

impl Sync {
    /// The answer to an effect. Duplicates and answers to effects that were given up are ignored.
    pub fn answered(&mut self, id: EffectId, answer: Answer, spent: Spent, cx: &Context<'_>, out: &mut Out) {
        let Some(awaited) = self.awaited.remove(&id) else { return };
        if awaited.is_request() {
            self.rate.spent(spent.requests, spent.wait, cx.now.mono);
        }
        if let (Awaited::Apply(intents, sent), Answer::Applied(outcomes)) = (&awaited, &answer)
            && outcomes.iter().all(Result::is_ok)
        {
            self.pace.took(cx.now.mono.saturating_sub(*sent), intents.len());
        }
        let (awaited, answer) = match (awaited, answer) {
            (Awaited::Apply(intents, _), Answer::Applied(outcomes))
                if self.is_plain(&intents, &outcomes, cx) && self.goes_on(cx, out) =>
            {
                return self.landed.push((intents, outcomes));
            }
            other => other,
        };
        self.catch_up(cx, out);
        let wrote = matches!(awaited, Awaited::Apply(..));
        if !wrote && !matches!(answer, Answer::Recorded(Ok(()))) {
            self.hear();
        }
        match (awaited, answer) {
            (Awaited::Load, Answer::Loaded(loaded)) => self.on_loaded(loaded, cx, out),
            (Awaited::Probe, Answer::Probed(probed)) => {
                self.reach.failed_probes = if probed.is_ok() { 0 } else { self.reach.failed_probes + 1 };
                self.on_probed(probed, cx, out);
            }
            (Awaited::Page, Answer::Page(page)) => self.on_page(page, cx, out),
            (Awaited::Find(name, began), Answer::Found(found)) => self.on_found(&name, began, found, cx, out),
            (Awaited::Read(name, id, began), Answer::Read(read)) => self.on_read(&name, &id, began, read, cx, out),
            (Awaited::Check(record, id, began), Answer::Read(read)) => {
                self.on_checked(record, &id, began, read, cx, out);
            }
            (Awaited::Changes(began), Answer::Changes(changes)) => self.on_changes(began, changes, cx, out),
            (Awaited::Record(changes), Answer::Recorded(recorded)) => self.on_recorded(changes, recorded, cx, out),
            (Awaited::Apply(intents, _), Answer::Applied(outcomes)) => self.on_applied(intents, outcomes, cx, out),
            // An answer of another kind than what was asked: as if the asked one had been lost.
            (awaited, _) => self.give_up(awaited, cx, out),
        }
        let answers = self.phase == Phase::Ready && self.reach.failures == 0;
        if answers && self.reach.trouble.as_ref().is_some_and(|t| t.reason() == Reason::RateLimited) {
            self.reach.trouble = None;
            out.changed = true;
        }
        if !wrote || !self.goes_on(cx, out) {
            self.pump(cx, out);
        }
    }

    /// Sends the next write that is stored, if the target is to be asked nothing else: it works on that while what follows from the
    /// last answer is done, which is due at once.
    fn goes_on(&mut self, cx: &Context<'_>, out: &mut Out) -> bool {
        let lists =
            self.wants_page() || (self.observing.observation.is_none() && cx.now.mono >= self.observing.observe_at);
        if self.meta.deleting.is_some() || lists || !self.looks.lookups.is_empty() {
            return false;
        }
        let before = out.effects.len();
        self.send(Priority::Drift, cx, out);
        self.behind |= out.effects.len() > before;
        self.behind
    }

    /// Whether what was answered can wait until the next write is out: it was done as it was meant to be, and decides nothing about
    /// anybody else.
    fn is_plain(&self, intents: &[IntentId], outcomes: &[Result<Applied, TargetError>], cx: &Context<'_>) -> bool {
        let plain = |(id, outcome): (&IntentId, &Result<Applied, TargetError>)| {
            let (Some(flight), Ok(applied)) = (self.flights.get(id), outcome) else { return false };
            let creates = matches!(flight.step(), Step::CreateAccount { .. });
            let alone = || flight.parts.iter().all(|part| !cx.directory.has_reports(&part.name));
            says_no_more(flight.step()) && !applied.moved && (!creates || (applied.id.is_some() && alone()))
        };
        self.reach.trouble.is_none() && intents.len() == outcomes.len() && intents.iter().zip(outcomes).all(plain)
    }

    /// Takes in the answers after which the next write went out first.
    pub fn catch_up(&mut self, cx: &Context<'_>, out: &mut Out) {
        for (intents, outcomes) in std::mem::take(&mut self.landed) {
            self.on_applied(intents, outcomes, cx, out);
        }
    }

    /// Whether the next pump is due at once.
    pub fn is_behind(&self) -> bool {
        self.behind
    }

    /// An effect whose answer cannot come any more.
    pub(super) fn give_up(&mut self, awaited: Awaited, cx: &Context<'_>, out: &mut Out) {
        let lost = || TargetError::Lost("the connection was given up".into());
        match awaited {
            Awaited::Load => self.on_loaded(Err(StoreFailure("no answer".into())), cx, out),
            Awaited::Probe => self.on_probed(Err(lost()), cx, out),
            Awaited::Page => self.on_page(Err(lost()), cx, out),
            Awaited::Find(name, began) => self.on_found(&name, began, Err(lost()), cx, out),
            Awaited::Read(name, id, began) => self.on_read(&name, &id, began, Err(lost()), cx, out),
            Awaited::Check(record, id, began) => self.on_checked(record, &id, began, Err(lost()), cx, out),
            Awaited::Changes(began) => self.on_changes(began, Err(lost()), cx, out),
            Awaited::Record(changes) => self.on_recorded(changes, Err(StoreFailure("no answer".into())), cx, out),
            Awaited::Apply(intents, _) => self.on_applied(intents, Vec::new(), cx, out),
        }
    }

    /// Does all that can be done now. Harmless at any time.
    pub fn pump(&mut self, cx: &Context<'_>, out: &mut Out) {
        self.behind = false;
        self.catch_up(cx, out);
        self.open_groups(cx);
        for name in self.queue.ripe(cx.now) {
            self.touch(&name, cx);
        }
        if self.phase == Phase::Unloaded
            && cx.now.mono >= self.reach.probe_at
            && !self.awaits(|a| matches!(a, Awaited::Load))
        {
            let id = out.effect(Effect::Load);
            self.awaited.insert(id, Awaited::Load);
        }
        if self.phase != Phase::Unloaded {
            self.note_approval(cx);
            if self.meta.deleting.is_some() {
                self.retire(cx, out);
            }
            if self.speaks() && !self.is_retired() {
                self.work(cx, out);
                // The last turn may have found that nothing is left.
                if self.meta.deleting.is_some() && !self.retired {
                    self.retire(cx, out);
                }
            }
            self.flush(cx, out);
        }
    }

    /// Whether the target is spoken to as things are declared.
    pub(super) fn speaks(&self) -> bool {
        !self.halted && !self.invalid && self.settings.mode != SyncMode::Paused
    }

    fn work(&mut self, cx: &Context<'_>, out: &mut Out) {
        if self.phase == Phase::Unprobed {
            let waits = cx.now.mono < self.reach.probe_at || self.awaits(Awaited::is_request);
            if !waits {
                let connector = self.settings.connector.clone();
                self.reach.connected = Some(connector.clone());
                self.request(Effect::Probe(connector, self.stake()), Awaited::Probe, out);
            }
            return;
        }
        if self.settings.mode == SyncMode::Enforce && !self.meta.finalizer && self.meta.deleting.is_none() {
            self.ask_finalizer(true, cx, out);
        }
        self.turns(cx, out);
        self.settle_waves(cx, out);
        self.turns(cx, out);
        self.send(Priority::Leaver, cx, out);
        if self.settings.sync.concurrency > 1 || !self.last_was_page || self.stored.is_empty() || !self.may_write() {
            self.next_page(cx, out);
        }
        self.send_lookups(cx, out);
        self.send(Priority::Drift, cx, out);
        self.send_changes(cx, out);
        self.send_check(cx, out);
    }

    fn turns(&mut self, cx: &Context<'_>, out: &mut Out) {
        // Before the first observation ended only leavers are handled: everybody else is planned against what is there.
        let at_least = if self.observing.observed { Priority::Drift } else { Priority::Leaver };
        if !self.may_turn() {
            return;
        }
        for _ in 0..TURNS {
            if let Some(group) = self.next_gathered().cloned() {
                self.turn_to_gathered(group, cx, out);
            } else {
                let best = self.queue.best().filter(|best| *best <= at_least && self.has_room(*best));
                let Some((name, priority)) = best.and_then(|best| self.queue.pop(best)) else { return };
                self.turn(&name, priority, cx, out);
            }
            (cx.between)();
        }
    }

    /// Whether accounts get their turns: in mode Plan to be planned, else to be kept.
    pub(super) fn may_turn(&self) -> bool {
        let lets_go = self.meta.deleting.is_some() && self.retains();
        self.settings.mode == SyncMode::Plan || (self.may_write() && self.meta.finalizer && !lets_go)
    }

    /// When it has something to do next by itself.
    pub fn next_wake(&self, now: Now) -> Wake {
        let (wall, later) = self.queue.next();
        let mut times: Vec<Duration> = later.into_iter().collect();
        times.extend(self.behind.then_some(now.mono));
        times.extend(self.groups.closed.values().copied().min());
        times.extend(self.finalizer_again(now.mono));
        let works = self.speaks() && !self.is_retired();
        match self.phase {
            Phase::Unloaded if !self.awaits(|a| matches!(a, Awaited::Load)) => times.push(self.reach.probe_at),
            Phase::Unprobed if works && !self.awaits(Awaited::is_request) => times.push(self.reach.probe_at),
            Phase::Ready if works => {
                let slots = self.requests_under_way() < self.concurrency();
                // Begun only where its first page may be asked for.
                if self.observing.observation.is_none() && slots {
                    times.push(self.observing.observe_at.max(self.rate.next()));
                }
                if slots && self.wants_requests() {
                    times.push(self.rate.next());
                }
                times.extend(self.next_changes().filter(|_| slots).map(|at| at.max(self.rate.next())));
                times.extend(self.next_check().filter(|_| slots).map(|at| at.max(self.rate.next())));
                let due = self
                    .queue
                    .best()
                    .is_some_and(|best| (self.observing.observed || best == Priority::Leaver) && self.has_room(best));
                if (due || self.next_gathered().is_some()) && self.may_turn() {
                    times.push(now.mono);
                }
                if self.may_write() {
                    times.extend(self.next_wave());
                }
            }
            _ => {}
        }
        if self.ledger.has_outgoing() && !self.storing.recording {
            times.push(self.storing.gathers_until.unwrap_or_default().max(self.storing.again_at));
        }
        Wake { wall, mono: times.into_iter().min() }
    }

    pub(super) fn concurrency(&self) -> usize {
        usize::try_from(self.settings.sync.concurrency.max(1)).unwrap_or(1)
    }

    pub(super) fn requests_under_way(&self) -> usize {
        self.awaited.values().filter(|awaited| awaited.is_request()).count()
    }

    pub(super) fn awaits(&self, which: impl Fn(&Awaited) -> bool) -> bool {
        self.awaited.values().any(which)
    }

    /// Whether the target may be asked for one more thing.
    pub(super) fn may_request(&mut self, now: Now) -> bool {
        self.requests_under_way() < self.concurrency() && self.rate.is_open(now.mono)
    }

    pub(super) fn request(&mut self, effect: Effect, awaited: Awaited, out: &mut Out) {
        self.rate.take();
        self.last_was_page = matches!(awaited, Awaited::Page);
        let id = out.effect(effect);
        self.awaited.insert(id, awaited);
    }

    /// Whether something that is not put off waits to be asked or written.
    pub(super) fn wants_requests(&self) -> bool {
        !self.looks.lookups.is_empty() || self.wants_page() || (!self.stored.is_empty() && self.may_write())
    }

    fn wants_page(&self) -> bool {
        self.observing.observation.as_ref().is_some_and(|observation| !observation.asked)
    }

    /// Begins an observation when it is time, and asks for its next page.
    fn next_page(&mut self, cx: &Context<'_>, out: &mut Out) {
        if self.observing.observation.is_none() && cx.now.mono >= self.observing.observe_at {
            let mut kinds = vec![Kind::Accounts];
            let entitlements = self.schema.entitlements.iter().map(|kind| kind_of(*kind));
            kinds.extend(entitlements);
            let window = self.visibility() + self.request_timeout();
            let forget = cx.now.wall.checked_sub(window).unwrap_or(Timestamp::MIN);
            self.shadow.begin_round(forget);
            self.observing.partial = false;
            self.observing.observation = Some(Observation::new(kinds, cx.now.wall, cx.now.mono));
        }
        if !self.wants_page() || !self.may_request(cx.now) {
            return;
        }
        let Some(observation) = &mut self.observing.observation else { return };
        let Some(kind) = observation.kind() else { return };
        observation.asked = true;
        let page = observation.page.clone();
        self.request(Effect::Observe { kind, page }, Awaited::Page, out);
    }

    fn on_page(&mut self, page: Result<Page, TargetError>, cx: &Context<'_>, out: &mut Out) {
        let Some(mut observation) = self.observing.observation.take() else { return };
        let Some(kind) = observation.kind() else { return };
        let page = match page {
            Ok(mut page) => {
                if let Some(profile) = page.profile.take().filter(|known| self.reach.profile.as_ref() != Some(&**known))
                {
                    self.reach.profile = Some(*profile);
                    out.changed = true;
                }
                page
            }
            // A kind that the target does not have is nothing to be observed. Where it had some, something else may answer in its
            // place: nothing is gone, or made anew, for that.
            Err(TargetError::Unsupported(_)) if kind != Kind::Accounts && !self.had(kind) => {
                Page { items: Vec::new(), total: None, next: None, profile: None, elsewhere: 0 }
            }
            Err(error) => {
                self.on_error(&error, cx, out);
                let (_, words) = told(&error);
                return self.observation_failed(&words, cx, out);
            }
        };
        let mut known = Vec::new();
        if kind == Kind::Accounts && page.total.is_none() && page.next.is_none() {
            let ours = self.ledger.records().filter(|r| r.state != RecordState::Released);
            let ids = ours.filter_map(|r| r.target_id().map(TargetId::from));
            known.extend(ids.filter(|id| !self.doubts.absent.contains_key(id)));
        }
        let ended = observation.page(&page, known.into_iter());
        self.reach.failures = 0;
        for item in page.items {
            self.remember_listed(item, observation.began);
        }
        if ended != Ended::No {
            if ended == Ended::Complete {
                self.listing_complete(kind, &observation, cx);
            } else {
                self.observing.partial = true;
                self.read_lacking(std::mem::take(&mut observation.lacking), cx);
            }
            observation.next_kind(cx.now.wall, cx.now.mono);
        }
        let lacks = observation.lacks();
        if observation.kind().is_some() {
            self.observing.observation = Some(observation);
        } else if self.observing.partial {
            self.observation_failed(lacks, cx, out);
        } else {
            self.observation_complete(cx, out);
        }
    }

    fn remember_listed(&mut self, item: Item, began: Timestamp) {
        match item {
            Item::Account(observed) => _ = self.remember_account(&observed, began),
            Item::Entitlement(observed) => self.shadow.remember_group(observed, began, self.visibility()),
        }
    }

    fn listing_complete(&mut self, kind: Kind, observation: &Observation, cx: &Context<'_>) {
        self.observing.complete.insert(kind, observation.began_mono);
        if observation.is_counted() {
            self.observing.counted.insert(kind);
        } else {
            self.observing.counted.remove(&kind);
        }
        let (visibility, began, began_mono) = (self.visibility(), observation.began, observation.began_mono);
        if kind == Kind::Accounts {
            let hidden = |at: Timestamp| at.checked_add(visibility).is_ok_and(|visible| began <= visible);
            self.ledger.end_round(self.shadow.round(), |written| written.is_some_and(hidden));
            // Before anybody has a turn: what is missing at another target must not be made there.
            self.check_the_right_target(cx);
        } else {
            let writes = &self.groups.writes;
            self.shadow.end_round(kind, |id| writes.get(id).is_some_and(|at| began_mono <= *at + visibility));
            self.bind_groups(cx);
        }
    }

    /// These accounts of ours were not listed, and most others were: each is read by its id, which alone tells whether it is gone.
    fn read_lacking(&mut self, lacking: Vec<TargetId>, cx: &Context<'_>) {
        for id in lacking {
            let Some((name, record)) = self.ledger.of_target(&id).map(|row| (Name::from(row.owner()), row.id)) else {
                continue;
            };
            self.looks.must_read.insert((name.clone(), record));
            self.touch_as(&name, Priority::Drift, cx);
        }
    }

    fn observation_complete(&mut self, cx: &Context<'_>, out: &mut Out) {
        self.observing.incomplete = 0;
        self.observing.observed = true;
        let wait = spread(&self.meta.uid.to_string(), self.shadow.round().into(), self.interval());
        self.observing.observe_at = cx.now.mono + wait;
        if self.reach.trouble.as_ref().is_some_and(|t| t.reason() == Reason::IncompleteObservation) {
            self.reach.trouble = None;
        }
        self.bind_protected();
        self.judge_acknowledgement(cx);
        self.bind_groups(cx);
        self.touch_all(cx);
        self.touch_orphans(cx);
        self.touch_excess(cx);
        out.changed = true;
    }

    fn interval(&self) -> Duration {
        self.settings.sync.interval.unwrap_or(self.schema.interval)
    }

    /// What was seen is remembered; that something was not seen says nothing.
    fn observation_failed(&mut self, why: &str, cx: &Context<'_>, out: &mut Out) {
        self.observing.incomplete += 1;
        let interval = self.interval().max(Duration::from_secs(1));
        let wait = backoff(self.application.as_str(), self.observing.incomplete, Duration::from_secs(2), interval);
        self.observing.observe_at = cx.now.mono + wait;
        self.observing.observation = None;
        if self.phase == Phase::Ready && self.reach.trouble.is_none() {
            let message = format!("what is there could not be read completely ({why}); nothing is taken for gone");
            self.reach.trouble = Some(Problem::new(Reason::IncompleteObservation, message));
        }
        if self.observing.incomplete >= 3 || self.observing.observed {
            // Creates and directed changes go on, with a search by key before each create.
            self.observing.observed = true;
            self.judge_acknowledgement(cx);
            self.touch_all(cx);
        }
        out.changed = true;
    }

    fn on_recorded(
        &mut self,
        changes: Vec<LedgerChange>,
        recorded: Result<(), StoreFailure>,
        cx: &Context<'_>,
        out: &mut Out,
    ) {
        self.storing.recording = false;
        match recorded {
            Ok(()) => {
                self.storing.failures = 0;
                let advanced = self.store_advanced(self.storing.since);
                out.changed |= self.storing.trouble.take().is_some() || advanced;
                for change in changes {
                    if let LedgerChange::Open(intent) = change
                        && let Some(flight) = self.flights.get(&intent.id)
                    {
                        self.stored.insert((flight.priority, intent.id));
                    }
                }
            }
            Err(StoreFailure(why)) => {
                self.ledger.put_back(changes);
                self.storing.failures += 1;
                let wait = backoff("store", self.storing.failures, Duration::from_millis(500), Duration::from_mins(1));
                self.storing.again_at = cx.now.mono + wait;
                self.storing.trouble = Some(Problem::new(Reason::StoreUnavailable, why));
                out.changed = true;
            }
        }
    }
}
