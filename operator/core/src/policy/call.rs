//! What fields read as, and what operators and functions do.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::eval::{Outcome, fail, paid};
use super::facts::Cost;
use super::functions::Function;
use super::node::{Binary, Node};
use super::strings;
use super::time;
use super::types::{Member, Type};
use super::value::{List, Map, Object, Text, Val};
use crate::model::{Field, PackedIdentity, Several};

/// A field of an object; an absent one reads as the zero value of its type.
pub(super) fn member(object: Object<'_>, member: Member) -> Val<'_> {
    let found = match (object, member) {
        (Object::Identity(i) | Object::Manager(i) | Object::PersonName(i) | Object::ManagerRef(i), member) => {
            Some(identity_member(i, member))
        }
        (Object::Lifecycle(l), Member::StartTime) => l.start.map(Val::Timestamp),
        (Object::Lifecycle(l), Member::EndTime) => l.end.map(Val::Timestamp),
        (Object::Lifecycle(l), Member::Suspended) => Some(Val::Bool(l.suspended)),
        (Object::Contact(c), Member::Value) => Some(Val::text(c.value())),
        (Object::Contact(c), Member::Kind) => c.kind().map(Val::text),
        (Object::Contact(c), Member::Primary) => c.primary().map(Val::Bool),
        (Object::Address(a), Member::Kind) => Some(Val::text(a.kind())),
        (Object::Address(a), Member::Street) => a.street().map(Val::text),
        (Object::Address(a), Member::Locality) => a.locality().map(Val::text),
        (Object::Address(a), Member::Region) => a.region().map(Val::text),
        (Object::Address(a), Member::PostalCode) => a.postal_code().map(Val::text),
        (Object::Address(a), Member::Country) => a.country().map(Val::text),
        _ => None,
    };
    found.unwrap_or_else(|| zero(member))
}

fn identity_member(identity: &PackedIdentity, member: Member) -> Val<'_> {
    match member {
        Member::Text(field) => Val::text(identity.text(field).unwrap_or_default()),
        Member::Type => Val::text(identity.kind().as_str()),
        Member::UserName => Val::text(identity.user_name()),
        Member::ExternalId => Val::text(identity.external_id().unwrap_or_default()),
        Member::Name => Val::Object(Object::PersonName(identity)),
        Member::Emails => Val::List(List::Contacts(identity.emails())),
        Member::PhoneNumbers => Val::List(List::Contacts(identity.phone_numbers())),
        Member::Addresses => Val::List(List::Addresses(identity.addresses())),
        Member::Attributes => Val::Map(Map::Custom(identity.custom())),
        Member::ManagerRef => Val::Object(Object::ManagerRef(identity)),
        Member::RefName => Val::text(identity.manager().unwrap_or_default()),
        Member::Lifecycle => Val::Object(Object::Lifecycle(identity.lifecycle())),
        Member::StartTime | Member::EndTime | Member::Suspended => {
            self::member(Object::Lifecycle(identity.lifecycle()), member)
        }
        other => zero(other),
    }
}

/// What an absent field reads as.
pub(super) fn zero(member: Member) -> Val<'static> {
    match member.ty() {
        Type::Bool => Val::Bool(false),
        Type::Timestamp => Val::Timestamp(Timestamp::UNIX_EPOCH),
        Type::List(_) => Val::List(List::Ref(&[])),
        Type::Map(..) => Val::Map(Map::Custom(Several::default())),
        Type::Object(_) => Val::Object(Object::Absent),
        _ => Val::text(""),
    }
}

/// Whether a field of the identity or its manager that reads as this is present. An empty text or list is as good as
/// absent to every rule; a time at the epoch is told by the value.
pub(super) fn is_present(value: &Val<'_>) -> bool {
    match value {
        Val::Object(Object::PersonName(i)) => {
            [Field::GivenName, Field::FamilyName, Field::MiddleName].iter().any(|f| i.text(*f).is_some())
        }
        Val::Object(Object::ManagerRef(i)) => i.manager().is_some(),
        Val::Object(Object::Lifecycle(l)) => l.start.is_some() || l.end.is_some() || l.suspended,
        value => !value.is_zero(),
    }
}

