//! What a rule requires for sure, in a form that can be indexed.

use std::sync::Arc;

use super::facts::{Facts, GroupId};
use crate::model::{Custom, Field, Identity};

/// A conjunct of a rule: wherever the rule is true, it holds. (The converse is not so.)
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Term {
    /// The text is this one.
    Equals(Key, Arc<str>),
    /// The text is one of these.
    OneOf(Key, Box<[Arc<str>]>),
    /// The text begins with this.
    StartsWith(Key, Arc<str>),
    /// A member of the group.
    InGroup(GroupId),
}

/// A text of an identity by which rules can be indexed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Key {
    /// `identity.type`.
    Type,
    /// `identity.userName`, as written.
    UserName,
    /// `identity.externalId`.
    ExternalId,
    /// `identity.state`.
    State,
    /// A text field.
    Text(Field),
    /// `identity.attributes.NAME`, where it is a single text.
    Attribute(Arc<str>),
}

impl Key {
    /// The text of an identity under this key; absent fields read "". `State` is no matter of the manifest: `None`.
    pub fn of<'a>(&self, identity: &'a Identity) -> Option<&'a str> {
        match self {
            Self::Type => Some(identity.kind.as_str()),
            Self::UserName => Some(identity.user_name.written()),
            Self::ExternalId => Some(identity.external_id.as_deref().unwrap_or_default()),
            Self::Text(field) => Some(identity.text(*field).map_or("", |text| text)),
            Self::Attribute(name) => match identity.custom(name) {
                Some(Custom::One(text)) => Some(text),
                Some(Custom::Many(_)) | None => None,
            },
            Self::State => None,
        }
    }
}

impl Term {
    /// Whether it holds. A group that may be one counts: the rule is then Unknown, not false.
    pub fn holds(&self, facts: &Facts<'_>) -> bool {
        let text = |key: &Key| match key {
            Key::State => Some(facts.state.as_str()),
            key => key.of(facts.identity),
        };
        match self {
            Self::Equals(key, wanted) => text(key) == Some(wanted),
            Self::OneOf(key, wanted) => text(key).is_some_and(|found| wanted.iter().any(|w| **w == *found)),
            Self::StartsWith(key, wanted) => text(key).is_some_and(|found| found.starts_with(&**wanted)),
            Self::InGroup(group) => {
                facts.groups.sure.binary_search(group).is_ok() || facts.groups.unknown.binary_search(group).is_ok()
            }
        }
    }
}
