//! The API server as far as a watching operator can tell: a naive model. `tests/tests/cluster_model.rs` sends the same
//! requests to it and to a real one, and compares what both answer and show.

use std::collections::BTreeMap;

use jiff::Timestamp;
use provost_core::model::{ObjectKind, ObjectRef};
use serde_json::Value;

/// An object as it is stored. What a manifest declares is of no concern here.
#[derive(Clone, Debug, PartialEq)]
pub struct Object<S> {
    /// Which of all that were ever made.
    pub uid: u64,
    /// `resourceVersion`.
    pub version: u64,
    /// Counts changes of the spec, and the beginning of a deletion.
    pub generation: i64,
    /// When it was made.
    pub created: Timestamp,
    /// It was deleted and waits for its finalizers to go.
    pub deleting: bool,
    /// What must go first.
    pub finalizers: Vec<String>,
    /// What it declares.
    pub spec: S,
    /// What was told of it.
    pub status: Option<Value>,
    /// What the schema gives a new object as its status is stored with the first write after the creation, also with one that
    /// changes nothing else.
    pub whole: bool,
}

/// What a watch says of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "as the API server names them")]
pub enum What {
    Added,
    Modified,
    Deleted,
}

/// One event of a watch. A deleted object is shown as it was last stored.
#[derive(Clone, Debug, PartialEq)]
pub struct Seen<S> {
    /// What happened.
    pub what: What,
    /// To which object.
    pub key: ObjectRef,
    /// As it is since.
    pub object: Object<S>,
}

/// Why a request is not carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// 409: the name is taken, also by what is being deleted.
    Exists,
    /// 404.
    Missing,
    /// 409: it is not the version, or not the object, that was meant.
    Conflict,
    /// 422: nothing new may hold what is being deleted.
    Invalid,
    /// 410: the history does not go back so far.
    Expired,
}

/// The objects of one namespace, and their history.
#[derive(Clone, Debug)]
pub struct Api<S> {
    objects: BTreeMap<ObjectRef, Object<S>>,
    history: Vec<Seen<S>>,
    revision: u64,
    forgotten: u64,
    uids: u64,
}

type Answer<S> = Result<Object<S>, Refused>;

impl<S> Default for Api<S> {
    fn default() -> Self {
        Self { objects: BTreeMap::new(), history: Vec::new(), revision: 1, forgotten: 1, uids: 0 }
    }
}

impl<S: Clone + PartialEq> Api<S> {
    /// What is there under a name.
    pub fn get(&self, key: &ObjectRef) -> Option<&Object<S>> {
        self.objects.get(key)
    }

    /// Everything that is there.
    pub fn objects(&self) -> impl Iterator<Item = (&ObjectRef, &Object<S>)> {
        self.objects.iter()
    }

    /// POST.
    pub fn create(&mut self, key: &ObjectRef, spec: S, finalizers: Vec<String>, now: Timestamp) -> Answer<S> {
        if self.objects.contains_key(key) {
            return Err(Refused::Exists);
        }
        self.uids += 1;
        let (uid, created) = (self.uids, Timestamp::from_second(now.as_second()).unwrap_or(now));
        let (version, generation, deleting, status, whole) = (0, 1, false, None, false);
        let object = Object { uid, version, generation, created, deleting, finalizers, spec, status, whole };
        Ok(self.store(What::Added, key, object))
    }

    /// PUT of another spec, with the version that was read; or PATCH of the spec alone, without one.
    pub fn edit(&mut self, key: &ObjectRef, version: Option<u64>, spec: S) -> Answer<S> {
        let before = self.objects.get(key).ok_or(Refused::Missing)?;
        if version.is_some_and(|version| version != before.version) {
            return Err(Refused::Conflict);
        }
        let generation = before.generation + i64::from(before.spec != spec);
        let after = Object { generation, spec, ..before.clone() };
        Ok(self.change(key, after))
    }

    /// Server-side apply of the status, always whole.
    pub fn tell(&mut self, key: &ObjectRef, status: Value) -> Answer<S> {
        let before = self.objects.get(key).ok_or(Refused::Missing)?;
        let after = Object { status: Some(status), ..before.clone() };
        Ok(self.change(key, after))
    }

    /// PATCH of the finalizers.
    pub fn finalizers(&mut self, key: &ObjectRef, finalizers: Vec<String>) -> Answer<S> {
        let before = self.objects.get(key).ok_or(Refused::Missing)?;
        if before.deleting && finalizers.iter().any(|one| !before.finalizers.contains(one)) {
            return Err(Refused::Invalid);
        }
        if before.deleting && finalizers.is_empty() {
            return Ok(self.remove(key, before.clone()));
        }
        let after = Object { finalizers, ..before.clone() };
        Ok(self.change(key, after))
    }

    /// DELETE, of this very object where a uid is given.
    pub fn delete(&mut self, key: &ObjectRef, uid: Option<u64>) -> Answer<S> {
        let before = self.objects.get(key).ok_or(Refused::Missing)?.clone();
        if uid.is_some_and(|uid| uid != before.uid) {
            return Err(Refused::Conflict);
        }
        if before.finalizers.is_empty() {
            return Ok(self.remove(key, before));
        }
        let generation = before.generation + i64::from(!before.deleting);
        let after = Object { deleting: true, generation, ..before };
        Ok(self.change(key, after))
    }

    /// GET of all of a kind, by name, and the version from which a watch goes on.
    pub fn list(&self, kind: ObjectKind) -> (Vec<(ObjectRef, Object<S>)>, u64) {
        let of_kind = self.objects.iter().filter(|(key, _)| key.kind == kind);
        (of_kind.map(|(key, object)| (key.clone(), object.clone())).collect(), self.revision)
    }

    /// GET with `watch`: what came after a version, in the order in which it happened.
    pub fn watch(&self, kind: ObjectKind, version: u64) -> Result<Vec<Seen<S>>, Refused> {
        if version < self.forgotten {
            return Err(Refused::Expired);
        }
        let known = self.history.partition_point(|seen| seen.object.version <= version);
        Ok(self.history.iter().skip(known).filter(|seen| seen.key.kind == kind).cloned().collect())
    }

    /// It is started anew, or its history is compacted: others have written since as well.
    pub fn forget(&mut self) {
        self.revision += 1;
        self.forgotten = self.revision;
        self.history.clear();
    }

    /// What changes nothing is no new version, and nobody is told of it.
    fn change(&mut self, key: &ObjectRef, after: Object<S>) -> Object<S> {
        let after = Object { whole: true, ..after };
        if self.objects.get(key) == Some(&after) { after } else { self.store(What::Modified, key, after) }
    }

    fn store(&mut self, what: What, key: &ObjectRef, object: Object<S>) -> Object<S> {
        self.revision += 1;
        let object = Object { version: self.revision, ..object };
        self.objects.insert(key.clone(), object.clone());
        self.history.push(Seen { what, key: key.clone(), object: object.clone() });
        object
    }

    fn remove(&mut self, key: &ObjectRef, object: Object<S>) -> Object<S> {
        self.objects.remove(key);
        self.revision += 1;
        let object = Object { version: self.revision, ..object };
        self.history.push(Seen { what: What::Deleted, key: key.clone(), object: object.clone() });
        object
    }
}