/// The same for a field of any object, where absent and zero can be told apart (`primary: false`).
pub(super) fn has_member(object: &Val<'_>, value: &Val<'_>, member: Member) -> bool {
    match (object, member) {
        (Val::Object(Object::Contact(c)), Member::Primary) => c.primary().is_some(),
        _ => is_present(value),
    }
}

/// A whole number that may index a list.
pub(super) fn whole(value: &Val<'_>) -> Option<i64> {
    match value {
        Val::Int(i) => Some(*i),
        Val::Uint(u) => i64::try_from(*u).ok(),
        #[allow(clippy::cast_possible_truncation, reason = "whole and far below 2^53")]
        Val::Double(d) if d.fract() == 0.0 && d.abs() < 1e9 => Some(*d as i64),
        _ => None,
    }
}

/// A value in a message: scalars as written, others by type.
pub(super) fn show(value: &Val<'_>) -> String {
    match value {
        Val::Text(text) => format!("'{}'", text.as_str().chars().take(64).collect::<String>()),
        Val::Int(i) => i.to_string(),
        Val::Uint(u) => format!("{u}u"),
        Val::Bool(b) => b.to_string(),
        other => format!("of type {}", other.type_name()),
    }
}

pub(super) fn negate<'a>(node: &Node, value: &Val<'a>) -> Outcome<Val<'a>> {
    match value {
        Val::Int(i) => i.checked_neg().map_or_else(|| fail(node, "the result is outside int"), |i| Ok(Val::Int(i))),
        Val::Double(d) => Ok(Val::Double(-d)),
        Val::Duration(d) => {
            d.checked_neg().map_or_else(|| fail(node, "the result is outside duration"), |d| Ok(Val::Duration(d)))
        }
        other => fail(node, format!("{} has no negative", other.type_name())),
    }
}

/// `+ - * / %`. What does not fit its type is an error, never wrapped and never rounded.
pub(super) fn arithmetic<'a>(node: &Node, op: Binary, a: &Val<'a>, b: &Val<'a>, cost: &mut Cost) -> Outcome<Val<'a>> {
    match (a, b) {
        (Val::Int(a), Val::Int(b)) => int(node, op, *a, *b),
        (Val::Uint(a), Val::Uint(b)) => uint(node, op, *a, *b),
        (Val::Double(a), Val::Double(b)) => match op {
            Binary::Add => Ok(Val::Double(a + b)),
            Binary::Sub => Ok(Val::Double(a - b)),
            Binary::Mul => Ok(Val::Double(a * b)),
            Binary::Div => Ok(Val::Double(a / b)),
            _ => fail(node, "% takes int or uint"),
        },
        (Val::Text(a), Val::Text(b)) if op == Binary::Add => {
            let (a, b) = (a.as_str(), b.as_str());
            paid(node, cost.produce(a.len().saturating_add(b.len())))?;
            Ok(Val::Text(Text::Own([a, b].concat().into())))
        }
        (Val::Bytes(a), Val::Bytes(b)) if op == Binary::Add => {
            paid(node, cost.produce(a.len().saturating_add(b.len())))?;
            Ok(Val::Bytes([&**a, &**b].concat().into()))
        }
        (Val::List(a), Val::List(b)) if op == Binary::Add => {
            paid(node, cost.produce(a.len().saturating_add(b.len()).saturating_mul(48)))?;
            Ok(Val::List(List::Own(a.iter().chain(b.iter()).collect())))
        }
        (Val::Timestamp(_) | Val::Duration(_), _) => time::arithmetic(node, op, a, b),
        (a, b) => fail(node, format!("{} and {} cannot be combined so", a.type_name(), b.type_name())),
    }
}

fn int<'a>(node: &Node, op: Binary, a: i64, b: i64) -> Outcome<Val<'a>> {
    let result = match op {
        Binary::Add => a.checked_add(b),
        Binary::Sub => a.checked_sub(b),
        Binary::Mul => a.checked_mul(b),
        Binary::Div | Binary::Rem if b == 0 => return fail(node, "division by zero"),
        Binary::Div => a.checked_div(b),
        _ => a.checked_rem(b),
    };
    result.map_or_else(|| fail(node, "the result is outside int"), |i| Ok(Val::Int(i)))
}

