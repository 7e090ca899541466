//! Deleting a field from a manifest must not grant, and must not lift a Deny. For every optional field that a rule
//! reads, the rule is looked at as if that field were absent and everything else could be anything.

use super::call;
use super::diagnostic::Diagnostic;
use super::eval::Machine;
use super::facts::{Cost, Facts, Manager, Memberships};
use super::functions::Function;
use super::node::{Binary, FoldKind, Node, Op, Root, Who, children};
use super::types::{Member, Type};
use super::value::{List, Map, Object, Text, Val};
use crate::model::{Identity, IdentityType, Lifecycle, Several, State, UserName};

/// What absence may not do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Danger {
    /// Make the rule true (an Allow, `requires`).
    Grants,
    /// Make the rule false (a Deny).
    Lifts,
}

/// An optional field, as a rule reads it.
#[derive(Clone, Debug, PartialEq)]
enum Path {
    Of(Who, Member),
    Attribute(Who, String),
    /// A field of another object (an e-mail address, say), by where that object comes from.
    Object(String, Member),
}

impl Path {
    /// The optional field that an expression reads, if it is one.
    fn read_by(node: &Node) -> Option<Self> {
        match &node.op {
            Op::Of(who, member) if member.is_optional() => Some(Self::Of(*who, *member)),
            Op::Key(map, key) => match map.op {
                Op::Of(who, Member::Attributes) => Some(Self::Attribute(who, key.to_string())),
                _ => None,
            },
            Op::OptIndex(ab) => match &**ab {
                [Node { op: Op::Of(who, Member::Attributes), .. }, Node { op: Op::Const(Val::Text(key)), .. }] => {
                    Some(Self::Attribute(*who, key.as_str().to_owned()))
                }
                _ => None,
            },
            Op::OptField(of, member) | Op::Field(of, member) if member.is_optional() => Some(match of.op {
                Op::Root(Root::Identity) => Self::Of(Who::Identity, *member),
                Op::Of(Who::Identity, Member::Manager) => Self::Of(Who::Manager, *member),
                _ => Self::Object(origin(of), *member),
            }),
            Op::Call(Function::PrimaryEmail, args) => match args.first().map(|a| &a.op) {
                Some(Op::Root(Root::Identity)) => Some(Self::Of(Who::Identity, Member::Emails)),
                Some(Op::Of(Who::Identity, Member::Manager)) => Some(Self::Of(Who::Manager, Member::Emails)),
                _ => None,
            },
            // `"k" in identity.attributes`.
            Op::Binary(Binary::In, ab) => match &**ab {
                [Node { op: Op::Const(Val::Text(key)), .. }, Node { op: Op::Of(who, Member::Attributes), .. }] => {
                    Some(Self::Attribute(*who, key.as_str().to_owned()))
                }
                _ => None,
            },
            _ => None,
        }
    }

    /// What to ask `has()` for.
    fn text(&self, node: &Node, source: &str) -> String {
        let root = |who: &Who| if *who == Who::Manager { "identity.manager" } else { "identity" };
        match (self, &node.op) {
            (Self::Of(who, Member::Emails), Op::Call(..)) => format!("{}.emails", root(who)),
            (Self::Attribute(who, key), _) => format!("{}.attributes.{key}", root(who)),
            _ => source.get(node.span()).unwrap_or_default().replace(".?", "."),
        }
    }
}

/// Where an object comes from, so that two readings of one object are known as such. What cannot be described is told
/// apart by its place, so that no guard is taken for that of another object.
fn origin(node: &Node) -> String {
    match &node.op {
        Op::Var { fold, second } => format!("{fold}{}", if *second { "b" } else { "a" }),
        Op::Of(who, member) => format!("{who:?}.{member:?}"),
        Op::Field(of, member) => format!("{}.{member:?}", origin(of)),
        Op::Index(ab) => match &**ab {
            [list, Node { op: Op::Const(Val::Int(at)), .. }] => format!("{}[{at}]", origin(list)),
            _ => format!("@{}", node.start),
        },
        _ => format!("@{}", node.start),
    }
}

/// What an expression can come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Can {
    be_true: bool,
    be_false: bool,
}

const ANYTHING: Can = Can { be_true: true, be_false: true };

/// Checks a condition; one finding for each field that needs a guard.
pub(super) fn check(source: &str, root: &Node, danger: Danger) -> Vec<Diagnostic> {
    let mut reads: Vec<(Path, &Node)> = Vec::new();
    collect(root, &mut reads);
    let mut found: Vec<Diagnostic> = Vec::new();
    for (path, read) in reads {
        let wanted = danger == Danger::Grants;
        let Some(site) = unsafe_site(root, &path, wanted, wanted, None) else { continue };
        let field = path.text(read, source);
        let diagnostic = report(source, site, &field, danger, is_presence(site, &path));
        if !found.contains(&diagnostic) {
            found.push(diagnostic);
        }
    }
    found
}

