//! Values while a rule is evaluated. They borrow from the rule and from the facts; only what is produced is owned.

use std::cmp::Ordering;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::facts::Cost;
use crate::model::{Lifecycle, PackedAddress, PackedContact, PackedCustom, PackedIdentity, Several};

/// A value of the language.
#[derive(Clone, Debug)]
pub(super) enum Val<'a> {
    Null,
    Bool(bool),
    Int(i64),
    Uint(u64),
    Double(f64),
    Text(Text<'a>),
    Bytes(Arc<[u8]>),
    List(List<'a>),
    Map(Map<'a>),
    Timestamp(Timestamp),
    Duration(SignedDuration),
    Type(&'static str),
    Optional(Option<Arc<Val<'a>>>),
    Object(Object<'a>),
}

/// A text, borrowed or produced.
#[derive(Clone, Debug)]
pub(super) enum Text<'a> {
    Ref(&'a str),
    Own(Arc<str>),
}

impl Text<'_> {
    pub fn as_str(&self) -> &str {
        match self {
            Self::Ref(text) => text,
            Self::Own(text) => text,
        }
    }
}

/// A list, borrowed or produced.
#[derive(Clone, Debug)]
pub(super) enum List<'a> {
    Ref(&'a [Val<'a>]),
    Own(Arc<[Val<'a>]>),
    Texts(Several<'a>),
    Contacts(Several<'a>),
    Addresses(Several<'a>),
}

impl<'a> List<'a> {
    pub fn len(&self) -> usize {
        match self {
            Self::Ref(list) => list.len(),
            Self::Own(list) => list.len(),
            Self::Texts(list) | Self::Contacts(list) | Self::Addresses(list) => list.len(),
        }
    }

    pub fn get(&self, at: usize) -> Option<Val<'a>> {
        match self {
            Self::Ref(list) => list.get(at).cloned(),
            Self::Own(list) => list.get(at).cloned(),
            Self::Texts(list) => list.get(at).map(Val::text),
            Self::Contacts(list) => list.get(at).map(|c| Val::Object(Object::Contact(PackedContact::new(c)))),
            Self::Addresses(list) => list.get(at).map(|a| Val::Object(Object::Address(PackedAddress::new(a)))),
        }
    }

    pub fn iter(&self) -> impl Iterator<Item = Val<'a>> + '_ {
        (0..self.len()).filter_map(|at| self.get(at))
    }
}

/// A map, produced (in the order of its making) or the custom attributes of an identity.
#[derive(Clone, Debug)]
pub(super) enum Map<'a> {
    Own(Arc<[(Val<'a>, Val<'a>)]>),
    Custom(Several<'a>),
}

impl<'a> Map<'a> {
    pub fn len(&self) -> usize {
        match self {
            Self::Own(entries) => entries.len(),
            Self::Custom(entries) => entries.len(),
        }
    }

    pub fn entry(&self, at: usize) -> Option<(Val<'a>, Val<'a>)> {
        match self {
            Self::Own(entries) => entries.get(at).cloned(),
            Self::Custom(entries) => {
                let (name, value) = PackedCustom::new(entries.get(at)?);
                Some((Val::text(name), custom(value)))
            }
        }
    }

    /// The value of a key. An absent custom attribute is `None` here and null to a reader.
    pub fn get(&self, key: &Val<'_>, cost: &mut Cost) -> Result<Option<Val<'a>>, Exhausted> {
        match self {
            Self::Custom(entries) => {
                let Val::Text(name) = key else { return Ok(None) };
                Ok(PackedCustom::named(*entries, name.as_str()).map(custom))
            }
            Self::Own(entries) => {
                for (k, value) in entries.iter() {
                    if equal(k, key, cost)? {
                        return Ok(Some(value.clone()));
                    }
                }
                Ok(None)
            }
        }
    }
}

fn custom(value: PackedCustom<'_>) -> Val<'_> {
    match value {
        PackedCustom::One(text) => Val::text(text),
        PackedCustom::Many(texts) => Val::List(List::Texts(texts)),
    }
}

/// An object with fields.
#[derive(Clone, Copy, Debug)]
pub(super) enum Object<'a> {
    /// One that is absent: every field reads as its zero value.
    Absent,
    Identity(&'a PackedIdentity),
    Manager(&'a PackedIdentity),
    PersonName(&'a PackedIdentity),
    ManagerRef(&'a PackedIdentity),
    Lifecycle(&'a Lifecycle),
    Contact(PackedContact<'a>),
    Address(PackedAddress<'a>),
    Application,
}

/// The budget of an evaluation is used up. No `||` and no `&&` absorbs it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Exhausted;

impl Cost {
    /// Pays for so many operations.
    pub(super) fn step(&mut self, steps: usize) -> Result<(), Exhausted> {
        let steps = u32::try_from(steps).map_err(|_| Exhausted)?;
        #[cfg(test)]
        super::tests::TAKEN.set(super::tests::TAKEN.get() + self.steps.min(steps) as usize);
        let left = self.steps.checked_sub(steps);
        self.steps = left.unwrap_or(0);
        left.map(|_| ()).ok_or(Exhausted)
    }

    /// Pays for produced bytes, and for the work of producing them.
    pub(super) fn produce(&mut self, bytes: usize) -> Result<(), Exhausted> {
        self.step(bytes / 64)?;
        let bytes = u32::try_from(bytes).map_err(|_| Exhausted)?;
        self.bytes = self.bytes.checked_sub(bytes).ok_or(Exhausted)?;
        Ok(())
    }
}

impl<'a> Val<'a> {
    pub fn text(text: &'a str) -> Self {
        Self::Text(Text::Ref(text))
    }

    /// A constant of a rule, borrowed.
    pub fn borrowed(constant: &'a Val<'static>) -> Self {
        match constant {
            Val::Text(text) => Val::Text(Text::Ref(text.as_str())),
            Val::List(List::Own(list)) => Val::List(List::Ref(list)),
            other => other.clone(),
        }
    }

    pub fn type_name(&self) -> &'static str {
        match self {
            Self::Null => "null_type",
            Self::Bool(_) => "bool",
            Self::Int(_) => "int",
            Self::Uint(_) => "uint",
            Self::Double(_) => "double",
            Self::Text(_) => "string",
            Self::Bytes(_) => "bytes",
            Self::List(_) => "list",
            Self::Map(_) => "map",
            Self::Timestamp(_) => "google.protobuf.Timestamp",
            Self::Duration(_) => "google.protobuf.Duration",
            Self::Type(_) => "type",
            Self::Optional(_) => "optional_type",
            Self::Object(_) => "object",
        }
    }

    /// Whether it is the zero value of its type.
    pub fn is_zero(&self) -> bool {
        match self {
            Self::Null | Self::Optional(None) | Self::Object(Object::Absent) => true,
            Self::Bool(b) => !b,
            Self::Int(i) => *i == 0,
            Self::Uint(u) => *u == 0,
            Self::Double(d) => *d == 0.0,
            Self::Text(text) => text.as_str().is_empty(),
            Self::Bytes(bytes) => bytes.is_empty(),
            Self::List(list) => list.len() == 0,
            Self::Map(map) => map.len() == 0,
            Self::Timestamp(t) => *t == Timestamp::UNIX_EPOCH,
            Self::Duration(d) => d.is_zero(),
            Self::Type(_) | Self::Optional(Some(_)) | Self::Object(_) => false,
        }
    }
}

/// `==`: values of different types differ, except that numbers compare by value.
pub(super) fn equal(a: &Val<'_>, b: &Val<'_>, cost: &mut Cost) -> Result<bool, Exhausted> {
    cost.step(1)?;
    Ok(match (a, b) {
        (Val::Text(a), Val::Text(b)) => a.as_str() == b.as_str(),
        (Val::Bool(a), Val::Bool(b)) => a == b,
        (Val::Null, Val::Null) | (Val::Optional(None), Val::Optional(None)) => true,
        (Val::Bytes(a), Val::Bytes(b)) => a == b,
        (Val::Timestamp(a), Val::Timestamp(b)) => a == b,
        (Val::Duration(a), Val::Duration(b)) => a == b,
        (Val::Type(a), Val::Type(b)) => a == b,
        (Val::Optional(Some(a)), Val::Optional(Some(b))) => equal(a, b, cost)?,
        (Val::List(a), Val::List(b)) => {
            if a.len() != b.len() {
                return Ok(false);
            }
            for (a, b) in a.iter().zip(b.iter()) {
                if !equal(&a, &b, cost)? {
                    return Ok(false);
                }
            }
            true
        }
        (Val::Map(a), Val::Map(b)) => {
            if a.len() != b.len() {
                return Ok(false);
            }
            for (key, value) in (0..a.len()).filter_map(|at| a.entry(at)) {
                match b.get(&key, cost)? {
                    Some(other) if equal(&value, &other, cost)? => {}
                    _ => return Ok(false),
                }
            }
            true
        }
        (a, b) => matches!(numbers(a, b), Ok(Some(Ordering::Equal))),
    })
}

/// The types of two values have no order between them.
pub(super) struct Unordered;

/// The order of two values; `None` where one of them is not a number (NaN).
pub(super) fn order(a: &Val<'_>, b: &Val<'_>) -> Result<Option<Ordering>, Unordered> {
    match (a, b) {
        (Val::Text(a), Val::Text(b)) => Ok(Some(a.as_str().cmp(b.as_str()))),
        (Val::Bool(a), Val::Bool(b)) => Ok(Some(a.cmp(b))),
        (Val::Bytes(a), Val::Bytes(b)) => Ok(Some(a.cmp(b))),
        (Val::Timestamp(a), Val::Timestamp(b)) => Ok(Some(a.cmp(b))),
        (Val::Duration(a), Val::Duration(b)) => Ok(Some(a.cmp(b))),
        (a, b) => numbers(a, b),
    }
}

/// Numbers of any type, by value.
fn numbers(a: &Val<'_>, b: &Val<'_>) -> Result<Option<Ordering>, Unordered> {
    let whole = |v: &Val<'_>| match v {
        Val::Int(i) => Ok(i128::from(*i)),
        Val::Uint(u) => Ok(i128::from(*u)),
        _ => Err(Unordered),
    };
    Ok(match (a, b) {
        (Val::Double(a), Val::Double(b)) => a.partial_cmp(b),
        (Val::Double(a), b) => mixed(*a, whole(b)?),
        (a, Val::Double(b)) => mixed(*b, whole(a)?).map(Ordering::reverse),
        (a, b) => Some(whole(a)?.cmp(&whole(b)?)),
    })
}

/// A double against a whole number, without rounding.
fn mixed(a: f64, b: i128) -> Option<Ordering> {
    if a.is_nan() {
        return None;
    }
    #[allow(clippy::cast_possible_truncation, reason = "i128 holds every double below 2^100; beyond, it saturates")]
    let floor = a.floor() as i128;
    Some(floor.cmp(&b).then(if a > a.floor() { Ordering::Greater } else { Ordering::Equal }))
}
