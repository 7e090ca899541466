//! Looking before writing: searches by key, reads by id, and creates whose answer was lost.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::excess::Claimed;
use super::gather::Gathered;
use super::row::Row;
use super::unread::Unread;
use super::{Awaited, Context, FRESH, Out, Sync};
use crate::engine::Effect;
use crate::model::{
    AttributeName, Attributes, CorrelationKey, Intent, Name, Now, Observed, Outcome, Record, RecordId, RecordState,
    Step, TargetError, TargetId,
};
use crate::plan::{Fold, Shade, digest, key_text};

/// A look-up that waits for the rate.
#[derive(Clone, Debug)]
pub(super) enum Request {
    Find(CorrelationKey),
    Read(TargetId),
}

/// Look-ups of one account under way.
#[derive(Debug)]
pub(super) struct Looking {
    left: usize,
    began: Option<Duration>,
    keys: Vec<CorrelationKey>,
    /// The first thing that went wrong.
    failed: Option<TargetError>,
}

/// What was looked at of an account.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) began: Duration,
    /// By which keys it was searched for; none: it was read by its id.
    keys: Vec<CorrelationKey>,
}

/// A create whose answer never came.
#[derive(Debug)]
pub(super) struct Unresolved {
    pub(super) intent: Arc<Intent>,
    /// The record as it was before; `None`: there was none.
    pub(super) before: Option<Record>,
    /// A search that began after this and found nothing means that it was not done.
    pub(super) deadline: Duration,
    pub(super) attempts: u32,
}

/// What is looked at before anything is written, and what was.
#[derive(Debug, Default)]
pub(super) struct Looks {
    pub(super) unresolved: BTreeMap<Name, Unresolved>,
    pub(super) looking: BTreeMap<Name, Looking>,
    /// Accounts that could not be looked for or read.
    pub(super) unread: BTreeMap<Name, Unread>,
    /// The orphaned account that was last read, by whom it was made for.
    pub(super) orphan_read: BTreeMap<Name, TargetId>,
    /// Whose keys members carry that are nobody's, as far as it was asked.
    pub(super) claimed: Option<Claimed>,
    pub(super) lookups: VecDeque<(Name, Request)>,
    /// The last search by key, or read, whose answers are in the shadow.
    pub(super) found: BTreeMap<Name, Found>,
    pub(super) must_find: BTreeSet<Name>,
    /// Of a name several may have had an account: each is read by itself.
    pub(super) must_read: BTreeSet<(Name, RecordId)>,
}

impl Sync {
    /// Looks for accounts by these keys; the account gets its turn again when all answers are there.
    pub(super) fn start_find(&mut self, name: &Name, keys: Vec<CorrelationKey>, urgent: bool) {
        let requests: Vec<Request> = keys.into_iter().map(Request::Find).collect();
        self.look(name, requests, urgent);
    }

    /// Reads one account by its id.
    pub(super) fn start_read(&mut self, name: &Name, id: &TargetId, urgent: bool) {
        self.look(name, vec![Request::Read(id.clone())], urgent);
    }

    pub(super) fn look(&mut self, name: &Name, requests: Vec<Request>, urgent: bool) {
        let key = |request: &Request| match request {
            Request::Find(key) => Some(key.clone()),
            Request::Read(_) => None,
        };
        let keys = requests.iter().filter_map(key).collect();
        self.looks.looking.insert(name.clone(), Looking { left: requests.len(), began: None, keys, failed: None });
        for request in requests {
            if urgent {
                self.looks.lookups.push_front((name.clone(), request));
            } else {
                self.looks.lookups.push_back((name.clone(), request));
            }
        }
    }

