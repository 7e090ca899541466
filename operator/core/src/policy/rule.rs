use std::collections::BTreeSet;
use std::sync::Arc;

use super::check::Checker;
use super::convert;
use super::diagnostic::{Diagnostic, SEE, Severity, compared};
use super::eval::{Fault, Machine};
use super::facts::{Cost, Facts, GroupId, Unknown};
use super::functions::Function;
use super::guard::{self, Danger};
use super::node::{Binary, Node, Op, Who, children};
use super::parse;
use super::reads::Reads;
use super::terms::{self, Term};
use super::types::{Member, Type};
use crate::model::{Effect, Value};

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

impl Site {
    pub(super) fn is_condition(self) -> bool {
        matches!(self, Self::GroupMatch | Self::PolicyMatch(_) | Self::Requires)
    }

    /// What absence of a field may not do here.
    fn danger(self) -> Option<Danger> {
        match self {
            Self::PolicyMatch(Effect::Allow) | Self::Requires => Some(Danger::Grants),
            Self::PolicyMatch(Effect::Deny) => Some(Danger::Lifts),
            Self::GroupMatch | Self::Attribute | Self::Correlation => None,
        }
    }
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
    pub(super) root: Node,
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

    /// The groups it names, sorted. Those that do not exist belong into [`super::Memberships::unknown`].
    pub fn groups(&self) -> &[GroupId] {
        &self.groups
    }

    /// Conditions that each hold wherever the rule is true. None: it may be true of any identity.
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

    /// What deleting a field does to the rule of a Group: whom it could make a member (`joins`), or whose membership it
    /// ends. Which of the two does harm is for those to say who name the group.
    pub fn absences(&self, joins: bool) -> Vec<Diagnostic> {
        guard::check(&self.source, &self.root, if joins { Danger::Joins } else { Danger::Leaves })
    }

    /// The groups that it names, each with whether being a member can make the rule true (else false).
    pub fn group_senses(&self) -> BTreeSet<(GroupId, bool)> {
        let mut senses = BTreeSet::new();
        note_senses(&self.root, Some(true), &mut senses);
        senses
    }
}

/// Checks an expression for a site and makes it a rule.
///
/// # Errors
/// Everything that is wrong with it, in the order of the source.
pub fn compile(src: &str, site: Site, scope: &mut Scope<'_>) -> Result<Rule, Vec<Diagnostic>> {
    let (root, groups) = check(src, site, scope)?;
    let mut findings = Vec::new();
    if let Some(danger) = site.danger() {
        findings = guard::check(src, &root, danger);
    }
    findings.extend(result(src, site, &root));
    if findings.iter().any(|f| f.severity == Severity::Error) {
        return Err(findings);
    }
    let terms = if site.is_condition() { terms::of(&root) } else { Vec::new() };
    let reads = Reads::of(&root);
    Ok(Rule { source: src.into(), groups: groups.into_iter().collect(), terms, reads, warnings: findings, root })
}

/// Parses an expression and resolves its names and types.
pub(super) fn check(
    src: &str,
    site: Site,
    scope: &mut Scope<'_>,
) -> Result<(Node, BTreeSet<GroupId>), Vec<Diagnostic>> {
    let parsed = parse::parse(src)?;
    let mut checker = Checker {
        source: src,
        parsed: &parsed,
        site,
        scope,
        bound: Vec::new(),
        folds: 0,
        groups: BTreeSet::new(),
        diagnostics: Vec::new(),
    };
    let root = checker.check(&parsed.root);
    let mut diagnostics = checker.diagnostics;
    if let Some(root) = &root {
        diagnostics.extend(whole(src, site, root));
    }
    diagnostics.sort_by_key(|d| (d.span.start, d.span.end));
    match root {
        Some(root) if diagnostics.is_empty() => Ok((root, checker.groups)),
        _ if diagnostics.is_empty() => {
            Err(vec![Diagnostic::error(src, 0..src.len(), "the expression cannot be read", SEE)])
        }
        _ => Err(diagnostics),
    }
}

