//! The way back: what is valid by type becomes the manifest that says it. Reading it again gives the same.

use std::sync::Arc;

use provost_crds as crds;

use crate::model::{
    AccessPolicy, Address, Contact, Custom, Effect, Field, FieldError, GrantSpec, GrantWhat, Group, Identity,
    IdentityType, Lifecycle, Name, PolicyMode, Subject,
};

/// An Identity that says this.
pub fn identity_manifest(namespace: Option<&str>, name: &Name, identity: &Identity) -> crds::Identity {
    let text = |wanted: Field| identity.texts.iter().find(|(field, _)| *field == wanted).map(|(_, text)| owned(text));
    let parts = crds::PersonName {
        given: text(Field::GivenName),
        family: text(Field::FamilyName),
        middle: text(Field::MiddleName),
    };
    let spec = crds::IdentitySpec {
        r#type: match identity.kind {
            IdentityType::Person => None,
            IdentityType::Service => Some(crds::IdentityType::Service),
            IdentityType::Agent => Some(crds::IdentityType::Agent),
        },
        user_name: Some(identity.user_name.written()).filter(|written| *written != name.as_str()).map(str::to_owned),
        external_id: identity.external_id.as_ref().map(owned),
        display_name: text(Field::DisplayName),
        name: Some(parts).filter(|parts| *parts != crds::PersonName::default()),
        emails: some(identity.emails.iter().map(email).collect()),
        phone_numbers: some(identity.phone_numbers.iter().map(phone_number).collect()),
        addresses: some(identity.addresses.iter().map(address).collect()),
        title: text(Field::Title),
        department: text(Field::Department),
        division: text(Field::Division),
        organization: text(Field::Organization),
        cost_center: text(Field::CostCenter),
        employee_number: text(Field::EmployeeNumber),
        employee_type: text(Field::EmployeeType),
        location: text(Field::Location),
        locale: text(Field::Locale),
        preferred_language: text(Field::PreferredLanguage),
        timezone: text(Field::Timezone),
        manager_ref: identity.manager.as_ref().map(|name| crds::IdentityReference { name: name.to_string() }),
        attributes: some(identity.custom.iter().map(custom).collect()),
        lifecycle: Some(identity.lifecycle).filter(|lifecycle| *lifecycle != Lifecycle::default()).map(lifecycle),
    };
    crds::Identity { metadata: metadata(namespace, name), spec, status: None }
}

/// What keeps this from being an Identity of this name; nothing, if nothing does.
pub fn identity_errors(name: &Name, identity: &Identity) -> Vec<FieldError> {
    super::identity(&identity_manifest(None, name, identity)).err().map(|invalid| invalid.errors).unwrap_or_default()
}

/// A Group that says this.
///
/// `rule` and `exclude` of the group are written too; a description is none of the model's.
pub fn group_manifest(namespace: Option<&str>, name: &Name, group: &Group) -> crds::Group {
    let member = |member: &crate::model::Member| {
        let (kind, name) = subject(&member.subject);
        crds::Member { kind, name, not_after: member.not_after.map(Into::into) }
    };
    let spec = crds::GroupSpec {
        display_name: group.display_name.as_ref().map(owned),
        description: None,
        members: some(group.members.iter().map(member).collect()),
        r#match: group.rule.as_ref().map(|rule| owned(&rule.text)),
        exclude: some(group.exclude.iter().map(subject_manifest).collect()),
    };
    crds::Group { metadata: metadata(namespace, name), spec, status: None }
}

/// An AccessPolicy that says this.
pub fn access_policy_manifest(namespace: Option<&str>, name: &Name, policy: &AccessPolicy) -> crds::AccessPolicy {
    let spec = crds::AccessPolicySpec {
        description: None,
        effect: (policy.effect == Effect::Deny).then_some(crds::Effect::Deny),
        mode: (policy.mode == PolicyMode::Audit).then_some(crds::PolicyMode::Audit),
        subjects: policy.subjects.as_ref().map(|all| all.iter().map(subject_manifest).collect()),
        r#match: policy.rule.as_ref().map(|rule| owned(&rule.text)),
        grants: policy.grants.iter().map(grant).collect(),
        not_before: policy.not_before.map(Into::into),
        not_after: policy.not_after.map(Into::into),
        lead_time: policy.lead_time.map(|time| crds::Duration(format!("{}s", time.as_secs()))),
    };
    crds::AccessPolicy { metadata: metadata(namespace, name), spec, status: None }
}

fn metadata(namespace: Option<&str>, name: &Name) -> crds::ObjectMeta {
    crds::ObjectMeta {
        name: Some(name.to_string()),
        namespace: namespace.map(str::to_owned),
        ..crds::ObjectMeta::default()
    }
}

fn owned(text: &Arc<str>) -> String {
    text.to_string()
}

/// A list that says nothing is left out.
fn some<T>(list: Vec<T>) -> Option<Vec<T>> {
    Some(list).filter(|list| !list.is_empty())
}

fn email(contact: &Contact) -> crds::Email {
    let Contact { value, kind, primary } = contact;
    crds::Email { value: owned(value), r#type: kind.as_ref().map(owned), primary: *primary }
}

fn phone_number(contact: &Contact) -> crds::PhoneNumber {
    let Contact { value, kind, primary } = contact;
    crds::PhoneNumber { value: owned(value), r#type: kind.as_ref().map(owned), primary: *primary }
}

fn address(address: &Address) -> crds::Address {
    let part = |text: &Option<Arc<str>>| text.as_ref().map(owned);
    crds::Address {
        r#type: owned(&address.kind),
        street: part(&address.street),
        locality: part(&address.locality),
        region: part(&address.region),
        postal_code: part(&address.postal_code),
        country: part(&address.country),
    }
}

fn custom((name, value): &(Arc<str>, Custom)) -> crds::CustomAttribute {
    let (value, values) = match value {
        Custom::One(text) => (Some(owned(text)), None),
        Custom::Many(texts) => (None, Some(texts.iter().map(owned).collect())),
    };
    crds::CustomAttribute { name: owned(name), value, values }
}

fn lifecycle(lifecycle: Lifecycle) -> crds::LifecycleSpec {
    crds::LifecycleSpec {
        start_time: lifecycle.start.map(Into::into),
        end_time: lifecycle.end.map(Into::into),
        suspended: lifecycle.suspended.then_some(true),
    }
}

fn subject(subject: &Subject) -> (crds::SubjectKind, String) {
    match subject {
        Subject::Identity(name) => (crds::SubjectKind::Identity, name.to_string()),
        Subject::Group(name) => (crds::SubjectKind::Group, name.to_string()),
    }
}

fn subject_manifest(of: &Subject) -> crds::Subject {
    let (kind, name) = subject(of);
    crds::Subject { kind, name }
}

fn grant(grant: &GrantSpec) -> crds::Grant {
    let entitlements = match &grant.what {
        GrantWhat::Account => None,
        GrantWhat::EveryEntitlement => Some(vec!["*".to_owned()]),
        GrantWhat::Named(names) => Some(names.iter().map(Name::to_string).collect()),
    };
    crds::Grant { application: grant.application.to_string(), entitlements }
}