    /// Sends what the rate allows.
    pub(super) fn send_lookups(&mut self, cx: &Context<'_>, out: &mut Out) {
        while !self.looks.lookups.is_empty() && self.may_request(cx.now) {
            let Some((name, request)) = self.looks.lookups.pop_front() else { return };
            if let Some(looking) = self.looks.looking.get_mut(&name) {
                looking.began.get_or_insert(cx.now.mono);
            }
            match request {
                Request::Find(key) => self.request(Effect::Find(key), Awaited::Find(name, cx.now), out),
                Request::Read(id) => self.request(Effect::Read(id.clone()), Awaited::Read(name, id, cx.now), out),
            }
        }
    }

    /// The answer of a search.
    pub(super) fn on_found(
        &mut self,
        name: &Name,
        began: Now,
        answer: Result<Vec<Observed>, TargetError>,
        cx: &Context<'_>,
        out: &mut Out,
    ) {
        match answer {
            Ok(found) => {
                self.reach.failures = 0;
                for observed in &found {
                    self.remember(observed, began);
                }
                self.looked(name, Ok(()), cx);
            }
            Err(error) => {
                self.on_error(&error, cx, out);
                self.looked(name, Err(error), cx);
            }
        }
    }

    /// The answer of a read.
    pub(super) fn on_read(
        &mut self,
        name: &Name,
        id: &TargetId,
        began: Now,
        answer: Result<Option<Observed>, TargetError>,
        cx: &Context<'_>,
        out: &mut Out,
    ) {
        match self.believe_read(id, began, answer) {
            Ok(()) => {
                self.learn_disable(id, began.wall);
                let record = self.ledger.of_target(id).map(|row| row.id);
                self.has_read(name, |read| Some(read) == record, cx);
                self.looked(name, Ok(()), cx);
            }
            Err(error) => {
                self.on_error(&error, cx, out);
                self.looked(name, Err(error), cx);
            }
        }
    }

    /// Remembers what a read by id showed, or that it is not there.
    pub(super) fn believe_read(
        &mut self,
        id: &TargetId,
        began: Now,
        answer: Result<Option<Observed>, TargetError>,
    ) -> Result<(), TargetError> {
        let last_write = self.ledger.of_target(id).and_then(|record| record.last_write);
        let old = self.is_old_news(began.wall, last_write);
        match answer {
            Ok(Some(observed)) if observed.id == *id => {
                self.doubts.absent.remove(id);
                self.remember(&observed, began);
                if let Some(holds) = observed.holds.filter(|_| !old) {
                    self.check_holds(id, &holds);
                }
            }
            Ok(Some(_)) => return Err(TargetError::Malformed("a read by id answered another id".into())),
            Ok(None) | Err(TargetError::NotFound) if old => {}
            Ok(None) | Err(TargetError::NotFound) => {
                self.ledger.unsee(id);
                self.doubts.absent.insert(id.clone(), began.wall);
            }
            Err(error) => return Err(error),
        }
        self.reach.failures = 0;
        Ok(())
    }

    /// These accounts of a name, all that it has had, are read before anything of them is believed.
    pub(super) fn read_all_first(&mut self, name: &Name) {
        let records: Vec<RecordId> = self.ledger.rows_of(name).map(|row| row.id).collect();
        self.looks.must_read.extend(records.into_iter().map(|record| (name.clone(), record)));
    }

    /// Whether an account of this name is to be read first.
    pub(super) fn is_to_be_read(&self, name: &Name) -> bool {
        self.to_be_read(name).next().is_some()
    }

    fn to_be_read(&self, name: &Name) -> impl Iterator<Item = &(Name, RecordId)> {
        let from = (name.clone(), RecordId(0));
        self.looks.must_read.range(from..).take_while(move |(of, _)| of == name)
    }

    /// What was to be read after a lost answer was read, or is not there to be: with the last of a name its keys are free again.
    fn has_read(&mut self, name: &Name, over: impl Fn(RecordId) -> bool, cx: &Context<'_>) {
        let read: Vec<(Name, RecordId)> = self.to_be_read(name).filter(|(_, id)| over(*id)).cloned().collect();
        for one in &read {
            self.looks.must_read.remove(one);
        }
        if !read.is_empty() && !self.is_to_be_read(name) {
            self.release_claims(name, cx);
        }
    }

