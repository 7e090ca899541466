//! What each part of a rule came to.

use std::ops::Range;

use super::facts::{Facts, Truth, Unknown};
use super::rule::Rule;

/// A rule as it was evaluated, part by part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trace {
    /// What the whole came to.
    pub truth: Truth,
    /// Every condition of the rule in the order of the source, the whole first.
    pub parts: Vec<Part>,
}

/// One condition within a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// Where it stands in the source, in bytes.
    pub span: Range<usize>,
    /// How deep it is nested in conditions; the whole rule is 0.
    pub depth: u32,
    /// Whether it has no conditions within (a comparison, a call), so that a line of `explain` is about it.
    pub leaf: bool,
    /// What it came to.
    pub outcome: Outcome,
}

/// What a part came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// True.
    True,
    /// False.
    False,
    /// It cannot be told, and why.
    Unknown(Unknown),
    /// Nothing depended on it any more.
    NotReached,
}

/// Evaluates a condition and says what each part came to.
pub fn trace(rule: &Rule, facts: &Facts<'_>) -> Trace {
    let mut cost = super::Cost::default();
    let outcome = match super::matches(rule, facts, &mut cost) {
        Ok(true) => Outcome::True,
        Ok(false) => Outcome::False,
        Err(unknown) => Outcome::Unknown(unknown),
    };
    let truth = match outcome {
        Outcome::True => Truth::True,
        Outcome::False => Truth::False,
        _ => Truth::Unknown,
    };
    Trace { truth, parts: vec![Part { span: 0..rule.source().len(), depth: 0, leaf: true, outcome }] }
}
