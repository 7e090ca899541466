//! Two people.

use std::sync::Arc;

use crate::model::{Address, Contact, Custom, Field, Identity, IdentityType, Lifecycle, Name, UserName};

pub fn identity(user_name: &str, texts: &[(Field, &str)]) -> Identity {
    let mut texts: Vec<(Field, Arc<str>)> = texts.iter().map(|(f, t)| (*f, Arc::from(*t))).collect();
    texts.sort_by_key(|(field, _)| *field);
    Identity {
        kind: IdentityType::Person,
        user_name: UserName::new(user_name, user_name),
        external_id: None,
        texts: texts.into(),
        emails: Box::new([]),
        phone_numbers: Box::new([]),
        addresses: Box::new([]),
        manager: None,
        custom: Box::new([]),
        lifecycle: Lifecycle::default(),
    }
}

fn contact(value: &str, kind: Option<&str>, primary: Option<bool>) -> Contact {
    Contact { value: value.into(), kind: kind.map(Arc::from), primary }
}

pub fn ada() -> Identity {
    let texts = [
        (Field::DisplayName, "Ada Lovelace"),
        (Field::GivenName, "Ada"),
        (Field::FamilyName, "Lovelace"),
        (Field::Title, "Analyst"),
        (Field::Department, "Engineering"),
        (Field::Location, "London"),
    ];
    Identity {
        external_id: Some("E-1001".into()),
        emails: Box::new([
            contact("ada@home.test", Some("home"), None),
            contact("ada@acme.test", Some("work"), Some(true)),
        ]),
        addresses: Box::new([Address {
            kind: "work".into(),
            locality: Some("London".into()),
            country: Some("GB".into()),
            ..Address::default()
        }]),
        manager: Some(Name::from("grace")),
        custom: Box::new([
            ("clearance".into(), Custom::One("secret".into())),
            ("shifts".into(), Custom::Many(Box::new(["early".into(), "late".into()]))),
        ]),
        lifecycle: Lifecycle { start: Some("2026-12-01T08:00:00Z".parse().unwrap()), end: None, suspended: false },
        ..identity("ada", &texts)
    }
}

pub fn grace() -> Identity {
    identity("grace", &[(Field::DisplayName, "Grace Hopper"), (Field::Department, "Research")])
}
