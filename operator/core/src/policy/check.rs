//! The checker: from the parser's tree to one whose names are resolved and whose types are known.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;

use cel::common::ast::{CallExpr, EntryExpr, Expr, IdedExpr, ListExpr, LiteralValue, MapExpr, SelectExpr, operators};

use super::diagnostic::{Diagnostic, SEE, compared, did_you_mean};
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
    pub fn refuse<T>(
        &mut self,
        span: Range<usize>,
        message: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Option<T> {
        self.diagnostics.push(Diagnostic::error(self.source, span, message, remedy));
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
                self.refuse(span, text, "write a map: {\"key\": value}")
            }
            Expr::Comprehension(_) | Expr::Unspecified => self.refuse(span, "the expression cannot be read", SEE),
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
                let message = "application is known in the mapping of attributes alone";
                return self.refuse(span.clone(), message, "ask for fields of identity alone");
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
                    .unwrap_or_else(|| format!("put a text in quotes: \"{plain}\""));
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
            other => self.no_field(span, &other, &select.field),
        }
    }

    fn no_field<T>(&mut self, span: &Range<usize>, ty: &Type, name: &str) -> Option<T> {
        let remedy = match ty {
            Type::List(_) => "use exists(), map() or an index".to_owned(),
            _ => format!("take '.{name}' out, or write {name}() if a function is meant"),
        };
        self.refuse(span.clone(), format!("a {ty} has no field '{name}'"), remedy)
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
            return self.refuse(place, format!("{} has no field '{name}'", schema.title()), remedy);
        };
        let alone = matches!(self.site, Site::GroupMatch | Site::Correlation);
        if alone && matches!(member, Member::Groups | Member::Manager | Member::State) {
            let why = match self.site {
                Site::GroupMatch => "in Group.match: membership depends on the identity alone",
                _ => "in correlate: a key depends on the identity alone",
            };
            let remedy = match (self.site, member) {
                (Site::GroupMatch, Member::Groups) => "list the other group in members, which takes its members in",
                (_, Member::Manager) => "write identity.managerRef.name == \"..\" for the manager's own name",
                (Site::GroupMatch, _) => "leave it out, or ask for it in the AccessPolicy that names the group",
                _ => "use what is the identity's own, as identity.userName or identity.employeeNumber",
            };
            return self.refuse(place, format!("identity.{name} is not available {why}"), remedy);
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
            other => self.no_field(span, &other, name),
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
            let message = format!("found {} where an optional is expected", value.ty);
            return self.refuse(value.span(), message, "take the ? before it away, or write optional.of(..)");
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
            ref other => {
                let message = format!("a {other} cannot be the key of a map");
                self.refuse(key.span(), message, "use a string, an int, a uint or a bool as key")
            }
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
                let remedy = compared(self.source.get(node.span()).unwrap_or(".."), other);
                self.refuse(node.span(), text, remedy)
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
            other => {
                let remedy =
                    if other == Type::Bool { "write ! for not" } else { "take the - away, or convert with int()" };
                self.refuse(span.clone(), format!("a {other} has no negative"), remedy)
            }
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
            return self.refuse(span.clone(), text, "make them the same type");
        };
        Some(self.make(span, Op::Conditional(Box::new([c, a, b])), ty))
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
