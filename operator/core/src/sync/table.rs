//! Every account that is known, each in one place, and found by whatever it is known by. What finds it holds the number of
//! the place alone: the texts are the account's.

use super::row::{Account, Common};
use crate::directory::keys::Keys;
use crate::model::{AttributeName, RecordId, Schema};
use crate::plan::Fold;

/// Where an account is.
pub(super) type Place = u32;

/// Accounts by record, owner, externalId, id at the target and the texts of key attributes.
#[derive(Debug)]
pub(super) struct Table {
    places: Places,
    pub(super) common: Common,
    by_id: Keys<Place>,
    by_owner: Keys<Place>,
    by_external: Keys<Place>,
    /// One each: of two records with one account the one that was put last.
    by_target: Keys<Place>,
    by_key: Vec<(Fold, Keys<Place>)>,
}

#[derive(Debug, Default)]
struct Places {
    all: Vec<Option<Box<Account>>>,
    free: Vec<Place>,
}

impl Places {
    fn get(&self, place: Place) -> Option<&Account> {
        self.all.get(place as usize)?.as_deref()
    }

    fn id(&self, place: Place) -> Option<RecordId> {
        Some(self.get(place)?.row()?.id)
    }

    fn key(&self, place: Place, at: u8, fold: Fold) -> Option<std::borrow::Cow<'_, str>> {
        Some(fold.apply(self.get(place)?.key(at)?))
    }
}

impl Table {
    /// `keys` names the attributes by whose texts accounts are recognised.
    pub(super) fn new(keys: Vec<AttributeName>, schema: &Schema) -> Self {
        let mut table = Self {
            places: Places::default(),
            common: Common::default(),
            by_id: Keys::default(),
            by_owner: Keys::default(),
            by_external: Keys::default(),
            by_target: Keys::default(),
            by_key: Vec::new(),
        };
        table.recognise_by(keys, schema);
        table
    }

    /// From here on accounts are recognised by the texts of these attributes; none was seen yet.
    pub(super) fn recognise_by(&mut self, keys: Vec<AttributeName>, schema: &Schema) {
        self.by_key = keys.iter().map(|key| (Fold::of(schema, key), Keys::default())).collect();
        self.common.keys = keys.into();
    }

    pub(super) fn get(&self, place: Place) -> Option<&Account> {
        self.places.get(place)
    }

    /// To change what no account is found by, with what all have in common.
    pub(super) fn get_mut(&mut self, place: Place) -> Option<(&mut Account, &mut Common)> {
        Some((self.places.all.get_mut(place as usize)?.as_deref_mut()?, &mut self.common))
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (Place, &Account)> {
        (0..).zip(&self.places.all).filter_map(|(place, account)| Some((place, account.as_deref()?)))
    }

    pub(super) fn of_id(&self, id: RecordId) -> Option<Place> {
        self.by_id.get(&id, |place| self.places.id(place)).next()
    }

    pub(super) fn of_owner(&self, name: &str) -> impl Iterator<Item = Place> {
        self.by_owner.get(name, |place| self.places.get(place)?.owner())
    }

    pub(super) fn of_external(&self, external_id: &str) -> impl Iterator<Item = Place> {
        self.by_external.get(external_id, |place| self.places.get(place)?.external_id())
    }

    pub(super) fn of_target(&self, id: &str) -> Option<Place> {
        self.by_target.get(id, |place| self.places.get(place)?.target_id()).next()
    }

    /// Those that were seen with this text of a key attribute, by the attribute's own case rule.
    pub(super) fn of_key(&self, attribute: &AttributeName, text: &str) -> Vec<Place> {
        let found = (0..).zip(self.common.keys.iter()).zip(&self.by_key).find(|((_, key), _)| *key == attribute);
        let Some(((at, _), (fold, keys))) = found else { return Vec::new() };
        keys.get(&*fold.apply(text), |place| self.places.key(place, at, *fold)).collect()
    }

    /// Puts an account into a place of its own.
    pub(super) fn add(&mut self, account: Account) -> Place {
        let place = self.places.free.pop().unwrap_or_else(|| {
            self.places.all.push(None);
            u32::try_from(self.places.all.len() - 1).unwrap_or(Place::MAX)
        });
        self.fill(place, account);
        place
    }

    /// Puts what becomes of an account in its place; `None`: nothing is known of it any longer.
    pub(super) fn change(&mut self, place: Place, change: impl FnOnce(Account, &mut Common) -> Option<Account>) {
        let Some(account) = self.empty(place) else { return };
        match change(account, &mut self.common) {
            Some(account) => self.fill(place, account),
            None => self.places.free.push(place),
        }
    }

    fn fill(&mut self, place: Place, account: Account) {
        let Some(slot) = self.places.all.get_mut(place as usize) else { return };
        *slot = Some(Box::new(account));
        let places = &self.places;
        let Some(account) = places.get(place) else { return };
        if let Some(row) = account.row() {
            self.by_id.insert(&row.id, place, |place| places.id(place));
        }
        if let Some(owner) = account.owner() {
            self.by_owner.insert(owner, place, |place| places.get(place)?.owner());
        }
        if let Some(external_id) = account.external_id() {
            self.by_external.insert(external_id, place, |place| places.get(place)?.external_id());
        }
        if let Some(id) = account.target_id() {
            let target_id = |place| places.get(place)?.target_id();
            let others: Vec<Place> = self.by_target.get(id, target_id).collect();
            for other in others {
                self.by_target.remove(id, other);
            }
            self.by_target.insert(id, place, target_id);
        }
        for (at, (fold, keys)) in (0..).zip(&mut self.by_key) {
            if let Some(text) = account.key(at) {
                keys.insert(&*fold.apply(text), place, |place| places.key(place, at, *fold));
            }
        }
    }

    fn empty(&mut self, place: Place) -> Option<Account> {
        let account = self.places.all.get_mut(place as usize)?.take()?;
        if let Some(row) = account.row() {
            self.by_id.remove(&row.id, place);
        }
        if let Some(owner) = account.owner() {
            self.by_owner.remove(owner, place);
        }
        if let Some(external_id) = account.external_id() {
            self.by_external.remove(external_id, place);
        }
        if let Some(id) = account.target_id() {
            self.by_target.remove(id, place);
        }
        for (at, (fold, keys)) in (0..).zip(&mut self.by_key) {
            if let Some(text) = account.key(at) {
                keys.remove(&*fold.apply(text), place);
            }
        }
        Some(*account)
    }
}
