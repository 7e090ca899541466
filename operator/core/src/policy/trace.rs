//! What each part of a rule came to.

use std::ops::Range;

use super::eval::Machine;
use super::facts::{Cost, Facts, Truth, Unknown};
use super::node::{Node, Op};
use super::rule::Rule;

/// A rule as it was evaluated, part by part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trace {
    /// What the whole came to.
    pub truth: Truth,
    /// Every condition of the rule, each before those within it and in the order of the source; the whole comes first.
    pub parts: Vec<Part>,
}

/// One condition within a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// Where it stands in the source, in bytes.
    pub span: Range<usize>,
    /// How deep it is nested in conditions; the whole rule is 0.
    pub depth: u32,
    /// It has no conditions within (a comparison, a call): the parts that a person reads line by line.
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

/// Evaluates a condition and says what each part came to. It decides exactly as [`super::matches`] does, except that a
/// budget that is used up ends the trace where it ended the evaluation.
pub fn trace(rule: &Rule, facts: &Facts<'_>) -> Trace {
    let mut cost = Cost::default();
    let mut tracer = Tracer { machine: Machine { facts, cost: &mut cost }, parts: Vec::new() };
    let outcome = tracer.visit(&rule.root, 0, true);
    let truth = match outcome {
        Outcome::True => Truth::True,
        Outcome::False => Truth::False,
        Outcome::Unknown(_) | Outcome::NotReached => Truth::Unknown,
    };
    Trace { truth, parts: tracer.parts }
}

struct Tracer<'a, 'c> {
    machine: Machine<'a, 'c>,
    parts: Vec<Part>,
}

impl<'a> Tracer<'a, '_> {
    fn visit(&mut self, node: &'a Node, depth: u32, reached: bool) -> Outcome {
        let leaf = !matches!(node.op, Op::And(_) | Op::Or(_) | Op::Not(_) | Op::Conditional(_));
        let at = self.parts.len();
        self.parts.push(Part { span: node.span(), depth, leaf, outcome: Outcome::NotReached });
        let outcome = match &node.op {
            Op::And(parts) => self.logic(parts, depth, reached, Outcome::False, Outcome::True),
            Op::Or(parts) => self.logic(parts, depth, reached, Outcome::True, Outcome::False),
            Op::Not(part) => match self.visit(part, depth + 1, reached) {
                Outcome::True => Outcome::False,
                Outcome::False => Outcome::True,
                other => other,
            },
            Op::Conditional(abc) => {
                let [condition, yes, no] = &**abc;
                let condition = self.visit(condition, depth + 1, reached);
                let yes = self.visit(yes, depth + 1, reached && condition == Outcome::True);
                let no = self.visit(no, depth + 1, reached && condition == Outcome::False);
                match condition {
                    Outcome::True => yes,
                    Outcome::False => no,
                    other => other,
                }
            }
            _ if !reached => Outcome::NotReached,
            _ => match self.machine.truth(node, None) {
                Ok(true) => Outcome::True,
                Ok(false) => Outcome::False,
                Err(f) => Outcome::Unknown(Unknown { reason: f.reason, message: f.message, span: f.span }),
            },
        };
        if let Some(part) = self.parts.get_mut(at) {
            part.outcome = outcome.clone();
        }
        outcome
    }

    fn logic(&mut self, parts: &'a [Node], depth: u32, reached: bool, decides: Outcome, otherwise: Outcome) -> Outcome {
        if !reached {
            for part in parts {
                self.visit(part, depth + 1, false);
            }
            return Outcome::NotReached;
        }
        let (mut settled, mut unknown) = (false, None);
        for part in parts {
            let outcome = self.visit(part, depth + 1, !settled);
            settled |= outcome == decides;
            if matches!(outcome, Outcome::Unknown(_)) {
                unknown = unknown.or(Some(outcome));
            }
        }
        if settled { decides } else { unknown.unwrap_or(otherwise) }
    }
}
