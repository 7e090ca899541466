//! An Identity in one piece of memory: 100,000 of them are held, and a text with a pointer and a count of its own takes
//! more room than most of their texts.

use super::parts::{Parts, Several, put, put_some};
use super::{Address, Contact, Custom, Field, Identity, IdentityType, Lifecycle};

/// One identity as the directory holds it and as rules read it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PackedIdentity {
    /// Tagged texts, sorted by tag.
    parts: Box<str>,
    /// Most have none.
    lifecycle: Option<Box<Lifecycle>>,
}

// The order in which parts are held; what is asked for most comes first.
const SERVICE: u8 = 0;
const AGENT: u8 = 1;
const USER_NAME: u8 = 2;
const FOLDED: u8 = 3;
const EXTERNAL_ID: u8 = 4;
const MANAGER: u8 = 5;
/// And the fourteen after it: the text fields.
const TEXT: u8 = 6;
const EMAIL: u8 = 32;
const PHONE: u8 = 33;
const ADDRESS: u8 = 34;
const CUSTOM: u8 = 35;

// Within an e-mail address, a phone number, a postal address.
const VALUE: u8 = 0;
const KIND: u8 = 1;
const PRIMARY: u8 = 2;
const STREET: u8 = 3;
const LOCALITY: u8 = 4;
const REGION: u8 = 5;
const POSTAL_CODE: u8 = 6;
const COUNTRY: u8 = 7;

// Within a custom attribute.
const NAME: u8 = 0;
const ONE: u8 = 1;
const EACH: u8 = 2;

impl Identity {
    /// The same in one piece.
    pub fn pack(&self) -> PackedIdentity {
        let mut parts = String::with_capacity(256);
        match self.kind {
            IdentityType::Person => {}
            IdentityType::Service => put(&mut parts, SERVICE, ""),
            IdentityType::Agent => put(&mut parts, AGENT, ""),
        }
        put(&mut parts, USER_NAME, self.user_name.written());
        if self.user_name.folded() != self.user_name.written() {
            put(&mut parts, FOLDED, self.user_name.folded());
        }
        put_some(&mut parts, EXTERNAL_ID, self.external_id.as_deref());
        put_some(&mut parts, MANAGER, self.manager.as_ref().map(super::Name::as_str));
        self.texts.iter().for_each(|(field, text)| put(&mut parts, TEXT + *field as u8, text));
        self.emails.iter().for_each(|contact| put(&mut parts, EMAIL, &pack_contact(contact)));
        self.phone_numbers.iter().for_each(|contact| put(&mut parts, PHONE, &pack_contact(contact)));
        self.addresses.iter().for_each(|address| put(&mut parts, ADDRESS, &pack_address(address)));
        self.custom.iter().for_each(|(name, value)| put(&mut parts, CUSTOM, &pack_custom(name, value)));
        let lifecycle = (self.lifecycle != Lifecycle::default()).then(|| Box::new(self.lifecycle));
        PackedIdentity { parts: parts.into(), lifecycle }
    }
}

fn pack_contact(contact: &Contact) -> String {
    let mut parts = String::new();
    put(&mut parts, VALUE, &contact.value);
    put_some(&mut parts, KIND, contact.kind.as_deref());
    put_some(&mut parts, PRIMARY, contact.primary.map(|primary| if primary { "1" } else { "" }));
    parts
}

fn pack_address(address: &Address) -> String {
    let mut parts = String::new();
    put(&mut parts, KIND, &address.kind);
    let rest = [
        (STREET, &address.street),
        (LOCALITY, &address.locality),
        (REGION, &address.region),
        (POSTAL_CODE, &address.postal_code),
        (COUNTRY, &address.country),
    ];
    for (tag, text) in rest {
        put_some(&mut parts, tag, text.as_deref());
    }
    parts
}

fn pack_custom(name: &str, value: &Custom) -> String {
    let mut parts = String::new();
    put(&mut parts, NAME, name);
    match value {
        Custom::One(text) => put(&mut parts, ONE, text),
        Custom::Many(texts) => texts.iter().for_each(|text| put(&mut parts, EACH, text)),
    }
    parts
}

