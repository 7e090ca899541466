//! A ledger that is not the one that was left: the store was lost, replaced or rolled back. Until a person says that it is
//! right, only what a manifest ends or suspends is disabled, and only what surely is nowhere is created.

use std::sync::Arc;

use jiff::Timestamp;

use super::gather::Gathered;
use super::{Context, Sync};
use crate::model::{Lane, LedgerMismatch, Name, ObjectKind, Reason, State, Step, StoreStamp};
use crate::plan::{Planned, held_hash};
use crate::report::{Problem, TargetIdentification};

/// What the status remembers of store and target, from before this process began.
#[derive(Clone, Debug, Default)]
pub struct Remembered {
    fingerprint: Option<Arc<str>>,
    stamp: Option<StoreStamp>,
    /// Since when the target did not answer when this was told.
    pub(super) lost: Option<Timestamp>,
}

impl Remembered {
    /// From the status that the manifest carried.
    pub fn of(status: Option<&serde_json::Value>) -> Self {
        let target = status.and_then(|status| status.get("target"));
        let text = |field: &str| target.and_then(|t| t.get(field)).and_then(serde_json::Value::as_str).map(Arc::from);
        let epoch = target.and_then(|t| t.get("epoch")).and_then(serde_json::Value::as_i64);
        let stamp = text("storeID").map(|id| StoreStamp { id, epoch: epoch.unwrap_or(0) });
        let conditions = status.and_then(|s| s.get("conditions")).and_then(serde_json::Value::as_array);
        let lost = conditions.into_iter().flatten().find(|c| {
            let says = |field: &str| c.get(field).and_then(serde_json::Value::as_str);
            says("type") == Some("Reachable") && says("status") == Some("False")
        });
        let since = lost.and_then(|lost| lost.get("lastTransitionTime")).and_then(serde_json::Value::as_str);
        Self { fingerprint: text("fingerprint"), stamp, lost: since.and_then(|since| since.parse().ok()) }
    }
}

impl Sync {
    /// Says what the status remembers, before the ledger is loaded.
    pub fn left_off(&mut self, remembered: Remembered) {
        self.storing.remembered = remembered;
    }

    /// Compares the ledger that was loaded with what the status says of the one that was left.
    pub(super) fn judge_store(&mut self, store: Option<StoreStamp>, cx: &Context<'_>) {
        self.storing.stamp = store;
        let (Some(store), Some(known)) = (&self.storing.stamp, &self.storing.remembered.stamp) else { return };
        if self.ledger.standing.fingerprint.is_none() {
            // Where the ledger is gone the status still knows which target it was about.
            self.ledger.standing.fingerprint.clone_from(&self.storing.remembered.fingerprint);
        }
        let token = token(&self.application, known, store);
        let why = if known.id != store.id {
            let what = if self.ledger.records().next().is_none() { "an empty store" } else { "another store" };
            format!("{what} ({}) in place of the one that was left ({})", store.id, known.id)
        } else if known.epoch > store.epoch {
            let behind = known.epoch.saturating_sub(store.epoch);
            let minutes = if behind == 1 { "minute" } else { "minutes" };
            format!(
                "the store was rolled back: what it holds here ends {behind} {minutes} before what was last written"
            )
        } else {
            return;
        };
        let acknowledged = self.ledger.standing.acknowledged.contains(&token);
        // Stored with the first change: each later one makes the store younger, and the difference is gone.
        if self.ledger.standing.mismatch.is_none() && !acknowledged {
            self.ledger.standing.mismatch = Some(LedgerMismatch { token, why: why.into() });
            self.ledger.put_standing();
        }
        self.judge_ledger_acknowledgement(cx);
    }

    /// The token that is awaited was set: this is the ledger from now on. What it does not know is adopted anew, by externalId,
    /// mark and name; nothing is removed that is not recorded as ours again.
    pub(super) fn judge_ledger_acknowledgement(&mut self, cx: &Context<'_>) {
        let standing = &mut self.ledger.standing;
        let Some(mismatch) = standing.mismatch.take_if(|m| *self.settings.safety.acknowledge == *m.token) else {
            return;
        };
        standing.acknowledged.insert(mismatch.token);
        // Of one that is being deleted it was said that what it does not know is left.
        standing.reclaims = self.meta.deleting.is_none();
        self.ledger.put_standing();
        self.bind_groups(cx);
        self.touch_all(cx);
    }

