//! The types of the language and the schema of what rules read.

use std::fmt;

use crate::model::Field;

/// The static type of an expression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Type {
    /// Known at evaluation alone.
    Dyn,
    Null,
    Bool,
    Int,
    Uint,
    Double,
    Text,
    Bytes,
    Timestamp,
    Duration,
    /// A type as a value.
    Meta,
    List(Box<Type>),
    Map(Box<Type>, Box<Type>),
    Optional(Box<Type>),
    Object(Schema),
}

impl Type {
    pub fn list(of: Type) -> Self {
        Self::List(Box::new(of))
    }

    pub fn map(key: Type, value: Type) -> Self {
        Self::Map(Box::new(key), Box::new(value))
    }

    pub fn optional(of: Type) -> Self {
        Self::Optional(Box::new(of))
    }

    pub fn is_number(&self) -> bool {
        matches!(self, Self::Int | Self::Uint | Self::Double)
    }

    /// Whether `==` can ever tell: statically different types are a mistake. Numbers compare by value.
    pub fn comparable(&self, other: &Type) -> bool {
        match (self, other) {
            (Self::Object(_), _) | (_, Self::Object(_)) => false,
            (Self::Dyn, _) | (_, Self::Dyn) => true,
            (Self::List(a), Self::List(b)) | (Self::Optional(a), Self::Optional(b)) => a.comparable(b),
            (Self::Map(ka, va), Self::Map(kb, vb)) => ka.comparable(kb) && va.comparable(vb),
            (a, b) => a == b || a.is_number() && b.is_number(),
        }
    }

    /// Whether a value of this type may stand where the other is asked for.
    pub fn fits(&self, wanted: &Type) -> bool {
        match (self, wanted) {
            (_, Self::Dyn) | (Self::Dyn, _) => true,
            (Self::List(a), Self::List(b)) | (Self::Optional(a), Self::Optional(b)) => a.fits(b),
            (Self::Map(ka, va), Self::Map(kb, vb)) => ka.fits(kb) && va.fits(vb),
            (a, b) => a == b,
        }
    }

    /// The type of "one of these two".
    pub fn join(self, other: &Type) -> Type {
        if self == *other { self } else { Type::Dyn }
    }
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Dyn => "dyn",
            Self::Null => "null",
            Self::Bool => "bool",
            Self::Int => "int",
            Self::Uint => "uint",
            Self::Double => "double",
            Self::Text => "string",
            Self::Bytes => "bytes",
            Self::Timestamp => "timestamp",
            Self::Duration => "duration",
            Self::Meta => "type",
            Self::List(of) => return write!(f, "list of {of}"),
            Self::Map(key, value) => return write!(f, "map of {key} to {value}"),
            Self::Optional(of) => return write!(f, "optional {of}"),
            Self::Object(schema) => schema.title(),
        })
    }
}

/// A kind of object with fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Schema {
    Identity,
    Manager,
    PersonName,
    ManagerRef,
    Lifecycle,
    Contact,
    Address,
    Application,
}

/// A field of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Member {
    Type,
    UserName,
    ExternalId,
    Text(Field),
    Name,
    Emails,
    PhoneNumbers,
    Addresses,
    Attributes,
    ManagerRef,
    Lifecycle,
    Manager,
    Groups,
    State,
    RefName,
    StartTime,
    EndTime,
    Suspended,
    Value,
    Kind,
    Primary,
    Street,
    Locality,
    Region,
    PostalCode,
    Country,
    ApplicationName,
}

const IDENTITY: &[(&str, Member)] = &[
    ("type", Member::Type),
    ("userName", Member::UserName),
    ("externalId", Member::ExternalId),
    ("displayName", Member::Text(Field::DisplayName)),
    ("name", Member::Name),
    ("emails", Member::Emails),
    ("phoneNumbers", Member::PhoneNumbers),
    ("addresses", Member::Addresses),
    ("title", Member::Text(Field::Title)),
    ("department", Member::Text(Field::Department)),
    ("division", Member::Text(Field::Division)),
    ("organization", Member::Text(Field::Organization)),
    ("costCenter", Member::Text(Field::CostCenter)),
    ("employeeNumber", Member::Text(Field::EmployeeNumber)),
    ("employeeType", Member::Text(Field::EmployeeType)),
    ("location", Member::Text(Field::Location)),
    ("locale", Member::Text(Field::Locale)),
    ("preferredLanguage", Member::Text(Field::PreferredLanguage)),
    ("timezone", Member::Text(Field::Timezone)),
    ("attributes", Member::Attributes),
    ("managerRef", Member::ManagerRef),
    ("lifecycle", Member::Lifecycle),
    // What is not in the manifest; the manager's own are not to be had.
    ("manager", Member::Manager),
    ("groups", Member::Groups),
    ("state", Member::State),
];

