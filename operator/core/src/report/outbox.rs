use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use super::Prior;
use crate::model::{ObjectKind, ObjectRef, Uid};

/// Which objects have to be looked at, and what was last written to each.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    pub entries: BTreeMap<ObjectRef, Entry>,
    /// Everything but identities, and identities that were edited: few, and somebody waits for them.
    front: VecDeque<ObjectRef>,
    /// The other identities, in the order in which they were marked.
    back: VecDeque<ObjectRef>,
    waiting: BTreeSet<(Duration, ObjectRef)>,
}

/// One object.
#[derive(Debug)]
pub(super) struct Entry {
    pub uid: Uid,
    pub generation: i64,
    pub prior: Prior,
    /// Of the status last written; `None`: never, or it is not certain that the write succeeded.
    pub hash: Option<u64>,
    /// When it was last written, monotonic; `None`: not since start.
    pub written: Option<Duration>,
    /// It was edited, and that is not told as done yet: ahead of the many.
    pub edited: bool,
    /// What was last written of an Identity, its application published for all.
    pub shared: bool,
    /// Of an Identity: since it was last decided it was told what it waits for, so that it is also told what comes of that.
    pub waited: bool,
    /// Of an Identity: how many accounts it should have, when all of them were last decided; `None`: not since start.
    pub decided: Option<u32>,
    /// Since when work on it is under way without that having been written.
    pub unsettled: Option<Duration>,
    /// When it was last looked at, where that is not cheap.
    looked: Option<Duration>,
    place: Place,
}

/// How often one application is looked at.
const BETWEEN_LOOKS: Duration = Duration::from_millis(500);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Clean,
    Front,
    Back,
    Waiting(Duration),
}

impl Entry {
    pub fn new(uid: Uid, generation: i64, prior: Prior, hash: Option<u64>) -> Self {
        Self {
            shared: prior.shared,
            uid,
            generation,
            prior,
            hash,
            written: None,
            unsettled: None,
            edited: false,
            waited: false,
            decided: None,
            looked: None,
            place: Place::Clean,
        }
    }
}

impl Outbox {
    /// Puts an object into the queue, if it is known and not there yet.
    pub fn mark(&mut self, object: &ObjectRef) {
        let Some(entry) = self.entries.get_mut(object) else { return };
        let place = if entry.edited || object.kind != ObjectKind::Identity { Place::Front } else { Place::Back };
        match entry.place {
            Place::Front => return,
            Place::Back if place == Place::Back => return,
            Place::Waiting(due) => _ = self.waiting.remove(&(due, object.clone())),
            // What is left behind in `back` is passed over when its turn comes.
            Place::Clean | Place::Back => {}
        }
        entry.place = place;
        let queue = if place == Place::Front { &mut self.front } else { &mut self.back };
        queue.push_back(object.clone());
    }

    /// Puts an object aside until then.
    pub fn wait(&mut self, object: &ObjectRef, until: Duration) {
        let Some(entry) = self.entries.get_mut(object) else { return };
        if let Place::Waiting(due) = entry.place {
            self.waiting.remove(&(due, object.clone()));
        }
        entry.place = Place::Waiting(until);
        self.waiting.insert((until, object.clone()));
    }

    /// The next object to look at; it is clean from here on.
    pub fn pop(&mut self, now: Duration) -> Option<ObjectRef> {
        while let Some((due, object)) = self.waiting.first()
            && *due <= now
        {
            let object = object.clone();
            self.mark(&object);
        }
        loop {
            let (object, place) = match self.front.pop_front() {
                Some(object) => (object, Place::Front),
                None => (self.back.pop_front()?, Place::Back),
            };
            if let Some(entry) = self.entries.get_mut(&object)
                && entry.place == place
            {
                entry.place = Place::Clean;
                return Some(object);
            }
        }
    }

    /// An application that was looked at a moment ago is looked at again then: each of its writes marks it, and to tell how it
    /// stands all its accounts are counted.
    pub fn looked_at(&mut self, object: &ObjectRef, now: Duration) -> Option<Duration> {
        let entry = self.entries.get_mut(object).filter(|_| object.kind == ObjectKind::TargetApplication)?;
        let again = entry.looked.map(|at| at + BETWEEN_LOOKS).filter(|again| *again > now && !entry.edited);
        if again.is_none() {
            entry.looked = Some(now);
        }
        again
    }

    /// Forgets an object.
    pub fn forget(&mut self, object: &ObjectRef) {
        if let Some(Entry { place: Place::Waiting(due), .. }) = self.entries.remove(object) {
            self.waiting.remove(&(due, object.clone()));
        }
    }

    /// When there is something to look at: zero for at once.
    pub fn wake(&self) -> Option<Duration> {
        if self.front.is_empty() && self.back.is_empty() {
            self.waiting.first().map(|(due, _)| *due)
        } else {
            Some(Duration::ZERO)
        }
    }
}
