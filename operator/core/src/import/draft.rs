use std::collections::BTreeMap;
use std::sync::Arc;

use crate::input::mapped_user_name;
use crate::model::{Address, Contact, Custom, Field, Identity, IdentityType, Lifecycle, Name};
use crate::policy::{AddressField, Told};

/// An identity in the making. A part that is set once stays.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Draft {
    pub kind: IdentityType,
    pub user_name: Option<Arc<str>>,
    pub external_id: Option<Arc<str>>,
    pub texts: BTreeMap<Field, Arc<str>>,
    pub emails: Vec<Contact>,
    pub phone_numbers: Vec<Contact>,
    pub addresses: BTreeMap<Arc<str>, Address>,
    pub custom: BTreeMap<Arc<str>, Custom>,
    pub lifecycle: Lifecycle,
    /// By the name of the manager's object; the source says who that is.
    pub manager: Option<Arc<str>>,
}

impl Draft {
    /// Takes what was told, unless something else is there already.
    pub fn take(&mut self, told: Told) {
        match told {
            Told::UserName(text) => {
                self.user_name.get_or_insert(text);
            }
            Told::ExternalId(text) => {
                self.external_id.get_or_insert(text);
            }
            Told::Manager(text) => {
                self.manager.get_or_insert(text);
            }
            Told::Text(field, text) => {
                self.texts.entry(field).or_insert(text);
            }
            Told::Custom(name, value) => {
                self.custom.entry(name).or_insert(value);
            }
            Told::Emails(contacts) => add(&mut self.emails, contacts),
            Told::PhoneNumbers(contacts) => add(&mut self.phone_numbers, contacts),
            Told::Address(kind, fields) => {
                let address = self.addresses.entry(Arc::clone(&kind)).or_default();
                address.kind = kind;
                for (field, text) in fields {
                    let place = match field {
                        AddressField::Street => &mut address.street,
                        AddressField::Locality => &mut address.locality,
                        AddressField::Region => &mut address.region,
                        AddressField::PostalCode => &mut address.postal_code,
                        AddressField::Country => &mut address.country,
                    };
                    place.get_or_insert(text);
                }
            }
        }
    }

    /// The identity, with this manager.
    pub fn identity(&self, manager: Option<Name>) -> Identity {
        Identity {
            kind: self.kind,
            user_name: mapped_user_name(self.user_name.as_deref().unwrap_or_default()),
            external_id: self.external_id.clone(),
            texts: self.texts.iter().map(|(field, text)| (*field, Arc::clone(text))).collect(),
            emails: self.emails.clone().into(),
            phone_numbers: self.phone_numbers.clone().into(),
            addresses: self.addresses.values().cloned().collect(),
            manager,
            custom: self.custom.iter().map(|(name, value)| (Arc::clone(name), value.clone())).collect(),
            lifecycle: self.lifecycle,
        }
    }
}

/// Adds what is new by its value; of one that is there already, that it is the primary one may be learned.
fn add(contacts: &mut Vec<Contact>, more: Vec<Contact>) {
    for contact in more {
        let primary = contacts.iter().any(|known| known.primary == Some(true));
        match contacts.iter_mut().find(|known| known.value == contact.value) {
            Some(known) => {
                known.primary = known.primary.or(contact.primary.filter(|_| !primary));
                known.kind = known.kind.take().or(contact.kind);
            }
            None => {
                contacts.push(Contact { primary: contact.primary.filter(|first| !(*first && primary)), ..contact });
            }
        }
    }
}
