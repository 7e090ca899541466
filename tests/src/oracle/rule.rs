//! A few shapes of rules: each prints itself as CEL and says by itself what it is worth.

use provost_core::model::{Field, Identity, Name, State};

/// What is known of a condition; the order is that of Kleene's logic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Truth {
    False,
    Unknown,
    True,
}

impl Truth {
    pub fn not(self) -> Self {
        match self {
            Self::False => Self::True,
            Self::Unknown => Self::Unknown,
            Self::True => Self::False,
        }
    }
}

impl From<bool> for Truth {
    fn from(is: bool) -> Self {
        if is { Self::True } else { Self::False }
    }
}

/// A rule.
#[derive(Clone, Debug)]
pub enum Rule {
    /// Is in this department.
    Department(&'static str),
    /// Has a title, and another one.
    TitleIsNot(&'static str),
    /// Fails where there is no e-mail address.
    FirstEmail(&'static str),
    /// Is in this group.
    In(Name),
    /// Is not.
    NotIn(Name),
    /// The manager is in this department.
    ManagerIn(&'static str),
    /// Is in this state.
    State(State),
    /// Does not compile.
    Broken,
    /// Both.
    And(Box<Rule>, Box<Rule>),
    /// Either.
    Or(Box<Rule>, Box<Rule>),
}

/// The manager, as far as a rule can see one.
#[derive(Clone, Copy, Debug)]
pub enum Manager<'a> {
    Absent,
    Unknown,
    Known(&'a Identity),
}

/// What a rule is asked about.
pub struct Facts<'a> {
    pub identity: &'a Identity,
    pub state: State,
    pub manager: Manager<'a>,
    /// Whether the identity is in a group.
    pub member: &'a dyn Fn(&Name) -> Truth,
}

/// A text of an identity; absent reads as empty.
pub fn text(identity: &Identity, field: Field) -> &str {
    identity.texts.iter().find(|(f, _)| *f == field).map_or("", |(_, text)| text)
}

impl Rule {
    /// As CEL.
    pub fn source(&self) -> String {
        match self {
            Self::Department(d) => format!("identity.department == \"{d}\""),
            Self::TitleIsNot(t) => format!("has(identity.title) && identity.title != \"{t}\""),
            Self::FirstEmail(e) => format!("identity.emails[0].value == \"{e}\""),
            Self::In(group) => format!("\"{group}\" in identity.groups"),
            Self::NotIn(group) => format!("!(\"{group}\" in identity.groups)"),
            Self::ManagerIn(d) => format!("identity.manager.department == \"{d}\""),
            Self::State(state) => format!("identity.state == \"{}\"", state.as_str()),
            Self::Broken => "identity.departmnt == \"A\"".into(),
            Self::And(a, b) => format!("({}) && ({})", a.source(), b.source()),
            Self::Or(a, b) => format!("({}) || ({})", a.source(), b.source()),
        }
    }

    fn compiles(&self) -> bool {
        match self {
            Self::Broken => false,
            Self::And(a, b) | Self::Or(a, b) => a.compiles() && b.compiles(),
            _ => true,
        }
    }

    /// What it is worth: a rule that does not compile, all of it, is Unknown.
    pub fn truth(&self, facts: &Facts<'_>) -> Truth {
        if self.compiles() { self.worth(facts) } else { Truth::Unknown }
    }

    fn worth(&self, facts: &Facts<'_>) -> Truth {
        let identity = facts.identity;
        match self {
            Self::Department(d) => (text(identity, Field::Department) == *d).into(),
            Self::TitleIsNot(t) => {
                let title = text(identity, Field::Title);
                (!title.is_empty() && title != *t).into()
            }
            Self::FirstEmail(e) => identity.emails.first().map_or(Truth::Unknown, |email| (*email.value == **e).into()),
            Self::In(group) => (facts.member)(group),
            Self::NotIn(group) => (facts.member)(group).not(),
            Self::ManagerIn(d) => match facts.manager {
                Manager::Absent => Truth::False,
                Manager::Unknown => Truth::Unknown,
                Manager::Known(manager) => (text(manager, Field::Department) == *d).into(),
            },
            Self::State(state) => (facts.state == *state).into(),
            Self::Broken => Truth::Unknown,
            Self::And(a, b) => a.worth(facts).min(b.worth(facts)),
            Self::Or(a, b) => a.worth(facts).max(b.worth(facts)),
        }
    }
}