    /// Lets go of what was to be read and has no account any more.
    pub(super) fn has_nothing_to_read(&mut self, name: &Name, cx: &Context<'_>) {
        if self.looks.must_read.is_empty() {
            return;
        }
        let there = |row: &Row<'_>| row.target_id().is_some() && row.state != RecordState::Released;
        let there: Vec<RecordId> = self.ledger.rows_of(name).filter(there).map(|row| row.id).collect();
        self.has_read(name, |id| !there.contains(&id), cx);
    }

    pub(super) fn remember(&mut self, observed: &Observed, began: Now) {
        let old = self.remember_account(observed, began.wall);
        if let Some(holds) = observed.holds.as_ref().filter(|_| !old) {
            self.shadow.remember_holds(&observed.id, holds);
        }
    }

    /// Remembers what was seen of an account itself; answers whether it is old news.
    pub(super) fn remember_account(&mut self, observed: &Observed, began: Timestamp) -> bool {
        let last_write = self.ledger.of_target(&observed.id).and_then(|row| row.last_write);
        let old = self.is_old_news(began, last_write);
        self.ledger.remember(observed, old, self.shadow.round());
        old
    }

    /// One answer of an account's look-ups came; with the last one it gets its turn again.
    fn looked(&mut self, name: &Name, answer: Result<(), TargetError>, cx: &Context<'_>) {
        let Some(looking) = self.looks.looking.get_mut(name) else { return };
        looking.left = looking.left.saturating_sub(1);
        if let Err(error) = answer {
            looking.failed.get_or_insert(error);
        }
        if looking.left > 0 {
            return;
        }
        let Some(looking) = self.looks.looking.remove(name) else { return };
        if let Some(error) = looking.failed {
            return self.put_off(name, &error, cx);
        }
        self.looks.unread.remove(name);
        if let Some(began) = looking.began {
            self.looks.found.insert(name.clone(), Found { began, keys: looking.keys });
            self.looks.must_find.remove(name);
        }
        self.touch(name, cx);
    }

    /// An account was read, or searched for, a moment ago.
    pub(super) fn has_looked(&self, name: &Name, now: Now) -> bool {
        self.looks.found.get(name).is_some_and(|found| now.mono.saturating_sub(found.began) <= FRESH)
    }

    /// It was searched for a moment ago, by each of these keys: another manifest may ask for others.
    pub(super) fn has_searched(&self, name: &Name, keys: &[CorrelationKey], now: Now) -> bool {
        let found = self.looks.found.get(name).filter(|_| self.has_looked(name, now));
        found.is_some_and(|found| keys.iter().all(|key| found.keys.contains(key)))
    }

    /// By which keys somebody's account is searched for: as the manifest says, and by our mark.
    pub(super) fn keys_of(&self, gathered: &Gathered) -> Vec<CorrelationKey> {
        let mut keys = gathered.keys.clone();
        if let Some(mark) = self.schema.mark {
            let key = CorrelationKey { attribute: mark.into(), value: Arc::clone(&gathered.mark) };
            if !keys.contains(&key) {
                keys.push(key);
            }
        }
        keys
    }

    /// The keys among what a create or rename writes: what it makes is looked for by them.
    pub(super) fn keys_written(&self, attributes: &Attributes) -> Vec<CorrelationKey> {
        let names = [self.schema.mark, self.schema.external_id, Some(self.schema.user_name)];
        let mut keys: Vec<CorrelationKey> = Vec::new();
        for name in names.into_iter().flatten() {
            let attribute = AttributeName::new(name);
            if let Some(value) = attributes.get(&attribute).and_then(key_text)
                && keys.iter().all(|key| key.attribute != attribute)
            {
                keys.push(CorrelationKey { attribute, value });
            }
        }
        keys
    }

