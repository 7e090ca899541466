//! What was written at targets: the journal's entries, intent and outcome put together.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use clap::builder::PossibleValuesParser;
use jiff::Timestamp;
use provost_core::model::{AttributeName, Image, IntentId, Name, Outcome, Step, TargetId};
use provost_store::{ERASURE, Erased, JournalQuery, JournalRecord, Spoken, Store, StoreError};
use serde::{Deserialize, Serialize};

/// Writes that are answered where nobody says how many.
const LIMIT: usize = 1000;

/// What an entry can be of: the steps by their names, and an erasure.
fn steps() -> PossibleValuesParser {
    Step::NAMES.into_iter().chain([ERASURE]).into()
}

fn limit() -> usize {
    LIMIT
}

/// Which writes: all that hold every condition that is given.
#[derive(clap::Args, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct JournalAsk {
    /// Writes that concern this Identity
    #[arg(long)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity: Option<String>,
    /// Writes at this TargetApplication
    #[arg(long)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub application: Option<String>,
    /// Writes that rest on this AccessPolicy
    #[arg(long)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<String>,
    /// This step; Forget: that somebody was erased
    #[arg(long, value_parser = steps())]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<String>,
    /// Writes that the approval of this held plan released; the first digits of its hash will do
    #[arg(long, value_name = "HASH")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<String>,
    /// From this time on: how long ago, as in 10m or 7d, a date (UTC), or a time (RFC 3339)
    #[arg(long, value_name = "TIME", value_parser = crate::when::past)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
    /// Before this time, written in the same way
    #[arg(long, value_name = "TIME", value_parser = crate::when::past)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// So many at most, the latest ones
    #[arg(long, default_value_t = LIMIT)]
    #[serde(default = "limit")]
    pub limit: usize,
    /// Also what the target said, which may speak of people
    #[arg(long)]
    #[serde(default)]
    pub values: bool,
}

/// One write at a target: what was about to be done, and how it ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Write {
    /// When it was about to be done.
    pub at: Timestamp,
    /// When its outcome was stored; `None`: it is not known.
    pub ended: Option<Timestamp>,
    /// The namespace.
    pub namespace: Arc<str>,
    /// The TargetApplication.
    pub application: Name,
    /// What was done.
    pub step: Arc<str>,
    /// Whose accounts it concerns.
    pub identities: Vec<Name>,
    /// The account's id at the target.
    pub account: Option<TargetId>,
    /// The group, role or licence: its name where the ledger knows it, else its id.
    pub entitlement: Option<Arc<str>>,
    /// The attributes that were written: names alone.
    pub attributes: Vec<AttributeName>,
    /// What was there before, as far as it was seen; `None`: nothing is known. Digests in place of values.
    pub before: Option<Image<Arc<str>>>,
    /// What is there once it is done; the same.
    pub after: Option<Image<Arc<str>>>,
    /// Why: policies, `ended`, `suspended`, `identity deleted`, `drift`.
    pub cause: Arc<str>,
    /// The held plan whose approval released it.
    pub plan: Option<Arc<str>>,
    /// `Done`, `Rejected`, `Failed`, `Lost`, `Cancelled`; `None`: under way, or not known.
    pub outcome: Option<Arc<str>>,
    /// What the target said of it, where that was asked for.
    pub detail: Option<Arc<str>>,
    /// How many attempts that ended in the same way it stands for; all but the count is of the latest.
    pub attempts: u32,
    /// When the first of several was about to be made.
    pub first: Option<Timestamp>,
}

/// Whom the journal is to forget.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Forget {
    /// The name of the Identity, which may be gone.
    pub identity: String,
    /// Also somebody who is still declared or has an account in use.
    #[serde(default)]
    pub yes: bool,
}

/// What it forgot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Forgotten {
    /// Entries that spoke of them.
    pub entries: u64,
    /// TargetApplications whose ledger still has an account of this name.
    pub accounts: Vec<Name>,
}

impl From<Erased> for Forgotten {
    fn from(erased: Erased) -> Self {
        Self { entries: erased.entries, accounts: erased.accounts }
    }
}

