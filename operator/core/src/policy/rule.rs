use std::sync::Arc;

use super::diagnostic::Diagnostic;
use super::facts::{Cost, Facts, GroupId, Unknown};
use super::parse;
use super::reads::Reads;
use super::terms::Term;
use crate::model::{Effect, Reason, Value};

/// Where an expression stands; it settles the variables, the result, and what absence may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Site {
    /// `Group.match`: a condition over the identity alone, without groups.
    GroupMatch,
    /// `AccessPolicy.match`.
    PolicyMatch(Effect),
    /// `TargetApplication.entitlements[].requires`.
    Requires,
    /// `account.attributes[].expression`, and connector fields that say so.
    Attribute,
    /// `account.correlate[].expression`: a text or null, over the identity alone.
    Correlation,
}

/// What a rule's names are resolved in.
pub struct Scope<'a> {
    /// Interns the name of a group.
    pub group: &'a mut dyn FnMut(&str) -> GroupId,
}

/// A checked rule.
#[derive(Clone, Debug)]
pub struct Rule {
    source: Arc<str>,
    groups: Vec<GroupId>,
    terms: Vec<Term>,
    reads: Reads,
    warnings: Vec<Diagnostic>,
}

impl Rule {
    /// As it was written.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// The groups it names, sorted.
    pub fn groups(&self) -> &[GroupId] {
        &self.groups
    }

    /// Conjuncts that hold wherever it is true; none of them may be left out of an index for that.
    pub fn terms(&self) -> &[Term] {
        &self.terms
    }

    /// What it reads.
    pub fn reads(&self) -> &Reads {
        &self.reads
    }

    /// What a person should look at.
    pub fn warnings(&self) -> &[Diagnostic] {
        &self.warnings
    }
}

/// Checks an expression for a site and makes it a rule.
///
/// # Errors
/// Everything that is wrong with it, in the order of the source.
pub fn compile(src: &str, site: Site, scope: &mut Scope<'_>) -> Result<Rule, Vec<Diagnostic>> {
    let parsed = parse::parse(src)?;
    let _ = (parsed.span(&parsed.root), site, &mut scope.group);
    Ok(Rule {
        source: src.into(),
        groups: Vec::new(),
        terms: Vec::new(),
        reads: Reads::default(),
        warnings: Vec::new(),
    })
}

/// Whether a condition holds.
pub fn matches(rule: &Rule, facts: &Facts<'_>, cost: &mut Cost) -> Result<bool, Unknown> {
    let _ = (rule, facts, cost);
    Err(pending(rule))
}

/// The value of an expression.
pub fn evaluate(rule: &Rule, facts: &Facts<'_>, cost: &mut Cost) -> Result<Value, Unknown> {
    let _ = (facts, cost);
    Err(pending(rule))
}

fn pending(rule: &Rule) -> Unknown {
    Unknown { reason: Reason::EvaluationFailed, message: "not evaluated yet".into(), span: 0..rule.source.len() }
}