fn uint<'a>(node: &Node, op: Binary, a: u64, b: u64) -> Outcome<Val<'a>> {
    let result = match op {
        Binary::Add => a.checked_add(b),
        Binary::Sub => a.checked_sub(b),
        Binary::Mul => a.checked_mul(b),
        Binary::Div | Binary::Rem if b == 0 => return fail(node, "division by zero"),
        Binary::Div => a.checked_div(b),
        _ => a.checked_rem(b),
    };
    result.map_or_else(|| fail(node, "the result is outside uint"), |u| Ok(Val::Uint(u)))
}

/// A function on its arguments; a method's first argument is what it is called on.
pub(super) fn call<'a>(node: &Node, function: Function, args: &[Val<'a>], cost: &mut Cost) -> Outcome<Val<'a>> {
    match (function, args) {
        (Function::Size, [value]) => size(node, value, cost),
        (Function::ToDyn, [value]) => Ok(value.clone()),
        (Function::TypeOf, [value]) => Ok(Val::Type(value.type_name())),
        (Function::OptionalNone, []) => Ok(Val::Optional(None)),
        (Function::OptionalOf, [value]) => Ok(Val::Optional(Some(Arc::new(value.clone())))),
        (Function::OptionalOfNonZero, [value]) => {
            Ok(Val::Optional((!value.is_zero()).then(|| Arc::new(value.clone()))))
        }
        (Function::HasValue, [Val::Optional(held)]) => Ok(Val::Bool(held.is_some())),
        (Function::ValueOf, [Val::Optional(held)]) => {
            held.as_ref().map_or_else(|| fail(node, "the optional has no value"), |value| Ok((**value).clone()))
        }
        (Function::Or, [Val::Optional(None), chosen @ Val::Optional(_)] | [chosen @ Val::Optional(Some(_)), _]) => {
            Ok(chosen.clone())
        }
        (Function::OrValue, [Val::Optional(held), other]) => {
            Ok(held.as_ref().map_or_else(|| other.clone(), |value| (**value).clone()))
        }
        (Function::PrimaryEmail, [Val::Object(Object::Identity(i) | Object::Manager(i))]) => {
            Ok(Val::text(i.primary_email().unwrap_or_default()))
        }
        (Function::PrimaryEmail, [Val::Object(Object::Absent)]) => Ok(Val::text("")),
        (Function::ToInt | Function::ToUint | Function::ToDouble | Function::ToBool, [value]) => {
            number(node, function, value)
        }
        (Function::ToText, [value]) => to_text(node, value, cost),
        (Function::ToBytes, [value]) => match value {
            Val::Text(text) => {
                paid(node, cost.produce(text.as_str().len()))?;
                Ok(Val::Bytes(text.as_str().as_bytes().into()))
            }
            Val::Bytes(_) => Ok(value.clone()),
            other => fail(node, format!("bytes() takes a string; found {}", other.type_name())),
        },
        (Function::ToTimestamp | Function::ToDuration, _) => time::convert(node, function, args),
        (_, [Val::Timestamp(at), zone @ ..]) => time::of_timestamp(node, function, *at, zone.first()),
        (_, [Val::Duration(span)]) => time::of_duration(node, function, *span),
        _ => strings::call(node, function, args, cost),
    }
}

fn size<'a>(node: &Node, value: &Val<'_>, cost: &mut Cost) -> Outcome<Val<'a>> {
    let size = match value {
        Val::Text(text) => {
            paid(node, cost.step(text.as_str().len() / 64))?;
            text.as_str().chars().count()
        }
        Val::Bytes(bytes) => bytes.len(),
        Val::List(list) => list.len(),
        Val::Map(map) => map.len(),
        other => return fail(node, format!("size() takes string, bytes, list or map; found {}", other.type_name())),
    };
    Ok(Val::Int(i64::try_from(size).unwrap_or(i64::MAX)))
}