/// Who orders an erasure, and when.
#[derive(Clone, Debug)]
pub struct Ordered {
    /// For the journal.
    pub by: String,
    /// Wall time.
    pub at: Timestamp,
    /// The Identity is in the namespace, as far as that was looked at: a file does not say it.
    pub declared: bool,
}

/// Erases an identity from the journal, or says why it should not be. Blocks on the disk.
pub fn forget(
    store: &Store,
    namespace: &str,
    whom: &Forget,
    ordered: &Ordered,
) -> Result<Result<Erased, String>, StoreError> {
    let identity = Name::from(whom.identity.as_str());
    if !whom.yes {
        let spoken = store.spoken_of(namespace, &identity)?;
        if spoken.entries > 0 && (ordered.declared || !spoken.in_use.is_empty()) {
            return Ok(Err(too_early(&identity, &spoken, ordered.declared)));
        }
    }
    store.forget(namespace, &identity, &ordered.by, ordered.at).map(Ok)
}

/// Why somebody who is still there is not erased without being asked, and what would be lost.
fn too_early(identity: &Name, spoken: &Spoken, declared: bool) -> String {
    let used: Vec<&str> = spoken.in_use.iter().map(Name::as_str).collect();
    let used = (!used.is_empty()).then(|| format!("has an account in use in {}", used.join(", ")));
    let still = declared.then(|| "is still declared".to_owned());
    let there = still.into_iter().chain(used).collect::<Vec<_>>().join(" and ");
    let entries = provost_store::entries(spoken.entries);
    let when = match (declared, spoken.has_account) {
        (true, true) => "the Identity and their accounts are deleted",
        (true, false) => "the Identity is deleted",
        (false, _) => "their accounts are deleted",
    };
    format!(
        "{identity} {there}: {entries} of the journal would not say any more whom they concern and what was written, for ever, \
         and what is written from now on would name them again. Erase them when {when}, or now with --yes"
    )
}

/// Reads the journal. Blocks on the disk.
pub fn journal(store: &Store, namespace: Option<&str>, ask: &JournalAsk) -> Result<Vec<Write>, StoreError> {
    let query = JournalQuery {
        namespace: namespace.map(Arc::from),
        application: ask.application.as_deref().map(Name::from),
        identity: ask.identity.as_deref().map(Name::from),
        from: ask.since,
        until: ask.until,
    };
    let mut names: HashMap<(Arc<str>, Name), HashMap<TargetId, Arc<str>>> = HashMap::new();
    let mut latest = Latest::new(ask.limit.clamp(1, 100_000));
    for entry in store.journal(query)? {
        let entry = entry?;
        if !ask.wants(&entry) {
            continue;
        }
        let of = (Arc::clone(&entry.namespace), entry.application.clone());
        if entry.entitlement.is_some() && !names.contains_key(&of) {
            let groups = store.load(&of.0, &of.1)?.groups;
            names.insert(of.clone(), groups.into_iter().map(|group| (group.target_id, group.name)).collect());
        }
        let name = |id: &TargetId| names.get(&of).and_then(|names| names.get(id)).cloned();
        latest.take(entry, name, ask.values);
    }
    Ok(latest.writes.into())
}

/// Whether the ledger or the journal has the application: of a deleted one the journal may be all that is left.
pub fn recorded(store: &Store, namespace: Option<&str>, application: &str) -> Result<bool, StoreError> {
    let name = Name::from(application);
    let is = |of: &(Arc<str>, Name)| of.1 == name && namespace.is_none_or(|wanted| wanted == &*of.0);
    if store.applications()?.iter().any(is) {
        return Ok(true);
    }
    let query =
        JournalQuery { namespace: namespace.map(Arc::from), application: Some(name), ..JournalQuery::default() };
    Ok(store.journal(query)?.next().transpose()?.is_some())
}

