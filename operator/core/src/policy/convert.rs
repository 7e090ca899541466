//! From the values of the language to the values of account attributes.

use super::eval::{Outcome, fail, paid};
use super::facts::Cost;
use super::node::Node;
use super::types::{Schema, Type};
use super::value::{List, Object, Val};
use crate::model::{Field, PackedAddress, PackedContact, PackedIdentity, Value};
use std::collections::BTreeMap;

/// Whether values of a type can be those of an attribute.
pub(super) fn is_attribute(ty: &Type) -> bool {
    match ty {
        Type::Dyn | Type::Null | Type::Bool | Type::Int | Type::Text => true,
        Type::List(of) | Type::Optional(of) => is_attribute(of),
        Type::Map(key, value) => matches!(**key, Type::Text | Type::Dyn) && is_attribute(value),
        Type::Object(schema) => matches!(schema, Schema::Contact | Schema::Address | Schema::PersonName),
        Type::Uint | Type::Double | Type::Bytes | Type::Timestamp | Type::Duration | Type::Meta => false,
    }
}

/// The value of an attribute. An optional without a value is null.
pub(super) fn attribute(node: &Node, value: &Val<'_>, cost: &mut Cost) -> Outcome<Value> {
    paid(node, cost.produce(16))?;
    Ok(match value {
        Val::Null | Val::Optional(None) | Val::Object(Object::Absent) => Value::Null,
        Val::Bool(b) => Value::Bool(*b),
        Val::Int(i) => Value::Int(*i),
        Val::Text(text) => {
            paid(node, cost.produce(text.as_str().len()))?;
            Value::Text(text.as_str().into())
        }
        Val::List(List::Texts(texts)) => {
            paid(node, cost.produce(texts.len().saturating_mul(16)))?;
            Value::List(texts.iter().map(Value::from).collect())
        }
        Val::List(list) => Value::List(list.iter().map(|v| attribute(node, &v, cost)).collect::<Outcome<_>>()?),
        Val::Map(map) => {
            let mut made = BTreeMap::new();
            for (key, value) in (0..map.len()).filter_map(|at| map.entry(at)) {
                let Val::Text(key) = &key else {
                    return fail(
                        node,
                        format!("the keys of an attribute's map are strings; found {}", key.type_name()),
                    );
                };
                paid(node, cost.produce(key.as_str().len()))?;
                made.insert(key.as_str().into(), attribute(node, &value, cost)?);
            }
            Value::Map(made)
        }
        Val::Optional(Some(value)) => attribute(node, value, cost)?,
        Val::Object(Object::Contact(contact)) => self::contact(*contact),
        Val::Object(Object::Address(address)) => self::address(*address),
        Val::Object(Object::PersonName(identity)) => person_name(identity),
        other => return fail(node, format!("an attribute cannot be of type {}", other.type_name())),
    })
}

/// Sub-fields that are absent are left out.
fn fields<const N: usize>(fields: [(&str, Option<Value>); N]) -> Value {
    Value::Map(fields.into_iter().filter_map(|(name, value)| Some((name.into(), value?))).collect())
}

fn text(text: Option<&str>) -> Option<Value> {
    text.map(Value::from)
}

fn contact(contact: PackedContact<'_>) -> Value {
    fields([
        ("value", text(Some(contact.value()))),
        ("type", text(contact.kind())),
        ("primary", contact.primary().map(Value::Bool)),
    ])
}

fn address(address: PackedAddress<'_>) -> Value {
    fields([
        ("type", text(Some(address.kind()))),
        ("street", text(address.street())),
        ("locality", text(address.locality())),
        ("region", text(address.region())),
        ("postalCode", text(address.postal_code())),
        ("country", text(address.country())),
    ])
}

fn person_name(identity: &PackedIdentity) -> Value {
    fields([
        ("given", text(identity.text(Field::GivenName))),
        ("family", text(identity.text(Field::FamilyName))),
        ("middle", text(identity.text(Field::MiddleName))),
    ])
}
