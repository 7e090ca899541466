//! Deleting a field from a manifest must not grant, and must not lift a Deny. For every optional field that a rule
//! reads, the rule is looked at as if that field were absent and everything else could be anything.

use super::absence::{Look, Path};
use super::diagnostic::{Diagnostic, Severity};
use super::node::{FoldKind, Node, Op};

/// Findings for one rule. Each may repeat much of the rule, and a rule can read hundreds of fields.
const FINDINGS: usize = 20;

/// What absence may not do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Danger {
    /// Make the rule true (an Allow, `requires`).
    Grants,
    /// Make the rule false (a Deny).
    Lifts,
    /// Make the rule of a Group true.
    Joins,
    /// Make the rule of a Group false.
    Leaves,
}

impl Danger {
    /// The truth of the rule that does harm.
    fn truth(self) -> bool {
        matches!(self, Self::Grants | Self::Joins)
    }
}

/// Checks a condition; one finding for each field that needs a guard, at most 20. What cannot be told within the budget
/// of one evaluation is said to be too complex.
pub(super) fn check(source: &str, root: &Node, danger: Danger) -> Vec<Diagnostic> {
    let mut look = Look::new(root);
    let mut found: Vec<Diagnostic> = Vec::new();
    let wanted = danger.truth();
    for (field, (path, read)) in look.paths().iter().enumerate() {
        look.turn();
        let site = unsafe_site(&mut look, root, field, wanted, wanted, None);
        if look.exhausted {
            return vec![too_complex(source, root, danger)];
        }
        let Some(site) = site else { continue };
        let text = path.text(read, source);
        let diagnostic = report(source, site, &text, danger, is_presence(site, path));
        if !found.contains(&diagnostic) {
            found.push(diagnostic);
        }
        if found.len() == FINDINGS {
            break;
        }
    }
    found
}

/// A rule whose constant parts take more than an evaluation may.
fn too_complex(source: &str, root: &Node, danger: Danger) -> Diagnostic {
    let remedy = "write what its macros over constants come to, or make it shorter";
    let harm = match danger {
        Danger::Grants => "could grant",
        Danger::Lifts => "lifts this Deny",
        Danger::Joins => "could make somebody a member",
        Danger::Leaves => "ends membership",
    };
    let message = format!("the rule is too complex to tell whether deleting a field {harm}");
    weigh(Diagnostic::error(source, root.span(), message, remedy), danger)
}

/// What could grant refuses an Allow; whatever else could happen is for a person to look at.
fn weigh(diagnostic: Diagnostic, danger: Danger) -> Diagnostic {
    match danger {
        Danger::Grants => diagnostic,
        Danger::Lifts | Danger::Joins | Danger::Leaves => Diagnostic { severity: Severity::Warning, ..diagnostic },
    }
}

fn report(source: &str, site: &Node, field: &str, danger: Danger, presence: bool) -> Diagnostic {
    let text = source.get(site.span()).unwrap_or_default();
    let text = if matches!(site.op, Op::Or(_) | Op::Conditional(_) | Op::And(_)) {
        format!("({text})")
    } else {
        text.to_owned()
    };
    let message = match danger {
        Danger::Grants => format!("deleting {field} could grant: the rule can become true without it"),
        Danger::Lifts => format!("deleting {field} lifts this Deny"),
        Danger::Joins => format!("deleting {field} could make somebody a member"),
        Danger::Leaves => format!("deleting {field} ends membership"),
    };
    let remedy = match (danger.truth(), presence) {
        (true, false) => format!("write: has({field}) && {text}"),
        (true, true) => format!(
            "say what must be present instead; a rule that asks for the absence of {field} {}",
            if danger == Danger::Grants { "is refused" } else { "cannot be guarded" }
        ),
        (false, false) => format!("write: !has({field}) || {text}"),
        (false, true) => "ask for what every identity has, as identity.type, if that is not meant".to_owned(),
    };
    weigh(Diagnostic::error(source, site.span(), message, remedy), danger)
}

/// Whether the expression asks for presence alone: a guard beside it would contradict it.
fn is_presence(site: &Node, path: &Path) -> bool {
    match &site.op {
        Op::Has(field) => Path::read_by(field).as_ref() == Some(path),
        Op::Not(inner) => is_presence(inner, path),
        _ => false,
    }
}

/// The smallest place where absence of the field could do harm. `wanted` is the truth that does harm at this node,
/// `outer` that at the whole rule; `site` is where a guard can stand: beside an expression of the rule's own sense.
fn unsafe_site<'n>(
    look: &mut Look<'n>,
    node: &'n Node,
    field: usize,
    wanted: bool,
    outer: bool,
    site: Option<&'n Node>,
) -> Option<&'n Node> {
    let site = if wanted == outer { node } else { site.unwrap_or(node) };
    if !look.reads(node, field) {
        return None;
    }
    let can = look.without(node, field);
    if wanted && !can.be_true || !wanted && !can.be_false {
        return None;
    }
    match &node.op {
        Op::And(parts) | Op::Or(parts) => {
            parts.iter().find_map(|part| unsafe_site(look, part, field, wanted, outer, Some(site)))
        }
        Op::Not(part) => unsafe_site(look, part, field, !wanted, outer, Some(site)),
        Op::Conditional(abc) if !abc.first().is_some_and(|c| look.reads(c, field)) => {
            abc.iter().skip(1).find_map(|part| unsafe_site(look, part, field, wanted, outer, Some(site)))
        }
        Op::Fold(fold) if matches!(fold.kind, FoldKind::All | FoldKind::Exists) && !look.reads(&fold.range, field) => {
            unsafe_site(look, &fold.body, field, wanted, outer, Some(site))
        }
        _ => Some(site),
    }
}
