//! Filters (RFC 7644, 3.4.2.2), built and never pasted.

use std::fmt;

use super::names::Path;

/// A filter expression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Filter {
    /// A text attribute has this value.
    Equal(String, String),
    /// A truth value has this value.
    Is(&'static str, bool),
    /// Both.
    And(Box<Filter>, Box<Filter>),
}

impl Filter {
    /// `attribute eq "value"`, for an attribute as mappings name it.
    pub(super) fn attribute(name: &str, value: &str) -> Self {
        Self::Equal(Path::of(name).for_filter(), value.to_owned())
    }

    pub(super) fn equal(path: &str, value: &str) -> Self {
        Self::Equal(path.to_owned(), value.to_owned())
    }

    pub(super) fn and(self, other: Self) -> Self {
        Self::And(Box::new(self), Box::new(other))
    }
}

/// `members[value eq "ID"]`: one value of a list, as a PATCH path.
pub(super) fn member(id: &str) -> String {
    format!("members[value eq {}]", quoted(id))
}

/// A text literal is a JSON string (RFC 7644, 3.4.2.2, and RFC 7159).
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// Whether a text is not sent as it is.
pub(super) fn needs_escapes(text: &str) -> bool {
    quoted(text).len() > text.len() + 2
}

impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Equal(path, value) => write!(f, "{path} eq {}", quoted(value)),
            Self::Is(path, value) => write!(f, "{path} eq {value}"),
            Self::And(left, right) => write!(f, "{left} and {right}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_value_leaves_its_quotes() {
        let cases = [
            (r#"a" or userName pr or userName eq "b"#, r#"userName eq "a\" or userName pr or userName eq \"b""#),
            (r"back\slash", r#"userName eq "back\\slash""#),
            ("two\nlines", r#"userName eq "two\nlines""#),
            ("Zoë", r#"userName eq "Zoë""#),
        ];
        for (value, expected) in cases {
            assert_eq!(Filter::attribute("userName", value).to_string(), expected);
        }
        assert_eq!(member(r#"x" or value eq "y"#), r#"members[value eq "x\" or value eq \"y"]"#);
    }

    #[test]
    fn filters_join() {
        let filter = Filter::attribute("userName", "ada").and(Filter::Is("active", false));
        assert_eq!(filter.to_string(), r#"userName eq "ada" and active eq false"#);
    }
}