fn report(source: &str, site: &Node, field: &str, danger: Danger, presence: bool) -> Diagnostic {
    let text = source.get(site.span()).unwrap_or_default();
    let text = if matches!(site.op, Op::Or(_) | Op::Conditional(_) | Op::And(_)) {
        format!("({text})")
    } else {
        text.to_owned()
    };
    match danger {
        Danger::Grants => {
            let message = format!("deleting {field} could grant: the rule can become true without it");
            let remedy = if presence {
                format!("say what must be present instead; a rule that asks for the absence of {field} is refused")
            } else {
                format!("write: has({field}) && {text}")
            };
            Diagnostic::error(source, site.span(), message).with_remedy(remedy)
        }
        Danger::Lifts => {
            let message = format!("deleting {field} lifts this Deny");
            let remedy = (!presence).then(|| format!("write: !has({field}) || {text}"));
            Diagnostic::warning(source, site.span(), message).with_remedy(remedy)
        }
    }
}

/// Whether the expression asks for presence alone: a guard beside it would contradict it.
fn is_presence(site: &Node, path: &Path) -> bool {
    match &site.op {
        Op::Has(field) => Path::read_by(field).as_ref() == Some(path),
        Op::Not(inner) => is_presence(inner, path),
        _ => false,
    }
}

/// Every optional field that is read, in the order of the source; `has(x)` alone reads nothing of it.
fn collect<'a>(node: &'a Node, reads: &mut Vec<(Path, &'a Node)>) {
    if let Some(path) = Path::read_by(node)
        && !reads.iter().any(|(known, _)| *known == path)
    {
        reads.push((path, node));
    }
    // The map of attributes is read as a whole only where no key is named.
    let by_key = matches!(Path::read_by(node), Some(Path::Attribute(..)));
    for child in children(node) {
        if !(by_key && matches!(child.op, Op::Of(_, Member::Attributes))) {
            collect(child, reads);
        }
    }
}

/// The smallest place where absence of the field could do harm. `wanted` is the truth that does harm at this node,
/// `outer` that at the whole rule; `site` is where a guard can stand: beside an expression of the rule's own sense.
fn unsafe_site<'a>(node: &'a Node, path: &Path, wanted: bool, outer: bool, site: Option<&'a Node>) -> Option<&'a Node> {
    let site = if wanted == outer { node } else { site.unwrap_or(node) };
    if !reads(node, path) {
        return None;
    }
    let can = without(node, path);
    if wanted && !can.be_true || !wanted && !can.be_false {
        return None;
    }
    match &node.op {
        Op::And(parts) | Op::Or(parts) => {
            parts.iter().find_map(|part| unsafe_site(part, path, wanted, outer, Some(site)))
        }
        Op::Not(part) => unsafe_site(part, path, !wanted, outer, Some(site)),
        Op::Conditional(abc) if !abc.first().is_some_and(|c| reads(c, path)) => {
            abc.iter().skip(1).find_map(|part| unsafe_site(part, path, wanted, outer, Some(site)))
        }
        Op::Fold(fold) if matches!(fold.kind, FoldKind::All | FoldKind::Exists) && !reads(&fold.range, path) => {
            unsafe_site(&fold.body, path, wanted, outer, Some(site))
        }
        _ => Some(site),
    }
}

fn reads(node: &Node, path: &Path) -> bool {
    Path::read_by(node).as_ref() == Some(path) || children(node).into_iter().any(|child| reads(child, path))
}

/// What a condition can come to while the field is absent. An error makes nothing true and nothing false.
fn without(node: &Node, path: &Path) -> Can {
    match &node.op {
        Op::And(parts) => {
            let parts: Vec<_> = parts.iter().map(|part| without(part, path)).collect();
            Can { be_true: parts.iter().all(|c| c.be_true), be_false: parts.iter().any(|c| c.be_false) }
        }
        Op::Or(parts) => {
            let parts: Vec<_> = parts.iter().map(|part| without(part, path)).collect();
            Can { be_true: parts.iter().any(|c| c.be_true), be_false: parts.iter().all(|c| c.be_false) }
        }
        Op::Not(part) => {
            let can = without(part, path);
            Can { be_true: can.be_false, be_false: can.be_true }
        }
        Op::Conditional(abc) => {
            let [condition, yes, no] = &**abc;
            let (c, yes, no) = (without(condition, path), without(yes, path), without(no, path));
            Can {
                be_true: c.be_true && yes.be_true || c.be_false && no.be_true,
                be_false: c.be_true && yes.be_false || c.be_false && no.be_false,
            }
        }
        Op::Fold(fold) if matches!(fold.kind, FoldKind::All | FoldKind::Exists) => {
            if let Some(can) = settled(node, path) {
                return can;
            }
            let body = without(&fold.body, path);
            match fold.kind {
                FoldKind::All => Can { be_true: true, be_false: body.be_false },
                _ => Can { be_true: body.be_true, be_false: true },
            }
        }
        _ => settled(node, path).unwrap_or(ANYTHING),
    }
}

