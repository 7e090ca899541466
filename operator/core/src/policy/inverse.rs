//! Which parts of an identity a value at a target can have come from: the inverse of an attribute's expression, as far as it
//! has one. What is told is a guess that whoever asks checks by evaluating the rule: an expression may lose what it is given.

use std::sync::Arc;

use super::functions::Function;
use super::node::{Binary, FoldKind, Node, Op, Who};
use super::rule::Rule;
use super::types::Member;
use super::value::Val;
use crate::model::{Contact, Custom, Field, Value};

/// A part of an identity, and what it would be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Told {
    /// `userName`.
    UserName(Arc<str>),
    /// `externalId`.
    ExternalId(Arc<str>),
    /// One of the single-valued texts.
    Text(Field, Arc<str>),
    /// Some of the e-mail addresses.
    Emails(Vec<Contact>),
    /// Some of the telephone numbers.
    PhoneNumbers(Vec<Contact>),
    /// Fields of the postal address of a type.
    Address(Arc<str>, Vec<(AddressField, Arc<str>)>),
    /// The object's name of the manager.
    Manager(Arc<str>),
    /// An attribute of the organisation's own.
    Custom(Arc<str>, Custom),
}

/// A field of a postal address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs, reason = "each is the manifest's field of the same name")]
pub enum AddressField {
    Street,
    Locality,
    Region,
    PostalCode,
    Country,
}

impl AddressField {
    const ALL: [(Self, &'static str, Member); 5] = [
        (Self::Street, "street", Member::Street),
        (Self::Locality, "locality", Member::Locality),
        (Self::Region, "region", Member::Region),
        (Self::PostalCode, "postalCode", Member::PostalCode),
        (Self::Country, "country", Member::Country),
    ];
}

impl Rule {
    /// Whether it shows one part of the identity as it is: then a value that is absent is a part that is absent.
    pub fn is_plain(&self) -> bool {
        matches!(self.root.op, Op::Of(Who::Identity, _)) || key(&self.root).is_some()
    }

