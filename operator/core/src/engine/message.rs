//! What goes in and out of an engine. The shell carries these and decides nothing.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::model::{
    Applied, AttributeName, Change, Changes, Connector, CorrelationKey, Cursor, Kind, Ledger, LedgerChange, Name,
    ObjectRef, Observed, Page, PageToken, Profile, Reason, Spent, Step, TargetError, TargetId, Uid,
};

/// What the shell tells an engine.
#[derive(Clone, Debug)]
pub enum EngineEvent {
    /// A complete list of all four kinds: it replaces everything, and what is absent from it has been deleted.
    /// Nothing is decided before the first one.
    Listed(Vec<Change>),
    /// Watch events since, in one batch.
    Changed(Vec<Change>),
    /// The uids of the CRDs that the lists from now on rest on: others than before mean that whatever there was is gone with
    /// them, and nobody deleted it.
    Resources(Arc<str>),
    /// The clocks disagree, and how; `None`: they agree again.
    Clocks(Option<Arc<str>>),
    /// The namespace or a CRD is being deleted, or a list was refused: writes stop, ownership is kept, nothing is
    /// removed, until the next `Listed`.
    Halted(Arc<str>),
    /// The answer to an effect. Duplicates and answers to effects of an earlier spec are ignored.
    Answered {
        /// The effect's application.
        application: Name,
        /// The effect.
        effect: EffectId,
        /// What came of it.
        answer: Answer,
        /// What it cost at the target.
        spent: Spent,
    },
    /// The time of `Engine::next_wake` has come (or any other moment: harmless).
    Tick,
}

/// The id of an effect within an engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct EffectId(pub u64);

/// What an engine wants done.
#[derive(Clone, Debug)]
pub enum EngineEffect {
    /// At a target or in the store; answered by `EngineEvent::Answered`.
    Do {
        /// The application.
        application: Name,
        /// Its id.
        id: EffectId,
        /// What.
        effect: Effect,
    },
    /// Put our finalizer on a TargetApplication, or take it off. Not answered: the watch tells.
    Finalizer {
        /// Which TargetApplication.
        application: Name,
        /// Its uid.
        uid: Uid,
        /// On or off.
        on: bool,
    },
    /// A Kubernetes event. Not answered.
    Note(Note),
    /// Forget the connection of an application that is gone or whose connector changed. Not answered.
    Disconnect {
        /// Which.
        application: Name,
        /// The fingerprint of the target that it is to have from now on, which it may have already; `None`: it is gone.
        target: Option<Arc<str>>,
    },
}

/// Something to do at a target or in the store.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// Load the application's ledger.
    Load,
    /// Connect with these settings (again, where they or the credentials changed) and measure the target.
    Probe(Connector, Claim),
    /// List one page.
    Observe {
        /// What.
        kind: Kind,
        /// From where; `None`: from the beginning.
        page: Option<PageToken>,
    },
    /// Find accounts by a key, inactive ones included.
    Find(CorrelationKey),
    /// Read one account.
    Read(TargetId),
    /// Tell what has changed since.
    Changes(Cursor),
    /// Write ledger changes durably, in one transaction.
    Record(Vec<LedgerChange>),
    /// Write at the target; one outcome a step. Their intents are stored.
    Apply(Vec<Step>),
}

/// By what it is told which of two applications has a target that both are to have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Claim {
    /// Its ledger holds accounts there.
    pub owns: bool,
    /// When it was made: the older one stands.
    pub created: Timestamp,
}

/// What came of an effect.
#[derive(Clone, Debug)]
pub enum Answer {
    /// Of `Load`.
    Loaded(Result<Box<Ledger>, StoreFailure>),
    /// Of `Probe`.
    Probed(Result<Box<Profile>, TargetError>),
    /// Of `Observe`.
    Page(Result<Page, TargetError>),
    /// Of `Find`.
    Found(Result<Vec<Observed>, TargetError>),
    /// Of `Read`.
    Read(Result<Option<Observed>, TargetError>),
    /// Of `Changes`.
    Changes(Result<Changes, TargetError>),
    /// Of `Record`.
    Recorded(Result<(), StoreFailure>),
    /// Of `Apply`, one a step.
    Applied(Vec<Result<Applied, TargetError>>),
}

/// Why the store did not do it: full, locked, truncated, of another version. Retried; no external write meanwhile.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the store is unavailable: {0}")]
pub struct StoreFailure(pub Arc<str>);

/// What a person orders about a retained account's deletion.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum DeletionOrder {
    /// It is not deleted; only another order changes that, or a re-hire.
    Cancel,
    /// It falls due now.
    Hasten,
}

/// A Kubernetes event to publish.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Note {
    /// About which object.
    pub object: ObjectRef,
    /// Its uid.
    pub uid: Uid,
    /// Warning rather than Normal.
    pub warning: bool,
    /// Past tense or a reason of the closed set.
    pub reason: Arc<str>,
    /// Ours; no secrets, no target's words.
    pub message: Arc<str>,
    /// When what it tells of happened, where it can happen again in the same words: that is another event.
    pub at: Option<Timestamp>,
}

/// A status to write: the whole of it, by one field manager, forced. Sent only when it differs from what was last sent.
#[derive(Clone, Debug, PartialEq)]
pub struct StatusUpdate {
    /// Of which object.
    pub object: ObjectRef,
    /// Its uid.
    pub uid: Uid,
    /// As the resource's `status` has it.
    pub status: serde_json::Value,
}

/// When an engine wants to be woken: whichever comes first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wake {
    /// By wall time (dates of manifests and of the ledger).
    pub wall: Option<Timestamp>,
    /// By monotonic time (backoff, rate, settling, intervals).
    pub mono: Option<Duration>,
}

/// What went on in an application since the last time it was asked: for metrics. Names are bounded by the manifests.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Counters {
    /// Steps that were done, by step name.
    pub done: std::collections::BTreeMap<&'static str, u64>,
    /// Steps that failed, by reason.
    pub failed: std::collections::BTreeMap<Reason, u64>,
    /// What was corrected because the target differed from what was written, by attribute; `membership` for memberships,
    /// roles and licences.
    pub drift: std::collections::BTreeMap<AttributeName, u64>,
    /// Seconds from the moment an explicit removal was known to the moment it was done.
    pub revocation_seconds: Vec<f64>,
}
