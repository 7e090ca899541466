//! What must survive: whose accounts and memberships are ours, what is under way, what is held. The store keeps these
//! as they are; only `plan` and `sync` give them meaning.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{AttributeName, EntitlementKind, Name, Owner, Step, TargetId};

/// The id of a ledger record: given once, never reused within a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RecordId(pub u64);

/// The id of an intent: given once, never reused within a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct IntentId(pub u64);

/// A digest of an attribute's value as it was written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Digest(pub u64);

/// A deletion date that never comes: a person cancelled the deletion.
pub const KEPT: Timestamp = Timestamp::MAX;

/// One account of one application that is, or was, ours.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// Its own id; owner and keys are attributes.
    pub id: RecordId,
    /// Whose it is.
    pub owner: Owner,
    /// The owner's externalId when last seen: by it a record passes to a re-hire.
    pub external_id: Option<Arc<str>>,
    /// The owner's userName, case-mapped, when last seen.
    pub user_name: Arc<str>,
    /// The account's immutable id, from first contact.
    pub target_id: Option<TargetId>,
    /// Where the account stands.
    pub state: RecordState,
    /// Digests of what was written, by attribute; absent: never written by us.
    pub written: BTreeMap<AttributeName, Digest>,
    /// The policies that the account rests on.
    pub policies: BTreeSet<Name>,
    /// Memberships, roles, licences that are ours, by the target's id of the entitlement.
    pub grants: BTreeMap<TargetId, Grant>,
    /// Disabled by us since.
    pub disabled_at: Option<Timestamp>,
    /// To be deleted then; fixed at disable.
    pub delete_at: Option<Timestamp>,
    /// The last write to the account, wall time.
    pub last_write: Option<Timestamp>,
    /// We created it (rather than adopted it).
    pub created: bool,
}

/// Where an account that is ours stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum RecordState {
    /// A create is under way; ownership is not proven yet.
    Creating,
    /// In use.
    Active,
    /// Disabled because the identity is suspended or in its lead time.
    Disabled,
    /// Not desired any more; disabled, waits for deletion.
    Retained,
    /// Deleted at the target, by us or by others.
    Deleted,
    /// Let go: a tombstone that resumes if the application returns.
    Released,
}

/// One membership, role or licence that is ours.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Grant {
    /// The catalogue entry's name when it was given.
    pub entitlement: Name,
    /// Group, role or licence.
    pub kind: EntitlementKind,
    /// The policies it rests on: granting now, or recorded before and Unknown now.
    pub policies: BTreeSet<Name>,
    /// Privileged when it was given.
    pub privileged: bool,
}

/// A write that is about to be made: stored before it, closed after it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Intent {
    /// Its id.
    pub id: IntentId,
    /// The records it concerns, in the order of a step's members; empty for a group's own create.
    pub records: Vec<RecordId>,
    /// What will be sent.
    pub step: Step,
    /// Wall time of the intent.
    pub at: Timestamp,
    /// Why, in a few words: policy names, "drift", "ended".
    pub cause: Arc<str>,
    /// The hash of the held plan that released it, if one did.
    pub plan: Option<Arc<str>>,
    /// What is there before it, as far as it was seen. Told to the journal, and not kept with the intent.
    #[serde(skip)]
    pub before: Option<Box<Image>>,
    /// What is there once it is done; the same.
    #[serde(skip)]
    pub after: Option<Box<Image>>,
}

/// What is at a target before or after a write, as far as it is known: digests in place of values.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Image<D = Digest> {
    /// Whether the account or the group is there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exists: Option<bool>,
    /// Whether the account can be used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
    /// Attributes; `None`: without a value; one that is not named is not known.
    #[serde(default = "BTreeMap::new", skip_serializing_if = "BTreeMap::is_empty")]
    pub attributes: BTreeMap<AttributeName, Option<D>>,
    /// Whether each account has what the step gives or takes, in the order of the step; empty: it is known of none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub held: Vec<Option<bool>>,
    /// The name of the group.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<Arc<str>>,
}

impl<D> Image<D> {
    /// The same with other digests.
    pub fn map<E>(&self, digest: impl Fn(&D) -> E) -> Image<E> {
        let attributes = self.attributes.iter().map(|(name, of)| (name.clone(), of.as_ref().map(&digest)));
        Image {
            exists: self.exists,
            enabled: self.enabled,
            attributes: attributes.collect(),
            held: self.held.clone(),
            name: self.name.clone(),
        }
    }

    /// Whether it says nothing.
    pub fn is_unknown(&self) -> bool {
        let said = self.exists.is_some() || self.enabled.is_some() || self.name.is_some();
        !said && self.attributes.is_empty() && self.held.iter().all(Option::is_none)
    }
}

/// How a write ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outcome {
    /// Done.
    Done,
    /// The target said no.
    Rejected(Arc<str>),
    /// It failed before the target could have acted.
    Failed(Arc<str>),
    /// The answer never came; the intent stays unresolved until it was looked for.
    Lost,
    /// Never sent: the decision no longer contains it.
    Cancelled,
}

