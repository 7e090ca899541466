//! What is there before a write and after it, for the journal: as it was last seen, with digests in place of values.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Context, Sync};
use crate::model::{AttributeName, Attributes, Digest, Image, Intent, IntentId, RecordId, Schema, Step, TargetId};
use crate::plan::{Fold, Shade, digest};

impl Sync {
    /// Opens an intent; it is stored before the step is sent.
    pub(super) fn intend(
        &mut self,
        records: Vec<RecordId>,
        step: Step,
        cause: Arc<str>,
        plan: Option<Arc<str>>,
        cx: &Context<'_>,
    ) -> Arc<Intent> {
        let told = |image: Image| (!image.is_unknown()).then(|| Box::new(image));
        let (before, after) = (told(self.before(&step)), told(after(&step, self.schema)));
        let id = IntentId(self.ledger.fresh_id());
        let intent = Arc::new(Intent { id, records, step, at: cx.now.wall, cause, plan, before, after });
        self.ledger.open(Arc::clone(&intent));
        intent
    }

    fn before(&self, step: &Step) -> Image {
        let none = Image::default();
        let shade = |id: &TargetId| self.ledger.seen(id);
        let group = |id: &TargetId| self.shadow.group(id).map(|group| Arc::clone(&group.name));
        match step {
            // It was looked for.
            Step::CreateAccount { .. } | Step::CreateGroup { .. } => Image { exists: Some(false), ..none },
            Step::UpdateAccount { id, set } | Step::RenameAccount { id, set } => {
                Image { attributes: shade(id).map(|shade| seen(&shade, set)).unwrap_or_default(), ..none }
            }
            Step::EnableAccount { id } | Step::DisableAccount { id } => {
                Image { enabled: shade(id).map(|shade| shade.enabled), ..none }
            }
            Step::DeleteAccount { id } => shade(id).map_or(none, |shade| {
                let attributes = shade.digests().iter().map(|(name, digest)| (name.clone(), Some(digest))).collect();
                Image { exists: Some(true), enabled: Some(shade.enabled), attributes, ..Image::default() }
            }),
            Step::UpdateGroup { id, .. } => Image { name: group(id), ..none },
            Step::DeleteGroup { id } => Image { exists: group(id).map(|_| true), name: group(id), ..none },
            Step::AddMembers { group, members } | Step::RemoveMembers { group, members } => {
                Image { held: self.who_holds(group, members), ..none }
            }
            Step::Assign { entitlement, account, .. } | Step::Revoke { entitlement, account, .. } => {
                Image { held: self.who_holds(entitlement, std::slice::from_ref(account)), ..none }
            }
        }
    }

    /// Whether each of these has it; nothing where the target does not show who has.
    fn who_holds(&self, entitlement: &TargetId, accounts: &[TargetId]) -> Vec<Option<bool>> {
        let members = self.shadow.group(entitlement).and_then(|group| group.members.as_ref());
        members.map(|members| accounts.iter().map(|id| Some(members.contains(id))).collect()).unwrap_or_default()
    }
}

/// What was seen of the attributes that are to be written. One that an account is not seen to have may be there all the same, unless
/// all of it was seen after our last write.
fn seen(shade: &Shade, set: &Attributes) -> BTreeMap<AttributeName, Option<Digest>> {
    let known = |name: &AttributeName| match shade.digest(name) {
        Some(digest) => Some((name.clone(), Some(digest))),
        None => shade.fresh.then(|| (name.clone(), None)),
    };
    set.keys().filter_map(known).collect()
}

/// What a step makes of it. Who is given or taken something is in the step itself.
fn after(step: &Step, schema: &Schema) -> Image {
    let none = Image::default();
    let digests = |set: &Attributes| {
        set.iter().map(|(name, value)| (name.clone(), digest(value, Fold::of(schema, name)))).collect()
    };
    match step {
        Step::CreateAccount { attributes, enabled, .. } => {
            let (exists, enabled) = (Some(true), Some(*enabled));
            Image { exists, enabled, attributes: digests(attributes), ..none }
        }
        Step::UpdateAccount { set, .. } | Step::RenameAccount { set, .. } => Image { attributes: digests(set), ..none },
        Step::EnableAccount { .. } => Image { enabled: Some(true), ..none },
        Step::DisableAccount { .. } => Image { enabled: Some(false), ..none },
        Step::DeleteAccount { .. } | Step::DeleteGroup { .. } => Image { exists: Some(false), ..none },
        Step::CreateGroup { name, .. } => Image { exists: Some(true), name: Some(Arc::clone(name)), ..none },
        Step::UpdateGroup { name, .. } => Image { name: Some(Arc::clone(name)), ..none },
        Step::AddMembers { .. } | Step::RemoveMembers { .. } | Step::Assign { .. } | Step::Revoke { .. } => none,
    }
}
