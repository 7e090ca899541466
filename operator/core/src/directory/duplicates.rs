//! Of two identities with one userName or externalId the older stands; the other is frozen. Ended ones do not count.

use jiff::Timestamp;

use super::Directory;
use super::entry::IdentityEntry;
use super::settle::Pass;
use super::table::{IdentityId, Table};
use crate::model::{PackedIdentity, Reason, Uid};

/// When what a file has was made, as `input` has it: never, so to speak.
const FILE: Timestamp = Timestamp::UNIX_EPOCH;

impl Directory {
    /// Looks again at whoever has a key in common with one that changed.
    pub(crate) fn settle_duplicates(&mut self, pass: &mut Pass) {
        for id in std::mem::take(&mut pass.rivals).iter() {
            let reason = self.duplicate_of(id).map(|(reason, _)| reason);
            let Some(entry) = self.identities.get_mut(id) else { continue };
            if entry.duplicate != reason {
                entry.duplicate = reason;
                pass.touch_identity(id);
            }
        }
    }

    /// Why an identity has to give way, and to whom.
    pub(crate) fn duplicate_of(&self, id: IdentityId) -> Option<(Reason, IdentityId)> {
        let entry = self.identities.get(id)?;
        let identity = entry.evaluable()?;
        let older = |ids: &mut dyn Iterator<Item = IdentityId>| {
            let stands = self.oldest(ids).filter(|oldest| *oldest != id)?;
            let (oldest, _) = self.evaluable(stands)?;
            (self.seniority(stands, oldest) < self.seniority(id, entry)).then_some(stands)
        };
        if let Some(other) = older(&mut self.with_user_name(identity.folded_user_name())) {
            return Some((Reason::DuplicateUserName, other));
        }
        let external = identity.external_id()?;
        older(&mut self.with_external_id(external)).map(|other| (Reason::DuplicateExternalId, other))
    }

    /// Who shares a key with an identity, where one of the two is in a file that says no age: which of them will stand is not
    /// known. One a key.
    pub(crate) fn equals_of(&self, id: IdentityId) -> Vec<(Reason, IdentityId)> {
        let Some((entry, identity)) = self.evaluable(id) else { return Vec::new() };
        let ageless = |id: IdentityId| self.identities.get(id).is_some_and(|entry| entry.created == FILE);
        let unknown = |other: &IdentityId| *other != id && (entry.created == FILE || ageless(*other));
        let equal = |ids: &mut dyn Iterator<Item = IdentityId>| self.oldest(ids.filter(unknown));
        let by_name = equal(&mut self.with_user_name(identity.folded_user_name()));
        let by_key = identity.external_id().and_then(|key| equal(&mut self.with_external_id(key)));
        let by_name = by_name.map(|other| (Reason::DuplicateUserName, other));
        by_name.into_iter().chain(by_key.map(|other| (Reason::DuplicateExternalId, other))).collect()
    }

    /// The one that stands, of those with this key.
    pub(crate) fn oldest(&self, ids: impl Iterator<Item = IdentityId>) -> Option<IdentityId> {
        let valid = ids.filter_map(|id| self.evaluable(id).map(|(entry, _)| (id, entry)));
        valid.min_by(|(a, one), (b, other)| self.seniority(*a, one).cmp(&self.seniority(*b, other))).map(|(id, _)| id)
    }

    fn evaluable(&self, id: IdentityId) -> Option<(&IdentityEntry, &PackedIdentity)> {
        let entry = self.identities.get(id)?;
        entry.evaluable().map(|identity| (entry, identity))
    }

    /// The smaller is the older: by creation, then uid; names decide between manifests that have neither.
    fn seniority<'a>(&'a self, id: IdentityId, entry: &'a IdentityEntry) -> impl Ord + 'a {
        (entry.created, &entry.uid, self.identities.name(id))
    }

    /// By what the first of two is the senior.
    pub(crate) fn first_by(&self, senior: IdentityId, junior: IdentityId) -> &'static str {
        let (Some(one), Some(other)) = (self.identities.get(senior), self.identities.get(junior)) else {
            return "stands";
        };
        // What a file leaves out has its name for a uid.
        let has_none = |id, entry: &IdentityEntry| {
            self.identities.name(id).is_some_and(|name| entry.uid == Uid::from(name.as_str()))
        };
        match (one.created == other.created, has_none(senior, one) && has_none(junior, other)) {
            (false, _) => "is older",
            (true, false) => "was created at the same time and comes first by its uid",
            (true, true) => "was created at the same time and comes first by its name",
        }
    }

    /// Whoever has this case-mapped userName in a valid spec.
    pub(crate) fn with_user_name(&self, folded: &str) -> impl Iterator<Item = IdentityId> {
        self.by_user_name.get(folded, |id| user_name(&self.identities, id))
    }

    /// Whoever has this externalId in a valid spec.
    pub(crate) fn with_external_id(&self, external_id: &str) -> impl Iterator<Item = IdentityId> {
        self.by_external_id.get(external_id, |id| external_id_of(&self.identities, id))
    }

    /// Notes whoever has a key in common with this one, and itself.
    pub(crate) fn rivals(&self, id: IdentityId, pass: &mut Pass) {
        pass.rivals.insert(id);
        if let Some(key) = user_name(&self.identities, id) {
            pass.rivals.extend(self.with_user_name(key));
        }
        if let Some(key) = external_id_of(&self.identities, id) {
            pass.rivals.extend(self.with_external_id(key));
        }
    }

    pub(crate) fn index_keys(&mut self, id: IdentityId) {
        let identities = &self.identities;
        if let Some(key) = user_name(identities, id) {
            self.by_user_name.insert(key, id, |id| user_name(identities, id));
        }
        if let Some(key) = external_id_of(identities, id) {
            self.by_external_id.insert(key, id, |id| external_id_of(identities, id));
        }
    }

    /// While the identity still is what was indexed.
    pub(crate) fn unindex_keys(&mut self, id: IdentityId) {
        if let Some(key) = user_name(&self.identities, id) {
            self.by_user_name.remove(key, id);
        }
        if let Some(key) = external_id_of(&self.identities, id) {
            self.by_external_id.remove(key, id);
        }
    }
}

fn user_name(identities: &Table<IdentityId, IdentityEntry>, id: IdentityId) -> Option<&str> {
    Some(identities.get(id)?.spec.as_ref().ok()?.folded_user_name())
}

fn external_id_of(identities: &Table<IdentityId, IdentityEntry>, id: IdentityId) -> Option<&str> {
    identities.get(id)?.spec.as_ref().ok()?.external_id()
}