/// A group that we created or bound: by catalogue name or pushed name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupRecord {
    /// Group, role or licence.
    pub kind: EntitlementKind,
    /// Its name at the target when it was bound.
    pub name: Arc<str>,
    /// Its immutable id.
    pub target_id: TargetId,
    /// We created it.
    pub created: bool,
    /// It is deleted once nothing declares it any more (a pushed group with `prune: true`).
    #[serde(default)]
    pub prune: bool,
}

/// The two lanes of removals, which never consume each other, privileged grants, and adoptions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Lane {
    /// A `suspended` or an `endTime` written in the manifest.
    Explicit,
    /// Deleted identities, changed rules, groups, catalogues.
    Derived,
    /// Privileged grants.
    PrivilegedGrant,
    /// Adoptions that only a person can allow: always held.
    Adoption,
}

/// One charge against a budget; sorted by whose.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Charge {
    /// Whose removal (or privileged grant).
    pub identity: Name,
    /// Which budget.
    pub lane: Lane,
    /// When, wall time; dated again at each intent.
    pub at: Timestamp,
    /// Units: one, or three if privileged.
    pub units: u32,
}

/// One member of a held plan or of a release.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct HeldStep {
    /// Whose.
    pub identity: Name,
    /// The step's name.
    pub step: Arc<str>,
    /// The catalogue entry, for a membership, role or licence.
    pub entitlement: Option<Name>,
    /// The account, where it is not the identity's own: one to be adopted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<TargetId>,
}

/// A wave that exceeds its budget, or that a person must allow: held whole, released by its hash.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeldPlan {
    /// SHA-256 over what is held, hexadecimal.
    pub hash: Arc<str>,
    /// Which lane.
    pub lane: Lane,
    /// What was held when it closed; what is no longer wanted drops out without changing the hash.
    pub steps: BTreeSet<HeldStep>,
    /// Since when, wall time.
    pub since: Timestamp,
    /// Why, for people: how many lose something, how many may, and by what.
    pub why: Arc<str>,
}

/// Steps that were let through, by budget or by approval, and are not done yet; sorted by lane and whose.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Release {
    /// Which lane.
    pub lane: Lane,
    /// What.
    pub step: HeldStep,
    /// The hash, if by approval (then not counted).
    pub plan: Option<Arc<str>>,
    /// When, wall time.
    pub at: Timestamp,
}

/// What the ledger keeps for an application besides records, intents and groups.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    /// The target's fingerprint at first contact.
    pub fingerprint: Option<Arc<str>>,
    /// Charges within the longest window.
    pub charges: BTreeSet<Charge>,
    /// Held plans, oldest first.
    pub held: Vec<HeldPlan>,
    /// Releases that are not done yet.
    pub releases: BTreeSet<Release>,
    /// Hashes that were used, with how often the same set was released: a used hash is worthless.
    pub used: BTreeMap<Arc<str>, u32>,
    /// Acknowledgement tokens that were used.
    pub acknowledged: BTreeSet<Arc<str>>,
    /// The token a `TargetChanged` waits for.
    pub awaiting: Option<Arc<str>>,
    /// The hash that `approvedPlan` names and since when, wall time: an approval is good for 24 hours.
    #[serde(default)]
    pub approval: Option<(Arc<str>, Timestamp)>,
    /// Accounts bound as protected at first match.
    pub protected: BTreeSet<TargetId>,
    /// The uids of the CRDs by which owners and policies were last known to be there, as they have them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resources: Option<Arc<str>>,
    /// This is not the ledger that was left, and nobody has said yet that it is right.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mismatch: Option<LedgerMismatch>,
    /// A ledger that did not know everything was acknowledged once: what it may have forgotten is looked for.
    #[serde(default)]
    pub reclaims: bool,
}

/// Why a ledger is not trusted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LedgerMismatch {
    /// What `safety.acknowledge` must say.
    pub token: Arc<str>,
    /// What is wrong with it, for people.
    pub why: Arc<str>,
}

/// One change of an application's ledger.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum LedgerChange {
    /// Write a record.
    Put(Arc<Record>),
    /// Remove a record.
    Forget(RecordId),
    /// Open an intent: before the write.
    Open(Arc<Intent>),
    /// Close an intent: after the write.
    Close(IntentId, Outcome),
    /// Bind a group.
    PutGroup(GroupRecord),
    /// Let go of a group.
    ForgetGroup(TargetId),
    /// Replace the standing.
    Standing(Box<Standing>),
}

/// Which store a ledger is in, and how far that has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreStamp {
    /// The store's id.
    pub id: Arc<str>,
    /// The minute (since 1970) of the latest record of this ledger: it never runs backwards.
    pub epoch: i64,
}

/// An application's ledger as the store holds it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ledger {
    /// Accounts.
    pub records: Vec<Record>,
    /// Writes whose outcome is not known.
    pub intents: Vec<Intent>,
    /// Groups.
    pub groups: Vec<GroupRecord>,
    /// Budgets, held plans, tokens.
    pub standing: Standing,
    /// The next free record and intent id.
    pub next_id: u64,
    /// The store, where one may be lost or restored; `None`: one that is forgotten with the process.
    pub store: Option<StoreStamp>,
}
