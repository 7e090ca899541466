//! The checker: from the parser's tree to one whose names are resolved and whose types are known.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;

use cel::common::ast::{CallExpr, EntryExpr, Expr, IdedExpr, ListExpr, LiteralValue, MapExpr, SelectExpr, operators};

use super::diagnostic::{Diagnostic, did_you_mean};
use super::facts::GroupId;
use super::node::{Binary, Element, Entry, Node, Op, Root, Who};
use super::parse::Parsed;
use super::rule::{Scope, Site};
use super::types::{Member, Schema, Type};
use super::value::{List, Text, Val};

/// The variables of a macro, while its body is checked.
pub(super) struct Bound {
    /// The number of the macro.
    pub number: u32,
    pub first: (String, Type),
    pub second: Option<(String, Type)>,
}

pub(super) struct Checker<'s, 'g> {
    pub source: &'s str,
    pub parsed: &'s Parsed,
    pub site: Site,
    pub scope: &'s mut Scope<'g>,
    pub bound: Vec<Bound>,
    /// Macros met so far.
    pub folds: u32,
    pub groups: BTreeSet<GroupId>,
    pub diagnostics: Vec<Diagnostic>,
}

/// `None`: it was wrong, and a diagnostic says so.
pub(super) type Checked = Option<Node>;

impl Checker<'_, '_> {
    pub fn refuse<T>(&mut self, span: Range<usize>, message: impl Into<String>, remedy: Option<String>) -> Option<T> {
        self.diagnostics.push(Diagnostic::error(self.source, span, message).with_remedy(remedy));
        None
    }

    pub fn span(&self, e: &IdedExpr) -> Range<usize> {
        self.parsed.span(e)
    }

    #[allow(clippy::unused_self, reason = "every node is made through the checker")]
    pub fn make(&self, span: &Range<usize>, op: Op, ty: Type) -> Node {
        let narrow = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
        Node { op, ty, start: narrow(span.start), end: narrow(span.end) }
    }

    pub fn check(&mut self, e: &IdedExpr) -> Checked {
        let span = self.span(e);
        match &e.expr {
            Expr::Literal(literal) => Some(self.literal(&span, literal)),
            Expr::Ident(name) => self.ident(&span, name),
            Expr::Select(select) => self.select(&span, select),
            Expr::Call(call) => self.call(&span, call),
            Expr::List(list) => self.list(&span, list),
            Expr::Map(map) => self.map(&span, map),
            Expr::Struct(made) => {
                let text = format!("messages such as {}{{..}} are left out", made.type_name);
                self.refuse(span, text, Some("write a map: {\"key\": value}".to_owned()))
            }
            Expr::Comprehension(_) | Expr::Unspecified => self.refuse(span, "the expression cannot be read", None),
        }
    }

    fn literal(&self, span: &Range<usize>, literal: &LiteralValue) -> Node {
        let (value, ty) = match literal {
            LiteralValue::Boolean(b) => (Val::Bool(*b.inner()), Type::Bool),
            LiteralValue::Int(i) => (Val::Int(*i.inner()), Type::Int),
            LiteralValue::UInt(u) => (Val::Uint(*u.inner()), Type::Uint),
            LiteralValue::Double(d) => (Val::Double(*d.inner()), Type::Double),
            LiteralValue::String(s) => (Val::Text(Text::Own(s.inner().into())), Type::Text),
            LiteralValue::Bytes(b) => (Val::Bytes(b.inner().into()), Type::Bytes),
            LiteralValue::Null => (Val::Null, Type::Null),
        };
        self.make(span, Op::Const(value), ty)
    }

