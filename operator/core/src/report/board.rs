use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use serde_json::Value;

use super::condition::is_failure;
use super::outbox::{Entry, Outbox};
use super::pairs::Pairs;
use super::{
    Account, AccountCounts, AccountIn, AccountState, Condition, ConditionType, Contact, IdentitySummary, Prior,
    Summary, access_policy, group, identity, target_application,
};
use crate::engine::{Note, StatusUpdate};
use crate::model::{Meta, Name, Now, ObjectKind, ObjectRef, Reason, State};

/// An object is written at most once in this time, except as [`Board::take`] says.
const BETWEEN_WRITES: Duration = Duration::from_secs(10);
/// Work that is done within this time is told as done, in one write.
const SETTLE: Duration = Duration::from_secs(2);
/// A write that failed is tried again after this time.
const RETRY: Duration = Duration::from_secs(2);
/// Objects looked at in one call, so that a call stays short.
const LOOKS: usize = 4096;

/// All that a namespace's objects have to say: accounts by identity and application, what is dirty, what was last written.
///
/// Guarantees: a status is sent only if it differs from what was last sent or from what the object carried at start; two
/// boards told the same give the same bytes.
#[derive(Debug, Default)]
pub struct Board {
    pairs: Pairs,
    outbox: Outbox,
}

/// What came due.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Taken {
    /// Statuses to write.
    pub updates: Vec<StatusUpdate>,
    /// Events to publish: Ready's reason changed to a warning one, or from one back to a good one.
    pub notes: Vec<Note>,
}

impl Board {
    /// An empty board.
    pub fn new() -> Self {
        Self::default()
    }

    /// Declares an application, or its mode; `enforced` is mode Enforce. Its identities are told where that changes.
    pub fn application(&mut self, application: &Name, enforced: bool) {
        if self.pairs.declare(application, enforced) {
            self.mark_identities(application);
            self.mark_application(application);
        }
    }

    /// Why nothing goes on in an application, or that it does. Those are told with whom something is left to do there, and nobody
    /// else.
    pub fn stopped(&mut self, application: &Name, why: Option<Reason>) {
        if self.pairs.stop(application, why) {
            for identity in self.pairs.waiting(application) {
                self.outbox.mark(&ObjectRef { kind: ObjectKind::Identity, name: identity.clone() });
            }
        }
    }

    /// How one account stands; `desired`: it should exist (disabled where that is decided). Cheap where nothing changed.
    pub fn set(&mut self, identity: &Name, application: &Name, desired: bool, account: Account) {
        if self.pairs.set(identity, application, desired, account) {
            self.outbox.mark(&ObjectRef { kind: ObjectKind::Identity, name: identity.clone() });
            self.mark_application(application);
        }
    }

    /// How one account stands.
    pub fn account(&self, identity: &Name, application: &Name) -> AccountState {
        self.pairs.get(identity, application)
    }

    /// How one account was last told to stand, and whether it should exist; `None`: there is nothing to tell of it.
    pub fn told(&self, identity: &Name, application: &Name) -> Option<(bool, Account)> {
        self.pairs.told(identity, application)
    }

    /// Counters of an application's accounts.
    pub fn counts(&self, application: &Name) -> AccountCounts {
        self.pairs.counts(application)
    }

    /// Tells the board of an object's manifest, at each list and each change of it, and marks it. The status it carries is
    /// read at first sight alone (a later one may be older than what was last written).
    pub fn seed(&mut self, kind: ObjectKind, meta: &Meta) {
        let object = ObjectRef { kind, name: meta.name.clone() };
        match self.outbox.entries.get_mut(&object) {
            Some(entry) if entry.uid == meta.uid => {
                entry.edited |= std::mem::replace(&mut entry.generation, meta.generation) != meta.generation;
            }
            _ => {
                self.outbox.forget(&object);
                let prior = meta.status.as_deref().map(Prior::read).unwrap_or_default();
                let hash = meta.status.as_deref().map(hash);
                let entry = Entry::new(meta.uid.clone(), meta.generation, prior, hash);
                self.outbox.entries.insert(object.clone(), entry);
            }
        }
        self.outbox.mark(&object);
    }

    /// Something about the object, other than its accounts, may have changed.
    pub fn mark(&mut self, object: &ObjectRef) {
        self.outbox.mark(object);
    }

    /// The object is gone. The accounts of a gone Identity stay on the board until `set` says otherwise; those of a gone
    /// TargetApplication go with it.
    pub fn forget(&mut self, object: &ObjectRef) {
        self.outbox.forget(object);
        if object.kind == ObjectKind::TargetApplication {
            self.mark_identities(&object.name);
            self.pairs.remove(&object.name);
        }
    }

