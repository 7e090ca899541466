use sha2::{Digest as _, Sha256};

use crate::model::{AttributeName, Digest, Schema, Value};

/// How texts of an attribute are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fold {
    /// As they are.
    Exact,
    /// Without case (RFC 7643, `caseExact: false`).
    Case,
}

impl Fold {
    /// The rule of an attribute.
    pub fn of(schema: &Schema, name: &AttributeName) -> Self {
        if schema.case_insensitive.contains(&name.as_str()) { Self::Case } else { Self::Exact }
    }

    /// A text in the form in which two of them are compared.
    pub fn apply(self, text: &str) -> std::borrow::Cow<'_, str> {
        match self {
            Self::Case if text.chars().any(|c| !c.is_lowercase() && c.is_alphabetic()) => text.to_lowercase().into(),
            _ => text.into(),
        }
    }
}

/// The digest of a value, equal for values that a target would hold as the same; `None` where there is no value.
/// A list of one text is that text, since directories do not tell them apart. The order of a list does not count, nor do empty values, repeated ones and `primary: false` within a complex one. Stable: the ledger keeps digests.
pub fn digest(value: &Value, fold: Fold) -> Option<Digest> {
    if value.is_empty() {
        return None;
    }
    let mut hash = Sha256::new();
    match value {
        Value::Null => return None,
        Value::Bool(bit) => hash.update([b'b', u8::from(*bit)]),
        Value::Int(number) => {
            hash.update(b"i");
            hash.update(number.to_be_bytes());
        }
        Value::Text(text) => {
            hash.update(b"t");
            hash.update(fold.apply(text).as_bytes());
        }
        Value::List(list) => {
            let part = |item| Some((digest(item, fold)?.0, matches!(item, Value::Text(_))));
            let mut parts: Vec<(u64, bool)> = list.iter().filter_map(part).collect();
            parts.sort_unstable();
            parts.dedup();
            match *parts {
                [] => return None,
                [(text, true)] => return Some(Digest(text)),
                _ => hash.update(b"l"),
            }
            for (part, _) in parts {
                hash.update(part.to_be_bytes());
            }
        }
        Value::Map(map) => {
            hash.update(b"m");
            let mut any = false;
            for (key, value) in map {
                // RFC 7643, 2.4: `primary` is false if omitted.
                let unsaid = **key == *"primary" && *value == Value::Bool(false);
                if let Some(part) = digest(value, fold).filter(|_| !unsaid) {
                    any = true;
                    hash.update(key.as_bytes());
                    hash.update([0]);
                    hash.update(part.0.to_be_bytes());
                }
            }
            if !any {
                return None;
            }
        }
    }
    let bytes = hash.finalize();
    Some(Digest(bytes.iter().take(8).fold(0, |sum, byte| (sum << 8) | u64::from(*byte))))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn email(primary: Option<bool>) -> Value {
        let mut map = std::collections::BTreeMap::from([("value".into(), Value::from("ada@acme.test"))]);
        map.extend(primary.map(|primary| ("primary".into(), Value::Bool(primary))));
        Value::List(vec![Value::Map(map)])
    }

    /// What directories do with a list: what is empty or said twice is not kept, and one value is not a list.
    #[test]
    fn a_list_is_the_set_of_its_values() {
        let list = |texts: &[&str]| Value::List(texts.iter().map(|text| Value::from(*text)).collect());
        let of = |value: Value| digest(&value, Fold::Case);
        for one in [&["Engineer"][..], &["Engineer", ""], &["", "Engineer", "Engineer"], &["engineer", "Engineer"]] {
            assert_eq!(of(list(one)), of("Engineer".into()), "{one:?}");
        }
        assert_eq!(of(list(&["a", "b", "", "a"])), of(list(&["b", "a"])));
        assert_eq!(of(list(&["", ""])), None);
        assert_ne!(of(list(&["a", "b"])), of(list(&["a"])));
    }

    /// Ledgers hold digests: of values as they are usual, these are the ones that earlier versions computed.
    #[test]
    fn digests_in_ledgers_stay_what_they_are() {
        let of = |value: Value| digest(&value, Fold::Exact).map(|digest| digest.0);
        for (value, held) in [
            (Value::from("Engineer"), 0x2e28_8f20_80a7_25ae),
            (Value::List(vec!["Engineer".into()]), 0x2e28_8f20_80a7_25ae),
            (Value::List(vec!["b".into(), "a".into()]), 0x9299_f6f2_a5e3_720d),
            (Value::List(vec![Value::Int(5)]), 0xe330_d45c_1003_5f92),
            (email(Some(true)), 0xa22d_75a7_4fe7_1a5f),
            (Value::Bool(true), 0x0ffa_ac09_9f9b_2220),
        ] {
            assert_eq!(of(value.clone()), Some(held), "{value:?}");
        }
    }

    #[test]
    fn an_address_that_is_said_not_to_be_primary_is_one_that_says_nothing() {
        let of = |primary| digest(&email(primary), Fold::Exact);
        assert_eq!(of(Some(false)), of(None));
        assert_ne!(of(Some(true)), of(None));
    }
}
