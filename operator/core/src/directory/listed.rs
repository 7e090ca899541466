//! Who is listed where: by group with an end, and by identity.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::rules::GroupId;
use super::table::{Id as _, IdentityId};

/// The identities that a group lists, until when: few of them end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Listed {
    /// Sorted.
    ids: Box<[IdentityId]>,
    ends: BTreeMap<IdentityId, Timestamp>,
}

impl Listed {
    /// Of two entries for one identity the longer one counts.
    pub fn new(mut members: Vec<(IdentityId, Option<Timestamp>)>) -> Self {
        members.sort_unstable_by_key(|(id, end)| (*id, end.is_some(), std::cmp::Reverse(*end)));
        members.dedup_by_key(|(id, _)| *id);
        let ends = members.iter().filter_map(|(id, end)| Some((*id, (*end)?))).collect();
        Self { ids: members.iter().map(|(id, _)| *id).collect(), ends }
    }

    /// Until when an identity is listed, if it is.
    #[allow(clippy::option_option, reason = "listed or not, and with an end or without")]
    pub fn get(&self, id: IdentityId) -> Option<Option<Timestamp>> {
        self.ids.binary_search(&id).is_ok().then(|| self.ends.get(&id).copied())
    }

    /// Sorted.
    pub fn iter(&self) -> impl Iterator<Item = (IdentityId, Option<Timestamp>)> {
        self.ids.iter().map(|id| (*id, self.ends.get(id).copied()))
    }

    /// Those that end, and when.
    pub fn ends(&self) -> &BTreeMap<IdentityId, Timestamp> {
        &self.ends
    }

    /// Listed here or there, or not until the same time.
    pub fn differing<'a>(&'a self, other: &'a Self) -> impl Iterator<Item = IdentityId> + 'a {
        let changed = self.iter().filter(|(id, end)| other.get(*id) != Some(*end)).map(|(id, _)| id);
        changed.chain(other.ids.iter().copied().filter(|id| self.get(*id).is_none()))
    }
}

/// The groups that list an identity, there or not.
#[derive(Debug, Default)]
pub(crate) struct Listings(Vec<Box<[GroupId]>>);

impl Listings {
    /// Sorted.
    pub fn of(&self, id: IdentityId) -> &[GroupId] {
        self.0.get(id.index()).map_or(&[], |groups| groups)
    }

    /// One more, or one less.
    pub fn set(&mut self, id: IdentityId, group: GroupId, there: bool) {
        if self.0.len() <= id.index() {
            self.0.resize(id.index() + 1, Box::default());
        }
        let Some(groups) = self.0.get_mut(id.index()) else { return };
        let mut list = std::mem::take(groups).into_vec();
        match (list.binary_search(&group), there) {
            (Err(at), true) => {
                list.reserve_exact(1);
                list.insert(at, group);
            }
            (Ok(at), false) => _ = list.remove(at),
            _ => {}
        }
        *groups = list.into();
    }

    pub fn shrink(&mut self) {
        self.0.shrink_to_fit();
    }
}
