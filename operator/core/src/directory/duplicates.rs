//! Of two identities with one userName or externalId the older stands; the other is frozen. Ended ones do not count.

use std::sync::Arc;

use super::Directory;
use super::entry::IdentityEntry;
use super::settle::Pass;
use super::table::IdentityId;
use crate::model::{Identity, Reason};

impl Directory {
    /// Looks again at whoever has one of these keys.
    pub(crate) fn settle_duplicates(&mut self, pass: &mut Pass) {
        let by_name = pass.user_names.iter().filter_map(|key| self.by_user_name.get(key));
        let by_external = pass.external_ids.iter().filter_map(|key| self.by_external_id.get(key));
        let mut ids: Vec<IdentityId> = by_name.chain(by_external).flatten().copied().collect();
        ids.sort_unstable();
        ids.dedup();
        for id in ids {
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
        let older = |ids: Option<&Vec<IdentityId>>| {
            let stands = self.oldest(ids).filter(|oldest| *oldest != id)?;
            let (oldest, _) = self.evaluable(stands)?;
            (seniority(oldest) < seniority(entry)).then_some(stands)
        };
        if let Some(other) = older(self.by_user_name.get(identity.user_name.folded())) {
            return Some((Reason::DuplicateUserName, other));
        }
        let external = identity.external_id.as_ref()?;
        older(self.by_external_id.get(external)).map(|other| (Reason::DuplicateExternalId, other))
    }

    /// The one that stands, of those with this key.
    pub(crate) fn oldest(&self, ids: Option<&Vec<IdentityId>>) -> Option<IdentityId> {
        let valid = ids.into_iter().flatten().filter_map(|id| self.evaluable(*id).map(|(entry, _)| (*id, entry)));
        valid.min_by(|(_, one), (_, other)| seniority(one).cmp(&seniority(other))).map(|(id, _)| id)
    }

    fn evaluable(&self, id: IdentityId) -> Option<(&IdentityEntry, &Identity)> {
        let entry = self.identities.get(id)?;
        entry.evaluable().map(|identity| (entry, identity))
    }

    pub(crate) fn index_keys(&mut self, id: IdentityId, identity: &Identity) {
        self.by_user_name.entry(identity.user_name.folded().into()).or_default().push(id);
        if let Some(external_id) = &identity.external_id {
            self.by_external_id.entry(Arc::clone(external_id)).or_default().push(id);
        }
    }

    pub(crate) fn unindex_keys(&mut self, id: IdentityId, identity: &Identity) {
        let remove = |index: &mut std::collections::HashMap<Arc<str>, Vec<IdentityId>>, key: &str| {
            if let Some(ids) = index.get_mut(key) {
                ids.retain(|other| *other != id);
                if ids.is_empty() {
                    index.remove(key);
                }
            }
        };
        remove(&mut self.by_user_name, identity.user_name.folded());
        if let Some(external_id) = &identity.external_id {
            remove(&mut self.by_external_id, external_id);
        }
    }
}

/// The smaller is the older: by creation, then uid; names decide between manifests that have neither.
fn seniority(entry: &IdentityEntry) -> impl Ord {
    (entry.meta.created, entry.meta.uid.clone(), entry.meta.name.clone())
}
