//! Desired x observed x ledger -> steps, for one account at a time. Pure functions: what to write, in which order, why,
//! and what it does to the ledger. Nothing here remembers anything, and no removal is planned without a record.

mod account;
#[cfg(test)]
mod account_tests;
mod adopt;
mod attributes;
mod budget;
mod correlate;
mod digest;
mod digests;
mod entitlements;
mod ledger_change;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::sync::Arc;

pub use account::account;
pub use budget::{Admission, Window, admit, held_hash};
pub use correlate::{Candidate, Matches, Strength, asks_for_approval, has, key_text};
pub use digest::{Fold, digest};
pub use digests::Digests;
pub(crate) use digests::Lists;
pub use ledger_change::Change;

use crate::directory::Decision;
use crate::model::{
    Apply, AttributeName, Attributes, Capabilities, CorrelationKey, Digest, Entitlement, Lane, Name, Observed, Owner,
    Record, Schema, Step, TargetApplication, TargetId, Texts, Value,
};
use crate::report;

/// What holds for every account of an application.
#[derive(Clone, Copy, Debug)]
pub struct AppRules<'a> {
    /// The manifest.
    pub settings: &'a TargetApplication,
    /// What the connector is.
    pub schema: &'a Schema,
    /// What the target can do; `None` before the first probe.
    pub capabilities: Option<&'a Capabilities>,
    /// The TargetApplication is being deleted with `Deprovision`: nobody is to have an account.
    pub deprovision: bool,
    /// The ledger was lost: an account of somebody who is suspended or ended, which surely is theirs, is adopted to be
    /// disabled.
    pub reclaims: bool,
}

/// One account to plan: whose it is, what is decided, what is known.
#[derive(Clone, Debug)]
pub struct Subject<'a> {
    /// Whose.
    pub owner: &'a Owner,
    /// What the directory decided.
    pub decision: &'a Decision,
    /// The identity's externalId, if it has one.
    pub external_id: Option<&'a Arc<str>>,
    /// The identity's userName, case-mapped; empty for one that is gone.
    pub user_name: &'a str,
    /// By which keys an existing account is recognised; none of them empty.
    pub keys: &'a [CorrelationKey],
    /// Our mark: the externalId, or `provost:NAMESPACE/NAME`.
    pub mark: &'a str,
    /// What the account should carry; references already resolved, the mark included.
    pub attributes: &'a [WantedAttribute],
    /// The ledger's record.
    pub record: Option<&'a Record>,
    /// What is known of the account at the target.
    pub seen: Seen<'a>,
    /// It was read by its id a moment ago.
    pub read: bool,
    /// Whether a disable of it was done is not known.
    pub doubted: bool,
    /// It is one of `safety.protected`, protected by the target, or the operator's own: never written to.
    pub protected: bool,
    /// The catalogue, with what is known of each entry for this account.
    pub catalogue: &'a [CatalogueView<'a>],
    /// Groups, roles and licences of the record's grants that are at the target no longer.
    pub vanished: &'a BTreeSet<TargetId>,
    /// Accounts that may be this identity's, where it has none.
    pub matches: Matches,
    /// The account that a person approved to be adopted.
    pub approved: Option<&'a TargetId>,
    /// Values that did not stick when they were written: written again only when the wanted value changes.
    pub unstuck: &'a BTreeSet<(TargetId, AttributeName, Digest)>,
}

/// One attribute that an account should carry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WantedAttribute {
    /// At the target.
    pub name: AttributeName,
    /// Its value (empty: to be absent); `None` where it cannot be known now: it is left as it is.
    pub value: Option<Value>,
    /// Kept, or set once.
    pub apply: Apply,
}

/// What is known of the account that the record names.
#[derive(Clone, Copy, Debug)]
pub enum Seen<'a> {
    /// Nothing: not observed yet.
    Unknown,
    /// Absent from a complete observation; to be believed only after a read by its id.
    Missing,
    /// A read by its id, begun after our last write's visibility window, did not find it.
    Absent,
    /// It is there.
    Present(&'a Shade),
}

/// What is known of one catalogue entry for one account.
#[derive(Clone, Copy, Debug)]
pub struct CatalogueView<'a> {
    /// The entry.
    pub entry: &'a Entitlement,
    /// The target's id, once bound.
    pub id: Option<&'a TargetId>,
    /// Whether the account holds it; `None`: not shown.
    pub held: Option<bool>,
    /// Whether that was observed after our last write to the account had become visible.
    pub fresh: bool,
    /// Its members are exactly those declared, and a complete snapshot shows them all: who is surely not to be in it is
    /// taken out, whoever put them in.
    pub exact: bool,
}

/// An account at the target as it is remembered: digests, and the texts of the keys by which accounts are recognised.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shade {
    /// Whether it can be used.
    pub enabled: bool,
    /// What was seen began after our last write had become visible; `false`: part of it is what we believe we wrote.
    pub fresh: bool,
    /// A look that counted showed that it cannot be used, and nothing that we did since has changed that.
    pub barred: bool,
    /// Of its attributes that have a value.
    digests: Digests,
    /// The key attributes of the application.
    keys: Arc<[AttributeName]>,
    /// The texts of those that have one, by their place.
    texts: Texts,
}

