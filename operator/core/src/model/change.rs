use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{AccessPolicy, GrantSpec, GrantWhat, Group, Identity, Lifecycle, Name, TargetApplication, Uid};

/// One change of a namespace's manifests, as the API server or a file told it.
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    /// There is, or there is a new version of.
    Identity(Manifest<Identity>),
    /// There is, or there is a new version of.
    Group(Manifest<Group>),
    /// There is, or there is a new version of.
    AccessPolicy(Manifest<AccessPolicy>),
    /// There is, or there is a new version of.
    TargetApplication(Box<Manifest<TargetApplication>>),
    /// It was deleted.
    Gone(ObjectRef),
}

impl Change {
    /// The object that it is about.
    pub fn object(&self) -> ObjectRef {
        let (kind, name) = match self {
            Self::Identity(manifest) => (ObjectKind::Identity, &manifest.meta.name),
            Self::Group(manifest) => (ObjectKind::Group, &manifest.meta.name),
            Self::AccessPolicy(manifest) => (ObjectKind::AccessPolicy, &manifest.meta.name),
            Self::TargetApplication(manifest) => (ObjectKind::TargetApplication, &manifest.meta.name),
            Self::Gone(object) => return object.clone(),
        };
        ObjectRef { kind, name: name.clone() }
    }
}

/// An object of a namespace.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ObjectRef {
    /// Which of the four kinds.
    pub kind: ObjectKind,
    /// `metadata.name`.
    pub name: Name,
}

/// The four kinds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[allow(missing_docs, reason = "each is the resource of the same name")]
pub enum ObjectKind {
    Identity,
    Group,
    AccessPolicy,
    TargetApplication,
}

impl ObjectKind {
    /// As manifests write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Identity => "Identity",
            Self::Group => "Group",
            Self::AccessPolicy => "AccessPolicy",
            Self::TargetApplication => "TargetApplication",
        }
    }
}

/// One manifest: what it says about itself, and its spec or why it is not one.
#[derive(Clone, Debug, PartialEq)]
pub struct Manifest<T> {
    /// What the API server says about the object.
    pub meta: Meta,
    /// The spec, or what is wrong with it.
    pub spec: Result<T, Invalid>,
}

/// What the API server says about an object.
#[derive(Clone, Debug, PartialEq)]
pub struct Meta {
    /// `metadata.name`.
    pub name: Name,
    /// `metadata.uid`; for files, derived from the name.
    pub uid: Uid,
    /// `metadata.generation`; 1 for files.
    pub generation: i64,
    /// `metadata.creationTimestamp`: the older of two duplicates stands.
    pub created: Timestamp,
    /// `metadata.deletionTimestamp`, if it is set (matters for a TargetApplication alone).
    pub deleting: Option<Timestamp>,
    /// Our finalizer is on it.
    pub finalizer: bool,
    /// The annotation `provost.dev/reconcile-now`.
    pub reconcile_now: Option<Arc<str>>,
    /// `status` as the object carried it, to seed the board: unchanged status is never sent.
    pub status: Option<Box<serde_json::Value>>,
}

/// A manifest that is not a valid spec. Invalid is not absent: it freezes.
#[derive(Clone, Debug, PartialEq)]
pub struct Invalid {
    /// The lifecycle of an Identity, if that at least could be read: obeyed where it disables or ends.
    pub lifecycle: Option<Lifecycle>,
    /// What an AccessPolicy withholds that is, or may be, an enforced Deny: Unknown for everyone, since a Deny is not
    /// lifted by an edit that cannot be read.
    pub withholds: Withholds,
    /// What is wrong; never empty.
    pub errors: Vec<FieldError>,
}

/// What a Deny withholds that is not valid, as far as it could be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Withholds {
    /// What it names; nothing where it is no Deny.
    These(Vec<GrantSpec>),
    /// What it names cannot be read: it may be anything, in any application.
    Anything,
}

impl Withholds {
    /// Nothing.
    pub const NOTHING: Self = Self::These(Vec::new());

    /// What is named, application by application.
    pub fn named(&self) -> &[GrantSpec] {
        match self {
            Self::These(grants) => grants,
            Self::Anything => &[],
        }
    }

    /// What is withheld in an application.
    pub fn within(&self, application: &Name) -> Option<&GrantWhat> {
        match self {
            Self::These(grants) => {
                grants.iter().find(|grant| grant.application == *application).map(|grant| &grant.what)
            }
            Self::Anything => Some(&GrantWhat::Account),
        }
    }
}

/// One thing that is wrong with a manifest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldError {
    /// Where: `spec.lifecycle.endTime`, `spec.emails[1].value`.
    pub path: Arc<str>,
    /// The value found, at most 64 characters; `None` where it may hold a secret.
    pub value: Option<Arc<str>>,
    /// What is wrong.
    pub message: Arc<str>,
    /// What one may do about it ("must be ...").
    pub remedy: Arc<str>,
}

impl FieldError {
    /// All but where, for whoever says that already.
    pub fn without_path(&self) -> String {
        match &self.value {
            Some(value) => format!("{value:?}: {}; {}", self.message, self.remedy),
            None => format!("{}; {}", self.message, self.remedy),
        }
    }
}

impl std::fmt::Display for FieldError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.path, self.without_path())
    }
}
