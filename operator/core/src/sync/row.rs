//! A ledger record as it is held: texts in one piece, digests, policies and grants in common with whoever has the same.

use std::sync::Arc;

use jiff::Timestamp;

use crate::model::{Grant, Name, Owner, Record, RecordId, RecordState, TargetId, Texts, Uid};
use crate::plan::{Digests, Lists};

const OWNER: u8 = 0;
const USER_NAME: u8 = 1;
const EXTERNAL_ID: u8 = 2;
const TARGET_ID: u8 = 3;

/// One record.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) id: RecordId,
    pub(super) state: RecordState,
    created: bool,
    texts: Texts,
    uid: Uid,
    pub(super) last_write: Option<Timestamp>,
    /// Disabled since, and to be deleted then: few are.
    leaving: Option<Box<(Option<Timestamp>, Option<Timestamp>)>>,
    written: Digests,
    /// Sorted.
    policies: Arc<[Name]>,
    /// Sorted by the target's id.
    grants: Box<[Arc<(TargetId, Grant)>]>,
}

/// Whose a record is, as far as it was recorded.
#[derive(Clone, Copy, Debug)]
pub(super) struct Whose<'a> {
    pub(super) uid: &'a Uid,
    pub(super) external_id: Option<&'a str>,
    pub(super) user_name: &'a str,
}

impl<'a> From<&'a Row> for Whose<'a> {
    fn from(row: &'a Row) -> Self {
        let user_name = row.texts.get(USER_NAME).unwrap_or(row.owner());
        Self { uid: &row.uid, external_id: row.external_id(), user_name }
    }
}

impl<'a> From<&'a Record> for Whose<'a> {
    fn from(record: &'a Record) -> Self {
        Self { uid: &record.owner.uid, external_id: record.external_id.as_deref(), user_name: &record.user_name }
    }
}

/// What records have in common.
#[derive(Debug, Default)]
pub(super) struct Common {
    names: Lists<crate::model::AttributeName>,
    policies: Lists<Name>,
    grants: std::collections::BTreeSet<Arc<(TargetId, Grant)>>,
}

impl Row {
    /// A record, packed; `old` is what it replaces.
    pub(super) fn new(record: Record, old: Option<&Self>, common: &mut Common) -> Self {
        let Owner { name, uid } = record.owner;
        let user_name = Some(&*record.user_name).filter(|user_name| *user_name != name.as_str());
        let texts = [
            (OWNER, Some(name.as_str())),
            (USER_NAME, user_name),
            (EXTERNAL_ID, record.external_id.as_deref()),
            (TARGET_ID, record.target_id.as_ref().map(TargetId::as_str)),
        ];
        let mut written: Digests = record.written.into_iter().collect();
        written.share_names(&mut common.names);
        if let Some(old) = old {
            written.share(&old.written);
        }
        let leaving = (record.disabled_at, record.delete_at);
        Self {
            id: record.id,
            state: record.state,
            created: record.created,
            texts: texts.into_iter().filter_map(|(tag, text)| Some((tag, text?))).collect(),
            uid,
            last_write: record.last_write,
            leaving: (leaving != (None, None)).then(|| Box::new(leaving)),
            written,
            policies: common.policies.of(record.policies.into_iter().collect()),
            grants: record.grants.into_iter().map(|grant| common.grant(grant)).collect(),
        }
    }

    /// The whole record.
    pub(super) fn record(&self) -> Record {
        let (disabled_at, delete_at) = self.leaving.as_deref().copied().unwrap_or_default();
        let name = Name::from(self.owner());
        Record {
            id: self.id,
            external_id: self.external_id().map(Arc::from),
            user_name: self.texts.get(USER_NAME).unwrap_or(name.as_str()).into(),
            owner: Owner { name, uid: self.uid.clone() },
            target_id: self.target_id().map(TargetId::from),
            state: self.state,
            written: self.written.iter().map(|(name, digest)| (name.clone(), digest)).collect(),
            policies: self.policies.iter().cloned().collect(),
            grants: self.grants.iter().map(|grant| (**grant).clone()).collect(),
            disabled_at,
            delete_at,
            last_write: self.last_write,
            created: self.created,
        }
    }

    /// Whether the record is this one.
    pub(super) fn is(&self, record: &Record) -> bool {
        let leaving = self.leaving.as_deref().copied().unwrap_or_default();
        let whose: Whose<'_> = self.into();
        let grants = || self.grants.iter().map(|grant| (&grant.0, &grant.1));
        (self.id, self.state, self.created) == (record.id, record.state, record.created)
            && (self.last_write, leaving) == (record.last_write, (record.disabled_at, record.delete_at))
            && (self.owner(), whose.user_name) == (record.owner.name.as_str(), &*record.user_name)
            && (whose.uid, whose.external_id) == (&record.owner.uid, record.external_id.as_deref())
            && self.target_id() == record.target_id.as_ref().map(TargetId::as_str)
            && self.written.iter().eq(record.written.iter().map(|(name, digest)| (name, *digest)))
            && self.policies.iter().eq(&record.policies)
            && grants().eq(&record.grants)
    }

