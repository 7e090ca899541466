//! Rules as trees: printed for the directory, evaluated by the naive evaluator in three values.

use super::generate::Random;
use crate::directory::Truth;
use crate::model::{Field, Identity, State};

/// A rule.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Rule {
    Department(&'static str),
    DepartmentIn(&'static [&'static str]),
    Clearance(&'static str),
    /// Fails where there is no e-mail address.
    FirstEmail(&'static str),
    State(State),
    ManagerDepartment(&'static str),
    InGroup(&'static str),
    NotInGroup(&'static str),
    And(Box<Rule>, Box<Rule>),
    Or(Box<Rule>, Box<Rule>),
    /// Does not compile.
    Broken,
}

/// What a rule may ask.
pub(super) struct Asked<'a> {
    pub identity: &'a Identity,
    pub state: State,
    /// An error: it is there and cannot be read.
    pub manager: Option<Result<&'a Identity, Truth>>,
    pub group: &'a dyn Fn(&str) -> Truth,
}

impl Rule {
    pub fn print(&self) -> String {
        match self {
            Self::Department(value) => format!("identity.department == \"{value}\""),
            Self::DepartmentIn(values) => format!("identity.department in {values:?}"),
            Self::Clearance(value) => format!("identity.attributes.clearance == \"{value}\""),
            Self::FirstEmail(value) => format!("identity.emails[0].value == \"{value}\""),
            Self::State(state) => format!("identity.state == \"{}\"", state.as_str()),
            Self::ManagerDepartment(value) => format!("identity.manager.department == \"{value}\""),
            Self::InGroup(group) => format!("\"{group}\" in identity.groups"),
            Self::NotInGroup(group) => format!("!(\"{group}\" in identity.groups)"),
            Self::And(one, other) => format!("({}) && ({})", one.print(), other.print()),
            Self::Or(one, other) => format!("({}) || ({})", one.print(), other.print()),
            Self::Broken => "identity.departmnt == \"A\"".into(),
        }
    }

    /// Over the identity alone, as a Group may ask.
    pub fn bare(random: &mut Random, depth: u32) -> Self {
        match random.below(if depth == 0 { 5 } else { 8 }) {
            0 | 1 => Self::Department(random.pick(&["A", "B", "C"])),
            2 => Self::DepartmentIn(&["A", "C"]),
            3 => Self::Clearance(random.pick(&["x", "y"])),
            4 => Self::FirstEmail(random.pick(&["p", "q"])),
            5 => Self::And(Box::new(Self::bare(random, depth - 1)), Box::new(Self::bare(random, depth - 1))),
            6 => Self::Or(Box::new(Self::bare(random, depth - 1)), Box::new(Self::bare(random, depth - 1))),
            _ => Self::Broken,
        }
    }

    /// Whatever a policy may ask.
    pub fn any(random: &mut Random, depth: u32) -> Self {
        match random.below(if depth == 0 { 7 } else { 9 }) {
            0..=2 => Self::bare(random, 0),
            3 => Self::State(random.pick(&[State::Active, State::Pending, State::Suspended])),
            4 => Self::ManagerDepartment(random.pick(&["A", "B"])),
            5 => Self::InGroup(random.pick(&super::generate::GROUPS)),
            6 => Self::NotInGroup(random.pick(&super::generate::GROUPS)),
            7 => Self::And(Box::new(Self::any(random, depth - 1)), Box::new(Self::any(random, depth - 1))),
            _ => Self::Or(Box::new(Self::any(random, depth - 1)), Box::new(Self::any(random, depth - 1))),
        }
    }

    fn broken(&self) -> bool {
        match self {
            Self::Broken => true,
            Self::And(one, other) | Self::Or(one, other) => one.broken() || other.broken(),
            _ => false,
        }
    }

    pub fn holds(&self, asked: &Asked<'_>) -> Truth {
        if self.broken() { Truth::Unknown } else { self.part(asked) }
    }

    fn part(&self, asked: &Asked<'_>) -> Truth {
        let department = |identity: &Identity| {
            let found = identity.texts.iter().find(|(field, _)| *field == Field::Department);
            found.map_or(String::new(), |(_, text)| text.to_string())
        };
        match self {
            Self::Department(value) => (department(asked.identity) == *value).into(),
            Self::DepartmentIn(values) => values.contains(&department(asked.identity).as_str()).into(),
            Self::Clearance(value) => {
                let clearance = ("clearance".into(), crate::model::Custom::One((*value).into()));
                asked.identity.custom.contains(&clearance).into()
            }
            Self::FirstEmail(value) => {
                asked.identity.emails.first().map_or(Truth::Unknown, |email| (*email.value == **value).into())
            }
            Self::State(state) => (asked.state == *state).into(),
            Self::ManagerDepartment(value) => match asked.manager {
                None => Truth::No,
                Some(Ok(manager)) => (department(manager) == *value).into(),
                Some(Err(unknown)) => unknown,
            },
            Self::InGroup(group) => (asked.group)(group),
            Self::NotInGroup(group) => match (asked.group)(group) {
                Truth::No => Truth::Yes,
                Truth::Yes => Truth::No,
                Truth::Unknown => Truth::Unknown,
            },
            Self::And(one, other) => one.part(asked).min(other.part(asked)),
            Self::Or(one, other) => one.part(asked).max(other.part(asked)),
            Self::Broken => Truth::Unknown,
        }
    }
}