    fn ident(&mut self, span: &Range<usize>, name: &str) -> Checked {
        let (plain, absolute) = name.strip_prefix('.').map_or((name, false), |plain| (plain, true));
        if !absolute && let Some((fold, second, ty)) = self.variable(plain) {
            return Some(self.make(span, Op::Var { fold, second }, ty));
        }
        let ty = match plain {
            "identity" => return Some(self.make(span, Op::Root(Root::Identity), Type::Object(Schema::Identity))),
            "application" if self.site == Site::Attribute => {
                return Some(self.make(span, Op::Root(Root::Application), Type::Object(Schema::Application)));
            }
            "application" => {
                return self.refuse(span.clone(), "application is known in the mapping of attributes alone", None);
            }
            "bool" => "bool",
            "int" => "int",
            "uint" => "uint",
            "double" => "double",
            "string" => "string",
            "bytes" => "bytes",
            "list" => "list",
            "map" => "map",
            "type" => "type",
            "null_type" => "null_type",
            _ => {
                let bound = self.bound.iter().flat_map(|b| [Some(&b.first), b.second.as_ref()]).flatten();
                let known: Vec<_> = bound.map(|(name, _)| name.as_str()).chain(["identity", "application"]).collect();
                let remedy = did_you_mean(plain, known)
                    .or_else(|| Schema::Identity.member(plain).map(|_| format!("did you mean 'identity.{plain}'?")))
                    .or_else(|| Some(format!("put a text in quotes: \"{plain}\"")));
                return self.refuse(span.clone(), format!("there is no variable '{plain}'"), remedy);
            }
        };
        Some(self.make(span, Op::Const(Val::Type(ty)), Type::Meta))
    }

    /// A variable of a macro: the innermost of its name.
    fn variable(&self, name: &str) -> Option<(u32, bool, Type)> {
        self.bound.iter().rev().find_map(|bound| match &bound.second {
            Some((second, ty)) if second == name => Some((bound.number, true, ty.clone())),
            _ if bound.first.0 == name => Some((bound.number, false, bound.first.1.clone())),
            _ => None,
        })
    }

    /// Whether a macro's variable hides a name.
    pub fn is_bound(&self, name: &str) -> bool {
        self.variable(name).is_some()
    }

    fn select(&mut self, span: &Range<usize>, select: &SelectExpr) -> Checked {
        if let Some(ty) = protobuf_type(select) {
            return Some(self.make(span, Op::Const(Val::Type(ty)), Type::Meta));
        }
        let operand = self.check(&select.operand)?;
        match operand.ty.clone() {
            Type::Object(schema) => {
                let member = self.member(schema, &select.field, span)?;
                Some(self.field(span, operand, member))
            }
            Type::Map(key, value) if Type::Text.fits(&key) => {
                Some(self.make(span, Op::Key(Box::new(operand), select.field.as_str().into()), *value))
            }
            Type::Dyn => Some(self.make(span, Op::Key(Box::new(operand), select.field.as_str().into()), Type::Dyn)),
            Type::Optional(_) => self.opt_select(span, operand, &select.field),
            other => {
                let remedy = match &other {
                    Type::List(_) => Some("use exists(), map() or an index".to_owned()),
                    _ => None,
                };
                self.refuse(span.clone(), format!("a {other} has no field '{}'", select.field), remedy)
            }
        }
    }

    /// A field by name, where the site has it.
    fn member(&mut self, schema: Schema, name: &str, span: &Range<usize>) -> Option<Member> {
        // The place is the name, which ends the selection.
        let place = span.end.saturating_sub(name.len())..span.end;
        let Some(member) = schema.member(name) else {
            let known = schema.members().iter().map(|(n, _)| *n);
            let remedy = hint(name)
                .or_else(|| did_you_mean(name, known))
                .unwrap_or_else(|| format!("custom attributes are read as identity.attributes.{name}"));
            return self.refuse(place, format!("{} has no field '{name}'", schema.title()), Some(remedy));
        };
        let alone = matches!(self.site, Site::GroupMatch | Site::Correlation);
        if alone && matches!(member, Member::Groups | Member::Manager | Member::State) {
            let why = match self.site {
                Site::GroupMatch => "in Group.match: membership depends on the identity alone",
                _ => "in correlate: a key depends on the identity alone",
            };
            return self.refuse(place, format!("identity.{name} is not available {why}"), None);
        }
        Some(member)
    }

    /// The node of a field; those of the identity and its manager are read directly.
    fn field(&self, span: &Range<usize>, operand: Node, member: Member) -> Node {
        let ty = member.ty();
        let op = match operand.op {
            Op::Root(Root::Identity) => Op::Of(Who::Identity, member),
            Op::Of(Who::Identity, Member::Manager) => Op::Of(Who::Manager, member),
            Op::Of(who, Member::Name | Member::ManagerRef | Member::Lifecycle) => Op::Of(who, member),
            _ => Op::Field(Box::new(operand), member),
        };
        self.make(span, op, ty)
    }

