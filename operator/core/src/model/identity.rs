use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Name, UserName};

/// One declared identity, valid by type. Absent fields take no room.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Person, service or agent.
    pub kind: IdentityType,
    /// Unique in the namespace; `metadata.name` where the manifest says nothing.
    pub user_name: UserName,
    /// The HR key; unique where present; the strong key of correlation.
    pub external_id: Option<Arc<str>>,
    /// The single-valued text fields that are present, sorted by field.
    pub texts: Box<[(Field, Arc<str>)]>,
    /// E-mail addresses, at most one primary.
    pub emails: Box<[Contact]>,
    /// Phone numbers, at most one primary.
    pub phone_numbers: Box<[Contact]>,
    /// Postal addresses, one a type.
    pub addresses: Box<[Address]>,
    /// The manager's object name.
    pub manager: Option<Name>,
    /// Custom attributes, sorted by name.
    pub custom: Box<[(Arc<str>, Custom)]>,
    /// Start, end, suspension.
    pub lifecycle: Lifecycle,
}

/// `Identity.spec.type`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum IdentityType {
    /// A human being.
    #[default]
    Person,
    /// A service account.
    Service,
    /// An autonomous agent.
    Agent,
}

impl IdentityType {
    /// As rules and manifests write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Person => "Person",
            Self::Service => "Service",
            Self::Agent => "Agent",
        }
    }
}

/// The single-valued text fields of an identity besides userName and externalId.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs, reason = "each is the manifest's field of the same name")]
pub enum Field {
    DisplayName,
    GivenName,
    FamilyName,
    MiddleName,
    Title,
    Department,
    Division,
    Organization,
    CostCenter,
    EmployeeNumber,
    EmployeeType,
    Location,
    Locale,
    PreferredLanguage,
    Timezone,
}

impl Field {
    /// Every field with its path in rules, below `identity.`.
    pub const ALL: [(Field, &'static str); 15] = [
        (Field::DisplayName, "displayName"),
        (Field::GivenName, "name.given"),
        (Field::FamilyName, "name.family"),
        (Field::MiddleName, "name.middle"),
        (Field::Title, "title"),
        (Field::Department, "department"),
        (Field::Division, "division"),
        (Field::Organization, "organization"),
        (Field::CostCenter, "costCenter"),
        (Field::EmployeeNumber, "employeeNumber"),
        (Field::EmployeeType, "employeeType"),
        (Field::Location, "location"),
        (Field::Locale, "locale"),
        (Field::PreferredLanguage, "preferredLanguage"),
        (Field::Timezone, "timezone"),
    ];
}

/// An e-mail address or a phone number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contact {
    /// The address or number.
    pub value: Arc<str>,
    /// `work`, `home`, ...
    pub kind: Option<Arc<str>>,
    /// Said to be the primary one; absent and false differ.
    pub primary: Option<bool>,
}

/// A postal address.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs, reason = "each is the manifest's field of the same name")]
pub struct Address {
    pub kind: Arc<str>,
    pub street: Option<Arc<str>>,
    pub locality: Option<Arc<str>>,
    pub region: Option<Arc<str>>,
    pub postal_code: Option<Arc<str>>,
    pub country: Option<Arc<str>>,
}

/// The value of a custom attribute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Custom {
    /// `value`.
    One(Arc<str>),
    /// `values`.
    Many(Box<[Arc<str>]>),
}

/// `Identity.spec.lifecycle`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lifecycle {
    /// Absent: has started.
    pub start: Option<Timestamp>,
    /// Absent: open-ended. After `start`.
    pub end: Option<Timestamp>,
    /// Leave of absence or incident.
    pub suspended: bool,
}

impl Lifecycle {
    /// The state at a time. An end that has passed outweighs everything; suspension outweighs a start to come.
    pub fn state(&self, at: Timestamp) -> State {
        if self.end.is_some_and(|end| end <= at) {
            State::Ended
        } else if self.suspended {
            State::Suspended
        } else if self.start.is_some_and(|start| start > at) {
            State::Pending
        } else {
            State::Active
        }
    }
}

/// Where an identity stands in its lifecycle at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum State {
    /// Before `startTime`.
    Pending,
    /// Started, not ended, not suspended.
    Active,
    /// `suspended: true`.
    Suspended,
    /// Past `endTime`, or the Identity is gone.
    Ended,
}

impl State {
    /// As status and rules write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "Pending",
            Self::Active => "Active",
            Self::Suspended => "Suspended",
            Self::Ended => "Ended",
        }
    }
}
