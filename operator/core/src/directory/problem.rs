use std::sync::Arc;

use crate::model::{Name, ObjectKind, ObjectRef, Reason, Source};
use crate::policy::Diagnostic;

/// One thing that is wrong with an object, beyond what a schema can see.
#[derive(Clone, Debug, PartialEq)]
pub struct Problem {
    /// Which of the closed set.
    pub reason: Reason,
    /// The field, where one is to blame.
    pub path: Option<Arc<str>>,
    /// What is wrong and what to do about it.
    pub message: Arc<str>,
    /// The object that is not there, where a reference to it is the problem.
    pub missing: Option<ObjectRef>,
    /// What is not there, in words: "Group staff", "entitlement editor of wiki".
    pub lacks: Option<Arc<str>>,
    /// The object that it clashes with.
    pub clash: Option<ObjectRef>,
    /// The rule that does not compile, and what the compiler says of it.
    pub rule: Option<(Source, Vec<Diagnostic>)>,
}

impl Problem {
    pub(crate) fn new(reason: Reason, message: impl Into<Arc<str>>) -> Self {
        Self { reason, path: None, message: message.into(), missing: None, lacks: None, clash: None, rule: None }
    }

    pub(crate) fn at(reason: Reason, path: Arc<str>, message: impl Into<Arc<str>>) -> Self {
        Self { path: Some(path), ..Self::new(reason, message) }
    }

    pub(crate) fn missing(kind: ObjectKind, name: &Name, path: Arc<str>, message: String) -> Self {
        let missing = Some(ObjectRef { kind, name: name.clone() });
        let lacks = Some(format!("{} {name}", kind.as_str()).into());
        Self { missing, lacks, ..Self::at(Reason::ReferenceNotFound, path, message) }
    }
}

/// In one line, with its place.
impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.path {
            Some(path) => write!(f, "{path}: {}", self.message),
            None => f.write_str(&self.message),
        }
    }
}