impl PackedIdentity {
    fn parts(&self) -> Parts<'_> {
        Parts(&self.parts)
    }

    /// Person, service or agent.
    pub fn kind(&self) -> IdentityType {
        match self.parts.as_bytes().first() {
            Some(&SERVICE) => IdentityType::Service,
            Some(&AGENT) => IdentityType::Agent,
            _ => IdentityType::Person,
        }
    }

    /// The user name, as the manifest writes it.
    pub fn user_name(&self) -> &str {
        self.parts().find(USER_NAME).unwrap_or_default()
    }

    /// The user name, case-mapped for comparison.
    pub fn folded_user_name(&self) -> &str {
        self.parts().find(FOLDED).unwrap_or_else(|| self.user_name())
    }

    /// The HR key.
    pub fn external_id(&self) -> Option<&str> {
        self.parts().find(EXTERNAL_ID)
    }

    /// The manager's object name.
    pub fn manager(&self) -> Option<&str> {
        self.parts().find(MANAGER)
    }

    /// A single-valued text field, if present.
    pub fn text(&self, field: Field) -> Option<&str> {
        self.parts().find(TEXT + field as u8)
    }

    /// E-mail addresses: each reads as a [`PackedContact`].
    pub fn emails(&self) -> Several<'_> {
        self.parts().all(EMAIL)
    }

    /// Phone numbers: each reads as a [`PackedContact`].
    pub fn phone_numbers(&self) -> Several<'_> {
        self.parts().all(PHONE)
    }

    /// Postal addresses: each reads as a [`PackedAddress`].
    pub fn addresses(&self) -> Several<'_> {
        self.parts().all(ADDRESS)
    }

    /// Custom attributes, sorted by name: each reads as a [`PackedCustom`].
    pub fn custom(&self) -> Several<'_> {
        self.parts().all(CUSTOM)
    }

    /// The primary e-mail address, else the first.
    pub fn primary_email(&self) -> Option<&str> {
        let primary = self.emails().iter().map(PackedContact::new).find(|email| email.primary() == Some(true));
        primary.or_else(|| self.emails().get(0).map(PackedContact::new)).map(PackedContact::value)
    }

    /// Start, end, suspension.
    pub fn lifecycle(&self) -> &Lifecycle {
        const NONE: &Lifecycle = &Lifecycle { start: None, end: None, suspended: false };
        self.lifecycle.as_deref().unwrap_or(NONE)
    }
}

/// An e-mail address or a phone number.
#[derive(Clone, Copy, Debug)]
pub struct PackedContact<'a>(Parts<'a>);

impl<'a> PackedContact<'a> {
    /// From one of [`PackedIdentity::emails`] or [`PackedIdentity::phone_numbers`].
    pub fn new(packed: &'a str) -> Self {
        Self(Parts(packed))
    }

    /// The address or number.
    pub fn value(self) -> &'a str {
        self.0.find(VALUE).unwrap_or_default()
    }

    /// `work`, `home`, ...
    pub fn kind(self) -> Option<&'a str> {
        self.0.find(KIND)
    }

    /// Said to be the primary one; absent and false differ.
    pub fn primary(self) -> Option<bool> {
        self.0.find(PRIMARY).map(|primary| !primary.is_empty())
    }
}

/// A postal address.
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs, reason = "each is the manifest's field of the same name")]
pub struct PackedAddress<'a>(Parts<'a>);

#[allow(missing_docs, reason = "each is the manifest's field of the same name")]
impl<'a> PackedAddress<'a> {
    /// From one of [`PackedIdentity::addresses`].
    pub fn new(packed: &'a str) -> Self {
        Self(Parts(packed))
    }

    pub fn kind(self) -> &'a str {
        self.0.find(KIND).unwrap_or_default()
    }

    pub fn street(self) -> Option<&'a str> {
        self.0.find(STREET)
    }

    pub fn locality(self) -> Option<&'a str> {
        self.0.find(LOCALITY)
    }

    pub fn region(self) -> Option<&'a str> {
        self.0.find(REGION)
    }

    pub fn postal_code(self) -> Option<&'a str> {
        self.0.find(POSTAL_CODE)
    }

    pub fn country(self) -> Option<&'a str> {
        self.0.find(COUNTRY)
    }
}

