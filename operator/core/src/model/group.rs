use std::sync::Arc;

use jiff::Timestamp;

use super::Name;

/// One declared group, valid by type.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Group {
    /// For people; a pushed group may carry it.
    pub display_name: Option<Arc<str>>,
    /// Listed members.
    pub members: Vec<Member>,
    /// CEL over the identity alone: who is a member besides the listed ones.
    pub rule: Option<Source>,
    /// Never members, whatever else says so.
    pub exclude: Vec<Subject>,
}

/// A listed member, until a time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Who.
    pub subject: Subject,
    /// The membership ends here; absent: it does not.
    pub not_after: Option<Timestamp>,
}

/// An Identity or a Group by name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Subject {
    /// An Identity.
    Identity(Name),
    /// A Group, its nested members included.
    Group(Name),
}

/// The source of a CEL rule and where it stands in the manifest; at most 4 KiB, not yet compiled.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Source {
    /// The text.
    pub text: Arc<str>,
    /// The field's path, as `spec.match` or `spec.account.attributes[name=title].expression`.
    pub path: Arc<str>,
}
