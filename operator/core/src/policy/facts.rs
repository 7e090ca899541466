use std::ops::Range;

use crate::model::{Name, PackedIdentity, Reason, State};

/// A group's name, interned by the directory; whether it exists is the directory's to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GroupId(pub u32);

/// The manager of an identity.
#[derive(Clone, Copy, Debug)]
pub enum Manager<'a> {
    /// There is none: every field reads as absent.
    Absent,
    /// This one.
    Known(&'a PackedIdentity),
    /// Named, and it cannot be told what it is (its manifest is invalid): what reads it is Unknown.
    Unknown,
}

/// Which groups an identity is a member of.
#[derive(Clone, Copy)]
pub struct Memberships<'a> {
    /// A member for sure. Sorted.
    pub sure: &'a [GroupId],
    /// Perhaps a member, or a group that does not exist: what asks for one is Unknown. Sorted.
    pub unknown: &'a [GroupId],
    /// The name of a group.
    pub name: &'a dyn Fn(GroupId) -> Option<Name>,
}

/// What a rule is evaluated on.
#[derive(Clone, Copy)]
pub struct Facts<'a> {
    /// `identity`.
    pub identity: &'a PackedIdentity,
    /// `identity.manager`.
    pub manager: Manager<'a>,
    /// `identity.state`.
    pub state: State,
    /// `application.name`, where the site has one.
    pub application: Option<&'a str>,
    /// `identity.groups`.
    pub groups: Memberships<'a>,
}

/// What one evaluation may still cost: counted, never timed, so that every machine decides alike.
#[derive(Clone, Debug)]
pub struct Cost {
    /// Operations left.
    pub(super) steps: u32,
    /// Bytes of produced texts and lists left.
    pub(super) bytes: u32,
}

impl Cost {
    /// Operations that one evaluation may take.
    pub const STEPS: u32 = 50_000;
    /// Bytes of texts, lists and maps that one evaluation may produce.
    pub const BYTES: u32 = 256 * 1024;

    /// Operations taken so far.
    pub fn steps_taken(&self) -> u32 {
        Self::STEPS.saturating_sub(self.steps)
    }
}

impl Default for Cost {
    fn default() -> Self {
        Self { steps: Self::STEPS, bytes: Self::BYTES }
    }
}

/// The three values of a condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Truth {
    /// It holds.
    True,
    /// It does not.
    False,
    /// It cannot be told.
    Unknown,
}

/// Why a rule has no value here: it freezes what it governs, and never grants or revokes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unknown {
    /// `EvaluationFailed` or `ReferenceNotFound`.
    pub reason: Reason,
    /// What happened, in words.
    pub message: String,
    /// Where in the source, in bytes.
    pub span: Range<usize>,
}