    /// A status was not written (or it is not certain that it was): it is sent again.
    pub fn failed(&mut self, object: &ObjectRef, now: Now) {
        if let Some(entry) = self.outbox.entries.get_mut(object) {
            entry.hash = None;
            entry.written = None;
            self.outbox.wait(object, now.mono + RETRY);
        }
    }

    /// When `take` has something to do, by monotonic time; zero: at once. Who calls may wait longer, for a rate.
    pub fn wake(&self) -> Option<Duration> {
        self.outbox.wake()
    }

    /// Statuses that are due, at most `max`, with the events that go with them. `summarise` says what is known of an
    /// object; `None`: nothing yet, so what it carries stands until it is marked again.
    ///
    /// When a status is due: at once if it is settled (nothing is under way) and its generation or the status of Ready
    /// changed; after two seconds of work under way, if these changed; otherwise ten seconds after the object's last write.
    /// So an edit that is carried out at once costs one write, and a stream of changes one every ten seconds.
    pub fn take(&mut self, now: Now, max: usize, summarise: &mut dyn FnMut(&ObjectRef) -> Option<Summary>) -> Taken {
        let mut taken = Taken::default();
        for _ in 0..LOOKS {
            if taken.updates.len() >= max {
                break;
            }
            let Some(object) = self.outbox.pop(now.mono) else { break };
            if let Some(later) = self.outbox.looked_at(&object, now.mono) {
                self.outbox.wait(&object, later);
                continue;
            }
            let Some(mut summary) = summarise(&object) else { continue };
            if let Summary::TargetApplication(application) = &mut summary {
                let settling = self.pairs.problems(&object.name).filter(|(_, p)| p.reason() == Reason::Settling);
                application.settling = u32::try_from(settling.count()).unwrap_or(u32::MAX);
            }
            self.look(object, &summary, now, &mut taken);
        }
        taken
    }

