//! Resources that were deleted as a whole and made anew: with the CRD of the identities every Identity is gone, and with that
//! of the policies every grant, though nobody was deleted and nothing was revoked. What the ledger knows and the new
//! resources do not (yet) have is kept until it is back, or until a person says that it is right so.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::{Context, Out, Sync};
use crate::directory::PolicyState;
use crate::model::{Lane, Name, Reason, Record, RecordState};
use crate::plan::held_hash;
use crate::report::Problem;

/// Which resources are there, and what is missed.
#[derive(Debug, Default)]
pub(super) struct Restored {
    /// The uids of the CRDs that the lists rest on.
    resources: Option<Arc<str>>,
    /// What the condition says while an acknowledgement is awaited.
    missing: Option<Problem>,
}

impl Sync {
    /// The lists rest on these CRDs. Compared with those that the ledger was kept by.
    pub fn judge_resources(&mut self, resources: &Arc<str>, cx: &Context<'_>, out: &mut Out) {
        if !self.is_loaded() {
            return;
        }
        self.restored.resources = Some(Arc::clone(resources));
        let known = self.ledger.standing.resources.as_ref();
        if known == Some(resources) {
            return;
        }
        let missing = known.is_some() && self.misses(cx);
        let token = self.restored_token(resources);
        let acknowledged = *self.settings.safety.acknowledge == *token;
        let before = self.restored.missing.take();
        if !missing || acknowledged {
            self.ledger.standing.resources = Some(Arc::clone(resources));
            self.ledger.put_standing();
        } else {
            let message = format!(
                "the resources were deleted as a whole and made anew, and not all identities and policies that the ledger knows \
                 are there again: nothing is removed for that. Restore them, or, if the others are meant to be gone, set \
                 spec.safety.acknowledge: {token}"
            );
            self.restored.missing = Some(Problem::new(Reason::LedgerMismatch, message));
        }
        if before != self.restored.missing {
            out.changed = true;
            self.touch_all(cx);
        }
    }

    /// What the condition says while resources are missed.
    pub(super) fn restored_trouble(&self) -> Option<Problem> {
        self.restored.missing.clone()
    }

    /// What is not there may be not there yet: nobody is taken for deleted, and no policy. So it is too before the lists were
    /// compared with the ledger.
    pub(super) fn doubts_absence(&self) -> bool {
        let known = self.ledger.standing.resources.as_ref();
        self.restored.missing.is_some()
            || matches!((known, &self.restored.resources), (Some(known), Some(now)) if known != now)
    }

    /// Whether a record's owner, of whose name there is no Identity, may only be missing.
    pub(super) fn may_come_back(&self, record: &Record, is_there: bool) -> bool {
        // One that is retained was taken for gone before.
        !is_there && record.state != RecordState::Retained && self.doubts_absence()
    }

    /// Whether the ledger knows owners or policies that are not there.
    fn misses(&self, cx: &Context<'_>) -> bool {
        let absent = |policy: &Name| cx.directory.policy_state(policy) == PolicyState::Absent;
        let kept = self.ledger.records().filter(|record| {
            !matches!(record.state, RecordState::Released | RecordState::Deleted | RecordState::Retained)
        });
        kept.into_iter().any(|record| {
            let mut policies = record.policies().iter().chain(record.grants().flat_map(|(_, grant)| &grant.policies));
            cx.directory.identity(&Name::from(record.owner())).is_none() || policies.any(absent)
        })
    }

    /// What `safety.acknowledge` must say: good for these resources alone.
    fn restored_token(&self, resources: &str) -> Arc<str> {
        let known = self.ledger.standing.resources.as_deref().unwrap_or_default();
        let what = format!("resources {known} {resources}");
        let hash = held_hash(&what, &self.application, Lane::Derived, 0, &BTreeSet::new());
        hash.chars().take(16).collect::<String>().into()
    }
}
