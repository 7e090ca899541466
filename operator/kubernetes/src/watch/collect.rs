//! What has been seen and not yet delivered, namespace by namespace. Pure: time is an argument.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use provost_core::engine::EngineEvent;
use provost_core::model::{Change, Name, ObjectKind, ObjectRef};
use tokio::time::Instant;

use crate::manifest::{KINDS, Read};

/// How long changes are gathered into one batch.
const GATHER: Duration = Duration::from_millis(3);
/// A namespace that appears while all are watched: its kinds arrive on four watches, in any order.
const NEW_QUIET: Duration = Duration::from_secs(1);
/// A namespace that is being restored: how long nothing may change before it counts as complete.
pub(super) const RESTORED_QUIET: Duration = Duration::from_secs(15);

/// Something to deliver.
#[derive(Debug)]
pub(super) struct Delivery {
    pub(super) namespace: Arc<str>,
    pub(super) event: EngineEvent,
    /// Ask first whether the namespace and the CRDs stand.
    pub(super) check: bool,
}

#[derive(Debug, Default)]
struct Namespace {
    /// What has been seen and not gone, by kind.
    names: HashMap<ObjectKind, HashSet<Name>>,
    /// The latest of each object. Before the first delivery: everything that there is.
    pending: BTreeMap<ObjectRef, Change>,
    check: bool,
    /// A `Listed` was delivered.
    delivered: bool,
    halted: bool,
    /// Before the first delivery: how long it must have been quiet, and whether an Identity must be there.
    quiet: Duration,
    restored: bool,
    first_change: Option<Instant>,
    last_change: Option<Instant>,
}

/// What a list has of a namespace.
type Items = Vec<(Name, Read)>;

/// Collects the events of the four watches.
#[derive(Debug, Default)]
pub(super) struct Collector {
    /// The lists that are under way: namespace to changes.
    listing: HashMap<ObjectKind, HashMap<Arc<str>, Items>>,
    listed: HashSet<ObjectKind>,
    namespaces: HashMap<Arc<str>, Namespace>,
}

impl Collector {
    /// With namespaces that have something to lose: each gets a `Listed`, also if nothing is left in it. `true`: it, or
    /// a CRD, was deleted and made anew since.
    pub(super) fn new(expected: impl IntoIterator<Item = (Arc<str>, bool)>) -> Self {
        let mut collector = Self::default();
        for (name, restored) in expected {
            let quiet = if restored { RESTORED_QUIET } else { Duration::ZERO };
            collector.namespaces.insert(name, Namespace { quiet, restored, ..Namespace::default() });
        }
        collector
    }

    /// All four kinds have been listed once.
    pub(super) fn complete(&self) -> bool {
        self.listed.len() == KINDS.len()
    }

    /// A list begins.
    pub(super) fn begin(&mut self, kind: ObjectKind) {
        self.listing.insert(kind, HashMap::new());
    }

    /// One object of a list that is under way.
    pub(super) fn item(&mut self, kind: ObjectKind, namespace: Arc<str>, name: Name, read: Read) {
        self.listing.entry(kind).or_default().entry(namespace).or_default().push((name, read));
    }

    /// A list has come to its end: what is not in it has been deleted.
    pub(super) fn end(&mut self, kind: ObjectKind, now: Instant) {
        let mut items = self.listing.remove(&kind).unwrap_or_default();
        let first = self.listed.insert(kind);
        let absent: Vec<Arc<str>> = self.namespaces.keys().filter(|name| !items.contains_key(*name)).cloned().collect();
        for namespace in absent {
            items.insert(namespace, Vec::new());
        }
        for (namespace, list) in items {
            let there: HashSet<Name> = list.iter().map(|(name, _)| name.clone()).collect();
            let gone: Vec<Name> = self
                .namespaces
                .get(&namespace)
                .and_then(|known| known.names.get(&kind))
                .map(|names| names.difference(&there).cloned().collect())
                .unwrap_or_default();
            for (name, read) in list {
                // A namespace of the first lists is complete with them; one that a later list brings has just appeared.
                self.note(kind, Arc::clone(&namespace), name, read, now, !first && self.complete());
            }
            for name in gone {
                self.gone(kind, &namespace, name, now);
            }
        }
        if self.complete() {
            for known in self.namespaces.values_mut().filter(|known| !known.delivered) {
                known.first_change.get_or_insert(now);
                known.last_change.get_or_insert(now);
            }
        }
    }

    /// There is, or there is a new version of, an object. `true` if its namespace was halted and seems to be back:
    /// everything must be listed again.
    pub(super) fn applied(
        &mut self,
        kind: ObjectKind,
        namespace: Arc<str>,
        name: Name,
        read: Read,
        now: Instant,
    ) -> bool {
        if self.namespaces.get(&namespace).is_some_and(|known| known.halted) {
            return !read.deleting;
        }
        let fresh = self.complete();
        self.note(kind, namespace, name, read, now, fresh);
        false
    }

