//! One account as it is held: the ledger's record of it, what was seen of it at the target, or both. Their texts are one
//! piece; digests are held once where what was seen is what was written; names of attributes, policies and grants are held
//! in common with whoever has the same.

use std::sync::Arc;

use jiff::Timestamp;

use crate::model::{AttributeName, Grant, Name, Owner, Record, RecordId, RecordState, TargetId, Texts, Uid};
use crate::plan::{Digests, Lists, Shade};

const OWNER: u8 = 0;
const USER_NAME: u8 = 1;
const EXTERNAL_ID: u8 = 2;
const TARGET_ID: u8 = 3;
/// And those after it: the texts of keys that were seen, by their place among the key attributes.
const KEY: u8 = 4;

/// What is known of one account.
#[derive(Debug)]
pub(super) struct Account {
    texts: Texts,
    held: Option<Held>,
    seen: Option<Sight>,
}

/// A record but for its texts.
#[derive(Debug)]
struct Held {
    id: RecordId,
    state: RecordState,
    created: bool,
    /// The last write: nanoseconds of a second, and that second. `NEVER`: there was none. An `Option` of both takes 8 bytes more,
    /// and leaves the room beside `state` empty.
    written_nanosecond: i32,
    written_second: i64,
    uid: Uid,
    /// Disabled since, and to be deleted then: few are.
    leaving: Option<Box<(Option<Timestamp>, Option<Timestamp>)>>,
    written: Digests,
    /// Sorted.
    policies: Arc<[Name]>,
    /// Sorted by the target's id.
    grants: Box<[Arc<(TargetId, Grant)>]>,
}

/// No nanosecond of any second.
const NEVER: (i64, i32) = (0, i32::MIN);

impl Held {
    fn last_write(&self) -> Option<Timestamp> {
        Timestamp::new(self.written_second, self.written_nanosecond).ok()
    }
}

/// What was seen but for the texts of its keys.
#[derive(Debug)]
struct Sight {
    enabled: bool,
    fresh: bool,
    barred: bool,
    /// `None`: what was written.
    digests: Option<Box<Digests>>,
    /// The round of observation that last showed it.
    round: u32,
}

/// One record.
#[derive(Clone, Copy, Debug)]
pub(super) struct Row<'a> {
    pub(super) id: RecordId,
    pub(super) state: RecordState,
    pub(super) last_write: Option<Timestamp>,
    texts: &'a Texts,
    held: &'a Held,
}

/// Whose a record is, as far as it was recorded.
#[derive(Clone, Copy, Debug)]
pub(super) struct Whose<'a> {
    pub(super) uid: &'a Uid,
    pub(super) external_id: Option<&'a str>,
    pub(super) user_name: &'a str,
}

impl<'a> From<Row<'a>> for Whose<'a> {
    fn from(row: Row<'a>) -> Self {
        let user_name = row.texts.get(USER_NAME).unwrap_or(row.owner());
        Self { uid: &row.held.uid, external_id: row.external_id(), user_name }
    }
}

impl<'a> From<&'a Record> for Whose<'a> {
    fn from(record: &'a Record) -> Self {
        Self { uid: &record.owner.uid, external_id: record.external_id.as_deref(), user_name: &record.user_name }
    }
}

/// What accounts have in common.
#[derive(Debug, Default)]
pub(super) struct Common {
    /// Attributes of which the texts are kept as well, by which accounts are recognised; 124 at most.
    pub(super) keys: Arc<[AttributeName]>,
    names: Lists<AttributeName>,
    policies: Lists<Name>,
    grants: std::collections::BTreeSet<Arc<(TargetId, Grant)>>,
}

impl Account {
    /// A record, and what was seen of its account.
    pub(super) fn of_record(record: Record, seen: Option<(Shade, u32)>, common: &mut Common) -> Self {
        let mut written: Digests = record.written.into_iter().collect();
        written.share_names(&mut common.names);
        let leaving = (record.disabled_at, record.delete_at);
        let last_write = record.last_write.map_or(NEVER, |at| (at.as_second(), at.subsec_nanosecond()));
        let held = Held {
            id: record.id,
            state: record.state,
            created: record.created,
            written_nanosecond: last_write.1,
            written_second: last_write.0,
            uid: record.owner.uid,
            leaving: (leaving != (None, None)).then(|| Box::new(leaving)),
            written,
            policies: common.policies.of(record.policies.into_iter().collect()),
            grants: record.grants.into_iter().map(|grant| common.grant(grant)).collect(),
        };
        let name = record.owner.name.as_str();
        let user_name = Some(&*record.user_name).filter(|user_name| *user_name != name);
        let target_id = record.target_id.as_ref().map(TargetId::as_str);
        let texts = [Some(name), user_name, record.external_id.as_deref(), target_id];
        Self::new(texts, Some(held), seen, common)
    }

