use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde::Serialize;
use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use super::AttributeName;

/// The value of an account attribute: what an expression yields and what a target holds.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(untagged)]
pub enum Value {
    /// No value: clears what we wrote.
    Null,
    /// A truth value.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A text.
    Text(Arc<str>),
    /// Several values; order as the target says.
    List(Vec<Value>),
    /// A complex value, by sub-attribute.
    Map(BTreeMap<Arc<str>, Value>),
}

impl Value {
    /// Null, "", [] and {} all say that there is nothing: they clear, and are never sent as a key.
    pub fn is_empty(&self) -> bool {
        match self {
            Self::Null => true,
            Self::Bool(_) | Self::Int(_) => false,
            Self::Text(text) => text.is_empty(),
            Self::List(list) => list.is_empty(),
            Self::Map(map) => map.is_empty(),
        }
    }

    /// The text, if it is one.
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }
}

/// What comes decides the kind. Derived, it would be tried as each kind in turn, with a text for each that it is not, which took the
/// store a sixth of its time.
impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(AnyKind)
    }
}

struct AnyKind;

impl<'de> Visitor<'de> for AnyKind {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("null, a truth value, a whole number of 64 bits, a text, a list or a map")
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E: Error>(self, bit: bool) -> Result<Value, E> {
        Ok(Value::Bool(bit))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Value, E> {
        Ok(Value::Int(number))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Value, E> {
        i64::try_from(number)
            .map(Value::Int)
            .map_err(|_| E::invalid_value(serde::de::Unexpected::Unsigned(number), &self))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Value, E> {
        Ok(Value::from(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Value::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut map = BTreeMap::new();
        while let Some((key, value)) = entries.next_entry()? {
            map.insert(key, value);
        }
        Ok(Value::Map(map))
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.into())
    }
}

/// Attributes of an account by name.
pub type Attributes = BTreeMap<AttributeName, Value>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_stored_of_any_kind_is_read_again_as_it_was_and_what_is_none_is_refused() {
        let map = BTreeMap::from([("primary".into(), Value::Bool(false)), ("value".into(), "a".into())]);
        let list = vec![Value::Null, Value::Bool(true), Value::Int(i64::MIN), Value::Int(i64::MAX), Value::Map(map)];
        for value in [Value::List(list), Value::from(""), Value::List(Vec::new()), Value::Map(BTreeMap::new())] {
            let stored = serde_json::to_vec(&value).unwrap();
            assert_eq!(serde_json::from_slice::<Value>(&stored).unwrap(), value);
            let parsed: serde_json::Value = serde_json::from_slice(&stored).unwrap();
            assert_eq!(serde_json::from_value::<Value>(parsed).unwrap(), value);
        }
        for none in ["1.5", "9223372036854775808", "[1e3]"] {
            assert!(serde_json::from_str::<Value>(none).is_err(), "{none}");
        }
    }
}