    /// Looks for what a create whose answer was lost may have made. True: it is settled, one way or the other.
    pub(super) fn resolve(&mut self, name: &Name, cx: &Context<'_>, out: &mut Out) -> bool {
        let Some(unresolved) = self.looks.unresolved.get_mut(name) else { return true };
        let Step::CreateAccount { attributes, enabled, .. } = unresolved.intent.step.clone() else { return true };
        let (deadline, attempts) = (unresolved.deadline, unresolved.attempts);
        let Some(searched) = self.looks.found.get(name).map(|found| found.began) else {
            unresolved.attempts += 1;
            let keys = self.keys_written(&attributes);
            if keys.is_empty() {
                // Another kind of connector was asked for it: nothing has come of that here.
                return self.is_not_made(name, "another kind of connector was asked for it", cx);
            }
            self.start_find(name, keys, true);
            return false;
        };
        if let Some(id) = self.made_by(&attributes) {
            let Some(unresolved) = self.looks.unresolved.remove(name) else { return true };
            let record = unresolved.intent.records.first().and_then(|id| self.ledger.record(*id)).map(Row::record);
            if let Some(mut record) = record {
                record.target_id = Some(id.clone());
                record.state = if enabled { RecordState::Active } else { RecordState::Disabled };
                record.disabled_at = (!enabled).then_some(cx.now.wall);
                self.ledger.put(record);
            }
            self.ledger.close(unresolved.intent.id, Outcome::Done);
            self.release_claims(name, cx);
            self.account_appeared(name, cx);
            out.changed = true;
            return true;
        }
        if searched < deadline {
            self.looks.found.remove(name);
            let wait = Duration::from_secs(1 << attempts.min(5));
            self.queue.push_at(name, deadline.min(cx.now.mono + wait).max(cx.now.mono + Duration::from_millis(100)));
            return false;
        }
        self.is_not_made(name, "not found afterwards", cx)
    }

    /// What a create whose answer was lost was to make is not there. True: that settles it.
    fn is_not_made(&mut self, name: &Name, why: &str, cx: &Context<'_>) -> bool {
        let Some(unresolved) = self.looks.unresolved.remove(name) else { return true };
        self.ledger.close(unresolved.intent.id, Outcome::Failed(why.into()));
        match (unresolved.before, unresolved.intent.records.first()) {
            (Some(before), _) => self.ledger.put(before),
            (None, Some(id)) => self.ledger.forget(*id),
            (None, None) => {}
        }
        self.release_claims(name, cx);
        true
    }

    /// The account that a create with these attributes made: it carries our mark or, where the target holds none, every
    /// value that was written; and nobody else has it.
    fn made_by(&self, attributes: &Attributes) -> Option<TargetId> {
        let keys = self.keys_written(attributes);
        let mut made = None;
        for key in &keys {
            for id in self.ledger.with_key(&key.attribute, &key.value) {
                let Some(shade) = self.ledger.seen(&id) else { continue };
                if self.ledger.of_target(&id).is_none() && self.proves(&shade, attributes) {
                    if made.as_ref().is_some_and(|other| *other != id) {
                        return None;
                    }
                    made = Some(id);
                }
            }
        }
        made
    }

    fn proves(&self, shade: &Shade, attributes: &Attributes) -> bool {
        let text = |name: &str| attributes.get(&AttributeName::new(name)).and_then(key_text);
        if let Some(mark) = self.schema.mark
            && let Some(ours) = text(mark)
            && let Some(theirs) = shade.key(mark)
        {
            let fold = Fold::of(self.schema, &AttributeName::new(mark));
            return fold.apply(&ours) == fold.apply(theirs);
        }
        attributes
            .iter()
            .filter(|(name, _)| Some(name.as_str()) != self.schema.mark)
            .all(|(name, value)| shade.digest(name) == digest(value, Fold::of(self.schema, name)))
    }
}
