use std::sync::Arc;

use precis_profiles::UsernameCaseMapped;
use precis_profiles::precis_core::profile::PrecisFastInvocation as _;
use provost_crds as crds;

use super::check::Checks;
use super::path::Path;
use crate::model::{
    Address, Contact, Custom, Field, FieldError, Identity, IdentityType, Invalid, Lifecycle, UserName, Withholds,
};

/// An Identity, valid by type; or everything that is wrong with it, with what could be read of its lifecycle.
pub fn identity(object: &crds::Identity) -> Result<Identity, Invalid> {
    let (identity, errors) = read(object);
    if errors.is_empty() {
        return Ok(identity);
    }
    Err(Invalid { lifecycle: Some(identity.lifecycle), withholds: Withholds::NOTHING, errors })
}

/// What can be read of an Identity, and everything that is wrong with it.
pub(super) fn read(object: &crds::Identity) -> (Identity, Vec<FieldError>) {
    let mut checks = Checks::default();
    let spec = &object.spec;
    let at = Path::Root("spec");
    let lifecycle = lifecycle(&mut checks, at.field("lifecycle"), spec.lifecycle.as_ref());
    let own_name = checks.own_name(object.metadata.name.as_ref());
    let identity = Identity {
        kind: kind(&mut checks, at.field("type"), spec.r#type.as_ref()),
        user_name: user_name(&mut checks, at.field("userName"), spec.user_name.as_deref(), own_name),
        external_id: checks.optional(at.field("externalId"), spec.external_id.as_ref(), 1, 256),
        texts: texts(&mut checks, at, spec),
        emails: emails(&mut checks, at.field("emails"), spec.emails.as_deref()),
        phone_numbers: phone_numbers(&mut checks, at.field("phoneNumbers"), spec.phone_numbers.as_deref()),
        addresses: addresses(&mut checks, at.field("addresses"), spec.addresses.as_deref()),
        manager: spec
            .manager_ref
            .as_ref()
            .map(|manager| checks.name(at.field("managerRef").field("name"), &manager.name)),
        custom: custom(&mut checks, at.field("attributes"), spec.attributes.as_deref()),
        lifecycle,
    };
    (identity, checks.into_errors())
}

/// What can be read of a lifecycle. A part that cannot be read, or times that contradict each other, read as absent: whoever
/// obeys the lifecycle of an invalid identity obeys it only where it disables or ends, so that absent is the careful reading.
fn lifecycle(checks: &mut Checks, at: Path<'_>, spec: Option<&crds::LifecycleSpec>) -> Lifecycle {
    let Some(spec) = spec else { return Lifecycle::default() };
    let suspended = spec.suspended.unwrap_or_default();
    let start = checks.time(at.field("startTime"), spec.start_time.as_ref());
    let end = checks.time(at.field("endTime"), spec.end_time.as_ref());
    if checks.in_order(at, ("startTime", start), ("endTime", end)) {
        Lifecycle { start, end, suspended }
    } else {
        Lifecycle { start: None, end: None, suspended }
    }
}

fn kind(checks: &mut Checks, at: Path<'_>, kind: Option<&crds::IdentityType>) -> IdentityType {
    match kind {
        None | Some(crds::IdentityType::Person) => IdentityType::Person,
        Some(crds::IdentityType::Service) => IdentityType::Service,
        Some(crds::IdentityType::Agent) => IdentityType::Agent,
        Some(crds::IdentityType::Unrecognised(word)) => {
            checks.unrecognised(at, word, crds::IdentityType::WORDS, IdentityType::Person)
        }
    }
}

/// A user name, case-mapped by RFC 8265; as it is where that has no form for it.
pub fn mapped_user_name(written: &str) -> UserName {
    match UsernameCaseMapped::enforce(written) {
        Ok(mapped) => UserName::new(written, &mapped),
        Err(_) => UserName::new(written, written),
    }
}

/// The user name, case-mapped by RFC 8265. `metadata.name` stands in where there is none.
fn user_name(checks: &mut Checks, at: Path<'_>, written: Option<&str>, own_name: &str) -> UserName {
    let Some(written) = written else { return UserName::new(own_name, own_name) };
    let found = checks.text(at, written, 1, 256);
    match UsernameCaseMapped::enforce(written) {
        Ok(mapped) => UserName::new(found, &mapped),
        Err(_) if written.is_empty() || written.len() > 1024 => UserName::new(found, written),
        Err(_) => {
            checks.wrong(
                at,
                written,
                "is no user name by RFC 8265",
                "must have no spaces, control characters and symbols other than those of ASCII",
            );
            UserName::new(found, written)
        }
    }
}

fn texts(checks: &mut Checks, at: Path<'_>, spec: &crds::IdentitySpec) -> Box<[(Field, Arc<str>)]> {
    let name = spec.name.as_ref();
    let mut texts = Vec::new();
    for (field, path) in Field::ALL {
        let (text, most) = match field {
            Field::DisplayName => (spec.display_name.as_ref(), 256),
            Field::GivenName => (name.and_then(|name| name.given.as_ref()), 128),
            Field::FamilyName => (name.and_then(|name| name.family.as_ref()), 128),
            Field::MiddleName => (name.and_then(|name| name.middle.as_ref()), 128),
            Field::Title => (spec.title.as_ref(), 256),
            Field::Department => (spec.department.as_ref(), 256),
            Field::Division => (spec.division.as_ref(), 256),
            Field::Organization => (spec.organization.as_ref(), 256),
            Field::CostCenter => (spec.cost_center.as_ref(), 256),
            Field::EmployeeNumber => (spec.employee_number.as_ref(), 256),
            Field::EmployeeType => (spec.employee_type.as_ref(), 256),
            Field::Location => (spec.location.as_ref(), 256),
            Field::Locale => (spec.locale.as_ref(), 64),
            Field::PreferredLanguage => (spec.preferred_language.as_ref(), 64),
            Field::Timezone => (spec.timezone.as_ref(), 64),
        };
        texts.extend(checks.optional(at.field(path), text, 0, most).map(|text| (field, text)));
    }
    texts.sort_by_key(|(field, _)| *field);
    texts.into()
}

fn emails(checks: &mut Checks, at: Path<'_>, emails: Option<&[crds::Email]>) -> Box<[Contact]> {
    let emails = checks.list(at, emails.unwrap_or_default(), 0, 16);
    let contacts = emails.iter().enumerate().map(|(index, email)| {
        contact(checks, at.item(index), (&email.value, 254), email.r#type.as_ref(), email.primary)
    });
    let contacts = contacts.collect();
    one_primary_each(checks, at, contacts)
}

fn phone_numbers(checks: &mut Checks, at: Path<'_>, numbers: Option<&[crds::PhoneNumber]>) -> Box<[Contact]> {
    let numbers = checks.list(at, numbers.unwrap_or_default(), 0, 16);
    let contacts = numbers.iter().enumerate().map(|(index, number)| {
        contact(checks, at.item(index), (&number.value, 64), number.r#type.as_ref(), number.primary)
    });
    let contacts = contacts.collect();
    one_primary_each(checks, at, contacts)
}

fn contact(
    checks: &mut Checks,
    at: Path<'_>,
    (value, most): (&str, usize),
    kind: Option<&String>,
    primary: Option<bool>,
) -> Contact {
    Contact {
        value: checks.text(at.field("value"), value, 1, most),
        kind: checks.optional(at.field("type"), kind, 0, 64),
        primary,
    }
}

fn one_primary_each(checks: &mut Checks, at: Path<'_>, contacts: Vec<Contact>) -> Box<[Contact]> {
    checks.unique(at, "value", contacts.iter().map(|contact| (&contact.value, contact.value.to_string())));
    let primaries = contacts.iter().filter(|contact| contact.primary == Some(true)).count();
    if primaries > 1 {
        checks.wrong_untold(at, format!("has {primaries} entries with primary: true"), "must have at most one");
    }
    contacts.into()
}

fn addresses(checks: &mut Checks, at: Path<'_>, addresses: Option<&[crds::Address]>) -> Box<[Address]> {
    let addresses = checks.list(at, addresses.unwrap_or_default(), 0, 8);
    checks.unique(at, "type", addresses.iter().map(|address| (&address.r#type, address.r#type.clone())));
    let mut found = Vec::with_capacity(addresses.len());
    for (index, address) in addresses.iter().enumerate() {
        let at = at.item(index);
        found.push(Address {
            kind: checks.text(at.field("type"), &address.r#type, 1, 64),
            street: checks.optional(at.field("street"), address.street.as_ref(), 0, 256),
            locality: checks.optional(at.field("locality"), address.locality.as_ref(), 0, 128),
            region: checks.optional(at.field("region"), address.region.as_ref(), 0, 128),
            postal_code: checks.optional(at.field("postalCode"), address.postal_code.as_ref(), 0, 32),
            country: checks.optional(at.field("country"), address.country.as_ref(), 0, 64),
        });
    }
    found.into()
}

fn custom(
    checks: &mut Checks,
    at: Path<'_>,
    attributes: Option<&[crds::CustomAttribute]>,
) -> Box<[(Arc<str>, Custom)]> {
    let attributes = checks.list(at, attributes.unwrap_or_default(), 0, 64);
    checks.unique(at, "name", attributes.iter().map(|attribute| (&attribute.name, attribute.name.clone())));
    let mut found = Vec::with_capacity(attributes.len());
    for (index, attribute) in attributes.iter().enumerate() {
        let at = at.item(index);
        let name = checks.text(at.field("name"), &attribute.name, 1, 63);
        let first = |byte: u8| byte.is_ascii_alphabetic() || byte == b'_';
        let plain = attribute.name.bytes().all(|byte| first(byte) || byte.is_ascii_digit())
            && attribute.name.bytes().next().is_none_or(first);
        if !plain {
            checks.wrong(
                at.field("name"),
                &attribute.name,
                "is no name of an attribute",
                "must be letters, digits and underscores, not beginning with a digit",
            );
        }
        let value = match (&attribute.value, &attribute.values) {
            (Some(value), None) => Custom::One(checks.text(at.field("value"), value, 0, 1024)),
            (None, Some(values)) => Custom::Many(many(checks, at.field("values"), values)),
            _ => {
                let found = if attribute.value.is_some() { "has both" } else { "has neither" };
                checks.wrong_untold(at, found, "must have exactly one of value and values");
                Custom::Many(Box::default())
            }
        };
        found.push((name, value));
    }
    found.sort_by(|(one, _), (other, _)| one.cmp(other));
    found.into()
}

fn many(checks: &mut Checks, at: Path<'_>, values: &[String]) -> Box<[Arc<str>]> {
    let values = checks.list(at, values, 0, 64);
    checks.unique(at, "value", values.iter().map(|value| (value, value.clone())));
    values.iter().enumerate().map(|(index, value)| checks.text(at.item(index), value, 0, 1024)).collect()
}
