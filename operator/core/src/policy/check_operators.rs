//! The types that operators take, and `in identity.groups`.

use std::ops::Range;

use cel::common::ast::{Expr, IdedExpr};

use super::check::{Checked, Checker};
use super::diagnostic::did_you_mean;
use super::node::{Binary, Node, Op};
use super::types::{Member, Type};
use super::value::{List, Val};

impl Binary {
    fn sign(self) -> &'static str {
        match self {
            Self::Add => "+",
            Self::Sub => "-",
            Self::Mul => "*",
            Self::Div => "/",
            Self::Rem => "%",
            Self::Eq => "==",
            Self::Ne => "!=",
            Self::Lt => "<",
            Self::Le => "<=",
            Self::Gt => ">",
            Self::Ge => ">=",
            Self::In => "in",
        }
    }
}

impl Checker<'_, '_> {
    /// The type of `a op b`.
    pub(super) fn combine(&mut self, span: &Range<usize>, op: Binary, a: &Node, b: &Node) -> Option<Type> {
        match op {
            Binary::Eq | Binary::Ne => self.equality(span, op, a, b),
            Binary::In => self.containment(span, a, b),
            Binary::Lt | Binary::Le | Binary::Gt | Binary::Ge => {
                let ordered = |ty: &Type| {
                    matches!(ty, Type::Bool | Type::Text | Type::Bytes | Type::Timestamp | Type::Duration | Type::Dyn)
                        || ty.is_number()
                };
                if ordered(&a.ty) && ordered(&b.ty) && a.ty.comparable(&b.ty) {
                    return Some(Type::Bool);
                }
                self.mismatch(span, op, a, b)
            }
            _ => match arithmetic(op, &a.ty, &b.ty) {
                Some(ty) => Some(ty),
                None => self.mismatch(span, op, a, b),
            },
        }
    }

    fn mismatch(&mut self, span: &Range<usize>, op: Binary, a: &Node, b: &Node) -> Option<Type> {
        let text = format!("found {} {} {}; the types do not go together", a.ty, op.sign(), b.ty);
        let remedy = match (op, &a.ty, &b.ty) {
            (Binary::Add, Type::Text, _) | (Binary::Add, _, Type::Text) => "convert with string()".to_owned(),
            (_, Type::Text, other) | (_, other, Type::Text) if other.is_number() => {
                format!("compare texts with texts, or convert with {other}()")
            }
            _ => format!("write both sides in one type that has {}", op.sign()),
        };
        self.refuse(span.clone(), text, remedy)
    }

    fn equality(&mut self, span: &Range<usize>, op: Binary, a: &Node, b: &Node) -> Option<Type> {
        if a.ty.comparable(&b.ty) {
            for (field, constant) in [(a, b), (b, a)] {
                if let Op::Const(value) = &constant.op {
                    self.known_value(field, value, constant)?;
                }
            }
            return Some(Type::Bool);
        }
        let remedy = match (&a.ty, &b.ty) {
            (_, Type::Null) => self.presence(a),
            (Type::Null, _) => self.presence(b),
            (Type::Text, Type::List(_)) => "write: in".to_owned(),
            (Type::Object(_), _) | (_, Type::Object(_)) => "compare their fields".to_owned(),
            (Type::Text, other) | (other, Type::Text) if other.is_number() => {
                "put the number in quotes, or convert one side".to_owned()
            }
            _ => "compare it with a value of its own type".to_owned(),
        };
        let text = format!("{} {} {} can never be decided: the types differ", a.ty, op.sign(), b.ty);
        self.refuse(span.clone(), text, remedy)
    }

    fn presence(&self, field: &Node) -> String {
        let is_field = matches!(field.op, Op::Of(..) | Op::Field(..) | Op::Key(..));
        match self.source.get(field.span()).filter(|_| is_field) {
            Some(text) => format!("absent fields are never null: write !has({text}) or has({text})"),
            None => "compare it with a value of its own type: it is never null".to_owned(),
        }
    }

