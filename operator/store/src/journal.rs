use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use provost_core::model::{AttributeName, EntitlementKind, Image, IntentId, Name, Outcome, TargetId, Uid};
use serde::{Deserialize, Serialize};

use crate::StoreError;

/// One entry of the journal: a write that is about to be made, or how it ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct JournalRecord {
    /// When it was stored, wall time.
    pub at: Timestamp,
    /// The namespace.
    pub namespace: Arc<str>,
    /// The TargetApplication.
    pub application: Name,
    /// The intent: its entries belong together.
    pub intent: IntentId,
    /// The step's name.
    pub step: Arc<str>,
    /// Whose accounts it concerns, in the order of the step's members.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub identities: Vec<Name>,
    /// Their uids, in the same order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub uids: Vec<Uid>,
    /// The accounts that a step at a group concerns, in the same order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub members: Vec<TargetId>,
    /// The account that is written, as far as it is one and its id is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<TargetId>,
    /// The group, role or licence that is written, as far as its id is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entitlement: Option<TargetId>,
    /// Group, role or licence, and its name in the catalogue: where memberships are given or taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub granted: Option<Granted>,
    /// What was there before, as far as it was seen; absent: nothing is known. Digests are keyed (HMAC with a key of the store):
    /// equal values can be recognised, none can be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<Image<Arc<str>>>,
    /// What is there once it is done. A digest equals the one that a later write finds before it, if nobody changed the value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<Image<Arc<str>>>,
    /// Attributes that are written, as versions before format 3 told them: their digests compare among themselves alone.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub attributes: BTreeMap<AttributeName, Arc<str>>,
    /// Why: policy names, "drift", "ended".
    pub cause: Arc<str>,
    /// The hash of the held plan that released it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<Arc<str>>,
    /// How it ended; absent: about to be made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<Outcome>,
    /// How many equal attempts it stands for; all but the latest have no entries of their own any more.
    #[serde(default = "once", skip_serializing_if = "is_once")]
    pub attempts: u32,
    /// When the first of several was about to be made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first: Option<Timestamp>,
}

const fn once() -> u32 {
    1
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "as serde calls it")]
const fn is_once(attempts: &u32) -> bool {
    *attempts == 1
}

/// What is given or taken, beyond its id at the target.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Granted {
    /// Group, role or licence.
    pub kind: EntitlementKind,
    /// The catalogue entry's name.
    pub name: Name,
    /// Privileged when it was given.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub privileged: bool,
}

/// What goes to standard output: names, never values, and no words of a target.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Line<'a> {
    time: Timestamp,
    namespace: &'a str,
    application: &'a Name,
    intent: IntentId,
    step: &'a str,
    identities: &'a [Name],
    #[serde(skip_serializing_if = "<[Uid]>::is_empty")]
    uids: &'a [Uid],
    #[serde(skip_serializing_if = "<[TargetId]>::is_empty")]
    members: &'a [TargetId],
    #[serde(skip_serializing_if = "Option::is_none")]
    account: Option<&'a TargetId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    entitlement: Option<&'a TargetId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    granted: Option<&'a Granted>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    attributes: Vec<&'a AttributeName>,
    cause: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    plan: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    outcome: Option<&'static str>,
    #[serde(skip_serializing_if = "is_once")]
    attempts: u32,
}

impl JournalRecord {
    /// Whether it tells how somebody's access ended: kept longest where there is too little room.
    pub(crate) fn is_of_leaver(&self) -> bool {
        matches!(&*self.step, "DisableAccount" | "DeleteAccount")
            || matches!(&*self.cause, "ended" | "suspended" | "identity deleted")
    }

    /// The attributes that are written.
    pub fn written(&self) -> impl Iterator<Item = &AttributeName> {
        self.after.iter().flat_map(|after| after.attributes.keys()).chain(self.attributes.keys())
    }

    /// The entry as one line of JSON without a line break: names of attributes, no values, no target's words.
    pub fn line(&self) -> String {
        let line = Line {
            time: self.at,
            namespace: &self.namespace,
            application: &self.application,
            intent: self.intent,
            step: &self.step,
            identities: &self.identities,
            uids: &self.uids,
            members: &self.members,
            account: self.account.as_ref(),
            entitlement: self.entitlement.as_ref(),
            granted: self.granted.as_ref(),
            attributes: self.written().collect(),
            cause: &self.cause,
            plan: self.plan.as_deref(),
            outcome: self.outcome.as_ref().map(outcome),
            attempts: self.attempts,
        };
        // Texts and numbers alone: there is nothing in it that could fail.
        serde_json::to_string(&line).unwrap_or_default()
    }
}

fn outcome(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Done => "Done",
        Outcome::Rejected(_) => "Rejected",
        Outcome::Failed(_) => "Failed",
        Outcome::Lost => "Lost",
        Outcome::Cancelled => "Cancelled",
    }
}

/// Which entries of the journal to read: all that hold every condition that is given.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct JournalQuery {
    /// The namespace.
    pub namespace: Option<Arc<str>>,
    /// The TargetApplication.
    pub application: Option<Name>,
    /// An identity among those it concerns.
    pub identity: Option<Name>,
    /// From this time on.
    pub from: Option<Timestamp>,
    /// Before this time.
    pub until: Option<Timestamp>,
}

impl JournalQuery {
    /// Whether an entry is asked for.
    pub fn asks_for(&self, entry: &JournalRecord) -> bool {
        self.namespace.as_ref().is_none_or(|n| *n == entry.namespace)
            && self.application.as_ref().is_none_or(|a| *a == entry.application)
            && self.identity.as_ref().is_none_or(|i| entry.identities.contains(i))
            && self.from.is_none_or(|t| t <= entry.at)
            && self.until.is_none_or(|t| entry.first.unwrap_or(entry.at) < t)
    }
}

/// The entries asked for, oldest first, as they were when the iterator was made.
pub struct Journal {
    pub(crate) range: redb::Range<'static, u64, &'static [u8]>,
    pub(crate) query: JournalQuery,
    pub(crate) path: Arc<str>,
}

impl Iterator for Journal {
    type Item = Result<JournalRecord, StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let entry = match self.range.next()? {
                Ok((_, value)) => serde_json::from_slice::<JournalRecord>(value.value()),
                Err(error) => {
                    let (path, detail) = (Arc::clone(&self.path), error.to_string().into());
                    return Some(Err(StoreError::Unavailable { path, detail }));
                }
            };
            match entry {
                Ok(entry) if self.query.asks_for(&entry) => return Some(Ok(entry)),
                Ok(_) => {}
                Err(error) => {
                    let (path, detail) = (Arc::clone(&self.path), format!("a journal entry: {error}").into());
                    return Some(Err(StoreError::Encoding { path, detail }));
                }
            }
        }
    }
}
