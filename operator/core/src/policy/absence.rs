//! What a condition can come to while one optional field is absent and everything else could be anything.

use std::collections::HashMap;

use super::call;
use super::eval::Machine;
use super::facts::{Cost, Facts, Manager, Memberships};
use super::functions::Function;
use super::node::{Binary, FoldKind, Node, Op, Root, Who, children, children_mut};
use super::types::{Member, Type};
use super::value::{List, Map, Object, Text, Val};
use crate::model::{Identity, IdentityType, Lifecycle, PackedIdentity, Several, State, UserName};

/// An optional field, as a rule reads it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Path {
    Of(Who, Member),
    Attribute(Who, String),
    /// A field of another object (an e-mail address, say), by where that object comes from.
    Object(String, Member),
}

impl Path {
    /// The optional field that an expression reads, if it is one.
    pub(super) fn read_by(node: &Node) -> Option<Self> {
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
    pub(super) fn text(&self, node: &Node, source: &str) -> String {
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
pub(super) struct Can {
    pub(super) be_true: bool,
    pub(super) be_false: bool,
}

const ANYTHING: Can = Can { be_true: true, be_false: true };

/// One look at one rule: whatever is evaluated for it, for however many fields, is paid for from one budget.
pub(super) struct Look<'n> {
    /// The optional fields that are read, in the order of the source, each with where it is read first.
    paths: Vec<(Path, &'n Node)>,
    /// The fields that are read within each expression, sorted; an expression that reads none is not there.
    within: HashMap<*const Node, Vec<usize>>,
    /// What was found of expressions that read the field at hand.
    touched: HashMap<*const Node, Can>,
    /// What was found of those that do not: it holds for every field.
    apart: HashMap<*const Node, Can>,
    cost: Cost,
    /// The budget is used up: nothing can be said.
    pub(super) exhausted: bool,
}

impl<'n> Look<'n> {
    pub(super) fn new(root: &'n Node) -> Self {
        let mut look = Self {
            paths: Vec::new(),
            within: HashMap::new(),
            touched: HashMap::new(),
            apart: HashMap::new(),
            cost: Cost::default(),
            exhausted: false,
        };
        let mut numbers = HashMap::new();
        look.collect(root, &mut numbers);
        look.note(root, &numbers);
        look
    }

    /// The fields to ask about.
    pub(super) fn paths(&self) -> Vec<(Path, &'n Node)> {
        self.paths.clone()
    }

    /// Every optional field that is read, in the order of the source.
    fn collect(&mut self, node: &'n Node, numbers: &mut HashMap<Path, usize>) {
        let path = Path::read_by(node);
        // The map of attributes is read as a whole only where no key is named.
        let by_key = matches!(path, Some(Path::Attribute(..)));
        if let Some(path) = path
            && !numbers.contains_key(&path)
        {
            numbers.insert(path.clone(), self.paths.len());
            self.paths.push((path, node));
        }
        for child in children(node) {
            if !(by_key && matches!(child.op, Op::Of(_, Member::Attributes))) {
                self.collect(child, numbers);
            }
        }
    }

    /// Notes which fields are read within each expression.
    fn note(&mut self, node: &'n Node, numbers: &HashMap<Path, usize>) -> Vec<usize> {
        let own = Path::read_by(node).and_then(|path| numbers.get(&path).copied());
        let mut found: Vec<usize> = own.into_iter().collect();
        for child in children(node) {
            found.extend(self.note(child, numbers));
        }
        found.sort_unstable();
        found.dedup();
        if !found.is_empty() {
            self.within.insert(std::ptr::from_ref(node), found.clone());
        }
        found
    }

    /// Turns to another field.
    pub(super) fn turn(&mut self) {
        self.touched.clear();
    }

    /// Whether an expression of the rule reads a field, by its number.
    pub(super) fn reads(&self, node: &Node, field: usize) -> bool {
        self.within.get(&std::ptr::from_ref(node)).is_some_and(|fields| fields.binary_search(&field).is_ok())
    }

    /// What a condition can come to while the field is absent. An error makes nothing true and nothing false.
    pub(super) fn without(&mut self, node: &Node, field: usize) -> Can {
        let touched = self.reads(node, field);
        let known = if touched { &self.touched } else { &self.apart };
        if let Some(can) = known.get(&std::ptr::from_ref(node)) {
            return *can;
        }
        let can = self.look(node, field);
        let known = if touched { &mut self.touched } else { &mut self.apart };
        known.insert(std::ptr::from_ref(node), can);
        can
    }

    fn look(&mut self, node: &Node, field: usize) -> Can {
        match &node.op {
            Op::And(parts) => parts.iter().fold(Can { be_true: true, be_false: false }, |all, part| {
                let can = self.without(part, field);
                Can { be_true: all.be_true && can.be_true, be_false: all.be_false || can.be_false }
            }),
            Op::Or(parts) => parts.iter().fold(Can { be_true: false, be_false: true }, |all, part| {
                let can = self.without(part, field);
                Can { be_true: all.be_true || can.be_true, be_false: all.be_false && can.be_false }
            }),
            Op::Not(part) => {
                let can = self.without(part, field);
                Can { be_true: can.be_false, be_false: can.be_true }
            }
            Op::Conditional(abc) => {
                let [condition, yes, no] = &**abc;
                let c = self.without(condition, field);
                let (yes, no) = (self.without(yes, field), self.without(no, field));
                Can {
                    be_true: c.be_true && yes.be_true || c.be_false && no.be_true,
                    be_false: c.be_true && yes.be_false || c.be_false && no.be_false,
                }
            }
            Op::Fold(fold) if matches!(fold.kind, FoldKind::All | FoldKind::Exists) => {
                if let Some(can) = self.settled(node, field) {
                    return can;
                }
                let body = self.without(&fold.body, field);
                match fold.kind {
                    FoldKind::All => Can { be_true: true, be_false: body.be_false },
                    _ => Can { be_true: body.be_true, be_false: true },
                }
            }
            _ => self.settled(node, field).unwrap_or(ANYTHING),
        }
    }

    /// The outcome of an expression that reads nothing but the absent field.
    fn settled(&mut self, node: &Node, field: usize) -> Option<Can> {
        let (path, _) = self.paths.get(field)?;
        if self.exhausted || !closed(node, path, None) {
            return None;
        }
        let mut replaced = node.clone();
        replace(&mut replaced, path);
        let identity = nobody();
        let facts = Facts {
            identity: &identity,
            manager: Manager::Absent,
            state: State::Active,
            application: None,
            groups: Memberships { sure: &[], unknown: &[], name: &|_| None },
        };
        let outcome = Machine { facts: &facts, cost: &mut self.cost }.truth(&replaced, None);
        Some(match outcome {
            Ok(truth) => Can { be_true: truth, be_false: !truth },
            Err(fault) if fault.exhausted => {
                self.exhausted = true;
                ANYTHING
            }
            Err(_) => Can { be_true: false, be_false: false },
        })
    }
}

fn nobody() -> PackedIdentity {
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
    identity.pack()
}

/// Whether an expression reads nothing but the field. `entered` is the number of the outermost macro that was entered
/// on the way: variables from there on belong to the expression.
fn closed(node: &Node, path: &Path, entered: Option<u32>) -> bool {
    if Path::read_by(node).as_ref() == Some(path) {
        return true;
    }
    match &node.op {
        Op::Has(field) if Path::read_by(field).as_ref() == Some(path) => true,
        Op::Var { fold, .. } => entered.is_some_and(|entered| *fold >= entered),
        Op::Root(_) | Op::Of(..) | Op::InGroup(..) => false,
        Op::Fold(fold) => {
            let entered = entered.or(Some(fold.number));
            // Over nothing, what the body reads does not matter.
            closed(&fold.range, path, entered)
                && (over_nothing(&fold.range, path)
                    || fold.filter.iter().chain([&fold.body]).all(|part| closed(part, path, entered)))
        }
        _ => children(node).into_iter().all(|child| closed(child, path, entered)),
    }
}

/// Whether a macro's range is empty while the field is absent.
fn over_nothing(range: &Node, path: &Path) -> bool {
    match &range.op {
        Op::Const(value) => value.is_zero(),
        _ => Path::read_by(range).as_ref() == Some(path) && absent(range, path).is_zero(),
    }
}

/// Puts the absent field's zero value in its place. The body of a macro over nothing is left as it is: it is not asked.
fn replace(node: &mut Node, path: &Path) {
    if let Op::Has(field) = &node.op
        && Path::read_by(field).as_ref() == Some(path)
    {
        node.op = Op::Const(Val::Bool(false));
        return;
    }
    if Path::read_by(node).as_ref() == Some(path) {
        node.op = Op::Const(absent(node, path));
        return;
    }
    for child in children_mut(node) {
        replace(child, path);
    }
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
