use std::sync::Arc;

use crate::model::{Reason, Source};
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
    /// The rule that does not compile, and what the compiler says of it.
    pub rule: Option<(Source, Vec<Diagnostic>)>,
}

impl Problem {
    pub(crate) fn new(reason: Reason, message: impl Into<Arc<str>>) -> Self {
        Self { reason, path: None, message: message.into(), rule: None }
    }

    pub(crate) fn at(reason: Reason, path: Arc<str>, message: impl Into<Arc<str>>) -> Self {
        Self { path: Some(path), ..Self::new(reason, message) }
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