    /// `a.?b`, and `.b` on an optional.
    fn opt_select(&mut self, span: &Range<usize>, operand: Node, name: &str) -> Checked {
        let inner = match &operand.ty {
            Type::Optional(inner) => (**inner).clone(),
            other => other.clone(),
        };
        match inner {
            Type::Object(schema) => {
                let member = self.member(schema, name, span)?;
                let ty = Type::optional(member.ty());
                Some(self.make(span, Op::OptField(Box::new(operand), member), ty))
            }
            Type::Map(_, value) => {
                let key = self.text(span, name);
                Some(self.make(span, Op::OptIndex(Box::new([operand, key])), Type::optional(*value)))
            }
            Type::Dyn => {
                let key = self.text(span, name);
                Some(self.make(span, Op::OptIndex(Box::new([operand, key])), Type::optional(Type::Dyn)))
            }
            other => self.refuse(span.clone(), format!("a {other} has no field '{name}'"), None),
        }
    }

    fn text(&self, span: &Range<usize>, text: &str) -> Node {
        self.make(span, Op::Const(Val::Text(Text::Own(text.into()))), Type::Text)
    }

    fn list(&mut self, span: &Range<usize>, list: &ListExpr) -> Checked {
        let mut elements = Vec::with_capacity(list.elements.len());
        let mut ty: Option<Type> = None;
        let mut sound = true;
        for (at, element) in list.elements.iter().enumerate() {
            let optional = list.optional_indices.contains(&at);
            let Some(value) = self.check(element).and_then(|value| self.element(value, optional)) else {
                sound = false;
                continue;
            };
            let found = element_type(&value.ty, optional);
            ty = Some(ty.map_or_else(|| found.clone(), |ty| ty.join(&found)));
            elements.push(Element { value, optional });
        }
        if !sound {
            return None;
        }
        let ty = Type::list(ty.unwrap_or(Type::Dyn));
        let constants: Option<Arc<[Val<'static>]>> = elements
            .iter()
            .map(|e| match &e.value.op {
                Op::Const(value) if !e.optional => Some(value.clone()),
                _ => None,
            })
            .collect();
        let op = constants.map_or_else(|| Op::List(elements.into()), |list| Op::Const(Val::List(List::Own(list))));
        Some(self.make(span, op, ty))
    }

    fn element(&mut self, value: Node, optional: bool) -> Checked {
        if optional && !matches!(value.ty, Type::Optional(_) | Type::Dyn) {
            return self.refuse(value.span(), format!("found {} where an optional is expected", value.ty), None);
        }
        Some(value)
    }

    fn map(&mut self, span: &Range<usize>, map: &MapExpr) -> Checked {
        let mut entries = Vec::with_capacity(map.entries.len());
        let mut types: Option<(Type, Type)> = None;
        let mut sound = true;
        for entry in &map.entries {
            let EntryExpr::MapEntry(entry) = &entry.expr else { continue };
            let key = self.check(&entry.key).and_then(|key| self.map_key(key));
            let value = self.check(&entry.value).and_then(|value| self.element(value, entry.optional));
            let (Some(key), Some(value)) = (key, value) else {
                sound = false;
                continue;
            };
            let found = (key.ty.clone(), element_type(&value.ty, entry.optional));
            types = Some(match types {
                None => found,
                Some((k, v)) => (k.join(&found.0), v.join(&found.1)),
            });
            entries.push(Entry { key, value, optional: entry.optional });
        }
        let (key, value) = types.unwrap_or((Type::Dyn, Type::Dyn));
        sound.then(|| self.make(span, Op::Map(entries.into()), Type::map(key, value)))
    }

    fn map_key(&mut self, key: Node) -> Checked {
        match key.ty {
            Type::Text | Type::Int | Type::Uint | Type::Bool | Type::Dyn => Some(key),
            ref other => self.refuse(key.span(), format!("a {other} cannot be the key of a map"), None),
        }
    }

    fn call(&mut self, span: &Range<usize>, call: &CallExpr) -> Checked {
        if call.target.is_none() {
            match (call.func_name.as_str(), call.args.as_slice()) {
                (operators::LOGICAL_AND, [a, b]) => return self.logic(span, a, b, true),
                (operators::LOGICAL_OR, [a, b]) => return self.logic(span, a, b, false),
                (operators::LOGICAL_NOT, [a]) => {
                    let part = self.condition(a)?;
                    return Some(self.make(span, Op::Not(Box::new(part)), Type::Bool));
                }
                (operators::NEGATE, [a]) => return self.negative(span, a),
                (operators::CONDITIONAL, [c, a, b]) => return self.conditional(span, c, a, b),
                (operators::INDEX, [a, b]) => return self.index(span, a, b),
                (operators::OPT_INDEX, [a, b]) => return self.opt_index(span, a, b),
                (operators::OPT_SELECT, [a, name]) => {
                    let Expr::Literal(LiteralValue::String(name)) = &name.expr else { return None };
                    let operand = self.check(a)?;
                    return self.opt_select(span, operand, name.inner());
                }
                (name, [a, b]) => {
                    if let Some(op) = binary(name) {
                        return self.binary(span, op, a, b);
                    }
                }
                _ => {}
            }
        }
        self.function(span, call)
    }

    /// An expression that must be a condition.
    pub fn condition(&mut self, e: &IdedExpr) -> Checked {
        let node = self.check(e)?;
        match node.ty {
            Type::Bool | Type::Dyn => Some(node),
            ref other => {
                let text = format!("found {other} where a condition (bool) is expected");
                self.refuse(node.span(), text, None)
            }
        }
    }

    /// `&&` and `||`, flattened: `a && b && c` is one node.
    fn logic(&mut self, span: &Range<usize>, a: &IdedExpr, b: &IdedExpr, and: bool) -> Checked {
        let (a, b) = (self.condition(a), self.condition(b));
        let mut parts = Vec::new();
        for part in [a?, b?] {
            match part.op {
                Op::And(inner) if and => parts.extend(inner),
                Op::Or(inner) if !and => parts.extend(inner),
                _ => parts.push(part),
            }
        }
        let parts = parts.into_boxed_slice();
        Some(self.make(span, if and { Op::And(parts) } else { Op::Or(parts) }, Type::Bool))
    }

    fn negative(&mut self, span: &Range<usize>, a: &IdedExpr) -> Checked {
        let part = self.check(a)?;
        match part.ty.clone() {
            ty @ (Type::Int | Type::Double | Type::Duration | Type::Dyn) => {
                Some(self.make(span, Op::Neg(Box::new(part)), ty))
            }
            other => self.refuse(span.clone(), format!("a {other} has no negative"), None),
        }
    }

    fn conditional(&mut self, span: &Range<usize>, c: &IdedExpr, a: &IdedExpr, b: &IdedExpr) -> Checked {
        let (c, a, b) = (self.condition(c), self.check(a), self.check(b));
        let (c, a, b) = (c?, a?, b?);
        let ty = if a.ty == Type::Null || b.ty == Type::Null {
            Type::Dyn
        } else if a.ty.fits(&b.ty) {
            a.ty.clone().join(&b.ty)
        } else {
            let text = format!("the branches of ?: are {} and {}", a.ty, b.ty);
            return self.refuse(span.clone(), text, Some("make them the same type".to_owned()));
        };
        Some(self.make(span, Op::Conditional(Box::new([c, a, b])), ty))
    }

    fn index(&mut self, span: &Range<usize>, a: &IdedExpr, b: &IdedExpr) -> Checked {
        let (a, b) = (self.check(a), self.check(b));
        let (a, b) = (a?, b?);
        self.constant_attribute(&a, &b)?;
        let ty = match &a.ty {
            Type::Optional(inner) => {
                let ty = Type::optional(self.indexed(&inner.clone(), &b)?);
                return Some(self.make(span, Op::OptIndex(Box::new([a, b])), ty));
            }
            of => self.indexed(&of.clone(), &b)?,
        };
        Some(match (&a.ty, b.op) {
            // `m["k"]` and `m.k` are one.
            (Type::Map(..), Op::Const(Val::Text(key))) => {
                self.make(span, Op::Key(Box::new(a), key.as_str().into()), ty)
            }
            (_, op) => {
                let b = Node { op, ..b };
                self.make(span, Op::Index(Box::new([a, b])), ty)
            }
        })
    }

    fn opt_index(&mut self, span: &Range<usize>, a: &IdedExpr, b: &IdedExpr) -> Checked {
        let (a, b) = (self.check(a), self.check(b));
        let (a, b) = (a?, b?);
        self.constant_attribute(&a, &b)?;
        let of = match &a.ty {
            Type::Optional(inner) => (**inner).clone(),
            other => other.clone(),
        };
        let ty = Type::optional(self.indexed(&of, &b)?);
        Some(self.make(span, Op::OptIndex(Box::new([a, b])), ty))
    }

    /// In a condition the name of a custom attribute is constant: what absence does can then be told.
    fn constant_attribute(&mut self, a: &Node, b: &Node) -> Option<()> {
        let varies = matches!(a.op, Op::Of(_, Member::Attributes)) && !matches!(b.op, Op::Const(_));
        if varies && self.site.is_condition() {
            return self.refuse(b.span(), "the name of a custom attribute must be constant in a condition", None);
        }
        Some(())
    }

    /// The type of an element.
    fn indexed(&mut self, of: &Type, index: &Node) -> Option<Type> {
        match of {
            Type::Dyn => Some(Type::Dyn),
            Type::List(of) if matches!(index.ty, Type::Int | Type::Dyn | Type::Uint | Type::Double) => {
                Some((**of).clone())
            }
            Type::Map(key, value) if index.ty.comparable(key) => Some((**value).clone()),
            Type::Object(schema) => {
                let text = format!("the fields of {} are read by name", schema.title());
                self.refuse(index.span(), text, Some("write identity.title, not identity[\"title\"]".to_owned()))
            }
            Type::List(_) | Type::Map(..) => {
                self.refuse(index.span(), format!("a {of} has no element of type {}", index.ty), None)
            }
            _ => self.refuse(index.span(), format!("a {of} has no elements"), None),
        }
    }

    fn binary(&mut self, span: &Range<usize>, op: Binary, a: &IdedExpr, b: &IdedExpr) -> Checked {
        if op == Binary::In
            && let Some(node) = self.in_groups(span, a, b)
        {
            return node;
        }
        let (a, b) = (self.check(a), self.check(b));
        let (a, b) = (a?, b?);
        let ty = self.combine(span, op, &a, &b)?;
        Some(self.make(span, Op::Binary(op, Box::new([a, b])), ty))
    }
}

fn element_type(ty: &Type, optional: bool) -> Type {
    match ty {
        Type::Optional(inner) if optional => (**inner).clone(),
        other => other.clone(),
    }
}

fn binary(name: &str) -> Option<Binary> {
    Some(match name {
        operators::ADD => Binary::Add,
        operators::SUBSTRACT => Binary::Sub,
        operators::MULTIPLY => Binary::Mul,
        operators::DIVIDE => Binary::Div,
        operators::MODULO => Binary::Rem,
        operators::EQUALS => Binary::Eq,
        operators::NOT_EQUALS => Binary::Ne,
        operators::LESS => Binary::Lt,
        operators::LESS_EQUALS => Binary::Le,
        operators::GREATER => Binary::Gt,
        operators::GREATER_EQUALS => Binary::Ge,
        operators::IN => Binary::In,
        _ => return None,
    })
}

/// `google.protobuf.Timestamp` and `Duration`, as types.
fn protobuf_type(select: &SelectExpr) -> Option<&'static str> {
    let Expr::Select(package) = &select.operand.expr else { return None };
    let Expr::Ident(root) = &package.operand.expr else { return None };
    match (root.as_str(), package.field.as_str(), select.field.as_str()) {
        ("google", "protobuf", "Timestamp") => Some("google.protobuf.Timestamp"),
        ("google", "protobuf", "Duration") => Some("google.protobuf.Duration"),
        _ => None,
    }
}

/// For names that other systems use.
fn hint(name: &str) -> Option<String> {
    Some(match name {
        "email" | "mail" => "write identity.primaryEmail()".to_owned(),
        "givenName" | "firstName" => "did you mean 'name.given'?".to_owned(),
        "familyName" | "lastName" | "surname" => "did you mean 'name.family'?".to_owned(),
        "phone" => "did you mean 'phoneNumbers'?".to_owned(),
        "startTime" | "endTime" | "suspended" => format!("did you mean 'lifecycle.{name}'?"),
        _ => return None,
    })
}