impl JournalAsk {
    fn wants(&self, entry: &JournalRecord) -> bool {
        let is = |wanted: &Option<String>, found: &str| wanted.as_ref().is_none_or(|wanted| wanted == found);
        let plan = entry.plan.as_deref().unwrap_or_default();
        is(&self.step, &entry.step)
            && self.policy.as_ref().is_none_or(|policy| entry.cause.split(", ").any(|name| name == policy))
            && self.plan.as_ref().is_none_or(|wanted| !wanted.is_empty() && plan.starts_with(wanted.as_str()))
    }
}

/// The latest writes, in the order in which they began.
struct Latest {
    limit: usize,
    writes: VecDeque<Write>,
    /// How many were dropped in front.
    dropped: usize,
    /// Counted from the first one ever.
    places: HashMap<(Arc<str>, Name, IntentId), usize>,
}

impl Latest {
    fn new(limit: usize) -> Self {
        Self { limit, writes: VecDeque::new(), dropped: 0, places: HashMap::new() }
    }

    fn take(&mut self, entry: JournalRecord, name: impl Fn(&TargetId) -> Option<Arc<str>>, values: bool) {
        let key = (Arc::clone(&entry.namespace), entry.application.clone(), entry.intent);
        // An erasure is no write, and has no intent.
        let erasure = &*entry.step == ERASURE;
        let known = self.places.get(&key).and_then(|place| place.checked_sub(self.dropped));
        let attributes = entry.written().cloned().collect();
        let (outcome, detail) = entry.outcome.map(told).unzip();
        let detail = detail.flatten().filter(|_| values);
        let ended = outcome.is_some().then_some(entry.at);
        if let Some(write) = known.filter(|_| !erasure).and_then(|at| self.writes.get_mut(at)) {
            write.account = entry.account.or(write.account.take());
            (write.ended, write.outcome, write.detail) = (ended, outcome, detail);
            (write.attempts, write.first) = (entry.attempts, entry.first);
            return;
        }
        let write = Write {
            at: entry.at,
            ended,
            namespace: entry.namespace,
            application: entry.application,
            step: entry.step,
            identities: entry.identities,
            account: entry.account,
            entitlement: entry.entitlement.map(|id| name(&id).unwrap_or_else(|| id.as_str().into())),
            attributes,
            before: entry.before,
            after: entry.after,
            cause: entry.cause,
            plan: entry.plan,
            outcome,
            detail,
            attempts: entry.attempts,
            first: entry.first,
        };
        if !erasure {
            self.places.insert(key, self.dropped + self.writes.len());
        }
        self.writes.push_back(write);
        if self.writes.len() > self.limit {
            self.writes.pop_front();
            self.dropped += 1;
            // Places of what was dropped are of no use; now and then they are thrown away.
            if self.places.len() > 4 * self.limit {
                let dropped = self.dropped;
                self.places.retain(|_, place| *place >= dropped);
            }
        }
    }
}

fn told(outcome: Outcome) -> (Arc<str>, Option<Arc<str>>) {
    match outcome {
        Outcome::Done => ("Done".into(), None),
        Outcome::Rejected(words) => ("Rejected".into(), Some(words)),
        Outcome::Failed(words) => ("Failed".into(), Some(words)),
        Outcome::Lost => ("Lost".into(), None),
        Outcome::Cancelled => ("Cancelled".into(), None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_not_erased_yet_is_told_what_must_be_deleted_first() {
        let spoken = |used: &[&str], has_account| Spoken {
            entries: 1,
            in_use: used.iter().map(|name| Name::from(*name)).collect(),
            has_account,
        };
        for (spoken, declared, there, when) in [
            (spoken(&[], false), true, "is still declared", "the Identity is deleted"),
            (spoken(&[], true), true, "is still declared", "the Identity and their accounts are deleted"),
            (spoken(&["wiki"], true), false, "has an account in use in wiki", "their accounts are deleted"),
        ] {
            let said = too_early(&"max".into(), &spoken, declared);
            assert!(said.starts_with(&format!("max {there}: 1 entry of the journal ")), "{said}");
            assert!(said.ends_with(&format!(" Erase them when {when}, or now with --yes")), "{said}");
        }
    }
}