    fn note(&mut self, kind: ObjectKind, namespace: Arc<str>, name: Name, read: Read, now: Instant, fresh: bool) {
        let known = self.namespaces.entry(namespace).or_insert_with(|| Namespace {
            quiet: if fresh { NEW_QUIET } else { Duration::ZERO },
            ..Namespace::default()
        });
        known.names.entry(kind).or_default().insert(name.clone());
        known.check |= read.deleting;
        known.pending.insert(ObjectRef { kind, name }, read.change);
        known.touch(now);
    }

    /// An object is gone.
    pub(super) fn gone(&mut self, kind: ObjectKind, namespace: &Arc<str>, name: Name, now: Instant) {
        let Some(known) = self.namespaces.get_mut(namespace) else { return };
        if let Some(names) = known.names.get_mut(&kind) {
            names.remove(&name);
        }
        if known.halted {
            return;
        }
        let object = ObjectRef { kind, name };
        if known.delivered {
            known.check = true;
            known.pending.insert(object.clone(), Change::Gone(object));
        } else {
            known.pending.remove(&object);
        }
        known.touch(now);
    }

    /// When there is something to deliver next.
    pub(super) fn due(&self) -> Option<Instant> {
        if !self.complete() {
            return None;
        }
        self.namespaces.values().filter_map(Namespace::due).min()
    }

    /// What is due.
    pub(super) fn take(&mut self, now: Instant) -> Vec<Delivery> {
        if !self.complete() {
            return Vec::new();
        }
        let mut due = Vec::new();
        for (name, known) in &mut self.namespaces {
            if known.due().is_none_or(|at| at > now) {
                continue;
            }
            let changes: Vec<Change> = std::mem::take(&mut known.pending).into_values().collect();
            let check = std::mem::take(&mut known.check) || !known.delivered;
            let event = if known.delivered { EngineEvent::Changed(changes) } else { EngineEvent::Listed(changes) };
            known.delivered = true;
            known.first_change = None;
            due.push(Delivery { namespace: Arc::clone(name), event, check });
        }
        due
    }

    /// Nothing more from this namespace until everything was listed again.
    pub(super) fn halt(&mut self, namespace: &str) {
        if let Some(known) = self.namespaces.get_mut(namespace) {
            known.halted = true;
            known.pending.clear();
            known.first_change = None;
        }
    }

    /// Whether nothing more comes from a namespace; `None`: nothing is known of it.
    pub(super) fn halted(&self, namespace: &str) -> Option<bool> {
        self.namespaces.get(namespace).map(|known| known.halted)
    }

    /// The namespaces that have nothing in them any more.
    pub(super) fn empty(&self) -> Vec<Arc<str>> {
        let empty = self.namespaces.iter().filter(|(_, known)| known.is_empty());
        empty.map(|(name, _)| Arc::clone(name)).collect()
    }

    /// Nothing more is known of a namespace that was halted, unless something is, or may be, left in it (`false`).
    pub(super) fn forget(&mut self, namespace: &str) -> bool {
        let listing = self.listing.values().any(|list| list.contains_key(namespace));
        let left = |known: &Namespace| !known.halted || !known.is_empty();
        if !self.complete() || listing || self.namespaces.get(namespace).is_some_and(left) {
            return false;
        }
        self.namespaces.remove(namespace);
        true
    }

    /// Waits for the end of a restore before this namespace is delivered, and gives back what was taken for it; `false`: it was
    /// delivered before.
    pub(super) fn hold(&mut self, delivery: Delivery, now: Instant) -> bool {
        let EngineEvent::Listed(changes) = delivery.event else { return false };
        let Some(known) = self.namespaces.get_mut(&delivery.namespace) else { return false };
        for change in changes {
            known.pending.insert(change.object(), change);
        }
        known.delivered = false;
        known.restored = true;
        known.quiet = RESTORED_QUIET;
        known.touch(now);
        true
    }

    /// A restore that is waited for.
    pub(super) fn restored(&self, namespace: &str) -> bool {
        self.namespaces.get(namespace).is_some_and(|known| known.restored)
    }
}

impl Namespace {
    fn is_empty(&self) -> bool {
        self.names.values().all(HashSet::is_empty)
    }

    fn touch(&mut self, now: Instant) {
        self.first_change.get_or_insert(now);
        self.last_change = Some(now);
    }

    fn due(&self) -> Option<Instant> {
        let first = self.first_change?;
        if self.halted {
            return None;
        }
        if self.delivered {
            return Some(first + GATHER);
        }
        // A restore without a single Identity has not begun.
        if self.restored && self.names.get(&ObjectKind::Identity).is_none_or(HashSet::is_empty) {
            return None;
        }
        Some(self.last_change? + self.quiet.max(GATHER))
    }
}

#[cfg(test)]
#[path = "collect_tests.rs"]
pub(super) mod tests;