    /// What an identity may have for this value, what is likeliest first.
    pub fn inverse(&self, value: &Value) -> Vec<Told> {
        let mut found = Vec::new();
        invert(&self.root, value, &mut found);
        found
    }
}

fn invert(node: &Node, value: &Value, found: &mut Vec<Told>) {
    match &node.op {
        Op::Of(Who::Identity, Member::Addresses) => found.extend(items(value).iter().filter_map(address)),
        Op::Of(Who::Identity, member) => found.extend(field(*member, value)),
        Op::Conditional(parts) => parts.iter().skip(1).for_each(|part| invert(part, value, found)),
        Op::Call(Function::PrimaryEmail, _) => {
            let one = |text: &Arc<str>| Contact { value: Arc::clone(text), kind: None, primary: Some(true) };
            found.extend(text(value).map(|text| Told::Emails(vec![one(&text)])));
        }
        // What a function has done to a text is not undone; that it did nothing to this one is to be seen.
        Op::Call(_, args) => args.iter().take(1).for_each(|part| invert(part, value, found)),
        Op::Binary(Binary::Add, parts) => {
            let [first, second] = &**parts;
            let Some(whole) = text(value) else { return };
            if let Some(rest) = constant(second).and_then(|end| whole.strip_suffix(end)) {
                invert(first, &rest.into(), found);
            }
            if let Some(rest) = constant(first).and_then(|start| whole.strip_prefix(start)) {
                invert(second, &rest.into(), found);
            }
        }
        Op::Fold(fold) if matches!(fold.kind, FoldKind::Map) && fold.filter.is_none() => {
            let kind = chosen(&fold.range);
            if let (Some(list), Op::Field(_, member)) = (listed(&fold.range), &fold.body.op) {
                found.extend(projected(list, *member, kind, value));
            }
        }
        _ => {
            if let Some(name) = key(node) {
                found.extend(custom(value).map(|custom| Told::Custom(name.into(), custom)));
            }
        }
    }
}

/// The name of an attribute of the organisation's own, where the node reads one.
fn key(node: &Node) -> Option<&str> {
    let own = |of: &Node| matches!(of.op, Op::Of(Who::Identity, Member::Attributes));
    match &node.op {
        Op::Key(of, name) if own(of) => Some(name),
        Op::Index(parts) | Op::OptIndex(parts) => {
            let [of, name] = &**parts;
            if own(of) { constant(name) } else { None }
        }
        _ => None,
    }
}

fn constant(node: &Node) -> Option<&str> {
    match &node.op {
        Op::Const(Val::Text(text)) => Some(text.as_str()),
        _ => None,
    }
}

/// The list of the identity that a macro runs over.
fn listed(range: &Node) -> Option<Member> {
    match &range.op {
        Op::Of(Who::Identity, member) => Some(*member),
        Op::Fold(fold) if fold.kind == FoldKind::Filter => listed(&fold.range),
        _ => None,
    }
}

/// The type that the entries of a list are chosen by; none where they are all meant, or those of other types.
fn chosen(range: &Node) -> Option<Arc<str>> {
    let Op::Fold(fold) = &range.op else { return None };
    let Op::Binary(Binary::Eq, sides) = &fold.body.op else { return None };
    let [one, other] = &**sides;
    let Op::Field(_, Member::Kind) = &one.op else { return None };
    constant(other).map(Into::into)
}

fn field(member: Member, value: &Value) -> Option<Told> {
    Some(match member {
        Member::UserName => Told::UserName(text(value)?),
        Member::ExternalId => Told::ExternalId(text(value)?),
        Member::Text(field) => Told::Text(field, text(value)?),
        Member::RefName => Told::Manager(text(value)?),
        Member::Emails => Told::Emails(contacts(value)),
        Member::PhoneNumbers => Told::PhoneNumbers(contacts(value)),
        _ => return None,
    })
}

/// A text, or a number as one.
fn text(value: &Value) -> Option<Arc<str>> {
    match value {
        Value::Text(text) if !text.is_empty() => Some(Arc::clone(text)),
        Value::Int(number) => Some(number.to_string().into()),
        _ => None,
    }
}

fn items(value: &Value) -> &[Value] {
    match value {
        Value::List(items) => items,
        Value::Null => &[],
        one => std::slice::from_ref(one),
    }
}

fn custom(value: &Value) -> Option<Custom> {
    match value {
        Value::List(items) => Some(Custom::Many(items.iter().filter_map(text).collect())),
        one => text(one).map(Custom::One),
    }
}

fn contacts(value: &Value) -> Vec<Contact> {
    let one = |item: &Value| match item {
        Value::Map(map) => Some(Contact {
            value: map.get("value").and_then(text)?,
            kind: map.get("type").and_then(text),
            primary: match map.get("primary") {
                Some(Value::Bool(primary)) => Some(*primary),
                _ => None,
            },
        }),
        _ => None,
    };
    items(value).iter().filter_map(one).collect()
}

fn address(value: &Value) -> Option<Told> {
    let Value::Map(map) = value else { return None };
    let kind = map.get("type").and_then(text)?;
    let fields = AddressField::ALL.iter();
    let fields = fields.filter_map(|(field, name, _)| Some((*field, map.get(*name).and_then(text)?)));
    Some(Told::Address(kind, fields.collect()))
}

/// What a list of one field of each entry tells of the entries.
fn projected(list: Member, member: Member, kind: Option<Arc<str>>, value: &Value) -> Option<Told> {
    let texts: Vec<Arc<str>> = items(value).iter().filter_map(text).collect();
    let contacts = || {
        let one = |value: &Arc<str>| Contact { value: Arc::clone(value), kind: kind.clone(), primary: None };
        texts.iter().map(one).collect()
    };
    match (list, member) {
        (Member::Emails, Member::Value) => Some(Told::Emails(contacts())),
        (Member::PhoneNumbers, Member::Value) => Some(Told::PhoneNumbers(contacts())),
        (Member::Addresses, member) => {
            let (field, _, _) = AddressField::ALL.iter().find(|(_, _, of)| *of == member)?;
            let [only] = texts.as_slice() else { return None };
            Some(Told::Address(kind.unwrap_or_else(|| "work".into()), vec![(*field, Arc::clone(only))]))
        }
        _ => None,
    }
}

/// A name made of a text: lower-case ASCII letters, digits and single `-` between them; empty where nothing is left.
pub fn slug(text: &str) -> String {
    super::transliterate::slug(text)
}