/// 2^63 and 2^64 as doubles: the first values that do not fit.
const PAST_INT: f64 = 9_223_372_036_854_775_808.0;
const PAST_UINT: f64 = 18_446_744_073_709_551_616.0;

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the ranges are checked before")]
#[allow(clippy::cast_precision_loss, reason = "double() of a large whole number is the nearest double")]
fn number<'a>(node: &Node, function: Function, value: &Val<'a>) -> Outcome<Val<'a>> {
    let text = match value {
        Val::Text(text) => Some(text.as_str()),
        _ => None,
    };
    let found = match (function, value) {
        (Function::ToInt, Val::Int(i)) => Some(Val::Int(*i)),
        (Function::ToInt, Val::Uint(u)) => i64::try_from(*u).ok().map(Val::Int),
        // Whole doubles at the very edge are refused like those beyond it: they may have been rounded to it.
        (Function::ToInt, Val::Double(d)) => (*d > -PAST_INT && *d < PAST_INT).then_some(Val::Int(*d as i64)),
        (Function::ToInt, Val::Timestamp(t)) => Some(Val::Int(t.as_duration().as_secs())),
        (Function::ToInt, _) => text.and_then(|t| t.parse().ok()).map(Val::Int),
        (Function::ToUint, Val::Uint(u)) => Some(Val::Uint(*u)),
        (Function::ToUint, Val::Int(i)) => u64::try_from(*i).ok().map(Val::Uint),
        (Function::ToUint, Val::Double(d)) => (*d >= 0.0 && *d < PAST_UINT).then_some(Val::Uint(*d as u64)),
        (Function::ToUint, _) => text.and_then(|t| t.parse().ok()).map(Val::Uint),
        (Function::ToDouble, Val::Double(d)) => Some(Val::Double(*d)),
        (Function::ToDouble, Val::Int(i)) => Some(Val::Double(*i as f64)),
        (Function::ToDouble, Val::Uint(u)) => Some(Val::Double(*u as f64)),
        (Function::ToDouble, _) => text.and_then(|t| t.parse().ok()).map(Val::Double),
        (_, Val::Bool(b)) => Some(Val::Bool(*b)),
        _ => match text {
            Some("1" | "t" | "T" | "true" | "True" | "TRUE") => Some(Val::Bool(true)),
            Some("0" | "f" | "F" | "false" | "False" | "FALSE") => Some(Val::Bool(false)),
            _ => None,
        },
    };
    let wanted = match function {
        Function::ToInt => "int",
        Function::ToUint => "uint",
        Function::ToDouble => "double",
        _ => "bool",
    };
    found.map_or_else(|| fail(node, format!("{} is no {wanted}", show(value))), Ok)
}

fn to_text<'a>(node: &Node, value: &Val<'a>, cost: &mut Cost) -> Outcome<Val<'a>> {
    let text = match value {
        Val::Text(_) => return Ok(value.clone()),
        Val::Bool(b) => b.to_string(),
        Val::Int(i) => i.to_string(),
        Val::Uint(u) => u.to_string(),
        Val::Double(d) => double_text(*d),
        Val::Timestamp(t) => t.to_string(),
        Val::Duration(d) => time::duration_text(d),
        Val::Bytes(bytes) => match std::str::from_utf8(bytes) {
            Ok(text) => text.to_owned(),
            Err(_) => return fail(node, "the bytes are no UTF-8 text"),
        },
        other => return fail(node, format!("string() cannot take {}", other.type_name())),
    };
    paid(node, cost.produce(text.len()))?;
    Ok(Val::Text(Text::Own(text.into())))
}

fn double_text(d: f64) -> String {
    if d.is_nan() {
        "NaN".to_owned()
    } else if d.is_infinite() {
        if d > 0.0 { "+Inf" } else { "-Inf" }.to_owned()
    } else if d != 0.0 && (d.abs() >= 1e21 || d.abs() < 1e-4) {
        format!("{d:e}")
    } else {
        d.to_string()
    }
}

/// The bounds of a duration: those of protobuf, ten thousand years either way.
pub(super) fn duration(node: &Node, span: Option<SignedDuration>) -> Outcome<Val<'static>> {
    const MOST: i64 = 315_576_000_000;
    match span {
        Some(span) if (-MOST..=MOST).contains(&span.as_secs()) => Ok(Val::Duration(span)),
        _ => fail(node, "the result is outside duration"),
    }
}