impl Shade {
    /// Of an observed account; `keys` names the attributes kept as text, 124 at most.
    pub fn of(observed: &Observed, keys: &Arc<[AttributeName]>, schema: &Schema) -> Self {
        let digests = observed.attributes.iter();
        let digests = digests.filter_map(|(name, value)| Some((name.clone(), digest(value, Fold::of(schema, name))?)));
        Self::with(observed.enabled, &observed.attributes, digests.collect(), keys)
    }

    /// The same, where the digests are known.
    pub(crate) fn with(enabled: bool, attributes: &Attributes, digests: Digests, keys: &Arc<[AttributeName]>) -> Self {
        let texts =
            (0..124).zip(keys.iter()).filter_map(|(at, key)| Some((at, correlate::remembered(attributes.get(key)?)?)));
        let texts = texts.collect();
        Self { enabled, fresh: true, barred: !enabled, digests, keys: Arc::clone(keys), texts }
    }

    /// The digest of an attribute; `None`: it has no value.
    pub fn digest(&self, name: &AttributeName) -> Option<Digest> {
        self.digests.get(name)
    }

    /// Of every attribute that has a value.
    pub fn digests(&self) -> &Digests {
        &self.digests
    }

    /// From what is kept of one; `texts` are those of the keys, by their place.
    pub(crate) fn recalled(
        (enabled, fresh, barred): (bool, bool, bool),
        digests: Digests,
        keys: &Arc<[AttributeName]>,
        texts: Texts,
    ) -> Self {
        Self { enabled, fresh, barred, digests, keys: Arc::clone(keys), texts }
    }

    /// The same, to be kept.
    pub(crate) fn into_digests(self) -> Digests {
        self.digests
    }

    /// The texts of the keys, by their place.
    pub(crate) fn texts(&self) -> &Texts {
        &self.texts
    }

    /// The text of a key attribute that has one value.
    pub fn key(&self, name: &str) -> Option<&str> {
        correlate::key(self.remembered(name)?)
    }

    fn remembered(&self, name: &str) -> Option<&str> {
        let at = self.keys.iter().position(|key| key.as_str() == name)?;
        self.texts.get(u8::try_from(at).ok()?)
    }

    /// Every key with its text.
    pub fn keys(&self) -> impl Iterator<Item = (&AttributeName, &str)> {
        let all = self.texts.iter();
        all.filter_map(|(at, text)| Some((self.keys.get(usize::from(at))?, correlate::key(text)?)))
    }

    /// Whether a key attribute has this value, in whatever case, among others or alone.
    pub fn has(&self, name: &AttributeName, written: &str) -> bool {
        self.remembered(name.as_str()).is_some_and(|texts| correlate::tells(texts, written))
    }

    /// What it is believed to be once `set` was written.
    pub fn written(&mut self, set: &Attributes, schema: &Schema) {
        let kept = self.digests.iter().filter(|(name, _)| !set.contains_key(*name));
        let kept = kept.map(|(name, digest)| (name.clone(), digest));
        let digests =
            set.iter().filter_map(|(name, value)| Some((name.clone(), digest(value, Fold::of(schema, name))?)));
        let digests = kept.chain(digests).collect();
        let texts = (0..124).zip(self.keys.iter()).filter_map(|(at, key)| {
            let text = match set.get(key) {
                Some(value) => correlate::remembered(value)?,
                None => self.texts.get(at)?.into(),
            };
            Some((at, text))
        });
        let texts = texts.collect();
        (self.digests, self.texts, self.fresh) = (digests, texts, false);
    }
}

/// What to do about one account.
#[derive(Clone, Debug, Default)]
pub struct Verdict {
    /// What to write, in this order; each may be left out (held, waiting) without the later ones becoming wrong.
    pub steps: Vec<Planned>,
    /// The record as it should be now, where it changes without a write.
    pub record: Option<Record>,
    /// The record is of no further use: the account is gone.
    pub forget: bool,
    /// What must be looked at first.
    pub need: Option<Lookup>,
    /// An account that a person may approve to be adopted.
    pub adoption: Option<TargetId>,
    /// How the account stands.
    pub account: report::Account,
    /// An account should exist (disabled where that is decided).
    pub desired: bool,
}

/// One write with what it means.
#[derive(Clone, Debug)]
pub struct Planned {
    /// What to send.
    pub step: Step,
    /// Why: policy names, `ended`, `drift`.
    pub cause: Arc<str>,
    /// The catalogue entry, for a membership, role or licence.
    pub entitlement: Option<Name>,
    /// The budget it is counted against; `None`: none.
    pub lane: Option<Lane>,
    /// It concerns a privileged entitlement.
    pub privileged: bool,
    /// A Deny takes it.
    pub denied: bool,
    /// Attributes that others changed and that it corrects; `membership` for a membership, role or licence.
    pub drift: Vec<AttributeName>,
    /// What it does to the record.
    pub change: Change,
}

impl Planned {
    /// It takes something within a removal budget.
    pub fn is_removal(&self) -> bool {
        matches!(self.lane, Some(Lane::Explicit | Lane::Derived))
    }
}

/// What must be looked at before anything is decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lookup {
    /// This account by its id.
    Read(TargetId),
    /// Accounts by this identity's keys.
    Find,
}