    /// An account that was seen and of which there is no record.
    pub(super) fn of_stranger(id: &str, seen: (Shade, u32), common: &mut Common) -> Self {
        Self::new([None, None, None, Some(id)], None, Some(seen), common)
    }

    fn new(texts: [Option<&str>; 4], held: Option<Held>, seen: Option<(Shade, u32)>, common: &mut Common) -> Self {
        let own = (OWNER..KEY).zip(texts).filter_map(|(tag, text)| Some((tag, text?.to_owned())));
        let shade = seen.as_ref().map(|(shade, _)| shade);
        let keys = shade.into_iter().flat_map(|shade| shade.texts().iter());
        let keys = keys.map(|(at, text)| (KEY + at, key(text, texts)));
        let texts = own.chain(keys).collect();
        let seen = seen.map(|(shade, round)| Sight::of(shade, held.as_ref(), round, common));
        Self { texts, held, seen }
    }

    /// The same account, seen like this.
    pub(super) fn seen_as(self, seen: (Shade, u32), common: &mut Common) -> Self {
        let texts = self.texts;
        Self::new([OWNER, USER_NAME, EXTERNAL_ID, TARGET_ID].map(|tag| texts.get(tag)), self.held, Some(seen), common)
    }

    /// The same account of which nothing was seen; `None`: then nothing is known of it.
    pub(super) fn unseen(self, common: &mut Common) -> Option<Self> {
        let texts = self.texts;
        let held = self.held?;
        Some(Self::new([OWNER, USER_NAME, EXTERNAL_ID, TARGET_ID].map(|tag| texts.get(tag)), Some(held), None, common))
    }

    /// The same account without its record; `None`: then nothing is known of it.
    pub(super) fn unrecorded(self, common: &mut Common) -> Option<Self> {
        Some(Self::of_stranger(self.target_id()?, self.seen(common)?, common))
    }

    /// Remembers what was seen, if the texts of its keys are those that are known; answers whether they are.
    pub(super) fn sees(&mut self, shade: &Shade, round: u32, common: &mut Common) -> bool {
        let same = self.seen.is_some() && self.keys().eq(shade.texts().iter());
        if same {
            self.seen = Some(Sight::of(shade.clone(), self.held.as_ref(), round, common));
        }
        same
    }

    /// It was shown again, and nothing else is believed of that.
    pub(super) fn shown(&mut self, round: u32) -> bool {
        self.seen.as_mut().map(|seen| seen.round = round).is_some()
    }

    /// Whether it was seen.
    pub(super) fn is_seen(&self) -> bool {
        self.seen.is_some()
    }

    /// Whether it was seen, and in this round or a later one.
    pub(super) fn was_shown(&self, round: u32) -> Option<bool> {
        self.seen.as_ref().map(|seen| seen.round >= round)
    }

    /// Its record.
    pub(super) fn row(&self) -> Option<Row<'_>> {
        let held = self.held.as_ref()?;
        let (id, state, last_write) = (held.id, held.state, held.last_write());
        Some(Row { id, state, last_write, texts: &self.texts, held })
    }

    /// What was seen of it, and in which round.
    pub(super) fn seen(&self, common: &Common) -> Option<(Shade, u32)> {
        let seen = self.seen.as_ref()?;
        let digests = seen.digests.as_deref().or(self.held.as_ref().map(|held| &held.written));
        let digests = digests.cloned().unwrap_or_default();
        let state = (seen.enabled, seen.fresh, seen.barred);
        let shade = Shade::recalled(state, digests, &common.keys, self.keys().collect());
        Some((shade, seen.round))
    }

    /// Its id at the target.
    pub(super) fn target_id(&self) -> Option<&str> {
        self.texts.get(TARGET_ID)
    }

    /// The name of its owner.
    pub(super) fn owner(&self) -> Option<&str> {
        self.texts.get(OWNER)
    }

    /// The externalId of its owner.
    pub(super) fn external_id(&self) -> Option<&str> {
        self.texts.get(EXTERNAL_ID)
    }

    /// The text that was seen of a key attribute.
    pub(super) fn key(&self, at: u8) -> Option<&str> {
        self.resolve(self.texts.get(KEY.checked_add(at)?)?)
    }

    /// All of them, by the place of the attribute.
    fn keys(&self) -> impl Iterator<Item = (u8, &str)> {
        let keys = self.texts.iter().filter_map(|(tag, text)| Some((tag.checked_sub(KEY)?, text)));
        keys.filter_map(|(at, text)| Some((at, self.resolve(text)?)))
    }

    fn resolve<'a>(&'a self, text: &'a str) -> Option<&'a str> {
        text.strip_prefix(ITSELF).or_else(|| self.texts.get(*text.as_bytes().first()?))
    }
}