/// How many of `IDENTITY` the manager has too.
const OF_MANAGER: usize = 22;

impl Schema {
    pub fn title(self) -> &'static str {
        match self {
            Self::Identity => "identity",
            Self::Manager => "identity.manager",
            Self::PersonName => "identity.name",
            Self::ManagerRef => "identity.managerRef",
            Self::Lifecycle => "identity.lifecycle",
            Self::Contact => "e-mail or phone number",
            Self::Address => "address",
            Self::Application => "application",
        }
    }

    pub fn members(self) -> &'static [(&'static str, Member)] {
        match self {
            Self::Identity => IDENTITY,
            Self::Manager => IDENTITY.get(..OF_MANAGER).unwrap_or_default(),
            Self::PersonName => &[
                ("given", Member::Text(Field::GivenName)),
                ("family", Member::Text(Field::FamilyName)),
                ("middle", Member::Text(Field::MiddleName)),
            ],
            Self::ManagerRef => &[("name", Member::RefName)],
            Self::Lifecycle => {
                &[("startTime", Member::StartTime), ("endTime", Member::EndTime), ("suspended", Member::Suspended)]
            }
            Self::Contact => &[("value", Member::Value), ("type", Member::Kind), ("primary", Member::Primary)],
            Self::Address => &[
                ("type", Member::Kind),
                ("street", Member::Street),
                ("locality", Member::Locality),
                ("region", Member::Region),
                ("postalCode", Member::PostalCode),
                ("country", Member::Country),
            ],
            Self::Application => &[("name", Member::ApplicationName)],
        }
    }

    pub fn member(self, name: &str) -> Option<Member> {
        self.members().iter().find(|(n, _)| *n == name).map(|(_, member)| *member)
    }
}

impl Member {
    pub fn ty(self) -> Type {
        match self {
            Self::Name => Type::Object(Schema::PersonName),
            Self::Emails | Self::PhoneNumbers => Type::list(Type::Object(Schema::Contact)),
            Self::Addresses => Type::list(Type::Object(Schema::Address)),
            Self::Attributes => Type::map(Type::Text, Type::Dyn),
            Self::ManagerRef => Type::Object(Schema::ManagerRef),
            Self::Lifecycle => Type::Object(Schema::Lifecycle),
            Self::Manager => Type::Object(Schema::Manager),
            Self::Groups => Type::list(Type::Text),
            Self::StartTime | Self::EndTime => Type::Timestamp,
            Self::Suspended | Self::Primary => Type::Bool,
            _ => Type::Text,
        }
    }

    /// Whether a manifest may leave it out. What is never absent (`type`, `userName`, the value of an address) needs
    /// no guard, and membership in groups is no field of the manifest.
    pub fn is_optional(self) -> bool {
        !matches!(self, Self::Type | Self::UserName | Self::Value | Self::State | Self::Groups | Self::ApplicationName)
    }

    /// The values that a field can have at all, where they are few.
    pub fn values(self) -> Option<&'static [&'static str]> {
        match self {
            Self::Type => Some(&["Person", "Service", "Agent"]),
            Self::State => Some(&["Pending", "Active", "Suspended"]),
            _ => None,
        }
    }

    /// The field's first name below `identity.`, where it is one of the manifest.
    pub fn manifest_name(self) -> Option<&'static str> {
        match self {
            Self::Text(Field::GivenName | Field::FamilyName | Field::MiddleName) => Some("name"),
            Self::RefName => Some("managerRef"),
            Self::StartTime | Self::EndTime | Self::Suspended => Some("lifecycle"),
            Self::Manager | Self::Groups | Self::State => None,
            member => IDENTITY.iter().find(|(_, m)| *m == member).map(|(name, _)| *name),
        }
    }
}