/// The outcome of an expression that reads nothing but the absent field.
fn settled(node: &Node, path: &Path) -> Option<Can> {
    let replaced = replace(node, path, None)?;
    let identity = Identity {
        kind: IdentityType::Person,
        user_name: UserName::new("", ""),
        external_id: None,
        texts: Box::new([]),
        emails: Box::new([]),
        phone_numbers: Box::new([]),
        addresses: Box::new([]),
        manager: None,
        custom: Box::new([]),
        lifecycle: Lifecycle::default(),
    };
    let identity = identity.pack();
    let facts = Facts {
        identity: &identity,
        manager: Manager::Absent,
        state: State::Active,
        application: None,
        groups: Memberships { sure: &[], unknown: &[], name: &|_| None },
    };
    let outcome = Machine { facts: &facts, cost: &mut Cost::default() }.truth(&replaced, None);
    Some(match outcome {
        Ok(truth) => Can { be_true: truth, be_false: !truth },
        // Within the budget of this look nothing can be said.
        Err(fault) if fault.exhausted => ANYTHING,
        Err(_) => Can { be_true: false, be_false: false },
    })
}

/// The expression with the absent field's zero value in its place; `None` if it reads anything else. `within` is the
/// number of the outermost macro that was entered on the way: variables from there on belong to the expression.
fn replace(node: &Node, path: &Path, within: Option<u32>) -> Option<Node> {
    if let Op::Has(field) = &node.op
        && Path::read_by(field).as_ref() == Some(path)
    {
        return Some(constant(node, Val::Bool(false)));
    }
    if Path::read_by(node).as_ref() == Some(path) {
        return Some(constant(node, absent(node, path)));
    }
    let mut copy = node.clone();
    match &mut copy.op {
        Op::Const(_) => {}
        Op::Var { fold, .. } if within.is_some_and(|within| *fold >= within) => {}
        Op::Var { .. } | Op::Root(_) | Op::Of(..) | Op::InGroup(..) => return None,
        Op::Field(a, _)
        | Op::Key(a, _)
        | Op::OptField(a, _)
        | Op::Has(a)
        | Op::Not(a)
        | Op::Neg(a)
        | Op::Matches(a, ..) => **a = replace(a, path, within)?,
        Op::Index(ab) | Op::OptIndex(ab) | Op::Binary(_, ab) => replace_all(ab.iter_mut(), path, within)?,
        Op::Conditional(abc) => replace_all(abc.iter_mut(), path, within)?,
        Op::And(list) | Op::Or(list) | Op::Call(_, list) => replace_all(list.iter_mut(), path, within)?,
        Op::List(list) => replace_all(list.iter_mut().map(|e| &mut e.value), path, within)?,
        Op::Map(list) => replace_all(list.iter_mut().flat_map(|e| [&mut e.key, &mut e.value]), path, within)?,
        Op::Fold(fold) => {
            fold.range = replace(&fold.range, path, within)?;
            let within = within.or(Some(fold.number));
            // Over nothing, what the body reads does not matter.
            let over_nothing = matches!(&fold.range.op, Op::Const(value) if value.is_zero());
            if !over_nothing {
                if let Some(filter) = &mut fold.filter {
                    *filter = replace(filter, path, within)?;
                }
                fold.body = replace(&fold.body, path, within)?;
            }
        }
    }
    Some(copy)
}

fn replace_all<'n>(nodes: impl Iterator<Item = &'n mut Node>, path: &Path, within: Option<u32>) -> Option<()> {
    for node in nodes {
        *node = replace(node, path, within)?;
    }
    Some(())
}

fn constant(node: &Node, value: Val<'static>) -> Node {
    Node { op: Op::Const(value), ..node.clone() }
}

/// What the absent field reads as at this place.
fn absent(node: &Node, path: &Path) -> Val<'static> {
    match (&node.op, path) {
        (Op::Binary(..), _) => Val::Bool(false),
        (Op::OptIndex(_) | Op::OptField(..), _) => Val::Optional(None),
        (Op::Call(..), _) => Val::Text(Text::Ref("")),
        (_, Path::Attribute(..)) => Val::Null,
        (_, Path::Of(_, member) | Path::Object(_, member)) => match member.ty() {
            Type::List(_) => Val::List(List::Ref(&[])),
            Type::Map(..) => Val::Map(Map::Custom(Several::default())),
            Type::Object(_) => Val::Object(Object::Absent),
            _ => call::zero(*member),
        },
    }
}
