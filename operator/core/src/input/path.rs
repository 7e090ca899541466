use std::fmt;

/// Where in a manifest something stands, built on the way down without allocating.
#[derive(Clone, Copy, Debug)]
pub(super) enum Path<'a> {
    /// From the top: `spec`.
    Root(&'a str),
    /// A member of an object.
    Field(&'a Path<'a>, &'a str),
    /// An item of a list by its place.
    Item(&'a Path<'a>, usize),
    /// An item of a list by its key, which stays when others come and go: `[name=title]`.
    Key(&'a Path<'a>, &'a str, &'a str),
}

impl<'a> Path<'a> {
    pub(super) fn field(&'a self, name: &'a str) -> Self {
        Self::Field(self, name)
    }

    pub(super) fn item(&'a self, at: usize) -> Self {
        Self::Item(self, at)
    }

    pub(super) fn key(&'a self, name: &'a str, value: &'a str) -> Self {
        Self::Key(self, name, value)
    }
}

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Root(name) => f.write_str(name),
            Self::Field(parent, name) => write!(f, "{parent}.{name}"),
            Self::Item(parent, at) => write!(f, "{parent}[{at}]"),
            Self::Key(parent, name, value) => write!(f, "{parent}[{name}={value}]"),
        }
    }
}