/// The value of a custom attribute.
#[derive(Clone, Copy, Debug)]
pub enum PackedCustom<'a> {
    /// `value`.
    One(&'a str),
    /// `values`.
    Many(Several<'a>),
}

impl<'a> PackedCustom<'a> {
    /// Name and value, from one of [`PackedIdentity::custom`].
    pub fn new(packed: &'a str) -> (&'a str, Self) {
        let parts = Parts(packed);
        let value = parts.find(ONE).map_or(Self::Many(parts.all(EACH)), Self::One);
        (parts.find(NAME).unwrap_or_default(), value)
    }

    /// The value of the attribute of this name.
    pub fn named(custom: Several<'a>, name: &str) -> Option<Self> {
        custom.iter().map(Self::new).find(|(other, _)| *other == name).map(|(_, value)| value)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::model::{Name, UserName};

    fn text(length: usize) -> Arc<str> {
        "\u{e9}".repeat(length / 2).into()
    }

    fn everything(kind: IdentityType, length: usize) -> Identity {
        let some = Some(text(length));
        let contact = |primary| Contact { value: text(length + 2), kind: some.clone(), primary };
        Identity {
            kind,
            user_name: UserName::new("Ada", "ada"),
            external_id: some.clone(),
            texts: Field::ALL.iter().map(|(field, path)| (*field, (*path).into())).collect(),
            emails: [contact(None), contact(Some(false)), contact(Some(true))].into(),
            phone_numbers: [Contact { value: "1".into(), kind: None, primary: None }].into(),
            addresses: [Address {
                kind: "work".into(),
                street: some.clone(),
                locality: Some("London".into()),
                region: None,
                postal_code: Some("".into()),
                country: Some("GB".into()),
            }]
            .into(),
            manager: Some(Name::from("grace")),
            custom: [
                ("a".into(), Custom::One(text(length))),
                ("b".into(), Custom::Many([text(length), "x".into()].into())),
                ("c".into(), Custom::Many(Box::default())),
            ]
            .into(),
            lifecycle: Lifecycle { start: None, end: None, suspended: true },
        }
    }

    fn unpack_contacts(contacts: Several<'_>) -> Box<[Contact]> {
        let one = |contact: PackedContact<'_>| Contact {
            value: contact.value().into(),
            kind: contact.kind().map(Into::into),
            primary: contact.primary(),
        };
        contacts.iter().map(PackedContact::new).map(one).collect()
    }

    fn unpack(packed: &PackedIdentity) -> Identity {
        let some = |text: Option<&str>| text.map(Arc::from);
        let address = |address: PackedAddress<'_>| Address {
            kind: address.kind().into(),
            street: some(address.street()),
            locality: some(address.locality()),
            region: some(address.region()),
            postal_code: some(address.postal_code()),
            country: some(address.country()),
        };
        let custom = |(name, value): (&str, PackedCustom<'_>)| match value {
            PackedCustom::One(text) => (name.into(), Custom::One(text.into())),
            PackedCustom::Many(texts) => (name.into(), Custom::Many(texts.iter().map(Into::into).collect())),
        };
        Identity {
            kind: packed.kind(),
            user_name: UserName::new(packed.user_name(), packed.folded_user_name()),
            external_id: some(packed.external_id()),
            texts: Field::ALL.iter().filter_map(|(field, _)| Some((*field, packed.text(*field)?.into()))).collect(),
            emails: unpack_contacts(packed.emails()),
            phone_numbers: unpack_contacts(packed.phone_numbers()),
            addresses: packed.addresses().iter().map(PackedAddress::new).map(address).collect(),
            manager: packed.manager().map(Name::from),
            custom: packed.custom().iter().map(PackedCustom::new).map(custom).collect(),
            lifecycle: *packed.lifecycle(),
        }
    }

    #[test]
    fn what_is_packed_reads_as_it_was_at_every_length() {
        for kind in [IdentityType::Person, IdentityType::Service, IdentityType::Agent] {
            for length in [0, 2, 62, 64, 66, 126, 128, 4094, 4096, 4098, 300_000] {
                let whole = everything(kind, length);
                assert_eq!(unpack(&whole.pack()), whole, "{kind:?}, {length}");
            }
        }
        let bare = Identity {
            user_name: UserName::new("", ""),
            external_id: None,
            texts: Box::default(),
            emails: Box::default(),
            phone_numbers: Box::default(),
            addresses: Box::default(),
            manager: None,
            custom: Box::default(),
            lifecycle: Lifecycle::default(),
            ..everything(IdentityType::Person, 0)
        };
        assert_eq!(unpack(&bare.pack()), bare);
    }
}
