//! `a[b]` and `a[?b]`: the elements of lists and maps.

use std::ops::Range;

use cel::common::ast::IdedExpr;

use super::check::{Checked, Checker};
use super::node::{Node, Op};
use super::types::{Member, Type};
use super::value::Val;

impl Checker<'_, '_> {
    pub(super) fn index(&mut self, span: &Range<usize>, a: &IdedExpr, b: &IdedExpr) -> Checked {
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

    pub(super) fn opt_index(&mut self, span: &Range<usize>, a: &IdedExpr, b: &IdedExpr) -> Checked {
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
            let message = "the name of a custom attribute must be constant in a condition";
            return self.refuse(b.span(), message, "write it in quotes, as in identity.attributes[\"team\"]");
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
                self.refuse(index.span(), text, "write identity.title, not identity[\"title\"]")
            }
            Type::List(_) | Type::Map(..) => {
                let wanted = if let Type::Map(key, _) = of { key.to_string() } else { Type::Int.to_string() };
                let message = format!("a {of} has no element of type {}", index.ty);
                self.refuse(index.span(), message, format!("put {wanted} in the brackets"))
            }
            _ => {
                let remedy = if *of == Type::Text { "use charAt() or substring()" } else { "take the brackets away" };
                self.refuse(index.span(), format!("a {of} has no elements"), remedy)
            }
        }
    }
}
