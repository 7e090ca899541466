use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;

use crate::model::{Custom, Field, Identity};

/// Texts that were seen lately, so that what many identities have in common is held once. It forgets: a text that comes
/// back after others took its place is held twice, and nothing is held that nobody needs but these few.
#[derive(Debug)]
pub(crate) struct Shared {
    seen: Vec<Option<Arc<str>>>,
    hasher: RandomState,
}

/// How many texts are remembered.
const SEEN: usize = 4096;

impl Default for Shared {
    fn default() -> Self {
        Self { seen: vec![None; SEEN], hasher: RandomState::new() }
    }
}

impl Shared {
    /// Puts the text as it was seen before in the place of an equal one.
    fn text(&mut self, text: &mut Arc<str>) {
        let hash = usize::try_from(self.hasher.hash_one(&**text) % SEEN as u64).unwrap_or_default();
        let Some(seen) = self.seen.get_mut(hash) else { return };
        match seen {
            Some(seen) if *seen == *text => *text = Arc::clone(seen),
            _ => *seen = Some(Arc::clone(text)),
        }
    }

    /// All texts that people tend to have in common.
    pub fn identity(&mut self, identity: &mut Identity) {
        let own = |field: Field| matches!(field, Field::DisplayName | Field::EmployeeNumber);
        let common = identity.texts.iter_mut().filter(|(field, _)| !own(*field));
        common.for_each(|(_, text)| self.text(text));
        for contact in identity.emails.iter_mut().chain(&mut identity.phone_numbers) {
            contact.kind.iter_mut().for_each(|kind| self.text(kind));
        }
        for address in &mut identity.addresses {
            self.text(&mut address.kind);
            let parts = [&mut address.locality, &mut address.region, &mut address.postal_code, &mut address.country];
            parts.into_iter().flatten().for_each(|part| self.text(part));
        }
        for (name, value) in &mut identity.custom {
            self.text(name);
            match value {
                Custom::One(text) => self.text(text),
                Custom::Many(texts) => texts.iter_mut().for_each(|text| self.text(text)),
            }
        }
    }
}
