//! Filters (RFC 4515), built and never pasted.

use std::fmt::{self, Write as _};

/// A filter expression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Filter {
    /// An attribute has this value by its own matching rule.
    Equal(String, Vec<u8>),
    /// An attribute is there.
    Present(String),
    /// A value is not below this one.
    AtLeast(String, Vec<u8>),
    /// A value is not above this one.
    AtMost(String, Vec<u8>),
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

    /// `(attribute<=value)`.
    pub(crate) fn at_most(attribute: &str, value: &impl ToString) -> Self {
        Self::AtMost(attribute.to_owned(), value.to_string().into_bytes())
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

impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all = |f: &mut fmt::Formatter<'_>, sign: char, parts: &[Self]| {
            write!(f, "({sign}")?;
            parts.iter().try_for_each(|part| write!(f, "{part}"))?;
            f.write_char(')')
        };
        match self {
            Self::Equal(attribute, value) => compared(f, attribute, "=", value),
            Self::AtLeast(attribute, value) => compared(f, attribute, ">=", value),
            Self::AtMost(attribute, value) => compared(f, attribute, "<=", value),
            Self::Present(attribute) => write!(f, "({}=*)", name(attribute)),
            Self::And(parts) => all(f, '&', parts),
            Self::Or(parts) => all(f, '|', parts),
        }
    }
}

fn compared(f: &mut fmt::Formatter<'_>, attribute: &str, sign: &str, value: &[u8]) -> fmt::Result {
    write!(f, "({}{sign}", name(attribute))?;
    for byte in value {
        // What is not plain is written by its number: nothing is left to be read as a sign.
        if byte.is_ascii_alphanumeric() || b" -_.:@/,=".contains(byte) {
            f.write_char(char::from(*byte))?;
        } else {
            write!(f, "\\{byte:02x}")?;
        }
    }
    f.write_char(')')
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

    #[test]
    fn a_value_never_ends_its_filter() {
        let filter = Filter::class("person").and(Filter::equal("uid", "*)(|(uid=*"));
        assert_eq!(filter.to_string(), r"(&(objectClass=person)(uid=\2a\29\28\7c\28uid=\2a))");
        assert_eq!(Filter::equal("cn", "Zoë\0").to_string(), r"(cn=Zo\c3\ab\00)");
        assert_eq!(Filter::equal("objectGUID", [0u8, 255]).to_string(), r"(objectGUID=\00\ff)");
        assert_eq!(Filter::equal("uid=*)(x", "a").to_string(), "(x-no-attribute=a)");
    }

    #[test]
    fn what_is_built_can_be_read() {
        let range = Filter::at_least("uidNumber", &1).and(Filter::at_most("uidNumber", &9));
        let stamp = Filter::at_least("entryCSN", &"20261129091500.000001Z#000000#001#000000");
        for filter in [range, stamp, Filter::Or(vec![Filter::equal("uid", r#"\"*()&|!<>~"#), Filter::equal("a", "")])] {
            assert!(ldap3::parse_filter(filter.to_string()).is_ok(), "{filter}");
        }
    }
}