    /// The name of its owner.
    pub(super) fn owner(&self) -> &str {
        self.texts.get(OWNER).unwrap_or_default()
    }

    pub(super) fn external_id(&self) -> Option<&str> {
        self.texts.get(EXTERNAL_ID)
    }

    pub(super) fn target_id(&self) -> Option<&str> {
        self.texts.get(TARGET_ID)
    }

    pub(super) fn disabled_at(&self) -> Option<Timestamp> {
        self.leaving.as_deref().and_then(|(disabled_at, _)| *disabled_at)
    }

    /// Digests of what was written.
    pub(super) fn written(&self) -> &Digests {
        &self.written
    }

    /// What the account rests on, sorted.
    pub(super) fn policies(&self) -> &[Name] {
        &self.policies
    }

    /// What is ours of what it holds, sorted by the target's id.
    pub(super) fn grants(&self) -> impl ExactSizeIterator<Item = &(TargetId, Grant)> {
        self.grants.iter().map(|grant| &**grant)
    }

    /// Whether this is ours of what it holds.
    pub(super) fn holds(&self, id: &TargetId) -> bool {
        self.grants.binary_search_by(|grant| grant.0.cmp(id)).is_ok()
    }
}

impl Common {
    fn grant(&mut self, grant: (TargetId, Grant)) -> Arc<(TargetId, Grant)> {
        if let Some(known) = self.grants.get(&grant) {
            return Arc::clone(known);
        }
        let grant = Arc::new(grant);
        self.grants.insert(Arc::clone(&grant));
        grant
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;
    use crate::model::{Digest, EntitlementKind};

    fn record(at: u64) -> Record {
        let some = at.is_multiple_of(2);
        let when = |second: i64| some.then(|| Timestamp::new(second, 7).unwrap());
        let grant = |name: &str| Grant {
            entitlement: name.into(),
            kind: EntitlementKind::Role,
            policies: BTreeSet::from(["p".into()]),
            privileged: some,
        };
        Record {
            id: RecordId(at),
            owner: Owner { name: "ada".into(), uid: "3f0c8f3a-2f1c-4a57-9d55-1f0a7f6f4f10".into() },
            external_id: some.then(|| "E-1".into()),
            user_name: if at.is_multiple_of(3) { "ada".into() } else { "lovelace".into() },
            target_id: some.then(|| "t-1".into()),
            state: RecordState::Retained,
            written: (0..at).map(|n| (format!("a{n}").as_str().into(), Digest(n))).collect(),
            policies: (0..at).map(|n| format!("p{n}").as_str().into()).collect(),
            grants: (0..at).map(|n| (format!("g{n}").as_str().into(), grant("editor"))).collect::<BTreeMap<_, _>>(),
            disabled_at: when(1),
            delete_at: if at == 4 { None } else { when(2) },
            last_write: when(3),
            created: some,
        }
    }

    #[test]
    fn a_record_comes_out_as_it_went_in() {
        let mut common = Common::default();
        for at in 0..9 {
            let row = Row::new(record(at), None, &mut common);
            assert_eq!(row.record(), record(at));
            assert!((0..9).all(|other| row.is(&record(other)) == (other == at)), "{at}");
            assert_eq!(format!("{:?}", Whose::from(&row)), format!("{:?}", Whose::from(&record(at))));
            assert_eq!(Row::new(record(at), Some(&row), &mut common).record(), record(at));
            assert!((0..9).all(|n| row.holds(&format!("g{n}").as_str().into()) == (n < at)));
        }
    }

    #[test]
    fn a_record_that_differs_in_anything_is_another_one() {
        let row = Row::new(record(4), None, &mut Common::default());
        let changes: [fn(&mut Record); 15] = [
            |record| record.id = RecordId(5),
            |record| record.owner.name = "grace".into(),
            |record| record.owner.uid = "another".into(),
            |record| record.external_id = None,
            |record| record.user_name = "ada".into(),
            |record| record.target_id = Some("t-2".into()),
            |record| record.state = RecordState::Active,
            |record| _ = record.written.pop_last(),
            |record| _ = record.written.insert("a0".into(), Digest(9)),
            |record| _ = record.policies.pop_last(),
            |record| _ = record.grants.pop_last(),
            |record| record.disabled_at = None,
            |record| record.delete_at = record.disabled_at,
            |record| record.last_write = None,
            |record| record.created = false,
        ];
        for (at, change) in changes.into_iter().enumerate() {
            let mut other = record(4);
            change(&mut other);
            assert!(!row.is(&other), "{at}");
        }
    }
}