/// `identity`, `application` and the manager are read field by field, and in a condition the custom attributes name by
/// name: a rule that hands one on as a whole would hide what it reads, and what absence does to it.
fn whole(src: &str, site: Site, node: &Node) -> Vec<Diagnostic> {
    let refuse = |what: &Node, remedy: &str| {
        let name = src.get(what.span()).unwrap_or_default();
        let message =
            format!("{name} as a whole is no value{}", if remedy.contains("has") { " in a condition" } else { "" });
        Diagnostic::error(src, what.span(), message, remedy)
    };
    let is_person = |part: &Node| matches!(part.op, Op::Root(_) | Op::Of(Who::Identity, Member::Manager));
    let is_attributes = |part: &Node| matches!(part.op, Op::Of(_, Member::Attributes));
    match &node.op {
        _ if is_person(node) => vec![refuse(node, "name the field that is meant")],
        Op::Of(_, Member::Attributes) | Op::OptField(_, Member::Attributes) | Op::Field(_, Member::Attributes)
            if site.is_condition() =>
        {
            vec![refuse(node, "name the attribute that is meant, or ask has(..)")]
        }
        Op::Field(of, _) | Op::OptField(of, _) | Op::Has(of) if is_person(of) => Vec::new(),
        Op::Key(of, _) | Op::Has(of) if is_attributes(of) => Vec::new(),
        Op::OptIndex(ab) if ab.first().is_some_and(is_attributes) => {
            ab.iter().skip(1).flat_map(|part| whole(src, site, part)).collect()
        }
        Op::Binary(Binary::In, ab)
            if matches!(ab.first().map(|a| &a.op), Some(Op::Const(_))) && ab.last().is_some_and(is_attributes) =>
        {
            Vec::new()
        }
        Op::Call(Function::PrimaryEmail, args) if args.iter().all(is_person) => Vec::new(),
        _ => children(node).into_iter().flat_map(|child| whole(src, site, child)).collect(),
    }
}

/// Whether the result is what the site asks for.
fn result(src: &str, site: Site, root: &Node) -> Option<Diagnostic> {
    let (sound, wanted) = match site {
        _ if site.is_condition() => (root.ty == Type::Bool, "a condition (bool)"),
        Site::Correlation => (matches!(root.ty, Type::Text | Type::Null | Type::Dyn), "string or null"),
        _ => (convert::is_attribute(&root.ty), "string, bool, int, list, map or null"),
    };
    if sound {
        return None;
    }
    let remedy = match (&root.ty, site.is_condition()) {
        (ty, true) => compared(src.get(root.span()).unwrap_or(".."), ty),
        (Type::Optional(_), false) => "say what it is without a value: orValue(..)".to_owned(),
        (Type::Object(_), false) => "name the field that is meant".to_owned(),
        (Type::List(_) | Type::Map(..), false) if site == Site::Correlation => {
            "take one text out of it, as with [0] or join(\",\")".to_owned()
        }
        (Type::List(_) | Type::Map(..), false) => {
            "take the texts out of it, as in identity.emails.map(e, e.value)".to_owned()
        }
        (_, false) => "convert with string()".to_owned(),
    };
    let message = format!("the expression is {}, where {wanted} is expected", root.ty);
    Some(Diagnostic::error(src, root.span(), message, remedy))
}

/// `sense`: whether what is true here can make the rule true or false; `None`: either.
fn note_senses(node: &Node, sense: Option<bool>, senses: &mut BTreeSet<(GroupId, bool)>) {
    match &node.op {
        Op::InGroup(group, _) => {
            let both = [true, false].into_iter().filter(|one| sense.is_none_or(|sense| sense == *one));
            senses.extend(both.map(|one| (*group, one)));
        }
        Op::And(parts) | Op::Or(parts) => parts.iter().for_each(|part| note_senses(part, sense, senses)),
        Op::Not(part) => note_senses(part, sense.map(|is| !is), senses),
        Op::Conditional(abc) => {
            let [condition, yes, no] = &**abc;
            note_senses(condition, None, senses);
            note_senses(yes, sense, senses);
            note_senses(no, sense, senses);
        }
        _ => children(node).into_iter().for_each(|part| note_senses(part, None, senses)),
    }
}

fn unknown(fault: &Fault) -> Unknown {
    Unknown { reason: fault.reason, message: fault.message.clone(), span: fault.span.clone() }
}

/// Whether a condition holds.
///
/// # Errors
/// It cannot be told: a fact is unknown, or evaluation failed or exceeded its budget.
pub fn matches(rule: &Rule, facts: &Facts<'_>, cost: &mut Cost) -> Result<bool, Unknown> {
    Machine { facts, cost }.truth(&rule.root, None).map_err(|f| unknown(&f))
}

/// The value of an expression.
///
/// # Errors
/// As for [`matches`]; and a value that no attribute can hold.
pub fn evaluate(rule: &Rule, facts: &Facts<'_>, cost: &mut Cost) -> Result<Value, Unknown> {
    let value = Machine { facts, cost }.value(&rule.root, None).map_err(|f| unknown(&f))?;
    convert::attribute(&rule.root, &value, cost).map_err(|f| unknown(&f))
}