    /// What the condition says while an acknowledgement is awaited.
    pub(super) fn ledger_trouble(&self) -> Option<Problem> {
        let LedgerMismatch { token, why } = self.ledger.standing.mismatch.as_ref()?;
        let adopts =
            if self.meta.deleting.is_some() { "leave what it does not know" } else { "adopt what it does not know" };
        let message = format!(
            "{why}; nothing is changed or removed but what manifests end or suspend. To go on with this ledger, and {adopts}, \
             set spec.safety.acknowledge: {token}"
        );
        Some(Problem::new(Reason::LedgerMismatch, message))
    }

    /// What is told of an account with which nothing goes on meanwhile.
    pub(super) fn untrusted(&self) -> Problem {
        Problem::of_application(&self.application, Reason::LedgerMismatch)
    }

    /// The ledger is not trusted.
    pub(super) fn is_mismatched(&self) -> bool {
        self.ledger.standing.mismatch.is_some()
    }

    /// Whether a step may be begun by what is known of the ledger.
    pub(super) fn is_trusted(&self, gathered: &Gathered, planned: &Planned) -> bool {
        !self.is_mismatched()
            || match planned.step {
                Step::CreateAccount { .. } => true,
                // What is repeated was counted before, and has no lane.
                Step::DisableAccount { .. } => {
                    planned.lane == Some(Lane::Explicit) || (planned.lane.is_none() && gathered.is_ended_by_manifest())
                }
                _ => false,
            }
    }

    /// Whether an account that was found may become an owner's now: while the ledger is not trusted only to be disabled.
    pub(super) fn may_adopt(&self, gathered: &Gathered) -> bool {
        !self.is_mismatched() || gathered.is_ended_by_manifest()
    }

    /// The ledger was lost, or is older than what was done: accounts of those who ended or are suspended, which it may not
    /// know, are looked for to be disabled.
    pub(super) fn reclaims(&self) -> bool {
        self.is_mismatched() || self.ledger.standing.reclaims
    }

    /// Those who ended or are suspended, where an account of theirs may be forgotten.
    pub(super) fn to_be_reclaimed(&self, cx: &Context<'_>) -> Vec<Name> {
        if !self.reclaims() {
            return Vec::new();
        }
        let identities = cx.directory.objects().filter(|object| object.kind == ObjectKind::Identity);
        let leaves = |name: &Name| {
            let view = cx.directory.identity(name);
            view.is_some_and(|view| matches!(view.state, State::Suspended | State::Ended))
                && !self.ledger.has_name(name)
        };
        identities.map(|object| object.name).filter(leaves).collect()
    }

    /// The store has recorded what was asked at this time. True: it is told in the status.
    pub(super) fn store_advanced(&mut self, asked: jiff::Timestamp) -> bool {
        let minute = asked.as_second().div_euclid(60);
        match &mut self.storing.stamp {
            Some(store) if store.epoch < minute => {
                store.epoch = minute;
                !self.is_mismatched()
            }
            _ => false,
        }
    }

    /// For the status: by what target and store are recognised. What it said before stands until the ledger is loaded, and
    /// until another one is acknowledged.
    pub(super) fn identification(&self) -> Option<TargetIdentification> {
        if !self.is_loaded() {
            let Remembered { fingerprint, stamp, .. } = &self.storing.remembered;
            return identification(fingerprint.clone(), stamp.as_ref());
        }
        let fingerprint = self.ledger.standing.fingerprint.clone();
        let stamp = if self.is_mismatched() { &self.storing.remembered.stamp } else { &self.storing.stamp };
        identification(fingerprint, stamp.as_ref())
    }
}

fn identification(fingerprint: Option<Arc<str>>, stamp: Option<&StoreStamp>) -> Option<TargetIdentification> {
    if fingerprint.is_none() && stamp.is_none() {
        return None;
    }
    let (store_id, epoch) = (stamp.map(|stamp| Arc::clone(&stamp.id)), stamp.map(|stamp| stamp.epoch));
    Some(TargetIdentification { fingerprint, store_id, epoch })
}

/// What `safety.acknowledge` must say: good for this loss. Not made of the store's present epoch, which goes on.
fn token(application: &Name, known: &StoreStamp, store: &StoreStamp) -> Arc<str> {
    let what = format!("ledger {} {} {}", known.id, known.epoch, store.id);
    let hash = held_hash(&what, application, Lane::Derived, 0, &std::collections::BTreeSet::new());
    hash.chars().take(16).collect::<String>().into()
}