/// Before the text of a key that none of the record's texts is.
const ITSELF: char = '=';

/// The text of a key as it is held: a text of the record that is the same is named by its number.
fn key(text: &str, texts: [Option<&str>; 4]) -> String {
    let same = (OWNER..KEY).zip(texts).find(|(_, other)| *other == Some(text));
    same.map_or_else(|| format!("{ITSELF}{text}"), |(tag, _)| char::from(tag).to_string())
}

impl Sight {
    fn of(shade: Shade, held: Option<&Held>, round: u32, common: &mut Common) -> Self {
        let (enabled, fresh, barred) = (shade.enabled, shade.fresh, shade.barred);
        let differs = held.is_none_or(|held| held.written != *shade.digests());
        let digests = differs.then(|| {
            let mut digests = shade.into_digests();
            digests.share_names(&mut common.names);
            Box::new(digests)
        });
        Self { enabled, fresh, barred, digests, round }
    }
}

impl<'a> Row<'a> {
    /// The whole record.
    pub(super) fn record(self) -> Record {
        let held = self.held;
        let (disabled_at, delete_at) = held.leaving.as_deref().copied().unwrap_or_default();
        let name = Name::from(self.owner());
        Record {
            id: held.id,
            external_id: self.external_id().map(Arc::from),
            user_name: self.texts.get(USER_NAME).unwrap_or(name.as_str()).into(),
            owner: Owner { name, uid: held.uid.clone() },
            target_id: self.target_id().map(TargetId::from),
            state: held.state,
            written: held.written.iter().map(|(name, digest)| (name.clone(), digest)).collect(),
            policies: held.policies.iter().cloned().collect(),
            grants: held.grants.iter().map(|grant| (**grant).clone()).collect(),
            disabled_at,
            delete_at,
            last_write: self.last_write,
            created: held.created,
        }
    }

    /// Whether the record is this one.
    pub(super) fn is(self, record: &Record) -> bool {
        let held = self.held;
        let leaving = held.leaving.as_deref().copied().unwrap_or_default();
        let whose: Whose<'_> = self.into();
        let grants = || held.grants.iter().map(|grant| (&grant.0, &grant.1));
        (held.id, held.state, held.created) == (record.id, record.state, record.created)
            && (self.last_write, leaving) == (record.last_write, (record.disabled_at, record.delete_at))
            && (self.owner(), whose.user_name) == (record.owner.name.as_str(), &*record.user_name)
            && (whose.uid, whose.external_id) == (&record.owner.uid, record.external_id.as_deref())
            && self.target_id() == record.target_id.as_ref().map(TargetId::as_str)
            && held.written.iter().eq(record.written.iter().map(|(name, digest)| (name, *digest)))
            && held.policies.iter().eq(&record.policies)
            && grants().eq(&record.grants)
    }

    /// The name of its owner.
    pub(super) fn owner(self) -> &'a str {
        self.texts.get(OWNER).unwrap_or_default()
    }

    pub(super) fn external_id(self) -> Option<&'a str> {
        self.texts.get(EXTERNAL_ID)
    }

    pub(super) fn target_id(self) -> Option<&'a str> {
        self.texts.get(TARGET_ID)
    }

    /// Digests of what was written.
    pub(super) fn written(self) -> &'a Digests {
        &self.held.written
    }

    pub(super) fn disabled_at(self) -> Option<Timestamp> {
        self.held.leaving.as_deref().and_then(|(disabled_at, _)| *disabled_at)
    }

    /// What the account rests on, sorted.
    pub(super) fn policies(self) -> &'a [Name] {
        &self.held.policies
    }

    /// What is ours of what it holds, sorted by the target's id.
    pub(super) fn grants(self) -> impl ExactSizeIterator<Item = &'a (TargetId, Grant)> {
        self.held.grants.iter().map(|grant| &**grant)
    }

    /// Whether this is ours of what it holds.
    pub(super) fn holds(self, id: &TargetId) -> bool {
        self.held.grants.binary_search_by(|grant| grant.0.cmp(id)).is_ok()
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
            let account = Account::of_record(record(at), None, &mut common);
            let row = account.row().unwrap();
            assert_eq!(row.record(), record(at));
            assert!((0..9).all(|other| row.is(&record(other)) == (other == at)), "{at}");
            assert_eq!(format!("{:?}", Whose::from(row)), format!("{:?}", Whose::from(&record(at))));
            assert!((0..9).all(|n| row.holds(&format!("g{n}").as_str().into()) == (n < at)));
        }
    }

    #[test]
    fn a_record_that_differs_in_anything_is_another_one() {
        let account = Account::of_record(record(4), None, &mut Common::default());
        let row = account.row().unwrap();
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
