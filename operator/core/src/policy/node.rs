//! A checked rule as a tree that is evaluated as it stands: names are resolved, types are known, constants are folded.

use std::ops::Range;
use std::sync::Arc;

use regex::Regex;

use super::facts::GroupId;
use super::functions::Function;
use super::types::{Member, Type};
use super::value::Val;

/// One expression.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub op: Op,
    pub ty: Type,
    /// Where it stands in the source, in bytes.
    pub start: u32,
    pub end: u32,
}

impl Node {
    pub fn span(&self) -> Range<usize> {
        self.start as usize..self.end as usize
    }
}

/// Whose field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Who {
    Identity,
    Manager,
}

/// An operator with two operands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Binary {
    Add,
    Sub,
    Mul,
    Div,
    Rem,
    Eq,
    Ne,
    Lt,
    Le,
    Gt,
    Ge,
    In,
}

/// What an expression does.
#[derive(Clone, Debug)]
pub(super) enum Op {
    Const(Val<'static>),
    /// A variable of the macro with this number, the first or the second.
    Var {
        fold: u32,
        second: bool,
    },
    /// `identity` or `application` itself.
    Root(Root),
    /// A field of the identity or of its manager.
    Of(Who, Member),
    /// A field of another object.
    Field(Box<Node>, Member),
    /// A key of a map by name: `m.key`.
    Key(Box<Node>, Arc<str>),
    Index(Box<[Node; 2]>),
    /// `a.?b`, `a[?b]`, and what follows an optional.
    OptIndex(Box<[Node; 2]>),
    OptField(Box<Node>, Member),
    /// `has(..)` of an `Of`, `Field` or `Key`.
    Has(Box<Node>),
    Not(Box<Node>),
    Neg(Box<Node>),
    And(Box<[Node]>),
    Or(Box<[Node]>),
    Conditional(Box<[Node; 3]>),
    Binary(Binary, Box<[Node; 2]>),
    /// `"name" in identity.groups`.
    InGroup(GroupId, Arc<str>),
    List(Box<[Element]>),
    Map(Box<[Entry]>),
    Call(Function, Box<[Node]>),
    /// `text.matches(constant)`: the pattern compiled, and what a byte of text costs.
    Matches(Box<Node>, Regex, usize),
    Fold(Box<Fold>),
}

/// The variables outside macros.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Root {
    Identity,
    Application,
}

/// An element of a list literal; an optional one is left out where it has no value.
#[derive(Clone, Debug)]
pub(super) struct Element {
    pub value: Node,
    pub optional: bool,
}

/// An entry of a map literal.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub key: Node,
    pub value: Node,
    pub optional: bool,
}

/// A macro over a list, a map or an optional.
#[derive(Clone, Debug)]
pub(super) struct Fold {
    pub kind: FoldKind,
    pub range: Node,
    /// Binds index (or key) and value, rather than one of them.
    pub two: bool,
    pub filter: Option<Node>,
    pub body: Node,
    /// Its number within the rule, which its variables bear; a macro within another has the greater one.
    pub number: u32,
}

/// Which macro.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FoldKind {
    All,
    Exists,
    ExistsOne,
    /// `map`, and `transformList`.
    Map,
    Filter,
    TransformMap,
    TransformMapEntry,
    OptMap,
    OptFlatMap,
}

/// The expressions directly within one.
pub(super) fn children(node: &Node) -> Vec<&Node> {
    match &node.op {
        Op::Const(_) | Op::Var { .. } | Op::Root(_) | Op::Of(..) | Op::InGroup(..) => Vec::new(),
        Op::Field(a, _)
        | Op::Key(a, _)
        | Op::OptField(a, _)
        | Op::Has(a)
        | Op::Not(a)
        | Op::Neg(a)
        | Op::Matches(a, ..) => vec![a],
        Op::Index(ab) | Op::OptIndex(ab) | Op::Binary(_, ab) => ab.iter().collect(),
        Op::Conditional(abc) => abc.iter().collect(),
        Op::And(list) | Op::Or(list) | Op::Call(_, list) => list.iter().collect(),
        Op::List(list) => list.iter().map(|e| &e.value).collect(),
        Op::Map(list) => list.iter().flat_map(|e| [&e.key, &e.value]).collect(),
        Op::Fold(fold) => [&fold.range].into_iter().chain(&fold.filter).chain([&fold.body]).collect(),
    }
}

/// The same, to change them.
pub(super) fn children_mut(node: &mut Node) -> Vec<&mut Node> {
    match &mut node.op {
        Op::Const(_) | Op::Var { .. } | Op::Root(_) | Op::Of(..) | Op::InGroup(..) => Vec::new(),
        Op::Field(a, _)
        | Op::Key(a, _)
        | Op::OptField(a, _)
        | Op::Has(a)
        | Op::Not(a)
        | Op::Neg(a)
        | Op::Matches(a, ..) => vec![a],
        Op::Index(ab) | Op::OptIndex(ab) | Op::Binary(_, ab) => ab.iter_mut().collect(),
        Op::Conditional(abc) => abc.iter_mut().collect(),
        Op::And(list) | Op::Or(list) | Op::Call(_, list) => list.iter_mut().collect(),
        Op::List(list) => list.iter_mut().map(|e| &mut e.value).collect(),
        Op::Map(list) => list.iter_mut().flat_map(|e| [&mut e.key, &mut e.value]).collect(),
        Op::Fold(fold) => {
            let Fold { range, filter, body, .. } = &mut **fold;
            [range].into_iter().chain(filter).chain([body]).collect()
        }
    }
}
