//! Filters, built and never pasted.

use super::ber::{OCTETS, Writing};

/// A filter expression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Filter {
    /// An attribute has this value by its own matching rule.
    Equal(String, Vec<u8>),
    /// An attribute is there.
    Present(String),
    /// A value is not below this one.
    AtLeast(String, Vec<u8>),
    /// All of them.
    And(Vec<Filter>),
    /// One of them.
    Or(Vec<Filter>),
}

impl Filter {
    /// `(attribute=value)`.
    pub(crate) fn equal(attribute: &str, value: impl AsRef<[u8]>) -> Self {
        Self::Equal(attribute.to_owned(), value.as_ref().to_vec())
    }

    /// `(attribute>=value)`.
    pub(crate) fn at_least(attribute: &str, value: &impl ToString) -> Self {
        Self::AtLeast(attribute.to_owned(), value.to_string().into_bytes())
    }

    /// `(objectClass=*)`: any entry.
    pub(crate) fn any() -> Self {
        Self::Present("objectClass".to_owned())
    }

    /// `(objectClass=class)`.
    pub(crate) fn class(class: &str) -> Self {
        Self::equal("objectClass", class)
    }

    /// Both.
    pub(crate) fn and(self, other: Self) -> Self {
        Self::And(vec![self, other])
    }
}

impl Filter {
    /// As it is sent (RFC 4511, 4.5.1.7).
    pub(super) fn write(&self, w: &mut Writing) {
        match self {
            Self::And(parts) => w.within(0xa0, |w| parts.iter().for_each(|part| part.write(w))),
            Self::Or(parts) => w.within(0xa1, |w| parts.iter().for_each(|part| part.write(w))),
            Self::Equal(attribute, value) => compared(w, 0xa3, attribute, value),
            Self::AtLeast(attribute, value) => compared(w, 0xa5, attribute, value),
            Self::Present(attribute) => w.put(0x87, name(attribute)),
        }
    }
}

fn compared(w: &mut Writing, tag: u8, attribute: &str, value: &[u8]) {
    w.within(tag, |w| {
        w.put(OCTETS, name(attribute));
        w.put(OCTETS, value);
    });
}

/// An attribute description (RFC 4512, 2.5); one that is none names no attribute of any entry.
fn name(attribute: &str) -> &str {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '.' || c == ';';
    let begins = attribute.chars().next().is_some_and(|c| c.is_ascii_alphanumeric());
    if begins && attribute.chars().all(plain) { attribute } else { "x-no-attribute" }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(filter: &Filter) -> Vec<u8> {
        Writing::of(|w| filter.write(w))
    }

    #[test]
    fn a_value_is_a_value_and_a_name_that_is_none_names_nothing() {
        let filter = Filter::class("p").and(Filter::equal("uid", "*)(|"));
        assert_eq!(sent(&filter), b"\xa0\x1f\xa3\x10\x04\x0bobjectClass\x04\x01p\xa3\x0b\x04\x03uid\x04\x04*)(|");
        assert_eq!(sent(&Filter::equal("id", [0u8, 255])), b"\xa3\x08\x04\x02id\x04\x02\x00\xff");
        assert_eq!(sent(&Filter::equal("uid=*)(x", "a")), sent(&Filter::equal("x-no-attribute", "a")));
        assert_eq!(sent(&Filter::any()), b"\x87\x0bobjectClass");
        let either = Filter::Or(vec![Filter::at_least("n", &1), Filter::equal("n", "9")]);
        assert_eq!(sent(&either), b"\xa1\x10\xa5\x06\x04\x01n\x04\x011\xa3\x06\x04\x01n\x04\x019");
    }
}
