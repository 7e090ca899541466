//! What a rule requires for sure, in a form that can be indexed.

use std::sync::Arc;

use super::facts::{Facts, GroupId};
use super::functions::Function;
use super::node::{Binary, Node, Op, Who};
use super::types::Member;
use super::value::{List, Val};
use crate::model::{Field, PackedCustom, PackedIdentity};

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
    pub fn of<'a>(&self, identity: &'a PackedIdentity) -> Option<&'a str> {
        match self {
            Self::Type => Some(identity.kind().as_str()),
            Self::UserName => Some(identity.user_name()),
            Self::ExternalId => Some(identity.external_id().unwrap_or_default()),
            Self::Text(field) => Some(identity.text(*field).unwrap_or_default()),
            Self::Attribute(name) => match PackedCustom::named(identity.custom(), name) {
                Some(PackedCustom::One(text)) => Some(text),
                Some(PackedCustom::Many(_)) | None => None,
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

/// The terms of a checked condition: the conjuncts that can be indexed.
pub(super) fn of(root: &Node) -> Vec<Term> {
    let mut terms = Vec::new();
    match &root.op {
        Op::And(parts) => terms.extend(parts.iter().flat_map(of)),
        _ => terms.extend(term(root)),
    }
    terms
}

fn term(node: &Node) -> Option<Term> {
    match &node.op {
        Op::InGroup(group, _) => Some(Term::InGroup(*group)),
        Op::Binary(Binary::Eq, ab) => {
            let [a, b] = &**ab;
            let (field, constant) = if matches!(b.op, Op::Const(_)) { (a, b) } else { (b, a) };
            Some(Term::Equals(key(field)?, text(constant)?))
        }
        Op::Binary(Binary::In, ab) => {
            let [field, list] = &**ab;
            let Op::Const(Val::List(List::Own(list))) = &list.op else { return None };
            let texts: Option<Box<[_]>> = list.iter().map(owned).collect();
            Some(Term::OneOf(key(field)?, texts?))
        }
        Op::Call(Function::StartsWith, args) => {
            let [field, constant] = &**args else { return None };
            Some(Term::StartsWith(key(field)?, text(constant)?))
        }
        _ => None,
    }
}

fn key(node: &Node) -> Option<Key> {
    match &node.op {
        Op::Of(Who::Identity, Member::Type) => Some(Key::Type),
        Op::Of(Who::Identity, Member::UserName) => Some(Key::UserName),
        Op::Of(Who::Identity, Member::ExternalId) => Some(Key::ExternalId),
        Op::Of(Who::Identity, Member::State) => Some(Key::State),
        Op::Of(Who::Identity, Member::Text(field)) => Some(Key::Text(*field)),
        Op::Key(map, name) if matches!(map.op, Op::Of(Who::Identity, Member::Attributes)) => {
            Some(Key::Attribute(Arc::clone(name)))
        }
        _ => None,
    }
}

fn text(node: &Node) -> Option<Arc<str>> {
    match &node.op {
        Op::Const(value) => owned(value),
        _ => None,
    }
}

fn owned(value: &Val<'_>) -> Option<Arc<str>> {
    match value {
        Val::Text(text) => Some(text.as_str().into()),
        _ => None,
    }
}