    fn look(&mut self, object: ObjectRef, summary: &Summary, now: Now, taken: &mut Taken) {
        if let Summary::TargetApplication(application) = summary
            && application.observed
        {
            self.pairs.decided(&object.name);
        }
        let Some(entry) = self.outbox.entries.get_mut(&object) else { return };
        if object.kind == ObjectKind::Identity
            && let Some(desired) = self.pairs.decided_of(&object.name)
        {
            (entry.decided, entry.waited) = (Some(desired), false);
        }
        let Some(computed) = compute(&self.pairs, &object, summary, entry, now) else { return };
        let Computed { status, conditions, lifecycle, waits, shared } = computed;
        let Some(entry) = self.outbox.entries.get_mut(&object) else { return };
        let hash = hash(&status);
        let settled = !conditions.iter().any(|c| c.r#type == ConditionType::Reconciling);
        if settled || entry.hash == Some(hash) {
            entry.unsettled = None;
        }
        if entry.hash == Some(hash) {
            return;
        }
        let ready = conditions.iter().find(|c| c.r#type == ConditionType::Ready);
        let changed =
            entry.prior.generation != Some(entry.generation) || ready.map(|c| c.status) != entry.prior.ready();
        let calm = if settled { now.mono } else { *entry.unsettled.get_or_insert(now.mono) + SETTLE };
        let spaced = entry.written.map_or(Duration::ZERO, |written| written + BETWEEN_WRITES);
        let due = if changed { calm } else { calm.max(spaced) };
        if due > now.mono {
            self.outbox.wait(&object, due);
            return;
        }
        // Its application publishes that, and that it is over, once for all.
        let published = |ready: &Condition| shared || (entry.shared && ready.reason.is_good());
        taken.notes.extend(ready.filter(|ready| !published(ready)).and_then(|ready| note(&object, entry, ready)));
        entry.shared = shared;
        entry.waited |= waits;
        entry.prior = Prior::of(entry.generation, lifecycle, &conditions);
        entry.hash = Some(hash);
        entry.written = Some(now.mono);
        entry.unsettled = None;
        entry.edited &= !settled;
        taken.updates.push(StatusUpdate { uid: entry.uid.clone(), object, status });
    }

    fn mark_application(&mut self, application: &Name) {
        self.outbox.mark(&ObjectRef { kind: ObjectKind::TargetApplication, name: application.clone() });
    }

    fn mark_identities(&mut self, application: &Name) {
        for identity in self.pairs.identities(application) {
            self.outbox.mark(&ObjectRef { kind: ObjectKind::Identity, name: identity.clone() });
        }
    }
}

/// The status of an object, and what it rests on.
struct Computed {
    status: Value,
    conditions: Vec<Condition>,
    lifecycle: Option<State>,
    /// It says for what an undecided account waits.
    waits: bool,
    /// The reason of Ready is told by an application, which publishes it.
    shared: bool,
}

/// The status of an object as it is known now; `None` where what it carries has to stand.
fn compute(pairs: &Pairs, object: &ObjectRef, summary: &Summary, entry: &Entry, now: Now) -> Option<Computed> {
    let (generation, prior) = (entry.generation, &entry.prior);
    // A restart must not rewrite what it has not looked at yet.
    let stands = prior.generation == Some(generation) && prior.ready().is_some();
    match summary {
        Summary::Identity(summary) => computed_of_identity(pairs, object, summary, entry, now),
        Summary::Group(summary) => {
            let status = group(summary, generation, prior, now.wall);
            wire(&status, &status.conditions)
        }
        Summary::AccessPolicy(summary) => {
            let status = access_policy(summary, generation, prior, now.wall);
            wire(&status, &status.conditions)
        }
        Summary::TargetApplication(summary) => {
            let counts = pairs.counts(&object.name);
            let problems = pairs.problems(&object.name);
            let status = target_application(summary, &counts, problems, generation, prior, now.wall);
            let known = summary.observed && pairs.was_decided(&object.name);
            // Why there is no contact needs nothing else to be known: after an edit it may be another cause of the same reason.
            let fails = matches!(summary.contact, Contact::Fails(_))
                && status.conditions.iter().any(|c| c.r#type == ConditionType::Ready && !prior.says(c));
            if stands && !known && !fails && !tells(&status.conditions, prior) {
                return None;
            }
            wire(&status, &status.conditions)
        }
    }
}

fn computed_of_identity(
    pairs: &Pairs,
    object: &ObjectRef,
    summary: &IdentitySummary,
    entry: &Entry,
    now: Now,
) -> Option<Computed> {
    let (generation, prior) = (entry.generation, &entry.prior);
    let mut accounts = pairs.of_identity(&object.name);
    let undecided = |account: &AccountIn<'_>| account.state == AccountState::Unknown;
    let known = !accounts.iter().any(undecided);
    let desired = accounts.iter().filter(|account| account.desired).count();
    // An account that came to be wanted since is nothing that was there before the restart.
    let more = entry.decided.is_some_and(|decided| desired > decided as usize);
    // Nor is it as it was for who started or ended meanwhile.
    let same = prior.generation == Some(generation) && prior.lifecycle == summary.lifecycle;
    let stands = same && prior.ready().is_some() && !more && !entry.waited;
    if stands {
        // Whether something is left to do for them there is not known.
        accounts.iter_mut().filter(|account| undecided(account)).for_each(|account| account.waits = None);
    }
    let status = identity(summary, &accounts, generation, prior, now.wall);
    if stands && !known && !tells(&status.conditions, prior) {
        return None;
    }
    let ready = status.conditions.iter().find(|c| c.r#type == ConditionType::Ready)?.reason;
    let own = summary.problems.iter().any(|problem| problem.reason() == ready);
    Some(Computed {
        lifecycle: summary.lifecycle,
        waits: accounts.iter().any(|account| undecided(account) && account.waits.is_some()),
        shared: !own && accounts.iter().any(|account| account.is_told_there(ready)),
        ..wire(&status, &status.conditions)?
    })
}

/// Whether something went wrong (or was paused) that the object does not say yet: that is told though the rest is not known.
fn tells(conditions: &[Condition], prior: &Prior) -> bool {
    let ready = conditions.iter().find(|c| c.r#type == ConditionType::Ready);
    ready.is_some_and(|ready| {
        (is_failure(ready.reason) || ready.reason == Reason::Paused) && prior.reason != Some(ready.reason)
    })
}

fn wire(status: &impl Serialize, conditions: &[Condition]) -> Option<Computed> {
    // Strings, numbers, lists and maps by text: none of them can fail to be written.
    let (status, conditions) = (serde_json::to_value(status).ok()?, conditions.to_vec());
    Some(Computed { status, conditions, lifecycle: None, waits: false, shared: false })
}

fn note(object: &ObjectRef, entry: &Entry, ready: &Condition) -> Option<Note> {
    let before = entry.prior.reason;
    if before == Some(ready.reason) {
        return None;
    }
    let warning = is_failure(ready.reason);
    let recovered = ready.reason.is_good() && before.is_some_and(is_failure);
    (warning || recovered).then(|| Note {
        object: object.clone(),
        uid: entry.uid.clone(),
        warning,
        reason: ready.reason.as_str().into(),
        message: Arc::clone(&ready.message),
        at: None,
    })
}

/// Of a status, whatever the order of its fields; lives in memory alone.
fn hash(status: &Value) -> u64 {
    let mut hasher = DefaultHasher::new();
    status.hash(&mut hasher);
    hasher.finish()
}