    /// A constant beside a field that has few values must be one of them.
    fn known_value(&mut self, field: &Node, value: &Val<'static>, place: &Node) -> Option<()> {
        let Op::Of(_, member) = field.op else { return Some(()) };
        let (Some(values), Val::Text(text)) = (member.values(), value) else { return Some(()) };
        if values.contains(&text.as_str()) {
            return Some(());
        }
        let name = if member == Member::State { "state" } else { "type" };
        let message = format!("identity.{name} is {}; never \"{}\"", values.join(" or "), text.as_str());
        let remedy = did_you_mean(text.as_str(), values.iter().copied());
        let remedy = remedy.unwrap_or_else(|| format!("write one of \"{}\"", values.join("\", \"")));
        self.refuse(place.span(), message, remedy)
    }

    fn containment(&mut self, span: &Range<usize>, a: &Node, b: &Node) -> Option<Type> {
        match &b.ty {
            Type::Dyn => {}
            Type::List(of) if a.ty.comparable(of) => {
                if let Op::Const(Val::List(List::Own(list))) = &b.op {
                    let known: Vec<_> = list.iter().map(|value| self.known_value(a, value, b)).collect();
                    known.into_iter().collect::<Option<()>>()?;
                }
            }
            Type::Map(key, _) if a.ty.comparable(key) => {}
            Type::List(_) | Type::Map(..) => {
                let text = format!("a {} is never in a {}", a.ty, b.ty);
                return self.refuse(span.clone(), text, "look for a value of the type that is in it");
            }
            Type::Text => {
                let remedy = "write: ==, or contains() for a part of the text";
                return self.refuse(b.span(), "`in` takes a list or a map; found string", remedy);
            }
            other => {
                let message = format!("`in` takes a list or a map; found {other}");
                return self.refuse(b.span(), message, "write a list behind it, as in [\"a\", \"b\"], or ==");
            }
        }
        Some(Type::Bool)
    }

    /// `"name" in identity.groups`; `None` if it is none of these.
    pub(super) fn in_groups(&mut self, span: &Range<usize>, a: &IdedExpr, b: &IdedExpr) -> Option<Checked> {
        let Expr::Select(select) = &b.expr else { return None };
        let is_identity = matches!(&select.operand.expr, Expr::Ident(name) if name == "identity");
        if !is_identity || select.field != "groups" || self.is_bound("identity") {
            return None;
        }
        let (groups, left) = (self.check(b), self.check(a));
        let (Some(_), Some(left)) = (groups, left) else { return Some(None) };
        let Op::Const(Val::Text(name)) = &left.op else {
            let text = if matches!(left.ty, Type::Text | Type::Dyn) {
                "the name of a group must be constant, so that what a rule depends on is known".to_owned()
            } else {
                format!("the name of a group is a string; found {}", left.ty)
            };
            let remedy = "write \"a\" in identity.groups || \"b\" in identity.groups";
            return Some(self.refuse(left.span(), text, remedy));
        };
        let group = (self.scope.group)(name.as_str());
        self.groups.insert(group);
        Some(Some(self.make(span, Op::InGroup(group, name.as_str().into()), Type::Bool)))
    }
}

/// The type of `a op b` for the operators of arithmetic.
fn arithmetic(op: Binary, a: &Type, b: &Type) -> Option<Type> {
    use Type::{Bytes, Double, Duration, Dyn, Int, List, Text, Timestamp, Uint};
    Some(match (op, a, b) {
        (_, Dyn, _) | (_, _, Dyn) => Dyn,
        (Binary::Rem, Double, Double) => return None,
        (_, Int, Int) => Int,
        (_, Uint, Uint) => Uint,
        (_, Double, Double) => Double,
        (Binary::Add, Text, Text) => Text,
        (Binary::Add, Bytes, Bytes) => Bytes,
        (Binary::Add, List(a), List(b)) => Type::list((**a).clone().join(b)),
        (Binary::Add | Binary::Sub, Timestamp, Duration) | (Binary::Add, Duration, Timestamp) => Timestamp,
        (Binary::Sub, Timestamp, Timestamp) | (Binary::Add | Binary::Sub, Duration, Duration) => Duration,
        _ => return None,
    })
}
